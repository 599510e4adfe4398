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
use orch_inbox::claim::{Claim, Claimed, claim};
use orch_inbox::close::{Close, Outcome, close};
use orch_inbox::send::{Send, send};
use orch_inbox::{Answer, Session};
use rusqlite::Connection;

use crate::bare::{self, Patience};
use crate::process::Programs;
use crate::sample::Samples;
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};
use crate::{Done, disk, fixture};

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
enum Side {
    Engine,
    Bare(Patience),
    Commands,
}

impl Side {
    const ALL: [Self; 4] =
        [Self::Engine, Self::Bare(Patience::Flat), Self::Bare(Patience::BuiltIn), Self::Commands];

    fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Bare(Patience::Flat) => "bare SQLite, waiting in short steps",
            Self::Bare(Patience::BuiltIn) => "bare SQLite, its own busy timeout",
            Self::Commands => "one-shot commands",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Bare(Patience::Flat) => "bare-flat",
            Self::Bare(Patience::BuiltIn) => "bare-built-in",
            Self::Commands => "commands",
        }
    }
}

/// What one side did in one turn.
#[derive(Default)]
struct Turn {
    cycles: f64,
    slowest_worker: f64,
    fastest_worker: f64,
    operations: Samples,
}

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("contention: send + claim + done from 8 processes at once");
    let folder = scratch.disk("contention")?;
    let mut probe = disk::Probe::new(&folder)?;
    let mut syncs = Samples::default();
    let mut turns: Vec<Vec<Turn>> = Side::ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..TURNS {
        for (side, turns) in Side::ALL.into_iter().zip(&mut turns) {
            for _ in 0..10 {
                syncs.push(probe.sync()?);
            }
            turns.push(take_turn(side, &folder.join(side.role()).join("orch.db"))?);
        }
    }
    report(&turns, &syncs);
    for side in Side::ALL {
        let rows = rows_of_a_cycle(&folder.join(side.role()).join("orch.db"))?;
        say(&format!("Rows of a cycle, {}: {rows}.", side.name()));
    }
    Ok(())
}

/// How many rows each table got per thread: on every side the same.
fn rows_of_a_cycle(store: &Path) -> Done<String> {
    let connection = Connection::open(store)?;
    let count = |table: &str| -> Done<f64> {
        let count = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        Ok(count)
    };
    let threads = count("thread")?;
    let tables = ["thread", "message", "event", "lease_token"];
    let rows = tables.map(|table| Ok(format!("{} of {table}", number(count(table)? / threads))));
    Ok(rows.into_iter().collect::<Done<Vec<_>>>()?.join(", "))
}

/// All workers of a side write for one turn.
fn take_turn(side: Side, store: &Path) -> Done<Turn> {
    match side {
        Side::Engine | Side::Commands => drop(fixture::open(store)?),
        Side::Bare(_) => drop(bare::open(store)?),
    }
    let this = std::env::current_exe()?;
    let workers = (0..WORKERS).map(|number| {
        let mut command = Command::new(&this);
        command.args(["role", side.role()]).arg(store).arg(format!("worker-{number}"));
        command.stdout(Stdio::piped()).spawn()
    });
    let workers = workers.collect::<Result<Vec<_>, _>>()?;
    let mut turn = Turn { slowest_worker: f64::INFINITY, ..Turn::default() };
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

fn report(turns: &[Vec<Turn>], syncs: &Samples) {
    let mut table = Table::new(&[
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
        let mut rates = Samples::default();
        turns[side].iter().for_each(|turn| rates.push_number(turn.cycles));
        rates
    };
    let bare = rates(1);
    let mut all = Vec::new();
    for (index, side) in Side::ALL.into_iter().enumerate() {
        let mut operations = Samples::default();
        let (mut slowest, mut fastest) = (Samples::default(), Samples::default());
        for turn in &turns[index] {
            operations.append(&turn.operations);
            slowest.push_number(turn.slowest_worker);
            fastest.push_number(turn.fastest_worker);
        }
        let part = rates(index).over(&bare).median();
        table.row(vec![
            side.name().to_owned(),
            number(rates(index).median()),
            number(part),
            number(slowest.median()),
            number(fastest.median()),
            number(operations.median()),
            number(operations.p99()),
            number(operations.max()),
        ]);
        all.push((part, operations.max()));
    }
    table.print();
    let (part, longest) = all[0];
    say(&format!(
        "Target: at least {PART_MIN} of bare SQLite with the same rows, indexes and durability: {}. Worst wait below 1 s: {}.",
        verdict(part >= PART_MIN),
        verdict(longest < WAIT_MAX_MS),
    ));
    say(&format!(
        "A cycle is three durable commits. fdatasync in the same run: median {} ms, p99 {} ms.",
        number(syncs.median()),
        number(syncs.p99())
    ));
}

/// A worker: writes for one turn, then prints how long each operation took.
pub(crate) fn work(role: &str, store: &Path, name: &str) -> Done<()> {
    let times = match role {
        "engine" => Worker { name, times: Vec::new(), hand: fixture::open(store)? }.cycle()?,
        "commands" => {
            let hand = Hands { programs: Programs::beside_this()?, store: store.to_owned() };
            Worker { name, times: Vec::new(), hand }.cycle()?
        }
        "bare-flat" => bare_worker(store, name, Patience::Flat)?,
        "bare-built-in" => bare_worker(store, name, Patience::BuiltIn)?,
        _ => return Err(format!("there is no role {role}").into()),
    };
    println!("{}", serde_json::to_string(&times)?);
    Ok(())
}

fn bare_worker(store: &Path, name: &str, patience: Patience) -> Done<Vec<f64>> {
    let mut hand = bare::open(store)?;
    bare::be_patient(&mut hand, patience)?;
    Worker { name, times: Vec::new(), hand }.cycle()
}

/// What a worker writes with.
trait Hand {
    /// Sends one work.
    fn send(&mut self) -> Done<()>;
    /// Claims one work; returns its thread and token. There is always one: everybody sends before claiming.
    fn claim(&mut self, holder: &str) -> Done<(i64, String)>;
    /// Closes it.
    fn done(&mut self, holder: &str, claimed: &(i64, String)) -> Done<()>;
}

struct Worker<'a, H> {
    name: &'a str,
    times: Vec<f64>,
    hand: H,
}

impl<H: Hand> Worker<'_, H> {
    fn cycle(mut self) -> Done<Vec<f64>> {
        let begin = Instant::now();
        while begin.elapsed() < TURN {
            let at = Instant::now();
            self.hand.send()?;
            let sent = Instant::now();
            let claimed = self.hand.claim(self.name)?;
            let held = Instant::now();
            self.hand.done(self.name, &claimed)?;
            let spans = [sent - at, held - sent, held.elapsed()];
            self.times.extend(spans.map(crate::sample::milliseconds));
        }
        Ok(self.times)
    }
}

