//! Options of a run that later versions bring: known, and refused.

use crate::failure::Failure;
use crate::orch::later::not_supported;

/// Options that later versions bring.
#[derive(Debug, clap::Args)]
pub(super) struct Later {
    #[arg(long, hide = true)]
    base: Option<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    verify: Vec<String>,
    #[arg(long, hide = true, allow_hyphen_values = true)]
    setup: Option<String>,
    #[arg(long, hide = true)]
    copy: Vec<String>,
    #[arg(long, hide = true)]
    protect: Vec<String>,
    #[arg(long, hide = true)]
    max_wall: Option<String>,
    #[arg(long, hide = true)]
    max_cost: Option<String>,
    #[arg(long, hide = true)]
    max_tokens: Option<String>,
}

impl Later {
    /// Refuses the options that were given.
    ///
    /// # Errors
    /// At least one was.
    pub(super) fn refuse(&self, command: &str) -> Result<(), Failure> {
        let given = [
            ("--base", self.base.is_some()),
            ("--verify", !self.verify.is_empty()),
            ("--setup", self.setup.is_some()),
            ("--copy", !self.copy.is_empty()),
            ("--protect", !self.protect.is_empty()),
            ("--max-wall", self.max_wall.is_some()),
            ("--max-cost", self.max_cost.is_some()),
            ("--max-tokens", self.max_tokens.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            Some((option, _)) => Err(not_supported(&format!("{option} of {command}"))),
            None => Ok(()),
        }
    }
}
