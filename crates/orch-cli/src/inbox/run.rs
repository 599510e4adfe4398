//! `inbox run`: a program under a wrapper that claims work, keeps the lease, and reports what the program did not.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_contract::inbox::WorkerRunResponse;
use orch_contract::{ErrorCode, MessageView};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::MessageKind;
use orch_core::time::TimeSpan;
use orch_inbox::claim::ClaimRequest;
use orch_inbox::show;
use orch_process::reexec;
use orch_profile::{BUILT_IN, ProfileError, ProfileReference, ProfileRegistry};
use orch_store::page::PageRequest;
use orch_supervisor::wrapper::{
    self, ClaimedWork, ProgramPaths, ReexecPayload, WorkerSource, WrapperConfig, WrapperOutcome,
};
use serde::{Deserialize, Serialize};

use crate::arguments::{self, EmptyOkOption, GlobalOptions};
use crate::context::CommandRuntime;
use crate::interrupts;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Claim work and run a program on it, keeping its lease
///
/// The program gets the thread and its token as INBOX_THREAD and INBOX_LEASE, and reports with `inbox done
/// --result TEXT`. Exit status 0 without a report counts as done if there are new commits, else as failed;
/// any other status is a failure. After it ends, all processes it started are terminated.
///
/// Its output is passed through and logged. The exit status is 0 when the work is done, else 4.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLES:\n  inbox run --for builders --as ana -- make all\n  \
    inbox run --for claude --profile claude --wait")]
pub struct InboxRunArgs {
    /// The thread [default: the most urgent work of the queue]
    #[arg(value_name = "THREAD", value_parser = arguments::parse_thread_id)]
    thread: Option<ThreadId>,
    /// The queue [default: you]
    #[arg(long = "for", value_name = "QUEUE", value_parser = arguments::parse_slug, conflicts_with = "thread")]
    queue: Option<Slug>,
    /// The lease, 1s to 24h
    #[arg(long, value_name = "DURATION", value_parser = arguments::parse_lease)]
    lease: Option<LeaseLength>,
    /// Wait for work, 100s unless a duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::parse_duration)]
    wait: Option<TimeSpan>,
    /// Start the client of this profile, by name or path, instead of a command
    #[arg(long, value_name = "PROFILE", value_parser = parse_profile_reference, conflicts_with = "command")]
    profile: Option<ProfileReference>,
    /// The time limit of the program
    #[arg(long, value_name = "DURATION", value_parser = arguments::parse_duration)]
    limit: Option<TimeSpan>,
    /// Report exit status 0 as done
    #[arg(long, conflicts_with = "profile")]
    exit_reports: bool,
    /// Terminate a program that prints nothing for longer than its profile allows
    #[arg(long, requires = "profile")]
    end_silent: bool,
    #[command(flatten)]
    empty_ok: EmptyOkOption,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "profile")]
    command: Vec<OsString>,
}

fn parse_profile_reference(text: &str) -> Result<ProfileReference, String> {
    text.parse().map_err(|error: orch_profile::InvalidProfileReference| error.to_string())
}

/// What an image of this process keeps for the next one, once the work is claimed.
#[derive(Deserialize, Serialize)]
pub struct ReexecArguments {
    store: Option<String>,
    json: bool,
    text: bool,
    allow_network_fs: bool,
    who: Option<String>,
    how: LaunchOptions,
    folder: PathBuf,
    note: ReexecPayload,
}

impl ReexecArguments {
    /// The options that every command takes.
    #[must_use]
    pub fn global_options(&self) -> GlobalOptions {
        GlobalOptions {
            store: self.store.clone(),
            json: self.json,
            text: self.text,
            allow_network_fs: self.allow_network_fs,
            who: self.who.clone().map(Slug::from_stored),
        }
    }
}

