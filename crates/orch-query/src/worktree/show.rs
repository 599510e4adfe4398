//! `orch worktree show`: one worktree with its contents.

use std::path::Path;

use orch_core::worktree::WorktreePresence;

use orch_git::{DirtyFile, RefName};
use orch_inbox::{Error, Session};
use orch_process::processes_working_in;
use orch_scheduler::AttemptSelector;
use orch_scheduler::attempt_worktree::{AttemptWorktree, WorktreeSummary, worktree_presence};
use orch_scheduler::fresh_read::read_fresh;
use orch_workspace::run_repository::open_repository;

/// A worktree with its contents.
#[derive(Clone, Debug)]
pub struct WorktreeDetail {
    /// The worktree.
    pub shown: WorktreeSummary,
    /// Its contents; `None` where it does not exist.
    pub contents: Option<WorktreeContents>,
}

/// The present contents of a worktree.
#[derive(Clone, Debug)]
pub struct WorktreeContents {
    /// The commit that is checked out.
    pub commit: Option<String>,
    /// The branch that is checked out; `None` when the head is detached.
    pub branch: Option<String>,
    /// A git operation in progress, such as a merge.
    pub operation: Option<&'static str>,
    /// The files with uncommitted changes.
    pub dirty: Vec<DirtyFile>,
    /// The processes that work in it.
    pub processes: Vec<u32>,
}

/// Shows the worktree of an attempt.
pub fn show_worktree(session: &mut Session, wanted: &AttemptSelector) -> Result<WorktreeDetail, Error> {
    let subject = read_fresh(session, |tx, _| AttemptWorktree::find_named(tx, wanted))?;
    let repository = open_repository(session, &subject.run)?;
    let path = Path::new(&subject.tree.path);
    let found = worktree_presence(&repository.list_worktrees()?, path);
    let contents = if found == WorktreePresence::There {
        let tree = repository.open_worktree(path)?;
        let state = tree.read_status()?;
        Some(WorktreeContents {
            commit: state.commit.as_ref().map(|commit| commit.as_str().to_owned()),
            branch: state.branch.as_ref().and_then(RefName::branch_name).map(str::to_owned),
            operation: tree.operation_in_progress(),
            dirty: state.dirty,
            processes: processes_working_in(path),
        })
    } else {
        None
    };
    let AttemptWorktree { attempt, tree, .. } = subject;
    Ok(WorktreeDetail { shown: WorktreeSummary { attempt, tree, found }, contents })
}
