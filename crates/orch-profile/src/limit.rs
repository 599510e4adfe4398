//! Limits of profiles, of the output of clients, and of briefs.

use orch_core::time::TimeSpan;

/// The largest profile, in bytes.
pub const PROFILE_BYTES_MAX: usize = 256 * 1024;

/// The largest template of a brief, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// The default grace: how long a client may take to exit after it was asked to.
pub const GRACE_DEFAULT: TimeSpan = TimeSpan::from_seconds(10);

/// The longest argument of a command: Linux rejects arguments of 128 KiB or more.
pub const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// The longest line of output that is parsed as an event; a longer one is ignored.
pub const EVENT_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The longest session id; a longer one is ignored.
pub const SESSION_BYTES_MAX: usize = 200;

/// The longest activity; a longer one is truncated.
pub const ACTIVITY_BYTES: usize = 200;

/// The longest message of a failure; a longer one is truncated.
pub const FAILURE_BYTES: usize = 500;

/// The longest result; a longer one is truncated.
pub const RESULT_BYTES: usize = 4_000;

/// The longest end of a client's output that is no event.
pub const PLAIN_TAIL_BYTES: usize = 1_000;

/// The longest reason, and the longest end of output, of a rejected attempt that its session continues.
pub const REJECTION_BYTES: usize = 1_500;

/// How many changed files a nudge names.
pub const NUDGE_FILES: usize = 20;

/// The longest brief, not counting its spec.
pub const BRIEF_BYTES_MAX: usize = 4 * 1024;

/// The largest part of a spec in a brief that is delivered as an argument.
pub const SPEC_ARGUMENT_BYTES: usize = 96 * 1024;

/// How many profiles may extend each other in a row.
pub const EXTENDED_MAX: usize = 4;
