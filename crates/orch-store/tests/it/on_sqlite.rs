//! The whole suite on SQLite.

use orch_store::{Store, StoreLocation, StoreOptions};

use crate::StoreOpener;

/// Runs an exercise on a new store.
fn run_on_sqlite(exercise: fn(StoreOpener<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("orch.db"));
    assert!(Store::create(&location, StoreOptions::default()).unwrap());
    exercise(&|| Store::open(&location, StoreOptions::default()).unwrap());
}

#[test]
fn agent() {
    run_on_sqlite(crate::agent::check_conformance);
}

#[test]
fn attempt() {
    run_on_sqlite(crate::attempt::check_conformance);
}

#[test]
fn batches() {
    run_on_sqlite(crate::batches::check_conformance);
}

#[test]
fn dependency() {
    run_on_sqlite(crate::dependency::check_conformance);
}

#[test]
fn event() {
    run_on_sqlite(crate::event::check_conformance);
}

#[test]
fn attic() {
    run_on_sqlite(crate::attic::check_conformance);
}

#[test]
fn lease_token() {
    run_on_sqlite(crate::lease_token::check_conformance);
}

#[test]
fn message() {
    run_on_sqlite(crate::message::check_conformance);
}

#[test]
fn removal_of_runs() {
    run_on_sqlite(crate::removal::check_conformance);
}

#[test]
fn request() {
    run_on_sqlite(crate::request::check_conformance);
}

#[test]
fn run_table() {
    run_on_sqlite(crate::run::check_conformance);
}

#[test]
fn store_identity() {
    run_on_sqlite(crate::store_identity::check_conformance);
}

#[test]
fn task() {
    run_on_sqlite(crate::task::check_conformance);
}

#[test]
fn thread() {
    run_on_sqlite(crate::thread::check_conformance);
}

#[test]
fn transaction() {
    run_on_sqlite(crate::transaction::check_conformance);
}

#[test]
fn usage() {
    run_on_sqlite(crate::usage::check_conformance);
}

#[test]
fn worker() {
    run_on_sqlite(crate::worker::check_conformance);
}

#[test]
fn worktree() {
    run_on_sqlite(crate::worktree::check_conformance);
}
