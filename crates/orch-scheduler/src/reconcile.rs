//! `orch reconcile`: applies what workers reported to their tasks, and repairs what killed processes left behind.

use std::path::PathBuf;

use orch_core::effect::{ClearingMode, Effect, EffectKind, PendingEffect};
use orch_core::id::{AttemptId, AttemptName, RunId, Slug, TaskName};
use orch_core::run::Run;
use orch_core::task::TaskState;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Transaction;
use orch_store::table::{attempt, effect, run as run_table, worktree};
use serde_json::{Value, json};

use crate::operation::{Operation, tool_transaction};
use crate::perform::{PendingChoice, effect_lease, perform_outstanding};
use crate::run_branch::notice_branch_moves;
pub use crate::unit_of_work::TaskTransition;
use crate::{lookup, orphaned};
use orch_inbox::{Error, Receipt, RequestDecision, RequestIntent, Response, Session};
use orch_workspace::git_locks::{StaleGitLock, find_stale_locks};
use orch_workspace::orphans;
use orch_workspace::orphans::Orphan;

/// An effect that an earlier process left unfinished.
#[derive(Debug)]
pub struct CompletedEffect {
    /// The kind of the effect.
    pub kind: EffectKind,
    /// The run.
    pub run: Slug,
    /// The attempt, if the effect belongs to one.
    pub attempt: Option<AttemptName>,
    /// The error, if it failed.
    pub problem: Option<Error>,
    /// Whether it is still pending.
    pub stays: bool,
}

/// The outcome of a reconciliation.
#[derive(Debug, Default)]
pub struct ReconcileOutcome {
    /// The transitions of tasks, in order.
    pub changes: Vec<TaskTransition>,
    /// The effects that were completed, or in a dry run would be.
    pub finished: Vec<CompletedEffect>,
    /// The leftover files that were removed, or in a dry run would be.
    pub swept: Vec<PathBuf>,
    /// Lock files of git that killed processes left behind.
    pub locks: Vec<StaleGitLock>,
    /// Worktrees and branches in the tool's folders that the store does not know.
    pub orphans: Vec<Orphan>,
    /// The errors of repositories that could not be read.
    pub faults: Vec<Error>,
}

impl ReconcileOutcome {
    fn add_locks(&mut self, found: Result<Vec<StaleGitLock>, Error>) -> Result<(), Error> {
        match found {
            Ok(locks) => self.locks = locks,
            Err(error @ Error::Store(_)) => return Err(error),
            // A repository that was moved or deleted must not prevent the rest.
            Err(_) => {}
        }
        Ok(())
    }
}

/// Reconciles a run, or all runs.
///
/// Applies what workers reported, stops what killed wrappers left running, completes pending effects and finds orphans.
/// It is idempotent.
///
/// # Errors
/// The run does not exist.
pub fn reconcile_runs(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ReconcileOutcome>>,
    run: Option<&Slug>,
    dry_run: bool,
) -> Result<Response<ReconcileOutcome>, Error> {
    if dry_run {
        return plan_reconcile(session, receipt, run);
    }
    Operation::by_tool(receipt).run_with_effects(
        session,
        |unit| {
            let run = run.map(|run| lookup::find_run(unit.tx, Some(run))).transpose()?;
            let changes = transitions_of_run(std::mem::take(&mut unit.changes), run.as_ref());
            let run = run.map(|run| run.id);
            let has_more = effect::any_pending(unit.tx)?
                || !runs_with_git(unit.tx, run)?.is_empty()
                || !orphaned::orphaned_workers(unit.tx, run)?.is_empty();
            Ok(match has_more {
                true => RequestDecision::Pending(ReconcileIntent { run, changes }),
                false => {
                    RequestDecision::Complete(ReconcileOutcome { changes, ..ReconcileOutcome::default() })
                }
            })
        },
        |session, intent| {
            let (mut changes, mut finished) = (intent.changes, Vec::new());
            for row in session.query(|tx| orphaned::orphaned_workers(tx, intent.run))? {
                changes.extend(orphaned::reap_worker(session, &row)?);
            }
            // A lock that stays would make the operations below fail.
            let runs = session.query(|tx| runs_with_git(tx, intent.run))?;
            let locks = find_stale_locks(session, &runs, true);
            for done in perform_outstanding(session, intent.run, PendingChoice::All)? {
                finished.push(completed_effect(session, &done.effect, done.run, done.outcome)?);
            }
            let runs = session.query(|tx| runs_with_git(tx, intent.run))?;
            notice_branch_moves(session, &runs);
            let mut outcome = ReconcileOutcome { changes, finished, ..ReconcileOutcome::default() };
            outcome.add_locks(locks)?;
            sweep_and_find_orphans(session, intent.run, true, &mut outcome)?;
            Ok(outcome)
        },
    )
}

