//! `orch doctor`.

use orch_contract::orch::doctor::{DoctorAnswer, Finding, Level};
use orch_contract::{Code, ErrorView};
use orch_core::shell;
use orch_scheduler::doctor as engine;

use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Look whether the store is sound
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch doctor --json")]
pub struct Args {}

/// Runs the command.
///
/// # Errors
/// The store cannot be opened, or is not sound.
pub fn run(_args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let session = context.session().map_err(closer)?;
    let findings = engine::doctor(session).map_err(|error| closer(error.into()))?;
    let findings: Vec<Finding> = findings
        .into_iter()
        .map(|finding| Finding {
            check: finding.check.to_owned(),
            level: level(finding.level),
            message: finding.message,
        })
        .collect();
    let verdict = findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok);
    if verdict == Level::Error {
        return Err(unsound(&findings));
    }
    Ok(Reply::new(DoctorAnswer { findings, verdict }).into())
}

/// Who is at the doctor's already is sent to the file.
fn closer(mut failure: Failure) -> Failure {
    if failure.code() == Code::StoreCorrupt {
        let place = failure.error.details.as_ref().and_then(|details| details.get("place"));
        failure.error.hint =
            place.and_then(serde_json::Value::as_str).map(|place| shell::line(["ls", "-la", place]));
    }
    failure
}

/// A store that is not sound is an error, so that scripts notice.
fn unsound(findings: &[Finding]) -> Failure {
    let first = findings.iter().find(|finding| finding.level == Level::Error);
    let message = first.map_or("The store is not sound.", |finding| finding.message.as_str());
    // Findings are texts, which always have a JSON form.
    let list = serde_json::to_value(findings).unwrap_or_default();
    ErrorView::new(Code::StoreCorrupt, message).detail("findings", list).detail("verdict", "error").into()
}

fn level(level: engine::Level) -> Level {
    match level {
        engine::Level::Ok => Level::Ok,
        engine::Level::Warning => Level::Warning,
        engine::Level::Error => Level::Error,
    }
}
