//! Profiles: small files that describe how to start, brief, read and terminate a coding agent's client.
//!
//! Apart from reading profile and template files, this crate is pure: no store, no process, no git.
//! A worker is started in these steps.
//! [`ProfileRegistry::load_profile`] finds and reads a [`Profile`]; [`brief::BriefTemplate::render_brief`] renders the worker's brief.
//! [`Profile::command`] with [`PlaceholderValues`] and [`Profile::worker_environment`] define the process to start.
//! [`Profile::event_reader`] parses the client's output into [`ClientUpdate`]s, and [`Profile::interpret_exit`] interprets its exit.
//! Nothing here decides that work is done: only the inbox does.

pub mod brief;
mod builtin;
pub mod client_setup;
mod command;
mod error;
mod events;
mod exit_meaning;
mod extends;
mod files;
pub mod limit;
mod metering;
mod one_or_many;
mod profile;
mod read;
mod registry;
mod text_file;
pub mod variables;

pub use builtin::{BUILT_IN, built_in_profile};
pub use command::{
    AttemptTexts, CommandLine, CommandLineError, CommandPlaceholder, CommandWord, CommandWordError,
    PlaceholderError, PlaceholderValues,
};
pub use error::{FieldProblem, InvalidProfileReference, ProfileError, ProfileOrigin};
pub use events::{
    ClientSummary, ClientUpdate, CostRule, CounterScope, EventCondition, EventConditionError, EventReader,
    EventRules, FailureCause, FailureRule, JsonPath, JsonPathError, JsonScalar, ReportedFailure, ResetTime,
    SessionTotals, TextRule, TokenCounts, TokenRule, UsdMicros,
};
pub use exit_meaning::{ClientEnd, ExitMeaning, ExitTable, ProcessExit};
pub use files::{AttemptFiles, FilePathError};
pub use metering::{CostDeclaration, MeteringMode, TokenPrice};
pub use profile::{
    BriefDelivery, NudgeRule, Profile, ResponsibleParty, StoreAccess, TemplateSource, session_uuid,
};
pub use registry::{ProfileReference, ProfileRegistry};
pub use text_file::TextFileError;
pub use variables::{PassedVariables, VariableError, VariableName, VariableSettings};
