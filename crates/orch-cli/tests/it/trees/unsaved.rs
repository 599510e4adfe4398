//! Worktrees with contents that cannot be saved, and damaged ones: nothing of them is lost, and they keep nothing else.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::{TestEnvironment, UNDER_PERMISSIONS};

impl TestEnvironment {
    /// A run `r` with an attempt of `a` that has failed after this script ran in its worktree.
    fn with_failed_attempt(script: &str) -> Self {
        let place = Self::with_tree_run(&["--max-attempts", "1"]);
        let work = place.start_tree_task("a", "w");
        let ran = place.shell(script).in_folder(&work.path).run();
        assert_eq!(ran.exit, 0, "{script}: {}", ran.stderr);
        let words = ["fail", &work.held.thread, "--reason", "It does not work."];
        place.holder_call(&work.held, &words).ok();
        place
    }

    fn tree_path(&self, name: &str) -> std::path::PathBuf {
        self.sibling_path("repo.orch/r").join(name)
    }
}

#[test]
fn what_cannot_be_saved_is_named_and_removed_only_by_force() {
    let place = TestEnvironment::with_failed_attempt(
        "echo out > .git-ignored; git init -q dep; git -C dep -c user.name=w -c user.email=w@w commit -q --allow-empty -m own; git bisect start > bisect.log",
    );
    let refused = place.orch(&["worktree", "remove", "a"]).fails("worktree_conflict");
    assert_eq!(text_list(&refused["details"]["paths"]), [".", "dep"], "{refused}");
    assert_eq!(refused["hint"], "orch worktree remove r/a@1 --force");
    assert_eq!(text_list(&refused["details"]["next"]), ["orch worktree remove r/a@1 --force"]);
    let message = json_text(&refused["message"]);
    assert!(
        message.contains("dep is a repository with commits that no remote-tracking branch has"),
        "{message}"
    );
    // No command that removes several worktrees removes this one.
    let pruned = place.orch(&["worktree", "prune"]).ok();
    assert_eq!(
        (&pruned["removed"], &pruned["stayed"][0]["attempt"]),
        (&Value::Array(vec![]), &"r/a@1".into())
    );
    place.orch(&["run", "rm", "r"]).fails("worktree_conflict");
    assert!(place.tree_path("a.1/dep/.git").exists());
    let removed = place.orch(&["worktree", "remove", "a", "--force", "--request-id", "x"]).ok();
    assert_eq!(removed["worktree"]["state"], "removed");
    let lost: Vec<String> =
        removed["lost"].as_array().unwrap().iter().map(|part| json_text(&part["path"])).collect();
    assert_eq!(lost, [".", "dep"], "{removed}");
    let again = place.orch(&["worktree", "remove", "a", "--force", "--request-id", "x"]).ok();
    assert_eq!(again["lost"], removed["lost"]);
    assert!(!place.tree_path("a.1").exists());
    let back = place.sibling_path("back");
    place.orch(&["worktree", "restore", "a", "--to", back.to_str().unwrap()]).ok();
    assert!(back.join(".git-ignored").exists(), "the rest was saved");
    place.check_sound();
}

#[test]
fn what_keeps_one_worktree_does_not_keep_the_others_of_a_removed_run() {
    let place = TestEnvironment::with_failed_attempt("git bisect start");
    place.add_task("b", &[]);
    place.report_task("b", &[("b.txt", "b")]);
    place.orch(&["integrate"]).ok();
    place.orch(&["run", "rm", "r"]).fails("worktree_conflict");
    assert!(place.tree_path("a.1").exists() && !place.tree_path("b.1").exists());
    place.run_git_in(&place.tree_path("a.1"), ["bisect", "reset"]);
    place.orch(&["run", "rm", "r"]).ok();
}

