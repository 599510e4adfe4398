//! The last landing of a run, as the run records it.

use crate::id::{CommitHash, Slug};
use crate::time::Time;

named_enum! {
    /// How a run came onto the branch that it landed on.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum LandingManner {
        /// By a move of the branch, under the rule that checks pass.
        Checked = "checked",
        /// By a move of the branch without checks, as the lead decided for a reason.
        Unverified = "unverified",
        /// By a merge that was made elsewhere, such as a pull request.
        Pushed = "pushed",
    }
}

/// A landing of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLanding {
    /// The branch that it landed on.
    pub onto: String,
    /// The commit of that branch with the run.
    pub commit: CommitHash,
    /// How.
    pub manner: LandingManner,
    /// Why it landed although its checks or its files do not say that it may, if so.
    pub reason: Option<String>,
    /// Whether a part of the run landed.
    pub partial: bool,
    /// How many tasks were on the run's branch.
    pub tasks: i64,
    /// The agent that requested it.
    pub by: Slug,
    /// When.
    pub at: Time,
}
