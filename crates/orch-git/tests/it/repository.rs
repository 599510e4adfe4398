//! Finding a repository in every state it can be in, and what its revisions mean.

use std::fs;
use std::path::Path;

use orch_git::{CommitId, Distance, Git, GitError, RefName, Repository};

use super::ground::{Ground, addition, write};

fn discover(ground: &Ground, folder: &Path) -> Result<Repository, GitError> {
    Repository::discover(&ground.program(), folder)
}

#[test]
fn it_is_found_from_anywhere_inside() {
    for name in ["repo", "with space", "größe-日本", "two\nlines", "end\n", "quote\"back\\slash"] {
        let ground = Ground::called(name);
        let deep = ground.top.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let git_dir = ground.top.join(".git");
        for folder in [&ground.top, &deep] {
            let repository = discover(&ground, folder).unwrap();
            assert_eq!(repository.top(), Some(ground.top.as_path()), "{name:?}");
            assert_eq!(repository.common_dir(), git_dir.as_path());
            assert_eq!(repository.head().unwrap().commit, ground.head());
        }
        let repository = discover(&ground, &git_dir).unwrap();
        assert_eq!((repository.top(), repository.common_dir()), (None, git_dir.as_path()));
        // A worktree of it, too, with such a name in its own path.
        let branch = RefName::branch("orch/x").unwrap();
        let path = ground.beside(format!("tree of {name}"));
        let worktree = ground.repository().add_worktree(&addition(&path, &branch, &ground.head())).is_ok();
        assert!(worktree, "{name:?}");
        let linked = discover(&ground, &path).unwrap();
        assert_eq!((linked.top(), linked.common_dir()), (Some(path.as_path()), git_dir.as_path()));
        assert_eq!(linked.head().unwrap().branch, Some(branch));
        ground.repository().worktree(&path).unwrap().state().unwrap();
    }
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let ground = Ground::new();
    for folder in [ground.beside("home"), ground.beside("missing"), ground.top.join("a.txt")] {
        let error = discover(&ground, &folder).unwrap_err();
        assert!(matches!(&error, GitError::NotARepository { .. }), "{error}");
    }
}

#[test]
fn an_inherited_environment_leads_nowhere_else() {
    let ground = Ground::new();
    let environment = ground
        .environment()
        .with("GIT_DIR", ground.beside("nowhere"))
        .with("GIT_INDEX_FILE", "/nowhere/index")
        .without_prefix("GIT_DIR")
        .without_prefix("GIT_INDEX");
    let repository = Repository::discover(&Git::find(environment).unwrap(), &ground.top).unwrap();
    assert_eq!(repository.top(), Some(ground.top.as_path()));
}

#[test]
fn a_head_without_a_commit_is_unborn() {
    let ground = Ground::empty("repo");
    let repository = ground.repository();
    assert!(matches!(repository.head(), Err(GitError::Unborn)));
    assert!(matches!(repository.commit("HEAD"), Err(GitError::Unborn)));
    let state = repository.worktree(&ground.top).unwrap().state().unwrap();
    assert_eq!((state.commit, state.branch), (None, Some(RefName::branch("main").unwrap())));
}

#[test]
fn a_detached_head_is_on_no_branch() {
    let ground = Ground::new();
    ground.git(["checkout", "--quiet", "--detach"]);
    let head = ground.repository().head().unwrap();
    assert_eq!((head.commit, head.branch), (ground.head(), None));
}

#[test]
fn a_bare_clone_has_worktrees_of_its_own() {
    let ground = Ground::new();
    let bare = ground.beside("bare.git");
    ground.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    // A user who allows bare repositories only where they are named has told us of this one.
    ground.git(["config", "--global", "safe.bareRepository", "all"]);
    let repository = discover(&ground, &bare).unwrap();
    assert_eq!(repository.top(), None);
    let branch = RefName::branch("orch/x").unwrap();
    let path = ground.beside("tree");
    let worktree = repository.add_worktree(&addition(&path, &branch, &ground.head())).unwrap();
    assert_eq!(worktree.state().unwrap().head().unwrap().branch, Some(branch));
}

#[test]
fn a_worktree_kept_elsewhere_by_configuration_works() {
    let ground = Ground::new();
    let elsewhere = ground.beside("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    write(&elsewhere, "a.txt", "one\n");
    ground.git(["config", "core.worktree", elsewhere.to_str().unwrap()]);
    let repository = discover(&ground, &ground.top.join(".git")).unwrap();
    let worktree = ground.attempt(&repository, "key.1");
    assert!(worktree.state().unwrap().is_clean());
    assert_eq!(fs::read_to_string(worktree.top().join("a.txt")).unwrap(), "one\n");
}

#[test]
fn revisions_mean_commits_or_nothing() {
    let ground = Ground::new();
    let first = ground.head();
    ground.git(["tag", "-a", "-m", "tagged", "v1"]);
    ground.write("a.txt", "two\n");
    let second = ground.commit("second");
    let repository = ground.repository();
    for (revision, expected) in
        [("HEAD", &second), ("main", &second), ("HEAD~1", &first), ("v1", &first), (first.as_str(), &first)]
    {
        assert_eq!(&repository.commit(revision).unwrap(), expected, "{revision}");
    }
    let zero = "0".repeat(40);
    for revision in
        ["", "nope", "HEAD~5", "HEAD:a.txt", "HEAD^{tree}", "--all", "-h", "main..HEAD", "a\0b", &zero]
    {
        let error = repository.commit(revision).unwrap_err();
        assert!(matches!(&error, GitError::NotFound { .. }), "{revision:?}: {error}");
    }
}

#[test]
fn commits_stand_in_relation() {
    let ground = Ground::new();
    let base = ground.head();
    ground.git(["switch", "--quiet", "-c", "side"]);
    let side = ground.commit("side");
    ground.git(["switch", "--quiet", "main"]);
    let one = ground.commit("one");
    let two = ground.commit("two");
    ground.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = ground.commit("other");
    let repository = ground.repository();
    assert!(repository.is_ancestor(&base, &two).unwrap() && repository.is_ancestor(&two, &two).unwrap());
    assert!(!repository.is_ancestor(&two, &base).unwrap());
    assert_eq!(repository.merge_base(&side, &two).unwrap(), Some(base.clone()));
    assert_eq!(repository.merge_base(&side, &other).unwrap(), None);
    assert_eq!(repository.distance(&side, &two).unwrap(), Distance { ahead: 2, behind: 1 });
    assert_eq!(repository.distance(&two, &two).unwrap(), Distance { ahead: 0, behind: 0 });
    let contains = |commits: &[CommitId]| repository.contains_all(&two, commits).unwrap();
    assert!(contains(&[]) && contains(&[base.clone(), one.clone(), two.clone()]));
    assert!(!contains(&[base.clone(), side.clone()]) && !contains(std::slice::from_ref(&other)));
    let lines = repository.commits_between(&base, &two, 10).unwrap();
    let subjects: Vec<&str> = lines.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!((subjects, &lines[0].commit), (vec!["two", "one"], &two));
    assert_eq!(repository.commits_between(&base, &two, 1).unwrap().len(), 1);
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    for result in [repository.is_ancestor(&unknown, &two), repository.contains_all(&two, &[unknown])] {
        assert!(matches!(result, Err(GitError::Failed { .. })), "{result:?}");
    }
}
