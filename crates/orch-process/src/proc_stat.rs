//! Processes as `/proc` shows them; without `/proc`, none are found.

use std::fs::File;
use std::io::Read as _;

/// A process at the time when its line was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    /// Whether it is not a zombie.
    pub(crate) runs: bool,
    /// Its start time, in clock ticks since boot.
    pub(crate) started: u64,
}

/// Lists all visible processes, each read when the iterator reaches it.
pub(crate) fn list_processes() -> impl Iterator<Item = ProcessStat> {
    let folder = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(find_process)
}

/// The read size for `/proc/PID/stat`: fifty numbers and a name of at most 64 bytes are shorter.
const STAT_BYTES_MAX: usize = 2048;

/// Returns the process with this pid.
pub(crate) fn find_process(pid: u32) -> Option<ProcessStat> {
    let mut line = [0; STAT_BYTES_MAX];
    // One read returns the whole line; with hundreds of processes, each further system call would count.
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(pid, &line[..length])
}

/// Returns whether `/proc` shows processes, at least this one.
pub(crate) fn is_proc_available() -> bool {
    find_process(std::process::id()).is_some()
}

/// Parses `/proc/PID/stat`, whose second field may contain anything and ends at the last `)`.
fn parse_stat(pid: u32, stat: &[u8]) -> Option<ProcessStat> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    // proc(5) numbers the fields from 1; the first one here is the third.
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let threads: u32 = field(20)?.parse().ok()?;
    Some(ProcessStat {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        // A main thread that exited before the others looks like a zombie, but the process runs.
        runs: !matches!(field(3)?, "Z" | "X" | "x") || threads > 1,
        started: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_parsed_with_any_process_name() {
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
    fn our_own_process_is_found() {
        let own = std::process::id();
        assert!(is_proc_available());
        assert!(list_processes().any(|entry| entry.pid == own && entry.runs));
        assert_eq!(find_process(own).map(|entry| entry.parent), Some(std::os::unix::process::parent_id()));
    }
}
