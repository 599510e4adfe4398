//! `orch prime`.

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;

/// Teach an agent how to use `orch` and `inbox`
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch prime")]
pub struct PrimeArgs {}

/// What an agent is told, as lead and as worker.
pub const PRIME: &str = include_str!("prime.txt");

/// Runs the command.
///
/// # Errors
/// None.
pub fn run(_args: &PrimeArgs, _context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
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
