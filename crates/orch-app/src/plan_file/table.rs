//! Plans in TOML: a table `run` and tables `tasks`.

use orch_scheduler::plan::PlannedTask;
use serde::de::DeserializeSeed;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::record::{FieldTracker, PlanRecord, RecordSeed};
use super::run::PlanRunHeader;
use super::task::TaskRecord;
use super::{PlanError, PlanReadOptions, check_task_count};

/// Reads a plan of one document.
pub(super) fn read_toml_document(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(PlanRunHeader, Vec<PlannedTask>), PlanError> {
    let lines = LineStarts::new(text);
    let plan = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.line_of(span.start));
        PlanError::at_line(line, error.message())
    })?;
    let mut head = PlanRunHeader::default();
    let mut planned = Vec::new();
    for (name, value) in plan.into_inner() {
        let line = lines.line_of(name.span().start);
        match name.get_ref().as_ref() {
            "run" => head = read_table(value, head, &lines)?,
            "tasks" => planned = read_tasks(value, reading, &lines)?,
            unknown => {
                return Err(PlanError {
                    field: Some(unknown.to_owned()),
                    ..PlanError::at_line(line, "is no field of a plan; those are run tasks")
                });
            }
        }
    }
    Ok((head, planned))
}

fn read_tasks(
    value: Spanned<DeValue<'_>>,
    reading: PlanReadOptions<'_>,
    lines: &LineStarts,
) -> Result<Vec<PlannedTask>, PlanError> {
    let line = lines.line_of(value.span().start);
    let DeValue::Array(list) = value.into_inner() else {
        return Err(PlanError {
            field: Some("tasks".to_owned()),
            ..PlanError::at_line(line, "must be a list of tables")
        });
    };
    let mut planned = Vec::with_capacity(list.len());
    for task in list {
        let line = lines.line_of(task.span().start);
        check_task_count(planned.len(), line)?;
        planned.push(read_table(task, TaskRecord::new(reading), lines)?.into_planned_task(line));
    }
    Ok(planned)
}

/// Reads one table. The deserializer knows where a table is, but of its fields only the wrong types.
fn read_table<'de, R: PlanRecord<'de>>(
    value: Spanned<DeValue<'de>>,
    record: R,
    lines: &LineStarts,
) -> Result<R, PlanError> {
    let place = FieldTracker::default();
    let begins = value.span().start;
    let fields: Vec<(String, usize)> = match value.get_ref().as_table() {
        Some(table) => table.keys().map(|key| (key.get_ref().to_string(), key.span().start)).collect(),
        None => Vec::new(),
    };
    RecordSeed { record, place: &place }.deserialize(ValueDeserializer::from(value)).map_err(|error| {
        let within = error.span().map_or(begins, |span| span.start);
        let mut fault = place.into_error(lines.line_of(within), error.message());
        if let Some((_, start)) = fields.iter().find(|(name, _)| fault.field.as_ref() == Some(name)) {
            fault.line = lines.line_of(*start);
        }
        fault
    })
}

/// Where the lines of a text begin.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(offset, _)| offset).collect())
    }

    /// The line of an offset.
    fn line_of(&self, offset: usize) -> u32 {
        let breaks = self.0.partition_point(|line_break| *line_break < offset);
        u32::try_from(breaks + 1).unwrap_or(u32::MAX)
    }
}
