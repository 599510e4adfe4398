//! Converts refusals to error codes, messages, hints and details.

use orch_core::attempt::AttemptState;
use orch_core::id::{AttemptName, MessageId, Slug, TaskName, ThreadId};
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::run::{PauseReason, RunStatus};
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::code::{ErrorCode, ErrorCodeWord};
use crate::reason::{ReasonView, list_keys};
use crate::task::slug_texts;
use crate::tree_error;
use crate::word::WireWord;

/// An error, with which a command changed nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorView {
    /// The code, for programs.
    pub code: ErrorCodeWord,
    /// The message, a full sentence.
    pub message: String,
    /// The next command to run, if there is one.
    pub hint: Option<String>,
    /// Whether an unchanged request may succeed later.
    pub retryable: bool,
    /// Further details; the fields depend on the code.
    pub details: Option<Map<String, Value>>,
}

impl ErrorView {
    /// Returns an error without a hint and details.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: WireWord(code),
            message: message.into(),
            hint: None,
            retryable: code.is_retryable(),
            details: None,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.get_or_insert_default().insert(name.to_owned(), value.into());
        self
    }

    /// Converts a refusal.
    #[must_use]
    pub fn from_refusal(refusal: &Refusal) -> Self {
        if let Refusal::InPlan { line, field, refusal } = refusal {
            let mut view =
                Self::from_refusal(refusal).with_detail("line", *line).with_detail("field", *field);
            view.message = format!("Line {line} of the plan, field {field}: {}", view.message);
            // The command layer hints at `--update` instead.
            view.hint.take_if(|_| matches!(refusal.as_ref(), Refusal::TaskExists { .. }));
            return view;
        }
        let code = refusal_code(refusal);
        let details = match refusal_details(refusal) {
            Value::Object(fields) => Some(fields),
            _ => None,
        };
        Self {
            code: WireWord(code),
            message: refusal_message(refusal),
            hint: refusal_hint(refusal),
            retryable: code.is_retryable(),
            details,
        }
    }
}

/// Returns the code of a refusal.
///
/// Some refusals share a code.
/// A withdrawn thread is `inbox_empty`: it exists but cannot be claimed.
/// Claiming a conversation is `invalid_argument`: no state of it allows that.
/// Retrying a skipped or unfinished task is `task_not_ready`.
fn refusal_code(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::InPlan { refusal, .. } => refusal_code(refusal),
        Refusal::Invalid { .. } | Refusal::RunAmbiguous { .. } | Refusal::NotWork { .. } => {
            ErrorCode::InvalidArgument
        }
        Refusal::RunNotFound { .. } => ErrorCode::RunNotFound,
        Refusal::RunNotOpen { .. } | Refusal::ResumeUseless { .. } => ErrorCode::RunNotOpen,
        Refusal::RunExists { .. } => ErrorCode::RunExists,
        Refusal::TaskNotFound { .. } => ErrorCode::TaskNotFound,
        Refusal::TaskExists { .. } | Refusal::KeyTwice { .. } => ErrorCode::TaskExists,
        Refusal::TaskNotReady { .. }
        | Refusal::TaskSkipped { .. }
        | Refusal::NothingToRetry { .. }
        | Refusal::NothingToRedo { .. } => ErrorCode::TaskNotReady,
        Refusal::TaskNotBlocked { .. } => ErrorCode::TaskNotBlocked,
        Refusal::TaskFinished { .. } => ErrorCode::TaskFinished,
        Refusal::DependencyCycle { .. } => ErrorCode::DependencyCycle,
        Refusal::DependencyExists { .. } => ErrorCode::DependencyExists,
        Refusal::DependencyNotFound { .. } => ErrorCode::DependencyNotFound,
        Refusal::AttemptLive { .. } | Refusal::RunLive { .. } => ErrorCode::AttemptLive,
        Refusal::AttemptNotFound { .. } | Refusal::AttemptNotRejected { .. } => ErrorCode::AttemptNotFound,
        Refusal::CapacityReached { .. } => ErrorCode::CapacityReached,
        Refusal::AgentNotFound { .. } => ErrorCode::AgentNotFound,
        Refusal::ThreadNotFound { .. } => ErrorCode::ThreadNotFound,
        Refusal::ThreadClosed { .. } => ErrorCode::ThreadClosed,
        Refusal::Withdrawn { .. } | Refusal::InboxEmpty { .. } => ErrorCode::InboxEmpty,
        Refusal::NotClaimed { .. } => ErrorCode::NotClaimed,
        Refusal::AlreadyClaimed { .. } => ErrorCode::AlreadyClaimed,
        Refusal::LeaseLost { .. } => ErrorCode::LeaseLost,
        Refusal::QuestionOpen { .. } => ErrorCode::QuestionOpen,
        Refusal::NoQuestion { .. } => ErrorCode::NoQuestion,
        Refusal::RequestConflict { .. } => ErrorCode::RequestConflict,
        Refusal::RequestNotFound { .. } => ErrorCode::RequestNotFound,
        Refusal::Tree(refusal) => tree_error::tree_refusal_code(refusal),
    }
}