/// Returns what a reconciliation would do, without doing it.
fn plan_reconcile(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ReconcileOutcome>>,
    run: Option<&Slug>,
) -> Result<Response<ReconcileOutcome>, Error> {
    let preview = Operation::by_tool(receipt).run_or_preview(session, true, |unit| {
        let run = run.map(|run| lookup::find_run(unit.tx, Some(run))).transpose()?;
        for row in orphaned::orphaned_workers(unit.tx, run.as_ref().map(|run| run.id))? {
            orphaned::mark_lost(unit, &row)?;
        }
        let changes = transitions_of_run(std::mem::take(&mut unit.changes), run.as_ref());
        Ok(ReconcileOutcome { changes, ..ReconcileOutcome::default() })
    })?;
    let mut outcome = match preview {
        Response::Replayed(recorded) => return Ok(Response::Replayed(recorded)),
        Response::Fresh(outcome) => outcome,
    };
    let (run, pending) = session.read(|tx, now| {
        let run = run.map(|run| lookup::find_run(tx, Some(run))).transpose()?.map(|run| run.id);
        let mut effects = effect::list_pending(tx, run)?;
        effects.retain(|effect| effect_lease::is_unheld(effect, now));
        Ok((run, effects))
    })?;
    for effect in pending {
        let run = session.query(|tx| lookup::load_run(tx, effect.run))?.name;
        outcome.finished.push(completed_effect(session, &effect, run, Ok(()))?);
    }
    let runs = session.query(|tx| runs_with_git(tx, run))?;
    outcome.add_locks(find_stale_locks(session, &runs, false))?;
    sweep_and_find_orphans(session, run, false, &mut outcome)?;
    Ok(Response::Fresh(outcome))
}

fn transitions_of_run(mut changes: Vec<TaskTransition>, run: Option<&Run>) -> Vec<TaskTransition> {
    if let Some(run) = run {
        changes.retain(|change| change.task.run == run.name);
    }
    changes
}

/// Loads a run, or all runs, as far as they have worktrees.
fn runs_with_git(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<Run>, Error> {
    match run {
        Some(run) => {
            Ok(vec![lookup::load_run(tx, run)?].into_iter().filter(|run| run.ground.is_some()).collect())
        }
        None => Ok(run_table::list_with_git(tx)?),
    }
}

fn completed_effect(
    session: &mut Session,
    done: &PendingEffect,
    run: Slug,
    outcome: Result<(), Error>,
) -> Result<CompletedEffect, Error> {
    session.query(|tx| {
        let attempt = match done.effect.attempt() {
            Some(id) => attempt::load(tx, id)?.map(|attempt| attempt.name),
            None => None,
        };
        let stays = effect::load(tx, done.id)?.is_some();
        Ok(CompletedEffect { kind: done.effect.kind(), run, attempt, problem: outcome.err(), stays })
    })
}

/// Removes leftover files, and finds orphans.
fn sweep_and_find_orphans(
    session: &mut Session,
    run: Option<RunId>,
    sweep: bool,
    outcome: &mut ReconcileOutcome,
) -> Result<(), Error> {
    let runs = session.query(|tx| runs_with_git(tx, run))?;
    match orphans::scan_for_orphans(session, runs, run.is_some(), sweep) {
        Ok(scan) => {
            outcome.swept = scan.swept;
            outcome.orphans = scan.orphans;
            if sweep { remove_returned(session, &scan.returned, outcome) } else { Ok(()) }
        }
        Err(error @ Error::Store(_)) => Err(error),
        // A repository that was moved or deleted must not prevent the rest.
        Err(error) => {
            outcome.faults.push(error);
            Ok(())
        }
    }
}

/// Removes the worktrees of ended attempts that a killed process created after they had been removed, as ended
/// attempts' worktrees are removed: after their contents were saved.
fn remove_returned(
    session: &mut Session,
    attempts: &[AttemptId],
    outcome: &mut ReconcileOutcome,
) -> Result<(), Error> {
    for id in attempts {
        let run = tool_transaction(session, |unit| {
            let Some(tree) = worktree::load(unit.tx, *id)? else { return Ok(None) };
            let attempt = attempt::load(unit.tx, *id)?;
            if tree.state != WorktreeState::Removed
                || attempt.is_none_or(|attempt| attempt.ended_at.is_none())
            {
                return Ok(None);
            }
            let back = Worktree { state: WorktreeState::Present, updated_at: unit.now, ..tree };
            worktree::save(unit.tx, &back)?;
            let clear = Effect::ClearWorktree { attempt: *id, mode: ClearingMode::Remove };
            effect::insert(unit.tx, back.run, &clear, unit.now)?;
            Ok(Some(back.run))
        })?;
        let Some(run) = run else { continue };
        for done in perform_outstanding(session, Some(run), PendingChoice::All)? {
            outcome.finished.push(completed_effect(session, &done.effect, done.run, done.outcome)?);
        }
    }
    Ok(())
}

/// The transitions of a reconciliation whose effects are pending.
struct ReconcileIntent {
    run: Option<RunId>,
    changes: Vec<TaskTransition>,
}

impl RequestIntent for ReconcileIntent {
    fn encode(&self) -> String {
        let changes: Vec<Value> = self.changes.iter().map(encode_transition).collect();
        json!({ "run": self.run.map(|run| run.0), "changes": changes }).to_string()
    }

    fn decode(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let changes = value["changes"].as_array()?.iter().map(decode_transition).collect::<Option<_>>()?;
        Some(Self { run: value["run"].as_i64().map(RunId), changes })
    }
}

fn encode_transition(transition: &TaskTransition) -> Value {
    let TaskTransition { task, attempt, from, to, reason } = transition;
    let attempt = attempt.as_ref().map(|attempt| attempt.number);
    json!([task.run.as_str(), task.key.as_str(), attempt, from, to, reason])
}

fn decode_transition(value: &Value) -> Option<TaskTransition> {
    let text = |index: usize| value[index].as_str().map(str::to_owned);
    let state = |index: usize| Some(TaskState::parse(value[index].as_str()?)?.name());
    let task = TaskName { run: Slug::from_stored(text(0)?), key: Slug::from_stored(text(1)?) };
    let number = value[2].as_u64().and_then(|number| u32::try_from(number).ok());
    let attempt = number.map(|number| AttemptName { task: task.clone(), number });
    Some(TaskTransition { task, attempt, from: state(3)?, to: state(4)?, reason: text(5)? })
}
