//! `cargo xtask agents`: real agent clients under our supervisor, against a scripted model on this machine.
//!
//! The clients' versions are pinned here, and missing ones are installed beside the build products.
//! They take some hundred megabytes each, so continuous integration only reports that they were not run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ci::run_cargo;
use crate::tree::{ChoreResult, repository_root};

/// What `cargo xtask ci` says of them.
pub(crate) const NOT_RUN: &str =
    "Real agent clients were not run: `cargo xtask agents` does that, and needs npm.";

/// A client, and the package of it whose behaviour counts.
struct PinnedClient {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

const CLIENTS: [PinnedClient; 2] = [
    PinnedClient { name: "codex", package: "@openai/codex", version: "0.169.0" },
    PinnedClient { name: "claude", package: "@anthropic-ai/claude-code", version: "2.1.330" },
];

/// Which clients
#[derive(clap::Args)]
pub(crate) struct ClientTestArgs {
    /// The clients; all when none is named
    #[arg(value_name = "CLIENT", value_parser = ["codex", "claude"])]
    clients: Vec<String>,
}

/// Installs missing clients, builds the programs, and runs every scenario with each client.
pub(crate) fn run(agents: &ClientTestArgs) -> ChoreResult {
    let is_wanted = |pinned: &&PinnedClient| {
        agents.clients.is_empty() || agents.clients.iter().any(|name| name == pinned.name)
    };
    let mut places = Vec::new();
    for pinned in CLIENTS.iter().filter(is_wanted) {
        let folder = install_folder(pinned);
        if !pinned.is_installed_in(&folder) {
            install_client(pinned, &folder)?;
        }
        places.push(format!("{}={}", pinned.name, folder.join("node_modules").display()));
    }
    run_cargo(&["build", "--locked", "--package", "orch-cli", "--bins"], &[])?;
    let programs = build_folder().join("debug").display().to_string();
    let mut words = vec!["run", "--locked", "--quiet", "--package", "orch-testkit", "--bin", "agents", "--"];
    words.push(&programs);
    words.extend(places.iter().map(String::as_str));
    run_cargo(&words, &[])
}

impl PinnedClient {
    /// Whether the pinned version is installed: npm may silently install an older one.
    fn is_installed_in(&self, folder: &Path) -> bool {
        let manifest = folder.join("node_modules").join(self.package).join("package.json");
        let manifest = fs::read(manifest).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        manifest.is_some_and(|manifest| manifest["version"] == self.version)
    }
}

fn install_client(pinned: &PinnedClient, folder: &Path) -> ChoreResult {
    let what = format!("{}@{}", pinned.package, pinned.version);
    for program in ["node", "npm"] {
        check_starts(program).map_err(|why| {
            format!("{what} is not installed, and {program} is needed to install it, but {why}: install Node.js 20 or newer.")
        })?;
    }
    println!("{what} is not installed; it is fetched once, which takes some hundred megabytes.");
    fs::create_dir_all(folder).map_err(|error| format!("{} cannot be made: {error}.", folder.display()))?;
    let status = Command::new("npm")
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(folder)
        .arg(&what)
        .current_dir(folder)
        .status()
        .map_err(|error| format!("npm could not be started: {error}."))?;
    if !status.success() {
        return Err(format!("npm could not install {what}: it ended with {status}."));
    }
    if pinned.is_installed_in(folder) {
        Ok(())
    } else {
        Err(format!("npm installed another version than {what}."))
    }
}

/// Whether a program starts, and if not, why.
fn check_starts(program: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it ends with {status}")),
        Err(error) => Err(format!("it does not start ({error})")),
    }
}

/// Beside the build products, by version, so that `cargo clean` removes it too.
fn install_folder(pinned: &PinnedClient) -> PathBuf {
    build_folder().join("tools").join(format!("{}-{}", pinned.name, pinned.version))
}

fn build_folder() -> PathBuf {
    let products = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    repository_root().join(products)
}
