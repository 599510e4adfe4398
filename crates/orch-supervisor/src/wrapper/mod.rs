//! The wrapper: claims work, runs a program on it, keeps the lease by its own clock, and reports what the program did not.
//!
//! It belongs to the transport: what it knows of a task it reads from the work message, as any worker does.
//! The store is open only for the instants in which something is written, so that hundreds of wrappers cost little.
//! [`claim`] begins and [`keep`] goes on to the end, in the same process or, by [`Held::note`], in a fresh image of it;
//! [`launch`] says what is started, [`guard`] watches over it, and [`finish`] says what its end means.

mod finish;
mod guard;
mod launch;
mod note;
mod rest;
mod work;

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::lease::{LeaseLength, TokenDigest};
use orch_core::message::Message;
use orch_core::run::Spent;
use orch_core::time::{Span, Time};
use orch_core::worker::{Worker as Row, WorkerEnd, WorkerOutcome};
use orch_store::Ending;
use orch_store::driver::Durability;
use orch_store::table::worker;

use crate::SupervisorError;
use guard::Guard;
pub use note::Note;
use orch_inbox::claim::{self as inbox_claim, Claim};
use orch_inbox::liveness::TAG;
use orch_inbox::{Answer, Error, Session, token};
use orch_process::worker::{Line, run_worker};
use orch_process::{ProcessIdentity, Worker, host};
use orch_profile::brief::{Answered, Template};
use orch_profile::{Profile, Totals};
pub use work::Work;

/// How large the log of one worker may become.
pub const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The variable that lets `inbox done` leave the closing to the wrapper, once the worker has ended.
pub const DEFER: &str = "INBOX_DEFER";

/// How much of a line of output is looked at.
const LINE_BYTES_MAX: usize = 256 * 1024;

/// How often a worker that was answered is started again on one thread.
const STARTS_MAX: u32 = 100;

/// What is run.
pub enum What {
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
        template: Box<Template>,
    },
}

/// How a wrapper does its work.
pub struct Wrap<'a> {
    /// What is run.
    pub what: What,
    /// Our own programs, absolute.
    pub programs: Programs,
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
pub struct Programs {
    /// `inbox`.
    pub inbox: PathBuf,
    /// `orch`.
    pub orch: PathBuf,
}

