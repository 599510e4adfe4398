//! `orch land`: brings the run's branch onto another one, if all of it is good there.

use std::path::PathBuf;

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::event::{Event, EventKind};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{Run, decide};
use orch_store::Transaction;
use orch_store::table::{check_run, effect, event};

use super::lookup;
use super::operation::Operation;
use super::perform::land::{LandingIntent, branch_tip};
use super::perform::{branch_ref, complete_effect, effect_lease, open_repository, require_run_git};
use super::task_outcome::{self, BoundedList, TaskOutcome};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};

/// What is to land where.
#[derive(Clone, Debug)]
pub struct LandRequest {
    /// The run.
    pub run: Option<Slug>,
    /// The branch to land on.
    pub onto: String,
    /// Whether a part of the run will do.
    pub partial: bool,
}

/// What landing came to.
#[derive(Clone, Debug)]
pub struct LandOutcome {
    /// The run.
    pub run: Run,
    /// The branch it is on now.
    pub onto: String,
    /// Where that branch is.
    pub commit: String,
    /// Where it was before it moved there, as far as that is known.
    pub from: Option<String>,
    /// Whether nothing had to be done.
    pub already: bool,
    /// The run's checks on the merged tree, where there was something to merge.
    pub checks: Vec<CheckRun>,
    /// What is on the branch, oldest task first.
    pub landed: BoundedList<TaskOutcome>,
    /// Tasks that are not.
    pub left: BoundedList<TaskOutcome>,
    /// What of it nothing has judged.
    pub unchecked: BoundedList<TaskOutcome>,
    /// The worktree that has the branch checked out.
    pub checkout: Option<PathBuf>,
    /// The repository, where commands may be given.
    pub repository: PathBuf,
    /// The remote that the branch would be pushed to.
    pub remote: Option<String>,
}

/// Lands a run; one that landed before is told as it is.
///
/// # Errors
/// It is not finished, the branch is not there, its checkout is not clean, the two do not merge, the checks of the
/// merged tree do not pass, or the store or git failed.
pub fn land_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, LandOutcome>>,
    who: &Slug,
    landing: &LandRequest,
) -> Result<Response<LandOutcome>, Error> {
    let wish = LandingIntent::new(&landing.onto, landing.partial, who);
    if session.is_new_request(receipt)? {
        finish_other_landing(session, landing.run.as_ref(), &wish)?;
    }
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |stage| {
            let run = stage.resolve_run(landing.run.as_ref())?;
            let prefix = format!("{}/", require_run_git(&run)?.branch_prefix);
            if landing.onto.starts_with(&prefix) {
                return Err(
                    Refusal::Invalid { argument: "--onto", problem: ArgumentProblem::NotApplicable }.into()
                );
            }
            decide::require_landable(&run, landing.partial)?;
            match pending_landing(stage.tx, run.id)? {
                Some(other) if !other.is_same_request(&wish) => {
                    return Err(landing_in_progress(&run, &other));
                }
                Some(_) => effect_lease::request_effect(stage.tx, EffectKind::Land, run.id, None, stage.now)?,
                None => {
                    effect_lease::request_effect(stage.tx, EffectKind::Land, run.id, None, stage.now)?;
                    effect_lease::set_effect_intent(
                        stage.tx,
                        EffectKind::Land,
                        run.id,
                        &wish.encode_intent(),
                    )?;
                }
            }
            Ok(RequestDecision::Pending(vec![run.id.0, event::newest_id(stage.tx)?.0]))
        },
        |session, subject| {
            let (run, since) = (RunId(subject[0]), EventId(subject[1]));
            complete_effect(session, EffectKind::Land, run, None)?;
            load_land_outcome(session, run, since, &wish)
        },
    )
}

/// What is to be landed, or is being landed just now.
fn pending_landing(tx: &mut Transaction<'_>, run: RunId) -> Result<Option<LandingIntent>, Error> {
    let found = effect::find_pending(tx, EffectKind::Land, run, None)?;
    Ok(found.and_then(|effect| effect.intent).as_deref().and_then(LandingIntent::decode_intent))
}

