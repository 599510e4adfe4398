//! What leads, workers and users do on a disk until it loses its power: random steps, each with the moment of its answer.

use std::collections::BTreeMap;

use super::power_site::{PowerSite, RUN, SiteSnapshot};
use super::volatile_disk::VolatileDisk;
use crate::program::ProgramReply;
use crate::seeded_rng::SeededRng;
use crate::test_repo::write_file_at;

/// The states of tasks that have ended.
const ENDED: [&str; 3] = ["failed", "cancelled", "done"];

/// The number of tasks that are unfinished at once.
const TASKS_AT_ONCE: usize = 4;

/// More than a flush writes of other programs' data: it then flushes the files of git one by one.
const FOREIGN_BYTES: usize = 24 << 20;

/// What a step's answer promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepPromise {
    /// The store and all references with their objects are on the disk.
    Everything,
    /// The store is on the disk.
    Store,
    /// Nothing: a worker or a user moved references or wrote files.
    Nothing,
    /// Nothing, and what was promised of references no longer counts: a user let git rewrite all of them without flushing.
    Risk,
}

/// A step that was done.
pub(super) struct StoryStep {
    /// What was done, for a failure to name.
    pub(super) what: String,
    pub(super) promise: StepPromise,
    /// The moment of the answer.
    pub(super) answered: usize,
    /// What the store and git said afterwards.
    pub(super) after: SiteSnapshot,
}

/// A story in progress.
pub(super) struct PowerStory<'a> {
    site: &'a PowerSite,
    disk: &'a mut VolatileDisk,
    chance: SeededRng,
    steps: Vec<StoryStep>,
    /// Thread and token of claimed work, by task.
    leases: BTreeMap<String, (String, String)>,
    /// The number of files that were written so far.
    files: usize,
}

/// Something that can be done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StoryMove {
    Add,
    Dispatch,
    Work,
    Report,
    ReportTwo,
    Fail,
    Verify,
    Accept,
    AcceptCommit,
    Integrate,
    Land,
    Repair,
    RemoveTree,
    RestoreTree,
    Prune,
    UserCommit,
    UserPack,
    ForeignData,
}

/// Each with its weight.
const MOVES: [(StoryMove, usize); 18] = [
    (StoryMove::Add, 6),
    (StoryMove::Dispatch, 10),
    (StoryMove::Work, 6),
    (StoryMove::Report, 12),
    (StoryMove::ReportTwo, 6),
    (StoryMove::Fail, 4),
    (StoryMove::Verify, 4),
    (StoryMove::Accept, 3),
    (StoryMove::AcceptCommit, 4),
    (StoryMove::Integrate, 8),
    (StoryMove::Land, 6),
    (StoryMove::Repair, 2),
    (StoryMove::RemoveTree, 6),
    (StoryMove::RestoreTree, 5),
    (StoryMove::Prune, 3),
    (StoryMove::UserCommit, 2),
    (StoryMove::UserPack, 2),
    (StoryMove::ForeignData, 3),
];

impl<'a> PowerStory<'a> {
    pub(super) fn new(site: &'a PowerSite, disk: &'a mut VolatileDisk, seed: u64) -> Self {
        let chance = SeededRng::new(seed);
        Self { site, disk, chance, steps: Vec::new(), leases: BTreeMap::new(), files: 0 }
    }

    /// Does so many steps and removes the run at the end; returns what was done.
    ///
    /// # Errors
    /// A command was refused that should have succeeded.
    pub(super) fn tell(mut self, steps: usize) -> Result<Vec<StoryStep>, String> {
        self.record("the beginning", StepPromise::Everything, None)?;
        while self.steps.len() < steps {
            let total = MOVES.iter().map(|(_, weight)| weight).sum();
            let mut left = self.chance.number_below(total);
            let drawn = MOVES.iter().find(|(_, weight)| {
                let is_drawn = left < *weight;
                left = left.saturating_sub(*weight);
                is_drawn
            });
            if let Some((drawn, _)) = drawn {
                self.make_move(*drawn)?;
            }
        }
        self.answer("orch", &["integrate"], StepPromise::Everything)?;
        self.answer("orch", &["land", RUN, "--onto", "main", "--partial"], StepPromise::Everything)?;
        for (key, state) in self.last().tasks.clone() {
            if matches!(state.as_str(), "running" | "dispatched") {
                self.answer("orch", &["recall", &key], StepPromise::Store)?;
            }
        }
        self.answer("orch", &["run", "rm", RUN], StepPromise::Everything)?;
        Ok(self.steps)
    }