impl std::fmt::Debug for ReexecArguments {
    /// It holds a token, which is nobody's business.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// How the program is run.
#[derive(Clone, Deserialize, Serialize)]
struct LaunchOptions {
    command: Vec<OsString>,
    profile: Option<String>,
    exit_reports: bool,
    end_silent: bool,
    limit_ms: Option<i64>,
}

/// Runs the program.
///
/// # Errors
/// There is no work, somebody else holds it, or the store failed.
pub fn run(args: InboxRunArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let asked = claim_request(&args, context)?;
    let how = LaunchOptions {
        command: args.command,
        profile: args.profile.map(|reference| reference.to_string()),
        exit_reports: args.exit_reports,
        end_silent: args.end_silent,
        limit_ms: args.limit.map(|span| span.0),
    };
    let session = context.take_session()?;
    let folder = session.store_folder().to_owned();
    let shelf = profile_registry_at(&folder, context)?;
    let globals = context.global_options().clone();
    let begun = run_wrapped(context, &how, &shelf, |wrap| {
        let held = wrapper::claim_work(session, wrap, &asked)?;
        let kept = ReexecArguments {
            store: globals.store,
            json: globals.json,
            text: globals.text,
            allow_network_fs: globals.allow_network_fs,
            who: globals.who.map(|who| who.to_string()),
            how: how.clone(),
            folder,
            note: held.to_reexec_payload(),
        };
        if let Ok(kept) = serde_json::to_vec(&kept) {
            // Where it cannot be done, this image does as well.
            reexec::reexec_self(&kept);
        }
        Ok(held)
    });
    match begun {
        Err(failure) if args.empty_ok.empty_ok && failure.code() == ErrorCode::InboxEmpty => {
            Ok(CommandOutcome::StreamedWithStatus(0))
        }
        begun => begun,
    }
}

/// Goes on with the work that an earlier image of this process has claimed.
///
/// # Errors
/// As [`run`].
pub fn continue_after_reexec(
    kept: ReexecArguments,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let shelf = profile_registry_at(&kept.folder, context)?;
    run_wrapped(context, &kept.how, &shelf, |wrap| Ok(ClaimedWork::from_reexec_payload(kept.note, wrap)))
}

/// Runs a program on what is held, to its end.
fn run_wrapped(
    context: &mut CommandRuntime<'_>,
    how: &LaunchOptions,
    shelf: &ProfileRegistry,
    hold: impl FnOnce(&WrapperConfig<'_>) -> Result<ClaimedWork, orch_inbox::Error>,
) -> Result<CommandOutcome, AppError> {
    let what = worker_source(how, shelf)?;
    let (open, store) = context.session_opener()?;
    let document = context.is_document_requested();
    let stop;
    let wrapped = {
        let printer = &*context;
        let mut echo = |line: &[u8]| {
            if !document {
                let _ = printer.print_foreign_line(line);
            }
        };
        let mut wrap = WrapperConfig {
            what,
            programs: own_programs()?,
            open: &open,
            store,
            limit: how.limit_ms.map(|limit| Duration::from_millis(u64::try_from(limit).unwrap_or(0))),
            ends_silent: how.end_silent,
            stop: None,
            echo: &mut echo,
        };
        // Until then an interrupt ends this at once.
        let held = hold(&wrap)?;
        stop = interrupts::take_over_interrupts()?;
        wrap.stop = Some(stop.as_fd());
        wrapper::run_claimed_work(wrap, held)?
    };
    let done = wrapped.message.as_ref().is_some_and(|message| message.content.kind == MessageKind::Result);
    let exit = if done { 0 } else { ErrorCode::NotClaimed.exit_status() };
    if document {
        return Ok(CommandOutcome::ReplyWithStatus(
            Box::new(CommandReply::new(run_response(&wrapped))),
            exit,
        ));
    }
    if !done {
        let why = wrapped.detail.as_deref().unwrap_or("its work was taken from it");
        context.print_progress(&format!("{} is not done: {why}", wrapped.thread));
    }
    Ok(CommandOutcome::StreamedWithStatus(exit))
}

fn run_response(wrapped: &WrapperOutcome) -> WorkerRunResponse {
    WorkerRunResponse {
        thread: wrapped.thread.to_string(),
        outcome: wrapped.outcome.into(),
        exit_status: wrapped.exit_status,
        message: wrapped.message.as_ref().map(MessageView::from_message),
        detail: wrapped.detail.clone(),
        log: wrapped.log.display().to_string(),
    }
}

fn claim_request(args: &InboxRunArgs, context: &mut CommandRuntime<'_>) -> Result<ClaimRequest, AppError> {
    let who = context.calling_agent()?;
    let queue = args.queue.clone().or_else(|| who.clone().filter(|_| args.thread.is_none()));
    let holder = match (who.or_else(|| queue.clone()), args.thread) {
        (Some(holder), _) => holder,
        (None, Some(thread)) => {
            let page = PageRequest { limit: 1, after: None };
            show::show_thread(context.open_session()?, thread, &page)?.thread.thread.head.to
        }
        (None, None) => context.calling_agent_or("--for", None)?,
    };
    Ok(ClaimRequest { queue, holder, thread: args.thread, lease: args.lease, wait: args.wait, again: false })
}

fn worker_source(how: &LaunchOptions, shelf: &ProfileRegistry) -> Result<WorkerSource, AppError> {
    let Some(named) = &how.profile else {
        return Ok(WorkerSource::Command { words: how.command.clone(), exit_reports: how.exit_reports });
    };
    let reference = parse_profile_reference(named)
        .map_err(|problem| AppError::invalid_argument("--profile", format!("{problem}.")))?;
    let profile = shelf.load_profile(&reference).map_err(|error| profile_failure(&error))?;
    let template = shelf.load_template(&profile).map_err(|error| profile_failure(&error))?;
    Ok(WorkerSource::Profile { profile: Box::new(profile), template: Box::new(template) })
}

/// Where profiles are looked for: beside the store, then in the user's settings.
pub(crate) fn profile_registry(context: &mut CommandRuntime<'_>) -> Result<ProfileRegistry, AppError> {
    let folder = context.open_session()?.store_folder().to_owned();
    profile_registry_at(&folder, context)
}

fn profile_registry_at(folder: &Path, context: &CommandRuntime<'_>) -> Result<ProfileRegistry, AppError> {
    Ok(ProfileRegistry::new(folder, user_folder(context)?.as_deref()))
}

/// The user's folder for our settings, where there is one.
pub(crate) fn user_folder(context: &CommandRuntime<'_>) -> Result<Option<PathBuf>, AppError> {
    let environment = context.environment();
    let home = environment.variable_text("XDG_CONFIG_HOME")?.map(PathBuf::from).or_else(|| {
        let home = environment.variable_text("HOME").ok().flatten()?;
        Some(PathBuf::from(home).join(".config"))
    });
    Ok(home.map(|folder| folder.join("orch")))
}

/// What is wrong with a profile, with its causes.
pub(crate) fn profile_failure(error: &(dyn std::error::Error + 'static)) -> AppError {
    let text = error_with_causes(error);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let mut message = format!("{}{}.", first.into_iter().collect::<String>(), letters.as_str());
    if matches!(error.downcast_ref(), Some(ProfileError::Unknown { .. })) {
        let known = BUILT_IN.map(|(name, _)| name).join(", ");
        message.push_str(&format!(" Built in are {known}; others are files."));
    }
    AppError::invalid_argument("--profile", message)
}

/// An error with its causes, in one line.
pub(crate) fn error_with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Where our own programs are: beside this one.
pub(crate) fn own_programs() -> Result<ProgramPaths, AppError> {
    let own = std::env::current_exe().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("This program cannot find itself: {error}."))
    })?;
    Ok(ProgramPaths { inbox: own.with_file_name("inbox"), orch: own.with_file_name("orch") })
}
