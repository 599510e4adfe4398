//! `inbox run`: a program under a wrapper that claims work, keeps the lease, and reports what the program did not.

use std::ffi::OsString;

use orch_app::AppError;
use orch_app::inbox::run::{ReexecWork, WorkerDoor, WorkerLaunch, WorkerRun};
use orch_app::inbox::{ClaimTarget, ClaimWork};
use orch_app::values::{ProfileReference, parse_profile};
use orch_contract::ErrorCode;
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::TimeSpan;
use serde::{Deserialize, Serialize};

use crate::arguments::{self, EmptyOkOption, GlobalOptions};
use crate::context::CommandRuntime;
use crate::interrupts;
use crate::respond::CommandOutcome;

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
pub(super) struct InboxRunArgs {
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
    #[arg(long, value_name = "PROFILE", value_parser = parse_profile, conflicts_with = "command")]
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

/// The payload of a re-exec: the global options, and the claimed work.
#[derive(Deserialize, Serialize)]
pub(super) struct ReexecArguments {
    store: Option<String>,
    json: bool,
    text: bool,
    #[serde(default)]
    quiet: bool,
    allow_network_fs: bool,
    who: Option<String>,
    work: ReexecWork,
}

impl ReexecArguments {
    fn new(globals: GlobalOptions, work: ReexecWork) -> Self {
        let format = globals.requested_format();
        Self {
            store: globals.store,
            json: format.json,
            text: format.text,
            quiet: globals.quiet,
            allow_network_fs: globals.allow_network_fs,
            who: globals.who.map(|who| who.to_string()),
            work,
        }
    }

    /// Returns the global options.
    pub(super) fn global_options(&self) -> GlobalOptions {
        GlobalOptions {
            store: self.store.clone(),
            json: self.json,
            text: self.text,
            quiet: self.quiet,
            allow_network_fs: self.allow_network_fs,
            who: self.who.clone().map(Slug::from_stored),
            ..GlobalOptions::default()
        }
    }
}

impl std::fmt::Debug for ReexecArguments {
    /// Leaves the work out: it holds a token.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReexecArguments").finish_non_exhaustive()
    }
}

pub(super) fn run(args: InboxRunArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let ClaimTarget { queue, holder } = context.app().resolve_claim(args.queue, args.thread)?;
    let claim = ClaimWork {
        queue,
        holder,
        thread: args.thread,
        lease: args.lease,
        again: false,
        wait: args.wait,
        empty_ok: args.empty_ok.empty_ok,
    };
    let launch = WorkerLaunch {
        command: args.command,
        profile: args.profile.map(|reference| reference.to_string()),
        exit_reports: args.exit_reports,
        end_silent: args.end_silent,
        limit_ms: args.limit.map(|span| span.0),
    };
    let globals = context.global_options().clone();
    let reexec = |work| serde_json::to_vec(&ReexecArguments::new(globals, work)).ok();
    let ran =
        with_worker_door(context, |context, door| context.app().run_worker(&claim, launch, reexec, door));
    match ran {
        Err(error) if claim.empty_ok && error.code() == ErrorCode::InboxEmpty => {
            Ok(CommandOutcome::StreamedWithStatus(0))
        }
        ran => Ok(worker_outcome(ran?, context)),
    }
}

/// Continues with the work that an earlier image of this process claimed.
pub(super) fn continue_after_reexec(
    kept: ReexecArguments,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let ran = with_worker_door(context, |context, door| context.app().continue_worker(kept.work, door));
    Ok(worker_outcome(ran?, context))
}

/// Passes the worker's output through, unless one JSON document is asked for.
fn with_worker_door(
    context: &mut CommandRuntime<'_>,
    work: impl FnOnce(&mut CommandRuntime<'_>, WorkerDoor<'_>) -> Result<WorkerRun, AppError>,
) -> Result<WorkerRun, AppError> {
    let (as_json, printer) = (context.is_json_requested(), context.printer());
    let mut echo = |line: &[u8]| {
        if !as_json {
            let _ = printer.print_foreign_line(line);
        }
    };
    let door = WorkerDoor { echo: &mut echo, take_over_interrupts: &interrupts::take_over_interrupts };
    work(context, door)
}

fn worker_outcome(ran: WorkerRun, context: &CommandRuntime<'_>) -> CommandOutcome {
    let status = if ran.is_done { 0 } else { ErrorCode::NotClaimed.exit_status() };
    if context.is_json_requested() {
        return CommandOutcome::ReplyWithStatus(Box::new(orch_app::Reply::new(ran.response)), status);
    }
    if !ran.is_done {
        let reason = ran.response.detail.as_deref().unwrap_or("its work was taken from it");
        context.print_progress(&format!("{} is not done: {reason}", ran.response.thread));
    }
    CommandOutcome::StreamedWithStatus(status)
}
