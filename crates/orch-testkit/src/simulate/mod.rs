//! Simulation: a lead and workers act at random while the clock jumps; an oracle predicts every outcome.
//!
//! Each step is an action drawn from a seed. The product executes it through a session, the oracle
//! ([`oracle`]) by its own rules, and both outcomes must agree; so must the store's rows, the laws of
//! docs/invariants.md and the history. A failure reports its seed and its last steps, and the seed reproduces
//! it.

mod action;
mod compare;
mod oracle;
mod product_driver;

use std::collections::BTreeMap;
use std::fmt;

use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_inbox::clock::Clock;
use orch_scheduler::run as run_operation;
use orch_store::Store;

use crate::TestStore;
use crate::seeded_rng::SeededRng;
use crate::test_session::{default_policy, expect_fresh, parse_slug};
use action::{ActionGenerator, RUNS, SimulatedAction};
use oracle::{OracleModel, OracleRun, OracleRunState};
use product_driver::{ActionOutcome, ProductDriver, RepeatableRequest};

/// The number of steps between two comparisons of all rows, until one fails.
const STEPS_PER_LOOK: usize = 10;

/// The number of last steps that a failure reports.
const STEPS_TOLD: usize = 40;

/// The names of all kinds of action, as reports count them.
pub use action::KINDS;

/// Counts of what a simulation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SimulationReport {
    /// The number of steps.
    pub steps: usize,
    /// How often each kind of action succeeded.
    pub carried_out: BTreeMap<&'static str, usize>,
    /// How often each refusal occurred, by code.
    pub refused: BTreeMap<&'static str, usize>,
    /// How often a repeated request returned its recorded response.
    pub replayed: usize,
}

impl SimulationReport {
    /// Returns the sums of two reports.
    #[must_use]
    pub fn merged_with(mut self, other: Self) -> Self {
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

/// A disagreement between the product and the oracle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulationFailure {
    /// The seed, which reproduces the failure.
    pub seed: u64,
    /// The step that found the failure, counted from 1.
    pub step: usize,
    /// The difference.
    pub what: String,
    /// The last steps, oldest first.
    pub told: Vec<String>,
}

impl fmt::Display for SimulationFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.told {
            writeln!(formatter, "  {told}")?;
        }
        write!(formatter, "seed {}, step {}: {}", self.seed, self.step, self.what)
    }
}

impl std::error::Error for SimulationFailure {}

/// Simulates a number of steps.
///
/// # Errors
/// The product disagrees with the oracle.
pub fn run_simulation(seed: u64, steps: usize) -> Result<SimulationReport, Box<SimulationFailure>> {
    // A failure between two comparisons is reproduced with a comparison after every step.
    SimulatedWorld::new(seed)
        .run_steps(steps, STEPS_PER_LOOK)
        .or_else(|_| SimulatedWorld::new(seed).run_steps(steps, 1))
}

/// An action that succeeded and may be repeated later.
struct AppliedAction {
    order: SimulatedAction,
    request: RepeatableRequest,
    said: String,
}

/// How far the clock of a process may be wrong.
const WRONG_CLOCKS: [TimeSpan; 4] = [
    TimeSpan::from_hours(24),
    TimeSpan::from_hours(-24),
    TimeSpan::from_hours(1),
    TimeSpan::from_seconds(-6),
];

/// The state of a running simulation: the product, the oracle and the clock.
struct SimulatedWorld {
    seed: u64,
    chance: SeededRng,
    model: OracleModel,
    place: TestStore,
    sessions: Vec<Session>,
    store: Store,
    applied: Vec<AppliedAction>,
    requests: usize,
    told: Vec<String>,
    report: SimulationReport,
}

impl SimulatedWorld {
    fn new(seed: u64) -> Self {
        let place = TestStore::in_memory();
        let sessions = (0..3).map(|_| place.open_session()).collect();
        let store = place.open_store();
        let mut simulation = Self {
            seed,
            chance: SeededRng::new(seed),
            model: OracleModel::default(),
            place,
            sessions,
            store,
            applied: Vec::new(),
            requests: 0,
            told: Vec::new(),
            report: SimulationReport::default(),
        };
        for name in RUNS {
            simulation.make_run(name);
        }
        simulation
    }

    fn make_run(&mut self, name: &'static str) {
        let run = OracleRun {
            name,
            state: OracleRunState::Open,
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
            retry_delay: TimeSpan(run.retry_delay),
            lease: orch_core::lease::LeaseLength::new(TimeSpan(run.lease)).expect("20 seconds are a lease"),
            answer_after: run.answer_after.map(TimeSpan),
            ..default_policy()
        };
        let new = run_operation::NewRun {
            name: Some(parse_slug(name)),
            title: name.to_owned(),
            goal: None,
            done_when: Some(policy.done_when),
            policy,
            rules: orch_core::run::AttemptRules::default(),
            budget: orch_core::run::Budget::default(),
            place: None,
            folder: std::env::temp_dir(),
        };
        expect_fresh(
            run_operation::create_run(&mut self.sessions[0], None, &parse_slug("lead"), &new)
                .expect("a run is made"),
        );
        self.model.runs.push(run);
    }

