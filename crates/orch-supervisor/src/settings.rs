//! The user's settings: `orch.toml` in the folder of the store, or else in the user's configuration folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::event::AwaitedEvent;
use orch_core::time::{SpanError, TimeSpan};
use orch_process::TrustRecord;
use orch_process::ownership::OwnershipProblem;
use serde::Deserialize;

/// The name of the file.
pub const FILE: &str = "orch.toml";

/// The longest time limit of the notification command.
const LIMIT_MAX: TimeSpan = TimeSpan::from_minutes(10);

/// The notification command of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifySettings {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The events that it is run for.
    pub on: Vec<AwaitedEvent>,
    /// Its time limit.
    pub limit: Duration,
}

/// The user's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// The table `[notify]`.
    pub notify: Option<NotifySettings>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the settings in {} cannot be used", path.display())]
pub struct SettingsError {
    /// The file.
    pub path: PathBuf,
    /// The problem.
    #[source]
    pub problem: SettingsProblem,
}

/// The problem with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsProblem {
    /// The file could not be read.
    #[error("the file cannot be read")]
    Io(#[from] std::io::Error),
    /// Another user could have written the file.
    #[error("the file is not trusted")]
    Untrusted(#[from] OwnershipProblem),
    /// The file is not TOML, or a field is unknown, missing or has a wrong type.
    #[error("the file is invalid")]
    Toml(#[from] toml::de::Error),
    /// The command has no program.
    #[error("notify.command is empty")]
    NoCommand,
    /// No event has this name.
    #[error("notify.on has no `{0}`; it has question, reported, done, failed, lost, finished")]
    UnknownNotice(String),
    /// The limit is not a duration.
    #[error("notify.limit is not a duration")]
    Limit(#[from] SpanError),
    /// The limit is out of range.
    #[error("notify.limit must be between 1s and 10m")]
    LimitRange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    notify: Option<RawNotify>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotify {
    command: Vec<String>,
    on: Option<Vec<String>>,
    limit: Option<String>,
}

/// Loads the first settings file that exists.
///
/// # Errors
/// The file cannot be read or is invalid.
pub fn load_settings(folders: &[&Path], trust: &TrustRecord) -> Result<UserSettings, SettingsError> {
    for folder in folders {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(SettingsError { path, problem: error.into() }),
        };
        let checked = trust.check_file(folder, &path, text.as_bytes()).map_err(SettingsProblem::from);
        return checked
            .and_then(|()| parse_settings(&text))
            .map_err(|problem| SettingsError { path, problem });
    }
    Ok(UserSettings::default())
}

fn parse_settings(text: &str) -> Result<UserSettings, SettingsProblem> {
    let raw: RawSettings = toml::from_str(text)?;
    Ok(UserSettings { notify: raw.notify.map(parse_notify).transpose()? })
}

fn parse_notify(raw: RawNotify) -> Result<NotifySettings, SettingsProblem> {
    if raw.command.first().is_none_or(String::is_empty) {
        return Err(SettingsProblem::NoCommand);
    }
    let on = match raw.on {
        None => vec![AwaitedEvent::Question, AwaitedEvent::Failed, AwaitedEvent::Finished],
        Some(names) => {
            let parse = |name: String| AwaitedEvent::parse(&name).ok_or(SettingsProblem::UnknownNotice(name));
            names.into_iter().map(parse).collect::<Result<_, _>>()?
        }
    };
    let limit = raw.limit.map_or(Ok(TimeSpan::from_seconds(10)), |limit| TimeSpan::parse(&limit))?;
    if !(TimeSpan::from_seconds(1)..=LIMIT_MAX).contains(&limit) {
        return Err(SettingsProblem::LimitRange);
    }
    let limit = Duration::from_millis(u64::try_from(limit.0).unwrap_or(0));
    Ok(NotifySettings { command: raw.command.into_iter().map(OsString::from).collect(), on, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_validated() {
        assert_eq!(parse_settings("").unwrap(), UserSettings::default());
        let least = parse_settings("[notify]\ncommand = [\"say\", \"it\"]").unwrap().notify.unwrap();
        assert_eq!(least.on, [AwaitedEvent::Question, AwaitedEvent::Failed, AwaitedEvent::Finished]);
        assert_eq!((least.command.len(), least.limit), (2, Duration::from_secs(10)));
        let whole = parse_settings("[notify]\ncommand = [\"say\"]\non = [\"lost\"]\nlimit = \"2m\"").unwrap();
        assert_eq!(
            whole.notify.map(|it| (it.on, it.limit)),
            Some((vec![AwaitedEvent::Lost], Duration::from_secs(120)))
        );
        for bad in [
            "x = 1",
            "[notify]",
            "[notify]\ncommand = []",
            "[notify]\ncommand = \"say it\"",
            "[notify]\ncommand = [\"say\"]\non = [\"progress\"]",
            "[notify]\ncommand = [\"say\"]\nlimit = \"soon\"",
            "[notify]\ncommand = [\"say\"]\nlimit = \"1h\"",
            "[notify]\ncommand = [\"say\"]\nshell = true",
        ] {
            assert!(parse_settings(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_settings_of_the_store_take_precedence() {
        let [store, user] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let folders = [store.path(), user.path()];
        assert_eq!(load_settings(&folders, &TrustRecord::default()).unwrap(), UserSettings::default());
        std::fs::write(user.path().join(FILE), "[notify]\ncommand = [\"user\"]").unwrap();
        assert_eq!(
            load_settings(&folders, &TrustRecord::default()).unwrap().notify.unwrap().command,
            ["user"]
        );
        std::fs::write(store.path().join(FILE), "[notify]\ncommand = [\"store\"]").unwrap();
        assert_eq!(
            load_settings(&folders, &TrustRecord::default()).unwrap().notify.unwrap().command,
            ["store"]
        );
        std::fs::write(store.path().join(FILE), "[notify").unwrap();
        assert!(load_settings(&folders, &TrustRecord::default()).is_err());
    }
}
