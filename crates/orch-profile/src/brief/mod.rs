//! What a worker is told: its task, its place, the few commands it needs, and what came before.
//!
//! [`BriefTemplate`] turns [`BriefFacts`] into text; [`trim`] keeps it short.
//! Commands stand in it with the absolute paths of our programs, since a login shell sets `PATH` anew,
//! and long texts go in by stdin, so that no quoting can go wrong.

mod sample;
mod template;
mod trim;

use std::path::{Path, PathBuf};

use orch_core::id::{AttemptName, ThreadId};

pub use template::{BriefTemplate, TemplateError, TemplateProblem};

use super::ResponsibleParty;

/// Everything that a brief says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefFacts {
    /// The attempt, and with it the task and the run.
    pub attempt: AttemptName,
    /// Its thread.
    pub thread: ThreadId,
    /// The task's title.
    pub title: String,
    /// What is to be done.
    pub spec: Option<String>,
    /// How much of the spec may stand in the brief: [`super::Profile::spec_bytes_max`].
    pub spec_bytes_max: usize,
    /// When it is good.
    pub accept: Vec<String>,
    /// The commands that will judge it.
    pub verify: Vec<String>,
    /// Where it is done; `None` outside of git.
    pub worktree: Option<BriefWorktree>,
    /// Our program `inbox`, absolute.
    pub inbox: PathBuf,
    /// Our program `orch`, absolute.
    pub orch: PathBuf,
    /// Whether the worker is started again in its session when it stops with a question open.
    pub resumable: bool,
    /// What earlier attempts asked and were told, oldest first.
    pub answers: Vec<QuestionWithAnswer>,
    /// How earlier attempts ended, oldest first: failures, rejections, clashes.
    pub earlier: Vec<PriorAttempt>,
}

/// The worktree of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BriefWorktree {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// Its branch.
    pub branch: String,
    /// The commit that it was made from.
    pub base: String,
    /// Who commits.
    pub commit: ResponsibleParty,
    /// Whether a result without a change is a result.
    pub allow_empty: bool,
}

/// A question with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionWithAnswer {
    /// What was asked.
    pub question: String,
    /// What was answered.
    pub answer: String,
    /// By whom.
    pub from: String,
}

/// An attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorAttempt {
    /// Its name.
    pub attempt: AttemptName,
    /// The name of the state in which it ended.
    pub outcome: String,
    /// Why, in the words of who ended it.
    pub reason: Option<String>,
    /// The end of what its client or its checks printed.
    pub log_tail: Option<String>,
}

/// What a worker is told that is started again in the session that it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeFacts {
    /// The attempt, which goes on.
    pub attempt: AttemptName,
    /// Its thread.
    pub thread: ThreadId,
    /// Our program `inbox`, absolute.
    pub inbox: PathBuf,
    /// The answer that it stopped for; `None` when it was interrupted.
    pub answered: Option<QuestionWithAnswer>,
}

/// A brief that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedBrief {
    /// The text.
    pub text: String,
    /// What was cut to keep it short; the text says it too, and where to read all of it.
    pub cut: Vec<String>,
}

/// Why there is no brief.
#[derive(Debug, thiserror::Error)]
pub enum BriefError {
    /// The template cannot be followed.
    #[error("the brief of {attempt} cannot be written")]
    Template {
        /// For whom.
        attempt: AttemptName,
        /// Where in the template, and why.
        #[source]
        source: TemplateError,
    },
    /// A worker could not type the name of the program.
    #[error("the path of the program is not valid UTF-8: {}", path.display())]
    ProgramPath {
        /// Its path.
        path: PathBuf,
    },
}

/// A program's path as a shell takes it.
fn quoted_program_path(path: &Path) -> Result<String, BriefError> {
    let text = path.to_str().ok_or_else(|| BriefError::ProgramPath { path: path.to_owned() })?;
    Ok(orch_core::shell::quote_word(text))
}
