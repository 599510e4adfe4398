//! What an error says about the operation that failed with it: whether the failure counts, which command failed, and what it printed.

use orch_core::limit;
use orch_core::operation_failure::{OperationFailure, OperationFaultCause};
use orch_core::refusal::{BranchObstacle, Refusal, TreeRefusal};
use orch_git::{GitError, GitFailureCause};
use orch_store::Fault;

use crate::Error;

/// Describes the failure of an operation; `None` for an error that says nothing about it.
#[must_use]
pub fn describe_failure(error: &Error) -> Option<OperationFailure> {
    let said_by_others = matches!(
        error,
        Error::TimedOut(_)
            | Error::Refused(Refusal::Tree(
                TreeRefusal::HeldElsewhere { .. }
                    | TreeRefusal::RequestAborted
                    // The verdict is recorded.
                    | TreeRefusal::ChecksFailed { .. }
                    | TreeRefusal::LandChecksFailed { .. }
                    // Another operation failed, which has its own record.
                    | TreeRefusal::OperationFailed { .. }
            ))
    );
    if said_by_others {
        return None;
    }
    let mut failure = OperationFailure {
        cause: OperationFaultCause::Other,
        message: error.describe(),
        command: None,
        exit_status: None,
        last_lines: Vec::new(),
        path: None,
    };
    match error {
        Error::Git(error) => describe_git_failure(error, &mut failure),
        Error::File { path, source, .. } => {
            failure.cause = file_fault_cause(source);
            failure.path = Some(path.display().to_string());
        }
        Error::Store(fault) => failure.cause = store_fault_cause(fault),
        Error::Refused(Refusal::Tree(
            TreeRefusal::BaseNotFound { .. } | TreeRefusal::BranchNotFound { .. },
        )) => {
            failure.cause = OperationFaultCause::Missing;
        }
        Error::Refused(Refusal::Tree(TreeRefusal::BranchHeld { obstacle, .. })) => {
            failure.cause = match obstacle {
                BranchObstacle::Locked { .. } => OperationFaultCause::Locked,
                _ => OperationFaultCause::TreeDirty,
            };
            failure.path = obstacle.paths().first().cloned();
        }
        Error::Refused(Refusal::Tree(TreeRefusal::WorktreeDirty { tree, .. })) => {
            failure.cause = OperationFaultCause::TreeDirty;
            failure.path = Some(tree.clone());
        }
        Error::Refused(_) | Error::TimedOut(_) | Error::Entropy(_) => {}
    }
    Some(failure)
}

/// Returns whether an error ends by itself, so that the same request will succeed later.
#[must_use]
pub fn is_transient(error: &Error) -> bool {
    describe_failure(error).is_some_and(|failure| !failure.cause.counts())
}

fn describe_git_failure(error: &GitError, failure: &mut OperationFailure) {
    let path = |path: &std::path::Path| Some(path.display().to_string());
    failure.cause = match error {
        GitError::Busy => OperationFaultCause::StoreBusy,
        GitError::NotInstalled | GitError::TooOld(_) => OperationFaultCause::GitMissing,
        GitError::NotARepository(_) | GitError::Unborn | GitError::NotFound(_) => {
            OperationFaultCause::Missing
        }
        GitError::NotClean { .. } | GitError::NeverClean { .. } | GitError::InProgress { .. } => {
            OperationFaultCause::TreeDirty
        }
        GitError::NotTrusted(_) => OperationFaultCause::NotPermitted,
        _ => match error.failure_cause() {
            GitFailureCause::DiskFull => OperationFaultCause::DiskFull,
            GitFailureCause::NotPermitted => OperationFaultCause::NotPermitted,
            GitFailureCause::Other => OperationFaultCause::Other,
        },
    };
    match error {
        GitError::Failed { command, status, stderr, .. } => {
            failure.command = Some(format!("git {command}"));
            failure.exit_status = status.code();
            failure.last_lines = last_lines(stderr);
        }
        GitError::LockExists { command, status, stderr, path: lock, .. } => {
            failure.cause = OperationFaultCause::Locked;
            failure.command = Some(format!("git {command}"));
            failure.exit_status = status.code();
            failure.last_lines = last_lines(stderr);
            failure.path = path(lock);
        }
        GitError::TooMuchOutput(command) | GitError::TimedOut(command) | GitError::Unreadable(command) => {
            failure.command = Some(format!("git {command}"));
        }
        GitError::NotARepository(folder)
        | GitError::PathTaken(folder)
        | GitError::NotAWorktree(folder)
        | GitError::MainWorktree(folder)
        | GitError::ChangedSinceSalvage(folder)
        | GitError::NotRestored(folder)
        | GitError::HalfRegistered(folder)
        | GitError::NestedRepository(folder)
        | GitError::WaitsForPipe(folder)
        | GitError::NotTrusted(folder) => failure.path = path(folder),
        GitError::CheckedOutElsewhere { path: folder, .. }
        | GitError::NotClean { path: folder, .. }
        | GitError::LockedByOthers { path: folder, .. }
        | GitError::InProgress { path: folder, .. }
        | GitError::Unsaved { path: folder, .. }
        | GitError::Io { path: folder, .. } => failure.path = path(folder),
        _ => {}
    }
}

