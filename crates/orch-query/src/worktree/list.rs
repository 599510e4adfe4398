//! `orch worktree list`: the worktrees of a run's attempts.

use std::path::{Path, PathBuf};

use orch_core::id::{AttemptId, Slug};
use orch_core::run::Run;
use orch_core::worktree::{DamagedWorktree, Worktree};
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{attempt, attic, task, worktree};

use orch_git::exists_at;
use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Session};
use orch_scheduler::attempt_worktree::{WorktreeSummary, worktree_presence};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;
use orch_workspace::run_repository::open_repository;
use orch_workspace::worktree_pool::WorktreePool;

/// The worktrees of a run.
#[derive(Clone, Debug)]
pub struct WorktreeList {
    /// The run.
    pub run: Run,
    /// The worktrees of its attempts, oldest first.
    pub trees: ResultPage<WorktreeSummary>,
    /// Spare worktrees that are kept for the next attempts.
    pub spares: Vec<PathBuf>,
}

/// Lists the damaged worktrees in the attic, of one run or of all, removed ones included, oldest first; each with whether it
/// still exists.
pub fn list_attic(session: &mut Session, run: Option<&Slug>) -> Result<Vec<(DamagedWorktree, bool)>, Error> {
    let entries = session.read(|tx, _| Ok(attic::list(tx, run)?))?;
    let exists = |entry: &DamagedWorktree| exists_at(Path::new(&entry.path));
    Ok(entries.into_iter().map(|entry| (entry.clone(), exists(&entry))).collect())
}

/// Lists the worktrees of a run, and what git finds at their paths.
pub fn list_worktrees(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<WorktreeList, Error> {
    let (run, trees, total) = read_fresh(session, |tx, _| {
        let run = lookup::find_run(tx, run)?;
        let after = parse_cursor(tx, &run, page)?;
        let trees = worktree::list_by_run(tx, run.id, after, page.limit.saturating_add(1))?;
        let mut shown = Vec::with_capacity(trees.len());
        for tree in trees {
            let attempt = attempt::load(tx, tree.attempt)?
                .ok_or_else(|| lookup::missing_row("attempt", tree.attempt.0))?;
            shown.push((attempt, tree));
        }
        let total = u64::try_from(worktree::count(tx, run.id)?).unwrap_or(0);
        Ok((run, shown, total))
    })?;
    let (mut entries, mut spares) = (Vec::new(), Vec::new());
    if run.ground.is_some() {
        let repository = open_repository(session, &run)?;
        entries = repository.list_worktrees()?;
        let pool = WorktreePool::new(&repository, &run)?;
        spares.extend(entries.iter().filter(|entry| pool.is_spare(entry)).map(|entry| entry.path.clone()));
    }
    let found = |tree: &Worktree| worktree_presence(&entries, Path::new(&tree.path));
    let shown = trees
        .into_iter()
        .map(|(attempt, tree)| WorktreeSummary { found: found(&tree), attempt, tree })
        .collect();
    let name = |shown: &WorktreeSummary| {
        let name = &shown.attempt.name;
        format!("{}@{}", name.task.key, name.number)
    };
    Ok(WorktreeList { run, trees: cut_page(shown, page.limit, total, name), spares })
}

/// The attempt after which a page begins, `KEY@N`.
fn parse_cursor(tx: &mut Transaction<'_>, run: &Run, page: &PageRequest) -> Result<AttemptId, Error> {
    let Some(cursor) = &page.after else { return Ok(AttemptId(0)) };
    let (key, number) = cursor.split_once('@').ok_or_else(invalid_cursor)?;
    let key = Slug::new(key).map_err(|_| invalid_cursor())?;
    let number = number.parse().map_err(|_| invalid_cursor())?;
    let task = task::id_by_key(tx, run.id, &key)?.ok_or_else(invalid_cursor)?;
    Ok(attempt::load_by_number(tx, task, number)?.ok_or_else(invalid_cursor)?.id)
}
