//! A lead and its workers at one store, for stories: each operation in one line.

use orch_core::event::Event;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::Message;
use orch_core::run::{AttemptRules, Budget, DoneWhen, Policy, Run};
use orch_core::task::{NewTask, TaskState, TaskText};
use orch_core::thread::{Thread, ThreadKind};
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Response, Session};
use orch_inbox::{ask, cancel, claim, close, progress, release, renew, reply, send, show};
use orch_scheduler::{
    TaskOverview, TaskSelector, dep, dispatch, events, recall, reconcile, run as run_operation, task,
    unit_of_work,
};
use orch_store::invariant;
use orch_store::page::PageRequest;

use crate::{FakeClock, TestStore};

/// A claimed thread: what its holder needs to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderCredentials {
    /// The thread.
    pub thread: ThreadId,
    /// The token.
    pub token: String,
    /// Who holds it.
    pub holder: Slug,
}

/// A session at a place of its own.
pub struct TestSession {
    /// The place; more sessions can be opened there.
    pub place: TestStore,
    /// The session.
    pub session: Session,
    /// Who leads.
    pub lead: Slug,
}

impl Default for TestSession {
    fn default() -> Self {
        Self::new()
    }
}

/// The name as a slug.
///
/// # Panics
/// It is none.
#[must_use]
pub fn parse_slug(name: &str) -> Slug {
    Slug::new(name).expect("a test names things by slugs")
}

/// The policy of a run when nothing is said: three tries, a lease of 15 minutes.
#[must_use]
pub fn default_policy() -> Policy {
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
        key: Some(parse_slug(key)),
        title: format!("Do {key}"),
        text: TaskText::default(),
        priority: orch_core::limit::PRIORITY_DEFAULT,
        labels: Vec::new(),
        agent: None,
        max_attempts: None,
        allow_empty: false,
        after: after.iter().map(|key| parse_slug(key)).collect(),
    }
}

/// A task named by its key alone, or by `run/key`.
#[must_use]
pub fn task_ref(name: &str) -> TaskSelector {
    match name.split_once('/') {
        Some((run, key)) => TaskSelector { run: Some(parse_slug(run)), key: parse_slug(key) },
        None => TaskSelector { run: None, key: parse_slug(name) },
    }
}

/// The whole list in one page.
#[must_use]
pub fn whole_page() -> PageRequest {
    PageRequest { limit: orch_core::limit::LIST_MAX, after: None }
}

/// The outcome of a request without a request id, which is never a replay.
///
/// # Panics
/// It is one.
pub fn expect_fresh<T>(answer: Response<T>) -> T {
    match answer {
        Response::Fresh(outcome) => outcome,
        Response::Replayed(recorded) => panic!("a request without an id was replayed: {recorded}"),
    }
}

impl TestSession {
    /// A store without a run.
    #[must_use]
    pub fn new() -> Self {
        let place = TestStore::in_memory();
        let session = place.open_session();
        Self { place, session, lead: parse_slug("lead") }
    }

    /// A store with one run, `r`, and these tasks: `b < a` waits for `a`, `c < a b` for both.
    ///
    /// # Panics
    /// A line is none.
    #[must_use]
    pub fn with_tasks(lines: &[&str]) -> Self {
        let mut desk = Self::new();
        desk.make_run("r", default_policy()).expect("the run can be made");
        desk.add_tasks("r", lines);
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
    pub fn make_run(&mut self, name: &str, policy: Policy) -> Result<Run, Error> {
        let new = run_operation::NewRun {
            name: Some(parse_slug(name)),
            title: name.to_owned(),
            goal: None,
            done_when: Some(policy.done_when),
            policy,
            rules: AttemptRules::default(),
            budget: Budget::default(),
            place: None,
        };
        run_operation::create_run(&mut self.session, None, &self.lead, &new)
            .map(|made| expect_fresh(made).run)
    }

    /// Adds tasks, one per line.
    ///
    /// # Panics
    /// A line is none, or is refused.
    pub fn add_tasks(&mut self, run: &str, lines: &[&str]) {
        for line in lines {
            let (key, after) = line.split_once('<').unwrap_or((line, ""));
            let after: Vec<&str> = after.split_whitespace().collect();
            let new = new_task(key.trim(), &after);
            let added = task::add_task(&mut self.session, None, &self.lead, Some(&parse_slug(run)), &new);
            added.expect("the task can be added");
        }
    }

    /// Pauses, resumes or cancels a run.
    ///
    /// # Errors
    /// What the operation says.
    pub fn change_run(&mut self, run: &str, verb: run_operation::RunAction) -> Result<Run, Error> {
        run_operation::change_run(&mut self.session, None, &self.lead, Some(&parse_slug(run)), verb)
            .map(expect_fresh)
    }

    /// A run as a fresh look shows it.
    ///
    /// # Errors
    /// What the operation says.
    pub fn show_run(&mut self, run: &str) -> Result<Run, Error> {
        Ok(run_operation::show_run(&mut self.session, Some(&parse_slug(run)), &whole_page())?.run)
    }

    /// Dispatches a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn dispatch_task(&mut self, name: &str, to: &str) -> Result<dispatch::DispatchOutcome, Error> {
        let to = parse_slug(to);
        dispatch::dispatch_task(&mut self.session, None, &self.lead, &task_ref(name), Some(&to))
            .map(expect_fresh)
    }

