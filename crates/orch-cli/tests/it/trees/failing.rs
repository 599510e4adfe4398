//! Operations that keep failing: how often they are tried, who is told, what waits, and how they are tried again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::scheduling::{event_kinds, json_text, reason_codes};
use crate::supervised::fixture::{RunningDrive, send_signal, wait_until};
use crate::test_environment::{RepoEnvironment, TestEnvironment};

/// What git says while it is broken.
const WORDS: &str = "fatal: the disk is on fire";

impl TestEnvironment {
    /// This place with a git that fails as soon as [`Self::break_git`] says with which words in its arguments.
    fn with_breakable_git(self) -> Self {
        let folder = self.sibling_path("bin");
        std::fs::create_dir(&folder).unwrap();
        let path = std::env::var("PATH").unwrap();
        let real = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|file| file.is_file());
        let script = format!(
            "#!/bin/sh\nif [ -f '{0}' ]; then case \" $* \" in *$(cat '{0}')*) cat '{0}.words' >&2; exit 128;; esac; fi\nexec '{1}' \"$@\"\n",
            self.broken_file().display(),
            real.unwrap().display(),
        );
        std::fs::write(folder.join("git"), script).unwrap();
        std::fs::set_permissions(folder.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut environment = RepoEnvironment {
            top: self.repo_environment().top.clone(),
            variables: self.repo_environment().variables.clone(),
        };
        let path = std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))).unwrap();
        environment.variables.retain(|(name, _)| *name != "PATH");
        environment.variables.push(("PATH", path));
        self.with_repo_environment(environment)
    }

    fn broken_file(&self) -> PathBuf {
        self.sibling_path("broken")
    }

    fn break_git(&self, part: &str) {
        self.break_git_saying(part, WORDS);
    }

    fn break_git_saying(&self, part: &str, words: &str) {
        std::fs::write(self.broken_file().with_extension("words"), format!("{words}\n")).unwrap();
        std::fs::write(self.broken_file(), part).unwrap();
    }

    fn mend_git(&self) {
        std::fs::remove_file(self.broken_file()).unwrap();
    }

    /// Lets a supervisor dispatch the task, which fails, and reconciles until the preparation is not tried again by itself.
    fn fail_preparation_until_stuck(&self) {
        let printed = self.drive_call(&["--once"]).run();
        assert!(printed.stdout.contains(WORDS), "{printed:?}");
        for _ in 0..3 {
            let finished = self.orch(&["reconcile", "--run", "r"]).ok()["finished"].clone();
            assert!(finished[0]["problem"].to_string().contains(WORDS), "{finished}");
        }
    }

    fn fault_events(&self) -> Vec<Value> {
        let events = self.orch(&["events", "--run", "r"]).ok()["events"].clone();
        events.as_array().unwrap().iter().filter(|event| event["kind"] == "fault").cloned().collect()
    }

    /// The only entry of `orch blocked`.
    fn only_stuck(&self) -> Value {
        let blocked = self.orch(&["blocked", "--run", "r"]).ok();
        assert_eq!(blocked["total"], 1, "{blocked}");
        blocked["stuck"][0].clone()
    }
}

/// Sees that an event or an entry tells all that is known of the failed command.
fn check_command(told: &Value, command: &str) {
    assert_eq!(
        (&told["command"], &told["exit_status"], &told["last_lines"]),
        (&command.into(), &128.into(), &serde_json::json!([WORDS])),
        "{told}"
    );
}

