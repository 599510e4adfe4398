//! `orch worktree prune`: removes the worktrees of ended attempts.

use orch_contract::ErrorView;
use orch_contract::orch::worktree::{PruneResponse, RemovedWorktree, RetainedWorktree};
use orch_core::id::Slug;
use orch_upkeep::worktree::prune::{PruneOutcome, plan_prune, prune_worktrees};
use serde::Serialize;

use crate::app::App;
use crate::error::error_view;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Removes the worktrees of all ended attempts of a run after their contents are saved.
#[derive(Debug, Serialize)]
pub struct PruneWorktrees {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Answers what would be removed, and removes nothing.
    pub dry_run: bool,
}

impl Request for PruneWorktrees {
    const COMMAND: &'static str = "orch worktree prune";
    type View = PruneResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<PruneResponse> {
        if self.dry_run {
            let planned = plan_prune(app.session()?, self.run.as_ref())?;
            return Ok(Reply::new(PruneResponse { dry_run: true, ..prune_response(&planned) }));
        }
        app.change(key, prune_response, |session, receipt| {
            prune_worktrees(session, receipt, &self.agent, self.run.as_ref())
        })
    }
}

fn prune_response(pruned: &PruneOutcome) -> PruneResponse {
    let removed = pruned.removed.iter().map(|(attempt, tree)| RemovedWorktree {
        attempt: attempt.to_string(),
        path: tree.path.clone(),
        salvage: tree.salvage.clone(),
    });
    let stayed = pruned.stayed.iter().map(|(attempt, tree, error)| {
        let ErrorView { code, message, .. } = error_view(error);
        RetainedWorktree {
            attempt: attempt.to_string(),
            path: tree.path.clone(),
            code: code.to_string(),
            reason: message,
        }
    });
    PruneResponse {
        run: pruned.run.name.to_string(),
        dry_run: false,
        removed: removed.collect(),
        stayed: stayed.collect(),
        spares: pruned.spares.iter().map(|path| path.display().to_string()).collect(),
    }
}
