//! `inbox list`: threads, most urgent first, then oldest.

use orch_core::id::{MessageId, Slug};
use orch_core::thread::ThreadStatus;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{agent, thread};

use crate::page::{cut_page, parse_position, position_cursor};
use crate::thread_write::{ThreadSummary, thread_summaries};
use crate::{Error, Session, apply_due_defaults};

/// A selection of threads.
#[derive(Clone, Debug)]
pub struct ThreadListRequest {
    /// Only threads that were sent to this agent, or that it holds.
    pub agent: Option<Slug>,
    /// Only threads in this state.
    pub state: Option<ThreadStatus>,
    /// Only threads with messages to `agent` after its acknowledged cursor.
    pub unread: bool,
    /// The page.
    pub page: PageRequest,
}

/// Lists threads.
///
/// # Errors
/// The cursor is invalid.
pub fn list_threads(
    session: &mut Session,
    request: &ThreadListRequest,
) -> Result<ResultPage<ThreadSummary>, Error> {
    apply_due_defaults(session)?;
    let after = parse_position(&request.page)?;
    session.query(|tx| {
        let unread_after = match (&request.agent, request.unread) {
            (Some(name), true) => Some(agent::load(tx, name)?.map_or(MessageId(0), |agent| agent.cursor)),
            _ => None,
        };
        let filter = thread::ThreadFilter {
            agent: request.agent.as_ref(),
            state: request.state,
            unread_after,
            after,
            limit: request.page.limit.saturating_add(1),
        };
        let (threads, total) = thread::list(tx, &filter)?;
        let total = u64::try_from(total).unwrap_or(0);
        let page =
            cut_page(threads, request.page.limit, total, |last| position_cursor(thread::list_position(last)));
        Ok(ResultPage { items: thread_summaries(tx, page.items)?, total, next: page.next })
    })
}
