//! The fields of a plan's run.

use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{DoneWhen, RunEdit};
use orch_core::time::Span;
use serde::de::{Error, MapAccess};

use super::record::{self, Place, Record, Whole};
use crate::arguments;
use crate::orch::dollars;

/// What a plan says of its run.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Its name, which says which run is meant.
    pub(super) name: Option<Slug>,
    /// What is to be so.
    pub(super) edit: RunEdit,
    /// When a task counts as done.
    pub(super) done_when: Option<DoneWhen>,
    /// The revision that the run begins from, where the plan makes it.
    pub(super) base: Option<String>,
}

impl<'de> Record<'de> for Head {
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

    fn take<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        place: &Place,
    ) -> Result<(), A::Error> {
        let edit = &mut self.edit;
        match field {
            "name" => self.name = text(map)?.map(|name| record::slug(place, &name)).transpose()?,
            "title" => edit.title = text(map)?.map(|title| record::title(place, title)).transpose()?,
            "goal" => edit.goal = text(map)?.map(|goal| record::text(place, goal)).transpose()?,
            "done_when" => self.done_when = text(map)?.map(|rule| done_when(place, &rule)).transpose()?,
            "base" => self.base = text(map)?.map(|base| command(place, base)).transpose()?,
            "verify" => edit.verify = commands(place, map)?,
            "setup" => edit.setup = text(map)?.map(|setup| command(place, setup)).transpose()?,
            "copy" => edit.copy = commands(place, map)?,
            "protect" => edit.protect = commands(place, map)?,
            "check_limit" => {
                edit.check_limit = text(map)?.map(|limit| duration(place, &limit)).transpose()?;
            }
            "max_wall" => {
                edit.max_wall = text(map)?.map(|wall| duration(place, &wall).map(Some)).transpose()?;
            }
            "task_max_wall" => {
                edit.task_wall = text(map)?.map(|wall| duration(place, &wall).map(Some)).transpose()?;
            }
            "max_cost" => edit.max_cost_micros = money(place, map)?.map(Some),
            "task_max_cost" => edit.task_cost_micros = money(place, map)?.map(Some),
            "max_tokens" => edit.max_tokens = count(place, map, u32::MAX)?.map(|tokens| Some(tokens.into())),
            "task_max_tokens" => {
                edit.task_tokens = count(place, map, u32::MAX)?.map(|tokens| Some(tokens.into()));
            }
            "max_all_attempts" => edit.max_attempts_all = count(place, map, i32::MAX as u32)?.map(Some),
            "max_active" => edit.max_active = count(place, map, i32::MAX as u32)?.map(Some),
            "max_attempts" => edit.max_attempts = count(place, map, limit::ATTEMPTS_MAX)?,
            "retry_delay" => {
                edit.retry_delay = text(map)?.map(|delay| duration(place, &delay)).transpose()?;
            }
            "lease" => edit.lease = text(map)?.map(|length| lease(place, &length)).transpose()?,
            "answer_after" => {
                edit.answer_after = text(map)?.map(|after| duration(place, &after).map(Some)).transpose()?;
            }
            _ => return Err(place.refuse("is no field of a run")),
        }
        Ok(())
    }

    fn whole<E: Error>(&self, _place: &Place) -> Result<(), E> {
        Ok(())
    }
}

/// A number from 1.
fn count<'de, A: MapAccess<'de>>(place: &Place, map: &mut A, most: u32) -> Result<Option<u32>, A::Error> {
    number(map)?.map(|value| record::number(place, value, 1, most)).transpose()
}

/// An amount of dollars, in millionths.
fn money<'de, A: MapAccess<'de>>(place: &Place, map: &mut A) -> Result<Option<i64>, A::Error> {
    let cost: Option<serde_json::Number> = map.next_value()?;
    cost.map(|cost| dollars(&cost.to_string()).map_err(|error| place.refuse(error))).transpose()
}

/// When a task counts as done.
fn done_when<E: Error>(place: &Place, rule: &str) -> Result<DoneWhen, E> {
    DoneWhen::parse(rule)
        .ok_or_else(|| place.refuse(format_args!("{rule:?} is none of reported, verified and integrated")))
}

/// A command or a pattern, which says something.
fn command<E: Error>(place: &Place, text: String) -> Result<String, E> {
    if text.trim().is_empty() { Err(place.refuse("must not be empty")) } else { record::text(place, text) }
}

fn commands<'de, A: MapAccess<'de>>(place: &Place, map: &mut A) -> Result<Option<Vec<String>>, A::Error> {
    let given: Option<Vec<String>> = map.next_value()?;
    given.map(|given| record::texts(place, given)).transpose()
}

fn duration<E: Error>(place: &Place, given: &str) -> Result<Span, E> {
    arguments::duration(given).map_err(|error| place.refuse(error))
}

fn lease<E: Error>(place: &Place, given: &str) -> Result<LeaseLength, E> {
    LeaseLength::new(duration(place, given)?).map_err(|error| place.refuse(error))
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    map.next_value()
}

fn number<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Whole>, A::Error> {
    map.next_value()
}
