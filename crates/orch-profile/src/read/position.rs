//! Where in a file something is wrong: from an offset to a field, and from a field to a line.

use toml::de::{DeTable, DeValue};

/// The fields on the way to the field that an offset lies in, its own last.
pub(super) fn field_at(table: &DeTable<'_>, offset: usize) -> Option<String> {
    let mut best = None;
    search_table(table, "", offset, &mut best);
    best.map(|(_, field)| field)
}

/// The line, from 1, of a field, or of the last field on the way to it that there is.
pub(super) fn line_of(text: &str, table: &DeTable<'_>, path: &[&str]) -> u32 {
    let mut offset = 0;
    let mut level = TomlLevel::Table(table);
    for name in path {
        let Some((start, inner)) = level.enter_field(name) else { break };
        offset = start;
        level = inner;
    }
    line_at(text, offset)
}

/// The line, from 1, of an offset.
pub(super) fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}

/// Something that fields are in.
enum TomlLevel<'a> {
    Table(&'a DeTable<'a>),
    List(&'a [toml::Spanned<DeValue<'a>>]),
    Leaf,
}

impl<'a> TomlLevel<'a> {
    fn from_value(value: &'a DeValue<'a>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            DeValue::Array(list) => Self::List(list),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => Self::Leaf,
        }
    }

    /// Where the field begins, and what is in it.
    fn enter_field(&self, name: &str) -> Option<(usize, Self)> {
        match self {
            Self::Table(table) => {
                let (key, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == name)?;
                Some((key.span().start, Self::from_value(value.get_ref())))
            }
            Self::List(list) => {
                let entry = list.get(name.parse::<usize>().ok()?)?;
                Some((entry.span().start, Self::from_value(entry.get_ref())))
            }
            Self::Leaf => None,
        }
    }
}

/// Keeps the narrowest field whose name or value holds the offset. The parts of a table may lie outside of its span.
fn search_table(table: &DeTable<'_>, within: &str, offset: usize, best: &mut Option<(usize, String)>) {
    for (key, value) in table {
        let field = join_field_path(within, key.get_ref());
        keep_narrower(key.span(), &field, offset, best);
        search_value(value, &field, offset, best);
    }
}

fn search_value(
    value: &toml::Spanned<DeValue<'_>>,
    field: &str,
    offset: usize,
    best: &mut Option<(usize, String)>,
) {
    keep_narrower(value.span(), field, offset, best);
    match TomlLevel::from_value(value.get_ref()) {
        TomlLevel::Table(table) => search_table(table, field, offset, best),
        TomlLevel::List(list) => {
            for (index, entry) in list.iter().enumerate() {
                search_value(entry, &join_field_path(field, &index.to_string()), offset, best);
            }
        }
        TomlLevel::Leaf => {}
    }
}

fn keep_narrower(
    span: std::ops::Range<usize>,
    field: &str,
    offset: usize,
    best: &mut Option<(usize, String)>,
) {
    let narrower = best.as_ref().is_none_or(|(length, _)| span.len() <= *length);
    if span.contains(&offset) && narrower {
        *best = Some((span.len(), field.to_owned()));
    }
}

/// The name of a field inside others.
pub(super) fn join_field_path(within: &str, name: &str) -> String {
    if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") }
}
