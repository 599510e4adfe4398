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
pub mod value_parsers;
pub mod wait;

use clap::{Parser, Subcommand};
use orch_contract::{ErrorCode, ErrorView};
use orch_process::reexec;

use crate::arguments::GlobalOptions;
use crate::context::{CommandRuntime, ProgramIdentity};
use crate::entry::CliProgram;
use crate::respond::CommandOutcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};
use crate::usage::EarlyExit;
use orch_app::AppError;

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
pub struct InboxCli {
    #[command(flatten)]
    globals: GlobalOptions,
    #[command(subcommand)]
    command: InboxCommand,
}

#[derive(Debug, Subcommand)]
// A command's options are built when it is met: building those of all took longer than reading the store.
#[command(defer = true)]
enum InboxCommand {
    Init(init::InboxInitArgs),
    Send(send::SendArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Claim(claim::ClaimArgs),
    Renew(renew::RenewArgs),
    Progress(progress::ProgressArgs),
    Ask(ask::AskArgs),
    Reply(reply::ReplyArgs),
    Wait(wait::InboxWaitArgs),
    Ack(ack::InboxAckArgs),
    Done(done::DoneArgs),
    Fail(fail::FailArgs),
    Release(release::ReleaseArgs),
    Cancel(cancel::CancelArgs),
    Run(run::InboxRunArgs),
    Agents(agents::InboxAgentsArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
    /// What an earlier image of this process has claimed.
    #[command(skip)]
    GoOn(Box<run::ReexecArguments>),
}

impl CliProgram for InboxCli {
    const IDENTITY: ProgramIdentity =
        ProgramIdentity { program: "inbox", agent_variable: "INBOX_AGENT", agent_default: None };

    fn take_reexec_command() -> Option<Result<(Self, String), EarlyExit>> {
        let command = || "inbox run".to_owned();
        let read = |bytes: std::io::Result<Vec<u8>>| {
            let kept: run::ReexecArguments = serde_json::from_slice(&bytes?)?;
            let globals = kept.global_options();
            Ok((Self { globals, command: InboxCommand::GoOn(Box::new(kept)) }, command()))
        };
        let failed = |error: std::io::Error| {
            let message = format!("What this program kept for itself cannot be read: {error}.");
            let error = Box::new(ErrorView::new(ErrorCode::Internal, message));
            EarlyExit::UsageError { command: command(), error }
        };
        Some(read(reexec::take_reexec_payload()?).map_err(failed))
    }

    fn global_options(&self) -> &GlobalOptions {
        &self.globals
    }

    fn run(self, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
        Ok(match self.command {
            InboxCommand::Init(args) => init::run(&args, context)?.into(),
            InboxCommand::Send(args) => send::run(&args, context)?.into(),
            InboxCommand::List(args) => list::run(&args, context)?.into(),
            InboxCommand::Show(args) => show::run(&args, context)?.into(),
            InboxCommand::Claim(args) => claim::run(&args, context)?.into(),
            InboxCommand::Renew(args) => renew::run(&args, context)?.into(),
            InboxCommand::Progress(args) => progress::run(&args, context)?.into(),
            InboxCommand::Ask(args) => ask::run(&args, context)?.into(),
            InboxCommand::Reply(args) => reply::run(&args, context)?.into(),
            InboxCommand::Wait(args) => wait::run(&args, context)?.into(),
            InboxCommand::Ack(args) => ack::run(&args, context)?.into(),
            InboxCommand::Done(args) => done::run(&args, context)?.into(),
            InboxCommand::Fail(args) => fail::run(&args, context)?.into(),
            InboxCommand::Release(args) => release::run(&args, context)?.into(),
            InboxCommand::Cancel(args) => cancel::run(&args, context)?.into(),
            InboxCommand::Agents(args) => agents::run(&args, context)?.into(),
            InboxCommand::Schema(args) => {
                self_description::schema_response(&args, "inbox", orch_contract::schema::inbox_schemas())?
                    .into()
            }
            InboxCommand::Completions(args) => {
                self_description::completion_script(&args, Self::full_parser())
            }
            InboxCommand::Man(args) => self_description::write_manual(&args, Self::full_parser())?,
            InboxCommand::Run(args) => run::run(args, context)?,
            InboxCommand::GoOn(kept) => run::continue_after_reexec(*kept, context)?,
        })
    }
}
