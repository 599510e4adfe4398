//! `inbox progress`: tells how far the work is, and renews the lease.

use orch_core::id::ThreadId;
use orch_core::message::{Draft, Extra, Message, MessageKind};
use orch_core::thread::decide;
use orch_core::time::Time;
use orch_store::Ending;
use orch_store::table::agent;

use super::renew::{Unread, unread};
use super::{is_lease_lost, late, save_unmoved, write_message};
use crate::{Answer, Error, Receipt, Session, token};

/// How far the work is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// In words.
    pub text: String,
    /// 0 to 100.
    pub percent: Option<u8>,
}

/// A progress message that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progressed {
    /// The message.
    pub message: Message,
    /// When the renewed lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// What waits to be read.
    pub unread: Unread,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn progress(
    session: &mut Session,
    receipt: Option<&Receipt<'_, Progressed>>,
    request: &Progress,
) -> Result<Answer<Progressed>, Error> {
    let digest = token::digest(&request.token);
    session.change(receipt, |tx, now| {
        let before = super::load(tx, request.thread, now)?;
        let mut thread = match decide::renew(&before, &digest, None, now) {
            Err(refusal) if is_lease_lost(&refusal) => return late(tx, before, &digest, &request.text, now),
            other => other?,
        };
        let (from, to) = (thread.worker().clone(), thread.head.from.clone());
        agent::see(tx, &from, now)?;
        let extra = Extra { percent: request.percent, ..Extra::default() };
        let draft = Draft { from, to, kind: MessageKind::Progress, body: request.text.clone(), extra };
        let message = write_message(tx, &mut thread, draft, now)?;
        save_unmoved(tx, &thread)?;
        let expires_at = decide::lease(&thread).map(|lease| lease.expires_at);
        Ok(Ending::Keep(Progressed { message, expires_at, unread: unread(tx, &thread)? }))
    })
}
