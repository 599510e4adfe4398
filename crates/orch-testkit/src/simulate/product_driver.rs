//! Executes an action with the product and maps the outcome to the oracle's terms.

use orch_core::event::AwaitedEvent;
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::RunEdit;
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_core::thread::{Thread, ThreadKind, ThreadState};
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_inbox::{ask, cancel, claim, close, list, progress, release, renew, reply, send, show};
use orch_query::ready;
use orch_query::{blocked, status, wait};
use orch_scheduler::{
    TaskOverview, TaskSelector, answer, dep, dispatch, plan, recall, reconcile, run, task, tell,
};

use super::action::{NamedTask, PresentedToken, RUNS, ReadQuery, SimulatedAction};
use super::oracle::{ClaimAction, OracleEdit, OracleModel, OracleReply, OracleTask, PlanLine, UnixMillis};
use crate::test_session::{parse_slug, whole_page};

/// A request with a request id.
pub(crate) struct RepeatableRequest {
    pub(crate) key: String,
    pub(crate) fingerprint: String,
}

/// The product's outcome of an action.
pub(crate) struct ActionOutcome {
    pub(crate) said: OracleReply,
    /// Whether the response is the recorded one of an earlier request.
    pub(crate) replayed: bool,
    /// The token that a claim returned; empty otherwise.
    pub(crate) token: String,
}

/// Executes actions through a session.
pub(crate) struct ProductDriver<'a> {
    pub(crate) session: &'a mut Session,
    /// The model, whose tokens the actions refer to.
    pub(crate) model: &'a OracleModel,
    pub(crate) request: Option<&'a RepeatableRequest>,
}

