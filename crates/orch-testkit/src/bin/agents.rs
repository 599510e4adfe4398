//! Real agent clients under our supervisor, against a scripted model: what `cargo xtask agents` runs.
//!
//! `agents --modules FOLDER --programs FOLDER [codex|claude]…`

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use orch_testkit::agents::client::{Client, Installed};
use orch_testkit::agents::{Rig, STORIES};

fn main() -> ExitCode {
    match read(std::env::args().skip(1)).and_then(|(rig, clients)| run(&rig, &clients)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<(Rig, Vec<Client>), String> {
    let (mut modules, mut programs, mut clients) = (None, None, Vec::new());
    while let Some(word) = words.next() {
        let mut folder = || words.next().map(PathBuf::from).ok_or_else(|| format!("{word} has no value."));
        match word.as_str() {
            "--modules" => modules = Some(folder()?),
            "--programs" => programs = Some(folder()?),
            name => clients.push(Client::named(name).ok_or_else(|| format!("{name} is not known."))?),
        }
    }
    if clients.is_empty() {
        clients.extend(Client::ALL);
    }
    let rig = Rig {
        modules: modules.ok_or("--modules is missing.")?,
        programs: programs.ok_or("--programs is missing.")?,
    };
    Ok((rig, clients))
}

/// Tells every story with every client, also after one that failed.
fn run(rig: &Rig, clients: &[Client]) -> Result<(), String> {
    let begin = Instant::now();
    let mut installed = Vec::new();
    for client in clients {
        let found = rig.installed(*client)?;
        println!("{}: {}, {}", client.name(), found.version, found.program().display());
        if let Some(why) = &found.no_sandbox {
            println!("{}: its sandbox NOT RUN: {why}", client.name());
        }
        installed.push(found);
    }
    let (mut told, mut failed) = (0, 0);
    for client in &installed {
        for story in &STORIES {
            told += 1;
            failed += usize::from(!is_told(client, story));
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    if failed > 0 {
        return Err(format!("{failed} of {told} stories failed in {seconds:.1} s."));
    }
    println!("All {told} stories passed in {seconds:.1} s.");
    Ok(())
}

fn is_told(client: &Installed, story: &orch_testkit::agents::Story) -> bool {
    let told = story.tell(client);
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
