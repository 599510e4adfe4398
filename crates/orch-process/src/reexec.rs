//! Re-exec: a process replaces itself by a fresh image of its own program and keeps a payload.
//!
//! Its pid, children, files and working directory stay; its memory is released.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The variable that announces a payload at stdin.
const PAYLOAD_VARIABLE: &str = "INBOX_KEPT";

/// The name of the memory file with the payload.
const PAYLOAD_FILE: &str = "orch-kept";

/// The variable with the tunables of the GNU C library: <https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html>.
const TUNABLES_VARIABLE: &str = "GLIBC_TUNABLES";

/// Tunables that make the allocator return freed memory to the system at once.
const LOW_MEMORY_TUNABLES: &str = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:glibc.malloc.top_pad=0:glibc.malloc.trim_threshold=4096";

/// Re-executes this program with the same arguments; [`take_reexec_payload`] then returns the payload.
///
/// Returns only on failure, without any effect.
pub fn reexec_self(payload: &[u8]) -> io::Error {
    match prepare_reexec(payload) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn prepare_reexec(payload: &[u8]) -> io::Result<Command> {
    let mut file = create_memory_file()?;
    file.write_all(payload)?;
    file.rewind()?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(own) = arguments.next() {
        command.arg0(own);
    }
    command.args(arguments).stdin(Stdio::from(file));
    command.env(PAYLOAD_VARIABLE, "1");
    // A value that the user has set wins.
    if std::env::var_os(TUNABLES_VARIABLE).is_none() {
        command.env(TUNABLES_VARIABLE, LOW_MEMORY_TUNABLES);
    }
    Ok(command)
}

/// Creates a file in memory.
#[cfg(target_os = "linux")]
fn create_memory_file() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create(PAYLOAD_FILE, rustix::fs::MemfdFlags::CLOEXEC)?))
}

#[cfg(not(target_os = "linux"))]
fn create_memory_file() -> io::Result<File> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// Returns the payload of a re-exec and clears it; `None` if this process was started in another way.
pub fn take_reexec_payload() -> Option<io::Result<Vec<u8>>> {
    std::env::var_os(PAYLOAD_VARIABLE)?;
    // A variable that was set by another program must not make us wait for an unrelated stdin.
    let stdin = std::fs::read_link("/proc/self/fd/0").ok()?;
    if !stdin.to_str()?.starts_with(&format!("/memfd:{PAYLOAD_FILE}")) {
        return None;
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    // The payload may contain a secret.
    let emptied = read.and_then(|_| Ok(rustix::fs::ftruncate(io::stdin(), 0)?));
    Some(emptied.map(|()| bytes))
}

/// Returns whether a variable belongs to a re-exec, so that child processes must not inherit it.
pub fn is_reexec_variable(name: &OsStr, value: &OsStr) -> bool {
    name == PAYLOAD_VARIABLE || (name == TUNABLES_VARIABLE && value == LOW_MEMORY_TUNABLES)
}
