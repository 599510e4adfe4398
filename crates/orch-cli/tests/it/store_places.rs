//! Stores that were moved, copied, left in a work tree, or seen under another path.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::scheduling::json_text;
use crate::test_environment::{CliInvocation, TestEnvironment};

/// Copies a folder with everything in it.
fn copy_folder(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-R").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// A repository whose run `r` has a finished, unlanded task.
fn with_finished_run() -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.complete_and_integrate();
    place
}

impl TestEnvironment {
    /// A copy of the repository beside it.
    fn copy_repository(&self) -> PathBuf {
        let copy = self.sibling_path("copy");
        copy_folder(self.repository_path(), &copy);
        copy
    }

    fn orch_in(&self, folder: &Path, line: &str) -> CliInvocation {
        self.orch(&line.split(' ').collect::<Vec<_>>()).in_folder(folder)
    }
}

#[test]
fn a_copied_repository_is_read_and_not_changed() {
    let place = with_finished_run();
    let copy = place.copy_repository();
    let before = place.run_git(["for-each-ref"]);
    let shown = place.orch_in(&copy, "run show r").run();
    assert_eq!(shown.exit, 0, "{shown:?}");
    let warnings = shown.document()["warnings"].clone();
    assert!(json_text(&warnings[0]).contains("is a copy of the one at"), "{warnings}");
    for change in [
        "land r --onto main",
        "run cancel r",
        "run rm r",
        "task add x",
        "dispatch --all",
        "reconcile",
        "stop",
        "worktree prune",
        "run init other",
        "drive --once",
    ] {
        let error = place.orch_in(&copy, change).fails("store_copied");
        assert_eq!(error["hint"], "orch init --as-copy", "{change}");
    }
    assert_eq!(place.orch_in(&copy, "init --moved").run().document()["error"]["code"], "store_copied");
    assert_eq!(place.run_git(["for-each-ref"]), before);
    let doctor = place.orch_in(&copy, "doctor").ok();
    assert_eq!((&doctor["store"]["placement"], &doctor["verdict"]), (&json!("copied"), &json!("warning")));
    let original = place.repository_path().join(".git/orch/orch.db");
    assert_eq!(doctor["store"]["home"], original.to_str().unwrap());
    assert_eq!(doctor["store"]["path"], copy.join(".git/orch/orch.db").to_str().unwrap());
    assert_eq!(doctor["store"]["engine"], "sqlite");
}

#[test]
fn a_copy_becomes_a_store_of_its_own_and_leaves_the_original_alone() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let copy = place.copy_repository();
    let original = place.run_git(["for-each-ref"]);
    let (before, after) =
        (place.orch(&["doctor"]).ok(), place.orch_in(&copy, "init --as-copy").ok()["store"].clone());
    assert_ne!(before["store"]["id"], after["id"]);
    assert_eq!(after["home"], copy.join(".git/orch/orch.db").to_str().unwrap());
    let task = place.orch_in(&copy, "task show a").ok()["task"].clone();
    assert_eq!((&task["state"], &task["failures"]), (&json!("ready"), &json!(0)), "{task}");
    place.orch_in(&copy, "reconcile").ok();
    place.orch_in(&copy, "dispatch b --to w").ok();
    assert!(place.sibling_path("copy.orch/r/b.1").is_dir());
    assert_eq!(place.orch_in(&copy, "doctor").ok()["store"]["placement"], "home");
    assert_eq!(place.run_git(["for-each-ref"]), original);
    assert!(place.sibling_path("repo.orch/r/a.1").is_dir(), "the original's worktree");
    let work = place.inbox(&["claim", "--for", "w", "--as", "w"]).ok();
    assert_eq!(work["messages"][0]["payload"]["attempt"], "r/a@1", "{work}");
}

