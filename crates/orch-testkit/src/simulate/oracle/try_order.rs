//! Executes an action in the oracle.

use super::inbox::ThreadDraft;
use super::{OracleModel, OracleReply, UnixMillis};
use crate::simulate::action::{ReadQuery, SimulatedAction};

/// Whether the changes of a refused request are kept.
fn keeps_changes(why: &str) -> bool {
    why == "LeaseLost kept"
}

impl OracleModel {
    /// Executes an action at a time; `secret` is the token that the product returned for a claim.
    pub(crate) fn try_action(
        &mut self,
        order: &SimulatedAction,
        secret: &str,
        now: UnixMillis,
    ) -> OracleReply {
        let mut tried = self.clone();
        let mut is_leads = false;
        let (said, undone) = match order {
            SimulatedAction::AdvanceClock(_) => (Ok("passed".to_owned()), false),
            SimulatedAction::Query(look) => (tried.run_query(*look, now), false),
            SimulatedAction::Reconcile { dry_run, .. } => {
                tried.reconcile_all(now);
                (Ok("reconciled".to_owned()), *dry_run)
            }
            SimulatedAction::Plan { dry_run, .. } => {
                is_leads = true;
                (tried.try_lead(order, now), *dry_run)
            }
            _ => match tried.try_transport(order, secret, now) {
                Some(said) => (said, false),
                None => {
                    is_leads = true;
                    (tried.try_lead(order, now), false)
                }
            },
        };
        if !undone && said.as_ref().map_or_else(|why| keeps_changes(why), |_| true) {
            *self = tried;
        } else if is_leads && said.is_err() {
            // What a refused change had reconciled before it was refused stays.
            self.reconcile_all(now);
        }
        said
    }

    /// Reads, which first applies what is due; the caller compares what the read returns.
    fn run_query(&mut self, look: ReadQuery, now: UnixMillis) -> OracleReply {
        match look {
            ReadQuery::Threads | ReadQuery::Thread(_) => {
                for thread in 0..self.threads.len() {
                    self.answer_by_default(thread, now);
                }
            }
            ReadQuery::Task(_)
            | ReadQuery::Status(_)
            | ReadQuery::Ready(_)
            | ReadQuery::Blocked
            | ReadQuery::Wait => self.reconcile_all(now),
        }
        Ok("looked".to_owned())
    }

    /// Executes an action of the inbox; `None` for every other action.
    fn try_transport(
        &mut self,
        order: &SimulatedAction,
        secret: &str,
        now: UnixMillis,
    ) -> Option<OracleReply> {
        Some(match order {
            SimulatedAction::Send { to, priority, lease } => {
                let head =
                    ThreadDraft { to, priority: *priority, lease: *lease, answer_after: None, owner: None };
                Ok(format!("th-{}", self.send_thread(head) + 1))
            }
            SimulatedAction::Note { thread } => self.write_note(*thread, now),
            SimulatedAction::Claim(claim) => self.claim_thread(*claim, secret, now),
            SimulatedAction::Renew(held) => self.renew_lease(held.thread, held.token, now),
            SimulatedAction::Progress { held, text } => {
                self.write_progress(held.thread, held.token, text, now)
            }
            SimulatedAction::Ask { held, text, default_after } => {
                self.ask_question(held.thread, held.token, text, *default_after, now)
            }
            SimulatedAction::Reply { thread } => self.reply_to_question(*thread, now),
            SimulatedAction::Done { held, text } => {
                self.close_thread(held.thread, held.token, text, None, now)
            }
            SimulatedAction::Fail { held, text, last } => {
                self.close_thread(held.thread, held.token, text, Some(*last), now)
            }
            SimulatedAction::Release(held) => self.release_thread(held.thread, held.token, now),
            SimulatedAction::CancelThread { thread } => self.cancel_thread(*thread, now),
            _ => return None,
        })
    }

    /// Executes an action of the scheduler, after reconciling the workers' reports.
    fn try_lead(&mut self, order: &SimulatedAction, now: UnixMillis) -> OracleReply {
        self.reconcile_all(now);
        let said = match order {
            SimulatedAction::AddTask { run, key, after, new } => self.add_task(*run, *key, after, new),
            SimulatedAction::Plan { run, lines, update, new, .. } => {
                self.apply_plan(*run, lines, *update, new)
            }
            SimulatedAction::AddDependencies { task, on } => self.add_dependencies(task.run, task.key, on),
            SimulatedAction::RemoveDependency { task, on } => self.remove_dependency(task.run, task.key, on),
            SimulatedAction::EditTask { task, edit } => self.edit_task(task.run, task.key, *edit),
            SimulatedAction::EditRun { run, max_active, max_attempts } => {
                self.edit_run(*run, *max_active, *max_attempts)
            }
            SimulatedAction::CancelTask(task) => self.cancel_task(task.run, task.key),
            SimulatedAction::Retry(task) => self.retry_task(task.run, task.key),
            SimulatedAction::Recall(task) => self.recall_task(task.run, task.key),
            SimulatedAction::Tell(task) => self.tell_worker(task.run, task.key),
            SimulatedAction::Answer(task) => self.answer_worker(task.run, task.key, now),
            SimulatedAction::Dispatch { task, to } => self.dispatch_task(task.run, task.key, *to, now),
            SimulatedAction::DispatchAll { run, to, limit } => self.dispatch_all(*run, to, *limit, now),
            SimulatedAction::Pause(run) => self.pause_run(*run),
            SimulatedAction::Resume(run) => self.resume_run(*run),
            SimulatedAction::CancelRun(run) => self.cancel_run(*run),
            _ => unreachable!("the transport takes {order:?}"),
        };
        self.update_run_states();
        said
    }
}
