//! The names that a shell completes: runs, tasks, agents, profiles and branches.

use orch_contract::{TaskOrSummary, TaskSummary};
use orch_core::id::Slug;
use orch_core::limit;
use orch_inbox::world::HostEnvironment;
use orch_process::EnvironmentVariables;

use crate::app::{App, working_folder};
use crate::error::AppError;
use crate::orch::agents::ListAgents;
use crate::orch::profile::ListProfiles;
use crate::orch::run::list::ListRuns;
use crate::orch::task::list::ListTasks;
use crate::request::Paging;

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletedName {
    /// A run.
    Run,
    /// A task: its key in the current run, or RUN/KEY.
    Task,
    /// An agent.
    Agent,
    /// A profile.
    Profile,
    /// A branch of the repository.
    Branch,
}

impl App<'_> {
    /// Lists what an argument may name, at most as many as a list shows by default; nothing where that cannot be known.
    pub fn list_completions(&mut self, name: CompletedName) -> Vec<String> {
        let paging = || Paging { limit: limit::LIST_DEFAULT, after: None };
        match name {
            CompletedName::Run => {
                let listed = self.answer(&ListRuns { paging: paging() }, None);
                listed
                    .map(|listed| listed.data.runs.into_iter().map(|run| run.id).collect())
                    .unwrap_or_default()
            }
            CompletedName::Task => self.list_task_names(paging()),
            CompletedName::Agent => {
                let listed = self.answer(&ListAgents { run: None, paging: paging() }, None);
                let names =
                    listed.map(|listed| listed.data.agents.into_iter().map(|agent| agent.name).collect());
                names.unwrap_or_default()
            }
            CompletedName::Profile => {
                let listed = self.answer(&ListProfiles {}, None);
                let names =
                    listed.map(|listed| listed.data.profiles.into_iter().map(|one| one.name).collect());
                names.unwrap_or_default()
            }
            CompletedName::Branch => list_branches(),
        }
    }

    /// Lists the keys of the current run, or where there is none the tasks of all runs.
    fn list_task_names(&mut self, paging: Paging) -> Vec<String> {
        let run = self.resolve_run().ok().flatten();
        if let Ok(tasks) = self.list_short_tasks(run, paging.clone()) {
            return tasks.into_iter().map(|task| task.key).collect();
        }
        let runs = self.answer(&ListRuns { paging: paging.clone() }, None).map(|listed| listed.data.runs);
        let names = runs.unwrap_or_default().into_iter().filter_map(|run| Slug::new(&run.id).ok());
        let mut tasks = Vec::new();
        for run in names.collect::<Vec<_>>() {
            tasks.extend(self.list_short_tasks(Some(run), paging.clone()).unwrap_or_default());
        }
        tasks.into_iter().map(|task| task.id).collect()
    }

    fn list_short_tasks(&mut self, run: Option<Slug>, paging: Paging) -> Result<Vec<TaskSummary>, AppError> {
        let request = ListTasks { run, states: Vec::new(), label: None, paging, full: false };
        let tasks = self.answer(&request, None)?.data.tasks;
        let short = tasks.into_iter().filter_map(|task| match task {
            TaskOrSummary::Short(task) => Some(task),
            TaskOrSummary::Full(_) => None,
        });
        Ok(short.collect())
    }
}

/// Lists the branches of the repository around the working folder.
fn list_branches() -> Vec<String> {
    let host = HostEnvironment::new(EnvironmentVariables::inherit_sanitized());
    let repository = working_folder().ok().and_then(|here| host.discover_repository(&here).ok());
    let tips = repository.and_then(|found| found.list_refs("refs/heads/").ok()).unwrap_or_default();
    let branches = tips.iter().filter_map(|tip| tip.reference.as_str().strip_prefix("refs/heads/"));
    branches.map(str::to_owned).collect()
}
