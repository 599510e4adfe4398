//! A supervisor in the background: the same command, in a session of its own, printing to a file.

use std::ffi::OsString;

use orch_contract::Code;
use orch_contract::orch::drive::{Detached, DriveLine};
use orch_core::id::Slug;
use orch_engine::world::Environment;
use orch_engine::world::process::detached::start_detached;

use super::Args;
use crate::context::Context;
use crate::failure::Failure;
use crate::inbox::run::programs;
use crate::respond::{Outcome, Reply};

pub(super) fn run(args: &Args, run: Option<&Slug>, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let (_, store) = context.opener()?;
    let folder = context.session()?.folder().to_owned();
    let name = run.map_or_else(|| "all".to_owned(), ToString::to_string);
    let log = folder.join("logs").join(format!("drive-{name}.log"));
    let mut words: Vec<OsString> = vec![programs()?.orch.into(), "drive".into()];
    words.extend(run.map(|run| run.to_string().into()));
    // The plan was taken in already; what is left are the options of the loop itself.
    let mut skip = false;
    for word in std::env::args_os().skip(2) {
        let text = word.to_string_lossy().into_owned();
        let takes = matches!(text.as_str(), "--plan" | "--store" | "--run");
        let is_name = run.is_some_and(|run| run.as_str() == text);
        if !skip && !takes && !is_name && text != "--detach" && !text.starts_with("--plan=") {
            words.push(word);
        }
        skip = takes;
    }
    words.extend(["--store".into(), store.into(), "--printed-to".into(), log.clone().into()]);
    let here = std::env::current_dir().map_err(|error| {
        Failure::new(Code::Internal, format!("The working folder cannot be read: {error}."))
    })?;
    let started = start_detached(&words, &here, &Environment::inherited(), Some(&log));
    let started = started.map_err(|error| {
        Failure::new(Code::Internal, format!("The supervisor cannot be started in the background: {error}."))
    })?;
    let next = vec![
        format!("orch status {} --watch", run.map_or("", Slug::as_str)).replace("  ", " "),
        "orch ps".to_owned(),
        "orch stop".to_owned(),
    ];
    let _ = args;
    let answer = Detached { pid: started.pid(), log: log.display().to_string(), next };
    Ok(Reply::new(DriveLine::Detached(answer)).into())
}
