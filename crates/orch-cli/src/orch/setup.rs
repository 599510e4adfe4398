//! `orch setup`.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use orch_app::orch::setup::{SetupAction, SetupClient, SetupRequest, SetupScope};
use orch_app::{AppError, Reply};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// The exit status of `--check` where the client is not set up.
const NOT_INSTALLED: u8 = 1;

/// Make an agent's client know orch: a skill, hooks, an MCP server and a line of instructions
///
/// The hooks brief a session about the runs that it leads, wake it for news, and hold its stop back once for each
/// event that needs it and three times for claimed work. They say nothing to other sessions.
/// Everything is in files that the client reads; --remove restores them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch setup claude\n  orch setup codex --scope project --print\n  orch setup claude --remove"
)]
pub(super) struct SetupArgs {
    /// The client
    #[arg(value_name = "CLIENT", value_enum)]
    client: ClientName,
    /// For all your sessions, or for those in this repository
    #[arg(long, value_name = "SCOPE", value_enum, default_value_t = ScopeName::User)]
    scope: ScopeName,
    /// Show what would be written, and write nothing
    #[arg(long, conflicts_with_all = ["check", "remove"])]
    print: bool,
    /// Exit with status 1 if the client is not set up as this version would do it
    #[arg(long, conflicts_with = "remove")]
    check: bool,
    /// Leave the hooks out
    #[arg(long)]
    no_hooks: bool,
    /// Remove what was set up
    #[arg(long)]
    remove: bool,
    /// Change files that git tracks without asking
    #[arg(short, long)]
    yes: bool,
}

/// The clients by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ClientName {
    Claude,
    Codex,
    Gemini,
    Opencode,
}

/// The scopes by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ScopeName {
    User,
    Project,
}

pub(super) fn run(args: SetupArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let request = SetupRequest {
        client: match args.client {
            ClientName::Claude => SetupClient::Claude,
            ClientName::Codex => SetupClient::Codex,
            ClientName::Gemini => SetupClient::Gemini,
            ClientName::Opencode => SetupClient::Opencode,
        },
        scope: match args.scope {
            ScopeName::User => SetupScope::User,
            ScopeName::Project => SetupScope::Project,
        },
        with_hooks: !args.no_hooks,
        action: match (args.print, args.check, args.remove) {
            (true, _, _) => SetupAction::Print,
            (_, true, _) => SetupAction::Check,
            (_, _, true) => SetupAction::Remove,
            (false, false, false) => SetupAction::Install,
        },
    };
    context.app().calling_lead()?;
    let asks = !args.yes && context.has_terminal() && std::io::stdin().is_terminal();
    let confirm = |tracked: &[PathBuf]| args.yes || (asks && confirm_change(tracked));
    let response = context.app().set_up_client(&request, confirm)?;
    let is_missing = request.action == SetupAction::Check && !response.installed;
    let reply = Reply::new(response);
    Ok(if is_missing {
        CommandOutcome::ReplyWithStatus(Box::new(reply), NOT_INSTALLED)
    } else {
        reply.into()
    })
}

/// Asks a person at the terminal.
fn confirm_change(tracked: &[PathBuf]) -> bool {
    let mut stderr = std::io::stderr();
    let paths: String = tracked.iter().map(|path| format!("  {}\n", path.display())).collect();
    let _ =
        write!(stderr, "Git tracks these files, so that others get the change:\n{paths}Change them? [y/N] ");
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    matches!(line.trim(), "y" | "Y" | "yes")
}
