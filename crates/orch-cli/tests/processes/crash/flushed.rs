//! What git wrote is on the disk before the answer that names it is recorded.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_testkit::program::{ProgramReply, RunningProcess};

use super::fixture::CrashFixture;
use crate::fixture::{can_run, read_bytes, wait_until};

/// A call of the kernel that the order is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DurabilityCall {
    /// Git was started to write commits or references.
    GitWrite,
    /// A file system, or a file of git's, was flushed.
    GitFlush,
    /// The log of the store was flushed.
    StoreFlush,
}

const NEEDED: &str = "strace";

fn has_strace(test: &str) -> bool {
    let has = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    can_run(test, NEEDED, has.is_ok_and(|status| status.success()))
}

/// Puts `strace` in front of a command of the fixture.
fn traced(site: &CrashFixture, plain: &Command, options: &[&str], record: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-s", "4096"]).args(options).arg("-o").arg(record);
    command.arg(plain.get_program()).args(plain.get_args());
    site.set_environment(&mut command, &site.search_path());
    command
}

/// Runs a command to its successful end, and returns what it asked of the kernel.
fn trace_durability(site: &CrashFixture, plain: &Command) -> Vec<DurabilityCall> {
    let record = site.sibling_path("trace");
    let calls = "trace=execve,syncfs,fsync,fdatasync";
    let ended = RunningProcess::start(traced(site, plain, &["-e", calls], &record)).wait_output();
    assert!(matches!(ended.program_reply(), ProgramReply::Ok { .. }), "{ended}");
    String::from_utf8_lossy(&read_bytes(&record)).lines().filter_map(parse_durability_call).collect()
}

fn parse_durability_call(line: &str) -> Option<DurabilityCall> {
    let (_, call) = line.trim_start().split_once(' ')?;
    let (function, rest) = call.trim_start().split_once('(')?;
    let file =
        || rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(path, _)| path);
    match function {
        "execve" => {
            let writes = ["\"update-ref\"", "\"commit-tree\"", "\"merge\""];
            writes.iter().any(|word| rest.contains(word)).then_some(DurabilityCall::GitWrite)
        }
        "syncfs" => Some(DurabilityCall::GitFlush),
        "fsync" => {
            // Git itself flushes files only under temporary names.
            let is_final = !file().ends_with(".lock") && !file().contains("/tmp_");
            let is_of_git = file().contains("/.git") && !file().ends_with("/.git/orch");
            (is_of_git && is_final).then_some(DurabilityCall::GitFlush)
        }
        "fdatasync" => file().ends_with("orch.db-wal").then_some(DurabilityCall::StoreFlush),
        _ => None,
    }
}

/// After the last write of git there is a flush, and after that one of the store.
fn assert_flushed_in_order(what: &str, calls: &[DurabilityCall]) {
    let last = |wanted| calls.iter().rposition(|call| *call == wanted);
    let (write, flush, store) =
        (last(DurabilityCall::GitWrite), last(DurabilityCall::GitFlush), last(DurabilityCall::StoreFlush));
    assert!(flush.is_some() && write < flush && flush < store, "{what}: {calls:?}");
}

/// What is kept is flushed before the last write of git, which deletes the branch.
fn assert_flushed_before_deletion(calls: &[DurabilityCall]) {
    let deletion = calls.iter().rposition(|call| *call == DurabilityCall::GitWrite).unwrap();
    let flush = calls[..deletion].iter().rposition(|call| *call == DurabilityCall::GitFlush).unwrap();
    assert!(!calls[flush..deletion].contains(&DurabilityCall::GitWrite), "{calls:?}");
    assert!(calls[..flush].contains(&DurabilityCall::GitWrite), "{calls:?}");
}

#[test]
fn commits_and_references_are_flushed_before_they_are_recorded() {
    if !has_strace("the order of flush and record") {
        return;
    }
    let site = CrashFixture::prepared_for(&["--verify", "true"], |_| {});
    site.add_tasks(&["a", "b", "c"]);
    let orch = |words: &[&str]| {
        let calls = trace_durability(&site, &site.orch_command(words, &site.search_path()));
        assert_flushed_in_order(&words.join(" "), &calls);
    };
    orch(&["dispatch", "b", "--to", "x"]);
    let (thread, token) = site.commit_task("a");
    let done = ["done", &thread, "--token", &token, "--result", "Done."];
    assert_flushed_in_order("done", &trace_durability(&site, &site.inbox_command(&done)));
    let named = site.yard.commit_all_in(&site.worktree_path("a"), "corrected by the lead");
    orch(&["accept", "a", "--commit", &named]);
    site.fail_task("c");
    let remove = site.orch_command(&["worktree", "remove", "c@1"], &site.search_path());
    assert_flushed_before_deletion(&trace_durability(&site, &remove));
    orch(&["worktree", "restore", "c@1"]);
}

#[test]
fn merges_and_landings_are_flushed_before_they_are_recorded() {
    if !has_strace("the order of flush and record") {
        return;
    }
    let site = CrashFixture::prepared_for(&[], |_| {});
    site.add_tasks(&["a", "b"]);
    let both = ["a", "b"].map(|key| (key, site.commit_task(key)));
    for (_, (thread, token)) in &both {
        site.run_inbox_data(&["done", thread, "--token", token, "--result", "Done."]);
    }
    let calls = trace_durability(&site, &site.orch_command(&["integrate"], &site.search_path()));
    // Other threads remove the merged worktrees meanwhile, and flush as well.
    let record = read_bytes(&site.sibling_path("trace"));
    let record = String::from_utf8_lossy(&record);
    let own = record.split(' ').next().unwrap();
    let lines = record.lines().filter(|line| line.split(' ').next() == Some(own));
    let of_main_thread: Vec<_> = lines.filter_map(parse_durability_call).collect();
    let recorded = [DurabilityCall::GitFlush, DurabilityCall::StoreFlush];
    let merges = of_main_thread.windows(2).filter(|pair| **pair == recorded).count();
    assert!(merges >= both.len(), "a flush before each record of a merge: {of_main_thread:?} of {calls:?}");
    let land = site.orch_command(&["land", "r", "--onto", "main"], &site.search_path());
    assert_flushed_in_order("land", &trace_durability(&site, &land));
    site.check_clean();
}