    fn last(&self) -> &SiteSnapshot {
        &self.steps.last().expect("the beginning is a step").after
    }

    /// Records a step whose answer came at that moment, or right now.
    fn record(&mut self, what: &str, promise: StepPromise, answered: Option<usize>) -> Result<(), String> {
        let answered = answered.unwrap_or_else(|| self.disk.mark_moment());
        let after = self.site.snapshot()?;
        self.steps.push(StoryStep { what: what.to_owned(), promise, answered, after });
        Ok(())
    }

    /// Runs a command that must succeed.
    fn answer(
        &mut self,
        program: &str,
        words: &[&str],
        promise: StepPromise,
    ) -> Result<serde_json::Value, String> {
        let (mut moment, disk) = (0, &mut *self.disk);
        let reply = self.site.run(program, words, &mut || moment = disk.mark_moment());
        let what = format!("{program} {}", words.join(" "));
        let ProgramReply::Ok { data, .. } = reply else { return Err(format!("`{what}` answers {reply:?}")) };
        let before = self.last().references.clone();
        self.record(&what, promise, Some(moment))?;
        // What found nothing to merge, land or remove names no commit.
        let may_be_idle = ["orch integrate", "orch land", "orch worktree prune"];
        if let Some(step) = self.steps.last_mut()
            && may_be_idle.iter().any(|idle| what.starts_with(idle))
            && step.after.references == before
        {
            step.promise = StepPromise::Store;
        }
        Ok(data)
    }

    /// Returns a random task in one of these states.
    fn pick_task(&mut self, states: &[&str]) -> Option<String> {
        let found: Vec<String> = self
            .last()
            .tasks
            .iter()
            .filter(|(_, state)| states.contains(&state.as_str()))
            .map(|(key, _)| key.clone())
            .collect();
        self.chance.pick(&found).cloned()
    }

    /// Returns a random task whose first attempt has a worktree in this state.
    fn pick_tree(&mut self, state: &str, of_tasks: &[&str]) -> Option<String> {
        let last = self.last();
        let is_of = |key: &str| last.tasks.get(key).is_some_and(|task| of_tasks.contains(&task.as_str()));
        let found: Vec<String> = last
            .worktrees
            .iter()
            .filter(|(_, found)| *found == state)
            .filter_map(|(attempt, _)| attempt.split(['/', '@']).nth(1))
            .filter(|key| is_of(key))
            .map(str::to_owned)
            .collect();
        self.chance.pick(&found).cloned()
    }

