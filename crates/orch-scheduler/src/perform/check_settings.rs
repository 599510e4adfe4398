//! How the checks run that an operation needs.

use orch_core::limit;
use orch_workspace::check_cache::CheckReuse;

/// How the checks run that an operation needs.
#[derive(Clone, Copy, Debug)]
pub struct CheckSettings {
    /// Which known results are taken over.
    pub reuse: CheckReuse,
    /// How many checks of merges run at once.
    pub merge_jobs: usize,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self { reuse: CheckReuse::Known, merge_jobs: limit::MERGE_CHECK_JOBS_DEFAULT }
    }
}
