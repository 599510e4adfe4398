//! `orch drive`: takes a run from plan to branch.

mod check;
mod detach;
mod plan;
mod view;

pub(super) use plan::create_or_update_run;
pub(super) use view::{FinalScreen, worker_view};

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_contract::orch::drive::{DriveEnd, DriveLine};
use orch_contract::run::RunSummary;
use orch_contract::{ErrorCode, ErrorView};
use orch_core::event::Event;
use orch_core::id::Slug;
use orch_core::shell;
use orch_core::time::TimeSpan;
use orch_profile::ProfileReference;
use orch_supervisor::settings;
use orch_supervisor::supervisor::notify::EventNotifier;
use orch_supervisor::supervisor::worker_pool::{ProfileSlots, WorkerPool};
use orch_supervisor::supervisor::{self, DriveConfig, DriveOutcome, DriveUntil, StopReason, SupervisorEvent};
use orch_supervisor::wrapper::ProgramPaths;

use super::naming::NamedRun;
use crate::arguments::{parse_duration, parse_slug};
use crate::context::CommandRuntime;
use crate::inbox::run::{error_with_causes, own_programs, profile_failure, profile_registry, user_folder};
use crate::interrupts;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

/// Run a plan to its end: start workers, check their reports and merge them
///
/// It may be killed at any time: workers continue, and the next `orch drive` takes over. The first interrupt
/// stops new work and waits for running workers; the second terminates them. The exit status is 0 when every
/// task is done.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch drive --plan plan.toml --profile claude=3\n  orch drive ship --profile shell --workers 8\n  \
    orch drive --check --profile codex"
)]
pub struct DriveArgs {
    /// The run [default: all unfinished ones]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Create the run that this plan describes, or continue it, and drive it
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// A profile, by name or path, and its maximum number of workers: claude=3; may be repeated
    #[arg(long = "profile", value_name = "PROFILE[=N]", value_parser = parse_seat)]
    profiles: Vec<(ProfileReference, Option<usize>)>,
    /// The maximum number of workers of all profiles together
    #[arg(long, value_name = "N", value_parser = parse_worker_count)]
    workers: Option<usize>,
    /// The maximum number of live attempts with a label: gpu=1; may be repeated
    #[arg(long = "label", value_name = "LABEL=N", value_parser = parse_label_limit)]
    labels: Vec<(Slug, usize)>,
    /// Check that everything needed is installed, and start nothing
    #[arg(long)]
    check: bool,
    /// Run in the background, detached from this terminal
    #[arg(long, conflicts_with_all = ["check", "once"])]
    detach: bool,
    /// Exit after one pass; workers continue
    #[arg(long)]
    once: bool,
    /// When to exit
    #[arg(long, value_name = "WHEN", default_value = UNTIL_DEFAULT, value_parser = ["finished", "idle"])]
    until: String,
    /// The time limit of one attempt
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    attempt_limit: Option<TimeSpan>,
    /// What to do with a worker that prints nothing for longer than its profile allows
    #[arg(long, value_name = "WHAT", default_value = ON_SILENCE_DEFAULT, value_parser = ["tell", "end"])]
    on_silence: String,
    /// Where stdout leads, for others to be told
    #[arg(long, value_name = "FILE", hide = true)]
    printed_to: Option<String>,
}

/// When to exit when nobody says so.
const UNTIL_DEFAULT: &str = "finished";

/// What happens to a silent worker when nobody says so.
const ON_SILENCE_DEFAULT: &str = "tell";

/// How many workers there are at once when nobody says so.
const WORKERS: usize = 4;

/// The most that may be asked for.
const WORKERS_MAX: usize = 1_000;

/// Runs the command.
///
/// # Errors
/// There is no such run, a profile cannot be read, or not every task is done in the end.
pub fn run(
    args: DriveArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let mut named = run.resolve_run_or(args.named.as_ref(), context)?;
    if let Some(path) = &args.plan {
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        named = Some(create_or_update_run(path, here, named, &who, context)?);
    }
    let crew = build_crew(&args, context)?;
    if args.check {
        return check::run(context, named.as_ref(), &crew);
    }
    check::check_start(context, named.as_ref(), &crew)?;
    if args.detach {
        return detach::run(&args, named.as_ref(), context);
    }
    let (_, store) = context.session_opener()?;
    let shift = DriveRequest {
        who,
        run: named,
        crew,
        until: if args.until == "idle" { DriveUntil::Idle } else { DriveUntil::Finished },
        once: args.once,
        programs: own_programs()?,
        stop: interrupts::take_over_interrupts()?,
        log: args.printed_to.clone(),
        notifier: build_notifier(context, &store)?,
        ends: FinalScreen::Shown,
    };
    let driven = supervise_run(shift, context, &mut |_| {})?;
    if driven.interrupted && !driven.complete {
        context.print_progress(&format!("Interrupted; this goes on: {}", resume_command(&args, &driven)));
        return Ok(CommandOutcome::StreamedWithStatus(130));
    }
    report_end(&driven)
}

