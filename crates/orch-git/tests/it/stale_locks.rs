//! Lock files that killed git processes left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use orch_git::{Git, GitError, GitLockState, LockScope, RefName, Repository};

use crate::ground::{GitFixture, write_program};
use crate::test_host::TestHost;

/// Leaves a lock file that was last written some time ago.
#[expect(clippy::disallowed_methods, reason = "the age of a file is what the system's clock says")]
fn leave_lock(path: &Path, age: Duration) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(path).unwrap();
    file.set_modified(SystemTime::now().checked_sub(age).unwrap()).unwrap();
}

const HOUR: Duration = Duration::from_secs(3_600);

/// A git that waits for its input.
struct WaitingGit(Child);

impl WaitingGit {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new("git");
        command.args(["hash-object", "--stdin"]).current_dir(folder);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // Before that it is still our own image under its pid.
        let name = format!("/proc/{}/comm", child.id());
        while fs::read_to_string(&name).unwrap() != "git\n" {
            std::thread::yield_now();
        }
        Self(child)
    }
}

impl Drop for WaitingGit {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The repository with a git that does not wait for locks.
fn impatient(fixture: &GitFixture) -> Repository {
    let environment = fixture.environment();
    let real = environment.find_program("git").unwrap();
    let script = format!(
        "#!/bin/sh\nfor word; do shift; case $word in core.*Timeout=*) word=${{word%=*}}=0;; esac; set -- \"$@\" \"$word\"; done\nexec {} \"$@\"\n",
        real.display()
    );
    let bin = fixture.beside("bin");
    write_program(&bin.join("git"), &script);
    let git = Git::find_installed(TestHost(
        environment.with_variable("PATH", format!("{}:/usr/bin:/bin", bin.display())),
    ));
    Repository::discover(&git.unwrap(), &fixture.top).unwrap()
}

fn managing(fixture: &GitFixture) -> Repository {
    fixture.repository().managing_refs(["refs/heads/orch/r/".to_owned(), "refs/orch/".to_owned()])
}

fn lock_of(repository: &Repository, path: &Path) -> orch_git::GitLock {
    let found = repository.list_git_locks().unwrap();
    found.into_iter().find(|lock| lock.path == path).unwrap_or_else(|| panic!("{} is listed", path.display()))
}

#[test]
fn locks_are_listed_with_what_they_lock() {
    let fixture = GitFixture::new();
    let tree = fixture.beside("tree");
    fixture.git(["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    let repository = fixture.repository();
    let git_dir = fixture.top.join(".git");
    let name = fs::read_dir(git_dir.join("worktrees")).unwrap().next().unwrap().unwrap().file_name();
    let in_tree = git_dir.join("worktrees").join(name).join("index.lock");
    let expected = [
        (git_dir.join("config.lock"), LockScope::Repository),
        (git_dir.join("index.lock"), LockScope::Repository),
        (git_dir.join("packed-refs.lock"), LockScope::Repository),
        (
            git_dir.join("refs/heads/orch/r/main.lock"),
            LockScope::Reference("refs/heads/orch/r/main".to_owned()),
        ),
        (in_tree, LockScope::Worktree(tree)),
    ];
    for (path, _) in &expected {
        leave_lock(path, HOUR);
    }
    let found = repository.list_git_locks().unwrap();
    let found: Vec<(PathBuf, LockScope)> = found.into_iter().map(|lock| (lock.path, lock.scope)).collect();
    assert_eq!(found, expected);
}

#[test]
fn only_an_old_lock_that_no_git_uses_is_stale() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let path = fixture.top.join(".git/refs/orch/kept/x.lock");
    leave_lock(&path, Duration::from_secs(2));
    assert_eq!(repository.judge_git_lock(&lock_of(&repository, &path)).unwrap(), GitLockState::Undecided);
    leave_lock(&path, Duration::from_secs(20));
    let lock = lock_of(&repository, &path);
    assert_eq!(repository.judge_git_lock(&lock).unwrap(), GitLockState::Stale);
    {
        let waiting = WaitingGit::start(&fixture.top);
        assert_eq!(repository.judge_git_lock(&lock).unwrap(), GitLockState::InUse(waiting.0.id()));
        assert!(!repository.remove_stale_lock(&lock).unwrap());
    }
    // Written again meanwhile: another process has locked.
    leave_lock(&path, Duration::from_secs(30));
    assert!(!repository.remove_stale_lock(&lock).unwrap());
    assert!(path.exists());
    assert!(repository.remove_stale_lock(&lock_of(&repository, &path)).unwrap());
    assert!(!path.exists());
}

#[test]
fn a_managed_reference_moves_in_spite_of_a_stale_lock() {
    let fixture = GitFixture::new();
    let (repository, commit) = (managing(&fixture), fixture.head());
    for name in ["refs/heads/orch/r/main", "refs/orch/kept/r/a.1"] {
        let reference = RefName::new(name).unwrap();
        let path = fixture.top.join(".git").join(format!("{name}.lock"));
        leave_lock(&path, HOUR);
        repository.create_ref(&reference, &commit).unwrap();
        leave_lock(&path, HOUR);
        repository.delete_ref(&reference, &commit).unwrap();
        assert!(!path.exists());
    }
}

#[test]
fn locks_of_people_are_reported_and_stay() {
    let fixture = GitFixture::new();
    let (repository, commit) = (managing(&fixture), fixture.head());
    let next = fixture.commit("second");
    let theirs = RefName::new("refs/heads/theirs").unwrap();
    repository.create_ref(&theirs, &commit).unwrap();
    let lock = fixture.top.join(".git/refs/heads/theirs.lock");
    leave_lock(&lock, HOUR);
    let error = impatient(&fixture).compare_and_swap(&theirs, &next, &commit).unwrap_err();
    let GitError::LockExists { path, age, .. } = &error else { panic!("{error}") };
    assert_eq!((path, age.unwrap() >= HOUR), (&lock, true));
    assert!(error.to_string().contains("theirs.lock exists, last written 36"), "{error}");
    let packed = fixture.top.join(".git/packed-refs.lock");
    leave_lock(&packed, HOUR);
    let ours = RefName::new("refs/heads/orch/r/main").unwrap();
    repository.create_ref(&ours, &commit).unwrap();
    let error = impatient(&fixture).delete_ref(&ours, &commit).unwrap_err();
    assert!(matches!(&error, GitError::LockExists { path, .. } if *path == packed), "{error}");
    assert!(lock.exists() && packed.exists());
}
