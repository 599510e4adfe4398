//! `orch web`.

use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Serve a web page of the runs: what needs a person, board, graph, timeline, evidence, landing
///
/// It listens on this machine only, and runs until Ctrl-C. The printed link opens the page in one browser.
/// From elsewhere it is reached by a tunnel (`ssh -L 4711:127.0.0.1:4711 HOST`) or a tailnet; --allow-host names that
/// host, and the page then only shows unless --allow-write is given.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch web --open\n  orch web --listen 127.0.0.1:4711 --allow-host desk.tail1234.ts.net\n  orch web --link"
)]
pub(super) struct WebArgs {
    /// The loopback address, or its port, to listen on [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
    /// A name under which a tunnel or a tailnet reaches the page; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// The page only shows
    #[arg(long)]
    read_only: bool,
    /// The page also changes things, although a host is allowed
    #[arg(long, conflicts_with = "read_only")]
    allow_write: bool,
    /// Print a new link to the page that is already served, and end
    #[arg(long, conflicts_with_all = ["listen", "allow_host", "read_only", "allow_write"])]
    link: bool,
}

#[cfg(feature = "servers")]
pub(super) fn run(args: WebArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    use orch_contract::orch::web::WebResponse;
    use orch_serve::web::{WebOptions, request_link, serve_page};

    if args.link {
        let link = request_link(context.app())?;
        if args.open {
            open_browser(context, &link.url);
        }
        return Ok(orch_app::Reply::new(link).into());
    }
    let read_only = args.read_only || (!args.allow_host.is_empty() && !args.allow_write);
    let web = WebOptions { listen: args.listen, hosts: args.allow_host, read_only };
    let server = serve_page(context.app(), &web)?;
    let answer = WebResponse {
        url: server.url().to_owned(),
        address: server.address().to_string(),
        read_only: Some(read_only),
    };
    if context.print_stream_document(answer) != crate::respond::WriteOutcome::Complete {
        return Ok(CommandOutcome::Streamed);
    }
    if args.open {
        open_browser(context, server.url());
    }
    server.run()?;
    Ok(CommandOutcome::Streamed)
}

#[cfg(feature = "servers")]
fn open_browser(context: &CommandRuntime<'_>, url: &str) {
    if !orch_app::orch::web::open_in_browser(url) {
        context.print_progress("No browser could be started; open the link in one.");
    }
}

#[cfg(not(feature = "servers"))]
pub(super) fn run(_args: WebArgs, _context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    Err(crate::mcp::servers_missing("orch web"))
}
