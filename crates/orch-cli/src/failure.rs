//! Why a command failed: everything below the doors turned into the contract's errors.

use orch_contract::{Code, ErrorView};
use orch_core::refusal::Refusal;
use orch_core::shell;
use orch_git::{Cause, GitError};
use orch_inbox::{Awaited, Error};
use orch_store::Fault;
use orch_supervisor::SupervisorError;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// What people and programs are told.
    pub error: Box<ErrorView>,
    /// How the same command goes on, when it is worth repeating.
    pub again: Option<Again>,
}

/// How a command that timed out, or only lacks an option, is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// With this cursor as `--after`.
    After(String),
    /// As it was.
    Same,
    /// With this option as well.
    With(&'static str),
}

impl Failure {
    /// A failure without hint and details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        ErrorView::new(code, message).into()
    }

    /// An argument is wrong.
    #[must_use]
    pub fn invalid(argument: &str, message: impl Into<String>) -> Self {
        ErrorView::new(Code::InvalidArgument, message).detail("argument", argument).into()
    }

    /// The same failure with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.error.code.0
    }
}

impl From<ErrorView> for Failure {
    fn from(error: ErrorView) -> Self {
        Self { error: Box::new(error), again: None }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let error = Box::new(ErrorView::of(&refusal));
        let again = match refusal {
            Refusal::InPlan { refusal, .. } if matches!(*refusal, Refusal::TaskExists { .. }) => {
                Some(Again::With("--update"))
            }
            _ => None,
        };
        Self { error, again }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let again = match &fault {
            // Others keep it locked no longer than their own command takes.
            Fault::Busy { .. } => Some(Again::Same),
            Fault::NetworkFileSystem { .. } => Some(Again::With("--allow-network-fs")),
            _ => None,
        };
        Self { again, ..of_fault(&fault).into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Store(fault) => fault.into(),
            error @ (Error::Git(_) | Error::File { .. }) => of_error(&error).into(),
            Error::TimedOut(awaited) => timed_out(awaited),
            Error::Entropy(source) => ErrorView::new(
                Code::Internal,
                format!("The system gave no randomness for a token: {source}."),
            )
            .into(),
        }
    }
}

impl From<SupervisorError> for Failure {
    fn from(error: SupervisorError) -> Self {
        match error {
            SupervisorError::Operation(error) => error.into(),
            error @ (SupervisorError::Brief(_) | SupervisorError::Fill(_)) => {
                ErrorView::new(Code::InvalidArgument, sentence(&error)).into()
            }
        }
    }
}

/// A wait that ended without what it waited for; its hint becomes the same command with its cursor.
fn timed_out(awaited: Awaited) -> Failure {
    let (error, again) = match awaited {
        Awaited::Messages(cursor) => (
            ErrorView::new(Code::Timeout, format!("No message came after {cursor}."))
                .detail("cursor", cursor.to_string()),
            Again::After(cursor.to_string()),
        ),
        Awaited::Events(cursor) => (
            ErrorView::new(Code::Timeout, format!("Nothing happened after {cursor}."))
                .detail("cursor", cursor.to_string()),
            Again::After(cursor.to_string()),
        ),
        Awaited::Answer { thread, question } => (
            ErrorView::new(Code::Timeout, format!("Question {question} is not answered yet; it stays open."))
                .detail("thread", thread.to_string())
                .detail("question", question.to_string()),
            Again::Same,
        ),
    };
    Failure { error: Box::new(error), again: Some(again) }
}

/// What an error is to people and programs that does not end the command it came up in.
pub(crate) fn of_error(error: &Error) -> ErrorView {
    match error {
        Error::Refused(refusal) => ErrorView::of(refusal),
        Error::Store(fault) => of_fault(fault),
        Error::Git(error) => of_git(error),
        Error::File { path, source, .. } => {
            let code = match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::DiskFull,
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Code::NotPermitted
                }
                _ => Code::Internal,
            };
            let folder = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
            let hint = match code {
                Code::DiskFull => shell::line(["df", "-h", &folder.display().to_string()]),
                _ => shell::line(["ls", "-ld", &folder.display().to_string()]),
            };
            ErrorView::new(code, sentence(error)).hint(hint).detail("path", path.display().to_string())
        }
        Error::TimedOut(_) | Error::Entropy(_) => ErrorView::new(Code::Internal, sentence(error)),
    }
}

