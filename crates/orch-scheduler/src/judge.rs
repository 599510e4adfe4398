//! `orch accept|reject`, and what follows a verdict on an attempt: by checks, by a merge, or by the lead.

use orch_core::attempt::Attempt;
use orch_core::attempt::state::AttemptEvent;
use orch_core::effect::{EffectKey, EffectKind};
use orch_core::event::{Event, EventDatum, EventKind};
use orch_core::id::Slug;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::DoneWhen;
use orch_core::task::decide::{self, UnsuccessfulEnd};
use orch_core::task::state::TaskEvent;
use orch_core::task::{ChecksStatus, Task};
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::table::{attempt, effect, event, task as task_table, worktree};

use crate::fresh_read::read_fresh;
use crate::operation::Operation;
use crate::review;
use crate::task_end::refuse_while_merging;
use crate::tool_fault::record_tool_fault;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use crate::{TaskOverview, TaskSelector, lookup, operation};
use orch_inbox::{Error, Receipt, Response, Session};
use orch_workspace::run_repository::{open_repository, to_commit_id, to_stored_commit};

/// A task with its reported attempt.
pub(crate) struct ReportedAttempt {
    /// The task.
    pub task: Task,
    /// The attempt.
    pub attempt: Attempt,
}

impl ReportedAttempt {
    /// Loads the task's attempt.
    pub(crate) fn load(unit: &mut UnitOfWork<'_, '_>, task: Task) -> Result<Self, Error> {
        let last = decide::require_judgeable(&task)?;
        let attempt =
            attempt::load(unit.tx, last.id)?.ok_or_else(|| lookup::missing_row("attempt", last.id.0))?;
        Ok(Self { task, attempt })
    }

    /// The pending verification of the attempt.
    fn verification(&self) -> EffectKey {
        EffectKey::of_attempt(EffectKind::Verify, self.task.run, self.attempt.id)
    }

    /// Records the result of the checks without ending the attempt.
    pub(crate) fn record_checks(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        checks: ChecksStatus,
    ) -> Result<(), Error> {
        let (task, attempt) = decide::record_checks(&self.task, &self.attempt, checks, unit.now);
        task_table::save(unit.tx, &task)?;
        attempt::save(unit.tx, &attempt)?;
        (self.task, self.attempt) = (task, attempt);
        Ok(())
    }

    /// Accepts the attempt: the task is done.
    pub(crate) fn accept(self, unit: &mut UnitOfWork<'_, '_>, reason: &str) -> Result<Task, Error> {
        effect::withdraw_effect(unit.tx, self.verification())?;
        let accepted = decide::apply_attempt_event(&self.attempt, AttemptEvent::Accept, unit.now);
        attempt::save(unit.tx, &accepted)?;
        let after = decide::apply_task_event(&self.task, TaskEvent::Accept, unit.now);
        let event = TransitionEvent {
            thread: accepted.thread,
            agent: Some(accepted.agent.clone()),
            ..TransitionEvent::without_data(EventKind::Done, reason)
        };
        unit.apply_transition(&self.task, &after, event)?;
        Ok(after)
    }

