//! The reason of an attempt that ended without an accepted report, for the lead and for the next attempt.
//!
//! It says what the worker said last, what was refused, and what is not committed.
//! The client's events are in the log, and are never part of it.

use orch_core::text::truncate_end;
use orch_inbox::Session;
use orch_profile::ClientSummary;

use super::claim::ClaimedWork;
use super::config::WrapperConfig;
use super::work_changes::WorkChanges;

/// The longest last statement in a reason.
const WORDS_BYTES: usize = 1_000;

/// How many uncommitted files a reason names.
const FILES_NAMED: usize = 10;

/// What a worker said last in one start.
pub(super) enum WorkerSaid<'a> {
    /// Its last statement, as its profile reads it.
    Words(&'a str),
    /// The end of its output, which has no events.
    Output(&'a str),
}

impl<'a> WorkerSaid<'a> {
    pub(super) fn of_start(
        config: &WrapperConfig<'_>,
        summary: Option<&'a ClientSummary>,
        tail: &'a str,
    ) -> Self {
        let has_events = config.profile().is_some_and(|profile| profile.events.is_some());
        match summary {
            Some(summary) if has_events => match summary.result.as_deref() {
                Some(words) if !words.trim().is_empty() => Self::Words(words),
                Some(_) | None => Self::Output(&summary.plain_tail),
            },
            Some(_) | None => Self::Output(tail),
        }
    }

    /// Returns a sentence, or nothing where the worker said nothing.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Words(words) => format!("Its last words: {}", truncate_end(words.trim(), WORDS_BYTES)),
            Self::Output(output) if output.trim().is_empty() => String::new(),
            Self::Output(output) => format!("The end of its output:\n{}", output.trim()),
        }
    }

    pub(super) fn append_to(&self, text: String) -> String {
        let said = self.describe();
        if said.is_empty() { text } else { format!("{text}\n\n{said}") }
    }
}

/// Composes the reason of an attempt that failed.
pub(super) fn failure_reason(
    session: &Session,
    work: &ClaimedWork,
    said: &WorkerSaid<'_>,
    text: &str,
) -> String {
    let mut reason = text.to_owned();
    if let Some(refused) = work.refused.reason() {
        reason.push_str(&format!("\nIts report was refused: {refused}"));
    }
    let uncommitted = WorkChanges::read(session, work).uncommitted;
    if !uncommitted.is_empty() {
        reason.push_str(&format!("\nNot committed: {}", name_files(&uncommitted)));
    }
    said.append_to(reason)
}

/// Names the first files of a list, and counts the others.
fn name_files(files: &[String]) -> String {
    let named = files.iter().take(FILES_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(FILES_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_files_is_counted() {
        let files: Vec<String> = (0..12).map(|number| format!("f{number}")).collect();
        assert_eq!(name_files(&files[..2]), "f0, f1");
        assert_eq!(name_files(&files), "f0, f1, f2, f3, f4, f5, f6, f7, f8, f9 and 2 more");
    }

    #[test]
    fn a_silent_worker_adds_nothing() {
        assert_eq!(WorkerSaid::Output(" \n").append_to("it failed".to_owned()), "it failed");
        let said = WorkerSaid::Words("All done!\n");
        assert_eq!(said.append_to("it failed".to_owned()), "it failed\n\nIts last words: All done!");
    }
}
