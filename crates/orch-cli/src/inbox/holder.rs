//! The arguments that name a thread and give the token of its lease.

use std::path::PathBuf;

use clap::Args;
use orch_app::AppError;
use orch_app::app::missing_thread;
use orch_app::environment::LEASE;
use orch_core::id::ThreadId;

use crate::arguments;
use crate::context::CommandRuntime;

/// The options that give the holder's token.
#[derive(Args, Clone, Debug)]
pub(super) struct TokenOptions {
    /// The token from claim; `-` reads it from stdin [env: INBOX_LEASE]
    #[arg(long, value_name = "TOKEN", allow_hyphen_values = true)]
    token: Option<String>,
    /// Read the token from a file
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
}

impl TokenOptions {
    /// Reads the token: from the option, stdin, a file, the variable, or what the client's session has claimed.
    ///
    /// # Errors
    /// The token is missing or cannot be read.
    pub(super) fn read_token(
        &self,
        context: &mut CommandRuntime<'_>,
        thread: ThreadId,
    ) -> Result<String, AppError> {
        let given =
            context.text_source().read_text("--token", self.token.as_deref(), self.token_file.as_deref())?;
        let token = match given {
            Some(token) => Some(token),
            None => match context.app().environment().variable_text(LEASE)? {
                Some(token) => Some(token),
                None => context.app().remembered_claim(Some(thread))?.map(|claim| claim.token),
            },
        };
        let token = token.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        token.ok_or_else(|| {
            AppError::invalid_argument("--token", format!("--token is missing, and {LEASE} is not set."))
        })
    }
}

/// Splits `[THREAD] [TEXT]`: with a thread of the caller's own, a single word is the text.
///
/// With `text_elsewhere` an option gives the text, and a single word is the thread.
///
/// # Errors
/// No thread is named, or a word in its place names none.
pub(super) fn thread_and_text(
    own: impl FnOnce() -> Result<Option<ThreadId>, AppError>,
    words: (Option<&str>, Option<&str>),
    text_elsewhere: bool,
) -> Result<(ThreadId, Option<String>), AppError> {
    let thread = |word: &str| {
        arguments::parse_thread_id(word).map_err(|why| {
            AppError::invalid_argument("THREAD", format!("invalid value '{word}' for THREAD: {why}."))
        })
    };
    match words {
        (Some(first), Some(second)) => Ok((thread(first)?, Some(second.to_owned()))),
        // A single word like `th-3` is far more often a thread without its text.
        (Some(only), None) if text_elsewhere || ThreadId::parse(only).is_some() => Ok((thread(only)?, None)),
        (Some(only), None) => match own()? {
            Some(thread) => Ok((thread, Some(only.to_owned()))),
            None => Err(missing_thread()),
        },
        (None, _) => Ok((own()?.ok_or_else(missing_thread)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use orch_app::app::environment_thread;
    use orch_app::environment::{THREAD, VariableSource};

    use super::*;

    struct FixedEnvironment(Option<&'static str>);

    impl VariableSource for FixedEnvironment {
        fn raw_variable(&self, name: &str) -> Option<OsString> {
            self.0.filter(|_| name == THREAD).map(OsString::from)
        }
    }

    #[test]
    fn one_word_is_the_text_when_the_variable_names_the_thread() {
        let check = |variable, words, elsewhere, expected: Option<(i64, Option<&str>)>| {
            let got =
                thread_and_text(|| environment_thread(&FixedEnvironment(variable)), words, elsewhere).ok();
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
