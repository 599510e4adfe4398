//! `inbox list`: threads, most urgent first, then oldest.

use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_store::page::{Page, PageRequest};

use super::ThreadShown;
use crate::{Error, Session};

/// Which threads are wanted.
#[derive(Clone, Debug)]
pub struct List {
    /// Only threads sent to, or held by, this agent.
    pub agent: Option<Slug>,
    /// Only threads in this state.
    pub state: Option<ThreadStatus>,
    /// Only threads with messages to `agent` after its acknowledged cursor.
    pub unread: bool,
    /// Which part.
    pub page: PageRequest,
}

/// Lists threads.
///
/// # Errors
/// The store failed, or the cursor is not one.
pub fn list(session: &mut Session, request: &List) -> Result<Page<ThreadShown>, Error> {
    todo!()
}
