//! Tests that a salvage keeps every file: contents are compared before the removal and after the restore.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use orch_git::{CommitId, GitError, RefName, Repository, RestoredWorktree, Worktree};

use super::ground::{GitFixture, set_mode, tree_contents, write};

fn salvage_reference() -> RefName {
    RefName::new("refs/orch/salvage/run/key.1").unwrap()
}

/// Returns what git reports about a worktree: its head, its index and its changes.
fn git_view(fixture: &GitFixture, top: &Path) -> [String; 4] {
    [
        fixture.git_in(top, ["rev-parse", "HEAD"]),
        String::from_utf8_lossy(&fixture.try_git_in(top, ["symbolic-ref", "-q", "HEAD"]).stdout).into_owned(),
        fixture.git_in(top, ["ls-files", "-s", "-z"]),
        fixture.git_in(top, ["status", "--porcelain=v2", "-z", "--untracked-files=all"]),
    ]
}

/// Salvages and removes a worktree, restores it elsewhere, and asserts that nothing differs.
fn round_trip(
    fixture: &GitFixture,
    repository: &Repository,
    worktree: &Worktree<'_>,
) -> (CommitId, RestoredWorktree) {
    let top = worktree.top_level().to_owned();
    let before = (tree_contents(&top), git_view(fixture, &top));
    // The conflict of a merge in progress is salvaged, and the operation itself is not.
    let salvage = worktree.salvage_partly_to_ref(&salvage_reference(), "contents of key.1").unwrap();
    assert_eq!((tree_contents(&top), git_view(fixture, &top)), before, "salvage changes nothing");
    repository.remove_worktree(&salvage).unwrap();
    assert!(!top.exists());
    assert_eq!(repository.list_worktrees().unwrap().len(), 1);
    repository.remove_worktree(&salvage).unwrap();
    fixture.git(["gc", "--quiet", "--prune=now"]);
    let restored =
        repository.restore_salvage(&salvage.commit, &fixture.beside("restored"), "run/key@1").unwrap();
    let after = (tree_contents(&restored.path), git_view(fixture, &restored.path));
    assert_eq!(after, before);
    fixture.check_integrity();
    (salvage.commit, restored)
}

#[test]
fn changes_of_every_kind_are_restored() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.log\n");
    for path in
        ["deleted", "staged deleted", "became folder", "became link", "mode", "gone/only/file", "folder/x"]
    {
        fixture.write(path, format!("{path}\n"));
    }
    symlink("a.txt", fixture.top.join("link")).unwrap();
    fixture.commit("more");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    write(top, "committed", "in the attempt\n");
    fixture.commit_in(top, "work");
    write(top, "a.txt", "staged\n");
    fixture.git_in(top, ["add", "a.txt"]);
    write(top, "a.txt", "staged, then changed\n");
    write(top, "staged new", "n\n");
    fixture.git_in(top, ["add", "staged new"]);
    write(top, "staged, gone", "g\n");
    fixture.git_in(top, ["add", "staged, gone"]);
    fs::remove_file(top.join("staged, gone")).unwrap();
    fixture.git_in(top, ["rm", "--quiet", "--cached", "staged deleted"]);
    fs::remove_file(top.join("deleted")).unwrap();
    fs::remove_dir_all(top.join("gone")).unwrap();
    fs::remove_file(top.join("became folder")).unwrap();
    write(top, "became folder/deep/file", "f\n");
    fs::remove_file(top.join("became link")).unwrap();
    symlink("../somewhere/else", top.join("became link")).unwrap();
    fs::remove_file(top.join("link")).unwrap();
    write(top, "link", "a file now\n");
    fs::remove_dir_all(top.join("folder")).unwrap();
    symlink("gone", top.join("folder")).unwrap();
    set_mode(&top.join("mode"), 0o755);
    for name in
        [&b"two\nlines"[..], b"quote\"back\\slash", b"\xff\xfe not utf8", "größe".as_bytes(), b" space "]
    {
        write(top, Path::new(OsStr::from_bytes(name)), name);
        symlink(OsStr::from_bytes(name), top.join(OsStr::from_bytes(&[b"to ", name].concat()))).unwrap();
    }
    write(top, "binary", (0..=255).collect::<Vec<u8>>());
    write(top, "empty", "");
    write(top, "run", "#!/bin/sh\n");
    set_mode(&top.join("run"), 0o700);
    let (commit, restored) = round_trip(&fixture, &repository, &worktree);
    assert_eq!(restored.branch, Some(RefName::from_branch_name("orch/run/key.1").unwrap()));
    let subject = fixture.git(["show", "--no-patch", "--format=%s %P", commit.as_str()]);
    assert!(subject.starts_with("contents of key.1 "), "{subject}");
    assert_eq!(fixture.git(["show", &format!("{commit}:a.txt")]), "staged, then changed");
    assert_eq!(fixture.git(["show", &format!("{commit}^2:a.txt")]), "staged");
    assert_eq!(fixture.git(["show", &format!("{commit}^1:a.txt")]), "one");
}

