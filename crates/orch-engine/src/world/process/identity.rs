//! Which process something was: its number, when it started, and since which start of the machine.

use std::fmt;

/// A process, told from later ones that get the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it started, in the machine's ticks since its own start.
    pub started: u64,
    /// Which start of the machine; empty where the system does not tell.
    pub boot: String,
}

impl ProcessIdentity {
    /// This process.
    #[must_use]
    pub fn own() -> Self {
        Self::of(std::process::id()).unwrap_or(Self { pid: std::process::id(), started: 0, boot: boot() })
    }

    /// A process that runs.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let (_, started) = stat(pid)?;
        Some(Self { pid, started, boot: boot() })
    }

    /// Reads the form that [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (pid, started, boot) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()?, boot: boot.to_owned() })
    }

    /// Whether it still runs; a dead one that nobody has waited for does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let same = |(state, started)| started == self.started && !matches!(state, 'Z' | 'X');
        boot() == self.boot && stat(self.pid).is_some_and(same)
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.pid, self.started, self.boot)
    }
}

/// A name for this host that stays.
#[must_use]
pub fn host() -> String {
    for file in ["/etc/machine-id", "/proc/sys/kernel/hostname"] {
        if let Some(text) = std::fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
            && !text.is_empty()
        {
            return text;
        }
    }
    "localhost".to_owned()
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// The state and the start of a process.
fn stat(pid: u32) -> Option<(char, u64)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}
