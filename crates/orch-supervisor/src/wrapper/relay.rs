//! The relay of one worker: the mailbox that its wrapper serves while the work lasts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_inbox::{Error, relay_folder, token};
use orch_process::mailbox::{MailboxLimits, MailboxServer};

use super::claim::ClaimedWork;
use super::config::{RelayBinding, WrapperConfig};

/// What a worker may ask: generous for a worker, and little for a machine.
const LIMITS: MailboxLimits = MailboxLimits {
    request_bytes_max: 1024 * 1024 + 64 * 1024,
    waiting_max: 32,
    per_second_max: 50,
    answers_kept: Duration::from_secs(600),
    answers_bytes_max: 64 * 1024 * 1024,
};

/// What a worker needs to use its relay.
#[derive(Clone, Debug)]
pub(super) struct RelayEndpoint {
    pub folder: PathBuf,
    pub token: String,
}

/// Begins to serve the relay of claimed work; `None` for a worker that opens the store itself.
///
/// # Errors
/// The folder cannot be created.
pub(super) fn serve_relay(
    config: &WrapperConfig<'_>,
    work: &mut ClaimedWork,
) -> Result<Option<MailboxServer>, Error> {
    if !config.is_relayed() {
        return Ok(None);
    }
    let store_folder = store_folder(&work.log).unwrap_or(Path::new("/"));
    let folder = relay_folder::relay_folder(store_folder, work.thread());
    let binding = RelayBinding {
        thread: work.thread(),
        agent: work.row.agent.clone(),
        token: work.token.clone(),
        relay_token: token::random_token()?,
        task: work.work.attempt.as_ref().map(|attempt| attempt.task.clone()),
        defers: config.defers_reports(),
        refused: work.refused.clone(),
    };
    work.relay = Some(RelayEndpoint { folder: folder.clone(), token: binding.relay_token.clone() });
    let started = MailboxServer::start(&folder, LIMITS, (config.relay)(binding));
    started.map(Some).map_err(|source| Error::File { doing: "serve the relay in", path: folder, source })
}

/// Returns the folder of the store that contains a worker's log.
pub(super) fn store_folder(log: &Path) -> Option<&Path> {
    log.ancestors().find(|folder| folder.ends_with("logs")).and_then(Path::parent)
}
