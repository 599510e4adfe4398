//! A lead and workers do anything at all, in any order, while time jumps; an oracle says what must come of it.
//!
//! Every step is an order drawn from a seed. The product gets it through a session, the oracle
//! ([`model`]) through its own rules, and both must say the same; so must the store's rows, the laws of
//! docs/invariants.md and the history. A failure names its seed and the steps that led there, and the seed brings
//! it back.

mod compare;
mod model;
mod order;
mod perform;

use std::collections::BTreeMap;
use std::fmt;

use orch_core::time::Span;
use orch_inbox::Session;
use orch_inbox::clock::Clock;
use orch_scheduler::run as run_operation;
use orch_store::Store;

use crate::Place;
use crate::chance::Chance;
use crate::desk::{fresh, policy, slug};
use model::{Model, Run, RunState};
use order::{Draw, Order, RUNS};
use perform::{Outcome, Performer, Request};

/// How many steps lie between two looks at every row, as long as nothing is wrong.
const STEPS_PER_LOOK: usize = 10;

/// How many of the last steps a failure tells.
const STEPS_TOLD: usize = 40;

/// The kinds of order, as reports count them.
pub use order::KINDS;

/// What a simulation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps taken.
    pub steps: usize,
    /// How often each kind of order was carried out, not refused.
    pub carried_out: BTreeMap<&'static str, usize>,
    /// How often each kind of refusal was met.
    pub refused: BTreeMap<&'static str, usize>,
    /// How often a repeated request was answered as the first time.
    pub replayed: usize,
}

impl Report {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.steps += other.steps;
        self.replayed += other.replayed;
        for (kind, count) in other.carried_out {
            *self.carried_out.entry(kind).or_default() += count;
        }
        for (kind, count) in other.refused {
            *self.refused.entry(kind).or_default() += count;
        }
        self
    }
}

/// The product and the oracle do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed, which brings the failure back.
    pub seed: u64,
    /// The step at which it was seen, from 1.
    pub step: usize,
    /// What is wrong.
    pub what: String,
    /// The last steps, oldest first.
    pub told: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.told {
            writeln!(formatter, "  {told}")?;
        }
        write!(formatter, "seed {}, step {}: {}", self.seed, self.step, self.what)
    }
}

impl std::error::Error for Failure {}

/// Simulates so many steps.
///
/// # Errors
/// The product does not do what the oracle says.
///
/// # Panics
/// There is no place for a temporary store.
pub fn run(seed: u64, steps: usize) -> Result<Report, Box<Failure>> {
    // What went wrong between two looks is looked for again, more closely.
    Simulation::new(seed).take(steps, STEPS_PER_LOOK).or_else(|_| Simulation::new(seed).take(steps, 1))
}

/// A request that was carried out, to be repeated later.
struct Applied {
    order: Order,
    request: Request,
    said: String,
}

