//! Plans in JSON: one object per line, or one document.

use orch_scheduler::plan::PlannedTask;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::run::RunFields;
use super::task::TaskFields;
use super::{PlanError, PlanFormat, PlanReadOptions, check_task_count, line_after, serde_plan_error};

/// Tells lines from a document: the first line of a document is incomplete, or has the tasks.
pub(super) fn detect_format(text: &str) -> PlanFormat {
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else { return PlanFormat::JsonLines };
    match serde_json::from_str::<IgnoredAny>(first) {
        Err(error) if error.is_eof() => PlanFormat::JsonDocument,
        Ok(_) if PlanDocument::of_line(first).is_some_and(|document| document.tasks.is_some()) => {
            PlanFormat::JsonDocument
        }
        Ok(_) | Err(_) => PlanFormat::JsonLines,
    }
}

/// Reads a plan of one object per line. Empty lines are skipped.
pub(super) fn read_json_lines(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(RunFields, Vec<PlannedTask>), PlanError> {
    let (mut run, mut tasks) = (RunFields::default(), Vec::new());
    let lines = (1_u32..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    for (index, (number, line)) in lines.enumerate() {
        if index == 0
            && let Some(PlanDocument { run: Some(header), tasks: None }) = PlanDocument::of_line(line)
        {
            run = read_object(header.get(), number, "a run")?;
            continue;
        }
        check_task_count(tasks.len(), number)?;
        tasks.push(read_task(line, number, reading)?);
    }
    Ok((run, tasks))
}

/// Reads a plan of one document.
pub(super) fn read_json_document(
    text: &str,
    reading: PlanReadOptions<'_>,
) -> Result<(RunFields, Vec<PlannedTask>), PlanError> {
    refuse_array(text, 1, "a plan")?;
    let document: PlanDocument<'_> =
        serde_json::from_str(text).map_err(|error| json_plan_error(&error, None, 1, "a plan"))?;
    let run = match document.run {
        Some(run) => read_object(run.get(), LineCounter::new(text).line_of(run), "a run")?,
        None => RunFields::default(),
    };
    let mut planned = Vec::new();
    if let Some(tasks) = document.tasks {
        let mut lines = LineCounter::new(text);
        let line = lines.line_of(tasks);
        let list: Vec<&RawValue> = serde_json::from_str(tasks.get())
            .map_err(|error| json_plan_error(&error, Some("tasks".to_owned()), line, "a plan"))?;
        planned.reserve(list.len());
        for raw in list {
            let line = lines.line_of(raw);
            check_task_count(planned.len(), line)?;
            planned.push(read_task(raw.get(), line, reading)?);
        }
    }
    Ok((run, planned))
}

/// A whole plan whose parts are not read yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanDocument<'a> {
    #[serde(borrow)]
    run: Option<&'a RawValue>,
    #[serde(borrow)]
    tasks: Option<&'a RawValue>,
}

impl<'a> PlanDocument<'a> {
    /// Returns the document on a line, where there is one.
    fn of_line(line: &'a str) -> Option<Self> {
        if is_array(line) { None } else { serde_json::from_str(line).ok() }
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

    /// Returns the line on which a part of the text begins.
    fn line_of(&mut self, part: &RawValue) -> u32 {
        let offset = (part.get().as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        if let Some(between) = self.text.as_bytes().get(self.passed..offset) {
            self.line = line_after(self.line, between);
            self.passed = offset;
        }
        self.line
    }
}

/// Reads a task that begins on `line`.
fn read_task(text: &str, line: u32, reading: PlanReadOptions<'_>) -> Result<PlannedTask, PlanError> {
    let fields: TaskFields = read_object(text, line, "a task")?;
    fields.into_planned_task(reading, line).map_err(|(field, problem)| {
        let before = text.find(&format!("\"{field}\"")).map_or("", |offset| &text[..offset]);
        PlanError { line: line_after(line, before.as_bytes()), field: Some(field.to_owned()), problem }
    })
}

/// Reads one object that begins on `line`.
fn read_object<T: DeserializeOwned>(text: &str, line: u32, what: &str) -> Result<T, PlanError> {
    refuse_array(text, line, what)?;
    serde_json::from_str(text).map_err(|error| {
        // The path of the field costs an allocation for each key, so it is looked for only after an error.
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let tracked = serde_path_to_error::deserialize::<_, T>(&mut deserializer);
        let field = tracked.err().and_then(|tracked| super::field_of_path(tracked.path()));
        json_plan_error(&error, field, line, what)
    })
}

/// Refuses an array: serde reads a struct from one as well.
fn refuse_array(text: &str, line: u32, what: &str) -> Result<(), PlanError> {
    if is_array(text) { Err(super::array_error(line, what)) } else { Ok(()) }
}

fn is_array(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

/// Converts an error in an object that begins on `line`.
fn json_plan_error(error: &serde_json::Error, field: Option<String>, line: u32, what: &str) -> PlanError {
    let within = u32::try_from(error.line().saturating_sub(1)).unwrap_or(u32::MAX);
    let text = error.to_string();
    // The position at the end of the text counts from the object.
    let problem = text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]);
    serde_plan_error(problem, field, line.saturating_add(within), what)
}
