//! `orch dep add`: makes a task wait for others.

use orch_contract::orch::dependency::DependencyEditResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::dep::add_dependencies;
use serde::Serialize;

use super::change_dependencies;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Makes a task wait for others.
#[derive(Debug, Serialize)]
pub struct AddDependencies {
    /// The lead who decides.
    pub agent: Slug,
    /// The task that waits.
    pub task: TaskSelector,
    /// The keys of the tasks that it waits for.
    pub on: Vec<Slug>,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for AddDependencies {
    const COMMAND: &'static str = "orch dep add";
    type View = DependencyEditResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<DependencyEditResponse> {
        change_dependencies(app, key, self.full, |session, receipt| {
            add_dependencies(session, receipt, &self.agent, &self.task, &self.on)
        })
    }
}
