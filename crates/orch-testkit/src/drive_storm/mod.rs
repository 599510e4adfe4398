//! Drive storms: two drives of one run, killed with their wrappers, workers and gits, and a lead who keeps changing its mind.
//!
//! In the end one more drive brings the run to its end. Then one commit of each task is on the run's branch, and no worktree,
//! lock or process is left that the store does not know.

mod drive_site;
mod site_process;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use self::drive_site::{DriveSite, RUN, wait_for};
use self::site_process::{ProcessKind, SiteProcess};
use crate::seeded_rng::SeededRng;

/// How long the last drive may take.
const END_WAIT: Duration = Duration::from_secs(150);

/// The number of actions after which calm returns, for each kill: sometimes there is nothing to kill.
const ACTIONS_PER_KILL: usize = 2;

/// The longest time between two actions.
const PAUSE_MAX: Duration = Duration::from_millis(150);

/// The parameters of a storm.
#[derive(Clone, Debug)]
pub struct DriveStorm {
    /// The folder of the built programs.
    pub programs: PathBuf,
    /// The seed, which reproduces the choices.
    pub seed: u64,
    /// The number of tasks.
    pub tasks: usize,
    /// The number of kills after which calm returns.
    pub kills: usize,
}

/// Counts of what a storm did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriveTally {
    /// Tasks that were done.
    pub tasks: usize,
    /// Kills, by what was killed.
    pub kills: BTreeMap<String, usize>,
    /// Commands of the lead that were carried out, by their first words.
    pub commands: BTreeMap<String, usize>,
}

impl DriveTally {
    /// Returns the sums of two tallies.
    #[must_use]
    pub fn merged_with(mut self, other: &Self) -> Self {
        self.tasks += other.tasks;
        for (own, others) in [(&mut self.kills, &other.kills), (&mut self.commands, &other.commands)] {
            for (name, count) in others {
                *own.entry(name.clone()).or_default() += count;
            }
        }
        self
    }
}

impl std::fmt::Display for DriveTally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |counts: &BTreeMap<String, usize>| {
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
            counts.join(", ")
        };
        let Self { tasks, kills, commands } = self;
        write!(
            formatter,
            "{tasks} tasks done once each; killed: {}; the lead: {}",
            list(kills),
            list(commands)
        )
    }
}

impl DriveStorm {
    /// Runs the storm and checks what it leaves.
    ///
    /// # Errors
    /// A task is missing or was done twice, or something is left behind. The site is kept.
    pub fn run_storm(&self) -> Result<DriveTally, String> {
        let site = DriveSite::new(&self.programs, self.tasks);
        let mut storm = RunningStorm {
            site: &site,
            chance: SeededRng::new(self.seed),
            drives: Vec::new(),
            tally: DriveTally::default(),
        };
        let ended = storm.rage(self.kills).and_then(|()| storm.calm(self.tasks));
        let tally = std::mem::take(&mut storm.tally);
        storm.kill_everything(ended.is_err());
        match ended {
            Ok(()) => Ok(tally),
            Err(failure) => {
                let kept = site.repo.keep_folder();
                let seed = self.seed;
                Err(format!(
                    "the drive storm of seed {seed}: {failure}\nThe folder is kept: {}",
                    kept.display()
                ))
            }
        }
    }
}

/// A storm in progress.
struct RunningStorm<'a> {
    site: &'a DriveSite,
    chance: SeededRng,
    drives: Vec<Child>,
    tally: DriveTally,
}

