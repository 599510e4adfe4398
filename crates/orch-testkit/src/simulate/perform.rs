//! Giving an order to the product, and putting its outcome in the oracle's words.

use orch_core::event::Wake;
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::RunEdit;
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_core::thread::{Thread, ThreadKind, ThreadState};
use orch_core::time::Span;
use orch_inbox::{Answer, Error, Receipt, Session};
use orch_inbox::{ask, cancel, claim, close, list, progress, release, renew, reply, send, show};
use orch_scheduler::{
    TaskRef, TaskShown, answer, blocked, dep, dispatch, plan, ready, recall, reconcile, run, status, task,
    tell, wait,
};

use super::model::{Claim, Edit, Line, Millis, Model, Said, Task};
use super::order::{Held, Look, Named, Order, RUNS};
use crate::desk::{slug, whole};

/// A request that may be repeated.
pub(crate) struct Request {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
}

/// What the product made of an order.
pub(crate) struct Outcome {
    pub(crate) said: Said,
    /// The answer is that of an earlier request.
    pub(crate) replayed: bool,
    /// The token that a claim got.
    pub(crate) token: String,
}

/// The product at work.
pub(crate) struct Performer<'a> {
    pub(crate) session: &'a mut Session,
    /// Which tokens there are.
    pub(crate) model: &'a Model,
    pub(crate) request: Option<&'a Request>,
}

