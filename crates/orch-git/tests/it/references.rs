//! References: made once, moved only from where they were seen, deleted only there.

use orch_git::{GitError, GitFailureCause, RefName, Repository};

use super::ground::GitFixture;

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

#[test]
fn a_reference_is_made_moved_and_deleted() {
    let ground = GitFixture::new();
    let (repository, first) = (ground.repository(), ground.head());
    let second = ground.commit("second");
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
fn a_branch_in_the_way_is_named() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    ground.git(["branch", "orch"]);
    let error = repository.create_ref(&branch_name("orch/run/main"), &commit).unwrap_err();
    assert_eq!(error.to_string(), "orch/run/main cannot be created while orch exists");
    ground.git(["pack-refs", "--all"]);
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
fn a_branch_with_the_name_of_a_path_is_not_taken_for_it() {
    let ground = GitFixture::new();
    ground.git(["branch", "refs/heads/odd"]);
    let repository = ground.repository();
    assert_eq!(repository.read_ref(&branch_name("odd")).unwrap(), None);
    assert_eq!(repository.read_ref(&branch_name("refs/heads/odd")).unwrap(), Some(ground.head()));
}

#[test]
fn references_are_listed_with_their_commits() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    let names = ["refs/orch/kept/run/b.1", "refs/orch/salvage/run/a.1", "refs/orch/salvage/run/a.2"];
    for name in names {
        repository.create_ref(&RefName::new(name).unwrap(), &commit).unwrap();
    }
    ground.git(["tag", "-a", "-m", "x", "v1"]);
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
fn of_many_that_move_it_at_once_one_wins_each_time() {
    const ROUNDS: usize = 3;
    const WORKERS: usize = 6;
    let ground = GitFixture::new();
    let repository = ground.repository();
    let name = branch_name("orch/run/main");
    let mut at = ground.head();
    repository.create_ref(&name, &at).unwrap();
    for round in 0..ROUNDS {
        let next = ground.commit(&format!("round {round}"));
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
fn a_repository_that_may_not_be_written_says_so() {
    let ground = GitFixture::new();
    let commit = ground.head();
    let git_dir = ground.top.join(".git");
    let program = ground.program_that_may_not_write(&git_dir);
    let repository = Repository::discover(&program, &ground.top).unwrap();
    assert_eq!(repository.head().unwrap().commit, commit, "it can still be read");
    let error = repository.create_ref(&branch_name("orch/run/main"), &commit).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::NotPermitted, "{error}");
    ground.allow_writes(&git_dir);
    repository.read_ref(&branch_name("main")).unwrap();
}
