//! Worktrees and merging, beside the git commands that do the same by hand.

use std::time::{Duration, Instant};

use crate::Done;
use crate::sample::Samples;
use crate::scratch::Scratch;
use crate::table::{Table, heading, number, say, verdict};
use crate::yard::{Yard, commit_own_file};

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
const DISPATCH_MAX: f64 = 1.3;

/// What merging may take of the bare git commands.
const MERGE_MAX: f64 = 1.5;

/// Runs the benchmark.
pub(crate) fn run(scratch: &Scratch) -> Done<()> {
    heading("trees: worktrees and merging");
    dispatching(scratch)?;
    crowding(scratch)?;
    merging(scratch)
}

/// One tree after the other, in turn with git's own.
fn dispatching(scratch: &Scratch) -> Done<()> {
    let yard = Yard::new(&scratch.disk("trees")?, FILES)?;
    yard.begin("r", 2 * ROUNDS + 2)?;
    let (mut bare, mut fresh, mut again) = <(Samples, Samples, Samples)>::default();
    for round in 0..=ROUNDS {
        let mut times = [Duration::ZERO; 3];
        // Which side comes first changes from round to round.
        for side in [round % 2, 1 - round % 2] {
            times[side] = match side {
                0 => add_bare(&yard, round)?,
                _ => dispatch_fresh(&yard, 2 * round)?,
            };
        }
        times[2] = dispatch_again(&yard, 2 * round + 1)?;
        // The first round finds caches that are cold.
        if round > 0 {
            for (samples, time) in [&mut bare, &mut fresh, &mut again].into_iter().zip(times) {
                samples.push(time);
            }
        }
    }
    let mut table = Table::new(&["one worktree", "wall, median ms", "longest ms", "of bare", "target"]);
    for (name, samples, max) in [
        ("git worktree add", &bare, None),
        ("orch dispatch, a new tree", &fresh, Some(DISPATCH_MAX)),
        ("orch dispatch, a finished tree again", &again, Some(1.0)),
    ] {
        let ratio = samples.over(&bare).median();
        table.row(vec![
            name.to_owned(),
            number(samples.median()),
            number(samples.max()),
            number(ratio),
            max.map_or("–".to_owned(), |max| verdict(ratio <= max)),
        ]);
    }
    table.print();
    say(&format!(
        "{FILES} files. Target: a new tree at most {DISPATCH_MAX} times `git worktree add`, a finished one faster."
    ));
    Ok(())
}

fn add_bare(yard: &Yard, round: usize) -> Done<Duration> {
    let (path, branch) = (yard.beside("bare").join(round.to_string()), format!("bare-{round}"));
    let path = path.display().to_string();
    let (time, _) = yard.git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?;
    yard.git(&["worktree", "remove", "--force", &path])?;
    Ok(time)
}

/// Dispatches where no finished tree can be used, and takes the tree away again.
fn dispatch_fresh(yard: &Yard, task: usize) -> Done<Duration> {
    yard.forget_spares("r")?;
    let (time, _) = yard.ours("orch", &["dispatch", &format!("r/t{task}")])?;
    // Its work is done at once, so that what follows finds a finished tree.
    yard.work()?;
    yard.ours("orch", &["integrate", "r"])?;
    Ok(time)
}

/// Dispatches where the tree of the attempt before is there to be used.
fn dispatch_again(yard: &Yard, task: usize) -> Done<Duration> {
    let (time, _) = yard.ours("orch", &["dispatch", &format!("r/t{task}")])?;
    yard.work()?;
    yard.ours("orch", &["integrate", "r"])?;
    Ok(time)
}

/// Several at once: none may fail because git holds a lock.
fn crowding(scratch: &Scratch) -> Done<()> {
    let yard = Yard::new(&scratch.disk("crowd")?, FILES)?;
    yard.begin("r", CROWDS * AT_ONCE)?;
    let mut table = Table::new(&["at once", "of them failed", "wall, median ms"]);
    let (mut bare, mut ours) = <(Samples, Samples)>::default();
    let (mut bare_failed, mut ours_failed) = (0, 0);
    for crowd in 0..CROWDS {
        let begin = Instant::now();
        let mut children = Vec::new();
        for index in 0..AT_ONCE {
            let (branch, path) =
                (format!("bare-{crowd}-{index}"), yard.beside(&format!("bare/{crowd}-{index}")));
            let path = path.display().to_string();
            children.push(yard.start_git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?);
        }
        bare_failed += failed(children)?;
        bare.push(begin.elapsed());
        let begin = Instant::now();
        let mut children = Vec::new();
        for index in 0..AT_ONCE {
            children.push(yard.start(&["dispatch", &format!("r/t{}", crowd * AT_ONCE + index)])?);
        }
        ours_failed += failed(children)?;
        ours.push(begin.elapsed());
    }
    let all = CROWDS * AT_ONCE;
    table.row(vec![
        format!("{AT_ONCE} git worktree add"),
        format!("{bare_failed} of {all}"),
        number(bare.median()),
    ]);
    table.row(vec![
        format!("{AT_ONCE} orch dispatch"),
        format!("{ours_failed} of {all}"),
        number(ours.median()),
    ]);
    table.print();
    say(&format!("Target: no dispatch fails: {}.", verdict(ours_failed == 0)));
    Ok(())
}