/// The length of the longest cycle that a message lists completely.
const PATH_SAID: usize = 10;

/// The length of the longest cycle that the details list completely.
const PATH_LISTED: usize = 100;

/// Returns the message that lists the tasks of a cycle.
fn cycle_sentence(path: &[Slug]) -> String {
    if let [task, _] = path {
        return format!("Task {task} cannot depend on itself.");
    }
    let names: Vec<&str> = path.iter().map(Slug::as_str).collect();
    let chain = match names.as_slice() {
        // The ends of a long cycle are enough for a message; the details list more.
        [first, second, third, .., last] if names.len() > PATH_SAID => {
            let between = names.len() - 4;
            format!("{first} waits for {second} waits for {third} waits, over {between} more, for {last}")
        }
        _ => names.join(" waits for "),
    };
    format!("Dependency cycle: {chain}.")
}

/// Lowercases the first letter of a sentence, for use after a colon; no reason begins with a name.
fn as_clause(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// Returns the message that a task is not ready, with the first reason.
fn not_ready_sentence(task: &TaskName, reasons: &[orch_core::refusal::NotReadyReason]) -> String {
    match reasons.first() {
        Some(reason) => {
            format!("Task {task} is not ready: {}", as_clause(&ReasonView::from_reason(reason, task).message))
        }
        None => format!("Task {task} is not ready."),
    }
}

/// Returns the message that a token is no longer valid, and where a late message was kept.
fn lease_lost_sentence(thread: ThreadId, kept: Option<MessageId>) -> String {
    match kept {
        None => format!("The token is not valid for thread {thread}; nothing was changed."),
        Some(message) => format!(
            "The lease of thread {thread} is lost; the text was kept as {message} and nothing else was changed."
        ),
    }
}

/// Returns what keeps a run paused, as the end of a sentence.
fn useless_cause(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Budget => "its budget is used up.",
        PauseReason::Baseline => "its checks fail on the commit that it began from.",
        PauseReason::BranchMoved => "its branch was moved.",
        PauseReason::User
        | PauseReason::Stop
        | PauseReason::OperationFailed
        | PauseReason::Breaker
        | PauseReason::Disk => "nothing has changed.",
    }
}

/// Returns the commands that remove what keeps a run paused, at least one.
fn useful_commands(run: &Slug, reason: PauseReason, options: &[&str]) -> Vec<String> {
    match reason {
        PauseReason::Budget if !options.is_empty() => {
            options.iter().map(|option| format!("orch run edit {run} {option}")).collect()
        }
        PauseReason::Baseline => vec![format!("orch run edit {run} --verify CMD")],
        _ => vec![format!("orch run show {run}")],
    }
}

fn useless_details(run: &Slug, reason: PauseReason, options: &[&str]) -> Value {
    let next = useful_commands(run, reason, options);
    json!({"run": run.as_str(), "state": RunStatus::Paused.name(), "reason": reason.name(), "next": next})
}

/// What can be retried.
const RETRIABLE: &str = "failed and cancelled tasks can be retried";

/// What can be done again.
const REDOABLE: &str = "a done task can be done again by another";

/// Returns the command that leads a task to another try, or explains it.
fn repeat_hint(task: &TaskName, state: TaskState) -> String {
    let verb = if matches!(state, TaskState::Failed | TaskState::Cancelled) { "task retry" } else { "why" };
    format!("orch {verb} {task}")
}

