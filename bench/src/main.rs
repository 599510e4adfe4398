//! The benchmarks: `cargo xtask bench [NAME]…` builds and runs this program.
//!
//! [`command`] measures whole commands, [`flat`] whether cost grows with the graph, [`plan`] a large plan,
//! [`contention`] many writers, [`wake`] waiting, [`trees`] worktrees and merging, [`checks`] checks of attempts and merges, [`drive`] a graph of short tasks,
//! [`crowd`] many workers, [`size`] the bytes of answers; bench/README.md says how and why.
//! Everything is a ratio or a difference within one run, what is compared being measured in turn.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

mod bench_repo;
mod checks;
mod clock;
mod command;
mod contention;
mod crowd;
mod disk;
mod drive;
mod fixture;
mod flat;
mod plan;
mod process;
mod raw_sqlite;
mod sample;
mod scratch;
mod size;
mod table;
mod trees;
mod wake;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use scratch::ScratchFolders;

/// What a step answers; a failure is for the developer to read.
type BenchResult<T> = Result<T, Box<dyn Error>>;

/// A named benchmark.
struct NamedBenchmark {
    name: &'static str,
    run: fn(&ScratchFolders) -> BenchResult<()>,
}

/// All of them, in the order of bench/README.md.
const BENCHMARKS: [NamedBenchmark; 10] = [
    NamedBenchmark { name: "command", run: command::run },
    NamedBenchmark { name: "flat", run: flat::run },
    NamedBenchmark { name: "plan", run: plan::run },
    NamedBenchmark { name: "contention", run: contention::run },
    NamedBenchmark { name: "wake", run: wake::run },
    NamedBenchmark { name: "trees", run: trees::run },
    NamedBenchmark { name: "checks", run: checks::run },
    NamedBenchmark { name: "drive", run: drive::run },
    NamedBenchmark { name: "crowd", run: crowd::run },
    NamedBenchmark { name: "size", run: size::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["role", "waiter", store, rounds] => wake::run_waiter(Path::new(store), rounds),
        ["role", role, store, name] => contention::run_worker(role, Path::new(store), name),
        names => run_benchmarks(names),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the named benchmarks, or all.
fn run_benchmarks(names: &[&str]) -> BenchResult<()> {
    if let Some(unknown) = names.iter().find(|name| BENCHMARKS.iter().all(|known| known.name != **name)) {
        let known: Vec<&str> = BENCHMARKS.iter().map(|known| known.name).collect();
        return Err(format!("there is no benchmark {unknown}; there are {}", known.join(", ")).into());
    }
    let scratch = ScratchFolders::new()?;
    for benchmark in BENCHMARKS.iter().filter(|known| names.is_empty() || names.contains(&known.name)) {
        println!("Load before: {}", machine_load());
        (benchmark.run)(&scratch)?;
    }
    println!("Load after: {}", machine_load());
    Ok(())
}

/// How busy the machine was, for judging how much noise there is.
fn machine_load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    if load.is_empty() { "unknown".to_owned() } else { load.join(" ") }
}
