//! Checks that the tool runs, and what follows from them.

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn what_passes_is_verified_and_told() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--done-when", "verified", "--verify", "test -e base.txt"]);
    place
        .orch(&[
            "task",
            "add",
            "x",
            "--key",
            "a",
            "--verify",
            "echo $ORCH_TASK $ORCH_ATTEMPT $ORCH_SLOT $ORCH_STAGE$INBOX_THREAD; pwd; cat a.txt",
        ])
        .ok();
    place.report_task("a", &[("a.txt", "a\n")]);
    assert_eq!(place.orch(&["why", "a"]).ok()["reasons"][0]["code"], "checks");
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!((&verified["task"]["state"], &verified["task"]["checks"]), (&"done".into(), &"passed".into()));
    assert_eq!(verified["attempt"]["state"], "accepted");
    let checks = verified["checks"].as_array().unwrap();
    let sources: Vec<&Value> = checks.iter().map(|check| &check["source"]).collect();
    assert_eq!(sources, ["run", "task"]);
    for check in checks {
        assert_eq!(
            (&check["state"], &check["exit_status"], &check["stage"]),
            (&"passed".into(), &0.into(), &"attempt".into())
        );
        assert_eq!(check["commit"], verified["attempt"]["worktree"]["head_commit"]);
    }
    let log = std::fs::read_to_string(json_text(&checks[1]["log"])).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!((lines[0], lines[2]), ("r/a r/a@1 0 attempt", "a"), "{log}");
    let root = place.sibling_path("repo.orch/r");
    assert!(lines[1].starts_with(root.to_str().unwrap()) && !lines[1].ends_with("/a.1"), "{log}");
    assert_eq!(place.task_event_kinds("a").iter().rev().take(2).collect::<Vec<_>>(), ["done", "checked"]);
    place.orch(&["verify", "a"]).fails("task_finished");
    place.check_sound();
}

#[test]
fn what_fails_is_rejected_and_the_next_attempt_is_told() {
    let place = TestEnvironment::with_tree_run(&["--verify", "true", "--max-attempts", "2"]);
    place.orch(&["task", "edit", "a", "--verify", "echo 'line 7: wrong'; exit 3"]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    let checks = failed["details"]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "those that did not pass");
    let (check, log) = (&checks[0], json_text(&checks[0]["log"]));
    assert_eq!(
        (&check["command"], &check["state"], &check["exit_status"]),
        (&"echo 'line 7: wrong'; exit 3".into(), &"failed".into(), &3.into())
    );
    assert_eq!(failed["hint"], format!("tail {log}"));
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "line 7: wrong\n");
    let attempt = place.last_attempt("a");
    assert_eq!((&attempt["state"], &attempt["checks_status"]), (&"rejected".into(), &"failed".into()));
    assert!(json_text(&attempt["reason"]).contains("exited with status 3"), "{attempt}");
    assert_eq!(place.task_state("a"), "ready");
    place.orch(&["verify", "a"]).fails("attempt_not_found");
    let first = attempt["worktree"]["head_commit"].clone();
    let next = place.start_tree_task("a", "w-a");
    let earlier = &next.payload["earlier"][0];
    assert_eq!((&earlier["attempt"], &earlier["outcome"]), (&"r/a@1".into(), &"rejected".into()));
    assert_eq!(
        (&earlier["log_tail"], &earlier["commit"], &earlier["branch"]),
        (&"line 7: wrong".into(), &first, &"orch/r/a.1".into())
    );
    assert!(
        json_text(&earlier["reason"]).contains("exited with status 3"),
        "what was wrong, and not what the worker said: {earlier}"
    );
    for part in ["line 7: wrong", "exited with status 3", first.as_str().unwrap()] {
        assert!(next.body.contains(part), "{part} is not in {}", next.body);
    }
    place.commit_files(&next, &[("a.txt", "b")]);
    place.done_call(&next).ok();
    place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(place.task_state("a"), "failed", "both tries are used up");
    let why = place.orch(&["events", "--task", "a"]).ok()["events"].clone();
    let left: Vec<&Value> = why
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "rejected")
        .map(|event| &event["data"]["tries_left"])
        .collect();
    assert_eq!(left, [1, 0]);
    place.check_sound();
}

