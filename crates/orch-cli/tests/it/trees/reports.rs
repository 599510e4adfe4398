//! What a worker's report is refused for: each time the thread stays with the worker, who may put it right.

use serde_json::{Value, json};

use super::fixture::{ClaimedWorktree, text_list};
use crate::scheduling::json_text;
use crate::test_environment::{CliOutput, TestEnvironment};

impl TestEnvironment {
    /// Sees that a report is refused with this code and that the worker still holds the thread.
    fn expect_report_refused(&self, work: &ClaimedWorktree, code: &str) -> Value {
        let error = self.done_call(work).fails(code);
        self.expect_still_held(work);
        error
    }

    fn expect_still_held(&self, work: &ClaimedWorktree) {
        let shown = self.inbox(&["show", &work.held.thread]).ok();
        assert_eq!(shown["thread"]["state"], "claimed");
        self.holder_call(&work.held, &["renew", &work.held.thread]).ok();
    }

    /// Pastes a hint into a shell in which the worker's variables are set.
    fn run_hint_as_worker(&self, work: &ClaimedWorktree, hint: &Value) -> CliOutput {
        let bin = std::path::Path::new(env!("CARGO_BIN_EXE_inbox")).parent().unwrap();
        let mut path = std::ffi::OsString::from(bin);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        self.shell(&json_text(hint))
            .env("PATH", path.to_str().unwrap())
            .env("INBOX_LEASE", &work.held.token)
            .env("INBOX_AGENT", "w")
            .in_folder(&work.path)
            .run()
    }
}

#[test]
fn changes_that_are_not_committed_are_named() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    place.commit_files(&work, &[("done.txt", "done")]);
    work.write_file("base.txt", "changed");
    work.write_file("folder/new file", "new");
    let error = place.expect_report_refused(&work, "worktree_dirty");
    let details = &error["details"];
    assert_eq!(text_list(&details["files"]), ["base.txt", "folder/new file"]);
    assert_eq!((&details["total"], &details["thread"]), (&2.into(), &work.held.thread.as_str().into()));
    assert_eq!(details["worktree"], work.path.to_str().unwrap());
    assert!(json_text(&error["message"]).contains("base.txt, folder/new file"), "{error}");
    // The hint is the literal next command.
    let pasted = place.run_hint_as_worker(&work, &error["hint"]);
    assert_eq!(pasted.ok()["thread"]["state"], "done");
    assert_eq!(place.task_state("a"), "reported");
    let tree = place.last_attempt("a")["worktree"].clone();
    let head = place.run_git_in(&work.path, ["rev-parse", "HEAD"]);
    assert_eq!(tree["head_commit"], head);
    assert_eq!(place.run_git_in(&work.path, ["status", "--porcelain"]), "");
    let changed: Vec<String> =
        tree["changes"]["changed"].as_array().unwrap().iter().map(|one| json_text(&one["path"])).collect();
    assert_eq!(changed, ["base.txt", "done.txt", "folder/new file"]);
    assert_eq!(
        (&tree["changes"]["files"], &tree["changes"]["added"], &tree["changes"]["removed"]),
        (&3.into(), &3.into(), &1.into())
    );
}

#[test]
fn a_great_many_changes_are_counted() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    for number in 0..50 {
        work.write_file(format!("f{number:02}"), "x");
    }
    let error = place.expect_report_refused(&work, "worktree_dirty");
    assert_eq!((text_list(&error["details"]["files"]).len(), &error["details"]["total"]), (20, &50.into()));
    assert!(json_text(&error["message"]).ends_with("f04 and 45 more."), "{error}");
    let spoken = place.done_call(&work).env("ORCH_OUTPUT", "text").run();
    assert_eq!((spoken.exit, spoken.stdout.as_str()), (4, ""));
    assert!(spoken.stderr.contains("\nhint: inbox done th-"), "{spoken:?}");
}

