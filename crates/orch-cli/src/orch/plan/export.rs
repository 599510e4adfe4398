//! `orch plan export`.

use clap::ValueEnum;
use orch_app::AppError;
use orch_app::orch::plan::ExportFormat;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Write a run and its tasks as a plan file, without cancelled tasks
///
/// `orch task add --file PLAN --update` of this file changes nothing, as long as the run does not change.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch plan export ship > plan.jsonl")]
pub(super) struct PlanExportArgs {
    /// The run [default: the current one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The form of the file
    #[arg(long, value_enum, default_value = "jsonl")]
    format: PlanFormat,
}

/// The form of a plan file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlanFormat {
    /// One JSON object per line, the run first
    Jsonl,
    /// One JSON document
    Json,
}

pub(super) fn run(
    args: PlanExportArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    let format = match args.format {
        PlanFormat::Jsonl => ExportFormat::JsonLines,
        PlanFormat::Json => ExportFormat::JsonDocument,
    };
    Ok(CommandOutcome::Document(context.app().export_plan(run.as_ref(), format)?))
}
