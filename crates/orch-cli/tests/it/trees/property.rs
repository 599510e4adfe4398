//! However four workers' reports, checks and merges are interleaved, the run's branch has exactly what was integrated,
//! and each of it was checked as it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fixture::ClaimedWorktree;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// How many moves are made.
const MOVES: u32 = 60;

/// A small generator whose seed says everything.
struct PropertyRng(u64);

impl PropertyRng {
    /// One that is told apart from others of the same seed.
    fn new(seed: u64, which: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(which << 7) | 1);
        // The first ones are too much like the seed.
        for _ in 0..8 {
            dice.roll_dice(2);
        }
        dice
    }

    fn roll_dice(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// What one attempt changed.
#[derive(Clone, Debug)]
struct AttemptChanges {
    /// Its own file, which nobody else writes.
    own: String,
    /// What it wrote into a file that others write, too.
    shared: Option<(String, String)>,
}

impl AttemptChanges {
    /// Draws one for an attempt and makes it.
    fn draw_and_commit(
        attempt: &str,
        work: &ClaimedWorktree,
        place: &TestEnvironment,
        dice: &mut PropertyRng,
    ) -> Self {
        let own = match dice.roll_dice(6) {
            0 => "poison-a".to_owned(),
            1 => "poison-b".to_owned(),
            _ => format!("own-{}", attempt.replace(['/', '@'], "-")),
        };
        let shared = (dice.roll_dice(2) == 0)
            .then(|| (format!("shared{}", dice.roll_dice(2)), format!("{attempt}\n")));
        work.write_file(&own, &format!("{attempt}\n"));
        if let Some((name, content)) = &shared {
            work.write_file(name, content);
        }
        place.commit_in(&work.path, attempt);
        Self { own, shared }
    }
}

struct RandomScenario {
    place: TestEnvironment,
    log: PathBuf,
    dice: PropertyRng,
    working: BTreeMap<String, ClaimedWorktree>,
    changes: BTreeMap<String, AttemptChanges>,
}

/// The seed of a random test, given or new; each test says it, so that it can be given again.
fn test_seed() -> u64 {
    let given = std::env::var("ORCH_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| 1 + u64::from(std::process::id()))
}

#[test]
fn the_runs_branch_has_exactly_what_was_integrated() {
    let seed = test_seed();
    println!("ORCH_SEED={seed}");
    let mut world = RandomScenario::new(seed, 8);
    for _ in 0..MOVES {
        world.run_step();
    }
    world.finish_all();
    world.check_result();
}

/// The same with workers and two leads who wait for nobody; the seed says what they do, but not when.
#[test]
fn the_same_holds_when_all_of_it_happens_at_once() {
    let seed = test_seed();
    println!("ORCH_SEED={seed}");
    let mut world = RandomScenario::new(seed, 5);
    let changes = Mutex::new(BTreeMap::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (place, changes, over) = (&world.place, &changes, &over);
            scope.spawn(move || {
                run_worker(place, &mut PropertyRng::new(seed, number + 1), number, changes, over);
            });
        }
        let second = scope.spawn(|| run_lead(&world.place, &mut PropertyRng::new(seed, 10)));
        run_lead(&world.place, &mut PropertyRng::new(seed, 11));
        second.join().unwrap();
        over.store(true, Ordering::SeqCst);
    });
    world.changes = changes.into_inner().unwrap();
    assert_eq!(world.place.show_run()["outcome"], "succeeded");
    world.check_result();
}

/// Takes what there is, changes something and reports it, until it is over.
fn run_worker(
    place: &TestEnvironment,
    dice: &mut PropertyRng,
    number: u64,
    changes: &Mutex<BTreeMap<String, AttemptChanges>>,
    over: &AtomicBool,
) {
    let name = format!("w{number}");
    while !over.load(Ordering::SeqCst) {
        let claim = place.inbox(&["claim", "--for", "pool", "--as", &name, "--empty-ok", "--wait", "1s"]);
        let claimed = claim.ok();
        if claimed["thread"].is_null() {
            continue;
        }
        let work = ClaimedWorktree::from_claim(&claimed);
        let attempt = json_text(&work.payload["attempt"]);
        let change = AttemptChanges::draw_and_commit(&attempt, &work, place, dice);
        changes.lock().unwrap().insert(attempt, change);
        let printed = place.done_call(&work).run();
        if printed.exit != 0 {
            // It was recalled meanwhile.
            printed.fails("lease_lost");
        }
    }
}

/// Dispatches, verifies, merges and recalls, until everything is done.
fn run_lead(place: &TestEnvironment, dice: &mut PropertyRng) {
    while place.show_run()["state"] != "finished" {
        place.orch(&["dispatch", "--all", "--to", "pool"]).ok();
        let listed = place.orch(&["task", "list", "--state", "reported", "--state", "running"]).ok();
        let keys = crate::scheduling::task_keys(&listed["tasks"]);
        match dice.roll_dice(4) {
            0 | 1 => drop(place.orch(&["integrate", "r"]).ok()),
            2 if !keys.is_empty() => {
                drop(place.orch(&["verify", &keys[dice.roll_dice(keys.len())]]).run());
            }
            3 if !keys.is_empty() && dice.roll_dice(4) == 0 => {
                drop(place.orch(&["recall", &keys[dice.roll_dice(keys.len())]]).run());
            }
            _ => {}
        }
    }
}

