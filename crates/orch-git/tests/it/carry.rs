//! Ignored files that come along.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use orch_git::{CopiedFiles, GitError, SkipReason};

use super::ground::{GitFixture, set_mode, write};

/// Carries from the repository's top into a new worktree.
fn carry_into_worktree(ground: &GitFixture, globs: &[&str]) -> (PathBuf, CopiedFiles) {
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    let main = repository.open_worktree(&ground.top).unwrap();
    let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
    let carried = worktree.copy_ignored_from(&main, &globs).unwrap();
    assert!(worktree.read_status().unwrap().is_clean(), "{:?}", worktree.read_status().unwrap().dirty);
    (worktree.top_level().to_owned(), carried)
}

#[test]
fn ignored_files_come_by_pattern_and_by_list() {
    let ground = GitFixture::new();
    ground.write(".gitignore", ".env*\n/secret/\nbuild/\n");
    ground.write(".worktreeinclude", "# comments are allowed\n/secret/*\n!/secret/not-this\n");
    ground.commit("ignores");
    ground.write(".env", "A=1\n");
    ground.write("sub/.env.local", "B=2\n");
    ground.write("secret/key", "k\n");
    ground.write("secret/not-this", "n\n");
    ground.write("build/out", "o\n");
    set_mode(&ground.top.join("secret/key"), 0o700);
    let (tree, carried) = carry_into_worktree(&ground, &[".env*"]);
    let expected = [".env", "secret/key", "sub/.env.local"].map(PathBuf::from);
    assert_eq!((carried.copied.as_slice(), carried.skipped.as_slice()), (&expected[..], &[][..]));
    assert_eq!(fs::read_to_string(tree.join("sub/.env.local")).unwrap(), "B=2\n");
    assert_eq!(fs::metadata(tree.join("secret/key")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!tree.join("build").exists() && !tree.join("secret/not-this").exists());
}

#[test]
fn nothing_is_asked_for_nothing_comes() {
    let ground = GitFixture::new();
    ground.write(".gitignore", ".env\n");
    ground.commit("ignores");
    ground.write(".env", "A=1\n");
    assert_eq!(carry_into_worktree(&ground, &[]).1, CopiedFiles::default());
}

#[test]
fn what_is_tracked_or_would_be_dirt_stays() {
    let ground = GitFixture::new();
    ground.write(".gitignore", "*.env\n");
    ground.write("tracked.env", "old\n");
    ground.git(["add", "--force", "tracked.env"]);
    ground.commit("ignores");
    ground.write("tracked.env", "changed\n");
    ground.write("notes.txt", "untracked, not ignored\n");
    ground.write("a.env", "x\n");
    ground.git(["init", "--quiet", "nested.env"]);
    let (tree, carried) = carry_into_worktree(&ground, &["*.env", "notes.txt"]);
    assert_eq!(carried.copied, [Path::new("a.env")]);
    assert!(carried.skipped.contains(&(PathBuf::from("notes.txt"), SkipReason::NotIgnored)), "{carried:?}");
    assert_eq!(fs::read_to_string(tree.join("tracked.env")).unwrap(), "old\n");
    assert!(!tree.join("notes.txt").exists() && !tree.join("nested.env").exists());
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let ground = GitFixture::new();
    ground.write(".gitignore", "*.env\n");
    ground.commit("ignores");
    ground.write("a.env", "theirs\n");
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "a.env", "ours\n");
    let main = repository.open_worktree(&ground.top).unwrap();
    let carried = worktree.copy_ignored_from(&main, &["*.env".to_owned()]).unwrap();
    assert_eq!(carried.skipped, [(PathBuf::from("a.env"), SkipReason::Exists)]);
    assert_eq!(fs::read_to_string(worktree.top_level().join("a.env")).unwrap(), "ours\n");
}

#[test]
fn no_link_leads_out() {
    let ground = GitFixture::new();
    let outside = ground.beside("outside");
    write(&outside, "password", "p\n");
    ground.write(".gitignore", "*.env\nreal/\n");
    symlink(&outside, ground.top.join("way")).unwrap();
    ground.commit("a tracked link that leads out");
    symlink(outside.join("password"), ground.top.join("absolute.env")).unwrap();
    symlink("../outside/password", ground.top.join("relative.env")).unwrap();
    ground.write("target.env", "t\n");
    symlink("target.env", ground.top.join("inside.env")).unwrap();
    // Here `way` has become a folder; there it is still the link.
    fs::remove_file(ground.top.join("way")).unwrap();
    ground.write("way/new.env", "n\n");
    let (tree, carried) = carry_into_worktree(&ground, &["*.env"]);
    assert_eq!(carried.copied, ["inside.env", "target.env"].map(PathBuf::from));
    let skipped: Vec<&str> = carried.skipped.iter().filter_map(|(path, _)| path.to_str()).collect();
    assert_eq!(skipped, ["way/new.env", "absolute.env", "relative.env"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written out there");
    assert_eq!(fs::read_link(tree.join("inside.env")).unwrap(), Path::new("target.env"));
}

#[test]
fn patterns_are_checked() {
    let ground = GitFixture::new();
    let repository = ground.repository();
    let main = repository.open_worktree(&ground.top).unwrap();
    for glob in ["", "a\nb", "a\0b"] {
        let error = main.copy_ignored_from(&main, &[glob.to_owned()]).unwrap_err();
        assert!(matches!(&error, GitError::InvalidPattern { .. }), "{glob:?}: {error}");
    }
    assert_eq!(main.copy_ignored_from(&main, &["--version".to_owned()]).unwrap(), CopiedFiles::default());
}