#[test]
fn a_moved_repository_goes_on_where_it_is() {
    let place = with_finished_run();
    place.add_task("b", &[]);
    let moved = place.sibling_path("moved");
    place.orch(&["worktree", "list"]).ok();
    std::fs::rename(place.repository_path(), &moved).unwrap();
    let doctor = place.orch_in(&moved, "doctor").ok();
    assert_eq!((&doctor["store"]["placement"], &doctor["verdict"]), (&json!("moved"), &json!("warning")));
    let landed = place.orch_in(&moved, "land r --partial --onto main").run();
    assert_eq!(landed.exit, 0, "{landed:?}");
    assert!(json_text(&landed.document()["warnings"][0]).contains("was moved from"), "{landed:?}");
    place.orch_in(&moved, "dispatch b --to w").ok();
    assert_eq!(place.orch_in(&moved, "doctor").ok()["store"]["placement"], "home");
    let work = place.inbox(&["claim", "--for", "w", "--as", "w"]).in_folder(&moved).ok();
    let tree = PathBuf::from(json_text(&work["messages"][0]["payload"]["worktree"]["path"]));
    assert_eq!(
        place.run_git_in(&tree, ["rev-parse", "--git-common-dir"]),
        moved.join(".git").to_str().unwrap()
    );
}

#[test]
fn the_worktrees_of_a_moved_repository_are_linked_to_it() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    place.run_git(["worktree", "add", "--quiet", "-b", "mine", "../mine"]);
    let moved = place.sibling_path("moved");
    std::fs::rename(place.repository_path(), &moved).unwrap();
    // An attempt is live: a person decides.
    let error = place.orch_in(&moved, "task add x").fails("store_copied");
    assert_eq!(error["hint"], "orch init --moved");
    place.orch_in(&moved, "init --moved").ok();
    for tree in ["repo.orch/r/a.1", "mine"] {
        let common = place.run_git_in(&place.sibling_path(tree), ["rev-parse", "--git-common-dir"]);
        assert_eq!(common, moved.join(".git").to_str().unwrap(), "{tree}");
    }
    let work = place.inbox(&["claim", "--for", "w", "--as", "w"]).in_folder(&moved).ok();
    assert_eq!(work["messages"][0]["payload"]["attempt"], "r/a@1", "{work}");
}

#[test]
fn a_store_outside_of_repositories_moves_with_its_folder() {
    let place = TestEnvironment::with_run("r");
    let (old, new) = (place.path().join("old"), place.path().join("new"));
    std::fs::create_dir(&old).unwrap();
    place.orch(&["init", "--store", "old/.orch/"]).ok();
    assert_eq!(std::fs::read_to_string(old.join(".orch/.gitignore")).unwrap(), "*\n");
    place.orch_in(&old, "run init s").ok();
    std::fs::rename(&old, &new).unwrap();
    place.orch_in(&new, "task add x").ok();
    copy_folder(&new, &old);
    place.orch_in(&old, "task add y").fails("store_copied");
    assert_eq!(place.orch_in(&old, "task list").ok()["total"], 1);
}

/// A store under another path works, but for what needs a repository that is not visible here.
#[test]
fn what_needs_a_path_that_is_not_visible_here_names_the_paths() {
    let place = TestEnvironment::with_repository();
    let repository = place.repository_path().canonicalize().unwrap();
    let (home, here) = (place.sibling_path("there"), place.sibling_path("here"));
    let file_in = |folder: &Path| folder.join(".orch/orch.db");
    let orch = |folder: &Path, line: &str| {
        place.orch_in(place.repository_path(), line).env("ORCH_STORE", file_in(folder).to_str().unwrap())
    };
    std::fs::create_dir(&home).unwrap();
    std::fs::create_dir_all(here.join(".orch")).unwrap();
    place.orch(&["init", "--store", home.join(".orch/").to_str().unwrap()]).ok();
    orch(&home, "run init r").ok();
    orch(&home, "task add x --key a").ok();
    // The same files, as a bind mount shows them.
    for file in std::fs::read_dir(home.join(".orch")).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::hard_link(file.path(), here.join(".orch").join(file.file_name())).unwrap();
        }
    }
    assert_eq!(orch(&here, "doctor").ok()["store"]["placement"], "other_path");
    orch(&here, "task add y --key b").ok();
    std::fs::rename(repository.join(".git"), place.sibling_path("away")).unwrap();
    let refused = orch(&here, "dispatch a --to w").fails("store_elsewhere");
    let paths = [repository.join(".git"), file_in(&here), file_in(&home)];
    assert_eq!(refused["details"]["paths"], json!(paths.map(|path| path.display().to_string())));
    assert_eq!(orch(&here, "task list").ok()["total"], 2);
}

