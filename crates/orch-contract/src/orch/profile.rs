//! The response of `orch profile …`.

use orch_core::cooldown::{CooldownCause, ProfileCooldown};
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// A cooldown: no worker of the profile is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CooldownView {
    /// The cause.
    pub cause: WireWord<CooldownCause>,
    /// When it began.
    pub since: UtcTimestamp,
    /// When it ends.
    pub until: Option<UtcTimestamp>,
    /// Whether the provider told that time.
    pub told_by_provider: bool,
    /// How many cooldowns followed each other without work in between.
    pub episodes: u32,
    /// The message of the failure that began it.
    pub reason: Option<String>,
}

impl CooldownView {
    /// Returns the cooldown.
    #[must_use]
    pub fn from_cooldown(cooldown: &ProfileCooldown) -> Self {
        Self {
            cause: cooldown.cause.into(),
            since: cooldown.since.into(),
            until: cooldown.until.map(Into::into),
            told_by_provider: cooldown.told_by_provider,
            episodes: cooldown.episodes,
            reason: cooldown.reason.clone(),
        }
    }
}

/// A profile, with what its workers do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfileView {
    /// The name.
    pub name: String,
    /// The file, or `built-in`; null for a profile that was named by a path.
    pub source: Option<String>,
    /// The program that it starts.
    pub program: Option<String>,
    /// Whether the program is installed; null where that depends on the worktree or the worker's `PATH`.
    pub command_found: Option<bool>,
    /// The first line of what `--version` of a known client prints.
    pub version: Option<String>,
    /// When its usage is known: `live`, `at_end` or `none`.
    pub metered: Option<String>,
    /// Whether a session can be resumed.
    pub resumable: Option<bool>,
    /// How many workers of it are running.
    pub workers: u32,
    /// The cooldown; null when workers can be started.
    pub cooldown: Option<CooldownView>,
    /// Why the file cannot be used.
    pub problem: Option<String>,
}

/// The response of `orch profile list`, `orch profile show` and `orch profile resume`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProfilesResponse {
    /// The profiles, by name.
    pub profiles: Vec<ProfileView>,
}
