//! What becomes of an attempt once it was judged: by checks, by a merge, or by the lead's word.

use orch_core::attempt::Attempt;
use orch_core::attempt::state::AttemptEvent;
use orch_core::effect::EffectKind;
use orch_core::event::{Datum, EventKind};
use orch_core::id::Slug;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::DoneWhen;
use orch_core::task::decide::{self, Unsuccessful};
use orch_core::task::state::TaskEvent;
use orch_core::task::{Checks, Task};
use orch_core::worktree::Worktree;
use orch_store::table::{attempt, effect, task as task_table, worktree};

use super::perform::{commit, repository};
use super::stage::{Stage, Told, change as lead_change, read_fresh};
use super::{TaskRef, TaskShown, lasting, scope};
use orch_inbox::{Answer, Error, Receipt, Session};

/// A task with its reported attempt, which is to be judged.
pub(crate) struct Reported {
    /// The task.
    pub task: Task,
    /// The attempt.
    pub attempt: Attempt,
}

impl Reported {
    /// Loads the task's attempt.
    pub(crate) fn of(stage: &mut Stage<'_, '_>, task: Task) -> Result<Self, Error> {
        let last = decide::judgeable(&task)?;
        let attempt =
            attempt::load(stage.tx, last.id)?.ok_or_else(|| scope::missing("attempt", last.id.0))?;
        Ok(Self { task, attempt })
    }

    /// Notes what was said of the attempt without ending it.
    pub(crate) fn note(&mut self, stage: &mut Stage<'_, '_>, checks: Checks) -> Result<(), Error> {
        let (task, attempt) = decide::judged(&self.task, &self.attempt, checks, stage.now);
        task_table::save(stage.tx, &task)?;
        attempt::save(stage.tx, &attempt)?;
        (self.task, self.attempt) = (task, attempt);
        Ok(())
    }

    /// Ends the attempt as good: the task is done.
    pub(crate) fn accept(self, stage: &mut Stage<'_, '_>, reason: &str) -> Result<Task, Error> {
        effect::withdraw(stage.tx, EffectKind::Verify, self.task.run, Some(self.attempt.id))?;
        let accepted = decide::attempt_moved(&self.attempt, AttemptEvent::Accept, stage.now);
        attempt::save(stage.tx, &accepted)?;
        let after = decide::moved(&self.task, TaskEvent::Accept, stage.now);
        let told = Told {
            thread: accepted.thread,
            agent: Some(accepted.agent.clone()),
            ..Told::plain(EventKind::Done, reason)
        };
        stage.move_task(&self.task, &after, told)?;
        Ok(after)
    }

    /// Ends the attempt as not good: the task is tried again, or has failed.
    pub(crate) fn reject(
        self,
        stage: &mut Stage<'_, '_>,
        reason: &str,
        tail: Option<&str>,
        data: Vec<(&'static str, Datum)>,
    ) -> Result<Task, Error> {
        effect::withdraw(stage.tx, EffectKind::Verify, self.task.run, Some(self.attempt.id))?;
        let mut rejected = decide::attempt_moved(&self.attempt, AttemptEvent::Reject, stage.now);
        rejected.reason = Some(reason.to_owned());
        attempt::save(stage.tx, &rejected)?;
        if let Some(tail) = tail {
            let mut text = attempt::text(stage.tx, rejected.id)?;
            text.log_tail = Some(tail.to_owned());
            attempt::save_text(stage.tx, rejected.id, &text)?;
        }
        let run = stage.run(self.task.run)?.clone();
        let after = decide::attempt_ended(
            &self.task,
            Unsuccessful::Rejected,
            &run.policy,
            run.state.status(),
            stage.now,
        );
        let short: String = reason.chars().take(300).collect();
        let mut said =
            vec![("reason", short.into()), ("tries_left", decide::tries_left(&after, &run.policy).into())];
        said.extend(data);
        let told = Told {
            thread: rejected.thread,
            agent: Some(rejected.agent.clone()),
            data: said,
            ..Told::plain(EventKind::Rejected, "its attempt was rejected")
        };
        stage.move_task(&self.task, &after, told)?;
        Ok(after)
    }
}

/// How the lead judges by hand.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The attempt is good, whatever its checks say.
    Accept {
        /// A commit to take in place of the reported one.
        commit: Option<String>,
        /// Why.
        reason: Option<String>,
    },
    /// The attempt is not good.
    Reject {
        /// Why; the next attempt is told.
        reason: String,
    },
}

