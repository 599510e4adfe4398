//! Statements in PostgreSQL's syntax.

use std::borrow::Cow;

use crate::Statement;

/// Returns a statement in PostgreSQL's dialect: without the hints and functions that only SQLite knows.
///
/// `INDEXED BY name` names the index to use and `CROSS JOIN` with a condition fixes the order of a join; neither changes
/// the result of a statement. `json_each($n)` reads a list of ids or names, which PostgreSQL calls
/// `json_array_elements_text`.
#[must_use]
pub fn spelled(statement: Statement) -> Cow<'static, str> {
    const INDEX_HINT: &str = " INDEXED BY ";
    const ORDER_HINT: &str = "CROSS JOIN";
    const LIST: &str = "json_each(";
    let text = statement.text();
    if ![INDEX_HINT, ORDER_HINT, LIST].iter().any(|part| text.contains(part)) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(INDEX_HINT);
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Each part begins with the name of an index.
        let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        spelled.push_str(part.trim_start_matches(is_of_name));
    }
    let spelled = spelled.replace(ORDER_HINT, "JOIN");
    let mut parts = spelled.split(LIST);
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for (parameter, rest) in parts.filter_map(|part| part.split_once(')')) {
        spelled.push_str(&format!(
            "json_array_elements_text(CAST(CAST({parameter} AS TEXT) AS json)) AS listed (value){rest}"
        ));
    }
    Cow::Owned(spelled)
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
