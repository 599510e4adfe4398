//! The whole suite on SQLite.

use orch_store::{Location, Store};

use crate::Open;

/// Runs an exercise on a new store.
fn run(exercise: fn(Open<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("orch.db"));
    assert!(Store::create(&location, false).unwrap());
    exercise(&|| Store::open(&location, false).unwrap());
}

#[test]
fn agent() {
    run(crate::agent::exercise);
}

#[test]
fn attempt() {
    run(crate::attempt::exercise);
}

#[test]
fn dependency() {
    run(crate::dependency::exercise);
}

#[test]
fn event() {
    run(crate::event::exercise);
}

#[test]
fn lease_token() {
    run(crate::lease_token::exercise);
}

#[test]
fn message() {
    run(crate::message::exercise);
}

#[test]
fn request() {
    run(crate::request::exercise);
}

#[test]
fn run_table() {
    run(crate::run::exercise);
}

#[test]
fn task() {
    run(crate::task::exercise);
}

#[test]
fn thread() {
    run(crate::thread::exercise);
}

#[test]
fn transaction() {
    run(crate::transaction::exercise);
}

#[test]
fn worker() {
    run(crate::worker::exercise);
}

#[test]
fn worktree() {
    run(crate::worktree::exercise);
}
