//! `orch task add`: one task, or a whole plan with `--file`.

use std::path::PathBuf;

use orch_app::naming::{keys_of_one_run, parse_task};
use orch_app::orch::task::add::AddTask;
use orch_app::orch::task::plan::PlanManner;
use orch_app::values::{parse_max_attempts, parse_message_id, parse_priority, parse_review, parse_slug};
use orch_app::{AppError, TaskSelector};
use orch_core::id::{MessageId, Slug};
use orch_core::limit;
use orch_core::run::ReviewPolicy;
use orch_core::task::{NewTask, TaskText};

use crate::arguments::ChangeOptions;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Add a task to a run, or a whole plan of tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct TaskAddArgs {
    /// The title, one line; `-` reads stdin
    #[arg(required_unless_present_any = ["file", "suggestion"], allow_hyphen_values = true)]
    title: Option<String>,
    /// Take the task that this message suggests; options given here replace its fields
    #[arg(long = "from", id = "suggestion", value_name = "MESSAGE", value_parser = parse_message_id)]
    suggestion: Option<MessageId>,
    /// The task's key in its run [default: t1, t2, …]
    #[arg(long, value_name = "KEY", value_parser = parse_slug)]
    key: Option<Slug>,
    /// The full specification of the work; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    spec: Option<String>,
    /// Read the spec from a file
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    spec_file: Option<PathBuf>,
    /// 0 is the most urgent, 4 the least
    #[arg(long, value_name = "0-4", default_value_t = limit::PRIORITY_DEFAULT, value_parser = parse_priority)]
    priority: u8,
    /// A task that this one depends on; may be repeated
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = parse_task)]
    after: Vec<TaskSelector>,
    /// An acceptance criterion, in words; may be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    accept: Vec<String>,
    /// A command that checks the work; may be repeated
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    verify: Vec<String>,
    /// A label; may be repeated
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',', value_parser = parse_slug)]
    labels: Vec<Slug>,
    /// The agent to dispatch it to
    #[arg(long, value_name = "AGENT", value_parser = parse_slug)]
    agent: Option<Slug>,
    /// The maximum number of failed attempts [default: the run's limit]
    #[arg(long, value_name = "N", value_parser = parse_max_attempts)]
    max_attempts: Option<u32>,
    /// Which of its attempts wait after their checks until `orch accept` or `orch reject`: none, all, or those that change protected files [default: the run's]
    #[arg(long, value_name = "WHICH", value_parser = parse_review)]
    review: Option<ReviewPolicy>,
    /// Let an attempt report without a commit
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    plan: PlanOptions,
    #[command(flatten)]
    manner: ChangeOptions,
}

/// The options of a plan.
#[derive(Debug, clap::Args)]
struct PlanOptions {
    /// Add the tasks of a plan file, all or nothing; `-` reads JSON lines from stdin
    #[arg(short, long, value_name = "PLAN", conflicts_with_all = ["title", "suggestion", "key", "spec", "spec_file", "priority", "after",
        "accept", "verify", "labels", "agent", "max_attempts", "allow_empty", "review"])]
    file: Option<PathBuf>,
    /// Validate the plan, print the result and change nothing
    #[arg(long, requires = "file", conflicts_with = "title")]
    dry_run: bool,
    /// Update tasks whose keys exist; live and finished ones are left as they are, and the answer names them
    #[arg(long, requires = "file", conflicts_with = "title")]
    update: bool,
    /// Print what --update would change, what it would leave out and why, and change nothing
    #[arg(long, requires = "file", conflicts_with = "title")]
    diff: bool,
    /// Update, and cancel the tasks that the plan lacks; live, reported and done ones stay
    #[arg(long, requires = "file", conflicts_with = "title")]
    prune: bool,
}

const EXAMPLE: &str = "\
EXAMPLES:
  orch task add 'Write the parser' --key parser --after schema --spec - <<'EOF'
  Parse the new format as `docs/format.md` says.
  EOF
  orch task add --file plan.jsonl --dry-run
  orch task add --from m-12 --priority 1

A plan is JSON lines, one JSON document or TOML. In JSON lines the first line may be the run:
  {\"run\": {\"title\": \"Ship\", \"max_active\": 4}}
  {\"key\": \"a\", \"title\": \"First\"}
  {\"key\": \"b\", \"title\": \"Second\", \"after\": [\"a\"], \"spec_file\": \"specs/b.md\"}
A task has: key title spec spec_file after priority accept verify labels agent max_attempts allow_empty review.";

pub(super) fn run(args: TaskAddArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    if let Some(file) = &args.plan.file {
        let manner = PlanManner {
            update: args.plan.update || args.plan.diff,
            prune: args.plan.prune,
            dry_run: args.plan.dry_run || args.plan.diff,
            full: args.manner.detail.full,
        };
        let request = context.app().read_plan(file, &mut std::io::stdin().lock(), manner)?;
        return context.answer(&request, &args.manner.repeatable);
    }
    let agent = context.app().calling_lead()?;
    let mut args = args;
    let mut run = context.app().resolve_run()?;
    let mut suggested_spec = None;
    if let Some(message) = args.suggestion {
        let suggested = context.app().find_suggestion(message)?;
        run = run.or(suggested.run);
        args.title.get_or_insert(suggested.title);
        suggested_spec = suggested.spec;
        if args.after.is_empty() {
            args.after = suggested.after.into_iter().map(|key| TaskSelector { run: None, key }).collect();
        }
    }
    let (run, after) = keys_of_one_run(run, &args.after, "--after")?;
    let title = context.text_source().read_title("TITLE", args.title.as_deref())?;
    let given_spec =
        context.text_source().read_text("--spec", args.spec.as_deref(), args.spec_file.as_deref())?;
    let spec = given_spec.or(suggested_spec);
    let task = NewTask {
        key: args.key,
        title,
        text: TaskText {
            spec,
            accept: args.accept,
            verify: args.verify,
            review: args.review,
            conflict: None,
        },
        priority: args.priority,
        labels: args.labels,
        agent: args.agent,
        max_attempts: args.max_attempts,
        allow_empty: args.allow_empty,
        after,
    };
    context.answer(&AddTask { agent, run, task, full: args.manner.detail.full }, &args.manner.repeatable)
}
