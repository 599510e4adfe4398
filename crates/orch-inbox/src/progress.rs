//! `inbox progress`: tells how far the work is, and renews the lease.

use orch_core::id::ThreadId;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::thread::decide;
use orch_core::time::Time;
use orch_store::TxEnd;
use orch_store::table::agent;

use super::renew::{UnreadMessages, load_unread_messages};
use super::{is_lease_lost, reject_late_write, save_without_transition, write_message};
use crate::{Error, Receipt, Response, Session, token};

/// How far the work is.
#[derive(Clone, Debug)]
pub struct ProgressRequest {
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
pub struct ProgressOutcome {
    /// The message.
    pub message: Message,
    /// When the renewed lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// What waits to be read.
    pub unread: UnreadMessages,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the live one, or the store failed.
pub fn report_progress(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ProgressOutcome>>,
    request: &ProgressRequest,
) -> Result<Response<ProgressOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    session.write_idempotent(receipt, |tx, now| {
        let before = super::load_thread(tx, request.thread, now)?;
        let mut thread = match decide::renew_lease(&before, &digest, None, now) {
            Err(refusal) if is_lease_lost(&refusal) => {
                return reject_late_write(tx, before, &digest, &request.text, now);
            }
            other => other?,
        };
        let (from, to) = (thread.working_agent().clone(), thread.head.from.clone());
        agent::record_sighting(tx, &from, now)?;
        let extra = MessageExtras { percent: request.percent, ..MessageExtras::default() };
        let draft = MessageDraft { from, to, kind: MessageKind::Progress, body: request.text.clone(), extra };
        let message = write_message(tx, &mut thread, draft, now)?;
        save_without_transition(tx, &thread)?;
        let expires_at = decide::running_lease(&thread).map(|lease| lease.expires_at);
        Ok(TxEnd::Commit(ProgressOutcome { message, expires_at, unread: load_unread_messages(tx, &thread)? }))
    })
}