#[test]
fn a_store_in_a_work_tree_is_adopted_or_ignored() {
    let place = TestEnvironment::with_repository();
    place.orch(&["init", "--store", ".orch/"]).ok();
    place.orch(&["run", "init", "early", "--no-worktrees", "--store", ".orch/orch.db"]).ok();
    for words in ["status", "run list", "run init x", "doctor"] {
        let error = place.orch_in(place.repository_path(), words).fails("store_untrusted");
        assert_eq!(error["hint"], "orch init --adopt .orch", "{words}");
    }
    let adopted = place.orch(&["init", "--adopt", ".orch"]).ok()["store"].clone();
    assert_eq!(adopted["path"], place.repository_path().join(".git/orch/orch.db").to_str().unwrap());
    assert_eq!((&adopted["home"], &adopted["created"]), (&adopted["path"], &json!(false)));
    assert_eq!(place.orch(&["run", "list"]).ok()["runs"][0]["id"], "early");
    assert!(!place.repository_path().join(".orch").exists());
    assert!(!place.repository_path().join(".git/orch/.gitignore").exists());
}

#[test]
fn a_store_that_a_commit_brought_is_never_used() {
    let place = TestEnvironment::with_repository();
    place.orch(&["init", "--store", ".orch/"]).ok();
    std::fs::remove_file(place.repository_path().join(".orch/.gitignore")).unwrap();
    place.commit_in(place.repository_path(), "a store");
    place.orch(&["run", "list"]).fails("store_untrusted");
    let error = place.orch(&["init", "--adopt", ".orch"]).fails("store_untrusted");
    assert_eq!(error["hint"], "orch init");
    let made = place.orch(&["init"]).run();
    assert_eq!(made.document()["data"]["store"]["created"], true, "{made:?}");
    assert!(json_text(&made.document()["warnings"][0]).contains("is ignored"), "{made:?}");
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let tree = place.sibling_path("repo.orch/r/a.1");
    assert!(tree.join(".orch/orch.db").is_file());
    let work = place.inbox(&["claim", "--as", "w"]).in_folder(&tree).ok();
    assert_eq!(work["messages"][0]["payload"]["attempt"], "r/a@1", "the worker finds its work, not the copy");
}

#[test]
fn a_run_whose_repository_is_gone_is_shown_cancelled_and_removed() {
    let place = TestEnvironment::with_repository();
    let store = place.sibling_path("store/");
    let (store, other) = (format!("{}/", store.display()), place.sibling_path("other"));
    std::fs::create_dir(&other).unwrap();
    copy_folder(&place.repository_path().join(".git"), &other.join(".git"));
    let orch = |line: &str| place.orch_in(place.path(), line).env("ORCH_STORE", &store);
    orch("run init R --name r").in_folder(&other).ok();
    orch("task add A --key a --run r").ok();
    orch("dispatch r/a --to w").ok();
    std::fs::remove_dir_all(&other).unwrap();
    assert_eq!(orch("run show r").ok()["run"]["id"], "r");
    orch("status").ok();
    orch("recall r/a").ok();
    orch("run cancel r").ok();
    orch("run rm r").ok();
    assert_eq!(orch("run list").ok()["total"], 0);
}
