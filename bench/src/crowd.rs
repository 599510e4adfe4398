//! Many workers at once: what their wrappers and the supervisor hold in memory, and what they do while nothing happens.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Done;
use crate::process::{Programs, run as run_command};
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};

/// How many workers live.
const WORKERS: usize = 200;

/// What all our processes together may hold, in MB of proportional set size.
const MEGABYTES_MAX: f64 = 100.0;

/// How long they are let alone before they are looked at: what a worker prints is written down every 10 s by then.
const SETTLED: Duration = Duration::from_secs(25);

/// How long it is counted what they do.
const COUNTED: Duration = Duration::from_secs(10);

/// How long it may take until all of them work.
const START_MAX: Duration = Duration::from_secs(120);

/// What the workers do.
const KINDS: [(&str, &str); 2] = [
    ("silent", "exec tail -f /dev/null"),
    ("printing a line every 5 s", "while :; do echo working; sleep 5; done"),
];

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("crowd: many workers at once");
    let programs = Programs::beside_this()?;
    let mut table = Table::new(&[
        "the workers are",
        "all work after, s",
        "all processes, MB",
        "the supervisor",
        "each wrapper",
        "processor in 10 s, ms: the supervisor",
        "all wrappers",
    ]);
    let mut largest: f64 = 0.0;
    for (index, (name, script)) in KINDS.into_iter().enumerate() {
        let folder = scratch.disk(&format!("crowd-{index}"))?;
        let crowd = Crowd::start(&programs, &folder, script)?;
        let begin = Instant::now();
        while crowd.working()? < WORKERS {
            if begin.elapsed() > START_MAX {
                return Err(format!("only {} of {WORKERS} work", crowd.working()?).into());
            }
            let_pass(Duration::from_millis(200));
        }
        let started = begin.elapsed();
        let_pass(SETTLED);
        let wrappers = crowd.wrappers()?;
        let supervisor = [u64::from(crowd.drive.id())];
        let before = (processor(&supervisor)?, processor(&wrappers)?);
        let_pass(COUNTED);
        let after = (processor(&supervisor)?, processor(&wrappers)?);
        let (own, theirs) = (megabytes(&supervisor)?, megabytes(&wrappers)?);
        largest = largest.max(own + theirs);
        table.row(vec![
            name.to_owned(),
            number(started.as_secs_f64()),
            number(own + theirs),
            number(own),
            number(theirs / wrappers.len() as f64),
            number(after.0 - before.0),
            number(after.1 - before.1),
        ]);
    }
    table.print();
    say(&format!(
        "Memory is the proportional set size of `orch drive` and every `inbox run`, not of what the workers run.\n\
         Target: below {MEGABYTES_MAX} MB: {}.",
        verdict(largest < MEGABYTES_MAX)
    ));
    Ok(())
}

/// A supervisor with its workers.
struct Crowd<'a> {
    programs: &'a Programs,
    folder: &'a Path,
    drive: Child,
}

impl<'a> Crowd<'a> {
    fn start(programs: &'a Programs, folder: &'a Path, script: &str) -> Done<Self> {
        let tasks: Vec<Value> = (0..WORKERS)
            .map(|number| json!({"key": format!("k{number}"), "title": "Long", "spec": script}))
            .collect();
        let plan = folder.join("plan.json");
        let run = json!({"name": "r", "title": "Many", "done_when": "reported"});
        std::fs::write(&plan, json!({"run": run, "tasks": tasks}).to_string())?;
        run_command(&mut call(programs, folder, &["run", "init", "Many", "--name", "r", "--no-worktrees"]))?;
        let plan = plan.display().to_string();
        run_command(&mut call(programs, folder, &["task", "add", "--file", &plan, "--run", "r"]))?;
        let workers = WORKERS.to_string();
        let words = ["drive", "r", "--profile", "shell", "--workers", &workers, "--json"];
        let mut drive = call(programs, folder, &words);
        let drive = drive.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { programs, folder, drive })
    }

    fn asked(&self, words: &[&str]) -> Done<Value> {
        let ran = run_command(&mut call(self.programs, self.folder, words))?;
        Ok(serde_json::from_str(&ran.stdout)?)
    }

    fn working(&self) -> Done<usize> {
        let shown = self.asked(&["status", "r", "--json"])?;
        Ok(usize::try_from(shown["data"]["counts"]["running"].as_u64().unwrap_or(0))?)
    }

    /// The numbers of the wrappers' processes.
    fn wrappers(&self) -> Done<Vec<u64>> {
        let shown = self.asked(&["ps", "--json"])?;
        let workers = shown["data"]["workers"].as_array().ok_or("no workers are told of")?;
        let pids: Vec<u64> = workers.iter().filter_map(|worker| worker["pid"].as_u64()).collect();
        if pids.len() == WORKERS { Ok(pids) } else { Err(format!("{} wrappers live", pids.len()).into()) }
    }
}

impl Drop for Crowd<'_> {
    /// However it went, nobody goes on working.
    fn drop(&mut self) {
        let _ = self.asked(&["stop", "--json"]);
        let _ = self.drive.kill();
        let _ = self.drive.wait();
    }
}

fn call(programs: &Programs, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(programs.path("orch"));
    command.args(words).env("ORCH_STORE", folder.join("orch.db")).current_dir(folder);
    command
}

/// The proportional set size of processes, in MB.
fn megabytes(pids: &[u64]) -> Done<f64> {
    let mut all = 0.0;
    for pid in pids {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss is told")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        all += kilobytes * 1_024.0 / 1_000_000.0;
    }
    Ok(all)
}

/// The processor time that processes took until now, in milliseconds; the system counts it in ticks, of 10 ms mostly.
fn processor(pids: &[u64]) -> Done<f64> {
    let mut ticks = 0;
    for pid in pids {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Behind the name in parentheses; user and system time are the 14th and 15th field.
        let rest = text.rsplit(')').next().ok_or("a short stat")?;
        for field in rest.split_whitespace().skip(11).take(2) {
            ticks += field.parse::<u64>()?;
        }
    }
    Ok(ticks as f64 * 1_000.0 / rustix::param::clock_ticks_per_second() as f64)
}

#[expect(clippy::disallowed_methods, reason = "what is measured is that nothing happens")]
fn let_pass(time: Duration) {
    std::thread::sleep(time);
}
