//! All limits and defaults: texts, lists, leases, waits, retries.

use crate::time::TimeSpan;

/// The longest free text (title, spec, body, result, …), in bytes.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The longest `--request-id`, in bytes.
pub const REQUEST_KEY_BYTES_MAX: usize = 200;

/// How long the response to a request id is kept.
pub const RECEIPT_KEPT: TimeSpan = TimeSpan::from_hours(30 * 24);

/// The default lease length of a thread.
pub const LEASE_DEFAULT: TimeSpan = TimeSpan::from_minutes(15);

/// The shortest lease.
pub const LEASE_MIN: TimeSpan = TimeSpan::from_seconds(1);

/// The longest lease.
pub const LEASE_MAX: TimeSpan = TimeSpan::from_hours(24);

/// A lease is lost once this fraction of its length has passed since it expired.
pub const LEASE_GRACE_DIVISOR: i64 = 4;

/// How long `wait` and `--wait` last when no duration is given.
pub const WAIT_DEFAULT: TimeSpan = TimeSpan::from_seconds(100);

/// The longest wait, delay or other duration that an option accepts.
pub const DURATION_MAX: TimeSpan = TimeSpan::from_hours(24 * 365);

/// How many entries a list shows when `--limit` is not given.
pub const LIST_DEFAULT: u32 = 100;

/// The most entries that `--limit` accepts.
pub const LIST_MAX: u32 = 100_000;

/// How many of the newest messages of a thread a claim returns.
pub const CLAIM_MESSAGES: u32 = 20;

/// How many unread messages `renew` and `progress` return.
pub const UNREAD_SHOWN: u32 = 5;

/// The least urgent priority; 0 is the most urgent.
pub const PRIORITY_MAX: u8 = 4;

/// The priority of a task or thread when none is given.
pub const PRIORITY_DEFAULT: u8 = 2;

/// The priority of tasks that resolve merge conflicts, which others wait for.
pub const PRIORITY_OF_CONFLICTS: u8 = 1;

/// The default limit of failed and rejected attempts of a task.
pub const ATTEMPTS_DEFAULT: u32 = 3;

/// The largest limit of attempts.
pub const ATTEMPTS_MAX: u32 = 1_000;

/// The limit of each kind of ending that is not counted, as a multiple of the limit of failed attempts.
pub const UNCOUNTED_FACTOR: u32 = 3;

/// The default delay before the second attempt.
pub const RETRY_DELAY_DEFAULT: TimeSpan = TimeSpan::from_seconds(10);

/// The cap of the delay, which doubles per failure; a longer first delay raises the cap.
pub const RETRY_DELAY_MAX: TimeSpan = TimeSpan::from_minutes(5);

/// The default time limit of one check, or of the setup of a worktree.
pub const CHECK_LIMIT_DEFAULT: TimeSpan = TimeSpan::from_minutes(30);

/// How often a failed check is run again by default before its failure counts.
pub const CHECK_RETRIES_DEFAULT: u32 = 1;

/// How many rejected attempts of a task are continued in their sessions and worktrees by default.
pub const REWORK_DEFAULT: u32 = 1;

/// The largest number of rejected attempts of a task that are continued.
pub const REWORK_MAX: u32 = 100;

/// The most runs of a failed check before its failure counts.
pub const CHECK_RETRIES_MAX: u32 = 10;

/// How many results of checks are kept per run, so that the same check need not run again.
pub const CHECK_RESULTS_KEPT: u32 = 5_000;

/// How much of the end of a failed check's output the next attempt gets, in bytes.
pub const LOG_TAIL_BYTES: usize = 4_000;

/// The number of consecutive faults of orch itself after which a run is paused.
pub const FAULTS_MAX: u32 = 3;

/// How many changed files of an attempt are stored by name.
pub const FILES_KEPT: usize = 500;

/// How many spare worktrees a run keeps for its next attempts: creating one writes every file.
pub const SPARES_MAX: i64 = 8;

/// How many orphans `reconcile` lists.
pub const ORPHANS_SHOWN: usize = 100;

/// How many uncommitted files of a worktree are listed by name.
pub const DIRTY_SHOWN: usize = 100;

/// The most tasks one plan may add.
pub const PLAN_TASKS_MAX: usize = 1_000_000;

/// The largest plan file, in bytes.
pub const PLAN_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The most entries of one list field (dependencies, labels, accept, verify, options, artifacts).
pub const FIELD_ENTRIES_MAX: usize = 1_000;

/// The most tasks that one transaction of `orch run cancel` cancels.
pub const CANCEL_PIECE: u32 = 50_000;

/// The number of tasks that `orch graph` shows unless told otherwise.
pub const GRAPH_SHOWN: u32 = 10_000;

/// The maximum search depth for the root cause of one skipped task.
pub const CAUSE_STEPS_MAX: usize = 10_000;

/// The maximum search depth for the root cause of each skipped task of a list.
pub const CAUSE_STEPS_LISTED: usize = 100;

/// How many tasks of the critical path a status shows.
pub const CRITICAL_PATH_SHOWN: usize = 20;

/// How many entries each section of a status shows.
pub const STATUS_SHOWN: u32 = 20;

/// How many live attempts a status checks for conflicting changes.
pub const CLASHES_LOOKED_AT: usize = 8;

/// How many of the newest earlier attempts a work message describes.
pub const EARLIER_SHOWN: u32 = 5;

/// How much of an earlier attempt's result or reason a work message repeats, in bytes.
pub const EARLIER_TEXT_BYTES: usize = 2_000;

/// The delays before the retries of a failed operation outside the store; one more failure, and it is stuck.
pub const OPERATION_RETRY_DELAYS: [TimeSpan; 3] =
    [TimeSpan::from_seconds(1), TimeSpan::from_seconds(10), TimeSpan::from_seconds(60)];

/// The cap of the delay after failures that are not counted, which doubles per failure.
pub const OPERATION_BACKOFF_MAX: TimeSpan = TimeSpan::from_seconds(60);

/// The number of failures in a row because of a lock after which they are reported.
pub const BUSY_FAILURES_TOLD: u32 = 5;

/// How many of the last lines of a failed command are kept.
pub const FAILURE_LINES_KEPT: usize = 10;

/// The default number of checks of merges that run at once.
pub const MERGE_CHECK_JOBS_DEFAULT: usize = 2;

/// The maximum number of checks of merges that run at once.
pub const MERGE_CHECK_JOBS_MAX: usize = 64;

/// How many tasks an attempt may suggest.
pub const SUGGESTIONS_MAX: u32 = 20;

/// The most workers that a drive may be asked for.
pub const WORKERS_MAX: usize = 1_000;
