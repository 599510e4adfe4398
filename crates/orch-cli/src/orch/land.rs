//! `orch land`.

use std::path::Path;

use orch_contract::CheckView;
use orch_contract::orch::land::{LandResponse, LandedTask, LeftTask};
use orch_core::id::Slug;
use orch_core::shell;
use orch_core::task::ChecksStatus;
use orch_scheduler::land::{LandOutcome, LandRequest, land_run};
use orch_scheduler::task_outcome::TaskOutcome;

use super::naming::NamedRun;
use crate::arguments::{RequestIdOption, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Bring the run's branch onto one of your branches
///
/// The branch is fast-forwarded if it has not moved since the run began. Otherwise both are merged and the
/// run's checks run on the result; if they fail, nothing lands. If the branch is checked out, its files are
/// updated, and uncommitted changes stay untouched. Nothing is pushed; the answer contains the command for
/// that.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch land ship --onto main\n  orch land ship --onto main --partial")]
pub struct LandArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The branch to land on; it must exist
    #[arg(long, value_name = "BRANCH")]
    onto: String,
    /// Land the run's branch even though some tasks are not done
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Runs the command.
///
/// # Errors
/// The run is not finished, the branch is not there, its checkout is not clean, the two do not merge, checks do not
/// pass, or the store or git failed.
pub fn run(
    args: LandArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_optional("run", run.as_ref())
        .with_argument("onto", &args.onto)
        .with_argument("partial", args.partial);
    let landing = LandRequest { run, onto: args.onto, partial: args.partial };
    context.print_progress(&format!("Landing on {} …", landing.onto));
    let reply = context.run_change(&args.repeatable, fingerprint, land_response, |session, receipt| {
        land_run(session, receipt, &who, &landing)
    })?;
    Ok(reply.into())
}

/// What is answered.
pub(super) fn land_response(outcome: &LandOutcome) -> LandResponse {
    LandResponse {
        run: outcome.run.name.to_string(),
        branch: outcome.onto.clone(),
        commit: outcome.commit.clone(),
        from_commit: outcome.from.clone(),
        already: outcome.already,
        checks: outcome.checks.iter().map(CheckView::from_check).collect(),
        landed: outcome.landed.first.iter().map(landed_task).collect(),
        landed_total: outcome.landed.total,
        left: outcome.left.first.iter().map(left_task).collect(),
        left_total: outcome.left.total,
        unchecked: outcome.unchecked.first.iter().map(landed_task).collect(),
        unchecked_total: outcome.unchecked.total,
        push: push_command(outcome),
        undo: outcome.from.as_deref().map(|from| undo_command(outcome, from)),
    }
}

fn landed_task(outcome: &TaskOutcome) -> LandedTask {
    let tree = outcome.tree.as_ref();
    LandedTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
        head_commit: tree.and_then(|tree| tree.head.as_ref()).map(ToString::to_string),
        merged_commit: tree.and_then(|tree| tree.merged.as_ref()).map(ToString::to_string),
        checks: outcome.attempt.as_ref().map_or(ChecksStatus::None, |attempt| attempt.checks).into(),
    }
}

fn left_task(outcome: &TaskOutcome) -> LeftTask {
    LeftTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        state: outcome.task.state.into(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
    }
}

/// The command that publishes the branch.
fn push_command(outcome: &LandOutcome) -> String {
    let remote = outcome.remote.as_deref().unwrap_or("REMOTE");
    git_command(&outcome.repository, &["push", remote, &outcome.onto])
}

/// The command that takes the landing back: with the files where the branch is checked out, and only from where it
/// is now where it is not.
fn undo_command(outcome: &LandOutcome, from: &str) -> String {
    match &outcome.checkout {
        Some(checkout) => git_command(checkout, &["reset", "--keep", from]),
        None => {
            let branch = format!("refs/heads/{}", outcome.onto);
            git_command(&outcome.repository, &["update-ref", &branch, from, &outcome.commit])
        }
    }
}

fn git_command(folder: &Path, words: &[&str]) -> String {
    let folder = folder.display().to_string();
    shell::join_words(["git", "-C", folder.as_str()].into_iter().chain(words.iter().copied()))
}