#[test]
fn a_check_that_takes_too_long_says_nothing() {
    let place = TestEnvironment::with_repository();
    // It waits for what nobody will ever write.
    let gate = place.make_gate("gate");
    place.begin_run("r", &["--check-limit", "1s", "--done-when", "verified"]);
    place
        .orch(&[
            "task",
            "add",
            "x",
            "--key",
            "a",
            "--verify",
            &format!("echo begun; {}", gate.wait_command()),
        ])
        .ok();
    place.report_task("a", &[("a.txt", "a")]);
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    let check = &failed["details"]["checks"][0];
    assert_eq!((&check["state"], &check["exit_status"]), (&"timed_out".into(), &Value::Null));
    assert!(json_text(&failed["message"]).contains("timed out"), "{failed}");
    assert_eq!(std::fs::read_to_string(json_text(&check["log"])).unwrap(), "begun\n");
    assert_eq!(place.task_state("a"), "reported", "it is no failure of the attempt");
}

#[test]
fn what_cannot_start_uses_no_try_and_pauses_in_the_end() {
    for (command, said) in [("no-such-program", "was not found"), ("./base.txt", "cannot be executed")] {
        let place = TestEnvironment::with_tree_run(&["--max-attempts", "2"]);
        place.orch(&["task", "edit", "a", "--verify", command]).ok();
        place.report_task("a", &[("a.txt", "a")]);
        for number in 1..=3 {
            let failed = place.orch(&["verify", "a"]).fails("check_failed");
            let check = &failed["details"]["checks"][0];
            assert_eq!(check["state"], "could_not_start");
            assert!(json_text(&check["message"]).contains(said), "{check}");
            assert_eq!(
                (place.task_state("a"), &place.last_attempt("a")["checks_status"]),
                ("reported".to_owned(), &"pending".into())
            );
            let state = if number < 3 { "open" } else { "paused" };
            assert_eq!(place.show_run()["state"], state);
        }
        assert_eq!(place.show_run()["pause"]["reason"], "breaker");
        assert_eq!(
            place.orch(&["integrate"]).ok()["integrated"],
            json!([]),
            "nothing is merged in a paused run"
        );
        place.orch(&["run", "resume"]).ok();
        let again = place.orch(&["integrate"]).ok();
        assert_eq!((&again["faults"][0]["attempt"], &again["rejected"]), (&"r/a@1".into(), &json!([])));
        assert_eq!(place.show_run()["state"], "open", "the count began anew");
        place.orch(&["accept", "a", "--reason", "The tool is missing here."]).ok();
        place.orch(&["integrate"]).ok();
        assert_eq!(
            (place.task_state("a"), place.file_on_branch("a.txt")),
            ("done".to_owned(), Some("a".to_owned()))
        );
        place.check_sound();
    }
}

#[test]
fn faults_count_only_in_a_row() {
    let place = TestEnvironment::with_repository();
    let tool = place.sibling_path("tool");
    place.begin_run("r", &[]);
    for key in ["a", "b"] {
        place.orch(&["task", "add", "x", "--key", key, "--verify", &format!("'{}'", tool.display())]).ok();
        place.report_task(key, &[(key, "x")]);
    }
    for _ in 0..2 {
        place.orch(&["verify", "a"]).fails("check_failed");
    }
    place.shell(&format!("printf '#!/bin/sh\\n' > '{0}'; chmod +x '{0}'", tool.display())).run();
    place.orch(&["verify", "a"]).ok();
    std::fs::remove_file(&tool).unwrap();
    for _ in 0..2 {
        place.orch(&["verify", "b"]).fails("check_failed");
    }
    assert_eq!(place.show_run()["state"], "open");
    place.orch(&["verify", "b"]).fails("check_failed");
    assert_eq!(place.show_run()["state"], "paused");
}

