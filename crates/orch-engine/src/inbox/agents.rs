//! `inbox agents`: every name that wrote, claimed, waited or was written to.

use orch_core::id::Slug;
use orch_core::time::Time;
use orch_store::page::{Page, PageRequest};

use crate::{Error, Session};

/// An agent and its inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentShown {
    /// Its name.
    pub name: Slug,
    /// When it last did something, to the nearest ten seconds; `None` when it was only written to.
    pub last_seen_at: Option<Time>,
    /// Threads it holds.
    pub claimed: u64,
    /// Work queued for it.
    pub queued: u64,
    /// Messages to it after its cursor.
    pub unread: u64,
}

/// Lists agents by name.
///
/// # Errors
/// The store failed.
pub fn agents(session: &mut Session, page: &PageRequest) -> Result<Page<AgentShown>, Error> {
    todo!()
}
