//! The program `inbox`: the transport's door, one file per command.

pub mod ack;
pub mod agents;
pub mod ask;
pub mod cancel;
pub mod claim;
pub mod done;
pub mod fail;
pub mod holder;
pub mod init;
pub mod list;
pub mod progress;
pub mod release;
pub mod renew;
pub mod reply;
pub mod run;
pub mod send;
pub mod show;
pub mod wait;
pub mod word;

use clap::{Parser, Subcommand};
use orch_contract::{Code, ErrorView};
use orch_process::afresh;

use crate::arguments::Globals;
use crate::context::{Context, Identity};
use crate::entry::Program;
use crate::failure::Failure;
use crate::respond::Outcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};
use crate::usage::NoCommand;

/// Send work to agents, claim it, report on it
///
/// inbox carries work and messages between agents. A sender sends work to an agent, or to a queue that
/// several agents share; a worker claims it under a lease, reports progress, asks questions, and closes it.
#[derive(Debug, Parser)]
#[command(
    name = "inbox",
    version,
    arg_required_else_help = true,
    after_help = "A WORKER'S DAY:\n  \
        inbox claim --for builders --as ana --wait\n  \
        inbox progress th-1 --token TOKEN 'Half done.' --percent 50\n  \
        inbox ask th-1 --token TOKEN 'Which port?' --option 80 --option 8080 --wait\n  \
        inbox done th-1 --token TOKEN --result - <<'EOF'\n  \
        It listens on 8080.\n  \
        EOF"
)]
pub struct Inbox {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
// A command's options are built when it is met: building those of all took longer than reading the store.
#[command(defer = true)]
enum Command {
    Init(init::Args),
    Send(send::Args),
    List(list::Args),
    Show(show::Args),
    Claim(claim::Args),
    Renew(renew::Args),
    Progress(progress::Args),
    Ask(ask::Args),
    Reply(reply::Args),
    Wait(wait::Args),
    Ack(ack::Args),
    Done(done::Args),
    Fail(fail::Args),
    Release(release::Args),
    Cancel(cancel::Args),
    Run(run::Args),
    Agents(agents::Args),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
    /// What an earlier image of this process has claimed.
    #[command(skip)]
    GoOn(Box<run::Kept>),
}

impl Program for Inbox {
    const IDENTITY: Identity =
        Identity { program: "inbox", agent_variable: "INBOX_AGENT", agent_default: None };

    fn kept() -> Option<Result<(Self, String), NoCommand>> {
        let command = || "inbox run".to_owned();
        let read = |bytes: std::io::Result<Vec<u8>>| {
            let kept: run::Kept = serde_json::from_slice(&bytes?)?;
            let globals = kept.globals();
            Ok((Self { globals, command: Command::GoOn(Box::new(kept)) }, command()))
        };
        let failed = |error: std::io::Error| {
            let message = format!("What this program kept for itself cannot be read: {error}.");
            let error = Box::new(ErrorView::new(Code::Internal, message));
            NoCommand::Wrong { command: command(), error }
        };
        Some(read(afresh::kept()?).map_err(failed))
    }

    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(self, context: &mut Context<'_>) -> Result<Outcome, Failure> {
        Ok(match self.command {
            Command::Init(args) => init::run(&args, context)?.into(),
            Command::Send(args) => send::run(&args, context)?.into(),
            Command::List(args) => list::run(&args, context)?.into(),
            Command::Show(args) => show::run(&args, context)?.into(),
            Command::Claim(args) => claim::run(&args, context)?.into(),
            Command::Renew(args) => renew::run(&args, context)?.into(),
            Command::Progress(args) => progress::run(&args, context)?.into(),
            Command::Ask(args) => ask::run(&args, context)?.into(),
            Command::Reply(args) => reply::run(&args, context)?.into(),
            Command::Wait(args) => wait::run(&args, context)?.into(),
            Command::Ack(args) => ack::run(&args, context)?.into(),
            Command::Done(args) => done::run(&args, context)?.into(),
            Command::Fail(args) => fail::run(&args, context)?.into(),
            Command::Release(args) => release::run(&args, context)?.into(),
            Command::Cancel(args) => cancel::run(&args, context)?.into(),
            Command::Agents(args) => agents::run(&args, context)?.into(),
            Command::Schema(args) => {
                self_description::schema(&args, "inbox", orch_contract::schema::inbox_schemas())?.into()
            }
            Command::Completions(args) => self_description::completions(&args, Self::parser()),
            Command::Man(args) => self_description::man(&args, Self::parser())?,
            Command::Run(args) => run::run(args, context)?,
            Command::GoOn(kept) => run::go_on(*kept, context)?,
        })
    }
}
