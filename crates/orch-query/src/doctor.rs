//! `orch doctor`: checks the integrity of the store, and of what it names in the repositories of unfinished runs.

use std::path::Path;

use orch_core::placement::StorePlacement;
use orch_core::run::{Run, RunStatus};
use orch_store::file_system::FileSystem;
use orch_store::table::run;
use orch_store::{invariant, migrate};

use crate::repository_health::check_repositories;
use orch_inbox::{Error, Session};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingSeverity {
    /// No problem.
    Ok,
    /// A possible problem.
    Warning,
    /// A problem.
    Error,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthFinding {
    /// A stable name: `sqlite`, `schema`, `clock`, `integrity`, `file_system`, `wal`, `permissions`, `placement`,
    /// `check_environment`, `references`, `git_locks`, or an invariant's name.
    pub check: &'static str,
    /// The severity.
    pub level: FindingSeverity,
    /// A full sentence.
    pub message: String,
}

/// Runs all checks, in a fixed order.
pub fn diagnose_store(session: &mut Session) -> Result<Vec<HealthFinding>, Error> {
    session.read(|_, _| Ok(()))?;
    let clock = check_clock(session.clock_warning());
    let placement = check_placement(session);
    let store = session.store_mut();
    let mut findings = vec![
        ok_finding("sqlite", format!("The database is {}.", store.engine_version())),
        ok_finding(
            "schema",
            format!("The schema is {}, the newest this program knows.", migrate::newest_schema()),
        ),
        clock,
        check_file_system(store.file_system()),
        check_permissions(store.folder()),
        placement,
    ];
    let defects = store.check_integrity()?;
    if let Some(first) = defects.first() {
        let message = format!("The file is damaged. The first of {} defects: {first}.", defects.len());
        findings.push(HealthFinding { check: "integrity", level: FindingSeverity::Error, message });
        // Queries of a damaged file may fail or return wrong rows.
        return Ok(findings);
    }
    findings.push(ok_finding("integrity", "Every page and index of the file is sound.".to_owned()));
    findings.extend(check_invariants(session)?);
    findings.extend(check_environments(session)?);
    findings.extend(check_repositories(session)?);
    Ok(findings)
}

/// Checks the invariants of docs/invariants.md.
fn check_invariants(session: &mut Session) -> Result<Vec<HealthFinding>, Error> {
    let violations = session.query(|tx| Ok(invariant::find_violations(tx)?))?;
    if violations.is_empty() {
        let laws = invariant::ALL.len();
        return Ok(vec![ok_finding("invariants", format!("All {laws} laws of docs/invariants.md hold."))]);
    }
    let finding = |violation: invariant::InvariantViolation| HealthFinding {
        check: violation.invariant.name,
        level: FindingSeverity::Error,
        message: format!("{} Broken by: {}.", violation.invariant.law, list_subjects(&violation.subjects)),
    };
    Ok(violations.into_iter().map(finding).collect())
}

/// Lists the first violations of a law, and counts the others.
fn list_subjects(subjects: &[String]) -> String {
    const SHOWN: usize = 20;
    let first = subjects[..subjects.len().min(SHOWN)].join(", ");
    match subjects.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn ok_finding(check: &'static str, message: String) -> HealthFinding {
    HealthFinding { check, level: FindingSeverity::Ok, message }
}

fn check_clock(warning: Option<String>) -> HealthFinding {
    match warning {
        Some(message) => HealthFinding { check: "clock", level: FindingSeverity::Warning, message },
        None => ok_finding(
            "clock",
            "The clock agrees with the time that has passed since the host started.".to_owned(),
        ),
    }
}

/// Names the runs whose checks still get the whole environment of the process that runs them.
fn check_environments(session: &mut Session) -> Result<Vec<HealthFinding>, Error> {
    let runs = session.query(|tx| Ok(run::list_with_git(tx)?))?;
    let has_commands = |run: &Run| !run.rules.verify.is_empty() || run.rules.setup.is_some();
    let is_open = |run: &Run| run.state.status() != RunStatus::Cancelled && run.landing.is_none();
    let old = runs.iter().filter(|run| run.rules.inherits_env && is_open(run) && has_commands(run));
    let names: Vec<&str> = old.map(|run| run.name.as_str()).collect();
    let Some(first) = names.first() else { return Ok(Vec::new()) };
    let message = format!(
        "Checks and setups of these runs, which an older version made, get the whole environment of the process that runs them: {}. \
         `orch run edit {first} --check-env NAME` gives them what workers get, and NAME.",
        names.join(", ")
    );
    Ok(vec![HealthFinding { check: "check_environment", level: FindingSeverity::Warning, message }])
}

/// Checks that the store is at its recorded place.
fn check_placement(session: &Session) -> HealthFinding {
    let described = session.describe_store(false);
    let (here, home) = (described.path.display(), described.identity.home.path);
    let (level, message) = match session.placement() {
        StorePlacement::Home => {
            (FindingSeverity::Ok, format!("The store is recorded at {home}, where it is."))
        }
        StorePlacement::OtherPath => (
            FindingSeverity::Warning,
            format!("The store at {here} is the one recorded at {home}, under another path."),
        ),
        StorePlacement::Moved => (
            FindingSeverity::Warning,
            format!("The store was moved from {home} to {here}; the next change records that."),
        ),
        StorePlacement::Copied => (
            FindingSeverity::Warning,
            format!("The store at {here} is a copy of the one at {home}, so it is only read."),
        ),
        StorePlacement::Undecided => (
            FindingSeverity::Warning,
            format!(
                "The store at {here} was recorded at {home}; whether it was moved or copied cannot be told, so it is only read."
            ),
        ),
    };
    HealthFinding { check: "placement", level, message }
}

fn check_file_system(found: FileSystem) -> HealthFinding {
    let (level, message) = match found {
        FileSystem::Local => (FindingSeverity::Ok, "The store lies on a disk of this machine.".to_owned()),
        FileSystem::Unknown => (
            FindingSeverity::Warning,
            "The store lies on a file system that is not known to be safe for several processes.".to_owned(),
        ),
        FileSystem::Network(kind) => (
            FindingSeverity::Error,
            format!("The store lies on a network file system ({kind}), where SQLite may lose data."),
        ),
    };
    HealthFinding { check: "file_system", level, message }
}

/// Checks that only the owner can read the store, which may contain secrets of the project.
fn check_permissions(folder: &Path) -> HealthFinding {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder).map(|found| found.permissions().mode() & 0o777);
    match mode {
        Ok(mode) if mode & 0o077 == 0 => {
            ok_finding("permissions", "Only you can enter the folder of the store.".to_owned())
        }
        Ok(mode) => HealthFinding {
            check: "permissions",
            level: FindingSeverity::Warning,
            message: format!("Others can enter the folder of the store (mode {mode:o}); 700 keeps them out."),
        },
        Err(error) => HealthFinding {
            check: "permissions",
            level: FindingSeverity::Warning,
            message: format!("The folder of the store cannot be looked at: {error}."),
        },
    }
}
