//! A process group: asked to end, made to end, and seen to be gone.

use std::path::Path;

use rustix::process::{Pid, Signal};

/// The processes that a command started, as far as they stayed in its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group(Pid);

impl Group {
    /// The group that a child leads.
    pub(crate) fn led_by(child: &std::process::Child) -> Self {
        let number = i32::try_from(child.id()).ok().filter(|number| *number > 1);
        Self(number.and_then(Pid::from_raw).expect("a child's number is positive, and 1 is not ours"))
    }

    /// Asks every process of the group to end; a stopped one is let go on, or it could not.
    pub(crate) fn ask_to_end(self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// Ends every process of the group.
    pub(crate) fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// A group that is gone already has nothing to hear.
    fn signal(self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.0, signal);
    }

    /// Whether a process of the group still runs. The leader must have been waited for.
    pub(crate) fn is_alive(self) -> bool {
        rustix::process::test_kill_process_group(self.0).is_ok() && has_running(self.0)
    }
}

/// Whether the group holds more than dead processes: where nobody waits for orphans, those stay for ever.
#[cfg(target_os = "linux")]
fn has_running(group: Pid) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else { return true };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| std::fs::read(entry.path().join("stat")).ok())
        .filter_map(|stat| parse_stat(&stat))
        .any(|(state, of)| of == group.as_raw_nonzero().get() && !matches!(state, 'Z' | 'X'))
}

#[cfg(not(target_os = "linux"))]
fn has_running(_group: Pid) -> bool {
    true
}

/// Reads the state and the group from `/proc/PID/stat`, whose second field may hold anything but ends at the last `)`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has /proc"))]
fn parse_stat(stat: &[u8]) -> Option<(char, i32)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let _parent = fields.next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// The numbers of the processes whose working folder lies inside this one, as far as the system tells.
///
/// A tree in which somebody still works is not handed to another.
#[must_use]
pub fn processes_in(folder: &Path) -> Vec<u32> {
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

    #[test]
    fn a_stat_line_is_read_behind_any_name() {
        for (line, expected) in [
            (&b"17 (sh) S 1 17 17 0 -1"[..], Some(('S', 17))),
            (b"18 (a) Z 9 (b) Z 1 18 18 0", Some(('Z', 18))),
            (b"19 (\xff\xfe) R 1 4 4", Some(('R', 4))),
            (b"20 (sh", None),
            (b"21 (sh) S", None),
        ] {
            assert_eq!(parse_stat(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

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
        assert_eq!(processes_in(folder.path()), [child.id()]);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(processes_in(folder.path()), [0_u32; 0]);
    }
}
