//! The profile: how one coding agent's client is started, briefed, read and terminated.

use std::ffi::OsString;
use std::path::PathBuf;

use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use orch_process::EnvironmentVariables;
use serde::Deserialize;

use super::command::{CommandLine, CommandPlaceholder, CommandWord, PlaceholderError, PlaceholderValues};
use super::error::ProfileOrigin;
use super::events::{ClientSummary, EventReader, EventRules, SessionTotals};
use super::exit_meaning::{ClientEnd, ExitTable, ProcessExit};
use super::files::AttemptFiles;
use super::limit;
use super::metering::{MeteringMode, TokenPrice};
use super::variables::{self, PassedVariables, VariableSettings};

/// The description of a client. Only `Profile::parse` makes one, so its fields are consistent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The name by which tasks request this profile as their agent.
    pub name: Slug,
    /// Where the profile was read from.
    pub origin: ProfileOrigin,
    /// The command that starts the client on an attempt.
    pub command: CommandLine,
    /// The command that resumes a session; `None` when the client cannot resume.
    pub resume: Option<CommandLine>,
    /// The model, for `{model}`.
    pub model: Option<String>,
    /// Further arguments, for `{args}`.
    pub args: Vec<CommandWord>,
    /// The files that are written for each start.
    pub files: AttemptFiles,
    /// Patterns, as in `.gitignore`, of files that the client leaves in the worktree and that are not work.
    pub exclude: Vec<String>,
    /// How the client receives its brief.
    pub brief: BriefDelivery,
    /// The template that briefs are rendered from.
    pub template: TemplateSource,
    /// What asks a worker for the report without which it ended.
    pub nudge: NudgeRule,
    /// Who commits the changes.
    pub commit: ResponsibleParty,
    /// Who reports the result.
    pub report: ResponsibleParty,
    /// How the client reaches the store.
    pub store: StoreAccess,
    /// Environment variables that the client inherits, in addition to the default ones.
    pub passing: PassedVariables,
    /// Environment variables that the profile sets.
    pub settings: VariableSettings,
    /// How long the client may take to exit after it was asked to.
    pub grace: TimeSpan,
    /// How long the client may print nothing before a warning; `None` for no limit.
    pub silence: Option<TimeSpan>,
    /// When its usage becomes known.
    pub metered: MeteringMode,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// The prices by which its cost is computed where it reports none.
    pub price: Option<TokenPrice>,
    /// How to read the client's output; `None` for plain text.
    pub events: Option<EventRules>,
    /// The meanings of exit statuses.
    pub exit: ExitTable,
}

/// How a client receives its brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BriefDelivery {
    /// On stdin, which is then closed. With the other deliveries stdin is empty.
    Stdin,
    /// As the argument `{brief}`.
    Argument,
    /// In a file whose path replaces `{brief_file}`.
    File,
}

/// Whether a worker that ended without a report is asked for it once, in the same session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NudgeRule {
    /// It is asked by the built-in text.
    #[default]
    Standard,
    /// It is asked by the text of this template.
    Text(String),
    /// It is not asked.
    Off,
}

/// Who is responsible for an action that the worker or the tool can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponsibleParty {
    /// The client's model, with the commands from its brief.
    #[default]
    Worker,
    /// The wrapper, after the client exited.
    Tool,
}

/// How a worker reaches the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreAccess {
    /// Through the relay of its wrapper, which performs what concerns its own work.
    #[default]
    Relay,
    /// By opening it, like any other process of the user: for scripts that are trusted.
    Direct,
}

/// Where a brief's template comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// The default template.
    Standard,
    /// This text.
    Text(String),
    /// This file.
    File(PathBuf),
}

impl Profile {
    /// Returns the profile with another model; `None` if a command has no place for it.
    pub(super) fn with_model(mut self, model: &str) -> Option<Self> {
        let mut commands = std::iter::once(&self.command).chain(&self.resume);
        if !commands.all(CommandLine::takes_model) {
            return None;
        }
        self.model = Some(model.to_owned());
        Some(self)
    }

