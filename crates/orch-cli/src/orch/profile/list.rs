//! `orch profile list`.

use orch_app::AppError;
use orch_app::orch::profile::ListProfiles;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// List the profiles: built in, in the folder of the store, and in your settings
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch profile list")]
pub(super) struct ProfileListArgs {}

pub(super) fn run(
    _args: &ProfileListArgs,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    context.show(&ListProfiles {})
}
