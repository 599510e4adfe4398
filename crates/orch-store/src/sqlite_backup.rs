//! Backups: a consistent copy of a store in use, verified before it gets its name, and its way back into a store.
//!
//! Both are complete or have not happened: a copy gets its name when it is whole and on the disk, and a restored store
//! replaces the content of the old one in one transaction.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::Fault;
use crate::driver::DatabaseDriver;
use crate::file_system::sync_folder;
use crate::migrate::{self, StoreFileKind};
use crate::placement::HostProbe;
use crate::sqlite::fault_from_sqlite;
use crate::sqlite_at_rest::open_at_rest;

/// What a copy of a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupContents {
    /// How many rows all its tables have.
    pub rows: u64,
    /// The id of the store.
    pub store_id: String,
}

/// The numbers that a restored store does not use again, from the store that it replaces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UsedNumbers {
    /// The highest thread.
    pub(crate) thread: i64,
    /// The highest message.
    pub(crate) message: i64,
}

/// Writes a copy of a store that may be in use; nothing is overwritten.
pub(crate) fn write_backup(driver: &mut dyn DatabaseDriver, target: &Path) -> Result<BackupContents, Fault> {
    let unavailable = |source| Fault::Unavailable { place: target.display().to_string(), source };
    if std::fs::symlink_metadata(target).is_ok() {
        return Err(unavailable(io::ErrorKind::AlreadyExists.into()));
    }
    let partial = PartialFile::create(suffixed(target, ".partial"))?;
    driver.write_copy(&partial.path)?;
    let contents = inspect_backup(&partial.path)?;
    partial.publish(target).map_err(unavailable)?;
    Ok(contents)
}

/// A copy that has not got its name yet. It is locked while it is written, and what a killed process left is overwritten.
struct PartialFile {
    path: PathBuf,
    file: File,
}

impl PartialFile {
    fn create(path: PathBuf) -> Result<Self, Fault> {
        let unavailable = |source| Fault::Unavailable { place: path.display().to_string(), source };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(unavailable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(unavailable(io::Error::other("another process writes it")));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
        let found = file.metadata().map_err(unavailable)?;
        if !found.is_file() || found.nlink() != 1 {
            return Err(unavailable(io::Error::other("it is not a file of its own")));
        }
        file.set_len(0).map_err(unavailable)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(unavailable)?;
        Ok(Self { path, file })
    }

    /// Flushes the copy and gives it its name, unless something has that name.
    fn publish(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        match std::fs::hard_link(&self.path, target) {
            Ok(()) => std::fs::remove_file(&self.path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // A file system without hard links.
            Err(_) if std::fs::symlink_metadata(target).is_err() => std::fs::rename(&self.path, target)?,
            Err(error) => return Err(error),
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        sync_folder(folder.unwrap_or(Path::new(".")))
    }
}

/// Checks a copy: that it is a store that this program can read, that each page, index and reference is sound.
pub(crate) fn inspect_backup(path: &Path) -> Result<BackupContents, Fault> {
    let failed = |error| fault_from_sqlite(path, error);
    let connection = open_at_rest(path)?;
    match migrate::inspect_file(&connection, path)? {
        StoreFileKind::Store(found) if found > migrate::newest_schema() => {
            return Err(Fault::TooNew { found, known: migrate::newest_schema() });
        }
        StoreFileKind::Store(_) => {}
        StoreFileKind::Blank | StoreFileKind::Foreign => {
            return Err(Fault::Foreign { place: path.display().to_string() });
        }
    }
    for check in ["PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"] {
        let mut statement = connection.prepare(check).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let line: String = row.get(0).map_err(failed)?;
            if line != "ok" {
                return Err(Fault::Corrupt { place: path.display().to_string(), source: line.into() });
            }
        }
    }
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .map_err(failed)?;
    let tables: Result<Vec<String>, _> = tables.query_map([], |row| row.get(0)).map_err(failed)?.collect();
    let mut rows = 0;
    for table in tables.map_err(failed)? {
        let count = format!("SELECT count(*) FROM \"{table}\"");
        let count: i64 = connection.query_row(&count, [], |row| row.get(0)).map_err(failed)?;
        rows += count.unsigned_abs();
    }
    let has_identity = connection.table_exists(None, "store_identity").map_err(failed)?;
    let store_id = match has_identity {
        true => connection
            .query_row("SELECT coalesce(max(id), '') FROM store_identity", [], |row| row.get(0))
            .map_err(failed)?,
        false => String::new(),
    };
    Ok(BackupContents { rows, store_id })
}

/// Makes the content of a store from a copy, beside the store: of the newest schema, without processes, at the store's place.
///
/// Returns the file, which the caller copies into the store and deletes.
pub(crate) fn prepare_content(
    backup: &Path,
    store: &Path,
    used: UsedNumbers,
    host: HostProbe,
) -> Result<PathBuf, Fault> {
    let content = PartialFile::create(suffixed(store, ".restoring"))?;
    let failed = |error| fault_from_sqlite(&content.path, error);
    open_at_rest(backup)?
        .execute("VACUUM INTO ?1", [content.path.display().to_string()])
        .map_err(|error| fault_from_sqlite(backup, error))?;
    let mut connection = Connection::open(&content.path).map_err(failed)?;
    migrate::migrate_snapshot(&mut connection, store, host)?;
    let change = connection.transaction().map_err(failed)?;
    change.execute_batch("DELETE FROM worker; DELETE FROM supervisor;").map_err(failed)?;
    for (name, id) in [("thread", used.thread), ("message", used.message)] {
        change
            .execute(
                "INSERT INTO floor (name, id) VALUES (?1, ?2)
                ON CONFLICT (name) DO UPDATE SET id = excluded.id WHERE excluded.id > floor.id",
                (name, id),
            )
            .map_err(failed)?;
    }
    change.commit().map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    inspect_backup(&content.path)?;
    Ok(content.path)
}

/// Returns a free name beside a store for what it held before.
pub(crate) fn kept_name(store: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = suffixed(store, &format!(".before-restore-{number}"));
        if std::fs::symlink_metadata(&name).is_err() {
            return name;
        }
        number += 1;
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
