//! The stable error codes, with the exit status of each.

use std::fmt;

use crate::word::{WireEnum, WireWord};

/// Defines the codes: name, exit status, and whether an unchanged request may succeed later.
macro_rules! codes {
    ($(#[doc = $meaning:literal] $variant:ident = $name:literal, exit $exit:literal, retryable $retryable:literal;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// All codes, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns its meaning, a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning.trim_ascii(),)*
                }
            }

            /// Returns the public name, the exit status, and whether an unchanged request may succeed later.
            fn facts(self) -> (&'static str, u8, bool) {
                match self {
                    $(Self::$variant => ($name, $exit, $retryable),)*
                }
            }
        }
    };
}

codes! {
    /// An argument is invalid.
    InvalidArgument = "invalid_argument", exit 2, retryable false;
    /// No store was found.
    StoreNotFound = "store_not_found", exit 3, retryable false;
    /// A newer program wrote the store.
    StoreTooNew = "store_too_new", exit 1, retryable false;
    /// Other processes kept the store locked.
    StoreBusy = "store_busy", exit 6, retryable true;
    /// The store cannot be reached.
    StoreUnavailable = "store_unavailable", exit 6, retryable true;
    /// The file is damaged, or not a store.
    StoreCorrupt = "store_corrupt", exit 1, retryable false;
    /// The store cannot be written.
    StoreReadOnly = "store_read_only", exit 7, retryable false;
    /// The store, or a file that it obeys, may have been written by another user or another repository.
    StoreUntrusted = "store_untrusted", exit 7, retryable false;
    /// The store is, or may be, a copy of another one.
    StoreCopied = "store_copied", exit 4, retryable false;
    /// The request needs a path under which the store's files are not visible here.
    StoreElsewhere = "store_elsewhere", exit 4, retryable false;
    /// Processes of an older version use the store, so it is not upgraded.
    StoreInUse = "store_in_use", exit 6, retryable true;
    /// The disk is full.
    DiskFull = "disk_full", exit 6, retryable true;
    /// The run does not exist.
    RunNotFound = "run_not_found", exit 3, retryable false;
    /// The run's state does not allow the request.
    RunNotOpen = "run_not_open", exit 4, retryable false;
    /// A run with this name exists.
    RunExists = "run_exists", exit 4, retryable false;
    /// Tasks of the run are not done.
    RunIncomplete = "run_incomplete", exit 4, retryable false;
    /// The task does not exist.
    TaskNotFound = "task_not_found", exit 3, retryable false;
    /// The profile does not exist.
    ProfileNotFound = "profile_not_found", exit 3, retryable false;
    /// A task with this key exists.
    TaskExists = "task_exists", exit 4, retryable false;
    /// The task cannot be dispatched, or retried, now.
    TaskNotReady = "task_not_ready", exit 4, retryable false;
    /// The task has no open question.
    TaskNotBlocked = "task_not_blocked", exit 4, retryable false;
    /// The task is finished.
    TaskFinished = "task_finished", exit 4, retryable false;
    /// The dependency would close a cycle.
    DependencyCycle = "dependency_cycle", exit 4, retryable false;
    /// The dependency exists already.
    DependencyExists = "dependency_exists", exit 4, retryable false;
    /// The dependency does not exist.
    DependencyNotFound = "dependency_not_found", exit 3, retryable false;
    /// An attempt is live.
    AttemptLive = "attempt_live", exit 4, retryable false;
    /// The task has no live attempt.
    AttemptNotFound = "attempt_not_found", exit 3, retryable false;
    /// The agent does not exist.
    AgentNotFound = "agent_not_found", exit 3, retryable false;
    /// The thread does not exist.
    ThreadNotFound = "thread_not_found", exit 3, retryable false;
    /// The thread is closed.
    ThreadClosed = "thread_closed", exit 4, retryable false;
    /// The thread is not claimed.
    NotClaimed = "not_claimed", exit 4, retryable false;
    /// Another agent holds the thread.
    AlreadyClaimed = "already_claimed", exit 4, retryable false;
    /// The token is not the current one.
    LeaseLost = "lease_lost", exit 4, retryable false;
    /// Another question is open.
    QuestionOpen = "question_open", exit 4, retryable false;
    /// No question is open.
    NoQuestion = "no_question", exit 4, retryable false;
    /// No work can be claimed.
    InboxEmpty = "inbox_empty", exit 5, retryable true;
    /// The wait timed out.
    Timeout = "timeout", exit 5, retryable true;
    /// The request id was used with other arguments.
    RequestConflict = "request_conflict", exit 4, retryable false;
    /// No request with this id was applied.
    RequestNotFound = "request_not_found", exit 3, retryable false;
    /// The run's limit of live attempts is reached.
    CapacityReached = "capacity_reached", exit 4, retryable true;
    /// The worktree has uncommitted changes.
    WorktreeDirty = "worktree_dirty", exit 4, retryable false;
    /// The base revision does not exist.
    BaseNotFound = "base_not_found", exit 3, retryable false;
    /// The repository has no commit to begin a run from.
    NoCommit = "no_commit", exit 4, retryable false;
    /// The worktree is not in the required state, such as on its branch at a descendant of its base.
    WorktreeConflict = "worktree_conflict", exit 4, retryable false;
    /// The worktree has no commit since its base.
    NoChanges = "no_changes", exit 4, retryable false;
    /// A check failed.
    CheckFailed = "check_failed", exit 4, retryable false;
    /// The commits have a merge conflict.
    MergeConflict = "merge_conflict", exit 4, retryable false;
    /// A command or a file operation that the request needs has failed.
    OperationFailed = "operation_failed", exit 4, retryable false;
    /// A limit of cost cannot hold, because a profile does not tell its cost in time.
    Unmetered = "unmetered", exit 4, retryable false;
    /// Others moved or deleted the run's branch.
    BranchMoved = "branch_moved", exit 4, retryable false;
    /// The caller has no permission.
    NotPermitted = "not_permitted", exit 7, retryable false;
    /// The request is not supported.
    NotSupported = "not_supported", exit 4, retryable false;
    /// A defect of this program.
    Internal = "internal", exit 1, retryable false;
}