#[test]
fn what_is_checked_is_the_commit_and_nothing_else() {
    let place = TestEnvironment::with_tree_run(&[]);
    place
        .orch(&[
            "task",
            "edit",
            "a",
            "--verify",
            "test ! -e later && test \"$(cat a.txt)\" = a && echo junk > junk && echo x >> a.txt",
        ])
        .ok();
    let work = place.report_task("a", &[("a.txt", "a")]);
    let head = place.run_git_in(&work.path, ["rev-parse", "HEAD"]);
    // The worker goes on after its report.
    work.write_file("later", "x");
    work.write_file("a.txt", "b");
    place.commit_in(&work.path, "later");
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!(verified["checks"][0]["commit"], head);
    assert_eq!(place.run_git_in(&work.path, ["status", "--porcelain"]), "", "its tree is left alone");
    // It is judged again in the same check tree, from which everything that the first check left was removed.
    std::fs::remove_dir_all(&work.path).unwrap();
    place.orch(&["verify", "a"]).ok();
    let root = place.sibling_path("repo.orch/r");
    let left: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".check-0"]);
    place.orch(&["integrate"]).ok();
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 0, "a run that is over needs none");
    assert_eq!((place.branch_tip(), place.file_on_branch("later")), (head, None));
}

#[test]
fn a_protected_file_must_not_be_changed() {
    let place = TestEnvironment::with_repository();
    std::fs::create_dir(place.repository_path().join("tests")).unwrap();
    place.commit_all("tests/one", "1");
    place.commit_all("Cargo.lock", "1");
    place.begin_run("r", &["--protect", "/tests", "--protect", "*.lock", "--max-attempts", "9"]);
    place.add_task("a", &[]);
    for (name, good) in [
        ("tests/one", false),
        ("tests/deep/new", false),
        ("Cargo.lock", false),
        ("deep/yarn.lock", false),
        ("test", true),
    ] {
        let work = place.start_tree_task("a", "w");
        place.commit_files(&work, &[("fine", "x"), (name, "changed")]);
        place.done_call(&work).ok();
        if good {
            // Merging looks, too.
            assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@5");
            continue;
        }
        let failed = place.orch(&["verify", "a"]).fails("check_failed");
        let check = &failed["details"]["checks"][0];
        assert_eq!(
            (&check["command"], &check["log"], &check["state"]),
            (&"".into(), &Value::Null, &"failed".into())
        );
        assert_eq!(check["message"], format!("Protected files were changed: {name}"));
        assert!(failed["hint"].is_string() && json_text(&failed["message"]).contains(name), "{failed}");
        assert!(json_text(&place.last_attempt("a")["reason"]).contains(name));
    }
    // A file that is taken away, or moved away, was changed as well.
    place.add_task("b", &[]);
    let work = place.start_tree_task("b", "w");
    place.run_git_in(&work.path, ["mv", "tests/one", "elsewhere"]);
    place.commit_in(&work.path, "moved");
    place.done_call(&work).ok();
    let rejected = place.orch(&["integrate"]).ok()["rejected"][0].clone();
    assert!(json_text(&rejected["reason"]).contains("tests/one"), "{rejected}");
    assert_eq!(place.start_tree_task("b", "w").payload["earlier"][0]["outcome"], "rejected");
}

