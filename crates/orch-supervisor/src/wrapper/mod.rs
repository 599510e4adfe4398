//! The wrapper: claims work, runs a program on it, keeps the lease by its own clock, and reports what the program did not.
//!
//! It belongs to the transport: what it knows of a task it reads from the work message, as any worker does.
//! The store is open only for the instants in which something is written, so that hundreds of wrappers cost little.
//! [`claim_work`] begins and [`run_claimed_work`] goes on to the end, in the same process or, by [`ClaimedWork::to_reexec_payload`], in a fresh image of it;
//! [`launch`] says what is started, [`guard`] watches over it, and [`finish`] says what its end means.

mod cooldown;
mod finish;
mod guard;
mod launch;
mod reexec_payload;
mod work_description;

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{LeaseLength, TokenDigest};
use orch_core::message::Message;
use orch_core::run::ResourceUsage;
use orch_core::time::{Time, TimeSpan};
use orch_core::worker::{Worker as Row, WorkerEnd, WorkerOutcome};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::worker;

use crate::SupervisorError;
use guard::WorkerGuard;
use orch_inbox::claim::{self as inbox_claim, ClaimRequest};
use orch_inbox::liveness::TAG;
use orch_inbox::{Error, Response, Session, token};
use orch_process::worker::{OutputLine, run_worker};
use orch_process::{ProcessIdentity, WorkerCommand, host_id};
use orch_profile::brief::{BriefTemplate, QuestionWithAnswer};
use orch_profile::{Profile, SessionTotals};
pub use reexec_payload::ReexecPayload;
pub use work_description::WorkDescription;

/// How large the log of one worker may become.
pub const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The variable that lets `inbox done` leave the closing to the wrapper, once the worker has ended.
pub const DEFER: &str = "INBOX_DEFER";

/// How much of a line of output is looked at.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// How often a worker that was answered is started again on one thread.
const STARTS_MAX: u32 = 100;

/// What is run.
pub enum WorkerSource {
    /// This command, which reports by itself; whether exit status 0 counts as its report.
    Command {
        /// The program and its arguments.
        words: Vec<OsString>,
        /// Whether status 0 means that the work is done.
        exit_reports: bool,
    },
    /// What a profile says.
    Profile {
        /// The profile.
        profile: Box<Profile>,
        /// What its briefs are made from.
        template: Box<BriefTemplate>,
    },
}

/// How a wrapper does its work.
pub struct WrapperConfig<'a> {
    /// What is run.
    pub what: WorkerSource,
    /// Our own programs, absolute.
    pub programs: ProgramPaths,
    /// Opens the store.
    pub open: &'a dyn Fn() -> Result<Session, Error>,
    /// Where the store is, as `ORCH_STORE` takes it.
    pub store: String,
    /// How long one attempt may take.
    pub limit: Option<Duration>,
    /// Whether a worker that prints nothing for longer than its profile allows is ended.
    pub ends_silent: bool,
    /// Readable when the worker is to be ended.
    pub stop: Option<BorrowedFd<'a>>,
    /// Gets each line that the worker prints.
    pub echo: &'a mut dyn FnMut(&[u8]),
}

/// Where our own programs are.
#[derive(Clone, Debug)]
pub struct ProgramPaths {
    /// `inbox`.
    pub inbox: PathBuf,
    /// `orch`.
    pub orch: PathBuf,
}

/// How a wrapped worker went.
#[derive(Clone, Debug)]
pub struct WrapperOutcome {
    /// The thread.
    pub thread: ThreadId,
    /// How the worker ended.
    pub outcome: WorkerOutcome,
    /// Its exit status, where it ended with one.
    pub exit_status: Option<i32>,
    /// What closed the thread, where something did.
    pub message: Option<Message>,
    /// Why, in words.
    pub detail: Option<String>,
    /// The file that holds its output.
    pub log: PathBuf,
}

/// The work of a wrapper under way.
pub struct ClaimedWork {
    thread: ThreadId,
    token: String,
    digest: TokenDigest,
    holder: Slug,
    work: WorkDescription,
    log: PathBuf,
    tag: String,
    /// How long the lease is that the claim gave.
    lease: Option<LeaseLength>,
    row: Row,
    totals: SessionTotals,
    /// What the run has not been told of yet.
    unspent: ResourceUsage,
    /// The last question whose answer the worker was started with.
    answered: Option<MessageId>,
    /// Whether failures in a row say something of the profile: a script fails as its task does.
    rests: bool,
}