/// What git could not do, to people and programs.
fn of_git(error: &GitError) -> ErrorView {
    let message = sentence(error);
    let place = |path: &std::path::Path| path.display().to_string();
    let (code, hint) = match error {
        GitError::NotInstalled | GitError::TooOld { .. } => {
            (Code::NotSupported, Some("git --version".to_owned()))
        }
        GitError::NotARepository { .. } | GitError::Unborn | GitError::NotFound { .. } => {
            (Code::BaseNotFound, Some("git log --oneline -5".to_owned()))
        }
        GitError::InvalidName { .. } | GitError::InvalidPattern { .. } => (Code::InvalidArgument, None),
        GitError::RefExists { reference, .. } | GitError::RefConflict { existing: reference, .. } => {
            (Code::WorktreeConflict, Some(shell::line(["git", "log", "--oneline", "-5", reference.as_str()])))
        }
        GitError::RefMoved { reference, .. } => {
            (Code::WorktreeConflict, Some(shell::line(["git", "log", "--oneline", "-5", reference.as_str()])))
        }
        GitError::NotClean { path, .. } | GitError::InProgress { path, .. } => {
            (Code::WorktreeDirty, Some(shell::line(["git", "-C", &place(path), "status"])))
        }
        GitError::CheckedOutElsewhere { .. }
        | GitError::PathTaken { .. }
        | GitError::NotAWorktree { .. }
        | GitError::MainWorktree { .. }
        | GitError::LockedByOthers { .. }
        | GitError::ChangedSinceSalvage { .. } => {
            (Code::WorktreeConflict, Some("git worktree list".to_owned()))
        }
        GitError::HalfRegistered { folder } => {
            (Code::WorktreeConflict, Some(shell::line(["ls", "-l", &place(folder)])))
        }
        GitError::NotTrusted { folder } => {
            let words = ["git", "config", "--global", "--add", "safe.directory", &place(folder)];
            (Code::NotPermitted, Some(shell::line(words)))
        }
        GitError::Unrelated { .. } => (Code::MergeConflict, None),
        GitError::Unsupported { .. } => (Code::NotSupported, None),
        GitError::Busy | GitError::TimedOut { .. } => (Code::StoreBusy, None),
        GitError::NotASalvage { .. } | GitError::NotRestored { .. } => (Code::WorktreeConflict, None),
        GitError::TooMuchOutput { .. }
        | GitError::Unreadable { .. }
        | GitError::Failed { .. }
        | GitError::Io { .. } => match error.cause() {
            Cause::DiskFull => (Code::DiskFull, Some("df -h .".to_owned())),
            Cause::NotPermitted => (
                Code::NotPermitted,
                Some(match error {
                    GitError::Io { path, .. } => shell::line(["ls", "-ld", &place(path)]),
                    _ => "ls -ld \"$(git rev-parse --git-common-dir)\"".to_owned(),
                }),
            ),
            Cause::Other => (Code::Internal, None),
        },
    };
    let view = ErrorView::new(code, message);
    match hint {
        Some(hint) => view.hint(hint),
        None => view,
    }
}

