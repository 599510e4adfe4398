//! The worker's side of the relay.

use std::cell::RefCell;
use std::path::PathBuf;

use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::ThreadId;
use orch_inbox::{relay_folder, token};
use orch_process::mailbox::{MailboxError, exchange_message};
use serde::de::DeserializeOwned;

use super::request::{RELAY_VERSION, RelayAnswer, RelayMessage, RelayRequest, RelayRetry};
use crate::error::{AppError, RetryAdvice};
use crate::request::{Answer, Reply};

/// Sends requests to the worker's own wrapper.
#[derive(Debug)]
pub struct RelayClient {
    folder: PathBuf,
    warnings: RefCell<Vec<String>>,
}

/// The thread of a request, and the token that the worker has for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct RelayProof<'a> {
    /// The thread that the worker names.
    pub thread: Option<ThreadId>,
    /// The token of its lease.
    pub token: Option<&'a str>,
}

impl RelayClient {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, warnings: RefCell::default() }
    }

    /// Removes and returns the warnings of the answers.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        self.warnings.take()
    }

    /// Sends a request, and waits for its answer.
    ///
    /// # Errors
    /// The request was refused or failed, or the wrapper has ended.
    pub fn exchange<V: DeserializeOwned>(
        &self,
        proof: RelayProof<'_>,
        request_id: Option<&str>,
        request: RelayRequest,
    ) -> Answer<V> {
        let message = RelayMessage {
            version: RELAY_VERSION,
            thread: proof.thread.map(|thread| thread.to_string()),
            token: proof.token.map(str::to_owned),
            request_id: request_id.map(str::to_owned),
            request,
        };
        let sent = serde_json::to_vec(&message).map_err(|error| unreadable(&error))?;
        let id = token::random_token()?.to_ascii_lowercase();
        let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        let answer = exchange_message(&self.folder, &id, &sent).map_err(|error| relay_error(&error))?;
        match serde_json::from_slice(&answer).map_err(|error| unreadable(&error))? {
            RelayAnswer::Reply { data, replayed, warnings } => {
                self.warnings.borrow_mut().extend(warnings);
                let data = serde_json::from_value(data).map_err(|error| unreadable(&error))?;
                Ok(Reply { replayed, ..Reply::new(data) })
            }
            RelayAnswer::Failed { error, retry } => {
                let retry = retry.map(|retry| match retry {
                    RelayRetry::Unchanged => RetryAdvice::Unchanged,
                    RelayRetry::After(cursor) => RetryAdvice::AfterCursor(cursor),
                });
                Err(AppError { view: error, retry })
            }
        }
    }
}

fn relay_error(error: &MailboxError) -> AppError {
    match error {
        MailboxError::Closed(answer) if answer == relay_folder::LEASE_LOST => {
            let text = "The wrapper of this worker was killed, and its work was given to another one.";
            ErrorView::new(ErrorCode::LeaseLost, text).into()
        }
        MailboxError::Closed(_) | MailboxError::NotServed => {
            let text = "The wrapper of this worker has ended, so nothing can be reported now.";
            let view = ErrorView::new(ErrorCode::StoreUnavailable, text);
            AppError { retry: Some(RetryAdvice::Unchanged), ..view.into() }
        }
        MailboxError::Io(source) => {
            let text = format!("The relay of this worker cannot be used: {source}.");
            ErrorView::new(ErrorCode::StoreUnavailable, text).into()
        }
    }
}

fn unreadable(error: &serde_json::Error) -> AppError {
    AppError::new(ErrorCode::Internal, format!("A message of the relay cannot be read: {error}."))
}
