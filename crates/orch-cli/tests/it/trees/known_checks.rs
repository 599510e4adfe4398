//! Which checks run and which results are taken over: kept by tree, confirmed before they count, and shown.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A check that notes in a file outside the repository that it ran.
fn counting(place: &TestEnvironment, then: &str) -> String {
    format!("echo $ORCH_STAGE >> '{}'; {then}", place.sibling_path("ran").display())
}

/// The stages in which the counting check ran.
fn stages_run(place: &TestEnvironment) -> Vec<String> {
    let text = std::fs::read_to_string(place.sibling_path("ran")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The evidence of the last attempt: stage, exit status, whether it was taken over, whether it is flaky.
fn evidence(place: &TestEnvironment, key: &str) -> Vec<Value> {
    let checks = place.last_attempt(key)["checks"].as_array().unwrap().clone();
    let short = |check: &Value| json!([check["stage"], check["exit"], check["reused"], check["flaky"]]);
    checks.iter().map(short).collect()
}

#[test]
fn a_tree_that_passed_is_not_checked_again() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", &counting(&place, "test -e base.txt")]);
    place.add_task("a", &[]);
    assert_eq!(stages_run(&place), [""; 0]);
    place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(stages_run(&place), ["baseline"]);
    let verified = place.orch(&["verify", "a"]).ok();
    let check = &verified["checks"][0];
    let tree = place.run_git(["rev-parse", "orch/r/a.1^{tree}"]);
    assert_eq!((&check["tree"], &check["reused"]), (&tree.as_str().into(), &false.into()));
    assert_eq!((&check["exit"], &check["exit_status"]), (&0.into(), &0.into()));
    let again = place.orch(&["verify", "a"]).ok()["checks"][0].clone();
    assert_eq!(
        (&again["reused"], &again["log"], &again["duration_ms"], &again["at"]),
        (&true.into(), &check["log"], &check["duration_ms"], &check["at"])
    );
    place.orch(&["integrate"]).ok();
    assert_eq!(
        evidence(&place, "a"),
        [json!(["attempt", 0, true, false]), json!(["merge", 0, true, false])],
        "the branch moved forward to the commit that was checked"
    );
    assert_eq!(stages_run(&place), ["baseline", "attempt"]);
    // Another attempt at another task has the same tree as what its merge makes: neither is checked again.
    let landed = place.orch(&["land", "--onto", "main"]).ok();
    assert_eq!(landed["already"], false, "{landed}");
    assert_eq!(stages_run(&place), ["baseline", "attempt"]);
    place.check_sound();
}

#[test]
fn new_results_may_be_asked_for() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", &counting(&place, "true")]);
    place.add_task("a", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).ok();
    assert_eq!(place.orch(&["verify", "a", "--no-check-cache"]).ok()["checks"][0]["reused"], false);
    assert_eq!(stages_run(&place), ["baseline", "attempt", "attempt"]);
    place.orch(&["integrate", "--no-check-cache"]).ok();
    assert_eq!(stages_run(&place)[3..], ["merge"], "what passed before the command does not count");
    place.orch(&["land", "--onto", "main", "--no-check-cache"]).ok();
    assert_eq!(stages_run(&place)[4..], ["land"]);
}