    /// Rejects the attempt: the task is tried again, or has failed.
    pub(crate) fn reject(
        self,
        unit: &mut UnitOfWork<'_, '_>,
        reason: &str,
        tail: Option<&str>,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<Task, Error> {
        self.end_unsuccessful(unit, UnsuccessfulEnd::Rejected, reason, tail, data)
    }

    /// Records that the tool could not judge the attempt; after too many faults the task fails.
    pub(crate) fn record_fault(self, unit: &mut UnitOfWork<'_, '_>, reason: &str) -> Result<(), Error> {
        record_tool_fault(unit, self.task.run, self.attempt.event_subject(), reason)?;
        let policy = unit.load_run(self.task.run)?.policy.clone();
        let (counted, is_spent) = decide::count_fault(&self.task, &policy);
        if is_spent {
            let end = UnsuccessfulEnd::Unprepared(0);
            return self.end_unsuccessful(unit, end, reason, None, Vec::new()).map(|_| ());
        }
        unit.save_task(&counted)
    }

    fn end_unsuccessful(
        self,
        unit: &mut UnitOfWork<'_, '_>,
        end: UnsuccessfulEnd,
        reason: &str,
        tail: Option<&str>,
        data: Vec<(&'static str, EventDatum)>,
    ) -> Result<Task, Error> {
        effect::withdraw_effect(unit.tx, self.verification())?;
        let mut rejected = decide::apply_attempt_event(&self.attempt, AttemptEvent::Reject, unit.now);
        rejected.reason = Some(reason.to_owned());
        attempt::save(unit.tx, &rejected)?;
        if let Some(tail) = tail {
            let mut text = attempt::load_text(unit.tx, rejected.id)?;
            text.log_tail = Some(tail.to_owned());
            attempt::save_text(unit.tx, rejected.id, &text)?;
        }
        let run = unit.load_run(self.task.run)?.clone();
        let after = decide::end_attempt(&self.task, end, &run.policy, run.state.status(), unit.now);
        let short: String = reason.chars().take(300).collect();
        let mut event_data =
            vec![("reason", short.into()), ("tries_left", decide::tries_left(&after, &run.policy).into())];
        event_data.extend(data);
        let event = TransitionEvent {
            thread: rejected.thread,
            agent: Some(rejected.agent.clone()),
            data: event_data,
            ..TransitionEvent::without_data(EventKind::Rejected, "its attempt was rejected")
        };
        unit.apply_transition(&self.task, &after, event)?;
        Ok(after)
    }
}

/// The lead's verdict on an attempt.
#[derive(Clone, Debug)]
pub enum LeadVerdict {
    /// The attempt is accepted, whatever its checks say.
    Accept {
        /// A commit that replaces the reported one.
        commit: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// The attempt is rejected.
    Reject {
        /// Why; the next attempt is shown this.
        reason: String,
    },
}

/// Judges a reported attempt by the lead's verdict instead of its checks.
///
/// # Errors
/// No attempt is reported, or the named commit does not exist or does not descend from the attempt's base.
pub fn judge_attempt(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskOverview>>,
    who: &Slug,
    task: &TaskSelector,
    verdict: &LeadVerdict,
) -> Result<Response<TaskOverview>, Error> {
    let named = match verdict {
        // A repeated request is answered as before, even if the revision no longer exists.
        LeadVerdict::Accept { commit: Some(revision), .. } if session.is_new_request(receipt)? => {
            Some(resolve_named_commit(session, task, revision)?)
        }
        LeadVerdict::Accept { .. } | LeadVerdict::Reject { .. } => None,
    };
    Operation::by_lead(receipt, who).run(session, |unit| {
        let run = unit.resolve_run(task.run.as_ref())?;
        let found = lookup::find_task_in_run(unit.tx, &run, &task.key)?;
        if !matches!(verdict, LeadVerdict::Accept { commit: None, .. }) {
            refuse_while_merging(unit, &found)?;
        }
        let mut reported = ReportedAttempt::load(unit, found)?;
        // A review that was asked for after the checks leaves their result as it is.
        let is_review = matches!(verdict, LeadVerdict::Accept { commit: None, .. })
            && matches!(reported.attempt.checks, ChecksStatus::Passed | ChecksStatus::None)
            && review::is_review_asked(unit.tx, &reported.attempt)?;
        if !is_review {
            reported.record_checks(unit, ChecksStatus::Overridden)?;
        }
        let after = match verdict {
            LeadVerdict::Reject { reason } => reported.reject(unit, reason, None, Vec::new())?,
            LeadVerdict::Accept { commit, reason } => {
                match (commit, &named) {
                    (Some(_), Some(commit)) => replace_reported_commit(unit, &reported.attempt, commit)?,
                    (Some(_), None) => return Err(operation::request_aborted_elsewhere()),
                    (None, _) => {}
                }
                let reason = reason.clone().unwrap_or_default();
                let about = reported.attempt.event_subject();
                let mut data = review::acceptance_data(unit, &reported.attempt)?;
                data.push(("reason", reason.into()));
                unit.append_event(EventKind::Accepted, about, None, data)?;
                match run.policy.done_when {
                    DoneWhen::Reported | DoneWhen::Verified => {
                        reported.accept(unit, "the lead accepted it")?
                    }
                    DoneWhen::Integrated => reported.task,
                }
            }
        };
        lookup::task_overview(unit.tx, after)
    })
}

/// The commit that the lead names to replace the reported one; it must descend from the attempt's base.
fn resolve_named_commit(
    session: &mut Session,
    task: &TaskSelector,
    revision: &str,
) -> Result<orch_core::id::CommitHash, Error> {
    let (run, tree) = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, task.run.as_ref())?;
        let found = lookup::find_task_in_run(tx, &run, &task.key)?;
        let tree = match found.attempt {
            Some(last) => worktree::load(tx, last.id)?,
            None => None,
        };
        Ok((run, tree))
    })?;
    let repository = open_repository(session, &run)?;
    let found = match repository.resolve_commit(revision) {
        Err(orch_git::GitError::NotFound { .. }) => {
            return Err(TreeRefusal::BaseNotFound { revision: Some(revision.to_owned()) }.into());
        }
        found => found?,
    };
    if let Some(tree) = tree {
        let base = to_commit_id(&tree.base)?;
        if !repository.is_ancestor(&base, &found)? {
            let problem = orch_core::refusal::TreeProblem::NotDescending {
                base: tree.base,
                head: to_stored_commit(&found),
            };
            return Err(TreeRefusal::WorktreeConflict { tree: tree.path, problem }.into());
        }
    }
    repository.flush()?;
    Ok(to_stored_commit(&found))
}

fn replace_reported_commit(
    unit: &mut UnitOfWork<'_, '_>,
    attempt: &Attempt,
    commit: &orch_core::id::CommitHash,
) -> Result<(), Error> {
    let tree = worktree::load(unit.tx, attempt.id)?.ok_or_else(|| {
        Error::from(Refusal::Tree(TreeRefusal::WorktreeNotFound { attempt: attempt.name.to_string() }))
    })?;
    let tree = Worktree { head: Some(commit.clone()), updated_at: unit.now, ..tree };
    Ok(worktree::save(unit.tx, &tree)?)
}

/// Returns the lead who accepted an attempt by hand, if one did.
pub(crate) fn find_accepting_agent(
    tx: &mut Transaction<'_>,
    attempt: &Attempt,
) -> Result<Option<Slug>, Error> {
    let mut judgements = event::list_judgements(tx, attempt.task)?.into_iter();
    let is_acceptance =
        |event: &Event| event.kind == EventKind::Accepted && event.attempt.as_ref() == Some(&attempt.name);
    Ok(judgements.find(is_acceptance).and_then(|event| event.agent))
}
