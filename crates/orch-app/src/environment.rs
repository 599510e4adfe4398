//! The environment variables that replace options.
//!
//! An empty variable counts as unset.

use std::ffi::OsString;

use orch_contract::{ErrorCode, ErrorView};

use crate::error::AppError;

/// The store's location, as `--store` takes it.
pub const STORE: &str = "ORCH_STORE";
/// The format of answers: `json` or `text`.
pub const OUTPUT: &str = "ORCH_OUTPUT";
/// The run of `orch` commands.
pub const RUN: &str = "ORCH_RUN";
/// The thread of `inbox` commands.
pub const THREAD: &str = "INBOX_THREAD";
/// The token of that thread's lease.
pub const LEASE: &str = "INBOX_LEASE";

/// The folder through which a supervised worker reaches the store.
pub const RELAY: &str = "INBOX_RELAY";

/// Switches the hooks of agents' clients off with `off`.
pub const HOOKS: &str = "ORCH_HOOKS";
/// The session of an agent's client, where the client sets no variable of its own.
pub const SESSION: &str = "INBOX_SESSION";

/// Looks variables up.
pub trait VariableSource {
    /// Returns the raw value of a variable.
    fn raw_variable(&self, name: &str) -> Option<OsString>;

    /// Returns the value of a variable that is set and not empty.
    ///
    /// # Errors
    /// The value is not UTF-8.
    fn variable_text(&self, name: &str) -> Result<Option<String>, AppError> {
        let Some(value) = self.raw_variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value.into_string().map(Some).map_err(|_| {
            let error = ErrorView::new(ErrorCode::InvalidArgument, format!("{name} is not valid UTF-8."));
            error.with_detail("argument", name).into()
        })
    }

    /// Whether the variable is set and not empty.
    fn is_set(&self, name: &str) -> bool {
        self.raw_variable(name).is_some_and(|value| !value.is_empty())
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl VariableSource for ProcessEnvironment {
    fn raw_variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// An environment without the variables that name the store, the run, the thread and the agent.
#[derive(Clone, Copy)]
pub struct IsolatedEnvironment<'a>(pub &'a dyn VariableSource);

impl VariableSource for IsolatedEnvironment<'_> {
    fn raw_variable(&self, name: &str) -> Option<OsString> {
        let ours = name.starts_with("ORCH_") || name.starts_with("INBOX_");
        if ours && name != OUTPUT { None } else { self.0.raw_variable(name) }
    }
}
