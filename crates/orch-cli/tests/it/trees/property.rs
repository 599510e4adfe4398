//! However four workers' reports, checks and merges are interleaved, the run's branch has exactly what was integrated,
//! and each of it was checked as it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ground::Work;
use crate::place::Place;
use crate::scheduling::text;

/// How many moves are made.
const MOVES: u32 = 60;

/// A small generator whose seed says everything.
struct Dice(u64);

impl Dice {
    /// One that is told apart from others of the same seed.
    fn new(seed: u64, which: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(which << 7) | 1);
        // The first ones are too much like the seed.
        for _ in 0..8 {
            dice.roll(2);
        }
        dice
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

/// What one attempt changed.
#[derive(Clone, Debug)]
struct Change {
    /// Its own file, which nobody else writes.
    own: String,
    /// What it wrote into a file that others write, too.
    shared: Option<(String, String)>,
}

impl Change {
    /// Draws one for an attempt and makes it.
    fn made(attempt: &str, work: &Work, place: &Place, dice: &mut Dice) -> Self {
        let own = match dice.roll(6) {
            0 => "poison-a".to_owned(),
            1 => "poison-b".to_owned(),
            _ => format!("own-{}", attempt.replace(['/', '@'], "-")),
        };
        let shared = (dice.roll(2) == 0).then(|| (format!("shared{}", dice.roll(2)), format!("{attempt}\n")));
        work.write(&own, &format!("{attempt}\n"));
        if let Some((name, content)) = &shared {
            work.write(name, content);
        }
        place.commit_in(&work.path, attempt);
        Self { own, shared }
    }
}

struct World {
    place: Place,
    log: PathBuf,
    dice: Dice,
    working: BTreeMap<String, Work>,
    changes: BTreeMap<String, Change>,
}

/// The seed of a random test, given or new; each test says it, so that it can be given again.
fn seed() -> u64 {
    let given = std::env::var("ORCH_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| 1 + u64::from(std::process::id()))
}

#[test]
fn the_runs_branch_has_exactly_what_was_integrated() {
    let seed = seed();
    println!("ORCH_SEED={seed}");
    let mut world = World::new(seed, 8);
    for _ in 0..MOVES {
        world.step();
    }
    world.finish();
    world.judge();
}

/// The same with workers and two leads who wait for nobody; the seed says what they do, but not when.
#[test]
fn the_same_holds_when_all_of_it_happens_at_once() {
    let seed = seed();
    println!("ORCH_SEED={seed}");
    let mut world = World::new(seed, 5);
    let changes = Mutex::new(BTreeMap::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (place, changes, over) = (&world.place, &changes, &over);
            scope.spawn(move || worker(place, &mut Dice::new(seed, number + 1), number, changes, over));
        }
        let second = scope.spawn(|| lead(&world.place, &mut Dice::new(seed, 10)));
        lead(&world.place, &mut Dice::new(seed, 11));
        second.join().unwrap();
        over.store(true, Ordering::SeqCst);
    });
    world.changes = changes.into_inner().unwrap();
    assert_eq!(world.place.run_state()["outcome"], "succeeded");
    world.judge();
}

/// Takes what there is, changes something and reports it, until it is over.
fn worker(
    place: &Place,
    dice: &mut Dice,
    number: u64,
    changes: &Mutex<BTreeMap<String, Change>>,
    over: &AtomicBool,
) {
    let name = format!("w{number}");
    while !over.load(Ordering::SeqCst) {
        let claim = place.inbox(&["claim", "--for", "pool", "--as", &name, "--empty-ok", "--wait", "1s"]);
        let claimed = claim.ok();
        if claimed["thread"].is_null() {
            continue;
        }
        let work = Work::of(&claimed);
        let attempt = text(&work.payload["attempt"]);
        let change = Change::made(&attempt, &work, place, dice);
        changes.lock().unwrap().insert(attempt, change);
        let printed = place.done(&work).run();
        if printed.exit != 0 {
            // It was recalled meanwhile.
            printed.fails("lease_lost");
        }
    }
}

/// Dispatches, verifies, merges and recalls, until everything is done.
fn lead(place: &Place, dice: &mut Dice) {
    while place.run_state()["state"] != "finished" {
        place.orch(&["dispatch", "--all", "--to", "pool"]).ok();
        let listed = place.orch(&["task", "list", "--state", "reported", "--state", "running"]).ok();
        let keys = crate::scheduling::keys(&listed["tasks"]);
        match dice.roll(4) {
            0 | 1 => drop(place.orch(&["integrate", "r"]).ok()),
            2 if !keys.is_empty() => {
                drop(place.orch(&["verify", &keys[dice.roll(keys.len())]]).run());
            }
            3 if !keys.is_empty() && dice.roll(4) == 0 => {
                drop(place.orch(&["recall", &keys[dice.roll(keys.len())]]).run());
            }
            _ => {}
        }
    }
}

