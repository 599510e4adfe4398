//! `inbox list`: threads, most urgent first, then oldest.

use orch_contract::inbox::ThreadListResponse;
use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_inbox::list::{ThreadListRequest, list_threads};
use serde::Serialize;

use super::view::thread_view;
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists the threads of an agent, or of all agents.
#[derive(Debug, Serialize)]
pub struct ListThreads {
    /// The agent; all agents when absent.
    pub agent: Option<Slug>,
    /// Only threads in this state.
    pub state: Option<ThreadStatus>,
    /// Only threads with messages that the agent has not acknowledged.
    pub unread: bool,
    /// Which part of the list.
    pub paging: Paging,
}

impl App<'_> {
    /// Returns the agent whose threads are listed: the named one, else the calling one; unread messages need one.
    ///
    /// # Errors
    /// Unread messages are asked for and no agent is known, or the variable holds an invalid name.
    pub fn resolve_list_agent(&self, named: Option<Slug>, unread: bool) -> Result<Option<Slug>, AppError> {
        match named {
            None if unread => self.calling_agent_or("--for", None).map(Some),
            None => self.calling_agent(),
            named => Ok(named),
        }
    }
}

impl Request for ListThreads {
    const COMMAND: &'static str = "inbox list";
    type View = ThreadListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ThreadListResponse> {
        let request = ThreadListRequest {
            agent: self.agent.clone(),
            state: self.state,
            unread: self.unread,
            page: self.paging.page_request(),
        };
        let page = list_threads(app.session()?, &request)?;
        let threads = page.items.iter().map(thread_view).collect();
        Ok(Reply::new(ThreadListResponse { threads, total: page.total, next: page.next }))
    }
}