/// Finishes another landing of the run that a process has begun, whatever comes of it.
fn finish_other_landing(
    session: &mut Session,
    run: Option<&Slug>,
    wish: &LandingIntent,
) -> Result<(), Error> {
    let found = session.read(|tx, _| {
        let run = lookup::find_run(tx, run)?;
        Ok((run.id, pending_landing(tx, run.id)?))
    });
    match found {
        Ok((run, Some(other))) if !other.is_same_request(wish) => {
            match complete_effect(session, EffectKind::Land, run, None) {
                Err(error @ Error::Store(_)) => Err(error),
                _ => Ok(()),
            }
        }
        // Why not is said by the decision, which looks again.
        Ok(_) | Err(Error::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

fn landing_in_progress(run: &Run, other: &LandingIntent) -> Error {
    let problem = TreeProblem::InProgress { operation: format!("Landing on {}", other.onto) };
    TreeRefusal::WorktreeConflict { tree: run.name.to_string(), problem }.into()
}

/// Looks what came of it: whoever has performed it, the branch says whether the run is there.
fn load_land_outcome(
    session: &mut Session,
    id: RunId,
    since: EventId,
    wish: &LandingIntent,
) -> Result<LandOutcome, Error> {
    let (run, event, checks, lists) = session.read(|tx, _| {
        let run = lookup::load_run(tx, id)?;
        let event = last_landing(tx, id, &wish.onto)?;
        let checks = check_run::list_by_stage(tx, id, CheckStage::Land)?;
        Ok((run, event, checks, LandingLists::load(tx, id)?))
    })?;
    let repository = open_repository(session, &run)?;
    let tip = branch_tip(&repository, &require_run_git(&run)?.branch)?;
    let target = branch_tip(&repository, &wish.onto)?;
    let already = event.as_ref().is_none_or(|(event, _)| event.id <= since);
    if already && !repository.is_ancestor(&tip, &target)? {
        // Somebody else has given it up, or the branch was moved away at once.
        return Err(TreeRefusal::WorktreeConflict {
            tree: wish.onto.clone(),
            problem: TreeProblem::NotDescending {
                base: super::perform::to_stored_commit(&tip),
                head: super::perform::to_stored_commit(&target),
            },
        }
        .into());
    }
    let step = event.map(|(_, step)| step).filter(|step| step.to == target.as_str());
    let name = branch_ref(&wish.onto)?;
    let worktrees = repository.list_worktrees()?;
    let is_on = |head: &orch_git::WorktreeHead| head.branch.as_ref() == Some(&name);
    let checkout = worktrees.iter().find(|entry| entry.head.as_ref().is_some_and(is_on));
    let main = worktrees.iter().find(|entry| entry.is_main).map(|entry| entry.path.clone());
    Ok(LandOutcome {
        already,
        onto: wish.onto.clone(),
        from: step.as_ref().map(|step| step.from.clone()),
        checks: checks.into_iter().filter(|check| check.commit.as_str() == target.as_str()).collect(),
        commit: target.as_str().to_owned(),
        landed: lists.landed,
        left: lists.left,
        unchecked: lists.unchecked,
        checkout: checkout.map(|entry| entry.path.clone()),
        remote: repository.push_remote(&wish.onto)?,
        repository: main.unwrap_or_else(|| repository.common_dir().to_owned()),
        run,
    })
}

/// The tasks of a run by whether they are on its branch.
struct LandingLists {
    landed: BoundedList<TaskOutcome>,
    left: BoundedList<TaskOutcome>,
    unchecked: BoundedList<TaskOutcome>,
}

impl LandingLists {
    fn load(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut lists = Self {
            landed: BoundedList::default(),
            left: BoundedList::default(),
            unchecked: BoundedList::default(),
        };
        task_outcome::for_each_task(tx, run, |outcome| {
            if !outcome.is_merged() {
                lists.left.push(outcome);
                return;
            }
            if outcome.is_unchecked() {
                lists.unchecked.push(outcome.clone());
            }
            lists.landed.push(outcome);
        })?;
        Ok(lists)
    }
}

/// One step of the branch that was landed on.
struct RecordedMove {
    from: String,
    to: String,
}

/// The last time that the run landed on this branch.
fn last_landing(
    tx: &mut Transaction<'_>,
    run: RunId,
    onto: &str,
) -> Result<Option<(Event, RecordedMove)>, Error> {
    for event in event::last_of_kind(tx, run, EventKind::Landed)? {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        if let (Some(from), Some(to), true) = (text("from"), text("commit"), data["onto"] == onto) {
            return Ok(Some((event, RecordedMove { from, to })));
        }
    }
    Ok(None)
}
