//! The identity of a store, and what a move or a copy changes.

use orch_core::placement::{FileNumber, StorePlace};
use orch_core::time::Time;
use orch_store::Statement;
use orch_store::table::store_identity::{self, MovedFolder, StoreIdentity};

use crate::StoreOpener;
use crate::fixture::{read_store, write_store};

const RUN: Statement = Statement::new(
    "INSERT INTO run (id, name, title, state, done_when, max_attempts, retry_delay_ms, lease_ms, keys_made, waiting,
    ready, dispatched, running, blocked, reported, done, failed, skipped, cancelled, created_at, updated_at,
    repository, worktree_root)
    VALUES ($1, $2, 'T', 'open', 'reported', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, $3, $4)",
);
const WORKTREE: Statement = Statement::new(
    "INSERT INTO worktree (attempt_id, run_id, state, path, branch, base_commit, behind, slot, updated_at)
    VALUES (1, 1, 'present', '/a/wt', 'b', 'c', 0, 1, 1)",
);
const WORKER: Statement = Statement::new(
    "INSERT INTO worker (thread_id, agent, host, process, tag, log, grace_ms, started_at, silent)
    VALUES (1, 'w', 'h', '7-1-0', 't', 'l', 1, 1, 0)",
);

pub(super) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let first = read_store(&mut store, store_identity::load).unwrap();
    assert!(first.id.starts_with("s-") && first.id.len() == 18, "{first:?}");
    assert_eq!(first.home.path, store.path().canonicalize().unwrap().to_str().unwrap());
    let other = StoreIdentity {
        id: "s-2".to_owned(),
        home: StorePlace {
            path: "/b/orch.db".to_owned(),
            file: FileNumber { device: u64::MAX, inode: 7 },
            machine: "m".to_owned(),
        },
        repository: Some("/b/.git".to_owned()),
    };
    write_store(&mut store, |tx| store_identity::save(tx, &other));
    assert_eq!(read_store(&mut open(), store_identity::load), Some(other));

    for (id, name, repository, root) in
        [(1, "r", "/a/.git", "/a.orch/r"), (2, "s", "/ab/.git", "/a"), (3, "t", "/x/.git", "/a/in/t")]
    {
        write_store(&mut store, |tx| {
            tx.execute(RUN, &[i64::from(id).into(), name.into(), repository.into(), root.into()]).map(|_| ())
        });
    }
    write_store(&mut store, |tx| tx.execute(WORKTREE, &[]).map(|_| ()));
    write_store(&mut store, |tx| store_identity::rename_folder(tx, MovedFolder { from: "/a", to: "/new/b" }));
    let texts = |store: &mut orch_store::Store, query: &'static str| {
        read_store(store, |tx| tx.query_all(Statement::new(query), &[], |row| row.text(0)))
    };
    assert_eq!(
        texts(&mut store, "SELECT repository FROM run ORDER BY id"),
        ["/new/b/.git", "/ab/.git", "/x/.git"],
        "only whole names"
    );
    assert_eq!(
        texts(&mut store, "SELECT worktree_root FROM run ORDER BY id"),
        ["/a.orch/r", "/new/b", "/new/b/in/t"]
    );
    assert_eq!(texts(&mut store, "SELECT path FROM worktree"), ["/new/b/wt"]);

    assert!(!read_store(&mut store, store_identity::has_live_attempt));
    write_store(&mut store, |tx| tx.execute(WORKER, &[]).map(|_| ()));
    let workers = read_store(&mut store, store_identity::list_live_workers);
    assert_eq!(workers, [("h".to_owned(), "7-1-0".to_owned(), "w".to_owned())]);
    write_store(&mut store, |tx| store_identity::forget_surroundings(tx, Time(5)));
    assert!(read_store(&mut store, store_identity::list_live_workers).is_empty());
    assert_eq!(texts(&mut store, "SELECT state FROM worktree"), ["removed"]);
}
