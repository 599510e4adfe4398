//! A session of a lead and its workers, with one short method for each operation that tests use.

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
use orch_query::events;
use orch_scheduler::{
    TaskOverview, TaskSelector, dep, dispatch, recall, reconcile, run as run_operation, task, unit_of_work,
};
use orch_store::invariant;
use orch_store::page::PageRequest;

use crate::{FakeClock, TestStore};

/// A claimed thread with the credentials that its holder needs to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderCredentials {
    /// The thread.
    pub thread: ThreadId,
    /// The lease token.
    pub token: String,
    /// The holder.
    pub holder: Slug,
}

/// A session with a store of its own.
pub struct TestSession {
    /// The store, which can open further sessions.
    pub place: TestStore,
    /// The session.
    pub session: Session,
    /// The lead.
    pub lead: Slug,
}

impl Default for TestSession {
    fn default() -> Self {
        Self::new()
    }
}

/// Parses a slug; panics if the name is invalid.
#[must_use]
pub fn parse_slug(name: &str) -> Slug {
    Slug::new(name).expect("a test names things by slugs")
}

/// Returns the default policy of a run: three tries and a lease of 15 minutes.
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

/// Returns a task with this key and these dependencies.
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

/// Returns a selector for `KEY` or `RUN/KEY`.
#[must_use]
pub fn task_ref(name: &str) -> TaskSelector {
    match name.split_once('/') {
        Some((run, key)) => TaskSelector { run: Some(parse_slug(run)), key: parse_slug(key) },
        None => TaskSelector { run: None, key: parse_slug(name) },
    }
}

/// Requests the whole list in one page.
#[must_use]
pub fn whole_page() -> PageRequest {
    PageRequest { limit: orch_core::limit::LIST_MAX, after: None }
}

/// Returns a response's outcome; panics if it is a replay.
pub fn expect_fresh<T>(answer: Response<T>) -> T {
    match answer {
        Response::Fresh(outcome) => outcome,
        Response::Replayed(recorded) => panic!("a request without an id was replayed: {recorded}"),
    }
}

impl TestSession {
    /// Makes a store without a run.
    #[must_use]
    pub fn new() -> Self {
        let place = TestStore::in_memory();
        let session = place.open_session();
        Self { place, session, lead: parse_slug("lead") }
    }

    /// Makes a store with one run, `r`, and these tasks: `b < a` waits for `a`, `c < a b` for both.
    #[must_use]
    pub fn with_tasks(lines: &[&str]) -> Self {
        let mut desk = Self::new();
        desk.make_run("r", default_policy()).expect("the run can be made");
        desk.add_tasks("r", lines);
        desk
    }

