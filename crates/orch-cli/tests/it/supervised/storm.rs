//! Supervisors and wrappers killed at random moments, while work keeps coming.

use std::time::{Duration, Instant};

use orch_testkit::seeded_rng::SeededRng;
use rustix::process::Signal;

use crate::supervised::fixture::{RunningDrive, is_process_alive, send_signal};
use crate::test_environment::TestEnvironment;

const SEED: u64 = 20_261_125;
const KILLS: usize = 200;

/// Whatever is killed, in the end each task is done once and nothing is left.
#[test]
fn a_storm_of_kills_does_each_task_once() {
    let place = TestEnvironment::with_scripts(&["--max-attempts", "1000"]);
    let mut chance = SeededRng::new(SEED);
    let (mut tasks, mut kills, mut wrappers) = (0, 0, 0);
    println!("seed {SEED}");
    while kills < KILLS {
        let counts = place.orch(&["status", "r"]).ok()["counts"].clone();
        if counts["done"].as_u64().unwrap_or(0) + 3 > tasks {
            for _ in 0..3 {
                let key = format!("k{tasks}");
                let script = format!("echo {key} > {key}.txt; git add .; git commit -qm {key}");
                place.add_script_task(&key, &script, &[]);
                tasks += 1;
            }
        }
        let mut drive = RunningDrive::start(place.drive_call(&["--workers", "2"]));
        drive.read_lines(chance.number_below(25));
        // And then at any moment of what comes between two lines.
        let until = Instant::now() + chance.duration_up_to(Duration::from_millis(20));
        while Instant::now() < until {
            std::thread::yield_now();
        }
        if chance.is_within_percent(50) {
            let workers = place.orch(&["ps"]).ok()["workers"].clone();
            for worker in workers.as_array().unwrap() {
                let number = u32::try_from(worker["pid"].as_u64().unwrap()).unwrap();
                if is_process_alive(number) {
                    send_signal(number, Signal::KILL);
                    (kills, wrappers) = (kills + 1, wrappers + 1);
                }
            }
        }
        drive.kill();
        kills += 1;
    }
    let printed = place.drive_call(&["--workers", "2"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    println!("{tasks} tasks, {kills} kills, {wrappers} of them of wrappers");
    let mut expected: Vec<String> = (0..tasks).map(|number| format!("k{number}")).collect();
    expected.push("base.txt".to_owned());
    expected.sort();
    assert_eq!(place.commit_subjects(), expected, "each is on the branch once");
    assert!(wrappers > 0);
    place.check_tidy();
}
