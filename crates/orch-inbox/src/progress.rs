//! `inbox progress`: reports how far the work is, and renews the lease.

use orch_core::id::ThreadId;
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_core::thread::decide;
use orch_core::time::Time;
use orch_store::TxEnd;

use crate::renew::{UnreadMessages, load_unread_messages};
use crate::thread_write::{
    is_lease_lost, reject_late_write, save_without_transition, write_message, write_to_thread,
};
use crate::{Error, Receipt, Response, Session, token};

/// A progress report.
#[derive(Clone, Debug)]
pub struct ProgressRequest {
    /// The thread.
    pub thread: ThreadId,
    /// The holder's token.
    pub token: String,
    /// The report in words.
    pub text: String,
    /// The progress in percent, 0 to 100.
    pub percent: Option<u8>,
}

/// A progress report that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressOutcome {
    /// The message.
    pub message: Message,
    /// When the renewed lease expires; `None` while a question is open.
    pub expires_at: Option<Time>,
    /// Unread messages to the holder.
    pub unread: UnreadMessages,
}

/// Writes a progress message.
///
/// # Errors
/// The token is not the current one.
pub fn report_progress(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ProgressOutcome>>,
    request: &ProgressRequest,
) -> Result<Response<ProgressOutcome>, Error> {
    let digest = token::digest_token(&request.token);
    write_to_thread(session, receipt, request.thread, |tx, opened, now| {
        let mut thread = match decide::renew_lease(&opened.thread, &digest, None, now) {
            Err(refusal) if is_lease_lost(&refusal) => {
                return reject_late_write(tx, opened.thread, &digest, &request.text, now);
            }
            other => other?,
        };
        let (from, to) = (opened.worker.clone(), thread.head.from.clone());
        opened.record_sighting(tx, now)?;
        let unread = opened.unread + u64::from(from == to);
        let extra = MessageExtras { percent: request.percent, ..MessageExtras::default() };
        let draft = MessageDraft { from, to, kind: MessageKind::Progress, body: request.text.clone(), extra };
        let message = write_message(tx, &mut thread, draft, now)?;
        save_without_transition(tx, &thread)?;
        let expires_at = decide::running_lease(&thread).map(|lease| lease.expires_at);
        let unread = load_unread_messages(tx, &thread, unread)?;
        Ok(TxEnd::Commit(ProgressOutcome { message, expires_at, unread }))
    })
}
