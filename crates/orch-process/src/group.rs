//! A process group: asked to end, made to end, and seen to be gone.

use std::path::Path;

use rustix::process::{Pid, Signal};

use super::proc_stat;

/// The processes that a command started, as far as they stayed in its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessGroup(Pid);

impl ProcessGroup {
    /// The group that a child of this number leads.
    pub(crate) fn led_by(child: u32) -> Self {
        let number = i32::try_from(child).ok().filter(|number| *number > 1);
        Self(number.and_then(Pid::from_raw).expect("a child's number is positive, and 1 is not ours"))
    }

    /// Asks every process of the group to end; a stopped one is let go on, or it could not.
    pub(crate) fn request_termination(self) {
        self.send_signal(Signal::TERM);
        self.send_signal(Signal::CONT);
    }

    /// Ends every process of the group.
    pub(crate) fn kill(self) {
        self.send_signal(Signal::KILL);
    }

    /// A group that is gone already has nothing to hear.
    fn send_signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether this process is of the group.
    pub(crate) fn contains_process(self, entry: &proc_stat::ProcessStat) -> bool {
        entry.group == self.0.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether a process of the group still runs. The leader must have been waited for.
    pub(crate) fn is_alive(self) -> bool {
        rustix::process::test_kill_process_group(self.0).is_ok() && has_running_member(self)
    }
}

/// Whether the group holds more than dead processes: where nobody waits for orphans, those stay for ever.
fn has_running_member(group: ProcessGroup) -> bool {
    !proc_stat::is_proc_available()
        || proc_stat::list_processes().any(|entry| entry.runs && group.contains_process(&entry))
}

/// The numbers of the processes whose working folder lies inside this one, as far as the system tells.
///
/// A tree in which somebody still works is not handed to another.
#[must_use]
pub fn processes_working_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = folder.canonicalize() else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let inside = std::fs::read_link(entry.path().join("cwd")).ok()?.starts_with(&folder);
            inside.then_some(number)
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
    fn who_works_in_a_folder_is_seen() {
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
