//! `orch task add --file`: adds a whole plan, all tasks or none.

use std::error::Error as _;
use std::path::Path;

use orch_contract::orch::plan::{PlanChangeView, PlanRemainderView, PlanResponse};
use orch_contract::{ErrorCode, ErrorView};
use orch_core::escape::join_names;
use orch_core::id::Slug;
use orch_core::shell;
use orch_core::task::TaskState;
use orch_scheduler::plan::{PlanOutcome, PlanRemainder, TaskPlan, add_plan};
use serde::{Serialize, Serializer};

use crate::app::App;
use crate::error::{AppError, error_sentence};
use crate::orch::view::{add_long_texts_to_all, task_views};
use crate::request::{Answer, Request, RequestKey};
use orch_plan::{PlanError, PlanFile, PlanReadError};

/// Adds the tasks of a plan, or changes those that exist.
#[derive(Debug, Serialize)]
pub struct AddPlan {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The text of the plan file.
    pub text: String,
    /// The plan, with the contents of every `spec_file`.
    #[serde(serialize_with = "serialize_plan")]
    pub plan: TaskPlan,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

/// Serialises what the text of the plan does not hold.
fn serialize_plan<S: Serializer>(plan: &TaskPlan, serializer: S) -> Result<S::Ok, S::Error> {
    let specs: Vec<&str> = plan.tasks.iter().filter_map(|task| task.task.text.spec.as_deref()).collect();
    (plan.update, plan.dry_run, plan.prune, specs).serialize(serializer)
}

/// How a plan is added.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanManner {
    /// Changes the tasks that exist.
    pub update: bool,
    /// Cancels the tasks that the plan lacks.
    pub prune: bool,
    /// Changes nothing.
    pub dry_run: bool,
    /// Answers with the long texts.
    pub full: bool,
}

impl App<'_> {
    /// Reads the plan of a file and returns the request that adds it; the path `-` reads `stdin`.
    ///
    /// # Errors
    /// The file cannot be read, the plan is invalid, or it names another run than the call.
    pub fn read_plan(
        &mut self,
        path: &Path,
        stdin: &mut dyn std::io::Read,
        manner: PlanManner,
    ) -> Result<AddPlan, AppError> {
        let agent = self.calling_lead()?;
        if path.as_os_str() != "-" {
            self.require_outside_attempts(path)?;
        }
        let text = orch_plan::read_plan(path, stdin).map_err(|error| read_error(&error))?;
        let PlanFile { mut plan, run_name, specs_outside, .. } =
            text.parse(manner.update || manner.prune, manner.dry_run).map_err(|error| plan_error(&error))?;
        self.warn_about_specs(&specs_outside);
        plan.prune = manner.prune;
        if plan.prune && plan.tasks.is_empty() {
            let message = "The plan has no tasks, so --prune would cancel every task of the run.";
            return Err(AppError::invalid_argument("--prune", message).with_hint("orch run cancel --help"));
        }
        let run = self.resolve_run_or(run_name.as_ref())?;
        Ok(AddPlan { agent, run, text: text.into_text(), plan, full: manner.full })
    }

    /// Warns of specs that a plan takes from elsewhere, because workers and their providers read them.
    pub(in crate::orch) fn warn_about_specs(&mut self, outside: &[String]) {
        if !outside.is_empty() {
            let names = join_names(outside.iter().map(String::as_str));
            self.add_warning(format!("The plan takes specs from files outside its folder: {names}."));
        }
    }
}

impl Request for AddPlan {
    const COMMAND: &'static str = "orch task add";
    type View = PlanResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<PlanResponse> {
        if self.plan.tasks.is_empty() {
            app.add_warning("The plan has no tasks.");
        }
        let reply = app.change(key, plan_response, |session, receipt| {
            add_plan(session, receipt, &self.agent, self.run.as_ref(), &self.plan)
        });
        let mut reply = reply.map_err(|error| match error.code() {
            ErrorCode::RunNotFound => error.with_hint(self.init_command()),
            _ => error,
        })?;
        if reply.data.left_total > 0 {
            app.add_warning(left_warning(&reply.data));
        }
        if !self.plan.dry_run {
            add_long_texts_to_all(app.session()?, &mut reply.data.tasks, self.full)?;
        }
        Ok(reply)
    }
}

