//! Errors of profiles, with file, line and field.

use std::fmt;
use std::path::PathBuf;

use orch_core::id::{Slug, SlugError};

use super::brief::TemplateProblem;
use super::text_file::TextFileError;

/// Where a profile was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// The program itself.
    BuiltIn,
    /// A file.
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

/// Why a profile could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] TextFileError),
    /// The profile is invalid.
    #[error("{origin}, line {line}{} is invalid", field_suffix(field.as_deref()))]
    Invalid {
        /// Where the profile was read from.
        origin: ProfileOrigin,
        /// The line, from 1.
        line: usize,
        /// The path of the invalid field, such as `events.tokens.input`; `None` when no single field is invalid.
        field: Option<String>,
        /// The problem.
        #[source]
        problem: FieldProblem,
    },
    /// No profile has this name.
    #[error("there is no profile `{name}`")]
    Unknown {
        /// The name.
        name: Slug,
        /// The files that were looked for before the built-in profiles.
        searched: Vec<PathBuf>,
    },
}

fn field_suffix(field: Option<&str>) -> String {
    field.map(|field| format!(", field `{field}`")).unwrap_or_default()
}

/// A text that is neither the name of a profile nor the path of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a profile is given by its name or by the path of a .toml file")]
pub struct InvalidProfileReference(#[source] pub SlugError);

/// The problem with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// The file is not TOML, or a field is unknown, missing, or has a wrong type or value.
    #[error("{message}")]
    Toml {
        /// The message of the TOML parser or of the field's own type.
        message: String,
    },
    /// The file's name differs from the profile's name.
    #[error("the profile is called `{name}`, but its file `{file}`")]
    OtherName {
        /// The profile's name.
        name: Slug,
        /// The name of the file, without its extension.
        file: Slug,
    },
    /// The command does not match the brief's delivery.
    #[error("the brief is delivered by `{brief}`, so {needed}")]
    BriefDelivery {
        /// The delivery.
        brief: &'static str,
        /// What the command must or must not contain.
        needed: &'static str,
    },
    /// The profile can resume a session, but no rule says how to learn its id.
    #[error(
        "`{{session}}` is unknown: use it in `command` to choose the id, or name the event that reports it in `events.session`"
    )]
    NoSession,
    /// The command that resumes a session does not name it.
    #[error("`{{session}}` is missing, so the client cannot know which session to resume")]
    ResumeWithoutSession,
    /// A value has no place in the commands.
    #[error("`command` and `resume` have no place for it; they must contain `{{{placeholder}}}`")]
    NoPlace {
        /// The placeholder that is missing.
        placeholder: &'static str,
    },
    /// The extended profile is extended by itself, or by too many.
    #[error("`extends` leads through more than {} profiles", super::limit::EXTENDED_MAX)]
    TooManyExtended,
    /// The name of the extended profile is no name.
    #[error("`extends` names a profile: {0}")]
    Extends(#[source] SlugError),
    /// Both a template and a template file are given.
    #[error("use either `template` or `template_file`, not both")]
    TwoTemplates,
    /// The text that asks for a report is no template.
    #[error("{problem}")]
    Nudge {
        /// The problem.
        problem: TemplateProblem,
    },
    /// A path has no character.
    #[error("a path must not be empty")]
    EmptyPath,
}
