//! The meaning of a client's exit: its exit status and its reported failures, interpreted by its profile.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::events::{ClientSummary, FailureCause};

/// What a profile says an exit status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitMeaning {
    /// The client finished.
    Normal,
    /// The client failed.
    Failed,
    /// The provider refused further requests.
    Quota,
    /// The provider was unreachable or overloaded.
    Network,
    /// The provider rejected the credentials.
    Access,
    /// The client never ran.
    CouldNotStart,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// It exited with this status.
    Status(i32),
    /// This signal terminated it.
    Signal(i32),
}

impl ProcessExit {
    /// Describes the exit in words.
    #[must_use]
    pub fn describe_exit(self) -> String {
        match self {
            Self::Status(status) => format!("it ended with exit status {status}"),
            Self::Signal(signal) => format!("it was terminated by signal {signal}"),
        }
    }
}

/// The meaning of a client's exit. It never means that the work is done: only the inbox knows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEnd {
    /// The client finished.
    Normal,
    /// The client, or its provider, failed.
    Failed {
        /// The cause.
        cause: FailureCause,
        /// The client's own message, or else how it exited.
        text: String,
    },
    /// The client never ran.
    CouldNotStart {
        /// How it exited.
        text: String,
    },
}

/// The meanings of exit statuses.
///
/// A status that is not listed is normal if it is 0; 126 and 127 mean that the program could not be started, unless it
/// printed an event; every other status, and every signal, is a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ExitTable(BTreeMap<ExitStatusCode, ExitMeaning>);

/// An exit status as the key of a TOML table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct ExitStatusCode(u8);

impl TryFrom<String> for ExitStatusCode {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let number = text.parse::<u8>().ok().filter(|number| number.to_string() == text);
        number.map(Self).ok_or("an exit status is a number from 0 to 255")
    }
}

impl ExitTable {
    /// Interprets an exit. A provider's failure that the client reported or that its status means takes precedence, then
    /// another failure that the client reported and did not recover from, then the status.
    #[must_use]
    pub fn interpret_exit(&self, exit: ProcessExit, summary: &ClientSummary) -> ClientEnd {
        let by_status = match exit {
            ProcessExit::Status(status) => self.status_meaning(status, summary.has_events),
            ProcessExit::Signal(_) => ExitMeaning::Failed,
        };
        let reported = summary.failure.as_ref();
        let text = reported.map(|failure| failure.text.clone()).filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| exit.describe_exit());
        let by_status = match by_status {
            ExitMeaning::Normal if reported.is_none() => return ClientEnd::Normal,
            ExitMeaning::CouldNotStart if reported.is_none() => return ClientEnd::CouldNotStart { text },
            ExitMeaning::Normal | ExitMeaning::CouldNotStart | ExitMeaning::Failed => FailureCause::Client,
            ExitMeaning::Quota => FailureCause::Quota,
            ExitMeaning::Network => FailureCause::Network,
            ExitMeaning::Access => FailureCause::Access,
        };
        let reported = reported.map(|failure| failure.cause).filter(|cause| *cause != FailureCause::Client);
        ClientEnd::Failed { cause: reported.unwrap_or(by_status), text }
    }

    fn status_meaning(&self, status: i32, has_events: bool) -> ExitMeaning {
        let unlisted = match status {
            0 => ExitMeaning::Normal,
            126 | 127 if !has_events => ExitMeaning::CouldNotStart,
            _ => ExitMeaning::Failed,
        };
        let code = u8::try_from(status).ok().map(ExitStatusCode);
        code.and_then(|code| self.0.get(&code)).copied().unwrap_or(unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::ReportedFailure;
    use super::*;

    #[test]
    fn an_exit_is_interpreted() {
        use FailureCause::{Access, Client, Quota};
        let table = ExitTable(BTreeMap::from([
            (ExitStatusCode(3), ExitMeaning::Normal),
            (ExitStatusCode(41), ExitMeaning::Access),
            (ExitStatusCode(127), ExitMeaning::Failed),
        ]));
        let failed = |cause, text: &str| ClientEnd::Failed { cause, text: text.to_owned() };
        for (exit, has_events, failure, expected) in [
            (ProcessExit::Status(0), false, None, ClientEnd::Normal),
            (ProcessExit::Status(3), false, None, ClientEnd::Normal),
            (ProcessExit::Status(1), false, None, failed(Client, "it ended with exit status 1")),
            (ProcessExit::Status(1), true, Some((Client, "bad")), failed(Client, "bad")),
            (ProcessExit::Status(1), true, Some((Client, "")), failed(Client, "it ended with exit status 1")),
            (ProcessExit::Status(1), true, Some((Quota, "slow down")), failed(Quota, "slow down")),
            // Some clients exit with 0 after every failure.
            (ProcessExit::Status(0), true, Some((Quota, "slow down")), failed(Quota, "slow down")),
            (ProcessExit::Status(0), true, Some((Client, "bad")), failed(Client, "bad")),
            (ProcessExit::Status(41), true, None, failed(Access, "it ended with exit status 41")),
            (ProcessExit::Status(41), true, Some((Client, "bad")), failed(Access, "bad")),
            (
                ProcessExit::Status(126),
                false,
                None,
                ClientEnd::CouldNotStart { text: "it ended with exit status 126".to_owned() },
            ),
            (ProcessExit::Status(126), true, None, failed(Client, "it ended with exit status 126")),
            (ProcessExit::Status(127), false, None, failed(Client, "it ended with exit status 127")),
            (ProcessExit::Signal(9), true, None, failed(Client, "it was terminated by signal 9")),
            (ProcessExit::Signal(15), true, Some((Quota, "slow down")), failed(Quota, "slow down")),
        ] {
            let failure = failure.map(|(cause, text)| ReportedFailure { cause, text: text.to_owned() });
            let summary = ClientSummary { has_events, failure, ..ClientSummary::default() };
            assert_eq!(table.interpret_exit(exit, &summary), expected, "{exit:?} {summary:?}");
        }
    }
}
