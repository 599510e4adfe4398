//! A supervisor in the background: a process of its own session that prints to a file.

use std::ffi::OsString;

use orch_contract::ErrorCode;
use orch_contract::orch::drive::DetachedSupervisor;
use orch_core::id::Slug;
use orch_process::EnvironmentVariables;
use orch_process::detached::start_detached;

use super::DriveSetup;
use crate::app::App;
use crate::error::AppError;

impl DriveSetup {
    /// Starts the drive as a program in the background; `output` is the option for the format of what it prints.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn detach(&self, app: &mut App<'_>, output: &str) -> Result<DetachedSupervisor, AppError> {
        let run = self.request.run.as_ref();
        let name = run.map_or_else(|| "all".to_owned(), ToString::to_string);
        let log = app.session()?.store_folder().join("logs").join(format!("drive-{name}.log"));
        let mut words: Vec<OsString> = vec![self.programs.orch.clone().into(), "drive".into()];
        words.extend(self.request.resume_words(run).into_iter().map(Into::into));
        words.extend(["--as".into(), self.request.agent.as_str().into()]);
        words.extend(["--store".into(), self.store.clone().into()]);
        words.extend(["--printed-to".into(), log.clone().into(), output.into()]);
        let folder = std::env::current_dir().map_err(|error| {
            AppError::new(ErrorCode::Internal, format!("The working folder cannot be read: {error}."))
        })?;
        let environment = EnvironmentVariables::inherit_sanitized();
        let started = start_detached(&words, &folder, &environment, Some(&log)).map_err(|error| {
            let message = format!("The supervisor cannot be started in the background: {error}.");
            AppError::new(ErrorCode::Internal, message)
        })?;
        let next = vec![
            format!("orch status {} --watch", run.map_or("", Slug::as_str)).replace("  ", " "),
            "orch ps".to_owned(),
            "orch stop".to_owned(),
        ];
        Ok(DetachedSupervisor { pid: started.pid(), log: log.display().to_string(), next })
    }
}
