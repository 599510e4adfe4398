//! `orch prime`.

use clap::ValueEnum;
use orch_app::AppError;
use orch_app::environment::{RELAY, THREAD};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Teach an agent how to lead a run, or how to work on a task
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch prime lead\n  orch prime worker")]
pub(super) struct PrimeArgs {
    /// The role [default: worker where INBOX_THREAD is set, else lead]
    #[arg(value_name = "ROLE", value_enum)]
    role: Option<PrimeRole>,
}

/// The role of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PrimeRole {
    /// Plans, dispatches, judges and lands
    Lead,
    /// Does one task
    Worker,
}

/// What a lead is told.
pub(super) const PRIME_LEAD: &str = include_str!("prime_lead.txt");

/// What a worker is told, with a place for how it gets its work.
const PRIME_WORKER: &str = include_str!("prime_worker.txt");

/// How a worker gets its work that no wrapper started.
const CLAIM: &str = "\
CLAIM (INBOX_AGENT=w1), then export INBOX_THREAD=thread.id INBOX_LEASE=lease.token of the answer
  inbox claim --wait 100s
";

/// How a worker has its work that a wrapper started.
const CLAIMED: &str = "\
Your work is claimed already: INBOX_THREAD and INBOX_LEASE are set, and your wrapper keeps the lease.
";

/// Returns what a worker is told.
pub(super) fn worker_text(has_work: bool) -> String {
    PRIME_WORKER.replace("{claim}\n", if has_work { CLAIMED } else { CLAIM })
}

pub(super) fn run(args: PrimeArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let environment = context.app().environment();
    let has_work = environment.is_set(THREAD) || environment.is_set(RELAY);
    let role = args.role.unwrap_or(if has_work { PrimeRole::Worker } else { PrimeRole::Lead });
    Ok(CommandOutcome::Document(match role {
        PrimeRole::Lead => PRIME_LEAD.to_owned(),
        PrimeRole::Worker => worker_text(has_work),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_to_read_little() {
        for text in [PRIME_LEAD.to_owned(), worker_text(true), worker_text(false)] {
            assert!(text.len() <= 2048, "{} bytes: {text}", text.len());
            assert!(text.is_ascii());
            assert!(text.lines().all(|line| line.len() <= 130));
        }
        assert!(!worker_text(true).contains("inbox claim"));
    }
}
