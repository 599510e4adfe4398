//! The checks of single fields, as functions for `#[serde(deserialize_with)]`.

use std::fmt::Display;

use orch_core::check::{CheckIdentity, FlakyVerdict};
use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::refusal::ArgumentProblem;
use orch_core::run::{BranchMovePolicy, DoneWhen, ReviewPolicy};
use orch_core::time::TimeSpan;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::values;

/// Reads a raw value and checks it; `null` counts as absent.
fn read<'de, D: Deserializer<'de>, R: Deserialize<'de>, T, E: Display>(
    deserializer: D,
    check: impl FnOnce(R) -> Result<T, E>,
) -> Result<Option<T>, D::Error> {
    Option::<R>::deserialize(deserializer)?.map(check).transpose().map_err(Error::custom)
}

/// Defines readers: the name, the type of the value, the raw type, and the check.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $value:ty, $raw:ty => $check:expr;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<$value>, D::Error> {
            read(deserializer, |raw: $raw| $check(raw))
        }
    )*};
}

readers! {
    /// Reads a name.
    slug: Slug, String => check_slug;
    /// Reads a list of names.
    slugs: Vec<Slug>, Vec<String> => check_slugs;
    /// Reads a text that may be empty.
    text: String, String => check_text;
    /// Reads a title, which must not be blank.
    title: String, String => check_title;
    /// Reads a command, a pattern or a revision, which must not be blank.
    command: String, String => check_title;
    /// Reads a list of texts, none of them empty.
    texts: Vec<String>, Vec<String> => check_texts;
    /// Reads the variables that checks get.
    check_variables: Vec<String>, Vec<String> => check_variable_list;
    /// Reads a duration.
    duration: TimeSpan, String => (|raw: String| values::parse_duration(&raw));
    /// Reads the length of a lease.
    lease: LeaseLength, String => (|raw: String| values::parse_lease(&raw));
    /// Reads an amount in US dollars, as millionths.
    dollars: i64, serde_json::Number => (|raw: serde_json::Number| values::parse_dollars(&raw.to_string()));
    /// Reads a priority.
    priority: u8, i64 => (|raw| check_range::<u8>(raw, 0, limit::PRIORITY_MAX.into()));
    /// Reads the most attempts at one task.
    max_attempts: u32, i64 => (|raw| check_range::<u32>(raw, 1, limit::ATTEMPTS_MAX.into()));
    /// Reads a positive number.
    count: u32, i64 => (|raw| check_range::<u32>(raw, 1, i32::MAX.into()));
    /// Reads a positive number of tokens.
    tokens: i64, i64 => (|raw| check_range::<i64>(raw, 1, u32::MAX.into()));
    /// Reads how often a failed check is run again.
    check_retries: u32, i64 => (|raw| check_range::<u32>(raw, 0, limit::CHECK_RETRIES_MAX.into()));
    /// Reads how many rejected attempts of a task are continued.
    rework: u32, i64 => (|raw| check_range::<u32>(raw, 0, limit::REWORK_MAX.into()));
    /// Reads what identifies the files that a check judges.
    check_identity: CheckIdentity, String => (|raw: String| values::parse_check_identity(&raw));
    /// Reads what a flaky check counts as.
    flaky_verdict: FlakyVerdict, String => (|raw: String| values::parse_flaky_verdict(&raw));
    /// Reads when a task counts as done.
    done_when: DoneWhen, String => check_done_when;
    /// Reads which attempts wait for a review.
    review: ReviewPolicy, String => (|raw: String| values::parse_review(&raw));
    /// Reads what happens when others advance the run's branch.
    on_branch_move: BranchMovePolicy, String => check_on_branch_move;
}

/// Reads a name that `null` removes: the outer option says whether the field exists.
pub(super) fn nullable_slug<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Slug>>, D::Error> {
    slug(deserializer).map(Some)
}

fn check_slug(name: String) -> Result<Slug, String> {
    Slug::new(&name).map_err(|error| format!("{name:?} is no name: {error}"))
}

fn check_slugs(names: Vec<String>) -> Result<Vec<Slug>, String> {
    check_length(&names)?;
    names.into_iter().map(check_slug).collect()
}

/// Checks a text that may be empty.
pub(super) fn check_text(text: String) -> Result<String, ArgumentProblem> {
    if text.len() > limit::TEXT_BYTES_MAX {
        return Err(ArgumentProblem::TooLong { max: limit::TEXT_BYTES_MAX });
    }
    if text.as_bytes().contains(&0) {
        return Err(ArgumentProblem::Nul);
    }
    Ok(text)
}

fn check_title(title: String) -> Result<String, ArgumentProblem> {
    if title.trim().is_empty() { Err(ArgumentProblem::Empty) } else { check_text(title) }
}

fn check_texts(texts: Vec<String>) -> Result<Vec<String>, String> {
    check_length(&texts)?;
    let check = |text: String| if text.is_empty() { Err(ArgumentProblem::Empty) } else { check_text(text) };
    texts.into_iter().map(check).collect::<Result<_, _>>().map_err(|problem| problem.to_string())
}

fn check_variable_list(texts: Vec<String>) -> Result<Vec<String>, String> {
    texts.iter().try_for_each(|text| values::parse_check_variable(text).map(|_| ()))?;
    check_texts(texts)
}

fn check_length(list: &[String]) -> Result<(), String> {
    if list.len() > limit::FIELD_ENTRIES_MAX {
        return Err(ArgumentProblem::TooMany { max: limit::FIELD_ENTRIES_MAX }.to_string());
    }
    Ok(())
}

fn check_range<N: TryFrom<i64>>(number: i64, min: i64, max: i64) -> Result<N, ArgumentProblem> {
    let number = Some(number).filter(|number| (min..=max).contains(number));
    number.and_then(|number| N::try_from(number).ok()).ok_or(ArgumentProblem::OutOfRange { min, max })
}

fn check_on_branch_move(action: String) -> Result<BranchMovePolicy, String> {
    BranchMovePolicy::parse(&action).ok_or_else(|| format!("{action:?} is none of check and pause"))
}

fn check_done_when(rule: String) -> Result<DoneWhen, String> {
    DoneWhen::parse(&rule).ok_or_else(|| format!("{rule:?} is none of reported, verified and integrated"))
}