impl ProductDriver<'_> {
    /// Executes an action; `Err` is an outcome that no request may have.
    pub(crate) fn perform_action(&mut self, order: &SimulatedAction) -> Result<ActionOutcome, String> {
        match order {
            SimulatedAction::AdvanceClock(_) => Ok(plain_outcome("passed")),
            SimulatedAction::Query(look) => self.perform_query(*look),
            SimulatedAction::Claim(claim) => self.perform_claim(*claim),
            SimulatedAction::Send { .. }
            | SimulatedAction::Note { .. }
            | SimulatedAction::Reply { .. }
            | SimulatedAction::CancelThread { .. }
            | SimulatedAction::Renew(_)
            | SimulatedAction::Progress { .. }
            | SimulatedAction::Ask { .. }
            | SimulatedAction::Done { .. }
            | SimulatedAction::Fail { .. }
            | SimulatedAction::Release(_) => self.perform_transport(order),
            SimulatedAction::AddTask { .. }
            | SimulatedAction::Plan { .. }
            | SimulatedAction::AddDependencies { .. }
            | SimulatedAction::RemoveDependency { .. }
            | SimulatedAction::EditTask { .. }
            | SimulatedAction::CancelTask(_)
            | SimulatedAction::Retry(_) => self.perform_planning(order),
            SimulatedAction::EditRun { .. }
            | SimulatedAction::Recall(_)
            | SimulatedAction::Tell(_)
            | SimulatedAction::Answer(_)
            | SimulatedAction::Dispatch { .. }
            | SimulatedAction::DispatchAll { .. }
            | SimulatedAction::Reconcile { .. }
            | SimulatedAction::Pause(_)
            | SimulatedAction::Resume(_)
            | SimulatedAction::CancelRun(_) => self.perform_scheduling(order),
        }
    }

    /// Calls an operation, with the request id if there is one.
    fn call_operation<T>(
        &mut self,
        tell: impl Fn(&T) -> String,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
    ) -> Result<ActionOutcome, String> {
        let receipt = self.request.map(|request| Receipt {
            key: &request.key,
            fingerprint: &request.fingerprint,
            encode: &tell,
        });
        let (said, replayed) = match operation(self.session, receipt.as_ref()) {
            Ok(Response::Fresh(outcome)) => (Ok(tell(&outcome)), false),
            Ok(Response::Replayed(recorded)) => (Ok(recorded), true),
            Err(Error::Refused(refusal)) => (Err(refusal_name(&refusal)), false),
            Err(other) => return Err(format!("{other:?}")),
        };
        Ok(ActionOutcome { said, replayed, token: String::new() })
    }

    /// Returns a token's secret, or an invented one for an unknown token.
    fn token_secret(&self, held: PresentedToken) -> String {
        self.model.tokens.get(held.token).map_or("lt-none".to_owned(), |token| token.secret.clone())
    }

    fn perform_claim(&mut self, claim: ClaimAction) -> Result<ActionOutcome, String> {
        let request = claim::ClaimRequest {
            queue: Some(parse_slug(claim.queue)),
            holder: parse_slug(claim.holder),
            thread: claim.thread.map(thread_id),
            lease: claim.lease.map(lease_length),
            wait: None,
            again: claim.again,
        };
        let token = std::cell::RefCell::new(String::new());
        let tell = |claimed: &claim::ClaimOutcome| {
            token.borrow_mut().clone_from(&claimed.lease.token);
            claimed.thread.thread.id.to_string()
        };
        let outcome =
            self.call_operation(tell, |session, receipt| claim::claim_thread(session, receipt, &request))?;
        Ok(ActionOutcome { token: token.into_inner(), ..outcome })
    }

    fn perform_transport(&mut self, order: &SimulatedAction) -> Result<ActionOutcome, String> {
        match order {
            SimulatedAction::Send { .. } | SimulatedAction::Note { .. } => self.perform_send(order),
            SimulatedAction::Reply { thread } => {
                let from = parse_slug("human");
                let request =
                    reply::ReplyRequest { thread: thread_id(*thread), from, body: "Yes.".to_owned() };
                self.call_operation(message_kind, |session, receipt| {
                    reply::reply_to_question(session, receipt, &request)
                })
            }
            SimulatedAction::CancelThread { thread } => {
                let request = cancel::CancelRequest { thread: thread_id(*thread), from: None, reason: None };
                self.call_operation(thread_state, |session, receipt| {
                    cancel::cancel_thread(session, receipt, &request)
                })
            }
            SimulatedAction::Renew(held) => {
                let (thread, token) = (thread_id(held.thread), self.token_secret(*held));
                let request = renew::RenewRequest { thread, token, lease: None };
                let tell = |_: &renew::RenewOutcome| "renewed".to_owned();
                self.call_operation(tell, |session, receipt| renew::renew_lease(session, receipt, &request))
            }
            SimulatedAction::Progress { held, text } => {
                let (thread, token) = (thread_id(held.thread), self.token_secret(*held));
                let request =
                    progress::ProgressRequest { thread, token, text: (*text).to_owned(), percent: None };
                let tell = |progressed: &progress::ProgressOutcome| message_kind(&progressed.message);
                self.call_operation(tell, |session, receipt| {
                    progress::report_progress(session, receipt, &request)
                })
            }
            SimulatedAction::Ask { held, text, default_after } => {
                self.perform_ask(*held, text, *default_after)
            }
            SimulatedAction::Done { held, text } => {
                let result = (*text).to_owned();
                self.perform_close(
                    *held,
                    close::ThreadResult::Done { result, payload: None, artifacts: Vec::new() },
                )
            }
            SimulatedAction::Fail { held, text, last } => self.perform_close(
                *held,
                close::ThreadResult::Failed { reason: (*text).to_owned(), last: *last },
            ),
            SimulatedAction::Release(held) => {
                let (thread, token) = (thread_id(held.thread), self.token_secret(*held));
                self.call_operation(thread_state, |session, receipt| {
                    release::release_thread(session, receipt, thread, &token)
                })
            }
            other => Err(format!("{other:?} is not of the transport")),
        }
    }

    fn perform_send(&mut self, order: &SimulatedAction) -> Result<ActionOutcome, String> {
        let (request, new) = match order {
            SimulatedAction::Send { to, priority, lease } => (
                send::SendRequest::NewThread {
                    from: parse_slug("lead"),
                    to: parse_slug(to),
                    subject: "Do it".to_owned(),
                    body: "All of it.".to_owned(),
                    kind: ThreadKind::Work,
                    priority: *priority,
                    lease: lease_length(*lease),
                    payload: None,
                },
                true,
            ),
            SimulatedAction::Note { thread } => (
                send::SendRequest::AddNote {
                    thread: thread_id(*thread),
                    from: parse_slug("human"),
                    to: None,
                    body: "Mind the gap.".to_owned(),
                    payload: None,
                },
                false,
            ),
            other => return Err(format!("{other:?} sends nothing")),
        };
        let tell = |sent: &send::SendOutcome| {
            if new { sent.thread.thread.id.to_string() } else { message_kind(&sent.message) }
        };
        self.call_operation(tell, |session, receipt| send::send_message(session, receipt, &request))
    }

    fn perform_ask(
        &mut self,
        held: PresentedToken,
        text: &str,
        default_after: Option<Option<UnixMillis>>,
    ) -> Result<ActionOutcome, String> {
        let request = ask::AskRequest {
            thread: thread_id(held.thread),
            token: self.token_secret(held),
            question: text.to_owned(),
            options: Vec::new(),
            default: default_after.map(|_| "Any.".to_owned()),
            default_after: default_after.flatten().map(TimeSpan),
            wait: None,
        };
        let tell =
            |asked: &ask::AskOutcome| if asked.answer.is_some() { "answered" } else { "asked" }.to_owned();
        self.call_operation(tell, |session, receipt| ask::ask_question(session, receipt, &request))
    }

    fn perform_close(
        &mut self,
        held: PresentedToken,
        outcome: close::ThreadResult,
    ) -> Result<ActionOutcome, String> {
        let request = close::ThreadCloseRequest {
            thread: thread_id(held.thread),
            token: self.token_secret(held),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        let tell = |closed: &close::ThreadCloseOutcome| thread_state(&closed.thread);
        self.call_operation(tell, |session, receipt| close::close_thread(session, receipt, &request))
    }

    fn perform_planning(&mut self, order: &SimulatedAction) -> Result<ActionOutcome, String> {
        let lead = parse_slug("lead");
        match order {
            SimulatedAction::AddTask { run, key, after, new } => {
                let (run, new) = (parse_slug(RUNS[*run]), new_task(*key, after, new));
                self.call_operation(task_name, |session, receipt| {
                    task::add_task(session, receipt, &lead, Some(&run), &new)
                })
            }
            SimulatedAction::Plan { run, lines, update, dry_run, new } => {
                let run = parse_slug(RUNS[*run]);
                let tasks =
                    lines.iter().zip(1..).map(|(line, number)| planned_task(line, new, number)).collect();
                let plan = plan::TaskPlan {
                    run: RunEdit::default(),
                    done_when: None,
                    tasks,
                    update: *update,
                    prune: false,
                    dry_run: *dry_run,
                };
                let tell = |planned: &plan::PlanOutcome| {
                    let plan::PlanOutcome { added, changed, dependencies, ready, .. } = planned;
                    format!("+{added} ~{changed} edges {dependencies} ready {ready}")
                };
                self.call_operation(tell, |session, receipt| {
                    plan::add_plan(session, receipt, &lead, Some(&run), &plan)
                })
            }
            SimulatedAction::AddDependencies { task, on } => {
                let (task, on) = (task_ref(*task), on.iter().map(|key| parse_slug(key)).collect::<Vec<_>>());
                self.call_operation(task_state, |session, receipt| {
                    dep::add_dependencies(session, receipt, &lead, &task, &on)
                })
            }
            SimulatedAction::RemoveDependency { task, on } => {
                let (task, on) = (task_ref(*task), parse_slug(on));
                self.call_operation(task_state, |session, receipt| {
                    dep::remove_dependency(session, receipt, &lead, &task, &on)
                })
            }
            SimulatedAction::EditTask { task, edit } => {
                let (task, edit) = (task_ref(*task), task_edit(*edit));
                let tell = |_: &TaskOverview| "edited".to_owned();
                self.call_operation(tell, |session, receipt| {
                    task::edit_task(session, receipt, &lead, &task, &edit)
                })
            }
            SimulatedAction::CancelTask(task) => self.change_task(*task, task::TaskAction::Cancel),
            SimulatedAction::Retry(task) => self.change_task(*task, task::TaskAction::Retry),
            other => Err(format!("{other:?} plans nothing")),
        }
    }

    fn change_task(&mut self, task: NamedTask, verb: task::TaskAction) -> Result<ActionOutcome, String> {
        let (lead, task) = (parse_slug("lead"), task_ref(task));
        self.call_operation(task_state, |session, receipt| {
            task::change_task(session, receipt, &lead, &task, verb)
        })
    }

    fn change_run(&mut self, run: usize, verb: run::RunAction) -> Result<ActionOutcome, String> {
        let (lead, run) = (parse_slug("lead"), parse_slug(RUNS[run]));
        let tell = |run: &orch_core::run::Run| run.state.status().name().to_owned();
        self.call_operation(tell, |session, receipt| {
            run::change_run(session, receipt, &lead, Some(&run), verb)
        })
    }

    fn perform_scheduling(&mut self, order: &SimulatedAction) -> Result<ActionOutcome, String> {
        let lead = parse_slug("lead");
        match order {
            SimulatedAction::EditRun { run, max_active, max_attempts } => {
                let edit = RunEdit {
                    max_active: Some(*max_active),
                    max_attempts: Some(*max_attempts),
                    ..RunEdit::default()
                };
                let run = parse_slug(RUNS[*run]);
                let tell = |_: &orch_core::run::Run| "edited".to_owned();
                self.call_operation(tell, |session, receipt| {
                    run::edit_run(session, receipt, &lead, Some(&run), &edit)
                })
            }
            SimulatedAction::Recall(task) => {
                let task = task_ref(*task);
                self.call_operation(task_state, |session, receipt| {
                    recall::recall_attempt(session, receipt, &lead, &task, None)
                })
            }
            SimulatedAction::Tell(task) => {
                let task = task_ref(*task);
                self.call_operation(message_kind, |session, receipt| {
                    tell::tell_worker(session, receipt, &lead, &task, "Mind the gap.")
                })
            }
            SimulatedAction::Answer(task) => {
                let task = task_ref(*task);
                let tell = |answered: &answer::AnswerOutcome| task_state(&answered.task);
                self.call_operation(tell, |session, receipt| {
                    answer::answer_question(session, receipt, &lead, &task, "No.")
                })
            }
            SimulatedAction::Dispatch { task, to } => {
                let (task, to) = (task_ref(*task), to.map(parse_slug));
                self.call_operation(dispatched_text, |session, receipt| {
                    dispatch::dispatch_task(
                        session,
                        receipt,
                        &lead,
                        &task,
                        dispatch::DispatchRecipient::agent(to.as_ref()),
                    )
                })
            }
            SimulatedAction::DispatchAll { run, to, limit } => self.dispatch_all(*run, to, *limit),
            SimulatedAction::Reconcile { run, dry_run } => {
                let run = run.map(|run| parse_slug(RUNS[run]));
                let tell = |_: &reconcile::ReconcileOutcome| "reconciled".to_owned();
                self.call_operation(tell, |session, receipt| {
                    reconcile::reconcile_runs(session, receipt, run.as_ref(), *dry_run)
                })
            }
            SimulatedAction::Pause(run) => self.change_run(*run, run::RunAction::Pause),
            SimulatedAction::Resume(run) => self.change_run(*run, run::RunAction::Resume),
            SimulatedAction::CancelRun(run) => self.change_run(*run, run::RunAction::Cancel),
            other => Err(format!("{other:?} schedules nothing")),
        }
    }

    fn dispatch_all(
        &mut self,
        run: Option<usize>,
        to: &[&str],
        limit: usize,
    ) -> Result<ActionOutcome, String> {
        let all = dispatch::DispatchAllRequest {
            run: run.map(|run| parse_slug(RUNS[run])),
            to: to.iter().map(|name| parse_slug(name)).collect(),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            agents: orch_core::known_agents::KnownAgents::default(),
        };
        let tell = |all: &dispatch::DispatchAllOutcome| {
            let sent: Vec<String> = all.dispatched.iter().map(dispatched_text).collect();
            let refused: Vec<String> =
                all.refused.iter().map(|(task, error)| format!("{task} {}", error_name(error))).collect();
            format!("{sent:?} {refused:?}")
        };
        self.call_operation(tell, |session, receipt| {
            dispatch::dispatch_all_ready(session, receipt, &parse_slug("lead"), &all)
        })
    }

    fn perform_query(&mut self, look: ReadQuery) -> Result<ActionOutcome, String> {
        let session = &mut *self.session;
        let looked = match look {
            ReadQuery::Task(task) => orch_query::task::show_task(session, &task_ref(task)).map(|_| ()),
            ReadQuery::Status(run) => {
                status::load_overview(session, Some(&parse_slug(RUNS[run]))).map(|_| ())
            }
            ReadQuery::Ready(run) => {
                let wanted =
                    ready::ReadyRequest { run: Some(parse_slug(RUNS[run])), label: None, page: whole_page() };
                ready::list_ready_tasks(session, &wanted).map(|_| ())
            }
            ReadQuery::Blocked => blocked::list_blockers(session, None, &whole_page()).map(|_| ()),
            ReadQuery::Wait => {
                use AwaitedEvent::{Failed, Finished, Lost, Question};
                let wakes = vec![Question, Failed, Lost, Finished];
                let agent = parse_slug("lead");
                let timeout = TimeSpan(0);
                let request =
                    wait::EventWaitRequest { agent, run: None, wakes, after: None, timeout, limit: 10 };
                wait::wait_for_events(session, &request).map(|_| ())
            }
            ReadQuery::Threads => {
                let wanted =
                    list::ThreadListRequest { agent: None, state: None, unread: false, page: whole_page() };
                list::list_threads(session, &wanted).map(|_| ())
            }
            ReadQuery::Thread(thread) => {
                show::show_thread(session, thread_id(thread), &whole_page()).map(|_| ())
            }
        };
        match looked {
            Ok(()) | Err(Error::Refused(_) | Error::TimedOut(_)) => Ok(plain_outcome("looked")),
            Err(other) => Err(format!("{other:?}")),
        }
    }
}

