//! `cargo xtask soak`: storms that kill processes or lose power, and simulations, for as long as one likes.

use std::env;
use std::path::PathBuf;

use crate::ci::run_cargo;
use crate::tree::{ChoreResult, repository_root};

/// How long, and which choices
#[derive(clap::Args)]
pub(crate) struct SoakArgs {
    /// What storms rage over; single commands when not given
    #[arg(value_enum)]
    what: Option<SoakSubject>,
    /// How many processes to kill; 1000 when nothing else is asked for
    #[arg(long, value_name = "N")]
    kills: Option<u64>,
    /// Simulate so many random stories of leads and workers in one process, held to an oracle at every step
    #[arg(long, value_name = "N")]
    simulate: Option<u64>,
    /// Stop after so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// The first seed, as a failure printed it; another one each time when not given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// What storms rage over
#[derive(Clone, Copy, clap::ValueEnum)]
enum SoakSubject {
    /// Disks with ext4, xfs and btrfs that lose their power at random moments; needs root
    Power,
    /// Two drives of one run that are killed with their workers, and a lead who keeps changing its mind
    Drive,
}

/// Builds the programs with their assertions, and lets storms rage over them.
pub(crate) fn run(soak: &SoakArgs) -> ChoreResult {
    run_cargo(&["build", "--locked", "--package", "orch-cli", "--bins"], &[])?;
    let products = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let programs = repository_root().join(products).join("debug").display().to_string();
    let options = [
        ("--kills", soak.kills),
        ("--simulate", soak.simulate),
        ("--minutes", soak.minutes),
        ("--seed", soak.seed),
    ];
    let given: Vec<(&str, String)> =
        options.into_iter().filter_map(|(name, value)| Some((name, value?.to_string()))).collect();
    let mut words = vec!["run", "--locked", "--quiet", "--package", "orch-testkit", "--bin", "soak", "--"];
    words.extend(soak.what.map(|what| match what {
        SoakSubject::Power => "power",
        SoakSubject::Drive => "drive",
    }));
    words.extend(["--programs", programs.as_str()]);
    words.extend(given.iter().flat_map(|(name, value)| [*name, value.as_str()]));
    run_cargo(&words, &[])
}
