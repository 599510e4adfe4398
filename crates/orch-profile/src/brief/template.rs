//! Templates of briefs: the built-in one, or a user's own.

use std::path::{Path, PathBuf};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, context};
use orch_core::id::{AttemptName, ThreadId};
use orch_core::text::truncate_end;

use super::super::profile::ResponsibleParty;
use super::super::text_file::{TextFileError, TextFileKind};
use super::super::{limit, variables};
use super::facts::{
    BriefFacts, BriefWorktree, ContinuedWork, NudgeFacts, PriorAttempt, QuestionWithAnswer, ResumeCause,
    ResumeFacts,
};
use super::sample::{sample_facts, sample_nudge_facts};
use super::trim::{TrimmedFacts, indent_lines, trim_levels};
use orch_process::TrustRecord;

const STANDARD: &str = include_str!("brief.jinja");
const RESUME: &str = include_str!("resume.jinja");
const NUDGE: &str = include_str!("nudge.jinja");
const REPORT: &str = include_str!("report.jinja");

/// The names of the templates in the environment.
const BRIEF_NAME: &str = "brief";
const RESUME_NAME: &str = "resume";
const NUDGE_NAME: &str = "nudge";
/// How to report, which the others contain.
const REPORT_NAME: &str = "report";

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
        let (mut answered, mut continued) = (None, None);
        match &facts.cause {
            ResumeCause::Interrupted => {}
            ResumeCause::Answered(QuestionWithAnswer { question, answer, from }) => {
                answered = Some(answer_value(&indent_lines(question), &indent_lines(answer), from));
            }
            ResumeCause::Continued(work) => continued = Some(continued_value(work)),
        }
        let variables = context! {
            task => facts.attempt.task.to_string(),
            attempt => facts.attempt.to_string(),
            thread => facts.thread.to_string(),
            report => self.render_report(&facts.thread, &quoted_program_path(&facts.inbox)?),
            answered,
            continued,
        };
        self.render_template(RESUME_NAME, variables)
            .map_err(|source| BriefError::Template { attempt: facts.attempt.clone(), source })
    }

    /// Renders the text that asks a worker for its report, from the built-in template or another one.
    ///
    /// # Errors
    /// The template fails, or the path of a program is not UTF-8.
    pub fn render_nudge(&self, facts: &NudgeFacts, template: Option<&str>) -> Result<String, BriefError> {
        let variables = self.nudge_variables(facts, &quoted_program_path(&facts.inbox)?);
        let rendered = match template {
            None => self.render_template(NUDGE_NAME, variables),
            Some(text) => self
                .environment
                .render_str(text, variables)
                .map_err(|error| template_error("the profile's field `nudge`", &error)),
        };
        rendered.map_err(|source| BriefError::Template { attempt: facts.attempt.clone(), source })
    }

    /// Checks the template of a nudge by rendering it with sample facts.
    pub(crate) fn check_nudge(&self, template: &str) -> Result<(), TemplateProblem> {
        let variables = self.nudge_variables(&sample_nudge_facts(), "/bin/inbox");
        match self.environment.render_str(template, variables) {
            Ok(_) => Ok(()),
            Err(error) => Err(template_problem(&error)),
        }
    }

    /// Renders how to report on a thread.
    fn render_report(&self, thread: &ThreadId, inbox: &str) -> String {
        let variables = context! { thread => thread.to_string(), inbox };
        let text = self.render_template(REPORT_NAME, variables).expect("the built-in template is valid");
        text.trim_end().to_owned()
    }

    fn nudge_variables(&self, facts: &NudgeFacts, inbox: &str) -> Value {
        let shown = facts.uncommitted.len().min(limit::NUDGE_FILES);
        context! {
            task => facts.attempt.task.to_string(),
            attempt => facts.attempt.to_string(),
            thread => facts.thread.to_string(),
            inbox,
            report => self.render_report(&facts.thread, inbox),
            has_commits => facts.has_commits,
            uncommitted => facts.uncommitted[..shown].to_vec(),
            uncommitted_more => facts.uncommitted.len() - shown,
            commit => party_name(facts.commit),
            refused => facts.refused.as_deref(),
        }
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
            .and_then(|()| environment.add_template(NUDGE_NAME, NUDGE))
            .and_then(|()| environment.add_template(REPORT_NAME, REPORT))
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
    let problem = template_problem(error);
    TemplateError::Invalid { origin: origin.to_owned(), line: error.line().unwrap_or(1), problem }
}

fn template_problem(error: &minijinja::Error) -> TemplateProblem {
    match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => TemplateProblem::Undefined,
        (kind, None) => TemplateProblem::Language { message: kind.to_string() },
        (_, Some(detail)) => TemplateProblem::Language { message: detail.to_owned() },
    }
}

/// Returns the variables of a template.
fn template_variables(trimmed: &TrimmedFacts<'_>, inbox: &str, orch: &str) -> Value {
    let facts = trimmed.facts;
    let worktree = facts.worktree.as_ref().map(|worktree| {
        let BriefWorktree { path, branch, base, commit, allow_empty } = worktree;
        let commit = party_name(*commit);
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
        variables => [variables::AGENT, variables::THREAD, variables::LEASE, variables::RELAY],
        resumable => facts.resumable,
        answers,
        earlier,
        cut => &trimmed.cut,
    }
}

fn party_name(party: ResponsibleParty) -> &'static str {
    match party {
        ResponsibleParty::Worker => "worker",
        ResponsibleParty::Tool => "tool",
    }
}

/// The ended attempt, with output and reason cut to the size of a brief.
fn continued_value(work: &ContinuedWork) -> Value {
    let PriorAttempt { attempt, outcome, reason, log_tail, .. } = &work.earlier;
    let reason = reason.as_deref().map(|reason| indent_lines(&truncate_end(reason, limit::REJECTION_BYTES)));
    let log_tail = log_tail.as_deref().map(|tail| {
        let start = tail.ceil_char_boundary(tail.len().saturating_sub(limit::REJECTION_BYTES));
        tail[start..].lines().map(|line| format!("| {line}")).collect::<Vec<_>>().join("\n")
    });
    context! {
        attempt,
        outcome,
        reason,
        log_tail,
        branch => work.branch.as_deref(),
        conflicts => &work.conflicts,
        commit => party_name(work.commit),
    }
}

fn answer_value(question: &str, answer: &str, from: &str) -> Value {
    context! { question, answer, from }
}

fn prior_attempt_value(prior: &PriorAttempt) -> Value {
    let PriorAttempt { attempt, outcome, reason, log_tail, branch } = prior;
    context! { attempt, outcome, reason, log_tail, branch }
}

/// Quotes a program's path for a shell.
fn quoted_program_path(path: &Path) -> Result<String, BriefError> {
    let text = path.to_str().ok_or_else(|| BriefError::ProgramPath { path: path.to_owned() })?;
    Ok(orch_core::shell::quote_word(text))
}
