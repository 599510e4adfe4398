//! What a session of an agent's client has claimed, leads and was told.
//!
//! Clients run each command in a shell of its own, so variables that one sets are lost to the next.
//! What a session needs from one command to another is in a file of its own beside the store, which only its owner
//! may read, because it holds tokens.

use std::path::PathBuf;

use orch_contract::ErrorCode;
use orch_core::id::{EventId, Slug, ThreadId};
use orch_process::create_private_folder;
use orch_process::private_file::{lock_file, read_small_file, remove_file, write_private_file};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::environment::{SESSION, VariableSource};
use crate::error::AppError;

/// The variables that name the session of a client, ours first; the others are set by the clients themselves.
const SESSION_VARIABLES: [&str; 5] =
    [SESSION, "CLAUDE_CODE_SESSION_ID", "CODEX_THREAD_ID", "CODEX_SESSION_ID", "GEMINI_SESSION_ID"];

/// The folder of the sessions beside a store.
const FOLDER: &str = "sessions";

/// The lock of all of them.
const LOCK: &str = "lock";

/// The largest record that is read, in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// How many claims, runs and events a record keeps.
const ENTRIES_MAX: usize = 100;

/// Claimed work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaim {
    /// The thread, `th-N`.
    pub thread: String,
    /// The token of its lease.
    pub token: String,
    /// How often a stop of the session was held back for it.
    #[serde(default)]
    pub holds: u32,
}

/// The record of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRecord {
    /// What it has claimed and not closed, oldest first.
    pub claims: Vec<SessionClaim>,
    /// The runs that it leads, oldest first.
    pub leads: Vec<String>,
    /// The last event that it was told.
    pub told: Option<i64>,
    /// The process that waits to wake it.
    pub waiter: Option<u32>,
}

/// Returns the session that the environment names.
///
/// # Errors
/// A variable is not UTF-8.
pub fn session_of_environment(environment: &dyn VariableSource) -> Result<Option<String>, AppError> {
    for name in SESSION_VARIABLES {
        if let Some(id) = environment.variable_text(name)? {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

impl SessionRecord {
    /// The last event that the session was told.
    #[must_use]
    pub fn told(&self) -> Option<EventId> {
        self.told.map(EventId)
    }

    /// Adds a run that the session leads.
    pub(crate) fn take_lead(&mut self, run: &Slug) {
        self.leads.retain(|other| other != run.as_str());
        self.leads.push(run.to_string());
    }
}

impl App<'_> {
    /// Returns the record of a session; an empty one where none is readable.
    ///
    /// # Errors
    /// There is no store.
    pub fn session_record(&mut self, session: &str) -> Result<SessionRecord, AppError> {
        let path = self.session_path(session)?;
        let bytes = read_small_file(&path, BYTES_MAX).ok().flatten().unwrap_or_default();
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Changes the record of a session; two hooks of a session may run at once, so that one waits for the other.
    ///
    /// # Errors
    /// There is no store, or the record cannot be written.
    pub fn change_session_record<T>(
        &mut self,
        session: &str,
        change: impl FnOnce(&mut SessionRecord) -> T,
    ) -> Result<T, AppError> {
        let path = self.session_path(session)?;
        let unwritable = |error: std::io::Error| {
            let message = format!("{} cannot be written: {error}.", path.display());
            AppError::new(ErrorCode::NotPermitted, message)
        };
        let folder = path.parent().unwrap_or(&path);
        create_private_folder(folder).map_err(unwritable)?;
        let _lock = lock_file(&folder.join(LOCK)).map_err(unwritable)?;
        let before = self.session_record(session)?;
        let mut record = before.clone();
        let outcome = change(&mut record);
        let claims = record.claims.len().saturating_sub(ENTRIES_MAX);
        record.claims.drain(..claims);
        let leads = record.leads.len().saturating_sub(ENTRIES_MAX);
        record.leads.drain(..leads);
        if record.claims.is_empty() && record.leads.is_empty() {
            remove_file(&path).map_err(unwritable)?;
        } else if record != before {
            // A record consists of texts and numbers, which always have a JSON form.
            let bytes = serde_json::to_vec(&record).unwrap_or_default();
            write_private_file(&path, &bytes).map_err(unwritable)?;
        }
        Ok(outcome)
    }

    /// Remembers a claim for later commands of the same session, where the environment names one.
    pub fn remember_claim(&mut self, thread: &str, token: &str) {
        let claim = SessionClaim { thread: thread.to_owned(), token: token.to_owned(), holds: 0 };
        self.change_own_record(|record| {
            record.claims.retain(|other| other.thread != claim.thread);
            record.claims.push(claim);
        });
    }

    /// Forgets a claim that was closed or released.
    pub fn forget_claim(&mut self, thread: ThreadId) {
        let thread = thread.to_string();
        self.change_own_record(|record| record.claims.retain(|claim| claim.thread != thread));
    }

    /// Remembers that the session of the environment leads a run.
    pub fn remember_lead(&mut self, run: &Slug) {
        self.change_own_record(|record| record.take_lead(run));
    }

    /// Returns the claim of the session of the environment: of this thread, or its last one.
    ///
    /// # Errors
    /// A variable is not UTF-8.
    pub fn remembered_claim(&mut self, thread: Option<ThreadId>) -> Result<Option<SessionClaim>, AppError> {
        let Some(session) = session_of_environment(self.environment())? else { return Ok(None) };
        let Ok(record) = self.session_record(&session) else { return Ok(None) };
        let wanted = thread.map(|thread| thread.to_string());
        let fits = |claim: &SessionClaim| wanted.as_ref().is_none_or(|wanted| *wanted == claim.thread);
        Ok(record.claims.into_iter().rev().find(fits))
    }

    /// Changes the record of the session of the environment. A command does not fail because of it.
    fn change_own_record(&mut self, change: impl FnOnce(&mut SessionRecord)) {
        let Ok(Some(session)) = session_of_environment(self.environment()) else { return };
        if let Err(error) = self.change_session_record(&session, change) {
            self.add_warning(format!(
                "What this session has claimed is not remembered: {}",
                error.view.message
            ));
        }
    }

    fn session_path(&mut self, session: &str) -> Result<PathBuf, AppError> {
        // A session's name is the client's, and not fit for a file.
        let digest = Sha256::digest(session.as_bytes());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(self.session()?.store_folder().join(FOLDER).join(format!("{name}.json")))
    }
}
