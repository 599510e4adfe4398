//! What a run and its attempts begin from.

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn a_run_in_a_repository_begins_from_what_is_checked_out() {
    let place = TestEnvironment::with_repository();
    let made = place.orch(&["run", "init", "A goal", "--name", "r"]).run().ok_document();
    let run = &made["data"]["run"];
    let head = place.resolve_commit("HEAD");
    assert_eq!(run["done_when"], "integrated");
    assert_eq!(run["base"], json!({"commit": head, "branch": "main"}));
    assert_eq!((&run["branch"], &run["baseline"]), (&"orch/r/main".into(), &"pending".into()));
    assert_eq!(place.branch_tip(), head);
    assert_eq!(made["warnings"], Value::Null);
    assert_eq!(place.run_git(["status", "--porcelain"]), "", "the store is not in the checkout");
    assert!(!place.sibling_path("repo.orch").exists(), "nothing is made before it is needed");
}

#[test]
fn what_is_not_committed_is_warned_of() {
    let place = TestEnvironment::with_repository();
    std::fs::write(place.repository_path().join("new"), "x").unwrap();
    for (name, said) in [("one", "a file that is not committed"), ("two", "2 files that are not committed")] {
        let made = place.orch(&["run", "init", "x", "--name", name]).run().ok_document();
        assert!(text_list(&made["warnings"]).iter().any(|warning| warning.contains(said)), "{made}");
        std::fs::write(place.repository_path().join("base.txt"), "changed").unwrap();
    }
    let told = place.orch(&["run", "init", "x", "--name", "three", "--text"]).run();
    assert!(told.stderr.contains("warning: The checkout has 2 files that are not committed"), "{told:?}");
    let elsewhere = place.orch(&["run", "init", "x", "--name", "four", "--base", "main"]).run().ok_document();
    assert_eq!(elsewhere["warnings"], Value::Null, "what is checked out is not what it begins from");
}

#[test]
fn the_base_may_be_any_commit() {
    let place = TestEnvironment::with_repository();
    let first = place.resolve_commit("HEAD");
    place.run_git(["tag", "-a", "-m", "first", "v1"]);
    let second = place.commit_all("b.txt", "b");
    place.run_git(["branch", "topic", &first]);
    for (name, revision, commit, branch) in [
        ("a", "v1", &first, Value::Null),
        ("b", "HEAD~1", &first, Value::Null),
        ("c", "topic", &first, "topic".into()),
        ("d", &second[..10], &second, Value::Null),
        ("e", "main", &second, "main".into()),
    ] {
        let run = place.orch(&["run", "init", "x", "--name", name, "--base", revision]).ok()["run"].clone();
        assert_eq!(run["base"], json!({"commit": commit, "branch": branch}), "{revision}");
    }
    for revision in ["nothing", "HEAD:base.txt", "HEAD^{tree}", "", "--all", "a..b", "@{-9}", "HEAD~99"] {
        let base = format!("--base={revision}");
        let refused = place.orch(&["run", "init", "x", "--name", "z", &base]).fails("base_not_found");
        assert_eq!(refused["details"]["revision"], revision);
        assert_eq!(refused["hint"], "git log --oneline -5");
    }
    place.orch(&["run", "show", "z"]).fails("run_not_found");
}

#[test]
fn worktrees_may_be_done_without() {
    let place = TestEnvironment::with_repository();
    let run = place.begin_run("r", &["--no-worktrees"]);
    assert_eq!(
        (&run["done_when"], &run["base"], &run["branch"]),
        (&"reported".into(), &json!(null), &json!(null))
    );
    place.add_task("a", &[]);
    let sent = place.dispatch_task("a", "w");
    assert_eq!(sent["attempt"]["worktree"], Value::Null);
    place.finish_work(&place.claim_work("w", "w"), "Done.");
    assert_eq!(place.task_state("a"), "done");
    assert!(!place.sibling_path("repo.orch").exists());
    assert_eq!(place.run_git(["for-each-ref", "refs/heads/orch", "refs/orch"]), "");
    for rule in ["verified", "integrated"] {
        let words = ["run", "init", "x", "--no-worktrees", "--done-when", rule];
        let refused = place.orch(&words).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "--done-when");
    }
    place.orch(&["integrate", "r"]).fails("base_not_found");
}

