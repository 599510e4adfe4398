//! `orch clean`: deletes what an ended run has left.

use orch_contract::ErrorView;
use orch_contract::orch::clean::{CleanResponse, KeptResourceView, RemovedResourceView};
use orch_core::id::Slug;
use orch_upkeep::clean::{
    AtticCleaning, RunCleaning, clean_attic, clean_run, plan_cleaning, plan_run_cleaning,
};
use serde::Serialize;

use crate::app::App;
use crate::error::error_view;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Deletes the damaged worktrees in the attic.
#[derive(Debug, Serialize)]
pub struct CleanAttic {
    /// The lead who decides.
    pub agent: Slug,
    /// The run, which may have been removed; all runs when absent.
    pub run: Option<Slug>,
    /// Answers what would be deleted, and deletes nothing.
    pub dry_run: bool,
}

impl Request for CleanAttic {
    const COMMAND: &'static str = "orch clean";
    type View = CleanResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<CleanResponse> {
        if self.dry_run {
            let planned = plan_cleaning(app.session()?, self.run.as_ref())?;
            return Ok(Reply::new(CleanResponse { dry_run: true, ..clean_response(&planned) }));
        }
        app.change(key, clean_response, |session, receipt| {
            clean_attic(session, receipt, &self.agent, self.run.as_ref())
        })
    }
}

/// Deletes what a run has left that holds nothing unlanded.
#[derive(Debug, Serialize)]
pub struct CleanRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run.
    pub run: Slug,
    /// Answers what would be deleted, and deletes nothing.
    pub dry_run: bool,
}

impl Request for CleanRun {
    const COMMAND: &'static str = "orch clean";
    type View = CleanResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<CleanResponse> {
        if self.dry_run {
            let planned = plan_run_cleaning(app.session()?, &self.run)?;
            return Ok(Reply::new(CleanResponse { dry_run: true, ..run_cleaning_response(&planned) }));
        }
        app.change(key, run_cleaning_response, |session, receipt| {
            clean_run(session, receipt, &self.agent, &self.run)
        })
    }
}

fn run_cleaning_response(cleaning: &RunCleaning) -> CleanResponse {
    let trees =
        cleaning.trees.removed.iter().map(|(attempt, tree)| {
            removed_resource("worktree", Some(attempt.to_string()), tree.path.clone())
        });
    let spares = cleaning.trees.spares.iter();
    let spares = spares.map(|path| removed_resource("spare", None, path.display().to_string()));
    let references = cleaning.references.iter();
    let references =
        references.map(|tip| removed_resource("reference", None, tip.reference.as_str().to_owned()));
    let stayed = cleaning.trees.stayed.iter().map(|(_, tree, error)| {
        let ErrorView { message, .. } = error_view(error);
        KeptResourceView { what: tree.path.clone(), why: message }
    });
    let kept = cleaning.kept.iter().map(|(tip, why)| KeptResourceView {
        what: tip.reference.as_str().to_owned(),
        why: format!("It {why}."),
    });
    CleanResponse {
        dry_run: false,
        removes: trees.chain(spares).chain(references).collect(),
        keeps: stayed.chain(kept).collect(),
    }
}

/// Returns something that was deleted, or would be.
pub(super) fn removed_resource(what: &str, attempt: Option<String>, path: String) -> RemovedResourceView {
    RemovedResourceView { what: what.to_owned(), attempt, path }
}

fn clean_response(cleaning: &AtticCleaning) -> CleanResponse {
    let removes = cleaning.removed.iter().map(|entry| RemovedResourceView {
        what: "attic".to_owned(),
        attempt: Some(entry.attempt.clone()),
        path: entry.path.clone(),
    });
    let keeps = cleaning.kept.iter().map(|(entry, error)| {
        let ErrorView { message, .. } = error_view(error);
        KeptResourceView { what: entry.path.clone(), why: message }
    });
    CleanResponse { dry_run: false, removes: removes.collect(), keeps: keeps.collect() }
}