impl Performer<'_> {
    /// Gives an order; `Err` is an outcome that no request may have.
    pub(crate) fn perform(&mut self, order: &Order) -> Result<Outcome, String> {
        match order {
            Order::Pass(_) => Ok(plain("passed")),
            Order::Look(look) => self.look(*look),
            Order::Claim(claim) => self.claim(*claim),
            Order::Send { .. }
            | Order::Note { .. }
            | Order::Reply { .. }
            | Order::CancelThread { .. }
            | Order::Renew(_)
            | Order::Progress { .. }
            | Order::Ask { .. }
            | Order::Done { .. }
            | Order::Fail { .. }
            | Order::Release(_) => self.transport(order),
            Order::AddTask { .. }
            | Order::Plan { .. }
            | Order::AddDependencies { .. }
            | Order::RemoveDependency { .. }
            | Order::EditTask { .. }
            | Order::CancelTask(_)
            | Order::Retry(_) => self.planning(order),
            Order::EditRun { .. }
            | Order::Recall(_)
            | Order::Tell(_)
            | Order::Answer(_)
            | Order::Dispatch { .. }
            | Order::DispatchAll { .. }
            | Order::Reconcile { .. }
            | Order::Pause(_)
            | Order::Resume(_)
            | Order::CancelRun(_) => self.scheduling(order),
        }
    }

    /// Calls an operation, with the request id where there is one.
    fn call<T>(
        &mut self,
        tell: impl Fn(&T) -> String,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Answer<T>, Error>,
    ) -> Result<Outcome, String> {
        let receipt = self.request.map(|request| Receipt {
            key: &request.key,
            fingerprint: &request.fingerprint,
            encode: &tell,
        });
        let (said, replayed) = match operation(self.session, receipt.as_ref()) {
            Ok(Answer::Fresh(outcome)) => (Ok(tell(&outcome)), false),
            Ok(Answer::Replayed(recorded)) => (Ok(recorded), true),
            Err(Error::Refused(refusal)) => (Err(word(&refusal)), false),
            Err(other) => return Err(format!("{other:?}")),
        };
        Ok(Outcome { said, replayed, token: String::new() })
    }

    /// The secret of a token; one that was never given where there is none.
    fn secret(&self, held: Held) -> String {
        self.model.tokens.get(held.token).map_or("lt-none".to_owned(), |token| token.secret.clone())
    }

    fn claim(&mut self, claim: Claim) -> Result<Outcome, String> {
        let request = claim::Claim {
            queue: Some(slug(claim.queue)),
            holder: slug(claim.holder),
            thread: claim.thread.map(thread_id),
            lease: claim.lease.map(length),
            wait: None,
            again: claim.again,
        };
        let token = std::cell::RefCell::new(String::new());
        let tell = |claimed: &claim::Claimed| {
            token.borrow_mut().clone_from(&claimed.lease.token);
            claimed.thread.thread.id.to_string()
        };
        let outcome = self.call(tell, |session, receipt| claim::claim(session, receipt, &request))?;
        Ok(Outcome { token: token.into_inner(), ..outcome })
    }

    fn transport(&mut self, order: &Order) -> Result<Outcome, String> {
        match order {
            Order::Send { .. } | Order::Note { .. } => self.send(order),
            Order::Reply { thread } => {
                let from = slug("human");
                let request = reply::Reply { thread: thread_id(*thread), from, body: "Yes.".to_owned() };
                self.call(kind, |session, receipt| reply::reply(session, receipt, &request))
            }
            Order::CancelThread { thread } => {
                let request = cancel::Cancel { thread: thread_id(*thread), from: None, reason: None };
                self.call(thread_state, |session, receipt| cancel::cancel(session, receipt, &request))
            }
            Order::Renew(held) => {
                let (thread, token) = (thread_id(held.thread), self.secret(*held));
                let request = renew::Renew { thread, token, lease: None };
                let tell = |_: &renew::Renewed| "renewed".to_owned();
                self.call(tell, |session, receipt| renew::renew(session, receipt, &request))
            }
            Order::Progress { held, text } => {
                let (thread, token) = (thread_id(held.thread), self.secret(*held));
                let request = progress::Progress { thread, token, text: (*text).to_owned(), percent: None };
                let tell = |progressed: &progress::Progressed| kind(&progressed.message);
                self.call(tell, |session, receipt| progress::progress(session, receipt, &request))
            }
            Order::Ask { held, text, default_after } => self.ask(*held, text, *default_after),
            Order::Done { held, text } => {
                let result = (*text).to_owned();
                self.close(*held, close::Outcome::Done { result, payload: None, artifacts: Vec::new() })
            }
            Order::Fail { held, text, last } => {
                self.close(*held, close::Outcome::Failed { reason: (*text).to_owned(), last: *last })
            }
            Order::Release(held) => {
                let (thread, token) = (thread_id(held.thread), self.secret(*held));
                self.call(thread_state, |session, receipt| release::release(session, receipt, thread, &token))
            }
            other => Err(format!("{other:?} is not of the transport")),
        }
    }

    fn send(&mut self, order: &Order) -> Result<Outcome, String> {
        let (request, new) = match order {
            Order::Send { to, priority, lease } => (
                send::Send::New {
                    from: slug("lead"),
                    to: slug(to),
                    subject: "Do it".to_owned(),
                    body: "All of it.".to_owned(),
                    kind: ThreadKind::Work,
                    priority: *priority,
                    lease: length(*lease),
                    payload: None,
                },
                true,
            ),
            Order::Note { thread } => (
                send::Send::More {
                    thread: thread_id(*thread),
                    from: slug("human"),
                    to: None,
                    body: "Mind the gap.".to_owned(),
                    payload: None,
                },
                false,
            ),
            other => return Err(format!("{other:?} sends nothing")),
        };
        let tell =
            |sent: &send::Sent| if new { sent.thread.thread.id.to_string() } else { kind(&sent.message) };
        self.call(tell, |session, receipt| send::send(session, receipt, &request))
    }

    fn ask(
        &mut self,
        held: Held,
        text: &str,
        default_after: Option<Option<Millis>>,
    ) -> Result<Outcome, String> {
        let request = ask::Ask {
            thread: thread_id(held.thread),
            token: self.secret(held),
            question: text.to_owned(),
            options: Vec::new(),
            default: default_after.map(|_| "Any.".to_owned()),
            default_after: default_after.flatten().map(Span),
            wait: None,
        };
        let tell = |asked: &ask::Asked| if asked.answer.is_some() { "answered" } else { "asked" }.to_owned();
        self.call(tell, |session, receipt| ask::ask(session, receipt, &request))
    }

    fn close(&mut self, held: Held, outcome: close::Outcome) -> Result<Outcome, String> {
        let request = close::Close {
            thread: thread_id(held.thread),
            token: self.secret(held),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        let tell = |closed: &close::Closed| thread_state(&closed.thread);
        self.call(tell, |session, receipt| close::close(session, receipt, &request))
    }

    fn planning(&mut self, order: &Order) -> Result<Outcome, String> {
        let lead = slug("lead");
        match order {
            Order::AddTask { run, key, after, new } => {
                let (run, new) = (slug(RUNS[*run]), new_task(*key, after, new));
                self.call(task_name, |session, receipt| task::add(session, receipt, &lead, Some(&run), &new))
            }
            Order::Plan { run, lines, update, dry_run, new } => {
                let run = slug(RUNS[*run]);
                let tasks = lines.iter().zip(1..).map(|(line, number)| planned(line, new, number)).collect();
                let plan = plan::Plan {
                    run: RunEdit::default(),
                    done_when: None,
                    tasks,
                    update: *update,
                    dry_run: *dry_run,
                };
                let tell = |planned: &plan::Planned| {
                    let plan::Planned { added, changed, dependencies, ready, .. } = planned;
                    format!("+{added} ~{changed} edges {dependencies} ready {ready}")
                };
                self.call(tell, |session, receipt| plan::add(session, receipt, &lead, Some(&run), &plan))
            }
            Order::AddDependencies { task, on } => {
                let (task, on) = (named(*task), on.iter().map(|key| slug(key)).collect::<Vec<_>>());
                self.call(task_state, |session, receipt| dep::add(session, receipt, &lead, &task, &on))
            }
            Order::RemoveDependency { task, on } => {
                let (task, on) = (named(*task), slug(on));
                self.call(task_state, |session, receipt| dep::remove(session, receipt, &lead, &task, &on))
            }
            Order::EditTask { task, edit } => {
                let (task, edit) = (named(*task), task_edit(*edit));
                let tell = |_: &TaskShown| "edited".to_owned();
                self.call(tell, |session, receipt| task::edit(session, receipt, &lead, &task, &edit))
            }
            Order::CancelTask(task) => self.change_task(*task, task::Verb::Cancel),
            Order::Retry(task) => self.change_task(*task, task::Verb::Retry),
            other => Err(format!("{other:?} plans nothing")),
        }
    }

    fn change_task(&mut self, task: Named, verb: task::Verb) -> Result<Outcome, String> {
        let (lead, task) = (slug("lead"), named(task));
        self.call(task_state, |session, receipt| task::change(session, receipt, &lead, &task, verb))
    }

    fn change_run(&mut self, run: usize, verb: run::Verb) -> Result<Outcome, String> {
        let (lead, run) = (slug("lead"), slug(RUNS[run]));
        let tell = |run: &orch_core::run::Run| run.state.status().name().to_owned();
        self.call(tell, |session, receipt| run::change(session, receipt, &lead, Some(&run), verb))
    }

    fn scheduling(&mut self, order: &Order) -> Result<Outcome, String> {
        let lead = slug("lead");
        match order {
            Order::EditRun { run, max_active, max_attempts } => {
                let edit = RunEdit {
                    max_active: Some(*max_active),
                    max_attempts: Some(*max_attempts),
                    ..RunEdit::default()
                };
                let run = slug(RUNS[*run]);
                let tell = |_: &orch_core::run::Run| "edited".to_owned();
                self.call(tell, |session, receipt| run::edit(session, receipt, &lead, Some(&run), &edit))
            }
            Order::Recall(task) => {
                let task = named(*task);
                self.call(task_state, |session, receipt| recall::recall(session, receipt, &lead, &task, None))
            }
            Order::Tell(task) => {
                let task = named(*task);
                self.call(kind, |session, receipt| {
                    tell::tell(session, receipt, &lead, &task, "Mind the gap.")
                })
            }
            Order::Answer(task) => {
                let task = named(*task);
                let tell = |answered: &answer::Answered| task_state(&answered.task);
                self.call(tell, |session, receipt| answer::answer(session, receipt, &lead, &task, "No."))
            }
            Order::Dispatch { task, to } => {
                let (task, to) = (named(*task), to.map(slug));
                self.call(dispatched, |session, receipt| {
                    dispatch::one(session, receipt, &lead, &task, to.as_ref())
                })
            }
            Order::DispatchAll { run, to, limit } => self.dispatch_all(*run, to, *limit),
            Order::Reconcile { run, dry_run } => {
                let run = run.map(|run| slug(RUNS[run]));
                let tell = |_: &reconcile::Reconciled| "reconciled".to_owned();
                self.call(tell, |session, receipt| {
                    reconcile::reconcile(session, receipt, run.as_ref(), *dry_run)
                })
            }
            Order::Pause(run) => self.change_run(*run, run::Verb::Pause),
            Order::Resume(run) => self.change_run(*run, run::Verb::Resume),
            Order::CancelRun(run) => self.change_run(*run, run::Verb::Cancel),
            other => Err(format!("{other:?} schedules nothing")),
        }
    }

    fn dispatch_all(&mut self, run: Option<usize>, to: &[&str], limit: usize) -> Result<Outcome, String> {
        let all = dispatch::All {
            run: run.map(|run| slug(RUNS[run])),
            to: to.iter().map(|name| slug(name)).collect(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let tell = |all: &dispatch::DispatchedAll| {
            let sent: Vec<String> = all.dispatched.iter().map(dispatched).collect();
            let refused: Vec<String> =
                all.refused.iter().map(|(task, error)| format!("{task} {}", refused(error))).collect();
            format!("{sent:?} {refused:?}")
        };
        self.call(tell, |session, receipt| dispatch::all(session, receipt, &slug("lead"), &all))
    }

    fn look(&mut self, look: Look) -> Result<Outcome, String> {
        let session = &mut *self.session;
        let looked = match look {
            Look::Task(task) => task::show(session, &named(task)).map(|_| ()),
            Look::Status(run) => status::status(session, Some(&slug(RUNS[run]))).map(|_| ()),
            Look::Ready(run) => {
                let wanted = ready::Ready { run: Some(slug(RUNS[run])), label: None, page: whole() };
                ready::ready(session, &wanted).map(|_| ())
            }
            Look::Blocked => blocked::blocked(session, None, &whole()).map(|_| ()),
            Look::Wait => {
                let wakes = Wake::DEFAULT.to_vec();
                let agent = slug("lead");
                let timeout = Span(0);
                let request = wait::Wait { agent, run: None, wakes, after: None, timeout, limit: 10 };
                wait::wait(session, &request).map(|_| ())
            }
            Look::Threads => {
                let wanted = list::List { agent: None, state: None, unread: false, page: whole() };
                list::list(session, &wanted).map(|_| ())
            }
            Look::Thread(thread) => show::show(session, thread_id(thread), &whole()).map(|_| ()),
        };
        match looked {
            Ok(()) | Err(Error::Refused(_) | Error::TimedOut(_)) => Ok(plain("looked")),
            Err(other) => Err(format!("{other:?}")),
        }
    }
}

fn plain(said: &str) -> Outcome {
    Outcome { said: Ok(said.to_owned()), replayed: false, token: String::new() }
}

/// A thread's number by its place.
pub(crate) fn thread_id(thread: usize) -> ThreadId {
    ThreadId(i64::try_from(thread + 1).unwrap_or(i64::MAX))
}

fn length(lease: Millis) -> LeaseLength {
    LeaseLength::new(Span(lease)).unwrap_or(LeaseLength::DEFAULT)
}

fn named(task: Named) -> TaskRef {
    TaskRef { run: Some(slug(RUNS[task.run])), key: slug(task.key) }
}

fn new_task(key: Option<&str>, after: &[&str], new: &Task) -> NewTask {
    NewTask {
        key: key.map(slug),
        title: "Something".to_owned(),
        text: TaskText::default(),
        priority: new.priority,
        labels: Vec::new(),
        agent: new.agent.map(slug),
        max_attempts: new.max_attempts,
        allow_empty: false,
        after: after.iter().map(|key| slug(key)).collect(),
    }
}

fn planned(line: &Line, new: &Task, number: u32) -> plan::PlannedTask {
    let task = new_task(line.key, &line.after, new);
    plan::PlannedTask { task, named: TaskEdit::default(), names_after: true, line: number }
}

fn task_edit(edit: Edit) -> TaskEdit {
    match edit {
        Edit::Priority(priority) => TaskEdit { priority: Some(priority), ..TaskEdit::default() },
        Edit::MaxAttempts(most) => TaskEdit { max_attempts: Some(most), ..TaskEdit::default() },
    }
}

fn kind(message: &orch_core::message::Message) -> String {
    message.content.kind.name().to_owned()
}

fn thread_state(shown: &orch_inbox::ThreadShown) -> String {
    shown.thread.state.status().name().to_owned()
}

fn task_name(shown: &TaskShown) -> String {
    shown.task.name.to_string()
}

fn task_state(shown: &TaskShown) -> String {
    shown.task.state.name().to_owned()
}

fn dispatched(dispatched: &dispatch::Dispatched) -> String {
    let dispatch::Dispatched { attempt, thread, .. } = dispatched;
    let thread = thread.as_ref().map_or_else(|| "none".to_owned(), |thread| thread.thread.id.to_string());
    format!("{} {thread} {}", attempt.name, attempt.agent)
}

/// Who holds a thread.
pub(crate) fn holder(thread: &Thread) -> Option<&Slug> {
    match &thread.state {
        ThreadState::Claimed { hold, .. } | ThreadState::Blocked { hold, .. } => Some(&hold.holder),
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => None,
    }
}

/// Why a task was not dispatched, by name.
fn refused(error: &Error) -> &'static str {
    match error {
        Error::Refused(refusal) => word(refusal),
        _ => "another error",
    }
}

/// A refusal's name.
fn word(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::InPlan { refusal, .. } => word(refusal),
        Refusal::Invalid { .. } => "Invalid",
        Refusal::RunNotFound { .. } => "RunNotFound",
        Refusal::RunAmbiguous { .. } => "RunAmbiguous",
        Refusal::RunNotOpen { .. } => "RunNotOpen",
        Refusal::RunExists { .. } => "RunExists",
        Refusal::TaskNotFound { .. } => "TaskNotFound",
        Refusal::TaskExists { .. } => "TaskExists",
        Refusal::KeyTwice { .. } => "TaskExists",
        Refusal::TaskNotReady { .. } => "TaskNotReady",
        Refusal::TaskNotBlocked { .. } => "TaskNotBlocked",
        Refusal::TaskFinished { .. } => "TaskFinished",
        Refusal::TaskSkipped { .. } => "TaskSkipped",
        Refusal::NothingToRetry { .. } => "NothingToRetry",
        Refusal::DependencyCycle { .. } => "DependencyCycle",
        Refusal::DependencyExists { .. } => "DependencyExists",
        Refusal::DependencyNotFound { .. } => "DependencyNotFound",
        Refusal::AttemptLive { .. } | Refusal::RunLive { .. } => "AttemptLive",
        Refusal::AttemptNotFound { .. } => "AttemptNotFound",
        Refusal::CapacityReached { .. } => "CapacityReached",
        Refusal::AgentNotFound { .. } => "AgentNotFound",
        Refusal::ThreadNotFound { .. } => "ThreadNotFound",
        Refusal::ThreadClosed { .. } => "ThreadClosed",
        Refusal::NotWork { .. } => "NotWork",
        Refusal::Withdrawn { .. } => "Withdrawn",
        Refusal::NotClaimed { .. } => "NotClaimed",
        Refusal::AlreadyClaimed { .. } => "AlreadyClaimed",
        Refusal::LeaseLost { kept: None, .. } => "LeaseLost",
        Refusal::LeaseLost { kept: Some(_), .. } => "LeaseLost kept",
        Refusal::QuestionOpen { .. } => "QuestionOpen",
        Refusal::NoQuestion { .. } => "NoQuestion",
        Refusal::InboxEmpty { .. } => "InboxEmpty",
        Refusal::Tree(_) => "Tree",
        Refusal::RequestConflict { .. } => "RequestConflict",
        Refusal::RequestNotFound { .. } => "RequestNotFound",
    }
}