impl ErrorCode {
    /// Returns the public name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Returns the exit status of a command that fails with it.
    #[must_use]
    pub fn exit_status(self) -> u8 {
        self.facts().1
    }

    /// Returns whether an unchanged request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        self.facts().2
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl WireEnum for ErrorCode {
    const SET: &'static str = "Code";

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    fn word(self) -> &'static str {
        self.name()
    }
}

/// A code in a response.
pub type ErrorCodeWord = WireWord<ErrorCode>;

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract's list, word for word.
    const CONTRACT: &str = "invalid_argument store_not_found store_too_new store_busy store_unavailable store_corrupt \
        store_read_only store_untrusted store_copied store_elsewhere store_in_use disk_full run_not_found run_not_open run_exists run_incomplete task_not_found profile_not_found task_exists \
        task_not_ready task_not_blocked task_finished dependency_cycle dependency_exists dependency_not_found \
        attempt_live attempt_not_found agent_not_found thread_not_found thread_closed not_claimed already_claimed \
        lease_lost question_open no_question inbox_empty timeout request_conflict request_not_found capacity_reached \
        worktree_dirty base_not_found no_commit worktree_conflict no_changes check_failed merge_conflict operation_failed \
        unmetered \
        branch_moved not_permitted not_supported internal";

    #[test]
    fn the_codes_are_the_contracts() {
        let names: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names, CONTRACT.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn exit_statuses_follow_the_contract() {
        for code in ErrorCode::ALL {
            let expected = match code.name() {
                "internal" | "store_corrupt" | "store_too_new" => 1,
                "invalid_argument" => 2,
                name if name.ends_with("_not_found") => 3,
                "inbox_empty" | "timeout" => 5,
                "store_busy" | "store_unavailable" | "store_in_use" | "disk_full" => 6,
                "not_permitted" | "store_read_only" | "store_untrusted" => 7,
                _ => 4,
            };
            assert_eq!(code.exit_status(), expected, "{code}");
            if code.exit_status() == 6 {
                assert!(code.is_retryable(), "{code}");
            }
        }
    }
}
