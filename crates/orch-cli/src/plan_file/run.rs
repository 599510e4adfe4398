//! The fields of a plan's run.

use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::RunEdit;
use orch_core::time::Span;
use serde::de::{Error, MapAccess};

use super::record::{self, Place, Record, Whole};
use crate::arguments;

/// What a plan says of its run.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Its name, which says which run is meant.
    pub(super) name: Option<Slug>,
    /// What is to be so.
    pub(super) edit: RunEdit,
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
        "max_wall",
        "max_cost",
        "max_tokens",
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
            "done_when" => done_when(place, text(map)?.as_deref())?,
            "max_active" => {
                let most = i32::MAX as u32;
                edit.max_active =
                    number(map)?.map(|value| record::number(place, value, 1, most).map(Some)).transpose()?;
            }
            "max_attempts" => {
                let most = limit::ATTEMPTS_MAX;
                edit.max_attempts =
                    number(map)?.map(|value| record::number(place, value, 1, most)).transpose()?;
            }
            "retry_delay" => {
                edit.retry_delay = text(map)?.map(|delay| duration(place, &delay)).transpose()?;
            }
            "lease" => edit.lease = text(map)?.map(|length| lease(place, &length)).transpose()?,
            "answer_after" => {
                edit.answer_after = text(map)?.map(|after| duration(place, &after).map(Some)).transpose()?;
            }
            _ => return Err(place.not_supported("is not supported by this version")),
        }
        Ok(())
    }

    fn whole<E: Error>(&self, _place: &Place) -> Result<(), E> {
        Ok(())
    }
}

/// A run is done when its tasks are reported; the other rules are known but not there yet.
fn done_when<E: Error>(place: &Place, rule: Option<&str>) -> Result<(), E> {
    match rule {
        None | Some("reported") => Ok(()),
        Some(rule @ ("verified" | "integrated")) => {
            Err(place.not_supported(format_args!("{rule:?} is not supported by this version")))
        }
        Some(rule) => {
            Err(place.refuse(format_args!("{rule:?} is none of reported, verified and integrated")))
        }
    }
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
