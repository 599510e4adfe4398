//! A finished worktree for the next attempt: the same as a fresh one, or left alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_git::{CheckoutTarget, GitError, RefName, Repository, ReuseOutcome, WorktreeObstacle, WorktreeSpec};

use super::ground::{GitFixture, addition, set_mode, tree_contents, write};

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

/// Why the worktree cannot become another.
fn why_unfit(repository: &Repository, ground: &GitFixture, from: &Path) -> Option<WorktreeObstacle> {
    let (path, name, commit) = (ground.beside("key.2"), branch_name("orch/run/key.2"), ground.head());
    let before = tree_contents(from);
    match repository.reuse_worktree(from, &addition(&path, &name, &commit)).unwrap() {
        ReuseOutcome::Obstructed(why) => {
            assert_eq!((tree_contents(from), path.exists()), (before, false));
            assert_eq!(repository.read_ref(&name).unwrap(), None);
            Some(why)
        }
        ReuseOutcome::Reused(_) => None,
    }
}

#[test]
fn it_is_as_if_it_were_fresh() {
    let ground = GitFixture::new();
    ground.write(".gitignore", "cache/\n*.log\n");
    for path in ["same", "changes", "goes", "mode", "file to folder", "folder to file/x", "deep/er/same"] {
        ground.write(path, format!("{path}\n"));
    }
    symlink("same", ground.top.join("link")).unwrap();
    ground.commit("base");
    let repository = ground.repository();
    let from = ground.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    write(&from, "attempt.txt", "work\n");
    write(&from, "same", "worked on\n");
    ground.commit_in(&from, "work");
    write(&from, "cache/deep/object", "left by a build\n");
    write(&from, "out.log", "left by a build\n");
    ground.git_in(&from, ["init", "--quiet", "cache/repository"]);
    fs::create_dir(from.join("empty")).unwrap();
    // What the next attempt begins with.
    ground.write("changes", "changed\n");
    ground.write("out.log", "tracked from now on\n");
    fs::remove_file(ground.top.join("goes")).unwrap();
    set_mode(&ground.top.join("mode"), 0o755);
    fs::remove_file(ground.top.join("file to folder")).unwrap();
    ground.write("file to folder/y", "y\n");
    fs::remove_dir_all(ground.top.join("folder to file")).unwrap();
    ground.write("folder to file", "f\n");
    ground.git(["add", "--force", "out.log"]);
    let commit = ground.commit("next");
    let at_work = ground.head_in(&from);

    let (path, name) = (ground.beside("deeper/key.2"), branch_name("orch/run/key.2"));
    match repository.reuse_worktree(&from, &addition(&path, &name, &commit)).unwrap() {
        ReuseOutcome::Reused(worktree) => {
            let state = worktree.read_status().unwrap();
            assert_eq!((state.commit.as_ref(), state.branch.as_ref()), (Some(&commit), Some(&name)));
            assert!(state.is_clean());
        }
        ReuseOutcome::Obstructed(why) => panic!("{why:?}"),
    }
    let fresh = ground.add_attempt_worktree(&repository, "fresh");
    assert_eq!(tree_contents(&path), tree_contents(fresh.top_level()));
    assert!(!path.join("empty").exists() && !from.exists());
    assert_eq!(repository.read_ref(&branch_name("orch/run/key.1")).unwrap(), Some(at_work), "its work stays");
    let entry = repository.find_worktree_on_branch(&name).unwrap().unwrap();
    assert_eq!((entry.path.as_path(), entry.locked.as_deref()), (path.as_path(), Some("orch: run/key@1")));
    ground.check_integrity();
}

