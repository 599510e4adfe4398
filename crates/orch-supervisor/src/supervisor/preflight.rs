//! Checks before a supervisor starts: git, disk space, the run's setup and checks, and each profile's program.

use std::path::Path;

use orch_core::check::{CheckStage, CheckState};
use orch_core::id::Slug;
use orch_core::run::Run;

use super::worker_pool::WorkerPool;
use orch_inbox::{Error, Session};
use orch_process::limit::DISK_FLOOR_BYTES;
use orch_process::{EnvironmentVariables, disk};
use orch_profile::{Profile, ProfileReference};
use orch_query::doctor::FindingSeverity;
use orch_scheduler::lookup;
use orch_workspace::checks::{self, CheckSubject};

/// The result of one check.
#[derive(Clone, Debug)]
pub struct PreflightFinding {
    /// A short stable name.
    pub check: String,
    /// The severity.
    pub level: FindingSeverity,
    /// A sentence for people.
    pub message: String,
}

impl PreflightFinding {
    fn new(check: &str, level: FindingSeverity, message: String) -> Self {
        Self { check: check.to_owned(), level, message }
    }
}

/// Checks everything. The checks of a run with a base commit run once, in a clean checkout.
///
/// # Errors
/// The run does not exist, or the store failed.
pub fn run_preflight(
    session: &mut Session,
    run: Option<&Slug>,
    crew: &WorkerPool,
) -> Result<Vec<PreflightFinding>, Error> {
    let runs = session.read(|tx, _| lookup::find_runs(tx, run))?;
    let mut found = vec![check_disk_space(session)];
    found.extend(check_programs(session, crew));
    for run in runs.iter().filter(|run| run.ground.is_some()) {
        found.extend(check_git_identity(session, run)?);
        found.extend(check_run_base(session, run)?);
    }
    Ok(found)
}

/// Runs the checks that are cheap enough for every start.
///
/// # Errors
/// The run does not exist, or the store failed.
pub fn run_quick_preflight(
    session: &mut Session,
    run: Option<&Slug>,
    crew: &WorkerPool,
) -> Result<Vec<PreflightFinding>, Error> {
    let runs = session.read(|tx, _| lookup::find_runs(tx, run))?;
    let mut found = check_programs(session, crew);
    for run in runs.iter().filter(|run| run.ground.is_some() && run.state.status().is_unfinished()) {
        found.extend(check_git_identity(session, run)?);
    }
    Ok(found)
}

fn check_programs(session: &Session, crew: &WorkerPool) -> Vec<PreflightFinding> {
    crew.seats.iter().map(|seat| check_program(session, crew, &seat.profile, &seat.reference)).collect()
}

/// Checks that git has an identity for commits. Workers need one; the tool's own commits do not.
fn check_git_identity(session: &Session, run: &Run) -> Result<Option<PreflightFinding>, Error> {
    let Some(run_git) = &run.ground else { return Ok(None) };
    let known = session
        .world()
        .discover_repository(Path::new(&run_git.repository))
        .and_then(|found| found.has_identity());
    let known = match known {
        Ok(known) => known,
        Err(error) => {
            return Ok(Some(PreflightFinding::new(
                "git",
                FindingSeverity::Error,
                Error::from(error).describe(),
            )));
        }
    };
    let message = "Git has no identity here, so workers cannot commit: \
                   git config user.name NAME && git config user.email EMAIL";
    Ok((!known).then(|| PreflightFinding::new("git", FindingSeverity::Warning, message.to_owned())))
}

fn check_disk_space(session: &Session) -> PreflightFinding {
    match disk::free_bytes(session.store_folder()) {
        Ok(free) if free >= DISK_FLOOR_BYTES => PreflightFinding::new(
            "disk",
            FindingSeverity::Ok,
            format!("{} MB of disk space are free.", free / 1_000_000),
        ),
        Ok(free) => PreflightFinding::new(
            "disk",
            FindingSeverity::Error,
            format!("Only {} MB of disk space are free.", free / 1_000_000),
        ),
        Err(error) => PreflightFinding::new(
            "disk",
            FindingSeverity::Warning,
            format!("The free disk space is unknown: {error}."),
        ),
    }
}

/// Checks that a profile's program exists.
fn check_program(session: &Session, crew: &WorkerPool, name: &Slug, reference: &str) -> PreflightFinding {
    let check = format!("profile {name}");
    let profile = match reference
        .parse::<ProfileReference>()
        .map(|reference| crew.shelf.load_profile(&reference))
    {
        Ok(Ok(profile)) => profile,
        Ok(Err(error)) => return PreflightFinding::new(&check, FindingSeverity::Error, format!("{error}.")),
        Err(error) => return PreflightFinding::new(&check, FindingSeverity::Error, format!("{error}.")),
    };
    let word = profile.command.program_text();
    let (level, message) = match is_program_found(session.world().environment(), &profile) {
        None => (FindingSeverity::Ok, format!("{word} is searched when a worker is started.")),
        Some(true) => (FindingSeverity::Ok, format!("{word} was found.")),
        Some(false) if word.contains('/') => (FindingSeverity::Error, format!("{word} does not exist.")),
        Some(false) => (FindingSeverity::Error, format!("{word} is not on the PATH.")),
    };
    PreflightFinding::new(&check, level, message)
}

/// Returns whether the program of a profile is installed; `None` where that depends on the worktree or on the worker's
/// own `PATH`.
#[must_use]
pub fn is_program_found(environment: &EnvironmentVariables, profile: &Profile) -> Option<bool> {
    let word = profile.command.program_text();
    let is_relative = word.contains('/') && !word.starts_with('/');
    if word.contains('{') || is_relative || profile.settings.sets_variable("PATH") {
        return None;
    }
    Some(if word.contains('/') {
        Path::new(&word).is_file()
    } else {
        environment.find_program(&word).is_some()
    })
}

/// Checks that a worktree can be made, and that the run's setup and checks pass on its base commit.
fn check_run_base(session: &Session, run: &Run) -> Result<Vec<PreflightFinding>, Error> {
    let name = format!("run {}", run.name);
    let Some(run_git) = &run.ground else { return Ok(Vec::new()) };
    let specs = checks::check_specs(&run.rules.verify, &[]);
    let stage = CheckStage::Baseline;
    let subject = CheckSubject { run, attempt: None, slot: 0, stage, commit: &run_git.base, stop: None };
    let verdict = match checks::try_checks(session, &subject, &specs) {
        Ok(verdict) => verdict,
        Err(error) => {
            return Ok(vec![PreflightFinding::new(&name, FindingSeverity::Error, error.describe())]);
        }
    };
    let mut found =
        vec![PreflightFinding::new(&name, FindingSeverity::Ok, "A worktree was made and set up.".to_owned())];
    for check in &verdict.checks {
        let (level, message) = match check.state {
            CheckState::Passed => (FindingSeverity::Ok, format!("`{}` passes on the base.", check.command)),
            CheckState::Failed | CheckState::TimedOut | CheckState::CouldNotStart => {
                let sentence = checks::failed_check(run, check).to_string();
                // Its log is not kept.
                let last = verdict.tail.as_deref().and_then(|tail| tail.lines().last());
                let ending = last.map(|line| format!(" Its output ends with: {line}")).unwrap_or_default();
                (FindingSeverity::Error, format!("{sentence}{ending}"))
            }
        };
        found.push(PreflightFinding::new(&name, level, message));
    }
    Ok(found)
}
