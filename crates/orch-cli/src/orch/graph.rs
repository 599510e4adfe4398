//! `orch graph`.

use clap::ValueEnum;
use orch_app::orch::graph::ShowGraph;
use orch_app::values::parse_list_limit;
use orch_app::{AppError, Paging, Reply};
use orch_contract::ErrorCode;
use orch_contract::orch::graph::{GraphOrDrawing, GraphResponse};
use orch_core::limit;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, PrintableReply as _};
use orch_text::orch::graph as drawing;

/// Draw the dependency graph of a run
///
/// Shows the oldest 10,000 tasks unless told otherwise; --after continues.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch graph --format mermaid")]
pub(super) struct GraphArgs {
    /// The format [default: text on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<GraphFormat>,
    /// Show at most this many tasks, oldest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::GRAPH_SHOWN, value_parser = parse_list_limit)]
    limit: u32,
    /// Continue after this cursor, the `next` of the previous part
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// For a terminal
    Text,
    /// For Markdown pages
    Mermaid,
    /// For Graphviz
    Dot,
    /// For programs
    Json,
}

pub(super) fn run(args: GraphArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    let paging = Paging { limit: args.limit, after: args.after };
    let graph = context.app().answer(&ShowGraph { run, paging }, None)?.data;
    let document = match args.format {
        Some(GraphFormat::Text) if !context.is_for_people() => drawing::render_plain(&graph),
        Some(GraphFormat::Mermaid) => drawing::render_mermaid(&drawing::GraphDrawing::from_graph(&graph)),
        Some(GraphFormat::Dot) => drawing::render_dot(&drawing::GraphDrawing::from_graph(&graph)),
        Some(GraphFormat::Json) if context.is_for_people() => graph_json(graph, context)?,
        None | Some(GraphFormat::Text | GraphFormat::Json) => {
            return Ok(Reply::new(GraphOrDrawing::Graph(graph)).into());
        }
    };
    Ok(CommandOutcome::Document(document))
}

/// Returns the answer as programs see it, for people who ask for it.
fn graph_json(graph: GraphResponse, context: &mut CommandRuntime<'_>) -> Result<String, AppError> {
    let reply = Reply::new(GraphOrDrawing::Graph(graph));
    let app = context.app();
    let document = reply.to_document(app.command(), &app.warnings()).map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("The graph cannot be written as JSON: {error}."))
    })?;
    Ok(format!("{document}\n"))
}
