//! `kill -9` at random moments of random commands. `cargo xtask soak` does the same for as long as one likes.

use std::time::Duration;

use orch_testkit::storm::KillStorm;

use crate::fixture::ProcessFixture;

/// Another one each day would find more, but a red build should be the change's fault.
const SEED: u64 = 20_261_122;

#[test]
fn a_thousand_kills_lose_nothing() {
    let place = ProcessFixture::without_store();
    let storm = KillStorm {
        programs: place.programs.clone(),
        seed: SEED,
        kills: 1_000,
        at_most: Duration::from_secs(600),
    };
    let tally = storm.run_storm(&mut |_| {}).unwrap_or_else(|broken| panic!("{broken}"));
    println!("{tally}");
    assert!(tally.kills >= 1_000, "{tally}");
    // A storm that always hits the same moment would show nothing.
    for hits in
        [tally.killed_before, tally.killed_between, tally.killed_after, tally.answered, tally.repeated]
    {
        assert!(hits > 0, "{tally}");
    }
}
