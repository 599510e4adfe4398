//! Two drives killed with their wrappers, workers and gits, under a lead that keeps changing its mind.
//! `cargo xtask soak drive` does the same for as long as one likes.

use std::path::Path;

use orch_testkit::drive_storm::DriveStorm;

const SEED: u64 = 20_261_125;
const TASKS: usize = 40;
const KILLS: usize = 60;

/// Whatever is killed, in the end each task is done once and nothing is left.
#[test]
fn a_storm_of_kills_does_each_task_once() {
    let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap().to_owned();
    let storm = DriveStorm { programs, seed: SEED, tasks: TASKS, kills: KILLS };
    let tally = storm.run_storm().unwrap_or_else(|broken| panic!("{broken}"));
    println!("{tally}");
    for killed in ["drive", "wrapper"] {
        assert!(tally.kills.contains_key(killed), "{tally}");
    }
}
