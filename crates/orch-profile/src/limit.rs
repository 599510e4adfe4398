//! The bounds of profiles, of what clients print and of what workers are told.

use orch_core::time::TimeSpan;

/// The largest profile, in bytes.
pub const PROFILE_BYTES_MAX: usize = 256 * 1024;

/// The largest template of a brief, in bytes.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// How long a client may take to end after it was asked to, where its profile does not say.
pub const GRACE_DEFAULT: TimeSpan = TimeSpan::from_seconds(10);

/// The longest word of a command: Linux takes no argument of 128 KiB or more.
pub const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// The longest line of output that is read as an event; a longer one is passed over.
pub const EVENT_LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How much is kept of a session's id; a longer one is none.
pub const SESSION_BYTES_MAX: usize = 200;

/// How much is kept of what a client says it is doing.
pub const ACTIVITY_BYTES: usize = 200;

/// How much is kept of what a client says went wrong.
pub const FAILURE_BYTES: usize = 500;

/// How much is kept of what a client says at its end.
pub const RESULT_BYTES: usize = 4_000;

/// The longest brief, its spec left out.
pub const BRIEF_BYTES_MAX: usize = 4 * 1024;

/// How much of a spec stands in a brief that goes in as an argument, which the system bounds.
pub const SPEC_ARGUMENT_BYTES: usize = 96 * 1024;
