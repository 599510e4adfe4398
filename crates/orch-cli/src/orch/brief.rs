//! `orch brief`: what a lead needs that knows nothing any more, cut until it fits.

use orch_app::AppError;
use orch_app::orch::brief::ShowBrief;
use orch_app::values::parse_slug;
use orch_contract::orch::brief::BriefResponse;
use orch_contract::orch::run::BriefOrRuns;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, document_size};
use orch_text::orch::brief as page;

/// Summarise a run for a lead that lost its context, in at most 4 KB
///
/// Shows states, open questions, stuck tasks with reasons, live attempts, and the next commands.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch brief ship")]
pub(super) struct BriefArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
}

pub(super) fn run(args: BriefArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    let as_json = context.is_json_requested();
    let command = context.app().command().to_owned();
    let measure = |answer: &BriefResponse, warnings: &[String]| {
        if as_json { document_size(&command, answer, warnings) } else { page::brief_text(answer).len() }
    };
    let reply = context.app().answer(&ShowBrief { run, measure: &measure }, None)?;
    Ok(match &reply.data {
        BriefOrRuns::Brief(brief) if !as_json => CommandOutcome::Document(page::brief_text(brief)),
        BriefOrRuns::Brief(_) | BriefOrRuns::Runs(_) => reply.into(),
    })
}
