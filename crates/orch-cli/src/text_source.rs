//! Free text from the command line, from stdin (`-`) or from a file, stored as given.

use std::io::Read;
use std::path::Path;

use orch_contract::{ErrorCode, ErrorView};
use orch_core::limit::{FIELD_ENTRIES_MAX, TEXT_BYTES_MAX};

use orch_app::AppError;

/// Reads texts for one command; stdin can be read once.
#[derive(Debug, Default)]
pub struct TextSource {
    stdin_taken_by: Option<&'static str>,
}

impl TextSource {
    /// Reads the text of an option: the option's value, stdin for `-`, or a file.
    ///
    /// # Errors
    /// Both a value and a file are given, or the text is too long, has a NUL, is not UTF-8 or cannot be read.
    pub fn read_text(
        &mut self,
        argument: &'static str,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<Option<String>, AppError> {
        match (given, file) {
            (Some(_), Some(_)) => Err(AppError::invalid_argument(
                argument,
                format!("{argument} is given twice: in place and as the name of a file."),
            )),
            (Some("-"), None) => {
                self.read_stdin(argument).and_then(|text| refuse_empty(argument, "stdin", text))
            }
            (Some(text), None) => {
                check_length(argument, text.len(), text.contains('\0'))?;
                Ok(Some(text.to_owned()))
            }
            (None, Some(path)) if path == Path::new("-") => {
                self.read_stdin(argument).and_then(|text| refuse_empty(argument, "stdin", text))
            }
            (None, Some(path)) => read_file(argument, path)
                .and_then(|text| refuse_empty(argument, &path.display().to_string(), text)),
            (None, None) => Ok(None),
        }
    }

    /// Reads a text that must not be missing or empty.
    ///
    /// # Errors
    /// As [`TextSource::read_text`]; or the text is missing or empty.
    pub fn read_required(
        &mut self,
        argument: &'static str,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<String, AppError> {
        let text = self.read_text(argument, given, file)?;
        let text =
            text.ok_or_else(|| AppError::invalid_argument(argument, format!("{argument} is missing.")))?;
        check_not_empty(argument, &text)?;
        Ok(text)
    }

    /// Reads a title, which must not be blank.
    ///
    /// # Errors
    /// As [`TextSource::read_text`]; or the title is missing or blank.
    pub fn read_title(&mut self, argument: &'static str, given: Option<&str>) -> Result<String, AppError> {
        let text = self.read_required(argument, given, None)?;
        check_not_empty(argument, text.trim())?;
        Ok(text)
    }

    /// Reads a JSON document, and keeps it as it was given.
    ///
    /// # Errors
    /// The text cannot be read, or is no JSON document.
    pub fn read_payload(
        &mut self,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<Option<String>, AppError> {
        let text = self.read_text("--payload", given, file)?;
        text.as_deref().map_or(Ok(()), orch_app::inbox::send::check_payload)?;
        Ok(text)
    }

    /// Reads all of stdin.
    fn read_stdin(&mut self, argument: &'static str) -> Result<String, AppError> {
        if let Some(other) = self.stdin_taken_by {
            return Err(AppError::invalid_argument(
                argument,
                format!("Stdin can be read once; {other} and {argument} both ask for it."),
            ));
        }
        self.stdin_taken_by = Some(argument);
        read_bounded(argument, std::io::stdin().lock(), "stdin")
    }
}

/// Checks that a text is not empty.
///
/// # Errors
/// The text is empty.
pub fn check_not_empty(argument: &str, text: &str) -> Result<(), AppError> {
    if text.is_empty() {
        return Err(AppError::invalid_argument(argument, format!("{argument} must not be empty.")));
    }
    Ok(())
}

/// Checks the entries of an option that may be repeated.
///
/// # Errors
/// There are too many entries, or one is empty.
pub fn check_entries(argument: &str, texts: &[String]) -> Result<(), AppError> {
    if texts.len() > FIELD_ENTRIES_MAX {
        let message = format!("{argument} is given more than {FIELD_ENTRIES_MAX} times.");
        return Err(AppError::invalid_argument(argument, message));
    }
    texts.iter().try_for_each(|text| check_not_empty(argument, text))
}

/// Refuses an empty text from elsewhere: most likely the program that should have written it failed.
fn refuse_empty(argument: &str, name: &str, text: String) -> Result<Option<String>, AppError> {
    if text.trim().is_empty() {
        let message =
            format!("{argument}, read from {name}, is empty; an empty text is given as {argument} ''.");
        return Err(AppError::invalid_argument(argument, message));
    }
    Ok(Some(text))
}

fn read_file(argument: &str, path: &Path) -> Result<String, AppError> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| unreadable_file(argument, &name, &error))?;
    read_bounded(argument, file, &name)
}

