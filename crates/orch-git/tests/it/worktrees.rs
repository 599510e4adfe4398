//! Worktrees: made whole or not at all, made again after a crash, and many at once.

use std::fs;
use std::path::Path;

use orch_git::{
    CheckoutTarget, CommitId, GitError, GitFailureCause, RefName, RegisteredWorktree, Repository,
    WorktreeObstacle, WorktreeSpec, sweep_deleted_folders,
};

use super::ground::{GitFixture, addition, set_mode, tree_contents, write};

fn branch_name(name: &str) -> RefName {
    RefName::from_branch_name(name).unwrap()
}

fn listed_entry(repository: &Repository, path: &Path) -> Option<RegisteredWorktree> {
    repository.list_worktrees().unwrap().into_iter().find(|entry| entry.path == path)
}

/// Nothing of a worktree is left: no folder, no registration, no branch.
fn assert_no_trace(repository: &Repository, path: &Path, name: &RefName) {
    assert!(!path.exists(), "{}", path.display());
    assert_eq!(listed_entry(repository, path), None);
    assert_eq!(repository.read_ref(name).unwrap(), None);
}

#[test]
fn a_new_worktree_is_a_clean_checkout_of_its_commit() {
    let ground = GitFixture::new();
    let first = ground.head();
    ground.write("b.txt", "later\n");
    ground.commit("second");
    ground.write("dirty.txt", "not committed\n");
    let repository = ground.repository();
    let (path, name) = (ground.beside("repo.orch/run/key.1"), branch_name("orch/run/key.1"));
    let worktree = repository.add_worktree(&addition(&path, &name, &first)).unwrap();
    let state = worktree.read_status().unwrap();
    assert_eq!((state.commit.as_ref(), state.branch.as_ref()), (Some(&first), Some(&name)));
    assert!(state.is_clean() && worktree.operation_in_progress().is_none());
    assert_eq!(tree_contents(&path).keys().collect::<Vec<_>>(), [Path::new("a.txt")]);
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: run/key@1"));
    assert_eq!(repository.find_worktree_on_branch(&name).unwrap().unwrap().path, path);
    let settings = ground.git(["config", "--list", "--local", "--name-only"]);
    assert!(!settings.contains("branch."), "no upstream is set: {settings}");
}

#[test]
fn what_is_there_already_is_left_as_it_is() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    let wanted = addition(&path, &name, &commit);
    repository.add_worktree(&wanted).unwrap();
    let before = fs::metadata(path.join("a.txt")).unwrap().modified().unwrap();
    ground.git(["worktree", "unlock", path.to_str().unwrap()]);
    repository.add_worktree(&wanted).unwrap();
    assert_eq!(fs::metadata(path.join("a.txt")).unwrap().modified().unwrap(), before);
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: run/key@1"));
    // As soon as somebody has worked in it, it is not what was asked for.
    write(&path, "new.txt", "work\n");
    assert!(matches!(repository.add_worktree(&wanted), Err(GitError::PathTaken { .. })));
    ground.commit_in(&path, "work");
    assert!(matches!(
        repository.add_worktree(&wanted),
        Err(GitError::RefExists { .. } | GitError::PathTaken { .. })
    ));
    assert_eq!(fs::read_to_string(path.join("new.txt")).unwrap(), "work\n");
}

