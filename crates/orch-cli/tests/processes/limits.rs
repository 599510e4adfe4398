//! A disk that is full, a file that may not grow, a reader that is gone: nothing is lost, and the answer says why.

use std::process::{Command, Stdio};

use orch_testkit::program::{ProcessOutput, ProgramReply, RunningProcess};

use crate::fixture::{ProcessFixture, can_run};

/// A file system of a test's own and of this size, for as long as the test takes.
struct SmallDisk<'a> {
    place: &'a ProcessFixture,
}

impl<'a> SmallDisk<'a> {
    fn mount(place: &'a ProcessFixture, test: &str, size: &str) -> Option<Self> {
        let folder = place.file_path("disk");
        std::fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"]).arg(&folder);
        let done = mount.stderr(Stdio::null()).status();
        let this = Self { place };
        can_run(test, "mount", done.is_ok_and(|status| status.success())).then_some(this)
    }

    fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(self.place.file_path("disk"));
        assert!(mount.status().unwrap().success(), "remount {how}");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Where it could not be mounted there is nothing to take away.
        let folder = self.place.file_path("disk");
        let _ = Command::new("umount").arg("--lazy").arg(folder).stderr(Stdio::null()).status();
    }
}

fn expect_refused(ended: &ProcessOutput, code: &str, status: i32) {
    let ProgramReply::Refused { code: found, error } = ended.program_reply() else { panic!("{ended}") };
    assert_eq!((found.as_str(), ended.status.code()), (code, Some(status)), "{ended}");
    assert!(error["hint"].is_string(), "{ended}");
}

#[test]
fn a_full_disk_refuses_until_there_is_room_again() {
    let place = ProcessFixture::without_store();
    let Some(_disk) = SmallDisk::mount(&place, "a full disk", "2m") else { return };
    let programs = place.programs.with_store(place.file_path("disk/orch.db"));
    let _ = programs.run_for_data(&["inbox", "init"]);
    let ballast = place.file_path("disk/ballast");
    std::fs::write(&ballast, vec![0; 900_000]).unwrap();
    let body = "x".repeat(60_000);
    let send = |key: &str| {
        programs.run_command(&[
            "inbox",
            "send",
            "--as",
            "lead",
            "--to",
            "ana",
            "--subject",
            key,
            "--body",
            &body,
            "--request-id",
            key,
        ])
    };
    let mut sent = 0;
    let full = loop {
        let ended = send(&format!("k{sent}"));
        match ended.program_reply() {
            ProgramReply::Ok { .. } => sent += 1,
            _ => break ended,
        }
        assert!(sent < 100, "two megabytes hold no hundred texts of sixty kilobytes");
    };
    expect_refused(&full, "disk_full", 6);
    assert!(sent > 0);
    for words in [&["inbox", "claim", "--for", "ana"][..], &["orch", "run", "init", "R"]] {
        let ended = programs.run_command(words);
        // A small change may find room that a large one did not.
        assert!(
            matches!(ended.program_reply(), ProgramReply::Ok { .. } | ProgramReply::Refused { .. }),
            "{ended}"
        );
    }

    std::fs::remove_file(ballast).unwrap();
    let again = send(&format!("k{sent}"));
    assert!(
        matches!(again.program_reply(), ProgramReply::Ok { replayed: false, .. }),
        "it was not applied before: {again}"
    );
    let list = programs.run_for_data(&["inbox", "list", "--for", "ana", "--limit", "1"]);
    assert_eq!(list["total"], sent + 1, "what was ok is there, and nothing of what was not");
    assert_ne!(programs.run_for_data(&["orch", "doctor"])["verdict"], "error");
}

#[test]
fn a_disk_without_room_for_a_store_says_so() {
    let place = ProcessFixture::without_store();
    let Some(_disk) = SmallDisk::mount(&place, "a disk without room", "64k") else { return };
    let programs = place.programs.with_store(place.file_path("disk/orch.db"));
    std::fs::write(place.file_path("disk/ballast"), vec![0; 50_000]).unwrap();
    expect_refused(&programs.run_command(&["orch", "init"]), "disk_full", 6);
    std::fs::remove_file(place.file_path("disk/ballast")).unwrap();
    expect_refused(&programs.run_command(&["inbox", "list"]), "store_not_found", 3);
}

