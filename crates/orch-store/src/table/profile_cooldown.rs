//! Cooldowns of profiles: until when no worker is started, and why.

use orch_core::id::Slug;
use orch_core::time::Time;

use super::{count_column, slug_column, time_column, time_or_null};
use crate::driver::SqlRow;
use crate::statement::statements;
use crate::{Fault, Transaction};

/// The cooldown of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileCooldown {
    /// The profile.
    pub profile: Slug,
    /// The end of the cooldown.
    pub until: Option<Time>,
    /// How many of its workers in a row ended in a way that is not their task's fault.
    pub failures: u32,
    /// The message of the last of them.
    pub reason: Option<String>,
    /// When it ended.
    pub at: Time,
}

statements! {
    const PUT = "INSERT INTO profile_rest (profile, until, failures, reason, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (profile) DO UPDATE SET until = excluded.until, failures = excluded.failures, reason = excluded.reason,
        at = excluded.at";
    const LOAD = "SELECT profile, until, failures, reason, at FROM profile_rest WHERE profile = $1";
    const ALL = "SELECT profile, until, failures, reason, at FROM profile_rest ORDER BY profile";
    const DROP = "DELETE FROM profile_rest WHERE profile = $1";
}

fn cooldown_from_row(row: &dyn SqlRow) -> Result<ProfileCooldown, Fault> {
    Ok(ProfileCooldown {
        profile: slug_column(row, 0)?,
        until: time_or_null(row, 1)?,
        failures: count_column(row, 2)?,
        reason: row.text_or_null(3)?,
        at: time_column(row, 4)?,
    })
}

/// Saves the cooldown of a profile.
pub fn upsert(tx: &mut Transaction<'_>, rest: &ProfileCooldown) -> Result<(), Fault> {
    let values = [
        rest.profile.as_str().into(),
        rest.until.map(|until| until.0).into(),
        rest.failures.into(),
        rest.reason.as_deref().into(),
        rest.at.0.into(),
    ];
    tx.execute(PUT, &values).map(|_| ())
}

/// Loads the cooldown of a profile; `None` without recent failures.
pub fn load(tx: &mut Transaction<'_>, profile: &Slug) -> Result<Option<ProfileCooldown>, Fault> {
    tx.query_first(LOAD, &[profile.as_str().into()], cooldown_from_row)
}

/// Lists all cooldowns by profile.
pub fn list_all(tx: &mut Transaction<'_>) -> Result<Vec<ProfileCooldown>, Fault> {
    tx.query_all(ALL, &[], cooldown_from_row)
}

/// Deletes the cooldown of a profile.
pub fn delete(tx: &mut Transaction<'_>, profile: &Slug) -> Result<(), Fault> {
    tx.execute(DROP, &[profile.as_str().into()]).map(|_| ())
}
