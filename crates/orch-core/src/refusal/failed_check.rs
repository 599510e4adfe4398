//! A check that did not pass, as refusals name it.

use std::fmt;

use crate::check::{CheckStage, CheckState};
use crate::escape;
use crate::id::Slug;
use crate::shell;

/// A check that did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCheck {
    /// Its stage.
    pub stage: CheckStage,
    /// The command.
    pub command: String,
    /// Its final state.
    pub state: CheckState,
    /// Its exit status, if it exited with one.
    pub exit_status: Option<i32>,
    /// The reason, where the exit status does not tell it.
    pub message: Option<String>,
    /// The file that holds its output.
    pub log: Option<String>,
    /// Variables that it seems to need and does not get.
    pub missing: Option<MissingVariables>,
}

/// Variables that the checks of a run do not get and that a failed check mentions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingVariables {
    /// The run.
    pub run: Slug,
    /// Their names.
    pub names: Vec<String>,
    /// The variables that `--check-env` passes already.
    pub passed: Vec<String>,
}

impl MissingVariables {
    /// Returns the command that passes them as well.
    #[must_use]
    pub fn edit_command(&self) -> String {
        let variables = self.passed.iter().chain(&self.names);
        let options = variables.flat_map(|variable| ["--check-env", variable.as_str()]);
        shell::join_words(["orch", "run", "edit", self.run.as_str()].into_iter().chain(options))
    }
}

impl fmt::Display for FailedCheck {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&failure_sentence(self))
    }
}

fn failure_sentence(check: &FailedCheck) -> String {
    let how = match (check.state, check.exit_status, &check.message) {
        (CheckState::TimedOut, _, _) => "timed out".to_owned(),
        (CheckState::CouldNotStart, _, Some(message)) => format!("could not run: {message}"),
        (_, _, Some(message)) => message.clone(),
        (_, Some(status), None) => format!("exited with status {status}"),
        (_, None, None) => "failed".to_owned(),
    };
    let sentence =
        if check.command.is_empty() { format!("{how}.") } else { format!("`{}` {how}.", check.command) };
    match &check.missing {
        None => sentence,
        Some(missing) => {
            let names = escape::join_names(missing.names.iter().map(String::as_str));
            format!(
                "{sentence} It mentions variables that checks do not get: {names}. `{}` passes them.",
                missing.edit_command()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_checks_say_how_they_ended() {
        let check = |state, exit_status, message: Option<&str>| FailedCheck {
            stage: CheckStage::Attempt,
            command: "make".to_owned(),
            state,
            exit_status,
            message: message.map(str::to_owned),
            log: Some("/l".to_owned()),
            missing: None,
        };
        for (check, sentence) in [
            (check(CheckState::Failed, Some(2), None), "`make` exited with status 2."),
            (check(CheckState::TimedOut, None, None), "`make` timed out."),
            (check(CheckState::CouldNotStart, None, Some("no sh")), "`make` could not run: no sh."),
        ] {
            assert_eq!(check.to_string(), sentence);
        }
        let missing = MissingVariables {
            run: Slug::from_stored("r".to_owned()),
            names: vec!["B".to_owned()],
            passed: vec!["A=x y".to_owned()],
        };
        let check = FailedCheck { missing: Some(missing), ..check(CheckState::Failed, Some(1), None) };
        assert_eq!(
            check.to_string(),
            "`make` exited with status 1. It mentions variables that checks do not get: B. \
             `orch run edit r --check-env 'A=x y' --check-env B` passes them."
        );
    }
}