/// Judges a reported attempt by the lead's word, in place of its checks.
///
/// # Errors
/// No attempt was reported, there is no such commit, or the store failed.
pub fn judge(
    session: &mut Session,
    receipt: Option<&Receipt<'_, TaskShown>>,
    who: &Slug,
    task: &TaskRef,
    verdict: &Verdict,
) -> Result<Answer<TaskShown>, Error> {
    let named = match verdict {
        // A request that was answered before is answered again, whatever became of the revision.
        Verdict::Accept { commit: Some(revision), .. } if lasting::is_new(session, receipt)? => {
            Some(named_commit(session, task, revision)?)
        }
        Verdict::Accept { .. } | Verdict::Reject { .. } => None,
    };
    lead_change(session, receipt, who, |stage| {
        let run = stage.named_run(task.run.as_ref())?;
        let found = scope::task_in(stage.tx, &run, &task.key)?;
        let mut reported = Reported::of(stage, found)?;
        reported.note(stage, Checks::Overridden)?;
        let after = match verdict {
            Verdict::Reject { reason } => reported.reject(stage, reason, None, Vec::new())?,
            Verdict::Accept { commit, reason } => {
                match (commit, &named) {
                    (Some(_), Some(commit)) => take_instead(stage, &reported.attempt, commit)?,
                    (Some(_), None) => return Err(lasting::came_to_nothing()),
                    (None, _) => {}
                }
                let reason = reason.clone().unwrap_or_default();
                let about = orch_core::event::About {
                    run: Some(reported.task.run),
                    task: Some(reported.task.id),
                    attempt: Some(reported.attempt.id),
                    thread: reported.attempt.thread,
                };
                stage.tell(EventKind::Accepted, about, None, vec![("reason", reason.into())])?;
                match run.policy.done_when {
                    DoneWhen::Reported | DoneWhen::Verified => {
                        reported.accept(stage, "the lead accepted it")?
                    }
                    DoneWhen::Integrated => reported.task,
                }
            }
        };
        scope::shown(stage.tx, after)
    })
}

/// The commit that the lead names in place of the reported one; it must hold what the attempt began from.
fn named_commit(
    session: &mut Session,
    task: &TaskRef,
    revision: &str,
) -> Result<orch_core::id::Commit, Error> {
    let (run, tree) = read_fresh(session, |tx, _| {
        let run = scope::one_run(tx, task.run.as_ref())?;
        let found = scope::task_in(tx, &run, &task.key)?;
        let tree = match found.attempt {
            Some(last) => worktree::load(tx, last.id)?,
            None => None,
        };
        Ok((run, tree))
    })?;
    let repository = repository(session, &run)?;
    let found = match repository.commit(revision) {
        Err(orch_git::GitError::NotFound { .. }) => {
            return Err(TreeRefusal::BaseNotFound { revision: Some(revision.to_owned()) }.into());
        }
        found => found?,
    };
    if let Some(tree) = tree {
        let base = super::perform::commit_id(&tree.base)?;
        if !repository.is_ancestor(&base, &found)? {
            let problem =
                orch_core::refusal::TreeProblem::NotDescending { base: tree.base, head: commit(&found) };
            return Err(TreeRefusal::WorktreeConflict { tree: tree.path, problem }.into());
        }
    }
    Ok(commit(&found))
}

fn take_instead(
    stage: &mut Stage<'_, '_>,
    attempt: &Attempt,
    commit: &orch_core::id::Commit,
) -> Result<(), Error> {
    let tree = worktree::load(stage.tx, attempt.id)?.ok_or_else(|| {
        Error::from(Refusal::Tree(TreeRefusal::WorktreeNotFound { attempt: attempt.name.to_string() }))
    })?;
    let tree = Worktree { head: Some(commit.clone()), updated_at: stage.now, ..tree };
    Ok(worktree::save(stage.tx, &tree)?)
}
