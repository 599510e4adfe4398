//! `orch setup`: makes a client know `orch`, by files that the client reads.
//!
//! What a file held before is kept in the user's settings until the setup is removed, so that removing restores it
//! byte for byte if nothing else has changed it; else only what is ours is taken out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use orch_contract::orch::setup::{SetupFileView, SetupResponse};
use orch_contract::{ErrorCode, ErrorView};
use orch_git::{Repository, canonicalize_existing};
use orch_inbox::world::HostEnvironment;
use orch_process::EnvironmentVariables;
use orch_process::private_file::{read_small_file, write_private_file};
use orch_process::text_file::replace_file;
use orch_process::trust::digest_file;
use serde::{Deserialize, Serialize};

use orch_profile::client_setup::{ClientFile, ClientPlace, EditProblem, FileEdit, list_files, list_notes};
pub use orch_profile::client_setup::{SetupClient, SetupScope};

use crate::app::{App, settings_error, working_folder};
use crate::error::AppError;

/// The largest file of a client that is read, in bytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The record of changed files in the user's settings.
const RECORD: &str = "setup.json";

/// What is done to a client's setup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupAction {
    /// It is installed, or brought up to date.
    Install,
    /// It is removed.
    Remove,
    /// What installing would write is shown.
    Print,
    /// It is compared with what installing would write.
    Check,
}

/// A request to set up a client.
#[derive(Clone, Copy, Debug)]
pub struct SetupRequest {
    /// The client.
    pub client: SetupClient,
    /// Whose sessions.
    pub scope: SetupScope,
    /// Whether hooks are installed.
    pub with_hooks: bool,
    /// What is done.
    pub action: SetupAction,
}

/// What a file was before it was set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptOriginal {
    /// Its content; absent where it did not exist.
    content: Option<String>,
    /// The digest of what was written.
    written: String,
    /// The clients that read it and are set up.
    #[serde(default)]
    clients: BTreeSet<String>,
}

/// A file before and after the action.
struct FileChange {
    file: ClientFile,
    before: Option<String>,
    after: Option<String>,
    is_restored: bool,
}

impl FileChange {
    fn action(&self) -> &'static str {
        match (&self.before, &self.after) {
            (before, after) if before == after => "keep",
            _ if self.is_restored => "restore",
            (None, _) => "create",
            (Some(_), None) => "remove",
            (Some(_), Some(_)) => "change",
        }
    }
}

