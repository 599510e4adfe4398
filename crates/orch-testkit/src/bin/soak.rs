//! Runs storms or simulations one after another for a given time: the program behind `cargo xtask soak`.
//!
//! Each one has a store and a seed of its own; seeds count up from the first.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orch_testkit::drive_storm::{DriveStorm, DriveTally};
#[cfg(target_os = "linux")]
use orch_testkit::power::{PowerStorm, PowerTally};
use orch_testkit::program::TestPrograms;
use orch_testkit::simulate::{self, SimulationReport};
use orch_testkit::storm::{KillStorm, StormTally};

/// The number of kills after which a new store is used: a larger store slows the storm down without finding
/// more.
const KILLS_PER_STORE: usize = 2_000;

/// The number of kills between two lines of progress.
const KILLS_PER_LINE: usize = 100;

/// The number of steps of a simulation, and of simulations between two lines of progress.
const STEPS: usize = 200;
const SIMULATIONS_PER_LINE: u64 = 100;

/// The steps of a story that loses its power, and the number of its power losses.
#[cfg(target_os = "linux")]
const POWER_STEPS: usize = 40;
#[cfg(target_os = "linux")]
const LOSSES_PER_STORY: usize = 50;

/// The file systems that lose their power in turn.
#[cfg(target_os = "linux")]
const FILE_SYSTEMS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// The tasks of a run that is driven through a storm, and the number of kills in it.
const DRIVEN_TASKS: usize = 40;
const KILLS_PER_RUN: usize = 150;

/// The number of stories of a soak that neither names a time nor a number.
const STORIES: usize = 6;

/// The time limit if only the number of kills limits the soak.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What is soaked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SoakKind {
    /// Commands that are killed, or simulations.
    Commands,
    /// Disks that lose their power.
    Power,
    /// Drives that are killed with their workers.
    Drive,
}

/// The command line arguments.
struct SoakOptions {
    kind: SoakKind,
    /// The folder of the built programs.
    programs: PathBuf,
    kills: usize,
    simulations: u64,
    at_most: Duration,
    seed: u64,
}

