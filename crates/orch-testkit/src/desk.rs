//! A lead and its workers at one store, for stories: each operation in one line.

use orch_core::event::Event;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::Message;
use orch_core::run::{Budget, DoneWhen, Policy, Rules, Run};
use orch_core::task::{NewTask, TaskState, TaskText};
use orch_core::thread::{Thread, ThreadKind};
use orch_core::time::Span;
use orch_inbox::{Answer, Error, Session};
use orch_inbox::{ask, cancel, claim, close, progress, release, renew, reply, send, show};
use orch_scheduler::{
    TaskRef, TaskShown, dep, dispatch, events, recall, reconcile, run as run_operation, task,
};
use orch_store::invariant;
use orch_store::page::PageRequest;

use crate::{FakeClock, Place};

/// A claimed thread: what its holder needs to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The thread.
    pub thread: ThreadId,
    /// The token.
    pub token: String,
    /// Who holds it.
    pub holder: Slug,
}

/// A session at a place of its own.
pub struct Desk {
    /// The place; more sessions can be opened there.
    pub place: Place,
    /// The session.
    pub session: Session,
    /// Who leads.
    pub lead: Slug,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

/// The name as a slug.
///
/// # Panics
/// It is none.
#[must_use]
pub fn slug(name: &str) -> Slug {
    Slug::new(name).expect("a test names things by slugs")
}

/// The policy of a run when nothing is said: three tries, a lease of 15 minutes.
#[must_use]
pub fn policy() -> Policy {
    Policy {
        done_when: DoneWhen::Reported,
        max_active: None,
        max_attempts: orch_core::limit::ATTEMPTS_DEFAULT,
        retry_delay: orch_core::limit::RETRY_DELAY_DEFAULT,
        lease: LeaseLength::DEFAULT,
        answer_after: None,
    }
}

/// A task of which only the key and what it waits for matter.
#[must_use]
pub fn new_task(key: &str, after: &[&str]) -> NewTask {
    NewTask {
        key: Some(slug(key)),
        title: format!("Do {key}"),
        text: TaskText::default(),
        priority: orch_core::limit::PRIORITY_DEFAULT,
        labels: Vec::new(),
        agent: None,
        max_attempts: None,
        allow_empty: false,
        after: after.iter().map(|key| slug(key)).collect(),
    }
}

/// A task named by its key alone, or by `run/key`.
#[must_use]
pub fn task_ref(name: &str) -> TaskRef {
    match name.split_once('/') {
        Some((run, key)) => TaskRef { run: Some(slug(run)), key: slug(key) },
        None => TaskRef { run: None, key: slug(name) },
    }
}

/// The whole list in one page.
#[must_use]
pub fn whole() -> PageRequest {
    PageRequest { limit: orch_core::limit::LIST_MAX, after: None }
}

/// The outcome of a request without a request id, which is never a replay.
///
/// # Panics
/// It is one.
pub fn fresh<T>(answer: Answer<T>) -> T {
    match answer {
        Answer::Fresh(outcome) => outcome,
        Answer::Replayed(recorded) => panic!("a request without an id was replayed: {recorded}"),
    }
}

impl Desk {
    /// A store without a run.
    #[must_use]
    pub fn new() -> Self {
        let place = Place::in_memory();
        let session = place.session();
        Self { place, session, lead: slug("lead") }
    }

    /// A store with one run, `r`, and these tasks: `b < a` waits for `a`, `c < a b` for both.
    ///
    /// # Panics
    /// A line is none.
    #[must_use]
    pub fn with_tasks(lines: &[&str]) -> Self {
        let mut desk = Self::new();
        desk.run("r", policy()).expect("the run can be made");
        desk.tasks("r", lines);
        desk
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        self.place.clock()
    }

    /// Makes a run.
    ///
    /// # Errors
    /// What the operation says.
    pub fn run(&mut self, name: &str, policy: Policy) -> Result<Run, Error> {
        let new = run_operation::NewRun {
            name: Some(slug(name)),
            title: name.to_owned(),
            goal: None,
            done_when: Some(policy.done_when),
            policy,
            rules: Rules::default(),
            budget: Budget::default(),
            place: None,
        };
        run_operation::init(&mut self.session, None, &self.lead, &new).map(|made| fresh(made).run)
    }

    /// Adds tasks, one per line.
    ///
    /// # Panics
    /// A line is none, or is refused.
    pub fn tasks(&mut self, run: &str, lines: &[&str]) {
        for line in lines {
            let (key, after) = line.split_once('<').unwrap_or((line, ""));
            let after: Vec<&str> = after.split_whitespace().collect();
            let new = new_task(key.trim(), &after);
            let added = task::add(&mut self.session, None, &self.lead, Some(&slug(run)), &new);
            added.expect("the task can be added");
        }
    }

