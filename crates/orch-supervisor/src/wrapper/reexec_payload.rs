//! What a wrapper knows of the work it has claimed, written down for a fresh image of the same process.
//!
//! Reading a command line and claiming from the store take memory that an allocator does not give back; a process that
//! becomes its own program again keeps nothing but this.

use std::path::PathBuf;

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::run::ResourceUsage;
use orch_core::time::{Time, TimeSpan};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ClaimedWork, WorkDescription, WrapperConfig, new_worker_row};
use orch_inbox::token;
use orch_profile::SessionTotals;

/// What was noted. It holds the token of the lease, a secret.
#[derive(Deserialize, Serialize)]
pub struct ReexecPayload {
    thread: i64,
    holder: String,
    token: String,
    tag: String,
    log: PathBuf,
    lease_ms: Option<i64>,
    started_at: i64,
    session: Option<String>,
    answered: Option<i64>,
    work: Value,
}

impl ClaimedWork {
    /// Everything that [`ClaimedWork::from_reexec_payload`] needs, before the program was started.
    #[must_use]
    pub fn to_reexec_payload(&self) -> ReexecPayload {
        ReexecPayload {
            thread: self.thread.0,
            holder: self.holder.as_str().to_owned(),
            token: self.token.clone(),
            tag: self.tag.clone(),
            log: self.log.clone(),
            lease_ms: self.lease.map(|length| length.span().0),
            started_at: self.row.started_at.0,
            session: self.row.session.clone(),
            answered: self.answered.map(|question| question.0),
            work: self.work.to_reexec_json(),
        }
    }

    /// The work as it was noted by this process, to be gone on with in the same way.
    #[must_use]
    pub fn from_reexec_payload(note: ReexecPayload, wrap: &WrapperConfig<'_>) -> Self {
        let (thread, holder) = (ThreadId(note.thread), Slug::from_stored(note.holder));
        let mut row = new_worker_row(wrap, thread, &holder, &note.log, &note.tag, Time(note.started_at));
        row.session = note.session;
        Self {
            thread,
            digest: token::digest_token(&note.token),
            token: note.token,
            holder,
            rests: wrap.counts_for_cooldown(),
            work: WorkDescription::from_reexec_json(thread, &note.work),
            log: note.log,
            tag: note.tag,
            lease: note.lease_ms.and_then(|length| LeaseLength::new(TimeSpan(length)).ok()),
            row,
            totals: SessionTotals::default(),
            unspent: ResourceUsage::default(),
            answered: note.answered.map(MessageId),
        }
    }
}
