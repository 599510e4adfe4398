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

pub(crate) use rules::dollars;

use clap::Subcommand;
use orch_contract::Run;
use orch_contract::orch::run::RunAnswer;
use orch_core::id::Slug;
use orch_scheduler::run::{Verb, change};

pub(super) use init::max_attempts;

use super::naming::NamedRun;
use crate::arguments::{Repeatable, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Make, list and steer runs
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Box<init::Args>),
    List(list::Args),
    Show(show::Args),
    Edit(Box<edit::Args>),
    Pause(pause::Args),
    Resume(resume::Args),
    Cancel(cancel::Args),
    Rm(rm::Args),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    match args.command {
        Command::Init(args) => init::run(*args, context),
        Command::List(args) => list::run(&args, context),
        Command::Show(args) => show::run(&args, context, run),
        Command::Edit(args) => edit::run(&args, context, run),
        Command::Pause(args) => pause::run(&args, context, run),
        Command::Resume(args) => resume::run(&args, context, run),
        Command::Cancel(args) => cancel::run(&args, context, run),
        Command::Rm(args) => rm::run(&args, context, run),
    }
}

/// Which run, named in place, and how the change is repeated.
#[derive(Debug, clap::Args)]
struct Which {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Pauses, resumes or cancels.
fn steer(which: &Which, verb: Verb, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.or(which.named.as_ref(), context)?;
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).maybe("run", run.as_ref());
    let reply = context.change(
        &which.repeatable,
        fingerprint,
        |run| RunAnswer { run: Run::of(run) },
        |session, receipt| change(session, receipt, &who, run.as_ref(), verb),
    )?;
    Ok(reply.into())
}
