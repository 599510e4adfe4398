//! PostgreSQL: how a statement is spelled for it.

use std::borrow::Cow;

use crate::Statement;

/// Returns a statement as PostgreSQL takes it: without the hints that only SQLite knows.
///
/// `INDEXED BY name` names the index to use and `CROSS JOIN` with a condition fixes the order of a join; neither changes
/// what a statement means.
#[must_use]
pub fn spelled(statement: Statement) -> Cow<'static, str> {
    const INDEX_HINT: &str = " INDEXED BY ";
    const ORDER_HINT: &str = "CROSS JOIN";
    let text = statement.text();
    if !text.contains(INDEX_HINT) && !text.contains(ORDER_HINT) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(INDEX_HINT);
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Each part begins with the name of an index.
        let is_of_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
        spelled.push_str(part.trim_start_matches(is_of_name));
    }
    Cow::Owned(spelled.replace(ORDER_HINT, "JOIN"))
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
