//! Tests of merges without a worktree.

use std::path::PathBuf;

use orch_git::{CommitId, CommitRelation, GitError, MergeAllOutcome, MergeOutcome, RefName, Repository};

use super::ground::{GitFixture, tree_contents};

/// Commits on a new branch that starts at `main`, and switches back.
fn commit_on_branch(fixture: &GitFixture, name: &str, changes: &[(&str, &str)]) -> CommitId {
    fixture.git(["switch", "--quiet", "--force-create", name, "main"]);
    for (path, content) in changes {
        fixture.write(path, content);
    }
    let commit = fixture.commit(name);
    fixture.git(["switch", "--quiet", "main"]);
    commit
}

fn merge_commits(repository: &Repository, ours: &CommitId, theirs: &CommitId) -> CommitId {
    match repository.merge_trees(ours, theirs).unwrap() {
        MergeOutcome::Merged { tree } => {
            repository.write_merge_commit(&tree, &[ours.clone(), theirs.clone()], "merge\n\nboth").unwrap()
        }
        MergeOutcome::Conflict(conflict) => panic!("{conflict:?}"),
    }
}

/// Returns the content of a file in a commit.
fn content_at(fixture: &GitFixture, commit: &CommitId, path: &str) -> String {
    fixture.git(["show", &format!("{commit}:{path}")])
}

#[test]
fn a_merge_contains_both_sides_and_moves_no_reference() {
    let fixture = GitFixture::new();
    let (one, two) = (
        commit_on_branch(&fixture, "one", &[("b.txt", "b\n")]),
        commit_on_branch(&fixture, "two", &[("a.txt", "two\n")]),
    );
    fixture.write("dirty.txt", "mine\n");
    let before =
        (tree_contents(&fixture.top), fixture.git(["for-each-ref"]), fixture.git(["status", "--porcelain"]));
    let repository = fixture.repository();
    let commit = merge_commits(&repository, &one, &two);
    assert_eq!(
        (content_at(&fixture, &commit, "a.txt"), content_at(&fixture, &commit, "b.txt")),
        ("two".into(), "b".into())
    );
    assert!(repository.contains_all(&commit, &[one, two]).unwrap());
    let shown = fixture.git(["show", "--no-patch", "--format=%an <%ae>%n%B", commit.as_str()]);
    assert_eq!(shown, "Ada <ada@example.org>\nmerge\n\nboth");
    let after =
        (tree_contents(&fixture.top), fixture.git(["for-each-ref"]), fixture.git(["status", "--porcelain"]));
    assert_eq!(before, after);
}

#[test]
fn a_conflict_names_every_file() {
    let fixture = GitFixture::new();
    fixture.write("two\nlines", "x\n");
    fixture.write("gone.txt", "x\n");
    fixture.commit("more");
    let one = commit_on_branch(
        &fixture,
        "one",
        &[("a.txt", "1\n"), ("two\nlines", "1\n"), ("gone.txt", "1\n"), ("ok", "1")],
    );
    commit_on_branch(&fixture, "two", &[("a.txt", "2\n"), ("two\nlines", "2\n")]);
    fixture.git(["switch", "--quiet", "two"]);
    std::fs::remove_file(fixture.top.join("gone.txt")).unwrap();
    let two = fixture.commit("without a file");
    match fixture.repository().merge_trees(&one, &two).unwrap() {
        MergeOutcome::Conflict(conflict) => {
            assert_eq!(conflict.files, ["a.txt", "gone.txt", "two\nlines"].map(PathBuf::from));
            assert_eq!((&conflict.ours, &conflict.theirs), (&one, &two));
            assert_eq!(conflict.messages.len(), 3, "{:?}", conflict.messages);
            assert!(conflict.messages.iter().all(|message| message.starts_with("CONFLICT (")));
        }
        MergeOutcome::Merged { .. } => panic!("there is a conflict"),
    }
}

#[test]
fn unrelated_and_unknown_commits_are_errors_and_no_conflicts() {
    let fixture = GitFixture::new();
    let main = fixture.head();
    fixture.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = fixture.commit("other");
    let repository = fixture.repository();
    assert!(matches!(repository.merge_trees(&main, &other), Err(GitError::Unrelated { .. })));
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    assert!(matches!(repository.merge_trees(&main, &unknown), Err(GitError::Failed { .. })));
}

#[test]
fn the_attributes_of_our_side_apply() {
    let fixture = GitFixture::new();
    fixture.write(".gitattributes", "log.txt merge=union\n");
    fixture.write("log.txt", "start\n");
    fixture.commit("a log");
    let one = commit_on_branch(&fixture, "one", &[("log.txt", "start\none\n")]);
    let two = commit_on_branch(&fixture, "two", &[("log.txt", "start\ntwo\n")]);
    let repository = fixture.repository();
    let version = fixture.git(["version"]);
    let minor: u32 = version.split(['.', ' ']).nth(3).unwrap().parse().unwrap();
    if minor < 41 {
        // Older versions of git read no attributes without a worktree.
        assert!(
            matches!(repository.merge_trees(&one, &two).unwrap(), MergeOutcome::Conflict(_)),
            "{version}"
        );
    } else {
        let commit = merge_commits(&repository, &one, &two);
        assert_eq!(content_at(&fixture, &commit, "log.txt"), "start\none\ntwo");
    }
}

#[test]
fn relations_are_determined() {
    let fixture = GitFixture::new();
    let base = fixture.head();
    let (one, two) = (commit_on_branch(&fixture, "one", &[]), commit_on_branch(&fixture, "two", &[]));
    let repository = fixture.repository();
    for (ours, theirs, expected) in [
        (&base, &one, CommitRelation::FastForward),
        (&one, &base, CommitRelation::UpToDate),
        (&one, &one, CommitRelation::UpToDate),
        (&one, &two, CommitRelation::Diverged),
    ] {
        assert_eq!(repository.commit_relation(ours, theirs).unwrap(), expected);
    }
}

