//! What `/proc` tells of processes; where there is none, nobody is seen.

use std::fs::File;
use std::io::Read as _;

/// A process as it was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Not dead and merely waiting for its parent to notice.
    pub(crate) runs: bool,
    /// When it started, in clock ticks since the system did.
    pub(crate) started: u64,
}

/// Every process that is seen from here, each looked at when it is its turn.
pub(crate) fn list_processes() -> impl Iterator<Item = ProcessStat> {
    let folder = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(find_process)
}

/// How much of a line of `/proc/PID/stat` is read: its fifty numbers and its name of at most 64 bytes are shorter.
const STAT_BYTES_MAX: usize = 2048;

/// The process of this number.
pub(crate) fn find_process(pid: u32) -> Option<ProcessStat> {
    let mut line = [0; STAT_BYTES_MAX];
    // The system gives the line whole, and of hundreds of processes each further call would count.
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(pid, &line[..length])
}

/// Whether there is a `/proc` that tells of processes, ourselves at least.
pub(crate) fn is_proc_available() -> bool {
    find_process(std::process::id()).is_some()
}

/// Reads `/proc/PID/stat`, whose second field may hold anything but ends at the last `)`.
fn parse_stat(pid: u32, stat: &[u8]) -> Option<ProcessStat> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    // Fields are numbered from 1 in proc(5); the first one here is the third.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let threads: u32 = field(20)?.parse().ok()?;
    Some(ProcessStat {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        // A first thread that ended before the others looks dead, but the process goes on.
        runs: !matches!(field(3)?, "Z" | "X" | "x") || threads > 1,
        started: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_behind_any_name() {
        let line = |name: &[u8], state: &str, threads: u32| {
            let rest = format!(" {state} 7 8 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 4711 0 0");
            [b"17 (", name, b")", rest.as_bytes()].concat()
        };
        let entry = |runs| Some(ProcessStat { pid: 17, parent: 7, group: 8, runs, started: 4711 });
        for (line, expected) in [
            (line(b"sh", "S", 1), entry(true)),
            (line(b"a) Z 9 (b", "R", 3), entry(true)),
            (line(b"\xff\xfe", "Z", 1), entry(false)),
            (line(b"sh", "X", 0), entry(false)),
            (line(b"sh", "Z", 2), entry(true)),
            (b"20 (sh".to_vec(), None),
            (b"21 (sh) S 1".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(parse_stat(17, &line), expected, "{}", String::from_utf8_lossy(&line));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn we_are_seen() {
        let own = std::process::id();
        assert!(is_proc_available());
        assert!(list_processes().any(|entry| entry.pid == own && entry.runs));
        assert_eq!(find_process(own).map(|entry| entry.parent), Some(std::os::unix::process::parent_id()));
    }
}
