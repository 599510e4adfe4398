//! Random work of a lead and its workers: the product and the oracle agree at every step.

use orch_testkit::simulate::{self, KINDS, Report};

const SEEDS: u64 = 300;
const STEPS: usize = 150;

/// Simulates one seed after the other.
fn simulate(seeds: impl Iterator<Item = u64>) -> Report {
    seeds.fold(Report::default(), |all, seed| match simulate::run(seed, STEPS) {
        Ok(report) => all.and(report),
        Err(failure) => panic!("{failure}"),
    })
}

#[test]
fn the_product_does_what_the_oracle_says() {
    let half = SEEDS / 2;
    let report = std::thread::scope(|scope| {
        let other = scope.spawn(|| simulate(half..SEEDS));
        simulate(0..half).and(other.join().expect("the other half agrees as well"))
    });
    let never: Vec<&&str> = KINDS.iter().filter(|kind| !report.carried_out.contains_key(**kind)).collect();
    assert!(never.is_empty(), "never carried out: {never:?} of {report:#?}");
}
