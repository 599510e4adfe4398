//! Starting a program that outlives us: in a session of its own, without our terminal, input and output.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use process_wrap::std::{ChildWrapper, CommandWrap, ProcessSession};

use crate::EnvironmentVariables;

/// A program that was started and goes on without us.
#[derive(Debug)]
pub struct DetachedProcess(Box<dyn ChildWrapper>);

impl DetachedProcess {
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended, as far as we are its parent; it is then no longer counted among the dead.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

/// Starts a program. What it prints goes to the end of a file, or nowhere.
///
/// # Errors
/// It cannot be started, or the file cannot be written.
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
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
