//! The benchmarks: `cargo xtask bench [NAME]…` builds and runs this program.
//!
//! [`command`] measures whole commands, [`flat`] whether cost grows with the graph, [`plan`] a large plan,
//! [`contention`] many writers, [`wake`] waiting, [`trees`] worktrees and merging, [`drive`] a graph of short tasks,
//! [`crowd`] many workers, [`size`] the bytes of answers; bench/README.md says how and why.
//! Everything is a ratio or a difference within one run, what is compared being measured in turn.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

mod bare;
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
mod sample;
mod scratch;
mod size;
mod table;
mod trees;
mod wake;
mod yard;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use scratch::Scratch;

/// What a step answers; a failure is for the developer to read.
type Done<T> = Result<T, Box<dyn Error>>;

/// A named benchmark.
struct Benchmark {
    name: &'static str,
    run: fn(&Scratch) -> Done<()>,
}

/// All of them, in the order of bench/README.md.
const BENCHMARKS: [Benchmark; 9] = [
    Benchmark { name: "command", run: command::run },
    Benchmark { name: "flat", run: flat::run },
    Benchmark { name: "plan", run: plan::run },
    Benchmark { name: "contention", run: contention::run },
    Benchmark { name: "wake", run: wake::run },
    Benchmark { name: "trees", run: trees::run },
    Benchmark { name: "drive", run: drive::run },
    Benchmark { name: "crowd", run: crowd::run },
    Benchmark { name: "size", run: size::run },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["role", "waiter", store, rounds] => wake::waiter(Path::new(store), rounds),
        ["role", role, store, name] => contention::work(role, Path::new(store), name),
        names => run(names),
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
fn run(names: &[&str]) -> Done<()> {
    if let Some(unknown) = names.iter().find(|name| BENCHMARKS.iter().all(|known| known.name != **name)) {
        let known: Vec<&str> = BENCHMARKS.iter().map(|known| known.name).collect();
        return Err(format!("there is no benchmark {unknown}; there are {}", known.join(", ")).into());
    }
    let scratch = Scratch::new()?;
    for benchmark in BENCHMARKS.iter().filter(|known| names.is_empty() || names.contains(&known.name)) {
        println!("Load before: {}", load());
        (benchmark.run)(&scratch)?;
    }
    println!("Load after: {}", load());
    Ok(())
}

/// How busy the machine was, for judging how much noise there is.
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    if load.is_empty() { "unknown".to_owned() } else { load.join(" ") }
}
