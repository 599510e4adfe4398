//! `orch trust`.

use orch_app::AppError;
use orch_app::orch::trust::{ChangeTrust, TrustChange};

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Trust a store or file that another user could have written
///
/// A store and every file that defines commands or prompts must belong to you or to root, and be writable by no
/// other user. Where owners and modes say nothing, as in containers, on shared mounts and on file systems without
/// modes, this records an exception in your settings: a store by its path and id, a file by its path and digest.
/// A file that has changed is no longer trusted.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch trust .git/orch/orch.db\n  orch trust --list\n  orch trust --remove .git/orch/orch.db"
)]
pub(super) struct TrustArgs {
    /// The store (its file or folder, or a folder of its repository), or the file
    #[arg(value_name = "PATH", required_unless_present_any = ["list", "remove"], conflicts_with_all = ["list", "remove"])]
    path: Option<String>,
    /// List the exceptions
    #[arg(long, conflicts_with = "remove")]
    list: bool,
    /// Remove the exception of this path
    #[arg(long, value_name = "PATH")]
    remove: Option<String>,
}

pub(super) fn run(args: TrustArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let change = match (args.path, args.remove) {
        (Some(path), _) => TrustChange::Add(path),
        (None, Some(path)) => TrustChange::Remove(path),
        (None, None) => TrustChange::List,
    };
    if !matches!(change, TrustChange::List) {
        context.app().calling_lead()?;
    }
    context.show(&ChangeTrust { change })
}