/// Waits for all, and counts those that did not succeed.
fn failed(children: Vec<std::process::Child>) -> Done<usize> {
    let mut failed = 0;
    for child in children {
        failed += usize::from(!child.wait_with_output()?.status.success());
    }
    Ok(failed)
}

/// Many attempts merged by one command, in turn with the fewest git commands that come to the same.
fn merging(scratch: &Scratch) -> Done<()> {
    let (mut bare, mut ours) = <(Samples, Samples)>::default();
    for round in 0..MERGE_ROUNDS {
        for side in [round % 2, 1 - round % 2] {
            match side {
                0 => bare.push(merge_bare(scratch, round)?),
                _ => ours.push(merge_ours(scratch, round)?),
            }
        }
    }
    let ratio = ours.over(&bare).median();
    let mut table = Table::new(&["merging", "wall, median ms", "each, ms", "of bare", "target"]);
    for (name, samples, target) in [
        ("git merge-tree, commit-tree, update-ref, worktree remove", &bare, "–".to_owned()),
        ("orch integrate", &ours, verdict(ratio <= MERGE_MAX)),
    ] {
        table.row(vec![
            name.to_owned(),
            number(samples.median()),
            number(samples.median() / MERGED as f64),
            number(samples.over(&bare).median()),
            target,
        ]);
    }
    table.print();
    say(&format!(
        "{MERGED} attempts without conflicts and checks, {MERGED_FILES} files each. Target: at most {MERGE_MAX} times."
    ));
    Ok(())
}

fn merge_ours(scratch: &Scratch, round: usize) -> Done<Duration> {
    let folder = scratch.disk(&format!("merge-ours-{round}"))?;
    let yard = Yard::new(&folder, MERGED_FILES)?;
    yard.begin("r", MERGED)?;
    yard.ours("orch", &["dispatch", "--all", "--limit", &MERGED.to_string()])?;
    for _ in 0..MERGED {
        yard.work()?;
    }
    let (time, merged) = yard.ours("orch", &["integrate", "r"])?;
    if merged["integrated"].as_array().map(Vec::len) != Some(MERGED) {
        return Err(format!("not everything was merged: {merged}").into());
    }
    std::fs::remove_dir_all(folder)?;
    Ok(time)
}

/// What somebody would type who wants the same: each merged into a branch that nobody has checked out, its tree kept
/// under a reference and taken away, its branch put aside.
fn merge_bare(scratch: &Scratch, round: usize) -> Done<Duration> {
    let folder = scratch.disk(&format!("merge-bare-{round}"))?;
    let yard = Yard::new(&folder, MERGED_FILES)?;
    yard.git(&["branch", "run"])?;
    let mut trees = Vec::new();
    for index in 0..MERGED {
        let tree = yard.beside("trees").join(format!("t{index}"));
        let (branch, path) = (format!("attempt-{index}"), tree.display().to_string());
        yard.git(&["worktree", "add", "--quiet", "-b", &branch, &path, "main"])?;
        commit_own_file(&yard, &tree)?;
        trees.push((tree, branch));
    }
    let begin = Instant::now();
    for (index, (tree, branch)) in trees.iter().enumerate() {
        let tip = yard.git(&["rev-parse", "run"])?.1;
        let head = yard.git(&["rev-parse", branch])?.1;
        let merged = yard.git(&["merge-tree", "--write-tree", &tip, &head])?.1;
        let commit = yard.git(&["commit-tree", &merged, "-p", &tip, "-p", &head, "-m", "Merge"])?.1;
        yard.git(&["update-ref", "refs/heads/run", &commit, &tip])?;
        yard.git_in(tree, &["status", "--porcelain"])?;
        yard.git(&["update-ref", &format!("refs/kept/{index}"), &head])?;
        yard.git(&["worktree", "remove", &tree.display().to_string()])?;
        yard.git(&["update-ref", "-d", &format!("refs/heads/{branch}"), &head])?;
    }
    let time = begin.elapsed();
    std::fs::remove_dir_all(folder)?;
    Ok(time)
}