#[test]
fn a_merge_that_keeps_failing_pauses_the_run_until_it_is_resumed() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.report_task("a", &[("a", "a")]);
    place.break_git("update-ref");
    place.orch(&["integrate", "r"]).fails("operation_failed");
    let reason = place.orch(&["why", "a"]).ok()["reasons"][0].clone();
    assert_eq!(reason["code"], "operation_failed");
    assert!(json_text(&reason["message"]).contains("retried at"), "{reason}");
    assert_eq!(place.orch(&["blocked"]).ok()["total"], 0, "it is still tried again by itself");
    for _ in 0..3 {
        place.orch(&["integrate", "r"]).fails("operation_failed");
    }
    let run = place.show_run();
    assert_eq!((&run["state"], &run["pause"]["reason"]), (&"paused".into(), &"operation_failed".into()));
    assert!(json_text(&run["pause"]["message"]).contains(WORDS), "{run}");
    let faults = place.fault_events();
    assert_eq!(faults.len(), 1, "it is told once: {faults:?}");
    check_command(&faults[0]["data"], "git update-ref");
    assert_eq!(
        (&faults[0]["needs_action"], &faults[0]["next"]),
        (&true.into(), &serde_json::json!(["orch run resume r"]))
    );
    let told = place.orch(&["wait", "--run", "r", "--after", "e-1"]).ok();
    assert!(event_kinds(&told["events"]).contains(&"fault".to_owned()), "{told}");
    let stuck = place.only_stuck();
    check_command(&stuck, "git update-ref");
    assert_eq!(
        (&stuck["task"], &stuck["operation"], &stuck["next"]),
        (&"r/a".into(), &"integrate".into(), &serde_json::json!(["orch run resume r"]))
    );
    assert_eq!(place.orch(&["status", "r"]).ok()["stuck"][0], stuck);
    let why = place.orch(&["why", "a"]).ok();
    assert_eq!(reason_codes(&why["reasons"]), ["operation_failed", "run_paused"]);
    let brief = place.orch(&["brief", "r", "--json"]).ok();
    assert_eq!(brief["stuck"][0]["next"], "orch run resume r", "{brief}");
    // A supervisor ends with the reason, and does not try again.
    let ended = place.drive_call(&[]).run();
    assert_eq!(ended.exit, 4, "{ended:?}");
    let error = ended.documents().pop().unwrap()["error"].clone();
    assert_eq!(error["code"], "run_incomplete");
    assert!(json_text(&error["message"]).contains(WORDS), "{error}");
    assert_eq!(error["details"]["stuck"][0]["task"], "r/a", "{error}");
    assert_eq!(place.fault_events().len(), 1);
    place.mend_git();
    place.orch(&["run", "resume", "r"]).ok();
    assert_eq!(place.orch(&["blocked"]).ok()["total"], 0);
    place.orch(&["integrate", "r"]).ok();
    assert_eq!((place.task_state("a").as_str(), place.file_on_branch("a").as_deref()), ("done", Some("a")));
    place.check_sound();
}

#[test]
fn a_preparation_that_keeps_failing_sticks_its_task_alone() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.add_task("b", &[]);
    place.break_git("worktree add");
    let failed = place.orch(&["dispatch", "a", "--to", "w"]).fails("operation_failed");
    assert!(json_text(&failed["message"]).contains(WORDS), "{failed}");
    assert_eq!(place.task_state("a"), "ready", "who sees the error may dispatch it again");
    place.orch(&["task", "cancel", "b"]).ok();
    place.fail_preparation_until_stuck();
    let run = place.show_run();
    assert_eq!(run["state"], "open", "only the task waits");
    let attempt = place.last_attempt("a");
    assert_eq!((&attempt["number"], &attempt["state"]), (&2.into(), &"preparing".into()));
    let task = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!((&task["failures"], &task["faults"]), (&0.into(), &2.into()), "it uses no try");
    let stuck = place.only_stuck();
    check_command(&stuck, "git worktree add");
    assert_eq!(
        (&stuck["task"], &stuck["next"]),
        (&"r/a".into(), &serde_json::json!(["orch task retry r/a --operation"]))
    );
    let told = place.fault_events().iter().filter(|event| event["data"]["stuck"] == true).count();
    assert_eq!(told, 1);
    // A supervisor says what is stuck, and ends instead of waiting for nothing.
    let ended = place.drive_call(&[]).run();
    assert_eq!(ended.exit, 4, "{ended:?}");
    let error = ended.documents().pop().unwrap()["error"].clone();
    assert!(json_text(&error["message"]).contains(WORDS), "{error}");
    assert_eq!(error["hint"], "orch task retry r/a --operation");
    place.orch(&["task", "retry", "a", "--operation"]).fails("operation_failed");
    place.mend_git();
    let retried = place.orch(&["task", "retry", "a", "--operation"]).ok();
    assert_eq!(retried["task"]["state"], "dispatched");
    let work = place.claim_tree_work("shell");
    assert_eq!(work.payload["attempt"], "r/a@2");
    place.orch(&["task", "retry", "a", "--operation"]).fails("task_not_ready");
    place.check_sound();
}

