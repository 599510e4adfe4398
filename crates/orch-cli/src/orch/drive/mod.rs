//! `orch drive`: takes a run from plan to branch.

mod screen;

pub(super) use screen::{FinalScreen, LiveScreen};

use std::io::IsTerminal as _;
use std::path::PathBuf;

use orch_app::AppError;
use orch_app::orch::drive::DriveRequest;
use orch_app::values::{ProfileReference, parse_duration, parse_seat, parse_slug, parse_worker_count};
use orch_contract::ErrorCode;
use orch_contract::orch::doctor::FindingLevelView;
use orch_contract::orch::drive::DriveLine;
use orch_core::id::Slug;
use orch_core::time::TimeSpan;

use crate::arguments::MergeCheckJobs;
use crate::context::CommandRuntime;
use crate::interrupts;
use crate::respond::CommandOutcome;

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
pub(in crate::orch) struct DriveArgs {
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
    /// Use profiles whose cost is not known in time under a limit of cost; what they cost is left out of account
    #[arg(long)]
    allow_unmetered: bool,
    /// Run checks again although their results are known
    #[arg(long)]
    no_check_cache: bool,
    #[command(flatten)]
    jobs: MergeCheckJobs,
    /// Where stdout leads, for others to be told
    #[arg(long, value_name = "FILE", hide = true)]
    printed_to: Option<String>,
}

/// When to exit by default.
const UNTIL_DEFAULT: &str = "finished";

/// What happens to a silent worker by default.
const ON_SILENCE_DEFAULT: &str = "tell";

pub(super) fn run(args: DriveArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let names_run = args.named.is_some() || args.plan.is_some() || context.app().is_run_option_given();
    let mut run = context.app().resolve_run_or(args.named.as_ref())?;
    let mut plan = None;
    if let Some(path) = args.plan.as_ref().filter(|_| args.check) {
        let checked = context.app().check_plan(path, &mut std::io::stdin().lock(), run, &agent)?;
        run = checked.run.clone();
        plan = Some(checked);
    } else if let Some(path) = &args.plan {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let stdin = &mut std::io::stdin().lock();
        run = Some(context.app().create_or_update_run(path, stdin, folder, run, &agent)?);
    }
    let (checks, detaches) = (args.check, args.detach);
    let request = DriveRequest {
        names_run,
        // A supervisor in the background has no terminal.
        waits_for_resumption: !detaches && std::io::stdin().is_terminal(),
        ..drive_request(args, agent, run)
    };
    let mut drive = context.app().set_up_drive(request)?;
    if checks {
        let checked = drive.check(context.app(), plan.as_ref())?;
        let is_bad = checked.verdict == FindingLevelView::Error;
        let status = if is_bad { ErrorCode::CheckFailed.exit_status() } else { 0 };
        let reply = orch_app::Reply::new(DriveLine::Checked(checked));
        return Ok(CommandOutcome::ReplyWithStatus(Box::new(reply), status));
    }
    drive.require_resumed(context.app())?;
    drive.check_start(context.app())?;
    if detaches {
        let output = if context.is_json_requested() { "--json" } else { "--text" };
        let detached = drive.detach(context.app(), output)?;
        return Ok(orch_app::Reply::new(DriveLine::Detached(detached)).into());
    }
    let stop = interrupts::take_over_interrupts()?;
    drive.start_notices(context.app())?;
    let pages = if context.is_redrawable() { Some(drive.pages()?) } else { None };
    let mut screen = LiveScreen::new(context, pages);
    let mut driven = drive.supervise(stop, &mut |signal| screen.handle_signal(signal))?;
    screen.close(FinalScreen::Shown);
    for complaint in driven.drain_notices() {
        context.print_progress(&complaint);
    }
    if let Some(command) = driven.resume_command() {
        context.print_progress(&format!("Interrupted; this goes on: {command}"));
        return Ok(CommandOutcome::StreamedWithStatus(130));
    }
    Ok(orch_app::Reply::new(DriveLine::End(Box::new(driven.into_end()?))).into())
}

fn drive_request(args: DriveArgs, agent: Slug, run: Option<Slug>) -> DriveRequest {
    DriveRequest {
        agent,
        run,
        profiles: args.profiles,
        workers: args.workers,
        labels: args.labels,
        until_idle: args.until == "idle",
        once: args.once,
        allow_unmetered: args.allow_unmetered,
        attempt_limit: args.attempt_limit,
        end_silent: args.on_silence == "end",
        no_check_cache: args.no_check_cache,
        names_run: false,
        waits_for_resumption: false,
        merge_check_jobs: args.jobs.merge_check_jobs,
        log: args.printed_to,
    }
}

/// Reads `LABEL=N`.
fn parse_label_limit(text: &str) -> Result<(Slug, usize), String> {
    let (name, limit) = text.rsplit_once('=').ok_or("it is a label and a number, like gpu=1")?;
    Ok((parse_slug(name).map_err(|error| error.to_string())?, parse_worker_count(limit)?))
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
            --merge-check-jobs 3 \
            --until idle --on-silence end --no-check-cache";
        for words in ["r", said] {
            let line =
                DriveCommandLine::try_parse_from(std::iter::once("drive").chain(words.split_whitespace()))
                    .unwrap();
            let again = {
                let named = line.args.named.clone();
                let request = drive_request(line.args, Slug::from_title("lead"), named);
                request.resume_words(request.run.as_ref()).join(" ")
            };
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
