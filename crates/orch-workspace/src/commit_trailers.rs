//! Trailers of commits that orch makes: which attempt a commit is for, how it was checked, and who accepted it.

use orch_core::attempt::Attempt;
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::run::Run;
use orch_core::task::ChecksStatus;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::event;

use orch_inbox::Error;

/// Returns a message with the trailers of a merge of one attempt, unless the run wants none.
pub fn with_attempt_trailers(
    message: String,
    run: &Run,
    attempt: &Attempt,
    worker: Option<&Worker>,
    accepted_by: Option<&Slug>,
) -> String {
    let mut trailers = vec![("Orch-Task", attempt.name.to_string())];
    trailers.extend(worker.and_then(|row| Some(("Orch-Profile", row.profile.as_ref()?.to_string()))));
    trailers.push(("Orch-Checks", checks_word(attempt.checks).to_owned()));
    trailers.extend(accepted_by.map(|agent| ("Orch-Accepted-By", agent.to_string())));
    with_trailers(message, run, &trailers)
}

/// Returns a message with the trailers of a landing, unless the run wants none.
pub fn with_landing_trailers(message: String, run: &Run, requested_by: &Slug) -> String {
    let checks = if run.rules.verify.is_empty() { ChecksStatus::None } else { ChecksStatus::Passed };
    let trailers =
        [("Orch-Checks", checks_word(checks).to_owned()), ("Orch-Accepted-By", requested_by.to_string())];
    with_trailers(message, run, &trailers)
}

/// Returns the lead who accepted an attempt by hand, if one did.
pub fn find_accepting_agent(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<Option<Slug>, Error> {
    if attempt.checks != ChecksStatus::Overridden {
        return Ok(None);
    }
    let accepted = event::last_of_kind(tx, attempt.run, EventKind::Accepted)?;
    Ok(accepted
        .into_iter()
        .find(|event| event.attempt.as_ref() == Some(&attempt.name))
        .and_then(|event| event.agent))
}

fn with_trailers(message: String, run: &Run, trailers: &[(&str, String)]) -> String {
    if !run.rules.trailers {
        return message;
    }
    let lines: String = trailers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n\n{lines}", message.trim_end())
}

/// The value of `Orch-Checks`.
fn checks_word(checks: ChecksStatus) -> &'static str {
    match checks {
        ChecksStatus::Passed => "passed",
        ChecksStatus::Overridden => "overridden",
        ChecksStatus::None | ChecksStatus::Pending | ChecksStatus::Failed => "none",
    }
}
