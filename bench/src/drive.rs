//! `orch drive` on a graph of short tasks, beside programs that do nothing but run such graphs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::BenchResult;
use crate::disk::SyncProbe;
use crate::process::{BuiltPrograms, run_command};
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};

/// How many layers the graph has.
const LAYERS: usize = 20;

/// How many tasks are in each; each waits for three of the layer before.
const IN_EACH: usize = 50;

const TASKS: usize = LAYERS * IN_EACH;

/// How many work at once.
const AT_ONCE: usize = 8;

/// How often each side is measured; pueue, which takes a minute, once.
const ROUNDS: usize = 3;

/// What a task may take over its own command and three syncs, in milliseconds.
const TASK_MAX: f64 = 10.0;

/// The release that is compared with.
const PUEUE: &str = "4.0.4";

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("drive: a graph of short tasks");
    let folder = scratch.disk_folder("drive")?;
    let mut probe = SyncProbe::new(&folder)?;
    let (mut bare, mut ours, mut make, mut ninja, mut syncs) =
        <(TimeSamples, TimeSamples, TimeSamples, TimeSamples, TimeSamples)>::default();
    let has = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let (has_make, has_ninja) = (has("make"), has("ninja"));
    for round in 0..ROUNDS {
        let place = folder.join(round.to_string());
        std::fs::create_dir_all(&place)?;
        for _ in 0..20 {
            syncs.push(probe.time_sync()?);
        }
        bare.push(time_per_task(time_commands_alone(&place)?));
        ours.push(time_per_task(time_drive(&place)?));
        if has_make {
            make.push(time_per_task(time_build(&place, "make", "--silent", "Makefile", &makefile_text())?));
        }
        if has_ninja {
            ninja.push(time_per_task(time_build(&place, "ninja", "--quiet", "build.ninja", &ninja_text())?));
        }
    }
    let mut pueue = TimeSamples::default();
    if let Some(time) = time_pueue(scratch, &folder)? {
        pueue.push(time_per_task(time));
    }
    let mut table = ReportTable::new(&["runner", "each task, median ms", "over the command itself"]);
    let sides = [
        ("the commands alone, eight at once", &bare),
        ("orch drive, plan included", &ours),
        ("make -j8", &make),
        ("ninja -j8", &ninja),
        ("pueue, adding included", &pueue),
    ];
    for (name, samples) in sides {
        let (each, over) = match samples.count() {
            0 => ("not installed".to_owned(), "–".to_owned()),
            _ => (format_number(samples.median()), format_number(samples.median() - bare.median())),
        };
        table.push_row(vec![name.to_owned(), each, over]);
    }
    table.print();
    let sync = syncs.median();
    let over = ours.median() - bare.median();
    print_sentence(&format!(
        "{TASKS} tasks in {LAYERS} layers, {AT_ONCE} at once. fdatasync: median {} ms.",
        format_number(sync)
    ));
    print_sentence(&format!(
        "Target: at most {TASK_MAX} ms each over the command itself and three syncs: {}.",
        verdict_text(over <= TASK_MAX + 3.0 * sync)
    ));
    if pueue.count() > 0 {
        print_sentence(&format!("Target: ahead of pueue: {}.", verdict_text(ours.median() < pueue.median())));
    }
    Ok(())
}

fn time_per_task(all: Duration) -> Duration {
    all / u32::try_from(TASKS).unwrap_or(1)
}

fn task_key(layer: usize, index: usize) -> String {
    format!("k{layer}-{}", index % IN_EACH)
}

/// Each task with those that it waits for, in an order in which they may be done.
fn layered_graph() -> impl Iterator<Item = (String, Vec<String>)> {
    (0..LAYERS).flat_map(|layer| {
        (0..IN_EACH).map(move |index| {
            let after = match layer {
                0 => Vec::new(),
                _ => (0..3).map(|other| task_key(layer - 1, index + other)).collect(),
            };
            (task_key(layer, index), after)
        })
    })
}

