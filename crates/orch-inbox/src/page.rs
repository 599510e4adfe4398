//! Pages of long lists, and the cursors between them.

use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::page::{PageRequest, ResultPage};

use crate::Error;

/// Returns the refusal of a cursor that no list has returned.
pub fn invalid_cursor() -> Error {
    Refusal::Invalid { argument: "--after", problem: ArgumentProblem::NotApplicable }.into()
}

/// Cuts a list to a page; one entry more than the limit shows that a next page exists.
pub fn cut_page<T>(
    mut items: Vec<T>,
    limit: u32,
    total: u64,
    cursor: impl Fn(&T) -> String,
) -> ResultPage<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = if has_more { items.last().map(cursor) } else { None };
    ResultPage { items, total, next }
}

/// Parses the position in a cursor of a list whose entries have an order by number.
pub fn parse_position(page: &PageRequest) -> Result<Option<i64>, Error> {
    let parse = |cursor: &str| cursor.strip_prefix("p-")?.parse().ok();
    page.after.as_deref().map(|cursor| parse(cursor).ok_or_else(invalid_cursor)).transpose()
}

/// Returns the cursor behind a position: following it shows each entry that stays exactly once.
#[must_use]
pub fn position_cursor(position: i64) -> String {
    format!("p-{position}")
}

/// Parses the offset in a cursor of a list whose order can change between pages.
pub fn parse_offset(page: &PageRequest) -> Result<u64, Error> {
    page.after.as_deref().map_or(Ok(0), |cursor| {
        cursor.strip_prefix("after-").and_then(|number| number.parse().ok()).ok_or_else(invalid_cursor)
    })
}

/// Returns the cursor of the next page of such a list.
pub fn offset_cursor(offset: u64, shown: usize, total: u64) -> Option<String> {
    let end = offset + shown as u64;
    (shown > 0 && end < total).then(|| format!("after-{end}"))
}
