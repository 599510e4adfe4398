//! Merging what was reported and found good into the run's branch, one attempt after the other.
//!
//! The candidate is made without touching a checkout, checked where it is not what was checked already, written down,
//! and only then does the branch move, from exactly where it was seen. Cut off in between, the next performer finds
//! what was written down, and whether the branch has moved.

use std::collections::BTreeSet;
use std::path::PathBuf;

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::check::{CheckStage, Judgement};
use orch_core::effect::EffectKind;
use orch_core::event::{About, Datum, EventKind};
use orch_core::id::{AttemptId, Commit};
use orch_core::refusal::{Refusal, TreeProblem, TreeRefusal};
use orch_core::run::{DoneWhen, Run, RunStatus};
use orch_core::task::{Checks, Task, TaskState};
use orch_core::visible;
use orch_core::worktree::Worktree;
use orch_store::driver::Durability;
use orch_store::table::{attempt, check_run, task as task_table, worktree};
use orch_store::{Ending, Transaction};
use serde_json::json;

use super::checks::{self, Subject};
use super::hold::{self, Taken};
use super::verify::{see_through, unknown};
use super::{branch_ref, clear, commit, commit_id, complete, decide, ground, repository, run_row};
use crate::judge::Reported;
use crate::scope;
use crate::stage::Stage;
use orch_git::{CommitId, Conflict, GitError, Merge, RefName, Relation, Repository};
use orch_inbox::{Error, Session};

/// How often a merge is tried again because somebody else moved the run's branch.
pub(super) const MOVES_MAX: u32 = 20;

/// An attempt that is to be merged.
struct Candidate {
    task: Task,
    attempt: Attempt,
    text: AttemptText,
    tree: Worktree,
}

impl Candidate {
    fn about(&self) -> About {
        About {
            run: Some(self.task.run),
            task: Some(self.task.id),
            attempt: Some(self.attempt.id),
            thread: self.attempt.thread,
        }
    }

    /// The commit that is merged.
    fn head(&self) -> &Commit {
        self.tree.head.as_ref().unwrap_or(&self.tree.base)
    }
}

/// A branch, as far as this process has moved it.
pub(super) struct Branch<'r> {
    pub(super) repository: &'r Repository,
    pub(super) name: RefName,
    pub(super) tip: CommitId,
    /// The worktree that has it checked out, which must move with it.
    pub(super) checkout: Option<PathBuf>,
}

/// Merges everything that is ready to be merged.
pub(crate) fn perform(session: &mut Session, taken: &Taken) -> Result<(), Error> {
    let run = session.read(|tx, _| run_row(tx, taken.effect.run))?;
    let repository = repository(session, &run)?;
    let name = branch_ref(&ground(&run)?.branch)?;
    let tip = repository
        .read_ref(&name)?
        .ok_or_else(|| Error::from(TreeRefusal::BaseNotFound { revision: Some(name.to_string()) }))?;
    let checkout = repository.worktree_on(&name)?.map(|entry| entry.path);
    let mut branch = Branch { repository: &repository, name, tip, checkout };
    heal(session, taken, &branch)?;
    clear::meanwhile(session, run.id, |session, merged| {
        let mut passed_over = BTreeSet::new();
        while let Some(candidate) = next(session, &run, &passed_over)? {
            passed_over.insert(candidate.attempt.id);
            if verified(session, &run, &candidate)? && merge(session, taken, &run, &candidate, &mut branch)? {
                merged(candidate.attempt.id);
            }
        }
        Ok(())
    })?;
    decide(session, |stage| taken.finish(stage.tx).map(|_| ()))?;
    // Where that was the end of the run. What cannot be swept costs room and nothing else, and is tried again.
    let _ = complete(session, EffectKind::Sweep, run.id, None);
    Ok(())
}

