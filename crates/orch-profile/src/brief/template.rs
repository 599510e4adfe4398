//! Templates of briefs: the built-in one, or a user's own.

use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};
use orch_core::id::AttemptName;

use super::super::profile::ResponsibleParty;
use super::super::text_file::{TextFileError, TextFileKind};
use super::super::{limit, variables};
use super::facts::{BriefFacts, BriefWorktree, PriorAttempt, QuestionWithAnswer, ResumeFacts};
use super::sample::sample_facts;
use super::trim::{TrimmedFacts, indent_lines, trim_levels};
use orch_process::TrustRecord;

const STANDARD: &str = include_str!("brief.jinja");
const RESUME: &str = include_str!("resume.jinja");

/// The names of the two templates in the environment.
const BRIEF_NAME: &str = "brief";
const RESUME_NAME: &str = "resume";

const TEMPLATE_FILE: TextFileKind =
    TextFileKind { name: "the template", bytes_max: limit::TEMPLATE_BYTES_MAX };

/// A template that was parsed and tried.
#[derive(Debug)]
pub struct BriefTemplate {
    environment: Environment<'static>,
    /// The template's name in messages.
    origin: String,
}

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] TextFileError),
    /// The template is invalid.
    #[error("{origin}, line {line} is invalid")]
    Invalid {
        /// Where the template was read from.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The problem.
        #[source]
        problem: TemplateProblem,
    },
}

/// The problem with a line of a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// The line uses an undefined name, which the template engine does not report.
    #[error("it uses an undefined name")]
    Undefined,
    /// The template engine rejected the line.
    #[error("{message}")]
    Language {
        /// The message of the template engine.
        message: String,
    },
}

/// Why a brief could not be rendered.
#[derive(Debug, thiserror::Error)]
pub enum BriefError {
    /// The template failed.
    #[error("the brief of {attempt} cannot be rendered")]
    Template {
        /// The attempt.
        attempt: AttemptName,
        /// The place in the template, and the problem.
        #[source]
        source: TemplateError,
    },
    /// A program's path is not UTF-8, so a worker cannot type it.
    #[error("the path of the program is not valid UTF-8: {}", path.display())]
    ProgramPath {
        /// The path.
        path: PathBuf,
    },
}

/// A rendered brief.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedBrief {
    /// The text.
    pub text: String,
    /// The parts that were shortened; the text names them too, and says where to read them in full.
    pub cut: Vec<String>,
}

impl BriefTemplate {
    /// Returns the built-in template.
    #[must_use]
    pub fn built_in() -> Self {
        Self::compile_template(STANDARD.to_owned(), "the built-in template")
            .expect("the built-in template is valid")
    }

    /// Parses a template, and renders it once with sample facts to find undefined names early.
    ///
    /// # Errors
    /// Names the line that is invalid.
    pub fn parse(text: &str, origin: &str) -> Result<Self, TemplateError> {
        let template = Self::compile_template(text.to_owned(), origin)?;
        let sample = sample_facts();
        for mut trimmed in trim_levels(&sample).take(1) {
            trimmed.cut.push("something".to_owned());
            template.render_template(BRIEF_NAME, template_variables(&trimmed, "/bin/inbox", "/bin/orch"))?;
        }
        Ok(template)
    }

    /// Parses a template file.
    pub(crate) fn load_file(path: &Path) -> Result<Self, TemplateError> {
        Self::parse(&TEMPLATE_FILE.read(path)?, &path.display().to_string())
    }

    /// Parses a template file in a folder of settings; `None` when it does not exist.
    pub(crate) fn load_trusted(
        folder: &Path,
        path: &Path,
        trust: &TrustRecord,
    ) -> Result<Option<Self>, TemplateError> {
        let text = TEMPLATE_FILE.read_trusted(folder, path, trust)?;
        text.map(|text| Self::parse(&text, &path.display().to_string())).transpose()
    }

