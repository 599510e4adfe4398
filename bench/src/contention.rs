//! Many writers at once: `send`, `claim` and `done` from eight processes with open connections.
//!
//! Each side runs on a store of its own, in turn with the other. A worker is this program again, in another role.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_inbox::claim::{ClaimOutcome, ClaimRequest, claim_thread};
use orch_inbox::close::{ThreadCloseRequest, ThreadResult, close_thread};
use orch_inbox::send::{SendRequest, send_message};
use orch_inbox::{Response, Session};
use rusqlite::Connection;

use crate::process::BuiltPrograms;
use crate::raw_sqlite::{self, BusyHandler};
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};
use crate::{BenchResult, disk, fixture};

/// The texts of every work.
pub(crate) const SUBJECT: &str = "Part of the work";
pub(crate) const BODY: &str = "Do this part of the work as the goal says, and say what you did.";
pub(crate) const RESULT: &str = "This part is done, and the tests pass.";

/// How many processes write at once.
const WORKERS: usize = 8;

/// How often each side has its turn.
const TURNS: usize = 7;

/// How long a turn is.
const TURN: Duration = Duration::from_secs(3);

/// The part of bare SQLite's throughput that the engine must reach.
const PART_MIN: f64 = 0.7;

/// The longest wait that is allowed, in milliseconds.
const WAIT_MAX_MS: f64 = 1_000.0;

/// Who takes a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentionSide {
    Engine,
    Bare(BusyHandler),
    Commands,
}

impl ContentionSide {
    const ALL: [Self; 4] =
        [Self::Engine, Self::Bare(BusyHandler::Flat), Self::Bare(BusyHandler::BuiltIn), Self::Commands];

    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Bare(BusyHandler::Flat) => "bare SQLite, waiting in short steps",
            Self::Bare(BusyHandler::BuiltIn) => "bare SQLite, its own busy timeout",
            Self::Commands => "one-shot commands",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Bare(BusyHandler::Flat) => "bare-flat",
            Self::Bare(BusyHandler::BuiltIn) => "bare-built-in",
            Self::Commands => "commands",
        }
    }
}

/// What one side did in one turn.
#[derive(Default)]
struct TurnResult {
    cycles: f64,
    slowest_worker: f64,
    fastest_worker: f64,
    operations: TimeSamples,
}

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("contention: send + claim + done from 8 processes at once");
    let folder = scratch.disk_folder("contention")?;
    let mut probe = disk::SyncProbe::new(&folder)?;
    let mut syncs = TimeSamples::default();
    let mut turns: Vec<Vec<TurnResult>> = ContentionSide::ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..TURNS {
        for (side, turns) in ContentionSide::ALL.into_iter().zip(&mut turns) {
            for _ in 0..10 {
                syncs.push(probe.time_sync()?);
            }
            turns.push(take_turn(side, &folder.join(side.role()).join("orch.db"))?);
        }
    }
    print_report(&turns, &syncs);
    for side in ContentionSide::ALL {
        let rows = rows_of_a_cycle(&folder.join(side.role()).join("orch.db"))?;
        print_sentence(&format!("Rows of a cycle, {}: {rows}.", side.name()));
    }
    Ok(())
}

/// How many rows each table got per thread: on every side the same.
fn rows_of_a_cycle(store: &Path) -> BenchResult<String> {
    let connection = Connection::open(store)?;
    let count = |table: &str| -> BenchResult<f64> {
        let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        Ok(count)
    };
    let threads = count("thread")?;
    let tables = ["thread", "message", "event", "lease_token"];
    let rows = tables.map(|table| Ok(format!("{} of {table}", format_number(count(table)? / threads))));
    Ok(rows.into_iter().collect::<BenchResult<Vec<_>>>()?.join(", "))
}

/// All workers of a side write for one turn.
fn take_turn(side: ContentionSide, store: &Path) -> BenchResult<TurnResult> {
    match side {
        ContentionSide::Engine | ContentionSide::Commands => drop(fixture::open_session(store)?),
        ContentionSide::Bare(_) => drop(raw_sqlite::open_store(store)?),
    }
    let this = std::env::current_exe()?;
    let workers = (0..WORKERS).map(|number| {
        let mut command = Command::new(&this);
        command.args(["role", side.role()]).arg(store).arg(format!("worker-{number}"));
        command.stdout(Stdio::piped()).spawn()
    });
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    let mut turn = TurnResult { slowest_worker: f64::INFINITY, ..TurnResult::default() };
    for worker in workers {
        let output = worker.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("a worker of {} ended with {}", side.name(), output.status).into());
        }
        let times: Vec<f64> = serde_json::from_slice(&output.stdout)?;
        times.iter().for_each(|time| turn.operations.push_number(*time));
        let cycles = times.len() as f64 / 3.0 / TURN.as_secs_f64();
        turn.cycles += cycles;
        turn.slowest_worker = turn.slowest_worker.min(cycles);
        turn.fastest_worker = turn.fastest_worker.max(cycles);
    }
    Ok(turn)
}

