//! `orch task …`: the tasks of a run.

pub mod add;
pub mod change;
pub mod edit;
pub mod list;
pub mod plan;
pub mod show;

use orch_contract::orch::task::TaskResponse;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::TaskOverview;

use super::view::{add_long_texts, task_view};
use crate::app::App;
use crate::request::{Answer, RequestKey};

impl App<'_> {
    /// Makes a change that is answered with the task.
    pub(super) fn change_task(
        &mut self,
        key: &RequestKey<'_>,
        full: bool,
        operation: impl FnOnce(
            &mut Session,
            Option<&Receipt<'_, TaskOverview>>,
        ) -> Result<Response<TaskOverview>, Error>,
    ) -> Answer<TaskResponse> {
        let mut reply = self.change(key, |shown| TaskResponse { task: task_view(shown) }, operation)?;
        add_long_texts(self.session()?, &mut reply.data.task, full)?;
        Ok(reply)
    }
}
