//! The state of a wrapper that survives its re-exec.
//!
//! Parsing a command line and claiming from the store use memory that an allocator does not return.
//! A wrapper that re-executes its own program keeps only this payload.

use std::path::PathBuf;

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::{Time, TimeSpan};
use orch_inbox::token;
use serde::{Deserialize, Serialize};

use super::claim::{ClaimedWork, new_worker_row};
use super::config::{RefusedReport, WrapperConfig};
use super::work_description::{WorkDescription, WorkDescriptionRecord};

/// The state of a wrapper that survives its re-exec. It contains the token of the lease, a secret.
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
    work: WorkDescriptionRecord,
}

impl ClaimedWork {
    /// Returns the payload for a re-exec before the first start of the worker.
    #[must_use]
    pub fn to_reexec_payload(&self) -> ReexecPayload {
        ReexecPayload {
            thread: self.thread().0,
            holder: self.row.agent.as_str().to_owned(),
            token: self.token.clone(),
            tag: self.row.tag.clone(),
            log: self.log.clone(),
            lease_ms: self.lease.map(|length| length.span().0),
            started_at: self.row.started_at.0,
            session: self.row.session.clone(),
            answered: self.answered.map(|question| question.0),
            work: self.work.to_record(),
        }
    }

    /// Restores the work after a re-exec with the same configuration.
    #[must_use]
    pub fn from_reexec_payload(payload: ReexecPayload, config: &WrapperConfig<'_>) -> Self {
        let (thread, holder) = (ThreadId(payload.thread), Slug::from_stored(payload.holder));
        let started_at = Time(payload.started_at);
        let mut row = new_worker_row(config, thread, &holder, &payload.log, payload.tag, started_at);
        row.session = payload.session;
        Self {
            digest: token::digest_token(&payload.token),
            token: payload.token,
            work: WorkDescription::from_record(thread, payload.work),
            log: payload.log,
            lease: payload.lease_ms.and_then(|length| LeaseLength::new(TimeSpan(length)).ok()),
            row,
            unspent: None,
            relay: None,
            answered: payload.answered.map(MessageId),
            nudged: false,
            refused: RefusedReport::default(),
            counts_quick_failures: config.counts_quick_failures(),
        }
    }
}
