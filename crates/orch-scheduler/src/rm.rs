//! `orch run rm`: forgets a run, and keeps its work.

use std::path::Path;

use orch_core::effect::EffectKind;
use orch_core::event::EventKind;
use orch_core::id::{RunId, Slug};
use orch_core::run::{RunStatus, decide};
use orch_store::table::run as run_table;
use serde_json::json;

use super::lasting::{self, Subject};
use super::perform::remove::require_rest;
use super::perform::{complete, hold};
use super::run::{about, cancel_tasks};
use orch_inbox::{Answer, Error, Receipt, Session};

/// A run that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRun {
    /// Its name.
    pub run: Slug,
    /// How many tasks it had.
    pub tasks: i64,
    /// The references that keep its work, by name.
    pub salvage: Vec<String>,
    /// Where these are; `None` for a run that had no worktrees.
    pub repository: Option<String>,
}

/// What is left to say of a run that is gone.
struct Gone {
    id: RunId,
    name: Slug,
    tasks: i64,
    repository: Option<String>,
}

impl Subject for Gone {
    fn write(&self) -> String {
        let Self { id, name, tasks, repository } = self;
        json!({"id": id.0, "name": name.as_str(), "tasks": tasks, "repository": repository}).to_string()
    }

    fn read(text: &str) -> Option<Self> {
        let written: serde_json::Value = serde_json::from_str(text).ok()?;
        Some(Self {
            id: RunId(written["id"].as_i64()?),
            name: Slug::stored(written["name"].as_str()?.to_owned()),
            tasks: written["tasks"].as_i64()?,
            repository: written["repository"].as_str().map(str::to_owned),
        })
    }
}

/// Removes every trace of a run but what was salvaged; one that is unfinished is cancelled first.
///
/// # Errors
/// There is no such run, somebody works on it, something is in the way, or the store or git failed.
pub fn rm(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RemovedRun>>,
    who: &Slug,
    run: &Slug,
) -> Result<Answer<RemovedRun>, Error> {
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let run = stage.named_run(Some(run))?;
            require_rest(stage.tx, &run)?;
            if matches!(run.state.status(), RunStatus::Open | RunStatus::Paused)
                && let Some(after) = decide::cancel(&run, stage.now)?
            {
                // Nothing is dispatched while it goes.
                stage.put_run(after);
                cancel_tasks(stage, run.id)?;
                stage.tell(EventKind::RunCancelled, about(run.id), None, Vec::new())?;
            }
            hold::ask(stage.tx, EffectKind::Remove, run.id, None, stage.now)?;
            hold::note(stage.tx, EffectKind::Remove, run.id, who.as_str())?;
            let repository = run.ground.as_ref().map(|ground| ground.repository.clone());
            Ok(Gone { id: run.id, tasks: run.counts.total(), name: run.name, repository })
        },
        |_, _| Ok(None),
        |session, gone| {
            complete(session, EffectKind::Remove, gone.id, None)?;
            told(session, gone)
        },
    )
}

fn told(session: &mut Session, gone: Gone) -> Result<RemovedRun, Error> {
    let is_there =
        session.read(|tx, _| Ok(run_table::load(tx, gone.id)?.is_some_and(|run| run.name == gone.name)))?;
    if is_there {
        return Err(super::perform::integrate::superseded());
    }
    let mut salvage = Vec::new();
    let repository = gone.repository.filter(|repository| Path::new(repository).exists());
    if let Some(place) = &repository {
        let found = session.world().repository(Path::new(place))?;
        for entry in found.list_refs(&format!("refs/orch/salvage/{}/", gone.name))? {
            salvage.push(entry.reference.as_str().to_owned());
        }
    }
    Ok(RemovedRun { run: gone.name, tasks: gone.tasks, salvage, repository })
}
