//! `orch worktree list`: the trees of a run's attempts.

use std::path::{Path, PathBuf};

use orch_core::id::{AttemptId, Slug};
use orch_core::run::Run;
use orch_core::worktree::Worktree;
use orch_store::Transaction;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{attempt, task, worktree};

use super::super::perform::{repository, spare};
use super::super::scope;
use super::super::stage::read_fresh;
use super::{TreeShown, look};
use orch_inbox::page::{bad_cursor, cut};
use orch_inbox::{Error, Session};

/// The worktrees of a run.
#[derive(Clone, Debug)]
pub struct Trees {
    /// The run.
    pub run: Run,
    /// The worktrees of its attempts, oldest first.
    pub trees: Page<TreeShown>,
    /// Finished ones that are kept for the next attempts.
    pub spares: Vec<PathBuf>,
}

/// Lists them, and asks git once what is really there.
///
/// # Errors
/// There is no such run, or several and none was named, or the store or git failed.
pub fn list(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<Trees, Error> {
    let (run, trees, total) = read_fresh(session, |tx, _| {
        let run = scope::one_run(tx, run)?;
        let after = cursor(tx, &run, page)?;
        let trees = worktree::of_run(tx, run.id, after, page.limit.saturating_add(1))?;
        let mut shown = Vec::with_capacity(trees.len());
        for tree in trees {
            let attempt =
                attempt::load(tx, tree.attempt)?.ok_or_else(|| scope::missing("attempt", tree.attempt.0))?;
            shown.push((attempt, tree));
        }
        let total = u64::try_from(worktree::count(tx, run.id)?).unwrap_or(0);
        Ok((run, shown, total))
    })?;
    let (mut entries, mut spares) = (Vec::new(), Vec::new());
    if run.ground.is_some() {
        entries = repository(session, &run)?.list_worktrees()?;
        for entry in &entries {
            if spare::is_place(&run, entry)? {
                spares.push(entry.path.clone());
            }
        }
    }
    let found = |tree: &Worktree| look(&entries, Path::new(&tree.path));
    let shown =
        trees.into_iter().map(|(attempt, tree)| TreeShown { found: found(&tree), attempt, tree }).collect();
    let name = |shown: &TreeShown| {
        let name = &shown.attempt.name;
        format!("{}@{}", name.task.key, name.number)
    };
    Ok(Trees { run, trees: cut(shown, page.limit, total, name), spares })
}

/// The attempt that a page begins behind, `KEY@N`.
fn cursor(tx: &mut Transaction<'_>, run: &Run, page: &PageRequest) -> Result<AttemptId, Error> {
    let Some(cursor) = &page.after else { return Ok(AttemptId(0)) };
    let (key, number) = cursor.split_once('@').ok_or_else(bad_cursor)?;
    let key = Slug::new(key).map_err(|_| bad_cursor())?;
    let number = number.parse().map_err(|_| bad_cursor())?;
    let task = task::id_by_key(tx, run.id, &key)?.ok_or_else(bad_cursor)?;
    Ok(attempt::by_number(tx, task, number)?.ok_or_else(bad_cursor)?.id)
}
