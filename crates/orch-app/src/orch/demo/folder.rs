//! The demo's folder: a repository with the job in it, and both programs beside it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use orch_contract::ErrorCode;
use orch_inbox::Error;
use orch_inbox::world::HostEnvironment;
use orch_process::EnvironmentVariables;
use orch_supervisor::wrapper::ProgramPaths;

use crate::error::AppError;

/// The files of the repository besides the pages.
const FILES: [(&str, &str); 10] = [
    ("README.md", include_str!("handbook/README.md")),
    ("plan.toml", include_str!("handbook/plan.toml")),
    ("check.sh", include_str!("handbook/check.sh")),
    ("facts.md", include_str!("handbook/facts.md")),
    ("workers/reader.sh", include_str!("handbook/workers/reader.sh")),
    ("workers/reader.toml", include_str!("handbook/workers/reader.toml")),
    ("workers/indexer.sh", include_str!("handbook/workers/indexer.sh")),
    ("workers/indexer.toml", include_str!("handbook/workers/indexer.toml")),
    ("workers/editor.sh", include_str!("handbook/workers/editor.sh")),
    ("workers/editor.toml", include_str!("handbook/workers/editor.toml")),
];

/// The profiles of the workers, relative to the repository.
pub(super) const PROFILES: [&str; 3] = ["workers/reader.toml", "workers/indexer.toml", "workers/editor.toml"];

/// The demo's folder, with a repository and both programs in it.
#[derive(Debug)]
pub struct DemoFolder {
    folder: PathBuf,
    pages: usize,
}

impl DemoFolder {
    /// Creates the demo's folder and fills its repository; `pages` are the texts that the workers process, by name.
    ///
    /// # Errors
    /// The named folder is not empty, git is not installed, or a file cannot be written.
    pub fn prepare_in(named: Option<&Path>, pages: &[(String, String)]) -> Result<Self, AppError> {
        let demo = Self { folder: empty_folder(named)?, pages: pages.len() };
        let host = HostEnvironment::new(EnvironmentVariables::inherit_sanitized());
        let git = host.git().map_err(Error::from)?;
        place_programs(&demo.folder)?;
        let repository = demo.repository();
        for folder in ["", "pages", "workers"] {
            let path = repository.join(folder);
            std::fs::create_dir(&path).map_err(|error| file_error("make", &path, &error))?;
        }
        let files = FILES.iter().map(|(name, text)| (repository.join(name), *text));
        let pages = pages
            .iter()
            .map(|(name, text)| (repository.join("pages").join(format!("{name}.txt")), text.as_str()));
        for (path, text) in files.chain(pages) {
            std::fs::write(&path, text).map_err(|error| file_error("write", &path, &error))?;
        }
        git.create_repository(&repository, "The job").map_err(Error::from)?;
        Ok(demo)
    }

    /// Returns the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Returns how many pages there are.
    #[must_use]
    pub fn page_count(&self) -> usize {
        self.pages
    }

    /// Returns the path of the store that both programs find in the repository.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.repository().join(".git").join("orch").join("orch.db")
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("handbook")
    }

    pub(super) fn programs(&self) -> ProgramPaths {
        let bin = self.folder.join("bin");
        ProgramPaths { inbox: bin.join("inbox"), orch: bin.join("orch") }
    }
}

/// Returns the named folder, created when it is missing; else the working folder when it is empty, else a new temporary
/// folder.
fn empty_folder(named: Option<&Path>) -> Result<PathBuf, AppError> {
    let folder = match named {
        Some(named) => named.to_owned(),
        None => current_or_temporary_folder()?,
    };
    let refused = |message: String| AppError::invalid_argument("FOLDER", message).with_hint("orch demo");
    std::fs::create_dir_all(&folder)
        .map_err(|error| refused(format!("The folder {} cannot be made: {error}.", folder.display())))?;
    if !is_empty_folder(&folder)? {
        return Err(refused(format!(
            "{} is not empty; the demo wants a folder of its own.",
            folder.display()
        )));
    }
    folder.canonicalize().map_err(|error| file_error("enter", &folder, &error))
}

fn current_or_temporary_folder() -> Result<PathBuf, AppError> {
    let here = std::env::current_dir().map_err(|error| file_error("enter", Path::new("."), &error))?;
    if is_empty_folder(&here)? {
        return Ok(here);
    }
    let base = std::env::temp_dir();
    let name = |number: u32| base.join(format!("orch-demo-{}-{number}", std::process::id()));
    Ok((1..).map(name).find(|folder| !folder.exists()).unwrap_or_else(|| name(0)))
}

fn is_empty_folder(folder: &Path) -> Result<bool, AppError> {
    let mut entries = std::fs::read_dir(folder).map_err(|error| file_error("read", folder, &error))?;
    Ok(entries.next().is_none())
}

/// Places both programs into `bin/`, where each finds the other.
///
/// Both names are one program: a hard link, or a copy on another file system.
/// A symbolic link would not do, because a program that looks for itself gets the path of the target.
fn place_programs(folder: &Path) -> Result<(), AppError> {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).map_err(|error| file_error("make", &bin, &error))?;
    let own = std::env::current_exe().map_err(|error| file_error("find", Path::new("orch"), &error))?;
    for program in ["orch", "inbox"] {
        let place = bin.join(program);
        let placed = std::fs::hard_link(&own, &place).or_else(|_| std::fs::copy(&own, &place).map(drop));
        placed.map_err(|error| file_error("make", &place, &error))?;
    }
    Ok(())
}

/// Returns the error of a file that could not be processed.
fn file_error(what: &str, path: &Path, error: &std::io::Error) -> AppError {
    let code = match error.kind() {
        ErrorKind::StorageFull => ErrorCode::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::NotPermitted,
        _ => ErrorCode::Internal,
    };
    AppError::new(code, format!("The demo could not {what} {}: {error}.", path.display()))
}
