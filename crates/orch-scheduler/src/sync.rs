//! `orch run sync`: merges the branch that a run began from into the run's branch.

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::{Effect, EffectKey, EffectKind, SyncPlan};
use orch_core::event::{Event, EventKind};
use orch_core::id::{CommitHash, EventId, RunId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{Run, branch};
use orch_core::task::TaskConflict;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::table::{check_run, effect, event};

use crate::lookup;
use crate::operation::Operation;
use crate::perform::check_settings::CheckSettings;
use crate::perform::effect_lease::{is_unheld, request_effect};
use crate::perform::sync::{resolve_base, sync_key};
use crate::perform::{complete_effect, complete_effect_with};
use crate::resolve::{ResolvingTask, add_resolving_task};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::run_repository::{open_repository, require_run_git, to_stored_commit};

/// A request to synchronize a run.
#[derive(Clone, Debug)]
pub struct SyncRequest {
    /// The run.
    pub run: Option<Slug>,
    /// The branch or revision to merge; the run's base branch when not given.
    pub from: Option<String>,
    /// Which known results of checks are taken over.
    pub reuse: CheckReuse,
    /// Whether a task is added that resolves a conflict.
    pub resolve: bool,
}

/// The result of synchronizing a run.
#[derive(Clone, Debug)]
pub struct SyncOutcome {
    /// The run.
    pub run: Run,
    /// What was merged, by name.
    pub from: String,
    /// Its commit.
    pub base: CommitHash,
    /// The merge, if there was something to merge.
    pub step: Option<SyncedStep>,
    /// The run's checks on the merged tree.
    pub checks: Vec<CheckRun>,
    /// The task that resolves the conflict, where there was one.
    pub resolving: Option<ResolvingTask>,
}

/// A step of the run's branch that merged its base branch.
#[derive(Clone, Debug)]
pub struct SyncedStep {
    /// The commit of the run's branch before it.
    pub from: String,
    /// The commit after it.
    pub to: String,
    /// The commit that was merged.
    pub base: String,
}

/// Merges the base branch into the run's branch, if the run's checks pass on the result.
///
/// # Errors
/// The run is finished or cancelled or has no branch, others moved its branch, or attempts are being merged into it.
/// The base branch does not exist or has a merge conflict, or the checks fail.
pub fn sync_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, SyncOutcome>>,
    who: &Slug,
    request: &SyncRequest,
) -> Result<Response<SyncOutcome>, Error> {
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(request.run.as_ref())?;
            let from = merged_name(&run, request.from.as_deref())?;
            require_synchronizable(unit.tx, &run, unit.now)?;
            refuse_other_sync(unit.tx, &run, &from)?;
            let plan = SyncPlan { from, requested_by: who.clone(), step: None };
            request_effect(unit.tx, run.id, &Effect::SyncRun(Some(plan)), unit.now)?;
            Ok(RequestDecision::Pending(vec![run.id.0, event::newest_id(unit.tx)?.0]))
        },
        |session, intent| {
            let (run, since) = (RunId(intent[0]), EventId(intent[1]));
            complete_effect(session, EffectKey::of_run(EffectKind::Branch, run))?;
            let checks = CheckSettings { reuse: request.reuse, ..CheckSettings::default() };
            let synced = complete_effect_with(session, sync_key(run), checks);
            let resolving = match synced {
                Err(Error::Refused(Refusal::Tree(TreeRefusal::SyncConflict {
                    from, commit, files, ..
                }))) if request.resolve => {
                    let conflict = TaskConflict { commit, from, attempt: None, is_base: true };
                    Some(add_resolving_task(session, who, run, &conflict, &files)?)
                }
                synced => {
                    synced?;
                    None
                }
            };
            let mut outcome = session.read(|tx, _| {
                let run = lookup::load_run(tx, run)?;
                load_sync_outcome(tx, run, since, request.from.as_deref())
            })?;
            if outcome.step.is_none() {
                let repository = open_repository(session, &outcome.run)?;
                let base = resolve_base(&repository, &outcome.run, &outcome.from)?;
                outcome.base = to_stored_commit(&base);
            }
            outcome.resolving = resolving;
            Ok(outcome)
        },
    )
}

/// The name of what is merged into the run's branch.
fn merged_name(run: &Run, named: Option<&str>) -> Result<String, Error> {
    let git = require_run_git(run)?;
    match named {
        Some(named) if named.trim().is_empty() || named == git.branch => {
            let problem = match named == git.branch {
                true => ArgumentProblem::NotApplicable,
                false => ArgumentProblem::Empty,
            };
            Err(Refusal::Invalid { argument: "--from", problem }.into())
        }
        Some(named) => Ok(named.to_owned()),
        None => git.base_branch.clone().ok_or_else(|| {
            Refusal::Tree(TreeRefusal::SyncBaseMissing { run: run.name.clone(), from: None }).into()
        }),
    }
}

/// Checks that the branch of a run may be synchronized now.
///
/// # Errors
/// The run is finished or cancelled, others moved its branch, or a living process merges attempts into it.
fn require_synchronizable(tx: &mut Transaction<'_>, run: &Run, now: Time) -> Result<(), Error> {
    let status = run.state.status();
    if !status.is_unfinished() {
        return Err(Refusal::RunNotOpen { run: run.name.clone(), status }.into());
    }
    branch::require_branch(run)?;
    let merges = effect::find_pending(tx, EffectKey::of_run(EffectKind::Integrate, run.id))?;
    if merges.is_some_and(|merges| !is_unheld(&merges, now)) {
        return Err(
            TreeRefusal::HeldElsewhere { effect: EffectKind::Integrate, run: run.name.clone() }.into()
        );
    }
    Ok(())
}

/// Refuses to begin while a synchronization with another branch is performed or was interrupted.
fn refuse_other_sync(tx: &mut Transaction<'_>, run: &Run, from: &str) -> Result<(), Error> {
    match effect::find_pending(tx, sync_key(run.id))?.map(|pending| pending.effect) {
        Some(Effect::SyncRun(Some(other))) if other.from != from => {
            let problem = TreeProblem::InProgress { operation: format!("Synchronizing with {}", other.from) };
            Err(TreeRefusal::WorktreeConflict { tree: run.name.to_string(), problem }.into())
        }
        _ => Ok(()),
    }
}

fn load_sync_outcome(
    tx: &mut Transaction<'_>,
    run: Run,
    since: EventId,
    named: Option<&str>,
) -> Result<SyncOutcome, Error> {
    let newest = event::last_of_kind(tx, run.id, EventKind::Synced)?.into_iter().next();
    let step = newest.filter(|event| event.id > since).and_then(|event| step_of_event(&event));
    let git = require_run_git(&run)?;
    let mut checks = check_run::list_by_stage(tx, run.id, CheckStage::Branch)?;
    checks.retain(|check| {
        step.as_ref().is_some_and(|step| check.commit == CommitHash::from_stored(step.to.clone()))
    });
    let from = named.map(str::to_owned).or_else(|| git.base_branch.clone()).unwrap_or_default();
    let base = step.as_ref().map_or(git.base.clone(), |step| CommitHash::from_stored(step.base.clone()));
    Ok(SyncOutcome { from, base, step, checks, run, resolving: None })
}

fn step_of_event(event: &Event) -> Option<SyncedStep> {
    let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
    let text = |name: &str| data[name].as_str().map(str::to_owned);
    Some(SyncedStep { from: text("from")?, to: text("commit")?, base: text("base")? })
}
