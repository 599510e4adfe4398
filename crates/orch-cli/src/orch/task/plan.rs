//! `orch task add --file`: a whole plan, all or nothing.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use orch_contract::orch::plan::PlanAnswer;
use orch_contract::{Code, ErrorView};
use orch_core::id::Slug;
use orch_core::shell;
use orch_scheduler::plan::{Plan, Planned, add};

use super::Manner;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::NamedRun;
use crate::orch::view;
use crate::plan_file::{self, PlanError, PlanFile, ReadError};
use crate::respond::Outcome;

/// The options of a plan.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Add the tasks of a plan, all or none; `-` reads JSON lines from stdin
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["title", "key", "spec", "spec_file", "priority", "after",
        "accept", "verify", "labels", "agent", "max_attempts", "allow_empty"])]
    pub(super) file: Option<PathBuf>,
    /// Say what the plan would come to and keep nothing
    #[arg(long, requires = "file", conflicts_with = "title")]
    dry_run: bool,
    /// Change tasks whose keys are there already; live and finished ones are left alone
    #[arg(long, requires = "file", conflicts_with = "title")]
    update: bool,
}

pub(super) fn run(
    options: &Options,
    manner: &Manner,
    who: &Slug,
    context: &mut Context<'_>,
    run: &NamedRun,
) -> Result<Outcome, Failure> {
    let path = options.file.as_deref().unwrap_or(Path::new("-"));
    let text = plan_file::read(path, &mut std::io::stdin().lock()).map_err(|error| unreadable(&error))?;
    let PlanFile { plan, run_name, .. } =
        text.parse(options.update, options.dry_run).map_err(|error| refused(&error))?;
    let run = run.or(run_name.as_ref(), context)?;
    let beginning = begin(plan.run.title.as_deref(), run.as_ref());
    if plan.tasks.is_empty() {
        context.warn("The plan has no tasks.");
    }
    let fingerprint = fingerprint(context, manner, who, run.as_ref(), (&plan, text.text()));
    let reply = context.change(
        &manner.repeatable,
        fingerprint,
        |planned: &Planned| PlanAnswer {
            added: planned.added,
            changed: planned.changed,
            dependencies: planned.dependencies,
            levels: planned.levels,
            ready: planned.ready,
            tasks: view::briefs(&planned.tasks),
        },
        |session, receipt| add(session, receipt, who, run.as_ref(), &plan),
    );
    let mut reply = reply.map_err(|failure| match failure.code() {
        Code::RunNotFound => failure.hint(beginning),
        _ => failure,
    })?;
    if !options.dry_run {
        view::widen_all(context.session()?, &mut reply.data.tasks, manner.detail.full)?;
    }
    Ok(reply.into())
}

/// The digest of the request. It costs a pass over the whole plan, so it is made only where it is asked for.
fn fingerprint(
    context: &Context<'_>,
    manner: &Manner,
    who: &Slug,
    run: Option<&Slug>,
    (plan, text): (&Plan, &str),
) -> Fingerprint {
    let fingerprint = Fingerprint::of(context.command());
    if manner.repeatable.request_id.is_none() {
        return fingerprint;
    }
    // What a `spec_file` held belongs to the request as well.
    let specs: Vec<&str> = plan.tasks.iter().filter_map(|task| task.task.text.spec.as_deref()).collect();
    fingerprint
        .with("as", who)
        .maybe("run", run)
        .with("plan", text)
        .list("specs", &specs)
        .with("update", plan.update)
        .with("dry-run", plan.dry_run)
}

/// How to begin the run that a plan is for: a plan changes its run, and does not make it.
fn begin(title: Option<&str>, name: Option<&Slug>) -> String {
    let title = title.map_or("TITLE".into(), shell::quoted);
    let name = name.map(|name| format!(" --name {name}")).unwrap_or_default();
    format!("orch run init {title}{name}")
}

/// What is wrong with a plan, with line and field.
pub(in crate::orch) fn refused(error: &PlanError) -> Failure {
    let PlanError { line, field, problem } = error;
    let message = match field {
        // The reader's own accounts are clauses by themselves; ours go on from the field's name.
        Some(field) if problem.starts_with("invalid ") || problem.starts_with("a ") => {
            format!("Line {line} of the plan: {field}: {problem}.")
        }
        Some(field) => format!("Line {line} of the plan: {field} {problem}."),
        None => format!("Line {line} of the plan: {problem}."),
    };
    ErrorView::new(Code::InvalidArgument, message)
        .detail("argument", "--file")
        .detail("line", *line)
        .detail("field", field.clone())
        .into()
}

pub(in crate::orch) fn unreadable(error: &ReadError) -> Failure {
    let message = match error.source() {
        Some(source) => format!("{}: {source}.", sentence(error)),
        None => format!("{}.", sentence(error)),
    };
    let mut view = ErrorView::new(Code::InvalidArgument, message).detail("argument", "--file");
    if let ReadError::NotText { line, .. } = error {
        view = view.detail("line", *line);
    }
    view.into()
}

fn sentence(error: &ReadError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
