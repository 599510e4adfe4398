//! The demo's folder and the processes that work in it.

use std::io::Error;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_contract::Code;

use crate::failure::Failure;

/// The script that every worker runs.
const SCRIPT: &str = include_str!("worker.sh");

/// The workers' names.
const NAMES: [&str; 3] = ["ada", "ben", "cleo"];

/// Makes or finds the folder to work in, with what the demo needs in it.
///
/// # Errors
/// The named folder is not empty, or nothing can be written there.
pub(super) fn settle_in(named: Option<&Path>) -> Result<PathBuf, Failure> {
    let folder = match named {
        Some(named) => named.to_owned(),
        None => here_or_temporary()?,
    };
    std::fs::create_dir_all(&folder).map_err(|error| failed("make", &folder, &error))?;
    if !is_empty(&folder)? {
        let message = format!("{} is not empty; the demo wants a folder of its own.", folder.display());
        return Err(Failure::invalid("FOLDER", message));
    }
    let folder = folder.canonicalize().map_err(|error| failed("enter", &folder, &error))?;
    for below in ["bin", "pages", "out"] {
        let path = folder.join(below);
        std::fs::create_dir(&path).map_err(|error| failed("make", &path, &error))?;
    }
    let own = std::env::current_exe().map_err(|error| failed("find", Path::new("orch"), &error))?;
    for program in ["orch", "inbox"] {
        let link = folder.join("bin").join(program);
        std::os::unix::fs::symlink(&own, &link).map_err(|error| failed("make", &link, &error))?;
    }
    let script = folder.join("bin").join("worker.sh");
    std::fs::write(&script, SCRIPT).map_err(|error| failed("write", &script, &error))?;
    Ok(folder)
}

/// This folder where it is empty, else a new temporary one.
fn here_or_temporary() -> Result<PathBuf, Failure> {
    let here = std::env::current_dir().map_err(|error| failed("enter", Path::new("."), &error))?;
    if is_empty(&here)? {
        return Ok(here);
    }
    let base = std::env::temp_dir();
    let name = |number: u32| base.join(format!("orch-demo-{}-{number}", std::process::id()));
    Ok((1..).map(name).find(|folder| !folder.exists()).unwrap_or_else(|| name(0)))
}

fn is_empty(folder: &Path) -> Result<bool, Failure> {
    let mut entries = std::fs::read_dir(folder).map_err(|error| failed("read", folder, &error))?;
    Ok(entries.next().is_none())
}

/// Starts the workers.
///
/// # Errors
/// A process cannot be started.
pub(super) fn start(folder: &Path, store: &Path) -> Result<Workers, Failure> {
    let mut workers = Workers(Vec::new());
    let mut path = folder.join("bin").into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    for name in NAMES {
        let worker = Command::new("/bin/sh")
            .args(["bin/worker.sh", name])
            .current_dir(folder)
            .env("PATH", &path)
            .env("ORCH_STORE", store)
            .env_remove("ORCH_RUN")
            .env_remove("INBOX_THREAD")
            .env_remove("INBOX_LEASE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        workers.0.push(worker.map_err(|error| failed("start", Path::new("/bin/sh"), &error))?);
    }
    Ok(workers)
}

/// Running workers; they are ended when the demo is.
pub(super) struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            // One that has ended by itself is as good.
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}

/// What could not be done to which file.
pub(super) fn failed(what: &str, path: &Path, error: &Error) -> Failure {
    Failure::new(Code::Internal, format!("The demo could not {what} {}: {error}.", path.display()))
}
