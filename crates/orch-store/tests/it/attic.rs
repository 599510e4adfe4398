//! Damaged worktrees in the attic.

use orch_core::worktree::DamagedWorktree;
use orch_store::table::attic;

use crate::StoreOpener;
use crate::fixture::{NOW, read_store, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let entry = |run: &str, path: &str| DamagedWorktree {
        run: test_slug(run),
        attempt: format!("{run}/a@1"),
        path: path.to_owned(),
        repository: "/r/.git".to_owned(),
        reason: "its `.git` does not lead to this repository".to_owned(),
        moved_at: NOW,
    };
    let (one, other) = (entry("r", "/t/attic/a.1"), entry("s", "/u/attic/a.1"));
    write_store(&mut store, |tx| attic::insert(tx, &other));
    write_store(&mut store, |tx| attic::insert(tx, &one));
    let again = DamagedWorktree { reason: "another".to_owned(), ..one.clone() };
    write_store(&mut store, |tx| attic::insert(tx, &again));
    assert_eq!(read_store(&mut store, |tx| attic::list(tx, None)), [one.clone(), other.clone()]);
    assert_eq!(read_store(&mut store, |tx| attic::list(tx, Some(&test_slug("s")))), [other]);
    assert_eq!(read_store(&mut store, |tx| attic::load(tx, &one.path)), Some(one.clone()));
    write_store(&mut store, |tx| attic::delete(tx, &one.path));
    assert_eq!(read_store(&mut store, |tx| attic::load(tx, &one.path)), None);
    assert_eq!(read_store(&mut store, |tx| attic::list(tx, Some(&one.run))), []);
}