#[test]
fn ignored_files_are_not_kept() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.log\n");
    fixture.commit("ignores");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "out.log", "x");
    fs::create_dir(worktree.top_level().join("empty")).unwrap();
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    assert_eq!(fixture.git(["ls-tree", "--name-only", salvage.commit.as_str()]), ".gitignore\na.txt");
    repository.remove_worktree(&salvage).unwrap();
}

#[test]
fn line_endings_and_keywords_are_restored_exactly() {
    for (attributes, autocrlf) in [
        ("*.txt text eol=crlf\n*.id ident\n", "false"),
        ("* text=auto\n*.bin -text\n", "true"),
        ("", "true"),
        ("", "input"),
        ("*.utf text working-tree-encoding=UTF-16LE\n", "false"),
    ] {
        let fixture = GitFixture::new();
        fixture.write(".gitattributes", attributes);
        for path in ["one.txt", "two.txt", "three.bin", "four.id", "five.utf"] {
            fixture.write(
                path,
                b"l\0i\0n\0e\0\n\0".map(|byte| if path == "five.utf" { byte } else { byte | 32 }),
            );
        }
        fixture.write("one.txt", "a\nb\n");
        fixture.write("two.txt", "a\nb\n");
        fixture.write("four.id", "$Id$\n");
        fixture.commit("files");
        fixture.git(["config", "core.autocrlf", autocrlf]);
        let repository = fixture.repository();
        let worktree = fixture.add_attempt_worktree(&repository, "key.1");
        let top = worktree.top_level();
        // With conversion, git sees no change, although the bytes differ.
        let flipped =
            if fs::read(top.join("one.txt")).unwrap() == b"a\r\nb\r\n" { "a\nb\n" } else { "a\r\nb\r\n" };
        write(top, "one.txt", flipped);
        write(top, "two.txt", "a\r\nmixed\n");
        write(top, "four.id", "$Id: something else $\n");
        write(top, "new.txt", "n\r\nn\n");
        round_trip_files(&fixture, &repository, &worktree, &format!("{attributes:?} {autocrlf}"));
    }
}

/// Like [`round_trip`], but without the status of git, which depends on timestamps.
fn round_trip_files(fixture: &GitFixture, repository: &Repository, worktree: &Worktree<'_>, what: &str) {
    let before = tree_contents(worktree.top_level());
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    repository.remove_worktree(&salvage).unwrap();
    let path = fixture.beside("restored");
    repository.restore_salvage(&salvage.commit, &path, "run/key@1").unwrap();
    assert_eq!(tree_contents(&path), before, "{what}");
}

#[test]
fn a_filtered_file_is_kept_by_content_if_changed_and_by_pointer_if_not() {
    let fixture = GitFixture::new();
    fixture.write(".gitattributes", "*.big filter=store\n");
    fixture.git(["config", "filter.store.clean", "sed s/large/pointer/"]);
    fixture.git(["config", "filter.store.smudge", "sed s/pointer/large/"]);
    fixture.write("same.big", "large same\n");
    fixture.write("changed.big", "large old\n");
    fixture.commit("large files");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    assert_eq!(fs::read_to_string(worktree.top_level().join("same.big")).unwrap(), "large same\n");
    write(worktree.top_level(), "changed.big", "large new\n");
    write(worktree.top_level(), "new.big", "large and pointer\n");
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    let kept = |path: &str| fixture.git(["cat-file", "blob", &format!("{}:{path}", salvage.commit)]);
    assert_eq!((kept("same.big"), kept("changed.big")), ("pointer same".into(), "large new".into()));
    round_trip_files(&fixture, &repository, &worktree, "filter");
}

