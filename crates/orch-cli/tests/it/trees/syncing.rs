//! Synchronizing a run with the branch that it began from: what moves, what is checked, and when nothing changes.

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::{event_kinds, json_text};
use crate::test_environment::TestEnvironment;

/// A run with a task that is merged; the options are those of the run.
fn merged_run(more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    place.add_task("a", &[]);
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    place.add_task("b", &[]);
    place
}

/// Commits a file on the main branch; returns the commit.
fn advance_main(place: &TestEnvironment, file: &str, text: &str) -> String {
    place.commit_all(file, text)
}

fn count_events(place: &TestEnvironment, kind: &str) -> usize {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    event_kinds(&events["events"]).iter().filter(|found| *found == kind).count()
}

fn is_ancestor(place: &TestEnvironment, ancestor: &str, of: &str) -> bool {
    place.run_git(["merge-base", ancestor, of]) == place.resolve_commit(ancestor)
}

/// The fields of an answer that say what has moved.
fn moved(answer: &Value) -> (Value, Value, Value, Value) {
    let field = |name: &str| answer[name].clone();
    (field("changed"), field("from_commit"), field("commit"), field("base_commit"))
}

#[test]
fn a_base_branch_that_went_on_is_merged_and_checked() {
    let place = merged_run(&["--verify", "ls"]);
    let before = place.branch_tip();
    let main = advance_main(&place, "theirs", "theirs");
    let synced = place.orch(&["run", "sync", "r"]).ok();
    let tip = place.branch_tip();
    assert_eq!(moved(&synced), (true.into(), before.clone().into(), tip.clone().into(), main.clone().into()));
    assert_eq!((&synced["from"], &synced["run"]["base"]["commit"]), (&"main".into(), &main.clone().into()));
    assert_eq!(
        (&synced["checks"][0]["state"], &synced["checks"][0]["commit"]),
        (&"passed".into(), &tip.clone().into())
    );
    assert_eq!(text_list(&synced["next"]), ["orch status r"]);
    assert!(is_ancestor(&place, &before, &tip) && is_ancestor(&place, &main, &tip));
    let message = place.run_git(["log", "-1", "--format=%B", &tip]);
    assert!(message.starts_with("Merge main into orch/r/main\n"), "{message}");
    assert!(
        message.contains("Orch-Checks: passed") && message.contains("Orch-Accepted-By: lead"),
        "{message}"
    );
    let event = place.orch(&["events", "--run", "r", "--last", "1"]).ok()["events"][0].clone();
    assert_eq!(
        (&event["kind"], &event["data"]["from"], &event["data"]["commit"], &event["data"]["base"]),
        (&"synced".into(), &before.into(), &tip.clone().into(), &main.into()),
        "{event}"
    );
    // Again there is nothing to do.
    let again = place.orch(&["run", "sync", "r"]).ok();
    assert_eq!(
        (&again["changed"], &again["commit"], &again["checks"]),
        (&false.into(), &tip.into(), &json!([]))
    );
    assert_eq!(count_events(&place, "synced"), 1);
    // The next attempt begins from the result, and the landing moves forward.
    let b = place.report_task("b", &[("b", "b")]);
    assert!(b.path.join("theirs").exists());
    place.orch(&["integrate"]).ok();
    let landed = place.orch(&["land", "r", "--onto", "main"]).ok();
    assert_eq!(landed["commit"], place.branch_tip().as_str());
    assert_eq!(count_events(&place, "branch_advanced"), 0, "what orch did is not taken for what others did");
}

#[test]
fn a_branch_without_commits_of_its_own_moves_forward() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "test -e theirs"]);
    place.add_task("a", &[]);
    let main = advance_main(&place, "theirs", "theirs");
    let checkout = place.sibling_path("checkout");
    place.run_git(["worktree", "add", "--quiet", checkout.to_str().unwrap(), "orch/r/main"]);
    let synced = place.orch(&["run", "sync"]).ok();
    assert_eq!((&synced["changed"], &synced["commit"]), (&true.into(), &main.clone().into()));
    assert_eq!(place.branch_tip(), main);
    assert!(checkout.join("theirs").exists(), "the files of a checkout move along");
    assert_eq!(place.run_git_in(&checkout, ["status", "--porcelain"]), "");
}

