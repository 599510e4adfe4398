//! Objects with known fields, read one field at a time so that an error knows which field it is about.
//!
//! serde's own errors know a line at best. What is wrong with a field is therefore left in a [`FieldTracker`],
//! beside serde, and picked up when the reading has failed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;

use orch_core::id::Slug;
use orch_core::limit;
use orch_core::refusal::ArgumentProblem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::PlanError;

/// Where the reading of an object stands.
#[derive(Debug, Default)]
pub(super) struct FieldTracker {
    field: Cell<Option<&'static str>>,
    unknown: RefCell<Option<String>>,
    problem: RefCell<Option<String>>,
}

impl FieldTracker {
    /// Says what is wrong with the current field, in our own words.
    pub(super) fn refuse_field<E: Error>(&self, problem: impl fmt::Display) -> E {
        let text = problem.to_string();
        *self.problem.borrow_mut() = Some(text);
        E::custom("refused")
    }

    /// Says that a field is missing that must be there.
    pub(super) fn missing_field<E: Error>(&self, field: &'static str) -> E {
        self.field.set(Some(field));
        self.refuse_field("is missing")
    }

    /// Turns what was left here, else what serde said, into the error.
    pub(super) fn into_error(self, line: u32, said: &str) -> PlanError {
        let field = self.unknown.into_inner().or_else(|| self.field.get().map(str::to_owned));
        let problem = self.problem.into_inner().unwrap_or_else(|| said.to_owned());
        PlanError { line, field, problem }
    }
}

/// An object with known fields.
pub(super) trait PlanRecord<'de>: Sized {
    /// Their names.
    const FIELDS: &'static [&'static str];
    /// What the object is called in messages.
    const WHAT: &'static str;

    /// Takes the next value of `map` as this field's.
    fn take_field<A: MapAccess<'de>>(
        &mut self,
        field: &'static str,
        map: &mut A,
        place: &FieldTracker,
    ) -> Result<(), A::Error>;

    /// Judges the object as a whole, when all of it was read.
    fn check_complete<E: Error>(&self, place: &FieldTracker) -> Result<(), E>;
}

/// Reads a record into what is there.
pub(super) struct RecordSeed<'a, R> {
    /// What is filled.
    pub(super) record: R,
    /// Where problems are left.
    pub(super) place: &'a FieldTracker,
}

impl<'de, R: PlanRecord<'de>> DeserializeSeed<'de> for RecordSeed<'_, R> {
    type Value = R;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<R, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, R: PlanRecord<'de>> Visitor<'de> for RecordSeed<'_, R> {
    type Value = R;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(R::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<R, A::Error> {
        let mut seen = 0_u32;
        while let Some(index) =
            map.next_key_seed(FieldNameSeed::<R> { place: self.place, record: PhantomData })?
        {
            let field = R::FIELDS[index];
            self.place.field.set(Some(field));
            if seen & (1 << index) != 0 {
                return Err(self.place.refuse_field("stands there twice"));
            }
            seen |= 1 << index;
            self.record.take_field(field, &mut map, self.place)?;
            self.place.field.set(None);
        }
        self.record.check_complete(self.place)?;
        Ok(self.record)
    }
}

/// Reads a field's name as its index.
struct FieldNameSeed<'a, R> {
    place: &'a FieldTracker,
    record: PhantomData<R>,
}

impl<'de, R: PlanRecord<'de>> DeserializeSeed<'de> for FieldNameSeed<'_, R> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, R: PlanRecord<'de>> Visitor<'de> for FieldNameSeed<'_, R> {
    type Value = usize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        R::FIELDS.iter().position(|field| *field == name).ok_or_else(|| {
            *self.place.unknown.borrow_mut() = Some(name.to_owned());
            self.place.refuse_field(format_args!(
                "is no field of {}; those are {}",
                R::WHAT,
                R::FIELDS.join(" ")
            ))
        })
    }
}

/// Checks a text that may be empty.
pub(super) fn check_text<E: Error>(place: &FieldTracker, text: String) -> Result<String, E> {
    if text.len() > limit::TEXT_BYTES_MAX {
        return Err(place.refuse_field(ArgumentProblem::TooLong { max: limit::TEXT_BYTES_MAX }));
    }
    if text.as_bytes().contains(&0) {
        return Err(place.refuse_field(ArgumentProblem::Nul));
    }
    Ok(text)
}

/// Checks a title.
pub(super) fn check_title<E: Error>(place: &FieldTracker, title: String) -> Result<String, E> {
    if title.trim().is_empty() {
        return Err(place.refuse_field(ArgumentProblem::Empty));
    }
    check_text(place, title)
}

/// Checks a list of texts, none of them empty.
pub(super) fn check_texts<E: Error>(place: &FieldTracker, list: Vec<String>) -> Result<Vec<String>, E> {
    if list.len() > limit::FIELD_ENTRIES_MAX {
        return Err(place.refuse_field(ArgumentProblem::TooMany { max: limit::FIELD_ENTRIES_MAX }));
    }
    list.into_iter()
        .map(|entry| {
            if entry.is_empty() {
                Err(place.refuse_field(ArgumentProblem::Empty))
            } else {
                check_text(place, entry)
            }
        })
        .collect()
}

/// Checks a name.
pub(super) fn check_slug<E: Error>(place: &FieldTracker, name: &str) -> Result<Slug, E> {
    Slug::new(name).map_err(|error| place.refuse_field(format_args!("{name:?} is no name: {error}")))
}

/// Checks a list of names.
pub(super) fn check_slugs<E: Error>(place: &FieldTracker, names: &[String]) -> Result<Vec<Slug>, E> {
    if names.len() > limit::FIELD_ENTRIES_MAX {
        return Err(place.refuse_field(ArgumentProblem::TooMany { max: limit::FIELD_ENTRIES_MAX }));
    }
    names.iter().map(|name| check_slug(place, name)).collect()
}

/// Checks a number's range.
pub(super) fn check_range<E: Error>(
    place: &FieldTracker,
    value: WholeNumber,
    min: u32,
    max: u32,
) -> Result<u32, E> {
    u32::try_from(value.0)
        .ok()
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(|| place.refuse_field(ArgumentProblem::OutOfRange { min: min.into(), max: max.into() }))
}

/// A whole number of any size that the formats know.
#[derive(Clone, Copy, Debug)]
pub(super) struct WholeNumber(i128);

impl<'de> serde::Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeNumberVisitor;
        impl Visitor<'_> for WholeNumberVisitor {
            type Value = WholeNumber;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(value.into()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<WholeNumber, E> {
                Ok(WholeNumber(value.into()))
            }
        }
        deserializer.deserialize_i64(WholeNumberVisitor)
    }
}
