//! `orch worktree show`: one tree, with what is in it.

use std::path::Path;

use orch_core::worktree::Found;

use super::super::AttemptRef;
use super::super::perform::repository;
use super::super::stage::read_fresh;
use super::{Subject, TreeShown, look};
use orch_git::{DirtyFile, RefName};
use orch_inbox::{Error, Session};
use orch_process::processes_in;

/// A worktree with what is in it.
#[derive(Clone, Debug)]
pub struct TreeDetail {
    /// The worktree.
    pub shown: TreeShown,
    /// What is in it; `None` where it is not there.
    pub contents: Option<Contents>,
}

/// What is in a worktree just now.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is; `None` when it is detached.
    pub branch: Option<String>,
    /// An operation of git's that waits to be finished.
    pub operation: Option<&'static str>,
    /// The files that are changed and not committed.
    pub dirty: Vec<DirtyFile>,
    /// The processes that work in it.
    pub processes: Vec<u32>,
}

/// Shows the worktree of an attempt.
///
/// # Errors
/// There is no such attempt, it has none, or the store or git failed.
pub fn show(session: &mut Session, wanted: &AttemptRef) -> Result<TreeDetail, Error> {
    let subject = read_fresh(session, |tx, _| Subject::named(tx, wanted))?;
    let repository = repository(session, &subject.run)?;
    let path = Path::new(&subject.tree.path);
    let found = look(&repository.list_worktrees()?, path);
    let contents = if found == Found::There {
        let tree = repository.worktree(path)?;
        let state = tree.state()?;
        Some(Contents {
            commit: state.commit.as_ref().map(|commit| commit.as_str().to_owned()),
            branch: state.branch.as_ref().and_then(RefName::branch_name).map(str::to_owned),
            operation: tree.operation(),
            dirty: state.dirty,
            processes: processes_in(path),
        })
    } else {
        None
    };
    let Subject { attempt, tree, .. } = subject;
    Ok(TreeDetail { shown: TreeShown { attempt, tree, found }, contents })
}
