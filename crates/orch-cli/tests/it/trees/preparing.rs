//! Attempts whose worktree is being made, and those whose worktree cannot be made.

use serde_json::{Value, json};

use super::fixture::{PipeGate, open_gate, text_list};
use crate::scheduling::json_text;
use crate::test_environment::{RunningInvocation, TestEnvironment};

/// A run whose setup waits at a gate, with a dispatch of `a` that is under way.
fn dispatch_at_gate() -> (TestEnvironment, PipeGate, std::fs::File, RunningInvocation) {
    let place = TestEnvironment::with_repository();
    let gate = place.make_gate("gate");
    place.begin_run("r", &["--setup", &gate.wait_command()]);
    place.add_task("a", &[]);
    let dispatch = place.orch(&["dispatch", "a", "--to", "w"]).start();
    let open = gate.wait_reached();
    (place, gate, open, dispatch)
}

#[test]
fn work_is_sent_when_its_tree_is_there() {
    let (place, _gate, open, dispatch) = dispatch_at_gate();
    let attempt = place.last_attempt("a");
    assert_eq!((&attempt["state"], &attempt["thread"]), (&"preparing".into(), &Value::Null));
    assert_eq!(attempt["worktree"]["state"], "planned");
    assert_eq!(place.task_state("a"), "dispatched");
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 0, "nothing is sent yet");
    place.orch(&["dispatch", "a", "--to", "other"]).fails("attempt_live");
    place.orch(&["verify", "a"]).fails("attempt_live");
    let untold = place.orch(&["tell", "a", "Mind the gap."]).fails("attempt_not_found");
    assert!(json_text(&untold["message"]).contains("still being prepared"), "{untold}");
    let why = crate::scheduling::reason_codes(&place.orch(&["why", "a"]).ok()["reasons"]);
    assert_eq!(why, ["live"], "nobody was sent anything who could claim it");
    place.add_task("b", &[]);
    place.orch(&["run", "edit", "--max-active", "1"]).ok();
    place.orch(&["dispatch", "b", "--to", "w"]).fails("capacity_reached");
    assert_eq!(place.orch(&["reconcile"]).ok()["changes"], json!([]));
    open_gate(open, "go");
    let sent = dispatch.wait_output().ok();
    assert_eq!(
        (&sent["attempt"]["state"], &sent["attempt"]["worktree"]["state"]),
        (&"dispatched".into(), &"present".into())
    );
    assert_eq!(place.task_event_kinds("a"), ["task_added", "dispatched", "sent", "prepared"]);
    place.check_sound();
}

#[test]
fn what_is_recalled_while_it_is_prepared_is_never_sent() {
    for verb in [&["recall", "a"][..], &["task", "cancel", "a"], &["run", "cancel", "r"]] {
        let (place, _gate, open, dispatch) = dispatch_at_gate();
        place.orch(verb).ok();
        let ended = if verb[0] == "recall" { "recalled" } else { "cancelled" };
        assert_eq!(place.last_attempt("a")["state"], ended, "{verb:?}");
        open_gate(open, "go");
        let told = dispatch.wait_output().ok();
        assert_eq!((&told["attempt"]["state"], &told["thread"]), (&ended.into(), &Value::Null));
        assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 0);
        let tree = place.last_attempt("a")["worktree"].clone();
        let is_there = place.sibling_path("repo.orch/r/a.1").exists();
        assert_eq!(tree["state"] == "present", is_there, "what is there is known: {tree}");
        place.check_sound();
    }
}

#[test]
fn a_setup_that_fails_after_the_recall_harms_nobody() {
    let (place, gate, open, dispatch) = dispatch_at_gate();
    place.orch(&["recall", "a"]).ok();
    open_gate(open, "stop");
    dispatch.wait_output().fails("check_failed");
    assert_eq!(
        (place.task_state("a"), place.last_attempt("a")["state"].clone()),
        ("ready".to_owned(), "recalled".into())
    );
    assert_eq!(place.show_run()["state"], "open");
    let again = place.orch(&["dispatch", "a", "--to", "w"]).start();
    open_gate(gate.wait_reached(), "go");
    assert_eq!(again.wait_output().ok()["attempt"]["number"], 2);
    place.check_sound();
}

#[test]
fn what_is_prepared_in_a_paused_run_waits_for_its_resumption() {
    let (place, _gate, open, dispatch) = dispatch_at_gate();
    place.orch(&["run", "pause"]).ok();
    open_gate(open, "go");
    assert_eq!(dispatch.wait_output().ok()["attempt"]["state"], "dispatched");
    place.inbox(&["claim", "--for", "w"]).fails("inbox_empty");
    place.orch(&["run", "resume"]).ok();
    assert_eq!(place.claim_tree_work("w").payload["attempt"], "r/a@1");
}

