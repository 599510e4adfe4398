//! `orch land`: merges the run's branch into another one.

use std::path::Path;

use orch_contract::CheckView;
use orch_contract::orch::land::{LandResponse, LandedTask, LeftTask};
use orch_core::id::Slug;
use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_core::shell;
use orch_core::task::ChecksStatus;
use orch_scheduler::land::{LandOutcome, LandRequest, LandingChoice, land_run};
use orch_workspace::check_cache::CheckReuse;
use orch_workspace::task_outcome::TaskOutcome;
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
use crate::orch::view::{resolving_commands, short_task_view};
use crate::request::{Answer, Request, RequestKey};

/// Merges the run's branch into another one.
#[derive(Debug, Serialize)]
pub struct LandRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The branch to land on; it may be absent when the landing is only recorded.
    pub onto: Option<String>,
    /// Lands although some tasks are not done.
    pub partial: bool,
    /// Lands without checks.
    pub no_verify: bool,
    /// Records that the run landed with this revision.
    pub pushed: Option<String>,
    /// Why it lands without checks, or counts as landed with other files.
    pub reason: Option<String>,
    /// Runs the user's hooks for merges.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub run_hooks: bool,
    /// Runs checks although their results are known.
    pub no_check_cache: bool,
    /// Adds a task that resolves a conflict.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resolve: bool,
}

impl Request for LandRun {
    const COMMAND: &'static str = "orch land";
    type View = LandResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<LandResponse> {
        let manner = self.landing_choice()?;
        app.change(key, land_response, |session, receipt| {
            let request = LandRequest {
                run: self.run.clone(),
                onto: self.onto.clone(),
                partial: self.partial,
                manner: manner.clone(),
                run_hooks: self.run_hooks,
                reuse: CheckReuse::beginning_now(session, self.no_check_cache),
                resolve: self.resolve,
            };
            land_run(session, receipt, &self.agent, &request)
        })
    }
}

impl LandRun {
    fn landing_choice(&self) -> Result<LandingChoice, AppError> {
        let empty = |argument| AppError::from(Refusal::Invalid { argument, problem: ArgumentProblem::Empty });
        if self.onto.is_none() && self.pushed.is_none() {
            return Err(empty("--onto"));
        }
        match (&self.pushed, self.no_verify, &self.reason) {
            (Some(revision), false, reason) => {
                Ok(LandingChoice::Pushed { revision: revision.clone(), reason: reason.clone() })
            }
            (None, true, Some(reason)) => Ok(LandingChoice::Unverified { reason: reason.clone() }),
            (None, true, None) => Err(empty("--reason")),
            (None, false, None) => Ok(LandingChoice::Checked),
            (Some(_), true, _) | (None, false, Some(_)) => {
                let argument = if self.no_verify { "--no-verify" } else { "--reason" };
                Err(Refusal::Invalid { argument, problem: ArgumentProblem::NotApplicable }.into())
            }
        }
    }
}

/// Returns the answer of a landing.
pub(super) fn land_response(outcome: &LandOutcome) -> LandResponse {
    let undo = outcome.from.as_deref().map(|from| undo_command(outcome, from));
    LandResponse {
        run: outcome.run.name.to_string(),
        branch: outcome.onto.clone(),
        commit: outcome.commit.clone(),
        from_commit: outcome.from.clone(),
        already: outcome.already,
        manner: outcome.landing.as_ref().map(|landing| landing.manner.into()),
        reason: outcome.landing.as_ref().and_then(|landing| landing.reason.clone()),
        checks: outcome.checks.iter().map(CheckView::from_check).collect(),
        landed: outcome.landed.first.iter().map(landed_task).collect(),
        landed_total: outcome.landed.total,
        left: outcome.left.first.iter().map(left_task).collect(),
        left_total: outcome.left.total,
        unchecked: outcome.unchecked.first.iter().map(landed_task).collect(),
        unchecked_total: outcome.unchecked.total,
        task: outcome.resolving.as_ref().map(|resolving| short_task_view(&resolving.task)),
        paths: outcome.resolving.as_ref().map(|resolving| resolving.files.clone()).unwrap_or_default(),
        next: match &outcome.resolving {
            Some(resolving) => resolving_commands(&outcome.run.name, [resolving]),
            None => std::iter::once(push_command(outcome)).chain(undo.clone()).collect(),
        },
        push: push_command(outcome),
        undo,
    }
}

fn landed_task(outcome: &TaskOutcome) -> LandedTask {
    let tree = outcome.tree.as_ref();
    LandedTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
        head_commit: tree.and_then(|tree| tree.head.as_ref()).map(ToString::to_string),
        merged_commit: tree.and_then(|tree| tree.merged.as_ref()).map(ToString::to_string),
        checks: outcome.attempt.as_ref().map_or(ChecksStatus::None, |attempt| attempt.checks).into(),
    }
}

fn left_task(outcome: &TaskOutcome) -> LeftTask {
    LeftTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        state: outcome.task.state.into(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
    }
}

/// The command that publishes the branch.
fn push_command(outcome: &LandOutcome) -> String {
    let remote = outcome.remote.as_deref().unwrap_or("REMOTE");
    git_command(&outcome.repository, &["push", remote, &outcome.onto])
}

/// The command that takes the landing back: with the files where the branch is checked out, and only from where it
/// is now where it is not.
fn undo_command(outcome: &LandOutcome, from: &str) -> String {
    match &outcome.checkout {
        Some(checkout) => git_command(checkout, &["reset", "--keep", from]),
        None => {
            let branch = format!("refs/heads/{}", outcome.onto);
            git_command(&outcome.repository, &["update-ref", &branch, from, &outcome.commit])
        }
    }
}

fn git_command(folder: &Path, words: &[&str]) -> String {
    let folder = folder.display().to_string();
    shell::join_words(["git", "-C", folder.as_str()].into_iter().chain(words.iter().copied()))
}