#[test]
fn a_damaged_worktree_is_moved_to_the_attic_and_keeps_nothing_else() {
    for script in [
        "rm .git; git init -q; echo own > own",
        "cd ..; rm -rf a.1; ln -s /tmp a.1",
        "echo x > $(git rev-parse --git-dir)/index; echo own > own",
    ] {
        let place = TestEnvironment::with_failed_attempt(script);
        let pruned = place.orch(&["worktree", "prune"]).ok();
        assert_eq!(pruned["stayed"], Value::Array(vec![]), "{script}: {pruned}");
        let listed = place.orch(&["worktree", "list"]).ok();
        let tree = &listed["worktrees"][0];
        let attic = place.tree_path("attic/a.1");
        assert_eq!(
            (&tree["state"], json_text(&tree["path"])),
            (&"attic".into(), attic.display().to_string())
        );
        assert!(attic.symlink_metadata().is_ok() && place.tree_path("a.1").symlink_metadata().is_err());
        assert!(attic.is_symlink() || attic.join("own").exists());
        let refused = place.orch(&["worktree", "restore", "a"]).fails("worktree_conflict");
        assert_eq!(refused["details"]["problem"], "in_attic");
        assert_eq!(place.orch(&["worktree", "remove", "a"]).ok()["worktree"]["state"], "attic");
        // It outlives its run.
        place.orch(&["run", "rm", "r"]).ok();
        let listed = place.orch(&["worktree", "list", "--attic"]).ok();
        let entry = &listed["attic"][0];
        assert_eq!((&entry["attempt"], &entry["exists"]), (&"r/a@1".into(), &true.into()), "{listed}");
        assert_eq!(json_text(&entry["path"]), attic.display().to_string());
        assert!(place.orch(&["worktree", "list", "--attic"]).text().contains("r/a@1"));
        let cleaned = place.orch(&["clean", "--attic", "--dry-run"]).ok();
        assert_eq!(cleaned["removes"][0]["path"], entry["path"]);
        assert!(attic.symlink_metadata().is_ok());
        place.orch(&["clean", "--attic"]).ok();
        assert!(attic.symlink_metadata().is_err());
        assert_eq!(place.orch(&["worktree", "list", "--attic"]).ok()["attic"], Value::Array(vec![]));
        assert_eq!(place.run_git(["worktree", "list"]).lines().count(), 1, "{script}");
    }
}

#[test]
fn a_damaged_worktree_is_deleted_by_force() {
    let place = TestEnvironment::with_failed_attempt("rm .git");
    let removed = place.orch(&["worktree", "remove", "a", "--force"]).ok();
    assert_eq!(
        (&removed["worktree"]["state"], &removed["lost"][0]["path"]),
        (&"removed".into(), &".".into())
    );
    let place = TestEnvironment::with_failed_attempt("rm .git");
    assert_eq!(place.orch(&["worktree", "remove", "a"]).ok()["worktree"]["state"], "attic");
    let removed = place.orch(&["worktree", "remove", "a", "--force"]).ok();
    assert_eq!(
        (&removed["worktree"]["state"], &removed["lost"][0]["path"]),
        (&"removed".into(), &".".into())
    );
    assert_eq!(place.orch(&["worktree", "list", "--attic"]).ok()["attic"], Value::Array(vec![]));
    assert!(!place.tree_path("attic/a.1").exists());
}

#[test]
fn a_folder_that_cannot_be_read_is_not_removed() {
    let place = TestEnvironment::with_failed_attempt(
        "mkdir secret; echo precious > secret/notes; chmod 0 secret; echo x > file; chmod 0 file",
    );
    let orch = env!("CARGO_BIN_EXE_orch");
    let under = |words: &str| place.shell(&format!("set -- '{orch}' {words}\n{UNDER_PERMISSIONS}")).run();
    let refused = under("worktree remove a --json");
    let refused: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(text_list(&refused["error"]["details"]["paths"]), ["secret", "file"], "{refused}");
    assert!(place.tree_path("a.1/secret/notes").exists());
    assert_eq!(under("worktree remove a --force --json").exit, 0);
    assert!(!place.tree_path("a.1").exists());
}

/// What git has made is removed again, or recorded as present: it is never recorded as removed while it exists.
#[test]
fn a_worktree_whose_preparation_failed_is_removed_or_recorded() {
    let place = TestEnvironment::with_tree_run(&[
        "--setup",
        "git init -q made; echo x > made/x; exit 1",
        "--max-attempts",
        "9",
    ]);
    place.orch(&["dispatch", "a", "--to", "w"]).run();
    assert!(!place.tree_path("a.1").exists());
    assert_eq!(place.run_git(["worktree", "list"]).lines().count(), 1);
    assert_eq!(place.run_git(["branch", "--list", "orch/r/a.1"]), "");
    place.orch(&["run", "cancel", "r"]).ok();
    place.orch(&["run", "rm", "r"]).ok();
}

#[test]
fn a_checkout_that_is_never_clean_is_refused_with_its_file_and_the_reason() {
    let place = TestEnvironment::with_repository();
    place.commit_all("win.txt", "a\r\nb\r\n");
    // Only the attributes are committed: git would correct the file otherwise.
    fs::write(place.repository_path().join(".gitattributes"), "*.txt text\n").unwrap();
    place.run_git(["add", ".gitattributes"]);
    place.run_git(["commit", "--quiet", "--message", "attributes"]);
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).run();
    let message = json_text(&refused.document()["error"]["message"]);
    assert!(message.contains("win.txt") && message.contains("line endings"), "{message}");
    assert_eq!(place.run_git(["worktree", "list"]).lines().count(), 1);
    let reason = json_text(&place.last_attempt("a")["reason"]);
    assert!(reason.contains("win.txt"), "{reason}");
    assert!(fs::metadata(Path::new(&place.tree_path("a.1"))).is_err());
}
