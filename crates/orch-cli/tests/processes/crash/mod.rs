//! Killed after each git command, at each write to the disk, and while checks run: what was begun with
//! worktrees, checks and merges is healed by repeating the command or by `orch reconcile`.
//!
//! [`fixture`] is where it happens, [`killed_commands`] what is begun and what must hold at the end, and here is how it dies.

mod fixture;
mod flushed;
mod killed_commands;
mod power_loss;

use std::path::{Path, PathBuf};

use orch_testkit::program::RunningProcess;
use orch_testkit::test_repo::write_script;
use serde_json::{Value, json};

use crate::fixture::{can_run, wait_until};
use fixture::{CrashFixture, killing_git};
use killed_commands::{KilledCommand, STORIES};

/// More git commands than any story runs.
const COMMANDS_MAX: u32 = 150;

/// How it is healed.
#[derive(Clone, Copy, Debug)]
enum RecoveryMethod {
    /// The same command once more, as whoever saw it die would try.
    Repeat,
    /// `orch reconcile`, and the command only where that found nothing to go on with.
    Reconcile,
}

fn recover_site(site: &CrashFixture, story: &KilledCommand, cure: RecoveryMethod) {
    if matches!(cure, RecoveryMethod::Reconcile) {
        let healed = site.run_orch_data(&["reconcile"]);
        let problems: Vec<_> =
            healed["finished"].as_array().unwrap().iter().filter(|one| one["done"] != true).collect();
        assert!(problems.is_empty(), "{healed}");
    }
    if !(story.is_done)(site) {
        let _ = site.run_orch(story.act);
    }
    assert!((story.is_done)(site), "{} is not done", story.name);
    if matches!(cure, RecoveryMethod::Repeat) {
        site.run_orch_data(&["reconcile"]);
    }
    (story.check)(site);
    site.check_clean();
}

/// Dies right after each second of the git commands of a story, from `first` on, before anything is made of it.
///
/// Odd ones are healed by `orch reconcile`, even ones by the command itself.
fn crash_after_git_commands(story: &KilledCommand, first: u32) {
    let site = CrashFixture::prepared_for(story.run, story.prepare);
    for number in (first..=COMMANDS_MAX).step_by(2) {
        site.restore_copy();
        let path = killing_git(&site, "*", number);
        let ended = RunningProcess::start(site.orch_command(story.act, &path)).wait_output();
        if !ended.was_killed() {
            assert!(ended.status.success(), "{}: {ended}", story.name);
            assert!(number > story.commands_min, "{} was killed {} times only", story.name, number - 1);
            return;
        }
        let cure = if number % 2 == 0 { RecoveryMethod::Repeat } else { RecoveryMethod::Reconcile };
        site.record_attempt(&format!("{} after git command {number}, {cure:?}", story.name));
        recover_site(&site, story, cure);
    }
    panic!("{} runs more than {COMMANDS_MAX} commands", story.name);
}

/// Dies after a branch moved and before that is recorded. Commands that run at once have no fixed numbers.
fn crash_once_the_branch_moved(story: &KilledCommand) {
    let Some(is_moment) = story.moment else { return };
    let site = &CrashFixture::prepared_for(story.run, story.prepare);
    for number in 1..=COMMANDS_MAX {
        site.restore_copy();
        let path = killing_git(site, "*' update-ref '*", number);
        let ended = RunningProcess::start(site.orch_command(story.act, &path)).wait_output();
        assert!(ended.was_killed(), "{} did not die in the moment it had to: {ended}", story.name);
        let is_seen = is_moment(site);
        site.record_attempt(&format!("{} after update-ref {number}", story.name));
        recover_site(site, story, RecoveryMethod::Reconcile);
        if is_seen {
            return;
        }
    }
}

/// Dies at each of the moments at which something is brought to the disk.
fn crash_at_writes(story: &KilledCommand) {
    let test = "being killed at each write";
    let has = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !can_run(test, "strace", has.is_ok_and(|status| status.success())) {
        return;
    }
    let site = CrashFixture::prepared_for(story.run, story.prepare);
    for number in 1.. {
        site.restore_copy();
        let plain = site.orch_command(story.act, &site.search_path());
        let mut command = std::process::Command::new("strace");
        let inject = format!("inject=fdatasync:signal=KILL:when={number}");
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject]);
        command.arg(plain.get_program()).args(plain.get_args());
        site.set_environment(&mut command, &site.search_path());
        let ended = RunningProcess::start(command).wait_output();
        if ended.status.success() {
            assert!(number > 2, "{} writes more than once", story.name);
            return;
        }
        let cure = if number % 2 == 0 { RecoveryMethod::Repeat } else { RecoveryMethod::Reconcile };
        site.record_attempt(&format!("{} at write {number}, {cure:?}", story.name));
        recover_site(&site, story, cure);
    }
}

