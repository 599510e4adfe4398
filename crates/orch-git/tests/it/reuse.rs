//! Tests of reusing worktrees: the result equals a fresh one, or the worktree is left unchanged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_git::{CheckoutTarget, GitError, RefName, Repository, ReuseOutcome, WorktreeObstacle, WorktreeSpec};

use super::ground::{GitFixture, addition, set_mode, tree_contents, write};

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

/// Returns why the worktree cannot be reused.
fn find_obstacle(repository: &Repository, fixture: &GitFixture, from: &Path) -> Option<WorktreeObstacle> {
    let (path, name, commit) = (fixture.beside("key.2"), branch_name("orch/run/key.2"), fixture.head());
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
fn a_reused_worktree_equals_a_fresh_one() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "cache/\n*.log\n");
    for path in ["same", "changes", "goes", "mode", "file to folder", "folder to file/x", "deep/er/same"] {
        fixture.write(path, format!("{path}\n"));
    }
    symlink("same", fixture.top.join("link")).unwrap();
    fixture.commit("base");
    let repository = fixture.repository();
    let from = fixture.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    write(&from, "attempt.txt", "work\n");
    write(&from, "same", "worked on\n");
    fixture.commit_in(&from, "work");
    write(&from, "cache/deep/object", "left by a build\n");
    write(&from, "out.log", "left by a build\n");
    fs::create_dir(from.join("empty")).unwrap();
    // The commit of the next attempt.
    fixture.write("changes", "changed\n");
    fixture.write("out.log", "tracked from now on\n");
    fs::remove_file(fixture.top.join("goes")).unwrap();
    set_mode(&fixture.top.join("mode"), 0o755);
    fs::remove_file(fixture.top.join("file to folder")).unwrap();
    fixture.write("file to folder/y", "y\n");
    fs::remove_dir_all(fixture.top.join("folder to file")).unwrap();
    fixture.write("folder to file", "f\n");
    fixture.git(["add", "--force", "out.log"]);
    let commit = fixture.commit("next");
    let at_work = fixture.head_in(&from);

    let (path, name) = (fixture.beside("deeper/key.2"), branch_name("orch/run/key.2"));
    match repository.reuse_worktree(&from, &addition(&path, &name, &commit)).unwrap() {
        ReuseOutcome::Reused(worktree) => {
            let state = worktree.read_status().unwrap();
            assert_eq!((state.commit.as_ref(), state.branch.as_ref()), (Some(&commit), Some(&name)));
            assert!(state.is_clean());
        }
        ReuseOutcome::Obstructed(why) => panic!("{why:?}"),
    }
    let fresh = fixture.add_attempt_worktree(&repository, "fresh");
    assert_eq!(tree_contents(&path), tree_contents(fresh.top_level()));
    assert!(!path.join("empty").exists() && !from.exists());
    assert_eq!(
        repository.read_ref(&branch_name("orch/run/key.1")).unwrap(),
        Some(at_work),
        "its commits are kept"
    );
    let entry = repository.find_worktree_on_branch(&name).unwrap().unwrap();
    assert_eq!((entry.path.as_path(), entry.locked.as_deref()), (path.as_path(), Some("orch: run/key@1")));
    fixture.check_integrity();
}

#[test]
fn a_detached_worktree_is_reused_in_place() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.log\n");
    let first = fixture.commit("ignores");
    let (repository, path) = (fixture.repository(), fixture.beside("scratch"));
    let at =
        |commit| WorktreeSpec { path: &path, checkout: CheckoutTarget::Detached, commit, reason: "checks" };
    repository.add_worktree(&at(&first)).unwrap();
    fixture.write("a.txt", "two\n");
    let second = fixture.commit("second");
    for commit in [&second, &first, &first] {
        write(&path, "build.log", "of a check");
        let done = matches!(repository.reuse_worktree(&path, &at(commit)).unwrap(), ReuseOutcome::Reused(_));
        assert!(done && fixture.head_in(&path) == *commit && !path.join("build.log").exists());
    }
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\n");
}

#[test]
fn a_worktree_that_might_differ_is_left_unchanged() {
    let fixture = GitFixture::new();
    fixture.write("other.txt", "o\n");
    fixture.commit("more");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    let git_dir = fixture.top.join(".git/worktrees/key.1");
    let obstacle = || find_obstacle(&repository, &fixture, top);

    write(top, "new.txt", "x");
    assert_eq!(obstacle(), Some(WorktreeObstacle::NotClean));
    fs::remove_file(top.join("new.txt")).unwrap();

    fixture.git_in(top, ["update-index", "--assume-unchanged", "a.txt"]);
    assert_eq!(obstacle(), Some(WorktreeObstacle::HiddenFiles));
    fixture.git_in(top, ["update-index", "--no-assume-unchanged", "a.txt"]);

    fs::write(git_dir.join("config.worktree"), "").unwrap();
    assert_eq!(obstacle(), Some(WorktreeObstacle::OwnSettings));
    fs::remove_file(git_dir.join("config.worktree")).unwrap();

    fixture.git_in(top, ["bisect", "start"]);
    assert_eq!(obstacle(), Some(WorktreeObstacle::InProgress));
    fixture.git_in(top, ["bisect", "reset"]);

    let mut worker =
        Command::new("sh").args(["-c", "read line"]).current_dir(top).stdin(Stdio::piped()).spawn().unwrap();
    if cfg!(target_os = "linux") {
        assert_eq!(obstacle(), Some(WorktreeObstacle::Occupied(vec![worker.id()])));
    }
    drop(worker.stdin.take());
    worker.wait().unwrap();

    fixture.write("sub/.gitattributes", "*.txt text eol=crlf\n");
    fixture.commit("line ends");
    assert_eq!(obstacle(), Some(WorktreeObstacle::Attributes));
    fixture.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    assert_eq!(obstacle(), None, "no obstacle is left");
}

