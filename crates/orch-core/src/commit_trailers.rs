//! Trailers of commits that orch makes: which attempts a commit is for, how it was checked, and who accepted it.

use crate::id::{AttemptName, Slug};
use crate::run::AttemptRules;
use crate::task::ChecksStatus;

/// The trailers of a commit that orch makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitTrailers {
    /// The attempts whose work the commit holds or merges.
    pub attempts: Vec<AttemptName>,
    /// The profile whose worker did the work.
    pub profile: Option<Slug>,
    /// How the work was checked before.
    pub checks: Option<ChecksStatus>,
    /// The lead who accepted it.
    pub accepted_by: Option<Slug>,
}

impl CommitTrailers {
    /// Returns a message with these trailers, unless the run wants none.
    #[must_use]
    pub fn append_to(&self, message: &str, rules: &AttemptRules) -> String {
        if !rules.trailers {
            return message.to_owned();
        }
        format!("{}\n\n{}", message.trim_end(), self.lines(rules))
    }

    /// Returns the trailers, one line each; none if the run wants none.
    #[must_use]
    pub fn lines(&self, rules: &AttemptRules) -> String {
        if !rules.trailers {
            return String::new();
        }
        let attempts = self.attempts.iter().map(|attempt| ("Orch-Task", attempt.to_string()));
        let mut trailers: Vec<(&str, String)> = attempts.collect();
        trailers.extend(self.profile.as_ref().map(|profile| ("Orch-Profile", profile.to_string())));
        trailers.push(("Orch-Checks", self.checks_word().to_owned()));
        trailers.extend(self.accepted_by.as_ref().map(|agent| ("Orch-Accepted-By", agent.to_string())));
        trailers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    /// The value of `Orch-Checks`.
    fn checks_word(&self) -> &'static str {
        match self.checks {
            Some(ChecksStatus::Passed) => "passed",
            Some(ChecksStatus::Overridden) => "overridden",
            None | Some(ChecksStatus::None | ChecksStatus::Pending | ChecksStatus::Failed) => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskName;

    #[test]
    fn trailers_follow_the_message_as_its_last_paragraph() {
        let task = TaskName { run: Slug::from_stored("r".into()), key: Slug::from_stored("a".into()) };
        let full = CommitTrailers {
            attempts: [1, 2].map(|number| AttemptName { task: task.clone(), number }).to_vec(),
            profile: Some(Slug::from_stored("shell".into())),
            checks: Some(ChecksStatus::Overridden),
            accepted_by: Some(Slug::from_stored("lead".into())),
        };
        let rules = AttemptRules::default();
        assert_eq!(
            full.append_to("Do it\n\nText\n", &rules),
            "Do it\n\nText\n\nOrch-Task: r/a@1\nOrch-Task: r/a@2\nOrch-Profile: shell\n\
             Orch-Checks: overridden\nOrch-Accepted-By: lead\n"
        );
        for (checks, word) in [(ChecksStatus::Passed, "passed"), (ChecksStatus::Pending, "none")] {
            let checked = CommitTrailers { checks: Some(checks), ..CommitTrailers::default() };
            assert_eq!(checked.append_to("Do it", &rules), format!("Do it\n\nOrch-Checks: {word}\n"));
        }
        let none = AttemptRules { trailers: false, ..AttemptRules::default() };
        assert_eq!(
            (full.append_to("Do it\n", &none), full.lines(&none)),
            ("Do it\n".to_owned(), String::new())
        );
    }
}
