//! What the oracle says of an order.

use super::inbox::Head;
use super::{Millis, Model, Said};
use crate::simulate::order::{Look, Order};

/// Whether what a refused request changed stays.
fn kept(why: &str) -> bool {
    why == "LeaseLost kept"
}

impl Model {
    /// Tries an order at a time; `secret` is the token that a claim got from the product.
    pub(crate) fn try_order(&mut self, order: &Order, secret: &str, now: Millis) -> Said {
        let mut tried = self.clone();
        let (said, undone) = match order {
            Order::Pass(_) => (Ok("passed".to_owned()), false),
            Order::Look(look) => (tried.look_at(*look, now), false),
            Order::Reconcile { dry_run, .. } => {
                tried.settle(now);
                (Ok("reconciled".to_owned()), *dry_run)
            }
            Order::Plan { dry_run, .. } => (tried.lead(order, now), *dry_run),
            _ => match tried.transport(order, secret, now) {
                Some(said) => (said, false),
                None => (tried.lead(order, now), false),
            },
        };
        if !undone && said.as_ref().map_or_else(|why| kept(why), |_| true) {
            *self = tried;
        }
        said
    }

    /// Looks, which takes in what is due; what the look shows is compared by whoever looks.
    fn look_at(&mut self, look: Look, now: Millis) -> Said {
        match look {
            Look::Threads | Look::Thread(_) => {
                for thread in 0..self.threads.len() {
                    self.answer_by_default(thread, now);
                }
            }
            Look::Task(_) | Look::Status(_) | Look::Ready(_) | Look::Blocked | Look::Wait => self.settle(now),
        }
        Ok("looked".to_owned())
    }

    /// The transport's part; `None` where it has none.
    fn transport(&mut self, order: &Order, secret: &str, now: Millis) -> Option<Said> {
        Some(match order {
            Order::Send { to, priority, lease } => {
                let head = Head { to, priority: *priority, lease: *lease, answer_after: None, owner: None };
                Ok(format!("th-{}", self.send(head) + 1))
            }
            Order::Note { thread } => self.note(*thread, now),
            Order::Claim(claim) => self.claim(*claim, secret, now),
            Order::Renew(held) => self.renew(held.thread, held.token, now),
            Order::Progress { held, text } => self.progress(held.thread, held.token, text, now),
            Order::Ask { held, text, default_after } => {
                self.ask(held.thread, held.token, text, *default_after, now)
            }
            Order::Reply { thread } => self.reply(*thread, now),
            Order::Done { held, text } => self.close(held.thread, held.token, text, None, now),
            Order::Fail { held, text, last } => self.close(held.thread, held.token, text, Some(*last), now),
            Order::Release(held) => self.release(held.thread, held.token, now),
            Order::CancelThread { thread } => self.cancel_thread(*thread, now),
            _ => return None,
        })
    }

    /// The lead's part, with what workers reported taken in first.
    fn lead(&mut self, order: &Order, now: Millis) -> Said {
        self.settle(now);
        let said = match order {
            Order::AddTask { run, key, after, new } => self.add_task(*run, *key, after, new),
            Order::Plan { run, lines, update, new, .. } => self.plan(*run, lines, *update, new),
            Order::AddDependencies { task, on } => self.add_dependencies(task.run, task.key, on),
            Order::RemoveDependency { task, on } => self.remove_dependency(task.run, task.key, on),
            Order::EditTask { task, edit } => self.edit_task(task.run, task.key, *edit),
            Order::EditRun { run, max_active, max_attempts } => {
                self.edit_run(*run, *max_active, *max_attempts)
            }
            Order::CancelTask(task) => self.cancel_task(task.run, task.key),
            Order::Retry(task) => self.retry(task.run, task.key),
            Order::Recall(task) => self.recall(task.run, task.key),
            Order::Tell(task) => self.tell(task.run, task.key),
            Order::Answer(task) => self.answer(task.run, task.key, now),
            Order::Dispatch { task, to } => self.dispatch(task.run, task.key, *to, now),
            Order::DispatchAll { run, to, limit } => self.dispatch_all(*run, to, *limit, now),
            Order::Pause(run) => self.pause(*run),
            Order::Resume(run) => self.resume(*run),
            Order::CancelRun(run) => self.cancel_run(*run),
            _ => unreachable!("the transport takes {order:?}"),
        };
        self.follow();
        said
    }
}