/// Dies while a command of the run's own, a setup or a check, is at work.
fn crash_during_checks(story: &KilledCommand, times: u32) {
    for dies_at in 1..=times {
        let site = CrashFixture::prepared_for(story.run, story.prepare);
        let (count, started) = (site.sibling_path("count"), site.sibling_path("started"));
        // Two may run at once, so that each takes its number under a lock.
        let lock = site.sibling_path("lock");
        // The one of this number waits to be killed; every other one does its work.
        let script = format!(
            "#!/bin/sh\nuntil mkdir {lock} 2>/dev/null; do sleep 0.01; done\nprintf x >>{count}\nnumber=$(wc -c <{count})\nrmdir {lock}\n[ \"$number\" -eq {dies_at} ] || exit 0\n: >{started}\nexec tail -f /dev/null\n",
            lock = lock.display(),
            count = count.display(),
            started = started.display(),
        );
        std::fs::write(&count, "").unwrap();
        write_script(&site.sibling_path("judge"), &script);
        let mut running = RunningProcess::start(site.orch_command(story.act, &site.search_path()));
        wait_until("the check is at work", || started.exists());
        running.kill();
        assert!(running.wait_output().was_killed());
        wait_until("its check is gone as well", || processes_below(&site.sibling_path("repo.orch")) == 0);
        // Another one may have been killed while it took its number.
        let _ = std::fs::remove_dir(&lock);
        site.record_attempt(&format!("{} while command {dies_at} of the run is at work", story.name));
        recover_site(
            &site,
            story,
            if dies_at % 2 == 0 { RecoveryMethod::Repeat } else { RecoveryMethod::Reconcile },
        );
    }
}

/// Dies while it makes a worktree, and nobody wants the attempt any more.
#[test]
fn what_dies_while_it_is_made_and_is_recalled_leaves_nothing() {
    let story = &STORIES[0];
    let site = CrashFixture::prepared_for(story.run, story.prepare);
    for number in 1..=COMMANDS_MAX {
        site.restore_copy();
        let path = killing_git(&site, "*", number);
        if !RunningProcess::start(site.orch_command(story.act, &path)).wait_output().was_killed() {
            return;
        }
        site.record_attempt(&format!("recalled after git command {number}"));
        let has_begun = site.show_task("a")["task"]["state"] == "dispatched";
        if has_begun {
            site.run_orch_data(&["recall", "a"]);
        }
        site.run_orch_data(&["reconcile"]);
        site.check_clean();
        assert_eq!(site.yard.list_worktrees(), [""; 0].map(PathBuf::from));
        assert_eq!(site.yard.list_references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
        site.run_orch_data(&["dispatch", "a", "--to", "w"]);
        let attempts = site.show_task("a")["attempts"].as_array().unwrap().len();
        assert_eq!(attempts, 1 + usize::from(has_begun));
        site.check_clean();
    }
}

/// What would be gone on with is named before, and what comes of it is told after.
#[test]
fn what_was_begun_is_named_and_its_outcome_told() {
    let story = &STORIES[2];
    let site = CrashFixture::prepared_for(story.run, story.prepare);
    let started = site.sibling_path("started");
    let script = format!("#!/bin/sh\n: >{}\nexec tail -f /dev/null\n", started.display());
    write_script(&site.sibling_path("judge"), &script);
    let mut running = RunningProcess::start(site.orch_command(story.act, &site.search_path()));
    wait_until("the check is at work", || started.exists());
    let busy = site.run_orch_data(&["reconcile"]);
    assert_eq!((&busy["finished"], &busy["swept"]), (&json!([]), &json!([])), "somebody is at it");
    running.kill();
    assert!(running.wait_output().was_killed());
    wait_until("its check is gone as well", || processes_below(&site.sibling_path("repo.orch")) == 0);
    write_script(&site.sibling_path("judge"), "#!/bin/sh\nexit 1\n");
    let named = |done: bool, problem: Value| json!([{ "kind": "verify", "run": "r", "attempt": "r/a@1", "done": done, "problem": problem }]);
    let planned = site.run_orch_data(&["reconcile", "--dry-run"]);
    assert_eq!(planned["finished"], named(false, Value::Null));
    assert_eq!(site.show_task("a")["task"]["state"], "reported", "nothing was done");
    let done = site.run_orch_data(&["reconcile"]);
    let problem = done["finished"][0]["problem"].clone();
    assert!(problem.as_str().unwrap().contains("exited with status 1"), "{done}");
    assert_eq!(done["finished"], named(true, problem));
    assert_eq!(site.show_task("a")["task"]["state"], "ready", "it was rejected");
    site.check_clean();
}

/// How many processes have their working folder in here.
fn processes_below(folder: &Path) -> usize {
    let of = |entry: std::fs::DirEntry| std::fs::read_link(entry.path().join("cwd")).ok();
    let all = std::fs::read_dir("/proc").unwrap().flatten().filter_map(of);
    all.filter(|cwd| cwd.starts_with(folder)).count()
}

macro_rules! stories {
    ($($name:ident = $index:literal,)*) => {$(
        mod $name {
            #[test]
            fn is_healed_after_each_odd_git_command() {
                super::crash_after_git_commands(&super::STORIES[$index], 1);
                super::crash_once_the_branch_moved(&super::STORIES[$index]);
            }

            #[test]
            fn is_healed_after_each_even_git_command() {
                super::crash_after_git_commands(&super::STORIES[$index], 2);
            }

            #[test]
            fn is_healed_after_each_write() {
                super::crash_at_writes(&super::STORIES[$index]);
            }
        }
    )*};
}

stories! {
    preparing = 0,
    reusing = 1,
    verifying = 2,
    integrating = 3,
    removing = 4,
    restoring = 5,
    pruning = 6,
    landing = 7,
    landing_on_what_went_on = 8,
    synchronizing = 9,
    forgetting = 10,
}

#[test]
fn a_setup_that_is_cut_off_is_healed() {
    crash_during_checks(&STORIES[0], 1);
}

#[test]
fn a_check_that_is_cut_off_is_healed() {
    crash_during_checks(&STORIES[2], 1);
}

#[test]
fn a_check_of_a_merge_that_is_cut_off_is_healed() {
    crash_during_checks(&STORIES[3], 3);
}

#[test]
fn a_check_of_a_synchronization_that_is_cut_off_is_healed() {
    crash_during_checks(&STORIES[9], 1);
}
