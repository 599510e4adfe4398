//! What can be wrong with a profile, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

use orch_core::id::{Slug, SlugError};
use orch_core::time::SpanError;

use super::command::CommandWordError;
use super::events::JsonPathError;
use super::limit;
use super::variables::VariableError;

/// Where a profile comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// From the program itself.
    BuiltIn,
    /// From a file.
    File(PathBuf),
}

impl fmt::Display for ProfileOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => formatter.write_str("the built-in profile"),
            Self::File(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// Why there is no profile to work with.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The system says no.
    #[error("the profile {} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is larger than any profile may be.
    #[error("the profile {} is longer than {} bytes", path.display(), limit::PROFILE_BYTES_MAX)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("the profile {} is not valid UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Something in it makes no sense.
    #[error("{origin}, line {line}{} is wrong", field_suffix(field.as_deref()))]
    Wrong {
        /// Where the profile comes from.
        origin: ProfileOrigin,
        /// The line, from 1.
        line: u32,
        /// The field, with those around it, where it is one field's fault: `events.tokens.input`.
        field: Option<String>,
        /// What is wrong.
        #[source]
        problem: FieldProblem,
    },
    /// Nothing is called so.
    #[error("there is no profile `{name}`")]
    Unknown {
        /// The name.
        name: Slug,
        /// Where it was looked for, beside the built-in ones.
        looked: Vec<PathBuf>,
    },
}

fn field_suffix(field: Option<&str>) -> String {
    field.map(|field| format!(", field `{field}`")).unwrap_or_default()
}

/// Why a text names no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a profile is named, or is the path of a .toml file")]
pub struct InvalidProfileReference(#[source] pub SlugError);

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// It is not TOML, not of the right type, not known, or missing.
    #[error("{message}")]
    Toml {
        /// What the parser says.
        message: String,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] SlugError),
    /// The file was found under another name than it gives itself.
    #[error("the profile is called `{name}`, but its file `{file}`")]
    OtherName {
        /// Its own name.
        name: Slug,
        /// The name that was looked for.
        file: Slug,
    },
    /// A word of a command makes no sense.
    #[error(transparent)]
    Word(#[from] CommandWordError),
    /// A list that needs an entry, or an entry that needs a character, has none.
    #[error("it must not be empty")]
    Empty,
    /// The brief would go in twice, or not at all.
    #[error("the brief goes in by `{brief}`, so {needed}")]
    BriefDelivery {
        /// The way.
        brief: &'static str,
        /// What the command lacks, or holds too much.
        needed: &'static str,
    },
    /// Only a command or a file of the worker's own can hold this placeholder.
    #[error("`{{brief}}` can stand in a command only")]
    BriefInSetting,
    /// The session would be unknown.
    #[error(
        "`{{session}}` is unknown: put it into `command` to choose it, or say in `events.session` where it is told"
    )]
    NoSession,
    /// Without it each resumption would begin anew.
    #[error("`{{session}}` is missing, so that the client cannot know which session to resume")]
    ResumeWithoutSession,
    /// Both ways to give a template.
    #[error("a template is given by `template` or by `template_file`, not by both")]
    TwoTemplates,
    /// No duration.
    #[error(transparent)]
    Duration(#[from] SpanError),
    /// No time at all.
    #[error("it must be longer than nothing")]
    NoTime,
    /// A variable that a profile cannot have.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// No path into an event.
    #[error(transparent)]
    Path(#[from] JsonPathError),
    /// A condition that compares with something that is no plain value.
    #[error("a condition compares with a text, a whole number, true or false, or with a list of these")]
    Condition,
    /// Words to look for in a text that is nowhere.
    #[error("it looks for words, so `path` must say where")]
    ContainsNowhere,
    /// No exit status.
    #[error("an exit status is a number from 0 to 255")]
    Status,
}
