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

/// The time limit if only the number of kills limits the soak.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The command line arguments.
struct SoakOptions {
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
    /// Parses `--programs FOLDER [--kills N] [--simulate N] [--minutes M] [--seed S]`.
    fn read_arguments(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut programs, mut kills, mut simulations, mut minutes, mut seed) =
            (None, None, None, None, None);
        while let Some(word) = words.next() {
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