/// Returns the command that repairs or explains why a task is skipped.
fn skipped_hint(task: &TaskName, cause: &[Slug], root: Option<&Slug>) -> String {
    match (root, cause.first()) {
        (Some(root), _) => format!("orch task retry {}/{root}", task.run),
        (None, Some(key)) => format!("orch why {}/{key}", task.run),
        (None, None) => format!("orch why {task}"),
    }
}

fn ambiguity_sentence(runs: &[Slug]) -> String {
    format!("Several runs are unfinished ({}); choose one with --run, or by `orch run use`.", list_keys(runs))
}

/// Returns the message, a full sentence.
fn refusal_message(refusal: &Refusal) -> String {
    match refusal {
        Refusal::InPlan { refusal, .. } => refusal_message(refusal),
        Refusal::Invalid { argument, problem } => format!("{argument} {problem}."),
        Refusal::RunNotFound { run: Some(run) } => format!("Run {run} not found."),
        Refusal::RunNotFound { run: None } => "The store has no runs.".to_owned(),
        Refusal::RunAmbiguous { runs } => ambiguity_sentence(runs),
        Refusal::RunNotOpen { run, status } => format!("Run {run} is {}.", status.name()),
        Refusal::ResumeUseless { run, reason, .. } => {
            format!("Run {run} would be paused again at once: {}", useless_cause(*reason))
        }
        Refusal::RunExists { run } => format!("Run {run} already exists."),
        Refusal::TaskNotFound { task } => format!("Task {task} not found."),
        Refusal::TaskExists { task } => format!("Task {task} already exists."),
        Refusal::KeyTwice { task } => {
            format!("Duplicate key {}: an earlier task of the plan has it.", task.key)
        }
        Refusal::TaskNotReady { task, reasons } => not_ready_sentence(task, reasons),
        Refusal::TaskNotBlocked { task, state } => {
            format!("Task {task} is {}; it has no open question.", state.name())
        }
        Refusal::TaskFinished { task, state } => format!("Task {task} is {}.", state.name()),
        Refusal::TaskSkipped { task, cause, root } => {
            let from = root.clone().map_or_else(|| cause.clone(), |root| vec![root]);
            format!("Task {task} is skipped because of {}; retry that instead.", list_keys(&from))
        }
        Refusal::NothingToRetry { task, state } | Refusal::NothingToRedo { task, state } => {
            let what = if matches!(refusal, Refusal::NothingToRedo { .. }) { REDOABLE } else { RETRIABLE };
            format!("Task {task} is {}; only {what}.", state.name())
        }
        Refusal::DependencyCycle { path, .. } => cycle_sentence(path),
        Refusal::DependencyExists { task, on } => format!("Task {task} already depends on {on}."),
        Refusal::DependencyNotFound { task, on } => format!("Task {task} does not depend on {on}."),
        Refusal::AttemptLive { task, attempt } => format!("Attempt {attempt} at task {task} is live."),
        Refusal::RunLive { run, attempt, .. } => format!("Run {run} has live attempts: {attempt}."),
        Refusal::AttemptNotFound { task } => format!("Task {task} has no live attempt."),
        Refusal::AttemptNotRejected { attempt, state, last } => {
            not_rejected_sentence(attempt, *state, last.as_ref())
        }
        Refusal::CapacityReached { run, max, active } => {
            format!("Run {run} is at its limit of {max} live attempts ({active} are live).")
        }
        Refusal::AgentNotFound { agent } => format!("Agent {agent} not found."),
        Refusal::ThreadNotFound { thread } => format!("Thread {thread} not found."),
        Refusal::ThreadClosed { thread, status } => format!("Thread {thread} is {}.", status.name()),
        Refusal::NotWork { thread } => {
            format!("Thread {thread} is a conversation; only work can be claimed.")
        }
        Refusal::Withdrawn { thread } => format!("Thread {thread} is withdrawn by its sender."),
        Refusal::NotClaimed { thread } => format!("Thread {thread} is not claimed."),
        Refusal::AlreadyClaimed { thread, holder } => format!("Thread {thread} is held by {holder}."),
        Refusal::LeaseLost { thread, kept } => lease_lost_sentence(*thread, *kept),
        Refusal::QuestionOpen { thread, question } => {
            format!("Question {question} of thread {thread} is still open.")
        }
        Refusal::NoQuestion { thread } => format!("No question is open in thread {thread}."),
        Refusal::InboxEmpty { queue } => format!("No claimable work for {queue}."),
        Refusal::RequestConflict { key } => {
            format!("The request id {key} was used with other arguments.")
        }
        Refusal::RequestNotFound { key } => {
            format!("No request with the id {key} was applied in the last 30 days.")
        }
        Refusal::Tree(refusal) => tree_error::tree_refusal_message(refusal),
    }
}

