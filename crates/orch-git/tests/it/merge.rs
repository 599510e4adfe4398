//! Merges without a checkout.

use std::path::PathBuf;

use orch_git::{CommitId, GitError, Merge, MergeAll, RefName, Relation, Repository};

use super::ground::{Ground, files};

/// Makes a commit on a branch of its own that begins at `main`, and goes back there.
fn side(ground: &Ground, name: &str, changes: &[(&str, &str)]) -> CommitId {
    ground.git(["switch", "--quiet", "--force-create", name, "main"]);
    for (path, content) in changes {
        ground.write(path, content);
    }
    let commit = ground.commit(name);
    ground.git(["switch", "--quiet", "main"]);
    commit
}

fn merged(repository: &Repository, ours: &CommitId, theirs: &CommitId) -> CommitId {
    match repository.merge(ours, theirs).unwrap() {
        Merge::Merged { tree } => {
            repository.merge_commit(&tree, &[ours.clone(), theirs.clone()], "merge\n\nboth").unwrap()
        }
        Merge::Conflict(conflict) => panic!("{conflict:?}"),
    }
}

/// What a commit has at a path.
fn content(ground: &Ground, commit: &CommitId, path: &str) -> String {
    ground.git(["show", &format!("{commit}:{path}")])
}

#[test]
fn both_sides_are_in_the_merge_and_nothing_else_moves() {
    let ground = Ground::new();
    let (one, two) = (side(&ground, "one", &[("b.txt", "b\n")]), side(&ground, "two", &[("a.txt", "two\n")]));
    ground.write("dirty.txt", "mine\n");
    let before = (files(&ground.top), ground.git(["for-each-ref"]), ground.git(["status", "--porcelain"]));
    let repository = ground.repository();
    let commit = merged(&repository, &one, &two);
    assert_eq!(
        (content(&ground, &commit, "a.txt"), content(&ground, &commit, "b.txt")),
        ("two".into(), "b".into())
    );
    assert!(repository.contains_all(&commit, &[one, two]).unwrap());
    let shown = ground.git(["show", "--no-patch", "--format=%an <%ae>%n%B", commit.as_str()]);
    assert_eq!(shown, "Ada <ada@example.org>\nmerge\n\nboth");
    let after = (files(&ground.top), ground.git(["for-each-ref"]), ground.git(["status", "--porcelain"]));
    assert_eq!(before, after);
}

#[test]
fn a_conflict_names_every_file() {
    let ground = Ground::new();
    ground.write("two\nlines", "x\n");
    ground.write("gone.txt", "x\n");
    ground.commit("more");
    let one =
        side(&ground, "one", &[("a.txt", "1\n"), ("two\nlines", "1\n"), ("gone.txt", "1\n"), ("ok", "1")]);
    side(&ground, "two", &[("a.txt", "2\n"), ("two\nlines", "2\n")]);
    ground.git(["switch", "--quiet", "two"]);
    std::fs::remove_file(ground.top.join("gone.txt")).unwrap();
    let two = ground.commit("without a file");
    match ground.repository().merge(&one, &two).unwrap() {
        Merge::Conflict(conflict) => {
            assert_eq!(conflict.files, ["a.txt", "gone.txt", "two\nlines"].map(PathBuf::from));
            assert_eq!((&conflict.ours, &conflict.theirs), (&one, &two));
            assert_eq!(conflict.messages.len(), 3, "{:?}", conflict.messages);
            assert!(conflict.messages.iter().all(|message| message.starts_with("CONFLICT (")));
        }
        Merge::Merged { .. } => panic!("there is a conflict"),
    }
}

#[test]
fn what_cannot_be_merged_is_an_error_and_no_conflict() {
    let ground = Ground::new();
    let main = ground.head();
    ground.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = ground.commit("other");
    let repository = ground.repository();
    assert!(matches!(repository.merge(&main, &other), Err(GitError::Unrelated { .. })));
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    assert!(matches!(repository.merge(&main, &unknown), Err(GitError::Failed { .. })));
}

#[test]
fn attributes_of_our_side_count() {
    let ground = Ground::new();
    ground.write(".gitattributes", "log.txt merge=union\n");
    ground.write("log.txt", "start\n");
    ground.commit("a log");
    let one = side(&ground, "one", &[("log.txt", "start\none\n")]);
    let two = side(&ground, "two", &[("log.txt", "start\ntwo\n")]);
    let repository = ground.repository();
    let version = ground.git(["version"]);
    let minor: u32 = version.split(['.', ' ']).nth(3).unwrap().parse().unwrap();
    if minor < 41 {
        // Git could not be told yet whose attributes count without a checkout.
        assert!(matches!(repository.merge(&one, &two).unwrap(), Merge::Conflict(_)), "{version}");
    } else {
        let commit = merged(&repository, &one, &two);
        assert_eq!(content(&ground, &commit, "log.txt"), "start\none\ntwo");
    }
}

#[test]
fn relations_are_seen() {
    let ground = Ground::new();
    let base = ground.head();
    let (one, two) = (side(&ground, "one", &[]), side(&ground, "two", &[]));
    let repository = ground.repository();
    for (ours, theirs, expected) in [
        (&base, &one, Relation::FastForward),
        (&one, &base, Relation::Contained),
        (&one, &one, Relation::Contained),
        (&one, &two, Relation::Diverged),
    ] {
        assert_eq!(repository.relation(ours, theirs).unwrap(), expected);
    }
}

#[test]
fn several_commits_become_one_that_is_always_the_same() {
    let ground = Ground::new();
    let base = ground.head();
    let sides: Vec<CommitId> = ["one", "two", "three"]
        .iter()
        .map(|name| side(&ground, name, &[(*name, *name)]))
        .chain([base.clone()])
        .collect();
    let repository = ground.repository();
    let all = |commits: &[CommitId]| match repository.merge_all(commits, "dependencies").unwrap() {
        MergeAll::Merged(commit) => commit,
        MergeAll::Conflict(conflict) => panic!("{conflict:?}"),
    };
    assert_eq!(all(&sides[..1]), sides[0]);
    assert_eq!(all(&[base.clone(), sides[0].clone()]), sides[0], "nothing to merge");
    assert_eq!(all(&[sides[0].clone(), base]), sides[0]);
    let commit = all(&sides);
    assert!(repository.contains_all(&commit, &sides).unwrap());
    assert_eq!(content(&ground, &commit, "three"), "three");
    // Whoever merges them, and when.
    ground.git(["config", "user.name", "Somebody Else"]);
    assert_eq!(
        match ground.repository().merge_all(&sides, "dependencies").unwrap() {
            MergeAll::Merged(commit) => commit,
            MergeAll::Conflict(conflict) => panic!("{conflict:?}"),
        },
        commit
    );
    let against = side(&ground, "against", &[("two", "not two")]);
    match repository.merge_all(&[sides[0].clone(), sides[1].clone(), against.clone()], "x").unwrap() {
        MergeAll::Conflict(conflict) => {
            assert_eq!((conflict.files, conflict.theirs), (vec![PathBuf::from("two")], against));
        }
        MergeAll::Merged(commit) => panic!("{commit}"),
    }
}

#[test]
fn who_has_no_name_gets_ours_and_who_has_one_keeps_it() {
    let ground = Ground::new();
    let (one, two) = (side(&ground, "one", &[]), side(&ground, "two", &[("b", "b")]));
    let author = |ground: &Ground| {
        let commit = merged(&ground.repository(), &one, &two);
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
    repository.create_ref(&RefName::branch("orch/run/main").unwrap(), &one).unwrap();
}
