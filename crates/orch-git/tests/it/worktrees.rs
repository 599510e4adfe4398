//! Tests of worktrees: created completely or not at all, after crashes and concurrently.

use std::fs;
use std::path::Path;

use orch_git::{
    CheckoutTarget, CommitId, GitError, GitFailureCause, RefName, RegisteredWorktree, Repository,
    WorktreeObstacle, WorktreeSpec, sweep_deleted_folders,
};

use super::ground::{GitFixture, addition, set_mode, tree_contents, write, write_program};

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

fn listed_entry(repository: &Repository, path: &Path) -> Option<RegisteredWorktree> {
    repository.list_worktrees().unwrap().into_iter().find(|entry| entry.path == path)
}

/// Asserts that a worktree has no folder, no registration and no branch.
fn assert_no_trace(repository: &Repository, path: &Path, name: &RefName) {
    assert!(!path.exists(), "{}", path.display());
    assert_eq!(listed_entry(repository, path), None);
    assert_eq!(repository.read_ref(name).unwrap(), None);
}

#[test]
fn a_new_worktree_is_a_clean_checkout_of_its_commit() {
    let fixture = GitFixture::new();
    let first = fixture.head();
    fixture.write("b.txt", "later\n");
    fixture.commit("second");
    fixture.write("dirty.txt", "not committed\n");
    let repository = fixture.repository();
    let (path, name) = (fixture.beside("repo.orch/run/key.1"), branch_name("orch/run/key.1"));
    let worktree = repository.add_worktree(&addition(&path, &name, &first)).unwrap();
    let state = worktree.read_status().unwrap();
    assert_eq!((state.commit.as_ref(), state.branch.as_ref()), (Some(&first), Some(&name)));
    assert!(state.is_clean() && worktree.operation_in_progress().is_none());
    assert_eq!(tree_contents(&path).keys().collect::<Vec<_>>(), [Path::new("a.txt")]);
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: run/key@1"));
    assert_eq!(repository.find_worktree_on_branch(&name).unwrap().unwrap().path, path);
    let settings = fixture.git(["config", "--list", "--local", "--name-only"]);
    assert!(!settings.contains("branch."), "no upstream is set: {settings}");
}

/// A power loss may leave a file of a registration empty; git then fails in every worktree.
#[test]
fn a_registration_with_an_empty_link_is_restored() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let paths = ["key.1", "key.2"].map(|name| {
        let path = fixture.beside(name);
        repository.add_worktree(&addition(&path, &branch_name(name), &commit)).unwrap();
        path
    });
    fs::write(fixture.top.join(".git/worktrees/key.1/commondir"), "").unwrap();
    let listed: Vec<_> = repository.list_worktrees().unwrap().into_iter().map(|entry| entry.path).collect();
    assert_eq!(listed[1..], paths);
    assert_eq!(fixture.git(["-C", paths[0].to_str().unwrap(), "rev-parse", "HEAD"]), commit.as_str());
}

#[test]
fn a_matching_worktree_is_left_unchanged() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let wanted = addition(&path, &name, &commit);
    repository.add_worktree(&wanted).unwrap();
    let before = fs::metadata(path.join("a.txt")).unwrap().modified().unwrap();
    fixture.git(["worktree", "unlock", path.to_str().unwrap()]);
    repository.add_worktree(&wanted).unwrap();
    assert_eq!(fs::metadata(path.join("a.txt")).unwrap().modified().unwrap(), before);
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: run/key@1"));
    // A worktree with changes does not match.
    write(&path, "new.txt", "work\n");
    assert!(matches!(repository.add_worktree(&wanted), Err(GitError::PathTaken { .. })));
    fixture.commit_in(&path, "work");
    assert!(matches!(
        repository.add_worktree(&wanted),
        Err(GitError::RefExists { .. } | GitError::PathTaken { .. })
    ));
    assert_eq!(fs::read_to_string(path.join("new.txt")).unwrap(), "work\n");
}

