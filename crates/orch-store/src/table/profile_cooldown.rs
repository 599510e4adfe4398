//! Cooldowns of profiles: until when no worker is started, and why.

use orch_core::cooldown::{CooldownCause, ProfileCooldown};
use orch_core::id::{RunId, Slug};

use super::{count_column, name_column, slug_column, time_column, time_or_null};
use crate::driver::{SqlParameter, SqlRow};
use crate::statement::statements;
use crate::{Fault, Transaction};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT profile, cause, since, until, told_by_provider, episodes, quick_failures, reason, run_id, is_over
            FROM profile_cooldown ",
            $rest
        )
    };
}

statements! {
    const PUT = "INSERT INTO profile_cooldown (profile, cause, since, until, told_by_provider, episodes, quick_failures,
        reason, run_id, is_over) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (profile) DO UPDATE SET cause = excluded.cause, since = excluded.since, until = excluded.until,
        told_by_provider = excluded.told_by_provider, episodes = excluded.episodes,
        quick_failures = excluded.quick_failures, reason = excluded.reason, run_id = excluded.run_id,
        is_over = excluded.is_over";
    const LOAD = select!("WHERE profile = $1");
    const ALL = select!("ORDER BY profile");
    const DROP = "DELETE FROM profile_cooldown WHERE profile = $1";
}

fn cooldown_from_row(row: &dyn SqlRow) -> Result<ProfileCooldown, Fault> {
    Ok(ProfileCooldown {
        profile: slug_column(row, 0)?,
        cause: name_column(row, 1, "profile_cooldown", CooldownCause::parse)?,
        since: time_column(row, 2)?,
        until: time_or_null(row, 3)?,
        told_by_provider: row.int(4)? != 0,
        episodes: count_column(row, 5)?,
        quick_failures: count_column(row, 6)?,
        reason: row.text_or_null(7)?,
        run: row.int_or_null(8)?.map(RunId),
        over: row.int(9)? != 0,
    })
}

/// Saves the cooldown of a profile.
pub fn upsert(tx: &mut Transaction<'_>, cooldown: &ProfileCooldown) -> Result<(), Fault> {
    let values: [SqlParameter<'_>; 10] = [
        cooldown.profile.as_str().into(),
        cooldown.cause.name().into(),
        cooldown.since.0.into(),
        cooldown.until.map(|until| until.0).into(),
        cooldown.told_by_provider.into(),
        cooldown.episodes.into(),
        cooldown.quick_failures.into(),
        cooldown.reason.as_deref().into(),
        cooldown.run.map(|run| run.0).into(),
        cooldown.over.into(),
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
