//! The program `orch`: one file per command, groups as folders.

pub mod accept;
pub mod ack;
pub mod agents;
pub mod answer;
pub mod blocked;
pub mod brief;
pub mod demo;
pub mod dep;
pub mod diff;
pub mod dispatch;
pub mod doctor;
pub mod drive;
pub mod events;
pub mod graph;
pub mod init;
pub mod integrate;
pub mod land;
pub mod log;
pub mod meter;
mod naming;
#[cfg(test)]
mod parity;
pub mod prime;
pub mod ps;
pub mod ready;
pub mod recall;
pub mod reconcile;
pub mod reject;
pub mod report;
pub mod request;
pub mod run;
pub mod status;
pub mod stop;
pub mod task;
pub mod tell;
pub mod timeline;
pub mod verify;
mod view;
pub mod wait;
pub mod why;
pub mod worktree;

pub(crate) use run::dollars;

use clap::{Parser, Subcommand};
use orch_core::id::Slug;

use crate::arguments::{GLOBAL, Globals, slug};
use crate::context::{Context, Identity};
use crate::entry::Program;
use crate::failure::Failure;
use crate::respond::Outcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};

/// Plan a goal as a graph of tasks, dispatch them to workers, follow what they report
///
/// A lead makes a run, adds tasks and dependencies, and dispatches what is ready to workers' inboxes.
/// Workers use the program `inbox`.
#[derive(Debug, Parser)]
#[command(name = "orch", version, arg_required_else_help = true)]
#[command(after_help = EXAMPLE)]
pub struct Orch {
    #[command(flatten)]
    globals: Globals,
    /// Which run is meant; the only unfinished one when not given [env: ORCH_RUN]
    #[arg(long, global = true, value_name = "RUN", value_parser = slug, help_heading = GLOBAL)]
    run: Option<Slug>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLE: &str = "\
EXAMPLES:
  orch run init 'Ship the parser'
  orch task add 'Write it' --key write
  orch task add 'Test it' --key test --after write
  orch dispatch --all --to w1,w2
  orch wait

An agent learns both programs by `orch prime`.";

#[derive(Debug, Subcommand)]
// A command's options are built when it is met: building those of all took longer than reading the store.
#[command(defer = true)]
enum Command {
    Init(init::Args),
    Doctor(doctor::Args),
    Run(run::Args),
    Task(task::Args),
    Dep(dep::Args),
    Ready(ready::Args),
    Dispatch(dispatch::Args),
    Recall(recall::Args),
    Tell(tell::Args),
    Reconcile(reconcile::Args),
    Verify(verify::Args),
    Accept(accept::Args),
    Reject(reject::Args),
    Integrate(integrate::Args),
    Land(land::Args),
    Diff(diff::Args),
    Report(report::Args),
    Drive(Box<drive::Args>),
    Ps(ps::Args),
    Stop(stop::Args),
    Worktree(worktree::Args),
    Blocked(blocked::Args),
    Answer(answer::Args),
    Status(status::Args),
    Why(why::Args),
    Wait(wait::Args),
    Ack(ack::Args),
    Events(events::Args),
    Brief(brief::Args),
    Log(log::Args),
    Meter(meter::Args),
    Timeline(timeline::Args),
    Agents(agents::Args),
    Graph(graph::Args),
    Request(request::Args),
    Prime(prime::Args),
    Demo(demo::Args),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

impl Program for Orch {
    const IDENTITY: Identity =
        Identity { program: "orch", agent_variable: "ORCH_AGENT", agent_default: Some("lead") };

    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(self, context: &mut Context<'_>) -> Result<Outcome, Failure> {
        let run = naming::NamedRun { option: self.run };
        match self.command {
            Command::Init(args) => init::run(&args, context),
            Command::Doctor(args) => doctor::run(&args, context),
            Command::Run(args) => run::run(args, context, &run),
            Command::Task(args) => task::run(args, context, &run),
            Command::Dep(args) => dep::run(args, context, &run),
            Command::Ready(args) => ready::run(&args, context, &run),
            Command::Dispatch(args) => dispatch::run(args, context, &run),
            Command::Recall(args) => recall::run(args, context, &run),
            Command::Tell(args) => tell::run(args, context, &run),
            Command::Reconcile(args) => reconcile::run(&args, context, &run),
            Command::Verify(args) => verify::run(args, context, &run),
            Command::Accept(args) => accept::run(args, context, &run),
            Command::Reject(args) => reject::run(args, context, &run),
            Command::Integrate(args) => integrate::run(&args, context, &run),
            Command::Land(args) => land::run(args, context, &run),
            Command::Diff(args) => diff::run(args, context, &run),
            Command::Report(args) => report::run(&args, context, &run),
            Command::Drive(args) => drive::run(*args, context, &run),
            Command::Ps(args) => ps::run(&args, context, &run),
            Command::Stop(args) => stop::run(&args, context, &run),
            Command::Worktree(args) => worktree::run(args, context, &run),
            Command::Blocked(args) => blocked::run(&args, context, &run),
            Command::Answer(args) => answer::run(args, context, &run),
            Command::Status(args) => status::run(&args, context, &run),
            Command::Why(args) => why::run(args, context, &run),
            Command::Wait(args) => wait::run(args, context, &run),
            Command::Ack(args) => ack::run(&args, context, &run),
            Command::Events(args) => events::run(args, context, &run),
            Command::Brief(args) => brief::run(&args, context, &run),
            Command::Meter(args) => meter::run(&args, context, &run),
            Command::Log(args) => log::run(args, context, &run),
            Command::Timeline(args) => timeline::run(&args, context, &run),
            Command::Agents(args) => agents::run(&args, context, &run),
            Command::Graph(args) => graph::run(&args, context, &run),
            Command::Request(args) => request::run(args, context),
            Command::Demo(args) => demo::run(&args, context),
            Command::Prime(args) => prime::run(&args, context),
            Command::Schema(args) => {
                Ok(self_description::schema(&args, "orch", orch_contract::schema::orch_schemas())?.into())
            }
            Command::Completions(args) => Ok(self_description::completions(&args, Self::parser())),
            Command::Man(args) => self_description::man(&args, Self::parser()),
        }
    }
}