impl ClaimedWork {
    /// Where git notes each place that the worktree's HEAD was at.
    fn head_log_path(&self) -> Option<PathBuf> {
        let (git_dir, _) = launch::read_git_folders(&self.work.work_folder()?);
        Some(git_dir?.join("logs").join("HEAD"))
    }
}

/// Claims the work, and closes the store.
///
/// # Errors
/// There is nothing to claim, or the store failed.
pub fn claim_work(
    mut session: Session,
    wrap: &WrapperConfig<'_>,
    claim: &ClaimRequest,
) -> Result<ClaimedWork, Error> {
    let held = claim_and_record(&mut session, wrap, claim)?;
    session.checkpoint_if_due();
    Ok(held)
}

/// Runs the program on it, keeps the lease, and reports.
///
/// # Errors
/// The profile cannot be started, or the store failed.
pub fn run_claimed_work(
    mut wrap: WrapperConfig<'_>,
    mut held: ClaimedWork,
) -> Result<WrapperOutcome, SupervisorError> {
    let mut answered = None;
    for start in 0..STARTS_MAX {
        let ran = run_worker_once(&mut wrap, &mut held, start > 0, answered.take())?;
        let mut session = (wrap.open)()?;
        match finish::finish_work(&mut session, &wrap, &mut held, ran)? {
            finish::FinishOutcome::Over(wrapped) => {
                session.checkpoint_if_due();
                return Ok(wrapped);
            }
            finish::FinishOutcome::AwaitingAnswer(question) => {
                held.answered = Some(question);
                match finish::await_answer(&mut session, &wrap, &held, question)? {
                    Some(found) => answered = Some(found),
                    None => return Ok(finish::record_lost(&mut session, &mut held)?),
                }
            }
        }
        session.checkpoint_if_due();
    }
    let mut session = (wrap.open)()?;
    Ok(finish::record_lost(&mut session, &mut held)?)
}

/// Claims the work and writes down who works on it, in one transaction: whoever is killed right after it is found.
fn claim_and_record(
    session: &mut Session,
    wrap: &WrapperConfig<'_>,
    claim: &ClaimRequest,
) -> Result<ClaimedWork, Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Entropy(std::io::Error::other(error)))?;
    let tag = orch_profile::session_uuid(random);
    let folder = session.store_folder().to_owned();
    let mut begun = None;
    let claimed = inbox_claim::claim_with_hook(session, None, claim, &mut |tx, claimed, now| {
        let work = WorkDescription::load_claimed(tx, claimed)?;
        let log = work.log_path(&folder);
        let mut row = new_worker_row(wrap, work.thread, &claim.holder, &log, &tag, now);
        // A session that the same profile left there is gone on with.
        row.session = worker::load(tx, work.thread)?
            .filter(|earlier| earlier.profile.is_some() && earlier.profile == row.profile)
            .and_then(|earlier| earlier.session);
        worker::upsert(tx, &row)?;
        begun = Some((work, log, row));
        Ok(())
    })?;
    let (Response::Fresh(claimed), Some((work, log, row))) = (claimed, begun) else {
        unreachable!("a request without an id is never a repeat")
    };
    let lease = orch_core::thread::decide::running_lease(&claimed.thread.thread).map(|lease| lease.length);
    let answered = claimed.thread.thread.answered.map(|answered| answered.question);
    Ok(ClaimedWork {
        thread: row.thread,
        digest: token::digest_token(&claimed.lease.token),
        token: claimed.lease.token,
        holder: claim.holder.clone(),
        rests: wrap.counts_for_cooldown(),
        work,
        log,
        tag,
        lease,
        row,
        totals: SessionTotals::default(),
        unspent: ResourceUsage::default(),
        answered,
    })
}

/// Who works on a thread from now on.
fn new_worker_row(
    wrap: &WrapperConfig<'_>,
    thread: ThreadId,
    holder: &Slug,
    log: &Path,
    tag: &str,
    now: Time,
) -> Row {
    let profile = wrap.profile();
    Row {
        thread,
        agent: holder.clone(),
        host: host_id().to_owned(),
        process: ProcessIdentity::of_current_process().to_string(),
        tag: tag.to_owned(),
        profile: profile.map(|profile| profile.name.clone()),
        log: log.display().to_string(),
        grace: profile.map_or(TimeSpan::from_seconds(10), |profile| profile.grace),
        session: None,
        started_at: now,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        tokens: 0,
        cost_micros: 0,
        report: None,
        end: None,
    }
}