    /// Dispatches a task and claims its thread.
    ///
    /// # Errors
    /// What the operations say.
    pub fn start_task(&mut self, name: &str, worker: &str) -> Result<HolderCredentials, Error> {
        let thread = self
            .dispatch_task(name, worker)?
            .attempt
            .thread
            .expect("work without a worktree is sent at once");
        self.claim_thread(worker, thread)
    }

    /// Recalls a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn recall_task(&mut self, name: &str) -> Result<TaskOverview, Error> {
        recall::recall_attempt(&mut self.session, None, &self.lead, &task_ref(name), None).map(expect_fresh)
    }

    /// Cancels or retries a task.
    ///
    /// # Errors
    /// What the operation says.
    pub fn change_task(&mut self, name: &str, verb: task::TaskAction) -> Result<TaskOverview, Error> {
        task::change_task(&mut self.session, None, &self.lead, &task_ref(name), verb).map(expect_fresh)
    }

    /// Makes a task wait for others.
    ///
    /// # Errors
    /// What the operation says.
    pub fn add_dependencies(&mut self, name: &str, on: &[&str]) -> Result<TaskOverview, Error> {
        let on: Vec<Slug> = on.iter().map(|key| parse_slug(key)).collect();
        dep::add_dependencies(&mut self.session, None, &self.lead, &task_ref(name), &on).map(expect_fresh)
    }

    /// Lets a task no longer wait for another.
    ///
    /// # Errors
    /// What the operation says.
    pub fn remove_dependency(&mut self, name: &str, on: &str) -> Result<TaskOverview, Error> {
        dep::remove_dependency(&mut self.session, None, &self.lead, &task_ref(name), &parse_slug(on))
            .map(expect_fresh)
    }

    /// Everything about a task, as a fresh look shows it.
    ///
    /// # Panics
    /// There is no such task.
    pub fn task_detail(&mut self, name: &str) -> task::TaskDetail {
        task::show_task(&mut self.session, &task_ref(name)).expect("the task is there")
    }

    /// A task's state, as a fresh look shows it.
    ///
    /// # Panics
    /// There is no such task.
    pub fn task_state(&mut self, name: &str) -> TaskState {
        self.task_detail(name).shown.task.state
    }

    /// The states of several tasks.
    ///
    /// # Panics
    /// One is not there.
    pub fn task_states(&mut self, names: &[&str]) -> Vec<&'static str> {
        names.iter().map(|name| self.task_state(name).name()).collect()
    }

    /// Reconciles.
    ///
    /// # Errors
    /// What the operation says.
    pub fn reconcile_all(&mut self) -> Result<Vec<unit_of_work::TaskTransition>, Error> {
        reconcile::reconcile_runs(&mut self.session, None, None, false).map(|done| expect_fresh(done).changes)
    }

    /// All events of a run, or of all unfinished ones.
    ///
    /// # Panics
    /// There is no such run.
    pub fn list_events(&mut self, run: Option<&str>) -> Vec<Event> {
        let limit = orch_core::limit::LIST_MAX;
        let wanted = events::EventsRequest { run: run.map(parse_slug), task: None, after: None, limit };
        events::list_events(&mut self.session, &wanted).expect("the run is there").items
    }

    /// Sends plain work.
    ///
    /// # Errors
    /// What the operation says.
    pub fn send_work(&mut self, to: &str, lease: LeaseLength) -> Result<ThreadId, Error> {
        let request = send::SendRequest::NewThread {
            from: self.lead.clone(),
            to: parse_slug(to),
            subject: "Do it".to_owned(),
            body: "All of it.".to_owned(),
            kind: ThreadKind::Work,
            priority: orch_core::limit::PRIORITY_DEFAULT,
            lease,
            payload: None,
        };
        Ok(expect_fresh(send::send_message(&mut self.session, None, &request)?).thread.thread.id)
    }

    /// Claims the most urgent work of a worker's own queue.
    ///
    /// # Errors
    /// What the operation says.
    pub fn claim_work(&mut self, worker: &str) -> Result<HolderCredentials, Error> {
        self.claim_as(worker, None, None)
    }

    /// Claims one thread.
    ///
    /// # Errors
    /// What the operation says.
    pub fn claim_thread(&mut self, worker: &str, thread: ThreadId) -> Result<HolderCredentials, Error> {
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
    ) -> Result<HolderCredentials, Error> {
        let holder = parse_slug(worker);
        let request = claim::ClaimRequest {
            queue: None,
            holder: holder.clone(),
            thread,
            lease,
            wait: None,
            again: false,
        };
        let claimed = expect_fresh(claim::claim_thread(&mut self.session, None, &request)?);
        Ok(HolderCredentials { thread: claimed.thread.thread.id, token: claimed.lease.token, holder })
    }

    /// Renews a lease.
    ///
    /// # Errors
    /// What the operation says.
    pub fn renew_lease(&mut self, held: &HolderCredentials) -> Result<renew::RenewOutcome, Error> {
        let request = renew::RenewRequest { thread: held.thread, token: held.token.clone(), lease: None };
        renew::renew_lease(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Writes a progress message.
    ///
    /// # Errors
    /// What the operation says.
    pub fn report_progress(
        &mut self,
        held: &HolderCredentials,
        text: &str,
    ) -> Result<progress::ProgressOutcome, Error> {
        let (thread, token, text) = (held.thread, held.token.clone(), text.to_owned());
        let request = progress::ProgressRequest { thread, token, text, percent: None };
        progress::report_progress(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Asks a question without waiting.
    ///
    /// # Errors
    /// What the operation says.
    pub fn ask_question(
        &mut self,
        held: &HolderCredentials,
        question: &str,
    ) -> Result<ask::AskOutcome, Error> {
        self.ask_with_default(held, question, None)
    }

    /// Asks a question that answers itself after a while.
    ///
    /// # Errors
    /// What the operation says.
    pub fn ask_with_default(
        &mut self,
        held: &HolderCredentials,
        question: &str,
        default: Option<(&str, TimeSpan)>,
    ) -> Result<ask::AskOutcome, Error> {
        let request = ask::AskRequest {
            thread: held.thread,
            token: held.token.clone(),
            question: question.to_owned(),
            options: Vec::new(),
            default: default.map(|(answer, _)| answer.to_owned()),
            default_after: default.map(|(_, after)| after),
            wait: None,
        };
        ask::ask_question(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Answers a thread's question.
    ///
    /// # Errors
    /// What the operation says.
    pub fn reply_to_thread(&mut self, thread: ThreadId, body: &str) -> Result<Message, Error> {
        let request = reply::ReplyRequest { thread, from: self.lead.clone(), body: body.to_owned() };
        reply::reply_to_question(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Reports that the work is done.
    ///
    /// # Errors
    /// What the operation says.
    pub fn close_done(&mut self, held: &HolderCredentials) -> Result<close::ThreadCloseOutcome, Error> {
        let result = "It is done.".to_owned();
        self.close_thread(held, close::ThreadResult::Done { result, payload: None, artifacts: Vec::new() })
    }

    /// Gives the work up.
    ///
    /// # Errors
    /// What the operation says.
    pub fn close_failed(
        &mut self,
        held: &HolderCredentials,
        last: bool,
    ) -> Result<close::ThreadCloseOutcome, Error> {
        self.close_thread(held, close::ThreadResult::Failed { reason: "It cannot be done.".to_owned(), last })
    }

    fn close_thread(
        &mut self,
        held: &HolderCredentials,
        outcome: close::ThreadResult,
    ) -> Result<close::ThreadCloseOutcome, Error> {
        let request = close::ThreadCloseRequest {
            thread: held.thread,
            token: held.token.clone(),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        close::close_thread(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Gives the work back.
    ///
    /// # Errors
    /// What the operation says.
    pub fn release_thread(&mut self, held: &HolderCredentials) -> Result<Thread, Error> {
        let released = release::release_thread(&mut self.session, None, held.thread, &held.token)?;
        Ok(expect_fresh(released).thread)
    }

    /// Cancels a thread from outside.
    ///
    /// # Errors
    /// What the operation says.
    pub fn cancel_thread(&mut self, thread: ThreadId) -> Result<Thread, Error> {
        let request = cancel::CancelRequest { thread, from: None, reason: None };
        Ok(expect_fresh(cancel::cancel_thread(&mut self.session, None, &request)?).thread)
    }

    /// A thread with all its messages.
    ///
    /// # Errors
    /// What the operation says.
    pub fn show_thread(&mut self, thread: ThreadId) -> Result<(Thread, Vec<Message>), Error> {
        let shown = show::show_thread(&mut self.session, thread, &whole_page())?;
        Ok((shown.thread.thread, shown.messages.items))
    }

    /// A message.
    ///
    /// # Panics
    /// It is not there.
    pub fn find_message(&mut self, thread: ThreadId, id: MessageId) -> Message {
        let (_, messages) = self.show_thread(thread).expect("the thread is there");
        messages.into_iter().find(|message| message.id == id).expect("the message is there")
    }

    /// The laws that are broken now, with what breaks them.
    ///
    /// # Panics
    /// The store failed.
    #[must_use]
    pub fn broken_invariants(&self) -> Vec<invariant::InvariantViolation> {
        self.place.open_store().read(invariant::find_violations).expect("the store can be read")
    }
}
