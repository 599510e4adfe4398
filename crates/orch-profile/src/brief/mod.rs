//! The brief: the instructions that a worker gets at the beginning of an attempt.
//!
//! [`BriefTemplate`] renders [`BriefFacts`] as text, and `trim` keeps it short.
//! The commands in it use the absolute paths of our programs, because a login shell resets `PATH`,
//! and they read long texts from stdin, so that quoting cannot fail.

mod facts;
mod sample;
mod template;
mod trim;

pub use facts::{
    BriefFacts, BriefWorktree, ContinuedWork, NudgeFacts, PriorAttempt, QuestionWithAnswer, ResumeCause,
    ResumeFacts,
};
pub use template::{BriefError, BriefTemplate, RenderedBrief, TemplateError, TemplateProblem};
