//! Templates of briefs: the built-in one, or a user's own in its place.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};

use super::super::{ResponsibleParty, limit, variables};
use super::trim::{self, TrimmedFacts};
use super::{
    BriefError, BriefFacts, BriefWorktree, PriorAttempt, RenderedBrief, ResumeFacts, quoted_program_path,
    sample,
};

const STANDARD: &str = include_str!("brief.jinja");
const RESUME: &str = include_str!("resume.jinja");

/// The names of the two templates inside.
const BRIEF: &str = "brief";
const RESUMED: &str = "resume";

/// A template that can be followed.
#[derive(Debug)]
pub struct BriefTemplate {
    environment: Environment<'static>,
    /// What it is called in messages.
    origin: String,
}

/// What is wrong with a template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The system says no.
    #[error("the template {} cannot be read", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is larger than any template may be.
    #[error("the template {} is longer than {} bytes", path.display(), limit::TEMPLATE_BYTES_MAX)]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// It is not text.
    #[error("the template {} is not valid UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It breaks the language of templates, or names what there is not.
    #[error("{origin}, line {line} is wrong")]
    Wrong {
        /// Where the template comes from.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        #[source]
        problem: TemplateProblem,
    },
}

/// What is wrong with a line of a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateProblem {
    /// There is nothing of this name. The language does not say which; it stands in the line.
    #[error("it names what there is not")]
    Undefined,
    /// It breaks the language.
    #[error("{said}")]
    Language {
        /// What the language says.
        said: String,
    },
}

impl BriefTemplate {
    /// The built-in template.
    #[must_use]
    pub fn built_in() -> Self {
        Self::compile_template(STANDARD.to_owned(), "the built-in template")
            .expect("the built-in template is in order")
    }

    /// Reads a template, and follows it once with made-up facts, so that a name that there is not is found early.
    ///
    /// # Errors
    /// Says what is wrong on which line.
    pub fn parse(text: &str, origin: &str) -> Result<Self, TemplateError> {
        let template = Self::compile_template(text.to_owned(), origin)?;
        let sample = sample::sample_facts();
        for mut fitted in trim::trim_levels(&sample).take(1) {
            fitted.cut.push("something".to_owned());
            template.render_template(BRIEF, template_variables(&fitted, "/bin/inbox", "/bin/orch"))?;
        }
        Ok(template)
    }

    /// Reads a template from a file; `None` when there is none.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub(crate) fn load_file(path: &Path) -> Result<Option<Self>, TemplateError> {
        let io_error = |source| TemplateError::Io { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit::TEMPLATE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io_error)?;
        if bytes.len() > limit::TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|_| TemplateError::NotText { path: path.to_owned() })?;
        Self::parse(&text, &path.display().to_string()).map(Some)
    }

    /// Writes the brief of an attempt: at most 4 KiB without its spec, so far as the facts can be cut to that.
    ///
    /// # Errors
    /// The template names what there is not, or a program's path is no text.
    pub fn render_brief(&self, given: &BriefFacts) -> Result<RenderedBrief, BriefError> {
        let (inbox, orch) = (quoted_program_path(&given.inbox)?, quoted_program_path(&given.orch)?);
        let spec_bytes = |text: &str, fitted: &TrimmedFacts<'_>| {
            fitted.spec.as_deref().filter(|spec| text.contains(spec)).map_or(0, str::len)
        };
        let mut last = None;
        for fitted in trim::trim_levels(given) {
            let rendered = self.render_template(BRIEF, template_variables(&fitted, &inbox, &orch));
            let text =
                rendered.map_err(|source| BriefError::Template { attempt: given.attempt.clone(), source })?;
            let fits = text.len() - spec_bytes(&text, &fitted) <= limit::BRIEF_BYTES_MAX;
            last = Some(RenderedBrief { text, cut: fitted.cut });
            if fits {
                break;
            }
        }
        Ok(last.expect("there is at least one level"))
    }

    /// Writes what a worker is told that is started again in its session.
    ///
    /// # Errors
    /// A program's path is no text.
    pub fn render_resume_brief(&self, given: &ResumeFacts) -> Result<String, BriefError> {
        let answered = given.answered.as_ref().map(|answered| {
            answered_value(
                &trim::indent_lines(&answered.question),
                &trim::indent_lines(&answered.answer),
                &answered.from,
            )
        });
        let facts = context! {
            task => given.attempt.task.to_string(),
            attempt => given.attempt.to_string(),
            thread => given.thread.to_string(),
            inbox => quoted_program_path(&given.inbox)?,
            answered,
        };
        self.render_template(RESUMED, facts)
            .map_err(|source| BriefError::Template { attempt: given.attempt.clone(), source })
    }

    fn compile_template(text: String, origin: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        let mut syntax = environment.syntax().to_builder();
        let syntax = syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
        environment.set_syntax(syntax.expect("the usual delimiters are in order"));
        let added = environment
            .add_template_owned(BRIEF, text)
            .and_then(|()| environment.add_template(RESUMED, RESUME));
        let origin = origin.to_owned();
        match added {
            Ok(()) => Ok(Self { environment, origin }),
            Err(error) => Err(template_error(&origin, &error)),
        }
    }

    fn render_template(&self, name: &str, facts: Value) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name);
        template
            .and_then(|template| template.render(facts))
            .map_err(|error| template_error(&self.origin, &error))
    }
}

fn template_error(origin: &str, error: &minijinja::Error) -> TemplateError {
    let problem = match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => TemplateProblem::Undefined,
        (kind, None) => TemplateProblem::Language { said: kind.to_string() },
        (_, Some(detail)) => TemplateProblem::Language { said: detail.to_owned() },
    };
    TemplateError::Wrong { origin: origin.to_owned(), line: error.line().unwrap_or(1), problem }
}

/// The names that a template can use.
fn template_variables(fitted: &TrimmedFacts<'_>, inbox: &str, orch: &str) -> Value {
    let given = fitted.given;
    let worktree = given.worktree.as_ref().map(|worktree| {
        let BriefWorktree { path, branch, base, commit, allow_empty } = worktree;
        let commit = match commit {
            ResponsibleParty::Worker => "worker",
            ResponsibleParty::Tool => "tool",
        };
        context! { path => path.display().to_string(), branch, base, commit, allow_empty }
    });
    let answers = fitted.answers.iter();
    let answers: Vec<Value> = answers
        .map(|answered| answered_value(&answered.question, &answered.answer, &answered.from))
        .collect();
    let earlier: Vec<Value> = fitted.earlier.iter().map(earlier_value).collect();
    context! {
        task => given.attempt.task.to_string(),
        attempt => given.attempt.to_string(),
        thread => given.thread.to_string(),
        title => &fitted.title,
        spec => fitted.spec.as_deref(),
        accept => &fitted.accept,
        verify => &fitted.verify,
        worktree,
        inbox,
        orch,
        variables => [variables::AGENT, variables::THREAD, variables::LEASE, variables::STORE],
        resumable => given.resumable,
        answers,
        earlier,
        cut => &fitted.cut,
    }
}

fn answered_value(question: &str, answer: &str, from: &str) -> Value {
    context! { question, answer, from }
}

fn earlier_value(earlier: &PriorAttempt) -> Value {
    let PriorAttempt { attempt, outcome, reason, log_tail } = earlier;
    context! { attempt => attempt.to_string(), outcome, reason, log_tail }
}
