//! `orch profile show`.

use orch_app::AppError;
use orch_app::orch::profile::ShowProfile;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Show a profile: its program, its workers, and until when none is started
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch profile show claude")]
pub(super) struct ProfileShowArgs {
    /// The profile
    #[arg(value_name = "NAME", value_parser = parse_slug)]
    name: Slug,
}

pub(super) fn run(
    args: ProfileShowArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.show(&ShowProfile { name: args.name })
}
