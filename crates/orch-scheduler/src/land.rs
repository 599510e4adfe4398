//! `orch land`: merges the run's branch into another one, if its checks pass there.

use std::path::PathBuf;

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::{Effect, EffectKey, EffectKind, LandingMode, LandingPlan};
use orch_core::event::{Event, EventKind};
use orch_core::id::{CommitHash, EventId, RunId, Slug};
use orch_core::refusal::{ArgumentProblem, Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{Run, RunLanding, decide};
use orch_core::task::TaskConflict;
use orch_store::Transaction;
use orch_store::table::{check_run, effect, event};

use crate::lookup;
use crate::operation::Operation;
use crate::perform::check_settings::CheckSettings;
use crate::perform::effect_lease::request_effect;
use crate::perform::{complete_effect, complete_effect_with};
use crate::resolve::{ResolvingTask, add_resolving_task};
use orch_inbox::{Error, Receipt, RequestDecision, Response, Session};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::run_repository::{
    branch_ref, branch_tip, open_repository, require_run_git, to_commit_id, to_stored_commit,
};
use orch_workspace::task_outcome;
use orch_workspace::task_outcome::{BoundedList, TaskOutcome};

/// A request to land a run.
#[derive(Clone, Debug)]
pub struct LandRequest {
    /// The run.
    pub run: Option<Slug>,
    /// The branch to land on; for a landing that is only recorded, the run's base branch when not given.
    pub onto: Option<String>,
    /// Whether a part of the run may land.
    pub partial: bool,
    /// How the run comes onto the branch.
    pub manner: LandingChoice,
    /// Whether the user's hooks for merges run, also in a run whose merges run none.
    pub run_hooks: bool,
    /// Which known results of checks are taken over.
    pub reuse: CheckReuse,
    /// Whether a task is added that resolves a conflict.
    pub resolve: bool,
}

/// How a run is to come onto a branch.
#[derive(Clone, Debug)]
pub enum LandingChoice {
    /// The branch moves if the run's checks pass.
    Checked,
    /// The branch moves without checks.
    Unverified {
        /// Why.
        reason: String,
    },
    /// It was merged elsewhere; the landing is only recorded.
    Pushed {
        /// The revision with the run.
        revision: String,
        /// Why it counts although its files are not those that a merge makes.
        reason: Option<String>,
    },
}

/// The result of landing a run.
#[derive(Clone, Debug)]
pub struct LandOutcome {
    /// The run.
    pub run: Run,
    /// The branch that it landed on.
    pub onto: String,
    /// That branch's commit.
    pub commit: String,
    /// That branch's commit before the landing, where it is known.
    pub from: Option<String>,
    /// Whether the run had landed before.
    pub already: bool,
    /// The landing as the run records it.
    pub landing: Option<RunLanding>,
    /// The run's checks on the merged tree, where there was something to merge.
    pub checks: Vec<CheckRun>,
    /// The tasks that are on the branch, oldest first.
    pub landed: BoundedList<TaskOutcome>,
    /// The tasks that are not.
    pub left: BoundedList<TaskOutcome>,
    /// The tasks on the branch without checks.
    pub unchecked: BoundedList<TaskOutcome>,
    /// The worktree that has the branch checked out.
    pub checkout: Option<PathBuf>,
    /// The folder of the repository, for commands.
    pub repository: PathBuf,
    /// The remote that the branch would be pushed to.
    pub remote: Option<String>,
    /// The task that resolves the conflict because of which nothing landed.
    pub resolving: Option<ResolvingTask>,
}

/// Lands a run on a branch; landing it again changes nothing.
///
/// # Errors
/// The run is not finished, the branch does not exist or conflicts with the run, its checkout is dirty, or the checks of the merged tree fail.
pub fn land_run(
    session: &mut Session,
    receipt: Option<&Receipt<'_, LandOutcome>>,
    who: &Slug,
    landing: &LandRequest,
) -> Result<Response<LandOutcome>, Error> {
    let plan = plan_landing(session, who, landing)?;
    if session.is_new_request(receipt)? {
        finish_other_landing(session, landing.run.as_ref(), &plan)?;
    }
    Operation::by_lead(receipt, who).run_with_effects(
        session,
        |unit| {
            let run = unit.resolve_run(landing.run.as_ref())?;
            let prefix = format!("{}/", require_run_git(&run)?.branch_prefix);
            if plan.onto.starts_with(&prefix) {
                let problem = ArgumentProblem::NotApplicable;
                return Err(Refusal::Invalid { argument: "--onto", problem }.into());
            }
            decide::require_landable(&run, landing.partial)?;
            let plan = match pending_landing(unit.tx, run.id)? {
                Some(other) if !other.is_same_request(&plan) => {
                    let problem = TreeProblem::InProgress { operation: format!("Landing on {}", other.onto) };
                    return Err(TreeRefusal::WorktreeConflict { tree: run.name.to_string(), problem }.into());
                }
                Some(pending) => pending,
                None => plan.clone(),
            };
            request_effect(unit.tx, run.id, &Effect::LandRun(Some(plan)), unit.now)?;
            Ok(RequestDecision::Pending(vec![run.id.0, event::newest_id(unit.tx)?.0]))
        },
        |session, intent| {
            let (run, since) = (RunId(intent[0]), EventId(intent[1]));
            let checks = CheckSettings { reuse: landing.reuse, ..CheckSettings::default() };
            match complete_effect_with(session, EffectKey::of_run(EffectKind::Land, run), checks) {
                Err(Error::Refused(Refusal::Tree(TreeRefusal::LandConflict {
                    onto, commit, files, ..
                }))) if landing.resolve => resolve_landing(session, who, run, (onto, commit), &files),
                landed => {
                    landed?;
                    load_land_outcome(session, run, since, &plan)
                }
            }
        },
    )
}

/// Adds the task that resolves the conflict of a landing.
fn resolve_landing(
    session: &mut Session,
    who: &Slug,
    run: RunId,
    (onto, commit): (String, CommitHash),
    files: &[String],
) -> Result<LandOutcome, Error> {
    let git = session.read(|tx, _| lookup::load_run(tx, run))?.ground;
    let is_base = git.and_then(|git| git.base_branch).as_ref() == Some(&onto);
    let conflict = TaskConflict { commit: commit.clone(), from: onto.clone(), attempt: None, is_base };
    let resolving = Some(add_resolving_task(session, who, run, &conflict, files)?);
    let (run, lists) =
        session.read(|tx, _| Ok((lookup::load_run(tx, run)?, LandingLists::load(tx, run)?)))?;
    let repository = open_repository(session, &run)?;
    Ok(LandOutcome {
        already: false,
        onto,
        from: None,
        landing: None,
        checks: Vec::new(),
        commit: commit.to_string(),
        landed: BoundedList::default(),
        left: lists.left,
        unchecked: BoundedList::default(),
        checkout: None,
        remote: None,
        repository: repository.common_dir().to_owned(),
        resolving,
        run,
    })
}

/// The landing that a request asks for.
fn plan_landing(session: &mut Session, who: &Slug, landing: &LandRequest) -> Result<LandingPlan, Error> {
    if let LandingChoice::Unverified { reason } | LandingChoice::Pushed { reason: Some(reason), .. } =
        &landing.manner
    {
        let problem = ArgumentProblem::Empty;
        if reason.trim().is_empty() {
            return Err(Refusal::Invalid { argument: "--reason", problem }.into());
        }
    }
    let run = session.read(|tx, _| lookup::find_run(tx, landing.run.as_ref()))?;
    let git = require_run_git(&run)?;
    let mode = match &landing.manner {
        LandingChoice::Checked => LandingMode::Checked,
        LandingChoice::Unverified { reason } => LandingMode::Unverified { reason: reason.clone() },
        LandingChoice::Pushed { revision, reason } => {
            let commit = open_repository(session, &run)?.resolve_commit(revision)?;
            LandingMode::Pushed { commit: to_stored_commit(&commit), reason: reason.clone() }
        }
    };
    let onto = landing.onto.clone().or_else(|| git.base_branch.clone());
    let missing = Refusal::Invalid { argument: "--onto", problem: ArgumentProblem::Empty };
    Ok(LandingPlan {
        onto: onto.ok_or(missing)?,
        partial: landing.partial,
        mode,
        run_hooks: landing.run_hooks || run.rules.run_hooks,
        requested_by: who.clone(),
        step: None,
    })
}

/// The pending landing of a run, which a process may be performing.
fn pending_landing(tx: &mut Transaction<'_>, run: RunId) -> Result<Option<LandingPlan>, Error> {
    let found = effect::find_pending(tx, EffectKey::of_run(EffectKind::Land, run))?;
    Ok(found.and_then(|pending| match pending.effect {
        Effect::LandRun(plan) => plan,
        _ => None,
    }))
}

/// Completes another landing of the run that was interrupted, whether it succeeds or not.
fn finish_other_landing(session: &mut Session, run: Option<&Slug>, plan: &LandingPlan) -> Result<(), Error> {
    let found = session.read(|tx, _| {
        let run = lookup::find_run(tx, run)?;
        Ok((run.id, pending_landing(tx, run.id)?))
    });
    match found {
        Ok((run, Some(other))) if !other.is_same_request(plan) => {
            match complete_effect(session, EffectKey::of_run(EffectKind::Land, run)) {
                Err(error @ Error::Store(_)) => Err(error),
                _ => Ok(()),
            }
        }
        // The decision, which looks the run up again, refuses it.
        Ok(_) | Err(Error::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

/// Loads the result; whichever process performed the landing, the branch says whether the run is on it.
fn load_land_outcome(
    session: &mut Session,
    id: RunId,
    since: EventId,
    plan: &LandingPlan,
) -> Result<LandOutcome, Error> {
    let onto = plan.onto.as_str();
    let (run, event, checks, lists) = session.read(|tx, _| {
        let run = lookup::load_run(tx, id)?;
        let event = last_landing(tx, id, onto)?;
        let checks = check_run::list_by_stage(tx, id, CheckStage::Land)?;
        Ok((run, event, checks, LandingLists::load(tx, id)?))
    })?;
    let repository = open_repository(session, &run)?;
    let already = event.as_ref().is_none_or(|(event, _)| event.id <= since);
    let target = match &plan.mode {
        LandingMode::Pushed { commit, .. } => to_commit_id(commit)?,
        LandingMode::Checked | LandingMode::Unverified { .. } => {
            let tip = branch_tip(&repository, &require_run_git(&run)?.branch)?;
            let target = branch_tip(&repository, onto)?;
            if already && !repository.is_ancestor(&tip, &target)? {
                // Another process gave it up, or the branch was moved back at once.
                let problem = TreeProblem::NotDescending {
                    base: to_stored_commit(&tip),
                    head: to_stored_commit(&target),
                };
                return Err(TreeRefusal::WorktreeConflict { tree: onto.to_owned(), problem }.into());
            }
            target
        }
    };
    let step = event.map(|(_, step)| step).filter(|step| step.to == target.as_str());
    // Where a later obstacle hides it, the commands of the answer name the repository instead.
    let checkout = repository.branch_checkout(&branch_ref(onto)?).unwrap_or_default();
    let main = repository.open_main_checkout()?.map(|main| main.top_level().to_owned());
    Ok(LandOutcome {
        already,
        onto: onto.to_owned(),
        from: step.as_ref().and_then(|step| step.from.clone()),
        landing: run.landing.clone().filter(|landing| landing.commit.as_str() == target.as_str()),
        checks: checks.into_iter().filter(|check| check.commit.as_str() == target.as_str()).collect(),
        commit: target.as_str().to_owned(),
        landed: lists.landed,
        left: lists.left,
        unchecked: lists.unchecked,
        checkout,
        remote: repository.push_remote(onto)?,
        repository: main.unwrap_or_else(|| repository.common_dir().to_owned()),
        resolving: None,
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
    from: Option<String>,
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
        if let (Some(to), true) = (text("commit"), data["onto"] == onto) {
            return Ok(Some((event, RecordedMove { from: text("from"), to })));
        }
    }
    Ok(None)
}
