//! The fields of a task in a plan.

use std::fs::File;
use std::path::Path;

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_scheduler::plan::PlannedTask;
use serde::de::{Error, MapAccess};

use super::record::{self, FieldTracker, PlanRecord, WholeNumber};
use super::{PlanReadOptions, read_at_most};

/// A task as the plan has it.
#[derive(Debug)]
pub(super) struct TaskRecord<'a> {
    reading: PlanReadOptions<'a>,
    title: Option<String>,
    key: Option<Slug>,
    spec: Option<String>,
    after: Option<Vec<Slug>>,
    priority: Option<u8>,
    accept: Option<Vec<String>>,
    verify: Option<Vec<String>>,
    labels: Option<Vec<Slug>>,
    agent: Option<Option<Slug>>,
    max_attempts: Option<u32>,
    allow_empty: Option<bool>,
}

impl<'a> TaskRecord<'a> {
    /// A task that names nothing yet.
    pub(super) fn new(reading: PlanReadOptions<'a>) -> Self {
        Self {
            reading,
            title: None,
            key: None,
            spec: None,
            after: None,
            priority: None,
            accept: None,
            verify: None,
            labels: None,
            agent: None,
            max_attempts: None,
            allow_empty: None,
        }
    }

    /// The task for the engine.
    pub(super) fn into_planned_task(self, line: u32) -> PlannedTask {
        let named = if self.reading.update { self.to_task_edit() } else { TaskEdit::default() };
        let names_after = self.after.is_some();
        let task = NewTask {
            key: self.key,
            title: self.title.unwrap_or_default(),
            text: TaskText {
                spec: self.spec,
                accept: self.accept.unwrap_or_default(),
                verify: self.verify.unwrap_or_default(),
            },
            priority: self.priority.unwrap_or(limit::PRIORITY_DEFAULT),
            labels: self.labels.unwrap_or_default(),
            agent: self.agent.flatten(),
            max_attempts: self.max_attempts,
            allow_empty: self.allow_empty.unwrap_or(false),
            after: self.after.unwrap_or_default(),
        };
        PlannedTask { task, named, names_after, line }
    }

    fn to_task_edit(&self) -> TaskEdit {
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
        }
    }

    fn take_spec<E: Error>(&mut self, place: &FieldTracker, spec: String) -> Result<(), E> {
        if self.spec.is_some() {
            return Err(place.refuse_field("a task has `spec` or `spec_file`, not both"));
        }
        self.spec = Some(record::check_text(place, spec)?);
        Ok(())
    }
}

impl<'de> PlanRecord<'de> for TaskRecord<'_> {
    const FIELDS: &'static [&'static str] = &[
        "key",
        "title",
        "spec",
        "spec_file",
        "after",
        "priority",
        "accept",
        "verify",
        "labels",
        "agent",
        "max_attempts",
        "allow_empty",
    ];
    const WHAT: &'static str = "a task";

    fn take_field<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        place: &FieldTracker,
    ) -> Result<(), A::Error> {
        match field {
            "key" => self.key = take_text(map)?.map(|key| record::check_slug(place, &key)).transpose()?,
            "title" => {
                self.title = take_text(map)?.map(|title| record::check_title(place, title)).transpose()?;
            }
            "spec" => {
                if let Some(spec) = take_text(map)? {
                    self.take_spec(place, spec)?;
                }
            }
            "spec_file" => {
                if let Some(path) = take_text(map)? {
                    let spec = read_spec(place, &self.reading.folder.join(path))?;
                    self.take_spec(place, spec)?;
                }
            }
            "after" => {
                self.after = take_list(map)?.map(|names| record::check_slugs(place, &names)).transpose()?;
            }
            "priority" => {
                let most = u32::from(limit::PRIORITY_MAX);
                let priority =
                    take_number(map)?.map(|value| record::check_range(place, value, 0, most)).transpose()?;
                self.priority = priority.and_then(|priority| u8::try_from(priority).ok());
            }
            "accept" => {
                self.accept = take_list(map)?.map(|texts| record::check_texts(place, texts)).transpose()?;
            }
            "verify" => {
                self.verify = take_list(map)?.map(|texts| record::check_texts(place, texts)).transpose()?;
            }
            "labels" => {
                self.labels = take_list(map)?.map(|names| record::check_slugs(place, &names)).transpose()?;
            }
            "agent" => {
                self.agent = Some(take_text(map)?.map(|name| record::check_slug(place, &name)).transpose()?);
            }
            "max_attempts" => {
                let tries = take_number(map)?;
                self.max_attempts = tries
                    .map(|value| record::check_range(place, value, 1, limit::ATTEMPTS_MAX))
                    .transpose()?;
            }
            _ => self.allow_empty = map.next_value()?,
        }
        Ok(())
    }

    fn check_complete<E: Error>(&self, place: &FieldTracker) -> Result<(), E> {
        if self.title.is_none() && !(self.reading.update && self.key.is_some()) {
            return Err(place.missing_field("title"));
        }
        Ok(())
    }
}

fn take_text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    map.next_value()
}

fn take_list<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Vec<String>>, A::Error> {
    map.next_value()
}

fn take_number<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<WholeNumber>, A::Error> {
    map.next_value()
}

/// Reads a spec from its own file.
fn read_spec<E: Error>(place: &FieldTracker, path: &Path) -> Result<String, E> {
    let said = |error: std::io::Error| {
        place.refuse_field(format_args!("{} cannot be read: {error}", path.display()))
    };
    let mut file = File::open(path).map_err(said)?;
    let bytes = read_at_most(&mut file, limit::TEXT_BYTES_MAX).map_err(said)?;
    let Some(bytes) = bytes else {
        return Err(place.refuse_field(format_args!(
            "{} is longer than {} bytes",
            path.display(),
            limit::TEXT_BYTES_MAX
        )));
    };
    String::from_utf8(bytes)
        .map_err(|_| place.refuse_field(format_args!("{} is not valid UTF-8", path.display())))
}
