//! `inbox run`: a command under a wrapper that keeps the lease. A later version brings it; until then it is refused.

use std::ffi::OsString;

use orch_contract::{Code, ErrorView};

use crate::failure::Failure;

/// Run a command that works on a thread
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The thread or queue, and the command
    #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Refuses.
#[must_use]
pub fn refuse(args: &Args) -> Failure {
    let Args { rest: _ } = args;
    let message = "inbox run is not supported by this version; claim the work and report on it yourself.";
    ErrorView::new(Code::NotSupported, message).hint("inbox claim --help").into()
}
