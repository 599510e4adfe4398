//! A mailbox: a folder through which a process that may not be trusted asks another one, without sockets.
//!
//! The client writes a request as a file and renames it into `requests/`; the server answers with a file in `answers/`.
//! The server holds a lock on the file `lock` as long as it lives, by which the client knows that an answer will come.
//! Requests are hostile: only regular files with one link that belong to this user are read, without following links, up to a size.
//! Nothing that a client puts into the folder makes the server wait.

mod client;
mod folder;
mod server;
#[cfg(test)]
mod tests;
mod watch;

pub use client::{MailboxError, exchange_message};
pub use folder::{close_mailbox, is_mailbox_served};
pub use server::{MailboxHandler, MailboxLimits, MailboxRefusal, MailboxServer};

/// Returns whether a text may be the id of a request: 1 to 64 of the characters `a-z0-9-`, and no dash first.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) && !text.starts_with('-')
}
