//! Conflicts that a task resolves: what its worker finds, and what follows once it is merged.

use serde_json::json;

use super::fixture::{ClaimedWorktree, text_list};
use crate::scheduling::{event_kinds, json_text};
use crate::test_environment::TestEnvironment;

/// A run whose branch has a file that the main branch has with another content.
fn conflicting_run(more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    place.add_task("a", &[]);
    place.report_task("a", &[("shared", "of a\n")]);
    place.orch(&["integrate"]).ok();
    place.commit_all("shared", "of main\n");
    place
}

fn state_of(place: &TestEnvironment, task: &str) -> String {
    json_text(&place.orch(&["task", "show", task]).ok()["task"]["state"])
}

fn is_merged(place: &TestEnvironment, commit: &str) -> bool {
    place.run_git(["merge-base", commit, "orch/r/main"]) == place.resolve_commit(commit)
}

/// Resolves the conflict in the worktree, and reports it.
fn resolve(place: &TestEnvironment, work: &ClaimedWorktree, text: &str) {
    assert_eq!(work.payload["conflicts"], json!(["shared"]), "{}", work.payload);
    let content = std::fs::read_to_string(work.path.join("shared")).unwrap();
    assert!(content.contains("<<<<<<<") && content.contains(">>>>>>>"), "{content}");
    assert!(work.body.contains("Resolve the conflicts of the merge in:\n- shared"), "{}", work.body);
    // What is not resolved is not reported.
    let refused = place.done_call(work).fails("worktree_conflict");
    assert_eq!(refused["details"]["problem"], "in_progress");
    work.write_file("shared", text);
    place.run_git_in(&work.path, ["add", "shared"]);
    place.run_git_in(&work.path, ["commit", "--quiet", "--no-edit"]);
    place.done_call(work).ok();
}

#[test]
fn a_synchronization_with_a_conflict_becomes_a_task() {
    let place = conflicting_run(&["--verify", "ls"]);
    let main = place.resolve_commit("main");
    place.add_task("b", &[]);
    let refused = place.orch(&["run", "sync", "r"]).fails("merge_conflict");
    assert_eq!(refused["hint"], "orch run sync r --from main --resolve");
    let before = place.branch_tip();
    for _ in 0..2 {
        let answer = place.orch(&["run", "sync", "r", "--resolve"]).ok();
        assert_eq!((&answer["changed"], &answer["paths"]), (&false.into(), &json!(["shared"])));
        assert_eq!(answer["task"]["id"], "r/resolve-main", "one task is enough");
        assert_eq!(text_list(&answer["next"]), ["orch dispatch r/resolve-main --to AGENT", "orch drive r"]);
    }
    assert_eq!(place.branch_tip(), before);
    let work = place.start_tree_task("resolve-main", "w");
    let spec = json_text(&work.payload["spec"]);
    assert!(spec.contains(&main) && spec.contains("orch/r/main") && spec.contains("- shared"), "{spec}");
    resolve(&place, &work, "of both\n");
    place.orch(&["integrate"]).ok();
    assert_eq!((state_of(&place, "resolve-main"), is_merged(&place, &main)), ("done".into(), true));
    assert_eq!(place.file_on_branch("shared").as_deref(), Some("of both"));
    assert_eq!(place.show_run()["base"]["commit"], main.as_str(), "as after a synchronization");
    assert_eq!(place.orch(&["run", "sync", "r"]).ok()["changed"], false);
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    assert_eq!(event_kinds(&events["events"]).iter().filter(|kind| *kind == "synced").count(), 1);
}

#[test]
fn what_gives_the_merge_up_is_not_reported() {
    let place = conflicting_run(&[]);
    place.add_task("b", &[]);
    place.orch(&["run", "sync", "r", "--resolve"]).ok();
    let work = place.start_tree_task("resolve-main", "w");
    place.run_git_in(&work.path, ["merge", "--abort"]);
    place.commit_files(&work, &[("other", "other")]);
    let refused = place.done_call(&work).fails("worktree_conflict");
    assert_eq!(refused["details"]["problem"], "not_descending");
    assert_eq!(refused["details"]["base_commit"], place.resolve_commit("main").as_str());
    // The next attempt finds the conflict again.
    place.orch(&["recall", "resolve-main"]).ok();
    let again = place.start_tree_task("resolve-main", "v");
    resolve(&place, &again, "of both\n");
    place.orch(&["integrate"]).ok();
    assert_eq!(state_of(&place, "resolve-main"), "done");
}

