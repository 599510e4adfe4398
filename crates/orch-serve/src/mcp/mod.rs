//! `orch mcp` and `inbox mcp`: a server of the Model Context Protocol on stdin and stdout.
//!
//! A tool is one request of the application: [`lead`] has the tools of `orch`, [`worker`] those of `inbox`.
//! [`tool`] is what they have in common, [`server`] answers the protocol.

pub(crate) mod lead;
mod server;
pub(crate) mod tool;
mod worker;

use std::time::Duration;

use orch_app::{AppError, CallOptions, CallerRules};
use orch_contract::ErrorCode;
use rmcp::ServiceExt;

use server::ToolServer;
use tool::ToolSet;

/// How long threads of unanswered calls may take to end when the client closes the connection.
const LEAVE_MAX: Duration = Duration::from_millis(100);

/// The options of a server for every call that it answers.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// How the calling agent is found.
    pub rules: CallerRules,
    /// Store, agent and run.
    pub call: CallOptions,
}

/// What a lead's server may do beyond looking, planning and steering.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeadPermissions {
    /// Whether it accepts attempts.
    pub accept: bool,
    /// Whether it lands runs.
    pub land: bool,
}

/// Serves the tools of a lead until the client closes stdin.
///
/// # Errors
/// The runtime cannot start, or the client does not speak the protocol.
pub fn serve_lead(options: ServerOptions, permissions: LeadPermissions) -> Result<(), AppError> {
    serve(options, lead::tools(permissions))
}

/// Serves the tools of a worker until the client closes stdin.
///
/// # Errors
/// The runtime cannot start, or the client does not speak the protocol.
pub fn serve_worker(options: ServerOptions) -> Result<(), AppError> {
    serve(options, worker::tools())
}

fn serve(options: ServerOptions, tools: ToolSet) -> Result<(), AppError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("The server's runtime cannot start: {error}."))
    })?;
    let served = runtime.block_on(async {
        let running = match ToolServer::new(options, tools).serve(rmcp::transport::stdio()).await {
            Ok(running) => running,
            // A client that closes stdin before it says anything only checks that the server starts.
            Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        running.waiting().await.map(drop).map_err(|error| error.to_string())
    });
    // A thread that reads stdin, or waits in a store, is not waited for.
    runtime.shutdown_timeout(LEAVE_MAX);
    served.map_err(|problem| {
        AppError::new(
            ErrorCode::InvalidArgument,
            format!("The client does not speak MCP on stdin: {problem}."),
        )
        .with_hint("orch prime")
    })
}
