//! Tests of copying ignored files between worktrees.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use orch_git::{CopiedFiles, GitError, SkipReason};

use super::ground::{GitFixture, set_mode, write};

/// Copies ignored files from the main worktree into a new one.
fn copy_into_worktree(fixture: &GitFixture, globs: &[&str]) -> (PathBuf, CopiedFiles) {
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let main = repository.open_worktree(&fixture.top).unwrap();
    let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
    let carried = worktree.copy_ignored_from(&main, &globs).unwrap();
    assert!(worktree.read_status().unwrap().is_clean(), "{:?}", worktree.read_status().unwrap().dirty);
    (worktree.top_level().to_owned(), carried)
}

#[test]
fn ignored_files_are_selected_by_patterns_and_by_the_include_file() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", ".env*\n/secret/\nbuild/\n");
    fixture.write(".worktreeinclude", "# comments are allowed\n/secret/*\n!/secret/not-this\n");
    fixture.commit("ignores");
    fixture.write(".env", "A=1\n");
    fixture.write("sub/.env.local", "B=2\n");
    fixture.write("secret/key", "k\n");
    fixture.write("secret/not-this", "n\n");
    fixture.write("build/out", "o\n");
    set_mode(&fixture.top.join("secret/key"), 0o700);
    let (tree, carried) = copy_into_worktree(&fixture, &[".env*"]);
    let expected = [".env", "secret/key", "sub/.env.local"].map(PathBuf::from);
    assert_eq!((carried.copied.as_slice(), carried.skipped.as_slice()), (&expected[..], &[][..]));
    assert_eq!(fs::read_to_string(tree.join("sub/.env.local")).unwrap(), "B=2\n");
    assert_eq!(fs::metadata(tree.join("secret/key")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!tree.join("build").exists() && !tree.join("secret/not-this").exists());
}

#[test]
fn without_patterns_nothing_is_copied() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", ".env\n");
    fixture.commit("ignores");
    fixture.write(".env", "A=1\n");
    assert_eq!(copy_into_worktree(&fixture, &[]).1, CopiedFiles::default());
}

#[test]
fn tracked_and_unignored_files_are_not_copied() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.env\n");
    fixture.write("tracked.env", "old\n");
    fixture.git(["add", "--force", "tracked.env"]);
    fixture.commit("ignores");
    fixture.write("tracked.env", "changed\n");
    fixture.write("notes.txt", "untracked, not ignored\n");
    fixture.write("a.env", "x\n");
    fixture.git(["init", "--quiet", "nested.env"]);
    let (tree, carried) = copy_into_worktree(&fixture, &["*.env", "notes.txt"]);
    assert_eq!(carried.copied, [Path::new("a.env")]);
    assert!(carried.skipped.contains(&(PathBuf::from("notes.txt"), SkipReason::NotIgnored)), "{carried:?}");
    assert_eq!(fs::read_to_string(tree.join("tracked.env")).unwrap(), "old\n");
    assert!(!tree.join("notes.txt").exists() && !tree.join("nested.env").exists());
}

#[test]
fn existing_files_are_not_overwritten() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.env\n");
    fixture.commit("ignores");
    fixture.write("a.env", "theirs\n");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "a.env", "ours\n");
    let main = repository.open_worktree(&fixture.top).unwrap();
    let carried = worktree.copy_ignored_from(&main, &["*.env".to_owned()]).unwrap();
    assert_eq!(carried.skipped, [(PathBuf::from("a.env"), SkipReason::Exists)]);
    assert_eq!(fs::read_to_string(worktree.top_level().join("a.env")).unwrap(), "ours\n");
}

#[test]
fn links_out_of_the_worktree_are_not_copied() {
    let fixture = GitFixture::new();
    let outside = fixture.beside("outside");
    write(&outside, "password", "p\n");
    fixture.write(".gitignore", "*.env\nreal/\n");
    symlink(&outside, fixture.top.join("way")).unwrap();
    fixture.commit("a tracked link that leads out");
    symlink(outside.join("password"), fixture.top.join("absolute.env")).unwrap();
    symlink("../outside/password", fixture.top.join("relative.env")).unwrap();
    fixture.write("target.env", "t\n");
    symlink("target.env", fixture.top.join("inside.env")).unwrap();
    // In the main worktree `way` is now a folder; in the other one it is still the link.
    fs::remove_file(fixture.top.join("way")).unwrap();
    fixture.write("way/new.env", "n\n");
    let (tree, carried) = copy_into_worktree(&fixture, &["*.env"]);
    assert_eq!(carried.copied, ["inside.env", "target.env"].map(PathBuf::from));
    let skipped: Vec<&str> = carried.skipped.iter().filter_map(|(path, _)| path.to_str()).collect();
    assert_eq!(skipped, ["way/new.env", "absolute.env", "relative.env"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "nothing was written outside");
    assert_eq!(fs::read_link(tree.join("inside.env")).unwrap(), Path::new("target.env"));
}

#[test]
fn invalid_patterns_are_rejected() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let main = repository.open_worktree(&fixture.top).unwrap();
    for glob in ["", "a\nb", "a\0b"] {
        let error = main.copy_ignored_from(&main, &[glob.to_owned()]).unwrap_err();
        assert!(matches!(&error, GitError::InvalidPattern { .. }), "{glob:?}: {error}");
    }
    assert_eq!(main.copy_ignored_from(&main, &["--version".to_owned()]).unwrap(), CopiedFiles::default());
}