#[test]
fn what_stands_in_the_way_is_named_and_left_alone() {
    let ground = GitFixture::new();
    let (repository, first) = (ground.repository(), ground.head());
    let second = ground.commit("second");
    let name = branch_name("orch/run/key.1");
    let add = |path: &Path, name: &RefName| {
        repository
            .add_worktree(&addition(path, name, &second))
            .map(|worktree| worktree.top_level().to_owned())
    };
    write(&ground.beside("full"), "precious", "x");
    fs::write(ground.beside("file"), "x").unwrap();
    std::os::unix::fs::symlink("nowhere", ground.beside("link")).unwrap();
    for taken in ["full", "file", "link", "repo"] {
        let error = add(&ground.beside(taken), &name).unwrap_err();
        assert!(matches!(&error, GitError::PathTaken { .. }), "{taken}: {error}");
        assert_eq!(repository.read_ref(&name).unwrap(), None);
    }
    let free = ground.beside("free");
    let error = add(&free, &branch_name("main")).unwrap_err();
    assert!(matches!(&error, GitError::CheckedOutElsewhere { path, .. } if *path == ground.top), "{error}");
    repository.create_ref(&name, &first).unwrap();
    let error = add(&free, &name).unwrap_err();
    assert!(matches!(&error, GitError::RefExists { at, .. } if *at == first), "{error}");
    assert_eq!(repository.read_ref(&name).unwrap(), Some(first));
    ground.git(["branch", "orch2"]);
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
fn one_without_a_branch_is_for_looking() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    let path = ground.beside("scratch");
    let wanted =
        WorktreeSpec { path: &path, checkout: CheckoutTarget::Detached, commit: &commit, reason: "checks" };
    let worktree = repository.add_worktree(&wanted).unwrap();
    let state = worktree.read_status().unwrap();
    assert_eq!((state.commit, state.branch), (Some(commit.clone()), None));
    write(&path, "output", "of a check");
    let error = repository.remove_scratch(&path, "something else").unwrap_err();
    assert!(matches!(&error, GitError::NotAWorktree { .. }), "{error}");
    repository.remove_scratch(&path, "checks").unwrap();
    repository.remove_scratch(&path, "checks").unwrap();
    assert_eq!((path.exists(), listed_entry(&repository, &path)), (false, None));
    let attempt = ground.add_attempt_worktree(&repository, "key.1");
    let error = repository.remove_scratch(attempt.top_level(), "run/key@1").unwrap_err();
    assert!(matches!(&error, GitError::NotAWorktree { .. }), "{error}");
    assert!(attempt.top_level().exists());
}

#[test]
fn a_checkout_that_cannot_be_made_leaves_nothing() {
    let ground = GitFixture::new();
    ground.write(".gitattributes", "*.bin filter=broken\n");
    ground.write("x.bin", "x\n");
    let commit = ground.commit("filtered");
    ground.git(["config", "filter.broken.smudge", "false"]);
    ground.git(["config", "filter.broken.required", "true"]);
    let repository = ground.repository();
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert!(matches!(&error, GitError::Failed { command, .. } if command == "read-tree"), "{error}");
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn a_checkout_that_is_never_clean_is_refused_with_its_files() {
    let ground = GitFixture::new();
    ground.write("dos.txt", "one\r\n");
    ground.commit("with line ends of its own");
    ground.write(".gitattributes", "*.txt text\n");
    ground.git(["add", ".gitattributes"]);
    ground.git(["commit", "--quiet", "-m", "now they count as text"]);
    let repository = ground.repository();
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    match repository.add_worktree(&addition(&path, &name, &ground.head())) {
        Err(GitError::NotClean { files, .. }) => assert_eq!(files[0].path, Path::new("dos.txt")),
        other => panic!("{other:?}"),
    }
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn one_that_was_being_made_is_made_anew() {
    let ground = GitFixture::new();
    let (repository, commit) = (ground.repository(), ground.head());
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    let wanted = addition(&path, &name, &commit);
    let register = |reason: &str| {
        let path = path.to_str().unwrap();
        ground.git([
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
            fs::write(ground.top.join(".git/worktrees/key.1/index.lock"), "").unwrap();
        }),
        ("killed inside git", &|| register("initializing")),
        ("its folder is gone", &|| {
            register("orch: being made");
            fs::remove_dir_all(&path).unwrap();
        }),
    ];
    for (what, prepare) in steps {
        ground.git(["branch", "orch/run/key.1"]);
        prepare();
        let worktree = repository.add_worktree(&wanted).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(worktree.read_status().unwrap().is_clean(), "{what}");
        assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "one\n", "{what}");
        ground.git(["worktree", "remove", "--force", "--force", path.to_str().unwrap()]);
        ground.git(["branch", "--quiet", "-D", "orch/run/key.1"]);
    }
    let beside: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().flatten().collect();
    let left = beside.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with(".orch")).count();
    assert_eq!(left, 0, "what was taken away is deleted");
}