pub(crate) fn plan_response(planned: &PlanOutcome) -> PlanResponse {
    let changes = planned.changes.iter().map(|change| PlanChangeView {
        task: change.task.to_string(),
        change: change.kind.name().to_owned(),
        fields: change.fields.iter().map(ToString::to_string).collect(),
    });
    let left: Vec<PlanRemainderView> = planned.left.iter().map(remainder_view).collect();
    let mut next: Vec<String> = left.iter().filter_map(|left| left.next.clone()).take(NEXT_SHOWN).collect();
    next.dedup();
    PlanResponse {
        added: planned.added,
        changed: planned.changed,
        dependencies: planned.dependencies,
        levels: planned.levels,
        ready: planned.ready,
        pruned: planned.pruned,
        tasks: task_views(&planned.tasks),
        changes: changes.collect(),
        left,
        left_total: planned.left_total,
        next,
    }
}

/// How many next commands an answer has.
const NEXT_SHOWN: usize = 3;

fn remainder_view(left: &PlanRemainder) -> PlanRemainderView {
    let (task, state) = (&left.task, left.state.name());
    let (reason, next) = match left.state {
        TaskState::Done => (format!("Task {task} is done."), Some(format!("orch task redo {task}"))),
        TaskState::Failed | TaskState::Cancelled => {
            let what =
                if left.fields.is_empty() { "the plan lacks it" } else { "its changes were not taken" };
            let spec = if left.fields.contains(&"spec") { " --spec TEXT" } else { "" };
            (format!("Task {task} is {state}; {what}."), Some(format!("orch task retry {task}{spec}")))
        }
        _ => (format!("Task {task} has a live attempt ({state})."), Some(format!("orch task show {task}"))),
    };
    PlanRemainderView {
        task: task.to_string(),
        state: left.state.into(),
        fields: left.fields.iter().map(ToString::to_string).collect(),
        reason,
        next,
    }
}

/// Returns the warning about tasks that are not as the plan wants them.
pub(crate) fn left_warning(planned: &PlanResponse) -> String {
    let shown = planned.left.iter().take(NEXT_SHOWN).map(|left| {
        let fields =
            if left.fields.is_empty() { String::new() } else { format!(": {}", left.fields.join(" ")) };
        format!("{} ({}{fields})", left.task, left.state.0.name())
    });
    let more = planned.left_total.saturating_sub(NEXT_SHOWN as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "Not as the plan has them, because of their states: {}{more}.",
        shown.collect::<Vec<_>>().join(", ")
    )
}

impl AddPlan {
    /// Returns the command that creates the plan's run: a plan changes a run and does not create it.
    fn init_command(&self) -> String {
        let title = self.plan.run.title.as_deref().map_or("TITLE".into(), shell::quote_word);
        let name = self.run.as_ref().map(|name| format!(" --name {name}")).unwrap_or_default();
        format!("orch run init {title}{name}")
    }
}

/// Converts an error in a plan's text.
pub(crate) fn plan_error(error: &PlanError) -> AppError {
    let PlanError { line, field, problem } = error;
    let message = match field {
        // A problem that the deserializer found is a clause of its own; the others continue the field's name.
        Some(field) if problem.starts_with("invalid ") || problem.starts_with("a ") => {
            format!("Line {line} of the plan: {field}: {problem}.")
        }
        Some(field) => format!("Line {line} of the plan: {field} {problem}."),
        None => format!("Line {line} of the plan: {problem}."),
    };
    ErrorView::new(ErrorCode::InvalidArgument, message)
        .with_detail("argument", "--file")
        .with_detail("line", *line)
        .with_detail("field", field.clone())
        .into()
}

/// Converts an error of a plan that cannot be read.
pub(crate) fn read_error(error: &PlanReadError) -> AppError {
    let text = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let mut view =
        ErrorView::new(ErrorCode::InvalidArgument, error_sentence(&text)).with_detail("argument", "--file");
    if let PlanReadError::NotText { line, .. } = error {
        view = view.with_detail("line", *line);
    }
    view.into()
}