#[test]
fn the_lead_may_overrule_the_checks() {
    let place = TestEnvironment::with_tree_run(&["--done-when", "verified"]);
    for key in ["b", "c"] {
        place.add_task(key, &[]);
    }
    for key in ["a", "b", "c"] {
        place.orch(&["task", "edit", key, "--verify", "false"]).ok();
        place.report_task(key, &[(key, "x")]);
    }
    let accepted = place.orch(&["accept", "a", "--reason", "It is good."]).ok()["task"].clone();
    assert_eq!((&accepted["state"], &accepted["checks"]), (&"done".into(), &"overridden".into()));
    assert_eq!(place.last_attempt("a")["state"], "accepted");
    let told = place.orch(&["events", "--task", "a"]).ok()["events"].clone();
    let told = told.as_array().unwrap().iter().find(|event| event["kind"] == "accepted").unwrap().clone();
    assert_eq!(told["data"]["reason"], "It is good.");
    place.orch(&["accept", "a"]).fails("task_finished");
    place.orch(&["reject", "a", "--reason", "x"]).fails("task_finished");
    place.orch(&["reject", "b"]).fails("invalid_argument");
    let rejected =
        place.orch(&["reject", "b", "--reason", "Empty input is not handled."]).ok()["task"].clone();
    assert_eq!((&rejected["state"], &rejected["checks"]), (&"ready".into(), &"overridden".into()));
    let earlier = place.start_tree_task("b", "w").payload["earlier"][0].clone();
    assert_eq!(
        (&earlier["outcome"], &earlier["reason"]),
        (&"rejected".into(), &"Empty input is not handled.".into())
    );
    place.orch(&["accept", "b"]).fails("attempt_live");
    place.orch(&["recall", "b"]).ok();
    place.orch(&["accept", "b"]).fails("attempt_not_found");
    place.check_sound();
}

#[test]
fn the_lead_may_name_another_commit() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.report_task("a", &[("a.txt", "wrong")]);
    let unrelated = place.run_git(["commit-tree", "HEAD^{tree}", "-m", "unrelated"]);
    work.write_file("a.txt", "right");
    let fixed = place.commit_in(&work.path, "fixed");
    for (revision, code) in [
        ("nothing", "base_not_found"),
        ("HEAD:base.txt", "base_not_found"),
        (&unrelated, "worktree_conflict"),
    ] {
        place.orch(&["accept", "a", "--commit", revision]).fails(code);
        assert_eq!(place.last_attempt("a")["checks_status"], "none");
    }
    let words = ["accept", "a", "--commit", "orch/r/a.1", "--request-id", "k"];
    place.orch(&words).ok();
    assert_eq!(
        (&place.last_attempt("a")["worktree"]["head_commit"], place.task_state("a")),
        (&fixed.as_str().into(), "reported".to_owned())
    );
    place.orch(&["integrate"]).ok();
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("right"));
    // The branch is put away by now; a repeated request is answered all the same.
    assert_eq!(place.orch(&words).run().ok_document()["replayed"], true);
}

#[test]
fn nothing_to_check_never_shows_as_passed() {
    let place = TestEnvironment::with_tree_run(&["--done-when", "verified"]);
    assert_eq!(place.show_run()["verify"], Value::Null);
    place.report_task("a", &[("a.txt", "a")]);
    let shown = place.orch(&["task", "show", "a"]).ok()["task"].clone();
    assert_eq!((&shown["state"], &shown["checks"]), (&"done".into(), &"none".into()));
    let place = TestEnvironment::with_tree_run(&[]);
    place.report_task("a", &[("a.txt", "a")]);
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!(
        (&verified["checks"], &verified["task"]["checks"], &verified["task"]["state"]),
        (&json!([]), &"none".into(), &"reported".into())
    );
    assert!(place.orch(&["verify", "a"]).text().contains("nothing to check"));
}

#[test]
fn what_judges_is_what_was_dispatched() {
    let place = TestEnvironment::with_tree_run(&["--done-when", "verified"]);
    place.orch(&["task", "edit", "a", "--verify", "true"]).ok();
    let work = place.start_tree_task("a", "w");
    place.orch(&["run", "edit", "--verify", "false"]).ok();
    place.orch(&["task", "edit", "a", "--verify", "false"]).fails("attempt_live");
    place.commit_files(&work, &[("a.txt", "a")]);
    place.done_call(&work).ok();
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!(
        text_list(
            &verified["checks"].as_array().unwrap().iter().map(|check| check["command"].clone()).collect()
        ),
        ["true"]
    );
}

