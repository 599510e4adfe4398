//! `orch run rm`: removes a run and keeps its commits.

use std::path::Path;

use orch_core::effect::{Effect, EffectKey, EffectKind};
use orch_core::event::{EventKind, EventSubject};
use orch_core::id::{RunId, Slug};
use orch_core::refusal::TreeRefusal;
use orch_core::run::{Run, RunStatus, decide};
use orch_store::table::run as run_table;
use serde::Serialize;
use serde_json::json;

use orch_inbox::{Error, Receipt, RequestDecision, RequestIntent, Response, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::operation::Operation;
use orch_scheduler::perform::complete_effect;
use orch_scheduler::perform::effect_lease::request_effect;
use orch_scheduler::perform::remove::require_no_activity;
use orch_scheduler::run_cancel::cancel_idle_tasks;
use orch_scheduler::{lookup, operation};
use orch_workspace::run_remains::RunRemains;
use orch_workspace::run_repository::salvage_prefix;

/// A run that was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemovedRun {
    /// Its name.
    pub run: Slug,
    /// How many tasks it had.
    pub tasks: i64,
    /// The references that keep its commits.
    pub salvage: Vec<String>,
    /// The repository of these references; `None` for a run without worktrees.
    pub repository: Option<String>,
}

/// How much of a run is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum RemovalExtent {
    /// Work that no other branch has stays as salvage.
    KeepWork,
    /// Salvage goes too; a run with work that has not landed is refused.
    PurgeLanded,
    /// Salvage goes too, landed or not.
    PurgeAll,
}

/// What is reported of a run after its removal.
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

/// Removes a run, except the references that keep its commits; an unfinished run is cancelled first.
///
/// # Errors
/// The run has a live attempt, or one of its branches or worktrees cannot be removed.
pub fn remove_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, RemovedRun>>,
    who: &Slug,
    run: &Slug,
    extent: RemovalExtent,
) -> Result<Response<RemovedRun>, Error> {
    if extent == RemovalExtent::PurgeLanded && session.is_new_request(receipt)? {
        let (run, remains) = plan_removal(session, run)?;
        let parts = remains.unlanded_parts();
        if !parts.is_empty() {
            return Err(TreeRefusal::UnlandedWork { run: run.name, parts }.into());
        }
    }
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(Some(run))?;
            require_no_activity(unit.tx, &run)?;
            if matches!(run.state.status(), RunStatus::Open | RunStatus::Paused)
                && let Some(after) = decide::cancel_run(&run, unit.now)?
            {
                // Nothing may be dispatched during the removal.
                unit.replace_run(after);
                cancel_idle_tasks(unit, run.id)?;
                unit.append_event(EventKind::RunCancelled, EventSubject::of_run(run.id), None, Vec::new())?;
            }
            let effect = Effect::RemoveRun {
                requested_by: Some(who.clone()),
                purge: extent != RemovalExtent::KeepWork,
            };
            request_effect(unit.tx, run.id, &effect, unit.now)?;
            let repository = run.ground.as_ref().map(|ground| ground.repository.clone());
            let intent = RemovalIntent { id: run.id, tasks: run.counts.total(), name: run.name, repository };
            Ok(RequestDecision::Pending(intent))
        },
        |session, intent| {
            complete_effect(session, EffectKey::of_run(EffectKind::Remove, intent.id))?;
            load_removed_run(session, intent)
        },
    )
}

/// Returns a run and what it has left, and removes nothing.
///
/// # Errors
/// The run does not exist or has a live attempt; git failed.
pub fn plan_removal(session: &mut Session, run: &Slug) -> Result<(Run, RunRemains), Error> {
    let run = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, Some(run))?;
        require_no_activity(tx, &run)?;
        Ok(run)
    })?;
    let remains = RunRemains::survey(session, &run)?;
    Ok((run, remains))
}

fn load_removed_run(session: &mut Session, removed: RemovalIntent) -> Result<RemovedRun, Error> {
    // No output is charged to a removed run.
    lookup::take_found_run();
    let still_exists = session
        .read(|tx, _| Ok(run_table::load(tx, removed.id)?.is_some_and(|run| run.name == removed.name)))?;
    if still_exists {
        return Err(operation::request_aborted_elsewhere());
    }
    let mut salvage = Vec::new();
    let repository = removed.repository.filter(|repository| Path::new(repository).exists());
    if let Some(folder) = &repository {
        let found = session.world().discover_repository(Path::new(folder))?;
        for entry in found.list_refs(&salvage_prefix(&removed.name))? {
            salvage.push(entry.reference.as_str().to_owned());
        }
    }
    Ok(RemovedRun { run: removed.name, tasks: removed.tasks, salvage, repository })
}
