//! Commands that later versions bring; until then they are refused by name.

use std::ffi::OsString;

use clap::Subcommand;
use orch_contract::Code;

use crate::failure::Failure;

macro_rules! later {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A command that is known but not there yet.
        #[derive(Debug, Subcommand)]
        pub(super) enum Command {
            $($(#[$doc])* #[command(hide = true, name = $name)] $variant(Anything),)*
        }

        impl Command {
            fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }
        }
    };
}

later! {
    /// Bring the run's branch onto another one
    Land = "land",
    /// Show what an attempt changed
    Diff = "diff",
    /// Show what an attempt printed
    Log = "log",
    /// Tell a lead everything about a run
    Brief = "brief",
    /// Report on a run
    Report = "report",
    /// Show what our own output cost
    Meter = "meter",
    /// Show attempts over time
    Timeline = "timeline",
    /// List agents
    Agents = "agents",
}

/// Whatever follows the name.
#[derive(Debug, clap::Args)]
pub(super) struct Anything {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<OsString>,
}

impl Command {
    /// Why the command is refused.
    pub(super) fn refuse(&self) -> Failure {
        not_supported(&format!("orch {}", self.name()))
    }
}

/// Refuses a command or an option that later versions bring.
pub(super) fn not_supported(what: &str) -> Failure {
    Failure::new(Code::NotSupported, format!("{what} is not supported by this version."))
}