#[test]
fn what_was_not_reported_is_not_judged() {
    let place = TestEnvironment::with_tree_run(&[]);
    for verb in [&["verify", "a"][..], &["accept", "a"], &["reject", "a", "--reason", "x"]] {
        place.orch(verb).fails("attempt_not_found");
    }
    let work = place.start_tree_task("a", "w");
    for verb in [&["verify", "a"][..], &["accept", "a"], &["reject", "a", "--reason", "x"]] {
        place.orch(verb).fails("attempt_live");
    }
    place.orch(&["verify", "nobody"]).fails("task_not_found");
    let as_worker =
        place.orch(&["verify", "a"]).env("INBOX_THREAD", &work.held.thread).fails("not_permitted");
    assert!(json_text(&as_worker["message"]).contains("lead"), "{as_worker}");
}

/// Whatever session, environment and folder they gave themselves.
#[cfg(target_os = "linux")]
#[test]
fn no_process_of_a_check_is_left() {
    let place = TestEnvironment::with_tree_run(&[]);
    let pids = place.sibling_path("pids");
    let leave = format!(
        "setsid sleep 4711 & echo $! >> '{0}'\n\
         env -i setsid sh -c 'cd /; sleep 4711 & echo $! >> {0}' &\n\
         until [ $(wc -l < '{0}') = 2 ]; do sleep 0.01; done",
        pids.display()
    );
    place.orch(&["task", "edit", "a", "--verify", &leave]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(place.orch(&["verify", "a"]).ok()["checks"][0]["state"], "passed");
    for pid in std::fs::read_to_string(&pids).unwrap().lines() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
        assert!(matches!(state, None | Some('Z')), "{pid} is left: {stat}");
    }
}

/// A task whose checks are these, reported with a file `a.txt`.
fn reported_task(options: &[&str], checks: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_tree_run(options);
    let words = checks.iter().flat_map(|check| ["--verify", check]);
    place.orch(&["task", "edit", "a"].into_iter().chain(words).collect::<Vec<_>>()).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place
}

/// Neither a check after it nor its own second run profits from what a check leaves.
#[test]
fn what_passes_only_the_second_time_never_passes() {
    for (options, leave) in [
        (&[][..], "build/mark"),
        (&["--setup", "mkdir modules; echo 1 > modules/m"], "modules/left"),
        (&[], ".git/mark"),
        (&["--check-cache", "target/"], "target/mark"),
    ] {
        let check = format!("test -e {leave} || {{ mkdir -p $(dirname {leave}); touch {leave}; exit 1; }}");
        let options = [options, &["--max-attempts", "9", "--check-retries", "2"]].concat();
        let place = reported_task(&options, &[&check]);
        place.orch(&["verify", "a"]).fails("check_failed");
        assert_eq!(place.last_attempt("a")["state"], "rejected", "{leave}");
    }
}

#[test]
fn a_cache_stays_from_one_check_to_the_next_and_reaches_no_worker() {
    let count = "mkdir -p target; echo x >> target/count; echo left > other; cat target/count | wc -l";
    let place = TestEnvironment::with_tree_run(&["--check-cache", "target/", "--verify", count]);
    place.add_task("b", &[]);
    for (key, lines) in [("a", "2\n"), ("b", "3\n")] {
        // The first line is that of the baseline check.
        place.report_task(key, &[(key, "x")]);
        let checked = place.orch(&["verify", key]).ok()["checks"][0].clone();
        assert_eq!(std::fs::read_to_string(json_text(&checked["log"])).unwrap(), lines, "{key}");
    }
    let top = place.sibling_path("repo.orch/r");
    assert!(top.join(".check-0/tree/target/count").exists());
    assert!(!top.join("a.1/target").exists() && !top.join("b.1/target").exists());
}

