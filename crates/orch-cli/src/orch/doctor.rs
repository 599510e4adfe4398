//! `orch doctor`.

use orch_app::AppError;
use orch_app::orch::doctor::DiagnoseStore;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Check the health of the store
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch doctor --json")]
pub(super) struct DoctorArgs {}

pub(super) fn run(_args: DoctorArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.show(&DiagnoseStore {})
}
