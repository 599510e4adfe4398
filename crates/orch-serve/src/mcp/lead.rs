//! The tools of a lead.

use std::path::{Path, PathBuf};

use orch_app::AppError;
use orch_app::naming::parse_attempt;
use orch_app::orch::accept::AcceptAttempt;
use orch_app::orch::ack::AcknowledgeEvents;
use orch_app::orch::answer::AnswerQuestion;
use orch_app::orch::dispatch::{DispatchAll, DispatchNamed};
use orch_app::orch::integrate::IntegrateRun;
use orch_app::orch::land::LandRun;
use orch_app::orch::log::CheckChoice;
use orch_app::orch::reject::RejectAttempt;
use orch_app::orch::review::ReviewRun;
use orch_app::orch::status::ShowOverview;
use orch_app::orch::task::change::{
    CancelTasks, ChangeWords, HoldTasks, RecallTasks, RetryTasks, UnholdTasks,
};
use orch_app::orch::task::plan::PlanManner;
use orch_app::orch::task::show::ShowTask;
use orch_app::orch::tell::TellWorker;
use orch_app::orch::wait::WaitForEvents;
use orch_app::orch::why::ExplainTask;
use orch_app::values::{parse_event_id, parse_slug, parse_wake};
use orch_core::limit;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::LeadPermissions;
use super::tool::{
    ToolCall, ToolDefinition, ToolEffect, ToolResult, ToolSet, answer_with, argument_schema, parse_argument,
    read_arguments,
};
use super::worker::seconds;

/// What a model reads before it sees the tools.
const INSTRUCTIONS: &str = "You lead a run: a graph of tasks that worker agents do on one git repository. Add tasks \
    with plan_add, start workers with `orch drive` in a shell, or dispatch to agents. Then wait, answer questions, \
    and land what was merged. Call wait again with after set to the cursor it returned. why explains what stands still.";

/// The lines of a log that are shown unless a number is given.
const LOG_LINES: u32 = 40;

/// Returns the tools of a lead.
pub(crate) fn tools(permissions: LeadPermissions) -> ToolSet {
    let mut tools = reading_tools();
    tools.extend(changing_tools());
    tools.push(ToolDefinition {
        name: "steer",
        description: if permissions.accept {
            "Change tasks: retry, recall (end the attempt without counting it), cancel, hold, unhold, tell (a note to \
             the worker), reject or accept a report."
        } else {
            "Change tasks: retry, recall (end the attempt without counting it), cancel, hold, unhold, tell (a note to \
             the worker), reject a report."
        },
        schema: argument_schema::<SteerArguments>(),
        effect: ToolEffect::Destructive,
        run: if permissions.accept { steer } else { steer_without_accept },
    });
    if permissions.land {
        tools.push(ToolDefinition {
            name: "land",
            description: "Bring the run's branch onto one of the user's branches, after its checks.",
            schema: argument_schema::<LandArguments>(),
            effect: ToolEffect::Destructive,
            run: land,
        });
    }
    ToolSet { program: "orch", instructions: INSTRUCTIONS, tools }
}

/// The tools that show something.
fn reading_tools() -> Vec<ToolDefinition> {
    vec![
        ToolDefinition {
            name: "status",
            description: "Show a run: its tasks by state, open questions, what works, what failed, and next commands.",
            schema: argument_schema::<RunArguments>(),
            effect: ToolEffect::ReadOnly,
            run: status,
        },
        ToolDefinition {
            name: "why",
            description: "Explain why a task is where it is and what it waits for.",
            schema: argument_schema::<TaskArguments>(),
            effect: ToolEffect::ReadOnly,
            run: why,
        },
        ToolDefinition {
            name: "show",
            description: "Show a task with its instructions, dependencies, attempts, reports and checks.",
            schema: argument_schema::<TaskArguments>(),
            effect: ToolEffect::ReadOnly,
            run: show,
        },
        ToolDefinition {
            name: "review",
            description: "Show the evidence on a run before it lands: criteria, checks, files, judgements, what \
                nothing checked.",
            schema: argument_schema::<RunArguments>(),
            effect: ToolEffect::ReadOnly,
            run: review,
        },
        ToolDefinition {
            name: "log",
            description: "Show the end of the output of a task's worker, or of one of its checks.",
            schema: argument_schema::<LogArguments>(),
            effect: ToolEffect::ReadOnly,
            run: log,
        },
    ]
}

