//! Tests of handing a worktree over: the files stay, and an interrupted call is completed by the next one.

use orch_git::{CommitId, GitError, RefName};

use super::ground::{GitFixture, addition, write};

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

/// A worktree with one commit and an ignored file, and that commit.
fn worked_on(fixture: &GitFixture) -> (std::path::PathBuf, CommitId) {
    fixture.write(".gitignore", "*.log\n");
    fixture.write("a", "base\n");
    fixture.commit("base");
    let repository = fixture.repository();
    let top = fixture.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    write(&top, "a", "work\n");
    fixture.commit_in(&top, "work");
    write(&top, "out.log", "kept\n");
    let commit = fixture.head_in(&top);
    (top, commit)
}

#[test]
fn a_worktree_gets_a_branch_at_its_commit_and_keeps_its_files() {
    let fixture = GitFixture::new();
    let (top, commit) = worked_on(&fixture);
    let repository = fixture.repository();
    let branch = branch_name("orch/run/key.2");
    let spec = addition(&top, &branch, &commit);
    // The second call meets what an interrupted one has left at the latest.
    for _ in 0..2 {
        let worktree = repository.hand_over_worktree(&spec).unwrap();
        let status = worktree.read_status().unwrap();
        assert_eq!((status.branch, status.commit.as_ref()), (Some(branch.clone()), Some(&commit)));
        assert!(status.dirty.is_empty());
    }
    let entries = repository.list_worktrees().unwrap();
    let entry = entries.iter().find(|entry| entry.path == top).unwrap();
    assert_eq!(entry.purpose(), Some(spec.reason));
    assert_eq!(std::fs::read_to_string(top.join("out.log")).unwrap(), "kept\n");
    assert_eq!(repository.read_ref(&branch_name("orch/run/key.1")).unwrap(), Some(commit));
}

#[test]
fn another_commit_or_an_unknown_worktree_is_refused() {
    let fixture = GitFixture::new();
    let (top, commit) = worked_on(&fixture);
    let repository = fixture.repository();
    let branch = branch_name("orch/run/key.2");
    let other = fixture.head();
    let refused = repository.hand_over_worktree(&addition(&top, &branch, &other)).unwrap_err();
    assert!(matches!(refused, GitError::PathTaken(_)), "{refused}");
    assert_eq!(repository.read_ref(&branch).unwrap(), None);
    let missing = fixture.beside("nothing");
    let refused = repository.hand_over_worktree(&addition(&missing, &branch, &commit)).unwrap_err();
    assert!(matches!(refused, GitError::NotAWorktree(_)), "{refused}");
}

#[test]
fn a_merge_leaves_its_conflicts_in_the_files() {
    let fixture = GitFixture::new();
    let (top, _) = worked_on(&fixture);
    fixture.write("a", "theirs\n");
    fixture.write("b", "b\n");
    let theirs = fixture.commit("theirs");
    let repository = fixture.repository();
    let worktree = repository.open_worktree(&top).unwrap();
    for _ in 0..2 {
        assert_eq!(worktree.merge_into_files(&theirs, "Merge").unwrap(), [std::path::Path::new("a")]);
        assert_eq!(worktree.operation_in_progress(), Some("merge"));
        assert_eq!(worktree.list_conflicting_files().unwrap(), [std::path::Path::new("a")]);
    }
    write(&top, "a", "both\n");
    assert!(worktree.list_conflicting_files().unwrap().is_empty());
    worktree.conclude_merge("Merge theirs").unwrap();
    assert_eq!(worktree.operation_in_progress(), None);
    assert!(repository.is_ancestor(&theirs, &fixture.head_in(&top)).unwrap());
    assert!(worktree.read_status().unwrap().dirty.is_empty());
}
