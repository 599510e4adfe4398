//! `inbox list`: threads, most urgent first, then oldest.

use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{agent, thread};

use super::{ThreadSummary, apply_due_defaults, thread_summary};
use crate::page::{offset_cursor, parse_offset};
use crate::{Error, Session};

/// Which threads are wanted.
#[derive(Clone, Debug)]
pub struct ThreadListRequest {
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
pub fn list_threads(
    session: &mut Session,
    request: &ThreadListRequest,
) -> Result<ResultPage<ThreadSummary>, Error> {
    apply_due_defaults(session)?;
    let passed = parse_offset(&request.page)?;
    session.read(|tx, _| {
        let unread_after = match (&request.agent, request.unread) {
            (Some(name), true) => {
                Some(agent::load(tx, name)?.map_or(orch_core::id::MessageId(0), |agent| agent.cursor))
            }
            _ => None,
        };
        let search = thread::ThreadFilter {
            agent: request.agent.as_ref(),
            state: request.state,
            unread_after,
            offset: passed,
            limit: request.page.limit,
        };
        let (threads, total) = thread::list(tx, &search)?;
        let total = u64::try_from(total).unwrap_or(0);
        let next = offset_cursor(passed, threads.len(), total);
        let items = threads.into_iter().map(|thread| thread_summary(tx, thread)).collect::<Result<_, _>>()?;
        Ok(ResultPage { items, total, next })
    })
}
