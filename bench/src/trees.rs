//! Worktrees and merging, beside the git commands that do the same by hand.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::BenchResult;
use crate::bench_repo::{BenchRepo, commit_own_file};
use crate::sample::TimeSamples;
use crate::scratch::ScratchFolders;
use crate::table::{ReportTable, format_number, print_heading, print_sentence, verdict_text};

/// How many files a tree has that is dispatched.
const FILES: usize = 5_000;

/// How often a tree is made on each side.
const ROUNDS: usize = 15;

/// How often eight dispatches begin at once.
const CROWDS: usize = 5;

/// How many dispatches begin at once.
const AT_ONCE: usize = 8;

/// How many files a tree has that is merged.
const MERGED_FILES: usize = 500;

/// How many attempts are merged in a row.
const MERGED: usize = 50;

/// How often they are.
const MERGE_ROUNDS: usize = 3;

/// What a dispatch may take of a bare `git worktree add`.
const DISPATCH_MAX: f64 = 1.0;

/// What a dispatch that finds a finished tree may take of it.
const REUSE_MAX: f64 = 0.1;

/// What merging may take of the bare git commands, where both are on the disk.
const MERGE_MAX: f64 = 1.2;

/// Runs the benchmark.
pub(crate) fn run(scratch: &ScratchFolders) -> BenchResult<()> {
    print_heading("trees: worktrees and merging");
    measure_dispatch(scratch)?;
    measure_concurrent_dispatch(scratch)?;
    measure_merge(scratch)
}

/// One worktree after the other, in turn with git's own: first new ones, then reused ones.
/// Nothing is deleted in between, and each begins when what the one before wrote is on the disk.
fn measure_dispatch(scratch: &ScratchFolders) -> BenchResult<()> {
    let yard = BenchRepo::new(&scratch.disk_folder("trees")?, FILES)?;
    yard.begin_run("r", 2 * ROUNDS + 3)?;
    let mut table = ReportTable::new(&["one worktree", "wall, median ms", "longest ms", "of bare", "target"]);
    for (name, max, first_task) in [
        ("orch dispatch, a new tree", DISPATCH_MAX, 0),
        ("orch dispatch, a finished tree again", REUSE_MAX, ROUNDS + 1),
    ] {
        if first_task > 0 {
            // Without a finished attempt there is no tree to reuse; each dispatch then takes the tree of the one before.
            yard.complete_task()?;
            yard.run_program("orch", &["integrate", "r"])?;
        }
        let (mut bare, mut ours) = <(TimeSamples, TimeSamples)>::default();
        for round in 0..=ROUNDS {
            let mut times = [Duration::ZERO; 2];
            // Which side comes first changes from round to round.
            for side in [round % 2, 1 - round % 2] {
                yard.run_other("sync", &["--file-system", &yard.repository_path().display().to_string()])?;
                let task = first_task + round;
                times[side] = match side {
                    0 => time_git_worktree_add(&yard, task)?,
                    _ => yard.run_program("orch", &["dispatch", &format!("r/t{task}")])?.0,
                };
            }
            if first_task > 0 {
                yard.complete_task()?;
                yard.run_program("orch", &["integrate", "r"])?;
            }
            // The first round finds caches that are cold.
            if round > 0 {
                bare.push(times[0]);
                ours.push(times[1]);
            }
        }
        let ratio = ours.ratio_to(&bare).median();
        for (name, samples, target) in
            [("git worktree add", &bare, "–".to_owned()), (name, &ours, verdict_text(ratio <= max))]
        {
            table.push_row(vec![
                name.to_owned(),
                format_number(samples.median()),
                format_number(samples.max()),
                format_number(samples.ratio_to(&bare).median()),
                target,
            ]);
        }
    }
    table.print();
    print_sentence(&format!(
        "{FILES} files. Target: a new tree at most {DISPATCH_MAX} times `git worktree add`, a finished one {REUSE_MAX}."
    ));
    Ok(())
}

fn time_git_worktree_add(yard: &BenchRepo, round: usize) -> BenchResult<Duration> {
    let (path, branch) = (yard.sibling_path("bare").join(round.to_string()), format!("bare-{round}"));
    let path = path.display().to_string();
    Ok(yard.run_git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?.0)
}

