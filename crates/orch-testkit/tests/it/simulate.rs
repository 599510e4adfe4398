//! The product and the oracle agree at every step of a random simulation.

use orch_testkit::simulate::{self, KINDS, SimulationReport};

const SEEDS: u64 = 300;
const STEPS: usize = 150;

/// Simulates a sequence of seeds and returns the merged report.
fn simulate_seeds(seeds: impl Iterator<Item = u64>) -> SimulationReport {
    seeds.fold(SimulationReport::default(), |all, seed| match simulate::run_simulation(seed, STEPS) {
        Ok(report) => all.merged_with(report),
        Err(failure) => panic!("{failure}"),
    })
}

#[test]
fn the_product_does_what_the_oracle_says() {
    let half = SEEDS / 2;
    let report = std::thread::scope(|scope| {
        let other = scope.spawn(|| simulate_seeds(half..SEEDS));
        simulate_seeds(0..half).merged_with(other.join().expect("the other half agrees as well"))
    });
    let never: Vec<&&str> = KINDS.iter().filter(|kind| !report.carried_out.contains_key(**kind)).collect();
    assert!(never.is_empty(), "never carried out: {never:?} of {report:#?}");
}
