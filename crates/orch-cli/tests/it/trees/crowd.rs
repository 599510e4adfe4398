//! Several processes at once, in one repository.

use std::collections::BTreeSet;

use serde_json::json;

use super::fixture::open_gate;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn eight_dispatches_at_once_all_get_a_tree() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "true"]);
    let keys: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
    for key in &keys {
        place.add_task(key, &[]);
    }
    let sent: Vec<_> = std::thread::scope(|scope| {
        let leads: Vec<_> = keys.iter().map(|key| scope.spawn(|| place.dispatch_task(key, "w"))).collect();
        leads.into_iter().map(|lead| lead.join().unwrap()).collect()
    });
    let slots: BTreeSet<u64> =
        sent.iter().map(|one| one["attempt"]["worktree"]["slot"].as_u64().unwrap()).collect();
    assert_eq!(slots, (0..8).collect());
    for one in &sent {
        let path = json_text(&one["attempt"]["worktree"]["path"]);
        assert_eq!(place.run_git_in(path.as_ref(), ["status", "--porcelain"]), "");
    }
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 8);
    let kinds = crate::scheduling::event_kinds(&place.orch(&["events", "--limit", "1000"]).ok()["events"]);
    assert_eq!(kinds.iter().filter(|kind| *kind == "checked").count(), 1, "the base is looked at once");
    place.check_sound();
}

#[test]
fn one_task_is_dispatched_by_one_of_many() {
    let place = TestEnvironment::with_tree_run(&[]);
    let ends: Vec<i32> = std::thread::scope(|scope| {
        let lead = || {
            let printed = place.orch(&["dispatch", "a", "--to", "w"]).run();
            if printed.exit != 0 {
                printed.fails("attempt_live");
            }
            printed.exit
        };
        let leads: Vec<_> = (0..4).map(|_| scope.spawn(lead)).collect();
        leads.into_iter().map(|lead| lead.join().unwrap()).collect()
    });
    assert_eq!(ends.iter().filter(|exit| **exit == 0).count(), 1, "{ends:?}");
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 1);
    place.check_sound();
}

/// Whoever waits for a verdict that another process reaches is told that verdict, and exits by it.
#[test]
fn one_verdict_is_told_to_all_who_ask() {
    for (word, code) in [("go", None), ("stop", Some("check_failed"))] {
        let place = TestEnvironment::with_tree_run(&["--check-retries", "0"]);
        let (gate, log) = (place.make_gate("gate"), place.sibling_path("log"));
        let check = format!("echo x >> '{}'; {}", log.display(), gate.wait_command());
        place.orch(&["task", "edit", "a", "--verify", &check]).ok();
        place.report_task("a", &[("a.txt", "a")]);
        let first = place.orch(&["verify", "a"]).start();
        let open = gate.wait_reached();
        let second = place.orch(&["verify", "a"]).start();
        let third = place.orch(&["integrate"]).start();
        place.wait_for_waiters(2);
        open_gate(open, word);
        let (first, second, third) = (first.wait_output(), second.wait_output(), third.wait_output());
        match code {
            None => {
                assert_eq!(first.ok()["task"]["checks"], "passed");
                assert_eq!(second.ok()["task"]["checks"], "passed");
                third.ok();
                assert_eq!(place.task_state("a"), "done");
            }
            Some(code) => {
                first.fails(code);
                second.fails(code);
                assert_eq!(third.ok()["integrated"], json!([]), "what was rejected is not merged");
                assert_eq!(
                    (place.branch_tip(), place.file_on_branch("a.txt")),
                    (place.resolve_commit("main"), None)
                );
                assert_eq!(
                    (place.task_state("a"), place.last_attempt("a")["state"].clone()),
                    ("ready".to_owned(), "rejected".into())
                );
            }
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\n", "its checks ran once");
        place.check_sound();
    }
}

#[test]
fn one_branch_is_moved_by_one_at_a_time() {
    let place = TestEnvironment::with_repository();
    let log = place.sibling_path("log");
    let check = format!("echo $ORCH_STAGE $ORCH_ATTEMPT >> '{}'", log.display());
    place.begin_run("r", &["--verify", &check]);
    let keys: Vec<String> = (0..4).map(|number| format!("t{number}")).collect();
    let mut works = Vec::new();
    for key in &keys {
        place.add_task(key, &[]);
        works.push(place.start_tree_task(key, key));
    }
    for (key, work) in keys.iter().zip(&works) {
        place.commit_files(work, &[(key, "x")]);
        place.done_call(work).ok();
    }
    std::thread::scope(|scope| {
        let leads: Vec<_> = (0..3).map(|_| scope.spawn(|| place.orch(&["integrate"]).ok())).collect();
        for lead in leads {
            lead.join().unwrap();
        }
    });
    for key in &keys {
        assert_eq!(
            (place.task_state(key), place.file_on_branch(key).as_deref()),
            ("done".to_owned(), Some("x"))
        );
    }
    let ran = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = ran.lines().collect();
    assert_eq!(lines.len(), lines.iter().collect::<BTreeSet<_>>().len(), "nothing was checked twice: {ran}");
    assert_eq!(lines.len(), 1 + 4 + 3, "{ran}");
    let kinds = crate::scheduling::event_kinds(&place.orch(&["events", "--limit", "1000"]).ok()["events"]);
    assert_eq!(kinds.iter().filter(|kind| *kind == "integrated").count(), 4);
    place.check_sound();
}

/// Whoever waits for a process that is killed takes its place.
#[test]
fn a_process_that_is_killed_is_replaced_by_whoever_waits() {
    let place = TestEnvironment::with_tree_run(&[]);
    let gate = place.make_gate("gate");
    place.orch(&["task", "edit", "a", "--verify", &gate.wait_once_command()]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    let mut first = place.orch(&["verify", "a"]).start();
    let open = gate.wait_reached();
    let second = place.orch(&["verify", "a"]).start();
    place.wait_for_waiters(1);
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    drop(open);
    assert_eq!(second.wait_output().ok()["task"]["checks"], "passed");
    place.check_sound();
}

#[test]
fn runs_begun_at_once_all_get_a_name() {
    let place = TestEnvironment::with_repository();
    let names: BTreeSet<String> = std::thread::scope(|scope| {
        let lead = || json_text(&place.orch(&["run", "init", "Ship it"]).ok()["run"]["id"]);
        let leads: Vec<_> = (0..4).map(|_| scope.spawn(lead)).collect();
        leads.into_iter().map(|lead| lead.join().unwrap()).collect()
    });
    let expected = ["ship-it", "ship-it-2", "ship-it-3", "ship-it-4"].map(str::to_owned);
    assert_eq!(names, expected.into());
    for name in names {
        place.resolve_commit(&format!("orch/{name}/main"));
    }
    place.check_sound();
}
