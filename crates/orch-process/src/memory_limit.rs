//! How often the kernel killed a process because a memory limit was exceeded.

use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Returns how many processes of our control group, and of those below it, were killed for want of memory; 0 if unknown.
pub(crate) fn count_memory_kills() -> u64 {
    let Ok(membership) = std::fs::read_to_string("/proc/self/cgroup") else { return 0 };
    event_files(&membership)
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .filter_map(|events| parse_memory_kills(&events))
        .next()
        .unwrap_or(0)
}

/// Returns the files that may count the kills: of version 2, of version 1, and those of a container's own root.
fn event_files(membership: &str) -> Vec<PathBuf> {
    let root = Path::new(CONTROL_GROUPS);
    let mut files = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            files.push(root.join(path).join("memory.events"));
        } else if controllers.split(',').any(|name| name == "memory") {
            files.push(root.join("memory").join(path).join("memory.oom_control"));
        }
    }
    files.push(root.join("memory.events"));
    files.push(root.join("memory/memory.oom_control"));
    files
}

fn parse_memory_kills(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read() {
        assert_eq!(parse_memory_kills("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(parse_memory_kills("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
        assert_eq!(parse_memory_kills("oom_kill_disable 0\n"), None);
        let files = event_files("4:cpu:/x\n3:memory:/user\n0::/a/b\n");
        assert_eq!(files[0], Path::new("/sys/fs/cgroup/memory/user/memory.oom_control"));
        assert_eq!(files[1], Path::new("/sys/fs/cgroup/a/b/memory.events"));
        assert_eq!(files.len(), 4);
    }
}
