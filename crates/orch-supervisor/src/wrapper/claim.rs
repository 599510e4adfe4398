//! Claiming work, and recording in the same transaction which process works on it.

use std::path::{Path, PathBuf};

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{LeaseLength, TokenDigest};
use orch_core::thread::decide;
use orch_core::time::{Time, TimeSpan};
use orch_core::worker::Worker;
use orch_inbox::claim::{ClaimOutcome, ClaimRequest, claim_with_hook};
use orch_inbox::{Error, Response, Session, token};
use orch_process::presence::show_presence;
use orch_process::{ProcessIdentity, host_id};
use orch_profile::session_uuid;
use orch_store::Transaction;
use orch_store::table::usage::UsageSum;
use orch_store::table::{attempt, worker};

use super::config::{RefusedReport, WrapperConfig};
use super::relay::RelayEndpoint;
use super::work_description::{WorkDescription, parse_attempt_name};
use orch_git::read_git_folders;

/// Work that a wrapper has claimed.
pub struct ClaimedWork {
    pub(super) token: String,
    pub(super) digest: TokenDigest,
    /// The length of the lease that the claim gave.
    pub(super) lease: Option<LeaseLength>,
    pub(super) work: WorkDescription,
    pub(super) log: PathBuf,
    /// The worker as the store records it.
    pub(super) row: Worker,
    /// The usage that is not yet recorded.
    pub(super) unspent: Option<UsageSum>,
    /// Where the worker reaches the store, once its relay is served.
    pub(super) relay: Option<RelayEndpoint>,
    /// The last question whose answer a start of the worker received.
    pub(super) answered: Option<MessageId>,
    /// Whether the worker was asked for the report without which it ended.
    pub(super) nudged: bool,
    /// The worker's last report, if it was refused.
    pub(super) refused: RefusedReport,
    /// See [`WrapperConfig::counts_quick_failures`].
    pub(super) counts_quick_failures: bool,
}

impl ClaimedWork {
    pub(super) fn thread(&self) -> ThreadId {
        self.row.thread
    }

    /// Returns the path of git's log of the worktree's HEAD.
    pub(super) fn head_log_path(&self) -> Option<PathBuf> {
        let (git_dir, _) = read_git_folders(&self.work.work_folder()?);
        Some(git_dir?.join("logs").join("HEAD"))
    }
}

/// Claims work, and closes the store.
///
/// # Errors
/// There is no work to claim, or the store failed.
pub fn claim_work(
    mut session: Session,
    config: &WrapperConfig<'_>,
    request: &ClaimRequest,
) -> Result<ClaimedWork, Error> {
    let claimed = claim_and_record(&mut session, config, request)?;
    session.checkpoint_if_due();
    Ok(claimed)
}

/// Claims work and records the worker in one transaction, so that a wrapper that is killed right after it is found.
fn claim_and_record(
    session: &mut Session,
    config: &WrapperConfig<'_>,
    request: &ClaimRequest,
) -> Result<ClaimedWork, Error> {
    show_presence();
    let tag = random_uuid()?;
    let folder = session.store_folder().to_owned();
    let mut recorded = None;
    let response = claim_with_hook(session, None, request, &mut |tx, claimed, now| {
        let work = WorkDescription::load_claimed(tx, claimed)?;
        let log = work.log_path(&folder);
        let mut row = new_worker_row(config, work.thread, &request.holder, &log, tag.clone(), now);
        // A session that a worker of this profile left on the thread is resumed.
        let mut earlier = worker::load(tx, work.thread)?;
        if earlier.is_none() && work.payload.continues.is_some() {
            earlier = load_continued_worker(tx, claimed, &work)?;
        }
        row.session = earlier
            .filter(|earlier| earlier.profile.is_some() && earlier.profile == row.profile)
            .and_then(|earlier| earlier.session);
        worker::upsert(tx, &row)?;
        recorded = Some((work, log, row));
        Ok(())
    })?;
    let (Response::Fresh(claimed), Some((work, log, row))) = (response, recorded) else {
        unreachable!("a request without an id is never replayed")
    };
    Ok(ClaimedWork {
        digest: token::digest_token(&claimed.lease.token),
        token: claimed.lease.token,
        lease: decide::running_lease(&claimed.thread.thread).map(|lease| lease.length),
        work,
        log,
        row,
        unspent: None,
        relay: None,
        answered: claimed.thread.thread.answered.map(|answered| answered.question),
        nudged: false,
        refused: RefusedReport::default(),
        counts_quick_failures: config.counts_quick_failures(),
    })
}

/// Loads the worker of the attempt that the claimed one continues.
fn load_continued_worker(
    tx: &mut Transaction<'_>,
    claimed: &ClaimOutcome,
    work: &WorkDescription,
) -> Result<Option<Worker>, Error> {
    let continued = work.payload.continues.as_deref().and_then(parse_attempt_name);
    let Some((owner, name)) = claimed.thread.thread.head.reference.zip(continued) else { return Ok(None) };
    let attempt = attempt::load_by_number(tx, owner.task, name.number)?;
    match attempt.and_then(|attempt| attempt.thread) {
        Some(thread) => Ok(worker::load(tx, thread)?),
        None => Ok(None),
    }
}

/// Returns the record of a worker that starts now.
pub(super) fn new_worker_row(
    config: &WrapperConfig<'_>,
    thread: ThreadId,
    holder: &Slug,
    log: &Path,
    tag: String,
    now: Time,
) -> Worker {
    let profile = config.profile();
    Worker {
        thread,
        agent: holder.clone(),
        host: host_id().to_owned(),
        process: ProcessIdentity::of_current_process().to_string(),
        tag,
        profile: profile.map(|profile| profile.name.clone()),
        log: log.display().to_string(),
        grace: profile.map_or(TimeSpan::from_seconds(10), |profile| profile.grace),
        session: None,
        started_at: now,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        report: None,
        end: None,
    }
}

/// Returns a random UUID.
pub(super) fn random_uuid() -> Result<String, Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Entropy(std::io::Error::other(error)))?;
    Ok(session_uuid(random))
}