    /// Pauses, resumes or cancels a run.
    ///
    /// # Errors
    /// What the operation says.
    pub fn change_run(&mut self, run: &str, verb: run_operation::Verb) -> Result<Run, Error> {
        run_operation::change(&mut self.session, None, &self.lead, Some(&slug(run)), verb).map(fresh)
    }

    /// A run as a fresh look shows it.
    ///
    /// # Errors
    /// What the operation says.
    pub fn show_run(&mut self, run: &str) -> Result<Run, Error> {
        Ok(run_operation::show(&mut self.session, Some(&slug(run)), &whole())?.run)
    }

    /// Dispatches a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn dispatch(&mut self, name: &str, to: &str) -> Result<dispatch::Dispatched, Error> {
        let to = slug(to);
        dispatch::one(&mut self.session, None, &self.lead, &task_ref(name), Some(&to)).map(fresh)
    }

    /// Dispatches a task and claims its thread.
    ///
    /// # Errors
    /// What the operations say.
    pub fn start(&mut self, name: &str, worker: &str) -> Result<Held, Error> {
        let thread =
            self.dispatch(name, worker)?.attempt.thread.expect("work without a worktree is sent at once");
        self.claim_thread(worker, thread)
    }

    /// Recalls a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn recall(&mut self, name: &str) -> Result<TaskShown, Error> {
        recall::recall(&mut self.session, None, &self.lead, &task_ref(name), None).map(fresh)
    }

    /// Cancels or retries a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn change_task(&mut self, name: &str, verb: task::Verb) -> Result<TaskShown, Error> {
        task::change(&mut self.session, None, &self.lead, &task_ref(name), verb).map(fresh)
    }

    /// Makes a task wait for others.
    ///
    /// # Errors
    /// What the operation says.
    pub fn add_dependencies(&mut self, name: &str, on: &[&str]) -> Result<TaskShown, Error> {
        let on: Vec<Slug> = on.iter().map(|key| slug(key)).collect();
        dep::add(&mut self.session, None, &self.lead, &task_ref(name), &on).map(fresh)
    }

    /// Lets a task no longer wait for another.
    ///
    /// # Errors
    /// What the operation says.
    pub fn remove_dependency(&mut self, name: &str, on: &str) -> Result<TaskShown, Error> {
        dep::remove(&mut self.session, None, &self.lead, &task_ref(name), &slug(on)).map(fresh)
    }

    /// Everything about a task, as a fresh look shows it.
    ///
    /// # Panics
    /// There is no such task.
    pub fn detail(&mut self, name: &str) -> task::TaskDetail {
        task::show(&mut self.session, &task_ref(name)).expect("the task is there")
    }

    /// A task's state, as a fresh look shows it.
    ///
    /// # Panics
    /// There is no such task.
    pub fn state(&mut self, name: &str) -> TaskState {
        self.detail(name).shown.task.state
    }

    /// The states of several tasks.
    ///
    /// # Panics
    /// One is not there.
    pub fn states(&mut self, names: &[&str]) -> Vec<&'static str> {
        names.iter().map(|name| self.state(name).name()).collect()
    }

    /// Reconciles.
    ///
    /// # Errors
    /// What the operation says.
    pub fn reconcile(&mut self) -> Result<Vec<reconcile::Change>, Error> {
        reconcile::reconcile(&mut self.session, None, None, false).map(|done| fresh(done).changes)
    }

    /// All events of a run, or of all unfinished ones.
    ///
    /// # Panics
    /// There is no such run.
    pub fn events(&mut self, run: Option<&str>) -> Vec<Event> {
        let limit = orch_core::limit::LIST_MAX;
        let wanted = events::Events { run: run.map(slug), task: None, after: None, limit };
        events::events(&mut self.session, &wanted).expect("the run is there").items
    }

    /// Sends plain work.
    ///
    /// # Errors
    /// What the operation says.
    pub fn send(&mut self, to: &str, lease: LeaseLength) -> Result<ThreadId, Error> {
        let request = send::Send::New {
            from: self.lead.clone(),
            to: slug(to),
            subject: "Do it".to_owned(),
            body: "All of it.".to_owned(),
            kind: ThreadKind::Work,
            priority: orch_core::limit::PRIORITY_DEFAULT,
            lease,
            payload: None,
        };
        Ok(fresh(send::send(&mut self.session, None, &request)?).thread.thread.id)
    }

    /// Claims the most urgent work of a worker's own queue.
    ///
    /// # Errors
    /// What the operation says.
    pub fn claim(&mut self, worker: &str) -> Result<Held, Error> {
        self.claim_as(worker, None, None)
    }

    /// Claims one thread.
    ///
    /// # Errors
    /// What the operation says.
    pub fn claim_thread(&mut self, worker: &str, thread: ThreadId) -> Result<Held, Error> {
        self.claim_as(worker, Some(thread), None)
    }

    /// Claims under a lease of its own length.
    ///
    /// # Errors
    /// What the operation says.
    pub fn claim_as(
        &mut self,
        worker: &str,
        thread: Option<ThreadId>,
        lease: Option<LeaseLength>,
    ) -> Result<Held, Error> {
        let holder = slug(worker);
        let request =
            claim::Claim { queue: None, holder: holder.clone(), thread, lease, wait: None, again: false };
        let claimed = fresh(claim::claim(&mut self.session, None, &request)?);
        Ok(Held { thread: claimed.thread.thread.id, token: claimed.lease.token, holder })
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// What the operation says.
    pub fn renew(&mut self, held: &Held) -> Result<renew::Renewed, Error> {
        let request = renew::Renew { thread: held.thread, token: held.token.clone(), lease: None };
        renew::renew(&mut self.session, None, &request).map(fresh)
    }

    /// Writes a progress message.
    ///
    /// # Errors
    /// What the operation says.
    pub fn progress(&mut self, held: &Held, text: &str) -> Result<progress::Progressed, Error> {
        let (thread, token, text) = (held.thread, held.token.clone(), text.to_owned());
        let request = progress::Progress { thread, token, text, percent: None };
        progress::progress(&mut self.session, None, &request).map(fresh)
    }

    /// Asks a question without waiting.
    ///
    /// # Errors
    /// What the operation says.
    pub fn ask(&mut self, held: &Held, question: &str) -> Result<ask::Asked, Error> {
        self.ask_with_default(held, question, None)
    }

    /// Asks a question that answers itself after a while.
    ///
    /// # Errors
    /// What the operation says.
    pub fn ask_with_default(
        &mut self,
        held: &Held,
        question: &str,
        default: Option<(&str, Span)>,
    ) -> Result<ask::Asked, Error> {
        let request = ask::Ask {
            thread: held.thread,
            token: held.token.clone(),
            question: question.to_owned(),
            options: Vec::new(),
            default: default.map(|(answer, _)| answer.to_owned()),
            default_after: default.map(|(_, after)| after),
            wait: None,
        };
        ask::ask(&mut self.session, None, &request).map(fresh)
    }

    /// Answers a thread's question.
    ///
    /// # Errors
    /// What the operation says.
    pub fn reply(&mut self, thread: ThreadId, body: &str) -> Result<Message, Error> {
        let request = reply::Reply { thread, from: self.lead.clone(), body: body.to_owned() };
        reply::reply(&mut self.session, None, &request).map(fresh)
    }

    /// Reports that the work is done.
    ///
    /// # Errors
    /// What the operation says.
    pub fn done(&mut self, held: &Held) -> Result<close::Closed, Error> {
        let result = "It is done.".to_owned();
        self.close(held, close::Outcome::Done { result, payload: None, artifacts: Vec::new() })
    }

    /// Gives the work up.
    ///
    /// # Errors
    /// What the operation says.
    pub fn fail(&mut self, held: &Held, last: bool) -> Result<close::Closed, Error> {
        self.close(held, close::Outcome::Failed { reason: "It cannot be done.".to_owned(), last })
    }

    fn close(&mut self, held: &Held, outcome: close::Outcome) -> Result<close::Closed, Error> {
        let request = close::Close {
            thread: held.thread,
            token: held.token.clone(),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        close::close(&mut self.session, None, &request).map(fresh)
    }

    /// Gives the work back.
    ///
    /// # Errors
    /// What the operation says.
    pub fn release(&mut self, held: &Held) -> Result<Thread, Error> {
        let released = release::release(&mut self.session, None, held.thread, &held.token)?;
        Ok(fresh(released).thread)
    }

    /// Cancels a thread from outside.
    ///
    /// # Errors
    /// What the operation says.
    pub fn cancel_thread(&mut self, thread: ThreadId) -> Result<Thread, Error> {
        let request = cancel::Cancel { thread, from: None, reason: None };
        Ok(fresh(cancel::cancel(&mut self.session, None, &request)?).thread)
    }

    /// A thread with all its messages.
    ///
    /// # Errors
    /// What the operation says.
    pub fn show_thread(&mut self, thread: ThreadId) -> Result<(Thread, Vec<Message>), Error> {
        let shown = show::show(&mut self.session, thread, &whole())?;
        Ok((shown.thread.thread, shown.messages.items))
    }

    /// A message.
    ///
    /// # Panics
    /// It is not there.
    pub fn message(&mut self, thread: ThreadId, id: MessageId) -> Message {
        let (_, messages) = self.show_thread(thread).expect("the thread is there");
        messages.into_iter().find(|message| message.id == id).expect("the message is there")
    }

    /// The laws that are broken now, with what breaks them.
    ///
    /// # Panics
    /// The store failed.
    #[must_use]
    pub fn breaches(&self) -> Vec<invariant::Breach> {
        self.place.store().read(invariant::breaches).expect("the store can be read")
    }
}
