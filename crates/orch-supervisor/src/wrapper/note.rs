//! What a wrapper knows of the work it has claimed, written down for a fresh image of the same process.
//!
//! Reading a command line and claiming from the store take memory that an allocator does not give back; a process that
//! becomes its own program again keeps nothing but this.

use std::path::PathBuf;

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::run::Spent;
use orch_core::time::{Span, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Held, Work, Wrap, new_row};
use orch_inbox::token;
use orch_profile::Totals;

/// What was noted. It holds the token of the lease, a secret.
#[derive(Deserialize, Serialize)]
pub struct Note {
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

impl Held {
    /// Everything that [`Held::of_note`] needs, before the program was started.
    #[must_use]
    pub fn note(&self) -> Note {
        Note {
            thread: self.thread.0,
            holder: self.holder.as_str().to_owned(),
            token: self.token.clone(),
            tag: self.tag.clone(),
            log: self.log.clone(),
            lease_ms: self.lease.map(|length| length.span().0),
            started_at: self.row.started_at.0,
            session: self.row.session.clone(),
            answered: self.answered.map(|question| question.0),
            work: self.work.note(),
        }
    }

    /// The work as it was noted by this process, to be gone on with in the same way.
    #[must_use]
    pub fn of_note(note: Note, wrap: &Wrap<'_>) -> Self {
        let (thread, holder) = (ThreadId(note.thread), Slug::stored(note.holder));
        let mut row = new_row(wrap, thread, &holder, &note.log, &note.tag, Time(note.started_at));
        row.session = note.session;
        Self {
            thread,
            digest: token::digest(&note.token),
            token: note.token,
            holder,
            rests: wrap.rests(),
            work: Work::of_note(thread, &note.work),
            log: note.log,
            tag: note.tag,
            lease: note.lease_ms.and_then(|length| LeaseLength::new(Span(length)).ok()),
            row,
            totals: Totals::default(),
            unspent: Spent::default(),
            answered: note.answered.map(MessageId),
        }
    }
}