#[test]
fn an_occupied_path_is_named_and_left_unchanged() {
    let fixture = GitFixture::new();
    let (repository, first) = (fixture.repository(), fixture.head());
    let second = fixture.commit("second");
    let name = branch_name("orch/run/key.1");
    let add = |path: &Path, name: &RefName| {
        repository
            .add_worktree(&addition(path, name, &second))
            .map(|worktree| worktree.top_level().to_owned())
    };
    write(&fixture.beside("full"), "precious", "x");
    fs::write(fixture.beside("file"), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", fixture.beside("link")).unwrap();
    for taken in ["full", "file", "link", "repo"] {
        let error = add(&fixture.beside(taken), &name).unwrap_err();
        assert!(matches!(&error, GitError::PathTaken { .. }), "{taken}: {error}");
        assert_eq!(repository.read_ref(&name).unwrap(), None);
    }
    let free = fixture.beside("free");
    let error = add(&free, &branch_name("main")).unwrap_err();
    assert!(matches!(&error, GitError::CheckedOutElsewhere { path, .. } if *path == fixture.top), "{error}");
    repository.create_ref(&name, &first).unwrap();
    let error = add(&free, &name).unwrap_err();
    assert!(matches!(&error, GitError::RefExists { at, .. } if *at == first), "{error}");
    assert_eq!(repository.read_ref(&name).unwrap(), Some(first));
    fixture.git(["branch", "orch2"]);
    let error = add(&free, &branch_name("orch2/run/key.1")).unwrap_err();
    assert!(matches!(&error, GitError::RefConflict { .. }), "{error}");
    let gone = CommitId::parse(&"1".repeat(40)).unwrap();
    let other = branch_name("orch/run/other.1");
    assert!(repository.add_worktree(&addition(&free, &other, &gone)).is_err());
    assert_no_trace(&repository, &free, &other);
    fs::create_dir(&free).unwrap();
    add(&free, &other).expect("an empty folder is no obstacle");
}

#[test]
fn a_worktree_may_have_a_detached_head() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let path = fixture.beside("scratch");
    let wanted =
        WorktreeSpec { path: &path, checkout: CheckoutTarget::Detached, commit: &commit, reason: "checks" };
    let worktree = repository.add_worktree(&wanted).unwrap();
    let state = worktree.read_status().unwrap();
    assert_eq!((state.commit, state.branch), (Some(commit.clone()), None));
}

