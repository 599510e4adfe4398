//! `orch prime`.

use orch_app::AppError;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Teach an agent how to use `orch` and `inbox`
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch prime")]
pub(super) struct PrimeArgs {}

/// What an agent is told, as lead and as worker.
pub(super) const PRIME: &str = include_str!("prime.txt");

pub(super) fn run(_args: PrimeArgs, _context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    Ok(CommandOutcome::Document(PRIME.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_to_read_little() {
        assert!(PRIME.len() <= 2048, "{} bytes", PRIME.len());
        assert!(PRIME.is_ascii());
        assert!(PRIME.lines().all(|line| line.len() <= 130));
    }
}
