//! The variables that stand in for options, read once.
//!
//! An empty variable counts as one that is not set.

use std::ffi::OsString;

use orch_contract::{ErrorCode, ErrorView};

use crate::error::AppError;

/// Where the store is, as `--store` takes it.
pub const STORE: &str = "ORCH_STORE";
/// `json` or `text`.
pub const OUTPUT: &str = "ORCH_OUTPUT";
/// The run that `orch` commands are about.
pub const RUN: &str = "ORCH_RUN";
/// The thread that `inbox` commands are about.
pub const THREAD: &str = "INBOX_THREAD";
/// The token of that thread's lease.
pub const LEASE: &str = "INBOX_LEASE";

/// Looks variables up.
pub trait VariableSource {
    /// The variable's value as the system has it.
    fn raw_variable(&self, name: &str) -> Option<OsString>;

    /// The variable's value, where it is set and not empty.
    ///
    /// # Errors
    /// It is not UTF-8.
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

/// The same environment without the variables that say which store, run or work is meant, and who asks.
#[derive(Clone, Copy)]
pub struct IsolatedEnvironment<'a>(pub &'a dyn VariableSource);

impl VariableSource for IsolatedEnvironment<'_> {
    fn raw_variable(&self, name: &str) -> Option<OsString> {
        let ours = name.starts_with("ORCH_") || name.starts_with("INBOX_");
        if ours && name != OUTPUT { None } else { self.0.raw_variable(name) }
    }
}
