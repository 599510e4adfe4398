//! `orch dep list`: the dependencies of a task or a run.

use orch_contract::orch::dependency::DependencyListResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::dep::{DependencyFilter, list_dependencies};
use serde::Serialize;

use crate::app::App;
use crate::orch::view::dependency_view;
use crate::request::{Answer, Paging, Reply, Request, RequestKey};

/// Lists the dependencies of a task, or of a run.
#[derive(Debug, Serialize)]
pub struct ListDependencies {
    /// The run, where no task is named; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The task.
    pub task: Option<TaskSelector>,
    /// Which part of the list.
    pub paging: Paging,
}

impl Request for ListDependencies {
    const COMMAND: &'static str = "orch dep list";
    type View = DependencyListResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<DependencyListResponse> {
        let filter = match &self.task {
            Some(task) => DependencyFilter::Task(task.clone()),
            None => DependencyFilter::Run(self.run.clone()),
        };
        let page = list_dependencies(app.session()?, &filter, &self.paging.page_request())?;
        let dependencies = page.items.iter().map(dependency_view).collect();
        Ok(Reply::new(DependencyListResponse { dependencies, total: page.total, next: page.next }))
    }
}