impl WrapperConfig<'_> {
    /// The worker's profile, where it has one.
    fn profile(&self) -> Option<&Profile> {
        match &self.what {
            WorkerSource::Profile { profile, .. } => Some(profile),
            WorkerSource::Command { .. } => None,
        }
    }

    /// Whether failures in a row say something of the profile.
    fn counts_for_cooldown(&self) -> bool {
        self.profile().is_some_and(|profile| profile.report == orch_profile::ResponsibleParty::Worker)
    }
}

/// What one start of the worker came to.
struct WorkerStartResult {
    went: orch_process::worker::WorkerResult,
    story: Option<orch_profile::ClientSummary>,
    verdict: guard::EndReason,
}

/// Starts the worker and watches it to its end.
fn run_worker_once(
    wrap: &mut WrapperConfig<'_>,
    held: &mut ClaimedWork,
    again: bool,
    answered: Option<QuestionWithAnswer>,
) -> Result<WorkerStartResult, SupervisorError> {
    let launch = launch::prepare_launch(wrap, held, again, answered)?;
    held.row.session = launch.session.clone().or(held.row.session.take());
    let reader = match &wrap.what {
        WorkerSource::Profile { profile, .. } => Some(profile.event_reader(held.totals)),
        WorkerSource::Command { .. } => None,
    };
    let tag = held.tag.clone();
    let log = held.log.clone();
    let grace = Duration::from_millis(u64::try_from(held.row.grace.0).unwrap_or(0));
    let mut guard = WorkerGuard::new(wrap.open, held, reader, wrap.limit, launch.silence, wrap.ends_silent);
    let mut watcher = EchoingObserver { guard: &mut guard, echo: &mut *wrap.echo };
    let went = run_worker(
        &WorkerCommand {
            command: &launch.words,
            folder: &launch.folder,
            environment: &launch.environment,
            tag: orch_process::Tag { name: TAG, value: &tag },
            input: launch.worker_input(),
            log: &log,
            log_bytes_max: LOG_BYTES_MAX,
            line_bytes_max: LINE_BYTES_MAX,
            grace,
            stop: wrap.stop,
        },
        &mut watcher,
    );
    let (story, verdict) = guard.into_summary();
    if let Some(story) = &story {
        held.totals = story.totals;
        held.row.session = story.session.clone().or(held.row.session.take());
    }
    drop(launch);
    Ok(WorkerStartResult { went, story, verdict })
}

/// A guard that hands lines on as well.
struct EchoingObserver<'a, 'b> {
    guard: &'a mut WorkerGuard<'b>,
    echo: &'a mut dyn FnMut(&[u8]),
}

impl orch_process::worker::WorkerObserver for EchoingObserver<'_, '_> {
    fn on_line(&mut self, line: OutputLine<'_>) {
        (self.echo)(line.bytes);
        self.guard.record_line(line);
    }

    fn next_tick_at(&self) -> Option<std::time::Instant> {
        self.guard.next_tick_at()
    }

    fn on_tick(&mut self, seen: orch_process::worker::WorkerTiming) -> orch_process::worker::TickDecision {
        self.guard.check_and_record(seen)
    }
}

/// Writes down how a worker ended.
fn record_end(
    session: &mut Session,
    held: &mut ClaimedWork,
    outcome: WorkerOutcome,
    detail: Option<String>,
) -> Result<(), Error> {
    session.write(WriteDurability::Power, |tx, now| {
        // What it wanted to be reported was written by another process.
        held.row.report = worker::load(tx, held.thread)?.and_then(|row| row.report);
        held.row.end = Some(WorkerEnd { at: now, outcome, detail: detail.clone() });
        worker::upsert(tx, &held.row)?;
        // Scripts end soon by nature; that they cannot be started is no more natural for them than for others.
        let of_all = matches!(
            outcome,
            WorkerOutcome::CouldNotStart | WorkerOutcome::Provider | WorkerOutcome::Reported
        );
        if held.rests || of_all {
            cooldown::record_outcome(tx, &held.row, outcome, detail.as_deref(), now)?;
        }
        Ok(TxEnd::Commit(()))
    })
}