#[test]
fn what_needs_a_repository_says_so_outside_of_one() {
    let place = TestEnvironment::with_repository();
    let outside = place.sibling_path("home");
    let init = |more: &[&str]| place.orch(&[&["run", "init", "x"][..], more].concat()).in_folder(&outside);
    for rule in ["verified", "integrated"] {
        init(&["--done-when", rule]).fails("base_not_found");
    }
    init(&["--base", "HEAD"]).fails("base_not_found");
    assert_eq!(init(&[]).ok()["run"]["done_when"], "reported");
}

/// Checks that nobody will ever run are not taken in without a word.
#[test]
fn a_dispatch_records_where_its_attempt_begins() {
    let place = TestEnvironment::with_tree_run(&[]);
    let sent = place.dispatch_task("a", "w");
    let (attempt, tree) = (&sent["attempt"], &sent["attempt"]["worktree"]);
    let path = place.sibling_path("repo.orch/r/a.1");
    assert_eq!((&attempt["state"], &attempt["id"]), (&"dispatched".into(), &"r/a@1".into()));
    assert_eq!(tree["path"], path.to_str().unwrap());
    assert_eq!((&tree["branch"], &tree["state"]), (&"orch/r/a.1".into(), &"present".into()));
    assert_eq!((&tree["base_commit"], &tree["head_commit"]), (&place.branch_tip().into(), &Value::Null));
    assert_eq!((&tree["slot"], &tree["behind"]), (&0.into(), &0.into()));
    assert_eq!(place.run_git_in(&path, ["symbolic-ref", "HEAD"]), "refs/heads/orch/r/a.1");
    assert_eq!(place.run_git_in(&path, ["status", "--porcelain"]), "");
    let listed = place.run_git(["worktree", "list", "--porcelain"]);
    assert!(listed.contains("locked orch: r/a@1"), "{listed}");
    place.add_task("b", &[]);
    assert_eq!(place.dispatch_task("b", "w")["attempt"]["worktree"]["slot"], 1);
    place.orch(&["recall", "a"]).ok();
    let again = place.dispatch_task("a", "w")["attempt"].clone();
    assert_eq!(
        (&again["id"], &again["worktree"]["slot"]),
        (&"r/a@2".into(), &0.into()),
        "the smallest that is free"
    );
    assert!(path.exists(), "nothing is lost with an attempt that was recalled");
}

#[test]
fn the_work_says_where_and_how_it_is_judged() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "true"]);
    place
        .orch(&["task", "add", "Parse it", "--key", "a", "--spec", "All of it.", "--verify", "test -d ."])
        .ok();
    let work = place.start_tree_task("a", "w");
    let payload = &work.payload;
    assert_eq!(
        (&payload["task"], &payload["attempt"], &payload["spec"]),
        (&"r/a".into(), &"r/a@1".into(), &"All of it.".into())
    );
    assert_eq!(text_list(&payload["verify"]), ["true", "test -d ."]);
    assert_eq!(payload["earlier"], json!([]));
    let path = place.sibling_path("repo.orch/r/a.1");
    let tree = json!({"path": path.to_str().unwrap(), "branch": "orch/r/a.1", "base_commit": place.branch_tip(), "head_commit": null, "slot": 0});
    assert_eq!(payload["worktree"], tree);
    for part in [
        json_text(&tree["path"]),
        work.branch.clone(),
        work.base.clone(),
        "test -d .".to_owned(),
        "git stash".to_owned(),
    ] {
        assert!(work.body.contains(&part), "{part} is not in {}", work.body);
    }
}

#[test]
fn ignored_files_come_along() {
    let place = TestEnvironment::with_repository();
    place.commit_all(".gitignore", "/.env\n/cache/\n/secret\n");
    for name in [".env", "secret", "cache/x"] {
        let path = place.repository_path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }
    place.begin_run(
        "r",
        &[
            "--copy",
            ".env",
            "--copy",
            "cache/",
            "--setup",
            "cat .env > seen; echo seen >> .git-seen; rm .git-seen; cat seen; rm seen",
        ],
    );
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    for (name, there) in [(".env", true), ("cache/x", true), ("secret", false)] {
        assert_eq!(work.path.join(name).exists(), there, "{name}");
    }
    assert_eq!(place.run_git_in(&work.path, ["status", "--porcelain"]), "");
}