#[test]
fn a_setup_that_fails_uses_no_try_and_pauses_in_the_end() {
    let place = TestEnvironment::with_repository();
    let fixed = place.sibling_path("fixed");
    let setup = format!("echo the setup; echo left > left; test -e '{}'", fixed.display());
    place.begin_run("r", &["--setup", &setup, "--max-attempts", "2"]);
    place.add_task("a", &[]);
    for number in 1..=3 {
        let failed = place.orch(&["dispatch", "a", "--to", "w"]).fails("check_failed");
        let check = &failed["details"]["checks"][0];
        assert_eq!((&check["command"], &check["state"]), (&setup.as_str().into(), &"could_not_start".into()));
        let log = std::fs::read_to_string(json_text(&check["log"])).unwrap();
        assert_eq!(log, "the setup\n");
        let attempt = place.last_attempt("a");
        assert_eq!((&attempt["number"], &attempt["state"]), (&number.into(), &"failed".into()));
        assert!(json_text(&attempt["reason"]).contains("exited with status 1"), "{attempt}");
        assert_eq!(place.task_state("a"), "ready", "no try is used up");
        assert!(!place.sibling_path(&format!("repo.orch/r/a.{number}")).exists());
        assert_eq!(place.run_git(["for-each-ref", "refs/heads/orch/r/a.*"]), "", "no branch is left");
    }
    let run = place.show_run();
    assert_eq!((&run["state"], &run["pause"]["reason"]), (&"paused".into(), &"breaker".into()));
    assert!(json_text(&run["pause"]["message"]).contains("status 1"), "{run}");
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    assert_eq!(refused["details"]["reasons"][0]["code"], "run_paused");
    std::fs::write(fixed, "").unwrap();
    place.orch(&["run", "resume"]).ok();
    assert_eq!(place.dispatch_task("a", "w")["attempt"]["number"], 4);
    let work = place.claim_tree_work("w");
    assert_eq!(std::fs::read_to_string(work.path.join("left")).unwrap(), "left\n");
    place.check_sound();
}

#[test]
fn what_is_in_the_way_stays_and_uses_no_try() {
    let place = TestEnvironment::with_tree_run(&[]);
    let path = place.sibling_path("repo.orch/r/a.1");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("mine"), "precious").unwrap();
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("worktree_conflict");
    assert!(json_text(&refused["message"]).contains("a.1"), "{refused}");
    assert_eq!(std::fs::read_to_string(path.join("mine")).unwrap(), "precious");
    assert_eq!(place.run_git(["for-each-ref", "refs/heads/orch/r/a.*"]), "");
    let next = place.dispatch_task("a", "w");
    assert_eq!(next["attempt"]["number"], 2, "the next attempt has a place of its own");
    assert_eq!(place.show_run()["state"], "open");
}

#[test]
fn a_branch_in_the_way_is_left_where_it_is() {
    let place = TestEnvironment::with_tree_run(&[]);
    let other = place.commit_all("more", "x");
    place.run_git(["branch", "orch/r/a.1"]);
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("worktree_conflict");
    assert_eq!(refused["hint"], "git log --oneline -5 refs/heads/orch/r/a.1");
    assert_eq!(place.resolve_commit("orch/r/a.1"), other);
    assert!(!place.sibling_path("repo.orch/r/a.1").exists());
    assert_eq!(place.dispatch_task("a", "w")["attempt"]["number"], 2);
}

#[test]
fn a_red_base_pauses_the_run_before_anything_is_dispatched() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "echo looked; test -e good", "--verify", "true"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    assert_eq!(refused["details"]["reasons"][0]["code"], "run_paused");
    let run = place.show_run();
    assert_eq!((&run["pause"]["reason"], &run["baseline"]), (&"baseline".into(), &"failed".into()));
    let message = json_text(&run["pause"]["message"]);
    assert!(message.contains("`echo looked; test -e good` exited with status 1"), "{message}");
    assert!(place.orch(&["task", "show", "a"]).ok()["attempts"].as_array().unwrap().is_empty());
    let all = place.orch(&["dispatch", "--all", "--to", "w"]).ok();
    assert_eq!(all["dispatched"], json!([]));
    assert_eq!(
        run["pause"]["next"],
        json!(["orch run edit r --verify CMD", "orch run sync r", "orch run resume r"])
    );
    let refused = place.orch(&["run", "resume"]).fails("run_not_open");
    assert_eq!(refused["hint"], "orch run edit r --verify CMD", "the base would fail again");
    place.orch(&["run", "edit", "--verify", "true"]).ok();
    place.orch(&["run", "resume"]).ok();
    place.dispatch_task("a", "w");
    assert_eq!(place.show_run()["baseline"], "passed");
    let kinds = crate::scheduling::event_kinds(&place.orch(&["events"]).ok()["events"]);
    for (kind, count) in [("checked", 2), ("paused", 1), ("run_resumed", 1)] {
        assert_eq!(kinds.iter().filter(|told| *told == kind).count(), count, "{kind} of {kinds:?}");
    }
    place.check_sound();
}

