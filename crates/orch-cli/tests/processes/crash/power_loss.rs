//! What was answered is on the disk when the power goes. `cargo xtask soak power` does the same for as long as one likes,
//! and on other file systems.

use std::path::Path;
use std::time::Duration;

use orch_testkit::power::PowerStorm;

use crate::fixture::can_run;

/// Another one each day would find more, but a red build should be the change's fault.
const SEED: u64 = 2;

/// A story of a lead, workers and a user, after which the power is lost after answers and between them.
#[test]
fn what_was_answered_survives_power_losses() {
    let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap();
    let storm = PowerStorm {
        programs: programs.to_owned(),
        file_system: "ext4".to_owned(),
        seed: SEED,
        steps: 40,
        losses: 40,
        at_most: Duration::from_secs(50),
    };
    let tally = storm.run_storm().unwrap_or_else(|lost| panic!("{lost}"));
    if !can_run("a power loss on ext4", "loop-devices-with-ext4", tally.is_some()) {
        return;
    }
    println!("{}", tally.unwrap());
}
