//! The fields of a plan's run.

use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{DoneWhen, RunEdit};
use orch_core::time::TimeSpan;
use serde::de::{Error, MapAccess};

use super::record::{self, FieldTracker, PlanRecord, WholeNumber};
use crate::values::{self, parse_dollars};

/// What a plan says of its run.
#[derive(Debug, Default)]
pub(super) struct PlanRunHeader {
    /// Its name, which says which run is meant.
    pub(super) name: Option<Slug>,
    /// What is to be so.
    pub(super) edit: RunEdit,
    /// When a task counts as done.
    pub(super) done_when: Option<DoneWhen>,
    /// The revision that the run begins from, where the plan makes it.
    pub(super) base: Option<String>,
}

impl<'de> PlanRecord<'de> for PlanRunHeader {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "title",
        "goal",
        "done_when",
        "max_active",
        "max_attempts",
        "retry_delay",
        "lease",
        "answer_after",
        "base",
        "verify",
        "setup",
        "copy",
        "protect",
        "check_limit",
        "max_wall",
        "max_cost",
        "max_tokens",
        "max_all_attempts",
        "task_max_wall",
        "task_max_cost",
        "task_max_tokens",
    ];
    const WHAT: &'static str = "a run";

    fn take_field<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        place: &FieldTracker,
    ) -> Result<(), A::Error> {
        let edit = &mut self.edit;
        match field {
            "name" => self.name = take_text(map)?.map(|name| record::check_slug(place, &name)).transpose()?,
            "title" => {
                edit.title = take_text(map)?.map(|title| record::check_title(place, title)).transpose()?;
            }
            "goal" => edit.goal = take_text(map)?.map(|goal| record::check_text(place, goal)).transpose()?,
            "done_when" => {
                self.done_when = take_text(map)?.map(|rule| parse_done_when(place, &rule)).transpose()?;
            }
            "base" => self.base = take_text(map)?.map(|base| check_command(place, base)).transpose()?,
            "verify" => edit.verify = take_commands(place, map)?,
            "setup" => edit.setup = take_text(map)?.map(|setup| check_command(place, setup)).transpose()?,
            "copy" => edit.copy = take_commands(place, map)?,
            "protect" => edit.protect = take_commands(place, map)?,
            "check_limit" => {
                edit.check_limit = take_text(map)?.map(|limit| parse_duration(place, &limit)).transpose()?;
            }
            "max_wall" => {
                edit.max_wall =
                    take_text(map)?.map(|wall| parse_duration(place, &wall).map(Some)).transpose()?;
            }
            "task_max_wall" => {
                edit.task_wall =
                    take_text(map)?.map(|wall| parse_duration(place, &wall).map(Some)).transpose()?;
            }
            "max_cost" => edit.max_cost_micros = take_dollars(place, map)?.map(Some),
            "task_max_cost" => edit.task_cost_micros = take_dollars(place, map)?.map(Some),
            "max_tokens" => {
                edit.max_tokens = take_count(place, map, u32::MAX)?.map(|tokens| Some(tokens.into()));
            }
            "task_max_tokens" => {
                edit.task_tokens = take_count(place, map, u32::MAX)?.map(|tokens| Some(tokens.into()));
            }
            "max_all_attempts" => edit.max_attempts_all = take_count(place, map, i32::MAX as u32)?.map(Some),
            "max_active" => edit.max_active = take_count(place, map, i32::MAX as u32)?.map(Some),
            "max_attempts" => edit.max_attempts = take_count(place, map, limit::ATTEMPTS_MAX)?,
            "retry_delay" => {
                edit.retry_delay = take_text(map)?.map(|delay| parse_duration(place, &delay)).transpose()?;
            }
            "lease" => edit.lease = take_text(map)?.map(|length| parse_lease(place, &length)).transpose()?,
            "answer_after" => {
                edit.answer_after =
                    take_text(map)?.map(|after| parse_duration(place, &after).map(Some)).transpose()?;
            }
            _ => return Err(place.refuse_field("is no field of a run")),
        }
        Ok(())
    }

    fn check_complete<E: Error>(&self, _place: &FieldTracker) -> Result<(), E> {
        Ok(())
    }
}

/// A number from 1.
fn take_count<'de, A: MapAccess<'de>>(
    place: &FieldTracker,
    map: &mut A,
    most: u32,
) -> Result<Option<u32>, A::Error> {
    take_number(map)?.map(|value| record::check_range(place, value, 1, most)).transpose()
}

/// An amount of dollars, in millionths.
fn take_dollars<'de, A: MapAccess<'de>>(place: &FieldTracker, map: &mut A) -> Result<Option<i64>, A::Error> {
    let cost: Option<serde_json::Number> = map.next_value()?;
    cost.map(|cost| parse_dollars(&cost.to_string()).map_err(|error| place.refuse_field(error))).transpose()
}

/// When a task counts as done.
fn parse_done_when<E: Error>(place: &FieldTracker, rule: &str) -> Result<DoneWhen, E> {
    DoneWhen::parse(rule).ok_or_else(|| {
        place.refuse_field(format_args!("{rule:?} is none of reported, verified and integrated"))
    })
}

/// A command or a pattern, which says something.
fn check_command<E: Error>(place: &FieldTracker, text: String) -> Result<String, E> {
    if text.trim().is_empty() {
        Err(place.refuse_field("must not be empty"))
    } else {
        record::check_text(place, text)
    }
}

fn take_commands<'de, A: MapAccess<'de>>(
    place: &FieldTracker,
    map: &mut A,
) -> Result<Option<Vec<String>>, A::Error> {
    let given: Option<Vec<String>> = map.next_value()?;
    given.map(|given| record::check_texts(place, given)).transpose()
}

fn parse_duration<E: Error>(place: &FieldTracker, given: &str) -> Result<TimeSpan, E> {
    values::parse_duration(given).map_err(|error| place.refuse_field(error))
}

fn parse_lease<E: Error>(place: &FieldTracker, given: &str) -> Result<LeaseLength, E> {
    LeaseLength::new(parse_duration(place, given)?).map_err(|error| place.refuse_field(error))
}

fn take_text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    map.next_value()
}

fn take_number<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<WholeNumber>, A::Error> {
    map.next_value()
}
