//! Records how each command of a storm ended, and checks that the outcomes are consistent.

use std::collections::HashMap;

use orch_core::id::ThreadId;
use orch_core::refusal::Refusal;
use orch_inbox::claim::token_of_request;
use orch_inbox::{Error, Session};
use orch_scheduler::request;
use serde_json::Value;

use super::StormTally;
use super::command::{CommandEffect, StormCommand};
use crate::program::{ProcessOutput, ProgramReply};

/// Error codes that the state of the store can cause; any other code is a defect.
const REFUSALS: [&str; 19] = [
    "agent_not_found",
    "already_claimed",
    "attempt_live",
    "attempt_not_found",
    "capacity_reached",
    "dependency_cycle",
    "dependency_exists",
    "dependency_not_found",
    "inbox_empty",
    "lease_lost",
    "no_question",
    "not_claimed",
    "question_open",
    "run_not_open",
    "task_finished",
    "task_not_blocked",
    "task_not_ready",
    "thread_closed",
    "timeout",
];

/// A command and its outcomes so far.
pub(super) struct RecordedCommand {
    pub(super) order: StormCommand,
    /// The `data` of the first `ok`.
    pub(super) answer: Option<Value>,
    /// Whether the command was killed at least once.
    pub(super) was_killed: bool,
    /// Whether the command was ever refused, so that it need not have been applied.
    refused: bool,
}

impl RecordedCommand {
    /// Returns whether the command was killed and its outcome is unknown.
    fn is_lost(&self) -> bool {
        self.was_killed && self.answer.is_none() && !self.refused && self.order.request.is_some()
    }
}

/// All commands, in the order of their first start.
#[derive(Default)]
pub(super) struct CommandLedger {
    pub(super) entries: Vec<RecordedCommand>,
}

impl CommandLedger {
    pub(super) fn add_command(&mut self, order: StormCommand) -> usize {
        self.entries.push(RecordedCommand { order, answer: None, was_killed: false, refused: false });
        self.entries.len() - 1
    }

    /// Returns the commands that were killed before they answered.
    pub(super) fn lost_commands(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|index| self.entries[*index].is_lost()).collect()
    }

    /// Records how a command ended; `Err` explains why this outcome is impossible.
    pub(super) fn record_end(
        &mut self,
        index: usize,
        ended: &ProcessOutput,
        tally: &mut StormTally,
    ) -> Result<(), String> {
        let entry = &mut self.entries[index];
        let first = !entry.was_killed && entry.answer.is_none();
        tally.commands += 1;
        match ended.program_reply() {
            ProgramReply::Nothing if ended.was_killed() => {}
            ProgramReply::Ok { data, replayed } => {
                tally.answered += 1;
                if replayed && first {
                    return Err(entry
                        .wrong_end_message("it claims to have been applied before it was started", ended));
                }
                match &entry.answer {
                    Some(before) if *before != data || !replayed => {
                        return Err(
                            entry.wrong_end_message(&format!("it was answered before: {before}"), ended)
                        );
                    }
                    _ => entry.answer = Some(data),
                }
            }
            ProgramReply::Refused { code, .. } if REFUSALS.contains(&code.as_str()) => {
                tally.refused += 1;
                if entry.answer.is_some() && entry.order.request.is_some() {
                    return Err(entry.wrong_end_message("it was ok before", ended));
                }
                entry.refused = true;
            }
            _ => return Err(entry.wrong_end_message("this cannot be an answer", ended)),
        }
        if ended.was_killed() {
            tally.kills += 1;
            entry.was_killed = true;
        }
        Ok(())
    }

    /// Looks up whether these commands were applied, collects the issued tokens, and counts when the kills
    /// took effect.
    pub(super) fn learn_applied(
        &self,
        session: &mut Session,
        burst: &[(usize, ProcessOutput)],
        tokens: &mut HashMap<i64, String>,
        tally: &mut StormTally,
    ) -> Result<(), String> {
        for (index, ended) in burst {
            let entry = &self.entries[*index];
            let applied = self.recorded_reply(*index, session)?;
            if applied.is_some() && matches!(ended.program_reply(), ProgramReply::Refused { .. }) {
                return Err(entry.wrong_end_message("it was applied, so it cannot be refused", ended));
            }
            if let (CommandEffect::Token, Some(data), Some(key)) =
                (&entry.order.effect, &applied, &entry.order.request)
            {
                let thread = data["thread"]["id"].as_str().and_then(ThreadId::parse);
                let thread = thread.ok_or_else(|| format!("a claim without a thread: {data}"))?;
                tokens.insert(thread.0, token_of_request(key, thread));
            }
            if ended.was_killed() && entry.order.request.is_some() {
                match (ended.program_reply(), applied) {
                    (ProgramReply::Nothing, None) => tally.killed_before += 1,
                    (ProgramReply::Nothing, Some(_)) => tally.killed_between += 1,
                    _ => tally.killed_after += 1,
                }
            }
        }
        Ok(())
    }

    /// Returns the recorded answer of a command; `None` if it was not applied.
    pub(super) fn recorded_reply(
        &self,
        index: usize,
        session: &mut Session,
    ) -> Result<Option<Value>, String> {
        let Some(key) = &self.entries[index].order.request else { return Ok(None) };
        match request::show_request(session, key) {
            Ok(found) => {
                let answer = found.answer.unwrap_or_default();
                serde_json::from_str(&answer).map(Some).map_err(|error| error.to_string())
            }
            Err(Error::Refused(Refusal::RequestNotFound { .. })) => Ok(None),
            Err(error) => Err(format!("the request {key} cannot be looked up: {error:?}")),
        }
    }
}

impl RecordedCommand {
    fn wrong_end_message(&self, why: &str, ended: &ProcessOutput) -> String {
        format!("{}\n  {why}\n  {ended}", command_text(&self.order.words))
    }
}

/// Returns a command line for display, with long words truncated.
pub(super) fn command_text(words: &[String]) -> String {
    let cut = |word: &String| if word.len() > 60 { format!("{}…", &word[..60]) } else { word.clone() };
    words.iter().map(cut).collect::<Vec<_>>().join(" ")
}
