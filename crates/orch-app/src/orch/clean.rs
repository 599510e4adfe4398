//! `orch clean`: deletes what an ended run has left.

use orch_contract::ErrorView;
use orch_contract::orch::clean::{CleanResponse, KeptResourceView, RemovedResourceView};
use orch_core::id::Slug;
use orch_scheduler::clean::{AtticCleaning, clean_attic, plan_cleaning};
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

fn clean_response(cleaning: &AtticCleaning) -> CleanResponse {
    let removes = cleaning.removed.iter().map(|entry| RemovedResourceView {
        what: "attic".to_owned(),
        attempt: entry.attempt.clone(),
        path: entry.path.clone(),
    });
    let keeps = cleaning.kept.iter().map(|(entry, error)| {
        let ErrorView { message, .. } = error_view(error);
        KeptResourceView { what: entry.path.clone(), why: message }
    });
    CleanResponse { dry_run: false, removes: removes.collect(), keeps: keeps.collect() }
}
