//! `orch ready`: the tasks that can be dispatched.

use orch_contract::ReasonView;
use orch_contract::orch::task::{RefusedReadyTask, TaskListResponse};
use orch_core::id::Slug;
use orch_core::refusal::NotReadyReason;
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use serde::Serialize;

use super::view::task_list_response;
use crate::app::App;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists the tasks that can be dispatched.
#[derive(Debug, Serialize)]
pub struct ListReadyTasks {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Only tasks with this label.
    pub label: Option<Slug>,
    /// Which part of the list.
    pub paging: Paging,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ListReadyTasks {
    const COMMAND: &'static str = "orch ready";
    type View = TaskListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<TaskListResponse> {
        let request = ReadyRequest {
            run: self.run.clone(),
            label: self.label.clone(),
            page: self.paging.page_request(),
        };
        let session = app.session()?;
        let page = list_ready_tasks(session, &request)?;
        let refused = page.refused.into_iter().map(|(task, shortage)| RefusedReadyTask {
            reasons: ReasonView::from_reasons(&[NotReadyReason::Budget(shortage)], &task),
            task: task.to_string(),
        });
        let refused = refused.collect();
        Ok(Reply::new(TaskListResponse { refused, ..task_list_response(session, page.tasks, self.full)? }))
    }
}