    /// Returns the store's clock.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        self.place.clock()
    }

    /// Makes a run.
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
            folder: std::env::temp_dir(),
        };
        run_operation::create_run(&mut self.session, None, &self.lead, &new)
            .map(|made| expect_fresh(made).run)
    }

    /// Adds tasks, one per line; panics if one is refused.
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
    pub fn change_run(&mut self, run: &str, verb: run_operation::RunAction) -> Result<Run, Error> {
        run_operation::change_run(&mut self.session, None, &self.lead, Some(&parse_slug(run)), verb)
            .map(expect_fresh)
    }

    /// Shows a run.
    pub fn show_run(&mut self, run: &str) -> Result<Run, Error> {
        Ok(run_operation::show_run(&mut self.session, Some(&parse_slug(run)), &whole_page())?.run)
    }

    /// Dispatches a task.
    pub fn dispatch_task(&mut self, name: &str, to: &str) -> Result<dispatch::DispatchOutcome, Error> {
        let to = parse_slug(to);
        dispatch::dispatch_task(
            &mut self.session,
            None,
            &self.lead,
            &task_ref(name),
            dispatch::DispatchRecipient::agent(Some(&to)),
        )
        .map(expect_fresh)
    }

    /// Dispatches a task and claims its thread.
    pub fn start_task(&mut self, name: &str, worker: &str) -> Result<HolderCredentials, Error> {
        let thread = self
            .dispatch_task(name, worker)?
            .attempt
            .thread
            .expect("work without a worktree is sent at once");
        self.claim_thread(worker, thread)
    }

    /// Recalls a task.
    pub fn recall_task(&mut self, name: &str) -> Result<TaskOverview, Error> {
        recall::recall_attempt(&mut self.session, None, &self.lead, &task_ref(name), None).map(expect_fresh)
    }

    /// Cancels or retries a task.
    pub fn change_task(&mut self, name: &str, verb: task::TaskAction) -> Result<TaskOverview, Error> {
        task::change_task(&mut self.session, None, &self.lead, &task_ref(name), verb).map(expect_fresh)
    }

    /// Adds dependencies to a task.
    pub fn add_dependencies(&mut self, name: &str, on: &[&str]) -> Result<TaskOverview, Error> {
        let on: Vec<Slug> = on.iter().map(|key| parse_slug(key)).collect();
        dep::add_dependencies(&mut self.session, None, &self.lead, &task_ref(name), &on).map(expect_fresh)
    }

    /// Removes a dependency of a task.
    pub fn remove_dependency(&mut self, name: &str, on: &str) -> Result<TaskOverview, Error> {
        dep::remove_dependency(&mut self.session, None, &self.lead, &task_ref(name), &parse_slug(on))
            .map(expect_fresh)
    }

    /// Shows a task with its details; panics if it does not exist.
    pub fn task_detail(&mut self, name: &str) -> orch_query::task::TaskDetail {
        orch_query::task::show_task(&mut self.session, &task_ref(name)).expect("the task exists")
    }

    /// Returns a task's state; panics if the task does not exist.
    pub fn task_state(&mut self, name: &str) -> TaskState {
        self.task_detail(name).shown.task.state
    }

    /// Returns the names of the states of several tasks; panics if one does not exist.
    pub fn task_states(&mut self, names: &[&str]) -> Vec<&'static str> {
        names.iter().map(|name| self.task_state(name).name()).collect()
    }

    /// Reconciles all runs.
    pub fn reconcile_all(&mut self) -> Result<Vec<unit_of_work::TaskTransition>, Error> {
        reconcile::reconcile_runs(&mut self.session, None, None, false).map(|done| expect_fresh(done).changes)
    }

    /// Lists all events of a run, or of all unfinished ones; panics if the run does not exist.
    pub fn list_events(&mut self, run: Option<&str>) -> Vec<Event> {
        let limit = orch_core::limit::LIST_MAX;
        let wanted = events::EventsRequest { run: run.map(parse_slug), task: None, after: None, limit };
        events::list_events(&mut self.session, &wanted).expect("the run exists").items
    }

    /// Sends work that no task owns.
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

    /// Claims the most urgent thread of a worker's own queue.
    pub fn claim_work(&mut self, worker: &str) -> Result<HolderCredentials, Error> {
        self.claim_as(worker, None, None)
    }

    /// Claims a given thread.
    pub fn claim_thread(&mut self, worker: &str, thread: ThreadId) -> Result<HolderCredentials, Error> {
        self.claim_as(worker, Some(thread), None)
    }

    /// Claims a thread with a given lease length.
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
    pub fn renew_lease(&mut self, held: &HolderCredentials) -> Result<renew::RenewOutcome, Error> {
        let request = renew::RenewRequest { thread: held.thread, token: held.token.clone(), lease: None };
        renew::renew_lease(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Writes a progress message.
    pub fn report_progress(
        &mut self,
        held: &HolderCredentials,
        text: &str,
    ) -> Result<progress::ProgressOutcome, Error> {
        let (thread, token, text) = (held.thread, held.token.clone(), text.to_owned());
        let request = progress::ProgressRequest { thread, token, text, percent: None };
        progress::report_progress(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Asks a question without waiting for the answer.
    pub fn ask_question(
        &mut self,
        held: &HolderCredentials,
        question: &str,
    ) -> Result<ask::AskOutcome, Error> {
        self.ask_with_default(held, question, None)
    }

    /// Asks a question that its default answers after a delay.
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
    pub fn reply_to_thread(&mut self, thread: ThreadId, body: &str) -> Result<Message, Error> {
        let request = reply::ReplyRequest { thread, from: self.lead.clone(), body: body.to_owned() };
        reply::reply_to_question(&mut self.session, None, &request).map(expect_fresh)
    }

    /// Closes a thread as done.
    pub fn close_done(&mut self, held: &HolderCredentials) -> Result<close::ThreadCloseOutcome, Error> {
        let result = "It is done.".to_owned();
        self.close_thread(held, close::ThreadResult::Done { result, payload: None, artifacts: Vec::new() })
    }

    /// Closes a thread as failed.
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

    /// Releases a claimed thread to its queue.
    pub fn release_thread(&mut self, held: &HolderCredentials) -> Result<Thread, Error> {
        let released = release::release_thread(&mut self.session, None, held.thread, &held.token)?;
        Ok(expect_fresh(released).thread)
    }

    /// Cancels a thread.
    pub fn cancel_thread(&mut self, thread: ThreadId) -> Result<Thread, Error> {
        let request = cancel::CancelRequest { thread, from: None, reason: None };
        Ok(expect_fresh(cancel::cancel_thread(&mut self.session, None, &request)?).thread)
    }

    /// Shows a thread with all its messages.
    pub fn show_thread(&mut self, thread: ThreadId) -> Result<(Thread, Vec<Message>), Error> {
        let shown = show::show_thread(&mut self.session, thread, &whole_page())?;
        Ok((shown.thread.thread, shown.messages.items))
    }

    /// Returns a message; panics if it does not exist.
    pub fn find_message(&mut self, thread: ThreadId, id: MessageId) -> Message {
        let (_, messages) = self.show_thread(thread).expect("the thread exists");
        messages.into_iter().find(|message| message.id == id).expect("the message exists")
    }

    /// Returns the laws that the store breaks, with the rows that break them.
    #[must_use]
    pub fn broken_invariants(&self) -> Vec<invariant::InvariantViolation> {
        self.place.open_store().read(invariant::find_violations).expect("the store can be read")
    }
}
