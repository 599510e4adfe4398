//! The identity of a process across pid reuse and reboots, and the identity of the host.
//!
//! An identity can be stored as text and later tested by another program.
//! Without `/proc` it is the pid alone, and any process with that pid matches.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use rustix::process::Pid;
use sha2::{Digest as _, Sha256};

use super::proc_stat;

/// The identity of a process of this host: its pid, its start time and the boot it belongs to.
///
/// The text form is `PID-STARTED-BOOT`, in the characters `a-z0-9-`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessIdentity {
    pid: u32,
    /// The start time, in clock ticks since boot.
    started: u64,
    /// The boot id; 0 if unknown.
    boot: u128,
}

/// The text is not the identity of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the identity of a process")]
pub struct InvalidProcessIdentity;

impl ProcessIdentity {
    /// Returns the identity of the process with this pid, which may be a zombie.
    #[must_use]
    pub fn of_pid(pid: u32) -> Option<Self> {
        if let Some(entry) = proc_stat::find_process(pid) {
            return Some(Self::from_stat(entry));
        }
        let exists = !proc_stat::is_proc_available() && is_pid_in_use(pid);
        exists.then_some(Self { pid, started: 0, boot: 0 })
    }

    /// Returns the identity of this process.
    #[must_use]
    pub fn of_current_process() -> Self {
        Self::of_own_or_child(std::process::id())
    }

    /// Returns the identity of this process or of an unreaped child, even if `/proc` hides it.
    pub(crate) fn of_own_or_child(pid: u32) -> Self {
        Self::of_pid(pid).unwrap_or(Self { pid, started: 0, boot: 0 })
    }

    /// Returns its pid.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Returns whether the process still runs and is not a zombie.
    ///
    /// The answer is valid only on the host of the process, see [`host_id`].
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
        // Each identity has exactly one text form, so that texts can be compared.
        if identity.to_string() == text { Ok(identity) } else { Err(InvalidProcessIdentity) }
    }
}

/// Returns a stable identifier of this host in the characters `a-z0-9`: a digest of its machine id, else of its name.
///
/// Inside a container or a sandbox with its own pid namespace it differs from the outside, because neither side can
/// tell whether a process of the other is alive.
#[must_use]
pub fn host_id() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let machine = machine_id().unwrap_or_else(|| host_name().to_owned());
        host_digest(&machine, pid_namespace().as_deref())
    })
}

/// Hashes the machine id, which must not be exposed (machine-id(5)), and the host name, which may contain anything.
fn host_digest(machine: &str, namespace: Option<&str>) -> String {
    let mut digest = Sha256::new();
    for part in ["orch host", machine, namespace.unwrap_or_default()] {
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

/// Returns the name of this host, as it calls itself.
#[must_use]
pub fn host_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

/// Returns the name of the user of this process, from the list of users of this host, or else the user's number.
///
/// The environment is not asked: it says what the caller likes.
#[must_use]
pub fn user_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let user = rustix::process::getuid().as_raw().to_string();
        let users = std::fs::read("/etc/passwd").unwrap_or_default();
        user_of_list(&String::from_utf8_lossy(&users), &user).map_or(user, str::to_owned)
    })
}

/// Finds the name of a user number in lines of `NAME:PASSWORD:NUMBER:…`.
fn user_of_list<'l>(users: &'l str, number: &str) -> Option<&'l str> {
    let fields = |line: &'l str| {
        let mut fields = line.split(':');
        Some((fields.next()?, fields.nth(1)?))
    };
    users.lines().filter_map(fields).find(|(_, found)| *found == number).map(|(name, _)| name)
}

/// Returns the name of our pid namespace, unless it is the host's initial one.
fn pid_namespace() -> Option<String> {
    /// The kernel's fixed name of the initial namespace.
    const INITIAL: &str = "pid:[4026531836]";
    let name = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let name = name.to_str()?;
    (name != INITIAL).then(|| name.to_owned())
}

/// Returns the boot id; 0 if the system has none.
pub(crate) fn boot_id() -> u128 {
    static BOOT: OnceLock<u128> = OnceLock::new();
    *BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        u128::from_str_radix(&text.trim().replace('-', ""), 16).unwrap_or(0)
    })
}

/// Returns whether a process has this pid, even one that we may not signal.
fn is_pid_in_use(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(rustix::process::test_kill_process(pid), Ok(()) | Err(rustix::io::Errno::PERM))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn our_own_identity_is_alive_and_has_a_text_form() {
        let own = ProcessIdentity::of_current_process();
        assert!(own.is_alive());
        assert_eq!(own.pid(), std::process::id());
        let text = own.to_string();
        assert!(text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{text}");
        assert_eq!(text.parse(), Ok(own));
    }

    #[test]
    fn invalid_texts_are_rejected() {
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reused_pid_and_another_boot_are_not_alive() {
        let own = ProcessIdentity::of_current_process();
        assert!(!ProcessIdentity { started: own.started + 1, ..own }.is_alive());
        assert!(!ProcessIdentity { boot: own.boot ^ 1, ..own }.is_alive());
        assert!(!ProcessIdentity { boot: 0, started: 0, ..own }.is_alive());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_zombie_is_not_alive() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let identity = ProcessIdentity::of_pid(child.id()).unwrap();
        assert!(identity.is_alive());
        drop(child.stdin.take());
        let pid = Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert_eq!(ProcessIdentity::of_pid(child.id()), Some(identity), "a zombie keeps its pid");
        assert!(!identity.is_alive());
        child.wait().unwrap();
        assert!(!identity.is_alive());
    }

    #[test]
    fn the_host_id_is_stable_and_hides_the_machine_id() {
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
            assert!(!text.contains(&id), "the machine id is not exposed");
        }
    }
}
