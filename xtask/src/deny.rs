//! `cargo xtask deny`: licences, bans and sources of everything we depend on, by cargo-deny with deny.toml.
//!
//! The tool's version is pinned here, and it is installed beside the build products if missing,
//! so that every machine checks with that version. See docs/decisions/0015-cargo-deny-is-installed-by-ci.md.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ci::{cargo_program, run_cargo};
use crate::tree::{ChoreResult, repository_root};

/// The pinned version of cargo-deny.
const VERSION: &str = "0.20.2";

/// Checks everything that deny.toml says.
pub(crate) fn run() -> ChoreResult {
    let tool = match installed_tool() {
        Some(tool) => tool,
        None => install_tool()?,
    };
    let status = Command::new(&tool)
        .args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"])
        .env("CARGO", cargo_program())
        .current_dir(repository_root())
        .status()
        .map_err(|error| format!("{} could not be started: {error}.", tool.display()))?;
    if status.success() { Ok(()) } else { Err(format!("cargo-deny ended with {status}.")) }
}

/// Finds the pinned version: the one installed here, else one on PATH.
fn installed_tool() -> Option<PathBuf> {
    let ours = install_folder().join("bin").join("cargo-deny");
    [ours, PathBuf::from("cargo-deny")].into_iter().find(|tool| is_pinned(tool))
}

fn is_pinned(tool: &Path) -> bool {
    let answer = Command::new(tool).arg("--version").output();
    answer
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-deny {VERSION}"))
}

fn install_tool() -> Result<PathBuf, String> {
    println!("cargo-deny {VERSION} is not installed; it is built once, which takes some minutes.");
    let folder = install_folder();
    let build = folder.join("build");
    let (place, products) = (folder.display().to_string(), build.display().to_string());
    let arguments = [
        "install",
        "--locked",
        "cargo-deny",
        "--version",
        VERSION,
        "--root",
        &place,
        "--target-dir",
        &products,
    ];
    run_cargo(&arguments, &[])?;
    // The build folder takes some hundred megabytes and is not needed again; a failure only costs disk space.
    let _ = fs::remove_dir_all(&build);
    Ok(folder.join("bin").join("cargo-deny"))
}

/// Beside the build products, by version, so that `cargo clean` removes it too.
fn install_folder() -> PathBuf {
    let products = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    repository_root().join(products).join("tools").join(format!("cargo-deny-{VERSION}"))
}