/// The command that goes on where this one was interrupted.
fn resume_command(args: &DriveArgs, driven: &DriveOutcome) -> String {
    let run = match driven.runs.as_slice() {
        [run] => Some(&run.name),
        _ => None,
    };
    let options = args.resume_words(run);
    shell::join_words(["orch", "drive"].into_iter().chain(options.iter().map(String::as_str)))
}

impl DriveArgs {
    /// The words of a command that goes on as this one was told to; a plan was taken in already.
    fn resume_words(&self, run: Option<&Slug>) -> Vec<String> {
        let mut words: Vec<String> = run.map(ToString::to_string).into_iter().collect();
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        for (reference, limit) in &self.profiles {
            let name = match reference {
                ProfileReference::Name(name) => name.to_string(),
                ProfileReference::Path(path) => path.display().to_string(),
            };
            option("profile", limit.map_or_else(|| name.clone(), |limit| format!("{name}={limit}")));
        }
        for (label, limit) in &self.labels {
            option("label", format!("{label}={limit}"));
        }
        if let Some(workers) = self.workers {
            option("workers", workers.to_string());
        }
        if let Some(limit) = self.attempt_limit {
            option("attempt-limit", format!("{}ms", limit.0));
        }
        for (name, value, default) in
            [("until", &self.until, UNTIL_DEFAULT), ("on-silence", &self.on_silence, ON_SILENCE_DEFAULT)]
        {
            if value != default {
                option(name, value.clone());
            }
        }
        words
    }
}

/// What is to be seen through, and by whom.
pub(in crate::orch) struct DriveRequest {
    /// In whose name it leads.
    pub(in crate::orch) who: Slug,
    /// The run [default: all unfinished ones].
    pub(in crate::orch) run: Option<Slug>,
    /// Who works.
    pub(in crate::orch) crew: WorkerPool,
    /// Until when.
    pub(in crate::orch) until: DriveUntil,
    /// Ends after one pass.
    pub(in crate::orch) once: bool,
    /// Our own programs.
    pub(in crate::orch) programs: ProgramPaths,
    /// Gets a byte for each interrupt.
    pub(in crate::orch) stop: OwnedFd,
    /// Where what is printed goes, when there is no terminal.
    pub(in crate::orch) log: Option<String>,
    /// Whom the settings want to be told.
    pub(in crate::orch) notifier: Option<EventNotifier>,
    /// What becomes of the live view.
    pub(in crate::orch) ends: FinalScreen,
}

/// Supervises, shows what happens, and lets the caller hear each event first.
///
/// # Errors
/// There is no such run, or the store failed.
pub(in crate::orch) fn supervise_run(
    shift: DriveRequest,
    context: &mut CommandRuntime<'_>,
    hear: &mut dyn FnMut(&Event),
) -> Result<DriveOutcome, AppError> {
    let (open, store) = context.session_opener()?;
    let open: supervisor::SessionOpener = Arc::new(open);
    let mut screen = view::LiveScreen::new(context, &open, shift.run.clone(), shift.notifier)?;
    let driven = supervisor::drive_runs(DriveConfig {
        open: Arc::clone(&open),
        store,
        who: shift.who,
        run: shift.run,
        crew: shift.crew,
        until: shift.until,
        once: shift.once,
        programs: shift.programs,
        stop: Some(shift.stop),
        log: shift.log,
        listen: &mut |said| {
            if let SupervisorEvent::Event(event) = &said {
                hear(event);
            }
            screen.handle_event(said)
        },
    })?;
    screen.close(shift.ends);
    Ok(driven)
}

/// Says how it ended; what is not complete is an error, so that scripts notice.
fn report_end(driven: &DriveOutcome) -> Result<CommandOutcome, AppError> {
    let next = next_commands(driven);
    if driven.complete {
        let runs = driven.runs.iter().map(RunSummary::from_run).collect();
        let end = DriveEnd { runs, complete: true, reason: None, next };
        return Ok(CommandReply::new(DriveLine::End(Box::new(end))).into());
    }
    let names: Vec<String> = driven.runs.iter().map(|run| run.name.to_string()).collect();
    let why = driven.reason.as_ref().map_or_else(|| "not every task is done".to_owned(), ToString::to_string);
    let mut error = ErrorView::new(ErrorCode::RunIncomplete, format!("{}: {why}.", names.join(", ")))
        .with_detail("runs", names)
        .with_detail("interrupted", driven.interrupted);
    if let Some(hint) = remedy_command(driven).or_else(|| next.first().cloned()) {
        error = error.with_hint(hint);
    }
    Err(error.into())
}

