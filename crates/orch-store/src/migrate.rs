//! Creates stores and migrates older ones.
//!
//! Migrations are only added, never edited. Each runs in one transaction together with its version number,
//! so after a race or a crash it is applied completely or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::Fault;
use crate::file_system::{follow_folder_owner, require_short_path, sync_folder};
use crate::location::served_repository;
use crate::placement::{HostProbe, path_text, place_of};
use crate::sqlite::{APPLICATION_ID, busy_handler, fault_from_sqlite};

/// The migrations, oldest first; the first creates version 1.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001.sql"),
    include_str!("../migrations/sqlite/0002.sql"),
    include_str!("../migrations/sqlite/0003.sql"),
    include_str!("../migrations/sqlite/0004.sql"),
    include_str!("../migrations/sqlite/0005.sql"),
    include_str!("../migrations/sqlite/0006.sql"),
    include_str!("../migrations/sqlite/0007.sql"),
    include_str!("../migrations/sqlite/0008.sql"),
    include_str!("../migrations/sqlite/0009.sql"),
    include_str!("../migrations/sqlite/0010.sql"),
    include_str!("../migrations/sqlite/0011.sql"),
    include_str!("../migrations/sqlite/0012.sql"),
    include_str!("../migrations/sqlite/0013.sql"),
    include_str!("../migrations/sqlite/0014.sql"),
    include_str!("../migrations/sqlite/0015.sql"),
    include_str!("../migrations/sqlite/0016.sql"),
    include_str!("../migrations/sqlite/0017.sql"),
    include_str!("../migrations/sqlite/0018.sql"),
    include_str!("../migrations/sqlite/0019.sql"),
    include_str!("../migrations/sqlite/0020.sql"),
    include_str!("../migrations/sqlite/0021.sql"),
    include_str!("../migrations/sqlite/0022.sql"),
];

/// Returns the newest schema version that this program knows.
#[must_use]
pub fn newest_schema() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The kind of a file, judged by its markers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFileKind {
    /// A store with this schema.
    Store(i64),
    /// An empty database: a store whose creation is in progress or was interrupted.
    Blank,
    /// Another database.
    Foreign,
}

/// Determines the kind of a file in one read transaction: another process may be creating the store now.
pub(crate) fn inspect_file(connection: &Connection, path: &Path) -> Result<StoreFileKind, Fault> {
    let failed = |error| fault_from_sqlite(path, error);
    let look = connection.unchecked_transaction().map_err(failed)?;
    let number = |statement: &str| look.query_row(statement, [], |row| row.get::<_, i64>(0)).map_err(failed);
    let objects = number("SELECT count(*) FROM sqlite_master")?;
    let version = number("PRAGMA user_version")?;
    Ok(match number("PRAGMA application_id")? {
        APPLICATION_ID if version > 0 => StoreFileKind::Store(version),
        0 if objects == 0 && version == 0 => StoreFileKind::Blank,
        _ => StoreFileKind::Foreign,
    })
}