#[test]
fn a_failed_checkout_leaves_nothing_behind() {
    let fixture = GitFixture::new();
    fixture.write(".gitattributes", "*.bin filter=broken\n");
    fixture.write("x.bin", "x\n");
    let commit = fixture.commit("filtered");
    fixture.git(["config", "filter.broken.smudge", "false"]);
    fixture.git(["config", "filter.broken.required", "true"]);
    let repository = fixture.repository();
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert!(matches!(&error, GitError::Failed { command, .. } if command == "read-tree"), "{error}");
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn a_checkout_that_is_never_clean_is_rejected_with_its_files() {
    let fixture = GitFixture::new();
    fixture.write("dos.txt", "one\r\n");
    fixture.commit("with line ends of its own");
    fixture.write(".gitattributes", "*.txt text\n");
    fixture.git(["add", ".gitattributes"]);
    fixture.git(["commit", "--quiet", "-m", "now they count as text"]);
    let repository = fixture.repository();
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    match repository.add_worktree(&addition(&path, &name, &fixture.head())) {
        Err(GitError::NeverClean { files, .. }) => assert!(files[0].starts_with("dos.txt: "), "{files:?}"),
        other => panic!("{other:?}"),
    }
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn an_incomplete_worktree_is_created_again() {
    let fixture = GitFixture::new();
    let (repository, commit) = (fixture.repository(), fixture.head());
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let wanted = addition(&path, &name, &commit);
    let register = |reason: &str| {
        let path = path.to_str().unwrap();
        fixture.git([
            "worktree",
            "add",
            "-q",
            "--no-checkout",
            "--lock",
            "--reason",
            reason,
            path,
            "orch/run/key.1",
        ]);
    };
    let steps: [(&str, &dyn Fn()); 5] = [
        ("only the branch", &|| {}),
        ("registered without files", &|| register("orch: being made")),
        ("some files, and the lock of a git that was killed", &|| {
            register("orch: being made");
            write(&path, "a.txt", "half");
            fs::write(fixture.top.join(".git/worktrees/key.1/index.lock"), "").unwrap();
        }),
        ("killed inside git", &|| register("initializing")),
        ("its folder was deleted", &|| {
            register("orch: being made");
            fs::remove_dir_all(&path).unwrap();
        }),
    ];
    for (what, prepare) in steps {
        fixture.git(["branch", "orch/run/key.1"]);
        prepare();
        let worktree = repository.add_worktree(&wanted).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(worktree.read_status().unwrap().is_clean(), "{what}");
        assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\n", "{what}");
        fixture.git(["worktree", "remove", "--force", "--force", path.to_str().unwrap()]);
        fixture.git(["branch", "--quiet", "-D", "orch/run/key.1"]);
    }
    let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().flatten().collect();
    let left = beside.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with(".orch")).count();
    assert_eq!(left, 0, "removed folders are deleted");
}

#[test]
fn eight_concurrent_creations_succeed() {
    let fixture = GitFixture::new();
    for file in 0..200 {
        fixture.write(format!("d{}/f{file}", file % 7), format!("{file}\n"));
    }
    let commit = fixture.commit("many files");
    let program = fixture.program();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (fixture, program, commit, start) = (&fixture, &program, &commit, &start);
            scope.spawn(move || {
                let repository = Repository::discover(program, &fixture.top).unwrap();
                let (path, name) =
                    (fixture.beside(format!("key.{number}")), format!("orch/run/key.{number}"));
                start.wait();
                let worktree =
                    repository.add_worktree(&addition(&path, &branch_name(&name), commit)).unwrap();
                assert!(worktree.read_status().unwrap().is_clean());
                let salvage = RefName::new(&format!("refs/orch/salvage/run/key.{number}")).unwrap();
                let salvaged = worktree.salvage_to_ref(&salvage, "done").unwrap();
                if number % 2 == 0 {
                    repository.remove_worktree(&salvaged).unwrap();
                }
            });
        }
    });
    let repository = fixture.repository();
    assert_eq!(repository.list_worktrees().unwrap().len(), 1 + 4);
    assert_eq!(repository.list_refs("refs/heads/orch/").unwrap().len(), 8);
    fixture.check_integrity();
}

#[test]
fn our_lock_stops_git_and_a_foreign_lock_stops_us() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let path = worktree.top_level().to_owned();
    let removed = fixture.try_git_in(&fixture.top, ["worktree", "remove", "--force", path.to_str().unwrap()]);
    assert!(!removed.status.success());
    let (name, commit) = (branch_name("orch/run/key.1"), fixture.head());
    let other_reason = WorktreeSpec { reason: "another reason", ..addition(&path, &name, &commit) };
    repository.add_worktree(&other_reason).unwrap();
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: another reason"));
    fixture.git(["worktree", "unlock", path.to_str().unwrap()]);
    fixture.git(["worktree", "lock", "--reason", "on a stick", path.to_str().unwrap()]);
    let salvage = worktree.salvage_to_ref(&RefName::new("refs/orch/salvage/a").unwrap(), "x").unwrap();
    for result in [repository.add_worktree(&other_reason).map(drop), repository.remove_worktree(&salvage)] {
        assert!(
            matches!(&result, Err(GitError::LockedByOthers { reason, .. }) if reason == "on a stick"),
            "{result:?}"
        );
    }
}

