//! Many workers at once: what their wrappers and the supervisor hold in memory, and what they do while nothing happens.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::BenchResult;
use crate::process::{BuiltPrograms, run_command};
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};

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
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("crowd: many workers at once");
    let programs = BuiltPrograms::beside_this()?;
    let mut table = ReportTable::new(&[
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
        let folder = scratch.disk_folder(&format!("crowd-{index}"))?;
        let crowd = WorkerCrowd::start_drive(&programs, &folder, script)?;
        let begin = Instant::now();
        while crowd.count_working()? < WORKERS {
            if begin.elapsed() > START_MAX {
                return Err(format!("only {} of {WORKERS} work", crowd.count_working()?).into());
            }
            sleep_for(Duration::from_millis(200));
        }
        let started = begin.elapsed();
        sleep_for(SETTLED);
        let wrappers = crowd.wrapper_pids()?;
        let supervisor = [u64::from(crowd.drive.id())];
        let before = (processor_time_of(&supervisor)?, processor_time_of(&wrappers)?);
        sleep_for(COUNTED);
        let after = (processor_time_of(&supervisor)?, processor_time_of(&wrappers)?);
        let (own, theirs) = (proportional_megabytes(&supervisor)?, proportional_megabytes(&wrappers)?);
        largest = largest.max(own + theirs);
        table.push_row(vec![
            name.to_owned(),
            format_number(started.as_secs_f64()),
            format_number(own + theirs),
            format_number(own),
            format_number(theirs / wrappers.len() as f64),
            format_number(after.0 - before.0),
            format_number(after.1 - before.1),
        ]);
    }
    table.print();
    print_sentence(&format!(
        "Memory is the proportional set size of `orch drive` and every `inbox run`, not of what the workers run.\n\
         Target: below {MEGABYTES_MAX} MB: {}.",
        verdict_text(largest < MEGABYTES_MAX)
    ));
    Ok(())
}

/// A supervisor with its workers.
struct WorkerCrowd<'a> {
    programs: &'a BuiltPrograms,
    folder: &'a Path,
    drive: Child,
}

impl<'a> WorkerCrowd<'a> {
    fn start_drive(programs: &'a BuiltPrograms, folder: &'a Path, script: &str) -> BenchResult<Self> {
        let tasks: Vec<Value> = (0..WORKERS)
            .map(|number| json!({"key": format!("k{number}"), "title": "Long", "spec": script}))
            .collect();
        let plan = folder.join("plan.json");
        let run = json!({"name": "r", "title": "Many", "done_when": "reported"});
        std::fs::write(&plan, json!({"run": run, "tasks": tasks}).to_string())?;
        run_command(&mut orch_command(
            programs,
            folder,
            &["run", "init", "Many", "--name", "r", "--no-worktrees", "--max-active", "1000"],
        ))?;
        let plan = plan.display().to_string();
        run_command(&mut orch_command(programs, folder, &["task", "add", "--file", &plan, "--run", "r"]))?;
        let workers = WORKERS.to_string();
        let words = ["drive", "r", "--profile", "shell", "--workers", &workers, "--json"];
        let mut drive = orch_command(programs, folder, &words);
        let drive = drive.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { programs, folder, drive })
    }

    fn query_orch(&self, words: &[&str]) -> BenchResult<Value> {
        let ran = run_command(&mut orch_command(self.programs, self.folder, words))?;
        Ok(serde_json::from_str(&ran.stdout)?)
    }

    fn count_working(&self) -> BenchResult<usize> {
        let shown = self.query_orch(&["status", "r", "--json"])?;
        Ok(usize::try_from(shown["data"]["counts"]["running"].as_u64().unwrap_or(0))?)
    }

    /// The numbers of the wrappers' processes.
    fn wrapper_pids(&self) -> BenchResult<Vec<u64>> {
        let shown = self.query_orch(&["ps", "--json"])?;
        let workers = shown["data"]["workers"].as_array().ok_or("no workers are told of")?;
        let pids: Vec<u64> = workers.iter().filter_map(|worker| worker["pid"].as_u64()).collect();
        if pids.len() == WORKERS { Ok(pids) } else { Err(format!("{} wrappers live", pids.len()).into()) }
    }
}

impl Drop for WorkerCrowd<'_> {
    /// However it went, nobody goes on working.
    fn drop(&mut self) {
        let _ = self.query_orch(&["stop", "--json"]);
        let _ = self.drive.kill();
        let _ = self.drive.wait();
    }
}

fn orch_command(programs: &BuiltPrograms, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(programs.program_path("orch"));
    command.args(words).env("ORCH_STORE", folder.join("orch.db")).current_dir(folder);
    command
}

/// The proportional set size of processes, in MB.
fn proportional_megabytes(pids: &[u64]) -> BenchResult<f64> {
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
fn processor_time_of(pids: &[u64]) -> BenchResult<f64> {
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
fn sleep_for(time: Duration) {
    std::thread::sleep(time);
}
