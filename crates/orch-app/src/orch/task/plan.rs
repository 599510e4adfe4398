//! `orch task add --file`: adds a whole plan, all tasks or none.

use std::error::Error as _;
use std::path::Path;

use orch_contract::orch::plan::PlanResponse;
use orch_contract::{ErrorCode, ErrorView};
use orch_core::escape::join_names;
use orch_core::id::Slug;
use orch_core::shell;
use orch_scheduler::plan::{PlanOutcome, TaskPlan, add_plan};
use serde::{Serialize, Serializer};

use crate::app::App;
use crate::error::{AppError, error_sentence};
use crate::orch::view::{add_long_texts_to_all, task_views};
use crate::plan_file::{self, PlanError, PlanFile, PlanReadError};
use crate::request::{Answer, Request, RequestKey};

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
    (plan.update, plan.dry_run, specs).serialize(serializer)
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
        (update, dry_run, full): (bool, bool, bool),
    ) -> Result<AddPlan, AppError> {
        let agent = self.calling_lead()?;
        if path.as_os_str() != "-" {
            self.require_outside_attempts(path)?;
        }
        let text = plan_file::read_plan(path, stdin).map_err(|error| read_error(&error))?;
        let PlanFile { plan, run_name, specs_outside, .. } =
            text.parse(update, dry_run).map_err(|error| plan_error(&error))?;
        self.warn_about_specs(&specs_outside);
        let run = self.resolve_run_or(run_name.as_ref())?;
        Ok(AddPlan { agent, run, text: text.into_text(), plan, full })
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
        let view = |planned: &PlanOutcome| PlanResponse {
            added: planned.added,
            changed: planned.changed,
            dependencies: planned.dependencies,
            levels: planned.levels,
            ready: planned.ready,
            tasks: task_views(&planned.tasks),
        };
        let reply = app.change(key, view, |session, receipt| {
            add_plan(session, receipt, &self.agent, self.run.as_ref(), &self.plan)
        });
        let mut reply = reply.map_err(|error| match error.code() {
            ErrorCode::RunNotFound => error.with_hint(self.init_command()),
            _ => error,
        })?;
        if !self.plan.dry_run {
            add_long_texts_to_all(app.session()?, &mut reply.data.tasks, self.full)?;
        }
        Ok(reply)
    }
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
