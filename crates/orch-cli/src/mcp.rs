//! The servers of the Model Context Protocol, where they are built in.

use orch_app::AppError;

/// Runs a server until its client leaves; a person at a terminal is told what it waits for.
#[cfg(feature = "servers")]
pub(crate) fn run_server(
    context: &mut crate::context::CommandRuntime<'_>,
    serve: impl FnOnce(orch_serve::mcp::ServerOptions) -> Result<(), AppError>,
) -> Result<crate::respond::CommandOutcome, AppError> {
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        context.print_progress("Serving MCP on stdin and stdout for an agent's client; Ctrl-C ends it.");
    }
    let app = context.app();
    serve(orch_serve::mcp::ServerOptions { rules: app.caller_rules(), call: app.call_options().clone() })?;
    Ok(crate::respond::CommandOutcome::Streamed)
}

/// Returns the error of a program that was built without servers.
#[cfg(not(feature = "servers"))]
pub(crate) fn servers_missing(command: &str) -> AppError {
    AppError::new(
        orch_contract::ErrorCode::NotSupported,
        format!("This program was built without servers, so it has no `{command}`."),
    )
    .with_hint("cargo install --locked --path crates/orch-cli")
}
