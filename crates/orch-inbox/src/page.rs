//! Cutting long lists into pages, and the cursors between them.

use orch_core::refusal::{ArgumentProblem, Refusal};
use orch_store::page::{PageRequest, ResultPage};

use crate::Error;

/// The refusal of a cursor that no list gave.
pub fn invalid_cursor() -> Error {
    Refusal::Invalid { argument: "--after", problem: ArgumentProblem::NotApplicable }.into()
}

/// A page of a list of which one entry more than the limit was read, to know whether it goes on.
pub fn cut_page<T>(
    mut items: Vec<T>,
    limit: u32,
    total: u64,
    cursor: impl Fn(&T) -> String,
) -> ResultPage<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    ResultPage { items, total, next }
}

/// How many entries a cursor passes over, in lists whose order can change under it.
pub fn parse_offset(page: &PageRequest) -> Result<u64, Error> {
    page.after.as_deref().map_or(Ok(0), |cursor| {
        cursor.strip_prefix("after-").and_then(|number| number.parse().ok()).ok_or_else(invalid_cursor)
    })
}

/// The cursor behind a page of such a list.
pub fn offset_cursor(passed: u64, shown: usize, total: u64) -> Option<String> {
    let passed = passed + shown as u64;
    (shown > 0 && passed < total).then(|| format!("after-{passed}"))
}