#[test]
fn a_scratch_tree_goes_from_commit_to_commit_in_place() {
    let ground = GitFixture::new();
    ground.write(".gitignore", "*.log\n");
    let first = ground.commit("ignores");
    let (repository, path) = (ground.repository(), ground.beside("scratch"));
    let at =
        |commit| WorktreeSpec { path: &path, checkout: CheckoutTarget::Detached, commit, reason: "checks" };
    repository.add_worktree(&at(&first)).unwrap();
    ground.write("a.txt", "two\n");
    let second = ground.commit("second");
    for commit in [&second, &first, &first] {
        write(&path, "build.log", "of a check");
        let done = matches!(repository.reuse_worktree(&path, &at(commit)).unwrap(), ReuseOutcome::Reused(_));
        assert!(done && ground.head_in(&path) == *commit && !path.join("build.log").exists());
    }
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\n");
    repository.remove_scratch(&path, "checks").unwrap();
}

#[test]
fn one_that_could_differ_is_left_alone() {
    let ground = GitFixture::new();
    ground.write("other.txt", "o\n");
    ground.commit("more");
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    let git_dir = ground.top.join(".git/worktrees/key.1");
    let unfit = || why_unfit(&repository, &ground, top);

    write(top, "new.txt", "x");
    assert_eq!(unfit(), Some(WorktreeObstacle::NotClean));
    fs::remove_file(top.join("new.txt")).unwrap();

    ground.git_in(top, ["update-index", "--assume-unchanged", "a.txt"]);
    assert_eq!(unfit(), Some(WorktreeObstacle::HiddenFiles));
    ground.git_in(top, ["update-index", "--no-assume-unchanged", "a.txt"]);

    fs::write(git_dir.join("config.worktree"), "").unwrap();
    assert_eq!(unfit(), Some(WorktreeObstacle::OwnSettings));
    fs::remove_file(git_dir.join("config.worktree")).unwrap();

    ground.git_in(top, ["bisect", "start"]);
    assert_eq!(unfit(), Some(WorktreeObstacle::InProgress));
    ground.git_in(top, ["bisect", "reset"]);

    let mut worker =
        Command::new("sh").args(["-c", "read line"]).current_dir(top).stdin(Stdio::piped()).spawn().unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(unfit(), Some(WorktreeObstacle::Occupied(vec![worker.id()])));
    }
    drop(worker.stdin.take());
    worker.wait().unwrap();

    ground.write("sub/.gitattributes", "*.txt text eol=crlf\n");
    ground.commit("line ends");
    assert_eq!(unfit(), Some(WorktreeObstacle::Attributes));
    ground.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(unfit(), None, "nothing is left that speaks against it");
}

#[test]
fn a_tree_with_submodules_is_left_alone() {
    let ground = GitFixture::new();
    let library = GitFixture::new();
    ground.git(["config", "--global", "protocol.file.allow", "always"]);
    ground.git(["submodule", "add", "--quiet", library.top.to_str().unwrap(), "sub"]);
    ground.commit("a submodule");
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    assert_eq!(why_unfit(&repository, &ground, worktree.top_level()), Some(WorktreeObstacle::Submodules));
}

#[test]
fn what_is_not_ours_to_use_is_refused() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    let from = ground.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    let (path, name) = (ground.beside("key.2"), branch_name("orch/run/key.2"));
    let reuse = |from: &Path, path: &Path, name: &RefName| {
        repository.reuse_worktree(from, &addition(path, name, &commit)).map(|_| ())
    };
    assert!(matches!(reuse(&ground.top, &path, &name), Err(GitError::MainWorktree { .. })));
    assert!(matches!(reuse(&ground.beside("missing"), &path, &name), Err(GitError::NotAWorktree { .. })));
    assert!(matches!(reuse(&from, &ground.top, &name), Err(GitError::PathTaken { .. })));
    assert!(matches!(reuse(&from, &path, &branch_name("main")), Err(GitError::CheckedOutElsewhere { .. })));
    ground.git(["worktree", "unlock", from.to_str().unwrap()]);
    ground.git(["worktree", "lock", "--reason", "mine", from.to_str().unwrap()]);
    assert!(matches!(reuse(&from, &path, &name), Err(GitError::LockedByOthers { .. })));
    assert!(from.exists() && !path.exists());
}