/// What a fault of the store is to people and programs.
fn of_fault(fault: &Fault) -> ErrorView {
    let message = sentence(fault);
    match fault {
        Fault::NotFound { searched } => ErrorView::new(Code::StoreNotFound, message)
            .hint("orch init")
            .detail("searched", searched.display().to_string()),
        Fault::TooNew { found, known } => ErrorView::new(Code::StoreTooNew, message)
            .hint("orch --version")
            .detail("found", *found)
            .detail("known", *known),
        Fault::Busy { waited_ms } => ErrorView::new(Code::StoreBusy, message).detail("waited_ms", *waited_ms),
        Fault::Unavailable { place, .. } => ErrorView::new(Code::StoreUnavailable, message)
            .hint(shell::line(["ls", "-ld", folder(place)]))
            .detail("place", place.as_str()),
        Fault::NetworkFileSystem { place, kind } => {
            let mut error = ErrorView::new(
                Code::StoreUnavailable,
                format!("{message} Repeat with --allow-network-fs if only one host uses it."),
            );
            // Waiting does not move a file system.
            error.retryable = false;
            error.detail("place", place.as_str()).detail("file_system", *kind)
        }
        Fault::Corrupt { place, .. } | Fault::Foreign { place } => {
            ErrorView::new(Code::StoreCorrupt, message).hint("orch doctor").detail("place", place.as_str())
        }
        Fault::ReadOnly { place, .. } => ErrorView::new(Code::StoreReadOnly, message)
            .hint(shell::line(["ls", "-la", folder(place)]))
            .detail("place", place.as_str()),
        Fault::DiskFull { place, .. } => ErrorView::new(Code::DiskFull, message)
            .hint(shell::line(["df", "-h", folder(place)]))
            .detail("place", place.as_str()),
        Fault::NotSupported { kind } => {
            let message =
                format!("This program cannot open stores of this kind ({kind}); name an SQLite file.");
            ErrorView::new(Code::NotSupported, message).detail("kind", *kind)
        }
        // What stands in a row was put there by no program of ours.
        Fault::Value { .. } => ErrorView::new(Code::StoreCorrupt, message).hint("orch doctor"),
        Fault::Database { .. } => ErrorView::new(Code::Internal, message).hint("orch doctor"),
    }
}

/// The folder that a store lies in.
fn folder(place: &str) -> &str {
    let folder = std::path::Path::new(place).parent().and_then(std::path::Path::to_str);
    folder.filter(|folder| !folder.is_empty()).unwrap_or(".")
}

/// The fault and its causes as one sentence.
fn sentence(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    if let Some(first) = text.get(..1).map(str::to_uppercase) {
        text.replace_range(..1, &first);
    }
    let mut cause = fault.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.push('.');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_the_contracts_codes_and_statuses() {
        let driver = || -> orch_store::fault::DriverError { "the driver's words".into() };
        let place = || "/there/orch.db".to_owned();
        let io = std::io::Error::from_raw_os_error(2);
        for (fault, name, exit) in [
            (Fault::NotFound { searched: "/here".into() }, "store_not_found", 3),
            (Fault::TooNew { found: 9, known: 1 }, "store_too_new", 1),
            (Fault::Busy { waited_ms: 5_000 }, "store_busy", 6),
            (Fault::Unavailable { place: place(), source: io }, "store_unavailable", 6),
            (Fault::NetworkFileSystem { place: place(), kind: "nfs" }, "store_unavailable", 6),
            (Fault::Corrupt { place: place(), source: driver() }, "store_corrupt", 1),
            (Fault::Foreign { place: place() }, "store_corrupt", 1),
            (Fault::ReadOnly { place: place(), source: driver() }, "store_read_only", 7),
            (Fault::DiskFull { place: place(), source: driver() }, "disk_full", 6),
            (Fault::NotSupported { kind: "postgres" }, "not_supported", 4),
            (Fault::Database { source: driver() }, "internal", 1),
            (Fault::Value { table: "task", value: "x".into() }, "store_corrupt", 1),
        ] {
            let failure = Failure::from(fault);
            assert_eq!((failure.code().name(), failure.code().exit_status()), (name, exit));
            assert!(failure.error.message.ends_with('.'), "{}", failure.error.message);
        }
    }

    #[test]
    fn a_fault_says_what_was_attempted_and_why_it_failed() {
        let error = of_fault(&Fault::DiskFull {
            place: "/there/orch.db".into(),
            source: "database or disk is full".into(),
        });
        assert_eq!(error.hint.as_deref(), Some("df -h /there"));
        assert_eq!(error.message, "The disk is full: database or disk is full.");
    }

    #[test]
    fn a_timeout_knows_how_to_go_on() {
        let failure = Failure::from(Error::TimedOut(Awaited::Events(orch_core::id::EventId(12))));
        assert_eq!(failure.again, Some(Again::After("e-12".to_owned())));
        assert_eq!(failure.code(), Code::Timeout);
    }
}