/// Reads one byte more than the longest text at most, so that a file of any size is refused quickly.
fn read_bounded(argument: &str, source: impl Read, name: &str) -> Result<String, AppError> {
    let mut bytes = Vec::new();
    let limit = TEXT_BYTES_MAX as u64 + 1;
    source.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable_file(argument, name, &error))?;
    check_length(argument, bytes.len(), bytes.contains(&0))?;
    String::from_utf8(bytes).map_err(|_| {
        AppError::invalid_argument(argument, format!("{argument}, read from {name}, is not valid UTF-8."))
    })
}

fn check_length(argument: &str, length: usize, has_nul: bool) -> Result<(), AppError> {
    if length > TEXT_BYTES_MAX {
        let error = ErrorView::new(
            ErrorCode::InvalidArgument,
            format!("{argument} is longer than {TEXT_BYTES_MAX} bytes."),
        );
        return Err(error.with_detail("argument", argument).with_detail("bytes_max", TEXT_BYTES_MAX).into());
    }
    if has_nul {
        return Err(AppError::invalid_argument(argument, format!("{argument} holds a NUL character.")));
    }
    Ok(())
}

fn unreadable_file(argument: &str, name: &str, error: &std::io::Error) -> AppError {
    AppError::invalid_argument(argument, format!("{argument} cannot be read from {name}: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_option(given: Option<&str>, file: Option<&Path>) -> Result<Option<String>, String> {
        let result = TextSource::default().read_text("--body", given, file);
        result.map_err(|failure| failure.view.message)
    }

    #[test]
    fn texts_come_as_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, "- one\n`two`\n").unwrap();
        assert_eq!(read_option(Some("--x"), None), Ok(Some("--x".to_owned())));
        assert_eq!(read_option(None, Some(&path)), Ok(Some("- one\n`two`\n".to_owned())));
        assert_eq!(read_option(None, None), Ok(None));
    }

    #[test]
    fn bad_texts_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        for (bytes, message) in [
            (vec![b'x'; TEXT_BYTES_MAX + 1], "--body is longer than 1048576 bytes.".to_owned()),
            (vec![b'a', 0, b'b'], "--body holds a NUL character.".to_owned()),
            (vec![0xff, 0xfe], format!("--body, read from {}, is not valid UTF-8.", path.display())),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_option(None, Some(&path)), Err(message));
        }
        std::fs::write(&path, vec![b'x'; TEXT_BYTES_MAX]).unwrap();
        assert!(read_option(None, Some(&path)).is_ok());
        assert!(read_option(Some("x"), Some(&path)).unwrap_err().contains("given twice"));
        assert!(read_option(None, Some(&folder.path().join("none"))).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn entries_are_few_and_not_empty() {
        let texts = |text: &str, count| vec![text.to_owned(); count];
        assert!(check_entries("--option", &texts("x", FIELD_ENTRIES_MAX)).is_ok());
        assert!(check_entries("--option", &texts("x", FIELD_ENTRIES_MAX + 1)).is_err());
        assert!(check_entries("--option", &texts("", 1)).is_err());
    }

    #[test]
    fn required_texts_are_not_empty() {
        let mut source = TextSource::default();
        assert!(source.read_required("TEXT", None, None).is_err());
        assert!(source.read_required("TEXT", Some(""), None).is_err());
        assert_eq!(source.read_required("TEXT", Some("x"), None).unwrap(), "x");
        assert!(source.read_title("TITLE", Some(" \t")).is_err());
        assert_eq!(source.read_title("TITLE", Some(" x ")).unwrap(), " x ");
    }
}
