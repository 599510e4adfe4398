//! Becoming one's own program again: the same process with its children, its files and its place, and with nothing in
//! its memory but what it was told to keep.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// The variable that says that there is something kept, at stdin.
const KEPT: &str = "INBOX_KEPT";

/// The name of the file in memory that holds it.
const FILE: &str = "orch-kept";

/// The variable that tunes GNU's C library: <https://sourceware.org/glibc/manual/latest/html_node/Memory-Allocation-Tunables.html>.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// What makes its allocator give back what was freed: nothing is held for later, neither chunks nor room at the end.
const THRIFT: &str = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0:glibc.malloc.top_pad=0:glibc.malloc.trim_threshold=4096";

/// Becomes this program again, with the same arguments, where [`take_reexec_payload`] gives these bytes.
///
/// Returns only where that cannot be done; then nothing has happened.
pub fn reexec_self(keep: &[u8]) -> io::Error {
    match prepare_reexec(keep) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn prepare_reexec(keep: &[u8]) -> io::Result<Command> {
    let mut file = create_memory_file()?;
    file.write_all(keep)?;
    file.rewind()?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(own) = arguments.next() {
        command.arg0(own);
    }
    command.args(arguments).stdin(Stdio::from(file));
    command.env(KEPT, "1");
    // Whoever has set it knows better.
    if std::env::var_os(TUNABLES).is_none() {
        command.env(TUNABLES, THRIFT);
    }
    Ok(command)
}

/// A file that is nowhere on a disk.
#[cfg(target_os = "linux")]
fn create_memory_file() -> io::Result<File> {
    Ok(File::from(rustix::fs::memfd_create(FILE, rustix::fs::MemfdFlags::CLOEXEC)?))
}

/// There is no such file here.
#[cfg(not(target_os = "linux"))]
fn create_memory_file() -> io::Result<File> {
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

/// What this process has kept, where it has become its program again. It is there once.
///
/// # Errors
/// It cannot be read.
pub fn take_reexec_payload() -> Option<io::Result<Vec<u8>>> {
    std::env::var_os(KEPT)?;
    // Somebody else's variable of that name must not let us wait for somebody else's stdin.
    let stdin = std::fs::read_link("/proc/self/fd/0").ok()?;
    if !stdin.to_str()?.starts_with(&format!("/memfd:{FILE}")) {
        return None;
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    // Nobody else needs it, and it may hold a secret.
    let emptied = read.and_then(|_| Ok(rustix::fs::ftruncate(io::stdin(), 0)?));
    Some(emptied.map(|()| bytes))
}

/// Whether a variable was set by this process for itself: nobody that it starts is to see it.
pub fn is_reexec_variable(name: &OsStr, value: &OsStr) -> bool {
    name == KEPT || (name == TUNABLES && value == THRIFT)
}