/// The same programs started by nobody in particular: what no runner can do without.
fn time_commands_alone(place: &Path) -> BenchResult<Duration> {
    let script = place.join("script");
    std::fs::write(&script, ":\n")?;
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < TASKS {
                    let ended = Command::new("sh").arg("-e").arg(&script).stdin(Stdio::null()).status();
                    if !ended.is_ok_and(|status| status.success()) {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let time = begin.elapsed();
    if failed.into_inner() > 0 { Err("the commands themselves fail".into()) } else { Ok(time) }
}

/// From the plan to the end of the run, and every task done once.
fn time_drive(place: &Path) -> BenchResult<Duration> {
    let programs = BuiltPrograms::beside_this()?;
    let store = place.join("store").join("orch.db");
    std::fs::create_dir_all(place.join("store"))?;
    let tasks: Vec<serde_json::Value> = layered_graph()
        .map(|(key, after)| serde_json::json!({"key": key, "title": "Short", "spec": ":", "after": after}))
        .collect();
    let plan = place.join("plan.json");
    let run = serde_json::json!({"name": "r", "title": "Short tasks", "done_when": "reported"});
    std::fs::write(&plan, serde_json::json!({"run": run, "tasks": tasks}).to_string())?;
    let orch = |words: &[&str]| {
        let mut command = Command::new(programs.program_path("orch"));
        command.args(words).env("ORCH_STORE", &store).current_dir(place.join("store"));
        run_command(&mut command)
    };
    let plan = plan.display().to_string();
    orch(&["run", "init", "Short tasks", "--name", "r", "--no-worktrees", "--max-active", "64"])?;
    let begin = Instant::now();
    orch(&["task", "add", "--file", &plan, "--run", "r"])?;
    let workers = AT_ONCE.to_string();
    orch(&["drive", "r", "--profile", "shell", "--workers", &workers, "--json"])?;
    let time = begin.elapsed();
    let shown: serde_json::Value = serde_json::from_str(&orch(&["status", "r", "--json"])?.stdout)?;
    if shown["data"]["counts"]["done"].as_u64() != Some(TASKS as u64) {
        return Err(format!("not everything was done: {}", shown["data"]["counts"]).into());
    }
    Ok(time)
}

/// What `make` reads.
fn makefile_text() -> String {
    let all: Vec<String> = layered_graph().map(|(key, _)| key).collect();
    let head = format!(".PHONY: all {0}\nall: {0}\n", all.join(" "));
    // A word that the shell alone knows keeps make from running it without one.
    layered_graph().fold(head, |text, (key, after)| text + &format!("{key}: {}\n\t@: ; :\n", after.join(" ")))
}

/// What `ninja` reads.
fn ninja_text() -> String {
    let head = "rule short\n  command = :\n".to_owned();
    layered_graph()
        .fold(head, |text, (key, after)| text + &format!("build {key}: short {}\n", after.join(" ")))
}

/// A build of everything by a program that finds its file by itself.
fn time_build(place: &Path, program: &str, silence: &str, file: &str, text: &str) -> BenchResult<Duration> {
    std::fs::write(place.join(file), text)?;
    let jobs = format!("-j{AT_ONCE}");
    Ok(run_command(Command::new(program).args([jobs.as_str(), silence]).current_dir(place))?.wall)
}

/// One daemon of its own for pueue; `None` where it cannot be installed.
fn time_pueue(scratch: &ScratchFolders, folder: &Path) -> BenchResult<Option<Duration>> {
    let Some(bin) = ensure_pueue(scratch)? else { return Ok(None) };
    let home = folder.join("pueue");
    std::fs::create_dir_all(home.join("run"))?;
    let command = |program: &str, words: &[&str]| {
        let mut command = Command::new(bin.join(program));
        command.args(words).env("HOME", &home).env("XDG_RUNTIME_DIR", home.join("run"));
        for (name, folder) in [("CONFIG", "config"), ("DATA", "data")] {
            command.env(format!("XDG_{name}_HOME"), home.join(folder));
        }
        command
    };
    let mut daemon = command("pueued", &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let measured = || -> BenchResult<Duration> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !command("pueue", &["status"]).output()?.status.success() {
            if Instant::now() > deadline {
                return Err("the daemon of pueue does not answer".into());
            }
        }
        run_command(&mut command("pueue", &["parallel", &AT_ONCE.to_string()]))?;
        let mut ids: std::collections::HashMap<String, String> = std::collections::HashMap::new();
        let begin = Instant::now();
        for (key, after) in layered_graph() {
            let mut words = vec!["add", "--print-task-id"];
            let after: Vec<&str> = after.iter().filter_map(|key| ids.get(key)).map(String::as_str).collect();
            for id in &after {
                words.extend(["--after", id]);
            }
            words.extend(["--", ":"]);
            let added = run_command(&mut command("pueue", &words))?;
            ids.insert(key, added.stdout.trim().to_owned());
        }
        run_command(&mut command("pueue", &["wait", "--quiet"]))?;
        Ok(begin.elapsed())
    };
    let time = measured();
    let _ = command("pueue", &["shutdown"]).output();
    let _ = daemon.kill();
    let _ = daemon.wait();
    time.map(Some)
}

/// Where pueue is, installed below the build products where it was not there.
fn ensure_pueue(scratch: &ScratchFolders) -> BenchResult<Option<PathBuf>> {
    let root = scratch.tools_folder()?;
    let bin = root.join("bin");
    if bin.join("pueued").is_file() {
        return Ok(Some(bin));
    }
    print_sentence(&format!("Installing pueue {PUEUE} to compare with …"));
    let version = format!("pueue@{PUEUE}");
    let installed = Command::new("cargo")
        .args(["install", "--quiet", "--locked", &version, "--root"])
        .arg(&root)
        .stdin(Stdio::null())
        .status()?;
    Ok(installed.success().then_some(bin))
}