#[test]
fn a_green_base_is_looked_at_once() {
    let place = TestEnvironment::with_repository();
    let log = place.sibling_path("log");
    let check = format!("echo $ORCH_STAGE $ORCH_RUN >> '{}'", log.display());
    place.begin_run("r", &["--verify", &check]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
        place.dispatch_task(key, "w");
    }
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "baseline r\n");
    assert_eq!(place.show_run()["baseline"], "passed");
    assert!(!place.sibling_path("repo.orch/r/.baseline").exists());
    place.orch(&["run", "edit", "--verify", "true"]).ok();
    assert_eq!(place.show_run()["baseline"], "pending", "other checks have not been seen on the base");
}

/// A base whose checks cannot run says nothing: the dispatch fails, and the third time the run is paused.
#[test]
fn a_base_that_cannot_be_checked_is_a_fault_of_the_tool() {
    let place = TestEnvironment::with_tree_run(&["--verify", "no-such-program"]);
    for _ in 0..2 {
        let failed = place.orch(&["dispatch", "a", "--to", "w"]).fails("check_failed");
        assert_eq!(failed["details"]["checks"][0]["state"], "could_not_start");
        assert_eq!(place.show_run()["state"], "open");
    }
    place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    let run = place.show_run();
    assert_eq!((&run["pause"]["reason"], &run["baseline"]), (&"breaker".into(), &"pending".into()));
    place.orch(&["run", "edit", "--verify", "true"]).ok();
    place.orch(&["run", "resume"]).ok();
    assert_eq!(place.dispatch_task("a", "w")["attempt"]["number"], 1);
}

/// One run whose base cannot be checked keeps nobody else's work back.
#[test]
fn dispatching_all_goes_on_where_one_run_cannot() {
    let place = TestEnvironment::with_tree_run(&["--verify", "no-such-program"]);
    place.add_task("b", &[]);
    place.begin_run("s", &[]);
    place.orch(&["task", "add", "x", "--run", "s", "--key", "c"]).ok();
    let all = place.orch(&["dispatch", "--all", "--to", "w"]).ok();
    let sent: Vec<String> =
        all["dispatched"].as_array().unwrap().iter().map(|one| json_text(&one["task"]["key"])).collect();
    assert_eq!(sent, ["c"], "{all}");
    assert_eq!(
        text_list(&all["refused"].as_array().unwrap().iter().map(|one| one["task"].clone()).collect())[0],
        "r/a"
    );
    assert_eq!(all["refused"][0]["code"], "check_failed", "{all}");
}

/// What the setup writes and what is copied is no work.
#[test]
fn files_of_the_setup_and_copied_ones_are_no_work() {
    let place = TestEnvironment::with_repository();
    place.commit_all("lock", "1");
    place.commit_all(".gitignore", ".env");
    std::fs::write(place.repository_path().join(".env"), "secret").unwrap();
    place.begin_run("r", &["--setup", "echo built > stamp; echo 2 > lock", "--copy", ".env"]);
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    assert_eq!(std::fs::read_to_string(work.path.join("stamp")).unwrap(), "built\n");
    assert_eq!(std::fs::read_to_string(work.path.join("lock")).unwrap(), "1", "it was restored");
    assert_eq!(place.run_git_in(&work.path, ["status", "--porcelain"]), "");
    place.done_call(&work).fails("no_changes");
    work.write_file("a.txt", "a");
    place.commit_in(&work.path, "work");
    assert_eq!(place.run_git_in(&work.path, ["show", "--name-only", "--format="]), "a.txt");
    place.run_git_in(&work.path, ["add", "--force", "stamp", ".env"]);
    place.commit_in(&work.path, "by force");
    let refused = place.done_call(&work).fails("worktree_conflict");
    assert_eq!(refused["details"]["paths"], json!([".env", "stamp"]));
    assert!(json_text(&refused["hint"]).contains("rm --cached -- .env stamp"), "{refused}");
    place.run_git_in(&work.path, ["rm", "--quiet", "--cached", "stamp", ".env"]);
    place.commit_in(&work.path, "taken out");
    place.done_call(&work).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!((place.file_on_branch("stamp"), place.file_on_branch("lock")), (None, Some("1".to_owned())));
    assert_eq!(place.run_git(["status", "--porcelain"]), "", "the user's checkout is as it was");
}

#[test]
fn a_setup_may_change_only_the_tracked_files_that_are_named() {
    let place = TestEnvironment::with_repository();
    for file in ["a.lock", "b.lock", "source"] {
        place.commit_all(file, "1");
    }
    place.begin_run("r", &["--setup", "echo 2 > a.lock; echo 2 > source", "--setup-may-change", "*.lock"]);
    place.add_task("a", &[]);
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("check_failed");
    let message = json_text(&refused["message"]);
    assert!(message.contains("--setup-may-change does not name: source"), "{message}");
    place.orch(&["run", "edit", "--setup-may-change", "*.lock", "--setup-may-change", "source"]).ok();
    let work = place.start_tree_task("a", "w");
    assert_eq!(std::fs::read_to_string(work.path.join("source")).unwrap(), "1");
}
