//! Operations outside the store that failed: what helps, and how to try again.

use orch_core::effect::EffectKind;
use orch_core::id::TaskName;
use orch_core::operation_failure::{FailedOperation, OperationFaultCause, StuckScope, stuck_scope};
use orch_core::refusal::tree::effect_phrase;
use orch_core::shell;

use crate::time::UtcTimestamp;

/// Returns what failed and why, in full sentences.
#[must_use]
pub fn failure_message(failed: &FailedOperation) -> String {
    let subject = match (&failed.attempt, failed.effect) {
        (Some(attempt), effect) if stuck_scope(effect) != StuckScope::Run => attempt.to_string(),
        _ => failed.run.to_string(),
    };
    if let (OperationFaultCause::Unseen, Some(until)) = (failed.failure.cause, failed.retry_at) {
        let what = effect_phrase(failed.effect);
        let until = UtcTimestamp(until);
        return format!("{what} {subject} is believed to run until {until}: {}", failed.failure.message);
    }
    let text = format!("{} {subject} failed: {}", effect_phrase(failed.effect), failed.failure.message);
    match failed.retry_at {
        Some(at) => format!("{text} It will be retried at {}.", UtcTimestamp(at)),
        None => text,
    }
}

/// Returns the commands that help, the last of which tries the operation again.
#[must_use]
pub fn next_commands(failed: &FailedOperation) -> Vec<String> {
    let task = failed.attempt.as_ref().map(|attempt| &attempt.task);
    let mut next: Vec<String> =
        remedy_command(failed.failure.cause, failed.failure.path.as_deref()).into_iter().collect();
    next.push(retry_command(failed.effect, failed.run.as_str(), task, failed.stuck));
    next
}

/// Returns the command that tries an operation again.
pub(crate) fn retry_command(effect: EffectKind, run: &str, task: Option<&TaskName>, stuck: bool) -> String {
    match (effect, task) {
        (EffectKind::Branch | EffectKind::Baseline | EffectKind::Integrate, _) if stuck => {
            format!("orch run resume {run}")
        }
        (EffectKind::Integrate, _) => format!("orch integrate {run}"),
        (EffectKind::Prepare | EffectKind::Verify | EffectKind::Clear | EffectKind::Restore, Some(task)) => {
            format!("orch task retry {task} --operation")
        }
        _ => format!("orch reconcile --run {run}"),
    }
}

/// Returns the command that shows or removes the cause of a failure, if one does.
pub(crate) fn remedy_command(cause: OperationFaultCause, path: Option<&str>) -> Option<String> {
    match cause {
        OperationFaultCause::DiskFull => Some(shell::join_words(["df", "-h", path.unwrap_or(".")])),
        OperationFaultCause::NotPermitted => Some(shell::join_words(["ls", "-ld", path?])),
        OperationFaultCause::Locked => Some(shell::join_words(["rm", path?])),
        OperationFaultCause::GitMissing => Some("git --version".to_owned()),
        OperationFaultCause::TreeDirty => Some(shell::join_words(["git", "-C", path?, "status"])),
        OperationFaultCause::Missing => Some(shell::join_words(["ls", "-ld", path?])),
        OperationFaultCause::StoreBusy
        | OperationFaultCause::StoreUnavailable
        | OperationFaultCause::HubUnreachable
        | OperationFaultCause::Unseen
        | OperationFaultCause::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use orch_core::id::{AttemptName, Slug};
    use orch_core::operation_failure::OperationFailure;

    use super::*;

    #[test]
    fn a_failed_operation_names_what_helps_and_how_to_try_again() {
        let task = TaskName { run: Slug::from_stored("r".into()), key: Slug::from_stored("a".into()) };
        let failed = FailedOperation {
            effect: EffectKind::Verify,
            run: task.run.clone(),
            attempt: Some(AttemptName { task, number: 1 }),
            stuck: true,
            retry_at: None,
            failure: OperationFailure {
                cause: OperationFaultCause::Locked,
                message: "Git failed.".to_owned(),
                command: None,
                exit_status: None,
                last_lines: Vec::new(),
                path: Some("/r/.git/x.lock".to_owned()),
            },
        };
        assert_eq!(failure_message(&failed), "Running the checks of r/a@1 failed: Git failed.");
        assert_eq!(next_commands(&failed), ["rm /r/.git/x.lock", "orch task retry r/a --operation"]);
        let merging = FailedOperation { effect: EffectKind::Integrate, ..failed };
        assert_eq!(failure_message(&merging), "Merging into r failed: Git failed.");
        assert_eq!(next_commands(&merging)[1], "orch run resume r");
    }
}
