//! What the workers of each profile do, and which profiles cool down.

use std::collections::BTreeMap;

use orch_core::cooldown::ProfileCooldown;
use orch_core::id::Slug;
use orch_core::thread::ThreadStatus;
use orch_store::table::{profile_cooldown, worker};

use orch_inbox::{Error, Session};

/// What the workers of one profile do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileActivity {
    /// How many of them are running.
    pub workers: u32,
    /// The cooldown, if it is not over.
    pub cooldown: Option<ProfileCooldown>,
}

/// Loads what the workers of each profile do; profiles without workers and without a cooldown are left out.
///
/// # Errors
/// The store failed.
pub fn load_profile_activity(session: &mut Session) -> Result<BTreeMap<Slug, ProfileActivity>, Error> {
    session.read(|tx, now| {
        let mut found: BTreeMap<Slug, ProfileActivity> = BTreeMap::new();
        for live in worker::list_live_with_threads(tx)? {
            // A worker that waits for an answer has no process.
            let profile = live.worker.profile.filter(|_| live.status != ThreadStatus::Blocked);
            if let Some(profile) = profile {
                found.entry(profile).or_default().workers += 1;
            }
        }
        for cooldown in profile_cooldown::list_all(tx)? {
            if cooldown.is_active(now) {
                let profile = found.entry(cooldown.profile.clone()).or_default();
                profile.cooldown = Some(cooldown);
            }
        }
        Ok(found)
    })
}
