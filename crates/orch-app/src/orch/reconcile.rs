//! `orch reconcile`: applies reports to tasks and completes effects of processes that have ended.

use orch_contract::orch::reconcile::{
    FinishedEffect, GitLockView, OrphanView, ReconcileResponse, ReconcileStep,
};
use orch_core::id::Slug;
use orch_inbox::Response;
use orch_scheduler::reconcile::{CompletedEffect, ReconcileOutcome, TaskTransition, reconcile_runs};
use orch_workspace::git_locks::StaleGitLock;
use orch_workspace::orphans::Orphan;
use serde::Serialize;

use crate::app::App;
use crate::error::error_view;
use crate::request::{Answer, Request, RequestKey};

/// Applies reports to tasks and completes effects of processes that have ended.
#[derive(Debug, Serialize)]
pub struct Reconcile {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; all runs when absent.
    pub run: Option<Slug>,
    /// Answers what would be done, and does nothing.
    pub dry_run: bool,
}

impl Request for Reconcile {
    const COMMAND: &'static str = "orch reconcile";
    type View = ReconcileResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ReconcileResponse> {
        let mut faults = Vec::new();
        let reply = app.change(key, reconcile_response, |session, receipt| {
            let reconciled = reconcile_runs(session, receipt, self.run.as_ref(), self.dry_run)?;
            if let Response::Fresh(outcome) = &reconciled {
                faults.extend(outcome.faults.iter().map(|fault| error_view(fault).message));
            }
            Ok(reconciled)
        })?;
        for fault in faults {
            app.add_warning(fault);
        }
        for effect in &reply.data.finished {
            if let Some(problem) = &effect.problem {
                let of = effect.attempt.as_deref().unwrap_or(&effect.run);
                app.add_warning(format!("{} of {of}: {problem}", effect.kind));
            }
        }
        Ok(reply)
    }
}

fn reconcile_response(outcome: &ReconcileOutcome) -> ReconcileResponse {
    ReconcileResponse {
        changes: outcome.changes.iter().map(transition_view).collect(),
        finished: outcome.finished.iter().map(effect_view).collect(),
        swept: outcome.swept.iter().map(|path| path.display().to_string()).collect(),
        locks: outcome.locks.iter().map(lock_view).collect(),
        orphans: outcome.orphans.iter().map(orphan_view).collect(),
    }
}

fn effect_view(effect: &CompletedEffect) -> FinishedEffect {
    FinishedEffect {
        kind: effect.kind.into(),
        run: effect.run.to_string(),
        attempt: effect.attempt.as_ref().map(ToString::to_string),
        done: !effect.stays,
        problem: effect.problem.as_ref().map(|problem| error_view(problem).message),
    }
}

fn lock_view(lock: &StaleGitLock) -> GitLockView {
    GitLockView {
        path: lock.path.display().to_string(),
        age_ms: i64::try_from(lock.age.as_millis()).unwrap_or(i64::MAX),
        removed: lock.is_removed,
        next: lock.removal_command(),
    }
}

fn orphan_view(orphan: &Orphan) -> OrphanView {
    OrphanView { kind: orphan.kind.name().to_owned(), name: orphan.name.clone(), next: orphan.next.clone() }
}

fn transition_view(step: &TaskTransition) -> ReconcileStep {
    ReconcileStep {
        task: step.task.to_string(),
        attempt: step.attempt.as_ref().map(ToString::to_string),
        from: step.from.to_owned(),
        to: step.to.to_owned(),
        reason: step.reason.clone(),
    }
}
