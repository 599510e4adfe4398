//! `orch run …`: one goal with its limits.

mod cancel;
mod edit;
pub(super) mod init;
mod list;
mod pause;
mod resume;
mod rm;
mod rules;
mod show;

use clap::Subcommand;
use orch_contract::RunView;
use orch_contract::orch::run::RunResponse;
use orch_core::id::Slug;
use orch_scheduler::run::{RunAction, change_run};

use super::naming::NamedRun;
use crate::arguments::{RequestIdOption, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Make, list and steer runs
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct RunArgs {
    #[command(subcommand)]
    command: RunCommand,
}

#[derive(Debug, Subcommand)]
enum RunCommand {
    Init(Box<init::RunInitArgs>),
    List(list::RunListArgs),
    Show(show::RunShowArgs),
    Edit(Box<edit::RunEditArgs>),
    Pause(pause::RunPauseArgs),
    Resume(resume::RunResumeArgs),
    Cancel(cancel::RunCancelArgs),
    Rm(rm::RunRmArgs),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(
    args: RunArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    match args.command {
        RunCommand::Init(args) => init::run(*args, context),
        RunCommand::List(args) => list::run(&args, context),
        RunCommand::Show(args) => show::run(&args, context, run),
        RunCommand::Edit(args) => edit::run(&args, context, run),
        RunCommand::Pause(args) => pause::run(&args, context, run),
        RunCommand::Resume(args) => resume::run(&args, context, run),
        RunCommand::Cancel(args) => cancel::run(&args, context, run),
        RunCommand::Rm(args) => rm::run(&args, context, run),
    }
}

/// Which run, named in place, and how the change is repeated.
#[derive(Debug, clap::Args)]
struct RunSelector {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Pauses, resumes or cancels.
fn apply_run_verb(
    which: &RunSelector,
    verb: RunAction,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run_or(which.named.as_ref(), context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_optional("run", run.as_ref());
    let reply = context.run_change(
        &which.repeatable,
        fingerprint,
        |run| RunResponse { run: RunView::from_run(run) },
        |session, receipt| change_run(session, receipt, &who, run.as_ref(), verb),
    )?;
    Ok(reply.into())
}
