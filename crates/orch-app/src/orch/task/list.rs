//! `orch task list`: the tasks of a run.

use orch_contract::orch::task::TaskListResponse;
use orch_core::id::Slug;
use orch_core::task::TaskState;
use orch_query::task::{TaskListRequest, list_tasks};
use serde::Serialize;

use crate::app::App;
use crate::orch::view::task_list_response;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists the tasks of a run, oldest first.
#[derive(Debug, Serialize)]
pub struct ListTasks {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Only tasks in one of these states; every state when empty.
    pub states: Vec<TaskState>,
    /// Only tasks with this label.
    pub label: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ListTasks {
    const COMMAND: &'static str = "orch task list";
    type View = TaskListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<TaskListResponse> {
        let request = TaskListRequest {
            run: self.run.clone(),
            states: self.states.clone(),
            label: self.label.clone(),
            page: self.paging.page_request(),
        };
        let session = app.session()?;
        let page = list_tasks(session, &request)?;
        Ok(Reply::new(task_list_response(session, page, self.full)?))
    }
}
