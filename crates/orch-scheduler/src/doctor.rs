//! `orch doctor`: is the store sound?

use std::path::Path;

use orch_store::file_system::FileSystem;
use orch_store::{invariant, migrate};

use orch_inbox::{Error, Session};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// All is well.
    Ok,
    /// Worth knowing.
    Warning,
    /// Something is wrong.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A short stable name: `sqlite`, `schema`, `integrity`, `file_system`, `wal`, `permissions`, or an invariant's name.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// A full sentence.
    pub message: String,
}

/// Looks at everything; the order is fixed.
///
/// # Errors
/// The store failed.
pub fn doctor(session: &mut Session) -> Result<Vec<Finding>, Error> {
    let store = session.store();
    let mut findings = vec![
        ok("sqlite", format!("The database is {}.", store.engine())),
        ok("schema", format!("The schema is {}, the newest this program knows.", migrate::newest())),
        file_system(store.file_system()),
        permissions(store.folder()),
    ];
    let defects = store.integrity()?;
    if let Some(first) = defects.first() {
        let message = format!("The file is damaged. The first of {} defects: {first}.", defects.len());
        findings.push(Finding { check: "integrity", level: Level::Error, message });
        // What such a file says of its tasks is worth nothing, and asking may fail.
        return Ok(findings);
    }
    findings.push(ok("integrity", "Every page and index of the file is sound.".to_owned()));
    findings.extend(laws(session)?);
    Ok(findings)
}

/// The laws of docs/invariants.md.
fn laws(session: &mut Session) -> Result<Vec<Finding>, Error> {
    let breaches = session.read(|tx, _| Ok(invariant::breaches(tx)?))?;
    if breaches.is_empty() {
        let laws = invariant::ALL.len();
        return Ok(vec![ok("invariants", format!("All {laws} laws of docs/invariants.md hold."))]);
    }
    let broken = |breach: invariant::Breach| Finding {
        check: breach.invariant.name,
        level: Level::Error,
        message: format!("{} Broken by: {}.", breach.invariant.law, breach.subjects.join(", ")),
    };
    Ok(breaches.into_iter().map(broken).collect())
}

fn ok(check: &'static str, message: String) -> Finding {
    Finding { check, level: Level::Ok, message }
}

fn file_system(found: FileSystem) -> Finding {
    let (level, message) = match found {
        FileSystem::Local => (Level::Ok, "The store lies on a disk of this machine.".to_owned()),
        FileSystem::Unknown => (
            Level::Warning,
            "The store lies on a file system that is not known to be safe for several processes.".to_owned(),
        ),
        FileSystem::Network(kind) => (
            Level::Error,
            format!("The store lies on a network file system ({kind}), where SQLite may lose data."),
        ),
    };
    Finding { check: "file_system", level, message }
}

/// The store may hold secrets of the project: nobody else should read it.
fn permissions(folder: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder).map(|found| found.permissions().mode() & 0o777);
    match mode {
        Ok(mode) if mode & 0o077 == 0 => {
            ok("permissions", "Only you can enter the folder of the store.".to_owned())
        }
        Ok(mode) => Finding {
            check: "permissions",
            level: Level::Warning,
            message: format!("Others can enter the folder of the store (mode {mode:o}); 700 keeps them out."),
        },
        Err(error) => Finding {
            check: "permissions",
            level: Level::Warning,
            message: format!("The folder of the store cannot be looked at: {error}."),
        },
    }
}