#[test]
fn eight_at_once_never_fail() {
    let ground = GitFixture::new();
    for file in 0..200 {
        ground.write(format!("d{}/f{file}", file % 7), format!("{file}\n"));
    }
    let commit = ground.commit("many files");
    let program = ground.program();
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (ground, program, commit, start) = (&ground, &program, &commit, &start);
            scope.spawn(move || {
                let repository = Repository::discover(program, &ground.top).unwrap();
                let (path, name) = (ground.beside(format!("key.{number}")), format!("orch/run/key.{number}"));
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
    let repository = ground.repository();
    assert_eq!(repository.list_worktrees().unwrap().len(), 1 + 4);
    assert_eq!(repository.list_refs("refs/heads/orch/").unwrap().len(), 8);
    ground.check_integrity();
}

#[test]
fn a_lock_of_ours_holds_against_git_and_one_of_others_against_us() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let path = worktree.top_level().to_owned();
    let removed = ground.try_git_in(&ground.top, ["worktree", "remove", "--force", path.to_str().unwrap()]);
    assert!(!removed.status.success());
    let (name, commit) = (branch_name("orch/run/key.1"), ground.head());
    let other_reason = WorktreeSpec { reason: "another reason", ..addition(&path, &name, &commit) };
    repository.add_worktree(&other_reason).unwrap();
    assert_eq!(listed_entry(&repository, &path).unwrap().locked.as_deref(), Some("orch: another reason"));
    ground.git(["worktree", "unlock", path.to_str().unwrap()]);
    ground.git(["worktree", "lock", "--reason", "on a stick", path.to_str().unwrap()]);
    let salvage = worktree.salvage_to_ref(&RefName::new("refs/orch/salvage/a").unwrap(), "x").unwrap();
    for result in [repository.add_worktree(&other_reason).map(drop), repository.remove_worktree(&salvage)] {
        assert!(
            matches!(&result, Err(GitError::LockedByOthers { reason, .. }) if reason == "on a stick"),
            "{result:?}"
        );
    }
}

#[test]
fn a_folder_that_is_no_worktree_of_ours_is_not_touched() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let path = worktree.top_level().to_owned();
    // Inside the repository, so that a search upwards would find the wrong one.
    let inside = ground.top.join("inside");
    fs::create_dir(&inside).unwrap();
    let copy = ground.beside("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(path.join(".git"), copy.join(".git")).unwrap();
    let other = GitFixture::new();
    for folder in [&inside, &copy, &other.top, &ground.beside("missing")] {
        assert!(
            matches!(repository.open_worktree(folder), Err(GitError::NotAWorktree { .. })),
            "{}",
            folder.display()
        );
    }
    let gone = ground.add_attempt_worktree(&repository, "key.2");
    fs::remove_dir_all(gone.top_level()).unwrap();
    assert!(matches!(gone.read_status(), Err(GitError::NotAWorktree { .. })));
    fs::remove_file(path.join(".git")).unwrap();
    assert!(matches!(repository.open_worktree(&path), Err(GitError::NotAWorktree { .. })));
    assert!(repository.open_worktree(&ground.top).unwrap().read_status().unwrap().is_clean());
}

#[test]
fn hooks_of_the_user_are_not_run() {
    let ground = GitFixture::new();
    for hook in ["post-checkout", "reference-transaction", "post-merge", "pre-commit", "post-index-change"] {
        let path = ground.top.join(".git/hooks").join(hook);
        write(
            &ground.top,
            path.strip_prefix(&ground.top).unwrap(),
            format!("#!/bin/sh\ntouch {}/ran-{hook}\n", ground.beside("home").display()),
        );
        set_mode(&path, 0o755);
    }
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "new.txt", "x");
    worktree.snapshot_commit("snapshot").unwrap();
    let ran: Vec<_> = fs::read_dir(ground.beside("home"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.starts_with("ran-"))
        .collect();
    assert_eq!(ran, [""; 0]);
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let ground = GitFixture::new();
    ground.write("in/a", "a\n");
    ground.write("out/b", "b\n");
    ground.commit("two folders");
    ground.git(["sparse-checkout", "set", "in"]);
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    assert!(worktree.read_status().unwrap().is_clean());
    assert!(worktree.top_level().join("in/a").exists() && !worktree.top_level().join("out").exists());
    let salvage = worktree.salvage_to_ref(&RefName::new("refs/orch/salvage/a").unwrap(), "x").unwrap();
    assert_eq!(ground.git(["ls-tree", "-r", "--name-only", salvage.commit.as_str()]), "a.txt\nin/a\nout/b");
    repository.remove_worktree(&salvage).unwrap();
}

#[test]
fn a_repository_that_may_not_be_written_gets_no_worktree() {
    let ground = GitFixture::new();
    let (git_dir, commit) = (ground.top.join(".git"), ground.head());
    let program = ground.program_that_may_not_write(&git_dir);
    let repository = Repository::discover(&program, &ground.top).unwrap();
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::NotPermitted, "{error}");
    ground.allow_writes(&git_dir);
    assert_no_trace(&ground.repository(), &path, &name);
}

