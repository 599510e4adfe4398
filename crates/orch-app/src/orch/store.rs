//! `orch store …`: backups of the store.

use std::path::{Path, PathBuf};

use orch_contract::orch::store::{AheadReferenceView, StoreBackupResponse, StoreRestoreResponse};
use orch_contract::{ErrorCode, ErrorView};
use orch_inbox::{Error, Session};
use orch_process::trust::digest_large_file;
use orch_query::ahead::{AheadReference, list_ahead_references};
use orch_store::{Fault, Store};
use serde::Serialize;

use crate::app::{App, working_folder};
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Writes a backup of the store, which may be in use.
#[derive(Debug, Serialize)]
pub struct BackUpStore {
    /// The file, which must not exist.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Request for BackUpStore {
    const COMMAND: &'static str = "orch store backup";
    type View = StoreBackupResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<StoreBackupResponse> {
        let file = working_folder()?.join(&self.file);
        if std::fs::symlink_metadata(&file).is_ok() {
            return Err(existing_file(&file));
        }
        let contents = app.session()?.store_mut().back_up(&file).map_err(|fault| match fault {
            Fault::Unavailable { ref source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                existing_file(&file)
            }
            fault => fault.into(),
        })?;
        Ok(Reply::new(StoreBackupResponse {
            digest: read_digest(&file)?,
            file: file.display().to_string(),
            store_id: contents.store_id,
            rows: contents.rows,
        }))
    }
}

/// Replaces the content of the store by that of a backup; no process may be at work.
#[derive(Debug, Serialize)]
pub struct RestoreStore {
    /// The backup.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Request for RestoreStore {
    const COMMAND: &'static str = "orch store restore";
    type View = StoreRestoreResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<StoreRestoreResponse> {
        let file = working_folder()?.join(&self.file);
        let contents = Store::inspect_backup(&file)?;
        let digest = read_digest(&file)?;
        let session = match app.session() {
            Err(error) if error.code() == ErrorCode::StoreNotFound => app.open_or_create_session()?.0,
            Ok(_) => app.session()?,
            Err(error) => return Err(error),
        };
        session.require_writable()?;
        require_same_store(session, &contents.store_id)?;
        if let Some(processes) = session.live_processes()? {
            let message = format!(
                "The store at {} is in use: {}.",
                session.store_folder().display(),
                processes.join(", ")
            );
            return Err(ErrorView::new(ErrorCode::StoreInUse, message).with_hint("orch stop").into());
        }
        let restored = session.store_mut().restore(&file)?;
        let ahead = list_ahead_references(session)?;
        Ok(Reply::new(StoreRestoreResponse {
            store: session.describe_store(false).path.display().to_string(),
            store_id: session.describe_store(false).identity.id,
            rows: contents.rows,
            digest,
            kept: restored.kept.display().to_string(),
            ahead: ahead.iter().map(ahead_view).collect(),
            next: vec!["orch doctor".to_owned(), "orch status".to_owned()],
        }))
    }
}

/// Refuses the backup of another store, unless nothing was ever done with this one.
fn require_same_store(session: &mut Session, id: &str) -> Result<(), AppError> {
    let own = session.describe_store(false).identity.id;
    if id.is_empty() || own == id {
        return Ok(());
    }
    let newest = session.query(|tx| Ok(orch_store::table::event::newest_id(tx)?))?;
    if newest.0 == 0 {
        return Ok(());
    }
    let message = format!("The file is a backup of the store {id}, and this store is {own}.");
    Err(AppError::invalid_argument("FILE", message).with_hint("orch doctor"))
}

fn existing_file(file: &Path) -> AppError {
    AppError::invalid_argument("FILE", format!("{} exists, and is not overwritten.", file.display()))
}

fn read_digest(file: &Path) -> Result<String, AppError> {
    digest_large_file(file)
        .map_err(|source| Error::File { doing: "read", path: file.to_owned(), source }.into())
}

fn ahead_view(ahead: &AheadReference) -> AheadReferenceView {
    AheadReferenceView {
        run: ahead.run.as_ref().map(ToString::to_string),
        reference: ahead.tip.reference.as_str().to_owned(),
        commit: ahead.tip.commit.as_str().to_owned(),
    }
}
