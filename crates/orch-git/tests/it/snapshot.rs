//! Committing what lies there.

use std::fs;
use std::os::unix::fs::symlink;

use orch_git::{GitError, UnsupportedContent};

use super::ground::{GitFixture, set_mode, tree_contents, write};

#[test]
fn everything_that_is_not_ignored_is_committed_as_it_is() {
    let ground = GitFixture::new();
    ground.write(".gitignore", "*.log\n");
    ground.write("gone.txt", "x\n");
    ground.commit("more");
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    write(top, "a.txt", "changed\n");
    write(top, "deep/new file", "n\n");
    write(top, "run.sh", "#!/bin/sh\n");
    write(top, "out.log", "ignored\n");
    set_mode(&top.join("run.sh"), 0o755);
    symlink("a.txt", top.join("link")).unwrap();
    fs::remove_file(top.join("gone.txt")).unwrap();
    ground.git_in(top, ["add", "a.txt"]);
    write(top, "a.txt", "changed again\n");
    let before = tree_contents(top);
    let commit = worktree.snapshot_commit("what lies here").unwrap();
    assert_eq!(tree_contents(top), before);
    let state = worktree.read_status().unwrap();
    assert!(state.is_clean(), "{:?}", state.dirty);
    assert_eq!((state.commit.as_ref(), ground.head_in(top)), (Some(&commit), commit.clone()));
    assert_eq!(state.branch.unwrap().branch_name(), Some("orch/run/key.1"));
    assert_eq!(ground.git_in(top, ["rev-list", "--count", "main..HEAD"]), "1");
    assert_eq!(ground.git_in(top, ["show", "--no-patch", "--format=%s", "HEAD"]), "what lies here");
    assert_eq!(
        ground.git_in(top, ["ls-tree", "-r", "--name-only", "HEAD"]),
        ".gitignore\na.txt\ndeep/new file\nlink\nrun.sh"
    );
    assert_eq!(worktree.snapshot_commit("again").unwrap(), commit, "nothing to commit");
}

#[test]
fn a_crash_before_the_index_followed_is_healed() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    let index = top.join("../repo/.git/worktrees/key.1/index");
    let old = fs::read(&index).unwrap();
    write(top, "new.txt", "n\n");
    let commit = worktree.snapshot_commit("one").unwrap();
    fs::write(&index, old).unwrap();
    assert!(!worktree.read_status().unwrap().is_clean());
    assert_eq!(worktree.snapshot_commit("two").unwrap(), commit);
    assert!(worktree.read_status().unwrap().is_clean());
}

#[test]
fn a_detached_head_moves_alone() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    ground.git_in(worktree.top_level(), ["checkout", "--quiet", "--detach"]);
    write(worktree.top_level(), "new.txt", "n\n");
    let commit = worktree.snapshot_commit("one").unwrap();
    assert_eq!(worktree.read_status().unwrap().commit, Some(commit));
    assert_eq!(ground.git(["rev-parse", "orch/run/key.1"]), ground.head().as_str());
}

#[test]
fn half_a_merge_is_not_committed() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    ground.write("a.txt", "main\n");
    ground.commit("main");
    write(worktree.top_level(), "a.txt", "side\n");
    let side = ground.commit_in(worktree.top_level(), "side");
    let merge = ground.try_git_in(worktree.top_level(), ["merge", "main"]);
    assert!(!merge.status.success());
    let error = worktree.snapshot_commit("x").unwrap_err();
    assert!(matches!(&error, GitError::InProgress { operation: "merge", .. }), "{error}");
    assert_eq!(ground.head_in(worktree.top_level()), side);
    // A conflict without an operation behind it is no better.
    fs::remove_file(ground.top.join(".git/worktrees/key.1/MERGE_HEAD")).unwrap();
    assert!(matches!(worktree.snapshot_commit("x"), Err(GitError::InProgress { .. })));
}

#[test]
fn a_repository_inside_is_not_swallowed() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    ground.git_in(worktree.top_level(), ["init", "--quiet", "nested"]);
    write(worktree.top_level(), "nested/file", "x");
    let error = worktree.snapshot_commit("x").unwrap_err();
    assert!(
        matches!(&error, GitError::Unsupported { what: UnsupportedContent::NestedRepository, path } if path.ends_with("nested")),
        "{error}"
    );
}

#[test]
fn there_must_be_a_commit_to_stand_on() {
    let ground = GitFixture::without_commit("repo");
    ground.write("a.txt", "x");
    let repository = ground.repository();
    assert!(matches!(
        repository.open_worktree(&ground.top).unwrap().snapshot_commit("x"),
        Err(GitError::Unborn)
    ));
}
