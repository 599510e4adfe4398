//! Runs the scripted model on its own, to test agent clients by hand: `scripted_model SCRIPTS.json [PORT]`.
//!
//! It prints its URL and serves requests until it is killed.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

use std::fs;
use std::process::ExitCode;
use std::thread;

use orch_testkit::scripted_model::{ModelScripts, ScriptedModel};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match start_model(&words) {
        Ok(model) => {
            println!("It listens at {}.", model.url());
            loop {
                thread::park();
            }
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start_model(words: &[String]) -> Result<ScriptedModel, String> {
    let (path, port) = match words {
        [path] => (path, None),
        [path, port] => (path, Some(port.parse().map_err(|_| format!("{port} is no port."))?)),
        _ => return Err("usage: scripted_model SCRIPTS.json [PORT]".to_owned()),
    };
    let text = fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}."))?;
    let document = serde_json::from_str(&text).map_err(|error| format!("{path} is no JSON: {error}."))?;
    ScriptedModel::listen(ModelScripts::from_document(&document)?, port)
        .map_err(|error| format!("the port is taken: {error}."))
}