impl App<'_> {
    /// Sets up a client, or removes, shows or compares its setup. `confirm` is asked before files that git tracks change.
    ///
    /// # Errors
    /// A file cannot be read, edited or written, or the change is not confirmed.
    pub fn set_up_client(
        &mut self,
        request: &SetupRequest,
        confirm: impl FnOnce(&[PathBuf]) -> bool,
    ) -> Result<SetupResponse, AppError> {
        let folder = self.setup_folder(request.scope)?;
        let settings = self.user_folder()?.ok_or_else(|| {
            AppError::new(ErrorCode::InvalidArgument, "Neither XDG_CONFIG_HOME nor HOME is set.")
        })?;
        let record_path = settings.join(RECORD);
        let mut record = read_record(&record_path);
        let place = ClientPlace { scope: request.scope, folder: &folder };
        // Removing removes hooks too, however it is asked for.
        let with_hooks = request.with_hooks || request.action == SetupAction::Remove;
        let mut changes = Vec::new();
        for file in list_files(request.client, place, with_hooks) {
            if request.scope == SetupScope::Project {
                require_inside(&folder, &file.path)?;
            }
            changes.push(plan_change(file, request, &record)?);
        }
        let repository = match request.scope {
            SetupScope::Project => find_repository(&folder),
            SetupScope::User => None,
        };
        let is_tracked = |path: &Path| {
            repository.as_ref().is_some_and(|repository| repository.has_tracked_files(path).unwrap_or(false))
        };
        let files: Vec<SetupFileView> = changes
            .iter()
            .map(|change| SetupFileView {
                path: change.file.path.display().to_string(),
                purpose: change.file.purpose.to_owned(),
                action: change.action().to_owned(),
                tracked: is_tracked(&change.file.path),
                content: change.after.clone().filter(|_| request.action == SetupAction::Print),
            })
            .collect();
        if matches!(request.action, SetupAction::Install | SetupAction::Remove) {
            let tracked: Vec<PathBuf> = changes
                .iter()
                .zip(&files)
                .filter(|(change, view)| view.tracked && change.action() != "keep")
                .map(|(change, _)| change.file.path.clone())
                .collect();
            if !tracked.is_empty() && !confirm(&tracked) {
                return Err(unconfirmed(request, &tracked));
            }
            for change in &changes {
                apply_change(change, request, &mut record)?;
                remove_empty_folders(change, &folder);
            }
            save_record(&record_path, &record)?;
        }
        let installed = match request.action {
            SetupAction::Install => true,
            SetupAction::Remove => false,
            SetupAction::Print | SetupAction::Check => changes.iter().all(|change| change.action() == "keep"),
        };
        let notes = if request.action == SetupAction::Install {
            list_notes(request.client, request.with_hooks)
        } else {
            Vec::new()
        };
        let (client, scope) = (request.client.name().to_owned(), request.scope.name().to_owned());
        Ok(SetupResponse { client, scope, installed, files, notes })
    }

    /// Removes what was set up for clients in the repository around the working folder, or only lists it.
    ///
    /// # Errors
    /// A file cannot be read, edited or written.
    pub(crate) fn remove_project_setups(&mut self, dry_run: bool) -> Result<Vec<PathBuf>, AppError> {
        let Some(settings) = self.user_folder()? else { return Ok(Vec::new()) };
        let (scope, folder) = (SetupScope::Project, self.setup_folder(SetupScope::Project)?);
        let mut removed = Vec::new();
        for client in SetupClient::ALL {
            let record = read_record(&settings.join(RECORD));
            let files = list_files(client, ClientPlace { scope, folder: &folder }, true);
            let is_ours = |file: &ClientFile| {
                let kept = record.get(&file.path.display().to_string());
                kept.is_some_and(|kept| kept.clients.contains(client.name()))
            };
            let ours: Vec<PathBuf> = files.into_iter().filter(is_ours).map(|file| file.path).collect();
            if !ours.is_empty() && !dry_run {
                let request = SetupRequest { client, scope, with_hooks: true, action: SetupAction::Remove };
                self.set_up_client(&request, |_| true)?;
            }
            removed.extend(ours);
        }
        removed.sort();
        removed.dedup();
        Ok(removed)
    }

    fn setup_folder(&self, scope: SetupScope) -> Result<PathBuf, AppError> {
        match scope {
            SetupScope::User => {
                self.environment().variable_text("HOME")?.map(PathBuf::from).ok_or_else(|| {
                    AppError::new(ErrorCode::InvalidArgument, "HOME is not set.")
                        .with_hint("orch setup --scope project")
                })
            }
            SetupScope::Project => {
                let here = working_folder()?;
                let repository = find_repository(&here);
                Ok(repository.and_then(|found| found.top_level().map(Path::to_owned)).unwrap_or(here))
            }
        }
    }
}

/// Returns the repository around a folder, where there is one and git is installed.
fn find_repository(folder: &Path) -> Option<Repository> {
    HostEnvironment::new(EnvironmentVariables::inherit_sanitized()).discover_repository(folder).ok()
}

/// Reads a file and determines its content after the action.
fn plan_change(
    file: ClientFile,
    request: &SetupRequest,
    record: &BTreeMap<String, KeptOriginal>,
) -> Result<FileChange, AppError> {
    let before = read_text(&file.path)?;
    let kept = record.get(&file.path.display().to_string());
    if request.action != SetupAction::Remove {
        let after =
            file.edit.install(before.as_deref()).map_err(|problem| edit_error(&file.path, problem))?;
        return Ok(FileChange { file, before, after: Some(after), is_restored: false });
    }
    let Some(text) = &before else {
        return Ok(FileChange { file, before: None, after: None, is_restored: false });
    };
    // Another client that is set up reads it too.
    if kept.is_some_and(|kept| kept.clients.iter().any(|client| client != request.client.name())) {
        return Ok(FileChange { file, after: before.clone(), before, is_restored: false });
    }
    if let Some(kept) = kept.filter(|kept| kept.written == digest_file(text.as_bytes())) {
        let after = kept.content.clone();
        return Ok(FileChange { file, before, after, is_restored: kept.content.is_some() });
    }
    // A managed file that another program changed is theirs now, unless it is still as we write it.
    let after = match (&file.edit, kept) {
        (FileEdit::Whole(ours), _) if ours != text => Some(text.clone()),
        (edit, kept) => {
            let rest = edit.uninstall(text).map_err(|problem| edit_error(&file.path, problem))?;
            // A file that existed before stays, if only as an empty one.
            rest.or_else(|| kept.and_then(|kept| kept.content.as_ref()).map(|_| String::new()))
        }
    };
    Ok(FileChange { file, before, after, is_restored: false })
}