impl RunningStorm<'_> {
    /// Kills and changes minds until enough was killed or everything is done.
    fn rage(&mut self, kills: usize) -> Result<(), String> {
        for _ in 0..kills * ACTIONS_PER_KILL {
            if self.tally.kills.values().sum::<usize>() >= kills {
                break;
            }
            self.site.remove_user_locks();
            self.drives.retain_mut(|drive| !matches!(drive.try_wait(), Ok(Some(_))));
            while self.drives.len() < 2 {
                self.drives.push(self.site.start_drive());
            }
            let pause = self.chance.duration_up_to(PAUSE_MAX);
            sleep_for(pause);
            if self.chance.is_within_percent(60) {
                self.kill_something();
            } else {
                self.change_mind()?;
            }
            if self.site.list_tasks()?.iter().all(|(_, state)| state == "done") {
                break;
            }
        }
        Ok(())
    }

    /// Kills a process of a random kind.
    fn kill_something(&mut self) {
        let kinds = [
            ProcessKind::Drive,
            ProcessKind::Wrapper,
            ProcessKind::Wrapper,
            ProcessKind::Worker,
            ProcessKind::Git,
            ProcessKind::Git,
        ];
        let Some(kind) = self.chance.pick(&kinds).copied() else { return };
        let mut found = SiteProcess::list_in(&self.site.folder());
        found.retain(|process| process.kind == kind);
        if self.chance.pick(&found).is_some_and(SiteProcess::kill) {
            *self.tally.kills.entry(format!("{kind:?}").to_lowercase()).or_default() += 1;
        }
    }

    /// The lead does something, whether it makes sense or not; what the state forbids is refused.
    fn change_mind(&mut self) -> Result<(), String> {
        let mut tasks = self.site.list_tasks()?;
        tasks.retain(|(_, state)| state != "done");
        let Some((key, _)) = self.chance.pick(&tasks).cloned() else { return Ok(()) };
        let key = key.as_str();
        let choices: [&[&str]; 10] = [
            &["task", "cancel", key],
            &["task", "retry", key],
            &["task", "retry", key],
            &["recall", key],
            &["run", "pause", RUN],
            &["run", "resume", RUN],
            &["run", "resume", RUN],
            &["worktree", "prune", RUN],
            &["integrate"],
            &["reconcile"],
        ];
        if self.chance.is_within_percent(30) {
            for task in self.site.list_questions() {
                self.command(&["answer", &task, "This one."])?;
            }
        }
        if let Some(words) = self.chance.pick(&choices) {
            self.command(words)?;
        }
        Ok(())
    }

    /// Runs a command of the lead, which may be refused, but not because something is broken.
    fn command(&mut self, words: &[&str]) -> Result<(), String> {
        match self.site.attempt(words) {
            Ok(_) => {
                let named = if words[0] == "task" || words[0] == "run" { 2 } else { 1 };
                *self.tally.commands.entry(words[..named].join(" ")).or_default() += 1;
                Ok(())
            }
            Err(refused) => {
                let is_broken =
                    ["internal", "store_corrupt", "panicked"].iter().any(|word| refused.contains(word));
                if is_broken { Err(refused) } else { Ok(()) }
            }
        }
    }

    /// Lets the run come to its end, and checks what is left.
    fn calm(&mut self, tasks: usize) -> Result<(), String> {
        wait_for(END_WAIT, || {
            self.drives.retain_mut(|drive| !matches!(drive.try_wait(), Ok(Some(_))));
            if self.drives.is_empty() {
                self.drives.push(self.site.start_drive());
            }
            let _ = self.site.attempt(&["run", "resume", RUN]);
            for task in self.site.list_questions() {
                self.command(&["answer", &task, "This one."])?;
            }
            self.site.remove_user_locks();
            let mut left = Vec::new();
            for (key, state) in self.site.list_tasks()? {
                if matches!(state.as_str(), "failed" | "cancelled" | "operation_failed") {
                    let _ = self.site.attempt(&["task", "retry", &key]);
                    let _ = self.site.attempt(&["task", "retry", &key, "--operation"]);
                }
                if state != "done" {
                    left.push(format!("{key} is {state}"));
                }
            }
            if left.is_empty() { Ok(()) } else { Err(format!("not everything is done: {}", left.join(", "))) }
        })?;
        wait_for(END_WAIT, || {
            self.drives.retain_mut(|drive| !matches!(drive.try_wait(), Ok(Some(_))));
            if self.drives.is_empty() { Ok(()) } else { Err("a drive does not end".to_owned()) }
        })?;
        self.tally.tasks = tasks;
        self.site.check_end(tasks)
    }

    /// Ends what is left, so that nothing outlives a failure.
    fn kill_everything(&mut self, has_failed: bool) {
        for mut drive in self.drives.drain(..) {
            let _ = drive.kill();
            let _ = drive.wait();
        }
        if !has_failed {
            return;
        }
        loop {
            let left = SiteProcess::list_in(&self.site.folder());
            if !left.iter().any(SiteProcess::kill) {
                return;
            }
            sleep_for(PAUSE_MAX);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a storm comes at any moment, and nothing tells when")]
fn sleep_for(time: Duration) {
    std::thread::sleep(time);
}
