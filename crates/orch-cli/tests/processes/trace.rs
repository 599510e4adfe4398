//! What a command asks of the kernel, and in which order: the log is on the disk before the answer is written.

use std::process::Command;

use orch_testkit::program::{ProcessOutput, RunningProcess};

use crate::fixture::{ProcessFixture, can_run, read_bytes};

/// A call of the kernel on a file.
#[derive(Debug, PartialEq, Eq)]
enum TracedSyscall {
    /// Bytes were written to a file of this name, or cut from it.
    Write(String),
    /// A file of this name was brought to the disk, by `fdatasync` or, where it says so, by the dearer `fsync`.
    Sync { name: String, whole: bool },
    /// The answer was written.
    Answer,
}

/// Runs a command under `strace`; `None` where that cannot be.
fn run_traced(
    test: &str,
    place: &ProcessFixture,
    words: &[&str],
) -> Option<(ProcessOutput, Vec<TracedSyscall>)> {
    let record = place.file_path("trace");
    let plain = place.programs.program_command(words);
    let mut command = Command::new("strace");
    let calls =
        "trace=write,writev,pwrite64,pwritev,ftruncate,fallocate,fsync,fdatasync,sync_file_range,msync";
    command.args(["-f", "-y", "-qq", "-s", "12", "-e", calls, "-o"]).arg(&record);
    command.arg(plain.get_program()).args(plain.get_args());
    if let Some(folder) = plain.get_current_dir() {
        command.current_dir(folder);
    }
    place.programs.set_environment(&mut command);
    let has = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !can_run(test, "strace", has.is_ok_and(|status| status.success())) {
        return None;
    }
    let ended = RunningProcess::start(command).wait_output();
    assert!(ended.status.success(), "{ended}");
    let record = String::from_utf8_lossy(&read_bytes(&record)).into_owned();
    Some((ended, record.lines().filter_map(parse_syscall).collect()))
}

/// Reads a line like `123 fdatasync(4</there/orch.db-wal>) = 0`.
fn parse_syscall(line: &str) -> Option<TracedSyscall> {
    let (_, call) = line.trim_start().split_once(' ')?;
    let (function, rest) = call.trim_start().split_once('(')?;
    let (number, rest) = rest.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    let name = path.rsplit('/').next()?.to_owned();
    match function {
        "fsync" | "fdatasync" => Some(TracedSyscall::Sync { name, whole: function == "fsync" }),
        "write" | "writev" if number == "1" => Some(TracedSyscall::Answer),
        _ => Some(TracedSyscall::Write(name)),
    }
}

fn is_write_to_log(call: &TracedSyscall) -> bool {
    matches!(call, TracedSyscall::Write(name) if name == "orch.db-wal")
}

#[test]
fn a_change_is_on_the_disk_before_its_answer_is_written() {
    let place = ProcessFixture::new();
    let send = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", "s"];
    let run = ["orch", "run", "init", "Traced", "--name", "r"];
    let task = ["orch", "task", "add", "T", "--key", "t"];
    let dispatch = ["orch", "dispatch", "t", "--to", "ana"];
    let claim = ["inbox", "claim", "--for", "ana"];
    for words in [&send[..], &run, &task, &dispatch, &claim] {
        let test = "the order of fdatasync and answer";
        let Some((_, calls)) = run_traced(test, &place, words) else { return };
        let answers: Vec<_> = (0..calls.len()).filter(|at| calls[*at] == TracedSyscall::Answer).collect();
        let [answer] = answers[..] else { panic!("one write answers: {calls:?}") };
        let last_write = calls[..answer].iter().rposition(is_write_to_log);
        let last_write = last_write.unwrap_or_else(|| panic!("nothing was changed before: {calls:?}"));
        let synced = TracedSyscall::Sync { name: "orch.db-wal".to_owned(), whole: false };
        assert!(calls[last_write..answer].contains(&synced), "{words:?}: {calls:?}");
        assert!(!calls[answer..].iter().any(is_write_to_log), "nothing is changed after: {calls:?}");
    }
}

