//! Tests of differences between two commits.

use std::path::{Path, PathBuf};

use orch_git::{CommitId, DiffStyle, GitError, LineCount};

use super::ground::{GitFixture, set_mode, write};

#[test]
fn files_and_lines_are_counted() {
    let fixture = GitFixture::new();
    fixture.write("old name", "1\n2\n3\n4\n5\n");
    fixture.write("same", "same\n");
    let base = fixture.commit("base");
    fixture.write("a.txt", "one\ntwo\n");
    fixture.write("pic", [0, 1, 2, 0]);
    fixture.write("two\nlines\tand a tab", "x\n");
    fixture.git(["mv", "old name", "new name"]);
    set_mode(&fixture.top.join("same"), 0o755);
    let head = fixture.commit("head");
    let repository = fixture.repository();
    let changes = repository.diff_stat(&base, &head).unwrap();
    let expected = [
        ("a.txt", Some((1, 0))),
        ("new name", Some((5, 0))),
        ("old name", Some((0, 5))),
        ("pic", None),
        ("same", Some((0, 0))),
        ("two\nlines\tand a tab", Some((1, 0))),
    ];
    let expected = expected.map(|(path, lines)| {
        (PathBuf::from(path), lines.map(|(added, removed)| LineCount { added, removed }))
    });
    let read: Vec<_> = changes.into_iter().map(|change| (change.path, change.lines)).collect();
    assert_eq!(read, expected);
    assert_eq!(repository.changed_paths(&base, &head).unwrap(), expected.map(|(path, _)| path));
    assert_eq!(repository.diff_stat(&base, &base).unwrap(), []);
}

#[test]
fn patterns_have_the_syntax_of_gitignore() {
    let fixture = GitFixture::new();
    let base = fixture.head();
    for path in [
        "Cargo.lock",
        "sub/Cargo.lock",
        "tests/a.rs",
        "sub/tests/b.rs",
        "src/c.rs",
        "src/deep/d.rs",
        "tests.txt",
    ] {
        fixture.write(path, "x\n");
    }
    let head = fixture.commit("head");
    let repository = fixture.repository();
    let matched = |globs: &[&str]| -> Vec<String> {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let paths = repository.changed_paths_matching(&base, &head, &globs).unwrap();
        paths.into_iter().map(|path| path.into_os_string().into_string().unwrap()).collect()
    };
    for (globs, expected) in [
        (&[][..], &[][..]),
        (&["Cargo.lock"], &["Cargo.lock", "sub/Cargo.lock"]),
        (&["/Cargo.lock"], &["Cargo.lock"]),
        (&["*.lock", "src/*.rs"], &["Cargo.lock", "src/c.rs", "sub/Cargo.lock"]),
        (&["tests"], &["sub/tests/b.rs", "tests/a.rs"]),
        (&["tests/"], &["sub/tests/b.rs", "tests/a.rs"]),
        (&["/tests/"], &["tests/a.rs"]),
        (&["src/**"], &["src/c.rs", "src/deep/d.rs"]),
        (&["**/d.rs"], &["src/deep/d.rs"]),
        (&["src/*/d.rs"], &["src/deep/d.rs"]),
        (&["a.txt", "nothing"], &[]),
        (&["[CX]argo.lock"], &["Cargo.lock", "sub/Cargo.lock"]),
        (&[":(exclude)*"], &[]),
        (&["--output=x"], &[]),
    ] {
        assert_eq!(matched(globs), expected, "{globs:?}");
    }
    for glob in ["", "/", "!a"] {
        let error = repository.changed_paths_matching(&base, &head, &[glob.to_owned()]).unwrap_err();
        assert!(matches!(&error, GitError::InvalidPattern { .. }), "{glob:?}: {error}");
    }
}

#[test]
fn a_file_moved_out_of_a_protected_folder_is_listed() {
    let fixture = GitFixture::new();
    fixture.write("tests/a.rs", "1\n2\n3\n");
    let base = fixture.commit("base");
    fixture.write("aside/.keep", "");
    fixture.git(["mv", "tests/a.rs", "aside/a.rs"]);
    let head = fixture.commit("moved");
    let matched = fixture.repository().changed_paths_matching(&base, &head, &["tests/".to_owned()]).unwrap();
    assert_eq!(matched, [Path::new("tests/a.rs")]);
}

#[test]
fn the_text_is_the_output_of_git_and_bounded() {
    let fixture = GitFixture::new();
    let base = fixture.head();
    fixture.write("a.txt", "two\n");
    fixture.write("long.txt", "x\n".repeat(10_000));
    let head = fixture.commit("head");
    // The user's external diff program is not run.
    fixture.git(["config", "diff.external", "false"]);
    fixture.git(["config", "color.ui", "always"]);
    let repository = fixture.repository();
    let show = |style, bytes_max| repository.diff_text(&base, &head, style, bytes_max).unwrap();
    let patch = show(DiffStyle::Patch, 1 << 20);
    let text = String::from_utf8(patch.bytes).unwrap();
    assert!(
        text.starts_with("diff --git a/a.txt b/a.txt\n") && text.contains("\n-one\n+two\n"),
        "{text:.200}"
    );
    assert!(!patch.is_cut && !text.contains('\x1b'));
    let cut = show(DiffStyle::Patch, 100);
    assert_eq!((cut.bytes.len(), cut.is_cut), (100, true));
    assert!(text.as_bytes().starts_with(&cut.bytes));
    let stat = String::from_utf8(show(DiffStyle::Stat, 1 << 20).bytes).unwrap();
    assert!(stat.ends_with(" 2 files changed, 10001 insertions(+), 1 deletion(-)\n"), "{stat}");
}

/// What an attempt merged is not its own change; what it adds to that, or undoes of it, is.
#[test]
fn own_changes_are_told_from_those_of_others() {
    let fixture = GitFixture::new();
    for path in ["t/a", "t/b", "t/c", "src"] {
        fixture.write(path, "1\n");
    }
    let base = fixture.commit("base");
    let repository = fixture.repository();
    let work = fixture.add_attempt_worktree(&repository, "key.1").top_level().to_owned();
    fixture.write("t/a", "2\n");
    fixture.write("t/new", "1\n");
    let other = fixture.commit("others change and add protected files");
    let globs = ["t/**".to_owned()];
    let own = |other: &CommitId| {
        let head = fixture.head_in(&work);
        let found = repository.own_changes_matching(&base, &head, other, &globs).unwrap();
        found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
    };
    write(&work, "src", "2\n");
    fixture.commit_in(&work, "work");
    assert_eq!(own(&other), [""; 0]);
    fixture.git_in(&work, ["merge", "--quiet", "--no-edit", other.as_str()]);
    assert_eq!(own(&other), [""; 0]);
    assert_eq!(own(&base), ["t/a", "t/new"], "no other commit has them");
    write(&work, "t/b", "2\n");
    fixture.commit_in(&work, "a change of its own");
    assert_eq!(own(&other), ["t/b"]);
    write(&work, "t/b", "1\n");
    write(&work, "t/a", "1\n");
    std::fs::remove_file(work.join("t/new")).unwrap();
    fixture.commit_in(&work, "undoes what the others did");
    assert_eq!(own(&other), ["t/a", "t/new"]);
}
