//! Tests of committing everything in a worktree.

use std::fs;
use std::os::unix::fs::symlink;

use orch_git::GitError;

use super::ground::{GitFixture, set_mode, tree_contents, write};

#[test]
fn all_files_except_ignored_ones_are_committed() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.log\n");
    fixture.write("gone.txt", "x\n");
    fixture.commit("more");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    write(top, "a.txt", "changed\n");
    write(top, "deep/new file", "n\n");
    write(top, "run.sh", "#!/bin/sh\n");
    write(top, "out.log", "ignored\n");
    set_mode(&top.join("run.sh"), 0o755);
    symlink("a.txt", top.join("link")).unwrap();
    fs::remove_file(top.join("gone.txt")).unwrap();
    fixture.git_in(top, ["add", "a.txt"]);
    write(top, "a.txt", "changed again\n");
    let before = tree_contents(top);
    let commit = worktree.snapshot_commit("what lies here").unwrap();
    assert_eq!(tree_contents(top), before);
    let state = worktree.read_status().unwrap();
    assert!(state.is_clean(), "{:?}", state.dirty);
    assert_eq!((state.commit.as_ref(), fixture.head_in(top)), (Some(&commit), commit.clone()));
    assert_eq!(state.branch.unwrap().branch_name(), Some("orch/run/key.1"));
    assert_eq!(fixture.git_in(top, ["rev-list", "--count", "main..HEAD"]), "1");
    assert_eq!(fixture.git_in(top, ["show", "--no-patch", "--format=%s", "HEAD"]), "what lies here");
    assert_eq!(
        fixture.git_in(top, ["ls-tree", "-r", "--name-only", "HEAD"]),
        ".gitignore\na.txt\ndeep/new file\nlink\nrun.sh"
    );
    assert_eq!(worktree.snapshot_commit("again").unwrap(), commit, "nothing to commit");
}

#[test]
fn a_crash_before_the_index_was_updated_is_recovered() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
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
fn only_a_detached_head_moves() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.git_in(worktree.top_level(), ["checkout", "--quiet", "--detach"]);
    write(worktree.top_level(), "new.txt", "n\n");
    let commit = worktree.snapshot_commit("one").unwrap();
    assert_eq!(worktree.read_status().unwrap().commit, Some(commit));
    assert_eq!(fixture.git(["rev-parse", "orch/run/key.1"]), fixture.head().as_str());
}

#[test]
fn an_unfinished_merge_is_not_committed() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.write("a.txt", "main\n");
    fixture.commit("main");
    write(worktree.top_level(), "a.txt", "side\n");
    let side = fixture.commit_in(worktree.top_level(), "side");
    let merge = fixture.try_git_in(worktree.top_level(), ["merge", "main"]);
    assert!(!merge.status.success());
    let error = worktree.snapshot_commit("x").unwrap_err();
    assert!(matches!(&error, GitError::InProgress { operation: "merge", .. }), "{error}");
    assert_eq!(fixture.head_in(worktree.top_level()), side);
    // Nor is a conflict without an operation in progress.
    fs::remove_file(fixture.top.join(".git/worktrees/key.1/MERGE_HEAD")).unwrap();
    assert!(matches!(worktree.snapshot_commit("x"), Err(GitError::InProgress { .. })));
}

#[test]
fn a_nested_repository_is_not_committed() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.git_in(worktree.top_level(), ["init", "--quiet", "nested"]);
    write(worktree.top_level(), "nested/file", "x");
    let error = worktree.snapshot_commit("x").unwrap_err();
    assert!(matches!(&error, GitError::NestedRepository(path) if path.ends_with("nested")), "{error}");
}

#[test]
fn a_branch_without_commits_is_rejected() {
    let fixture = GitFixture::without_commit("repo");
    fixture.write("a.txt", "x");
    let repository = fixture.repository();
    assert!(matches!(
        repository.open_worktree(&fixture.top).unwrap().snapshot_commit("x"),
        Err(GitError::Unborn)
    ));
}
