//! Checks of attempts and of their merges: how long a run takes whose checks take most of its time.

use std::time::{Duration, Instant};

use crate::BenchResult;
use crate::bench_repo::BenchRepo;
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};

/// How many attempts are checked and merged.
const ATTEMPTS: usize = 20;

/// The check, which waits and computes nothing.
const CHECK: &str = "sleep 2";

/// How often each side is measured.
const ROUNDS: usize = 2;

/// The most that two merges checked at once may take of what one at a time takes.
const RATIO_MAX: f64 = 0.6;

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("checks: attempts and merges that are checked");
    let (mut single, mut double) = <(TimeSamples, TimeSamples)>::default();
    for round in 0..ROUNDS {
        for side in [round % 2, 1 - round % 2] {
            let (samples, jobs) = if side == 0 { (&mut single, 1) } else { (&mut double, 2) };
            samples.push(time_drive(scratch, round, jobs)?);
        }
    }
    let ratio = double.ratio_to(&single).median();
    let mut table = ReportTable::new(&["merges checked at once", "wall, median s", "of one", "target"]);
    for (name, samples, target) in
        [("1", &single, "–".to_owned()), ("2", &double, verdict_text(ratio <= RATIO_MAX))]
    {
        table.push_row(vec![
            name.to_owned(),
            format_number(samples.median() / 1_000.0),
            format_number(samples.ratio_to(&single).median()),
            target,
        ]);
    }
    table.print();
    print_sentence(&format!(
        "{ATTEMPTS} attempts by eight workers, each checked by `{CHECK}` alone and after its merge. Target: at most {RATIO_MAX}."
    ));
    Ok(())
}

/// Returns what a drive takes from its start to the end of its run.
fn time_drive(scratch: &ScratchFolders, round: usize, jobs: usize) -> BenchResult<Duration> {
    let folder = scratch.disk_folder(&format!("checks-{round}-{jobs}"))?;
    let yard = BenchRepo::new(&folder, 100)?;
    yard.run_program("orch", &["run", "init", "A run to measure", "--name", "r", "--verify", CHECK])?;
    let plan: String = (0..ATTEMPTS)
        .map(|index| {
            let script = format!("echo > own-{index} && git add --all && git commit --quiet -m own-{index}");
            serde_json::json!({"key": format!("t{index}"), "title": "Part", "spec": script}).to_string()
        })
        .collect::<Vec<_>>()
        .join("\n");
    let path = yard.sibling_path("plan.jsonl");
    std::fs::write(&path, plan)?;
    yard.run_program("orch", &["task", "add", "--run", "r", "--file", &path.display().to_string()])?;
    let jobs = jobs.to_string();
    let words = ["drive", "r", "--profile", "shell", "--workers", "8", "--merge-check-jobs", &jobs, "--json"];
    let begin = Instant::now();
    let ended = yard.start_orch(&words)?.wait_with_output()?;
    let time = begin.elapsed();
    if !ended.status.success() {
        return Err(format!("not everything was merged: {}", String::from_utf8_lossy(&ended.stdout)).into());
    }
    std::fs::remove_dir_all(folder)?;
    Ok(time)
}
