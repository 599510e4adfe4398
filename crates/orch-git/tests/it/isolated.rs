//! Tests of isolated checkouts: whatever happened in them or in the repository, each use begins with the commit alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use orch_git::{CommitId, IsolatedCheckout, Repository, WrittenFiles};

use super::ground::{GitFixture, set_mode, tree_contents, write};

fn open_checkout<'r>(repository: &'r Repository, fixture: &GitFixture) -> IsolatedCheckout<'r> {
    let settings = fixture.beside("settings");
    repository.save_checkout_settings(&settings).unwrap();
    repository.try_isolated_checkout(&fixture.beside("check"), &settings).unwrap().unwrap()
}

/// What a checkout holds besides its git folder.
fn files_of(top: &Path) -> Vec<(String, String)> {
    let mut contents: Vec<_> = tree_contents(top)
        .into_iter()
        .map(|(path, content)| (path.to_string_lossy().into_owned(), format!("{content:?}")))
        .filter(|(path, _)| path != ".git" && !path.starts_with(".git/"))
        .collect();
    contents.sort();
    contents
}

fn check_out_alone(checkout: &IsolatedCheckout<'_>, commit: &CommitId) {
    checkout.check_out(commit, &WrittenFiles::default(), &[]).unwrap();
}

#[test]
fn nothing_that_a_use_left_reaches_the_next() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "*.ign\n");
    for path in ["same", "mode", "deep/er/file", "file", "folder/x"] {
        fixture.write(path, format!("{path}\n"));
    }
    symlink("same", fixture.top.join("link")).unwrap();
    let commit = fixture.commit("base");
    let repository = fixture.repository();
    let checkout = open_checkout(&repository, &fixture);
    check_out_alone(&checkout, &commit);
    let top = checkout.top_level().to_owned();
    let fresh = files_of(&top);
    assert_eq!(fixture.git_in(&top, ["status", "--porcelain", "--ignored"]), "");
    assert_eq!(fixture.head_in(&top), commit);

    let times = fs::metadata(top.join("same")).unwrap().modified().unwrap();
    fs::write(top.join("same"), "SAME\n").unwrap();
    fs::File::open(top.join("same")).unwrap().set_modified(times).unwrap();
    set_mode(&top.join("mode"), 0o755);
    write(&top, "new.ign", "x");
    write(&top, "build/deep/object", "x");
    fs::remove_dir_all(top.join("deep")).unwrap();
    symlink("/tmp", top.join("deep")).unwrap();
    fs::remove_file(top.join("file")).unwrap();
    write(&top, "file/y", "x");
    fs::remove_dir_all(top.join("folder")).unwrap();
    fs::write(top.join("folder"), "x").unwrap();
    fs::remove_file(top.join("link")).unwrap();
    fixture.git_in(&top, ["init", "--quiet", "nested"]);
    fixture.git_in(&top, ["update-index", "--skip-worktree", "mode"]);
    fixture.git_in(&top, ["config", "core.hooksPath", "here"]);
    fixture.git_in(&top, ["branch", "left"]);
    fs::write(top.join(".git/marker"), "x").unwrap();
    set_mode(&top.join("build"), 0o500);

    check_out_alone(&checkout, &commit);
    assert_eq!(files_of(&top), fresh);
    assert_eq!(fixture.git_in(&top, ["status", "--porcelain", "--ignored"]), "");
    assert!(!top.join(".git/marker").exists());
    assert_eq!(fixture.git_in(&top, ["for-each-ref", "refs/heads/left"]), "");
    assert_eq!(fixture.git_in(&top, ["config", "core.hooksPath"]), "/dev/null");
}

#[test]
fn what_a_worker_sets_in_the_repository_does_not_reach_it() {
    let fixture = GitFixture::new();
    fixture.write("lib", "1\n");
    let commit = fixture.commit("base");
    let repository = fixture.repository();
    let checkout = open_checkout(&repository, &fixture);
    fixture.git(["config", "filter.wrong.smudge", "sed s/1/0/"]);
    fixture.git(["config", "core.sparseCheckout", "true"]);
    fs::create_dir_all(fixture.top.join(".git/info")).unwrap();
    fs::write(fixture.top.join(".git/info/attributes"), "lib filter=wrong\n").unwrap();
    fs::write(fixture.top.join(".git/info/sparse-checkout"), "/nothing\n").unwrap();
    fs::write(fixture.top.join(".git/info/exclude"), "*\n").unwrap();
    check_out_alone(&checkout, &commit);
    let top = checkout.top_level();
    assert_eq!(fs::read_to_string(top.join("lib")).unwrap(), "1\n");
    write(top, "new", "x");
    assert_eq!(fixture.git_in(top, ["status", "--porcelain"]), "?? new");
}