    fn make_move(&mut self, chosen: StoryMove) -> Result<(), String> {
        match chosen {
            StoryMove::Add => {
                let unfinished =
                    self.last().tasks.values().filter(|state| !ENDED.contains(&state.as_str())).count();
                if unfinished < TASKS_AT_ONCE {
                    let key = format!("t{}", self.last().tasks.len());
                    let title = format!("Do {key}");
                    self.answer("orch", &["task", "add", &title, "--key", &key], StepPromise::Store)?;
                }
            }
            StoryMove::Dispatch => {
                if let Some(key) = self.pick_task(&["ready"]) {
                    let agent = format!("w-{key}");
                    self.answer("orch", &["dispatch", &key, "--to", &agent], StepPromise::Everything)?;
                    let words = ["claim", "--for", &agent, "--as", &agent];
                    let claimed = self.answer("inbox", &words, StepPromise::Store)?;
                    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                    let lease = (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]));
                    self.leases.insert(key, lease);
                }
            }
            StoryMove::Work => {
                if let Some(key) = self.pick_task(&["running"]) {
                    self.commit_work(&key)?;
                }
            }
            StoryMove::Report => {
                if let Some(key) = self.pick_task(&["running"]) {
                    self.commit_work(&key)?;
                    let (thread, token) = self.leases[&key].clone();
                    let words = ["done", &thread, "--token", &token, "--result", "Done."];
                    self.answer("inbox", &words, StepPromise::Everything)?;
                }
            }
            StoryMove::ReportTwo => self.report_two()?,
            StoryMove::Fail => {
                if let Some(key) = self.pick_task(&["running"]) {
                    self.leave_work_behind(&key)?;
                    let (thread, token) = self.leases[&key].clone();
                    let words =
                        ["fail", &thread, "--token", &token, "--reason", "It cannot be done.", "--final"];
                    self.answer("inbox", &words, StepPromise::Store)?;
                }
            }
            StoryMove::Verify | StoryMove::Accept => {
                if let Some(key) = self.pick_task(&["reported"]) {
                    let word = if chosen == StoryMove::Verify { "verify" } else { "accept" };
                    self.answer("orch", &[word, &key], StepPromise::Everything)?;
                }
            }
            StoryMove::AcceptCommit => {
                if let Some(key) = self.pick_task(&["reported"]) {
                    self.commit_work(&key)?;
                    let head = self.site.git_in(&self.site.worktree_path(&key), &["rev-parse", "HEAD"])?;
                    self.answer("orch", &["accept", &key, "--commit", &head], StepPromise::Everything)?;
                }
            }
            StoryMove::Integrate
            | StoryMove::Land
            | StoryMove::Repair
            | StoryMove::RemoveTree
            | StoryMove::RestoreTree
            | StoryMove::Prune => self.lead(chosen)?,
            StoryMove::UserCommit | StoryMove::UserPack | StoryMove::ForeignData => self.use_disk(chosen)?,
        }
        Ok(())
    }

    /// The lead merges, lands or tidies up.
    fn lead(&mut self, chosen: StoryMove) -> Result<(), String> {
        match chosen {
            StoryMove::Integrate => {
                self.answer("orch", &["integrate"], StepPromise::Everything)?;
            }
            StoryMove::Land => {
                let words = ["land", RUN, "--onto", "main", "--partial"];
                self.answer("orch", &words, StepPromise::Everything)?;
            }
            StoryMove::Repair => self.move_and_repair_branch()?,
            StoryMove::RemoveTree => {
                if let Some(key) = self.pick_tree("present", &ENDED) {
                    let attempt = format!("{key}@1");
                    self.answer("orch", &["worktree", "remove", &attempt], StepPromise::Everything)?;
                }
            }
            StoryMove::RestoreTree => {
                if let Some(key) = self.pick_tree("removed", &["failed", "cancelled"]) {
                    let attempt = format!("{key}@1");
                    self.answer("orch", &["worktree", "restore", &attempt], StepPromise::Everything)?;
                }
            }
            StoryMove::Prune => {
                self.answer("orch", &["worktree", "prune", RUN], StepPromise::Everything)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The user and other programs work on the same disk.
    fn use_disk(&mut self, chosen: StoryMove) -> Result<(), String> {
        match chosen {
            StoryMove::UserCommit => {
                let name = self.next_file();
                self.site.repo.write_file(&name, "of the user\n");
                self.site.git(&["add", "--", &name])?;
                self.site.git(&["commit", "--quiet", "-m", "of the user"])?;
                self.record("the user commits on main", StepPromise::Nothing, None)?;
            }
            StoryMove::UserPack => {
                let words: &[&str] = match self.chance.number_below(3) {
                    0 => &["gc", "--quiet"],
                    1 => &["repack", "-a", "-d", "--quiet"],
                    _ => &["pack-refs", "--all"],
                };
                self.site.git(words)?;
                self.record(&format!("git {}", words.join(" ")), StepPromise::Risk, None)?;
            }
            _ => {
                let path = self.site.repo.sibling_path("foreign");
                write_file_at(&path, vec![1; FOREIGN_BYTES]);
                self.record("another program writes much", StepPromise::Nothing, None)?;
            }
        }
        Ok(())
    }

    fn next_file(&mut self) -> String {
        self.files += 1;
        format!("work/{}", self.files)
    }

    /// A worker commits a file, and sometimes a large one.
    fn commit_work(&mut self, key: &str) -> Result<(), String> {
        let tree = self.site.worktree_path(key);
        let name = self.next_file();
        let lines = if self.chance.is_within_percent(20) { 20_000 } else { 1 };
        write_file_at(&tree.join(&name), format!("of {key} in {name}\n").repeat(lines));
        self.site.git_in(&tree, &["add", "--all"])?;
        self.site.git_in(&tree, &["commit", "--quiet", "-m", &format!("Do {key}")])?;
        self.record(&format!("{key} commits {name}"), StepPromise::Nothing, None)
    }

    /// A worker leaves staged, changed and new files.
    fn leave_work_behind(&mut self, key: &str) -> Result<(), String> {
        let tree = self.site.worktree_path(key);
        let name = self.next_file();
        write_file_at(&tree.join("src/0.txt"), format!("staged by {key}\n"));
        self.site.git_in(&tree, &["add", "src/0.txt"])?;
        write_file_at(&tree.join("src/0.txt"), format!("changed by {key}\n"));
        write_file_at(&tree.join(name), format!("new of {key}\n"));
        self.record(&format!("{key} leaves work behind"), StepPromise::Nothing, None)
    }

    /// Two workers report at the same time, and share a flush.
    fn report_two(&mut self) -> Result<(), String> {
        let running = self.last().tasks.iter().filter(|(_, state)| *state == "running");
        let keys: Vec<String> = running.map(|(key, _)| key.clone()).take(2).collect();
        let [first, second] = keys.as_slice() else { return Ok(()) };
        for key in [first, second] {
            self.commit_work(key)?;
        }
        let site = self.site;
        let of_second = self.leases[second].clone();
        let ((answered, reply), other) = std::thread::scope(|scope| {
            let report = |(thread, token): (String, String), answered: &mut dyn FnMut()| {
                let words = ["done", &thread, "--token", &token, "--result", "Done."];
                site.run("inbox", &words, answered)
            };
            let other = scope.spawn(move || report(of_second, &mut || {}));
            let (mut moment, disk) = (0, &mut *self.disk);
            let reply = report(self.leases[first].clone(), &mut || moment = disk.mark_moment());
            ((moment, reply), other.join().expect("a report is taken"))
        });
        for reply in [reply, other] {
            let ProgramReply::Ok { .. } = reply else { return Err(format!("a report: {reply:?}")) };
        }
        // What the second report changed may come after the first answer.
        let mut after = self.site.snapshot()?;
        let moment = self.disk.mark_moment();
        let between = &self.last().tasks[second];
        after.tasks.insert(second.clone(), between.clone());
        let what = format!("{first} and {second} report at once: {first} is answered");
        let promise = StepPromise::Everything;
        self.steps.push(StoryStep { what, promise, answered, after });
        self.record(&format!("{second} is answered too"), promise, Some(moment))
    }

    /// A user sets the run's branch back, and the lead puts it where it was.
    fn move_and_repair_branch(&mut self) -> Result<(), String> {
        let branch = format!("refs/heads/orch/{RUN}/main");
        let base = self.site.git(&["rev-parse", &format!("{branch}~1")]);
        let merged = self.last().tasks.values().any(|state| state == "done");
        if let (Ok(base), true) = (base, merged) {
            self.site.git(&["update-ref", &branch, &base])?;
            self.record("the user sets the run's branch back", StepPromise::Nothing, None)?;
            self.answer("orch", &["run", "repair", RUN, "--restore"], StepPromise::Everything)?;
        }
        Ok(())
    }
}
