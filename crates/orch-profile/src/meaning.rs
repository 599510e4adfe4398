//! What the end of a client means: its exit status and what it told, weighed by its profile.

use std::collections::BTreeMap;

use super::events::Story;

/// Whose fault it is that a client did not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The work's or the client's own: the attempt failed.
    Own,
    /// The provider's: the profile is paused, and the attempt does not count.
    Provider(Cause),
}

/// Why a provider does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Too many requests, or the allowance is used up: later it works again.
    Quota,
    /// It cannot be reached, or is overloaded: soon it works again.
    Network,
    /// It does not accept who asks: a person has to see to it.
    Access,
}

impl Cause {
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
pub enum Meaning {
    /// The client ended in its own time.
    Normal,
    /// Something was wrong.
    Failed(Fault),
    /// It never ran.
    CouldNotStart,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with a status.
    Status(i32),
    /// By a signal.
    Signal(i32),
}

impl Exit {
    /// Reads what the system says; neither status nor signal is a status that no program gives.
    #[must_use]
    pub fn of(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Status(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Status(-1),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Status(status) => format!("it ended with exit status {status}"),
            Self::Signal(signal) => format!("it was ended by signal {signal}"),
        }
    }
}

/// What the end of a client means. It never means that the work is done: that stands in the inbox or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
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
        cause: Cause,
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
pub struct ExitTable(pub(super) BTreeMap<i32, Meaning>);

impl ExitTable {
    /// Weighs an end: a provider's failure that the client told of or whose status it is comes first,
    /// then another failure that it told of and did not overcome, whatever its status, then the status.
    #[must_use]
    pub fn ended(&self, exit: Exit, story: &Story) -> Ended {
        let by_status = match exit {
            Exit::Status(status) => self.meaning(status, story.told),
            Exit::Signal(_) => Meaning::Failed(Fault::Own),
        };
        let told = story.failure.as_ref();
        let text = told.map(|failure| failure.text.clone()).filter(|text| !text.is_empty());
        let text = text.unwrap_or_else(|| exit.text());
        match (told.map(|failure| failure.fault), by_status) {
            (Some(Fault::Provider(cause)), _) | (_, Meaning::Failed(Fault::Provider(cause))) => {
                Ended::Provider { cause, text }
            }
            (Some(Fault::Own), _) | (None, Meaning::Failed(Fault::Own)) => Ended::Failed { text },
            (None, Meaning::Normal) => Ended::Normal,
            (None, Meaning::CouldNotStart) => Ended::CouldNotStart { text },
        }
    }

    fn meaning(&self, status: i32, told: bool) -> Meaning {
        let unlisted = match status {
            0 => Meaning::Normal,
            126 | 127 if !told => Meaning::CouldNotStart,
            _ => Meaning::Failed(Fault::Own),
        };
        self.0.get(&status).copied().unwrap_or(unlisted)
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::Failure;
    use super::*;

    #[test]
    fn an_end_is_weighed() {
        let quota = Fault::Provider(Cause::Quota);
        let table = ExitTable(BTreeMap::from([
            (3, Meaning::Normal),
            (41, Meaning::Failed(Fault::Provider(Cause::Access))),
            (127, Meaning::Failed(Fault::Own)),
        ]));
        let text = |text: &str| text.to_owned();
        let failed = |said: &str| Ended::Failed { text: text(said) };
        let provider = |cause, said: &str| Ended::Provider { cause, text: text(said) };
        for (exit, told, failure, expected) in [
            (Exit::Status(0), false, None, Ended::Normal),
            (Exit::Status(3), false, None, Ended::Normal),
            (Exit::Status(1), false, None, failed("it ended with exit status 1")),
            (Exit::Status(1), true, Some((Fault::Own, "bad")), failed("bad")),
            (Exit::Status(1), true, Some((Fault::Own, "")), failed("it ended with exit status 1")),
            (Exit::Status(1), true, Some((quota, "slow down")), provider(Cause::Quota, "slow down")),
            // Some clients end with 0 whatever happens.
            (Exit::Status(0), true, Some((quota, "slow down")), provider(Cause::Quota, "slow down")),
            (Exit::Status(0), true, Some((Fault::Own, "bad")), failed("bad")),
            (Exit::Status(41), true, None, provider(Cause::Access, "it ended with exit status 41")),
            (Exit::Status(41), true, Some((Fault::Own, "bad")), provider(Cause::Access, "bad")),
            (
                Exit::Status(126),
                false,
                None,
                Ended::CouldNotStart { text: text("it ended with exit status 126") },
            ),
            (Exit::Status(126), true, None, failed("it ended with exit status 126")),
            (Exit::Status(127), false, None, failed("it ended with exit status 127")),
            (Exit::Signal(9), true, None, failed("it was ended by signal 9")),
            (Exit::Signal(15), true, Some((quota, "slow down")), provider(Cause::Quota, "slow down")),
        ] {
            let failure = failure.map(|(fault, said)| Failure { fault, text: text(said) });
            let story = Story { told, failure, ..Story::default() };
            assert_eq!(table.ended(exit, &story), expected, "{exit:?} {story:?}");
        }
    }
}
