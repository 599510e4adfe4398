//! What all tools have in common: their arguments, their answers, waiting and errors.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orch_app::app::environment_thread;
use orch_app::environment::{LEASE, ProcessEnvironment, VariableSource};
use orch_app::{App, AppError, Request, RetryAdvice, current_time};
use orch_contract::ErrorView;
use orch_core::id::{Slug, ThreadId};
use orch_core::time::TimeSpan;
use orch_text::{HumanReadable, TextPage, TextPainter};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The columns of the line of text that goes with an answer.
const LINE_COLUMNS: usize = 160;

/// The longest part of a wait, after which a call checks that it was not cancelled.
const WAIT_PART: Duration = Duration::from_secs(2);

/// The environment of the process, which lives as long as any call.
static ENVIRONMENT: ProcessEnvironment = ProcessEnvironment;

/// A tool: its description for models, and what it does.
pub(crate) struct ToolDefinition {
    pub name: &'static str,
    pub description: &'static str,
    /// The JSON Schema of its arguments.
    pub schema: Map<String, Value>,
    pub effect: ToolEffect,
    pub run: fn(&mut ToolCall, Value) -> ToolResult,
}

/// What a tool changes, as a hint for clients that ask a person first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolEffect {
    /// Nothing.
    ReadOnly,
    /// It adds or reports.
    Additive,
    /// It may end or replace work.
    Destructive,
}

/// The tools of a server.
pub(crate) struct ToolSet {
    pub program: &'static str,
    pub instructions: &'static str,
    pub tools: Vec<ToolDefinition>,
}

/// What a tool answers.
pub(crate) struct ToolAnswer {
    /// The answer's `data`.
    pub data: Value,
    /// The answer in one line.
    pub line: String,
}

/// The answer of a tool, or its error.
pub(crate) type ToolResult = Result<ToolAnswer, AppError>;

/// The work that this server's worker holds: its thread, and the token of its lease.
pub(crate) type HeldWork = Arc<Mutex<Option<(ThreadId, String)>>>;

/// One call of a tool.
pub(crate) struct ToolCall {
    pub app: App<'static>,
    /// Set when the client no longer waits for the answer.
    pub is_cancelled: Arc<AtomicBool>,
    /// When a wait has to be answered.
    pub deadline: Instant,
    pub held: HeldWork,
}

impl ToolCall {
    /// The environment of every call.
    pub(crate) fn environment() -> &'static dyn VariableSource {
        &ENVIRONMENT
    }

    /// Answers a request.
    pub(crate) fn answer<R>(&mut self, request: &R) -> ToolResult
    where
        R: Request,
        R::View: Serialize + HumanReadable,
    {
        let reply = self.app.answer(request, None)?;
        Ok(answer_with(&reply.data, &self.app.take_warnings()))
    }

    /// Answers a request again and again until `is_over`, the wait's end or its cancellation.
    pub(crate) fn wait<R>(
        &mut self,
        wait: Option<TimeSpan>,
        request: impl Fn(TimeSpan) -> R,
        is_over: impl Fn(&R::View) -> bool,
    ) -> ToolResult
    where
        R: Request,
        R::View: Serialize + HumanReadable,
    {
        let wait = wait.map(|wait| Duration::from_millis(u64::try_from(wait.0).unwrap_or(0)));
        let end = wait.map_or(self.deadline, |wait| self.deadline.min(Instant::now() + wait));
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let part = left.min(WAIT_PART);
            let span = TimeSpan(i64::try_from(part.as_millis()).unwrap_or(i64::MAX));
            let reply = self.app.answer(&request(span), None)?;
            if is_over(&reply.data) || left <= WAIT_PART || self.is_cancelled.load(Ordering::Relaxed) {
                return Ok(answer_with(&reply.data, &self.app.take_warnings()));
            }
        }
    }

    /// Returns the lead who calls.
    pub(crate) fn lead(&self) -> Result<Slug, AppError> {
        self.app.calling_lead()
    }

    /// Returns the run of the arguments, of the server, or of the environment.
    pub(crate) fn run(&mut self, named: Option<&str>) -> Result<Option<Slug>, AppError> {
        let named =
            named.map(|name| parse_argument("run", name, orch_app::values::parse_slug)).transpose()?;
        self.app.resolve_run_or(named.as_ref())
    }

    /// Returns the task that an argument names.
    pub(crate) fn task(&mut self, name: &str) -> Result<orch_app::TaskSelector, AppError> {
        let task = parse_argument("task", name, orch_app::naming::parse_task)?;
        self.app.resolve_task(task)
    }

    /// Returns the tasks that an argument names.
    pub(crate) fn tasks(&mut self, names: &[String]) -> Result<Vec<orch_app::TaskSelector>, AppError> {
        names.iter().map(|name| self.task(name)).collect()
    }

    /// Returns the thread and the token of the worker's work.
    pub(crate) fn held_work(&mut self) -> Result<(ThreadId, String), AppError> {
        let held = self.held.lock().map(|held| held.clone()).unwrap_or_default();
        if let Some(held) = held {
            return Ok(held);
        }
        let environment = Self::environment();
        let thread = environment_thread(environment)?;
        let token = environment.variable_text(LEASE)?;
        if let Some(given) = thread.zip(token) {
            return Ok(given);
        }
        // A server that its client started again finds what the session claimed before.
        let claim = self.app.remembered_claim(None)?;
        claim.and_then(|claim| Some((ThreadId::parse(&claim.thread)?, claim.token))).ok_or_else(|| {
            AppError::new(
                orch_contract::ErrorCode::NotClaimed,
                "No work is claimed in this session: call the tool `claim` first.",
            )
        })
    }
}

