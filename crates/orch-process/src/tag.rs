//! Tags: an environment variable that a process passes on to everything it starts, by which all of them are found.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};

use super::identity::ProcessIdentity;
use super::proc_stat;
use crate::limit::ENVIRON_BYTES_MAX;

/// An environment variable with a value that no other unit of work has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The name of the variable.
    pub name: &'a str,
    /// The value that identifies the unit of work.
    pub value: &'a str,
}

/// Returns the running processes that were started with this tag, as far as `/proc` shows them; never ourselves.
///
/// Processes with a cleaned environment and those of other users are not found.
#[must_use]
pub fn find_tagged_processes(tag: Tag<'_>) -> Vec<ProcessIdentity> {
    let own = std::process::id();
    proc_stat::list_processes()
        .filter(|process| process.runs && process.pid != own && tag.marks_process(process.pid))
        .map(ProcessIdentity::from_stat)
        .collect()
}

impl Tag<'_> {
    /// Returns whether the process with this pid was started with this tag.
    pub(crate) fn marks_process(self, pid: u32) -> bool {
        let Ok(environ) = File::open(format!("/proc/{pid}/environ")) else { return false };
        self.is_in_environ(environ)
    }

    /// Searches NUL-terminated variables, holding one in memory at a time.
    fn is_in_environ(self, environ: impl Read) -> bool {
        let mut variables = BufReader::with_capacity(4096, environ.take(ENVIRON_BYTES_MAX));
        let mut variable = Vec::new();
        while variables.read_until(0, &mut variable).is_ok_and(|length| length > 0) {
            if variable.ends_with(&[0]) {
                variable.pop();
            }
            if self.matches_variable(&variable) {
                return true;
            }
            variable.clear();
        }
        false
    }

    fn matches_variable(self, variable: &[u8]) -> bool {
        let value = variable.strip_prefix(self.name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value == Some(self.value.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_variable_matches() {
        let tag = Tag { name: "TAG", value: "a-1" };
        for (environ, expected) in [
            (&b"TAG=a-1\0"[..], true),
            (b"A=1\0TAG=a-1\0B=2\0", true),
            (b"A=1\0TAG=a-1", true),
            (b"TAG=a-12\0", false),
            (b"TAG=a-\x001\0", false),
            (b"XTAG=a-1\0", false),
            (b"A=TAG=a-1\0", false),
            (b"TAG\0a-1\0", false),
            (b"\0\0\0", false),
            (b"", false),
        ] {
            assert_eq!(tag.is_in_environ(environ), expected, "{}", String::from_utf8_lossy(environ));
        }
        let long = [b"LONG=", &[b'x'; 100_000][..], b"\0TAG=a-1\0"].concat();
        assert!(tag.is_in_environ(&long[..]));
    }
}
