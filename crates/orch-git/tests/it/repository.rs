//! Finding a repository in every state it can be in, and what its revisions mean.

use std::fs;
use std::path::Path;

use orch_git::{AheadBehind, CommitId, Git, GitError, RefName, Repository};

use super::ground::{GitFixture, addition, write};
use super::test_host::TestHost;

fn discover(ground: &GitFixture, folder: &Path) -> Result<Repository, GitError> {
    Repository::discover(&ground.program(), folder)
}

#[test]
fn it_is_found_from_anywhere_inside() {
    for name in ["repo", "with space", "größe-日本", "two\nlines", "end\n", "quote\"back\\slash"] {
        let ground = GitFixture::with_name(name);
        let deep = ground.top.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let git_dir = ground.top.join(".git");
        for folder in [&ground.top, &deep] {
            let repository = discover(&ground, folder).unwrap();
            assert_eq!(repository.top_level(), Some(ground.top.as_path()), "{name:?}");
            assert_eq!(repository.common_dir(), git_dir.as_path());
            assert_eq!(repository.head().unwrap().commit, ground.head());
        }
        let repository = discover(&ground, &git_dir).unwrap();
        assert_eq!((repository.top_level(), repository.common_dir()), (None, git_dir.as_path()));
        // A worktree of it, too, with such a name in its own path.
        let branch = RefName::from_branch_name("orch/x").unwrap();
        let path = ground.beside(format!("tree of {name}"));
        let worktree = ground.repository().add_worktree(&addition(&path, &branch, &ground.head())).is_ok();
        assert!(worktree, "{name:?}");
        let linked = discover(&ground, &path).unwrap();
        assert_eq!((linked.top_level(), linked.common_dir()), (Some(path.as_path()), git_dir.as_path()));
        assert_eq!(linked.head().unwrap().branch, Some(branch));
        ground.repository().open_worktree(&path).unwrap().read_status().unwrap();
    }
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let ground = GitFixture::new();
    for folder in [ground.beside("home"), ground.beside("missing"), ground.top.join("a.txt")] {
        let error = discover(&ground, &folder).unwrap_err();
        assert!(matches!(&error, GitError::NotARepository { .. }), "{error}");
    }
}

#[test]
fn an_inherited_environment_leads_nowhere_else() {
    let ground = GitFixture::new();
    let environment = ground
        .environment()
        .with_variable("GIT_DIR", ground.beside("nowhere"))
        .with_variable("GIT_INDEX_FILE", "/nowhere/index")
        .without_prefix("GIT_DIR")
        .without_prefix("GIT_INDEX");
    let repository =
        Repository::discover(&Git::find_installed(TestHost(environment)).unwrap(), &ground.top).unwrap();
    assert_eq!(repository.top_level(), Some(ground.top.as_path()));
}

#[test]
fn a_head_without_a_commit_is_unborn() {
    let ground = GitFixture::without_commit("repo");
    let repository = ground.repository();
    assert!(matches!(repository.head(), Err(GitError::Unborn)));
    assert!(matches!(repository.resolve_commit("HEAD"), Err(GitError::Unborn)));
    let state = repository.open_worktree(&ground.top).unwrap().read_status().unwrap();
    assert_eq!((state.commit, state.branch), (None, Some(RefName::from_branch_name("main").unwrap())));
}

#[test]
fn a_detached_head_is_on_no_branch() {
    let ground = GitFixture::new();
    ground.git(["checkout", "--quiet", "--detach"]);
    let head = ground.repository().head().unwrap();
    assert_eq!((head.commit, head.branch), (ground.head(), None));
}

#[test]
fn a_bare_clone_has_worktrees_of_its_own() {
    let ground = GitFixture::new();
    let bare = ground.beside("bare.git");
    ground.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    // A user who allows bare repositories only where they are named has told us of this one.
    ground.git(["config", "--global", "safe.bareRepository", "all"]);
    let repository = discover(&ground, &bare).unwrap();
    assert_eq!(repository.top_level(), None);
    let branch = RefName::from_branch_name("orch/x").unwrap();
    let path = ground.beside("tree");
    let worktree = repository.add_worktree(&addition(&path, &branch, &ground.head())).unwrap();
    assert_eq!(worktree.read_status().unwrap().head().unwrap().branch, Some(branch));
}

#[test]
fn a_worktree_kept_elsewhere_by_configuration_works() {
    let ground = GitFixture::new();
    let elsewhere = ground.beside("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    write(&elsewhere, "a.txt", "one\n");
    ground.git(["config", "core.worktree", elsewhere.to_str().unwrap()]);
    let repository = discover(&ground, &ground.top.join(".git")).unwrap();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    assert!(worktree.read_status().unwrap().is_clean());
    assert_eq!(fs::read_to_string(worktree.top_level().join("a.txt")).unwrap(), "one\n");
}

#[test]
fn revisions_mean_commits_or_nothing() {
    let ground = GitFixture::new();
    let first = ground.head();
    ground.git(["tag", "-a", "-m", "tagged", "v1"]);
    ground.write("a.txt", "two\n");
    let second = ground.commit("second");
    let repository = ground.repository();
    for (revision, expected) in
        [("HEAD", &second), ("main", &second), ("HEAD~1", &first), ("v1", &first), (first.as_str(), &first)]
    {
        assert_eq!(&repository.resolve_commit(revision).unwrap(), expected, "{revision}");
    }
    let zero = "0".repeat(40);
    for revision in
        ["", "nope", "HEAD~5", "HEAD:a.txt", "HEAD^{tree}", "--all", "-h", "main..HEAD", "a\0b", &zero]
    {
        let error = repository.resolve_commit(revision).unwrap_err();
        assert!(matches!(&error, GitError::NotFound { .. }), "{revision:?}: {error}");
    }
}

#[test]
fn commits_stand_in_relation() {
    let ground = GitFixture::new();
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
    assert_eq!(repository.ahead_behind(&side, &two).unwrap(), AheadBehind { ahead: 2, behind: 1 });
    assert_eq!(repository.ahead_behind(&two, &two).unwrap(), AheadBehind { ahead: 0, behind: 0 });
    let contains = |commits: &[CommitId]| repository.contains_all(&two, commits).unwrap();
    assert!(contains(&[]) && contains(&[base.clone(), one.clone(), two.clone()]));
    assert!(!contains(&[base.clone(), side.clone()]) && !contains(std::slice::from_ref(&other)));
    let unknown = CommitId::parse(&"1".repeat(40)).unwrap();
    for result in [repository.is_ancestor(&unknown, &two), repository.contains_all(&two, &[unknown])] {
        assert!(matches!(result, Err(GitError::Failed { .. })), "{result:?}");
    }
}
