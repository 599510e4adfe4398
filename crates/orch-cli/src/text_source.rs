//! Free text from the command line, from stdin (`-`) or from a file, stored as given.

use std::io::Read;
use std::path::Path;

use orch_contract::{Code, ErrorView};
use orch_core::limit::{FIELD_ENTRIES_MAX, TEXT_BYTES_MAX};

use crate::failure::Failure;

/// Reads texts for one command; stdin can be read once.
#[derive(Debug, Default)]
pub struct TextSource {
    stdin_taken_by: Option<&'static str>,
}

impl TextSource {
    /// The text of an option: given in place, `-` for stdin, or the name of a file; `None` when neither was given.
    ///
    /// # Errors
    /// Both were given, the text is too long, holds NUL or is not UTF-8, or it cannot be read.
    pub fn read(
        &mut self,
        argument: &'static str,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<Option<String>, Failure> {
        match (given, file) {
            (Some(_), Some(_)) => Err(Failure::invalid(
                argument,
                format!("{argument} is given twice: in place and as the name of a file."),
            )),
            (Some("-"), None) => self.stdin(argument).map(Some),
            (Some(text), None) => {
                check(argument, text.len(), text.contains('\0'))?;
                Ok(Some(text.to_owned()))
            }
            (None, Some(path)) if path == Path::new("-") => self.stdin(argument).map(Some),
            (None, Some(path)) => file_text(argument, path).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The same for a text that must be there and must not be empty.
    ///
    /// # Errors
    /// As [`TextSource::read`]; or it is missing or empty.
    pub fn required(
        &mut self,
        argument: &'static str,
        given: Option<&str>,
        file: Option<&Path>,
    ) -> Result<String, Failure> {
        let text = self.read(argument, given, file)?;
        let text = text.ok_or_else(|| Failure::invalid(argument, format!("{argument} is missing.")))?;
        not_empty(argument, &text)?;
        Ok(text)
    }

    /// The same for a line that names something: blanks alone name nothing.
    ///
    /// # Errors
    /// As [`TextSource::read`]; or it is missing, empty or blank.
    pub fn title(&mut self, argument: &'static str, given: Option<&str>) -> Result<String, Failure> {
        let text = self.required(argument, given, None)?;
        not_empty(argument, text.trim())?;
        Ok(text)
    }

    /// All of stdin.
    fn stdin(&mut self, argument: &'static str) -> Result<String, Failure> {
        if let Some(other) = self.stdin_taken_by {
            return Err(Failure::invalid(
                argument,
                format!("Stdin can be read once; {other} and {argument} both ask for it."),
            ));
        }
        self.stdin_taken_by = Some(argument);
        bounded(argument, std::io::stdin().lock(), "stdin")
    }
}

/// Refuses an empty text.
///
/// # Errors
/// The text is empty.
pub fn not_empty(argument: &str, text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Err(Failure::invalid(argument, format!("{argument} must not be empty.")));
    }
    Ok(())
}

/// Checks the entries of an option that may be repeated.
///
/// # Errors
/// There are too many, or one is empty.
pub fn entries(argument: &str, texts: &[String]) -> Result<(), Failure> {
    if texts.len() > FIELD_ENTRIES_MAX {
        let message = format!("{argument} is given more than {FIELD_ENTRIES_MAX} times.");
        return Err(Failure::invalid(argument, message));
    }
    texts.iter().try_for_each(|text| not_empty(argument, text))
}

fn file_text(argument: &str, path: &Path) -> Result<String, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| unreadable(argument, &name, &error))?;
    bounded(argument, file, &name)
}

/// Reads at most the longest text and one byte more, so that a file of any size is refused cheaply.
fn bounded(argument: &str, source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limit = TEXT_BYTES_MAX as u64 + 1;
    source.take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(argument, name, &error))?;
    check(argument, bytes.len(), bytes.contains(&0))?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::invalid(argument, format!("{argument}, read from {name}, is not valid UTF-8.")))
}

fn check(argument: &str, length: usize, has_nul: bool) -> Result<(), Failure> {
    if length > TEXT_BYTES_MAX {
        let error = ErrorView::new(
            Code::InvalidArgument,
            format!("{argument} is longer than {TEXT_BYTES_MAX} bytes."),
        );
        return Err(error.detail("argument", argument).detail("bytes_max", TEXT_BYTES_MAX).into());
    }
    if has_nul {
        return Err(Failure::invalid(argument, format!("{argument} holds a NUL character.")));
    }
    Ok(())
}

fn unreadable(argument: &str, name: &str, error: &std::io::Error) -> Failure {
    Failure::invalid(argument, format!("{argument} cannot be read from {name}: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: Option<&str>, file: Option<&Path>) -> Result<Option<String>, String> {
        let result = TextSource::default().read("--body", given, file);
        result.map_err(|failure| failure.error.message)
    }

    #[test]
    fn texts_come_as_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body");
        std::fs::write(&path, "- one\n`two`\n").unwrap();
        assert_eq!(read(Some("--x"), None), Ok(Some("--x".to_owned())));
        assert_eq!(read(None, Some(&path)), Ok(Some("- one\n`two`\n".to_owned())));
        assert_eq!(read(None, None), Ok(None));
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
            assert_eq!(read(None, Some(&path)), Err(message));
        }
        std::fs::write(&path, vec![b'x'; TEXT_BYTES_MAX]).unwrap();
        assert!(read(None, Some(&path)).is_ok());
        assert!(read(Some("x"), Some(&path)).unwrap_err().contains("given twice"));
        assert!(read(None, Some(&folder.path().join("none"))).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn entries_are_few_and_not_empty() {
        let texts = |text: &str, count| vec![text.to_owned(); count];
        assert!(entries("--option", &texts("x", FIELD_ENTRIES_MAX)).is_ok());
        assert!(entries("--option", &texts("x", FIELD_ENTRIES_MAX + 1)).is_err());
        assert!(entries("--option", &texts("", 1)).is_err());
    }

    #[test]
    fn required_texts_are_there() {
        let mut source = TextSource::default();
        assert!(source.required("TEXT", None, None).is_err());
        assert!(source.required("TEXT", Some(""), None).is_err());
        assert_eq!(source.required("TEXT", Some("x"), None).unwrap(), "x");
        assert!(source.title("TITLE", Some(" \t")).is_err());
        assert_eq!(source.title("TITLE", Some(" x ")).unwrap(), " x ");
    }
}