/// Several at once: none may fail because git holds a lock.
fn measure_concurrent_dispatch(scratch: &ScratchFolders) -> BenchResult<()> {
    let yard = BenchRepo::new(&scratch.disk_folder("crowd")?, FILES)?;
    yard.begin_run("r", CROWDS * AT_ONCE)?;
    let mut table = ReportTable::new(&["at once", "of them failed", "wall, median ms"]);
    let (mut bare, mut ours) = <(TimeSamples, TimeSamples)>::default();
    let (mut bare_failed, mut ours_failed) = (0, 0);
    for crowd in 0..CROWDS {
        let begin = Instant::now();
        let mut children = Vec::new();
        for index in 0..AT_ONCE {
            let (branch, path) =
                (format!("bare-{crowd}-{index}"), yard.sibling_path(&format!("bare/{crowd}-{index}")));
            let path = path.display().to_string();
            children.push(yard.start_git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?);
        }
        bare_failed += count_failed(children)?;
        bare.push(begin.elapsed());
        let begin = Instant::now();
        let mut children = Vec::new();
        for index in 0..AT_ONCE {
            children.push(yard.start_orch(&["dispatch", &format!("r/t{}", crowd * AT_ONCE + index)])?);
        }
        ours_failed += count_failed(children)?;
        ours.push(begin.elapsed());
    }
    let all = CROWDS * AT_ONCE;
    table.push_row(vec![
        format!("{AT_ONCE} git worktree add"),
        format!("{bare_failed} of {all}"),
        format_number(bare.median()),
    ]);
    table.push_row(vec![
        format!("{AT_ONCE} orch dispatch"),
        format!("{ours_failed} of {all}"),
        format_number(ours.median()),
    ]);
    table.print();
    print_sentence(&format!("Target: no dispatch fails: {}.", verdict_text(ours_failed == 0)));
    Ok(())
}

/// Waits for all, and counts those that did not succeed.
fn count_failed(children: Vec<std::process::Child>) -> BenchResult<usize> {
    let mut failed = 0;
    for child in children {
        failed += usize::from(!child.wait_with_output()?.status.success());
    }
    Ok(failed)
}

/// Many attempts merged by one command, in turn with the fewest git commands that come to the same.
fn measure_merge(scratch: &ScratchFolders) -> BenchResult<()> {
    let (mut bare, mut ours, mut bare_syncs) = <(TimeSamples, TimeSamples, TimeSamples)>::default();
    for round in 0..MERGE_ROUNDS {
        for side in [round % 2, 1 - round % 2] {
            match side {
                0 => {
                    let (time, syncs) = time_git_merge(scratch, round)?;
                    bare.push(time);
                    bare_syncs.push(syncs);
                }
                _ => ours.push(time_orch_merge(scratch, round)?),
            }
        }
    }
    let ratio = ours.ratio_to(&bare).median();
    let mut table = ReportTable::new(&["merging", "wall, median ms", "each, ms", "of bare", "target"]);
    for (name, samples, target) in [
        ("git merge-tree, commit-tree, update-ref, worktree remove, and sync", &bare, "–".to_owned()),
        ("orch integrate", &ours, verdict_text(ratio <= MERGE_MAX)),
    ] {
        table.push_row(vec![
            name.to_owned(),
            format_number(samples.median()),
            format_number(samples.median() / MERGED as f64),
            format_number(samples.ratio_to(&bare).median()),
            target,
        ]);
    }
    table.print();
    print_sentence(&format!(
        "{MERGED} attempts without conflicts and checks, {MERGED_FILES} files each. Target: at most {MERGE_MAX} times."
    ));
    print_sentence(&format!(
        "Of the bare commands, {} times `sync --file-system` took {} ms together.",
        2 * MERGED,
        format_number(bare_syncs.median())
    ));
    match count_syncs_of_merge(scratch)? {
        Some(counted) => {
            print_sentence("What `orch integrate` and its gits wait for, in a run of its own under strace:");
            counted.print();
        }
        None => print_sentence("What `orch integrate` waits for was not counted: there is no strace."),
    }
    Ok(())
}

