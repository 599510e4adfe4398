//! `orch task add`: one task; with `--file` a plan, see [`super::plan`].

use std::path::PathBuf;

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::{NewTask, TaskText};
use orch_scheduler::TaskSelector;
use orch_scheduler::task::add_task;

use super::{ChangeOptions, plan, run_task_change};
use crate::arguments::{parse_priority, parse_slug};
use crate::context::CommandRuntime;
use crate::orch::naming::NamedRun;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming::{keys_of_one_run, parse_task};
use orch_app::values::parse_max_attempts;

/// Add a task to a run, or a whole plan of tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct TaskAddArgs {
    /// The title, one line; `-` reads stdin
    #[arg(required_unless_present = "file", allow_hyphen_values = true)]
    title: Option<String>,
    /// The task's key in its run [default: t1, t2, …]
    #[arg(long, value_name = "KEY", value_parser = parse_slug)]
    key: Option<Slug>,
    /// The full specification of the work; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
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
    /// Let an attempt report without a commit
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    plan: plan::PlanOptions,
    #[command(flatten)]
    manner: ChangeOptions,
}

const EXAMPLE: &str = "\
EXAMPLES:
  orch task add 'Write the parser' --key parser --after schema --spec - <<'EOF'
  Parse the new format as `docs/format.md` says.
  EOF
  orch task add --file plan.jsonl --dry-run

A plan is JSON lines, one JSON document or TOML. In JSON lines the first line may be the run:
  {\"run\": {\"title\": \"Ship\", \"max_active\": 4}}
  {\"key\": \"a\", \"title\": \"First\"}
  {\"key\": \"b\", \"title\": \"Second\", \"after\": [\"a\"], \"spec_file\": \"specs/b.md\"}
A task has: key title spec spec_file after priority accept verify labels agent max_attempts allow_empty.";

pub(super) fn run(
    args: TaskAddArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    if args.plan.file.is_some() {
        return plan::run(&args.plan, &args.manner, &who, context, run);
    }
    let (run, after) = keys_of_one_run(run.resolve_run(context)?, &args.after, "--after")?;
    let task = NewTask {
        key: args.key,
        title: context.text_source().read_title("TITLE", args.title.as_deref())?,
        text: TaskText {
            spec: context.text_source().read_text(
                "--spec",
                args.spec.as_deref(),
                args.spec_file.as_deref(),
            )?,
            accept: args.accept,
            verify: args.verify,
        },
        priority: args.priority,
        labels: args.labels,
        agent: args.agent,
        max_attempts: args.max_attempts,
        allow_empty: args.allow_empty,
        after,
    };
    let fingerprint = task_add_fingerprint(context, &who, run.as_ref(), &task);
    run_task_change(context, &args.manner, fingerprint, |session, receipt| {
        add_task(session, receipt, &who, run.as_ref(), &task)
    })
}

fn task_add_fingerprint(
    context: &CommandRuntime<'_>,
    who: &Slug,
    run: Option<&Slug>,
    task: &NewTask,
) -> RequestFingerprint {
    RequestFingerprint::for_command(context.command())
        .with_argument("as", who)
        .with_optional("run", run)
        .with_argument("title", &task.title)
        .with_optional("key", task.key.as_ref())
        .with_optional("spec", task.text.spec.as_ref())
        .with_argument("priority", task.priority)
        .with_list("after", &task.after)
        .with_list("accept", &task.text.accept)
        .with_list("verify", &task.text.verify)
        .with_list("label", &task.labels)
        .with_optional("agent", task.agent.as_ref())
        .with_optional("max-attempts", task.max_attempts)
        .with_argument("allow-empty", task.allow_empty)
}
