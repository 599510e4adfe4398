//! `orch land`.

use std::path::Path;

use orch_contract::Check;
use orch_contract::orch::land::{LandAnswer, LandedTask, LeftTask};
use orch_core::id::Slug;
use orch_core::shell;
use orch_core::task::Checks;
use orch_scheduler::land::{Landed, Landing, land};
use orch_scheduler::outcome::TaskOutcome;

use super::naming::NamedRun;
use crate::arguments::{Repeatable, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Bring the run's branch onto another one
///
/// The branch moves forward if it is where the run began. If it went on since, both are merged and the run's checks
/// run on what comes of that; what is not good there does not land. Where the branch is checked out its files move
/// along, and nothing that is not committed is touched. Nothing is pushed: the answer says how.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch land ship --onto main\n  orch land ship --onto main --partial")]
pub struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    /// The branch to land on, which must be there
    #[arg(long, value_name = "BRANCH")]
    onto: String,
    /// Land what is on the run's branch, although some of its tasks are not done
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Runs the command.
///
/// # Errors
/// The run is not finished, the branch is not there, its checkout is not clean, the two do not merge, checks do not
/// pass, or the store or git failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let run = run.or(args.named.as_ref(), context)?;
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &who)
        .maybe("run", run.as_ref())
        .with("onto", &args.onto)
        .with("partial", args.partial);
    let landing = Landing { run, onto: args.onto, partial: args.partial };
    context.progress(&format!("Landing on {} …", landing.onto));
    let reply = context.change(&args.repeatable, fingerprint, answer, |session, receipt| {
        land(session, receipt, &who, &landing)
    })?;
    Ok(reply.into())
}

/// What is answered.
pub(super) fn answer(outcome: &Landed) -> LandAnswer {
    LandAnswer {
        run: outcome.run.name.to_string(),
        branch: outcome.onto.clone(),
        commit: outcome.commit.clone(),
        from_commit: outcome.from.clone(),
        already: outcome.already,
        checks: outcome.checks.iter().map(Check::of).collect(),
        landed: outcome.landed.first.iter().map(landed).collect(),
        landed_total: outcome.landed.total,
        left: outcome.left.first.iter().map(left).collect(),
        left_total: outcome.left.total,
        unchecked: outcome.unchecked.first.iter().map(landed).collect(),
        unchecked_total: outcome.unchecked.total,
        push: push(outcome),
        undo: outcome.from.as_deref().map(|from| undo(outcome, from)),
    }
}

fn landed(outcome: &TaskOutcome) -> LandedTask {
    let tree = outcome.tree.as_ref();
    LandedTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
        head_commit: tree.and_then(|tree| tree.head.as_ref()).map(ToString::to_string),
        merged_commit: tree.and_then(|tree| tree.merged.as_ref()).map(ToString::to_string),
        checks: outcome.attempt.as_ref().map_or(Checks::None, |attempt| attempt.checks).into(),
    }
}

fn left(outcome: &TaskOutcome) -> LeftTask {
    LeftTask {
        task: outcome.task.name.to_string(),
        title: outcome.task.title.clone(),
        state: outcome.task.state.into(),
        attempt: outcome.attempt.as_ref().map(|attempt| attempt.name.to_string()),
    }
}

/// The command that publishes the branch.
fn push(outcome: &Landed) -> String {
    let remote = outcome.remote.as_deref().unwrap_or("REMOTE");
    git(&outcome.repository, &["push", remote, &outcome.onto])
}

/// The command that takes the landing back: with the files where the branch is checked out, and only from where it
/// is now where it is not.
fn undo(outcome: &Landed, from: &str) -> String {
    match &outcome.checkout {
        Some(checkout) => git(checkout, &["reset", "--keep", from]),
        None => {
            let branch = format!("refs/heads/{}", outcome.onto);
            git(&outcome.repository, &["update-ref", &branch, from, &outcome.commit])
        }
    }
}

fn git(folder: &Path, words: &[&str]) -> String {
    let folder = folder.display().to_string();
    shell::line(["git", "-C", folder.as_str()].into_iter().chain(words.iter().copied()))
}