#[test]
fn a_snapshot_commits_what_is_there_as_it_is() {
    let place = TestEnvironment::with_repository();
    place.commit_all(".gitignore", "ignored\n");
    place.begin_run("r", &[]);
    place.orch(&["task", "add", "Write it", "--key", "a"]).ok();
    let work = place.start_tree_task("a", "w");
    for name in ["base.txt", "new", "ignored"] {
        work.write_file(name, "x");
    }
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot", "--request-id", "k"];
    place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    let again = place.holder_call(&work.held, &words).in_folder(&work.path).run().ok_document();
    assert_eq!(again["replayed"], true);
    let head = json_text(&place.last_attempt("a")["worktree"]["head_commit"]);
    assert_eq!(place.run_git(["show", "--no-patch", "--format=%s", &head]), "Write it");
    assert_eq!(place.run_git(["diff", "--name-only", &work.base, &head]), "base.txt\nnew");
    assert_eq!(place.run_git(["rev-list", "--count", &format!("{}..{head}", work.base)]), "1");
}

#[test]
fn nothing_done_is_no_report() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.orch(&["task", "add", "x", "--key", "b", "--allow-empty"]).ok();
    let work = place.start_tree_task("a", "w");
    let error = place.expect_report_refused(&work, "no_changes");
    assert_eq!(
        error["details"],
        json!({"thread": work.held.thread, "worktree": work.path.to_str().unwrap(), "base_commit": work.base})
    );
    assert!(error["hint"].is_string());
    let snapshot = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holder_call(&work.held, &snapshot).in_folder(&work.path).fails("no_changes");
    place.expect_still_held(&work);
    place.holder_call(&work.held, &["fail", &work.held.thread, "--reason", "Too hard."]).ok();
    assert_eq!(place.task_state("a"), "ready", "giving up asks for nothing");
    let empty = place.start_tree_task("b", "v");
    place.done_call(&empty).ok();
    assert_eq!(place.last_attempt("b")["worktree"]["head_commit"], empty.base);
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!((&merged["integrated"][0]["task"], place.task_state("b")), (&"r/b".into(), "done".to_owned()));
    assert_eq!(place.branch_tip(), empty.base);
}

#[test]
fn a_tree_must_be_on_its_branch() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    place.commit_files(&work, &[("a.txt", "a")]);
    place.run_git_in(&work.path, ["switch", "--quiet", "--create", "mine"]);
    let error = place.expect_report_refused(&work, "worktree_conflict");
    let expected = json!({"problem": "other_branch", "branch": "orch/r/a.1", "found": "mine", "worktree": work.path.to_str().unwrap()});
    assert_eq!(error["details"], expected);
    place.run_git_in(&work.path, ["checkout", "--quiet", "--detach"]);
    let error = place.expect_report_refused(&work, "worktree_conflict");
    assert_eq!(error["details"]["found"], Value::Null);
    assert_eq!(place.run_hint_as_worker(&work, &error["hint"]).exit, 0);
    place.done_call(&work).ok();
}

#[test]
fn a_tree_must_descend_from_its_base() {
    let place = TestEnvironment::with_repository();
    place.commit_all("second", "x");
    place.begin_run("r", &[]);
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    place.run_git_in(&work.path, ["reset", "--quiet", "--hard", "HEAD~1"]);
    let error = place.expect_report_refused(&work, "worktree_conflict");
    assert_eq!(
        (&error["details"]["problem"], &error["details"]["base_commit"]),
        (&"not_descending".into(), &work.base.as_str().into())
    );
    place.commit_files(&work, &[("a.txt", "a")]);
    place.expect_report_refused(&work, "worktree_conflict");
    place.run_git_in(&work.path, ["rebase", "--quiet", &work.base]);
    place.done_call(&work).ok();
}