#[test]
fn a_full_disk_is_told_apart_and_leaves_nothing() {
    let ground = GitFixture::new();
    ground.write(".gitattributes", "*.bin filter=full\n");
    ground.write("x.bin", "x\n");
    let commit = ground.commit("filtered");
    // What git says then, without filling a disk.
    ground.git(["config", "filter.full.smudge", "echo 'error: No space left on device' >&2; exit 1"]);
    ground.git(["config", "filter.full.required", "true"]);
    let repository = ground.repository();
    let (path, name) = (ground.beside("key.1"), branch_name("orch/run/key.1"));
    let error = repository.add_worktree(&addition(&path, &name, &commit)).unwrap_err();
    assert_eq!(error.failure_cause(), GitFailureCause::DiskFull, "{error}");
    assert_no_trace(&repository, &path, &name);
}

#[test]
fn a_fast_forward_moves_a_checkout_with_its_branch() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "a.txt", "two\n");
    write(worktree.top_level(), "b.txt", "new\n");
    let next = ground.commit_in(worktree.top_level(), "next");
    let main = repository.open_worktree(&ground.top).unwrap();
    ground.write("b.txt", "in the way\n");
    assert!(main.fast_forward(&next).is_err());
    assert_eq!(fs::read_to_string(ground.top.join("a.txt")).unwrap(), "one\n");
    fs::remove_file(ground.top.join("b.txt")).unwrap();
    // Not even a user who wants it so has changes put aside and back.
    ground.git(["config", "merge.autoStash", "true"]);
    ground.write("a.txt", "not committed\n");
    assert!(main.fast_forward(&next).is_err());
    assert_eq!(fs::read_to_string(ground.top.join("a.txt")).unwrap(), "not committed\n");
    ground.write("a.txt", "one\n");
    main.fast_forward(&next).unwrap();
    assert_eq!((ground.head(), main.read_status().unwrap().is_clean()), (next, true));
    ground.commit("gone on");
    assert!(worktree.fast_forward(&ground.head()).is_ok());
    ground.commit_in(worktree.top_level(), "apart");
    let apart = ground.head_in(worktree.top_level());
    ground.commit("apart as well");
    assert!(main.fast_forward(&apart).is_err());
}

#[test]
fn leftovers_of_removed_worktrees_are_swept() {
    let ground = GitFixture::new();
    // No process has the highest number; the first is always there, and deletes its own.
    let (left, busy) = (ground.beside(".orch-removed-4194304-0-0"), ground.beside(".orch-removed-1-0-0"));
    for folder in [&left, &busy] {
        write(folder, "deep/file", "x");
    }
    sweep_deleted_folders(&ground.beside("")).unwrap();
    assert!(!left.exists() && busy.exists() && ground.top.exists());
}

#[test]
fn what_nobody_comes_back_for_is_taken_away_unless_it_is_in_use() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let head = repository.resolve_commit("main").unwrap();
    let detached = |path: &Path, reason: &str| {
        let addition = WorktreeSpec { path, checkout: CheckoutTarget::Detached, commit: &head, reason };
        repository.add_worktree(&addition).unwrap();
    };
    let scratch = ground.beside("scratch");
    detached(&scratch, "merge checks of r/a@1");
    let held = repository.acquire_scratch_lock(&scratch).unwrap();
    let sweep = || repository.sweep_scratch(&scratch, "merge checks of r/a@1");
    assert!(matches!(sweep(), Err(GitError::Busy)));
    drop(held);
    assert!(matches!(sweep(), Ok(true)) && !scratch.exists());
    assert!(matches!(sweep(), Ok(false)), "it is gone already");

    let spare = ground.beside("spare");
    detached(&spare, "spare of r");
    assert!(matches!(repository.sweep_incomplete(&spare), Ok(false)), "it was made to the end");
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
