//! A supervisor in the background: the same command, in a session of its own, printing to a file.

use std::ffi::OsString;

use orch_contract::Code;
use orch_contract::orch::drive::{Detached, DriveLine};
use orch_core::id::Slug;
use orch_process::Environment;
use orch_process::detached::start_detached;

use super::Args;
use crate::context::Context;
use crate::failure::Failure;
use crate::inbox::run::programs;
use crate::respond::{Outcome, Reply};

pub(super) fn run(args: &Args, run: Option<&Slug>, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let (_, store) = context.opener()?;
    let who = context.lead()?;
    let folder = context.session()?.folder().to_owned();
    let name = run.map_or_else(|| "all".to_owned(), ToString::to_string);
    let log = folder.join("logs").join(format!("drive-{name}.log"));
    let mut words: Vec<OsString> = vec![programs()?.orch.into(), "drive".into()];
    words.extend(args.again(run).into_iter().map(Into::into));
    words.extend(["--as".into(), who.as_str().into()]);
    words.extend(["--store".into(), store.into(), "--printed-to".into(), log.clone().into()]);
    if context.json_wanted() {
        words.push("--json".into());
    } else {
        words.push("--text".into());
    }
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
    let answer = Detached { pid: started.pid(), log: log.display().to_string(), next };
    Ok(Reply::new(DriveLine::Detached(answer)).into())
}
