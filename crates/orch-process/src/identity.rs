//! Who a process is, and on which host: a number alone may belong to another process tomorrow.
//!
//! An identity is made to be stored as text and asked about later, by another program.
//! Where there is no `/proc`, it is the number alone, and whoever has that number passes for the process.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use rustix::process::Pid;
use sha2::{Digest as _, Sha256};

use super::proc_stat;

/// A process of this host: its number, when it started, and since which start of the system.
///
/// As text it is `PID-STARTED-BOOT`, of `a-z0-9-` alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessIdentity {
    pid: u32,
    /// In clock ticks since the system started.
    started: u64,
    /// The boot id; 0 where it is not known.
    boot: u128,
}

/// A text that is no identity of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the identity of a process")]
pub struct InvalidProcessIdentity;

impl ProcessIdentity {
    /// The process that has this number now, even if it is dead and its parent has not noticed.
    #[must_use]
    pub fn of_pid(pid: u32) -> Option<Self> {
        if let Some(entry) = proc_stat::find_process(pid) {
            return Some(Self::from_stat(entry));
        }
        let there = !proc_stat::is_proc_available() && is_pid_in_use(pid);
        there.then_some(Self { pid, started: 0, boot: 0 })
    }

    /// This process.
    #[must_use]
    pub fn of_current_process() -> Self {
        Self::of_own_or_child(std::process::id())
    }

    /// This process, or a child that nobody has waited for: it has this number, even if the system hides it.
    pub(crate) fn of_own_or_child(pid: u32) -> Self {
        Self::of_pid(pid).unwrap_or(Self { pid, started: 0, boot: 0 })
    }

    /// Its number.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Whether it still runs: its number is taken, by a process that started when it did, and it is not dead.
    ///
    /// Only the [`host_id`] that it was seen on can tell.
    #[must_use]
    pub fn is_alive(self) -> bool {
        match proc_stat::find_process(self.pid) {
            Some(entry) => entry.runs && Self::from_stat(entry) == self,
            None => !proc_stat::is_proc_available() && self.boot == 0 && is_pid_in_use(self.pid),
        }
    }

    pub(crate) fn from_stat(entry: proc_stat::ProcessStat) -> Self {
        Self { pid: entry.pid, started: entry.started, boot: boot_id() }
    }
}

impl fmt::Display for ProcessIdentity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}-{}-{:032x}", self.pid, self.started, self.boot)
    }
}

impl FromStr for ProcessIdentity {
    type Err = InvalidProcessIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidProcessIdentity> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(InvalidProcessIdentity);
        let (pid, started, boot) = (part()?, part()?, part()?);
        let identity = Self {
            pid: pid.parse().map_err(|_| InvalidProcessIdentity)?,
            started: started.parse().map_err(|_| InvalidProcessIdentity)?,
            boot: u128::from_str_radix(boot, 16).map_err(|_| InvalidProcessIdentity)?,
        };
        // One identity has one text, so that texts can be compared.
        if identity.to_string() == text { Ok(identity) } else { Err(InvalidProcessIdentity) }
    }
}

/// A stable text for this host, of `a-z0-9-` alone: a digest of its machine id, else of its name.
///
/// In a container, or a sandbox with process numbers of its own, it is another text than outside:
/// nobody can tell from one side whether a process of the other is alive.
#[must_use]
pub fn host_id() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let machine = machine_id().unwrap_or_else(host_name);
        host_digest(&machine, pid_namespace().as_deref())
    })
}

/// A machine id is not for others to see (machine-id(5)), and a name may hold anything.
fn host_digest(machine: &str, numbers: Option<&str>) -> String {
    let mut digest = Sha256::new();
    for part in ["orch host", machine, numbers.unwrap_or_default()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn machine_id() -> Option<String> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"].into_iter().find_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        let id = text.trim();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| id.to_owned())
    })
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The name of our process numbers, where they are not those of the whole host.
fn pid_namespace() -> Option<String> {
    /// What the kernel calls the numbers of the host itself, always.
    const OF_THE_HOST: &str = "pid:[4026531836]";
    let name = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let name = name.to_str()?;
    (name != OF_THE_HOST).then(|| name.to_owned())
}

/// When the system was started, as a name; 0 where it has none.
fn boot_id() -> u128 {
    static BOOT: OnceLock<u128> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or(0)
    })
}

/// Whether somebody has this number, be it a process that we may not signal.
fn is_pid_in_use(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(rustix::process::test_kill_process(pid), Ok(()) | Err(rustix::io::Errno::PERM))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn we_are_alive_and_have_a_text() {
        let own = ProcessIdentity::of_current_process();
        assert!(own.is_alive());
        assert_eq!(own.pid(), std::process::id());
        let text = own.to_string();
        assert!(text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{text}");
        assert_eq!(text.parse(), Ok(own));
    }

    #[test]
    fn another_text_is_no_identity() {
        let boot = "0eeacdfc259c483dad92d007ad581cce";
        assert!(format!("1-2-{boot}").parse::<ProcessIdentity>().is_ok());
        for text in [
            String::new(),
            "1".to_owned(),
            "1-2".to_owned(),
            format!("-1-2-{boot}"),
            format!("+1-2-{boot}"),
            format!("01-2-{boot}"),
            format!("1-2-{}", boot.to_uppercase()),
            format!("1-2-{boot}0"),
            format!("1-2-{boot}-"),
            format!("4294967296-2-{boot}"),
            format!("1 -2-{boot}"),
        ] {
            assert_eq!(text.parse::<ProcessIdentity>(), Err(InvalidProcessIdentity), "{text:?}");
        }
    }

    /// A number that was given to another process, or to one of another start of the system.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_number_alone_does_not_make_it_alive() {
        let own = ProcessIdentity::of_current_process();
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
        assert!(!ProcessIdentity { boot: own.boot ^ 1, ..own }.is_alive());
        assert!(!ProcessIdentity { boot: 0, started: 0, ..own }.is_alive());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_dead_are_not_alive() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let identity = ProcessIdentity::of_pid(child.id()).unwrap();
        assert!(identity.is_alive());
        drop(child.stdin.take());
        let pid = Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert_eq!(
            ProcessIdentity::of_pid(child.id()),
            Some(identity),
            "it is dead, and its number still its own"
        );
        assert!(!identity.is_alive());
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }

    #[test]
    fn a_host_has_one_text() {
        let text = host_id();
        assert_eq!(text, host_id());
        assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
        let texts = [
            host_digest("a", None),
            host_digest("b", None),
            host_digest("a", Some("pid:[1]")),
            host_digest("a", Some("pid:[2]")),
        ];
        for (index, text) in texts.iter().enumerate() {
            assert!(!texts[..index].contains(text));
        }
        if let Some(id) = machine_id() {
            assert!(!text.contains(&id), "a machine id is not told");
        }
    }
}
