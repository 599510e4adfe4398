//! One file per table: the statements as constants next to the mapping of their rows.

pub mod agent;
pub mod attempt;
pub mod attic;
pub mod check_result;
pub mod check_run;
pub mod dependency;
pub mod effect;
pub mod event;
pub mod id_high_water;
pub mod lease_token;
pub mod message;
pub mod profile_cooldown;
pub mod removal;
pub mod request;
pub mod run;
pub mod store_clock;
pub mod store_identity;
pub mod supervisor;
pub mod task;
pub mod thread;
pub mod thread_condition;
pub mod usage;
pub mod worker;
pub mod worktree;

use orch_core::id::Slug;
use orch_core::time::{Time, TimeSpan};

use crate::Fault;
use crate::driver::SqlRow;

/// Reads a name that was validated before it was written.
fn slug_column(row: &dyn SqlRow, column: usize) -> Result<Slug, Fault> {
    row.text(column).map(Slug::from_stored)
}

fn slug_or_null(row: &dyn SqlRow, column: usize) -> Result<Option<Slug>, Fault> {
    Ok(row.text_or_null(column)?.map(Slug::from_stored))
}

fn time_column(row: &dyn SqlRow, column: usize) -> Result<Time, Fault> {
    row.int(column).map(Time)
}

fn time_or_null(row: &dyn SqlRow, column: usize) -> Result<Option<Time>, Fault> {
    Ok(row.int_or_null(column)?.map(Time))
}

fn span_or_null(row: &dyn SqlRow, column: usize) -> Result<Option<TimeSpan>, Fault> {
    Ok(row.int_or_null(column)?.map(TimeSpan))
}

/// Reads a count or a small number.
fn count_column(row: &dyn SqlRow, column: usize) -> Result<u32, Fault> {
    let number = row.int(column)?;
    u32::try_from(number).map_err(|_| Fault::Value { table: "answer", value: number.to_string() })
}

fn count_or_null(row: &dyn SqlRow, column: usize) -> Result<Option<u32>, Fault> {
    row.int_or_null(column)?.map(|_| count_column(row, column)).transpose()
}

/// Reads one of a closed set of names.
fn name_column<T>(
    row: &dyn SqlRow,
    column: usize,
    table: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, Fault> {
    let name = row.text(column)?;
    parse(&name).ok_or(Fault::Value { table, value: name })
}

/// Returns a value that this state requires.
fn require_present<T>(value: Option<T>, table: &'static str, column: &str) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::Value { table, value: format!("no {column}") })
}

/// Encodes a list as a column holds it: a JSON array, or null when it is empty.
fn list_text<T: AsRef<str>>(entries: &[T]) -> Option<String> {
    if entries.is_empty() {
        return None;
    }
    let entries: Vec<serde_json::Value> = entries.iter().map(|entry| entry.as_ref().into()).collect();
    Some(serde_json::Value::Array(entries).to_string())
}

fn list_column(row: &dyn SqlRow, column: usize) -> Result<Vec<String>, Fault> {
    let Some(text) = row.text_or_null(column)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).map_err(|_| Fault::Value { table: "list", value: text })
}

fn slugs_text(slugs: &[Slug]) -> Option<String> {
    let names: Vec<&str> = slugs.iter().map(Slug::as_str).collect();
    list_text(&names)
}

fn slugs_column(row: &dyn SqlRow, column: usize) -> Result<Vec<Slug>, Fault> {
    Ok(list_column(row, column)?.into_iter().map(Slug::from_stored).collect())
}

/// Encodes ids as a parameter that a statement reads with `json_each`.
fn id_list(ids: impl IntoIterator<Item = i64>) -> String {
    serde_json::Value::from_iter(ids).to_string()
}

/// Encodes names as a parameter that a statement reads with `json_each`.
fn name_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    serde_json::Value::from_iter(names).to_string()
}

/// Returns the statements of every table, each with its table and its name.
#[cfg(test)]
pub(crate) fn statements() -> Vec<(&'static str, &'static [(&'static str, crate::Statement)])> {
    vec![
        ("agent", agent::STATEMENTS),
        ("attempt", attempt::STATEMENTS),
        ("check_result", check_result::STATEMENTS),
        ("check_run", check_run::STATEMENTS),
        ("dependency", dependency::STATEMENTS),
        ("effect", effect::STATEMENTS),
        ("event", event::STATEMENTS),
        ("floor", id_high_water::STATEMENTS),
        ("lease_token", lease_token::STATEMENTS),
        ("message", message::STATEMENTS),
        ("profile_cooldown", profile_cooldown::STATEMENTS),
        ("attic", attic::STATEMENTS),
        ("removal", removal::STATEMENTS),
        ("request", request::STATEMENTS),
        ("run", run::STATEMENTS),
        ("store_clock", store_clock::STATEMENTS),
        ("store_identity", store_identity::STATEMENTS),
        ("supervisor", supervisor::STATEMENTS),
        ("task", task::STATEMENTS),
        ("thread", thread::STATEMENTS),
        ("thread_condition", thread_condition::STATEMENTS),
        ("usage_entry", usage::STATEMENTS),
        ("worker", worker::STATEMENTS),
        ("worktree", worktree::STATEMENTS),
    ]
}
