//! `orch task add --file`: a whole plan, all or nothing.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use orch_contract::orch::plan::PlanResponse;
use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::Slug;
use orch_core::shell;
use orch_scheduler::plan::{PlanOutcome, TaskPlan, add_plan};

use super::ChangeOptions;
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::orch::view;
use orch_app::plan_file::{self, PlanError, PlanFile, PlanReadError};

/// The options of a plan.
#[derive(Debug, clap::Args)]
pub(super) struct PlanOptions {
    /// Add the tasks of a plan file, all or nothing; `-` reads JSON lines from stdin
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["title", "key", "spec", "spec_file", "priority", "after",
        "accept", "verify", "labels", "agent", "max_attempts", "allow_empty"])]
    pub(super) file: Option<PathBuf>,
    /// Validate the plan, print the result and change nothing
    #[arg(long, requires = "file", conflicts_with = "title")]
    dry_run: bool,
    /// Update tasks whose keys exist; live and finished tasks are never changed
    #[arg(long, requires = "file", conflicts_with = "title")]
    update: bool,
}

pub(super) fn run(
    options: &PlanOptions,
    manner: &ChangeOptions,
    who: &Slug,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let text =
        plan_file::read_plan(path, &mut std::io::stdin().lock()).map_err(|error| read_failure(&error))?;
    let PlanFile { plan, run_name, .. } =
        text.parse(options.update, options.dry_run).map_err(|error| plan_failure(&error))?;
    let run = run.resolve_run_or(run_name.as_ref(), context)?;
    let beginning = begin_run_command(plan.run.title.as_deref(), run.as_ref());
    if plan.tasks.is_empty() {
        context.add_warning("The plan has no tasks.");
    }
    let fingerprint = plan_fingerprint(context, manner, who, run.as_ref(), (&plan, text.text()));
    let reply = context.run_change(
        &manner.repeatable,
        fingerprint,
        |planned: &PlanOutcome| PlanResponse {
            added: planned.added,
            changed: planned.changed,
            dependencies: planned.dependencies,
            levels: planned.levels,
            ready: planned.ready,
            tasks: view::task_views(&planned.tasks),
        },
        |session, receipt| add_plan(session, receipt, who, run.as_ref(), &plan),
    );
    let mut reply = reply.map_err(|failure| match failure.code() {
        ErrorCode::RunNotFound => failure.with_hint(beginning),
        _ => failure,
    })?;
    if !options.dry_run {
        view::add_long_texts_to_all(context.open_session()?, &mut reply.data.tasks, manner.detail.full)?;
    }
    Ok(reply.into())
}

/// The digest of the request. It costs a pass over the whole plan, so it is made only where it is asked for.
fn plan_fingerprint(
    context: &CommandRuntime<'_>,
    manner: &ChangeOptions,
    who: &Slug,
    run: Option<&Slug>,
    (plan, text): (&TaskPlan, &str),
) -> RequestFingerprint {
    let fingerprint = RequestFingerprint::for_command(context.command());
    if manner.repeatable.request_id.is_none() {
        return fingerprint;
    }
    // What a `spec_file` held belongs to the request as well.
    let specs: Vec<&str> = plan.tasks.iter().filter_map(|task| task.task.text.spec.as_deref()).collect();
    fingerprint
        .with_argument("as", who)
        .with_optional("run", run)
        .with_argument("plan", text)
        .with_list("specs", &specs)
        .with_argument("update", plan.update)
        .with_argument("dry-run", plan.dry_run)
}

/// How to begin the run that a plan is for: a plan changes its run, and does not make it.
fn begin_run_command(title: Option<&str>, name: Option<&Slug>) -> String {
    let title = title.map_or("TITLE".into(), shell::quote_word);
    let name = name.map(|name| format!(" --name {name}")).unwrap_or_default();
    format!("orch run init {title}{name}")
}

/// What is wrong with a plan, with line and field.
pub(in crate::orch) fn plan_failure(error: &PlanError) -> AppError {
    let PlanError { line, field, problem } = error;
    let message = match field {
        // The reader's own accounts are clauses by themselves; ours go on from the field's name.
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

pub(in crate::orch) fn read_failure(error: &PlanReadError) -> AppError {
    let message = match error.source() {
        Some(source) => format!("{}: {source}.", read_error_sentence(error)),
        None => format!("{}.", read_error_sentence(error)),
    };
    let mut view = ErrorView::new(ErrorCode::InvalidArgument, message).with_detail("argument", "--file");
    if let PlanReadError::NotText { line, .. } = error {
        view = view.with_detail("line", *line);
    }
    view.into()
}

fn read_error_sentence(error: &PlanReadError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