fn plain_outcome(said: &str) -> ActionOutcome {
    ActionOutcome { said: Ok(said.to_owned()), replayed: false, token: String::new() }
}

/// Returns the id of the thread at an index.
pub(crate) fn thread_id(thread: usize) -> ThreadId {
    ThreadId(i64::try_from(thread + 1).unwrap_or(i64::MAX))
}

fn lease_length(lease: UnixMillis) -> LeaseLength {
    LeaseLength::new(TimeSpan(lease)).unwrap_or(LeaseLength::DEFAULT)
}

fn task_ref(task: NamedTask) -> TaskSelector {
    TaskSelector { run: Some(parse_slug(RUNS[task.run])), key: parse_slug(task.key) }
}

fn new_task(key: Option<&str>, after: &[&str], new: &OracleTask) -> NewTask {
    NewTask {
        key: key.map(parse_slug),
        title: "Something".to_owned(),
        text: TaskText::default(),
        priority: new.priority,
        labels: Vec::new(),
        agent: new.agent.map(parse_slug),
        max_attempts: new.max_attempts,
        allow_empty: false,
        after: after.iter().map(|key| parse_slug(key)).collect(),
    }
}

fn planned_task(line: &PlanLine, new: &OracleTask, number: u32) -> plan::PlannedTask {
    let task = new_task(line.key, &line.after, new);
    plan::PlannedTask { task, named: TaskEdit::default(), names_after: true, line: number }
}