/// What helps against the reason why it stopped, where that is one command.
fn remedy_command(driven: &DriveOutcome) -> Option<String> {
    match driven.reason.as_ref()? {
        StopReason::NoWorker { run } => Some(format!("orch drive {run} --profile claude")),
        StopReason::Paused { run, .. } => Some(format!("orch run resume {run}")),
        StopReason::Interrupted | StopReason::OnePass | StopReason::Idle => None,
    }
}

/// The literal next commands.
fn next_commands(driven: &DriveOutcome) -> Vec<String> {
    let mut next = Vec::new();
    for run in &driven.runs {
        if driven.complete {
            if let Some(ground) = &run.ground {
                let onto = ground.base_branch.as_deref().unwrap_or("BRANCH");
                next.push(format!("orch land {} --onto {onto}", run.name));
            }
        } else {
            next.push(format!("orch status {}", run.name));
        }
    }
    next
}

/// Whom the settings want to be told.
fn build_notifier(context: &mut CommandRuntime<'_>, store: &str) -> Result<Option<EventNotifier>, AppError> {
    let user = user_folder(context)?;
    let folder = context.open_session()?.store_folder().to_owned();
    let folders: Vec<&Path> = [Some(folder.as_path()), user.as_deref()].into_iter().flatten().collect();
    let settings = settings::load_settings(&folders).map_err(|error| {
        AppError::invalid_argument(settings::FILE, format!("{}.", error_with_causes(&error)))
    })?;
    Ok(settings.notify.map(|notify| EventNotifier::new(notify, folder, store.to_owned())))
}

/// Who works.
fn build_crew(args: &DriveArgs, context: &mut CommandRuntime<'_>) -> Result<WorkerPool, AppError> {
    let named: usize = args.profiles.iter().filter_map(|(_, limit)| *limit).sum();
    let workers = args.workers.unwrap_or(if named > 0 { named } else { WORKERS });
    let shelf = profile_registry(context)?;
    let mut seats = Vec::new();
    for (reference, limit) in &args.profiles {
        let profile = shelf.load_profile(reference).map_err(|error| profile_failure(&error))?;
        shelf.load_template(&profile).map_err(|error| profile_failure(&error))?;
        let reference = match reference {
            ProfileReference::Name(name) => name.to_string(),
            // A wrapper starts in another folder.
            ProfileReference::Path(path) => {
                std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
        };
        seats.push(ProfileSlots {
            profile: profile.name.clone(),
            reference,
            limit: limit.unwrap_or(workers),
        });
    }
    let mut crew = WorkerPool::new(seats, workers, shelf);
    crew.attempt_limit = args.attempt_limit;
    crew.labels = args.labels.iter().cloned().collect();
    crew.ends_silent = args.on_silence == "end";
    Ok(crew)
}

/// Reads `PROFILE` or `PROFILE=N`.
fn parse_seat(text: &str) -> Result<(ProfileReference, Option<usize>), String> {
    let (name, limit) = match text.rsplit_once('=') {
        Some((name, limit)) => (name, Some(parse_worker_count(limit)?)),
        None => (text, None),
    };
    let reference = name.parse().map_err(|error: orch_profile::InvalidProfileReference| error.to_string())?;
    Ok((reference, limit))
}

/// Reads `LABEL=N`.
fn parse_label_limit(text: &str) -> Result<(Slug, usize), String> {
    let (name, limit) = text.rsplit_once('=').ok_or("it is a label and a number, like gpu=1")?;
    Ok((parse_slug(name).map_err(|error| error.to_string())?, parse_worker_count(limit)?))
}

fn parse_worker_count(text: &str) -> Result<usize, String> {
    let workers = text.parse().ok().filter(|workers| (1..=WORKERS_MAX).contains(workers));
    workers.ok_or_else(|| format!("it is a number from 1 to {WORKERS_MAX}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct DriveCommandLine {
        #[command(flatten)]
        args: DriveArgs,
    }

    #[test]
    fn what_was_asked_for_is_asked_for_again() {
        let said = "r --profile claude=3 --profile ./x.toml --label gpu=1 --workers 5 --attempt-limit 90000ms \
            --until idle --on-silence end";
        for words in ["r", said] {
            let line =
                DriveCommandLine::try_parse_from(std::iter::once("drive").chain(words.split_whitespace()))
                    .unwrap();
            let again = line.args.resume_words(line.args.named.as_ref()).join(" ");
            assert_eq!(again, words.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    #[test]
    fn profiles_are_named_with_their_number() {
        assert_eq!(parse_seat("claude=3").map(|(_, limit)| limit), Ok(Some(3)));
        assert_eq!(parse_seat("./a=b.toml=2").map(|(_, limit)| limit), Ok(Some(2)));
        assert_eq!(parse_seat("codex").map(|(_, limit)| limit), Ok(None));
        for bad in ["claude=0", "claude=x", "=2", "A B"] {
            assert!(parse_seat(bad).is_err(), "{bad}");
        }
    }
}