#[test]
fn merging_several_commits_is_reproducible() {
    let fixture = GitFixture::new();
    let base = fixture.head();
    let sides: Vec<CommitId> = ["one", "two", "three"]
        .iter()
        .map(|name| commit_on_branch(&fixture, name, &[(*name, *name)]))
        .chain([base.clone()])
        .collect();
    let repository = fixture.repository();
    let all = |commits: &[CommitId]| match repository.merge_all_commits(commits, "dependencies").unwrap() {
        MergeAllOutcome::Merged(commit) => commit,
        MergeAllOutcome::Conflict(conflict) => panic!("{conflict:?}"),
    };
    assert_eq!(all(&sides[..1]), sides[0]);
    assert_eq!(all(&[base.clone(), sides[0].clone()]), sides[0], "nothing to merge");
    assert_eq!(all(&[sides[0].clone(), base]), sides[0]);
    let commit = all(&sides);
    assert!(repository.contains_all(&commit, &sides).unwrap());
    assert_eq!(content_at(&fixture, &commit, "three"), "three");
    // Independent of the committer and the time.
    fixture.git(["config", "user.name", "Grace"]);
    assert_eq!(
        match fixture.repository().merge_all_commits(&sides, "dependencies").unwrap() {
            MergeAllOutcome::Merged(commit) => commit,
            MergeAllOutcome::Conflict(conflict) => panic!("{conflict:?}"),
        },
        commit
    );
    let against = commit_on_branch(&fixture, "against", &[("two", "not two")]);
    match repository.merge_all_commits(&[sides[0].clone(), sides[1].clone(), against.clone()], "x").unwrap() {
        MergeAllOutcome::Conflict(conflict) => {
            assert_eq!((conflict.files, conflict.theirs), (vec![PathBuf::from("two")], against));
        }
        MergeAllOutcome::Merged(commit) => panic!("{commit}"),
    }
}

#[test]
fn our_identity_is_used_only_if_the_user_has_none() {
    let fixture = GitFixture::new();
    let (one, two) =
        (commit_on_branch(&fixture, "one", &[]), commit_on_branch(&fixture, "two", &[("b", "b")]));
    let author = |fixture: &GitFixture| {
        let commit = merge_commits(&fixture.repository(), &one, &two);
        fixture.git(["show", "--no-patch", "--format=%an <%ae> %cn <%ce>", commit.as_str()])
    };
    fixture.git(["config", "user.name", "Local"]);
    assert_eq!(author(&fixture), "Local <ada@example.org> Local <ada@example.org>");
    fixture.git(["config", "--unset", "user.name"]);
    fixture.git(["config", "--global", "--remove-section", "user"]);
    fixture.git(["config", "--global", "user.useConfigOnly", "true"]);
    assert_eq!(author(&fixture), "orch <orch@localhost> orch <orch@localhost>");
    // Reflogs are written with that identity too.
    let repository = fixture.repository();
    repository.create_ref(&RefName::from_branch_name("orch/run/main").unwrap(), &one).unwrap();
}

#[test]
fn a_merge_that_was_made_elsewhere_is_recognised() {
    let fixture = GitFixture::new();
    commit_on_branch(&fixture, "topic", &[("b.txt", "one\n")]);
    fixture.git(["switch", "--quiet", "topic"]);
    fixture.write("c.txt", "two\n");
    let tip = fixture.commit("second");
    fixture.git(["switch", "--quiet", "main"]);
    let start = fixture.head();
    fixture.write("theirs.txt", "theirs\n");
    let theirs = fixture.commit("theirs");
    let repository = fixture.repository();
    let on = |base: &CommitId, commands: &[&[&str]]| {
        fixture.git(["switch", "--quiet", "--detach", base.as_str()]);
        for words in commands {
            if let ["write", path, content] = words {
                fixture.write(path, content);
                fixture.git(["add", "--all"]);
            } else {
                fixture.git(*words);
            }
        }
        fixture.head()
    };
    let (squash, commit) =
        (&["merge", "--squash", "--quiet", "topic"][..], &["commit", "--quiet", "-m", "x"][..]);
    let merge = &["merge", "--no-ff", "--quiet", "-m", "x", "topic"][..];
    let (later, edit) = (&["write", "later.txt", "later\n"][..], &["write", "b.txt", "edited\n"][..]);
    let rebased = {
        fixture.git(["switch", "--quiet", "--create", "rebased", "topic"]);
        fixture.git(["rebase", "--quiet", "main"]);
        fixture.head()
    };
    for (name, result, expected) in [
        ("fast-forward", tip.clone(), true),
        ("fast-forward and more", on(&tip, &[later, commit]), true),
        ("merge", on(&theirs, &[merge]), true),
        ("merge and more", on(&theirs, &[merge, later, commit]), true),
        ("squash", on(&theirs, &[squash, commit]), true),
        ("squash at the start", on(&start, &[squash, commit]), true),
        ("rebase", rebased, true),
        ("nothing", theirs.clone(), false),
        ("an edited squash", on(&theirs, &[squash, edit, commit]), false),
        ("a squash with more", on(&theirs, &[squash, later, commit]), false),
        (
            "a merge of nothing",
            on(&theirs, &[&["merge", "--quiet", "-s", "ours", "-m", "x", "topic"]]),
            false,
        ),
    ] {
        assert_eq!(repository.recognises_merge(&result, &tip).unwrap(), expected, "{name}");
    }
}