#[test]
fn a_worktree_with_submodules_is_left_unchanged() {
    let fixture = GitFixture::new();
    let library = GitFixture::new();
    fixture.git(["config", "--global", "protocol.file.allow", "always"]);
    fixture.git(["submodule", "add", "--quiet", library.top.to_str().unwrap(), "sub"]);
    fixture.commit("a submodule");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    assert_eq!(
        find_obstacle(&repository, &fixture, worktree.top_level()),
        Some(WorktreeObstacle::Submodules)
    );
}

#[test]
fn worktrees_that_are_not_ours_are_rejected() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let from = fixture.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    let (path, name) = (fixture.beside("key.2"), branch_name("orch/run/key.2"));
    let reuse = |from: &Path, path: &Path, name: &RefName| {
        repository.reuse_worktree(from, &addition(path, name, &commit)).map(|_| ())
    };
    assert!(matches!(reuse(&fixture.top, &path, &name), Err(GitError::MainWorktree { .. })));
    assert!(matches!(reuse(&fixture.beside("missing"), &path, &name), Err(GitError::NotAWorktree { .. })));
    assert!(matches!(reuse(&from, &fixture.top, &name), Err(GitError::PathTaken { .. })));
    assert!(matches!(reuse(&from, &path, &branch_name("main")), Err(GitError::CheckedOutElsewhere { .. })));
    fixture.git(["worktree", "unlock", from.to_str().unwrap()]);
    fixture.git(["worktree", "lock", "--reason", "mine", from.to_str().unwrap()]);
    assert!(matches!(reuse(&from, &path, &name), Err(GitError::LockedByOthers { .. })));
    assert!(from.exists() && !path.exists());
}

/// Git neither lists nor sets back what a worker may leave in these files and folders.
#[test]
fn nothing_of_the_former_worker_is_found_in_a_reused_worktree() {
    let fixture = GitFixture::new();
    for path in ["mode", "linked", "future", "folder/file"] {
        fixture.write(path, format!("{path}\n"));
    }
    fixture.commit("base");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let (from, commit) = (worktree.top_level().to_owned(), fixture.head());
    let fresh = fixture.add_attempt_worktree(&repository, "fresh");
    let outside = fixture.beside("outside");
    let script = format!(
        "mkfifo pipe folder/pipe; mkdir -p only/pipes; mkfifo only/pipes/p; mkdir folder/empty
        chmod 600 mode; chmod 700 folder; chmod 2711 .; ln linked '{}'
        touch -d 2100-01-01 future; git update-index --refresh; git commit --quiet --allow-empty -m work
        echo words > \"$(git rev-parse --git-path MERGE_MSG)\"",
        outside.display()
    );
    fixture.shell_in(&from, &script);
    assert!(worktree.read_status().unwrap().is_clean());
    let (path, name) = (fixture.beside("key.2"), branch_name("orch/run/key.2"));
    let outcome = repository.reuse_worktree(&from, &addition(&path, &name, &commit)).unwrap();
    assert!(matches!(outcome, ReuseOutcome::Reused(_)), "{outcome:?}");
    let describe = "find . -path ./.git -prune -o -printf '%p %M %n\\n' | sort; find . -newermt 2099-01-01";
    assert_eq!(fixture.shell_in(&path, describe), fixture.shell_in(fresh.top_level(), describe));
    fs::write(&outside, "written later").unwrap();
    assert_eq!(fs::read_to_string(path.join("linked")).unwrap(), "linked\n");
    let git_dir = fixture.top.join(".git/worktrees/key.1");
    assert!(!git_dir.join("MERGE_MSG").exists());
    let head = fixture.git_in(&path, ["reflog", "show", "--format=%H", "HEAD"]);
    assert_eq!(
        head.lines().collect::<Vec<_>>(),
        [commit.as_str()],
        "the former worker's commit is not in the reflog"
    );
}

#[test]
fn a_worktree_whose_files_were_written_under_other_settings_is_not_reused() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let git_dir = fixture.top.join(".git/worktrees/key.1");
    let obstacle = || find_obstacle(&repository, &fixture, worktree.top_level());
    for (set, unset) in [
        ("git config filter.f.smudge cat", "git config --unset filter.f.smudge"),
        ("git config core.eol crlf", "git config --unset core.eol"),
        ("mkdir -p .git/info; echo '*.txt -text' > .git/info/attributes", "rm .git/info/attributes"),
        (
            "git update-ref refs/heads/x HEAD; git -C ../key.1 update-ref refs/worktree/x HEAD",
            "git -C ../key.1 update-ref -d refs/worktree/x",
        ),
        (
            "mkdir -p .git/worktrees/key.1/info; touch .git/worktrees/key.1/info/sparse-checkout",
            "rm .git/worktrees/key.1/info/sparse-checkout",
        ),
    ] {
        fixture.shell_in(&fixture.top, set);
        assert_eq!(obstacle(), Some(WorktreeObstacle::OwnSettings), "{set}");
        fixture.shell_in(&fixture.top, unset);
    }
    assert!(git_dir.exists());
    fixture.git_in(worktree.top_level(), ["init", "--quiet", "nested"]);
    fixture.write(".git/info/exclude", "nested\n");
    assert_eq!(obstacle(), Some(WorktreeObstacle::ForeignContents));
    fs::remove_dir_all(worktree.top_level().join("nested")).unwrap();
    assert_eq!(obstacle(), None);
}
