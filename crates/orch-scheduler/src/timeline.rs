//! `orch timeline`: the attempts of a run over time.

use orch_core::attempt::Attempt;
use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{attempt, task as task_table};

use super::scope;
use super::stage::read_fresh;
use orch_inbox::page::{bad_cursor, cut};
use orch_inbox::{Error, Session};

/// A run's attempts.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The run.
    pub run: Run,
    /// Its attempts by task, oldest first, and number.
    pub attempts: Page<Attempt>,
    /// When this was true.
    pub now: Time,
}

/// Lists the attempts of a run.
///
/// # Errors
/// There is no such run, the cursor is not one, or the store failed.
pub fn timeline(session: &mut Session, run: Option<&Slug>, page: &PageRequest) -> Result<Timeline, Error> {
    read_fresh(session, |tx, now| {
        let run = scope::one_run(tx, run)?;
        let after = after(tx, &run, page.after.as_deref())?;
        let (attempts, total) = attempt::of_run(tx, run.id, after, page.limit.saturating_add(1))?;
        let total = u64::try_from(total).unwrap_or(0);
        let cursor = |attempt: &Attempt| format!("{}@{}", attempt.name.task.key, attempt.name.number);
        Ok(Timeline { attempts: cut(attempts, page.limit, total, cursor), run, now })
    })
}

/// Behind which attempt a part begins: `KEY@N`.
fn after(tx: &mut Transaction<'_>, run: &Run, cursor: Option<&str>) -> Result<(TaskId, u32), Error> {
    let Some(cursor) = cursor else { return Ok((TaskId(0), 0)) };
    let (key, number) = cursor.split_once('@').ok_or_else(bad_cursor)?;
    let key = Slug::new(key).map_err(|_| bad_cursor())?;
    let task = task_table::id_by_key(tx, run.id, &key)?.ok_or_else(bad_cursor)?;
    Ok((task, number.parse().map_err(|_| bad_cursor())?))
}