    /// Renders the brief of a new attempt, with at most 4 KiB without its spec if the facts can be shortened that far.
    ///
    /// # Errors
    /// The template fails, or a program's path is not UTF-8.
    pub fn render_brief(&self, facts: &BriefFacts) -> Result<RenderedBrief, BriefError> {
        let (inbox, orch) = (quoted_program_path(&facts.inbox)?, quoted_program_path(&facts.orch)?);
        let spec_bytes = |text: &str, trimmed: &TrimmedFacts<'_>| {
            trimmed.spec.as_deref().filter(|spec| text.contains(spec)).map_or(0, str::len)
        };
        let mut last = None;
        for trimmed in trim_levels(facts) {
            let text = self
                .render_template(BRIEF_NAME, template_variables(&trimmed, &inbox, &orch))
                .map_err(|source| BriefError::Template { attempt: facts.attempt.clone(), source })?;
            let fits = text.len() - spec_bytes(&text, &trimmed) <= limit::BRIEF_BYTES_MAX;
            last = Some(RenderedBrief { text, cut: trimmed.cut });
            if fits {
                break;
            }
        }
        Ok(last.expect("there is at least one level"))
    }

    /// Renders the brief of a resumed session.
    ///
    /// # Errors
    /// The path of a program is not UTF-8.
    pub fn render_resume_brief(&self, facts: &ResumeFacts) -> Result<String, BriefError> {
        let answered = facts.answered.as_ref().map(|answered| {
            answer_value(&indent_lines(&answered.question), &indent_lines(&answered.answer), &answered.from)
        });
        let variables = context! {
            task => facts.attempt.task.to_string(),
            attempt => facts.attempt.to_string(),
            thread => facts.thread.to_string(),
            inbox => quoted_program_path(&facts.inbox)?,
            answered,
        };
        self.render_template(RESUME_NAME, variables)
            .map_err(|source| BriefError::Template { attempt: facts.attempt.clone(), source })
    }

    fn compile_template(text: String, origin: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let mut syntax = environment.syntax().to_builder();
        let syntax = syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
        environment.set_syntax(syntax.expect("the default delimiters are valid"));
        environment
            .add_template_owned(BRIEF_NAME, text)
            .and_then(|()| environment.add_template(RESUME_NAME, RESUME))
            .map_err(|error| template_error(origin, &error))?;
        Ok(Self { environment, origin: origin.to_owned() })
    }

    fn render_template(&self, name: &str, variables: Value) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name);
        template
            .and_then(|template| template.render(variables))
            .map_err(|error| template_error(&self.origin, &error))
    }
}

fn template_error(origin: &str, error: &minijinja::Error) -> TemplateError {
    let problem = match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => TemplateProblem::Undefined,
        (kind, None) => TemplateProblem::Language { message: kind.to_string() },
        (_, Some(detail)) => TemplateProblem::Language { message: detail.to_owned() },
    };
    TemplateError::Invalid { origin: origin.to_owned(), line: error.line().unwrap_or(1), problem }
}

/// Returns the variables of a template.
fn template_variables(trimmed: &TrimmedFacts<'_>, inbox: &str, orch: &str) -> Value {
    let facts = trimmed.facts;
    let worktree = facts.worktree.as_ref().map(|worktree| {
        let BriefWorktree { path, branch, base, commit, allow_empty } = worktree;
        let commit = match commit {
            ResponsibleParty::Worker => "worker",
            ResponsibleParty::Tool => "tool",
        };
        context! { path => path.display().to_string(), branch, base, commit, allow_empty }
    });
    let answer =
        |answered: &QuestionWithAnswer| answer_value(&answered.question, &answered.answer, &answered.from);
    let answers: Vec<Value> = trimmed.answers.iter().map(answer).collect();
    let earlier: Vec<Value> = trimmed.earlier.iter().map(prior_attempt_value).collect();
    context! {
        task => facts.attempt.task.to_string(),
        attempt => facts.attempt.to_string(),
        thread => facts.thread.to_string(),
        title => &trimmed.title,
        spec => trimmed.spec.as_deref(),
        accept => &trimmed.accept,
        verify => &trimmed.verify,
        worktree,
        folder => facts.folder.as_ref().map(|folder| folder.display().to_string()),
        inbox,
        orch,
        variables => [variables::AGENT, variables::THREAD, variables::LEASE, variables::STORE],
        resumable => facts.resumable,
        answers,
        earlier,
        cut => &trimmed.cut,
    }
}

fn answer_value(question: &str, answer: &str, from: &str) -> Value {
    context! { question, answer, from }
}

fn prior_attempt_value(prior: &PriorAttempt) -> Value {
    let PriorAttempt { attempt, outcome, reason, log_tail } = prior;
    context! { attempt, outcome, reason, log_tail }
}

/// Quotes a program's path for a shell.
fn quoted_program_path(path: &Path) -> Result<String, BriefError> {
    let text = path.to_str().ok_or_else(|| BriefError::ProgramPath { path: path.to_owned() })?;
    Ok(orch_core::shell::quote_word(text))
}
