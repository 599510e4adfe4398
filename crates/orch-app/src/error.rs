//! From every error below the doors to the contract's errors: code, sentence, hint, and advice how to retry.

use orch_contract::{ErrorCode, ErrorView};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::shell;
use orch_git::{GitError, GitFailureCause};
use orch_inbox::{Error, WaitTarget};
use orch_store::Fault;
use orch_supervisor::SupervisorError;
use orch_workspace::git_locks::removal_command;

/// The error of a request.
#[derive(Debug)]
pub struct AppError {
    /// The error as the contract has it.
    pub view: Box<ErrorView>,
    /// The advice how to repeat the request, where that is worthwhile.
    pub retry: Option<RetryAdvice>,
}

/// The advice how to repeat a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryAdvice {
    /// Repeat it from this cursor.
    AfterCursor(String),
    /// Repeat it unchanged.
    Unchanged,
    /// Repeat it with this option as well.
    WithOption(&'static str),
    /// Repeat it for one of these runs.
    WithRun(Vec<String>),
}

impl AppError {
    /// Returns an error without hint and details.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ErrorView::new(code, message).into()
    }

    /// Returns the error of an invalid argument.
    #[must_use]
    pub fn invalid_argument(argument: &str, message: impl Into<String>) -> Self {
        ErrorView::new(ErrorCode::InvalidArgument, message).with_detail("argument", argument).into()
    }

    /// Returns the error of a worker that asks for what is not its own.
    #[must_use]
    pub(crate) fn not_permitted(message: &str) -> Self {
        ErrorView::new(ErrorCode::NotPermitted, message).with_hint("inbox ask TEXT").into()
    }

    /// Returns the error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.view.hint = Some(hint.into());
        self
    }

    /// Returns whether an operation failed because the store does not exist.
    pub(crate) fn from_store_missing(error: &Error) -> bool {
        matches!(error, Error::Store(Fault::NotFound { .. }))
    }

    /// Returns the code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.view.code.0
    }
}

impl From<ErrorView> for AppError {
    fn from(error: ErrorView) -> Self {
        Self { view: Box::new(error), retry: None }
    }
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        let view = Box::new(ErrorView::from_refusal(&refusal));
        let retry = match refusal {
            Refusal::RunAmbiguous { runs } => {
                Some(RetryAdvice::WithRun(runs.iter().map(ToString::to_string).collect()))
            }
            Refusal::InPlan { refusal, .. } if matches!(*refusal, Refusal::TaskExists { .. }) => {
                Some(RetryAdvice::WithOption("--update"))
            }
            // The other process holds it for the duration of its own command at most.
            Refusal::Tree(TreeRefusal::HeldElsewhere { .. } | TreeRefusal::RequestAborted) => {
                Some(RetryAdvice::Unchanged)
            }
            _ => None,
        };
        Self { view, retry }
    }
}

impl From<Fault> for AppError {
    fn from(fault: Fault) -> Self {
        let retry = match &fault {
            // The other process holds the lock for the duration of its own command at most.
            Fault::Busy { .. } => Some(RetryAdvice::Unchanged),
            Fault::NetworkFileSystem { .. } => Some(RetryAdvice::WithOption("--allow-network-fs")),
            _ => None,
        };
        Self { retry, ..fault_view(&fault).into() }
    }
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Store(fault) => fault.into(),
            error @ (Error::Git(_) | Error::File { .. }) => error_view(&error).into(),
            Error::TimedOut(awaited) => timeout_failure(awaited),
            Error::Entropy(source) => ErrorView::new(
                ErrorCode::Internal,
                format!("The system gave no randomness for a token: {source}."),
            )
            .into(),
        }
    }
}

impl From<SupervisorError> for AppError {
    fn from(error: SupervisorError) -> Self {
        match error {
            SupervisorError::Operation(error) => error.into(),
            error @ (SupervisorError::Brief(_) | SupervisorError::Fill(_)) => {
                ErrorView::new(ErrorCode::InvalidArgument, sentence_with_causes(&error)).into()
            }
        }
    }
}

