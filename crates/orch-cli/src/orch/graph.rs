//! `orch graph`.

use clap::ValueEnum;
use orch_contract::TaskSummary;
use orch_contract::orch::graph::{GraphEdge, GraphOrDrawing, GraphResponse};
use orch_contract::run::RunHeader;
use orch_core::id::Slug;
use orch_inbox::Session;
use orch_scheduler::graph::{TaskGraph, load_graph};

use super::naming::NamedRun;
use crate::context::CommandRuntime;
use crate::human::orch::graph as drawing;
use crate::respond::{CommandOutcome, CommandReply, PrintableReply};
use orch_app::AppError;
use orch_app::orch::view;

/// Draw the dependency graph of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch graph --format mermaid")]
pub struct GraphArgs {
    /// The format [default: text on a terminal, else json]
    #[arg(long, value_enum)]
    format: Option<GraphFormat>,
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

/// Runs the command.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn run(
    args: &GraphArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run(context)?;
    let answer = load_graph_response(context.open_session()?, run.as_ref())?;
    let document = match args.format {
        None => return Ok(CommandReply::new(GraphOrDrawing::Graph(answer)).into()),
        Some(GraphFormat::Text) if context.is_for_people() => {
            return Ok(CommandReply::new(GraphOrDrawing::Graph(answer)).into());
        }
        Some(GraphFormat::Json) if !context.is_for_people() => {
            return Ok(CommandReply::new(GraphOrDrawing::Graph(answer)).into());
        }
        Some(GraphFormat::Text) => drawing::render_plain(&answer),
        Some(GraphFormat::Mermaid) => drawing::render_mermaid(&drawing::GraphDrawing::from_graph(&answer)),
        Some(GraphFormat::Dot) => drawing::render_dot(&drawing::GraphDrawing::from_graph(&answer)),
        Some(GraphFormat::Json) => graph_json(answer, context)?,
    };
    Ok(CommandOutcome::Document(document))
}

/// The graph of a run as it is now.
pub(super) fn load_graph_response(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<GraphResponse, AppError> {
    Ok(graph_response(&load_graph(session, run)?))
}

/// The answer as programs see it, for people who ask for it.
fn graph_json(answer: GraphResponse, context: &CommandRuntime<'_>) -> Result<String, AppError> {
    let reply = CommandReply::new(GraphOrDrawing::Graph(answer));
    let document = reply.to_document(context.command(), context.warnings()).map_err(|error| {
        AppError::new(
            orch_contract::ErrorCode::Internal,
            format!("The graph cannot be written as JSON: {error}."),
        )
    })?;
    Ok(format!("{document}\n"))
}

fn graph_response(graph: &TaskGraph) -> GraphResponse {
    let mut tasks: Vec<TaskSummary> = graph.tasks.iter().map(view::short_task_view).collect();
    let mut dependencies = Vec::with_capacity(graph.edges.len());
    for &(task, on) in &graph.edges {
        if graph.tasks[on].task.state != orch_core::task::TaskState::Done {
            let key = tasks[on].key.clone();
            tasks[task].waits_for.push(key);
        }
        dependencies.push(GraphEdge { task: tasks[task].id.clone(), on: tasks[on].id.clone() });
    }
    GraphResponse { run: RunHeader::from_run(&graph.run), tasks, dependencies }
}
