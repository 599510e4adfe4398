//! `orch usage`: what attempts used, by day, run, profile and task. It survives the removal of a run.

use orch_core::id::Slug;
use orch_core::time::{Time, TimeSpan};
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::usage::{self, UsageGrouping, UsageRow, day_of};

use orch_inbox::page::{cut_page, invalid_cursor};
use orch_inbox::{Error, Session};

/// A selection of usage.
#[derive(Clone, Debug)]
pub struct UsageRequest {
    /// Only days that are not older than this.
    pub since: Option<TimeSpan>,
    /// How rows are added up.
    pub grouping: UsageGrouping,
    /// Only of runs with this name.
    pub run: Option<Slug>,
    /// The page.
    pub page: PageRequest,
}

/// Lists what attempts used: newest day first, then by run, task and profile.
///
/// # Errors
/// The cursor is invalid.
pub fn list_usage(session: &mut Session, request: &UsageRequest) -> Result<ResultPage<UsageRow>, Error> {
    let UsageRequest { since, grouping, run, page } = request;
    session.read(|tx, now| {
        let first = since.map_or(i64::MIN, |since| day_of(Time(now.0.saturating_sub(since.0))));
        let mut rows = usage::list_sums(tx, *grouping, first, run.as_ref())?;
        rows.sort_by_key(|row| {
            let name = |name: &Option<Slug>| name.as_ref().map(Slug::to_string);
            (std::cmp::Reverse(row.day), name(&row.run), name(&row.task), name(&row.profile))
        });
        let total = rows.len() as u64;
        if let Some(cursor) = &page.after {
            let last = rows.iter().position(|row| position_of(row) == *cursor).ok_or_else(invalid_cursor)?;
            rows.drain(..=last);
        }
        Ok(cut_page(rows, page.limit, total, position_of))
    })
}

/// Returns the cursor behind a row: what it is about.
fn position_of(row: &UsageRow) -> String {
    let name = |name: &Option<Slug>| name.as_ref().map(Slug::to_string).unwrap_or_default();
    let day = row.day.map(|day| day.to_string()).unwrap_or_default();
    format!("u:{day}:{}:{}:{}", name(&row.run), name(&row.task), name(&row.profile))
}