#[test]
fn a_red_check_changes_nothing() {
    let place = merged_run(&["--verify", "echo looking; test ! -e theirs"]);
    let before = (place.branch_tip(), place.show_run());
    advance_main(&place, "theirs", "theirs");
    for _ in 0..2 {
        let failed = place.orch(&["run", "sync", "r"]).fails("check_failed");
        let check = &failed["details"]["checks"][0];
        assert_eq!((&check["state"], &check["stage"]), (&"failed".into(), &"branch".into()));
        let log = std::fs::read_to_string(json_text(&check["log"])).unwrap();
        assert!(log.contains("looking"), "{log}");
    }
    assert_eq!((place.branch_tip(), place.show_run()), before);
    assert_eq!(count_events(&place, "synced"), 0);
}

#[test]
fn a_conflict_lists_the_paths_and_changes_nothing() {
    let place = merged_run(&[]);
    let before = place.branch_tip();
    advance_main(&place, "a", "theirs");
    let refused = place.orch(&["run", "sync", "r"]).fails("merge_conflict");
    assert_eq!(
        (&refused["details"]["paths"], &refused["details"]["from"], &refused["details"]["branch"]),
        (&json!(["a"]), &"main".into(), &"orch/r/main".into())
    );
    assert_eq!((place.branch_tip(), count_events(&place, "synced")), (before, 0));
}

#[test]
fn a_red_baseline_is_mended_by_the_base_branch() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "test -e fixed"]);
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).run();
    let pause = place.show_run()["pause"].clone();
    assert_eq!(pause["reason"], "baseline");
    assert_eq!(
        text_list(&pause["next"]),
        ["orch run edit r --verify CMD", "orch run sync r", "orch run resume r"]
    );
    place.orch(&["run", "resume", "r"]).run();
    // Nothing has changed, so that resuming is of no use.
    let same = place.orch(&["run", "sync", "r"]).ok();
    assert_eq!((&same["changed"], &same["next"]), (&false.into(), &json!(["orch run edit r --verify CMD"])));
    advance_main(&place, "fixed", "fixed");
    let synced = place.orch(&["run", "sync", "r"]).ok();
    assert_eq!((&synced["changed"], &synced["run"]["state"]), (&true.into(), &"paused".into()));
    assert_eq!(text_list(&synced["next"]), ["orch run resume r"]);
    place.orch(&["run", "resume", "r"]).ok();
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["state"], "done");
}

#[test]
fn what_cannot_be_synchronized_is_refused() {
    let place = merged_run(&[]);
    advance_main(&place, "theirs", "theirs");
    place.run_git(["switch", "--quiet", "--create", "other"]);
    place.run_git(["branch", "--quiet", "-D", "main"]);
    let missing = place.orch(&["run", "sync", "r"]).fails("base_not_found");
    assert_eq!(
        (&missing["hint"], &missing["details"]["branch"]),
        (&"orch run sync r --from BRANCH".into(), &"main".into())
    );
    place.orch(&["run", "sync", "r", "--from", "orch/r/main"]).fails("invalid_argument");
    let synced = place.orch(&["run", "sync", "r", "--from", "other"]).ok();
    assert_eq!((&synced["changed"], &synced["from"]), (&true.into(), &"other".into()));
    place.orch(&["task", "cancel", "b"]).ok();
    let finished = place.orch(&["run", "sync", "r"]).fails("run_not_open");
    assert!(json_text(&finished["message"]).contains("finished"), "{finished}");
    place.begin_run("gone", &[]);
    place.orch(&["run", "cancel", "gone"]).ok();
    place.orch(&["run", "sync", "gone"]).fails("run_not_open");
    place.begin_run("plain", &["--no-worktrees"]);
    place.orch(&["run", "sync", "plain"]).fails("base_not_found");
}
