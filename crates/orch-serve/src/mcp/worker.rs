//! The tools of a worker.

use orch_app::Paging;
use orch_app::inbox::{
    AcknowledgeMessages, AskQuestion, ClaimWork, ReleaseThread, ReportDone, ReportFailure, ReportProgress,
    ShowThread, WaitForMessages,
};
use orch_app::values::{parse_message_id, parse_slug, parse_thread_id};
use orch_app::{AppError, app::environment_thread};
use orch_core::limit;
use orch_core::time::TimeSpan;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::tool::{
    ToolCall, ToolDefinition, ToolEffect, ToolResult, ToolSet, argument_schema, parse_argument,
    read_arguments,
};

/// What a model reads before it sees the tools.
const INSTRUCTIONS: &str = "You work on one task at a time. Call claim first: it answers what to do. Report progress \
    after each larger step, ask when a decision is not yours, and end with done or fail exactly once. An answer with \
    code lease_lost means that the work is no longer yours: stop.";

/// Returns the tools of a worker.
pub(super) fn tools() -> ToolSet {
    let tools = vec![
        ToolDefinition {
            name: "claim",
            description: "Get your work: the task with its instructions. Later calls are about it.",
            schema: argument_schema::<ClaimArguments>(),
            effect: ToolEffect::Additive,
            run: claim,
        },
        ToolDefinition {
            name: "progress",
            description: "Report a finished step and renew the lease. The answer may bring notes from the lead.",
            schema: argument_schema::<ProgressArguments>(),
            effect: ToolEffect::Additive,
            run: progress,
        },
        ToolDefinition {
            name: "ask",
            description: "Ask the lead a question that blocks the work, and wait for the answer. Without an answer yet, \
                call it again with the same question.",
            schema: argument_schema::<AskArguments>(),
            effect: ToolEffect::Additive,
            run: ask,
        },
        ToolDefinition {
            name: "wait",
            description: "Wait for messages to you. With after, what came up to there counts as read.",
            schema: argument_schema::<MessageWaitArguments>(),
            effect: ToolEffect::Additive,
            run: wait,
        },
        ToolDefinition {
            name: "done",
            description: "Report the work as done and close it. Commit everything first, or set snapshot.",
            schema: argument_schema::<DoneArguments>(),
            effect: ToolEffect::Additive,
            run: done,
        },
        ToolDefinition {
            name: "fail",
            description: "Report that the work cannot be done and close it.",
            schema: argument_schema::<FailArguments>(),
            effect: ToolEffect::Additive,
            run: fail,
        },
        ToolDefinition {
            name: "release",
            description: "Return the work to its queue undone, for another worker.",
            schema: argument_schema::<NoArguments>(),
            effect: ToolEffect::Destructive,
            run: release,
        },
        ToolDefinition {
            name: "show",
            description: "Show your work with its messages.",
            schema: argument_schema::<ShowArguments>(),
            effect: ToolEffect::ReadOnly,
            run: show,
        },
    ];
    ToolSet { program: "inbox", instructions: INSTRUCTIONS, tools }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ClaimArguments {
    /// The queue, an agent's name; your own when absent
    queue: Option<String>,
    /// One thread, like th-3, in place of a queue
    thread: Option<String>,
    /// Seconds to wait for work
    wait: Option<u32>,
}

fn claim(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: ClaimArguments = read_arguments(arguments)?;
    let environment = ToolCall::environment();
    // A supervised worker's wrapper has claimed its work already.
    if let Some(own) = environment_thread(environment)?
        && environment.is_set(orch_app::environment::LEASE)
    {
        return call
            .answer(&ShowThread { thread: own, paging: Paging { limit: limit::LIST_DEFAULT, after: None } });
    }
    let queue = arguments.queue.map(|queue| parse_argument("queue", &queue, parse_slug)).transpose()?;
    let thread =
        arguments.thread.map(|thread| parse_argument("thread", &thread, parse_thread_id)).transpose()?;
    let target = call.app.resolve_claim(queue, thread)?;
    let wait = seconds(arguments.wait.unwrap_or(0));
    let answer = call.wait(
        Some(wait),
        |part| ClaimWork {
            queue: target.queue.clone(),
            holder: target.holder.clone(),
            thread,
            lease: None,
            again: false,
            wait: (part.0 > 0).then_some(part),
            empty_ok: true,
        },
        |claimed| claimed.thread.is_some(),
    )?;
    let thread = answer.data["thread"]["id"].as_str().map(parse_thread_id);
    let token = answer.data["lease"]["token"].as_str();
    if let (Some(Ok(thread)), Some(token), Ok(mut held)) = (thread, token, call.held.lock()) {
        *held = Some((thread, token.to_owned()));
    }
    Ok(answer)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProgressArguments {
    /// What is done and what comes next
    text: String,
    /// 0 to 100
    percent: Option<u8>,
}

fn progress(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: ProgressArguments = read_arguments(arguments)?;
    if arguments.percent.is_some_and(|percent| percent > 100) {
        return Err(AppError::invalid_argument("percent", "A percentage is 0 to 100."));
    }
    let (thread, token) = call.held_work()?;
    let ProgressArguments { text, percent } = arguments;
    call.answer(&ReportProgress { thread, token, text, percent, full: false })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskArguments {
    /// One question
    question: String,
    /// Answers to choose from
    #[serde(default)]
    options: Vec<String>,
    /// Seconds to wait for the answer; as long as the client allows when absent
    wait: Option<u32>,
}

fn ask(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: AskArguments = read_arguments(arguments)?;
    let (thread, token) = call.held_work()?;
    call.wait(
        arguments.wait.map(seconds),
        |part| AskQuestion {
            thread,
            token: token.clone(),
            question: arguments.question.clone(),
            options: arguments.options.clone(),
            default: None,
            default_after: None,
            wait: (part.0 > 0).then_some(part),
            empty_ok: true,
        },
        |asked| asked.answer.is_some(),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MessageWaitArguments {
    /// The cursor of the answer before
    after: Option<String>,
    /// Seconds to wait; as long as the client allows when absent
    wait: Option<u32>,
}

fn wait(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: MessageWaitArguments = read_arguments(arguments)?;
    let agent = call.app.calling_agent_or("--as", None)?;
    let thread = call.held_work().ok().map(|(thread, _)| thread);
    let after = arguments.after.map(|after| parse_argument("after", &after, parse_message_id)).transpose()?;
    if let Some(through) = after {
        call.app.answer(&AcknowledgeMessages { agent: agent.clone(), thread, through }, None)?;
    }
    call.wait(
        arguments.wait.map(seconds),
        |timeout| WaitForMessages {
            agent: agent.clone(),
            thread,
            kind: None,
            after,
            timeout,
            limit: limit::LIST_DEFAULT,
            empty_ok: true,
        },
        |waited| !waited.messages.is_empty(),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DoneArguments {
    /// What you did, where it is, how you checked it
    result: String,
    /// Commit all changes in the worktree first
    #[serde(default)]
    snapshot: bool,
    /// Files that belong to the result
    #[serde(default)]
    artifacts: Vec<String>,
    /// A JSON document for programs
    payload: Option<Value>,
}

fn done(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: DoneArguments = read_arguments(arguments)?;
    let (thread, token) = call.held_work()?;
    call.answer(&ReportDone {
        thread,
        token,
        result: arguments.result,
        payload: arguments.payload.map(|payload| payload.to_string()),
        artifacts: arguments.artifacts,
        snapshot: arguments.snapshot,
        folder: std::env::current_dir().ok(),
        full: false,
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FailArguments {
    /// Why
    reason: String,
    /// Whether no other worker could do it either
    #[serde(default)]
    r#final: bool,
}

fn fail(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: FailArguments = read_arguments(arguments)?;
    let (thread, token) = call.held_work()?;
    call.answer(&ReportFailure {
        thread,
        token,
        reason: arguments.reason,
        last: arguments.r#final,
        full: false,
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

fn release(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let NoArguments {} = read_arguments(arguments)?;
    let (thread, token) = call.held_work()?;
    let answer = call.answer(&ReleaseThread { thread, token })?;
    if let Ok(mut held) = call.held.lock() {
        *held = None;
    }
    Ok(answer)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShowArguments {
    /// Continue after this cursor, the next of the answer before
    after: Option<String>,
}

fn show(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: ShowArguments = read_arguments(arguments)?;
    let (thread, _) = call.held_work()?;
    call.answer(&ShowThread { thread, paging: Paging { limit: limit::LIST_DEFAULT, after: arguments.after } })
}

/// Returns a span of whole seconds.
pub(super) fn seconds(count: u32) -> TimeSpan {
    TimeSpan::from_seconds(i64::from(count))
}
