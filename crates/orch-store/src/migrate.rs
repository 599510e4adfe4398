//! Making a store and bringing an older one up to date.
//!
//! Migrations are only ever added, never edited. Each runs in one transaction with the version it leads to,
//! so a process that loses the race, or dies, finds the work done or not begun.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::Fault;
use crate::sqlite::{APPLICATION_ID, fault, wait_a_little};

/// The schemas, oldest first; the first makes version 1.
pub(crate) const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001.sql")];

/// The newest schema this program knows.
#[must_use]
pub fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Makes an empty store at `path`, unless somebody else just did; says whether it was made here.
pub(crate) fn create(path: &Path) -> Result<bool, Fault> {
    let unavailable = |source| Fault::Unavailable { place: path.display().to_string(), source };
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(unavailable)?;
    }
    make_file(path).map_err(unavailable)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| fault(path, error))?;
    connection.busy_handler(Some(wait_a_little())).map_err(|error| fault(path, error))?;
    if version(&connection, path)? > 0 {
        return Ok(false);
    }
    require_blank(&connection, path)?;
    enter_wal(&connection, path)?;
    let made = bring(&mut connection, path, MIGRATIONS)? == 0;
    sync_folder(path).map_err(unavailable)?;
    Ok(made)
}

/// Brings an older store up to date, after a backup beside it; does nothing for a current one.
pub(crate) fn update(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), Fault> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found = version(connection, path)?;
    if found > known {
        return Err(Fault::TooNew { found, known });
    }
    if found < known {
        back_up(connection, path, found)?;
        bring(connection, path, migrations)?;
    }
    Ok(())
}

/// Runs what is missing and returns the version before.
fn bring(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<i64, Fault> {
    let failed = |error| fault(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let before = version(&transaction, path)?;
    for (index, migration) in migrations.iter().enumerate().skip(usize::try_from(before).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(failed)?;
        transaction
            .pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))
            .map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(before)
}

/// Copies the store beside itself, once per version.
fn back_up(connection: &Connection, path: &Path, found: i64) -> Result<(), Fault> {
    let backup = backup_path(path, found);
    if backup.exists() {
        return Ok(());
    }
    let partial = backup.with_extension("partial");
    let unavailable = |source| Fault::Unavailable { place: partial.display().to_string(), source };
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unavailable(error)),
        _ => {}
    }
    let target = partial.display().to_string();
    connection.execute("VACUUM INTO ?1", [&target]).map_err(|error| fault(path, error))?;
    std::fs::rename(&partial, &backup).map_err(unavailable)
}

/// Where the copy of a store with this schema is put before it is changed.
pub(crate) fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(format!(".schema-{version}.backup"));
    path.with_file_name(name)
}

fn version(connection: &Connection, path: &Path) -> Result<i64, Fault> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| fault(path, error))
}

/// A file that holds tables of somebody else is not made ours.
fn require_blank(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
        .map_err(|error| fault(path, error))?;
    let marked: i64 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|error| fault(path, error))?;
    if objects > 0 || marked != 0 {
        // Another process may have made it between the two looks.
        if version(connection, path)? > 0 && marked == APPLICATION_ID {
            return Ok(());
        }
        return Err(Fault::Foreign { place: path.display().to_string() });
    }
    Ok(())
}

/// Switches the file to its write-ahead log. SQLite does not wait for others here, so this does.
fn enter_wal(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let mut wait = wait_a_little();
    let mut times = 0;
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(|error| fault(path, error)) {
            Ok(_) => return Ok(()),
            Err(Fault::Busy { .. }) if wait(times) => times += 1,
            Err(other) => return Err(other),
        }
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn make_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Makes the new file's name survive power loss too.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(connection: &Connection) -> Vec<(String, Option<String>)> {
        let mut rows = connection.prepare("SELECT name, sql FROM sqlite_master ORDER BY name").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_store_is_backed_up_and_becomes_like_a_fresh_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        assert!(create(&path).unwrap());
        assert!(!create(&path).unwrap());

        let later = [MIGRATIONS, &["CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;"]].concat();
        let mut old = Connection::open(&path).unwrap();
        old.execute("INSERT INTO agent VALUES ('kept', NULL, 0, 1)", []).unwrap();
        update(&mut old, &path, &later).unwrap();
        update(&mut old, &path, &later).unwrap();

        let mut fresh = Connection::open_in_memory().unwrap();
        bring(&mut fresh, &path, &later).unwrap();
        assert_eq!(schema(&old), schema(&fresh));
        let backup = Connection::open(backup_path(&path, newest())).unwrap();
        assert_eq!(version(&backup, &path).unwrap(), newest());
        let kept: String = backup.query_row("SELECT name FROM agent", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "kept");

        let refused = update(&mut old, &path, MIGRATIONS).unwrap_err();
        assert!(matches!(refused, Fault::TooNew { .. }), "{refused}");
    }

    #[test]
    fn a_failing_migration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        create(&path).unwrap();
        let mut connection = Connection::open(&path).unwrap();
        let before = schema(&connection);
        let broken = [MIGRATIONS, &["CREATE TABLE a (id INTEGER) STRICT; CREATE NONSENSE;"]].concat();
        assert!(update(&mut connection, &path, &broken).is_err());
        assert_eq!(schema(&connection), before);
        assert_eq!(version(&connection, &path).unwrap(), newest());
    }

    #[test]
    fn somebody_elses_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(matches!(create(&path), Err(Fault::Foreign { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
