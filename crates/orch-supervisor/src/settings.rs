//! The user's settings: `orch.toml` in the folder of the store, or else in the user's configuration folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_core::event::AwaitedEvent;
use orch_core::limit;
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
    /// The table `[defaults]`.
    pub defaults: DefaultSettings,
}

/// What counts where a command line and a plan do not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultSettings {
    /// The profiles of a drive, each `PROFILE` or `PROFILE=N`.
    #[serde(deserialize_with = "one_or_several")]
    pub profile: Vec<String>,
    /// The most workers of a drive.
    pub workers: Option<usize>,
    /// The checks of a new run.
    #[serde(deserialize_with = "one_or_several")]
    pub verify: Vec<String>,
    /// The setup of a new run.
    pub setup: Option<String>,
    /// The ignored files that a new run copies.
    #[serde(deserialize_with = "one_or_several")]
    pub copy: Vec<String>,
    /// The variables that the checks of a new run get.
    #[serde(deserialize_with = "one_or_several")]
    pub check_env: Vec<String>,
    /// The files that stay in the check trees of a new run.
    #[serde(deserialize_with = "one_or_several")]
    pub check_cache: Vec<String>,
    /// The folder for the worktrees of a new run.
    pub worktree_root: Option<PathBuf>,
    /// The field that no command uses yet.
    hub: Option<String>,
    /// The agents that are people, beside `human`.
    #[serde(deserialize_with = "one_or_several")]
    pub humans: Vec<String>,
}

/// Reads a text, or a list of texts.
fn one_or_several<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrSeveral {
        One(String),
        Several(Vec<String>),
    }
    Ok(match OneOrSeveral::deserialize(deserializer)? {
        OneOrSeveral::One(text) => vec![text],
        OneOrSeveral::Several(texts) => texts,
    })
}

impl DefaultSettings {
    /// Whether nothing is set that a new run uses.
    #[must_use]
    pub fn is_empty_for_runs(&self) -> bool {
        let lists = [&self.verify, &self.copy, &self.check_env, &self.check_cache];
        lists.into_iter().all(Vec::is_empty) && self.setup.is_none() && self.worktree_root.is_none()
    }

    fn check(&self) -> Result<(), SettingsProblem> {
        if self.hub.is_some() {
            return Err(SettingsProblem::UnsupportedDefault("hub"));
        }
        if self.workers.is_some_and(|workers| !(1..=limit::WORKERS_MAX).contains(&workers)) {
            return Err(SettingsProblem::WorkersRange);
        }
        let lists =
            [&self.profile, &self.verify, &self.copy, &self.check_env, &self.check_cache, &self.humans];
        let texts = lists.into_iter().flatten().chain(&self.setup);
        if texts.into_iter().any(|text| text.trim().is_empty()) {
            return Err(SettingsProblem::EmptyDefault);
        }
        Ok(())
    }
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
    #[error("notify.on has no `{0}`; it has {names}", names = AwaitedEvent::ALL.map(AwaitedEvent::name).join(", "))]
    UnknownNotice(String),
    /// The limit is not a duration.
    #[error("notify.limit is not a duration")]
    Limit(#[from] SpanError),
    /// No command uses this default yet.
    #[error("defaults.{0} is not supported yet")]
    UnsupportedDefault(&'static str),
    /// The number of workers is out of range.
    #[error("defaults.workers must be from 1 to {}", limit::WORKERS_MAX)]
    WorkersRange,
    /// A default is an empty text.
    #[error("a text of [defaults] is empty")]
    EmptyDefault,
    /// The limit is out of range.
    #[error("notify.limit must be between 1s and 10m")]
    LimitRange,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    notify: Option<RawNotify>,
    defaults: Option<DefaultSettings>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotify {
    command: Vec<String>,
    on: Option<Vec<String>>,
    limit: Option<String>,
}

/// Loads the settings; each table counts from the first file that has it.
///
/// # Errors
/// A file cannot be read, is not trusted or is invalid.
pub fn load_settings(folders: &[&Path], trust: &TrustRecord) -> Result<UserSettings, SettingsError> {
    let (mut notify, mut defaults) = (None, None);
    for folder in folders {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(SettingsError { path, problem: error.into() }),
        };
        let checked = trust.check_file(folder, &path, text.as_bytes()).map_err(SettingsProblem::from);
        let (own_notify, own_defaults) = checked
            .and_then(|()| parse_settings(&text))
            .map_err(|problem| SettingsError { path, problem })?;
        notify = notify.or(own_notify);
        defaults = defaults.or(own_defaults);
    }
    Ok(UserSettings { notify, defaults: defaults.unwrap_or_default() })
}

/// The tables of a settings file.
type SettingsTables = (Option<NotifySettings>, Option<DefaultSettings>);

fn parse_settings(text: &str) -> Result<SettingsTables, SettingsProblem> {
    let raw: RawSettings = toml::from_str(text)?;
    if let Some(defaults) = &raw.defaults {
        defaults.check()?;
    }
    Ok((raw.notify.map(parse_notify).transpose()?, raw.defaults))
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
        assert_eq!(parse_settings("").unwrap(), (None, None));
        let least = parse_settings("[notify]\ncommand = [\"say\", \"it\"]").unwrap().0.unwrap();
        assert_eq!(least.on, [AwaitedEvent::Question, AwaitedEvent::Failed, AwaitedEvent::Finished]);
        assert_eq!((least.command.len(), least.limit), (2, Duration::from_secs(10)));
        let whole =
            parse_settings("[notify]\ncommand = [\"say\"]\non = [\"lost\"]\nlimit = \"2m\"").unwrap().0;
        assert_eq!(
            whole.map(|it| (it.on, it.limit)),
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
            "[defaults]\nbranch = \"x\"",
            "[defaults]\nhub = \"origin\"",
            "[defaults]\nhumans = \"\"",
            "[defaults]\nworkers = 0",
            "[defaults]\nverify = \"\"",
            "[defaults]\nverify = 3",
        ] {
            assert!(parse_settings(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_table_counts_from_the_first_file_that_has_it() {
        let [store, user] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let folders = [store.path(), user.path()];
        std::fs::write(user.path().join(FILE), "[defaults]\nverify = \"make\"\nprofile = [\"codex=2\"]\n")
            .unwrap();
        std::fs::write(store.path().join(FILE), "[notify]\ncommand = [\"say\"]\n").unwrap();
        let loaded = load_settings(&folders, &TrustRecord::default()).unwrap();
        assert!(loaded.notify.is_some());
        assert_eq!(
            (loaded.defaults.verify, loaded.defaults.profile),
            (vec!["make".to_owned()], vec!["codex=2".to_owned()])
        );
        std::fs::write(store.path().join(FILE), "[defaults]\nworkers = 2\n").unwrap();
        let loaded = load_settings(&folders, &TrustRecord::default()).unwrap();
        assert_eq!((loaded.defaults.workers, loaded.defaults.verify), (Some(2), Vec::new()));
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
