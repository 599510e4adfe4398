//! Storm after storm, for as long as one likes: what `cargo xtask soak` runs.
//!
//! Every storm has a store of its own and a seed of its own, counted up from the first.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use orch_testkit::program::Programs;
use orch_testkit::storm::{Storm, Tally};

/// A store that grows for longer slows the storm down and shows nothing new.
const KILLS_PER_STORE: usize = 2_000;

/// How many kills lie between two lines of progress.
const KILLS_PER_LINE: usize = 100;

/// For how long, where only kills are counted.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What was asked for.
struct Soak {
    /// Where the built programs are.
    programs: PathBuf,
    kills: usize,
    at_most: Duration,
    seed: u64,
}

fn main() -> ExitCode {
    let soak = match Soak::read(std::env::args().skip(1)) {
        Ok(soak) => soak,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match soak.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

impl Soak {
    /// Reads `--programs FOLDER [--kills N] [--minutes M] [--seed S]`.
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut programs, mut kills, mut minutes, mut seed) = (None, None, None, None);
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} has no value."))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{value} is no number for {word}."));
            match word.as_str() {
                "--programs" => programs = Some(PathBuf::from(&value)),
                "--kills" => kills = Some(number()?),
                "--minutes" => minutes = Some(number()?),
                "--seed" => seed = Some(number()?),
                _ => return Err(format!("{word} is not known.")),
            }
        }
        let default = if minutes.is_some() { u64::MAX } else { 1_000 };
        Ok(Self {
            programs: programs.ok_or("--programs is missing.")?,
            kills: usize::try_from(kills.unwrap_or(default)).unwrap_or(usize::MAX),
            at_most: minutes.map_or(FOR_EVER, |minutes| Duration::from_secs(minutes * 60)),
            // Any number that is another one each time.
            seed: seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32),
        })
    }

    fn run(&self) -> Result<(), String> {
        let begin = Instant::now();
        let mut total = Tally::default();
        let mut seed = self.seed;
        while total.kills < self.kills && begin.elapsed() < self.at_most {
            let kills = KILLS_PER_STORE.min(self.kills - total.kills);
            let tally = self.storm(seed, kills, self.at_most - begin.elapsed())?;
            total = total.and(&tally);
            println!("seed {seed}: {tally}");
            seed += 1;
        }
        println!(
            "In {:.0} s: {total}. Nothing was lost, nothing is there twice.",
            begin.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// One storm; a store that it broke is kept.
    fn storm(&self, seed: u64, kills: usize, at_most: Duration) -> Result<Tally, String> {
        let folder = tempfile::Builder::new().prefix("orch-soak-").tempdir();
        let folder = folder.map_err(|error| format!("there is no temporary folder: {error}"))?;
        let store = folder.path().join("orch.db");
        let programs = Programs::new(self.programs.join("inbox"), self.programs.join("orch"), store);
        let (begin, mut next) = (Instant::now(), KILLS_PER_LINE);
        let mut progress = |tally: &Tally| {
            if tally.kills >= next {
                next += KILLS_PER_LINE;
                println!("seed {seed}, {:.0} s: {tally}", begin.elapsed().as_secs_f64());
            }
        };
        Storm { programs, seed, kills, at_most }.rage(&mut progress).map_err(|broken| {
            let kept = folder.keep();
            format!("{broken}\nThe store is kept in {}.", kept.display())
        })
    }
}