#[test]
fn files_hidden_from_git_are_salvaged() {
    let fixture = GitFixture::new();
    for path in ["assumed", "assumed gone", "skipped", "skipped gone"] {
        fixture.write(path, "old\n");
    }
    fixture.commit("files");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    fixture.git_in(top, ["update-index", "--assume-unchanged", "assumed", "assumed gone"]);
    fixture.git_in(top, ["update-index", "--skip-worktree", "skipped", "skipped gone"]);
    write(top, "assumed", "new\n");
    write(top, "skipped", "new\n");
    fs::remove_file(top.join("assumed gone")).unwrap();
    fixture.git_in(top, ["config", "core.fileMode", "false"]);
    set_mode(&top.join("a.txt"), 0o755);
    assert!(worktree.read_status().unwrap().is_clean(), "git reports no change");
    round_trip_files(&fixture, &repository, &worktree, "hidden files");
}

#[test]
fn conflict_stages_are_restored() {
    let fixture = GitFixture::new();
    fixture.write("kept.txt", "k\n");
    fixture.commit("more");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.write("a.txt", "main\n");
    fs::remove_file(fixture.top.join("kept.txt")).unwrap();
    fixture.commit("main");
    write(worktree.top_level(), "a.txt", "side\n");
    write(worktree.top_level(), "kept.txt", "changed\n");
    fixture.commit_in(worktree.top_level(), "side");
    assert!(!fixture.try_git_in(worktree.top_level(), ["merge", "main"]).status.success());
    assert_eq!(worktree.operation_in_progress(), Some("merge"));
    let (commit, _) = round_trip(&fixture, &repository, &worktree);
    let parents = fixture.git(["show", "--no-patch", "--format=%P", commit.as_str()]);
    assert_eq!(parents.split(' ').count(), 3);
}

#[test]
fn a_branch_without_commits_is_restored() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.git_in(worktree.top_level(), ["checkout", "--quiet", "--orphan", "fresh"]);
    write(worktree.top_level(), "new.txt", "n\n");
    let before = tree_contents(worktree.top_level());
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    assert_eq!(salvage.head(), None);
    repository.remove_worktree(&salvage).unwrap();
    let restored =
        repository.restore_salvage(&salvage.commit, &fixture.beside("restored"), "run/key@1").unwrap();
    assert_eq!((restored.commit, restored.branch), (None, Some(RefName::from_branch_name("fresh").unwrap())));
    assert_eq!(tree_contents(&restored.path), before);
    assert_eq!(repository.read_ref(&RefName::from_branch_name("fresh").unwrap()).unwrap(), None);
}

#[test]
fn a_branch_that_moved_is_left_unchanged() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let at = fixture.head();
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    repository.remove_worktree(&salvage).unwrap();
    let branch = RefName::from_branch_name("orch/run/key.1").unwrap();
    let next = fixture.commit("next");
    repository.compare_and_swap(&branch, &next, &at).unwrap();
    let restored = repository.restore_salvage(&salvage.commit, &fixture.beside("restored"), "r").unwrap();
    assert_eq!((restored.commit.as_ref(), restored.branch), (Some(&at), None));
    assert_eq!(repository.read_ref(&branch).unwrap(), Some(next.clone()));
    // A deleted branch is created again; one that is checked out elsewhere is left there.
    repository.delete_ref(&branch, &next).unwrap();
    let again = repository.restore_salvage(&salvage.commit, &fixture.beside("again"), "r").unwrap();
    assert_eq!((again.branch.as_ref(), repository.read_ref(&branch).unwrap()), (Some(&branch), Some(at)));
    let third = repository.restore_salvage(&salvage.commit, &fixture.beside("third"), "r").unwrap();
    assert_eq!(third.branch, None);
}

#[test]
fn salvaging_again_writes_only_changes() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "new.txt", "1\n");
    let first = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    assert_eq!(worktree.salvage_to_ref(&salvage_reference(), "x").unwrap().commit, first.commit);
    write(worktree.top_level(), "new.txt", "2\n");
    let error = repository.remove_worktree(&first).unwrap_err();
    assert!(matches!(&error, GitError::ChangedSinceSalvage { .. }), "{error}");
    assert_eq!(fs::read_to_string(worktree.top_level().join("new.txt")).unwrap(), "2\n");
    let second = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    assert_ne!(second.commit, first.commit);
    assert!(repository.is_ancestor(&first.commit, &second.commit).unwrap(), "the first salvage is kept");
    repository.remove_worktree(&second).unwrap();
    let old = repository.restore_salvage(&first.commit, &fixture.beside("old"), "r").unwrap();
    assert_eq!(fs::read_to_string(old.path.join("new.txt")).unwrap(), "1\n");
}

