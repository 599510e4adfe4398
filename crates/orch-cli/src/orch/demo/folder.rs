//! The demo's folder: a repository with the job in it, and both programs beside it.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use orch_contract::ErrorCode;
use orch_git::Git;
use orch_process::EnvironmentVariables;
use orch_supervisor::wrapper::ProgramPaths;

use super::pages;
use orch_app::AppError;

/// What the repository holds besides the pages.
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

/// The profiles of the workers, as `--profile` takes them at the top of the repository.
pub(super) const PROFILES: [&str; 3] = ["workers/reader.toml", "workers/indexer.toml", "workers/editor.toml"];

/// Where the demo works.
pub(super) struct DemoFolder {
    /// The folder that it was given or made.
    pub folder: PathBuf,
    /// How many pages there are.
    pub pages: usize,
}

impl DemoFolder {
    /// Makes or finds the folder, and what the demo needs in it.
    ///
    /// # Errors
    /// The named folder is not empty, git is not there, or nothing can be written.
    pub(super) fn prepare_in(named: Option<&Path>) -> Result<Self, AppError> {
        let folder = empty_folder(named)?;
        let git = Git::find_installed(EnvironmentVariables::inherit_sanitized())
            .map_err(orch_inbox::Error::from)?;
        place_programs(&folder)?;
        let mut ground = Self { folder, pages: 0 };
        let repository = ground.repository();
        for folder in ["", "pages", "workers"] {
            let path = repository.join(folder);
            std::fs::create_dir(&path).map_err(|error| file_failure("make", &path, &error))?;
        }
        for (name, text) in FILES {
            let path = repository.join(name);
            std::fs::write(&path, text).map_err(|error| file_failure("write", &path, &error))?;
        }
        ground.pages = pages::write_pages(&repository)?;
        git.create_repository(&repository, "The job").map_err(orch_inbox::Error::from)?;
        Ok(ground)
    }

    /// The repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("handbook")
    }

    /// Its store: the one that both programs find there.
    pub(super) fn store(&self) -> PathBuf {
        self.repository().join(".git").join("orch").join("orch.db")
    }

    /// Both programs.
    pub(super) fn programs(&self) -> ProgramPaths {
        let bin = self.folder.join("bin");
        ProgramPaths { inbox: bin.join("inbox"), orch: bin.join("orch") }
    }
}

/// The named folder, made where it is not there; else this one where it is empty; else a new temporary one.
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
    folder.canonicalize().map_err(|error| file_failure("enter", &folder, &error))
}

fn current_or_temporary_folder() -> Result<PathBuf, AppError> {
    let here = std::env::current_dir().map_err(|error| file_failure("enter", Path::new("."), &error))?;
    if is_empty_folder(&here)? {
        return Ok(here);
    }
    let base = std::env::temp_dir();
    let name = |number: u32| base.join(format!("orch-demo-{}-{number}", std::process::id()));
    Ok((1..).map(name).find(|folder| !folder.exists()).unwrap_or_else(|| name(0)))
}

fn is_empty_folder(folder: &Path) -> Result<bool, AppError> {
    let mut entries = std::fs::read_dir(folder).map_err(|error| file_failure("read", folder, &error))?;
    Ok(entries.next().is_none())
}

/// Puts both programs into `bin/`, where each finds the other, whichever of them was built and installed.
///
/// Both names are the same program. It is linked, which costs nothing, or copied where the folder lies on another
/// file system; a symbolic link would not do, because a program that looks for itself is told where that leads.
fn place_programs(folder: &Path) -> Result<(), AppError> {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).map_err(|error| file_failure("make", &bin, &error))?;
    let own = std::env::current_exe().map_err(|error| file_failure("find", Path::new("orch"), &error))?;
    for program in ["orch", "inbox"] {
        let place = bin.join(program);
        let placed = std::fs::hard_link(&own, &place).or_else(|_| std::fs::copy(&own, &place).map(drop));
        placed.map_err(|error| file_failure("make", &place, &error))?;
    }
    Ok(())
}

/// What could not be done to which file.
pub(super) fn file_failure(what: &str, path: &Path, error: &Error) -> AppError {
    let code = match error.kind() {
        ErrorKind::StorageFull => ErrorCode::DiskFull,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::NotPermitted,
        _ => ErrorCode::Internal,
    };
    AppError::new(code, format!("The demo could not {what} {}: {error}.", path.display()))
}
