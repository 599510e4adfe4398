//! `orch web --link`: the record by which the server of the web page is found.

use std::ffi::OsString;
use std::path::PathBuf;

use orch_contract::ErrorCode;
use orch_process::EnvironmentVariables;
use orch_process::detached::start_detached;
use orch_process::private_file::{read_small_file, write_private_file};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::AppError;

/// The file of the record, in the folder of the store.
const RECORD: &str = "web.json";

/// The largest record that is read, in bytes.
const RECORD_BYTES_MAX: u64 = 4_096;

/// Where the server of the web page listens, and the key with which it gives out links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebServerRecord {
    /// The address, like `127.0.0.1:41234`.
    pub address: String,
    /// The key, which only the user can read.
    pub key: String,
}

impl App<'_> {
    /// Records the server of this store's web page; of several, the one that started last.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn record_web_server(&mut self, record: &WebServerRecord) -> Result<(), AppError> {
        let path = self.web_record()?;
        let text = serde_json::to_string(record).unwrap_or_default();
        write_private_file(&path, text.as_bytes()).map_err(|error| {
            AppError::new(ErrorCode::Internal, format!("{} cannot be written: {error}.", path.display()))
        })
    }

    /// Returns the server that was recorded last, which may have ended since.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn find_web_server(&mut self) -> Result<Option<WebServerRecord>, AppError> {
        let bytes = read_small_file(&self.web_record()?, RECORD_BYTES_MAX).ok().flatten();
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    fn web_record(&mut self) -> Result<PathBuf, AppError> {
        Ok(self.session()?.store_folder().join(RECORD))
    }
}

/// Opens a page in the user's browser; returns whether a program for that could be started.
#[must_use]
pub fn open_in_browser(url: &str) -> bool {
    let environment = EnvironmentVariables::inherit_sanitized();
    let folder = std::env::temp_dir();
    ["xdg-open", "open", "wslview"].into_iter().any(|program| {
        let words = [OsString::from(program), OsString::from(url)];
        start_detached(&words, &folder, &environment, None).is_ok()
    })
}
