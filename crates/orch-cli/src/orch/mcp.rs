//! `orch mcp`.

use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Serve the lead's commands to an agent's client over MCP, on stdin and stdout
///
/// The tools are status, why, show, plan_add, dispatch, answer, integrate, review, log, wait and steer.
/// They find the store as this command does, from the folder that the client starts it in.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch mcp --allow land,accept\n  claude mcp add orch -- orch mcp")]
pub(super) struct LeadServerArgs {
    /// What the client may also do: land (bring a run's branch onto yours), accept (accept attempts by hand)
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_enum)]
    allow: Vec<AllowedAction>,
}

/// An action that a person usually does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum AllowedAction {
    Land,
    Accept,
}

#[cfg(feature = "servers")]
pub(super) fn run(
    args: LeadServerArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let allows = |action| args.allow.contains(&action);
    let permissions = orch_serve::mcp::LeadPermissions {
        accept: allows(AllowedAction::Accept),
        land: allows(AllowedAction::Land),
    };
    crate::mcp::run_server(context, |options| orch_serve::mcp::serve_lead(options, permissions))
}

#[cfg(not(feature = "servers"))]
pub(super) fn run(
    _args: LeadServerArgs,
    _context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    Err(crate::mcp::servers_missing("orch mcp"))
}
