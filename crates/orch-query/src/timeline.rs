//! `orch timeline`: the attempts of a run with their times.

use orch_core::attempt::Attempt;
use orch_core::id::{Slug, TaskId};
use orch_core::run::Run;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{attempt, task as task_table};

use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;

/// A run's attempts.
#[derive(Clone, Debug)]
pub struct RunTimeline {
    /// The run.
    pub run: Run,
    /// Its attempts by task, oldest first, then by number.
    pub attempts: ResultPage<Attempt>,
    /// The time of the list.
    pub now: Time,
}

/// Lists the attempts of a run.
///
/// # Errors
/// The run does not exist, or the cursor is invalid.
pub fn load_timeline(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<RunTimeline, Error> {
    read_fresh(session, |tx, now| {
        let run = lookup::find_run(tx, run)?;
        let after = parse_cursor(tx, &run, page.after.as_deref())?;
        let (attempts, total) = attempt::list_by_run(tx, run.id, after, page.limit.saturating_add(1))?;
        let total = u64::try_from(total).unwrap_or(0);
        let cursor = |attempt: &Attempt| format!("{}@{}", attempt.name.task.key, attempt.name.number);
        Ok(RunTimeline { attempts: cut_page(attempts, page.limit, total, cursor), run, now })
    })
}

/// Parses the cursor of a page: `KEY@N` is the last attempt of the page before.
fn parse_cursor(tx: &mut Transaction<'_>, run: &Run, cursor: Option<&str>) -> Result<(TaskId, u32), Error> {
    let Some(cursor) = cursor else { return Ok((TaskId(0), 0)) };
    let (key, number) = cursor.split_once('@').ok_or_else(invalid_cursor)?;
    let key = Slug::new(key).map_err(|_| invalid_cursor())?;
    let task = task_table::id_by_key(tx, run.id, &key)?.ok_or_else(invalid_cursor)?;
    Ok((task, number.parse().map_err(|_| invalid_cursor())?))
}
