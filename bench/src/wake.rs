//! How soon a process that waits sees a commit, and what waiting costs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_inbox::send::{SendRequest, send_message};
use orch_inbox::wait::{MessageWaitRequest, wait_for_messages};

use crate::contention::{BODY, SUBJECT};
use crate::process::BuiltPrograms;
use crate::sample::{TimeSamples, to_milliseconds};
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};
use crate::{BenchResult, clock, disk, fixture};

/// How many commits are waited for.
const ROUNDS: usize = 300;

/// How long an idle wait is watched.
const IDLE_SECONDS: u32 = 20;

/// How soon the median wake-up must come, in milliseconds.
const WAKE_MAX_MS: f64 = 5.0;

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("wake: a waiting process");
    let folder = scratch.disk_folder("wake")?;
    let store = folder.join("orch.db");
    let mut session = fixture::open_session(&store)?;
    let mut probe = disk::SyncProbe::new(&folder)?;
    let (mut after, mut whole, mut syncs) = <(TimeSamples, TimeSamples, TimeSamples)>::default();
    let mut waiter = Command::new(std::env::current_exe()?)
        .args(["role", "waiter"])
        .arg(&store)
        .arg(ROUNDS.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(waiter.stdout.take().ok_or("the waiter has no output")?).lines();
    for _ in 0..ROUNDS {
        syncs.push(probe.time_sync()?);
        wait_until_blocked();
        let begun = clock::monotonic_time()?;
        send_note(&mut session)?;
        let committed = clock::monotonic_time()?;
        let seen: u64 = lines.next().ok_or("the waiter ended early")??.parse()?;
        let seen = Duration::from_nanos(seen);
        after.push_number(to_milliseconds(seen) - to_milliseconds(committed));
        whole.push(seen.saturating_sub(begun));
        session.checkpoint_if_due();
    }
    waiter.wait()?;
    print_report(&after, &whole, &syncs);
    measure_idle_wait(&store)
}

/// The waiter has looked and found nothing; now it is to be asleep when the commit comes.
#[expect(clippy::disallowed_methods, reason = "nothing tells from outside that a process has blocked")]
fn wait_until_blocked() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Sends a note to the waiter.
fn send_note(session: &mut Session) -> BenchResult<()> {
    let note = SendRequest::NewThread {
        from: fixture::parse_slug("lead"),
        to: fixture::parse_slug("waiter"),
        subject: SUBJECT.to_owned(),
        body: BODY.to_owned(),
        kind: ThreadKind::Note,
        priority: limit::PRIORITY_DEFAULT,
        lease: LeaseLength::DEFAULT,
        payload: None,
    };
    send_message(session, None, &note)?;
    Ok(())
}

/// The waiter: prints when it saw each message.
pub(crate) fn run_waiter(store: &Path, rounds: &str) -> BenchResult<()> {
    let mut session = fixture::open_session(store)?;
    let mut cursor = MessageId(0);
    let rounds: usize = rounds.parse()?;
    let mut seen = 0;
    while seen < rounds {
        let request = MessageWaitRequest {
            agent: fixture::parse_slug("waiter"),
            thread: None,
            kind: None,
            after: Some(cursor),
            timeout: TimeSpan::from_seconds(60),
            limit: limit::LIST_DEFAULT,
        };
        let waited = wait_for_messages(&mut session, &request)?;
        println!("{}", clock::monotonic_time()?.as_nanos());
        seen += waited.messages.len();
        cursor = waited.cursor;
    }
    Ok(())
}

fn print_report(after: &TimeSamples, whole: &TimeSamples, syncs: &TimeSamples) {
    let mut table = ReportTable::new(&["from", "to", "median ms", "p99 ms", "longest ms"]);
    for (from, times) in [("the sender has its answer", after), ("the sender begins", whole)] {
        let cells = [times.median(), times.p99(), times.max()].map(format_number);
        table.push_row(
            [from.to_owned(), "the waiter has the message".to_owned()].into_iter().chain(cells).collect(),
        );
    }
    table.print();
    print_sentence(&format!(
        "Below zero: the waiter was faster than the sender's own way back. fdatasync in the same run: median {} ms, p99 {} ms.",
        format_number(syncs.median()),
        format_number(syncs.p99())
    ));
    print_sentence(&format!(
        "Target: median below {WAKE_MAX_MS} ms after the commit: {}.",
        verdict_text(after.median() < WAKE_MAX_MS)
    ));
}

/// What waiting for nothing costs: a long wait's processor time less that of a short one.
fn measure_idle_wait(store: &Path) -> BenchResult<()> {
    let programs = BuiltPrograms::beside_this()?;
    let mut short = TimeSamples::default();
    for _ in 0..9 {
        short.push(time_empty_wait(&programs, store, "1ms")?);
    }
    let long = to_milliseconds(time_empty_wait(&programs, store, &format!("{IDLE_SECONDS}s"))?);
    let idle = (long - short.median()).max(0.0);
    print_sentence(&format!(
        "`inbox wait` for {IDLE_SECONDS} s in vain: {} ms of processor time, {} ms of it to start and end; so {} ms, {} % of a core, for waiting.",
        format_number(long),
        format_number(short.median()),
        format_number(idle),
        format_number(idle / f64::from(IDLE_SECONDS) / 10.0)
    ));
    Ok(())
}

fn time_empty_wait(programs: &BuiltPrograms, store: &Path, timeout: &str) -> BenchResult<Duration> {
    let words = ["wait", "--as", "nobody", "--timeout", timeout, "--empty-ok"];
    Ok(programs.run_program(store, "inbox", &words)?.cpu)
}
