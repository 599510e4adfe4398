//! Leads and workers do anything at all, in any order, while time jumps; the laws hold after every step.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::run::{DoneWhen, Policy, RunEdit};
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_core::time::{Span, Time};
use orch_engine::clock::Clock;
use orch_engine::inbox::{ask, cancel, claim, close, progress, release, reply};
use orch_engine::orch::{TaskRef, answer, dep, dispatch, recall, reconcile, run, task};
use orch_engine::session::OpenOptions;
use orch_engine::{Answer, Error, Session};
use orch_store::{Location, Store, invariant};

/// A clock that the test moves.
struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now(&self) -> Time {
        Time(self.0.load(Ordering::Relaxed))
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): any generator will do that repeats from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let sides = u64::try_from(from.len()).unwrap();
        if sides == 0 { None } else { from.get(usize::try_from(self.roll(sides)).unwrap()) }
    }
}

/// A store with what a test knows of it.
struct World {
    session: Session,
    other: Store,
    clock: Arc<AtomicI64>,
    dice: Dice,
    /// Every claim that ever succeeded, with its token; old ones are tried again.
    claims: Vec<(ThreadId, String)>,
    /// What happened, for the message of a failure.
    told: Vec<String>,
    /// The kinds of step that succeeded at least once.
    succeeded: BTreeSet<&'static str>,
    _folder: tempfile::TempDir,
}

