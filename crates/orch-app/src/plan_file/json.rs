//! Plans in JSON: one object a line, or one document.

use orch_scheduler::plan::PlannedTask;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::record::{FieldTracker, PlanRecord, RecordSeed};
use super::run::PlanRunHeader;
use super::task::TaskRecord;
use super::{PlanError, PlanFormat, PlanReadOptions, check_task_count, line_after};

/// Tells lines from a document: a document's first line is incomplete, or names the tasks.
pub(super) fn detect_format(text: &str) -> PlanFormat {
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else { return PlanFormat::JsonLines };
    match serde_json::from_str::<IgnoredAny>(first) {
        Err(error) if error.is_eof() => PlanFormat::JsonDocument,
        Ok(_) if is_document(first) => PlanFormat::JsonDocument,
        Ok(_) | Err(_) => PlanFormat::JsonLines,
    }
}

/// Whether a line is a whole document.
fn is_document(line: &str) -> bool {
    read_object(line, PlanDocument::default(), 1).is_ok_and(|document| document.tasks.is_some())
}

/// Reads a plan of one object a line. Empty lines are passed over.
pub(super) fn read_json_lines(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(PlanRunHeader, Vec<PlannedTask>), PlanError> {
    let mut head = PlanRunHeader::default();
    let mut tasks = Vec::new();
    let mut first = true;
    for (number, line) in (1_u32..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(run) = header_of_line(line)
        {
            head = read_object(run.get(), PlanRunHeader::default(), number)?;
            continue;
        }
        check_task_count(tasks.len(), number)?;
        tasks.push(read_object(line, TaskRecord::new(reading), number)?.into_planned_task(number));
    }
    Ok((head, tasks))
}

/// The run of a first line that holds nothing else.
fn header_of_line(line: &str) -> Option<&RawValue> {
    let document = read_object(line, PlanDocument::default(), 1).ok()?;
    if document.tasks.is_some() { None } else { document.run }
}

/// Reads a plan of one document.
pub(super) fn read_json_document(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(PlanRunHeader, Vec<PlannedTask>), PlanError> {
    let document = read_object(text, PlanDocument::default(), 1)?;
    let mut head = PlanRunHeader::default();
    if let Some(run) = document.run {
        head = read_object(run.get(), head, LineCounter::new(text).line_of(run))?;
    }
    let mut planned = Vec::new();
    if let Some(tasks) = document.tasks {
        let mut lines = LineCounter::new(text);
        let line = lines.line_of(tasks);
        let list: Vec<&RawValue> = serde_json::from_str(tasks.get()).map_err(|error| PlanError {
            field: Some("tasks".to_owned()),
            ..PlanError::at_line(line, serde_problem(&error))
        })?;
        planned.reserve(list.len());
        for raw in list {
            let line = lines.line_of(raw);
            check_task_count(planned.len(), line)?;
            planned.push(read_object(raw.get(), TaskRecord::new(reading), line)?.into_planned_task(line));
        }
    }
    Ok((head, planned))
}

/// A whole plan whose parts are not read yet.
#[derive(Debug, Default)]
struct PlanDocument<'a> {
    run: Option<&'a RawValue>,
    tasks: Option<&'a RawValue>,
}

impl<'de> PlanRecord<'de> for PlanDocument<'de> {
    const FIELDS: &'static [&'static str] = &["run", "tasks"];
    const WHAT: &'static str = "a plan";

    fn take_field<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        _place: &FieldTracker,
    ) -> Result<(), A::Error> {
        let part = map.next_value()?;
        if field == "run" {
            self.run = Some(part);
        } else {
            self.tasks = Some(part);
        }
        Ok(())
    }

    fn check_complete<E: Error>(&self, _place: &FieldTracker) -> Result<(), E> {
        Ok(())
    }
}

/// Counts lines up to parts of a text, which are asked for in their order.
struct LineCounter<'a> {
    text: &'a str,
    passed: usize,
    line: u32,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, passed: 0, line: 1 }
    }

    /// The line on which a part of the text begins.
    fn line_of(&mut self, part: &RawValue) -> u32 {
        let offset = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.as_bytes().get(self.passed..offset) {
            self.line = line_after(self.line, between);
            self.passed = offset;
        }
        self.line
    }
}

/// Reads one object that begins on `line`.
fn read_object<'de, R: PlanRecord<'de>>(text: &'de str, record: R, line: u32) -> Result<R, PlanError> {
    let place = FieldTracker::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = RecordSeed { record, place: &place }
        .deserialize(&mut deserializer)
        .and_then(|record| deserializer.end().map(|()| record));
    read.map_err(|error| {
        let within = u32::try_from(error.line().saturating_sub(1)).unwrap_or(u32::MAX);
        place.into_error(line.saturating_add(within), &serde_problem(&error))
    })
}

/// What serde_json says, without the place, which is named otherwise.
fn serde_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
