//! Plan files: a run's tasks in JSON lines, in one JSON document or in TOML, read into a [`TaskPlan`].
//!
//! Everything that can be checked without the store is checked here, and an error names the line and the field.
//! The format follows from the file's extension, else from its beginning.
//! `json` and `table` split a file into objects, `task` and `run` have their fields, `fields` checks single values, which `values` parses for command lines too.

mod fields;
mod json;
mod run;
mod table;
mod task;
#[cfg(test)]
mod tests;
pub mod values;

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use orch_core::id::Slug;
use orch_core::limit;
use orch_scheduler::plan::TaskPlan;

/// A valid plan file.
#[derive(Debug)]
pub struct PlanFile {
    /// The tasks and the run.
    pub plan: TaskPlan,
    /// The name of the run that the plan is for.
    pub run_name: Option<Slug>,
    /// The revision that the run begins from, where the plan creates it.
    pub base: Option<String>,
    /// The files of specs that are outside the folder of the plan.
    pub specs_outside: Vec<String>,
}

/// A problem in a plan file, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The line, from 1.
    pub line: u32,
    /// The field, where one field has the problem.
    pub field: Option<String>,
    /// The problem: a clause that continues "line N:".
    pub problem: String,
}

impl PlanError {
    fn at_line(line: u32, problem: impl Into<String>) -> Self {
        Self { line, field: None, problem: problem.into() }
    }
}

/// The text of a plan, its format and its folder.
#[derive(Debug)]
pub struct PlanText {
    text: String,
    form: PlanFormat,
    folder: PathBuf,
}

/// The format of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlanFormat {
    /// One JSON object per line.
    JsonLines,
    /// One JSON object with `run` and `tasks`.
    JsonDocument,
    /// TOML with `run` and `tasks`.
    Toml,
}

/// The options for reading a task.
#[derive(Clone, Copy, Debug)]
struct PlanReadOptions<'a> {
    /// The folder that `spec_file` is relative to.
    folder: &'a Path,
    /// Receives the files of specs that are outside that folder.
    outside: &'a RefCell<Vec<String>>,
    /// Whether the fields that a task names are kept apart, to update an existing task.
    update: bool,
}

/// The error of a plan file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanReadError {
    /// The file cannot be read.
    #[error("the plan {} cannot be read", path.display())]
    Io {
        /// The named file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file is not text.
    #[error("the plan {} is not valid UTF-8", path.display())]
    NotText {
        /// The named file.
        path: PathBuf,
        /// The line of the first bad byte.
        line: u32,
    },
    /// The file is longer than any plan may be.
    #[error("the plan {} is longer than {max} bytes", path.display())]
    TooLong {
        /// The named file.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
}

/// Reads a plan's text; `-` is standard input.
///
/// # Errors
/// The file cannot be read, is too long, or is not UTF-8.
pub fn read_plan(named: &Path, stdin: &mut dyn Read) -> Result<PlanText, PlanReadError> {
    let io_error = |source| PlanReadError::Io { path: named.to_owned(), source };
    let from_stdin = named.as_os_str() == "-";
    let bytes = if from_stdin {
        read_at_most(stdin, limit::PLAN_BYTES_MAX).map_err(io_error)?
    } else {
        read_at_most(&mut File::open(named).map_err(io_error)?, limit::PLAN_BYTES_MAX).map_err(io_error)?
    };
    let Some(bytes) = bytes else {
        return Err(PlanReadError::TooLong { path: named.to_owned(), max: limit::PLAN_BYTES_MAX });
    };
    let text = String::from_utf8(bytes).map_err(|error| PlanReadError::NotText {
        path: named.to_owned(),
        line: line_after(1, &error.as_bytes()[..error.utf8_error().valid_up_to()]),
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let extension =
        if from_stdin { None } else { named.extension().and_then(|extension| extension.to_str()) };
    let form = match extension {
        Some("toml") => PlanFormat::Toml,
        Some("json") => PlanFormat::JsonDocument,
        Some("jsonl") => PlanFormat::JsonLines,
        _ if from_stdin => json::detect_format(&text),
        _ if text.trim_start().starts_with('{') => json::detect_format(&text),
        _ => PlanFormat::Toml,
    };
    let folder = named.parent().filter(|_| !from_stdin).unwrap_or(Path::new("")).to_owned();
    Ok(PlanText { text, form, folder })
}

impl PlanText {
    /// Returns the text itself.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// Reads the plan up to its first problem.
    ///
    /// # Errors
    /// The plan is invalid; the error names the line.
    pub fn parse(&self, update: bool, dry_run: bool) -> Result<PlanFile, PlanError> {
        let outside = RefCell::default();
        let reading = PlanReadOptions { folder: &self.folder, outside: &outside, update };
        let (run, tasks) = match self.form {
            PlanFormat::JsonLines => json::read_json_lines(&self.text, reading)?,
            PlanFormat::JsonDocument => json::read_json_document(&self.text, reading)?,
            PlanFormat::Toml => table::read_toml_document(&self.text, reading)?,
        };
        let (run_name, base, done_when) = (run.name.clone(), run.base.clone(), run.done_when);
        let plan = TaskPlan { run: run.into_edit(), done_when, tasks, update, prune: false, dry_run };
        Ok(PlanFile { plan, run_name, base, specs_outside: outside.into_inner() })
    }
}

/// Returns the top-level field of a path inside an object.
fn field_of_path(path: &serde_path_to_error::Path) -> Option<String> {
    path.iter().find_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } => Some(key.clone()),
        _ => None,
    })
}

/// Converts an error of a deserializer: unknown and repeated fields are described in words of our own.
fn serde_plan_error(problem: &str, field: Option<String>, line: u32, what: &str) -> PlanError {
    let mut names = problem.split('`').skip(1).step_by(2);
    if problem.starts_with("unknown field ") {
        let field = names.next().map(str::to_owned);
        let known: Vec<&str> = names.collect();
        let problem = format!("is no field of {what}; those are {}", known.join(" "));
        return PlanError { line, field, problem };
    }
    if problem.starts_with("duplicate field ") {
        let field = names.next().map(str::to_owned);
        return PlanError { line, field, problem: "stands there twice".to_owned() };
    }
    PlanError { line, field, problem: problem.to_owned() }
}

/// Returns the error of an array in the place of an object.
fn array_error(line: u32, what: &str) -> PlanError {
    PlanError::at_line(line, format!("invalid type: sequence, expected {what}"))
}

/// Refuses one task more than a plan may have.
fn check_task_count(tasks: usize, line: u32) -> Result<(), PlanError> {
    if tasks < limit::PLAN_TASKS_MAX {
        Ok(())
    } else {
        Err(PlanError::at_line(line, format!("a plan has at most {} tasks", limit::PLAN_TASKS_MAX)))
    }
}

/// Reads to the end; returns `None` when there are more than `max` bytes.
fn read_at_most(source: &mut dyn Read, max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(if bytes.len() > max { None } else { Some(bytes) })
}

/// Returns the line on which a text ends that begins on `line`.
fn line_after(line: u32, bytes: &[u8]) -> u32 {
    let breaks = bytes.iter().filter(|byte| **byte == b'\n').count();
    line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX))
}