    /// Whether the wrapper chooses a session id before the first start, by [`session_uuid`].
    #[must_use]
    pub fn chooses_session(&self) -> bool {
        self.command.contains_placeholder(CommandPlaceholder::Session)
    }

    /// Whether the client reports its session id. Without a report, no session exists yet.
    #[must_use]
    pub fn reports_session(&self) -> bool {
        self.events.as_ref().is_some_and(EventRules::has_session_rule)
    }

    /// Builds the environment of a worker from the wrapper's own, without the variables that identify the worker.
    ///
    /// # Errors
    /// A variable's value contains a placeholder that has no value in this start.
    pub fn worker_environment(
        &self,
        inherited: impl IntoIterator<Item = (OsString, OsString)>,
        launch: &PlaceholderValues<'_>,
    ) -> Result<EnvironmentVariables, PlaceholderError> {
        variables::build_environment(&self.passing, &self.settings, inherited, launch)
    }

    /// Returns a reader for the output of one start. `before` is the session's usage in earlier starts.
    #[must_use]
    pub fn event_reader(&self, before: SessionTotals) -> EventReader {
        let mut rules = self.events.clone();
        if self.resume.is_none() {
            // A recorded session is one that can be resumed.
            rules.iter_mut().for_each(EventRules::ignore_sessions);
        }
        EventReader::new(rules, before, self.price)
    }

    /// Whether a start needs the folder `{attempt_dir}`.
    #[must_use]
    pub fn uses_attempt_dir(&self) -> bool {
        let placeholder = CommandPlaceholder::AttemptDir;
        let commands = [Some(&self.command), self.resume.as_ref()];
        !self.files.is_empty()
            || commands.into_iter().flatten().any(|command| command.contains_placeholder(placeholder))
            || self.args.iter().any(|word| word.contains_placeholder(placeholder))
            || self.settings.contains_placeholder(placeholder)
    }

    /// Whether the client is told what the attempt may cost.
    #[must_use]
    pub fn takes_budget(&self) -> bool {
        self.command.contains_placeholder(CommandPlaceholder::BudgetUsd)
    }

    /// Whether its cost is known by some means.
    #[must_use]
    pub fn knows_cost(&self) -> bool {
        self.is_free || knows_cost(self.events.as_ref(), self.price.is_some())
    }

    /// Whether a limit of cost can hold for its attempts. `has_reserve` tells that the run says what is set aside for each.
    #[must_use]
    pub fn holds_cost_limit(&self, has_reserve: bool) -> bool {
        if self.is_free {
            return true;
        }
        match self.metered {
            MeteringMode::Live => self.knows_cost(),
            MeteringMode::AtEnd => has_reserve || self.takes_budget(),
            MeteringMode::None => false,
        }
    }

    /// Whether a worker that ended without a report can be asked for it.
    #[must_use]
    pub fn nudges(&self) -> bool {
        self.resume.is_some() && self.report == ResponsibleParty::Worker && self.nudge != NudgeRule::Off
    }

    /// Interprets how a client's process ended.
    #[must_use]
    pub fn interpret_exit(&self, exit: ProcessExit, summary: &ClientSummary) -> ClientEnd {
        self.exit.interpret_exit(exit, summary)
    }

    /// The largest part of a spec that a brief may contain, which depends on its delivery.
    #[must_use]
    pub const fn spec_bytes_max(&self) -> usize {
        match self.brief {
            BriefDelivery::Argument => limit::SPEC_ARGUMENT_BYTES,
            BriefDelivery::Stdin | BriefDelivery::File => usize::MAX,
        }
    }
}

/// Whether the cost of a client is known by its events, or by its tokens and their price.
pub(super) fn knows_cost(events: Option<&EventRules>, has_price: bool) -> bool {
    events.is_some_and(|rules| rules.has_cost_rule() || (has_price && rules.has_token_rule()))
}

/// Formats random bytes as a version 4 UUID, for use as a session id.
#[must_use]
pub fn session_uuid(random: [u8; 16]) -> String {
    let mut bytes = random;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| digits[from..to].concat();
    [part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 16)].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_a_version_4_uuid() {
        assert_eq!(session_uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(session_uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