#[test]
fn a_change_waits_for_the_disk_once() {
    let place = ProcessFixture::new();
    let send = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", "s"];
    let synced = |place: &ProcessFixture| {
        let (_, calls) = run_traced("one fdatasync per change", place, &send)?;
        let before_the_answer = calls.into_iter().take_while(|call| *call != TracedSyscall::Answer);
        let names = before_the_answer.filter_map(|call| match call {
            TracedSyscall::Sync { name, .. } => Some(name),
            TracedSyscall::Write(_) | TracedSyscall::Answer => None,
        });
        Some(names.collect::<Vec<_>>())
    };
    // The first change of all also makes the log's header durable.
    place.send_work("s");
    let Some(at_first) = synced(&place) else { return };
    let folder = place.file_path("").file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(at_first, [folder.as_str(), "orch.db-wal"], "the name of a new log is made durable too");
    // A log that is full begins anew, which it does only under a durable name.
    let big = place.file_path("big");
    std::fs::write(&big, "x".repeat(1 << 20)).unwrap();
    let _ = place.programs.run_for_data(&[&send[..], &["--body-file", big.to_str().unwrap()]].concat());
    assert_eq!(synced(&place).unwrap(), ["orch.db-wal"]);
}

#[test]
fn a_renewal_does_not_wait_for_the_disk() {
    let place = ProcessFixture::new();
    place.send_work("s");
    let (thread, token) = place.claim_work();
    let renew = ["inbox", "renew", &thread, "--token", &token, "--lease", "1h"];
    let Some((_, calls)) = run_traced("a renewal without fdatasync", &place, &renew) else { return };
    assert!(calls.iter().any(is_write_to_log), "it is remembered: {calls:?}");
    assert!(!calls.iter().any(|call| matches!(call, TracedSyscall::Sync { .. })), "{calls:?}");
}

#[test]
fn a_default_answer_that_a_renewal_gives_does() {
    let place = ProcessFixture::new();
    place.send_work("s");
    let (thread, token) = place.claim_work();
    let ask = ["inbox", "ask", &thread, "--token", &token, "Which?", "--default", "this"];
    let _ = place.programs.run_for_data(&[&ask[..], &["--default-after", "0s"]].concat());
    let renew = ["inbox", "renew", &thread, "--token", &token];
    let Some((_, calls)) = run_traced("a default answer and fdatasync", &place, &renew) else { return };
    let synced = calls.iter().rposition(|call| matches!(call, TracedSyscall::Sync { .. }));
    let written = calls.iter().rposition(is_write_to_log);
    assert!(written.is_some() && written < synced, "{calls:?}");
    assert_eq!(place.programs.run_for_data(&["inbox", "show", &thread])["messages"][2]["from"], "default");
}

#[test]
fn a_look_writes_and_syncs_nothing() {
    let place = ProcessFixture::new();
    let _ = place.programs.run_for_data(&["orch", "run", "init", "Traced", "--name", "r"]);
    let _ = place.programs.run_for_data(&["orch", "task", "add", "T", "--key", "t"]);
    place.send_work("s");
    for words in [
        &["inbox", "list"][..],
        &["inbox", "show", "th-1"],
        &["inbox", "agents"],
        &["orch", "status"],
        &["orch", "ready"],
        &["orch", "task", "show", "t"],
        &["orch", "why", "t"],
        &["orch", "events"],
    ] {
        let Some((_, calls)) = run_traced("a look without writes", &place, words) else { return };
        let answered = calls.iter().position(|call| *call == TracedSyscall::Answer);
        assert!(answered.is_some(), "{calls:?}");
        let touches = |(at, call): &(usize, &TracedSyscall)| match call {
            // Shared memory is no file on the disk's account: it is made anew by whoever opens the store first.
            // What the answer cost its reader is noted behind it, in the meter's file of the run.
            TracedSyscall::Write(name) => name != "orch.db-shm" && !(name == "r.tsv" && Some(*at) > answered),
            TracedSyscall::Sync { .. } => true,
            TracedSyscall::Answer => false,
        };
        assert_eq!(calls.iter().enumerate().find(touches), None, "{words:?}: {calls:?}");
    }
}

/// Whoever is killed between claiming and saying who works would leave work that nobody knows to be left.
#[test]
fn a_wrapper_claims_and_says_who_works_in_one_change() {
    let place = ProcessFixture::new();
    let send = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", "s", "--body", "echo at it"];
    let _ = place.programs.run_for_data(&send);
    let run = ["inbox", "run", "--for", "ana", "--as", "ana", "--profile", "shell"];
    let Some((_, calls)) = run_traced("one fdatasync before a worker", &place, &run) else { return };
    // The worker's own words come first of all that is written to an output.
    let begun = calls.iter().position(|call| *call == TracedSyscall::Answer).expect("it worked");
    let syncs = |calls: &[TracedSyscall]| {
        calls
            .iter()
            .filter(|call| matches!(call, TracedSyscall::Sync { name, .. } if name == "orch.db-wal"))
            .count()
    };
    assert_eq!(syncs(&calls[..begun]), 1, "{calls:?}");
    assert!(syncs(&calls[begun..]) > 0, "{calls:?}");
}