#[test]
fn what_git_is_in_the_middle_of_must_end_first() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.run_git(["branch", "other"]);
    let work = place.start_tree_task("a", "w");
    place.commit_files(&work, &[("base.txt", "ours")]);
    place.run_git(["switch", "--quiet", "other"]);
    place.commit_all("base.txt", "theirs");
    let merge = place.shell("git merge other").in_folder(&work.path).run();
    assert_eq!(merge.exit, 1, "{merge:?}");
    let error = place.expect_report_refused(&work, "worktree_conflict");
    assert_eq!(
        (&error["details"]["problem"], &error["details"]["operation"]),
        (&"in_progress".into(), &"merge".into())
    );
    let snapshot = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holder_call(&work.held, &snapshot).in_folder(&work.path).fails("worktree_conflict");
    place.expect_still_held(&work);
    work.write_file("base.txt", "both");
    // Even one that is resolved is not committed yet.
    place.run_git_in(&work.path, ["add", "base.txt"]);
    place.expect_report_refused(&work, "worktree_conflict");
    place.run_git_in(&work.path, ["commit", "--quiet", "--no-edit"]);
    place.done_call(&work).ok();
}

#[test]
fn a_tree_that_is_gone_cannot_be_reported() {
    for prune in [false, true] {
        let place = TestEnvironment::with_tree_run(&[]);
        let work = place.start_tree_task("a", "w");
        place.commit_files(&work, &[("a.txt", "a")]);
        std::fs::remove_dir_all(&work.path).unwrap();
        if prune {
            place.run_git(["worktree", "unlock", work.path.to_str().unwrap()]);
            place.run_git(["worktree", "prune"]);
        }
        let report = || place.holder_call(&work.held, &["done", &work.held.thread, "--result", "x"]);
        let error = report().fails("worktree_conflict");
        assert_eq!(error["details"]["problem"], "gone");
        place.expect_still_held(&work);
        // A folder in its place, even with a repository of its own, is not the tree.
        std::fs::create_dir_all(&work.path).unwrap();
        assert_eq!(report().fails("worktree_conflict")["details"]["problem"], "gone");
        place.run_git_in(&work.path, ["init", "--quiet"]);
        assert_eq!(report().fails("worktree_conflict")["details"]["problem"], "gone");
        place.expect_still_held(&work);
        assert_eq!(
            place.resolve_commit("orch/r/a.1"),
            place.resolve_commit("orch/r/a.1"),
            "the branch has the work"
        );
    }
}

#[test]
fn nobody_reports_from_the_tree_of_others() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    place.commit_files(&a, &[("a.txt", "a")]);
    place.commit_files(&b, &[("b.txt", "b")]);
    std::fs::create_dir(b.path.join("deep")).unwrap();
    let foreign = place.sibling_path("foreign tree");
    place.run_git(["worktree", "add", "--quiet", "--detach", foreign.to_str().unwrap()]);
    for here in [&b.path, &b.path.join("deep"), &foreign] {
        let error = place.done_call(&a).in_folder(here).fails("worktree_conflict");
        assert_eq!(error["details"]["problem"], "in_other_worktree");
        assert_eq!(error["hint"], format!("cd {}", a.path.display()));
        place.expect_still_held(&a);
    }
    // From a folder of the tree, from the main checkout and from outside it is fine: the thread says which tree.
    std::fs::create_dir(a.path.join("deep")).unwrap();
    place.done_call(&a).in_folder(&a.path.join("deep")).ok();
    let outside = place.path().canonicalize().unwrap();
    let store = place.repository_path().join(".git/orch/orch.db");
    place.done_call(&b).env("ORCH_STORE", store.to_str().unwrap()).in_folder(&outside).ok();
    assert_eq!(
        (place.task_state("a"), place.task_state("b")),
        ("reported".to_owned(), "reported".to_owned())
    );
    place.check_sound();
}

/// What was accepted once is answered again, whatever has become of the tree.
#[test]
fn a_report_may_be_repeated_when_its_tree_is_gone() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert!(!work.path.exists());
    let words = ["done", &work.held.thread, "--result", "Done."];
    assert_eq!(place.holder_call(&work.held, &words).ok()["thread"]["state"], "done");
    let words = ["done", &work.held.thread, "--result", "Something else."];
    place.holder_call(&work.held, &words).fails("lease_lost");
}

/// A token that is not the live one says so, whatever the tree looks like.
#[test]
fn a_lost_lease_is_told_before_anything_else() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    work.write_file("dirty", "x");
    place.orch(&["recall", "a"]).ok();
    place.done_call(&work).fails("lease_lost");
    assert!(work.path.join("dirty").exists());
}