#[test]
fn a_read_only_disk_is_told_from_a_missing_store() {
    let place = ProcessFixture::without_store();
    let Some(disk) = SmallDisk::mount(&place, "a read-only disk", "4m") else { return };
    let programs = place.programs.with_store(place.file_path("disk/orch.db"));
    let elsewhere = place.programs.with_store(place.file_path("disk/new/orch.db"));
    let _ = programs.run_for_data(&["inbox", "init"]);
    let _ = programs.run_for_data(&["inbox", "send", "--as", "lead", "--to", "ana", "--subject", "s"]);
    disk.remount("ro");
    expect_refused(&elsewhere.run_command(&["orch", "init"]), "store_read_only", 7);
    expect_refused(&elsewhere.run_command(&["inbox", "list"]), "store_not_found", 3);
    expect_refused(&programs.run_command(&["inbox", "claim", "--for", "ana"]), "store_read_only", 7);
    expect_refused(&programs.run_command(&["orch", "run", "init", "R"]), "store_read_only", 7);
    let list = programs.run_command(&["inbox", "list"]);
    assert!(matches!(list.program_reply(), ProgramReply::Ok { .. }), "reading goes on: {list}");
    disk.remount("rw");
    assert_eq!(programs.run_for_data(&["inbox", "claim", "--for", "ana"])["thread"]["subject"], "s");
}

/// Runs a command in a shell that set a limit first.
fn run_with_limit(place: &ProcessFixture, limit: &str, words: &[&str]) -> ProcessOutput {
    let plain = place.programs.program_command(words);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]);
    command.arg(plain.get_program()).args(plain.get_args());
    place.programs.set_environment(&mut command);
    RunningProcess::start(command).wait_output()
}

#[test]
fn a_limit_on_file_sizes_is_an_error_like_others() {
    let place = ProcessFixture::new();
    place.send_work("before");
    // In blocks of 512 bytes: the log may not grow beyond what it is.
    let log = std::fs::metadata(place.file_path("orch.db-wal")).unwrap().len();
    let limit = format!("ulimit -f {}", log / 512 + 1);
    let body = "x".repeat(100_000);
    let send = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", "s", "--body", &body];
    expect_refused(&run_with_limit(&place, &limit, &send), "store_unavailable", 6);
    assert_eq!(place.programs.run_for_data(&["inbox", "list", "--for", "ana"])["total"], 1);
    place.send_work("after");
    assert_eq!(place.programs.run_for_data(&["inbox", "list", "--for", "ana"])["total"], 2);
    assert_ne!(place.programs.run_for_data(&["orch", "doctor"])["verdict"], "error");
}

#[test]
fn too_few_open_files_are_an_answer_too() {
    let place = ProcessFixture::new();
    place.send_work("s");
    let whole = ["inbox", "list"];
    for files in 3..12 {
        let ended = run_with_limit(&place, &format!("ulimit -n {files}"), &whole);
        // With three the program itself may not start: its libraries are files.
        if !ended.stdout.is_empty() {
            assert!(
                !matches!(ended.program_reply(), ProgramReply::Unparsable(_) | ProgramReply::Nothing),
                "{files} files: {ended}"
            );
        }
        assert!(!ended.stderr.contains("panicked"), "{files} files: {ended}");
    }
}

/// With nobody to answer to, the change is made all the same, and its request id tells.
#[test]
fn an_answer_that_reaches_nobody_can_be_asked_for_again() {
    let place = ProcessFixture::new();
    let send = |key: &str| {
        let words = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", key, "--request-id", key];
        place.programs.program_command(&words)
    };
    let no_room = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    for (key, stdout, status) in [("full", Stdio::from(no_room), 1), ("gone", gone.into(), 0)] {
        let mut command = send(key);
        command.stdout(stdout);
        let ended = RunningProcess::start_with_stdout(command).wait_output();
        assert_eq!(ended.status.code(), Some(status), "{key}: {ended}");
        let again = RunningProcess::start(send(key)).wait_output();
        assert!(matches!(again.program_reply(), ProgramReply::Ok { replayed: true, .. }), "{key}: {again}");
    }
    let closed = run_with_limit(
        &place,
        "exec >&-",
        &["inbox", "send", "--as", "l", "--to", "ana", "--subject", "closed"],
    );
    assert_eq!(closed.status.code(), Some(0), "{closed}");
    assert_eq!(place.programs.run_for_data(&["inbox", "list", "--for", "ana"])["total"], 3, "each once");
}
