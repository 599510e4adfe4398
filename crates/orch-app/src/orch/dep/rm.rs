//! `orch dep rm`: removes a dependency.

use orch_contract::orch::dependency::DependencyEditResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::dep::remove_dependency;
use serde::Serialize;

use super::change_dependencies;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Removes a dependency of a task.
#[derive(Debug, Serialize)]
pub struct RemoveDependency {
    /// The lead who decides.
    pub agent: Slug,
    /// The task that waits.
    pub task: TaskSelector,
    /// The key of the task that it waits for.
    pub on: Slug,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RemoveDependency {
    const COMMAND: &'static str = "orch dep rm";
    type View = DependencyEditResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<DependencyEditResponse> {
        change_dependencies(app, key, self.full, |session, receipt| {
            remove_dependency(session, receipt, &self.agent, &self.task, &self.on)
        })
    }
}
