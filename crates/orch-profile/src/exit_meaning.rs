//! What the end of a client means: its exit status and what it told, weighed by its profile.

use std::collections::BTreeMap;

use super::events::ClientSummary;

/// Whose fault it is that a client did not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureSource {
    /// The work's or the client's own: the attempt failed.
    Own,
    /// The provider's: the profile is paused, and the attempt does not count.
    Provider(ProviderFailure),
}

/// Why a provider does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProviderFailure {
    /// Too many requests, or the allowance is used up: later it works again.
    Quota,
    /// It cannot be reached, or is overloaded: soon it works again.
    Network,
    /// It does not accept who asks: a person has to see to it.
    Access,
}

impl ProviderFailure {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Network => "network",
            Self::Access => "access",
        }
    }
}

/// What a profile says an exit status means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitMeaning {
    /// The client ended in its own time.
    Normal,
    /// Something was wrong.
    Failed(FailureSource),
    /// It never ran.
    CouldNotStart,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessExit {
    /// By itself, with a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl ProcessExit {
    /// Reads what the system says; neither status nor signal is a status that no program gives.
    #[must_use]
    pub fn from_status(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Status(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Status(-1),
        }
    }

    fn describe_exit(self) -> String {
        match self {
            Self::Status(status) => format!("it ended with exit status {status}"),
            Self::Signal(signal) => format!("it was ended by signal {signal}"),
        }
    }
}

/// What the end of a client means. It never means that the work is done: that stands in the inbox or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEnd {
    /// It ended in its own time.
    Normal,
    /// It failed.
    Failed {
        /// What it said, else how it ended.
        text: String,
    },
    /// Its provider failed it.
    Provider {
        /// Why.
        cause: ProviderFailure,
        /// What it said, else how it ended.
        text: String,
    },
    /// It never ran.
    CouldNotStart {
        /// How it ended.
        text: String,
    },
}

/// What exit statuses mean. Those that a profile leaves out: 0 is normal; 126 and 127 say that the program could
/// not be started, unless it told something; every other, and every signal, is a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitTable(pub(super) BTreeMap<i32, ExitMeaning>);

impl ExitTable {
    /// Weighs an end: a provider's failure that the client told of or whose status it is comes first,
    /// then another failure that it told of and did not overcome, whatever its status, then the status.
    #[must_use]
    pub fn interpret_exit(&self, exit: ProcessExit, story: &ClientSummary) -> ClientEnd {
        let by_status = match exit {
            ProcessExit::Status(status) => self.status_meaning(status, story.told),
            ProcessExit::Signal(_) => ExitMeaning::Failed(FailureSource::Own),
        };
        let told = story.failure.as_ref();
        let text = told.map(|failure| failure.text.clone()).filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| exit.describe_exit());
        match (told.map(|failure| failure.fault), by_status) {
            (Some(FailureSource::Provider(cause)), _)
            | (_, ExitMeaning::Failed(FailureSource::Provider(cause))) => ClientEnd::Provider { cause, text },
            (Some(FailureSource::Own), _) | (None, ExitMeaning::Failed(FailureSource::Own)) => {
                ClientEnd::Failed { text }
            }
            (None, ExitMeaning::Normal) => ClientEnd::Normal,
            (None, ExitMeaning::CouldNotStart) => ClientEnd::CouldNotStart { text },
        }
    }

    fn status_meaning(&self, status: i32, told: bool) -> ExitMeaning {
        let unlisted = match status {
            0 => ExitMeaning::Normal,
            126 | 127 if !told => ExitMeaning::CouldNotStart,
            _ => ExitMeaning::Failed(FailureSource::Own),
        };
        self.0.get(&status).copied().unwrap_or(unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::ReportedFailure;
    use super::*;

    #[test]
    fn an_end_is_weighed() {
        let quota = FailureSource::Provider(ProviderFailure::Quota);
        let table = ExitTable(BTreeMap::from([
            (3, ExitMeaning::Normal),
            (41, ExitMeaning::Failed(FailureSource::Provider(ProviderFailure::Access))),
            (127, ExitMeaning::Failed(FailureSource::Own)),
        ]));
        let text = |text: &str| text.to_owned();
        let failed = |said: &str| ClientEnd::Failed { text: text(said) };
        let provider = |cause, said: &str| ClientEnd::Provider { cause, text: text(said) };
        for (exit, told, failure, expected) in [
            (ProcessExit::Status(0), false, None, ClientEnd::Normal),
            (ProcessExit::Status(3), false, None, ClientEnd::Normal),
            (ProcessExit::Status(1), false, None, failed("it ended with exit status 1")),
            (ProcessExit::Status(1), true, Some((FailureSource::Own, "bad")), failed("bad")),
            (
                ProcessExit::Status(1),
                true,
                Some((FailureSource::Own, "")),
                failed("it ended with exit status 1"),
            ),
            (
                ProcessExit::Status(1),
                true,
                Some((quota, "slow down")),
                provider(ProviderFailure::Quota, "slow down"),
            ),
            // Some clients end with 0 whatever happens.
            (
                ProcessExit::Status(0),
                true,
                Some((quota, "slow down")),
                provider(ProviderFailure::Quota, "slow down"),
            ),
            (ProcessExit::Status(0), true, Some((FailureSource::Own, "bad")), failed("bad")),
            (
                ProcessExit::Status(41),
                true,
                None,
                provider(ProviderFailure::Access, "it ended with exit status 41"),
            ),
            (
                ProcessExit::Status(41),
                true,
                Some((FailureSource::Own, "bad")),
                provider(ProviderFailure::Access, "bad"),
            ),
            (
                ProcessExit::Status(126),
                false,
                None,
                ClientEnd::CouldNotStart { text: text("it ended with exit status 126") },
            ),
            (ProcessExit::Status(126), true, None, failed("it ended with exit status 126")),
            (ProcessExit::Status(127), false, None, failed("it ended with exit status 127")),
            (ProcessExit::Signal(9), true, None, failed("it was ended by signal 9")),
            (
                ProcessExit::Signal(15),
                true,
                Some((quota, "slow down")),
                provider(ProviderFailure::Quota, "slow down"),
            ),
        ] {
            let failure = failure.map(|(fault, said)| ReportedFailure { fault, text: text(said) });
            let story = ClientSummary { told, failure, ..ClientSummary::default() };
            assert_eq!(table.interpret_exit(exit, &story), expected, "{exit:?} {story:?}");
        }
    }
}
