//! `orch prime`.

use crate::context::Context;
use crate::failure::Failure;
use crate::respond::Outcome;

/// Teach an agent how to use `orch` and `inbox`
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch prime")]
pub struct Args {}

/// What an agent is told, as lead and as worker.
pub const PRIME: &str = include_str!("prime.txt");

/// Runs the command.
///
/// # Errors
/// None.
pub fn run(_args: &Args, _context: &mut Context<'_>) -> Result<Outcome, Failure> {
    Ok(Outcome::Document(PRIME.to_owned()))
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
