//! Looks at the branches of the driven runs in each pass.

use std::collections::BTreeMap;
use std::path::Path;

use orch_core::id::{CommitHash, RunId};
use orch_core::run::Run;
use orch_git::BranchFingerprint;
use orch_inbox::Session;
use orch_scheduler::run_branch::notice_branch_moves;
use orch_workspace::run_repository::branch_ref;

/// Notices what others do to the branches of runs: one that was not touched costs one file read.
#[derive(Debug, Default)]
pub(super) struct BranchWatch(BTreeMap<RunId, BranchObservation>);

/// What was seen of a branch, and where orch had left it then.
#[derive(Clone, Debug, PartialEq, Eq)]
struct BranchObservation {
    fingerprint: BranchFingerprint,
    tip: CommitHash,
}

impl BranchWatch {
    /// Looks at the branch of a run, if it may have moved since the last look; returns whether the store was changed.
    pub(super) fn notice_moves(&mut self, session: &mut Session, run: &Run) -> bool {
        let Some(git) = &run.ground else { return false };
        let Ok(name) = branch_ref(&git.branch) else { return false };
        let fingerprint = BranchFingerprint::read(Path::new(&git.repository), &name);
        let state = BranchObservation { fingerprint, tip: git.tip.clone() };
        if self.0.get(&run.id) == Some(&state) {
            return false;
        }
        self.0.insert(run.id, state);
        notice_branch_moves(session, [run])
    }
}
