//! `orch run …`: runs.

pub mod cancel;
pub mod choose;
pub mod edit;
pub mod init;
pub mod list;
pub mod pause;
pub mod repair;
pub mod resume;
pub mod rm;
pub mod show;
pub mod sync;

use orch_contract::RunView;
use orch_contract::orch::run::RunResponse;
use orch_core::run::Run;

fn run_response(run: &Run) -> RunResponse {
    RunResponse { run: RunView::from_run(run), defaults: Vec::new() }
}