fn file_fault_cause(source: &std::io::Error) -> OperationFaultCause {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => OperationFaultCause::DiskFull,
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            OperationFaultCause::NotPermitted
        }
        std::io::ErrorKind::NotFound => OperationFaultCause::Missing,
        _ => OperationFaultCause::Other,
    }
}

fn store_fault_cause(fault: &Fault) -> OperationFaultCause {
    match fault {
        Fault::DiskFull { .. } => OperationFaultCause::DiskFull,
        Fault::Busy { .. } => OperationFaultCause::StoreBusy,
        Fault::Unavailable { .. } => OperationFaultCause::StoreUnavailable,
        Fault::ReadOnly { .. } => OperationFaultCause::NotPermitted,
        _ => OperationFaultCause::Other,
    }
}

fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(limit::FAILURE_LINES_KEPT);
    lines[first..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn git_failed(stderr: &str) -> Error {
        GitError::Failed {
            command: "update-ref".to_owned(),
            status: std::process::ExitStatus::from_raw(128 << 8),
            stderr: stderr.to_owned(),
            cause: GitFailureCause::Other,
        }
        .into()
    }

    #[test]
    fn a_failed_command_is_described() {
        let lines: Vec<String> = (0..12).map(|number| format!("line {number}")).collect();
        let failure = describe_failure(&git_failed(&lines.join("\n"))).unwrap();
        assert_eq!((failure.command.as_deref(), failure.exit_status), (Some("git update-ref"), Some(128)));
        assert_eq!(failure.last_lines, lines[2..]);
        assert_eq!(failure.cause, OperationFaultCause::Other);
    }

    #[test]
    fn an_existing_lock_file_is_named() {
        let error = GitError::LockExists {
            command: "update-ref".to_owned(),
            status: std::process::ExitStatus::from_raw(128 << 8),
            stderr: "fatal: cannot lock ref".to_owned(),
            path: "/r/.git/refs/heads/x.lock".into(),
            age: None,
        };
        let failure = describe_failure(&error.into()).unwrap();
        assert_eq!(
            (failure.cause, failure.path.as_deref()),
            (OperationFaultCause::Locked, Some("/r/.git/refs/heads/x.lock"))
        );
        assert_eq!((failure.command.as_deref(), failure.exit_status), (Some("git update-ref"), Some(128)));
    }

    #[test]
    fn what_ends_by_itself_does_not_count() {
        let full = || std::io::ErrorKind::StorageFull.into();
        let file = |source| Error::File { doing: "write", path: "/f".into(), source };
        for (error, transient) in [
            (GitError::Busy.into(), true),
            (file(full()), true),
            (Error::Store(Fault::Busy { waited_ms: 1 }), true),
            (Error::Store(Fault::Unavailable { place: "/s".into(), source: full() }), true),
            (file(std::io::ErrorKind::PermissionDenied.into()), false),
            (git_failed("fatal: bad object"), false),
            (TreeRefusal::RequestAborted.into(), false),
        ] {
            assert_eq!(is_transient(&error), transient, "{error:?}");
        }
    }
}