impl RandomScenario {
    fn new(seed: u64, tasks: u32) -> Self {
        let place = TestEnvironment::with_repository();
        for name in ["shared0", "shared1"] {
            place.commit_all(name, "start\n");
        }
        let log = place.sibling_path("log");
        // A tree with both is broken, though each alone is fine.
        let check = format!(
            "echo $ORCH_STAGE $ORCH_ATTEMPT $(git rev-parse 'HEAD^{{tree}}') >> '{}'; ! {{ test -e poison-a && test -e poison-b; }}",
            log.display()
        );
        place.begin_run("r", &["--verify", &check, "--max-attempts", "50"]);
        for number in 0..tasks {
            place.add_task(&format!("t{number}"), &[]);
        }
        place.add_task("last", &["t0", "t1"]);
        Self {
            place,
            log,
            dice: PropertyRng::new(seed, 0),
            working: BTreeMap::new(),
            changes: BTreeMap::new(),
        }
    }

    fn run_step(&mut self) {
        match self.dice.roll_dice(18) {
            0..=6 => self.dispatch_some(),
            7..=12 => self.report_some(),
            13 | 14 => self.verify_some(),
            15 => self.recall_some(),
            _ => drop(self.place.orch(&["integrate"]).ok()),
        }
    }

    fn dispatch_some(&mut self) {
        let worker = format!("w{}", self.dice.roll_dice(4));
        if self.working.contains_key(&worker) {
            return;
        }
        let ready = self.place.ready_keys();
        if ready.is_empty() {
            return;
        }
        let key = ready[self.dice.roll_dice(ready.len())].clone();
        let work = self.place.start_tree_task(&key, &worker);
        self.working.insert(worker, work);
    }

    fn report_some(&mut self) {
        if self.working.is_empty() {
            return;
        }
        let names: Vec<String> = self.working.keys().cloned().collect();
        let worker = &names[self.dice.roll_dice(names.len())];
        let work = self.working.remove(worker).unwrap();
        let attempt = json_text(&work.payload["attempt"]);
        let change = AttemptChanges::draw_and_commit(&attempt, &work, &self.place, &mut self.dice);
        self.place.done_call(&work).ok();
        self.changes.insert(attempt, change);
    }

    fn recall_some(&mut self) {
        let live = self.place.orch(&["task", "list", "--state", "reported", "--state", "running"]).ok();
        let keys = crate::scheduling::task_keys(&live["tasks"]);
        if keys.is_empty() {
            return;
        }
        let key = &keys[self.dice.roll_dice(keys.len())];
        self.place.orch(&["recall", key]).ok();
        let task = format!("r/{key}@");
        self.working.retain(|_, work| !json_text(&work.payload["attempt"]).starts_with(&task));
    }

    fn verify_some(&mut self) {
        let reported = self.place.orch(&["task", "list", "--state", "reported"]).ok();
        let keys = crate::scheduling::task_keys(&reported["tasks"]);
        if keys.is_empty() {
            return;
        }
        let printed = self.place.orch(&["verify", &keys[self.dice.roll_dice(keys.len())]]).run();
        if printed.exit != 0 {
            printed.fails("check_failed");
        }
    }

    /// Everybody reports what they have, and all of it is merged.
    fn finish_all(&mut self) {
        while !self.working.is_empty() {
            self.report_some();
        }
        self.place.orch(&["integrate"]).ok();
    }

    fn check_result(&self) {
        let events = self.place.orch(&["events", "--limit", "1000"]).ok()["events"].clone();
        let of = |kind: &str| -> Vec<(String, String)> {
            let events = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
            events
                .map(|event| {
                    (json_text(&event["attempt"]), event["data"]["commit"].as_str().unwrap_or("").to_owned())
                })
                .collect()
        };
        let integrated = of("integrated");
        // Exactly their files, as the last of them left them.
        let mut expected: BTreeMap<String, String> =
            [("base.txt", "base"), ("shared0", "start"), ("shared1", "start")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into();
        for (attempt, _) in &integrated {
            let change = &self.changes[attempt];
            expected.insert(change.own.clone(), attempt.clone());
            if let Some((name, content)) = &change.shared {
                expected.insert(name.clone(), content.trim_end().to_owned());
            }
        }
        let names = self.place.run_git(["ls-tree", "--name-only", "orch/r/main"]);
        let found: BTreeMap<String, String> =
            names.lines().map(|name| (name.to_owned(), self.place.file_on_branch(name).unwrap())).collect();
        assert_eq!(found, expected);
        assert!(!(found.contains_key("poison-a") && found.contains_key("poison-b")), "the branch is green");
        // Each of them was checked as it is there: the tool ran the checks on the very tree that the branch came to have.
        let log = std::fs::read_to_string(&self.log).unwrap();
        let checked: BTreeSet<(&str, &str)> = log
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .map(|words| match words.as_slice() {
                [_, attempt, tree] => (*attempt, *tree),
                [_, tree] => ("", *tree),
                other => panic!("{other:?}"),
            })
            .collect();
        for (attempt, commit) in &integrated {
            let tree = self.place.run_git(["rev-parse", &format!("{commit}^{{tree}}")]);
            assert!(checked.contains(&(attempt, &tree)), "{attempt} was not checked on {tree}:\n{log}");
            assert_eq!(self.place.run_git(["merge-base", commit, "orch/r/main"]), *commit);
        }
        // Nobody who was rejected is there.
        for (attempt, _) in of("rejected") {
            assert!(!integrated.iter().any(|(other, _)| *other == attempt));
        }
        self.place.check_sound();
    }
}