/// Returns the error of a wait that timed out.
fn timeout_failure(awaited: WaitTarget) -> AppError {
    let (error, retry) = match awaited {
        WaitTarget::Messages(cursor) => (
            ErrorView::new(ErrorCode::Timeout, format!("No message came after {cursor}."))
                .with_detail("cursor", cursor.to_string()),
            RetryAdvice::AfterCursor(cursor.to_string()),
        ),
        WaitTarget::Events(cursor) => (
            ErrorView::new(ErrorCode::Timeout, format!("Nothing happened after {cursor}."))
                .with_detail("cursor", cursor.to_string()),
            RetryAdvice::AfterCursor(cursor.to_string()),
        ),
        WaitTarget::Answer { thread, question } => (
            ErrorView::new(
                ErrorCode::Timeout,
                format!("Question {question} is not answered yet; it stays open."),
            )
            .with_detail("thread", thread.to_string())
            .with_detail("question", question.to_string()),
            RetryAdvice::Unchanged,
        ),
    };
    AppError { view: Box::new(error), retry: Some(retry) }
}

/// Converts an error of an operation, without advice how to retry.
pub fn error_view(error: &Error) -> ErrorView {
    match error {
        Error::Refused(refusal) => ErrorView::from_refusal(refusal),
        Error::Store(fault) => fault_view(fault),
        Error::Git(error) => git_error_view(error),
        Error::File { path, source, .. } => {
            let code = match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    ErrorCode::NotPermitted
                }
                _ => ErrorCode::Internal,
            };
            let folder = path.ancestors().find(|folder| folder.exists()).unwrap_or(path);
            let hint = match code {
                ErrorCode::DiskFull => shell::join_words(["df", "-h", &folder.display().to_string()]),
                _ => shell::join_words(["ls", "-ld", &folder.display().to_string()]),
            };
            ErrorView::new(code, sentence_with_causes(error))
                .with_hint(hint)
                .with_detail("path", path.display().to_string())
        }
        Error::TimedOut(_) | Error::Entropy(_) => {
            ErrorView::new(ErrorCode::Internal, sentence_with_causes(error))
        }
    }
}

/// Converts an error of git.
fn git_error_view(error: &GitError) -> ErrorView {
    let message = sentence_with_causes(error);
    let place = |path: &std::path::Path| path.display().to_string();
    let (code, hint) = match error {
        GitError::NotInstalled | GitError::TooOld { .. } => {
            (ErrorCode::NotSupported, Some("git --version".to_owned()))
        }
        GitError::NotARepository { .. } | GitError::Unborn | GitError::NotFound { .. } => {
            (ErrorCode::BaseNotFound, Some("git log --oneline -5".to_owned()))
        }
        GitError::InvalidName { .. } | GitError::InvalidPattern { .. } => (ErrorCode::InvalidArgument, None),
        GitError::RefExists { reference, .. }
        | GitError::RefConflict { existing: reference, .. }
        | GitError::RefMoved { reference, .. } => (
            ErrorCode::WorktreeConflict,
            Some(shell::join_words(["git", "log", "--oneline", "-5", reference.as_str()])),
        ),
        GitError::NotClean { path, .. } | GitError::InProgress { path, .. } => {
            (ErrorCode::WorktreeDirty, Some(shell::join_words(["git", "-C", &place(path), "status"])))
        }
        GitError::BranchHeld { .. }
        | GitError::CheckedOutElsewhere { .. }
        | GitError::PathTaken { .. }
        | GitError::NotAWorktree { .. }
        | GitError::MainWorktree { .. }
        | GitError::LockedByOthers { .. }
        | GitError::ChangedSinceSalvage { .. }
        | GitError::Unsaved { .. } => (ErrorCode::WorktreeConflict, Some("git worktree list".to_owned())),
        GitError::HalfRegistered(folder) => {
            (ErrorCode::WorktreeConflict, Some(shell::join_words(["ls", "-l", &place(folder)])))
        }
        GitError::NotTrusted(folder) => {
            let words = ["git", "config", "--global", "--add", "safe.directory", &place(folder)];
            (ErrorCode::NotPermitted, Some(shell::join_words(words)))
        }
        GitError::Unrelated { .. } => (ErrorCode::MergeConflict, None),
        GitError::NeverClean { .. } => (ErrorCode::WorktreeDirty, Some("git ls-files --eol".to_owned())),
        GitError::NestedRepository(_) | GitError::WaitsForPipe(_) => (ErrorCode::NotSupported, None),
        GitError::LockExists { path, .. } => (ErrorCode::OperationFailed, Some(removal_command(path))),
        GitError::Busy => (ErrorCode::StoreBusy, None),
        GitError::NotASalvage { .. } | GitError::NotRestored { .. } => (ErrorCode::WorktreeConflict, None),
        GitError::TooMuchOutput { .. }
        | GitError::TimedOut { .. }
        | GitError::Unreadable { .. }
        | GitError::Failed { .. }
        | GitError::Io { .. } => match error.failure_cause() {
            GitFailureCause::DiskFull => (ErrorCode::DiskFull, Some("df -h .".to_owned())),
            GitFailureCause::NotPermitted => (
                ErrorCode::NotPermitted,
                Some(match error {
                    GitError::Io { path, .. } => shell::join_words(["ls", "-ld", &place(path)]),
                    _ => "ls -ld \"$(git rev-parse --git-common-dir)\"".to_owned(),
                }),
            ),
            GitFailureCause::Other => (ErrorCode::OperationFailed, None),
        },
    };
    let view = with_git_details(ErrorView::new(code, message), error);
    match hint {
        Some(hint) => view.with_hint(hint),
        None => view,
    }
}

