//! Tests of references: created once, and moved or deleted only at the expected commit.

use orch_git::{GitError, GitFailureCause, RefName, Repository};

use super::ground::GitFixture;

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

#[test]
fn a_reference_is_created_moved_and_deleted() {
    let fixture = GitFixture::new();
    let (repository, first) = (fixture.repository(), fixture.head());
    let second = fixture.commit("second");
    let name = branch_name("orch/run/main");
    assert_eq!(repository.read_ref(&name).unwrap(), None);
    repository.create_ref(&name, &first).unwrap();
    assert_eq!(repository.read_ref(&name).unwrap(), Some(first.clone()));
    let error = repository.create_ref(&name, &second).unwrap_err();
    assert!(matches!(&error, GitError::RefExists { at, .. } if *at == first), "{error}");
    repository.compare_and_swap(&name, &second, &first).unwrap();
    let error = repository.compare_and_swap(&name, &second, &first).unwrap_err();
    assert!(matches!(&error, GitError::RefMoved { found: Some(at), .. } if *at == second), "{error}");
    let error = repository.delete_ref(&name, &first).unwrap_err();
    assert!(matches!(&error, GitError::RefMoved { .. }), "{error}");
    assert_eq!(repository.read_ref(&name).unwrap(), Some(second.clone()));
    repository.delete_ref(&name, &second).unwrap();
    repository.delete_ref(&name, &second).unwrap();
    let error = repository.compare_and_swap(&name, &second, &first).unwrap_err();
    assert!(matches!(&error, GitError::RefMoved { found: None, .. }), "{error}");
}

#[test]
fn a_conflicting_branch_is_named_in_the_error() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    fixture.git(["branch", "orch"]);
    let error = repository.create_ref(&branch_name("orch/run/main"), &commit).unwrap_err();
    assert_eq!(error.to_string(), "orch/run/main cannot be created while orch exists");
    fixture.git(["pack-refs", "--all"]);
    let error = repository.create_ref(&branch_name("orch/run/main"), &commit).unwrap_err();
    assert!(
        matches!(&error, GitError::RefConflict { existing, .. } if *existing == branch_name("orch")),
        "{error}"
    );
    repository.create_ref(&branch_name("work/run/main"), &commit).unwrap();
    let error = repository.create_ref(&branch_name("work/run"), &commit).unwrap_err();
    assert!(
        matches!(&error, GitError::RefConflict { existing, .. } if *existing == branch_name("work/run/main")),
        "{error}"
    );
}

#[test]
fn a_branch_named_like_a_full_reference_is_not_confused_with_it() {
    let fixture = GitFixture::new();
    fixture.git(["branch", "refs/heads/odd"]);
    let repository = fixture.repository();
    assert_eq!(repository.read_ref(&branch_name("odd")).unwrap(), None);
    assert_eq!(repository.read_ref(&branch_name("refs/heads/odd")).unwrap(), Some(fixture.head()));
}

#[test]
fn references_are_listed_with_their_commits() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let names = ["refs/orch/kept/run/b.1", "refs/orch/salvage/run/a.1", "refs/orch/salvage/run/a.2"];
    for name in names {
        repository.create_ref(&RefName::new(name).unwrap(), &commit).unwrap();
    }
    fixture.git(["tag", "-a", "-m", "x", "v1"]);
    let list = |prefix: &str| -> Vec<String> {
        let entries = repository.list_refs(prefix).unwrap();
        assert!(entries.iter().all(|entry| entry.commit == commit));
        entries.into_iter().map(|entry| entry.reference.as_str().to_owned()).collect()
    };
    assert_eq!(list("refs/orch/"), names);
    assert_eq!(list("refs/orch/salvage/"), names[1..]);
    assert_eq!(list("refs/tags/"), ["refs/tags/v1"]);
    assert_eq!(list("refs/none/"), [""; 0]);
}

#[test]
fn of_concurrent_updates_exactly_one_succeeds() {
    const ROUNDS: usize = 3;
    const WORKERS: usize = 6;
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let name = branch_name("orch/run/main");
    let mut at = fixture.head();
    repository.create_ref(&name, &at).unwrap();
    for round in 0..ROUNDS {
        let next = fixture.commit(&format!("round {round}"));
        let start = std::sync::Barrier::new(WORKERS);
        let wins: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        match repository.compare_and_swap(&name, &next, &at) {
                            Ok(()) => 1,
                            Err(GitError::RefMoved { found, .. }) => {
                                assert_eq!(found.as_ref(), Some(&next));
                                0
                            }
                            Err(error) => panic!("{error}"),
                        }
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!(wins, 1, "round {round}");
        at = next;
    }
}

#[test]
fn a_read_only_repository_fails_with_the_cause() {
    let fixture = GitFixture::new();
    let commit = fixture.head();
    let git_dir = fixture.top.join(".git");
    let program = fixture.program_that_may_not_write(&git_dir);
    let repository = Repository::discover(&program, &fixture.top).unwrap();
    assert_eq!(repository.head().unwrap().commit, commit, "it can still be read");
    let error = repository.create_ref(&branch_name("orch/run/main"), &commit).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::NotPermitted, "{error}");
    fixture.allow_writes(&git_dir);
    repository.read_ref(&branch_name("main")).unwrap();
}
