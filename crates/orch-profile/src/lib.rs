//! Profiles: how a coding agent's client is started, fed, understood and ended, as a small file says.
//!
//! Pure but for reading profile files: no store, no process, no git.
//! Whoever starts a worker goes through here in this order.
//! [`ProfileRegistry::load_profile`] finds and reads a [`Profile`]; [`brief::BriefTemplate::render_brief`] writes what the worker is told;
//! [`Profile::command`], filled with a [`PlaceholderValues`], and [`Profile::worker_environment`] say what to start.
//! [`Profile::event_reader`] turns what the client prints into [`ClientUpdate`]s, and [`Profile::interpret_exit`] says what its end means.
//! None of it says that work is done: only the inbox does.

pub mod brief;
mod builtin;
mod command;
mod error;
mod events;
mod exit_meaning;
pub mod limit;
mod read;
mod registry;
pub mod variables;

use std::ffi::OsString;
use std::path::PathBuf;

use orch_core::id::Slug;
use orch_core::time::TimeSpan;

pub use builtin::{BUILT_IN, built_in_profile};
pub use command::{
    CommandLine, CommandPlaceholder, CommandWord, CommandWordError, PlaceholderError, PlaceholderValues,
};
pub use error::{FieldProblem, InvalidProfileReference, ProfileError, ProfileOrigin};
pub use events::{
    ClientSummary, ClientUpdate, CostRule, CounterScope, EventCondition, EventReader, EventRules,
    FailureRule, JsonPath, JsonPathError, JsonScalar, ReportedFailure, SessionTotals, TextRule, TokenCounts,
    TokenRule, UsdMicros,
};
pub use exit_meaning::{ClientEnd, ExitMeaning, ExitTable, FailureSource, ProcessExit, ProviderFailure};
pub use registry::{ProfileReference, ProfileRegistry};
pub use variables::{PassedVariables, VariableError, VariableSetting};

use orch_process::EnvironmentVariables;

/// A client, as its file describes it. It is made by [`Profile::parse`] alone, so that it fits together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Its name, which a task's agent may be.
    pub name: Slug,
    /// Where it was read.
    pub origin: ProfileOrigin,
    /// What starts it on an attempt.
    pub command: CommandLine,
    /// What starts it again in the session that it left; `None` when it cannot.
    pub resume: Option<CommandLine>,
    /// How the brief goes in.
    pub brief: BriefDelivery,
    /// From what the brief is made.
    pub template: TemplateSource,
    /// Who commits.
    pub commit: ResponsibleParty,
    /// Who says how the work went.
    pub report: ResponsibleParty,
    /// Which variables pass to it, beside those that always do.
    pub passing: PassedVariables,
    /// Which variables it is given.
    pub settings: Vec<VariableSetting>,
    /// How long it may take to end after it was asked to.
    pub grace: TimeSpan,
    /// How long it may print nothing before somebody is told; `None`: as long as it likes.
    pub silence: Option<TimeSpan>,
    /// How its output is read; `None` when it is plain.
    pub events: Option<EventRules>,
    /// What its exit statuses mean.
    pub exit: ExitTable,
}

/// How the brief goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BriefDelivery {
    /// By stdin, which then ends. In the other ways stdin is empty.
    Stdin,
    /// As a word of the command, at `{brief}`.
    Argument,
    /// In a file, whose path stands at `{brief_file}`.
    File,
}

/// Who does something that either side can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponsibleParty {
    /// The client's model, by the commands of its brief.
    Worker,
    /// The tool that started it, after it ended.
    Tool,
}

/// From what a brief is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// From the template that everybody's briefs are made from.
    Standard,
    /// From this text.
    Text(String),
    /// From this file.
    File(PathBuf),
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// Says what is wrong with which field on which line.
    pub fn parse(text: &str, origin: ProfileOrigin) -> Result<Self, ProfileError> {
        read::read_profile(text, origin)
    }

    /// Whether a session's id is to be chosen before the first start, by [`session_uuid`].
    #[must_use]
    pub fn chooses_session(&self) -> bool {
        self.command.contains_placeholder(CommandPlaceholder::Session)
    }

    /// Whether the client tells of its session: one that it has not told of may not be there.
    #[must_use]
    pub fn reports_session(&self) -> bool {
        self.events.as_ref().is_some_and(EventRules::has_session_rule)
    }

    /// The environment of a worker, out of that of this process; the variables that say who it is are not in it yet.
    ///
    /// # Errors
    /// There is nothing that could stand for a placeholder in the value of a variable.
    pub fn worker_environment(
        &self,
        ours: impl IntoIterator<Item = (OsString, OsString)>,
        launch: &PlaceholderValues<'_>,
    ) -> Result<EnvironmentVariables, PlaceholderError> {
        variables::build_environment(&self.passing, &self.settings, ours, launch)
    }

    /// A reader of what one start prints; `before` is what the session used until now, nothing at its first start.
    #[must_use]
    pub fn event_reader(&self, before: SessionTotals) -> EventReader {
        EventReader::new(self.events.clone(), before)
    }

    /// What the end of a start means.
    #[must_use]
    pub fn interpret_exit(&self, exit: ProcessExit, story: &ClientSummary) -> ClientEnd {
        self.exit.interpret_exit(exit, story)
    }

    /// How much of a spec a brief may hold, for the way in which it goes in.
    #[must_use]
    pub const fn spec_bytes_max(&self) -> usize {
        match self.brief {
            BriefDelivery::Argument => limit::SPEC_ARGUMENT_BYTES,
            BriefDelivery::Stdin | BriefDelivery::File => usize::MAX,
        }
    }
}

/// Makes a session's id, a random UUID, out of randomness.
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
    fn a_session_id_is_a_random_uuid() {
        assert_eq!(session_uuid([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(session_uuid([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
