//! Runs real agent clients under our supervisor against a scripted model: the program behind `cargo xtask
//! agents`.
//!
//! `agents PROGRAMS CLIENT=MODULES…`: the folder of our programs, and the `node_modules` folder of each client.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use orch_testkit::agents::client::{Client, InstalledClient};
use orch_testkit::agents::{ClientScenario, STORIES};

/// A client and the `node_modules` folder that contains it.
type ClientLocation = (Client, PathBuf);

fn main() -> ExitCode {
    match read_arguments(std::env::args().skip(1))
        .and_then(|(programs, clients)| run_scenarios(&programs, &clients))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Parses the folder of our programs and the clients.
fn read_arguments(mut words: impl Iterator<Item = String>) -> Result<(PathBuf, Vec<ClientLocation>), String> {
    let programs = words.next().ok_or("usage: agents PROGRAMS CLIENT=MODULES…")?;
    let client = |word: String| {
        let place =
            word.split_once('=').and_then(|(name, folder)| Some((Client::by_name(name)?, folder.into())));
        place.ok_or_else(|| format!("{word} is not like codex=FOLDER or claude=FOLDER."))
    };
    Ok((programs.into(), words.map(client).collect::<Result<_, String>>()?))
}

/// Runs every scenario with every client, also after a failure.
fn run_scenarios(programs: &Path, clients: &[ClientLocation]) -> Result<(), String> {
    let begin = Instant::now();
    let mut installed = Vec::new();
    for (client, modules) in clients {
        let found = InstalledClient::find_in(*client, modules, programs)?;
        println!("{}: {}, {}", client.name(), found.version, found.program_path().display());
        if let Some(why) = &found.no_sandbox {
            println!("{}: its sandbox NOT RUN, and its commands run without it: {why}", client.name());
        }
        installed.push(found);
    }
    let (mut told, mut failed) = (0, 0);
    for client in &installed {
        for story in &STORIES {
            told += 1;
            failed += usize::from(!run_scenario(client, story));
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    if failed > 0 {
        return Err(format!("{failed} of {told} stories failed in {seconds:.1} s."));
    }
    println!("All {told} stories passed in {seconds:.1} s.");
    Ok(())
}

fn run_scenario(client: &InstalledClient, story: &ClientScenario) -> bool {
    let told = story.run_with(client);
    let (name, title, seconds) = (client.client.name(), story.title, told.took.as_secs_f64());
    match told.result {
        Ok(()) => println!("ok      {seconds:5.1} s  {name:6}  {title}"),
        Err(failure) => {
            println!("FAILED  {seconds:5.1} s  {name:6}  {title}");
            println!("        {}", failure.message);
            println!("        Everything of it is kept in {}.", failure.folder.display());
            return false;
        }
    }
    true
}