#[test]
fn only_salvages_are_restored_and_only_to_available_paths() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let error = repository.restore_salvage(&fixture.head(), &fixture.beside("x"), "r").unwrap_err();
    assert!(matches!(&error, GitError::NotASalvage { .. }), "{error}");
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    for taken in [worktree.top_level(), &fixture.top] {
        let error = repository.restore_salvage(&salvage.commit, taken, "r").unwrap_err();
        assert!(matches!(&error, GitError::PathTaken { .. }), "{error}");
    }
    let main = repository.open_worktree(&fixture.top).unwrap();
    let main = main.salvage_to_ref(&RefName::new("refs/orch/salvage/main").unwrap(), "x").unwrap();
    assert!(matches!(repository.remove_worktree(&main), Err(GitError::MainWorktree { .. })));
    assert!(fixture.top.join("a.txt").exists());
}

#[test]
fn large_files_are_restored_without_buffering() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let block: Vec<u8> =
        (0..1 << 20).map(|number: u32| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    write(worktree.top_level(), "large", block.repeat(20));
    for number in 0..12 {
        write(worktree.top_level(), format!("medium {number}"), block.repeat(2));
    }
    round_trip(&fixture, &repository, &worktree);
}

mod random {
    //! Any sequence of changes, staged or not, is restored.

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum FileStep {
        Write(usize, Vec<u8>),
        Mode(usize, bool),
        Link(usize, usize),
        Remove(usize),
        Stage(usize),
        StageAll,
        Unstage(usize),
        Commit,
    }

    /// Paths, some of which are files where others are folders.
    const PATHS: [&str; 8] = ["a.txt", "b", "b/c", "b/c/d", "e\nf", "g h", "i/j", "ö"];

    fn any_step() -> impl Strategy<Value = FileStep> {
        let path = 0..PATHS.len();
        prop_oneof![
            4 => (path.clone(), proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..8))
                .prop_map(|(path, content)| FileStep::Write(path, content)),
            1 => (path.clone(), any::<bool>()).prop_map(|(path, executable)| FileStep::Mode(path, executable)),
            1 => (path.clone(), path.clone()).prop_map(|(path, target)| FileStep::Link(path, target)),
            2 => path.clone().prop_map(FileStep::Remove),
            2 => path.clone().prop_map(FileStep::Stage),
            1 => Just(FileStep::StageAll),
            1 => path.prop_map(FileStep::Unstage),
            1 => Just(FileStep::Commit),
        ]
    }

    /// Performs a step as far as possible.
    fn apply_step(fixture: &GitFixture, top: &Path, step: &FileStep) {
        let full = |path: &usize| top.join(PATHS[*path]);
        let clear = |path: &PathBuf| {
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir_all(path);
        };
        let git = |words: &[&str]| drop(fixture.try_git_in(top, words));
        match step {
            FileStep::Write(path, content) => {
                let path = full(path);
                // A file may occupy the path of the folder.
                let folder = path.parent().unwrap();
                if !folder.is_dir() {
                    clear(&folder.to_owned());
                }
                if fs::create_dir_all(folder).is_ok() {
                    clear(&path);
                    fs::write(path, content).unwrap();
                }
            }
            FileStep::Mode(path, executable) if full(path).is_file() && !full(path).is_symlink() => {
                set_mode(&full(path), if *executable { 0o755 } else { 0o644 });
            }
            FileStep::Link(path, target) if full(path).parent().unwrap().is_dir() => {
                clear(&full(path));
                symlink(PATHS[*target], full(path)).unwrap();
            }
            FileStep::Mode(..) | FileStep::Link(..) => {}
            FileStep::Remove(path) => clear(&full(path)),
            FileStep::Stage(path) => git(&["add", "--all", "--", PATHS[*path]]),
            FileStep::StageAll => git(&["add", "--all"]),
            FileStep::Unstage(path) => git(&["rm", "--cached", "--quiet", "-r", "--", PATHS[*path]]),
            FileStep::Commit => git(&["commit", "--quiet", "-m", "work"]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn any_changes_come_back(steps in proptest::collection::vec(any_step(), 0..12)) {
            let fixture = GitFixture::new();
            let repository = fixture.repository();
            let worktree = fixture.add_attempt_worktree(&repository, "key.1");
            for step in &steps {
                apply_step(&fixture, worktree.top_level(), step);
            }
            round_trip(&fixture, &repository, &worktree);
        }
    }
}
