//! The variables that stand in for options, read once.
//!
//! An empty variable counts as one that is not set.

use std::ffi::OsString;

use orch_contract::{Code, ErrorView};

use crate::failure::Failure;

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
pub trait Environment {
    /// The variable's value as the system has it.
    fn raw(&self, name: &str) -> Option<OsString>;

    /// The variable's value, where it is set and not empty.
    ///
    /// # Errors
    /// It is not UTF-8.
    fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.raw(name).filter(|value| !value.is_empty()) else { return Ok(None) };
        value.into_string().map(Some).map_err(|_| {
            let error = ErrorView::new(Code::InvalidArgument, format!("{name} is not valid UTF-8."));
            error.detail("argument", name).into()
        })
    }

    /// Whether the variable is set and not empty.
    fn is_set(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|value| !value.is_empty())
    }
}

/// The environment of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn raw(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }
}

/// The same environment without the variables that say which store, run or work is meant, and who asks.
#[derive(Clone, Copy)]
pub struct Apart<'a>(pub &'a dyn Environment);

impl Environment for Apart<'_> {
    fn raw(&self, name: &str) -> Option<OsString> {
        let ours = name.starts_with("ORCH_") || name.starts_with("INBOX_");
        if ours && name != OUTPUT { None } else { self.0.raw(name) }
    }
}