fn print_report(turns: &[Vec<TurnResult>], syncs: &TimeSamples) {
    let mut table = ReportTable::new(&[
        "side",
        "cycles/s, median",
        "of bare",
        "slowest worker",
        "fastest worker",
        "operation, median ms",
        "p99 ms",
        "longest ms",
    ]);
    let rates = |side: usize| {
        let mut rates = TimeSamples::default();
        turns[side].iter().for_each(|turn| rates.push_number(turn.cycles));
        rates
    };
    let bare = rates(1);
    let mut all = Vec::new();
    for (index, side) in ContentionSide::ALL.into_iter().enumerate() {
        let mut operations = TimeSamples::default();
        let (mut slowest, mut fastest) = (TimeSamples::default(), TimeSamples::default());
        for turn in &turns[index] {
            operations.append(&turn.operations);
            slowest.push_number(turn.slowest_worker);
            fastest.push_number(turn.fastest_worker);
        }
        let part = rates(index).ratio_to(&bare).median();
        table.push_row(vec![
            side.name().to_owned(),
            format_number(rates(index).median()),
            format_number(part),
            format_number(slowest.median()),
            format_number(fastest.median()),
            format_number(operations.median()),
            format_number(operations.p99()),
            format_number(operations.max()),
        ]);
        all.push((part, operations.max()));
    }
    table.print();
    let (part, longest) = all[0];
    print_sentence(&format!(
        "Target: at least {PART_MIN} of bare SQLite with the same rows, indexes and durability: {}. Worst wait below 1 s: {}.",
        verdict_text(part >= PART_MIN),
        verdict_text(longest < WAIT_MAX_MS),
    ));
    print_sentence(&format!(
        "A cycle is three durable commits. fdatasync in the same run: median {} ms, p99 {} ms.",
        format_number(syncs.median()),
        format_number(syncs.p99())
    ));
}

/// A worker: writes for one turn, then prints how long each operation took.
pub(crate) fn run_worker(role: &str, store: &Path, name: &str) -> BenchResult<()> {
    let times = match role {
        "engine" => {
            BenchWorker { name, times: Vec::new(), hand: fixture::open_session(store)? }.run_cycles()?
        }
        "commands" => {
            let hand = CliBackend { programs: BuiltPrograms::beside_this()?, store: store.to_owned() };
            BenchWorker { name, times: Vec::new(), hand }.run_cycles()?
        }
        "bare-flat" => bare_worker(store, name, BusyHandler::Flat)?,
        "bare-built-in" => bare_worker(store, name, BusyHandler::BuiltIn)?,
        _ => return Err(format!("there is no role {role}").into()),
    };
    println!("{}", serde_json::to_string(&times)?);
    Ok(())
}

fn bare_worker(store: &Path, name: &str, patience: BusyHandler) -> BenchResult<Vec<f64>> {
    let mut hand = raw_sqlite::open_store(store)?;
    raw_sqlite::set_busy_handler(&mut hand, patience)?;
    BenchWorker { name, times: Vec::new(), hand }.run_cycles()
}

/// What a worker writes with.
trait WorkerBackend {
    /// Sends one work.
    fn send_work(&mut self) -> BenchResult<()>;
    /// Claims one work; returns its thread and token. There is always one: everybody sends before claiming.
    fn claim_work(&mut self, holder: &str) -> BenchResult<(i64, String)>;
    /// Closes it.
    fn finish_work(&mut self, holder: &str, claimed: &(i64, String)) -> BenchResult<()>;
}

struct BenchWorker<'a, H> {
    name: &'a str,
    times: Vec<f64>,
    hand: H,
}

impl<H: WorkerBackend> BenchWorker<'_, H> {
    fn run_cycles(mut self) -> BenchResult<Vec<f64>> {
        let begin = Instant::now();
        while begin.elapsed() < TURN {
            let at = Instant::now();
            self.hand.send_work()?;
            let sent = Instant::now();
            let claimed = self.hand.claim_work(self.name)?;
            let held = Instant::now();
            self.hand.finish_work(self.name, &claimed)?;
            let spans = [sent - at, held - sent, held.elapsed()];
            self.times.extend(spans.map(crate::sample::to_milliseconds));
        }
        Ok(self.times)
    }
}