#[test]
fn a_folder_that_is_not_a_worktree_of_the_repository_is_left_unchanged() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let path = worktree.top_level().to_owned();
    // Inside the repository, so that a discovery would find the wrong one.
    let inside = fixture.top.join("inside");
    fs::create_dir(&inside).unwrap();
    let copy = fixture.beside("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(path.join(".git"), copy.join(".git")).unwrap();
    let other = GitFixture::new();
    for folder in [&inside, &copy, &other.top, &fixture.beside("missing")] {
        assert!(
            matches!(repository.open_worktree(folder), Err(GitError::NotAWorktree { .. })),
            "{}",
            folder.display()
        );
    }
    let gone = fixture.add_attempt_worktree(&repository, "key.2");
    fs::remove_dir_all(gone.top_level()).unwrap();
    assert!(matches!(gone.read_status(), Err(GitError::NotAWorktree { .. })));
    fs::remove_file(path.join(".git")).unwrap();
    assert!(matches!(repository.open_worktree(&path), Err(GitError::NotAWorktree { .. })));
    assert!(repository.open_worktree(&fixture.top).unwrap().read_status().unwrap().is_clean());
}

#[test]
fn hooks_of_the_user_are_not_run() {
    let fixture = GitFixture::new();
    for hook in ["post-checkout", "reference-transaction", "post-merge", "pre-commit", "post-index-change"] {
        let path = fixture.top.join(".git/hooks").join(hook);
        write(
            &fixture.top,
            path.strip_prefix(&fixture.top).unwrap(),
            format!("#!/bin/sh\ntouch {}/ran-{hook}\n", fixture.beside("home").display()),
        );
        set_mode(&path, 0o755);
    }
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "new.txt", "x");
    worktree.snapshot_commit("snapshot").unwrap();
    let ran: Vec<_> = fs::read_dir(fixture.beside("home"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.starts_with("ran-"))
        .collect();
    assert_eq!(ran, [""; 0]);
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let fixture = GitFixture::new();
    fixture.write("in/a", "a\n");
    fixture.write("out/b", "b\n");
    fixture.commit("two folders");
    fixture.git(["sparse-checkout", "set", "in"]);
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    assert!(worktree.read_status().unwrap().is_clean());
    assert!(worktree.top_level().join("in/a").exists() && !worktree.top_level().join("out").exists());
    let salvage = worktree.salvage_to_ref(&RefName::new("refs/orch/salvage/a").unwrap(), "x").unwrap();
    assert_eq!(fixture.git(["ls-tree", "-r", "--name-only", salvage.commit.as_str()]), "a.txt\nin/a\nout/b");
    repository.remove_worktree(&salvage).unwrap();
}

#[test]
fn a_read_only_repository_gets_no_worktree() {
    let fixture = GitFixture::new();
    let (git_dir, commit) = (fixture.top.join(".git"), fixture.head());
    let program = fixture.program_that_may_not_write(&git_dir);
    let repository = Repository::discover(&program, &fixture.top).unwrap();
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::NotPermitted, "{error}");
    fixture.allow_writes(&git_dir);
    assert_no_trace(&fixture.repository(), &path, &name);
}

#[test]
fn a_full_disk_is_reported_and_leaves_nothing_behind() {
    let fixture = GitFixture::new();
    fixture.write(".gitattributes", "*.bin filter=full\n");
    fixture.write("x.bin", "x\n");
    let commit = fixture.commit("filtered");
    // The error message of git, without filling a disk.
    fixture.git(["config", "filter.full.smudge", "echo 'error: No space left on device' >&2; exit 1"]);
    fixture.git(["config", "filter.full.required", "true"]);
    let repository = fixture.repository();
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::DiskFull, "{error}");
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn leftovers_of_removed_worktrees_are_swept() {
    let fixture = GitFixture::new();
    // No process has the highest pid; process 1 is always alive, and deletes its own folders.
    let (left, busy) = (fixture.beside(".orch-removed-4194304-0-0"), fixture.beside(".orch-removed-1-0-0"));
    for folder in [&left, &busy] {
        write(folder, "deep/file", "x");
    }
    sweep_deleted_folders(&fixture.beside("")).unwrap();
    assert!(!left.exists() && busy.exists() && fixture.top.exists());
}