impl World {
    fn new(seed: u64, tasks: u32) -> Self {
        let place = Place::with_repository();
        for name in ["shared0", "shared1"] {
            place.commit_all(name, "start\n");
        }
        let log = place.beside("log");
        // A tree with both is broken, though each alone is fine.
        let check = format!(
            "echo $ORCH_STAGE $ORCH_ATTEMPT $(git rev-parse 'HEAD^{{tree}}') >> '{}'; ! {{ test -e poison-a && test -e poison-b; }}",
            log.display()
        );
        place.begin("r", &["--verify", &check, "--max-attempts", "50"]);
        for number in 0..tasks {
            place.task(&format!("t{number}"), &[]);
        }
        place.task("last", &["t0", "t1"]);
        Self { place, log, dice: Dice::new(seed, 0), working: BTreeMap::new(), changes: BTreeMap::new() }
    }

    fn step(&mut self) {
        match self.dice.roll(18) {
            0..=6 => self.dispatch(),
            7..=12 => self.report(),
            13 | 14 => self.verify(),
            15 => self.recall(),
            _ => drop(self.place.orch(&["integrate"]).ok()),
        }
    }

    fn dispatch(&mut self) {
        let worker = format!("w{}", self.dice.roll(4));
        if self.working.contains_key(&worker) {
            return;
        }
        let ready = self.place.ready();
        if ready.is_empty() {
            return;
        }
        let key = ready[self.dice.roll(ready.len())].clone();
        let work = self.place.take(&key, &worker);
        self.working.insert(worker, work);
    }

    fn report(&mut self) {
        if self.working.is_empty() {
            return;
        }
        let names: Vec<String> = self.working.keys().cloned().collect();
        let worker = &names[self.dice.roll(names.len())];
        let work = self.working.remove(worker).unwrap();
        let attempt = text(&work.payload["attempt"]);
        let change = Change::made(&attempt, &work, &self.place, &mut self.dice);
        self.place.done(&work).ok();
        self.changes.insert(attempt, change);
    }

    fn recall(&mut self) {
        let live = self.place.orch(&["task", "list", "--state", "reported", "--state", "running"]).ok();
        let keys = crate::scheduling::keys(&live["tasks"]);
        if keys.is_empty() {
            return;
        }
        let key = &keys[self.dice.roll(keys.len())];
        self.place.orch(&["recall", key]).ok();
        let task = format!("r/{key}@");
        self.working.retain(|_, work| !text(&work.payload["attempt"]).starts_with(&task));
    }

    fn verify(&mut self) {
        let reported = self.place.orch(&["task", "list", "--state", "reported"]).ok();
        let keys = crate::scheduling::keys(&reported["tasks"]);
        if keys.is_empty() {
            return;
        }
        let printed = self.place.orch(&["verify", &keys[self.dice.roll(keys.len())]]).run();
        if printed.exit != 0 {
            printed.fails("check_failed");
        }
    }

    /// Everybody reports what they have, and all of it is merged.
    fn finish(&mut self) {
        while !self.working.is_empty() {
            self.report();
        }
        self.place.orch(&["integrate"]).ok();
    }

    fn judge(&self) {
        let events = self.place.orch(&["events", "--limit", "1000"]).ok()["events"].clone();
        let of = |kind: &str| -> Vec<(String, String)> {
            let events = events.as_array().unwrap().iter().filter(|event| event["kind"] == kind);
            events
                .map(|event| {
                    (text(&event["attempt"]), event["data"]["commit"].as_str().unwrap_or("").to_owned())
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
        let names = self.place.git(["ls-tree", "--name-only", "orch/r/main"]);
        let found: BTreeMap<String, String> =
            names.lines().map(|name| (name.to_owned(), self.place.on_branch(name).unwrap())).collect();
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
            let tree = self.place.git(["rev-parse", &format!("{commit}^{{tree}}")]);
            assert!(checked.contains(&(attempt, &tree)), "{attempt} was not checked on {tree}:\n{log}");
            assert_eq!(self.place.git(["merge-base", commit, "orch/r/main"]), *commit);
        }
        // Nobody who was rejected is there.
        for (attempt, _) in of("rejected") {
            assert!(!integrated.iter().any(|(other, _)| *other == attempt));
        }
        self.place.is_sound();
    }
}
