//! `orch task edit`.

use std::path::PathBuf;

use orch_app::naming::parse_task;
use orch_app::orch::task::edit::EditTask;
use orch_app::values::{parse_max_attempts, parse_priority, parse_review, parse_slug};
use orch_app::{AppError, TaskSelector};
use orch_core::id::Slug;
use orch_core::run::ReviewPolicy;
use orch_core::task::TaskEdit;

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Change a task
///
/// While it has a live attempt, only its title, priority and labels can change.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct TaskEditArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task)]
    task: TaskSelector,
    /// The title, one line; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    title: Option<String>,
    /// The full specification of the work; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    spec: Option<String>,
    /// Read the spec from a file
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    spec_file: Option<PathBuf>,
    /// 0 is the most urgent, 4 the least
    #[arg(long, value_name = "0-4", value_parser = parse_priority)]
    priority: Option<u8>,
    /// An acceptance criterion, replacing all earlier ones; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    accept: Vec<String>,
    /// Remove all acceptance criteria
    #[arg(long, conflicts_with = "accept")]
    no_accept: bool,
    /// A command that checks the work, replacing all earlier ones; may be repeated
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    verify: Vec<String>,
    /// Remove all checks of the task
    #[arg(long, conflicts_with = "verify")]
    no_verify: bool,
    /// A label, replacing all earlier ones; may be repeated
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',', value_parser = parse_slug)]
    labels: Vec<Slug>,
    /// Remove all labels
    #[arg(long, conflicts_with = "labels")]
    no_label: bool,
    /// The agent to dispatch it to
    #[arg(long, value_name = "AGENT", value_parser = parse_slug)]
    agent: Option<Slug>,
    /// Remove the agent
    #[arg(long, conflicts_with = "agent")]
    no_agent: bool,
    /// The maximum number of failed attempts
    #[arg(long, value_name = "N", value_parser = parse_max_attempts)]
    max_attempts: Option<u32>,
    /// Which of its attempts wait after their checks until `orch accept` or `orch reject`: none, all, or those that change protected files [default: the run's]
    #[arg(long, value_name = "WHICH", value_parser = parse_review)]
    review: Option<ReviewPolicy>,
    /// Let an attempt report without a commit
    #[arg(long)]
    allow_empty: bool,
    /// Require a commit from every attempt
    #[arg(long, conflicts_with = "allow_empty")]
    no_allow_empty: bool,
    #[command(flatten)]
    manner: ChangeOptions,
}

const EXAMPLE: &str = "\
EXAMPLE:
  orch task edit parser --priority 0 --spec - <<'EOF'
  Parse the new format, and the old one too.
  EOF";

pub(super) fn run(args: TaskEditArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let task = context.app().resolve_task(args.task)?;
    let title = args.title.as_deref().map(|title| context.text_source().read_title("--title", Some(title)));
    let edit = TaskEdit {
        title: title.transpose()?,
        priority: args.priority,
        labels: replacement_list(args.labels, args.no_label),
        spec: context.text_source().read_text("--spec", args.spec.as_deref(), args.spec_file.as_deref())?,
        accept: replacement_list(args.accept, args.no_accept),
        verify: replacement_list(args.verify, args.no_verify),
        agent: args.agent.map(Some).or(args.no_agent.then_some(None)),
        max_attempts: args.max_attempts,
        allow_empty: args.allow_empty.then_some(true).or(args.no_allow_empty.then_some(false)),
        review: args.review,
    };
    context.answer(&EditTask { agent, task, edit, full: args.manner.detail.full }, &args.manner.repeatable)
}

/// Returns the list that replaces the old one; `none` replaces it by an empty list.
fn replacement_list<T>(list: Vec<T>, none: bool) -> Option<Vec<T>> {
    if list.is_empty() && !none { None } else { Some(list) }
}
