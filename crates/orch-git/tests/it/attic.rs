//! Tests of damaged worktrees: they are moved aside with everything that only they have.

use std::fs;

use orch_git::{FoundWorktree, GitError, RefName};

use super::ground::GitFixture;

#[test]
fn a_damaged_worktree_is_moved_aside_with_everything_in_it() {
    for (script, is_registered) in [
        ("rm .git", true),
        ("rm .git; git init -q; echo own > own; git add own; git commit -qm own", true),
        ("echo 'gitdir: /nowhere' > .git", true),
        ("rm .git; mkfifo .git", true),
        ("rm .git; mkdir .git", true),
        ("g=$(git rev-parse --git-dir); echo rubbish > $g/index", true),
        ("g=$(git rev-parse --git-dir); echo rubbish > $g/HEAD", true),
        ("cd ..; rm -rf key.1; ln -s /tmp key.1", true),
        ("cd ..; rm -rf key.1; echo x > key.1", true),
        ("g=$(git rev-parse --git-dir); rm -rf $g", false),
    ] {
        let fixture = GitFixture::new();
        let repository = fixture.repository();
        let worktree = fixture.add_attempt_worktree(&repository, "key.1");
        let path = worktree.top_level().to_owned();
        fs::write(path.join("precious"), "x").unwrap();
        fixture.shell_in(&path, "git add precious; git write-tree");
        fixture.shell_in(&path, script);
        let other = fixture.add_attempt_worktree(&repository, "key.2");
        let FoundWorktree::Damaged(_) = repository.find_worktree(&path).unwrap() else { panic!("{script}") };
        let to = fixture.beside("attic/key.1");
        for _ in 0..2 {
            // Repeated after a crash, it changes nothing.
            repository.move_to_attic(&path, &to, "run/key@1").unwrap();
        }
        assert!(matches!(repository.find_worktree(&path).unwrap(), FoundWorktree::Missing), "{script}");
        assert!(to.symlink_metadata().is_ok(), "{script}");
        if to.symlink_metadata().unwrap().is_dir() {
            assert_eq!(fs::read_to_string(to.join("precious")).unwrap(), "x");
        }
        let entries = repository.list_worktrees().unwrap();
        let entry = entries.iter().find(|entry| entry.path == to);
        assert_eq!(
            entry.is_some_and(|entry| entry.purpose() == Some("attic of run/key@1")),
            is_registered,
            "{script}: {entries:?}"
        );
        let branch = RefName::from_branch_name("orch/run/key.1").unwrap();
        assert_eq!(repository.find_worktree_on_branch(&branch).unwrap(), None, "{script}");
        // Nothing else is touched, and a worktree at the old path can be created again.
        assert!(other.read_status().unwrap().is_clean());
        let blocked = repository.move_to_attic(other.top_level(), &to, "run/key@2");
        assert!(matches!(blocked, Err(GitError::PathTaken(_))), "{script}");
        repository.delete_from_attic(&to).unwrap();
        repository.delete_from_attic(&to).unwrap();
        assert!(to.symlink_metadata().is_err());
        assert_eq!(repository.list_worktrees().unwrap().len(), 2, "{script}");
    }
}

/// What was staged or checked out in a damaged worktree stays reachable, so that its link can be repaired.
#[test]
fn the_registration_in_the_attic_keeps_what_git_knew() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let path = worktree.top_level().to_owned();
    fixture.shell_in(
        &path,
        "git switch -q --detach; git commit -q --allow-empty -m only; echo x > staged; git add staged",
    );
    let commit = fixture.head_in(&path);
    fs::remove_file(path.join(".git")).unwrap();
    let to = fixture.beside("attic/key.1");
    repository.move_to_attic(&path, &to, "run/key@1").unwrap();
    fixture.git(["gc", "--quiet", "--prune=now"]);
    fixture.git(["worktree", "prune", "--expire=now"]);
    fixture.git(["worktree", "repair"]);
    assert_eq!(fixture.head_in(&to), commit);
    assert_eq!(fixture.git_in(&to, ["status", "--porcelain"]), "A  staged");
}

#[test]
fn a_worktree_that_git_can_read_is_intact() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    for script in ["true", "git switch -q --detach", "git switch -q --orphan unborn"] {
        fixture.shell_in(worktree.top_level(), script);
        let found = repository.find_worktree(worktree.top_level()).unwrap();
        assert!(matches!(found, FoundWorktree::Intact(_)), "{script}: {found:?}");
    }
    assert!(matches!(repository.find_worktree(&fixture.beside("missing")).unwrap(), FoundWorktree::Missing));
}
