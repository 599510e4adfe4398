//! The client: it writes one request and waits for the answer.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;

use super::folder::{
    ANSWERS, REQUESTS, is_mailbox_served, open_folder, read_answer, read_closing, write_file,
};
use super::watch::FolderWatch;

/// How often the client checks that the server still lives.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    /// The server has ended for good, with this last answer.
    #[error("the mailbox is closed")]
    Closed(Vec<u8>),
    /// No server lives behind the mailbox.
    #[error("nothing serves the mailbox")]
    NotServed,
    /// The request cannot be written, or the answer cannot be read.
    #[error("the mailbox cannot be used")]
    Io(#[from] io::Error),
}

/// Sends one request, and waits until it is answered or the server has ended.
///
/// # Errors
/// See [`MailboxError`]. After `NotServed` the request may have been performed.
pub fn exchange_message(mailbox: &Path, id: &str, request: &[u8]) -> Result<Vec<u8>, MailboxError> {
    if !is_mailbox_served(mailbox) {
        return Err(unserved(mailbox));
    }
    let requests = open_folder(&mailbox.join(REQUESTS))?;
    let answers = open_folder(&mailbox.join(ANSWERS))?;
    let watch = FolderWatch::start(&mailbox.join(ANSWERS));
    write_file(&requests, &format!("{id}.json"), request)?;
    loop {
        if let Some(answer) = read_answer(&answers, id)? {
            // The server removes it in time if this fails.
            let _ = rustix::fs::unlinkat(&answers, format!("{id}.json"), AtFlags::empty());
            return Ok(answer);
        }
        watch.wait(Some(Instant::now() + LIVENESS_INTERVAL), None);
        if !is_mailbox_served(mailbox) {
            // It may have answered before it ended.
            return match read_answer(&answers, id) {
                Ok(Some(answer)) => Ok(answer),
                _ => Err(unserved(mailbox)),
            };
        }
    }
}

fn unserved(mailbox: &Path) -> MailboxError {
    read_closing(mailbox).map_or(MailboxError::NotServed, MailboxError::Closed)
}