const KEYS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
const RUNS: [&str; 2] = ["one", "two"];

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("orch.db"));
        let clock = Arc::new(AtomicI64::new(1_000_000));
        let (session, _) = Session::open_or_create(&location, OpenOptions::default()).unwrap();
        let session = session.with_clock(Box::new(HandClock(Arc::clone(&clock))));
        let other = Store::open(&location, false).unwrap();
        let (dice, claims, told) = (Dice(seed), Vec::new(), Vec::new());
        let mut world =
            Self { session, other, clock, dice, claims, told, succeeded: BTreeSet::new(), _folder: folder };
        for name in RUNS {
            world.make_run(name);
            for key in &KEYS[..6] {
                let before =
                    world.dice.pick(&KEYS[..6]).filter(|other| other < &key).map(|other| slug(other));
                world.add(&TaskRef { run: Some(slug(name)), key: slug(key) }, before).unwrap();
            }
        }
        world
    }

    fn make_run(&mut self, name: &str) {
        let policy = Policy {
            done_when: DoneWhen::Reported,
            max_active: Some(3),
            max_attempts: 2,
            retry_delay: Span::seconds(2),
            lease: LeaseLength::new(Span::seconds(20)).unwrap(),
            answer_after: Some(Span::seconds(30)),
        };
        let new = run::NewRun { name: Some(slug(name)), title: name.to_owned(), goal: None, policy };
        run::init(&mut self.session, None, &slug("lead"), &new).unwrap();
    }

    fn add(&mut self, task: &TaskRef, after: Option<Slug>) -> Result<(), Error> {
        let new = NewTask {
            key: Some(task.key.clone()),
            title: "Something".to_owned(),
            text: TaskText::default(),
            priority: u8::try_from(self.dice.roll(5)).unwrap(),
            labels: Vec::new(),
            agent: Some(slug("w")),
            max_attempts: None,
            allow_empty: false,
            after: after.into_iter().collect(),
        };
        done(task::add(&mut self.session, None, &slug("lead"), task.run.as_ref(), &new))
    }

    /// A task that may be there or not.
    fn task(&mut self) -> TaskRef {
        let run = slug(self.dice.pick(&RUNS).unwrap());
        TaskRef { run: Some(run), key: slug(self.dice.pick(&KEYS).unwrap()) }
    }

    /// A claim of now or of long ago; mostly a recent one.
    fn claimed(&mut self) -> (ThreadId, String) {
        let recent = self.claims.len().saturating_sub(2);
        let from = if self.dice.roll(8) == 0 { 0 } else { recent };
        self.dice.pick(&self.claims[from..]).cloned().unwrap_or((ThreadId(1), "lt-none".to_owned()))
    }

    /// One step of somebody; a refusal is as good as a success.
    fn step(&mut self) {
        let (name, outcome) = match self.dice.roll(10) {
            0 | 1 => self.lead_plans(),
            2..=4 => self.lead_runs(),
            _ => self.worker_works(),
        };
        match outcome {
            Ok(()) => {
                self.succeeded.insert(name);
                self.told.push(name.to_owned());
            }
            Err(Error::Refused(refusal)) => self.told.push(format!("{name}: {refusal:?}")),
            Err(other) => panic!("{name}: {other:?} after {:#?}", self.told),
        }
        let ahead = match self.dice.roll(60) {
            0 => 40_000,
            1 => 12_000,
            // Clocks are set back, too.
            2 | 3 => -5_000,
            4..=10 => 2_000,
            _ => 50,
        };
        self.clock.fetch_add(ahead, Ordering::Relaxed);
    }

    fn lead_plans(&mut self) -> (&'static str, Result<(), Error>) {
        let lead = slug("lead");
        let task = self.task();
        let on = slug(self.dice.pick(&KEYS).unwrap());
        let session = &mut self.session;
        match self.dice.roll(8) {
            0 | 1 => {
                let after = Some(on).filter(|_| self.dice.roll(2) == 0);
                ("task add", self.add(&task, after))
            }
            2 => ("dep add", done(dep::add(session, None, &lead, &task, &[on]))),
            3 | 4 => ("dep rm", done(dep::remove(session, None, &lead, &task, &on))),
            5 => ("task cancel", done(task::change(session, None, &lead, &task, task::Verb::Cancel))),
            6 => ("task retry", done(task::change(session, None, &lead, &task, task::Verb::Retry))),
            _ => {
                let edit = TaskEdit { priority: Some(1), max_attempts: Some(1), ..TaskEdit::default() };
                ("task edit", done(task::edit(session, None, &lead, &task, &edit)))
            }
        }
    }

    fn lead_runs(&mut self) -> (&'static str, Result<(), Error>) {
        let lead = slug("lead");
        let task = self.task();
        let session = &mut self.session;
        let in_run = task.run.as_ref();
        match self.dice.roll(40) {
            0..=14 => {
                let all = dispatch::All { run: in_run.cloned(), to: vec![slug("w"), slug("v")], limit: 2 };
                ("dispatch --all", done(dispatch::all(session, None, &lead, &all)))
            }
            15..=21 => ("dispatch", done(dispatch::one(session, None, &lead, &task, None))),
            22..=26 => {
                let named = |key: &&str| TaskRef { run: task.run.clone(), key: slug(key) };
                let mut answer = |task| answer::answer(session, None, &lead, &task, "Yes.");
                let first = KEYS.iter().map(named).map(&mut answer).find(Result::is_ok);
                ("answer", first.map_or_else(|| done(answer(task)), done))
            }
            27..=29 => ("recall", done(recall::recall(session, None, &lead, &task, None))),
            30..=32 => ("reconcile", reconcile::reconcile(session, None, None, false).map(|_| ())),
            33 | 34 => ("pause", done(run::change(session, None, &lead, in_run, run::Verb::Pause))),
            35..=37 => ("resume", done(run::change(session, None, &lead, in_run, run::Verb::Resume))),
            38 => {
                let edit = RunEdit { max_active: Some(Some(2)), ..RunEdit::default() };
                ("run edit", done(run::edit(session, None, &lead, in_run, &edit)))
            }
            // Rarely, since nothing happens in that run afterwards.
            _ if self.told.len() > 250 => {
                ("run cancel", done(run::change(session, None, &lead, in_run, run::Verb::Cancel)))
            }
            _ => ("nothing", Ok(())),
        }
    }

    fn worker_works(&mut self) -> (&'static str, Result<(), Error>) {
        let (thread, token) = self.claimed();
        let holder = slug(self.dice.pick(&["w", "v"]).unwrap());
        let session = &mut self.session;
        match self.dice.roll(20) {
            0..=7 => self.claim(holder),
            8 => {
                let request = progress::Progress { thread, token, text: "So far.".to_owned(), percent: None };
                ("progress", done(progress::progress(session, None, &request)))
            }
            9..=11 => {
                let question = format!("Which {}?", self.dice.roll(2));
                let default = Some("That.".to_owned());
                let (options, default_after, wait) = (Vec::new(), None, None);
                let request = ask::Ask { thread, token, question, options, default, default_after, wait };
                ("ask", done(ask::ask(session, None, &request)))
            }
            12 => {
                let thread =
                    ThreadId(1 + i64::try_from(self.dice.roll(1 + self.claims.len() as u64)).unwrap());
                let request = reply::Reply { thread, from: slug("human"), body: "No.".to_owned() };
                ("reply", done(reply::reply(session, None, &request)))
            }
            13 => ("release", done(release::release(session, None, thread, &token))),
            14 => {
                let request = cancel::Cancel { thread, from: None, reason: None };
                ("cancel", done(cancel::cancel(session, None, &request)))
            }
            15 => {
                let last = self.dice.roll(4) == 0;
                let outcome = close::Outcome::Failed { reason: "It broke.".to_owned(), last };
                ("fail", done(close::close(session, None, &close::Close { thread, token, outcome })))
            }
            _ => {
                let result = "It works.".to_owned();
                let outcome = close::Outcome::Done { result, payload: None, artifacts: Vec::new() };
                ("done", done(close::close(session, None, &close::Close { thread, token, outcome })))
            }
        }
    }

    fn claim(&mut self, holder: Slug) -> (&'static str, Result<(), Error>) {
        let queue = Some(slug(self.dice.pick(&["w", "v"]).unwrap()));
        let again = self.dice.roll(8) == 0;
        let thread = if again { self.claims.last().map(|(thread, _)| *thread) } else { None };
        let again = again && thread.is_some();
        let request = claim::Claim { queue, holder, thread, lease: None, wait: None, again };
        let claimed = claim::claim(&mut self.session, None, &request);
        if let Ok(Answer::Fresh(claimed)) = &claimed {
            self.claims.push((claimed.thread.thread.id, claimed.lease.token.clone()));
        }
        ("claim", done(claimed))
    }

    fn assert_lawful(&mut self, seed: u64) {
        let breaches = self.other.read(invariant::breaches).unwrap();
        assert!(breaches.is_empty(), "seed {seed}: {breaches:#?} after {:#?}", self.told);
    }
}

fn done<T>(answer: Result<T, Error>) -> Result<(), Error> {
    answer.map(|_| ())
}

#[test]
fn the_laws_hold_after_every_step() {
    let mut succeeded = BTreeSet::new();
    for seed in 0..10 {
        let mut world = World::new(seed);
        for _ in 0..300 {
            world.step();
            world.assert_lawful(seed);
        }
        succeeded.append(&mut world.succeeded);
    }
    let every = [
        "answer",
        "ask",
        "cancel",
        "claim",
        "dep add",
        "dep rm",
        "dispatch",
        "dispatch --all",
        "done",
        "fail",
        "nothing",
        "pause",
        "progress",
        "recall",
        "reconcile",
        "release",
        "reply",
        "resume",
        "run cancel",
        "run edit",
        "task add",
        "task cancel",
        "task edit",
        "task retry",
    ];
    assert_eq!(succeeded, BTreeSet::from(every), "each kind of step succeeds somewhere");
}
