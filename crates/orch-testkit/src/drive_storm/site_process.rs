//! The processes of a site: which there are, what each of them is, and how to kill one.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// What a process of a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProcessKind {
    /// `orch drive`
    Drive,
    /// `inbox run`, which starts a worker.
    Wrapper,
    /// Any git.
    Git,
    /// Any other process of a worker or a check.
    Worker,
    /// Another command of the lead or of a worker.
    Command,
}

/// A process of a site.
pub(super) struct SiteProcess {
    pub(super) kind: ProcessKind,
    pid: Pid,
    line: String,
}

impl SiteProcess {
    /// Lists the processes that work in a folder or name it in their environment.
    pub(super) fn list_in(folder: &Path) -> Vec<Self> {
        let own = std::process::id();
        let processes = std::fs::read_dir("/proc").into_iter().flatten();
        let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        numbers.filter(|number| *number != own).filter_map(|number| Self::read(number, folder)).collect()
    }

    /// A process that has exited, and only waits to be reaped, has neither folder nor environment.
    fn read(number: u32, folder: &Path) -> Option<Self> {
        let process = Path::new("/proc").join(number.to_string());
        let bytes = folder.as_os_str().as_encoded_bytes();
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let is_named = environment.windows(bytes.len()).any(|window| window == bytes);
        let is_inside = || std::fs::read_link(process.join("cwd")).is_ok_and(|at| at.starts_with(folder));
        if !is_named && !is_inside() {
            return None;
        }
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let mut words = line.split(' ');
        let program = words.next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let kind = match (program, words.next()) {
            ("orch", Some("drive")) => ProcessKind::Drive,
            ("inbox", Some("run")) => ProcessKind::Wrapper,
            ("git", _) => ProcessKind::Git,
            ("orch" | "inbox", _) => ProcessKind::Command,
            _ => ProcessKind::Worker,
        };
        Some(Self { kind, pid: Pid::from_raw(number.cast_signed())?, line: line.clone() })
    }

    /// Kills the process; one that has exited meanwhile is not counted.
    pub(super) fn kill(&self) -> bool {
        kill_process(self.pid, Signal::KILL).is_ok()
    }

    /// Describes the process.
    pub(super) fn description(&self) -> String {
        format!("{} {}", self.pid.as_raw_nonzero(), self.line)
    }
}