fn task_edit(edit: OracleEdit) -> TaskEdit {
    match edit {
        OracleEdit::Priority(priority) => TaskEdit { priority: Some(priority), ..TaskEdit::default() },
        OracleEdit::MaxAttempts(most) => TaskEdit { max_attempts: Some(most), ..TaskEdit::default() },
    }
}

fn message_kind(message: &orch_core::message::Message) -> String {
    message.content.kind.name().to_owned()
}

fn thread_state(shown: &orch_inbox::ThreadSummary) -> String {
    shown.thread.state.status().name().to_owned()
}

fn task_name(shown: &TaskOverview) -> String {
    shown.task.name.to_string()
}

fn task_state(shown: &TaskOverview) -> String {
    shown.task.state.name().to_owned()
}

fn dispatched_text(dispatched: &dispatch::DispatchOutcome) -> String {
    let dispatch::DispatchOutcome { attempt, thread, .. } = dispatched;
    let thread = thread.as_ref().map_or_else(|| "none".to_owned(), |thread| thread.thread.id.to_string());
    format!("{} {thread} {}", attempt.name, attempt.agent)
}

/// Returns the holder that a thread records.
pub(crate) fn thread_holder(thread: &Thread) -> Option<&Slug> {
    match &thread.state {
        ThreadState::Claimed { hold, .. } | ThreadState::Blocked { hold, .. } => Some(&hold.holder),
        ThreadState::Queued | ThreadState::Done(_) | ThreadState::Failed(_) | ThreadState::Cancelled => None,
    }
}

