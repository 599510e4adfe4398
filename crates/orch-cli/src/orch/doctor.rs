//! `orch doctor`.

use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView, FindingView};
use orch_contract::{ErrorCode, ErrorView};
use orch_core::shell;
use orch_scheduler::doctor as engine;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Check the health of the store
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch doctor --json")]
pub struct DoctorArgs {}

/// Runs the command.
///
/// # Errors
/// The store cannot be opened, or is not sound.
pub fn run(_args: &DoctorArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let session = context.open_session().map_err(with_file_hint)?;
    let findings = engine::diagnose_store(session).map_err(|error| with_file_hint(error.into()))?;
    let findings: Vec<FindingView> = findings
        .into_iter()
        .map(|finding| FindingView {
            check: finding.check.to_owned(),
            level: level_view(finding.level),
            message: finding.message,
        })
        .collect();
    let verdict = findings.iter().map(|finding| finding.level).max().unwrap_or(FindingLevelView::Ok);
    if verdict == FindingLevelView::Error {
        return Err(unsound_store(&findings));
    }
    Ok(CommandReply::new(DoctorResponse { findings, verdict }).into())
}

/// Who is at the doctor's already is sent to the file.
fn with_file_hint(mut failure: AppError) -> AppError {
    if failure.code() == ErrorCode::StoreCorrupt {
        let place = failure.error.details.as_ref().and_then(|details| details.get("place"));
        failure.error.hint =
            place.and_then(serde_json::Value::as_str).map(|place| shell::join_words(["ls", "-la", place]));
    }
    failure
}

/// A store that is not sound is an error, so that scripts notice.
fn unsound_store(findings: &[FindingView]) -> AppError {
    let first = findings.iter().find(|finding| finding.level == FindingLevelView::Error);
    let message = first.map_or("The store is not sound.", |finding| finding.message.as_str());
    // Findings are texts, which always have a JSON form.
    let list = serde_json::to_value(findings).unwrap_or_default();
    ErrorView::new(ErrorCode::StoreCorrupt, message)
        .with_detail("findings", list)
        .with_detail("verdict", "error")
        .into()
}

fn level_view(level: engine::FindingSeverity) -> FindingLevelView {
    match level {
        engine::FindingSeverity::Ok => FindingLevelView::Ok,
        engine::FindingSeverity::Warning => FindingLevelView::Warning,
        engine::FindingSeverity::Error => FindingLevelView::Error,
    }
}
