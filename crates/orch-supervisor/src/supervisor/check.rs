//! Whether everything is there that a supervisor needs: git, room, the run's setup and checks, each profile's program.

use std::path::Path;

use orch_core::check::{CheckStage, CheckState};
use orch_core::id::Slug;
use orch_core::run::Run;

use super::crew::Crew;
use orch_inbox::{Error, Session};
use orch_process::disk;
use orch_process::limit::DISK_FLOOR_BYTES;
use orch_profile::Reference;
use orch_scheduler::doctor::Level;
use orch_scheduler::perform::checks::{self, Subject};
use orch_scheduler::perform::prepare::said;
use orch_scheduler::scope;

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Looked {
    /// A short stable name.
    pub check: String,
    /// How bad it is.
    pub level: Level,
    /// A full sentence.
    pub message: String,
}

impl Looked {
    fn new(check: &str, level: Level, message: String) -> Self {
        Self { check: check.to_owned(), level, message }
    }
}

/// Looks at everything; the checks of a run with a base run once in a tree of their own.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn look(session: &mut Session, run: Option<&Slug>, crew: &Crew) -> Result<Vec<Looked>, Error> {
    let runs = session.read(|tx, _| scope::runs(tx, run))?;
    let mut found = vec![room(session)];
    found.extend(programs(session, crew));
    for run in runs.iter().filter(|run| run.ground.is_some()) {
        found.extend(identity(session, run)?);
        found.extend(ground(session, run)?);
    }
    Ok(found)
}

/// Looks at what costs nothing to look at, before anything is started.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn glance(session: &mut Session, run: Option<&Slug>, crew: &Crew) -> Result<Vec<Looked>, Error> {
    let runs = session.read(|tx, _| scope::runs(tx, run))?;
    let mut found = programs(session, crew);
    for run in runs.iter().filter(|run| run.ground.is_some() && run.state.status().unfinished()) {
        found.extend(identity(session, run)?);
    }
    Ok(found)
}

fn programs(session: &Session, crew: &Crew) -> Vec<Looked> {
    crew.seats.iter().map(|seat| program(session, crew, &seat.profile, &seat.reference)).collect()
}

/// Whether git knows who commits; without that the commits of workers fail, though ours do not.
fn identity(session: &Session, run: &Run) -> Result<Option<Looked>, Error> {
    let Some(ground) = &run.ground else { return Ok(None) };
    let known =
        session.world().repository(Path::new(&ground.repository)).and_then(|found| found.has_identity());
    let known = match known {
        Ok(known) => known,
        Err(error) => return Ok(Some(Looked::new("git", Level::Error, said(&error.into())))),
    };
    let message = "Git does not know who commits here, so that workers cannot: \
                   git config user.name NAME && git config user.email EMAIL";
    Ok((!known).then(|| Looked::new("git", Level::Warning, message.to_owned())))
}

fn room(session: &Session) -> Looked {
    match disk::free_bytes(session.folder()) {
        Ok(free) if free >= DISK_FLOOR_BYTES => {
            Looked::new("disk", Level::Ok, format!("{} MB are free.", free / 1_000_000))
        }
        Ok(free) => Looked::new("disk", Level::Error, format!("Only {} MB are free.", free / 1_000_000)),
        Err(error) => Looked::new("disk", Level::Warning, format!("The disk cannot be looked at: {error}.")),
    }
}

/// Whether a profile's program is on the `PATH`.
fn program(session: &Session, crew: &Crew, name: &Slug, reference: &str) -> Looked {
    let check = format!("profile {name}");
    let profile = match reference.parse::<Reference>().map(|reference| crew.shelf.profile(&reference)) {
        Ok(Ok(profile)) => profile,
        Ok(Err(error)) => return Looked::new(&check, Level::Error, format!("{error}.")),
        Err(error) => return Looked::new(&check, Level::Error, format!("{error}.")),
    };
    let word = profile.command.program_text();
    let own_path = profile.settings.iter().any(|setting| setting.name == "PATH");
    let found = if word.contains('{') || (word.contains('/') && !word.starts_with('/')) || own_path {
        // Where that leads is known at the start of a worker alone.
        return Looked::new(&check, Level::Ok, format!("{word} is looked for when a worker is started."));
    } else if word.contains('/') {
        Path::new(&word).is_file()
    } else {
        session.world().environment().find_program(&word).is_some()
    };
    if found {
        Looked::new(&check, Level::Ok, format!("{word} is there."))
    } else {
        let place = if word.contains('/') { "there" } else { "on the PATH" };
        Looked::new(&check, Level::Error, format!("{word} is not {place}."))
    }
}

/// Whether git is there, and the run's setup and checks pass on its base.
fn ground(session: &Session, run: &Run) -> Result<Vec<Looked>, Error> {
    let name = format!("run {}", run.name);
    let Some(ground) = &run.ground else { return Ok(Vec::new()) };
    let orders = checks::orders(&run.rules.verify, &[]);
    let stage = CheckStage::Baseline;
    let subject = Subject { run, attempt: None, slot: 0, stage, commit: &ground.base };
    let verdict = match checks::run_in_scratch(session, &subject, &orders) {
        Ok(verdict) => verdict,
        Err(error) => return Ok(vec![Looked::new(&name, Level::Error, said(&error))]),
    };
    let mut found = vec![Looked::new(&name, Level::Ok, "A worktree can be made and prepared.".to_owned())];
    for check in &verdict.checks {
        let (level, message) = match check.state {
            CheckState::Passed => (Level::Ok, format!("`{}` passes on the base.", check.command)),
            CheckState::Failed | CheckState::TimedOut | CheckState::CouldNotStart => {
                (Level::Error, checks::failed(check).to_string())
            }
        };
        found.push(Looked::new(&name, level, message));
    }
    Ok(found)
}
