//! `orch task add`: one task; with `--file` a plan, see [`super::plan`].

use std::path::PathBuf;

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::{NewTask, TaskText};
use orch_scheduler::TaskRef;
use orch_scheduler::task::add;

use super::{Manner, answer, plan};
use crate::arguments::{priority, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::orch::naming::{NamedRun, of_one_run, task};
use crate::orch::run::max_attempts;
use crate::respond::Outcome;

/// Add a task to a run, or a whole plan of tasks
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// One line that says what the task is; `-` reads stdin
    #[arg(required_unless_present = "file", allow_hyphen_values = true)]
    title: Option<String>,
    /// The task's key in its run; t1, t2, … when not given
    #[arg(long, value_name = "KEY", value_parser = slug)]
    key: Option<Slug>,
    /// What to do, in full; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    spec: Option<String>,
    /// Read the spec from a file
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    spec_file: Option<PathBuf>,
    /// 0 is the most urgent, 4 the least
    #[arg(long, value_name = "0-4", default_value_t = limit::PRIORITY_DEFAULT, value_parser = priority)]
    priority: u8,
    /// A task that this one waits for; may be given several times
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = task)]
    after: Vec<TaskRef>,
    /// What must hold for the work to be good, in words; may be given several times
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    accept: Vec<String>,
    /// A command that judges the work; may be given several times
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    verify: Vec<String>,
    /// A name to find the task by; may be given several times
    #[arg(long = "label", value_name = "LABEL", value_delimiter = ',', value_parser = slug)]
    labels: Vec<Slug>,
    /// Who shall do it
    #[arg(long, value_name = "AGENT", value_parser = slug)]
    agent: Option<Slug>,
    /// How many failed attempts it may have; the run's limit when not given
    #[arg(long, value_name = "N", value_parser = max_attempts)]
    max_attempts: Option<u32>,
    /// Let an attempt report without a commit
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    plan: plan::Options,
    #[command(flatten)]
    manner: Manner,
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

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    if args.plan.file.is_some() {
        return plan::run(&args.plan, &args.manner, &who, context, run);
    }
    let (run, after) = of_one_run(run.settle(context)?, &args.after, "--after")?;
    let task = NewTask {
        key: args.key,
        title: context.texts().title("TITLE", args.title.as_deref())?,
        text: TaskText {
            spec: context.texts().read("--spec", args.spec.as_deref(), args.spec_file.as_deref())?,
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
    let fingerprint = fingerprint(context, &who, run.as_ref(), &task);
    answer(context, &args.manner, fingerprint, |session, receipt| {
        add(session, receipt, &who, run.as_ref(), &task)
    })
}

fn fingerprint(context: &Context<'_>, who: &Slug, run: Option<&Slug>, task: &NewTask) -> Fingerprint {
    Fingerprint::of(context.command())
        .with("as", who)
        .maybe("run", run)
        .with("title", &task.title)
        .maybe("key", task.key.as_ref())
        .maybe("spec", task.text.spec.as_ref())
        .with("priority", task.priority)
        .list("after", &task.after)
        .list("accept", &task.text.accept)
        .list("verify", &task.text.verify)
        .list("label", &task.labels)
        .maybe("agent", task.agent.as_ref())
        .maybe("max-attempts", task.max_attempts)
        .with("allow-empty", task.allow_empty)
}
