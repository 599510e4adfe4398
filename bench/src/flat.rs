//! Whether cost grows with the graph: the same operations on 1,000 and on 100,000 tasks, in turn.
//!
//! Once as operations of the engine with an open session, in memory, so that no disk hides a difference;
//! once as commands on the disk, as they are typed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use orch_core::id::ThreadId;
use orch_inbox::claim::{Claim, claim};
use orch_inbox::close::{Close, Outcome, close};
use orch_inbox::{Answer, Session};
use orch_scheduler::ready::{Ready, ready};
use orch_scheduler::{TaskRef, dispatch, reconcile, status, task};
use orch_store::page::PageRequest;

use crate::Done;
use crate::contention::{RESULT, claimed};
use crate::fixture::{self, Shape, key, slug};
use crate::process::Programs;
use crate::sample::Samples;
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};

/// The two sizes, in tasks.
const SIZES: [usize; 2] = [1_000, 100_000];

/// How often everything is done on each store.
const ROUNDS: usize = 300;
const COMMAND_ROUNDS: usize = 100;

/// How many times as long the larger store may take.
const RATIO_MAX: f64 = 1.3;

/// The operations, in the order of a round. A completion is told by `done` and carried on by `reconcile`.
const OPERATIONS: [&str; 7] = ["ready", "status", "task show", "dispatch", "claim", "done", "reconcile"];

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("flat: 1,000 against 100,000 tasks");
    let memory = scratch.memory("flat")?;
    let mut table = Table::new(&[
        "operation, engine",
        "graph",
        "1,000: ms",
        "100,000: ms",
        "100,000: p99",
        "ratio",
        "target",
    ]);
    for shape in Shape::ALL {
        let mut stores = Vec::new();
        for size in SIZES {
            let path = fixture::store(&memory, &format!("{}-{size}", shape.name()), shape, size)?;
            stores.push(Open { session: fixture::open(&path)?, size, times: Vec::new() });
        }
        for round in 0..ROUNDS {
            // Who goes first finds the processor's caches as the other left them.
            let (first, second) = (round % 2, (round + 1) % 2);
            stores[first].round(round)?;
            stores[second].round(round)?;
        }
        rows(&mut table, shape, &stores[0].times, &stores[1].times);
    }
    table.print();
    commands(scratch)?;
    say(&format!("Target: at most {RATIO_MAX} times; the ratio is the median of those of each round."));
    Ok(())
}

fn rows(table: &mut Table, shape: Shape, small: &[Samples], large: &[Samples]) {
    for ((name, small), large) in OPERATIONS.iter().zip(small).zip(large) {
        let ratio = large.over(small).median();
        table.row(vec![
            (*name).to_owned(),
            shape.name().to_owned(),
            number(small.median()),
            number(large.median()),
            number(large.p99()),
            number(ratio),
            verdict(ratio <= RATIO_MAX),
        ]);
    }
}

/// A store with an open session.
struct Open {
    session: Session,
    size: usize,
    times: Vec<Samples>,
}

impl Open {
    /// One task from ready to done, and what a lead looks at meanwhile.
    fn round(&mut self, round: usize) -> Done<()> {
        let lead = slug("lead");
        let page = PageRequest { limit: 10, after: None };
        let wanted = Ready { run: None, label: None, page };
        let first = self.time(0, |session| Ok(ready(session, &wanted)?))?;
        let next = first.items.first().ok_or("nothing is ready")?.task.name.key.clone();
        self.time(1, |session| Ok(status::status(session, None)?))?;
        let middle = TaskRef { run: None, key: key(self.size / 2 + round) };
        self.time(2, |session| Ok(task::show(session, &middle)?))?;
        let next = TaskRef { run: None, key: next };
        self.time(3, |session| Ok(dispatch::one(session, None, &lead, &next, None)?))?;
        let wanted = Claim {
            queue: None,
            holder: slug("worker"),
            thread: None,
            lease: None,
            wait: None,
            again: false,
        };
        let Answer::Fresh(held) = self.time(4, |session| Ok(claim(session, None, &wanted)?))? else {
            return Err("a claim without a request id was repeated".into());
        };
        let outcome = Outcome::Done { result: RESULT.to_owned(), payload: None, artifacts: Vec::new() };
        let report = Close {
            thread: held.thread.thread.id,
            token: held.lease.token,
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        self.time(5, |session| Ok(close(session, None, &report)?))?;
        self.time(6, |session| Ok(reconcile::reconcile(session, None, None, false)?))?;
        self.session.tend();
        Ok(())
    }

    fn time<T>(&mut self, place: usize, work: impl FnOnce(&mut Session) -> Done<T>) -> Done<T> {
        let begin = Instant::now();
        let outcome = work(&mut self.session)?;
        let time = begin.elapsed();
        self.times.resize(OPERATIONS.len(), Samples::default());
        self.times[place].push(time);
        Ok(outcome)
    }
}

/// The same as whole commands.
fn commands(scratch: &Scratch) -> Done<()> {
    let disk = scratch.disk("flat")?;
    let programs = Programs::beside_this()?;
    let mut table =
        Table::new(&["command", "graph", "1,000: ms", "100,000: ms", "100,000: p99", "ratio", "target"]);
    for shape in Shape::ALL {
        let mut stores = Vec::new();
        for size in SIZES {
            let path = fixture::store(&disk, &format!("{}-{size}", shape.name()), shape, size)?;
            stores.push(Closed { programs: programs.clone(), path, size, times: Vec::new() });
        }
        for round in 0..COMMAND_ROUNDS {
            let (first, second) = (round % 2, (round + 1) % 2);
            stores[first].round(round)?;
            stores[second].round(round)?;
        }
        rows(&mut table, shape, &stores[0].times, &stores[1].times);
    }
    table.print();
    Ok(())
}

/// A store that only commands open.
struct Closed {
    programs: Programs,
    path: PathBuf,
    size: usize,
    times: Vec<Samples>,
}

impl Closed {
    fn round(&mut self, round: usize) -> Done<()> {
        let first = self.time(0, "orch", &["ready", "--limit", "10"])?;
        let first: serde_json::Value = serde_json::from_str(&first)?;
        let next = first["data"]["tasks"][0]["key"].as_str().ok_or("nothing is ready")?.to_owned();
        self.time(1, "orch", &["status"])?;
        let middle = key(self.size / 2 + round).to_string();
        self.time(2, "orch", &["task", "show", &middle])?;
        self.time(3, "orch", &["dispatch", &next])?;
        let held = claimed(&self.time(4, "inbox", &["claim", "--as", "worker"])?)?;
        let thread = ThreadId(held.0).to_string();
        let words = ["done", &thread, "--token", &held.1, "--as", "worker", "--result", RESULT];
        self.time(5, "inbox", &words)?;
        self.time(6, "orch", &["reconcile"])?;
        Ok(())
    }

    fn time(&mut self, place: usize, program: &str, arguments: &[&str]) -> Done<String> {
        let ran = self.programs.run(self.path(), program, arguments)?;
        self.times.resize(OPERATIONS.len(), Samples::default());
        self.times[place].push(ran.wall);
        Ok(ran.stdout)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}
