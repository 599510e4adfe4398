//! `orch run use`: the current run of a worktree.

use orch_contract::orch::run::RunUseResponse;
use orch_contract::run::RunHeader;
use orch_core::id::Slug;
use orch_scheduler::run::show_run;
use orch_store::page::PageRequest;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Chooses the run that later commands in this worktree are about.
#[derive(Debug, Serialize)]
pub struct UseRun {
    /// The run; none forgets the choice.
    pub run: Option<Slug>,
}

impl Request for UseRun {
    const COMMAND: &'static str = "orch run use";
    type View = RunUseResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<RunUseResponse> {
        let page = PageRequest { limit: 1, after: None };
        let run = match &self.run {
            Some(run) => Some(RunHeader::from_run(&show_run(app.session()?, Some(run), &page)?.run)),
            None => None,
        };
        app.choose_run(self.run.as_ref())?;
        Ok(Reply::new(RunUseResponse { run }))
    }
}
