//! SQLite files that are only looked at: nothing is written beside them.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::Fault;
use crate::sqlite::{busy_handler, fault_from_sqlite, log_path};

/// Reads the id of the store in another file, without changing anything beside it; `None` when it is no store with an id.
///
/// A file without a log is read as it is: opening it in the usual way would create one.
pub(crate) fn read_foreign_identity(path: &Path) -> rusqlite::Result<Option<String>> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = path.as_os_str().to_owned();
    if !log_path(path).exists() {
        flags |= OpenFlags::SQLITE_OPEN_URI;
        target = format!("file:{}?immutable=1", percent_encoded(path)).into();
    }
    let mut connection = Connection::open_with_flags(PathBuf::from(target), flags)?;
    connection.busy_handler(Some(busy_handler()))?;
    match connection.query_row("SELECT id FROM store_identity", [], |row| row.get(0)) {
        Ok(id) => Ok(Some(id)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => match error.sqlite_error_code() {
            // The file has no such table, or is no database.
            Some(ErrorCode::Unknown | ErrorCode::NotADatabase) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Returns a path as a URI takes it.
fn percent_encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                text.push(char::from(*byte));
            }
            // Writing to a text cannot fail.
            _ => drop(write!(text, "%{byte:02x}")),
        }
    }
    text
}

/// Opens a file that no process uses, without writing anything beside it.
pub(crate) fn open_at_rest(path: &Path) -> Result<Connection, Fault> {
    if !path.is_file() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(Fault::Unavailable { place: path.display().to_string(), source });
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let target = format!("file:{}?immutable=1", percent_encoded(path));
    Connection::open_with_flags(target, flags).map_err(|error| fault_from_sqlite(path, error))
}