/// Creates an empty store at `path`; returns whether this process created it.
pub(crate) fn create_store(path: &Path, host: HostProbe) -> Result<bool, Fault> {
    require_short_path(path)?;
    let unmade = |error| creation_fault(path, error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let new_folders = make_folder(folder).map_err(unmade)?;
    make_file(path).map_err(unmade)?;
    for made in new_folders.iter().rev().copied().chain([path]) {
        follow_folder_owner(made).map_err(unmade)?;
    }
    if folder.file_name().is_some_and(|name| name == ".orch") && !new_folders.is_empty() {
        // A repository that is made around the store later must not take it in.
        let ignored = folder.join(".gitignore");
        std::fs::write(&ignored, "*\n").and_then(|()| follow_folder_owner(&ignored)).map_err(unmade)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| fault_from_sqlite(path, error))?;
    connection.busy_handler(Some(busy_handler())).map_err(|error| fault_from_sqlite(path, error))?;
    match inspect_file(&connection, path)? {
        StoreFileKind::Store(_) => return Ok(false),
        // A file of another program is not converted to a store.
        StoreFileKind::Foreign => return Err(Fault::Foreign { place: path.display().to_string() }),
        StoreFileKind::Blank => {}
    }
    enter_wal(&connection, path)?;
    let made = run_migrations(&mut connection, path, MIGRATIONS, Some(host))? == 0;
    // Sync the folders, so that the new directory entries survive loss of power.
    for folder in std::iter::once(folder).chain(new_folders.iter().filter_map(|folder| folder.parent())) {
        sync_folder(folder).map_err(unmade)?;
    }
    Ok(made)
}

/// Migrates an older store after a backup next to it; does nothing for a current one.
pub(crate) fn migrate_store(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    host: HostProbe,
) -> Result<(), Fault> {
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    let found = schema_version(connection, path)?;
    if found > known {
        return Err(Fault::TooNew { found, known });
    }
    if found < known {
        back_up(connection, path, found)?;
        run_migrations(connection, path, migrations, Some(host))?;
    }
    Ok(())
}

/// Migrates a copy of an older store in memory.
pub(crate) fn migrate_snapshot(
    connection: &mut Connection,
    path: &Path,
    host: HostProbe,
) -> Result<(), Fault> {
    run_migrations(connection, path, MIGRATIONS, Some(host)).map(|_| ())
}

/// Lists the supervisors and wrappers that are alive and use a store of an older schema, as texts for people.
pub(crate) fn list_live_processes(
    connection: &Connection,
    path: &Path,
    host: HostProbe,
) -> Result<Vec<String>, Fault> {
    let failed = |error| fault_from_sqlite(path, error);
    let mut live = Vec::new();
    for (what, table, query) in [
        ("supervisor", "supervisor", "SELECT host, process FROM supervisor ORDER BY started_at, process"),
        ("worker", "worker", "SELECT host, process FROM worker WHERE ended_at IS NULL ORDER BY thread_id"),
    ] {
        if !connection.table_exists(None, table).map_err(failed)? {
            continue;
        }
        let mut rows = connection.prepare(query).map_err(failed)?;
        let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        for row in rows.map_err(failed)? {
            let (machine, process) = row.map_err(failed)?;
            if (host.is_alive)(&machine, &process) {
                live.push(process_text(what, &process));
            }
        }
    }
    Ok(live)
}

/// Returns a recorded process as a text for people.
pub(crate) fn process_text(what: &str, process: &str) -> String {
    let pid = process.split('-').next().unwrap_or_default();
    format!("{what} with process id {pid}")
}

/// Returns a sentence for each table and index that differs from what the migrations create.
pub(crate) fn schema_defects(connection: &Connection, path: &Path) -> Result<Vec<String>, Fault> {
    let failed = |error| fault_from_sqlite(path, error);
    let mut fresh = Connection::open_in_memory().map_err(failed)?;
    run_migrations(&mut fresh, path, MIGRATIONS, None)?;
    let found = schema_objects(connection).map_err(failed)?;
    let expected = schema_objects(&fresh).map_err(failed)?;
    let names: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differ = names.into_iter().filter(|name| found.get(*name) != expected.get(*name));
    Ok(differ.map(|name| format!("{name} is not as this program makes it")).collect())
}

/// Returns the tables and indexes of a schema, by name.
fn schema_objects(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    // SQLite has internal tables, such as the statistics of `ANALYZE`.
    let mut rows =
        connection.prepare("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Runs the missing migrations and returns the previous version.
///
/// A store gets its identity in the transaction of the migration that made the table for it.
fn run_migrations(
    connection: &mut Connection,
    path: &Path,
    migrations: &[&str],
    host: Option<HostProbe>,
) -> Result<i64, Fault> {
    let failed = |error| fault_from_sqlite(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let before = schema_version(&transaction, path)?;
    for (index, migration) in migrations.iter().enumerate().skip(usize::try_from(before).unwrap_or(0)) {
        transaction.execute_batch(migration).map_err(failed)?;
        transaction
            .pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))
            .map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    if let Some(host) = host {
        insert_identity(&transaction, path, host).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(before)
}

/// Gives a store without an identity one.
///
/// An older store whose runs all belong to another repository was moved or copied before: its place counts as unknown.
fn insert_identity(connection: &Connection, path: &Path, host: HostProbe) -> rusqlite::Result<()> {
    let known: i64 = connection.query_row("SELECT count(*) FROM store_identity", [], |row| row.get(0))?;
    if known > 0 {
        return Ok(());
    }
    let repository = served_repository(path).map(|common| path_text(&common));
    let mut home = place_of(path, (host.machine)());
    if let Some(own) = &repository {
        let mut rows = connection.prepare(
            "SELECT DISTINCT repository FROM run WHERE repository IS NOT NULL ORDER BY repository",
        )?;
        let found: Vec<String> = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if let Some(other) = found.first().filter(|_| !found.contains(own)) {
            home.path = path_text(&Path::new(other).join("orch/orch.db"));
            home.machine = String::new();
            home.file = orch_core::placement::FileNumber::default();
        }
    }
    connection.execute(
        "INSERT INTO store_identity (number, id, path, device, inode, machine, repository)
        VALUES (1, 's-' || lower(hex(randomblob(8))), ?1, ?2, ?3, ?4, ?5)",
        (home.path, home.file.device.cast_signed(), home.file.inode.cast_signed(), home.machine, repository),
    )?;
    Ok(())
}

/// Backs up the store next to it, once per version.
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
    connection.execute("VACUUM INTO ?1", [&target]).map_err(|error| fault_from_sqlite(path, error))?;
    std::fs::rename(&partial, &backup).map_err(unavailable)?;
    sync_folder(path.parent().unwrap_or(Path::new(""))).map_err(unavailable)
}

/// Returns the path of the backup of a store before its migration from this schema version.
pub(crate) fn backup_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.file_name().map(std::ffi::OsStr::to_owned).unwrap_or_default();
    name.push(format!(".schema-{version}.backup"));
    path.with_file_name(name)
}

fn schema_version(connection: &Connection, path: &Path) -> Result<i64, Fault> {
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| fault_from_sqlite(path, error))
}

/// Switches the file to WAL mode. SQLite does not wait for locks here, so this function does.
fn enter_wal(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let mut wait = busy_handler();
    let mut times = 0;
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(|error| fault_from_sqlite(path, error)) {
            Ok(_) => return Ok(()),
            Err(Fault::Busy { .. }) if wait(times) => times += 1,
            Err(other) => return Err(other),
        }
    }
}