/// Writes a file, and records or forgets what it was before.
fn apply_change(
    change: &FileChange,
    request: &SetupRequest,
    record: &mut BTreeMap<String, KeptOriginal>,
) -> Result<(), AppError> {
    let path = &change.file.path;
    let name = path.display().to_string();
    if change.action() != "keep" {
        let written = match &change.after {
            Some(text) => replace_file(path, text.as_bytes()),
            None => orch_process::private_file::remove_file(path),
        };
        written.map_err(|error| {
            AppError::new(ErrorCode::NotPermitted, format!("{} cannot be written: {error}.", path.display()))
        })?;
    }
    let client = request.client.name().to_owned();
    match (request.action, &change.after) {
        // What another installation wrote is not ours to restore; removing takes out only the marked parts.
        (SetupAction::Install, Some(_)) if change.action() == "keep" && !record.contains_key(&name) => {}
        (SetupAction::Install, Some(after)) => {
            let written = digest_file(after.as_bytes());
            let before = change.before.as_ref().map(|text| digest_file(text.as_bytes()));
            let content = change.before.clone();
            let kept = record.entry(name).or_insert_with(|| KeptOriginal {
                content: content.clone(),
                written: written.clone(),
                clients: BTreeSet::new(),
            });
            // Removing restores the content before the first installation, or what others have made of it since.
            if before.as_ref() != Some(&kept.written) && change.action() != "keep" {
                kept.content = content;
            }
            kept.written = written;
            kept.clients.insert(client);
        }
        _ => {
            if let Some(kept) = record.get_mut(&name) {
                kept.clients.remove(&client);
                if kept.clients.is_empty() {
                    record.remove(&name);
                }
            }
        }
    }
    Ok(())
}

/// Refuses a file that a link of the repository leads out of it: a cloned repository may name any file of the user.
fn require_inside(top: &Path, path: &Path) -> Result<(), AppError> {
    let real = canonicalize_existing(path);
    if real.starts_with(canonicalize_existing(top)) {
        return Ok(());
    }
    let message = format!("{} leads out of the repository, to {}.", path.display(), real.display());
    Err(ErrorView::new(ErrorCode::NotPermitted, message)
        .with_detail("paths", vec![path.display().to_string()])
        .with_hint("orch setup --help")
        .into())
}

/// Removes the folders below the top that held only the removed file.
fn remove_empty_folders(change: &FileChange, top: &Path) {
    if change.after.is_none() && change.before.is_some() {
        for folder in change.file.path.ancestors().skip(1).take_while(|folder| *folder != top) {
            if !orch_process::deletion::delete_empty_folder(folder) {
                break;
            }
        }
    }
}

fn read_text(path: &Path) -> Result<Option<String>, AppError> {
    let bytes = read_small_file(path, BYTES_MAX).map_err(|error| {
        AppError::new(ErrorCode::NotPermitted, format!("{} cannot be read: {error}.", path.display()))
    })?;
    bytes.map(String::from_utf8).transpose().map_err(|_| edit_error(path, EditProblem::NotText))
}

fn edit_error(path: &Path, problem: EditProblem) -> AppError {
    let path = path.display();
    let message = match problem {
        EditProblem::NotJson => {
            format!("{path} is not plain JSON, an object without comments. Nothing was changed.")
        }
        EditProblem::Taken => {
            format!("{path} already has another MCP server named orch. Nothing was changed.")
        }
        EditProblem::NotText => format!("{path} is not UTF-8. Nothing was changed."),
    };
    ErrorView::new(ErrorCode::InvalidArgument, message).with_detail("paths", vec![path.to_string()]).into()
}

fn unconfirmed(request: &SetupRequest, tracked: &[PathBuf]) -> AppError {
    let paths: Vec<String> = tracked.iter().map(|path| path.display().to_string()).collect();
    let message =
        format!("Git tracks files that would change, so the change can reach others: {}.", paths.join(", "));
    let remove = if request.action == SetupAction::Remove { " --remove" } else { "" };
    let hint = format!("orch setup {} --scope project{remove} --yes", request.client.name());
    ErrorView::new(ErrorCode::InvalidArgument, message).with_detail("paths", paths).with_hint(hint).into()
}

fn read_record(path: &Path) -> BTreeMap<String, KeptOriginal> {
    let bytes = read_small_file(path, BYTES_MAX).ok().flatten().unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

fn save_record(path: &Path, record: &BTreeMap<String, KeptOriginal>) -> Result<(), AppError> {
    if record.is_empty() {
        return orch_process::private_file::remove_file(path).map_err(|error| settings_error(&error));
    }
    // A record consists of texts, which always have a JSON form.
    let bytes = serde_json::to_vec_pretty(record).unwrap_or_default();
    let created = path.parent().map_or(Ok(()), orch_process::create_private_folder);
    created.and_then(|()| write_private_file(path, &bytes)).map_err(|error| settings_error(&error))
}