#[test]
fn what_was_recorded_stays_and_what_matches_is_kept() {
    let fixture = GitFixture::new();
    fixture.write("a/tracked", "1\n");
    fixture.write("lock", "1\n");
    let commit = fixture.commit("base");
    let repository = fixture.repository();
    let checkout = open_checkout(&repository, &fixture);
    check_out_alone(&checkout, &commit);
    let top = checkout.top_level().to_owned();
    let patterns = ["target/".to_owned()];
    write(&top, "modules/deep/m", "setup");
    write(&top, "a/generated", "setup");
    write(&top, "lock", "changed by the setup");
    write(&top, "target/warm", "cache");
    assert_eq!(checkout.restore_files(&commit, None).unwrap(), [Path::new("lock")]);
    assert_eq!(fs::read_to_string(top.join("lock")).unwrap(), "1\n");
    let written = checkout.record_written(&commit, &patterns).unwrap();
    checkout.save_record("key", &written).unwrap();
    assert_eq!(checkout.load_record(), Some(("key".to_owned(), written.clone())));
    assert_eq!(written.find_change(&top), None);

    write(&top, "modules/deep/cache", "left");
    write(&top, "left/x", "left");
    write(&top, "sub/target/x", "cache");
    fixture.write("a/tracked", "2\n");
    let next = fixture.commit("next");
    checkout.check_out(&next, &written, &patterns).unwrap();
    assert_eq!(written.find_change(&top), None);
    for (path, exists) in [
        ("modules/deep/m", true),
        ("a/generated", true),
        ("target/warm", true),
        ("sub/target/x", true),
        ("modules/deep/cache", false),
        ("left", false),
    ] {
        assert_eq!(top.join(path).exists(), exists, "{path}");
    }
    assert_eq!(fs::read_to_string(top.join("a/tracked")).unwrap(), "2\n");
    checkout.discard_content().unwrap();
    assert!(checkout.load_record().is_none() && !top.join("target").exists());
}

#[test]
fn it_has_one_user_at_a_time() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let checkout = open_checkout(&repository, &fixture);
    let again =
        || repository.try_isolated_checkout(&fixture.beside("check"), &fixture.beside("settings")).unwrap();
    assert!(again().is_none());
    checkout.delete().unwrap();
    assert!(!fixture.beside("check").exists());
    assert!(again().is_some());
}

#[test]
fn files_of_a_setup_are_not_work() {
    let fixture = GitFixture::new();
    fixture.write("lock", "1\n");
    fixture.write("other", "1\n");
    fs::write(fixture.beside("ignored by the user"), "*.mine\n").unwrap();
    fixture.commit("base");
    fixture.git(["config", "core.excludesFile", fixture.beside("ignored by the user").to_str().unwrap()]);
    let (repository, base) = (fixture.repository(), fixture.head());
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level().to_owned();
    for (path, content) in [("stamp", "built"), ("gen/[a] b", "x"), ("lock", "2"), (".env", "copied")] {
        write(&top, path, content);
    }
    let only_other = ["other".to_owned()];
    assert!(worktree.restore_tracked_files(&base, Some(&only_other)).is_err());
    let only_lock = ["lock".to_owned()];
    assert_eq!(worktree.restore_tracked_files(&base, Some(&only_lock)).unwrap(), [Path::new("lock")]);
    worktree.exclude_untracked_files(&[".env".into()]).unwrap();
    write(&top, "note.mine", "x");
    assert_eq!(fixture.git_in(&top, ["status", "--porcelain"]), "");
    assert_eq!(fixture.git(["status", "--porcelain"]), "", "the main worktree is as it was");

    write(&top, "gen/work", "work");
    fixture.git_in(&top, ["add", "--all"]);
    fixture.commit_in(&top, "work");
    let head = fixture.head_in(&top);
    assert_eq!(fixture.git_in(&top, ["show", "--name-only", "--format="]), "gen/work");
    assert!(worktree.find_excluded_in(&base, &head).unwrap().is_empty());

    fixture.git_in(&top, ["add", "--force", "stamp", ".env"]);
    write(&top, "gen/[a] b", "changed: this is work");
    fixture.git_in(&top, ["add", "--force", "gen"]);
    fixture.commit_in(&top, "by force");
    let head = fixture.head_in(&top);
    assert_eq!(worktree.find_excluded_in(&base, &head).unwrap(), [Path::new(".env"), Path::new("stamp")]);
    worktree.forget_excluded_files().unwrap();
    assert!(worktree.find_excluded_in(&base, &head).unwrap().is_empty());
}