fn main() -> ExitCode {
    let soak = match SoakOptions::read_arguments(std::env::args().skip(1)) {
        Ok(soak) => soak,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match soak.run_soak() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

impl SoakOptions {
    /// Parses `[power|drive] --programs FOLDER [--kills N] [--simulate N] [--minutes M] [--seed S]`.
    fn read_arguments(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut kind = SoakKind::Commands;
        let (mut programs, mut kills, mut simulations, mut minutes, mut seed) =
            (None, None, None, None, None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "power" => kind = SoakKind::Power,
                "drive" => kind = SoakKind::Drive,
                _ => {}
            }
            if !word.starts_with("--") {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} has no value."))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{value} is no number for {word}."));
            match word.as_str() {
                "--programs" => programs = Some(PathBuf::from(&value)),
                "--kills" => kills = Some(number()?),
                "--simulate" => simulations = Some(number()?),
                "--minutes" => minutes = Some(number()?),
                "--seed" => seed = Some(number()?),
                _ => return Err(format!("{word} is not known.")),
            }
        }
        let default = match (simulations, minutes) {
            (Some(_), _) => 0,
            (None, Some(_)) => u64::MAX,
            (None, None) => 1_000,
        };
        Ok(Self {
            kind,
            programs: programs.ok_or("--programs is missing.")?,
            kills: usize::try_from(kills.unwrap_or(default)).unwrap_or(usize::MAX),
            simulations: simulations.unwrap_or(0),
            at_most: minutes.map_or(FOR_EVER, |minutes| Duration::from_secs(minutes * 60)),
            // A random seed.
            seed: seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32),
        })
    }

    fn run_soak(&self) -> Result<(), String> {
        let begin = Instant::now();
        match self.kind {
            SoakKind::Commands => {}
            SoakKind::Power => return self.run_power_storms(begin),
            SoakKind::Drive => return self.run_drive_storms(begin),
        }
        if self.simulations > 0 {
            self.run_simulations(begin)?;
        }
        if self.kills > 0 {
            self.run_storms(begin)?;
        }
        Ok(())
    }

    /// Runs simulations one after another.
    fn run_simulations(&self, begin: Instant) -> Result<(), String> {
        let mut total = SimulationReport::default();
        let mut done = 0;
        while done < self.simulations && begin.elapsed() < self.at_most {
            let report =
                simulate::run_simulation(self.seed + done, STEPS).map_err(|failure| failure.to_string())?;
            total = total.merged_with(report);
            done += 1;
            if done % SIMULATIONS_PER_LINE == 0 || done == self.simulations {
                let seconds = begin.elapsed().as_secs_f64();
                println!(
                    "{done} simulations from seed {}, {seconds:.0} s: {}",
                    self.seed,
                    simulation_summary(&total)
                );
            }
        }
        println!("The product and the oracle agreed in {done} simulations: {}.", simulation_summary(&total));
        Ok(())
    }

    /// Loses the power of one disk after another.
    #[cfg(target_os = "linux")]
    fn run_power_storms(&self, begin: Instant) -> Result<(), String> {
        let mut total = PowerTally::default();
        let mut stories = 0;
        while self.has_time(stories, begin) {
            let seed = self.seed + stories as u64;
            for file_system in FILE_SYSTEMS {
                let (programs, file_system) = (self.programs.clone(), file_system.to_owned());
                let at_most = self.at_most.saturating_sub(begin.elapsed());
                let storm = PowerStorm {
                    programs,
                    file_system,
                    seed,
                    steps: POWER_STEPS,
                    losses: LOSSES_PER_STORY,
                    at_most,
                };
                let Some(tally) = storm.run_storm()? else {
                    println!("Not run: no disk with {} can be made here.", storm.file_system);
                    continue;
                };
                total = total.merged_with(&tally);
                println!(
                    "seed {seed} on {}, {:.0} s: {tally}",
                    storm.file_system,
                    begin.elapsed().as_secs_f64()
                );
            }
            stories += 1;
        }
        println!("In {:.0} s: {total}. Nothing that was answered was lost.", begin.elapsed().as_secs_f64());
        Ok(())
    }

    #[cfg(not(target_os = "linux"))]
    fn run_power_storms(&self, _: Instant) -> Result<(), String> {
        Err("power is lost on Linux only.".to_owned())
    }

    /// Drives one run after another through a storm.
    fn run_drive_storms(&self, begin: Instant) -> Result<(), String> {
        let mut total = DriveTally::default();
        let mut stories = 0;
        while self.has_time(stories, begin) {
            let seed = self.seed + stories as u64;
            let programs = self.programs.clone();
            let tally =
                DriveStorm { programs, seed, tasks: DRIVEN_TASKS, kills: KILLS_PER_RUN }.run_storm()?;
            println!("seed {seed}, {:.0} s: {tally}", begin.elapsed().as_secs_f64());
            total = total.merged_with(&tally);
            stories += 1;
        }
        println!("In {:.0} s: {total}. Nothing was left behind.", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Returns whether another story begins.
    fn has_time(&self, stories: usize, begin: Instant) -> bool {
        if self.at_most == FOR_EVER { stories < STORIES } else { begin.elapsed() < self.at_most }
    }

    /// Runs storms one after another.
    fn run_storms(&self, begin: Instant) -> Result<(), String> {
        let mut total = StormTally::default();
        let mut seed = self.seed;
        while total.kills < self.kills && begin.elapsed() < self.at_most {
            let kills = KILLS_PER_STORE.min(self.kills - total.kills);
            let tally = self.run_storm(seed, kills, self.at_most.saturating_sub(begin.elapsed()))?;
            total = total.merged_with(&tally);
            println!("seed {seed}: {tally}");
            seed += 1;
        }
        println!("In {:.0} s: {total}. No change was lost or applied twice.", begin.elapsed().as_secs_f64());
        Ok(())
    }

    /// Runs one storm and keeps its store if the storm fails.
    fn run_storm(&self, seed: u64, kills: usize, at_most: Duration) -> Result<StormTally, String> {
        let folder = tempfile::Builder::new().prefix("orch-soak-").tempdir();
        let folder = folder.map_err(|error| format!("there is no temporary folder: {error}"))?;
        let store = folder.path().join("orch.db");
        let programs = TestPrograms::new(self.programs.join("inbox"), self.programs.join("orch"), store);
        let (begin, mut next) = (Instant::now(), KILLS_PER_LINE);
        let mut progress = |tally: &StormTally| {
            if tally.kills >= next {
                next += KILLS_PER_LINE;
                println!("seed {seed}, {:.0} s: {tally}", begin.elapsed().as_secs_f64());
            }
        };
        KillStorm { programs, seed, kills, at_most }.run_storm(&mut progress).map_err(|broken| {
            let kept = folder.keep();
            format!("{broken}\nThe store is kept in {}.", kept.display())
        })
    }
}

fn simulation_summary(report: &SimulationReport) -> String {
    let (done, refused): (usize, usize) = (report.carried_out.values().sum(), report.refused.values().sum());
    format!("{} steps, {done} carried out, {refused} refused, {} replayed", report.steps, report.replayed)
}
