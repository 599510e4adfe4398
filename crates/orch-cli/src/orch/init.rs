//! `orch init`.

use std::path::PathBuf;

use orch_app::AppError;
use orch_app::inbox::{InitOwnStore, PlacementChoice};

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Create the store if there is none
///
/// Inside a git repository the store is in the git folder, shared by all worktrees; elsewhere in `.orch/`.
/// A repository gets its own store even if a folder above it has one, and a store in its work tree is ignored.
///
/// A store that was copied together with its repository is only read, until you decide what it is.
/// Repeating `orch init` changes nothing and prints where the store is.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch init\n  orch init --adopt .orch\n  orch init --as-copy")]
pub(super) struct InitArgs {
    /// Record that the store was moved here
    ///
    /// Recorded paths below the moved folder, and the links of its worktrees, get the new place.
    #[arg(long, conflicts_with = "as_copy")]
    moved: bool,
    /// Make a copied store one of its own
    ///
    /// It forgets all processes, worktrees and pending work outside the store, which are the original's, and
    /// recalls its live attempts.
    #[arg(long)]
    as_copy: bool,
    /// Move a store from the work tree to the git folder
    ///
    /// Only a folder that is yours and that git does not track.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["moved", "as_copy"])]
    adopt: Option<PathBuf>,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: InitArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let choice = match (args.moved, args.as_copy) {
        (true, _) => Some(PlacementChoice::Moved),
        (false, true) => Some(PlacementChoice::Copy),
        (false, false) => None,
    };
    context.answer(&InitOwnStore { agent, choice, adopt: args.adopt }, &args.repeatable)
}
