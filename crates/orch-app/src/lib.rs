//! One request in, one answer out, for every door: the command line, and every server to come.
//!
//! A door builds a request, gives it to this crate and renders the answer.
//! Everything that two doors could disagree about lives here: what makes two requests the same, the code and the hint
//! of an error, how an outcome becomes a view, what a plan file says, who asks and which run is meant.
//! Nothing here knows clap, terminals, colours or stdout.

pub mod environment;
pub mod error;
pub mod escape;
pub mod fingerprint;
pub mod naming;
pub mod orch;
pub mod plan_file;
pub mod values;

pub use error::{AppError, RetryAdvice};
