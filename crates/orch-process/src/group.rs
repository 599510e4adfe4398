//! Process groups, and the processes that work in a folder.

use std::path::Path;

use rustix::process::{Pid, Signal};

use super::pidfd;
use super::proc_stat::{self, ProcessStat};

/// The process group of a child that leads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessGroup(Pid);

impl ProcessGroup {
    /// Returns the group that a child with this pid leads.
    pub(crate) fn led_by(child: u32) -> Self {
        let pid = i32::try_from(child).ok().filter(|pid| *pid > 1);
        Self(pid.and_then(Pid::from_raw).expect("a child's pid is positive and not 1"))
    }

    /// Sends SIGTERM to the group, and SIGCONT so that stopped processes receive it.
    pub(crate) fn request_termination(self) {
        self.send_signal(Signal::TERM);
        self.send_signal(Signal::CONT);
    }

    /// Sends SIGKILL to the group.
    pub(crate) fn kill(self) {
        self.send_signal(Signal::KILL);
    }

    /// Sends a signal; a group without processes is not an error.
    fn send_signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Returns whether a process belongs to the group.
    pub(crate) fn contains_process(self, process: &ProcessStat) -> bool {
        process.group == self.0.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns whether the group has processes; without `/proc`, zombies count too.
    pub(crate) fn has_processes(self) -> bool {
        rustix::process::test_kill_process_group(self.0).is_ok()
    }
}

/// Sends SIGKILL to our descendants in our own process group, as far as `/proc` shows them; returns how many there were.
///
/// Programs that were started to last, such as wrappers, lead groups of their own and are not among them.
pub fn kill_descendants_in_own_group() -> usize {
    let own = std::process::id();
    let Some(group) = proc_stat::find_process(own).map(|process| process.group) else { return 0 };
    let members: Vec<ProcessStat> =
        proc_stat::list_processes().filter(|process| process.group == group && process.pid != own).collect();
    let mut descendants = vec![own];
    // Each round finds the children of the round before, so a parent that was listed after its child is found too.
    while let Some(index) = members
        .iter()
        .position(|process| descendants.contains(&process.parent) && !descendants.contains(&process.pid))
    {
        descendants.push(members[index].pid);
    }
    for pid in &descendants[1..] {
        if let Some(pid) = pidfd::to_pid(*pid) {
            // It may have exited meanwhile.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
    descendants.len() - 1
}

/// Returns the pids of the processes whose working directory is inside a folder, as far as `/proc` shows them.
#[must_use]
pub fn processes_working_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let is_inside = std::fs::read_link(entry.path().join("cwd")).ok()?.starts_with(&folder);
            is_inside.then_some(pid)
        })
        .collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn processes_working_in_a_folder_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "read line"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(processes_working_in(folder.path()), [child.id()]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(processes_working_in(folder.path()), [0_u32; 0]);
    }
}
