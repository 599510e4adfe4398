//! References that a power loss took or damaged.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use orch_git::{CommitId, RefCondition, RefName};

use crate::ground::GitFixture;

fn main_of_run() -> RefName {
    RefName::new("refs/heads/orch/r/main").unwrap()
}

/// Empties the file of an object, as a power loss does.
fn empty_object(fixture: &GitFixture, commit: &CommitId) {
    let (folder, name) = commit.as_str().split_at(2);
    let path = fixture.top.join(".git/objects").join(folder).join(name);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
}

#[test]
fn a_damaged_reference_is_put_back() {
    type DamageFunction = fn(&GitFixture, PathBuf, &CommitId);
    let damages: [(&str, DamageFunction); 5] = [
        ("missing", |_, file, _| fs::remove_file(file).unwrap()),
        ("empty", |_, file, _| fs::write(file, "").unwrap()),
        ("nothing but zeros", |_, file, _| fs::write(file, [0; 41]).unwrap()),
        ("missing object", |_, file, _| fs::write(file, format!("{}\n", "1".repeat(40))).unwrap()),
        ("empty object", |fixture, _, tip| empty_object(fixture, tip)),
    ];
    for (name, damage) in damages {
        for is_packed in [false, true] {
            let fixture = GitFixture::new();
            let (repository, base) = (fixture.repository(), fixture.head());
            let reference = main_of_run();
            repository.create_ref(&reference, &base).unwrap();
            if is_packed {
                fixture.git(["pack-refs", "--all"]);
            }
            let tip = fixture.commit("second");
            let lost = fixture.commit("lost");
            repository.compare_and_swap(&reference, &lost, &base).unwrap();
            damage(&fixture, fixture.top.join(".git").join(reference.as_str()), &lost);
            let found = repository.restore_ref(&reference, &tip).unwrap();
            if is_packed && name == "missing" {
                assert_eq!(found, RefCondition::Sound(base), "the older value is what others may have set");
                continue;
            }
            assert!(!matches!(found, RefCondition::Sound(_)), "{name}");
            assert_eq!(
                repository.inspect_ref(&reference).unwrap(),
                RefCondition::Sound(tip.clone()),
                "{name}"
            );
            assert_eq!(repository.read_ref(&reference).unwrap(), Some(tip), "{name}");
        }
    }
}

#[test]
fn a_sound_reference_stays() {
    let fixture = GitFixture::new();
    let (repository, first) = (fixture.repository(), fixture.head());
    let second = fixture.commit("second");
    repository.create_ref(&main_of_run(), &first).unwrap();
    assert_eq!(repository.restore_ref(&main_of_run(), &second).unwrap(), RefCondition::Sound(first.clone()));
    assert_eq!(repository.read_ref(&main_of_run()).unwrap(), Some(first));
}

#[test]
fn missing_commits_are_found_among_others() {
    let fixture = GitFixture::new();
    let (repository, first) = (fixture.repository(), fixture.head());
    let empty = fixture.commit("its object is lost");
    let missing = CommitId::parse(&"1".repeat(40)).unwrap();
    let all = BTreeSet::from([first.clone(), missing.clone()]);
    assert_eq!(repository.find_missing_commits(&all).unwrap(), std::slice::from_ref(&missing));
    empty_object(&fixture, &empty);
    let all = BTreeSet::from([first, missing.clone(), empty.clone()]);
    let found: BTreeSet<CommitId> = repository.find_missing_commits(&all).unwrap().into_iter().collect();
    assert_eq!(found, BTreeSet::from([missing, empty.clone()]));
    fs::create_dir_all(fixture.top.join(".git/refs/orch/kept")).unwrap();
    fs::write(fixture.top.join(".git/refs/orch/kept/x"), format!("{empty}\n")).unwrap();
    let named = repository.list_named_objects(&["refs/orch/".to_owned()]).unwrap();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), [("refs/orch/kept/x".to_owned(), empty)]);
}
