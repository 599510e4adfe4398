//! Whether cost grows with the graph: the same operations on 1,000 and on 100,000 tasks, in turn.
//!
//! Once as operations of the engine with an open session, in memory, so that no disk hides a difference;
//! once as commands on the disk, as they are typed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use orch_core::id::ThreadId;
use orch_inbox::claim::{ClaimRequest, claim_thread};
use orch_inbox::close::{ThreadCloseRequest, ThreadResult, close_thread};
use orch_inbox::{Response, Session};
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use orch_query::status;
use orch_scheduler::{TaskSelector, dispatch, reconcile};
use orch_store::page::PageRequest;

use crate::BenchResult;
use crate::contention::{RESULT, parse_claim};
use crate::fixture::{self, GraphShape, parse_slug, task_key};
use crate::process::BuiltPrograms;
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};

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
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("flat: 1,000 against 100,000 tasks");
    let memory = scratch.memory_folder("flat")?;
    let mut table = ReportTable::new(&[
        "operation, engine",
        "graph",
        "1,000: ms",
        "100,000: ms",
        "100,000: p99",
        "ratio",
        "target",
    ]);
    for shape in GraphShape::ALL {
        let mut stores = Vec::new();
        for size in SIZES {
            let path = fixture::make_store(&memory, &format!("{}-{size}", shape.name()), shape, size)?;
            stores.push(OpenStore { session: fixture::open_session(&path)?, size, times: Vec::new() });
        }
        for round in 0..ROUNDS {
            // Who goes first finds the processor's caches as the other left them.
            let (first, second) = (round % 2, (round + 1) % 2);
            stores[first].run_round(round)?;
            stores[second].run_round(round)?;
        }
        push_rows(&mut table, shape, &stores[0].times, &stores[1].times);
    }
    table.print();
    measure_commands(scratch)?;
    print_sentence(&format!(
        "Target: at most {RATIO_MAX} times; the ratio is the median of those of each round."
    ));
    Ok(())
}

fn push_rows(table: &mut ReportTable, shape: GraphShape, small: &[TimeSamples], large: &[TimeSamples]) {
    for ((name, small), large) in OPERATIONS.iter().zip(small).zip(large) {
        let ratio = large.ratio_to(small).median();
        table.push_row(vec![
            (*name).to_owned(),
            shape.name().to_owned(),
            format_number(small.median()),
            format_number(large.median()),
            format_number(large.p99()),
            format_number(ratio),
            verdict_text(ratio <= RATIO_MAX),
        ]);
    }
}

/// A store with an open session.
struct OpenStore {
    session: Session,
    size: usize,
    times: Vec<TimeSamples>,
}

impl OpenStore {
    /// One task from ready to done, and what a lead looks at meanwhile.
    fn run_round(&mut self, round: usize) -> BenchResult<()> {
        let lead = parse_slug("lead");
        let page = PageRequest { limit: 10, after: None };
        let wanted = ReadyRequest { run: None, label: None, page };
        let first = self.time_operation(0, |session| Ok(list_ready_tasks(session, &wanted)?))?;
        let next = first.tasks.items.first().ok_or("nothing is ready")?.task.name.key.clone();
        self.time_operation(1, |session| Ok(status::load_overview(session, None)?))?;
        let middle = TaskSelector { run: None, key: task_key(self.size / 2 + round) };
        self.time_operation(2, |session| Ok(orch_query::task::show_task(session, &middle)?))?;
        let next = TaskSelector { run: None, key: next };
        self.time_operation(3, |session| {
            Ok(dispatch::dispatch_task(
                session,
                None,
                &lead,
                &next,
                dispatch::DispatchRecipient::agent(None),
            )?)
        })?;
        let wanted = ClaimRequest {
            queue: None,
            holder: parse_slug("worker"),
            thread: None,
            lease: None,
            wait: None,
            again: false,
        };
        let Response::Fresh(held) =
            self.time_operation(4, |session| Ok(claim_thread(session, None, &wanted)?))?
        else {
            return Err("a claim without a request id was repeated".into());
        };
        let outcome = ThreadResult::Done { result: RESULT.to_owned(), payload: None, artifacts: Vec::new() };
        let report = ThreadCloseRequest {
            thread: held.thread.thread.id,
            token: held.lease.token,
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        self.time_operation(5, |session| Ok(close_thread(session, None, &report)?))?;
        self.time_operation(6, |session| Ok(reconcile::reconcile_runs(session, None, None, false)?))?;
        self.session.checkpoint_if_due();
        Ok(())
    }

    fn time_operation<T>(
        &mut self,
        place: usize,
        work: impl FnOnce(&mut Session) -> BenchResult<T>,
    ) -> BenchResult<T> {
        let begin = Instant::now();
        let outcome = work(&mut self.session)?;
        let time = begin.elapsed();
        self.times.resize(OPERATIONS.len(), TimeSamples::default());
        self.times[place].push(time);
        Ok(outcome)
    }
}

/// The same as whole commands.
fn measure_commands(scratch: &ScratchFolders) -> BenchResult<()> {
    let disk = scratch.disk_folder("flat")?;
    let programs = BuiltPrograms::beside_this()?;
    let mut table = ReportTable::new(&[
        "command",
        "graph",
        "1,000: ms",
        "100,000: ms",
        "100,000: p99",
        "ratio",
        "target",
    ]);
    for shape in GraphShape::ALL {
        let mut stores = Vec::new();
        for size in SIZES {
            let path = fixture::make_store(&disk, &format!("{}-{size}", shape.name()), shape, size)?;
            stores.push(ClosedStore { programs: programs.clone(), path, size, times: Vec::new() });
        }
        for round in 0..COMMAND_ROUNDS {
            let (first, second) = (round % 2, (round + 1) % 2);
            stores[first].run_round(round)?;
            stores[second].run_round(round)?;
        }
        push_rows(&mut table, shape, &stores[0].times, &stores[1].times);
    }
    table.print();
    Ok(())
}

/// A store that only commands open.
struct ClosedStore {
    programs: BuiltPrograms,
    path: PathBuf,
    size: usize,
    times: Vec<TimeSamples>,
}

impl ClosedStore {
    fn run_round(&mut self, round: usize) -> BenchResult<()> {
        let first = self.time_command(0, "orch", &["ready", "--limit", "10"])?;
        let first: serde_json::Value = serde_json::from_str(&first)?;
        let next = first["data"]["tasks"][0]["key"].as_str().ok_or("nothing is ready")?.to_owned();
        self.time_command(1, "orch", &["status"])?;
        let middle = task_key(self.size / 2 + round).to_string();
        self.time_command(2, "orch", &["task", "show", &middle])?;
        self.time_command(3, "orch", &["dispatch", &next])?;
        let held = parse_claim(&self.time_command(4, "inbox", &["claim", "--as", "worker"])?)?;
        let thread = ThreadId(held.0).to_string();
        let words = ["done", &thread, "--token", &held.1, "--as", "worker", "--result", RESULT];
        self.time_command(5, "inbox", &words)?;
        self.time_command(6, "orch", &["reconcile"])?;
        Ok(())
    }

    fn time_command(&mut self, place: usize, program: &str, arguments: &[&str]) -> BenchResult<String> {
        let ran = self.programs.run_program(self.store_path(), program, arguments)?;
        self.times.resize(OPERATIONS.len(), TimeSamples::default());
        self.times[place].push(ran.wall);
        Ok(ran.stdout)
    }

    fn store_path(&self) -> &Path {
        &self.path
    }
}
