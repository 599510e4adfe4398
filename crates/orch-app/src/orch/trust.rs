//! `orch trust`: exceptions for stores and files that another user could have written.

use std::path::{Path, PathBuf};

use orch_contract::ErrorCode;
use orch_contract::orch::trust::{TrustResponse, TrustedPathView};
use orch_git::canonicalize_existing;
use orch_inbox::Session;
use orch_process::trust::{NEW_STORE, TrustedKind, TrustedPath, digest_file};
use orch_store::{StoreLocation, location};
use serde::Serialize;

use crate::app::{App, settings_error, working_folder};
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// What to do with the exceptions.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustChange {
    /// List them.
    List,
    /// Add a store or a file.
    Add(String),
    /// Remove one.
    Remove(String),
}

/// Lists or changes what the user trusts.
#[derive(Debug, Serialize)]
pub struct ChangeTrust {
    /// What to do.
    pub change: TrustChange,
}

impl Request for ChangeTrust {
    const COMMAND: &'static str = "orch trust";
    type View = TrustResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<TrustResponse> {
        let record = app.trust_record()?;
        match &self.change {
            TrustChange::List => {}
            TrustChange::Add(path) => {
                let entry = app.describe_for_trust(path)?;
                record.add(entry).map_err(|error| settings_error(&error))?;
            }
            TrustChange::Remove(path) => {
                let named = canonicalize_existing(&working_folder()?.join(path));
                let store = store_file(&named).unwrap_or_else(|| named.clone());
                let removed = [&named, &store].into_iter().try_fold(false, |removed, path| {
                    record.remove(path).map(|now| removed || now).map_err(|error| settings_error(&error))
                })?;
                if !removed {
                    let message = format!("{} is not trusted by an exception.", named.display());
                    return Err(
                        AppError::invalid_argument("--remove", message).with_hint("orch trust --list")
                    );
                }
            }
        }
        Ok(Reply::new(TrustResponse { trusted: record.list().into_iter().map(trusted_view).collect() }))
    }
}

impl App<'_> {
    /// Describes a store or file as it is now.
    fn describe_for_trust(&self, named: &str) -> Result<TrustedPath, AppError> {
        let named = canonicalize_existing(&working_folder()?.join(named));
        if let Some(path) = store_file(&named) {
            let location = StoreLocation::Sqlite(path.clone());
            let mark = match Session::open(&location, self.open_options()) {
                Ok(session) => session.describe_store(false).identity.id,
                Err(error) if AppError::from_store_missing(&error) => NEW_STORE.to_owned(),
                Err(error) => return Err(error.into()),
            };
            return Ok(TrustedPath { kind: TrustedKind::Store, path, mark });
        }
        let bytes = orch_process::trust::read_file(&named).map_err(|error| {
            AppError::new(ErrorCode::InvalidArgument, format!("{} cannot be read: {error}.", named.display()))
        })?;
        Ok(TrustedPath { kind: TrustedKind::File, mark: digest_file(&bytes), path: named })
    }
}

/// Returns the file of the store that a path names: by the file, its folder, or a folder of its repository.
fn store_file(named: &Path) -> Option<PathBuf> {
    location::named_store_file(named)
}

fn trusted_view(entry: TrustedPath) -> TrustedPathView {
    let path = entry.path.display().to_string();
    let mark = Some(entry.mark).filter(|mark| mark != NEW_STORE);
    match entry.kind {
        TrustedKind::Store => TrustedPathView { kind: "store".to_owned(), path, id: mark, digest: None },
        TrustedKind::File => TrustedPathView { kind: "file".to_owned(), path, id: None, digest: mark },
    }
}
