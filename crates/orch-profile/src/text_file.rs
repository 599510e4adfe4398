//! Reading a text file of bounded size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use orch_process::ownership::OwnershipProblem;

use orch_process::TrustRecord;

/// Why a profile or template file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    /// The operating system refused.
    #[error("{kind} {} cannot be read", path.display())]
    Io {
        /// What the file contains, with an article.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The file is larger than the limit.
    #[error("{kind} {} is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// What the file contains, with an article.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The limit.
        bytes_max: usize,
    },
    /// Another user could have written the file.
    #[error("{kind} {} is not trusted", path.display())]
    Untrusted {
        /// What the file contains, with an article.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// The problem.
        #[source]
        problem: OwnershipProblem,
    },
    /// The file is not UTF-8.
    #[error("{kind} {} is not valid UTF-8", path.display())]
    NotText {
        /// What the file contains, with an article.
        kind: &'static str,
        /// The file.
        path: PathBuf,
    },
}

/// A kind of file, with its size limit.
#[derive(Clone, Copy)]
pub(crate) struct TextFileKind {
    pub name: &'static str,
    pub bytes_max: usize,
}

impl TextFileKind {
    /// Reads a file that must exist.
    pub(crate) fn read(self, path: &Path) -> Result<String, TextFileError> {
        let io_error = |source| TextFileError::Io { kind: self.name, path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        let mut bytes = Vec::new();
        file.take(self.bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(io_error)?;
        if bytes.len() > self.bytes_max {
            let (kind, bytes_max) = (self.name, self.bytes_max);
            return Err(TextFileError::TooLarge { kind, path: path.to_owned(), bytes_max });
        }
        String::from_utf8(bytes)
            .map_err(|_| TextFileError::NotText { kind: self.name, path: path.to_owned() })
    }

    /// Reads a file in a folder of settings, which must be trusted; `None` when it does not exist.
    pub(crate) fn read_trusted(
        self,
        folder: &Path,
        path: &Path,
        trust: &TrustRecord,
    ) -> Result<Option<String>, TextFileError> {
        let text = match self.read(path) {
            Err(TextFileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        match trust.check_file(folder, path, text.as_bytes()) {
            Ok(()) => Ok(Some(text)),
            Err(problem) => Err(TextFileError::Untrusted { kind: self.name, path: path.to_owned(), problem }),
        }
    }
}