#[test]
fn checks_that_cannot_be_made_stick_their_task_and_hold_no_other_back() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.orch(&["task", "add", "Do it", "--key", "b", "--verify", "true"]).ok();
    place.report_task("a", &[("a", "a")]);
    place.report_task("b", &[("b", "b")]);
    place.break_git("b.1");
    let before = place.fault_events().len();
    place.break_git("worktree");
    for _ in 0..4 {
        let failed = place.orch(&["verify", "b"]).run();
        assert_eq!(failed.exit, 4, "{failed:?}");
    }
    assert_eq!(place.show_run()["state"], "open", "only the task waits");
    assert_eq!(place.fault_events().len(), before + 1);
    assert_eq!(
        (place.only_stuck()["task"].as_str(), place.task_state("b").as_str()),
        (Some("r/b"), "reported")
    );
    place.mend_git();
    // The other is merged; the integration says what it has left out.
    place.orch(&["integrate", "r"]).fails("operation_failed");
    assert_eq!((place.task_state("a").as_str(), place.task_state("b").as_str()), ("done", "reported"));
    place.orch(&["task", "retry", "b", "--operation"]).ok();
    place.orch(&["integrate", "r"]).ok();
    assert_eq!(place.task_state("b"), "done");
    place.check_sound();
}

/// A worktree that cannot be removed is tried again, told once it stays so, and pauses nothing.
#[test]
fn a_removal_that_keeps_failing_is_told_and_pauses_nothing() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.add_task("b", &[]);
    place.report_task("a", &[("a", "a")]);
    place.break_git("commit-tree");
    let merged = place.orch(&["integrate", "r"]).ok();
    let again = place.orch(&["integrate", "r"]).ok();
    for said in [merged, again] {
        let fault = &said["faults"][0];
        assert_eq!((&fault["attempt"], said["faults"].as_array().map(Vec::len)), (&"r/a@1".into(), Some(1)));
        assert!(json_text(&fault["reason"]).contains(WORDS), "{said}");
    }
    assert_eq!(place.task_state("a"), "done", "the merge does not need the removal");
    assert_eq!(place.orch(&["blocked"]).ok()["total"], 0, "it is still tried again by itself");
    assert_eq!(place.fault_events().len(), 0);
    for _ in 0..3 {
        place.orch(&["reconcile", "--run", "r"]).ok();
    }
    let faults = place.fault_events();
    assert_eq!(faults.len(), 1, "{faults:?}");
    check_command(&faults[0]["data"], "git commit-tree");
    assert_eq!((&faults[0]["needs_action"], &faults[0]["attempt"]), (&true.into(), &"r/a@1".into()));
    let told = place.orch(&["wait", "--run", "r", "--after", "e-1"]).ok();
    assert!(event_kinds(&told["events"]).contains(&"fault".to_owned()), "{told}");
    let stuck = place.only_stuck();
    check_command(&stuck, "git commit-tree");
    assert_eq!(
        (&stuck["task"], &stuck["operation"], &stuck["next"]),
        (&"r/a".into(), &"clear".into(), &serde_json::json!(["orch task retry r/a --operation"]))
    );
    assert_eq!(place.show_run()["state"], "open");
    place.mend_git();
    place.report_task("b", &[("b", "b")]);
    place.orch(&["integrate", "r"]).ok();
    place.orch(&["task", "retry", "a", "--operation"]).ok();
    assert_eq!(place.orch(&["blocked"]).ok()["total"], 0);
    assert_eq!(place.orch(&["worktree", "show", "a@1"]).ok()["worktree"]["state"], "removed");
    place.check_sound();
}

/// A removal that is stuck is shown although its run has ended, also where no run is named.
#[test]
fn a_stuck_removal_of_a_finished_run_is_shown() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.report_task("a", &[("a", "a")]);
    place.break_git("commit-tree");
    place.orch(&["integrate", "r"]).ok();
    for _ in 0..4 {
        place.orch(&["reconcile", "--run", "r"]).ok();
    }
    assert_eq!(place.show_run()["state"], "finished");
    place.begin_run("other", &[]);
    let stuck = place.orch(&["blocked"]).ok()["stuck"].clone();
    assert_eq!((&stuck[0]["task"], &stuck[0]["operation"]), (&"r/a".into(), &"clear".into()), "{stuck}");
    assert_eq!(place.orch(&["blocked", "--run", "other"]).ok()["total"], 0);
    place.mend_git();
    place.orch(&["task", "retry", "r/a", "--operation"]).ok();
    assert_eq!(place.orch(&["blocked"]).ok()["total"], 0);
}