#[test]
fn claims_progress_and_renewals_do_not_flush_git() {
    if !has_strace("no flush where no commit is named") {
        return;
    }
    let site = CrashFixture::prepared_for(&[], |_| {});
    site.add_tasks(&["a"]);
    site.run_orch_data(&["dispatch", "a", "--to", "w"]);
    let record = site.sibling_path("trace");
    let inbox = |words: &[&str]| {
        let calls = ["-e", "trace=execve,syncfs,fsync,fdatasync"];
        let ended =
            RunningProcess::start(traced(&site, &site.inbox_command(words), &calls, &record)).wait_output();
        let ProgramReply::Ok { data, .. } = ended.program_reply() else { panic!("{ended}") };
        let text = String::from_utf8_lossy(&read_bytes(&record)).into_owned();
        let calls: Vec<_> = text.lines().filter_map(parse_durability_call).collect();
        assert!(!calls.contains(&DurabilityCall::GitFlush), "{words:?}: {calls:?}");
        data
    };
    let claimed = inbox(&["claim", "--for", "w", "--as", "w"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (thread, token) = (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]));
    inbox(&["progress", &thread, "half of it", "--token", &token]);
    inbox(&["renew", &thread, "--token", &token]);
}

/// A report whose commits could not be flushed is not recorded.
#[test]
fn a_report_that_cannot_be_flushed_is_refused() {
    if !has_strace("a report that cannot be flushed") {
        return;
    }
    let site = CrashFixture::prepared_for(&[], |_| {});
    site.add_tasks(&["a"]);
    let (thread, token) = site.commit_task("a");
    let done = site.inbox_command(&["done", &thread, "--token", &token, "--result", "Done."]);
    let fails = ["-e", "trace=syncfs,fsync", "-e", "inject=syncfs,fsync:error=EIO"];
    let ended =
        RunningProcess::start(traced(&site, &done, &fails, &site.sibling_path("trace"))).wait_output();
    let ProgramReply::Refused { error, .. } = ended.program_reply() else { panic!("{ended}") };
    assert!(error["message"].as_str().unwrap().contains("flush"), "{error}");
    assert_eq!(site.show_task("a")["task"]["state"], "running");
    assert!(RunningProcess::start(done).wait_output().status.success());
    assert_eq!(site.show_task("a")["task"]["state"], "reported");
}

/// Holds the lock under which the repository is flushed.
struct HeldFlush(File);

impl HeldFlush {
    fn acquire(site: &CrashFixture) -> Self {
        let path = site.yard.repository_path().join(".git/orch/locks/flush.lock");
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        file.lock().unwrap();
        Self(file)
    }

    fn release(self) {
        self.0.unlock().unwrap();
    }
}

/// Reports that coincide share one flush.
#[test]
fn reports_that_coincide_share_one_flush() {
    if !has_strace("reports that share one flush") {
        return;
    }
    let keys = ["a", "b", "c", "d", "e"];
    let site = CrashFixture::prepared_for(&[], |_| {});
    site.add_tasks(&keys);
    let started = keys.map(|key| (key, site.commit_task(key)));
    let held = HeldFlush::acquire(&site);
    let record = |key: &str| -> PathBuf { site.sibling_path(&format!("trace-{key}")) };
    let running: Vec<RunningProcess> = started
        .iter()
        .map(|(key, (thread, token))| {
            let done = site.inbox_command(&["done", thread, "--token", token, "--result", "Done."]);
            let options = ["-e", "trace=flock,syncfs,fsync"];
            RunningProcess::start(traced(&site, &done, &options, &record(key)))
        })
        .collect();
    let text = |key: &str| std::fs::read_to_string(record(key)).unwrap_or_default();
    let waits =
        |key: &str| text(key).lines().any(|line| line.contains("flush.lock") && line.contains("EAGAIN"));
    wait_until("every report waits for the flush", || keys.iter().all(|key| waits(key)));
    held.release();
    for report in running {
        assert!(report.wait_output().status.success());
    }
    let flushes = |key: &&&str| {
        text(key).lines().filter_map(parse_durability_call).any(|call| call == DurabilityCall::GitFlush)
    };
    assert_eq!(keys.iter().filter(flushes).count(), 1);
}

/// A worker whose report waits for a slow disk keeps its lease.
#[test]
fn the_lease_is_renewed_while_a_report_is_flushed() {
    let site = CrashFixture::prepared_for(&[], |_| {});
    site.add_tasks(&["a"]);
    let (thread, token) = site.commit_task("a");
    let renewed = site.run_inbox_data(&["renew", &thread, "--token", &token, "--lease", "4s"]);
    let held = HeldFlush::acquire(&site);
    let done = site.inbox_command(&["done", &thread, "--token", &token, "--result", "Done."]);
    let running = RunningProcess::start(done);
    let expiry = || site.run_inbox_data(&["show", &thread])["thread"]["lease"]["expires_at"].clone();
    wait_until("the lease is renewed", || expiry() != renewed["expires_at"]);
    held.release();
    assert!(running.wait_output().status.success());
    assert_eq!(site.show_task("a")["task"]["state"], "reported");
}
