//! What a worker's report is refused for: each time the thread stays with the worker, who may put it right.

use serde_json::{Value, json};

use super::ground::{Work, texts};
use crate::place::{Place, Printed};
use crate::scheduling::text;

impl Place {
    /// Sees that a report is refused with this code and that the worker still holds the thread.
    fn refused(&self, work: &Work, code: &str) -> Value {
        let error = self.done(work).fails(code);
        self.still_held(work);
        error
    }

    fn still_held(&self, work: &Work) {
        let shown = self.inbox(&["show", &work.held.thread]).ok();
        assert_eq!(shown["thread"]["state"], "claimed");
        self.holding(&work.held, &["renew", &work.held.thread]).ok();
    }

    /// Pastes a hint into a shell in which the worker's variables are set.
    fn paste_as(&self, work: &Work, hint: &Value) -> Printed {
        let bin = std::path::Path::new(env!("CARGO_BIN_EXE_inbox")).parent().unwrap();
        let mut path = std::ffi::OsString::from(bin);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        self.shell(&text(hint))
            .env("PATH", path.to_str().unwrap())
            .env("INBOX_LEASE", &work.held.token)
            .env("INBOX_AGENT", "w")
            .within(&work.path)
            .run()
    }
}

#[test]
fn changes_that_are_not_committed_are_named() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    place.work(&work, &[("done.txt", "done")]);
    work.write("base.txt", "changed");
    work.write("folder/new file", "new");
    let error = place.refused(&work, "worktree_dirty");
    let details = &error["details"];
    assert_eq!(texts(&details["files"]), ["base.txt", "folder/new file"]);
    assert_eq!((&details["total"], &details["thread"]), (&2.into(), &work.held.thread.as_str().into()));
    assert_eq!(details["worktree"], work.path.to_str().unwrap());
    assert!(text(&error["message"]).contains("base.txt, folder/new file"), "{error}");
    // The hint is the literal next command.
    let pasted = place.paste_as(&work, &error["hint"]);
    assert_eq!(pasted.ok()["thread"]["state"], "done");
    assert_eq!(place.state("a"), "reported");
    let tree = place.attempt("a")["worktree"].clone();
    let head = place.git_in(&work.path, ["rev-parse", "HEAD"]);
    assert_eq!(tree["head_commit"], head);
    assert_eq!(place.git_in(&work.path, ["status", "--porcelain"]), "");
    let changed: Vec<String> =
        tree["changes"]["changed"].as_array().unwrap().iter().map(|one| text(&one["path"])).collect();
    assert_eq!(changed, ["base.txt", "done.txt", "folder/new file"]);
    assert_eq!(
        (&tree["changes"]["files"], &tree["changes"]["added"], &tree["changes"]["removed"]),
        (&3.into(), &3.into(), &1.into())
    );
}

#[test]
fn a_great_many_changes_are_counted() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    for number in 0..50 {
        work.write(format!("f{number:02}"), "x");
    }
    let error = place.refused(&work, "worktree_dirty");
    assert_eq!((texts(&error["details"]["files"]).len(), &error["details"]["total"]), (20, &50.into()));
    assert!(text(&error["message"]).ends_with("f04 and 45 more."), "{error}");
    let spoken = place.done(&work).env("ORCH_OUTPUT", "text").run();
    assert_eq!((spoken.exit, spoken.stdout.as_str()), (4, ""));
    assert!(spoken.stderr.contains("\nhint: inbox done th-"), "{spoken:?}");
}