    fn run_steps(
        mut self,
        steps: usize,
        steps_per_look: usize,
    ) -> Result<SimulationReport, Box<SimulationFailure>> {
        let begin = ActionGenerator { chance: &mut self.chance, model: &self.model }.initial_actions();
        let mut begin = begin.into_iter();
        for step in 1..=steps {
            let order = begin.next();
            let order = order.unwrap_or_else(|| {
                ActionGenerator { chance: &mut self.chance, model: &self.model }.next_action()
            });
            let taken = self.run_step(order).and_then(|()| {
                if step % steps_per_look == 0 || step == steps { self.compare_all() } else { Ok(()) }
            });
            if let Err(what) = taken {
                let from = self.told.len().saturating_sub(STEPS_TOLD);
                let told = self.told.split_off(from);
                return Err(Box::new(SimulationFailure { seed: self.seed, step, what, told }));
            }
        }
        self.report.steps = steps;
        Ok(self.report)
    }

    /// Executes one action, or sometimes repeats an earlier one.
    fn run_step(&mut self, order: SimulatedAction) -> Result<(), String> {
        if let SimulatedAction::AdvanceClock(millis) = order {
            self.place.clock().advance(TimeSpan(millis));
        }
        match self.chance.number_below(20) {
            0 if !self.applied.is_empty() => self.repeat_request(),
            1..=5 => {
                self.requests += 1;
                let request = RepeatableRequest {
                    key: format!("request-{}", self.requests),
                    fingerprint: format!("{order:?}"),
                };
                self.run_new_action(order, Some(request))
            }
            _ => self.run_new_action(order, None),
        }
    }

    /// Executes a new action.
    fn run_new_action(
        &mut self,
        order: SimulatedAction,
        request: Option<RepeatableRequest>,
    ) -> Result<(), String> {
        let now = self.place.clock().now().0;
        let outcome = self.perform_action(&order, request.as_ref())?;
        let expected = self.model.try_action(&order, &outcome.token, now);
        self.record_step(&order, &outcome);
        if outcome.replayed || outcome.said != expected {
            return Err(format!("the product says {:?}, the oracle {expected:?}", outcome.said));
        }
        let recorded = !matches!(
            order,
            SimulatedAction::AdvanceClock(_)
                | SimulatedAction::Query(_)
                | SimulatedAction::Plan { dry_run: true, .. }
                | SimulatedAction::Reconcile { dry_run: true, .. }
        );
        match (outcome.said, request) {
            (Ok(said), Some(request)) if recorded => {
                self.applied.push(AppliedAction { order, request, said });
            }
            _ => {}
        }
        Ok(())
    }

    /// Repeats a request, or reuses its id for another one: nothing must change.
    fn repeat_request(&mut self) -> Result<(), String> {
        let index = self.chance.number_below(self.applied.len());
        let AppliedAction { order, request, said } = &self.applied[index];
        let (order, mut request, mut expected) = (
            order.clone(),
            RepeatableRequest { key: request.key.clone(), ..clone_request(request) },
            Ok(said.clone()),
        );
        if self.chance.is_within_percent(20) {
            request.fingerprint.push('!');
            expected = Err("RequestConflict");
        }
        let outcome = self.perform_action(&order, Some(&request))?;
        self.told.push(format!("again {}", request.key));
        self.record_step(&order, &outcome);
        if outcome.said != expected || outcome.replayed != expected.is_ok() {
            return Err(format!("the repeat says {:?}, the first time it was {expected:?}", outcome.said));
        }
        self.report.replayed += usize::from(outcome.replayed);
        Ok(())
    }

    fn perform_action(
        &mut self,
        order: &SimulatedAction,
        request: Option<&RepeatableRequest>,
    ) -> Result<ActionOutcome, String> {
        let session = self.chance.number_below(self.sessions.len());
        // Now and then the wall clock of one process is wrong, which must change nothing.
        let wrong = if self.chance.is_within_percent(10) {
            WRONG_CLOCKS[self.chance.number_below(WRONG_CLOCKS.len())]
        } else {
            TimeSpan(0)
        };
        self.place.clock().set_ahead(wrong);
        let performed = ProductDriver { session: &mut self.sessions[session], model: &self.model, request }
            .perform_action(order);
        self.place.clock().set_ahead(TimeSpan(-wrong.0));
        performed.map_err(|fault| format!("{order:?}: {fault}"))
    }

    fn record_step(&mut self, order: &SimulatedAction, outcome: &ActionOutcome) {
        let clock = self.place.clock().now().0 % 100_000_000;
        self.told.push(format!("{clock} {order:?}: {:?}", outcome.said));
        match &outcome.said {
            Ok(_) => *self.report.carried_out.entry(order.kind_name()).or_default() += 1,
            Err(why) => *self.report.refused.entry(why).or_default() += 1,
        }
    }

    /// Compares the whole store with the oracle and checks all laws.
    fn compare_all(&mut self) -> Result<(), String> {
        let checks = [
            compare::store_difference(&mut self.store, &self.model),
            compare::invariant_breach(&mut self.store),
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

fn clone_request(request: &RepeatableRequest) -> RepeatableRequest {
    RepeatableRequest { key: request.key.clone(), fingerprint: request.fingerprint.clone() }
}
