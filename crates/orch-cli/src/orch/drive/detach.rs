//! A supervisor in the background: the same command, in a session of its own, printing to a file.

use std::ffi::OsString;

use orch_contract::ErrorCode;
use orch_contract::orch::drive::{DetachedSupervisor, DriveLine};
use orch_core::id::Slug;
use orch_process::EnvironmentVariables;
use orch_process::detached::start_detached;

use super::DriveArgs;
use crate::context::CommandRuntime;
use crate::inbox::run::own_programs;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;

pub(super) fn run(
    args: &DriveArgs,
    run: Option<&Slug>,
    context: &mut CommandRuntime<'_>,
) -> Result<CommandOutcome, AppError> {
    let (_, store) = context.session_opener()?;
    let who = context.calling_lead()?;
    let folder = context.open_session()?.store_folder().to_owned();
    let name = run.map_or_else(|| "all".to_owned(), ToString::to_string);
    let log = folder.join("logs").join(format!("drive-{name}.log"));
    let mut words: Vec<OsString> = vec![own_programs()?.orch.into(), "drive".into()];
    words.extend(args.resume_words(run).into_iter().map(Into::into));
    words.extend(["--as".into(), who.as_str().into()]);
    words.extend(["--store".into(), store.into(), "--printed-to".into(), log.clone().into()]);
    if context.is_json_requested() {
        words.push("--json".into());
    } else {
        words.push("--text".into());
    }
    let here = std::env::current_dir().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("The working folder cannot be read: {error}."))
    })?;
    let started = start_detached(&words, &here, &EnvironmentVariables::inherit_sanitized(), Some(&log));
    let started = started.map_err(|error| {
        AppError::new(
            ErrorCode::Internal,
            format!("The supervisor cannot be started in the background: {error}."),
        )
    })?;
    let next = vec![
        format!("orch status {} --watch", run.map_or("", Slug::as_str)).replace("  ", " "),
        "orch ps".to_owned(),
        "orch stop".to_owned(),
    ];
    let answer = DetachedSupervisor { pid: started.pid(), log: log.display().to_string(), next };
    Ok(CommandReply::new(DriveLine::Detached(answer)).into())
}