/// How a wrapped worker went.
#[derive(Clone, Debug)]
pub struct Wrapped {
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
pub struct Held {
    thread: ThreadId,
    token: String,
    digest: TokenDigest,
    holder: Slug,
    work: Work,
    log: PathBuf,
    tag: String,
    /// How long the lease is that the claim gave.
    lease: Option<LeaseLength>,
    row: Row,
    totals: Totals,
    /// What the run has not been told of yet.
    unspent: Spent,
    /// The last question whose answer the worker was started with.
    answered: Option<MessageId>,
    /// Whether failures in a row say something of the profile: a script fails as its task does.
    rests: bool,
}

impl Held {
    /// Where git notes each place that the worktree's HEAD was at.
    fn head_log(&self) -> Option<PathBuf> {
        let (git_dir, _) = launch::git_folders(&self.work.folder()?);
        Some(git_dir?.join("logs").join("HEAD"))
    }
}

/// Claims the work, and closes the store.
///
/// # Errors
/// There is nothing to claim, or the store failed.
pub fn claim(mut session: Session, wrap: &Wrap<'_>, claim: &Claim) -> Result<Held, Error> {
    let held = begin(&mut session, wrap, claim)?;
    session.tend();
    Ok(held)
}

/// Runs the program on it, keeps the lease, and reports.
///
/// # Errors
/// The profile cannot be started, or the store failed.
pub fn keep(mut wrap: Wrap<'_>, mut held: Held) -> Result<Wrapped, SupervisorError> {
    let mut answered = None;
    for start in 0..STARTS_MAX {
        let ran = once(&mut wrap, &mut held, start > 0, answered.take())?;
        let mut session = (wrap.open)()?;
        match finish::finish(&mut session, &wrap, &mut held, ran)? {
            finish::Finished::Over(wrapped) => {
                session.tend();
                return Ok(wrapped);
            }
            finish::Finished::Asked(question) => {
                held.answered = Some(question);
                match finish::await_answer(&mut session, &wrap, &held, question)? {
                    Some(found) => answered = Some(found),
                    None => return Ok(finish::gone(&mut session, &mut held)?),
                }
            }
        }
        session.tend();
    }
    let mut session = (wrap.open)()?;
    Ok(finish::gone(&mut session, &mut held)?)
}

/// Claims the work and writes down who works on it, in one transaction: whoever is killed right after it is found.
fn begin(session: &mut Session, wrap: &Wrap<'_>, claim: &Claim) -> Result<Held, Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Entropy(std::io::Error::other(error)))?;
    let tag = orch_profile::session_id(random);
    let folder = session.store_folder().to_owned();
    let mut begun = None;
    let claimed = inbox_claim::claim_and(session, None, claim, &mut |tx, claimed, now| {
        let work = Work::read(tx, claimed)?;
        let log = work.log(&folder);
        let mut row = new_row(wrap, work.thread, &claim.holder, &log, &tag, now);
        // A session that the same profile left there is gone on with.
        row.session = worker::load(tx, work.thread)?
            .filter(|earlier| earlier.profile.is_some() && earlier.profile == row.profile)
            .and_then(|earlier| earlier.session);
        worker::put(tx, &row)?;
        begun = Some((work, log, row));
        Ok(())
    })?;
    let (Answer::Fresh(claimed), Some((work, log, row))) = (claimed, begun) else {
        unreachable!("a request without an id is never a repeat")
    };
    let lease = orch_core::thread::decide::lease(&claimed.thread.thread).map(|lease| lease.length);
    let answered = claimed.thread.thread.answered.map(|answered| answered.question);
    Ok(Held {
        thread: row.thread,
        digest: token::digest(&claimed.lease.token),
        token: claimed.lease.token,
        holder: claim.holder.clone(),
        rests: wrap.rests(),
        work,
        log,
        tag,
        lease,
        row,
        totals: Totals::default(),
        unspent: Spent::default(),
        answered,
    })
}

/// Who works on a thread from now on.
fn new_row(wrap: &Wrap<'_>, thread: ThreadId, holder: &Slug, log: &Path, tag: &str, now: Time) -> Row {
    let profile = wrap.profile();
    Row {
        thread,
        agent: holder.clone(),
        host: host().to_owned(),
        process: ProcessIdentity::own().to_string(),
        tag: tag.to_owned(),
        profile: profile.map(|profile| profile.name.clone()),
        log: log.display().to_string(),
        grace: profile.map_or(Span::seconds(10), |profile| profile.grace),
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

impl Wrap<'_> {
    /// The worker's profile, where it has one.
    fn profile(&self) -> Option<&Profile> {
        match &self.what {
            What::Profile { profile, .. } => Some(profile),
            What::Command { .. } => None,
        }
    }

    /// Whether failures in a row say something of the profile.
    fn rests(&self) -> bool {
        self.profile().is_some_and(|profile| profile.report == orch_profile::Actor::Worker)
    }
}

/// What one start of the worker came to.
struct Ran {
    went: orch_process::worker::WorkerRun,
    story: Option<orch_profile::Story>,
    verdict: guard::Why,
}

/// Starts the worker and watches it to its end.
fn once(
    wrap: &mut Wrap<'_>,
    held: &mut Held,
    again: bool,
    answered: Option<Answered>,
) -> Result<Ran, SupervisorError> {
    let launch = launch::launch(wrap, held, again, answered)?;
    held.row.session = launch.session.clone().or(held.row.session.take());
    let reader = match &wrap.what {
        What::Profile { profile, .. } => Some(profile.reader(held.totals)),
        What::Command { .. } => None,
    };
    let tag = held.tag.clone();
    let log = held.log.clone();
    let grace = Duration::from_millis(u64::try_from(held.row.grace.0).unwrap_or(0));
    let mut guard = Guard::new(wrap.open, held, reader, wrap.limit, launch.silence, wrap.ends_silent);
    let mut watcher = Echoing { guard: &mut guard, echo: &mut *wrap.echo };
    let went = run_worker(
        &Worker {
            command: &launch.words,
            folder: &launch.folder,
            environment: &launch.environment,
            tag: orch_process::Tag { name: TAG, value: &tag },
            input: launch.input(),
            log: &log,
            log_bytes_max: LOG_BYTES_MAX,
            line_bytes_max: LINE_BYTES_MAX,
            grace,
            stop: wrap.stop,
        },
        &mut watcher,
    );
    let (story, verdict) = guard.end();
    if let Some(story) = &story {
        held.totals = story.totals;
        held.row.session = story.session.clone().or(held.row.session.take());
    }
    drop(launch);
    Ok(Ran { went, story, verdict })
}

/// A guard that hands lines on as well.
struct Echoing<'a, 'b> {
    guard: &'a mut Guard<'b>,
    echo: &'a mut dyn FnMut(&[u8]),
}

impl orch_process::worker::Watcher for Echoing<'_, '_> {
    fn line(&mut self, line: Line<'_>) {
        (self.echo)(line.bytes);
        self.guard.line(line);
    }

    fn due(&self) -> Option<std::time::Instant> {
        self.guard.due()
    }

    fn tick(&mut self, seen: orch_process::worker::Seen) -> orch_process::worker::Verdict {
        self.guard.tick(seen)
    }
}

/// Writes down how a worker ended.
fn note_end(
    session: &mut Session,
    held: &mut Held,
    outcome: WorkerOutcome,
    detail: Option<String>,
) -> Result<(), Error> {
    session.write(Durability::Power, |tx, now| {
        // What it wanted to be reported was written by another process.
        held.row.report = worker::load(tx, held.thread)?.and_then(|row| row.report);
        held.row.end = Some(WorkerEnd { at: now, outcome, detail: detail.clone() });
        worker::put(tx, &held.row)?;
        // Scripts end soon by nature; that they cannot be started is no more natural for them than for others.
        let of_all = matches!(
            outcome,
            WorkerOutcome::CouldNotStart | WorkerOutcome::Provider | WorkerOutcome::Reported
        );
        if held.rests || of_all {
            rest::note(tx, &held.row, outcome, detail.as_deref(), now)?;
        }
        Ok(Ending::Keep(()))
    })
}
