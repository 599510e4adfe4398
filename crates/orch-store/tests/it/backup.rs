//! Backups: what they hold, what they refuse, and the way back.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use orch_core::id::{MessageId, ThreadId};
use orch_store::table::{id_high_water, message, run, thread};
use orch_store::{Fault, Store, StoreLocation, StoreOptions};

use crate::fixture::{new_run, new_thread, read_store, test_slug, write_store};

fn open_store(folder: &Path) -> Store {
    let location = StoreLocation::Sqlite(folder.join("orch.db"));
    Store::create(&location, StoreOptions::default()).unwrap();
    Store::open(&location, StoreOptions::default()).unwrap()
}

fn has_run(store: &mut Store, name: &str) -> bool {
    read_store(store, |tx| run::name_exists(tx, &test_slug(name)))
}

#[test]
fn a_backup_is_whole_private_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open_store(folder.path());
    write_store(&mut store, |tx| new_run(tx, "r"));
    let mut reader = open_store(folder.path());
    let target = folder.path().join("saved.db");
    let saved = reader.read(|_| store.back_up(&target)).unwrap();
    assert_eq!(saved, Store::inspect_backup(&target).unwrap());
    assert_eq!(saved.store_id, store.identity().id);
    assert_eq!(target.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&target).unwrap();
    write_store(&mut store, |tx| new_run(tx, "later"));
    assert!(matches!(store.back_up(&target), Err(Fault::Unavailable { .. })));
    assert_eq!(std::fs::read(&target).unwrap(), before);
    // What a killed process left is written again.
    std::fs::write(folder.path().join("other.db.partial"), "half").unwrap();
    let other = store.back_up(&folder.path().join("other.db")).unwrap();
    assert_eq!(other.rows, saved.rows + 1);
    assert!(!folder.path().join("other.db.partial").exists());
}

#[test]
fn a_restored_store_is_the_backup_and_uses_no_number_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open_store(folder.path());
    write_store(&mut store, |tx| new_run(tx, "r"));
    let saved = folder.path().join("saved.db");
    store.back_up(&saved).unwrap();
    let later = write_store(&mut store, |tx| {
        new_run(tx, "later")?;
        new_thread(tx, "w", 2)
    });
    let newest = read_store(&mut store, message::newest_id);
    assert_eq!(read_store(&mut store, id_high_water::newest_numbers), (later.id.0, newest.0));
    let identity = store.identity().clone();
    let restored = store.restore(&saved).unwrap();
    assert!(has_run(&mut store, "r") && !has_run(&mut store, "later"));
    assert_eq!(store.identity(), &identity);
    assert_eq!(read_store(&mut store, message::newest_id), newest);
    assert_eq!(read_store(&mut store, |tx| thread::load(tx, later.id)), None);
    let next = write_store(&mut store, |tx| new_thread(tx, "w", 2));
    assert_eq!(next.id, ThreadId(later.id.0 + 1));
    assert!(newest >= MessageId(0));
    assert_eq!(store.check_integrity().unwrap(), Vec::<String>::new());
    // Another process sees the same, and what it held is kept.
    assert!(!has_run(&mut open_store(folder.path()), "later"));
    let kept = folder.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::rename(&restored.kept, kept.join("orch.db")).unwrap();
    assert!(has_run(&mut open_store(&kept), "later"));
    assert!(!folder.path().join("orch.db.restoring").exists());
}

#[test]
fn what_is_no_sound_store_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open_store(folder.path());
    write_store(&mut store, |tx| new_run(tx, "r"));
    let saved = folder.path().join("saved.db");
    store.back_up(&saved).unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "no database").unwrap();
    assert!(matches!(store.restore(&text), Err(Fault::Foreign { .. })));
    let mut bytes = std::fs::read(&saved).unwrap();
    let half = bytes.len() / 2;
    bytes.truncate(half);
    std::fs::write(&text, &bytes).unwrap();
    assert!(matches!(store.restore(&text), Err(Fault::Corrupt { .. })));
    assert!(matches!(store.restore(&folder.path().join("none")), Err(Fault::Unavailable { .. })));
    assert!(has_run(&mut store, "r"));
}
