//! Merges without a checkout.

use std::path::PathBuf;

use orch_git::{CommitId, CommitRelation, GitError, MergeAllOutcome, MergeOutcome, RefName, Repository};

use super::ground::{GitFixture, tree_contents};

/// Makes a commit on a branch of its own that begins at `main`, and goes back there.
fn commit_on_branch(ground: &GitFixture, name: &str, changes: &[(&str, &str)]) -> CommitId {
    ground.git(["switch", "--quiet", "--force-create", name, "main"]);
    for (path, content) in changes {
        ground.write(path, content);
    }
    let commit = ground.commit(name);
    ground.git(["switch", "--quiet", "main"]);
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

/// What a commit has at a path.
fn content_at(ground: &GitFixture, commit: &CommitId, path: &str) -> String {
    ground.git(["show", &format!("{commit}:{path}")])
}

#[test]
fn both_sides_are_in_the_merge_and_nothing_else_moves() {
    let ground = GitFixture::new();
    let (one, two) = (
        commit_on_branch(&ground, "one", &[("b.txt", "b\n")]),
        commit_on_branch(&ground, "two", &[("a.txt", "two\n")]),
    );
    ground.write("dirty.txt", "mine\n");
    let before =
        (tree_contents(&ground.top), ground.git(["for-each-ref"]), ground.git(["status", "--porcelain"]));
    let repository = ground.repository();
    let commit = merge_commits(&repository, &one, &two);
    assert_eq!(
        (content_at(&ground, &commit, "a.txt"), content_at(&ground, &commit, "b.txt")),
        ("two".into(), "b".into())
    );
    assert!(repository.contains_all(&commit, &[one, two]).unwrap());
    let shown = ground.git(["show", "--no-patch", "--format=%an <%ae>%n%B", commit.as_str()]);
    assert_eq!(shown, "Ada <ada@example.org>\nmerge\n\nboth");
    let after =
        (tree_contents(&ground.top), ground.git(["for-each-ref"]), ground.git(["status", "--porcelain"]));
    assert_eq!(before, after);
}

#[test]
fn a_conflict_names_every_file() {
    let ground = GitFixture::new();
    ground.write("two\nlines", "x\n");
    ground.write("gone.txt", "x\n");
    ground.commit("more");
    let one = commit_on_branch(
        &ground,
        "one",
        &[("a.txt", "1\n"), ("two\nlines", "1\n"), ("gone.txt", "1\n"), ("ok", "1")],
    );
    commit_on_branch(&ground, "two", &[("a.txt", "2\n"), ("two\nlines", "2\n")]);
    ground.git(["switch", "--quiet", "two"]);
    std::fs::remove_file(ground.top.join("gone.txt")).unwrap();
    let two = ground.commit("without a file");
    match ground.repository().merge_trees(&one, &two).unwrap() {
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
fn what_cannot_be_merged_is_an_error_and_no_conflict() {
    let ground = GitFixture::new();
    let main = ground.head();
    ground.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = ground.commit("other");
    let repository = ground.repository();
    assert!(matches!(repository.merge_trees(&main, &other), Err(GitError::Unrelated { .. })));
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    assert!(matches!(repository.merge_trees(&main, &unknown), Err(GitError::Failed { .. })));
}

#[test]
fn attributes_of_our_side_count() {
    let ground = GitFixture::new();
    ground.write(".gitattributes", "log.txt merge=union\n");
    ground.write("log.txt", "start\n");
    ground.commit("a log");
    let one = commit_on_branch(&ground, "one", &[("log.txt", "start\none\n")]);
    let two = commit_on_branch(&ground, "two", &[("log.txt", "start\ntwo\n")]);
    let repository = ground.repository();
    let version = ground.git(["version"]);
    let minor: u32 = version.split(['.', ' ']).nth(3).unwrap().parse().unwrap();
    if minor < 41 {
        // Git could not be told yet whose attributes count without a checkout.
        assert!(
            matches!(repository.merge_trees(&one, &two).unwrap(), MergeOutcome::Conflict(_)),
            "{version}"
        );
    } else {
        let commit = merge_commits(&repository, &one, &two);
        assert_eq!(content_at(&ground, &commit, "log.txt"), "start\none\ntwo");
    }
}

#[test]
fn relations_are_seen() {
    let ground = GitFixture::new();
    let base = ground.head();
    let (one, two) = (commit_on_branch(&ground, "one", &[]), commit_on_branch(&ground, "two", &[]));
    let repository = ground.repository();
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
fn several_commits_become_one_that_is_always_the_same() {
    let ground = GitFixture::new();
    let base = ground.head();
    let sides: Vec<CommitId> = ["one", "two", "three"]
        .iter()
        .map(|name| commit_on_branch(&ground, name, &[(*name, *name)]))
        .chain([base.clone()])
        .collect();
    let repository = ground.repository();
    let all = |commits: &[CommitId]| match repository.merge_all_commits(commits, "dependencies").unwrap() {
        MergeAllOutcome::Merged(commit) => commit,
        MergeAllOutcome::Conflict(conflict) => panic!("{conflict:?}"),
    };
    assert_eq!(all(&sides[..1]), sides[0]);
    assert_eq!(all(&[base.clone(), sides[0].clone()]), sides[0], "nothing to merge");
    assert_eq!(all(&[sides[0].clone(), base]), sides[0]);
    let commit = all(&sides);
    assert!(repository.contains_all(&commit, &sides).unwrap());
    assert_eq!(content_at(&ground, &commit, "three"), "three");
    // Whoever merges them, and when.
    ground.git(["config", "user.name", "Somebody Else"]);
    assert_eq!(
        match ground.repository().merge_all_commits(&sides, "dependencies").unwrap() {
            MergeAllOutcome::Merged(commit) => commit,
            MergeAllOutcome::Conflict(conflict) => panic!("{conflict:?}"),
        },
        commit
    );
    let against = commit_on_branch(&ground, "against", &[("two", "not two")]);
    match repository.merge_all_commits(&[sides[0].clone(), sides[1].clone(), against.clone()], "x").unwrap() {
        MergeAllOutcome::Conflict(conflict) => {
            assert_eq!((conflict.files, conflict.theirs), (vec![PathBuf::from("two")], against));
        }
        MergeAllOutcome::Merged(commit) => panic!("{commit}"),
    }
}

#[test]
fn who_has_no_name_gets_ours_and_who_has_one_keeps_it() {
    let ground = GitFixture::new();
    let (one, two) = (commit_on_branch(&ground, "one", &[]), commit_on_branch(&ground, "two", &[("b", "b")]));
    let author = |ground: &GitFixture| {
        let commit = merge_commits(&ground.repository(), &one, &two);
        ground.git(["show", "--no-patch", "--format=%an <%ae> %cn <%ce>", commit.as_str()])
    };
    ground.git(["config", "user.name", "Local"]);
    assert_eq!(author(&ground), "Local <ada@example.org> Local <ada@example.org>");
    ground.git(["config", "--unset", "user.name"]);
    ground.git(["config", "--global", "--remove-section", "user"]);
    ground.git(["config", "--global", "user.useConfigOnly", "true"]);
    assert_eq!(author(&ground), "orch <orch@localhost> orch <orch@localhost>");
    // References are written under that name, too.
    let repository = ground.repository();
    repository.create_ref(&RefName::from_branch_name("orch/run/main").unwrap(), &one).unwrap();
}