/// The tools that plan, send, answer, merge and wait.
fn changing_tools() -> Vec<ToolDefinition> {
    vec![
        ToolDefinition {
            name: "plan_add",
            description: "Add tasks to a run, all or none. A task has key, title, spec (instructions), after (keys \
                it waits for), accept (criteria), verify (check commands), labels, priority 0 to 4, agent. With \
                title, a new run is created first.",
            schema: argument_schema::<PlanArguments>(),
            effect: ToolEffect::Additive,
            run: add_plan,
        },
        ToolDefinition {
            name: "dispatch",
            description: "Dispatch tasks to agents: the named ones, or all ready ones. A running `orch drive` does it \
                by itself.",
            schema: argument_schema::<DispatchArguments>(),
            effect: ToolEffect::Additive,
            run: dispatch,
        },
        ToolDefinition {
            name: "answer",
            description: "Answer the open question of a task's worker.",
            schema: argument_schema::<AnswerArguments>(),
            effect: ToolEffect::Additive,
            run: answer,
        },
        ToolDefinition {
            name: "integrate",
            description: "Check reported attempts and merge those that pass into the run's branch. A running `orch \
                drive` does it by itself.",
            schema: argument_schema::<IntegrateArguments>(),
            effect: ToolEffect::Additive,
            run: integrate,
        },
        ToolDefinition {
            name: "wait",
            description: "Wait for events that need you: questions, failures, pauses, the end. With after, what came \
                up to there counts as seen. No events means that the time is over: call it again.",
            schema: argument_schema::<EventWaitArguments>(),
            effect: ToolEffect::Additive,
            run: wait,
        },
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RunArguments {
    /// The only unfinished run when absent
    run: Option<String>,
}

fn status(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: RunArguments = read_arguments(arguments)?;
    let run = call.run(arguments.run.as_deref())?;
    call.answer(&ShowOverview { run })
}

fn review(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: RunArguments = read_arguments(arguments)?;
    let run = call.run(arguments.run.as_deref())?;
    call.answer(&ReviewRun { run })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskArguments {
    /// KEY or RUN/KEY
    task: String,
}

fn why(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: TaskArguments = read_arguments(arguments)?;
    let task = call.task(&arguments.task)?;
    call.answer(&ExplainTask { task })
}

fn show(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: TaskArguments = read_arguments(arguments)?;
    let task = call.task(&arguments.task)?;
    call.answer(&ShowTask { task })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PlanArguments {
    /// The tasks, as objects
    tasks: Vec<serde_json::Map<String, Value>>,
    /// The run, or the name of the new one
    run: Option<String>,
    /// The title of a new run
    title: Option<String>,
    /// Check commands of the new run, which every task must pass
    #[serde(default)]
    verify: Vec<String>,
    /// Change tasks that exist
    #[serde(default)]
    update: bool,
    /// Change nothing, only tell
    #[serde(default)]
    dry_run: bool,
}

fn add_plan(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: PlanArguments = read_arguments(arguments)?;
    let tasks: Vec<Value> = arguments.tasks.into_iter().map(Value::Object).collect();
    let stdin = Path::new("-");
    if let Some(title) = arguments.title {
        let agent = call.lead()?;
        let named = arguments.run.as_deref().map(|run| parse_argument("run", run, parse_slug)).transpose()?;
        let plan =
            json!({ "run": { "title": title, "verify": arguments.verify }, "tasks": tasks }).to_string();
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let run = call.app.create_or_update_run(stdin, &mut plan.as_bytes(), folder, named, &agent)?;
        return call.answer(&ShowOverview { run: Some(run) });
    }
    if let Some(run) = arguments.run {
        call.app.set_run_option(Some(parse_argument("run", &run, parse_slug)?));
    }
    let manner =
        PlanManner { update: arguments.update, prune: false, dry_run: arguments.dry_run, full: false };
    let plan = json!({ "tasks": tasks }).to_string();
    let request = call.app.read_plan(stdin, &mut plan.as_bytes(), manner)?;
    call.answer(&request)
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DispatchArguments {
    /// KEY or RUN/KEY; all ready tasks when empty
    #[serde(default)]
    tasks: Vec<String>,
    /// The agents who share them; each task's own when empty
    #[serde(default)]
    to: Vec<String>,
    run: Option<String>,
    /// The most tasks
    limit: Option<u32>,
}

fn dispatch(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: DispatchArguments = read_arguments(arguments)?;
    let agent = call.lead()?;
    let to =
        arguments.to.iter().map(|to| parse_argument("to", to, parse_slug)).collect::<Result<Vec<_>, _>>()?;
    if !arguments.tasks.is_empty() {
        let tasks = call.tasks(&arguments.tasks)?;
        return call.answer(&DispatchNamed { agent, tasks, to, full: false });
    }
    let run = call.run(arguments.run.as_deref())?;
    let limit = arguments.limit.unwrap_or(limit::LIST_DEFAULT).clamp(1, limit::LIST_MAX);
    let is_default_limit = arguments.limit.is_none();
    call.answer(&DispatchAll { agent, run, to, limit, is_default_limit, full: false })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnswerArguments {
    /// KEY or RUN/KEY
    task: String,
    /// The answer
    text: String,
}

fn answer(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: AnswerArguments = read_arguments(arguments)?;
    let (agent, task) = (call.lead()?, call.task(&arguments.task)?);
    call.answer(&AnswerQuestion { agent, task, body: arguments.text, full: false })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct IntegrateArguments {
    run: Option<String>,
    /// Make a conflict a task, instead of a rejection
    #[serde(default)]
    resolve: bool,
}

fn integrate(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: IntegrateArguments = read_arguments(arguments)?;
    let (agent, run) = (call.lead()?, call.run(arguments.run.as_deref())?);
    let resolve = arguments.resolve;
    call.answer(&IntegrateRun { agent, run, no_check_cache: false, resolve, merge_check_jobs: None })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LandArguments {
    /// The branch to land on
    onto: String,
    run: Option<String>,
    /// Land although some tasks are not done
    #[serde(default)]
    partial: bool,
    /// Make a conflict a task
    #[serde(default)]
    resolve: bool,
}

fn land(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: LandArguments = read_arguments(arguments)?;
    let (agent, run) = (call.lead()?, call.run(arguments.run.as_deref())?);
    call.answer(&LandRun {
        agent,
        run,
        onto: Some(arguments.onto),
        partial: arguments.partial,
        no_verify: false,
        pushed: None,
        reason: None,
        run_hooks: false,
        no_check_cache: false,
        resolve: arguments.resolve,
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogArguments {
    /// KEY, KEY@ATTEMPT, or with RUN/ before it
    task: String,
    /// The most lines, from the end
    lines: Option<u32>,
    /// The number of a check, in place of the worker; 0 for the one that failed last
    check: Option<u32>,
}

fn log(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: LogArguments = read_arguments(arguments)?;
    let attempt = call.app.resolve_attempt(parse_argument("task", &arguments.task, parse_attempt)?)?;
    let lines = arguments.lines.unwrap_or(LOG_LINES).clamp(1, limit::LIST_MAX);
    let check = arguments.check.map(|number| CheckChoice(Some(number).filter(|number| *number > 0)));
    let log = call.app.open_log(&attempt, Some(lines), check)?;
    Ok(answer_with(&log.response(), &call.app.take_warnings()))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EventWaitArguments {
    run: Option<String>,
    /// The cursor of the answer before
    after: Option<String>,
    /// Kinds of events: question reported done failed lost fault paused finished; by default those that need you
    #[serde(default)]
    kinds: Vec<String>,
    /// Seconds to wait; as long as the client allows when absent
    wait: Option<u32>,
}

fn wait(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: EventWaitArguments = read_arguments(arguments)?;
    let agent = call.app.calling_agent_or("--as", None)?;
    let run = call.run(arguments.run.as_deref())?;
    let after = arguments.after.map(|after| parse_argument("after", &after, parse_event_id)).transpose()?;
    let kinds = arguments
        .kinds
        .iter()
        .map(|kind| parse_argument("kinds", kind, parse_wake))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(through) = after {
        call.app.answer(&AcknowledgeEvents { agent: agent.clone(), run: run.clone(), through }, None)?;
    }
    call.wait(
        arguments.wait.map(seconds),
        |timeout| WaitForEvents {
            agent: agent.clone(),
            run: run.clone(),
            kinds: kinds.clone(),
            after,
            timeout,
            limit: limit::LIST_DEFAULT,
            empty_ok: true,
        },
        |waited| !waited.events.is_empty(),
    )
}

/// What is done to tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SteerAction {
    Retry,
    Recall,
    Cancel,
    Hold,
    Unhold,
    Tell,
    Accept,
    Reject,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SteerArguments {
    action: SteerAction,
    /// KEY or RUN/KEY; tell, accept and reject take one
    tasks: Vec<String>,
    /// The note of tell, the reason of everything else
    text: Option<String>,
    /// With retry: a note for the next worker
    note: Option<String>,
    /// With retry: new instructions
    spec: Option<String>,
}

fn steer_without_accept(call: &mut ToolCall, arguments: Value) -> ToolResult {
    if arguments["action"] == "accept" {
        let message =
            "This server does not accept attempts: a person does, or it is started with --allow accept.";
        return Err(
            AppError::new(orch_contract::ErrorCode::NotPermitted, message).with_hint("orch accept TASK")
        );
    }
    steer(call, arguments)
}

fn steer(call: &mut ToolCall, arguments: Value) -> ToolResult {
    let arguments: SteerArguments = read_arguments(arguments)?;
    let (agent, tasks) = (call.lead()?, call.tasks(&arguments.tasks)?);
    if matches!(arguments.action, SteerAction::Tell | SteerAction::Accept | SteerAction::Reject) {
        return steer_one(call, arguments, agent, tasks);
    }
    if tasks.is_empty() {
        return Err(AppError::invalid_argument("tasks", "`tasks` names no task."));
    }
    let words = ChangeWords { reason: arguments.text, note: arguments.note, spec: arguments.spec };
    match arguments.action {
        SteerAction::Retry => call.answer(&RetryTasks { agent, tasks, operation: false, words, full: false }),
        SteerAction::Recall => call.answer(&RecallTasks { agent, tasks, words, full: false }),
        SteerAction::Cancel => call.answer(&CancelTasks { agent, tasks, words, full: false }),
        SteerAction::Hold => call.answer(&HoldTasks { agent, tasks, words, full: false }),
        SteerAction::Unhold | SteerAction::Tell | SteerAction::Accept | SteerAction::Reject => {
            call.answer(&UnholdTasks { agent, tasks, words, full: false })
        }
    }
}

fn steer_one(
    call: &mut ToolCall,
    arguments: SteerArguments,
    agent: orch_core::id::Slug,
    mut tasks: Vec<orch_app::TaskSelector>,
) -> ToolResult {
    let (Some(task), true) = (tasks.pop(), tasks.is_empty()) else {
        return Err(AppError::invalid_argument("tasks", "This action is about exactly one task."));
    };
    let required =
        |text: Option<String>| text.ok_or_else(|| AppError::invalid_argument("text", "`text` is missing."));
    match arguments.action {
        SteerAction::Accept => {
            call.answer(&AcceptAttempt { agent, task, commit: None, reason: arguments.text, full: false })
        }
        SteerAction::Reject => {
            call.answer(&RejectAttempt { agent, task, reason: required(arguments.text)?, full: false })
        }
        _ => call.answer(&TellWorker { agent, task, text: required(arguments.text)?, full: false }),
    }
}
