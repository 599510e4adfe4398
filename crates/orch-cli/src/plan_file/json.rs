//! Plans in JSON: one object a line, or one document.

use orch_scheduler::plan::PlannedTask;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess};
use serde_json::value::RawValue;

use super::record::{Fill, Place, Record};
use super::run::Head;
use super::task::TaskRecord;
use super::{Form, PlanError, Reading, count, line_after};

/// Tells lines from a document: a document's first line is incomplete, or names the tasks.
pub(super) fn form(text: &str) -> Form {
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else { return Form::JsonLines };
    match serde_json::from_str::<IgnoredAny>(first) {
        Err(error) if error.is_eof() => Form::JsonDocument,
        Ok(_) if is_document(first) => Form::JsonDocument,
        Ok(_) | Err(_) => Form::JsonLines,
    }
}

/// Whether a line is a whole document.
fn is_document(line: &str) -> bool {
    object(line, Document::default(), 1).is_ok_and(|document| document.tasks.is_some())
}

/// Reads a plan of one object a line. Empty lines are passed over.
pub(super) fn lines(text: &str, reading: Reading<'_>) -> Result<(Head, Vec<PlannedTask>), PlanError> {
    let mut head = Head::default();
    let mut tasks = Vec::new();
    let mut first = true;
    for (number, line) in (1_u32..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(run) = head_line(line)
        {
            head = object(run.get(), Head::default(), number)?;
            continue;
        }
        count(tasks.len(), number)?;
        tasks.push(object(line, TaskRecord::new(reading), number)?.planned(number));
    }
    Ok((head, tasks))
}

/// The run of a first line that holds nothing else.
fn head_line(line: &str) -> Option<&RawValue> {
    let document = object(line, Document::default(), 1).ok()?;
    if document.tasks.is_some() { None } else { document.run }
}

/// Reads a plan of one document.
pub(super) fn document(text: &str, reading: Reading<'_>) -> Result<(Head, Vec<PlannedTask>), PlanError> {
    let document = object(text, Document::default(), 1)?;
    let mut head = Head::default();
    if let Some(run) = document.run {
        head = object(run.get(), head, Lines::new(text).of(run))?;
    }
    let mut planned = Vec::new();
    if let Some(tasks) = document.tasks {
        let mut lines = Lines::new(text);
        let line = lines.of(tasks);
        let list: Vec<&RawValue> = serde_json::from_str(tasks.get()).map_err(|error| PlanError {
            field: Some("tasks".to_owned()),
            ..PlanError::at(line, said(&error))
        })?;
        planned.reserve(list.len());
        for raw in list {
            let line = lines.of(raw);
            count(planned.len(), line)?;
            planned.push(object(raw.get(), TaskRecord::new(reading), line)?.planned(line));
        }
    }
    Ok((head, planned))
}

/// A whole plan whose parts are not read yet.
#[derive(Debug, Default)]
struct Document<'a> {
    run: Option<&'a RawValue>,
    tasks: Option<&'a RawValue>,
}

impl<'de> Record<'de> for Document<'de> {
    const FIELDS: &'static [&'static str] = &["run", "tasks"];
    const WHAT: &'static str = "a plan";

    fn take<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        _place: &Place,
    ) -> Result<(), A::Error> {
        let part = map.next_value()?;
        if field == "run" {
            self.run = Some(part);
        } else {
            self.tasks = Some(part);
        }
        Ok(())
    }

    fn whole<E: Error>(&self, _place: &Place) -> Result<(), E> {
        Ok(())
    }
}

/// Counts lines up to parts of a text, which are asked for in their order.
struct Lines<'a> {
    text: &'a str,
    passed: usize,
    line: u32,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, passed: 0, line: 1 }
    }

    /// The line on which a part of the text begins.
    fn of(&mut self, part: &RawValue) -> u32 {
        let offset = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.as_bytes().get(self.passed..offset) {
            self.line = line_after(self.line, between);
            self.passed = offset;
        }
        self.line
    }
}

/// Reads one object that begins on `line`.
fn object<'de, R: Record<'de>>(text: &'de str, record: R, line: u32) -> Result<R, PlanError> {
    let place = Place::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Fill { record, place: &place }
        .deserialize(&mut deserializer)
        .and_then(|record| deserializer.end().map(|()| record));
    read.map_err(|error| {
        let within = u32::try_from(error.line().saturating_sub(1)).unwrap_or(u32::MAX);
        place.error(line.saturating_add(within), &said(&error))
    })
}

/// What serde_json says, without the place, which is named otherwise.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