/// Returns the name of the refusal that an error carries.
fn error_name(error: &Error) -> &'static str {
    match error {
        Error::Refused(refusal) => refusal_name(refusal),
        _ => "another error",
    }
}

/// Returns the name of a refusal's variant.
fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::InPlan { refusal, .. } => refusal_name(refusal),
        Refusal::Invalid { .. } => "Invalid",
        Refusal::RunNotFound { .. } => "RunNotFound",
        Refusal::RunAmbiguous { .. } => "RunAmbiguous",
        Refusal::RunNotOpen { .. } => "RunNotOpen",
        Refusal::ResumeUseless { .. } => "ResumeUseless",
        Refusal::RunExists { .. } => "RunExists",
        Refusal::TaskNotFound { .. } => "TaskNotFound",
        Refusal::TaskExists { .. } => "TaskExists",
        Refusal::KeyTwice { .. } => "TaskExists",
        Refusal::TaskNotReady { .. } => "TaskNotReady",
        Refusal::TaskNotBlocked { .. } => "TaskNotBlocked",
        Refusal::TaskFinished { .. } => "TaskFinished",
        Refusal::TaskSkipped { .. } => "TaskSkipped",
        Refusal::NothingToRetry { .. } => "NothingToRetry",
        Refusal::NothingToRedo { .. } => "NothingToRedo",
        Refusal::DependencyCycle { .. } => "DependencyCycle",
        Refusal::DependencyExists { .. } => "DependencyExists",
        Refusal::DependencyNotFound { .. } => "DependencyNotFound",
        Refusal::AttemptLive { .. } | Refusal::RunLive { .. } => "AttemptLive",
        Refusal::AttemptNotFound { .. } => "AttemptNotFound",
        Refusal::AttemptNotRejected { .. } => "AttemptNotRejected",
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