#[test]
fn what_a_result_depends_on_makes_it_run_again() {
    let place = TestEnvironment::with_repository();
    place.commit_all(".gitignore", ".env\n");
    let write_env = |content: &str| std::fs::write(place.repository_path().join(".env"), content).unwrap();
    write_env("A=1\n");
    let passed = ["--check-env", "SOME_SETTING", "--check-env", "PWD", "--check-env", "SHLVL"];
    let rules = ["--verify", &counting(&place, "true"), "--copy", ".env"];
    place.begin_run("r", &[&rules[..], &passed].concat());
    place.add_task("a", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    let ran = || stages_run(&place).len();
    place.orch(&["verify", "a"]).ok();
    let before = ran();
    let verify = |name: &str, value: &str| place.orch(&["verify", "a"]).env(name, value).ok();
    for (name, value, runs) in [
        ("SOME_SETTING", "1", true),
        ("SOME_SETTING", "1", false),
        ("SOME_SETTING", "2", true),
        ("NOT_PASSED", "1", false),
        ("PWD", "/elsewhere", false),
        ("SHLVL", "9", false),
    ] {
        let earlier = ran();
        verify(name, value);
        assert_eq!(ran() - earlier, usize::from(runs), "{name}={value}");
    }
    assert!(ran() > before);
    let changes: [(&str, &dyn Fn()); 4] = [
        ("copied file", &|| write_env("A=2\n")),
        ("setup", &|| drop(place.orch(&["run", "edit", "--setup", "true"]).ok())),
        ("filter", &|| drop(place.run_git(["config", "filter.x.clean", "cat"]))),
        ("identity", &|| drop(place.orch(&["run", "edit", "--check-by", "commit"]).ok())),
    ];
    for (what, change) in changes {
        change();
        let earlier = ran();
        for _ in 0..2 {
            place.orch(&["verify", "a"]).ok();
        }
        assert_eq!(ran() - earlier, 1, "{what}: once, and then it is known");
    }
}

#[test]
fn a_failure_is_confirmed_before_it_counts() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "1"]);
    place.orch(&["task", "edit", "a", "--verify", &counting(&place, "echo no; false")]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(stages_run(&place), ["attempt", "attempt"]);
    assert_eq!(evidence(&place, "a"), [json!(["attempt", 1, false, false])]);
    // A setting of the run, from none to ten.
    let place = TestEnvironment::with_tree_run(&["--check-retries", "0"]);
    assert_eq!(place.show_run()["check_retries"], 0);
    place.orch(&["task", "edit", "a", "--verify", &counting(&place, "false")]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(stages_run(&place).len(), 1);
}

/// A check that fails as long as a file beside the repository is missing, and makes it.
fn failing_once(place: &TestEnvironment, name: &str) -> String {
    let mark = place.sibling_path(name);
    counting(place, &format!("echo told; test -e '{0}' || {{ touch '{0}'; exit 7; }}", mark.display()))
}

#[test]
fn red_and_green_on_one_key_is_flaky() {
    for (verdict, passes) in [(None, true), (Some("pass"), true), (Some("fail"), false)] {
        let place = TestEnvironment::with_repository();
        let flaky = verdict.map_or(vec![], |verdict| vec!["--flaky", verdict]);
        place.begin_run("r", &flaky);
        place.orch(&["task", "add", "x", "--key", "a", "--verify", &failing_once(&place, "mark")]).ok();
        place.report_task("a", &[("a.txt", "a")]);
        let verify = place.orch(&["verify", "a"]);
        if passes {
            let verified = verify.ok();
            assert_eq!(verified["task"]["checks"], "passed");
            assert!(verify_text(&place).contains("flaky"), "people are told");
        } else {
            let failed = verify.fails("check_failed");
            assert!(json_text(&failed["message"]).contains("passed when it ran again"), "{failed}");
        }
        let exit = if passes { 0 } else { 7 };
        assert_eq!(evidence(&place, "a")[0], json!(["attempt", exit, false, true]), "{verdict:?}");
        assert_eq!(stages_run(&place).len(), 2);
        place.check_sound();
    }
}

fn verify_text(place: &TestEnvironment) -> String {
    place.orch(&["task", "show", "a"]).text()
}

#[test]
fn an_unchanged_report_is_rejected_at_once() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "9"]);
    place.orch(&["task", "edit", "a", "--verify", &counting(&place, "echo why; false")]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    let first = place.last_attempt("a");
    assert_eq!(stages_run(&place).len(), 2);
    place.report_task("a", &[("a.txt", "a")]);
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(failed["details"]["checks"][0]["log"], first["checks"][0]["log"], "the old log");
    let second = place.last_attempt("a");
    assert_eq!(stages_run(&place).len(), 2, "nothing ran");
    assert_eq!(evidence(&place, "a"), [json!(["attempt", 1, true, false])]);
    let reason = json_text(&second["reason"]);
    assert!(reason.contains("unchanged") && reason.contains("r/a@1"), "{reason}");
    assert_eq!(second["log_tail"], "why");
    let told = place.orch(&["events", "--task", "a"]).ok()["events"].clone();
    let told = told.as_array().unwrap().iter().rfind(|event| event["kind"] == "rejected").unwrap().clone();
    assert_eq!(told["data"]["unchanged"], true);
    // Other checks: what failed is known, what did not run before runs, and nothing is called unchanged.
    place.orch(&["run", "edit", "--verify", "echo other >> other; true"]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(
        evidence(&place, "a"),
        [json!(["attempt", 0, false, false]), json!(["attempt", 1, true, false])]
    );
    assert!(!json_text(&place.last_attempt("a")["reason"]).contains("unchanged"));
    // New results are asked for.
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a", "--no-check-cache"]).fails("check_failed");
    assert_eq!(stages_run(&place).len(), 4);
    place.check_sound();
}

#[test]
fn a_rejection_by_hand_is_no_result_of_a_check() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.orch(&["task", "edit", "a", "--verify", &counting(&place, "true")]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).ok();
    place.orch(&["reject", "a", "--reason", "Not like this."]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!((&verified["task"]["checks"], stages_run(&place).len()), (&"passed".into(), 1));
}

#[test]
fn faults_are_never_known() {
    let place = TestEnvironment::with_repository();
    let gate = place.make_gate("gate");
    place.begin_run("r", &["--check-limit", "1s"]);
    let slow = counting(&place, &gate.wait_command());
    place.orch(&["task", "add", "x", "--key", "a", "--verify", &slow]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    for runs in 1..=2 {
        let failed = place.orch(&["verify", "a"]).fails("check_failed");
        assert_eq!(failed["details"]["checks"][0]["state"], "timed_out");
        assert_eq!(stages_run(&place).len(), runs, "it is not run again at once, and runs when asked for");
        assert_eq!(place.task_state("a"), "reported", "a fault uses no try");
    }
    place.check_sound();
}

/// A setup that fails in a check tree says nothing about the commit, and its failure is not known the next time.
#[test]
fn a_failed_setup_of_a_check_tree_is_never_known() {
    let place = TestEnvironment::with_repository();
    let mark = place.sibling_path("mark");
    let setup = format!("test $(basename $PWD) != tree || test -e '{}'", mark.display());
    place.begin_run("r", &["--setup", &setup]);
    place.orch(&["task", "add", "x", "--key", "a", "--verify", &counting(&place, "true")]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    let failed = place.orch(&["verify", "a"]).fails("check_failed");
    assert_eq!(failed["details"]["checks"][0]["state"], "could_not_start", "{failed}");
    assert_eq!((place.task_state("a"), stages_run(&place).len()), ("reported".into(), 0));
    std::fs::write(mark, "").unwrap();
    let verified = place.orch(&["verify", "a"]).ok();
    assert_eq!(verified["checks"][0]["reused"], false);
    place.check_sound();
}

/// The checks of a report that was rejected for a conflict have passed: the same report again is judged by them.
#[test]
fn a_conflict_makes_no_report_an_unchanged_one() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", &counting(&place, "true"), "--max-attempts", "9"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
        place.start_tree_task(key, "w");
        place.orch(&["recall", key]).ok();
    }
    place.report_task("a", &[("same", "a")]);
    place.report_task("b", &[("same", "b")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.last_attempt("b")["state"], "rejected");
    let ran = stages_run(&place).len();
    place.orch(&["verify", "b", "--again"]).ok();
    assert_eq!(stages_run(&place).len(), ran + 1, "new results were asked for");
    let rejected = place.orch(&["integrate"]).ok()["rejected"].clone();
    assert!(!rejected.to_string().contains("unchanged"), "{rejected}");
}

#[test]
fn the_evidence_of_an_attempt_is_complete_and_its_logs_are_shown() {
    let place = TestEnvironment::with_tree_run(&["--verify", "echo first", "--verify", "echo second"]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["verify", "a"]).ok();
    let checks = place.last_attempt("a")["checks"].as_array().unwrap().clone();
    assert_eq!(checks.len(), 2);
    for (check, command) in checks.iter().zip(["echo first", "echo second"]) {
        assert_eq!((&check["stage"], &check["command"]), (&"attempt".into(), &command.into()));
        assert_eq!(
            (&check["exit"], &check["reused"], &check["flaky"]),
            (&0.into(), &false.into(), &false.into())
        );
        assert_eq!(check["tree"], place.run_git(["rev-parse", "orch/r/a.1^{tree}"]).as_str());
        assert!(check["duration_ms"].is_u64() && json_text(&check["at"]).ends_with('Z'), "{check}");
        let log = std::fs::read_to_string(json_text(&check["log"])).unwrap();
        assert_eq!(log.trim(), command.trim_start_matches("echo "));
    }
    for (options, shown) in
        [(&["--check"][..], "second"), (&["--check", "1"], "first"), (&["--check", "2"], "second")]
    {
        let words = [&["log", "a"][..], options].concat();
        assert!(place.orch(&words).text().contains(shown), "{options:?}");
    }
    place.orch(&["log", "a", "--check", "3"]).fails("invalid_argument");
}