impl WorkerBackend for Session {
    fn send_work(&mut self) -> BenchResult<()> {
        let work = SendRequest::NewThread {
            from: fixture::parse_slug("lead"),
            to: fixture::parse_slug("queue"),
            subject: SUBJECT.to_owned(),
            body: BODY.to_owned(),
            kind: ThreadKind::Work,
            priority: limit::PRIORITY_DEFAULT,
            lease: LeaseLength::DEFAULT,
            payload: None,
        };
        send_message(self, None, &work)?;
        self.checkpoint_if_due();
        Ok(())
    }

    fn claim_work(&mut self, holder: &str) -> BenchResult<(i64, String)> {
        let queue = Some(fixture::parse_slug("queue"));
        let holder = fixture::parse_slug(holder);
        let request = ClaimRequest { queue, holder, thread: None, lease: None, wait: None, again: false };
        let Response::Fresh(ClaimOutcome { thread, lease, .. }) = claim_thread(self, None, &request)? else {
            return Err("a claim without a request id was repeated".into());
        };
        self.checkpoint_if_due();
        Ok((thread.thread.id.0, lease.token))
    }

    fn finish_work(&mut self, _holder: &str, claimed: &(i64, String)) -> BenchResult<()> {
        let outcome = ThreadResult::Done { result: RESULT.to_owned(), payload: None, artifacts: Vec::new() };
        let request = ThreadCloseRequest {
            thread: ThreadId(claimed.0),
            token: claimed.1.clone(),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        close_thread(self, None, &request)?;
        self.checkpoint_if_due();
        Ok(())
    }
}

impl WorkerBackend for Connection {
    fn send_work(&mut self) -> BenchResult<()> {
        raw_sqlite::insert_send_rows(self, unix_millis())?;
        Ok(())
    }

    fn claim_work(&mut self, holder: &str) -> BenchResult<(i64, String)> {
        // As long as a digest of a token; it need not be one.
        let token = format!(
            "{:064x}",
            u128::from(std::process::id()) << 64 | u128::from(unix_millis().unsigned_abs())
        );
        let thread = raw_sqlite::insert_claim_rows(self, holder, &token, unix_millis())?
            .ok_or("there is nothing to claim")?;
        Ok((thread, token))
    }

    fn finish_work(&mut self, holder: &str, claimed: &(i64, String)) -> BenchResult<()> {
        raw_sqlite::insert_done_rows(self, claimed.0, holder, &claimed.1, unix_millis())
    }
}

/// A shell that types one command after the other.
struct CliBackend {
    programs: BuiltPrograms,
    store: PathBuf,
}

impl WorkerBackend for CliBackend {
    fn send_work(&mut self) -> BenchResult<()> {
        let words = ["send", "--to", "queue", "--from", "lead", "--subject", SUBJECT, "--body", BODY];
        self.programs.run_program(&self.store, "inbox", &words)?;
        Ok(())
    }

    fn claim_work(&mut self, holder: &str) -> BenchResult<(i64, String)> {
        let answer =
            self.programs.run_program(&self.store, "inbox", &["claim", "--for", "queue", "--as", holder])?;
        parse_claim(&answer.stdout)
    }

    fn finish_work(&mut self, holder: &str, claimed: &(i64, String)) -> BenchResult<()> {
        let thread = ThreadId(claimed.0).to_string();
        let words = ["done", &thread, "--token", &claimed.1, "--as", holder, "--result", RESULT];
        self.programs.run_program(&self.store, "inbox", &words)?;
        Ok(())
    }
}

/// The thread and the token that `inbox claim` answered.
pub(crate) fn parse_claim(answer: &str) -> BenchResult<(i64, String)> {
    let answer: serde_json::Value = serde_json::from_str(answer)?;
    let thread = answer["data"]["thread"]["id"].as_str().and_then(ThreadId::parse);
    let token = answer["data"]["lease"]["token"].as_str();
    let (thread, token) = thread.zip(token).ok_or("the claim's answer names no thread or token")?;
    Ok((thread.0, token.to_owned()))
}

fn unix_millis() -> i64 {
    orch_inbox::clock::Clock::now(&orch_inbox::clock::SystemClock).0
}