/// Returns an answer with its line of text.
pub(crate) fn answer_with<V: Serialize + HumanReadable>(data: &V, warnings: &[String]) -> ToolAnswer {
    let mut page = TextPage::new(TextPainter { colour: false }, LINE_COLUMNS, current_time());
    data.render_human(&mut page);
    let text = page.into_text();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut line = lines.next().unwrap_or("Done.").to_owned();
    // A heading alone says nothing.
    if line.ends_with(':')
        && let Some(next) = lines.next()
    {
        line = format!("{line} {next}");
    }
    // Views are texts, numbers and lists, which always have a JSON form.
    let mut data = serde_json::to_value(data).unwrap_or_default();
    if let (Value::Object(fields), false) = (&mut data, warnings.is_empty()) {
        fields.insert("warnings".to_owned(), warnings.into());
    }
    ToolAnswer { data, line }
}

/// Reads the arguments of a tool.
pub(crate) fn read_arguments<A: DeserializeOwned>(arguments: Value) -> Result<A, AppError> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path = error.path().to_string();
        let argument = if path == "." { "arguments" } else { &path };
        AppError::invalid_argument(argument, format!("Invalid `{argument}`: {}.", error.inner()))
    })
}

/// Parses the text of an argument.
pub(crate) fn parse_argument<T, E: std::fmt::Display>(
    argument: &str,
    text: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, AppError> {
    parse(text).map_err(|problem| {
        AppError::invalid_argument(argument, format!("`{text}` is not valid for `{argument}`: {problem}."))
    })
}

/// Returns the JSON Schema of a tool's arguments, without what says nothing to a model.
pub(crate) fn argument_schema<A: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>().to_value();
    simplify_schema(&mut schema);
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// Removes titles, formats and defaults, and writes a value that may be null as the value alone.
fn simplify_schema(schema: &mut Value) {
    if let Value::Object(fields) = schema {
        for name in ["title", "format", "default", "minimum", "maximum"] {
            // A property may have such a name.
            if fields.get(name).is_some_and(|value| !value.is_object()) {
                fields.remove(name);
            }
        }
        if fields.get("type").is_some_and(|kind| kind == "object") {
            fields.remove("description");
        }
        if let Some(Value::Array(kinds)) = fields.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [kind] = &kinds[..] {
                let kind = kind.clone();
                fields.insert("type".to_owned(), kind);
            }
        }
        fields.values_mut().for_each(simplify_schema);
    } else if let Value::Array(values) = schema {
        values.iter_mut().for_each(simplify_schema);
    }
}

/// Returns an error as clients show it: with what to call next.
pub(crate) fn tool_error(error: AppError) -> ToolAnswer {
    let mut view: ErrorView = *error.view;
    if view.hint.is_none() {
        view.hint = error.retry.as_ref().and_then(retry_hint);
    }
    let mut line = format!("{}: {}", view.code, view.message).into_bytes();
    if let Some(hint) = &view.hint {
        let _ = write!(line, " Hint: {hint}");
    }
    let line = String::from_utf8_lossy(&line).into_owned();
    ToolAnswer { data: serde_json::to_value(&view).unwrap_or_default(), line }
}

fn retry_hint(advice: &RetryAdvice) -> Option<String> {
    match advice {
        RetryAdvice::AfterCursor(cursor) => Some(format!("call this tool again with after={cursor}")),
        RetryAdvice::WithRun(runs) => runs
            .first()
            .map(|run| format!("call this tool again with run={run}, or another of: {}", runs.join(", "))),
        RetryAdvice::Unchanged => Some("call this tool again with the same arguments".to_owned()),
        RetryAdvice::WithOption(_) => None,
    }
}
