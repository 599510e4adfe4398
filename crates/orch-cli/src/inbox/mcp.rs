//! `inbox mcp`: the worker's commands as tools of an agent's client.

use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Serve the worker's commands to an agent's client over MCP, on stdin and stdout
///
/// The tools are claim, progress, ask, wait, done, fail, release and show. The server remembers what it claimed.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLES:\n  inbox mcp --as w1\n  claude mcp add inbox -- inbox mcp --as w1")]
pub(super) struct WorkerServerArgs {}

#[cfg(feature = "servers")]
pub(super) fn run(
    _args: WorkerServerArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    crate::mcp::run_server(context, orch_serve::mcp::serve_worker)
}

#[cfg(not(feature = "servers"))]
pub(super) fn run(
    _args: WorkerServerArgs,
    _context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    Err(crate::mcp::servers_missing("inbox mcp"))
}
