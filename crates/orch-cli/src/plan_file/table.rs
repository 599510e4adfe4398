//! Plans in TOML: a table `run` and tables `tasks`.

use orch_scheduler::plan::PlannedTask;
use serde::de::DeserializeSeed;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::record::{Fill, Place, Record};
use super::run::Head;
use super::task::TaskRecord;
use super::{PlanError, Reading, count};

/// Reads a plan of one document.
pub(super) fn document(text: &str, reading: Reading<'_>) -> Result<(Head, Vec<PlannedTask>), PlanError> {
    let lines = Lines::new(text);
    let plan = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.of(span.start));
        PlanError::at(line, error.message())
    })?;
    let mut head = Head::default();
    let mut planned = Vec::new();
    for (name, value) in plan.into_inner() {
        let line = lines.of(name.span().start);
        match name.get_ref().as_ref() {
            "run" => head = object(value, head, &lines)?,
            "tasks" => planned = tasks(value, reading, &lines)?,
            unknown => {
                return Err(PlanError {
                    field: Some(unknown.to_owned()),
                    ..PlanError::at(line, "is no field of a plan; those are run tasks")
                });
            }
        }
    }
    Ok((head, planned))
}

fn tasks(
    value: Spanned<DeValue<'_>>,
    reading: Reading<'_>,
    lines: &Lines,
) -> Result<Vec<PlannedTask>, PlanError> {
    let line = lines.of(value.span().start);
    let DeValue::Array(list) = value.into_inner() else {
        return Err(PlanError {
            field: Some("tasks".to_owned()),
            ..PlanError::at(line, "must be a list of tables")
        });
    };
    let mut planned = Vec::with_capacity(list.len());
    for task in list {
        let line = lines.of(task.span().start);
        count(planned.len(), line)?;
        planned.push(object(task, TaskRecord::new(reading), lines)?.planned(line));
    }
    Ok(planned)
}

/// Reads one table. The deserializer knows where a table is, but of its fields only the wrong types.
fn object<'de, R: Record<'de>>(
    value: Spanned<DeValue<'de>>,
    record: R,
    lines: &Lines,
) -> Result<R, PlanError> {
    let place = Place::default();
    let begins = value.span().start;
    let fields: Vec<(String, usize)> = match value.get_ref().as_table() {
        Some(table) => table.keys().map(|key| (key.get_ref().to_string(), key.span().start)).collect(),
        None => Vec::new(),
    };
    Fill { record, place: &place }.deserialize(ValueDeserializer::from(value)).map_err(|error| {
        let within = error.span().map_or(begins, |span| span.start);
        let mut fault = place.error(lines.of(within), error.message());
        if let Some((_, start)) = fields.iter().find(|(name, _)| fault.field.as_ref() == Some(name)) {
            fault.line = lines.of(*start);
        }
        fault
    })
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(offset, _)| offset).collect())
    }

    /// The line of an offset.
    fn of(&self, offset: usize) -> u32 {
        let breaks = self.0.partition_point(|line_break| *line_break < offset);
        u32::try_from(breaks + 1).unwrap_or(u32::MAX)
    }
}