#[test]
fn a_snapshot_commits_what_is_there_as_it_is() {
    let place = Place::with_repository();
    place.commit_all(".gitignore", "ignored\n");
    place.begin("r", &[]);
    place.orch(&["task", "add", "Write it", "--key", "a"]).ok();
    let work = place.take("a", "w");
    for name in ["base.txt", "new", "ignored"] {
        work.write(name, "x");
    }
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot", "--request-id", "k"];
    place.holding(&work.held, &words).within(&work.path).ok();
    let again = place.holding(&work.held, &words).within(&work.path).run().ok_document();
    assert_eq!(again["replayed"], true);
    let head = text(&place.attempt("a")["worktree"]["head_commit"]);
    assert_eq!(place.git(["show", "--no-patch", "--format=%s", &head]), "Write it");
    assert_eq!(place.git(["diff", "--name-only", &work.base, &head]), "base.txt\nnew");
    assert_eq!(place.git(["rev-list", "--count", &format!("{}..{head}", work.base)]), "1");
}

#[test]
fn nothing_done_is_no_report() {
    let place = Place::with_tree_run(&[]);
    place.orch(&["task", "add", "x", "--key", "b", "--allow-empty"]).ok();
    let work = place.take("a", "w");
    let error = place.refused(&work, "no_changes");
    assert_eq!(
        error["details"],
        json!({"thread": work.held.thread, "worktree": work.path.to_str().unwrap(), "base_commit": work.base})
    );
    assert!(error["hint"].is_string());
    let snapshot = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holding(&work.held, &snapshot).within(&work.path).fails("no_changes");
    place.still_held(&work);
    place.holding(&work.held, &["fail", &work.held.thread, "--reason", "Too hard."]).ok();
    assert_eq!(place.state("a"), "ready", "giving up asks for nothing");
    let empty = place.take("b", "v");
    place.done(&empty).ok();
    assert_eq!(place.attempt("b")["worktree"]["head_commit"], empty.base);
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!((&merged["integrated"][0]["task"], place.state("b")), (&"r/b".into(), "done".to_owned()));
    assert_eq!(place.tip(), empty.base);
}

#[test]
fn a_tree_must_be_on_its_branch() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    place.work(&work, &[("a.txt", "a")]);
    place.git_in(&work.path, ["switch", "--quiet", "--create", "mine"]);
    let error = place.refused(&work, "worktree_conflict");
    let expected = json!({"problem": "other_branch", "branch": "orch/r/a.1", "found": "mine", "worktree": work.path.to_str().unwrap()});
    assert_eq!(error["details"], expected);
    place.git_in(&work.path, ["checkout", "--quiet", "--detach"]);
    let error = place.refused(&work, "worktree_conflict");
    assert_eq!(error["details"]["found"], Value::Null);
    assert_eq!(place.paste_as(&work, &error["hint"]).exit, 0);
    place.done(&work).ok();
}

#[test]
fn a_tree_must_descend_from_its_base() {
    let place = Place::with_repository();
    place.commit_all("second", "x");
    place.begin("r", &[]);
    place.task("a", &[]);
    let work = place.take("a", "w");
    place.git_in(&work.path, ["reset", "--quiet", "--hard", "HEAD~1"]);
    let error = place.refused(&work, "worktree_conflict");
    assert_eq!(
        (&error["details"]["problem"], &error["details"]["base_commit"]),
        (&"not_descending".into(), &work.base.as_str().into())
    );
    place.work(&work, &[("a.txt", "a")]);
    place.refused(&work, "worktree_conflict");
    place.git_in(&work.path, ["rebase", "--quiet", &work.base]);
    place.done(&work).ok();
}

#[test]
fn what_git_is_in_the_middle_of_must_end_first() {
    let place = Place::with_tree_run(&[]);
    place.git(["branch", "other"]);
    let work = place.take("a", "w");
    place.work(&work, &[("base.txt", "ours")]);
    place.git(["switch", "--quiet", "other"]);
    place.commit_all("base.txt", "theirs");
    let merge = place.shell("git merge other").within(&work.path).run();
    assert_eq!(merge.exit, 1, "{merge:?}");
    let error = place.refused(&work, "worktree_conflict");
    assert_eq!(
        (&error["details"]["problem"], &error["details"]["operation"]),
        (&"in_progress".into(), &"merge".into())
    );
    let snapshot = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    place.holding(&work.held, &snapshot).within(&work.path).fails("worktree_conflict");
    place.still_held(&work);
    work.write("base.txt", "both");
    // Even one that is resolved is not committed yet.
    place.git_in(&work.path, ["add", "base.txt"]);
    place.refused(&work, "worktree_conflict");
    place.git_in(&work.path, ["commit", "--quiet", "--no-edit"]);
    place.done(&work).ok();
}