/// A world under way.
struct Simulation {
    seed: u64,
    chance: Chance,
    model: Model,
    place: Place,
    sessions: Vec<Session>,
    store: Store,
    applied: Vec<Applied>,
    requests: usize,
    told: Vec<String>,
    report: Report,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let place = Place::in_memory();
        let sessions = (0..3).map(|_| place.session()).collect();
        let store = place.store();
        let mut simulation = Self {
            seed,
            chance: Chance::new(seed),
            model: Model::default(),
            place,
            sessions,
            store,
            applied: Vec::new(),
            requests: 0,
            told: Vec::new(),
            report: Report::default(),
        };
        for name in RUNS {
            simulation.make_run(name);
        }
        simulation
    }

    fn make_run(&mut self, name: &'static str) {
        let run = Run {
            name,
            state: RunState::Open,
            max_active: Some(4),
            max_attempts: 2,
            retry_delay: 2_000,
            lease: 20_000,
            answer_after: Some(30_000),
            keys_made: 0,
            tasks: Vec::new(),
        };
        let policy = orch_core::run::Policy {
            max_active: run.max_active,
            max_attempts: run.max_attempts,
            retry_delay: Span(run.retry_delay),
            lease: orch_core::lease::LeaseLength::new(Span(run.lease)).expect("20 seconds are a lease"),
            answer_after: run.answer_after.map(Span),
            ..policy()
        };
        let new = run_operation::NewRun {
            name: Some(slug(name)),
            title: name.to_owned(),
            goal: None,
            done_when: Some(policy.done_when),
            policy,
            rules: orch_core::run::Rules::default(),
            budget: orch_core::run::Budget::default(),
            place: None,
        };
        fresh(run_operation::init(&mut self.sessions[0], None, &slug("lead"), &new).expect("a run is made"));
        self.model.runs.push(run);
    }

    fn take(mut self, steps: usize, steps_per_look: usize) -> Result<Report, Box<Failure>> {
        let begin = Draw { chance: &mut self.chance, model: &self.model }.beginning();
        let mut begin = begin.into_iter();
        for step in 1..=steps {
            let order = begin.next();
            let order =
                order.unwrap_or_else(|| Draw { chance: &mut self.chance, model: &self.model }.order());
            let taken = self.step(order).and_then(|()| {
                if step % steps_per_look == 0 || step == steps { self.look() } else { Ok(()) }
            });
            if let Err(what) = taken {
                let from = self.told.len().saturating_sub(STEPS_TOLD);
                let told = self.told.split_off(from);
                return Err(Box::new(Failure { seed: self.seed, step, what, told }));
            }
        }
        self.report.steps = steps;
        Ok(self.report)
    }

    /// One order; now and then an earlier one again.
    fn step(&mut self, order: Order) -> Result<(), String> {
        if let Order::Pass(millis) = order {
            self.place.clock().advance(Span(millis));
        }
        match self.chance.below(20) {
            0 if !self.applied.is_empty() => self.repeat(),
            1..=5 => {
                self.requests += 1;
                let request =
                    Request { key: format!("request-{}", self.requests), fingerprint: format!("{order:?}") };
                self.fresh(order, Some(request))
            }
            _ => self.fresh(order, None),
        }
    }

    /// An order that was not given before.
    fn fresh(&mut self, order: Order, request: Option<Request>) -> Result<(), String> {
        let now = self.now()?;
        let outcome = self.perform(&order, request.as_ref())?;
        let expected = self.model.try_order(&order, &outcome.token, now);
        self.tell(&order, &outcome);
        if outcome.replayed || outcome.said != expected {
            return Err(format!("the product says {:?}, the oracle {expected:?}", outcome.said));
        }
        let recorded = !matches!(
            order,
            Order::Pass(_)
                | Order::Look(_)
                | Order::Plan { dry_run: true, .. }
                | Order::Reconcile { dry_run: true, .. }
        );
        match (outcome.said, request) {
            (Ok(said), Some(request)) if recorded => self.applied.push(Applied { order, request, said }),
            _ => {}
        }
        Ok(())
    }

    /// The same request once more, or another one under its name: nothing changes.
    fn repeat(&mut self) -> Result<(), String> {
        let index = self.chance.below(self.applied.len());
        let Applied { order, request, said } = &self.applied[index];
        let (order, mut request, mut expected) =
            (order.clone(), Request { key: request.key.clone(), ..clone_of(request) }, Ok(said.clone()));
        if self.chance.percent(20) {
            request.fingerprint.push('!');
            expected = Err("RequestConflict");
        }
        let outcome = self.perform(&order, Some(&request))?;
        self.told.push(format!("again {}", request.key));
        self.tell(&order, &outcome);
        if outcome.said != expected || outcome.replayed != expected.is_ok() {
            return Err(format!("the repeat says {:?}, the first time it was {expected:?}", outcome.said));
        }
        self.report.replayed += usize::from(outcome.replayed);
        Ok(())
    }

    fn perform(&mut self, order: &Order, request: Option<&Request>) -> Result<Outcome, String> {
        let session = self.chance.below(self.sessions.len());
        let performed =
            Performer { session: &mut self.sessions[session], model: &self.model, request }.perform(order);
        performed.map_err(|fault| format!("{order:?}: {fault}"))
    }

    fn tell(&mut self, order: &Order, outcome: &Outcome) {
        let clock = self.place.clock().now().0 % 100_000_000;
        self.told.push(format!("{clock} {order:?}: {:?}", outcome.said));
        match &outcome.said {
            Ok(_) => *self.report.carried_out.entry(order.kind()).or_default() += 1,
            Err(why) => *self.report.refused.entry(why).or_default() += 1,
        }
    }

    /// The time of the next transaction.
    fn now(&mut self) -> Result<model::Millis, String> {
        let clock = self.place.clock().now();
        let now = self.store.read(|tx| tx.now(clock)).map_err(|fault| format!("{fault:?}"))?;
        Ok(now.0)
    }

    /// Everything in the store, against the oracle and the laws.
    fn look(&mut self) -> Result<(), String> {
        let checks = [
            compare::difference(&mut self.store, &self.model),
            compare::breach(&mut self.store),
            compare::history_breach(&mut self.store),
        ];
        for check in checks {
            if let Some(found) = check.map_err(|fault| format!("{fault:?}"))? {
                return Err(found);
            }
        }
        Ok(())
    }
}

fn clone_of(request: &Request) -> Request {
    Request { key: request.key.clone(), fingerprint: request.fingerprint.clone() }
}
