//! One request in, one answer out, for every door: the command line, and every server to come.
//!
//! A door builds a request, gives it to this crate and renders the answer.
//! Everything that two doors could disagree about lives here: what makes two requests the same, the code and the hint
//! of an error, how an outcome becomes a view, what a plan file says, who asks, and the run to use.
//! Nothing here knows clap, terminals, colours or stdout.

pub mod app;
pub mod client_session;
pub mod completion;
mod defaults;
pub mod environment;
pub mod error;
pub mod escape;
mod fingerprint;
pub mod hook;
pub mod inbox;
pub mod naming;
pub mod orch;
pub mod relay;
pub mod request;
pub mod values;

pub use app::{App, CallOptions, CallerRules, current_time};
pub use error::{AppError, RetryAdvice};
pub use orch_inbox::token::random_token;
pub use orch_process::presence::withdraw_presence;
pub use orch_process::serve_check_guard;
pub use orch_scheduler::{AttemptSelector, TaskSelector};
pub use request::{Paging, Reply, Request};
