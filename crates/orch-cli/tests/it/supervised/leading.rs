//! How a lead starts, shares, looks at and ends supervisors.

use rustix::process::Signal;

use crate::scheduling::json_text;
use crate::supervised::fixture::{RunningDrive, is_process_alive, send_signal, wait_until};
use crate::test_environment::TestEnvironment;
use crate::trees::fixture::{PipeGate, open_gate};

const WORK: &str = "echo $ORCH_TASK > ${ORCH_TASK#r/}.txt; git add .; git commit -qm ${ORCH_TASK#r/}";

#[test]
fn two_supervisors_share_a_run() {
    let place = TestEnvironment::with_scripts(&[]);
    let ledger = place.sibling_path("ledger");
    let keys: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
    for key in &keys {
        place.add_script_task(key, &format!("{WORK}; echo $ORCH_TASK >> {}", ledger.display()), &[]);
    }
    let two = [0, 1].map(|_| RunningDrive::start(place.drive_call(&["--workers", "2"])));
    for drive in two {
        let printed = drive.wait_output();
        assert_eq!(printed.exit, 0, "{printed:?}");
    }
    let ledger = std::fs::read_to_string(ledger).unwrap();
    assert_eq!(ledger.lines().count(), keys.len(), "each once: {ledger}");
    assert_eq!(place.commit_subjects().len(), keys.len() + 1);
    place.check_tidy();
}

/// The first interrupt lets who works finish and begins nothing; the second ends the workers.
#[test]
fn interrupts_end_a_supervisor_in_two_steps() {
    for twice in [false, true] {
        let place = TestEnvironment::with_scripts(&[]);
        let gate = place.make_gate("gate");
        place.add_script_task("a", &format!("{}; {WORK}", gate.wait_once_command()), &["--priority", "0"]);
        place.add_script_task("b", WORK, &[]);
        let mut drive = RunningDrive::start(place.drive_call(&["--workers", "1"]));
        let open = gate.wait_reached();
        send_signal(drive.id(), Signal::INT);
        // Two that come before the first is seen are one.
        drive.read_until_note("Still running: r/a@1");
        let open = if twice {
            send_signal(drive.id(), Signal::INT);
            Some(open)
        } else {
            open_gate(open, "go");
            None
        };
        let printed = drive.wait_output();
        drop(open);
        assert_eq!(printed.exit, 130, "{printed:?}");
        // A wrapper whose work is closed may still be removing its relay.
        wait_until("no process remains", || place.remaining_processes().is_empty());
        let state = place.task_state("a");
        if twice {
            assert_eq!(state, "dispatched", "it was given back");
        } else {
            assert!(["reported", "done"].contains(&state.as_str()), "{state}");
        }
        assert_eq!(place.task_state("b"), "ready", "nothing new is begun");
        assert_eq!(place.drive_call(&[]).run().exit, 0);
        assert_eq!(
            (place.attempt_states("a"), place.attempt_states("b")),
            (vec!["accepted".to_owned()], vec!["accepted".to_owned()])
        );
        place.check_tidy();
    }
}

