//! `orch profile resume`.

use orch_app::AppError;
use orch_app::orch::profile::ResumeProfile;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Start workers of a profile again at once, for example after signing in
///
/// Without a cooldown nothing changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch profile resume claude")]
pub(super) struct ProfileResumeArgs {
    /// The profile
    #[arg(value_name = "NAME", value_parser = parse_slug)]
    name: Slug,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(
    args: ProfileResumeArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    context.answer(&ResumeProfile { agent, name: args.name }, &args.repeatable)
}