#[test]
fn protected_files_of_the_other_branch_are_no_change_of_the_worker() {
    let place = conflicting_run(&["--protect", "guarded*"]);
    place.commit_all("guarded", "of main");
    place.add_task("b", &[]);
    place.orch(&["run", "sync", "r", "--resolve"]).ok();
    let work = place.start_tree_task("resolve-main", "w");
    resolve(&place, &work, "of both\n");
    place.orch(&["integrate"]).ok();
    assert_eq!(state_of(&place, "resolve-main"), "done");
    assert_eq!(place.file_on_branch("guarded").as_deref(), Some("of main"));
}

#[test]
fn the_attempt_with_a_conflict_is_merged_with_what_resolves_it() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "ls"]);
    place.add_task("a", &[]);
    place.add_task("b", &[]);
    place.add_task("c", &["b"]);
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    for (work, text) in [(&a, "of a\n"), (&b, "of b\n")] {
        place.commit_files(work, &[("shared", text)]);
        place.done_call(work).ok();
    }
    let rejected = place.orch(&["integrate"]).ok();
    assert_eq!(
        (&rejected["rejected"][0]["files"], &rejected["next"]),
        (&json!(["shared"]), &json!(["orch integrate r --resolve"]))
    );
    assert_eq!(state_of(&place, "b"), "ready");
    let head = json_text(&place.last_attempt("b")["worktree"]["head_commit"]);
    let answer = place.orch(&["integrate", "r", "--resolve"]).ok();
    let resolving = &answer["resolving"][0];
    assert_eq!(
        (&resolving["task"]["id"], &resolving["attempt"], &resolving["paths"]),
        (&"r/resolve-b".into(), &"r/b@1".into(), &json!(["shared"]))
    );
    // It stays reported, however often merging is tried.
    let idle = place.orch(&["integrate"]).ok();
    assert_eq!((&idle["rejected"], &idle["integrated"]), (&json!([]), &json!([])));
    assert_eq!((state_of(&place, "b"), state_of(&place, "c")), ("reported".into(), "waiting".into()));
    let work = place.start_tree_task("resolve-b", "x");
    resolve(&place, &work, "of both\n");
    let merged = place.orch(&["integrate"]).ok();
    let names: Vec<String> =
        merged["integrated"].as_array().unwrap().iter().map(|one| json_text(&one["attempt"])).collect();
    assert_eq!(names, ["r/resolve-b@1", "r/b@1"]);
    assert_eq!((state_of(&place, "b"), state_of(&place, "c")), ("done".into(), "ready".into()));
    assert!(is_merged(&place, &head));
    assert_eq!(place.file_on_branch("shared").as_deref(), Some("of both"));
    place.check_sound();
}

#[test]
fn an_attempt_whose_conflict_nobody_resolves_is_rejected() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    for (work, text) in [(&a, "of a\n"), (&b, "of b\n")] {
        place.commit_files(work, &[("shared", text)]);
        place.done_call(work).ok();
    }
    let first = place.orch(&["integrate", "--resolve"]).ok();
    assert_eq!((&first["rejected"], &first["resolving"][0]["attempt"]), (&json!([]), &"r/b@1".into()));
    assert_eq!(place.orch(&["task", "show", "b"]).ok()["task"]["state"], "reported");
    place.orch(&["task", "cancel", "resolve-b"]).ok();
    let later = place.orch(&["integrate"]).ok();
    assert_eq!(later["rejected"][0]["attempt"], "r/b@1");
}

#[test]
fn a_landing_with_a_conflict_becomes_a_task_of_the_finished_run() {
    let place = conflicting_run(&[]);
    let main = place.resolve_commit("main");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("merge_conflict");
    assert_eq!(
        (&refused["hint"], &refused["details"]["paths"]),
        (&"orch land r --onto main --resolve".into(), &json!(["shared"]))
    );
    let answer = place.orch(&["land", "r", "--onto", "main", "--resolve"]).ok();
    assert_eq!(
        (&answer["task"]["id"], &answer["landed"], &answer["commit"]),
        (&"r/resolve-main".into(), &json!([]), &main.clone().into())
    );
    assert_eq!(
        (place.resolve_commit("main"), place.show_run()["state"].clone()),
        (main.clone(), "open".into())
    );
    let work = place.start_tree_task("resolve-main", "w");
    resolve(&place, &work, "of both\n");
    place.orch(&["integrate"]).ok();
    let landed = place.orch(&["land", "r", "--onto", "main"]).ok();
    assert_eq!((&landed["already"], &landed["commit"]), (&false.into(), &place.branch_tip().into()));
    assert_eq!(std::fs::read_to_string(place.repository_path().join("shared")).unwrap(), "of both\n");
}
