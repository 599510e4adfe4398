//! How soon a process that waits sees a commit, and what waiting costs.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_core::time::Span;
use orch_inbox::Session;
use orch_inbox::send::{Send, send};
use orch_inbox::wait::{Wait, wait};

use crate::contention::{BODY, SUBJECT};
use crate::process::Programs;
use crate::sample::{Samples, milliseconds};
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};
use crate::{Done, clock, disk, fixture};

/// How many commits are waited for.
const ROUNDS: usize = 300;

/// How long an idle wait is watched.
const IDLE_SECONDS: u32 = 20;

/// How soon the median wake-up must come, in milliseconds.
const WAKE_MAX_MS: f64 = 5.0;

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("wake: a waiting process");
    let folder = scratch.disk("wake")?;
    let store = folder.join("orch.db");
    let mut session = fixture::open(&store)?;
    let mut probe = disk::Probe::new(&folder)?;
    let (mut after, mut whole, mut syncs) = <(Samples, Samples, Samples)>::default();
    let mut waiter = Command::new(std::env::current_exe()?)
        .args(["role", "waiter"])
        .arg(&store)
        .arg(ROUNDS.to_string())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(waiter.stdout.take().ok_or("the waiter has no output")?).lines();
    for _ in 0..ROUNDS {
        syncs.push(probe.sync()?);
        let_it_block();
        let begun = clock::monotonic()?;
        note(&mut session)?;
        let committed = clock::monotonic()?;
        let seen: u64 = lines.next().ok_or("the waiter ended early")??.parse()?;
        let seen = Duration::from_nanos(seen);
        after.push_number(milliseconds(seen) - milliseconds(committed));
        whole.push(seen.saturating_sub(begun));
        session.tend();
    }
    waiter.wait()?;
    report(&after, &whole, &syncs);
    idle(&store)
}

/// The waiter has looked and found nothing; now it is to be asleep when the commit comes.
#[expect(clippy::disallowed_methods, reason = "nothing tells from outside that a process has blocked")]
fn let_it_block() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Sends a note to the waiter.
fn note(session: &mut Session) -> Done<()> {
    let note = Send::New {
        from: fixture::slug("lead"),
        to: fixture::slug("waiter"),
        subject: SUBJECT.to_owned(),
        body: BODY.to_owned(),
        kind: ThreadKind::Note,
        priority: limit::PRIORITY_DEFAULT,
        lease: LeaseLength::DEFAULT,
        payload: None,
    };
    send(session, None, &note)?;
    Ok(())
}

/// The waiter: prints when it saw each message.
pub(crate) fn waiter(store: &Path, rounds: &str) -> Done<()> {
    let mut session = fixture::open(store)?;
    let mut cursor = MessageId(0);
    let rounds: usize = rounds.parse()?;
    let mut seen = 0;
    while seen < rounds {
        let request = Wait {
            agent: fixture::slug("waiter"),
            thread: None,
            kind: None,
            after: Some(cursor),
            timeout: Span::seconds(60),
            limit: limit::LIST_DEFAULT,
        };
        let waited = wait(&mut session, &request)?;
        println!("{}", clock::monotonic()?.as_nanos());
        seen += waited.messages.len();
        cursor = waited.cursor;
    }
    Ok(())
}

fn report(after: &Samples, whole: &Samples, syncs: &Samples) {
    let mut table = Table::new(&["from", "to", "median ms", "p99 ms", "longest ms"]);
    for (from, times) in [("the sender has its answer", after), ("the sender begins", whole)] {
        let cells = [times.median(), times.p99(), times.max()].map(number);
        table.row(
            [from.to_owned(), "the waiter has the message".to_owned()].into_iter().chain(cells).collect(),
        );
    }
    table.print();
    say(&format!(
        "Below zero: the waiter was faster than the sender's own way back. fdatasync in the same run: median {} ms, p99 {} ms.",
        number(syncs.median()),
        number(syncs.p99())
    ));
    say(&format!(
        "Target: median below {WAKE_MAX_MS} ms after the commit: {}.",
        verdict(after.median() < WAKE_MAX_MS)
    ));
}

/// What waiting for nothing costs: a long wait's processor time less that of a short one.
fn idle(store: &Path) -> Done<()> {
    let programs = Programs::beside_this()?;
    let mut short = Samples::default();
    for _ in 0..9 {
        short.push(wait_in_vain(&programs, store, "1ms")?);
    }
    let long = milliseconds(wait_in_vain(&programs, store, &format!("{IDLE_SECONDS}s"))?);
    let idle = (long - short.median()).max(0.0);
    say(&format!(
        "`inbox wait` for {IDLE_SECONDS} s in vain: {} ms of processor time, {} ms of it to start and end; so {} ms, {} % of a core, for waiting.",
        number(long),
        number(short.median()),
        number(idle),
        number(idle / f64::from(IDLE_SECONDS) / 10.0)
    ));
    Ok(())
}

fn wait_in_vain(programs: &Programs, store: &Path, timeout: &str) -> Done<Duration> {
    let words = ["wait", "--as", "nobody", "--timeout", timeout, "--empty-ok"];
    Ok(programs.run(store, "inbox", &words)?.cpu)
}
