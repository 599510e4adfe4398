//! `inbox list`: threads, most urgent first, then oldest.

use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{agent, thread};

use super::{ThreadShown, give_defaults, shown};
use crate::page::{next_offset, offset};
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
    give_defaults(session)?;
    let passed = offset(&request.page)?;
    session.read(|tx, _| {
        let unread_after = match (&request.agent, request.unread) {
            (Some(name), true) => {
                Some(agent::load(tx, name)?.map_or(orch_core::id::MessageId(0), |agent| agent.cursor))
            }
            _ => None,
        };
        let search = thread::Search {
            agent: request.agent.as_ref(),
            state: request.state,
            unread_after,
            offset: passed,
            limit: request.page.limit,
        };
        let (threads, total) = thread::list(tx, &search)?;
        let total = u64::try_from(total).unwrap_or(0);
        let next = next_offset(passed, threads.len(), total);
        let items = threads.into_iter().map(|thread| shown(tx, thread)).collect::<Result<_, _>>()?;
        Ok(Page { items, total, next })
    })
}