#[test]
fn a_dependent_begins_from_what_was_merged() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &["a"]);
    place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(place.task_state("b"), "waiting", "a report is not enough");
    place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    place.orch(&["integrate"]).ok();
    let work = place.start_tree_task("b", "w");
    assert_eq!(work.base, place.branch_tip());
    assert_eq!(std::fs::read_to_string(work.path.join("a.txt")).unwrap(), "a");
}

#[test]
fn in_a_verified_run_a_dependent_begins_from_a_merge() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--done-when", "verified", "--verify", "true"]);
    for (key, after) in
        [("a", vec![]), ("b", vec![]), ("both", vec!["a", "b"]), ("clash", vec!["a", "c"]), ("c", vec![])]
    {
        if key == "clash" {
            continue;
        }
        place.add_task(key, &after);
    }
    place.add_task("clash", &["a", "c"]);
    let a = place.report_task("a", &[("a.txt", "a"), ("same.txt", "of a")]);
    let b = place.report_task("b", &[("b.txt", "b")]);
    let c = place.report_task("c", &[("same.txt", "of c")]);
    for task in ["a", "b", "c"] {
        assert_eq!(place.orch(&["verify", task]).ok()["task"]["state"], "done");
    }
    let work = place.start_tree_task("both", "w");
    for name in ["a.txt", "b.txt"] {
        assert!(work.path.join(name).exists(), "{name}");
    }
    let parents = place.run_git(["rev-list", "--parents", "-n", "1", &work.base]);
    for tree in [&a, &b] {
        let head = place.run_git_in(&tree.path, ["rev-parse", "HEAD"]);
        assert!(parents.contains(&head), "{parents}");
    }
    assert_eq!(place.last_attempt("both")["worktree"]["behind"], 0);
    let before = place.task_event_kinds("clash").len();
    let refused = place.orch(&["dispatch", "clash", "--to", "w"]).fails("merge_conflict");
    assert_eq!(refused["details"]["files"], json!(["same.txt"]));
    assert!(json_text(&refused["message"]).contains("same.txt"), "{refused}");
    assert_eq!(
        (place.task_state("clash"), place.task_event_kinds("clash").len()),
        ("ready".to_owned(), before),
        "nothing was done"
    );
    let all = place.orch(&["dispatch", "--all", "--to", "w"]).ok();
    assert_eq!((&all["dispatched"], &all["refused"][0]["code"]), (&json!([]), &"merge_conflict".into()));
    assert!(c.path.exists());
    place.check_sound();
}

#[test]
fn commits_of_a_person_on_the_runs_branch_are_built_upon() {
    let place = TestEnvironment::with_tree_run(&[]);
    let path = place.sibling_path("person");
    place.run_git(["worktree", "add", "--quiet", path.to_str().unwrap(), "orch/r/main"]);
    std::fs::write(path.join("hotfix"), "x").unwrap();
    let hotfix = place.commit_in(&path, "a hotfix");
    assert_eq!(place.start_tree_task("a", "w").base, hotfix);
}

#[test]
fn a_runs_branch_that_is_gone_is_named() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &["a"]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    let tip = place.branch_tip();
    place.run_git(["update-ref", "refs/heads/orch/r/main", "main"]);
    let refused = place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    assert_eq!(refused["details"]["reasons"][0]["code"], "branch_moved", "{refused}");
    place.run_git(["update-ref", "-d", "refs/heads/orch/r/main"]);
    let refused = place.orch(&["run", "resume"]).fails("branch_moved");
    assert!(json_text(&refused["message"]).contains("Branch orch/r/main was deleted"), "{refused}");
    assert_eq!(refused["details"]["found"], Value::Null, "{refused}");
    assert!(json_text(&place.show_run()["pause"]["message"]).contains("was deleted"));
    assert_eq!(refused["hint"], "orch run repair r --restore");
    place.run_git(["update-ref", "refs/heads/orch/r/main", &tip]);
    place.orch(&["run", "resume"]).ok();
    place.dispatch_task("b", "w");
}