impl Hand for Session {
    fn send(&mut self) -> Done<()> {
        let work = Send::New {
            from: fixture::slug("lead"),
            to: fixture::slug("queue"),
            subject: SUBJECT.to_owned(),
            body: BODY.to_owned(),
            kind: ThreadKind::Work,
            priority: limit::PRIORITY_DEFAULT,
            lease: LeaseLength::DEFAULT,
            payload: None,
        };
        send(self, None, &work)?;
        self.tend();
        Ok(())
    }

    fn claim(&mut self, holder: &str) -> Done<(i64, String)> {
        let queue = Some(fixture::slug("queue"));
        let holder = fixture::slug(holder);
        let request = Claim { queue, holder, thread: None, lease: None, wait: None, again: false };
        let Answer::Fresh(Claimed { thread, lease, .. }) = claim(self, None, &request)? else {
            return Err("a claim without a request id was repeated".into());
        };
        self.tend();
        Ok((thread.thread.id.0, lease.token))
    }

    fn done(&mut self, _holder: &str, claimed: &(i64, String)) -> Done<()> {
        let outcome = Outcome::Done { result: RESULT.to_owned(), payload: None, artifacts: Vec::new() };
        let request = Close {
            thread: ThreadId(claimed.0),
            token: claimed.1.clone(),
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        close(self, None, &request)?;
        self.tend();
        Ok(())
    }
}

impl Hand for Connection {
    fn send(&mut self) -> Done<()> {
        bare::send(self, now())?;
        Ok(())
    }

    fn claim(&mut self, holder: &str) -> Done<(i64, String)> {
        // As long as a digest of a token; it need not be one.
        let token =
            format!("{:064x}", u128::from(std::process::id()) << 64 | u128::from(now().unsigned_abs()));
        let thread = bare::claim(self, holder, &token, now())?.ok_or("there is nothing to claim")?;
        Ok((thread, token))
    }

    fn done(&mut self, holder: &str, claimed: &(i64, String)) -> Done<()> {
        bare::done(self, claimed.0, holder, &claimed.1, now())
    }
}

/// A shell that types one command after the other.
struct Hands {
    programs: Programs,
    store: PathBuf,
}

impl Hand for Hands {
    fn send(&mut self) -> Done<()> {
        let words = ["send", "--to", "queue", "--from", "lead", "--subject", SUBJECT, "--body", BODY];
        self.programs.run(&self.store, "inbox", &words)?;
        Ok(())
    }

    fn claim(&mut self, holder: &str) -> Done<(i64, String)> {
        let answer = self.programs.run(&self.store, "inbox", &["claim", "--for", "queue", "--as", holder])?;
        claimed(&answer.stdout)
    }

    fn done(&mut self, holder: &str, claimed: &(i64, String)) -> Done<()> {
        let thread = ThreadId(claimed.0).to_string();
        let words = ["done", &thread, "--token", &claimed.1, "--as", holder, "--result", RESULT];
        self.programs.run(&self.store, "inbox", &words)?;
        Ok(())
    }
}

/// The thread and the token that `inbox claim` answered.
pub(crate) fn claimed(answer: &str) -> Done<(i64, String)> {
    let answer: serde_json::Value = serde_json::from_str(answer)?;
    let thread = answer["data"]["thread"]["id"].as_str().and_then(ThreadId::parse);
    let token = answer["data"]["lease"]["token"].as_str();
    let (thread, token) = thread.zip(token).ok_or("the claim's answer names no thread or token")?;
    Ok((thread.0, token.to_owned()))
}

fn now() -> i64 {
    orch_inbox::clock::Clock::now(&orch_inbox::clock::SystemClock).0
}
