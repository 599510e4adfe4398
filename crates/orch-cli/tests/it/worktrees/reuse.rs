//! The worktree of an integrated attempt serves the next one.

use std::path::PathBuf;

use orch_testkit::Yard;
use orch_testkit::yard::{files, write};

use super::fixture::Orchard;

#[test]
fn an_integrated_attempts_tree_becomes_the_next_ones() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    let first = orchard.report("a");
    let inode = inode(&first);
    orchard.integrate();
    assert!(!first.exists());
    assert_eq!(orchard.states(), ["a@1 removed nothing"]);
    assert_eq!(orchard.list()[0]["salvage"], "refs/orch/salvage/r/a.1");
    let kept = ["refs/orch/kept/r/a.1", "refs/orch/salvage/r/a.1"];
    assert_eq!(orchard.yard.references("refs/orch/"), kept);
    assert_eq!(orchard.yard.references("refs/heads/orch/r/a.1"), [""; 0]);
    assert_eq!(orchard.spares(), [orchard.root().join(".spare-a.1")]);

    let second = orchard.dispatch("b");
    assert_eq!(
        (self::inode(&second), orchard.spares()),
        (inode, Vec::<PathBuf>::new()),
        "it is the same folder"
    );
    let tip = orchard.yard.git(["rev-parse", "orch/r/main"]);
    assert_eq!(orchard.yard.git_in(&second, ["rev-parse", "HEAD"]), tip);
    assert_eq!(orchard.yard.git_in(&second, ["symbolic-ref", "--short", "HEAD"]), "orch/r/b.1");
    assert_eq!(orchard.yard.git_in(&second, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(std::fs::read_to_string(second.join("a.txt")).unwrap(), "a\n");
    // What is brought back is what the first one held, not what became of its folder.
    orchard.orch(&["worktree", "restore", "a"]).ok();
    assert_eq!(files(&first), files(&second));
    orchard.is_sound();
}

#[test]
fn the_last_one_leaves_no_spare() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    orchard.report("a");
    orchard.integrate();
    assert_eq!(orchard.spares().len(), 1);
    orchard.orch(&["task", "cancel", "b"]).ok();
    assert_eq!(orchard.orch(&["run", "show", "r"]).ok()["run"]["state"], "finished");
    let done = orchard.orch(&["reconcile"]).ok();
    assert_eq!((&done["finished"][0]["kind"], &done["finished"][0]["done"]), (&"sweep".into(), &true.into()));
    assert_eq!(orchard.yard.worktrees(), Vec::<PathBuf>::new());
    orchard.is_sound();
}

#[test]
fn a_run_that_ends_by_merging_keeps_none() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    orchard.report("a");
    orchard.report("b");
    orchard.integrate();
    assert_eq!(orchard.orch(&["run", "show", "r"]).ok()["run"]["state"], "finished");
    assert_eq!(orchard.yard.worktrees(), Vec::<PathBuf>::new());
    orchard.is_sound();
}

#[test]
fn no_more_are_kept_than_can_be_used() {
    let orchard = Orchard::with(&["--max-active", "3"]);
    orchard.add(&["a", "b", "c", "d"]);
    for key in ["a", "b", "c"] {
        orchard.report(key);
    }
    orchard.integrate();
    assert_eq!(orchard.spares().len(), 1, "only one task is left");
    let pruned = orchard.orch(&["worktree", "prune"]).ok();
    assert_eq!(pruned["spares"].as_array().unwrap().len(), 1);
    assert_eq!(orchard.yard.worktrees(), Vec::<PathBuf>::new());
    orchard.dispatch("d");
    orchard.is_sound();
}

#[test]
fn setup_and_carried_files_are_as_in_a_fresh_tree() {
    let yard = Yard::new();
    yard.write(".gitignore", ".env\nbuilt\nleft/\n");
    yard.commit("ignore");
    yard.write(".env", "secret\n");
    let orchard = Orchard::in_yard(yard, &["--copy", ".env", "--setup", "printf %s $ORCH_ATTEMPT >built"]);
    orchard.add(&["a", "b"]);
    let first = orchard.report("a");
    assert_eq!(std::fs::read_to_string(first.join("built")).unwrap(), "r/a@1");
    write(&first.join("left/over"), "of the first\n");
    orchard.integrate();
    assert_eq!(orchard.spares().len(), 1);
    let second = orchard.dispatch("b");
    assert!(!second.join("left").exists(), "ignored files do not go over");
    assert_eq!(std::fs::read_to_string(second.join("built")).unwrap(), "r/b@1");
    assert_eq!(std::fs::read_to_string(second.join(".env")).unwrap(), "secret\n");
    orchard.is_sound();
}

#[test]
fn a_spare_that_was_touched_is_left_alone_and_named() {
    for touch in ["change", "commit"] {
        let orchard = Orchard::new();
        orchard.add(&["a", "b"]);
        orchard.report("a");
        orchard.integrate();
        let spare = orchard.spares().remove(0);
        write(&spare.join("mine.txt"), "mine\n");
        if touch == "commit" {
            orchard.yard.commit_in(&spare, "mine");
        }
        let fresh = orchard.dispatch("b");
        assert!(fresh.exists() && spare.join("mine.txt").exists(), "{touch}");
        orchard.orch(&["task", "cancel", "b"]).ok();
        let looked = orchard.orch(&["reconcile"]).ok();
        assert!(spare.join("mine.txt").exists(), "{touch}");
        assert_eq!(looked["orphans"][0]["name"], spare.to_str().unwrap(), "{touch}");
        orchard.is_sound();
    }
}

#[test]
fn several_dispatches_at_once_share_the_spares() {
    let orchard = Orchard::new();
    let (first, next) = (["a", "b", "c"], ["d", "e", "f", "g", "h"]);
    orchard.add(&first);
    orchard.add(&next);
    for key in first {
        orchard.report(key);
    }
    orchard.integrate();
    assert_eq!(orchard.spares().len(), 3);
    let running: Vec<_> =
        next.iter().map(|key| orchard.orch(&["dispatch", key, "--to", "w"]).start()).collect();
    let mut inodes = std::collections::BTreeSet::new();
    for running in running {
        let dispatched = running.end().ok();
        let tree = PathBuf::from(dispatched["attempt"]["worktree"]["path"].as_str().unwrap());
        assert!(inodes.insert(inode(&tree)), "no two have the same folder");
        assert_eq!(orchard.yard.git_in(&tree, ["status", "--porcelain", "--ignored"]), "");
        let tip = orchard.yard.git(["rev-parse", "orch/r/main"]);
        assert_eq!(orchard.yard.git_in(&tree, ["rev-parse", "HEAD"]), tip);
    }
    assert_eq!(orchard.yard.worktrees().len(), 5 + orchard.spares().len());
    orchard.is_sound();
}

#[test]
fn a_dirty_tree_is_no_spare() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    let tree = orchard.report("a");
    write(&tree.join("after.txt"), "written after the report\n");
    let before = files(&tree);
    orchard.integrate();
    assert_eq!((orchard.spares(), tree.exists()), (Vec::<PathBuf>::new(), false));
    orchard.orch(&["worktree", "restore", "a"]).ok();
    assert_eq!(files(&tree), before);
    orchard.is_sound();
}

fn inode(path: &std::path::Path) -> u64 {
    std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap())
}
