//! The program `inbox`: the transport's door, one file per command.

mod ack;
mod agents;
mod ask;
mod cancel;
mod claim;
mod done;
mod fail;
mod holder;
mod init;
mod list;
mod mcp;
mod progress;
mod release;
mod renew;
mod reply;
mod run;
mod send;
mod show;
mod suggest;
mod value_parsers;
mod wait;

use clap::{Parser, Subcommand};
use orch_contract::{ErrorCode, ErrorView};

use crate::arguments::GlobalOptions;
use crate::context::{CommandRuntime, ProgramIdentity};
use crate::program::CliProgram;
use crate::respond::CommandOutcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};
use crate::usage::EarlyExit;
use orch_app::inbox::run::take_reexec_payload;
use orch_app::{AppError, CallerRules};

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
// A command's options are built when the command is parsed: building all of them takes longer than reading the store.
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
    Suggest(suggest::SuggestArgs),
    Reply(reply::ReplyArgs),
    Wait(wait::InboxWaitArgs),
    Mcp(mcp::WorkerServerArgs),
    Ack(ack::InboxAckArgs),
    Done(done::DoneArgs),
    Fail(fail::FailArgs),
    Release(release::ReleaseArgs),
    Cancel(cancel::CancelArgs),
    Run(run::InboxRunArgs),
    Agents(agents::InboxAgentsArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
    /// Continues with the work that an earlier image of this process claimed.
    #[command(skip)]
    Continue(Box<run::ReexecArguments>),
}

impl CliProgram for InboxCli {
    const IDENTITY: ProgramIdentity = ProgramIdentity {
        program: "inbox",
        caller: CallerRules { agent_variable: "INBOX_AGENT", agent_default: None },
    };

    fn take_reexec_command() -> Option<Result<(Self, String), EarlyExit>> {
        let command = || "inbox run".to_owned();
        let read = |bytes: std::io::Result<Vec<u8>>| {
            let kept: run::ReexecArguments = serde_json::from_slice(&bytes?)?;
            let globals = kept.global_options();
            Ok((Self { globals, command: InboxCommand::Continue(Box::new(kept)) }, command()))
        };
        let failed = |error: std::io::Error| {
            let message = format!("The payload of the re-exec cannot be read: {error}.");
            let error = Box::new(ErrorView::new(ErrorCode::Internal, message));
            EarlyExit::UsageError { command: command(), error }
        };
        Some(read(take_reexec_payload()?).map_err(failed))
    }

    fn global_options(&self) -> &GlobalOptions {
        &self.globals
    }

    fn run(self, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
        match self.command {
            InboxCommand::Init(args) => init::run(args, context),
            InboxCommand::Send(args) => send::run(args, context),
            InboxCommand::List(args) => list::run(args, context),
            InboxCommand::Show(args) => show::run(args, context),
            InboxCommand::Claim(args) => claim::run(args, context),
            InboxCommand::Renew(args) => renew::run(args, context),
            InboxCommand::Progress(args) => progress::run(args, context),
            InboxCommand::Ask(args) => ask::run(args, context),
            InboxCommand::Suggest(args) => suggest::run(args, context),
            InboxCommand::Reply(args) => reply::run(args, context),
            InboxCommand::Wait(args) => wait::run(args, context),
            InboxCommand::Mcp(args) => mcp::run(args, context),
            InboxCommand::Ack(args) => ack::run(args, context),
            InboxCommand::Done(args) => done::run(args, context),
            InboxCommand::Fail(args) => fail::run(args, context),
            InboxCommand::Release(args) => release::run(args, context),
            InboxCommand::Cancel(args) => cancel::run(args, context),
            InboxCommand::Agents(args) => agents::run(args, context),
            InboxCommand::Schema(args) => {
                Ok(self_description::schema_response(&args, "inbox", orch_contract::schema::inbox_schemas())?
                    .into())
            }
            InboxCommand::Completions(args) => {
                Ok(self_description::completion_script(&args, Self::IDENTITY.program))
            }
            InboxCommand::Man(args) => self_description::write_manual(&args, Self::quick_parser()),
            InboxCommand::Run(args) => run::run(args, context),
            InboxCommand::Continue(kept) => run::continue_after_reexec(*kept, context),
        }
    }
}
