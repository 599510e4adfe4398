//! The fields of a task in a plan.

use std::fs::File;
use std::path::Path;

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::run::ReviewPolicy;
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_git::canonicalize_existing;
use orch_scheduler::plan::PlannedTask;
use serde::Deserialize;

use super::{PlanReadOptions, fields, read_at_most};

/// A task as the plan has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TaskFields {
    #[serde(deserialize_with = "fields::slug")]
    key: Option<Slug>,
    #[serde(deserialize_with = "fields::title")]
    title: Option<String>,
    #[serde(deserialize_with = "fields::text")]
    spec: Option<String>,
    spec_file: Option<String>,
    #[serde(deserialize_with = "fields::slugs")]
    after: Option<Vec<Slug>>,
    #[serde(deserialize_with = "fields::priority")]
    priority: Option<u8>,
    #[serde(deserialize_with = "fields::texts")]
    accept: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::texts")]
    verify: Option<Vec<String>>,
    #[serde(deserialize_with = "fields::slugs")]
    labels: Option<Vec<Slug>>,
    #[serde(deserialize_with = "fields::nullable_slug")]
    agent: Option<Option<Slug>>,
    #[serde(deserialize_with = "fields::max_attempts")]
    max_attempts: Option<u32>,
    allow_empty: Option<bool>,
    #[serde(deserialize_with = "fields::review")]
    review: Option<ReviewPolicy>,
}

impl TaskFields {
    /// Returns the task that begins on `line`; the error names the field and the problem.
    pub(super) fn into_planned_task(
        mut self,
        reading: PlanReadOptions<'_>,
        line: u32,
    ) -> Result<PlannedTask, (&'static str, String)> {
        if self.title.is_none() && !(reading.update && self.key.is_some()) {
            return Err(("title", "is missing".to_owned()));
        }
        if let Some(path) = &self.spec_file {
            if self.spec.is_some() {
                return Err(("spec_file", "a task has `spec` or `spec_file`, not both".to_owned()));
            }
            let file = reading.folder.join(path);
            let spec = read_spec(&file).map_err(|problem| ("spec_file", problem))?;
            if is_outside(reading.folder, &file) {
                reading.outside.borrow_mut().push(path.clone());
            }
            self.spec = Some(spec);
        }
        let named = if reading.update { self.task_edit() } else { TaskEdit::default() };
        let names_after = self.after.is_some();
        let task = NewTask {
            key: self.key,
            title: self.title.unwrap_or_default(),
            text: TaskText {
                spec: self.spec,
                accept: self.accept.unwrap_or_default(),
                verify: self.verify.unwrap_or_default(),
                review: self.review,
                conflict: None,
            },
            priority: self.priority.unwrap_or(limit::PRIORITY_DEFAULT),
            labels: self.labels.unwrap_or_default(),
            agent: self.agent.flatten(),
            max_attempts: self.max_attempts,
            allow_empty: self.allow_empty.unwrap_or(false),
            after: self.after.unwrap_or_default(),
        };
        Ok(PlannedTask { task, named, names_after, line })
    }

    fn task_edit(&self) -> TaskEdit {
        TaskEdit {
            title: self.title.clone(),
            priority: self.priority,
            labels: self.labels.clone(),
            spec: self.spec.clone(),
            accept: self.accept.clone(),
            verify: self.verify.clone(),
            agent: self.agent.clone(),
            max_attempts: self.max_attempts,
            allow_empty: self.allow_empty,
            review: self.review,
        }
    }
}

/// Returns whether a file that exists is outside a folder, whatever links lead there.
fn is_outside(folder: &Path, file: &Path) -> bool {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    !canonicalize_existing(file).starts_with(canonicalize_existing(folder))
}

/// Reads a spec from its own file.
fn read_spec(path: &Path) -> Result<String, String> {
    let name = path.display();
    let bytes = File::open(path)
        .and_then(|mut file| read_at_most(&mut file, limit::TEXT_BYTES_MAX))
        .map_err(|error| format!("{name} cannot be read: {error}"))?;
    let bytes = bytes.ok_or_else(|| format!("{name} is longer than {} bytes", limit::TEXT_BYTES_MAX))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name} is not valid UTF-8"))?;
    fields::check_text(text).map_err(|problem| problem.to_string())
}
