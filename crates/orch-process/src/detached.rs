//! Starting a program that outlives this process: in a session of its own, without our terminal and standard streams.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ownership::{create_private_folder, follow_folder_owner};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};

use crate::EnvironmentVariables;

/// A detached program.
#[derive(Debug)]
pub struct DetachedProcess(Box<dyn ChildWrapper>);

impl DetachedProcess {
    /// Returns its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Returns whether it has exited, and reaps it if it has.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

/// Starts a program that appends its output to a log file, or discards it.
pub fn start_detached(
    words: &[OsString],
    folder: &Path,
    environment: &EnvironmentVariables,
    log: Option<&Path>,
) -> io::Result<DetachedProcess> {
    let (program, arguments) =
        words.split_first().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut command = Command::new(program);
    environment.apply_to(&mut command);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    match log {
        Some(path) => {
            let file = open_for_append(path)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        None => {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
    }
    let mut command = CommandWrap::from(command);
    command.wrap(ProcessSession).spawn().map(DetachedProcess)
}

fn open_for_append(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        create_private_folder(folder)?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    follow_folder_owner(path)?;
    Ok(file)
}
