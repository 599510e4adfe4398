//! `inbox run`: a program under a wrapper that claims work, keeps the lease, and reports what the program did not.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Duration;

use orch_contract::inbox::RunAnswer;
use orch_contract::{Code, Message};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::message::MessageKind;
use orch_core::time::Span;
use orch_engine::inbox::claim::Claim;
use orch_engine::inbox::show;
use orch_engine::profile::{BUILT_IN, ProfileError, Reference, Shelf};
use orch_engine::wrapper::{self, Programs, What, Wrap, Wrapped};
use orch_store::page::PageRequest;

use crate::arguments::{self, EmptyOk};
use crate::context::Context;
use crate::failure::Failure;
use crate::interrupts;
use crate::respond::{Outcome, Reply};

/// Run a program on work: claim it, keep its lease, report what the program did not
///
/// The program finds the thread and its token in INBOX_THREAD and INBOX_LEASE, and says `inbox done --result TEXT` by
/// itself. Exit status 0 without a report is a report where there are new commits, else a failure; any other exit
/// status is a failure. When it has ended, no process that it started is left.
///
/// What it prints is passed through and kept in a log. The exit status is 0 when the work is done, else 4.
#[derive(clap::Args, Debug)]
#[command(after_help = "EXAMPLES:\n  inbox run --for builders --as ana -- make all\n  \
    inbox run --for claude --profile claude --wait")]
pub struct Args {
    /// The thread; the most urgent work of the queue when not given
    #[arg(value_name = "THREAD", value_parser = arguments::thread)]
    thread: Option<ThreadId>,
    /// Whose work; yours when not given
    #[arg(long = "for", value_name = "QUEUE", value_parser = arguments::slug, conflicts_with = "thread")]
    queue: Option<Slug>,
    /// How long the claim lasts without a sign of life: 1s to 24h
    #[arg(long, value_name = "DURATION", value_parser = arguments::lease)]
    lease: Option<LeaseLength>,
    /// Wait for work; 100s when no duration is given
    #[arg(long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "100s",
        value_parser = arguments::duration)]
    wait: Option<Span>,
    /// Start what this profile says, in place of a command: a name or a path
    #[arg(long, value_name = "PROFILE", value_parser = profile, conflicts_with = "command")]
    profile: Option<Reference>,
    /// How long the program may take
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    limit: Option<Span>,
    /// Let exit status 0 say that the work is done
    #[arg(long, conflicts_with = "profile")]
    exit_reports: bool,
    /// End a program that prints nothing for longer than its profile allows
    #[arg(long, requires = "profile")]
    end_silent: bool,
    #[command(flatten)]
    empty_ok: EmptyOk,
    /// The program and its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "profile")]
    command: Vec<OsString>,
}

fn profile(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error: orch_engine::profile::BadReference| error.to_string())
}

/// Runs the program.
///
/// # Errors
/// There is no work, somebody else holds it, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let claim = claim(&args, context)?;
    let what = what(&args, context)?;
    let (open, store) = context.opener()?;
    let stop = interrupts::take_over().map_err(|error| {
        Failure::new(Code::Internal, format!("Interrupts cannot be taken over: {error}."))
    })?;
    let document = context.wants_document();
    let wrapped = {
        let printer = &*context;
        let mut echo = |line: &[u8]| {
            if !document {
                let _ = printer.pass(line);
            }
        };
        wrapper::run(Wrap {
            claim,
            what,
            programs: programs()?,
            open: &open,
            store,
            limit: args.limit.map(|span| Duration::from_millis(u64::try_from(span.0).unwrap_or(0))),
            ends_silent: args.end_silent,
            stop: Some(stop.as_fd()),
            echo: &mut echo,
        })
    };
    let wrapped = match wrapped.map_err(Failure::from) {
        Err(failure) if args.empty_ok.empty_ok && failure.code() == Code::InboxEmpty => {
            return Ok(Outcome::StreamedAs(0));
        }
        wrapped => wrapped?,
    };
    let done = wrapped.message.as_ref().is_some_and(|message| message.content.kind == MessageKind::Result);
    let exit = if done { 0 } else { Code::NotClaimed.exit_status() };
    if document {
        return Ok(Outcome::AnswerAs(Box::new(Reply::new(answer(&wrapped))), exit));
    }
    if !done {
        let why = wrapped.detail.as_deref().unwrap_or("its work was taken from it");
        context.progress(&format!("{} is not done: {why}", wrapped.thread));
    }
    Ok(Outcome::StreamedAs(exit))
}

fn answer(wrapped: &Wrapped) -> RunAnswer {
    RunAnswer {
        thread: wrapped.thread.to_string(),
        outcome: wrapped.outcome.into(),
        exit_status: wrapped.exit_status,
        message: wrapped.message.as_ref().map(Message::of),
        detail: wrapped.detail.clone(),
        log: wrapped.log.display().to_string(),
    }
}

fn claim(args: &Args, context: &mut Context<'_>) -> Result<Claim, Failure> {
    let who = context.agent()?;
    let queue = args.queue.clone().or_else(|| who.clone().filter(|_| args.thread.is_none()));
    let holder = match (who.or_else(|| queue.clone()), args.thread) {
        (Some(holder), _) => holder,
        (None, Some(thread)) => {
            let page = PageRequest { limit: 1, after: None };
            show::show(context.session()?, thread, &page)?.thread.thread.head.to
        }
        (None, None) => context.agent_or("--for", None)?,
    };
    Ok(Claim { queue, holder, thread: args.thread, lease: args.lease, wait: args.wait, again: false })
}

fn what(args: &Args, context: &mut Context<'_>) -> Result<What, Failure> {
    let Some(reference) = &args.profile else {
        return Ok(What::Command { words: args.command.clone(), exit_reports: args.exit_reports });
    };
    let shelf = shelf(context)?;
    let profile = shelf.profile(reference).map_err(|error| bad_profile(&error))?;
    let template = shelf.template(&profile).map_err(|error| bad_profile(&error))?;
    Ok(What::Profile { profile: Box::new(profile), template: Box::new(template) })
}

/// Where profiles are looked for: beside the store, then in the user's settings.
pub(crate) fn shelf(context: &mut Context<'_>) -> Result<Shelf, Failure> {
    let user = user_folder(context)?;
    let folder = context.session()?.folder().to_owned();
    Ok(Shelf::new(&folder, user.as_deref()))
}

/// The user's folder for our settings, where there is one.
pub(crate) fn user_folder(context: &Context<'_>) -> Result<Option<PathBuf>, Failure> {
    let environment = context.environment();
    let home = environment.text("XDG_CONFIG_HOME")?.map(PathBuf::from).or_else(|| {
        let home = environment.text("HOME").ok().flatten()?;
        Some(PathBuf::from(home).join(".config"))
    });
    Ok(home.map(|folder| folder.join("orch")))
}

/// What is wrong with a profile, with its causes.
pub(crate) fn bad_profile(error: &(dyn std::error::Error + 'static)) -> Failure {
    let text = with_causes(error);
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let mut message = format!("{}{}.", first.into_iter().collect::<String>(), letters.as_str());
    if matches!(error.downcast_ref(), Some(ProfileError::Unknown { .. })) {
        let known = BUILT_IN.map(|(name, _)| name).join(", ");
        message.push_str(&format!(" Built in are {known}; others are files."));
    }
    Failure::invalid("--profile", message)
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
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
pub(crate) fn programs() -> Result<Programs, Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(Code::Internal, format!("This program cannot find itself: {error}."))
    })?;
    Ok(Programs { inbox: own.with_file_name("inbox"), orch: own.with_file_name("orch") })
}
