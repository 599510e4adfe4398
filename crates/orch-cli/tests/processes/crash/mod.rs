//! Killed after each git command, at each write to the disk, and while checks run: what was begun with
//! worktrees, checks and merges is healed by repeating the command or by `orch reconcile`.
//!
//! [`site`] is where it happens, [`stories`] what is begun and what must hold at the end, and here is how it dies.

mod site;
mod stories;

use std::path::{Path, PathBuf};

use orch_testkit::program::Running;
use orch_testkit::yard::write_script;
use serde_json::{Value, json};

use crate::place::{can_run, until};
use site::{Site, deadly_git};
use stories::{STORIES, Story};

/// More git commands than any story runs.
const COMMANDS_MAX: u32 = 150;

/// How it is healed.
#[derive(Clone, Copy, Debug)]
enum Cure {
    /// The same command once more, as whoever saw it die would try.
    Repeat,
    /// `orch reconcile`, and the command only where that found nothing to go on with.
    Reconcile,
}

fn heal(site: &Site, story: &Story, cure: Cure) {
    if matches!(cure, Cure::Reconcile) {
        let healed = site.data(&["reconcile"]);
        let problems: Vec<_> =
            healed["finished"].as_array().unwrap().iter().filter(|one| one["done"] != true).collect();
        assert!(problems.is_empty(), "{healed}");
    }
    if !(story.is_done)(site) {
        let _ = site.orch(story.act);
    }
    assert!((story.is_done)(site), "{} is not done", story.name);
    if matches!(cure, Cure::Repeat) {
        site.data(&["reconcile"]);
    }
    (story.check)(site);
    site.is_clean();
}

/// Dies right after each of the git commands of a story, before anything is made of it.
fn tell_by_commands(story: &Story) {
    let site = Site::prepared(story.run, story.prepare);
    let mut is_seen = story.moment.is_none();
    for number in 1..=COMMANDS_MAX {
        site.reset();
        let path = deadly_git(&site, number);
        let ended = Running::start(site.command(story.act, &path)).end();
        if !ended.was_killed() {
            assert!(ended.status.success(), "{}: {ended}", story.name);
            assert!(number > story.commands_min, "{} was killed {} times only", story.name, number - 1);
            assert!(is_seen, "{} did not die in the moment it had to", story.name);
            return;
        }
        is_seen |= story.moment.is_some_and(|moment| moment(&site));
        let cure = if number % 2 == 0 { Cure::Repeat } else { Cure::Reconcile };
        site.say(&format!("{} after git command {number}, {cure:?}", story.name));
        heal(&site, story, cure);
    }
    panic!("{} runs more than {COMMANDS_MAX} commands", story.name);
}

/// Dies at each of the moments at which something is brought to the disk.
fn tell_by_writes(story: &Story) {
    let test = "being killed at each write";
    let has = std::process::Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    if !can_run(test, "strace", has.is_ok_and(|status| status.success())) {
        return;
    }
    let site = Site::prepared(story.run, story.prepare);
    for number in 1.. {
        site.reset();
        let plain = site.command(story.act, &site.path());
        let mut command = std::process::Command::new("strace");
        let inject = format!("inject=fdatasync:signal=KILL:when={number}");
        command.args(["-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", &inject]);
        command.arg(plain.get_program()).args(plain.get_args());
        site.surround(&mut command, &site.path());
        let ended = Running::start(command).end();
        if ended.status.success() {
            assert!(number > 2, "{} writes more than once", story.name);
            return;
        }
        let cure = if number % 2 == 0 { Cure::Repeat } else { Cure::Reconcile };
        site.say(&format!("{} at write {number}, {cure:?}", story.name));
        heal(&site, story, cure);
    }
}

