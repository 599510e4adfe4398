//! Tests of discovering repositories in every state, and of resolving revisions.

use std::fs;
use std::path::Path;

use orch_git::{AheadBehind, CommitId, Git, GitError, RefName, Repository};

use super::ground::{GitFixture, addition, write};
use super::test_host::TestHost;

fn discover(fixture: &GitFixture, folder: &Path) -> Result<Repository, GitError> {
    Repository::discover(&fixture.program(), folder)
}

#[test]
fn a_repository_is_discovered_from_any_folder_inside() {
    for name in ["repo", "with space", "größe-日本", "two\nlines", "end\n", "quote\"back\\slash"] {
        let fixture = GitFixture::with_name(name);
        let deep = fixture.top.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let git_dir = fixture.top.join(".git");
        for folder in [&fixture.top, &deep] {
            let repository = discover(&fixture, folder).unwrap();
            assert_eq!(repository.top_level(), Some(fixture.top.as_path()), "{name:?}");
            assert_eq!(repository.common_dir(), git_dir.as_path());
            assert_eq!(repository.head().unwrap().commit, fixture.head());
        }
        let repository = discover(&fixture, &git_dir).unwrap();
        assert_eq!((repository.top_level(), repository.common_dir()), (None, git_dir.as_path()));
        // Also from a worktree with such a name in its path.
        let branch = RefName::from_branch_name("orch/x").unwrap();
        let path = fixture.beside(format!("tree of {name}"));
        let worktree = fixture.repository().add_worktree(&addition(&path, &branch, &fixture.head())).is_ok();
        assert!(worktree, "{name:?}");
        let linked = discover(&fixture, &path).unwrap();
        assert_eq!((linked.top_level(), linked.common_dir()), (Some(path.as_path()), git_dir.as_path()));
        assert_eq!(linked.head().unwrap().branch, Some(branch));
        fixture.repository().open_worktree(&path).unwrap().read_status().unwrap();
    }
}

#[test]
fn folders_outside_of_a_repository_are_rejected() {
    let fixture = GitFixture::new();
    for folder in [fixture.beside("home"), fixture.beside("missing"), fixture.top.join("a.txt")] {
        let error = discover(&fixture, &folder).unwrap_err();
        assert!(matches!(&error, GitError::NotARepository { .. }), "{error}");
    }
}

#[test]
fn inherited_git_variables_have_no_effect() {
    let fixture = GitFixture::new();
    let environment = fixture
        .environment()
        .with_variable("GIT_DIR", fixture.beside("nowhere"))
        .with_variable("GIT_INDEX_FILE", "/nowhere/index")
        .without_prefix("GIT_DIR")
        .without_prefix("GIT_INDEX");
    let repository =
        Repository::discover(&Git::find_installed(TestHost(environment)).unwrap(), &fixture.top).unwrap();
    assert_eq!(repository.top_level(), Some(fixture.top.as_path()));
}

#[test]
fn a_head_without_a_commit_is_unborn() {
    let fixture = GitFixture::without_commit("repo");
    let repository = fixture.repository();
    assert!(matches!(repository.head(), Err(GitError::Unborn)));
    assert!(matches!(repository.resolve_commit("HEAD"), Err(GitError::Unborn)));
    let state = repository.open_worktree(&fixture.top).unwrap().read_status().unwrap();
    assert_eq!((state.commit, state.branch), (None, Some(RefName::from_branch_name("main").unwrap())));
}

#[test]
fn a_detached_head_is_on_no_branch() {
    let fixture = GitFixture::new();
    fixture.git(["checkout", "--quiet", "--detach"]);
    let head = fixture.repository().head().unwrap();
    assert_eq!((head.commit, head.branch), (fixture.head(), None));
}

#[test]
fn a_bare_clone_has_worktrees() {
    let fixture = GitFixture::new();
    let bare = fixture.beside("bare.git");
    fixture.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    // Explicitly named bare repositories work with `safe.bareRepository=explicit`.
    fixture.git(["config", "--global", "safe.bareRepository", "all"]);
    let repository = discover(&fixture, &bare).unwrap();
    assert_eq!(repository.top_level(), None);
    let branch = RefName::from_branch_name("orch/x").unwrap();
    let path = fixture.beside("tree");
    let worktree = repository.add_worktree(&addition(&path, &branch, &fixture.head())).unwrap();
    assert_eq!(worktree.read_status().unwrap().head().unwrap().branch, Some(branch));
}

#[test]
fn a_worktree_set_by_core_worktree_works() {
    let fixture = GitFixture::new();
    let elsewhere = fixture.beside("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    write(&elsewhere, "a.txt", "one\n");
    fixture.git(["config", "core.worktree", elsewhere.to_str().unwrap()]);
    let repository = discover(&fixture, &fixture.top.join(".git")).unwrap();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    assert!(worktree.read_status().unwrap().is_clean());
    assert_eq!(fs::read_to_string(worktree.top_level().join("a.txt")).unwrap(), "one\n");
}

#[test]
fn revisions_resolve_to_commits_only() {
    let fixture = GitFixture::new();
    let first = fixture.head();
    fixture.git(["tag", "-a", "-m", "tagged", "v1"]);
    fixture.write("a.txt", "two\n");
    let second = fixture.commit("second");
    let repository = fixture.repository();
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
fn ancestry_is_determined() {
    let fixture = GitFixture::new();
    let base = fixture.head();
    fixture.git(["switch", "--quiet", "-c", "side"]);
    let side = fixture.commit("side");
    fixture.git(["switch", "--quiet", "main"]);
    let one = fixture.commit("one");
    let two = fixture.commit("two");
    fixture.git(["checkout", "--quiet", "--orphan", "other"]);
    let other = fixture.commit("other");
    let repository = fixture.repository();
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
