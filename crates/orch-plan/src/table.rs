//! Plans in TOML: a table `run` and tables `tasks`.

use orch_scheduler::plan::PlannedTask;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::run::RunFields;
use super::task::TaskFields;
use super::{PlanError, PlanReadOptions, check_task_count, serde_plan_error};

/// Reads a plan of one document.
pub(super) fn read_toml_document(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(RunFields, Vec<PlannedTask>), PlanError> {
    let lines = LineStarts::new(text);
    let plan = DeTable::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| lines.line_of(span.start));
        PlanError::at_line(line, error.message())
    })?;
    let (mut run, mut planned) = (RunFields::default(), Vec::new());
    for (name, value) in plan.into_inner() {
        let line = lines.line_of(name.span().start);
        match name.get_ref().as_ref() {
            "run" => run = PlanTable::new(value, &lines).read("a run")?,
            "tasks" => planned = read_tasks(value, reading, &lines)?,
            unknown => {
                let problem = "is no field of a plan; those are run tasks";
                return Err(PlanError {
                    field: Some(unknown.to_owned()),
                    ..PlanError::at_line(line, problem)
                });
            }
        }
    }
    Ok((run, planned))
}

fn read_tasks(
    value: Spanned<DeValue<'_>>,
    reading: PlanReadOptions<'_>,
    lines: &LineStarts,
) -> Result<Vec<PlannedTask>, PlanError> {
    let line = lines.line_of(value.span().start);
    let DeValue::Array(list) = value.into_inner() else {
        let error = PlanError::at_line(line, "must be a list of tables");
        return Err(PlanError { field: Some("tasks".to_owned()), ..error });
    };
    let mut planned = Vec::with_capacity(list.len());
    for task in list {
        let table = PlanTable::new(task, lines);
        check_task_count(planned.len(), table.line)?;
        let (line, keys) = (table.line, table.keys.clone());
        let fields: TaskFields = table.read("a task")?;
        let task = fields.into_planned_task(reading, line).map_err(|(field, problem)| {
            let error = PlanError { line, field: Some(field.to_owned()), problem };
            at_key(error, &keys)
        })?;
        planned.push(task);
    }
    Ok(planned)
}

/// A table with the lines of its keys: the deserializer knows where a wrong type is, but not where a field is.
struct PlanTable<'a, 'de> {
    value: Spanned<DeValue<'de>>,
    line: u32,
    keys: Vec<(String, u32)>,
    lines: &'a LineStarts,
}

impl<'a, 'de> PlanTable<'a, 'de> {
    fn new(value: Spanned<DeValue<'de>>, lines: &'a LineStarts) -> Self {
        let keys = value.get_ref().as_table().map_or_else(Vec::new, |table| {
            let line_of = |key: &Spanned<_>| lines.line_of(key.span().start);
            table.keys().map(|key| (key.get_ref().to_string(), line_of(key))).collect()
        });
        Self { line: lines.line_of(value.span().start), value, keys, lines }
    }

    fn read<T: DeserializeOwned>(self, what: &str) -> Result<T, PlanError> {
        if self.value.get_ref().as_array().is_some() {
            return Err(super::array_error(self.line, what));
        }
        let deserializer = ValueDeserializer::from(self.value);
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let field = super::field_of_path(error.path());
            let error = error.into_inner();
            let line = error.span().map_or(self.line, |span| self.lines.line_of(span.start));
            at_key(serde_plan_error(error.message(), field, line, what), &self.keys)
        })
    }
}

/// Moves an error to the line of its field.
fn at_key(error: PlanError, keys: &[(String, u32)]) -> PlanError {
    let line = keys.iter().find(|(name, _)| error.field.as_ref() == Some(name)).map(|(_, line)| *line);
    PlanError { line: line.unwrap_or(error.line), ..error }
}

/// The offsets of a text's line breaks.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn new(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(breaks.map(|(offset, _)| offset).collect())
    }

    /// Returns the line of an offset.
    fn line_of(&self, offset: usize) -> u32 {
        let breaks = self.0.partition_point(|line_break| *line_break < offset);
        u32::try_from(breaks + 1).unwrap_or(u32::MAX)
    }
}