/// Converts an error of creating a file or folder to a fault.
fn creation_fault(path: &Path, error: std::io::Error) -> Fault {
    use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let place = path.display().to_string();
    match error.kind() {
        PermissionDenied | ReadOnlyFilesystem => Fault::ReadOnly { place, source: error.into() },
        StorageFull | QuotaExceeded => Fault::DiskFull { place, source: error.into() },
        _ => Fault::Unavailable { place, source: error },
    }
}

/// Creates the folder and its missing parents; returns the created ones.
fn make_folder(folder: &Path) -> std::io::Result<Vec<&Path>> {
    let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let new = folder.ancestors().take_while(is_new).collect();
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    Ok(new)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_store_is_backed_up_and_becomes_like_a_fresh_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        assert!(create_store(&path, HostProbe::default()).unwrap());
        assert!(!create_store(&path, HostProbe::default()).unwrap());

        let later = [MIGRATIONS, &["CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;"]].concat();
        let mut old = Connection::open(&path).unwrap();
        old.execute("INSERT INTO agent VALUES ('kept', NULL, 0, 1)", []).unwrap();
        migrate_store(&mut old, &path, &later, HostProbe::default()).unwrap();
        migrate_store(&mut old, &path, &later, HostProbe::default()).unwrap();

        let mut fresh = Connection::open_in_memory().unwrap();
        run_migrations(&mut fresh, &path, &later, None).unwrap();
        assert_eq!(schema_objects(&old).unwrap(), schema_objects(&fresh).unwrap());
        let backup = Connection::open(backup_path(&path, newest_schema())).unwrap();
        assert_eq!(schema_version(&backup, &path).unwrap(), newest_schema());
        let kept: String = backup.query_row("SELECT name FROM agent", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "kept");

        let refused = migrate_store(&mut old, &path, MIGRATIONS, HostProbe::default()).unwrap_err();
        assert!(matches!(refused, Fault::TooNew { .. }), "{refused}");
    }

    #[test]
    fn an_older_store_in_use_is_read_as_a_snapshot_and_migrated_afterwards() {
        use crate::driver::WriteDurability;
        use crate::{Store, StoreLocation, StoreOptions, TxEnd};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        make_file(&path).unwrap();
        let mut old = Connection::open(&path).unwrap();
        enter_wal(&old, &path).unwrap();
        run_migrations(&mut old, &path, &MIGRATIONS[..4], None).unwrap();
        old.execute("INSERT INTO agent VALUES ('kept', NULL, 0, 1)", []).unwrap();
        old.execute("INSERT INTO supervisor VALUES ('7-1-0', 'h', 0, NULL, 1)", []).unwrap();
        let location = StoreLocation::Sqlite(path.clone());
        let open = |is_alive: fn(&str, &str) -> bool| {
            let host = HostProbe { machine: || "h", is_alive };
            Store::open(&location, StoreOptions { allow_network: false, host }).unwrap()
        };
        let write =
            |store: &mut Store| store.write(WriteDurability::Power, |_| Ok::<_, Fault>(TxEnd::Commit(())));
        let mut snapshot = open(|host, process| (host, process) == ("h", "7-1-0"));
        let agents = crate::Statement::new("SELECT name FROM agent");
        let names = snapshot.read(|tx| tx.query_all(agents, &[], |row| row.text(0))).unwrap();
        assert_eq!(names, ["kept"]);
        match write(&mut snapshot) {
            Err(Fault::InUse { found: 4, processes, .. }) => {
                assert_eq!(processes, ["supervisor with process id 7"]);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(schema_version(&old, &path).unwrap(), 4, "the file is as it was");
        assert!(!backup_path(&path, 4).exists());
        let mut migrated = open(|_, _| false);
        write(&mut migrated).unwrap();
        assert_eq!(schema_version(&old, &path).unwrap(), newest_schema());
        assert!(migrated.identity().id.starts_with("s-"));
    }

    #[test]
    fn a_failing_migration_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        create_store(&path, HostProbe::default()).unwrap();
        let mut connection = Connection::open(&path).unwrap();
        let before = schema_objects(&connection).unwrap();
        let broken = [MIGRATIONS, &["CREATE TABLE a (id INTEGER) STRICT; CREATE NONSENSE;"]].concat();
        assert!(migrate_store(&mut connection, &path, &broken, HostProbe::default()).is_err());
        assert_eq!(schema_objects(&connection).unwrap(), before);
        assert_eq!(schema_version(&connection, &path).unwrap(), newest_schema());
    }

    #[test]
    fn a_store_somebody_died_making_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one/two/orch.db");
        let look = || inspect_file(&Connection::open(&path).unwrap(), &path).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        make_file(&path).unwrap();
        assert_eq!(look(), StoreFileKind::Blank);
        enter_wal(&Connection::open(&path).unwrap(), &path).unwrap();
        assert_eq!(look(), StoreFileKind::Blank, "it has a header now");
        assert!(create_store(&path, HostProbe::default()).unwrap(), "the next one finishes it");
        assert_eq!(look(), StoreFileKind::Store(newest_schema()));
    }

    #[test]
    fn a_changed_schema_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        create_store(&path, HostProbe::default()).unwrap();
        let connection = Connection::open(&path).unwrap();
        assert_eq!(schema_defects(&connection, &path).unwrap(), [""; 0]);
        connection.execute_batch("DROP INDEX task_ready; CREATE TABLE theirs (id)").unwrap();
        let defects = schema_defects(&connection, &path).unwrap();
        assert_eq!(defects.len(), 2, "{defects:?}");
        assert!(defects[0].starts_with("task_ready ") && defects[1].starts_with("theirs "), "{defects:?}");
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        let why = |kind: std::io::ErrorKind| creation_fault(Path::new("/there/orch.db"), kind.into());
        assert!(matches!(why(std::io::ErrorKind::PermissionDenied), Fault::ReadOnly { .. }));
        assert!(matches!(why(std::io::ErrorKind::StorageFull), Fault::DiskFull { .. }));
        assert!(matches!(why(std::io::ErrorKind::NotADirectory), Fault::Unavailable { .. }));
    }

    #[test]
    fn somebody_elses_database_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orch.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (id)").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert!(matches!(create_store(&path, HostProbe::default()), Err(Fault::Foreign { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}