/// Dies while a command of the run's own, a setup or a check, is at work.
fn tell_by_checks(story: &Story, times: u32) {
    for dies_at in 1..=times {
        let site = Site::prepared(story.run, story.prepare);
        let (count, started) = (site.beside("count"), site.beside("started"));
        // The one of this number waits to be killed; every other one does its work.
        let script = format!(
            "#!/bin/sh\nprintf x >>{count}\n[ \"$(wc -c <{count})\" -eq {dies_at} ] || exit 0\n: >{started}\nexec tail -f /dev/null\n",
            count = count.display(),
            started = started.display(),
        );
        std::fs::write(&count, "").unwrap();
        write_script(&site.beside("judge"), &script);
        let mut running = Running::start(site.command(story.act, &site.path()));
        until("the check is at work", || started.exists());
        running.kill();
        assert!(running.end().was_killed());
        until("its check is gone as well", || processes_below(&site.beside("repo.orch")) == 0);
        site.say(&format!("{} while command {dies_at} of the run is at work", story.name));
        heal(&site, story, if dies_at % 2 == 0 { Cure::Repeat } else { Cure::Reconcile });
    }
}

/// Dies while it makes a worktree, and nobody wants the attempt any more.
#[test]
fn what_dies_while_it_is_made_and_is_recalled_leaves_nothing() {
    let story = &STORIES[0];
    let site = Site::prepared(story.run, story.prepare);
    for number in 1..=COMMANDS_MAX {
        site.reset();
        let path = deadly_git(&site, number);
        if !Running::start(site.command(story.act, &path)).end().was_killed() {
            return;
        }
        site.say(&format!("recalled after git command {number}"));
        let has_begun = site.task("a")["task"]["state"] == "dispatched";
        if has_begun {
            site.data(&["recall", "a"]);
        }
        site.data(&["reconcile"]);
        site.is_clean();
        assert_eq!(site.yard.worktrees(), [""; 0].map(PathBuf::from));
        assert_eq!(site.yard.references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
        site.data(&["dispatch", "a", "--to", "w"]);
        let attempts = site.task("a")["attempts"].as_array().unwrap().len();
        assert_eq!(attempts, 1 + usize::from(has_begun));
        site.is_clean();
    }
}

/// What would be gone on with is named before, and what comes of it is told after.
#[test]
fn what_was_begun_is_named_and_its_outcome_told() {
    let story = &STORIES[2];
    let site = Site::prepared(story.run, story.prepare);
    let started = site.beside("started");
    let script = format!("#!/bin/sh\n: >{}\nexec tail -f /dev/null\n", started.display());
    write_script(&site.beside("judge"), &script);
    let mut running = Running::start(site.command(story.act, &site.path()));
    until("the check is at work", || started.exists());
    let busy = site.data(&["reconcile"]);
    assert_eq!((&busy["finished"], &busy["swept"]), (&json!([]), &json!([])), "somebody is at it");
    running.kill();
    assert!(running.end().was_killed());
    until("its check is gone as well", || processes_below(&site.beside("repo.orch")) == 0);
    write_script(&site.beside("judge"), "#!/bin/sh\nexit 1\n");
    let named = |done: bool, problem: Value| json!([{ "kind": "verify", "run": "r", "attempt": "r/a@1", "done": done, "problem": problem }]);
    let planned = site.data(&["reconcile", "--dry-run"]);
    assert_eq!(planned["finished"], named(false, Value::Null));
    assert_eq!(site.task("a")["task"]["state"], "reported", "nothing was done");
    let done = site.data(&["reconcile"]);
    let problem = done["finished"][0]["problem"].clone();
    assert!(problem.as_str().unwrap().contains("ended with status 1"), "{done}");
    assert_eq!(done["finished"], named(true, problem));
    assert_eq!(site.task("a")["task"]["state"], "ready", "it was rejected");
    site.is_clean();
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
            fn is_healed_after_each_git_command() {
                super::tell_by_commands(&super::STORIES[$index]);
            }

            #[test]
            fn is_healed_after_each_write() {
                super::tell_by_writes(&super::STORIES[$index]);
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
    forgetting = 9,
}

#[test]
fn a_setup_that_is_cut_off_is_healed() {
    tell_by_checks(&STORIES[0], 1);
}

#[test]
fn a_check_that_is_cut_off_is_healed() {
    tell_by_checks(&STORIES[2], 1);
}

#[test]
fn a_check_of_a_merge_that_is_cut_off_is_healed() {
    tell_by_checks(&STORIES[3], 3);
}
