//! `orch graph`.

use clap::ValueEnum;
use orch_contract::TaskShort;
use orch_contract::orch::graph::{Edge, GraphAnswer, GraphShown};
use orch_contract::run::RunBrief;
use orch_core::id::Slug;
use orch_inbox::Session;
use orch_scheduler::graph::{Graph, graph};

use super::naming::NamedRun;
use super::view;
use crate::context::Context;
use crate::failure::Failure;
use crate::human::orch::graph as drawing;
use crate::respond::{Outcome, Printable, Reply};

/// Draw a run's tasks and who waits for whom
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch graph --format mermaid")]
pub struct Args {
    /// How it is drawn; text on a terminal, else json
    #[arg(long, value_enum)]
    format: Option<Format>,
}

/// How a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
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
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.settle(context)?;
    let answer = look(context.session()?, run.as_ref())?;
    let document = match args.format {
        None => return Ok(Reply::new(GraphShown::Graph(answer)).into()),
        Some(Format::Text) if context.for_people() => {
            return Ok(Reply::new(GraphShown::Graph(answer)).into());
        }
        Some(Format::Json) if !context.for_people() => {
            return Ok(Reply::new(GraphShown::Graph(answer)).into());
        }
        Some(Format::Text) => drawing::plain(&answer),
        Some(Format::Mermaid) => drawing::mermaid(&drawing::Drawing::of(&answer)),
        Some(Format::Dot) => drawing::dot(&drawing::Drawing::of(&answer)),
        Some(Format::Json) => json(answer, context)?,
    };
    Ok(Outcome::Document(document))
}

/// The graph of a run as it is now.
pub(super) fn look(session: &mut Session, run: Option<&Slug>) -> Result<GraphAnswer, Failure> {
    Ok(answer(&graph(session, run)?))
}

/// The answer as programs see it, for people who ask for it.
fn json(answer: GraphAnswer, context: &Context<'_>) -> Result<String, Failure> {
    let reply = Reply::new(GraphShown::Graph(answer));
    let document = reply.document(context.command(), context.warnings()).map_err(|error| {
        Failure::new(orch_contract::Code::Internal, format!("The graph cannot be written as JSON: {error}."))
    })?;
    Ok(format!("{document}\n"))
}

fn answer(graph: &Graph) -> GraphAnswer {
    let mut tasks: Vec<TaskShort> = graph.tasks.iter().map(view::short).collect();
    let mut dependencies = Vec::with_capacity(graph.edges.len());
    for &(task, on) in &graph.edges {
        if graph.tasks[on].task.state != orch_core::task::TaskState::Done {
            let key = tasks[on].key.clone();
            tasks[task].waits_for.push(key);
        }
        dependencies.push(Edge { task: tasks[task].id.clone(), on: tasks[on].id.clone() });
    }
    GraphAnswer { run: RunBrief::of(&graph.run), tasks, dependencies }
}
