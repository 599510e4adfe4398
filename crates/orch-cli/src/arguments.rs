//! Arguments that several commands share.

use std::path::PathBuf;

use clap::Args;

use orch_app::orch::task::change::ChangeWords;
pub use orch_app::values::{
    parse_duration, parse_event_id, parse_lease, parse_list_limit, parse_message_id, parse_percent,
    parse_priority, parse_request_id, parse_slug, parse_thread_id,
};
use orch_app::{AppError, Paging, TaskSelector};
use orch_core::id::Slug;
use orch_core::limit;

use crate::context::CommandRuntime;
use crate::respond::RequestedFormat;

/// Options that every command of both programs takes.
#[derive(Args, Clone, Debug, Default)]
pub struct GlobalOptions {
    /// The store: sqlite:PATH or a path [env: ORCH_STORE]
    #[arg(long, global = true, value_name = "LOCATION", help_heading = GLOBAL)]
    pub store: Option<String>,
    /// Print one JSON document; the default when stdout is not a terminal [env: ORCH_OUTPUT=json]
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Print text for people; the default on a terminal [env: ORCH_OUTPUT=text]
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub text: bool,
    /// The output: json, as --json, or text, as --text
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = ["json", "text"], help_heading = GLOBAL)]
    pub output: Option<String>,
    /// Print no progress and no warnings on stderr
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Run as if started in this folder
    #[arg(short = 'C', long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    pub directory: Option<PathBuf>,
    /// Allow a store on a network file system
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub allow_network_fs: bool,
    /// The agent that runs this command
    #[arg(long = "as", global = true, value_name = "NAME", value_parser = parse_slug, help_heading = GLOBAL)]
    pub who: Option<Slug>,
}

impl GlobalOptions {
    /// Returns the format that the options ask for.
    #[must_use]
    pub fn requested_format(&self) -> RequestedFormat {
        let output = self.output.as_deref();
        RequestedFormat {
            json: self.json || output == Some("json"),
            text: self.text || output == Some("text"),
        }
    }
}

/// The heading of options that every command takes.
pub const GLOBAL: &str = "Global options";

/// The request id of a change.
#[derive(Args, Clone, Debug, Default)]
pub struct RequestIdOption {
    /// Make the request idempotent: repeating it with the same key and arguments changes nothing
    #[arg(long, value_name = "KEY", value_parser = parse_request_id)]
    pub request_id: Option<String>,
}

/// The text of a command as an option, in place of its argument.
#[derive(Args, Clone, Debug, Default)]
pub struct MessageOption {
    /// The text, in place of the argument; `-` reads stdin
    #[arg(short = 'm', id = "message", value_name = "TEXT", allow_hyphen_values = true)]
    message: Option<String>,
}

impl MessageOption {
    /// Returns the option's text, else the argument's.
    #[must_use]
    pub fn text_or<'a>(&'a self, argument: Option<&'a str>) -> Option<&'a str> {
        self.message.as_deref().or(argument)
    }

    /// Whether the option was given.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.message.is_some()
    }
}

/// The options of lists.
#[derive(Args, Clone, Debug)]
pub struct PagingOptions {
    /// Show at most this many entries
    #[arg(short = 'n', long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    pub limit: u32,
    /// Continue after this cursor, the `next` of the previous page
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

impl PagingOptions {
    /// Returns the part of the list that is asked for.
    #[must_use]
    pub fn paging(&self) -> Paging {
        Paging { limit: self.limit, after: self.after.clone() }
    }
}

/// The option for long texts.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct DetailOption {
    /// Show full records, including long texts
    #[arg(long)]
    pub full: bool,
}

/// The option that makes an empty answer a success.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct EmptyOkOption {
    /// Exit with status 0 when nothing is found
    #[arg(long)]
    pub empty_ok: bool,
}

/// The options of a change that is answered with a task.
#[derive(Args, Debug)]
pub(crate) struct ChangeOptions {
    #[command(flatten)]
    pub(crate) repeatable: RequestIdOption,
    #[command(flatten)]
    pub(crate) detail: DetailOption,
}

/// The tasks that a change is about.
#[derive(Args, Debug)]
pub(crate) struct TaskSelectors {
    /// The tasks, KEY or RUN/KEY
    #[arg(value_name = "TASK", required = true, value_parser = orch_app::naming::parse_task)]
    tasks: Vec<TaskSelector>,
}

impl TaskSelectors {
    /// Returns the tasks, each in the run that it names or in the current one.
    ///
    /// # Errors
    /// Two different runs are named, or a variable holds an invalid name.
    pub(crate) fn resolve(self, context: &mut CommandRuntime<'_>) -> Result<Vec<TaskSelector>, AppError> {
        self.tasks.into_iter().map(|task| context.app().resolve_task(task)).collect()
    }
}

/// The reason of a change.
#[derive(Args, Debug)]
pub(crate) struct ReasonOption {
    /// The reason; `-` reads stdin
    #[arg(short = 'm', long, value_name = "TEXT", allow_hyphen_values = true)]
    reason: Option<String>,
    /// Read the reason from a file
    #[arg(long, value_name = "FILE", conflicts_with = "reason")]
    reason_file: Option<PathBuf>,
}

impl ReasonOption {
    /// Reads the reason.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(&self, context: &mut CommandRuntime<'_>) -> Result<Option<String>, AppError> {
        context.text_source().read_text("--reason", self.reason.as_deref(), self.reason_file.as_deref())
    }
}

/// New words for the next worker.
#[derive(Args, Debug)]
pub(crate) struct NoteOptions {
    /// A note for the next worker, added to the spec; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    note: Option<String>,
    /// A new spec; `-` reads stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    spec: Option<String>,
    /// Read the new spec from a file
    #[arg(long, value_name = "FILE", conflicts_with = "spec")]
    spec_file: Option<PathBuf>,
}

impl NoteOptions {
    /// Reads the note and the spec, beside the reason.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(crate) fn read(
        &self,
        reason: &ReasonOption,
        context: &mut CommandRuntime<'_>,
    ) -> Result<ChangeWords, AppError> {
        let reason = reason.read(context)?;
        let texts = context.text_source();
        let note = texts.read_text("--note", self.note.as_deref(), None)?;
        let spec = texts.read_text("--spec", self.spec.as_deref(), self.spec_file.as_deref())?;
        Ok(ChangeWords { reason, note, spec })
    }
}

/// A run named in place, and the request id of its change.
#[derive(Args, Debug)]
pub(crate) struct RunSelector {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    pub(crate) named: Option<Slug>,
    #[command(flatten)]
    pub(crate) repeatable: RequestIdOption,
}

/// The number of checks of merges at once.
#[derive(Args, Debug)]
pub(crate) struct MergeCheckJobs {
    /// The maximum number of merges that are checked at once [default: 2]
    #[arg(long, value_name = "N", value_parser = parse_merge_check_jobs)]
    pub(crate) merge_check_jobs: Option<usize>,
}

fn parse_merge_check_jobs(text: &str) -> Result<usize, String> {
    let max = limit::MERGE_CHECK_JOBS_MAX;
    let jobs = text.parse().ok().filter(|jobs| (1..=max).contains(jobs));
    jobs.ok_or_else(|| format!("it is a number from 1 to {max}"))
}
