//! `orch run init`: a new run.

use std::path::PathBuf;

use orch_contract::orch::run::RunResponse;
use orch_contract::{ErrorCode, RunView};
use orch_core::id::Slug;
use orch_core::run::{AttemptRules, Budget, DoneWhen, Policy};
use orch_inbox::Response;
use orch_scheduler::run::{CreatedRun, NewRun, create_run};
use orch_workspace::run_location::RunLocation;
use serde::Serialize;

use crate::app::App;
use crate::error::{AppError, RetryAdvice};
use crate::request::{Answer, Request, RequestKey, change_in_session, serialize_path};

pub use orch_workspace::run_location::BRANCH_PREFIX;

/// Creates a run, and the store when there is none.
#[derive(Debug, Serialize)]
pub struct InitRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run's name; made from the title when absent.
    pub name: Option<Slug>,
    /// The run's title.
    pub title: String,
    /// The run's goal.
    pub goal: Option<String>,
    /// When a task counts as done; it depends on the worktrees when absent.
    pub done_when: Option<DoneWhen>,
    /// The revision that the run begins from.
    pub base: Option<String>,
    /// Whether attempts get no worktrees.
    pub no_worktrees: bool,
    /// The folder for worktrees.
    #[serde(serialize_with = "serialize_path")]
    pub worktree_root: Option<PathBuf>,
    /// The prefix of the run's branches.
    pub branch_prefix: String,
    /// The limits of the run.
    pub policy: Policy,
    /// The commands and patterns that prepare and judge attempts.
    pub rules: AttemptRules,
    /// The budgets.
    pub budget: Budget,
}

impl InitRun {
    /// Whether tasks count as done only by means of worktrees.
    fn requires_worktrees(&self) -> bool {
        matches!(self.done_when, Some(DoneWhen::Verified | DoneWhen::Integrated))
    }

    fn new_run(&self) -> NewRun {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let location = RunLocation {
            folder: folder.clone(),
            base: self.base.clone(),
            required: self.requires_worktrees(),
            root: self.worktree_root.clone(),
            branch_prefix: self.branch_prefix.clone(),
        };
        NewRun {
            name: self.name.clone(),
            title: self.title.clone(),
            goal: self.goal.clone(),
            done_when: self.done_when,
            policy: self.policy.clone(),
            rules: self.rules.clone(),
            budget: self.budget,
            place: (!self.no_worktrees).then_some(location),
            folder,
        }
    }

    /// Advises other branch names or no worktrees, where git is what the run failed at.
    fn with_git_advice(&self, mut error: AppError) -> AppError {
        let prefix = &self.branch_prefix;
        let details = error.view.details.as_ref();
        let branch = details.and_then(|details| details.get("branch")?.as_str()).unwrap_or("/");
        let is_prefix = prefix == branch || prefix.starts_with(&format!("{branch}/"));
        let is_optional = !self.requires_worktrees() && self.base.is_none() && self.worktree_root.is_none();
        let option = match error.code() {
            ErrorCode::NotSupported if self.no_worktrees => return error,
            ErrorCode::WorktreeConflict if is_prefix => "--branch-prefix=PREFIX",
            ErrorCode::NotSupported | ErrorCode::BaseNotFound if is_optional => "--no-worktrees",
            _ => return error,
        };
        error.view.hint = None;
        error.retry = Some(RetryAdvice::WithOption(option));
        error
    }
}

impl Request for InitRun {
    const COMMAND: &'static str = "orch run init";
    type View = RunResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunResponse> {
        if self.no_worktrees && self.requires_worktrees() {
            let message = "Tasks are verified and integrated in worktrees; leave --no-worktrees out.";
            return Err(AppError::invalid_argument("--done-when", message));
        }
        let mut new_run = self.new_run();
        let mut fresh = None;
        app.open_or_create_session()?;
        let defaults = app.apply_run_defaults(&mut new_run).map_err(|error| self.with_git_advice(error))?;
        let session = app.session()?;
        let view = |created: &CreatedRun| RunResponse {
            run: RunView::from_run(&created.run),
            defaults: defaults.clone(),
        };
        let reply = change_in_session(session, key, view, |session, receipt| {
            let created = create_run(session, receipt, &self.agent, &new_run)?;
            if let Response::Fresh(created) = &created {
                fresh = Some(created.clone());
            }
            Ok(created)
        });
        let reply = reply.map_err(|error| self.with_git_advice(error))?;
        if let Some(created) = fresh {
            app.warn_about_run(&created);
            app.remember_lead(&created.run.name);
        }
        Ok(reply)
    }
}

impl App<'_> {
    /// Warns of uncommitted files that the run does not begin from, and of rules without an effect.
    pub(in crate::orch) fn warn_about_run(&mut self, created: &CreatedRun) {
        let CreatedRun { run, dirty } = created;
        if *dirty > 0 {
            self.add_warning(format!(
                "The checkout has {} that {} not committed, and so not in what the run begins from.",
                if *dirty == 1 { "a file".to_owned() } else { format!("{dirty} files") },
                if *dirty == 1 { "is" } else { "are" },
            ));
        }
        if run.ground.is_some() {
            return;
        }
        let rules = &run.rules;
        if rules.setup.is_some() || !rules.copy.is_empty() || !rules.protect.is_empty() {
            self.add_warning("The run has no worktrees, so nothing is set up, copied or protected.");
        }
    }
}