/// A git that is killed while it deletes a registration may leave one that it no longer lists.
#[test]
fn a_removal_whose_git_was_killed_halfway_is_completed() {
    let fixture = GitFixture::new();
    let (path, name) = (fixture.beside("key.1"), branch_name("orch/run/key.1"));
    let commit = fixture.head();
    let registration = fixture.top.join(".git/worktrees/key.1");
    let bin = fixture.beside("killed");
    let real = fixture.environment().find_program("git").unwrap();
    let (real, gitdir) = (real.display(), registration.join("gitdir").display().to_string());
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'worktree remove'*) rm -f '{gitdir}'; kill -KILL $$;; esac\nexec {real} \"$@\"\n"
    );
    write_program(&bin.join("git"), &script);
    let git = fixture.program_on_path(&bin);
    let repository = Repository::open_at(&git, fixture.repository().common_dir()).unwrap();
    let spec = WorktreeSpec {
        path: &path,
        checkout: CheckoutTarget::Detached,
        commit: &commit,
        reason: "spare of r",
    };
    repository.add_worktree(&spec).unwrap();
    assert_eq!(repository.remove_unused_worktree(&path, "spare of r", &commit).unwrap(), None);
    assert_no_trace(&repository, &path, &name);
    assert!(!registration.exists());
    fixture.check_integrity();
}

/// A `git worktree move` that is killed between moving the folder and recording it leaves a worktree that git does not list.
#[test]
fn a_move_whose_git_was_killed_halfway_is_swept() {
    for recorded in [String::new(), "elsewhere".to_owned()] {
        let fixture = GitFixture::new();
        let repository = fixture.repository();
        let (path, commit) = (fixture.beside("key.2"), fixture.head());
        let spec = WorktreeSpec {
            path: &path,
            checkout: CheckoutTarget::Detached,
            commit: &commit,
            reason: "r/key@2",
        };
        repository.add_worktree(&spec).unwrap();
        let registration = fixture.top.join(".git/worktrees/key.2");
        fs::write(registration.join("locked"), "orch: being made").unwrap();
        let recorded =
            if recorded.is_empty() { recorded } else { format!("{}\n", fixture.beside(&recorded).display()) };
        fs::write(registration.join("gitdir"), recorded).unwrap();
        assert!(repository.sweep_incomplete(&path).unwrap());
        assert!(!path.exists() && !registration.exists());
        fixture.check_integrity();
    }
}

#[test]
fn abandoned_worktrees_are_swept_unless_they_are_in_use() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let head = repository.resolve_commit("main").unwrap();
    let detached = |path: &Path, reason: &str| {
        let addition = WorktreeSpec { path, checkout: CheckoutTarget::Detached, commit: &head, reason };
        repository.add_worktree(&addition).unwrap();
    };
    let spare = fixture.beside("spare");
    detached(&spare, "spare of r");
    assert!(matches!(repository.sweep_incomplete(&spare), Ok(false)), "it is complete");
    write(&spare, "mine.txt", "mine\n");
    assert_eq!(
        repository.remove_unused_worktree(&spare, "spare of r", &head).unwrap(),
        Some(WorktreeObstacle::NotClean)
    );
    fs::remove_file(spare.join("mine.txt")).unwrap();
    assert_eq!(
        repository.remove_unused_worktree(&spare, "spare of q", &head).unwrap(),
        Some(WorktreeObstacle::NotClean)
    );
    assert_eq!(repository.remove_unused_worktree(&spare, "spare of r", &head).unwrap(), None);
    assert!(!spare.exists());

    detached(&spare, "r/a@1");
    fs::remove_dir_all(&spare).unwrap();
    repository.unregister_missing_worktree(&spare).unwrap();
    assert_eq!(repository.list_worktrees().unwrap().len(), 1);
    repository.unregister_missing_worktree(&spare).unwrap();
}
