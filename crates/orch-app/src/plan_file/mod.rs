//! Plan files: a run's tasks in JSON lines, in one JSON document or in TOML, read into the engine's [`TaskPlan`].
//!
//! Everything that can be judged without the store is judged here, with the line and the field:
//! unknown fields, wrong types, bad names, empty titles, texts that are too long.
//! Which form a file has is told by its extension, else by how it begins.
//! `json` and `table` split a file into tasks; `task` and `run` know the fields; `record` reads fields one by one.

mod json;
mod record;
mod run;
mod table;
mod task;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use orch_core::id::Slug;
use orch_core::limit;
use orch_scheduler::plan::TaskPlan;

/// A plan file that is in order.
#[derive(Debug)]
pub(crate) struct PlanFile {
    /// What the engine takes.
    pub plan: TaskPlan,
    /// The run that the plan names as its own, if it does.
    pub run_name: Option<Slug>,
    /// The revision that its run begins from, where the plan makes it.
    pub base: Option<String>,
}

/// What is wrong with a plan file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlanError {
    /// The line, from 1.
    pub line: u32,
    /// The field, where it is one field's fault.
    pub field: Option<String>,
    /// What is wrong: a clause that goes on after "line N:".
    pub problem: String,
}

impl PlanError {
    fn at_line(line: u32, problem: impl Into<String>) -> Self {
        Self { line, field: None, problem: problem.into() }
    }
}

/// The text of a plan and where it came from.
#[derive(Debug)]
pub(crate) struct PlanText {
    text: String,
    form: PlanFormat,
    folder: PathBuf,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlanFormat {
    /// One JSON object a line.
    JsonLines,
    /// One JSON object with `run` and `tasks`.
    JsonDocument,
    /// TOML with `run` and `tasks`.
    Toml,
}

/// How the reading of a task goes on beyond the line itself.
#[derive(Clone, Copy, Debug)]
struct PlanReadOptions<'a> {
    /// Where `spec_file` is relative to.
    folder: &'a Path,
    /// Whether the fields that a task names are noted, for tasks that are there already.
    update: bool,
}

/// Why a plan could not be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanReadError {
    /// The system says no.
    #[error("the plan {} cannot be read", path.display())]
    Io {
        /// The named file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not text.
    #[error("the plan {} is not valid UTF-8", path.display())]
    NotText {
        /// The named file.
        path: PathBuf,
        /// The line of the first bad byte.
        line: u32,
    },
    /// It is larger than any plan may be.
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
/// It cannot be read, is too long, or is no text.
pub(crate) fn read_plan(named: &Path, stdin: &mut dyn Read) -> Result<PlanText, PlanReadError> {
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
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Reads the plan; the first thing that is wrong ends it.
    ///
    /// # Errors
    /// Says what is wrong on which line.
    pub(crate) fn parse(&self, update: bool, dry_run: bool) -> Result<PlanFile, PlanError> {
        let reading = PlanReadOptions { folder: &self.folder, update };
        let (head, tasks) = match self.form {
            PlanFormat::JsonLines => json::read_json_lines(&self.text, reading)?,
            PlanFormat::JsonDocument => json::read_json_document(&self.text, reading)?,
            PlanFormat::Toml => table::read_toml_document(&self.text, reading)?,
        };
        let plan = TaskPlan { run: head.edit, done_when: head.done_when, tasks, update, dry_run };
        Ok(PlanFile { plan, run_name: head.name, base: head.base })
    }
}

/// Refuses one task more than a plan may have.
fn check_task_count(tasks: usize, line: u32) -> Result<(), PlanError> {
    if tasks < limit::PLAN_TASKS_MAX {
        Ok(())
    } else {
        Err(PlanError::at_line(line, format!("a plan has at most {} tasks", limit::PLAN_TASKS_MAX)))
    }
}

/// Reads to the end; `None` when there is more than `max` bytes.
fn read_at_most(source: &mut dyn Read, max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(if bytes.len() > max { None } else { Some(bytes) })
}

/// The line on which a text ends that begins on `line`.
fn line_after(line: u32, bytes: &[u8]) -> u32 {
    let breaks = bytes.iter().filter(|byte| **byte == b'\n').count();
    line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX))
}