/// The oldest reported attempt that this performer has not looked at.
fn next(
    session: &mut Session,
    run: &Run,
    passed_over: &BTreeSet<AttemptId>,
) -> Result<Option<Candidate>, Error> {
    decide(session, |stage| {
        let current = stage.run(run.id)?;
        if matches!(current.state.status(), RunStatus::Paused | RunStatus::Cancelled) {
            return Ok(None);
        }
        let state = match run.policy.done_when {
            DoneWhen::Integrated => TaskState::Reported,
            DoneWhen::Reported | DoneWhen::Verified => TaskState::Done,
        };
        for id in worktree::unmerged(stage.tx, run.id, state)? {
            let task = task_table::load(stage.tx, id)?;
            let last = task.and_then(|task| task.attempt).filter(|last| !passed_over.contains(&last.id));
            if let Some(last) = last {
                return candidate_of(stage.tx, last.id);
            }
        }
        Ok(None)
    })
}

/// Runs the checks that have yet to run; says whether the attempt may be merged.
fn verified(session: &mut Session, run: &Run, candidate: &Candidate) -> Result<bool, Error> {
    let has_nothing = candidate.attempt.checks == Checks::None && run.rules.protect.is_empty();
    if has_nothing
        || matches!(candidate.attempt.checks, Checks::Passed | Checks::Overridden)
        || candidate.task.state == TaskState::Done
    {
        return Ok(true);
    }
    let id = candidate.attempt.id;
    let asked = session.write(Durability::Power, |tx, now| {
        let state = attempt::load(tx, id)?.map(|attempt| attempt.state);
        if state != Some(AttemptState::Reported) {
            return Ok(Ending::Undo(false));
        }
        hold::ask(tx, EffectKind::Verify, run.id, Some(id), now)?;
        Ok(Ending::Keep(true))
    })?;
    if !asked {
        return Ok(false);
    }
    match see_through(session, run.id, id) {
        Ok(()) => Ok(true),
        // Recorded already, as a rejection or as a fault.
        Err(Error::Refused(Refusal::Tree(TreeRefusal::ChecksFailed { .. }))) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Merges one attempt, again and again while somebody else moves the branch.
fn merge(
    session: &mut Session,
    taken: &Taken,
    run: &Run,
    candidate: &Candidate,
    branch: &mut Branch<'_>,
) -> Result<bool, Error> {
    let head = commit_id(candidate.head())?;
    for _ in 0..MOVES_MAX {
        let merged = match branch.repository.relation(&branch.tip, &head)? {
            Relation::Contained => {
                let is_ours = write_down(session, taken, candidate, &branch.tip)?;
                if is_ours {
                    record(session, taken, candidate, &branch.tip)?;
                }
                return Ok(is_ours);
            }
            Relation::FastForward => head.clone(),
            Relation::Diverged => match branch.repository.merge(&branch.tip, &head)? {
                Merge::Conflict(conflict) => {
                    refuse_conflict(session, run, candidate, &conflict)?;
                    return Ok(false);
                }
                Merge::Merged { tree } => {
                    let parents = [branch.tip.clone(), head.clone()];
                    branch.repository.merge_commit(&tree, &parents, &message(candidate))?
                }
            },
        };
        if merged != head && !passes(session, run, candidate, &merged)? {
            return Ok(false);
        }
        if !write_down(session, taken, candidate, &merged)? {
            return Ok(false);
        }
        match advance(branch, &merged) {
            Ok(()) => {
                branch.tip = merged;
                record(session, taken, candidate, &branch.tip)?;
                return Ok(true);
            }
            Err(GitError::RefMoved { found: Some(found), .. }) => branch.tip = found,
            Err(error) => return Err(error.into()),
        }
    }
    let problem = TreeProblem::BranchTaken { branch: branch.name.to_string() };
    Err(TreeRefusal::WorktreeConflict { tree: branch.name.to_string(), problem }.into())
}

fn message(candidate: &Candidate) -> String {
    format!("Merge {}: {}\n", candidate.attempt.name, candidate.task.title)
}

/// Moves the branch from where it was seen; where it is checked out its files move along.
pub(super) fn advance(branch: &Branch<'_>, to: &CommitId) -> Result<(), GitError> {
    let Some(path) = &branch.checkout else {
        return branch.repository.compare_and_swap(&branch.name, to, &branch.tip);
    };
    let Err(error) = branch.repository.worktree(path)?.fast_forward(to) else { return Ok(()) };
    // Whoever has it checked out may have committed meanwhile.
    let found = branch.repository.read_ref(&branch.name)?;
    if found.as_ref() == Some(&branch.tip) {
        return Err(error);
    }
    Err(GitError::RefMoved { reference: branch.name.clone(), expected: branch.tip.clone(), found })
}

/// Runs the attempt's checks on the merged tree; what they say is recorded where it is not good.
fn passes(session: &mut Session, run: &Run, candidate: &Candidate, merged: &CommitId) -> Result<bool, Error> {
    let orders = checks::orders(&candidate.text.run_verify, &candidate.text.task_verify);
    if orders.is_empty() || candidate.attempt.checks == Checks::Overridden {
        return Ok(true);
    }
    let merged = commit(merged);
    let subject = Subject {
        run,
        attempt: Some((candidate.attempt.id, &candidate.attempt.name)),
        slot: candidate.tree.slot,
        stage: CheckStage::Merge,
        commit: &merged,
    };
    let verdict = checks::run_in_scratch(session, &subject, &orders)?;
    let judgement = verdict.judgement();
    decide(session, |stage| {
        check_run::clear(stage.tx, candidate.attempt.id, CheckStage::Merge)?;
        for check in &verdict.checks {
            check_run::insert(stage.tx, check)?;
        }
        match judgement {
            Judgement::Good => Ok(()),
            Judgement::Unknown => unknown(stage, run, candidate.about(), &verdict.reason()),
            Judgement::Bad => {
                let reason =
                    format!("It passed alone, and fails merged with the run's branch: {}", verdict.reason());
                refuse(stage, candidate, Some(Checks::Failed), &reason, verdict.tail.as_deref(), Vec::new())
            }
        }
    })?;
    Ok(judgement == Judgement::Good)
}

/// The reported attempt as it is now; `None` when it was ended or judged meanwhile, or its task is done already.
fn current(stage: &mut Stage<'_, '_>, candidate: &Candidate) -> Result<Option<Reported>, Error> {
    let id = candidate.task.id;
    let task = task_table::load(stage.tx, id)?.ok_or_else(|| scope::missing("task", id.0))?;
    let same = task.attempt.is_some_and(|last| last.id == candidate.attempt.id);
    if same && task.state == TaskState::Reported { Reported::of(stage, task).map(Some) } else { Ok(None) }
}

/// Rejects an attempt that cannot be merged. One whose task is done already stays as it is; that it is not on the run's
/// branch is told.
fn refuse(
    stage: &mut Stage<'_, '_>,
    candidate: &Candidate,
    checks: Option<Checks>,
    reason: &str,
    tail: Option<&str>,
    data: Vec<(&'static str, Datum)>,
) -> Result<(), Error> {
    match current(stage, candidate)? {
        Some(mut reported) => {
            if let Some(checks) = checks {
                reported.note(stage, checks)?;
            }
            reported.reject(stage, reason, tail, data).map(|_| ())
        }
        None if is_wanted(stage.tx, candidate)? => {
            let data = [vec![("reason", reason.into())], data].concat();
            stage.tell(EventKind::Fault, candidate.about(), None, data)
        }
        None => Ok(()),
    }
}

fn refuse_conflict(
    session: &mut Session,
    run: &Run,
    candidate: &Candidate,
    conflict: &Conflict,
) -> Result<(), Error> {
    let files: Vec<String> = conflict.files.iter().map(|path| visible::text(path)).collect();
    let branch = ground(run)?.branch.clone();
    let reason = format!(
        "It does not merge in {}: {branch} is at {} by now. Its commits are on {}; begin again from the run's branch.",
        visible::list(files.iter().map(String::as_str)),
        conflict.ours,
        candidate.tree.branch
    );
    let tail = conflict.messages.join("\n");
    decide(session, |stage| {
        let data = vec![("conflict", files.clone().into()), ("commit", candidate.head().to_string().into())];
        refuse(stage, candidate, None, &reason, Some(&tail), data)
    })
}

/// Whether the attempt is still to be merged, as it was looked at: it may have been recalled, cancelled, rejected or
/// given another commit by hand while its checks ran.
fn is_wanted(tx: &mut Transaction<'_>, candidate: &Candidate) -> Result<bool, Error> {
    let Some(now) = candidate_of(tx, candidate.attempt.id)? else { return Ok(false) };
    let is_last = now.task.attempt.is_some_and(|last| last.id == candidate.attempt.id);
    Ok(is_last
        && now.task.state == candidate.task.state
        && now.tree.head == candidate.tree.head
        && now.tree.merged.is_none())
}

/// Writes down which commit the branch is about to move to, and for which attempt; `false` where it must not move.
fn write_down(
    session: &mut Session,
    taken: &Taken,
    candidate: &Candidate,
    merged: &CommitId,
) -> Result<bool, Error> {
    let intent = json!({ "attempt": candidate.attempt.id.0, "commit": merged.as_str() }).to_string();
    session.write(Durability::Power, |tx, _| {
        if !is_wanted(tx, candidate)? {
            return Ok(Ending::Undo(false));
        }
        if taken.intend(tx, &intent)? { Ok(Ending::Keep(true)) } else { Err(superseded()) }
    })
}

pub(crate) fn superseded() -> Error {
    TreeRefusal::NotSupported { what: "Going on after another process took over".to_owned() }.into()
}

/// Records that the branch has the attempt: it is accepted, and its tree may go.
fn record(
    session: &mut Session,
    taken: &Taken,
    candidate: &Candidate,
    merged: &CommitId,
) -> Result<(), Error> {
    decide(session, |stage| {
        taken.intend(stage.tx, "")?;
        let tree = worktree::load(stage.tx, candidate.attempt.id)?
            .ok_or_else(|| scope::missing("worktree", candidate.attempt.id.0))?;
        let tree = Worktree { merged: Some(commit(merged)), updated_at: stage.now, ..tree };
        worktree::save(stage.tx, &tree)?;
        let data = vec![("commit", merged.as_str().into()), ("head", candidate.head().to_string().into())];
        stage.tell(EventKind::Integrated, candidate.about(), None, data)?;
        hold::ask_with(stage.tx, EffectKind::Clear, tree.run, tree.attempt, clear::PARK, stage.now)?;
        match current(stage, candidate)? {
            Some(reported) => reported.accept(stage, "it is on the run's branch").map(|_| ()),
            None => Ok(()),
        }
    })
}

/// Finishes what an earlier performer wrote down before it was cut off: the branch has the commit, or it has not.
fn heal(session: &mut Session, taken: &Taken, branch: &Branch<'_>) -> Result<(), Error> {
    let Some(written) = taken.effect.intent.as_deref().filter(|intent| !intent.is_empty()) else {
        return Ok(());
    };
    let written: serde_json::Value = serde_json::from_str(written).unwrap_or_default();
    let (Some(id), Some(merged)) =
        (written["attempt"].as_i64().map(AttemptId), written["commit"].as_str().and_then(CommitId::parse))
    else {
        return Ok(());
    };
    let there = branch.repository.is_ancestor(&merged, &branch.tip).unwrap_or(false);
    let candidate = session.read(|tx, _| candidate_of(tx, id))?;
    match candidate.filter(|candidate| there && candidate.tree.merged.is_none()) {
        Some(candidate) => record(session, taken, &candidate, &merged),
        None => Ok(()),
    }
}

fn candidate_of(tx: &mut Transaction<'_>, id: AttemptId) -> Result<Option<Candidate>, Error> {
    let (Some(attempt), Some(tree)) = (attempt::load(tx, id)?, worktree::load(tx, id)?) else {
        return Ok(None);
    };
    let Some(task) = task_table::load(tx, attempt.task)? else { return Ok(None) };
    Ok(Some(Candidate { task, text: attempt::text(tx, id)?, attempt, tree }))
}