/// One pass begins what there is room for and leaves it to itself.
#[test]
fn one_pass_begins_and_goes() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &format!("{}; {WORK}", gate.wait_once_command()), &[]);
    let printed = place.drive_call(&["--once"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    let open = gate.wait_reached();
    assert!(is_process_alive(place.wrapper_pid()), "it outlives whoever started it");
    assert_eq!(place.orch(&["ps"]).ok()["supervisors"], serde_json::json!([]));
    open_gate(open, "go");
    wait_until("it has reported", || place.task_state("a") == "reported");
    assert_eq!(place.drive_call(&[]).run().exit, 0);
    assert_eq!(place.attempt_states("a"), ["accepted"]);
    place.check_tidy();
}

/// Where only somebody else can go on, a supervisor that is not to wait ends.
#[test]
fn an_idle_supervisor_ends_if_it_is_told_to() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", WORK, &[]);
    place.add_script_task("b", WORK, &["--agent", "somebody"]);
    let printed = place.drive_call(&["--until", "idle"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    assert_eq!((place.task_state("a"), place.task_state("b")), ("done".to_owned(), "dispatched".to_owned()));
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
}

/// In the background it answers with what a lead needs to find and to end it.
#[test]
fn a_detached_supervisor_is_found_and_stopped() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    place.add_script_task("a", &format!("{}; {WORK}", gate.wait_once_command()), &[]);
    let detached = place.drive_call(&["--detach"]).ok();
    let pid = u32::try_from(detached["pid"].as_u64().unwrap()).unwrap();
    let open = gate.wait_reached();
    let shown = place.orch(&["ps"]).ok();
    assert_eq!(
        (&shown["supervisors"][0]["pid"], &shown["supervisors"][0]["alive"]),
        (&pid.into(), &true.into())
    );
    assert_eq!(shown["workers"][0]["attempt"], "r/a@1", "{shown}");
    assert_eq!(shown["supervisors"][0]["log"], detached["log"], "{shown}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3], pid.to_string(), "it leads a session of its own");
    let stopped = place.orch(&["stop", "r"]).ok();
    assert_eq!((&stopped["workers"], &stopped["supervisors"]), (&1.into(), &1.into()));
    wait_until("all have ended", || place.remaining_processes().is_empty());
    drop(open);
    let log = std::fs::read_to_string(json_text(&detached["log"])).unwrap();
    assert!(log.contains("dispatched"), "{log}");
    place.orch(&["run", "resume", "r"]).ok();
    place.drive_call(&["--detach"]).ok();
    place.orch(&["wait", "--for", "finished", "--timeout", "60s"]).ok();
    wait_until("it has ended", || place.remaining_processes().is_empty());
    assert_eq!(place.task_state("a"), "done");
    place.check_tidy();
}

#[test]
fn what_a_supervisor_needs_is_looked_at_first() {
    let place = TestEnvironment::with_scripts(&["--verify", "test -f base.txt"]);
    let found = place.drive_call(&["--check"]).ok();
    assert_ne!(found["verdict"], "error", "{found}");
    let text = found.to_string();
    for said in ["disk space are free", "sh was found", "passes on the base"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    place.write_profile("absent", "");
    let path = place.repository_path().join(".git/orch/profiles/absent.toml");
    let whole = std::fs::read_to_string(&path).unwrap().replace("\"sh\"", "\"no-such-program\"");
    std::fs::write(&path, whole).unwrap();
    place.orch(&["run", "init", "Bad", "--name", "bad", "--verify", "test -f absent"]).ok();
    let printed = place.orch(&["drive", "bad", "--check", "--profile", "absent"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    let found = printed.documents().remove(0)["data"].clone();
    assert_eq!(found["verdict"], "error");
    assert!(found.to_string().contains("no-such-program is not on the PATH"), "{found}");
    assert!(found.to_string().contains("test -f absent"), "{found}");
    assert_eq!(place.run_git(["worktree", "list"]).lines().count(), 1, "nothing is left of it");
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
}

/// A supervisor sees what others do to a run's branch although nothing is merged.
#[test]
fn a_branch_that_others_move_is_noticed_by_who_drives() {
    for is_packed in [false, true] {
        let place = TestEnvironment::with_scripts(&[]);
        let gates = ["first", "second"].map(|name| place.make_gate(name));
        let waits = gates.each_ref().map(PipeGate::wait_once_command);
        let tells = "inbox progress here";
        place.add_script_task("a", &format!("{}; {tells}; {}; {tells}; exit 1", waits[0], waits[1]), &[]);
        if is_packed {
            place.run_git(["pack-refs", "--all"]);
        }
        let mut drive = RunningDrive::start(place.drive_call(&[]));
        let open = gates[0].wait_reached();
        let more = place.commit_all("more.txt", "more");
        place.run_git(["update-ref", "refs/heads/orch/r/main", &more]);
        open_gate(open, "go");
        let advanced = drive.read_until_event("branch_advanced");
        assert_eq!(advanced["data"]["to"], more.as_str(), "{advanced}");
        let open = gates[1].wait_reached();
        place.run_git(["update-ref", "-d", "refs/heads/orch/r/main"]);
        open_gate(open, "go");
        drive.read_until_event("branch_moved");
        assert_eq!(place.show_run()["pause"]["reason"], "branch_moved");
        let printed = drive.wait_output();
        assert_eq!(printed.exit, 4, "{printed:?}");
        let error = printed.documents().pop().unwrap()["error"].clone();
        assert_eq!(error["hint"], "orch run repair r --restore", "{error}");
    }
}

/// Every file below a folder with its content, but for lock files, the meter, and what SQLite keeps beside a store.
fn list_files(folder: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.display().to_string();
            if kind.is_dir() && name.ends_with("/meter") {
                continue;
            }
            if kind.is_dir() {
                found.insert(name, Vec::new());
                folders.push(path);
            } else if kind.is_file() && !name.ends_with(".lock") && !name.ends_with("-shm") {
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn looking_first_writes_nothing() {
    for verify in ["test -f base.txt", "echo no; false"] {
        let place = TestEnvironment::with_scripts(&["--verify", verify, "--setup", "touch made"]);
        let plan = place.sibling_path("plan.jsonl");
        std::fs::write(&plan, "{\"key\":\"k\",\"title\":\"t\"}\n").unwrap();
        // What a command that only reads leaves.
        place.orch(&["status"]).ok();
        let above = place.repository_path().parent().unwrap();
        let looks = || {
            let plan = format!("task add --file {}", plan.display());
            let previews = ["reconcile", "worktree prune", &plan, "clean --attic"];
            let previews = previews.map(|line| line.split(' ').chain(["--dry-run"]).collect::<Vec<_>>());
            let check = || place.drive_call(&["--check"]);
            previews.map(|words| place.orch(&words)).into_iter().chain([check(), check()])
        };
        for look in looks() {
            let before = list_files(above);
            let printed = look.run();
            assert!(printed.exit == 0 || verify.contains("false"), "{printed:?}");
            let after = list_files(above);
            let differing: Vec<_> = before
                .keys()
                .chain(after.keys())
                .filter(|name| before.get(*name) != after.get(*name))
                .collect();
            assert_eq!(differing, Vec::<&String>::new(), "{printed:?}");
        }
    }
}

/// A plan is checked without a trace: neither a run nor a change of one.
#[test]
fn a_plan_that_is_only_checked_changes_nothing() {
    let place = TestEnvironment::with_repository();
    place.orch(&["init"]).ok();
    let plan = |run: &str, more: &str| {
        let text = format!("{{\"run\":{{\"title\":\"{run}\"}}}}\n{{\"key\":\"a\",\"title\":\"A\"{more}}}\n");
        place.write_file("plan.jsonl", text).display().to_string()
    };
    let check = |path: &str| place.orch(&["drive", "--plan", path, "--check", "--profile", "shell"]);
    let path = plan("new", "");
    let checked = check(&path).ok();
    assert!(checked.to_string().contains("would create the run new with 1 tasks"), "{checked}");
    assert_eq!(place.orch(&["run", "list"]).ok()["total"], 0);
    check(&plan("new", ", \"after\": [\"nowhere\"]")).fails("task_not_found");
    assert_eq!(place.orch(&["run", "list"]).ok()["total"], 0);

    place.orch(&["run", "init", "Old", "--name", "old"]).ok();
    let checked = check(&plan("old", "")).ok();
    assert!(checked.to_string().contains("would update the run old"), "{checked}");
    assert_eq!(place.orch(&["task", "list", "--run", "old"]).ok()["total"], 0);
}