fn not_rejected_sentence(attempt: &AttemptName, state: AttemptState, last: Option<&AttemptName>) -> String {
    match last {
        Some(last) => format!("Attempt {attempt} is not the last one of its task, which is {last}."),
        None => format!("Attempt {attempt} is {}; only a rejected attempt is checked again.", state.name()),
    }
}

fn recall_command(attempt: &AttemptName) -> String {
    format!("orch recall {}", attempt.task)
}

/// Returns the next command to run, if there is one.
fn refusal_hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::InPlan { refusal, .. } => return refusal_hint(refusal),
        Refusal::Invalid { .. }
        | Refusal::KeyTwice { .. }
        | Refusal::RequestNotFound { .. }
        | Refusal::RunAmbiguous { .. } => return None,
        Refusal::RunNotFound { run: Some(_) } => "orch run list".to_owned(),
        Refusal::RunNotFound { run: None } => "orch run init TITLE".to_owned(),
        Refusal::RunNotOpen { run, status } => match status {
            RunStatus::Paused => format!("orch run resume {run}"),
            RunStatus::Cancelled => "orch run init TITLE".to_owned(),
            RunStatus::Open | RunStatus::Finished => format!("orch status {run}"),
        },
        Refusal::ResumeUseless { run, reason, options } => {
            useful_commands(run, *reason, options).swap_remove(0)
        }
        Refusal::RunExists { run } => format!("orch run show {run}"),
        Refusal::TaskNotFound { task } => format!("orch task list --run {}", task.run),
        Refusal::TaskExists { task } | Refusal::AttemptNotFound { task } => format!("orch task show {task}"),
        Refusal::TaskNotReady { task, reasons } => {
            return reasons
                .first()
                .and_then(|reason| ReasonView::from_reason(reason, task).next_commands().first().cloned())
                .or_else(|| Some(format!("orch why {task}")));
        }
        Refusal::TaskNotBlocked { task, state } => match state {
            TaskState::Dispatched | TaskState::Running => format!("orch tell {task} TEXT"),
            _ => format!("orch why {task}"),
        },
        Refusal::TaskFinished { task, state } => match state {
            TaskState::Failed | TaskState::Cancelled => format!("orch task retry {task}"),
            _ => format!("orch task show {task}"),
        },
        Refusal::TaskSkipped { task, cause, root } => skipped_hint(task, cause, root.as_ref()),
        Refusal::NothingToRetry { task, state } | Refusal::NothingToRedo { task, state } => {
            repeat_hint(task, *state)
        }
        Refusal::DependencyCycle { run, path } => match (run, path.as_slice()) {
            // The edge that closes the cycle was not added; the first of the others can be removed.
            (Some(run), [_, task, on, ..]) => format!("orch dep rm {run}/{task} {on}"),
            _ => return None,
        },
        Refusal::DependencyExists { task, .. } | Refusal::DependencyNotFound { task, .. } => {
            format!("orch dep list {task}")
        }
        Refusal::AttemptLive { task, .. } => format!("orch recall {task}"),
        Refusal::AttemptNotRejected { attempt, .. } => format!("orch task show {}", attempt.task),
        // Cancelling does not end claimed work.
        Refusal::RunLive { attempt, status: RunStatus::Cancelled, .. } => recall_command(attempt),
        Refusal::RunLive { run, .. } => format!("orch run cancel {run}"),
        Refusal::CapacityReached { run, .. } => {
            format!("orch wait --for reported,done,failed,lost --run {run}")
        }
        Refusal::AgentNotFound { .. } => "inbox agents".to_owned(),
        Refusal::ThreadNotFound { .. } => "inbox list".to_owned(),
        Refusal::ThreadClosed { thread, .. }
        | Refusal::NotWork { thread }
        | Refusal::Withdrawn { thread }
        | Refusal::AlreadyClaimed { thread, .. }
        | Refusal::LeaseLost { thread, .. }
        | Refusal::QuestionOpen { thread, .. } => format!("inbox show {thread}"),
        Refusal::NotClaimed { thread } => format!("inbox claim --thread {thread}"),
        Refusal::NoQuestion { thread } => format!("inbox send --thread {thread} --body TEXT"),
        Refusal::InboxEmpty { queue } => format!("inbox claim --for {queue} --wait 100s"),
        Refusal::RequestConflict { key } => format!("orch request show {key}"),
        Refusal::Tree(refusal) => return tree_error::tree_refusal_hint(refusal),
    })
}