/// Adds the command that failed, and the lock file that it met.
fn with_git_details(mut view: ErrorView, error: &GitError) -> ErrorView {
    if let GitError::Failed { command, status, .. } | GitError::LockExists { command, status, .. } = error {
        view =
            view.with_detail("command", format!("git {command}")).with_detail("exit_status", status.code());
    }
    if let GitError::LockExists { path, age, .. } = error {
        view = view.with_detail("path", path.display().to_string());
        if let Some(age) = age {
            view = view.with_detail("age_ms", i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        }
    }
    view
}

/// Converts a fault of the store.
fn fault_view(fault: &Fault) -> ErrorView {
    let message = sentence_with_causes(fault);
    match fault {
        Fault::NotFound { searched } => ErrorView::new(ErrorCode::StoreNotFound, message)
            .with_hint("orch init")
            .with_detail("searched", searched.display().to_string()),
        Fault::TooNew { found, known } => ErrorView::new(ErrorCode::StoreTooNew, message)
            .with_hint("orch --version")
            .with_detail("found", *found)
            .with_detail("known", *known),
        Fault::Busy { waited_ms } => {
            ErrorView::new(ErrorCode::StoreBusy, message).with_detail("waited_ms", *waited_ms)
        }
        Fault::Unavailable { place, source } => {
            let mut error = ErrorView::new(ErrorCode::StoreUnavailable, message)
                .with_hint(shell::join_words(["ls", "-ld", store_folder(place)]))
                .with_detail("place", place.as_str());
            // Waiting does not shorten a path.
            error.retryable = source.kind() != std::io::ErrorKind::InvalidFilename;
            error
        }
        Fault::NetworkFileSystem { place, kind } => {
            let mut error = ErrorView::new(
                ErrorCode::StoreUnavailable,
                format!("{message} Repeat with --allow-network-fs if only one host uses it."),
            );
            // Waiting does not move a file system.
            error.retryable = false;
            error.with_detail("place", place.as_str()).with_detail("file_system", *kind)
        }
        Fault::InWorkTree { .. }
        | Fault::TwoStores { .. }
        | Fault::Untrusted { .. }
        | Fault::Copied { .. }
        | Fault::Elsewhere { .. }
        | Fault::InUse { .. } => place_fault_view(fault, message),
        Fault::Corrupt { place, .. } | Fault::Foreign { place } => {
            ErrorView::new(ErrorCode::StoreCorrupt, message)
                .with_hint("orch doctor")
                .with_detail("place", place.as_str())
        }
        Fault::ReadOnly { place, .. } => ErrorView::new(ErrorCode::StoreReadOnly, message)
            .with_hint(shell::join_words(["ls", "-la", store_folder(place)]))
            .with_detail("place", place.as_str()),
        Fault::DiskFull { place, .. } => ErrorView::new(ErrorCode::DiskFull, message)
            .with_hint(shell::join_words(["df", "-h", store_folder(place)]))
            .with_detail("place", place.as_str()),
        Fault::NotSupported { kind } => {
            let message =
                format!("This program cannot open stores of this kind ({kind}); name an SQLite file.");
            ErrorView::new(ErrorCode::NotSupported, message).with_detail("kind", *kind)
        }
        // A program of another origin wrote the value.
        Fault::Value { .. } => ErrorView::new(ErrorCode::StoreCorrupt, message).with_hint("orch doctor"),
        Fault::Database { .. } => ErrorView::new(ErrorCode::Internal, message).with_hint("orch doctor"),
    }
}

/// Converts a fault of a store that is not trusted, not in its place, or in use by an older version.
fn place_fault_view(fault: &Fault, message: String) -> ErrorView {
    match fault {
        Fault::InWorkTree { path } => {
            // The folder is named as it is found from the working folder.
            let here = std::env::current_dir().unwrap_or_default();
            let shown = path.strip_prefix(&here).unwrap_or(path).display().to_string();
            ErrorView::new(ErrorCode::StoreUntrusted, message)
                .with_hint(shell::join_words(["orch", "init", "--adopt", &shown]))
                .with_detail("paths", vec![path.display().to_string()])
        }
        Fault::TwoStores { place } => ErrorView::new(ErrorCode::StoreCorrupt, message)
            .with_hint(shell::join_words(["ls", "-la", &place.display().to_string()]))
            .with_detail("place", place.display().to_string()),
        Fault::Untrusted { path, .. } => ErrorView::new(ErrorCode::StoreUntrusted, message)
            .with_hint(shell::join_words(["orch", "trust", &path.display().to_string()]))
            .with_detail("paths", vec![path.display().to_string()]),
        Fault::Copied { here, home, is_certain } => ErrorView::new(ErrorCode::StoreCopied, message)
            .with_hint(if *is_certain { "orch init --as-copy" } else { "orch init --moved" })
            .with_detail("paths", vec![here.display().to_string(), home.display().to_string()]),
        Fault::Elsewhere { repository, here, home } => ErrorView::new(ErrorCode::StoreElsewhere, message)
            .with_detail(
                "paths",
                [repository, here, home].iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            ),
        Fault::InUse { place, processes, .. } => ErrorView::new(ErrorCode::StoreInUse, message)
            .with_hint("orch ps")
            .with_detail("place", place.as_str())
            .with_detail("processes", processes.clone()),
        _ => ErrorView::new(ErrorCode::Internal, message),
    }
}

/// Returns the error of a file that defines commands or prompts and that another user could have written.
pub(crate) fn untrusted_file(
    path: &std::path::Path,
    problem: &orch_process::ownership::OwnershipProblem,
) -> AppError {
    Fault::Untrusted { path: path.to_owned(), problem: problem.to_string() }.into()
}

/// Returns the folder of a store.
fn store_folder(place: &str) -> &str {
    let folder = std::path::Path::new(place).parent().and_then(std::path::Path::to_str);
    folder.filter(|folder| !folder.is_empty()).unwrap_or(".")
}

/// Returns an error and its causes as one sentence.
fn sentence_with_causes(error: &dyn std::error::Error) -> String {
    error_sentence(&error_chain(error))
}

/// Returns an error and its causes, joined by colons.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Returns a clause as a sentence: with a capital letter and a period.
pub(crate) fn error_sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    format!("{}{}.", first.into_iter().flatten().collect::<String>(), letters.as_str())
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
            (Fault::InWorkTree { path: "/r/.orch".into() }, "store_untrusted", 7),
            (Fault::TwoStores { place: "/r/.git/orch".into() }, "store_corrupt", 1),
            (
                Fault::Untrusted { path: "/t/orch.db".into(), problem: "it belongs to mallory".to_owned() },
                "store_untrusted",
                7,
            ),
            (Fault::Copied { here: "/b".into(), home: "/a".into(), is_certain: true }, "store_copied", 4),
            (
                Fault::Elsewhere { repository: "/r/.git".into(), here: "/b".into(), home: "/a".into() },
                "store_elsewhere",
                4,
            ),
            (Fault::InUse { place: place(), found: 3, processes: Vec::new() }, "store_in_use", 6),
            (Fault::DiskFull { place: place(), source: driver() }, "disk_full", 6),
            (Fault::NotSupported { kind: "postgres" }, "not_supported", 4),
            (Fault::Database { source: driver() }, "internal", 1),
            (Fault::Value { table: "task", value: "x".into() }, "store_corrupt", 1),
        ] {
            let failure = AppError::from(fault);
            assert_eq!((failure.code().name(), failure.code().exit_status()), (name, exit));
            assert!(failure.view.message.ends_with('.'), "{}", failure.view.message);
        }
    }

    #[test]
    fn a_fault_says_what_was_attempted_and_why_it_failed() {
        let error = fault_view(&Fault::DiskFull {
            place: "/there/orch.db".into(),
            source: "database or disk is full".into(),
        });
        assert_eq!(error.hint.as_deref(), Some("df -h /there"));
        assert_eq!(error.message, "The disk is full: database or disk is full.");
    }

    #[test]
    fn a_timeout_knows_how_to_go_on() {
        let failure = AppError::from(Error::TimedOut(WaitTarget::Events(orch_core::id::EventId(12))));
        assert_eq!(failure.retry, Some(RetryAdvice::AfterCursor("e-12".to_owned())));
        assert_eq!(failure.code(), ErrorCode::Timeout);
    }
}
