//! `orch land`: brings the run's branch onto another one, if all of it is good there.

use std::path::PathBuf;

use orch_core::check::{CheckRun, CheckStage};
use orch_core::effect::EffectKind;
use orch_core::event::{Event, EventKind};
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::{Problem, Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{Run, decide};
use orch_store::Transaction;
use orch_store::table::{check_run, effect, event};

use super::outcome::{self, Shown, TaskOutcome};
use super::perform::land::{Wish, tip_of};
use super::perform::{branch_ref, complete, ground, hold, repository};
use super::{lasting, scope};
use orch_inbox::{Answer, Error, Receipt, Session};

/// What is to land where.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The run.
    pub run: Option<Slug>,
    /// The branch to land on.
    pub onto: String,
    /// Whether a part of the run will do.
    pub partial: bool,
}

/// What landing came to.
#[derive(Clone, Debug)]
pub struct Landed {
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
    pub landed: Shown<TaskOutcome>,
    /// Tasks that are not.
    pub left: Shown<TaskOutcome>,
    /// What of it nothing has judged.
    pub unchecked: Shown<TaskOutcome>,
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
pub fn land(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Landed>>,
    who: &Slug,
    landing: &Landing,
) -> Result<Answer<Landed>, Error> {
    let wish = Wish::new(&landing.onto, landing.partial, who);
    if lasting::is_new(session, receipt)? {
        see_others_through(session, landing.run.as_ref(), &wish)?;
    }
    lasting::change(
        session,
        receipt,
        who,
        |stage| {
            let run = stage.named_run(landing.run.as_ref())?;
            let prefix = format!("{}/", ground(&run)?.branch_prefix);
            if landing.onto.starts_with(&prefix) {
                return Err(Refusal::Invalid { argument: "--onto", problem: Problem::NotApplicable }.into());
            }
            decide::landable(&run, landing.partial)?;
            match pending(stage.tx, run.id)? {
                Some(other) if !other.is_same(&wish) => return Err(another(&run, &other)),
                Some(_) => hold::ask(stage.tx, EffectKind::Land, run.id, None, stage.now)?,
                None => {
                    hold::ask(stage.tx, EffectKind::Land, run.id, None, stage.now)?;
                    hold::note(stage.tx, EffectKind::Land, run.id, &wish.write())?;
                }
            }
            Ok(vec![run.id.0, event::newest(stage.tx)?.0])
        },
        |_, _| Ok(None),
        |session, subject| {
            let (run, since) = (RunId(subject[0]), EventId(subject[1]));
            complete(session, EffectKind::Land, run, None)?;
            told(session, run, since, &wish)
        },
    )
}

/// What is to be landed, or is being landed just now.
fn pending(tx: &mut Transaction<'_>, run: RunId) -> Result<Option<Wish>, Error> {
    let found = effect::of(tx, EffectKind::Land, run, None)?;
    Ok(found.and_then(|effect| effect.intent).as_deref().and_then(Wish::read))
}

/// Finishes another landing of the run that a process has begun, whatever comes of it.
fn see_others_through(session: &mut Session, run: Option<&Slug>, wish: &Wish) -> Result<(), Error> {
    let found = session.read(|tx, _| {
        let run = scope::one_run(tx, run)?;
        Ok((run.id, pending(tx, run.id)?))
    });
    match found {
        Ok((run, Some(other))) if !other.is_same(wish) => {
            match complete(session, EffectKind::Land, run, None) {
                Err(error @ Error::Store(_)) => Err(error),
                _ => Ok(()),
            }
        }
        // Why not is said by the decision, which looks again.
        Ok(_) | Err(Error::Refused(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

fn another(run: &Run, other: &Wish) -> Error {
    let problem = TreeProblem::InProgress { operation: format!("Landing on {}", other.onto) };
    TreeRefusal::WorktreeConflict { tree: run.name.to_string(), problem }.into()
}

/// Looks what came of it: whoever has performed it, the branch says whether the run is there.
fn told(session: &mut Session, id: RunId, since: EventId, wish: &Wish) -> Result<Landed, Error> {
    let (run, event, checks, lists) = session.read(|tx, _| {
        let run = scope::run_of(tx, id)?;
        let event = last_landing(tx, id, &wish.onto)?;
        let checks = check_run::of_stage(tx, id, CheckStage::Land)?;
        Ok((run, event, checks, Lists::of(tx, id)?))
    })?;
    let repository = repository(session, &run)?;
    let tip = tip_of(&repository, &ground(&run)?.branch)?;
    let target = tip_of(&repository, &wish.onto)?;
    let already = event.as_ref().is_none_or(|(event, _)| event.id <= since);
    if already && !repository.is_ancestor(&tip, &target)? {
        // Somebody else has given it up, or the branch was moved away at once.
        return Err(TreeRefusal::WorktreeConflict {
            tree: wish.onto.clone(),
            problem: TreeProblem::NotDescending {
                base: super::perform::commit(&tip),
                head: super::perform::commit(&target),
            },
        }
        .into());
    }
    let step = event.map(|(_, step)| step).filter(|step| step.to == target.as_str());
    let name = branch_ref(&wish.onto)?;
    let worktrees = repository.list_worktrees()?;
    let is_on = |head: &orch_git::Head| head.branch.as_ref() == Some(&name);
    let checkout = worktrees.iter().find(|entry| entry.head.as_ref().is_some_and(is_on));
    let main = worktrees.iter().find(|entry| entry.is_main).map(|entry| entry.path.clone());
    Ok(Landed {
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
struct Lists {
    landed: Shown<TaskOutcome>,
    left: Shown<TaskOutcome>,
    unchecked: Shown<TaskOutcome>,
}

impl Lists {
    fn of(tx: &mut Transaction<'_>, run: RunId) -> Result<Self, Error> {
        let mut lists =
            Self { landed: Shown::default(), left: Shown::default(), unchecked: Shown::default() };
        outcome::each(tx, run, |outcome| {
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
struct Step {
    from: String,
    to: String,
}

/// The last time that the run landed on this branch.
fn last_landing(tx: &mut Transaction<'_>, run: RunId, onto: &str) -> Result<Option<(Event, Step)>, Error> {
    for event in event::last_of_kind(tx, run, EventKind::Landed)? {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        let text = |name: &str| data[name].as_str().map(str::to_owned);
        if let (Some(from), Some(to), true) = (text("from"), text("commit"), data["onto"] == onto) {
            return Ok(Some((event, Step { from, to })));
        }
    }
    Ok(None)
}