/// Returns further details for programs.
fn refusal_details(refusal: &Refusal) -> Value {
    match refusal {
        Refusal::InPlan { refusal, .. } => refusal_details(refusal),
        Refusal::Invalid { argument, problem } => argument_details(argument, *problem),
        Refusal::RunNotFound { run } => run.as_ref().map_or(Value::Null, |run| json!({"run": run.as_str()})),
        Refusal::RunAmbiguous { runs } => json!({"runs": slug_texts(runs)}),
        Refusal::RunNotOpen { run, status } => json!({"run": run.as_str(), "state": status.name()}),
        Refusal::ResumeUseless { run, reason, options } => useless_details(run, *reason, options),
        Refusal::RunExists { run } => json!({"run": run.as_str()}),
        Refusal::TaskNotFound { task }
        | Refusal::TaskExists { task }
        | Refusal::KeyTwice { task }
        | Refusal::AttemptNotFound { task } => {
            json!({"task": task.to_string()})
        }
        Refusal::TaskNotReady { task, reasons } => {
            json!({"task": task.to_string(), "reasons": ReasonView::from_reasons(reasons, task)})
        }
        Refusal::TaskNotBlocked { task, state }
        | Refusal::TaskFinished { task, state }
        | Refusal::NothingToRetry { task, state }
        | Refusal::NothingToRedo { task, state } => {
            json!({"task": task.to_string(), "state": state.name()})
        }
        Refusal::TaskSkipped { task, cause, root } => {
            let (on, root) = (cause.clone(), root.clone());
            let reason = orch_core::refusal::NotReadyReason::DependencyFailed { on, root };
            json!({"task": task.to_string(), "state": "skipped", "reasons": ReasonView::from_reasons(&[reason], task)})
        }
        Refusal::DependencyCycle { path, .. } => {
            json!({"path": slug_texts(&path[..path.len().min(PATH_LISTED)]), "length": path.len().saturating_sub(1)})
        }
        Refusal::DependencyExists { task, on } | Refusal::DependencyNotFound { task, on } => {
            json!({"task": task.to_string(), "on": on.to_string()})
        }
        Refusal::AttemptNotRejected { attempt, state, last } => last_details(attempt, *state, last.as_ref()),
        Refusal::AttemptLive { task, attempt } => {
            json!({"task": task.to_string(), "attempt": attempt.to_string()})
        }
        Refusal::RunLive { run, status, attempt } => {
            json!({"run": run.as_str(), "state": status.name(), "attempt": attempt.to_string()})
        }
        Refusal::CapacityReached { run, max, active } => {
            json!({"run": run.as_str(), "max_active": max, "active": active})
        }
        Refusal::AgentNotFound { agent } => json!({"agent": agent.as_str()}),
        Refusal::ThreadNotFound { thread }
        | Refusal::NotWork { thread }
        | Refusal::Withdrawn { thread }
        | Refusal::NotClaimed { thread }
        | Refusal::NoQuestion { thread } => json!({"thread": thread.to_string()}),
        Refusal::ThreadClosed { thread, status } => {
            json!({"thread": thread.to_string(), "state": status.name()})
        }
        Refusal::AlreadyClaimed { thread, holder } => {
            json!({"thread": thread.to_string(), "holder": holder.as_str()})
        }
        Refusal::LeaseLost { thread, kept } => {
            json!({"thread": thread.to_string(), "late": kept.map(|message| message.to_string())})
        }
        Refusal::QuestionOpen { thread, question } => {
            json!({"thread": thread.to_string(), "question": question.to_string()})
        }
        Refusal::InboxEmpty { queue } => json!({"for": queue.as_str()}),
        Refusal::RequestConflict { key } | Refusal::RequestNotFound { key } => json!({"key": key}),
        Refusal::Tree(refusal) => tree_error::tree_refusal_details(refusal),
    }
}

fn last_details(attempt: &AttemptName, state: AttemptState, last: Option<&AttemptName>) -> Value {
    json!({"attempt": attempt.to_string(), "state": state.name(), "last": last.map(ToString::to_string)})
}

