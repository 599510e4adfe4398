//! `orch drive --check`: whether everything is there that a supervisor needs.

use orch_contract::ErrorCode;
use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView, FindingView};
use orch_contract::orch::drive::DriveLine;
use orch_core::id::Slug;
use orch_scheduler::doctor::{self, FindingSeverity as Found};
use orch_supervisor::supervisor::preflight::{self, PreflightFinding};
use orch_supervisor::supervisor::worker_pool::WorkerPool;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

pub(super) fn run(
    context: &mut CommandRuntime<'_>,
    run: Option<&Slug>,
    crew: &WorkerPool,
) -> Result<CommandOutcome, AppError> {
    let session = context.open_session()?;
    let mut findings: Vec<FindingView> = doctor::diagnose_store(session)?.iter().map(store_finding).collect();
    findings.extend(preflight::run_preflight(session, run, crew)?.into_iter().map(check_finding));
    let verdict = findings.iter().map(|finding| finding.level).max().unwrap_or(FindingLevelView::Ok);
    let answer = DriveLine::Checked(DoctorResponse { findings, verdict });
    let exit = if verdict == FindingLevelView::Error { ErrorCode::CheckFailed.exit_status() } else { 0 };
    Ok(CommandOutcome::ReplyWithStatus(Box::new(CommandReply::new(answer)), exit))
}

/// Refuses to begin without what is needed, and warns of what will be missed, as far as a look costs nothing.
pub(super) fn check_start(
    context: &mut CommandRuntime<'_>,
    run: Option<&Slug>,
    crew: &WorkerPool,
) -> Result<(), AppError> {
    for found in preflight::run_quick_preflight(context.open_session()?, run, crew)? {
        match found.level {
            Found::Ok => {}
            Found::Warning => context.add_warning(found.message),
            Found::Error => {
                let message = format!("Nothing was started: {}", found.message);
                return Err(AppError::invalid_argument("--profile", message)
                    .with_hint(format!("orch drive --check{}", profile_names(crew))));
            }
        }
    }
    Ok(())
}

/// The profiles as they were named.
fn profile_names(crew: &WorkerPool) -> String {
    crew.seats
        .iter()
        .map(|seat| format!(" --profile {}", orch_core::shell::quote_word(&seat.reference)))
        .collect()
}

fn level_view(found: Found) -> FindingLevelView {
    match found {
        Found::Ok => FindingLevelView::Ok,
        Found::Warning => FindingLevelView::Warning,
        Found::Error => FindingLevelView::Error,
    }
}

fn store_finding(finding: &doctor::HealthFinding) -> FindingView {
    FindingView {
        check: finding.check.to_owned(),
        level: level_view(finding.level),
        message: finding.message.clone(),
    }
}

fn check_finding(looked: PreflightFinding) -> FindingView {
    FindingView { check: looked.check, level: level_view(looked.level), message: looked.message }
}