/// A full disk is not counted, however long it lasts: it is told once, and the work continues when it is over.
#[test]
fn a_full_disk_is_waited_for() {
    const FULL: &str = "fatal: unable to write: No space left on device";
    let place = TestEnvironment::with_tree_run(&["--verify", "true"]).with_breakable_git();
    let told = |operation: &str| {
        let faults = place.fault_events();
        let told: Vec<&Value> =
            faults.iter().map(|fault| &fault["data"]).filter(|data| data["operation"] == operation).collect();
        assert_eq!(told.len(), 1, "{operation} is told once: {faults:?}");
        assert_eq!((&told[0]["code"], &told[0]["stuck"]), (&"disk_full".into(), &false.into()));
        assert_eq!(place.orch(&["blocked"]).ok()["total"], 0, "{operation} is tried again by itself");
        assert_eq!(place.show_run()["state"], "open");
    };
    // More often than a counted failure is tried again.
    let fail = |operation: &str, words: &[&str]| {
        place.break_git_saying(operation, FULL);
        for _ in 0..6 {
            let failed = place.orch(words).run();
            assert_ne!(failed.exit, 0, "{failed:?}");
        }
        place.mend_git();
    };
    place.break_git_saying("worktree add", FULL);
    place.drive_call(&["--once"]).run();
    for _ in 0..6 {
        place.orch(&["reconcile", "--run", "r"]).ok();
    }
    told("prepare");
    place.mend_git();
    place.orch(&["reconcile", "--run", "r"]).ok();
    assert_eq!(place.last_attempt("a")["number"], 1, "no attempt was lost");
    place.orch(&["recall", "a"]).ok();
    place.report_task("a", &[("a", "a")]);
    fail("read-tree", &["verify", "a"]);
    told("verify");
    fail("update-ref", &["integrate", "r"]);
    told("integrate");
    place.orch(&["integrate", "r"]).ok();
    assert_eq!((place.task_state("a").as_str(), place.file_on_branch("a").as_deref()), ("done", Some("a")));
    fail("update-ref", &["land", "--onto", "main"]);
    place.orch(&["land", "--onto", "main"]).ok();
    assert_eq!(place.resolve_commit("main"), place.branch_tip());
    place.check_sound();
}

/// A preparation that sticks again and again ends its task at three times the tries.
#[test]
fn faults_of_the_tool_have_a_bound() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "1"]).with_breakable_git();
    place.break_git("worktree add");
    place.fail_preparation_until_stuck();
    for round in 2..=3 {
        place.orch(&["task", "retry", "a", "--operation"]).fails("operation_failed");
        place.fail_until_stuck_again(round);
    }
    assert_eq!(place.task_state("a"), "failed");
    assert!(json_text(&place.last_attempt("a")["reason"]).contains(WORDS));
    place.mend_git();
    place.orch(&["reconcile"]).ok();
    place.orch(&["task", "retry", "a"]).ok();
    assert_eq!(place.dispatch_task("a", "w")["attempt"]["number"], 2);
    place.check_sound();
}

impl TestEnvironment {
    /// Fails the preparation three times more after a retry; in the third round the last failure ends the attempt.
    fn fail_until_stuck_again(&self, round: u32) {
        for _ in 0..3 {
            self.orch(&["reconcile"]).ok();
        }
        let faults = self.orch(&["task", "show", "a"]).ok()["task"]["faults"].clone();
        assert_eq!(faults, round);
    }
}

/// The first interrupt ends a supervisor that only waits to try something again.
#[test]
fn an_interrupt_does_not_wait_for_what_keeps_failing() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.report_task("a", &[("a", "a")]);
    place.break_git("update-ref");
    let mut drive = RunningDrive::start(place.drive_call(&[]));
    drive.read_until_note(WORDS);
    send_signal(drive.id(), rustix::process::Signal::TERM);
    let ended = drive.wait_output();
    assert_eq!(ended.exit, 130, "{ended:?}");
    assert_eq!(place.show_run()["state"], "open");
}

/// The second interrupt ends a supervisor whose git never returns.
#[test]
fn a_second_interrupt_ends_a_supervisor_whose_git_hangs() {
    let place = TestEnvironment::with_tree_run(&[]).with_breakable_git();
    place.report_task("a", &[("a", "a")]);
    let mark = place.sibling_path("hangs");
    let script = std::fs::read_to_string(place.sibling_path("bin/git")).unwrap();
    let hang = format!(
        "case \" $* \" in *update-ref*) : > '{}'; exec tail -f /dev/null;; esac\nexec",
        mark.display()
    );
    std::fs::write(place.sibling_path("bin/git"), script.replace("\nexec", &format!("\n{hang}"))).unwrap();
    let mut drive = RunningDrive::start(place.drive_call(&[]));
    wait_until("git hangs", || mark.exists());
    send_signal(drive.id(), rustix::process::Signal::TERM);
    drive.read_until_note("Interrupted");
    send_signal(drive.id(), rustix::process::Signal::TERM);
    let ended = drive.wait_output();
    assert_eq!(ended.exit, 130, "{ended:?}");
    assert_eq!(place.remaining_processes(), Vec::<String>::new(), "the git that hung is ended");
}
