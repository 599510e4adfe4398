//! A step of a branch from one commit to a descendant.

use crate::name::{CommitId, RefName};

/// A move of a branch from the commit that it is expected at to a descendant.
#[derive(Clone, Copy, Debug)]
pub struct BranchMove<'a> {
    /// The branch; a symbolic reference is followed.
    pub branch: &'a RefName,
    /// The expected commit.
    pub from: &'a CommitId,
    /// The new commit.
    pub to: &'a CommitId,
    /// The message for the logs of the references.
    pub message: &'a str,
}
