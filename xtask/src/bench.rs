//! `cargo xtask bench`: builds the programs as they ship, and the benchmarks, and runs these.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::ci::run_cargo;
use crate::tree::{ChoreResult, repository_root};

/// Runs the named benchmarks, or all.
pub(crate) fn run(names: &[String]) -> ChoreResult {
    run_cargo(&["build", "--release", "--locked", "--package", "orch-cli", "--package", "orch-bench"], &[])?;
    let products = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let program = repository_root().join(products).join("release").join("orch-bench");
    let status = Command::new(&program)
        .args(names)
        .current_dir(repository_root())
        .status()
        .map_err(|error| format!("{} could not be started: {error}.", program.display()))?;
    if status.success() { Ok(()) } else { Err(format!("the benchmarks ended with {status}.")) }
}
