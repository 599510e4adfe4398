//! How a command names its thread and proves that it holds it.

use std::path::PathBuf;

use clap::Args;
use orch_contract::{Code, ErrorView};
use orch_core::id::ThreadId;

use crate::arguments;
use crate::context::Context;
use crate::environment::{Environment, LEASE, THREAD};
use crate::failure::Failure;

/// The options that give the holder's token.
#[derive(Args, Clone, Debug)]
pub struct Token {
    /// The token that claim gave; `-` reads it from stdin [env: INBOX_LEASE]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<String>,
    /// Read the token from a file
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl Token {
    /// The token: from the option, stdin, a file, or the variable.
    ///
    /// # Errors
    /// It is missing or cannot be read.
    pub fn read(&self, context: &mut Context<'_>) -> Result<String, Failure> {
        let given = context.texts().read("--token", self.token.as_deref(), self.token_file.as_deref())?;
        let token = match given {
            Some(token) => Some(token),
            None => context.environment().text(LEASE)?,
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        token.ok_or_else(|| {
            Failure::invalid("--token", format!("--token is missing, and {LEASE} is not set."))
        })
    }
}

/// The thread: the positional argument, else the variable.
///
/// # Errors
/// Neither names one.
pub fn thread(context: &Context<'_>, given: Option<ThreadId>) -> Result<ThreadId, Failure> {
    match given {
        Some(thread) => Ok(thread),
        None => of_environment(context.environment())?.ok_or_else(missing),
    }
}

/// The thread that the variable names.
///
/// # Errors
/// It names none.
pub fn of_environment(environment: &dyn Environment) -> Result<Option<ThreadId>, Failure> {
    let Some(name) = environment.text(THREAD)? else { return Ok(None) };
    let thread = arguments::thread(&name);
    thread.map(Some).map_err(|why| Failure::invalid(THREAD, format!("`{name}` in {THREAD}: {why}.")))
}

/// Takes `[THREAD] [TEXT]` apart: with the variable set, one word alone is the text.
///
/// `text_elsewhere` says that an option gives the text, so that one word alone is the thread.
///
/// # Errors
/// No thread is named, or a word in its place names none.
pub fn thread_and_text(
    environment: &dyn Environment,
    words: (Option<&str>, Option<&str>),
    text_elsewhere: bool,
) -> Result<(ThreadId, Option<String>), Failure> {
    let thread = |word: &str| {
        arguments::thread(word)
            .map_err(|why| Failure::invalid("THREAD", format!("`{word}` does not fit THREAD: {why}.")))
    };
    match words {
        (Some(first), Some(second)) => Ok((thread(first)?, Some(second.to_owned()))),
        // A text that names a thread is far more often a thread whose text was forgotten.
        (Some(only), None) if text_elsewhere || ThreadId::parse(only).is_some() => Ok((thread(only)?, None)),
        (Some(only), None) => match of_environment(environment)? {
            Some(thread) => Ok((thread, Some(only.to_owned()))),
            None => Err(missing()),
        },
        (None, _) => Ok((of_environment(environment)?.ok_or_else(missing)?, None)),
    }
}

fn missing() -> Failure {
    let error = ErrorView::new(Code::InvalidArgument, format!("THREAD is missing, and {THREAD} is not set."));
    error.detail("argument", "THREAD").hint("inbox list").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    struct With(Option<&'static str>);

    impl Environment for With {
        fn raw(&self, name: &str) -> Option<OsString> {
            self.0.filter(|_| name == THREAD).map(OsString::from)
        }
    }

    #[test]
    fn one_word_is_the_text_when_the_variable_names_the_thread() {
        let check = |variable, words, elsewhere, expected: Option<(i64, Option<&str>)>| {
            let got = thread_and_text(&With(variable), words, elsewhere).ok();
            let expected = expected.map(|(thread, text)| (ThreadId(thread), text.map(str::to_owned)));
            assert_eq!(got, expected, "{variable:?} {words:?} {elsewhere}");
        };
        check(None, (Some("th-1"), Some("x")), false, Some((1, Some("x"))));
        check(Some("th-9"), (Some("th-1"), Some("x")), false, Some((1, Some("x"))));
        check(Some("th-9"), (Some("x"), None), false, Some((9, Some("x"))));
        check(Some("th-9"), (Some("th-1"), None), false, Some((1, None)));
        check(Some("th-9"), (Some("th-1"), None), true, Some((1, None)));
        check(Some("th-9"), (None, None), true, Some((9, None)));
        check(None, (Some("x"), None), false, None);
        check(None, (None, None), true, None);
        check(Some(""), (None, None), true, None);
        check(Some("nine"), (None, None), true, None);
        check(None, (Some("x"), Some("y")), false, None);
    }
}