#[test]
fn a_tree_that_is_gone_cannot_be_reported() {
    for prune in [false, true] {
        let place = Place::with_tree_run(&[]);
        let work = place.take("a", "w");
        place.work(&work, &[("a.txt", "a")]);
        std::fs::remove_dir_all(&work.path).unwrap();
        if prune {
            place.git(["worktree", "unlock", work.path.to_str().unwrap()]);
            place.git(["worktree", "prune"]);
        }
        let report = || place.holding(&work.held, &["done", &work.held.thread, "--result", "x"]);
        let error = report().fails("worktree_conflict");
        assert_eq!(error["details"]["problem"], "gone");
        place.still_held(&work);
        // A folder in its place, even with a repository of its own, is not the tree.
        std::fs::create_dir_all(&work.path).unwrap();
        assert_eq!(report().fails("worktree_conflict")["details"]["problem"], "gone");
        place.git_in(&work.path, ["init", "--quiet"]);
        assert_eq!(report().fails("worktree_conflict")["details"]["problem"], "gone");
        place.still_held(&work);
        assert_eq!(place.commit("orch/r/a.1"), place.commit("orch/r/a.1"), "the branch has the work");
    }
}

#[test]
fn nobody_reports_from_the_tree_of_others() {
    let place = Place::with_tree_run(&[]);
    place.task("b", &[]);
    let (a, b) = (place.take("a", "w"), place.take("b", "v"));
    place.work(&a, &[("a.txt", "a")]);
    place.work(&b, &[("b.txt", "b")]);
    std::fs::create_dir(b.path.join("deep")).unwrap();
    let foreign = place.beside("foreign tree");
    place.git(["worktree", "add", "--quiet", "--detach", foreign.to_str().unwrap()]);
    for here in [&b.path, &b.path.join("deep"), &foreign] {
        let error = place.done(&a).within(here).fails("worktree_conflict");
        assert_eq!(error["details"]["problem"], "in_other_worktree");
        assert_eq!(error["hint"], format!("cd {}", a.path.display()));
        place.still_held(&a);
    }
    // From a folder of the tree, from the main checkout and from outside it is fine: the thread says which tree.
    std::fs::create_dir(a.path.join("deep")).unwrap();
    place.done(&a).within(&a.path.join("deep")).ok();
    let outside = place.path().canonicalize().unwrap();
    let store = place.top().join(".git/orch/orch.db");
    place.done(&b).env("ORCH_STORE", store.to_str().unwrap()).within(&outside).ok();
    assert_eq!((place.state("a"), place.state("b")), ("reported".to_owned(), "reported".to_owned()));
    place.is_sound();
}

/// What was accepted once is answered again, whatever has become of the tree.
#[test]
fn a_report_may_be_repeated_when_its_tree_is_gone() {
    let place = Place::with_tree_run(&[]);
    let work = place.reported("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert!(!work.path.exists());
    let words = ["done", &work.held.thread, "--result", "Done."];
    assert_eq!(place.holding(&work.held, &words).ok()["thread"]["state"], "done");
    let words = ["done", &work.held.thread, "--result", "Something else."];
    place.holding(&work.held, &words).fails("lease_lost");
}

/// A token that is not the live one says so, whatever the tree looks like.
#[test]
fn a_lost_lease_is_told_before_anything_else() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    work.write("dirty", "x");
    place.orch(&["recall", "a"]).ok();
    place.done(&work).fails("lease_lost");
    assert!(work.path.join("dirty").exists());
}