/// The calls by which `orch integrate` and its gits wait for the disk, with their time, as strace sums them up.
fn count_syncs_of_merge(scratch: &ScratchFolders) -> BenchResult<Option<ReportTable>> {
    if Command::new("strace").arg("--version").output().is_err() {
        return Ok(None);
    }
    let folder = scratch.disk_folder("merge-counted")?;
    let yard = prepare_orch_merge(&folder)?;
    let counts = folder.join("counts");
    let mut words = vec!["-f", "-c", "-w", "-e", "trace=syncfs,fsync,fdatasync", "-o"];
    let (file, orch) = (counts.display().to_string(), yard.program_path("orch").display().to_string());
    words.extend([file.as_str(), orch.as_str(), "integrate", "r"]);
    yard.run_other("strace", &words)?;
    let text = std::fs::read_to_string(counts)?;
    std::fs::remove_dir_all(folder)?;
    let mut table = ReportTable::new(&["call", "times", "together, ms"]);
    for line in text.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, seconds, _, calls, .., name] = fields.as_slice()
            && ["syncfs", "fsync", "fdatasync"].contains(name)
        {
            let milliseconds = seconds.parse::<f64>().unwrap_or_default() * 1_000.0;
            table.push_row(vec![(*name).to_owned(), (*calls).to_owned(), format_number(milliseconds)]);
        }
    }
    Ok(Some(table))
}

/// Attempts that are all reported, and wait to be merged.
fn prepare_orch_merge(folder: &Path) -> BenchResult<BenchRepo> {
    let yard = BenchRepo::new(folder, MERGED_FILES)?;
    yard.begin_run("r", MERGED)?;
    yard.run_program("orch", &["dispatch", "--all", "--limit", &MERGED.to_string()])?;
    for _ in 0..MERGED {
        yard.complete_task()?;
    }
    Ok(yard)
}

fn time_orch_merge(scratch: &ScratchFolders, round: usize) -> BenchResult<Duration> {
    let folder = scratch.disk_folder(&format!("merge-ours-{round}"))?;
    let yard = prepare_orch_merge(&folder)?;
    let (time, merged) = yard.run_program("orch", &["integrate", "r"])?;
    if merged["integrated"].as_array().map(Vec::len) != Some(MERGED) {
        return Err(format!("not everything was merged: {merged}").into());
    }
    std::fs::remove_dir_all(folder)?;
    Ok(time)
}

/// What somebody would type who wants the same: each merged into a branch that no worktree has checked out, its tree kept
/// under a reference and taken away, its branch put aside. What is merged is on the disk before the next begins, and what is
/// kept before its tree is removed. Also returns the time of these syncs.
fn time_git_merge(scratch: &ScratchFolders, round: usize) -> BenchResult<(Duration, Duration)> {
    let folder = scratch.disk_folder(&format!("merge-bare-{round}"))?;
    let yard = BenchRepo::new(&folder, MERGED_FILES)?;
    yard.run_git(&["branch", "run"])?;
    let mut trees = Vec::new();
    for index in 0..MERGED {
        let tree = yard.sibling_path("trees").join(format!("t{index}"));
        let (branch, path) = (format!("attempt-{index}"), tree.display().to_string());
        yard.run_git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?;
        commit_own_file(&yard, &tree)?;
        trees.push((tree, branch));
    }
    let store = yard.repository_path().join(".git").display().to_string();
    let mut syncs = Duration::ZERO;
    let mut sync = || -> BenchResult<()> {
        syncs += yard.run_other("sync", &["--file-system", &store])?;
        Ok(())
    };
    let begin = Instant::now();
    for (index, (tree, branch)) in trees.iter().enumerate() {
        let tip = yard.run_git(&["rev-parse", "run"])?.1;
        let head = yard.run_git(&["rev-parse", branch])?.1;
        let merged = yard.run_git(&["merge-tree", "--write-tree", &tip, &head])?.1;
        let commit = yard.run_git(&["commit-tree", &merged, "-p", &tip, "-p", &head, "-m", "Merge"])?.1;
        yard.run_git(&["update-ref", "refs/heads/run", &commit, &tip])?;
        sync()?;
        yard.run_git_in(tree, &["status", "--porcelain"])?;
        yard.run_git(&["update-ref", &format!("refs/kept/{index}"), &head])?;
        sync()?;
        yard.run_git(&["worktree", "remove", &tree.display().to_string()])?;
        yard.run_git(&["update-ref", "-d", &format!("refs/heads/{branch}"), &head])?;
    }
    let time = begin.elapsed();
    std::fs::remove_dir_all(folder)?;
    Ok((time, syncs))
}