#[test]
fn a_setup_runs_once_for_the_same_lock_files() {
    let place = TestEnvironment::with_repository();
    std::fs::create_dir(place.repository_path().join("deep")).unwrap();
    place.commit_all("deep/x.lock", "1");
    let runs = place.sibling_path("setups");
    let setup = format!(
        "[ $(basename $PWD) = tree ] && echo x >> {}; mkdir modules; echo good > modules/m",
        runs.display()
    );
    place.begin_run("r", &["--setup", &setup, "--setup-key", "*.lock", "--max-attempts", "9"]);
    let setups_of = |key: &str, check: &str, file: &str| {
        place.orch(&["task", "add", "x", "--key", key, "--verify", check]).ok();
        place.report_task(key, &[(file, "2")]);
        place.orch(&["verify", key]).ok();
        std::fs::read_to_string(&runs).unwrap().lines().count()
    };
    assert_eq!(setups_of("a", "cat modules/m", "a"), 1);
    assert_eq!(setups_of("b", "cat modules/m; touch modules/left", "ab"), 1, "the lock file is the same");
    assert_eq!(setups_of("c", "test ! -e modules/left; echo bad > modules/m", "abc"), 1);
    assert_eq!(setups_of("d", "grep good modules/m", "abcd"), 2, "a check had changed the setup's output");
    assert_eq!(setups_of("e", "grep good modules/m", "deep/x.lock"), 3, "the lock file has changed");
}

/// What ends a check from outside is told from what it does to itself by letting it run again.
#[test]
fn a_signal_counts_only_if_it_is_the_checks_own() {
    let place = reported_task(&["--check-retries", "0"], &["kill -KILL $$"]);
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(failed["details"]["checks"][0]["state"], "failed");
    assert_eq!(place.task_state("a"), "ready");

    let place = TestEnvironment::with_tree_run(&["--check-retries", "0"]);
    let mark = place.sibling_path("mark");
    // The second run is not killed, as if the signal had come from outside.
    let check = format!("test -e {0} || {{ touch {0}; kill -TERM $$; }}", mark.display());
    place.orch(&["task", "edit", "a", "--verify", &check]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(place.orch(&["verify", "a"]).ok()["checks"][0]["state"], "passed");
}

#[test]
fn settings_and_hooks_of_a_worker_do_not_reach_a_check() {
    let place =
        TestEnvironment::with_tree_run(&["--verify", "git checkout -q HEAD -- . && ! grep wrong a.txt"]);
    let work = place.start_tree_task("a", "w");
    let hooks = place.repository_path().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    std::fs::write(place.repository_path().join(".git/info/attributes"), "a.txt filter=good\n").unwrap();
    place.run_git(["config", "filter.good.smudge", "sed s/wrong/right/"]);
    place.run_git(["config", "filter.good.clean", "cat"]);
    place.commit_files(&work, &[("a.txt", "wrong")]);
    place.done_call(&work).ok();
    place.orch(&["verify", "a"]).fails("check_failed");
}

/// The lead adds a protected file, and a worker merges it into its work.
#[test]
fn a_protected_file_that_others_changed_is_no_offence() {
    let place = TestEnvironment::with_repository();
    std::fs::create_dir(place.repository_path().join("t")).unwrap();
    place.commit_all("t/x", "1");
    place.begin_run("r", &["--protect", "t/**", "--max-attempts", "9"]);
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    place.run_git(["checkout", "-q", "orch/r/main"]);
    place.commit_all("t/new", "lead");
    place.run_git(["checkout", "-q", "main"]);
    place.run_git_in(&work.path, ["merge", "-q", "--no-edit", "orch/r/main"]);
    place.commit_files(&work, &[("a.txt", "a")]);
    place.done_call(&work).ok();
    place.orch(&["verify", "a"]).ok();
    // What undoes it is one.
    place.add_task("b", &[]);
    let work = place.start_tree_task("b", "w");
    place.run_git_in(&work.path, ["merge", "-q", "--no-edit", "orch/r/main"]);
    std::fs::remove_file(work.path.join("t/new")).unwrap();
    place.commit_in(&work.path, "removed");
    place.done_call(&work).ok();
    let failed = place.orch(&["verify", "b"]).fails("check_failed");
    assert_eq!(failed["details"]["checks"][0]["message"], "Protected files were changed: t/new");
}
