//! `orch run rm`: forgets a run, and keeps its work.

use std::path::Path;

use orch_core::effect::EffectKind;
use orch_core::event::EventKind;
use orch_core::id::{RunId, Slug};
use orch_core::run::{RunStatus, decide};
use orch_store::table::run as run_table;
use serde_json::json;

use super::operation::Operation;
use super::perform::remove::require_no_activity;
use super::perform::{complete_effect, effect_lease};
use super::run::{about_run, cancel_idle_tasks};
use orch_inbox::{Error, Receipt, RequestDecision, RequestIntent, Response, Session};

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
struct RemovalIntent {
    id: RunId,
    name: Slug,
    tasks: i64,
    repository: Option<String>,
}

impl RequestIntent for RemovalIntent {
    fn encode(&self) -> String {
        let Self { id, name, tasks, repository } = self;
        json!({"id": id.0, "name": name.as_str(), "tasks": tasks, "repository": repository}).to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        let written: serde_json::Value = serde_json::from_str(text).ok()?;
        Some(Self {
            id: RunId(written["id"].as_i64()?),
            name: Slug::from_stored(written["name"].as_str()?.to_owned()),
            tasks: written["tasks"].as_i64()?,
            repository: written["repository"].as_str().map(str::to_owned),
        })
    }
}

/// Removes every trace of a run but what was salvaged; one that is unfinished is cancelled first.
///
/// # Errors
/// There is no such run, somebody works on it, something is in the way, or the store or git failed.
pub fn remove_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RemovedRun>>,
    who: &Slug,
    run: &Slug,
) -> Result<Response<RemovedRun>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(Some(run))?;
            require_no_activity(stage.tx, &run)?;
            if matches!(run.state.status(), RunStatus::Open | RunStatus::Paused)
                && let Some(after) = decide::cancel_run(&run, stage.now)?
            {
                // Nothing is dispatched while it goes.
                stage.replace_run(after);
                cancel_idle_tasks(stage, run.id)?;
                stage.append_event(EventKind::RunCancelled, about_run(run.id), None, Vec::new())?;
            }
            effect_lease::request_effect(stage.tx, EffectKind::Remove, run.id, None, stage.now)?;
            effect_lease::set_effect_intent(stage.tx, EffectKind::Remove, run.id, who.as_str())?;
            let repository = run.ground.as_ref().map(|ground| ground.repository.clone());
            let intent = RemovalIntent { id: run.id, tasks: run.counts.total(), name: run.name, repository };
            Ok(RequestDecision::Pending(intent))
        },
        |session, gone| {
            complete_effect(session, EffectKind::Remove, gone.id, None)?;
            load_removed_run(session, gone)
        },
    )
}

fn load_removed_run(session: &mut Session, gone: RemovalIntent) -> Result<RemovedRun, Error> {
    let is_there =
        session.read(|tx, _| Ok(run_table::load(tx, gone.id)?.is_some_and(|run| run.name == gone.name)))?;
    if is_there {
        return Err(super::perform::integrate::superseded_error());
    }
    let mut salvage = Vec::new();
    let repository = gone.repository.filter(|repository| Path::new(repository).exists());
    if let Some(place) = &repository {
        let found = session.world().discover_repository(Path::new(place))?;
        for entry in found.list_refs(&format!("refs/orch/salvage/{}/", gone.name))? {
            salvage.push(entry.reference.as_str().to_owned());
        }
    }
    Ok(RemovedRun { run: gone.name, tasks: gone.tasks, salvage, repository })
}