/// Returns the invalid argument and the limit that it exceeds.
fn argument_details(argument: &str, problem: ArgumentProblem) -> Value {
    match problem {
        ArgumentProblem::TooLong { max } => json!({"argument": argument, "bytes_max": max}),
        ArgumentProblem::OutOfRange { min, max } => json!({"argument": argument, "min": min, "max": max}),
        ArgumentProblem::BeyondEvents { newest } => {
            json!({"argument": argument, "newest": newest.to_string()})
        }
        ArgumentProblem::BeyondMessages { newest } => {
            json!({"argument": argument, "newest": newest.to_string()})
        }
        ArgumentProblem::NotSuggested { id } => json!({"argument": argument, "message": id.to_string()}),
        ArgumentProblem::TooMany { max } => json!({"argument": argument, "entries_max": max}),
        ArgumentProblem::Empty
        | ArgumentProblem::Nul
        | ArgumentProblem::NotAFolder
        | ArgumentProblem::InRepository
        | ArgumentProblem::NoParent
        | ArgumentProblem::NotWritable
        | ArgumentProblem::Fixed
        | ArgumentProblem::NoChange
        | ArgumentProblem::NotApplicable => {
            json!({"argument": argument})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::id::ThreadId;

    fn slug(text: &str) -> Slug {
        Slug::new(text).unwrap()
    }

    #[test]
    fn a_refusal_becomes_a_whole_error() {
        let error = ErrorView::from_refusal(&Refusal::InboxEmpty { queue: slug("builders") });
        assert_eq!(
            serde_json::to_value(&error).unwrap(),
            json!({
                "code": "inbox_empty",
                "message": "No claimable work for builders.",
                "hint": "inbox claim --for builders --wait 100s",
                "retryable": true,
                "details": {"for": "builders"},
            })
        );
    }

    #[test]
    fn a_task_that_is_not_ready_says_why() {
        let task = TaskName { run: slug("r"), key: slug("b") };
        let reasons = vec![orch_core::refusal::NotReadyReason::WaitingDependency { on: vec![slug("a")] }];
        let error = ErrorView::from_refusal(&Refusal::TaskNotReady { task, reasons });
        assert_eq!(error.message, "Task r/b is not ready: it waits for a.");
        assert_eq!(error.hint.as_deref(), Some("orch why r/a"));
        let details = error.details.unwrap();
        assert_eq!(details["reasons"][0]["code"], "waiting_dependency");
    }

    #[test]
    fn a_cycle_names_an_edge_that_can_go() {
        let path = ["a", "b", "c", "a"].map(slug).to_vec();
        let run = Some(slug("r"));
        let error = ErrorView::from_refusal(&Refusal::DependencyCycle { run, path: path.clone() });
        assert_eq!(error.message, "Dependency cycle: a waits for b waits for c waits for a.");
        assert_eq!(error.hint.as_deref(), Some("orch dep rm r/b c"));
        let planned = ErrorView::from_refusal(&Refusal::DependencyCycle { run: None, path });
        assert_eq!(
            (planned.message, planned.hint),
            (error.message, None),
            "a plan's edges are not stored yet"
        );
        let itself = ["a", "a"].map(slug).to_vec();
        let itself = ErrorView::from_refusal(&Refusal::DependencyCycle { run: None, path: itself });
        assert_eq!(itself.message, "Task a cannot depend on itself.");
        let long = (0..1_000).map(|number| Slug::from_stored(format!("t{}", number % 999))).collect();
        let long = ErrorView::from_refusal(&Refusal::DependencyCycle { run: None, path: long });
        let said = "Dependency cycle: t0 waits for t1 waits for t2 waits, over 996 more, for t0.";
        assert_eq!(long.message, said);
        let details = long.details.unwrap();
        assert_eq!((details["path"].as_array().unwrap().len(), &details["length"]), (100, &999.into()));
    }

    #[test]
    fn a_lost_lease_says_whether_the_text_was_kept() {
        let kept = Some(MessageId(7));
        let error = ErrorView::from_refusal(&Refusal::LeaseLost { thread: ThreadId(3), kept });
        assert!(error.message.contains("kept as m-7"), "{}", error.message);
        assert_eq!(error.details.unwrap()["late"], "m-7");
    }
}
