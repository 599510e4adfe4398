//! Runs without worktrees: their workers share one folder.

use serde_json::json;

use crate::test_environment::TestEnvironment;

fn drive(place: &TestEnvironment) {
    let path = std::env::var("PATH").unwrap();
    let drive = place.orch(&["drive", "r", "--profile", "shell", "--workers", "4"]).env("PATH", &path);
    let printed = drive.run();
    assert_eq!(printed.exit, 0, "{}", printed.stderr);
}

#[test]
fn workers_without_worktrees_work_one_at_a_time_in_the_repository() {
    let place = TestEnvironment::with_repository();
    let top = place.repository_path().canonicalize().unwrap();
    let below = top.join("below");
    std::fs::create_dir(&below).unwrap();
    let begun =
        place.orch(&["run", "init", "A goal", "--name", "r", "--no-worktrees"]).in_folder(&below).ok();
    assert_eq!(begun["run"]["folder"], top.to_str().unwrap());
    // Each is alone: it would see the file of another one.
    let script = "test ! -e busy && touch busy && sleep 0.05 && rm busy && pwd >> places";
    for key in ["a", "b", "c", "d"] {
        place.orch(&["task", "add", "Do it", "--key", key, "--spec", script]).ok();
    }
    drive(&place);
    let places = std::fs::read_to_string(top.join("places")).unwrap();
    assert_eq!(places.lines().collect::<Vec<_>>(), [top.to_str().unwrap(); 4]);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(place.orch(&["task", "show", key]).ok()["attempts"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_limit_of_ones_own_lets_several_workers_share_the_folder() {
    let place = TestEnvironment::with_repository();
    place.orch(&["run", "init", "A goal", "--name", "r", "--no-worktrees", "--max-active", "2"]).ok();
    // Each waits for the other one.
    let script =
        "touch $ORCH_TASK_KEY; for i in $(seq 500); do test -e a -a -e b && exit 0; sleep 0.02; done; exit 1";
    for key in ["a", "b"] {
        let script = script.replace("$ORCH_TASK_KEY", key);
        place.orch(&["task", "add", "Do it", "--key", key, "--spec", &script]).ok();
    }
    drive(&place);
}

#[test]
fn checks_that_could_not_run_are_refused_when_they_are_given() {
    let place = TestEnvironment::with_repository();
    let refused =
        place.orch(&["run", "init", "A goal", "--no-worktrees", "--verify", "true"]).fails("not_supported");
    assert_eq!(refused["message"], "Checks run in worktrees, and this run has none.");
    place.orch(&["run", "init", "A goal", "--name", "r", "--no-worktrees"]).ok();
    let plan = place.sibling_path("plan.json");
    std::fs::write(&plan, json!({"tasks": [{"key": "p", "title": "P", "verify": ["true"]}]}).to_string())
        .unwrap();
    place.orch(&["task", "add", "Do it", "--key", "a"]).ok();
    for refused in [
        &["task", "add", "Do it", "--verify", "true"][..],
        &["task", "add", "--file", plan.to_str().unwrap()],
        &["task", "edit", "a", "--verify", "true"],
        &["run", "edit", "--verify", "true"],
    ] {
        place.orch(refused).fails("not_supported");
    }
    assert_eq!(place.orch(&["run", "show"]).ok()["total"], 1);
}

#[test]
fn a_repository_without_a_commit_is_named_and_what_helps() {
    let place = TestEnvironment::with_empty_repository("repo");
    let top = place.repository_path().canonicalize().unwrap();
    let plan =
        place.write_file("plan.jsonl", "{\"run\":{\"title\":\"A goal\"}}\n{\"key\":\"a\",\"title\":\"x\"}\n");
    for line in [
        &["run", "init", "A goal"][..],
        &["run", "init", "A goal", "--verify", "true"],
        &["drive", "--plan", plan.to_str().unwrap(), "--profile", "shell"],
    ] {
        let refused = place.orch(line).fails("no_commit");
        assert_eq!(refused["details"]["repository"], top.to_str().unwrap());
        let hint = format!("git -C {} commit --allow-empty --message 'First commit'", top.display());
        assert_eq!((&refused["hint"], &refused["details"]["next"][0]), (&hint.clone().into(), &hint.into()));
    }
    place.orch(&["run", "init", "A goal", "--no-worktrees", "--verify", "true"]).fails("not_supported");
    let begun = place.orch(&["run", "init", "A goal", "--name", "r", "--no-worktrees"]).ok();
    assert_eq!(begun["run"]["folder"], top.to_str().unwrap());
}
