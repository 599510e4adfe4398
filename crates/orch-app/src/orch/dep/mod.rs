//! `orch dep …`: which task waits for which.

pub mod add;
pub mod list;
pub mod rm;

use orch_contract::orch::dependency::DependencyEditResponse;
use orch_contract::task::slug_texts;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::TaskOverview;

use super::view::{add_long_texts, task_view};
use crate::app::App;
use crate::request::{Answer, RequestKey};

/// Changes what a task waits for.
fn change_dependencies(
    app: &mut App<'_>,
    key: &RequestKey<'_>,
    full: bool,
    operation: impl FnOnce(
        &mut Session,
        Option<&Receipt<'_, TaskOverview>>,
    ) -> Result<Response<TaskOverview>, Error>,
) -> Answer<DependencyEditResponse> {
    let view = |shown: &TaskOverview| DependencyEditResponse {
        task: task_view(shown),
        waits_for: slug_texts(&shown.waits_for),
    };
    let mut reply = app.change(key, view, operation)?;
    add_long_texts(app.session()?, &mut reply.data.task, full)?;
    Ok(reply)
}
