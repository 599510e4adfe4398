//! Cooldowns of profiles: one per profile, however many workers its provider refuses.
//!
//! An episode begins with the first refusal and ends at the time that the provider told, or else after a delay that
//! doubles from one episode to the next. What its other workers meet meanwhile belongs to that episode.

use crate::id::{RunId, Slug};
use crate::time::{Time, TimeSpan};

/// The length of the first cooldown whose end the provider did not tell.
const FIRST: TimeSpan = TimeSpan::from_seconds(30);

/// The longest cooldown whose end the provider did not tell.
const LONGEST: TimeSpan = TimeSpan::from_minutes(30);

/// The longest cooldown that a provider is believed to mean.
const TOLD_MAX: TimeSpan = TimeSpan::from_hours(31 * 24);

/// A failure within this time after the start is quick: the worker may never have worked.
pub const QUICK: TimeSpan = TimeSpan::from_seconds(15);

/// How many quick failures in a row start a cooldown.
pub const QUICK_FAILURES_MAX: u32 = 5;

named_enum! {
    /// Why no worker of a profile is started.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum CooldownCause {
        /// The provider refuses further requests for now.
        Quota = "quota",
        /// The provider is unreachable or overloaded.
        Network = "network",
        /// The client cannot work until a person has done something: signed in, paid, installed it.
        Access = "access",
    }
}

/// The recent failures of a profile, and the cooldown that follows from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileCooldown {
    /// The profile.
    pub profile: Slug,
    /// The cause.
    pub cause: CooldownCause,
    /// When the episode began.
    pub since: Time,
    /// Until when no worker is started; `None` while there were only quick failures.
    pub until: Option<Time>,
    /// Whether the provider told that time.
    pub told_by_provider: bool,
    /// How many episodes followed each other without work in between.
    pub episodes: u32,
    /// How many workers in a row failed quickly.
    pub quick_failures: u32,
    /// The message of the failure that began the episode.
    pub reason: Option<String>,
    /// The run of the worker that began the episode.
    pub run: Option<RunId>,
    /// Whether the end of the episode is recorded.
    pub over: bool,
}

/// A failure that says something about a profile, and not about the task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFailure {
    /// The profile.
    pub profile: Slug,
    /// The cause.
    pub cause: CooldownCause,
    /// The time that the provider told.
    pub told: Option<Time>,
    /// The message.
    pub reason: Option<String>,
    /// The run that the worker worked for.
    pub run: Option<RunId>,
    /// When the worker was started.
    pub started_at: Time,
}

impl ProfileCooldown {
    /// Returns whether no worker of the profile may be started now.
    #[must_use]
    pub fn is_active(&self, now: Time) -> bool {
        !self.over && self.until.is_some_and(|until| until > now)
    }

    /// Returns whether the episode has ended and its end is not recorded yet.
    #[must_use]
    pub fn has_unrecorded_end(&self, now: Time) -> bool {
        !self.over && self.until.is_some_and(|until| until <= now)
    }
}

/// Returns the cooldown after a failure of the provider; the flag tells that an episode begins.
#[must_use]
pub fn after_provider_failure(
    before: Option<&ProfileCooldown>,
    failure: &ProfileFailure,
    now: Time,
) -> (ProfileCooldown, bool) {
    let told = failure.told.filter(|told| *told > now && *told - now <= TOLD_MAX);
    let quick_failures = before.map_or(0, |before| before.quick_failures);
    if let Some(before) = before.filter(|before| before.is_active(now)) {
        let mut extended = before.clone();
        if let Some(told) = told.filter(|told| !before.told_by_provider || Some(*told) > before.until) {
            extended.until = Some(told);
            extended.told_by_provider = true;
        }
        return (extended, false);
    }
    // A worker from before the episode that meets it late does not make the next one longer.
    let is_straggler =
        |before: &&ProfileCooldown| before.until.is_some() && failure.started_at <= before.since;
    let straggles = before.filter(is_straggler).is_some();
    let earlier = before.map_or(0, |before| before.episodes);
    let episodes = if straggles { earlier.max(1) } else { earlier.saturating_add(1) };
    let cooldown = ProfileCooldown {
        profile: failure.profile.clone(),
        cause: failure.cause,
        since: now,
        until: Some(told.unwrap_or_else(|| now + cooldown_length(episodes))),
        told_by_provider: told.is_some(),
        episodes,
        quick_failures,
        reason: failure.reason.clone(),
        run: failure.run,
        over: false,
    };
    (cooldown, true)
}

/// Returns whether one more quick failure begins an episode, so that the attempt should not count.
#[must_use]
pub fn is_breaker_due(before: Option<&ProfileCooldown>, started_at: Time, now: Time) -> bool {
    let earlier = before.map_or(0, |before| before.quick_failures);
    now - started_at < QUICK && earlier.saturating_add(1) >= QUICK_FAILURES_MAX
}

/// Returns the cooldown after a quick failure of a worker; the flag tells that an episode begins.
#[must_use]
pub fn after_quick_failure(
    before: Option<&ProfileCooldown>,
    failure: &ProfileFailure,
    now: Time,
) -> (ProfileCooldown, bool) {
    let quick_failures = before.map_or(0, |before| before.quick_failures).saturating_add(1);
    let (cooldown, began) = if quick_failures >= QUICK_FAILURES_MAX {
        after_provider_failure(before, failure, now)
    } else {
        let none_yet = || ProfileCooldown {
            profile: failure.profile.clone(),
            cause: failure.cause,
            since: now,
            until: None,
            told_by_provider: false,
            episodes: 0,
            quick_failures,
            reason: failure.reason.clone(),
            run: failure.run,
            over: false,
        };
        (before.cloned().unwrap_or_else(none_yet), false)
    };
    (ProfileCooldown { quick_failures, ..cooldown }, began)
}

/// Returns the cooldown after a worker of the profile has worked: none, if it was started after the
/// episode began.
#[must_use]
pub fn after_work(before: &ProfileCooldown, started_at: Time, now: Time) -> Option<ProfileCooldown> {
    let is_later = before.until.is_none() || started_at > before.since;
    if is_later && !before.is_active(now) {
        return None;
    }
    Some(ProfileCooldown { quick_failures: 0, ..before.clone() })
}

/// Returns the length of a cooldown after so many episodes.
fn cooldown_length(episodes: u32) -> TimeSpan {
    let doublings = episodes.saturating_sub(1).min(16);
    TimeSpan(FIRST.0.saturating_mul(1_i64 << doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_at(started_at: i64, told: Option<i64>) -> ProfileFailure {
        ProfileFailure {
            profile: Slug::from_stored("p".to_owned()),
            cause: CooldownCause::Quota,
            told: told.map(Time),
            reason: Some("429".to_owned()),
            run: Some(RunId(1)),
            started_at: Time(started_at),
        }
    }

    const SECOND: i64 = 1_000;

    #[test]
    fn cooldowns_double_per_episode_up_to_a_limit() {
        let (mut now, mut before) = (Time(0), None);
        for expected in [30, 60, 120, 240, 480, 960, 1_800, 1_800] {
            let (cooldown, began) =
                after_provider_failure(before.as_ref(), &refused_at(now.0, None), now + TimeSpan(1));
            assert!(began);
            assert_eq!(cooldown.until, Some(now + TimeSpan(1 + expected * SECOND)));
            now = now + TimeSpan(3_600 * SECOND);
            before = Some(cooldown);
        }
    }

    #[test]
    fn workers_that_are_refused_together_are_one_episode() {
        let (first, began) = after_provider_failure(None, &refused_at(0, None), Time(SECOND));
        assert!(began);
        let mut now = first.clone();
        for worker in 2..=8 {
            let (next, began) =
                after_provider_failure(Some(&now), &refused_at(0, None), Time(worker * SECOND));
            assert_eq!((&next, began), (&first, false));
            now = next;
        }
        // The slowest of them meets the end of the cooldown: the next one is not longer.
        let late = Time(40 * SECOND);
        let (next, began) = after_provider_failure(Some(&now), &refused_at(0, None), late);
        assert!(began);
        assert_eq!((next.episodes, next.until), (1, Some(late + FIRST)));
    }

    #[test]
    fn the_time_that_the_provider_told_applies() {
        let hour = 3_600 * SECOND;
        let (first, _) = after_provider_failure(None, &refused_at(0, None), Time(0));
        let (told, began) = after_provider_failure(Some(&first), &refused_at(0, Some(5 * hour)), Time(1));
        assert_eq!((told.until, told.told_by_provider, began), (Some(Time(5 * hour)), true, false));
        let (kept, _) = after_provider_failure(Some(&told), &refused_at(0, None), Time(2));
        assert_eq!(kept, told, "a worker that was told nothing shortens nothing");
        for wrong in [0, -1, 40 * 24 * hour] {
            let (cooldown, _) = after_provider_failure(None, &refused_at(0, Some(wrong)), Time(0));
            assert_eq!((cooldown.until, cooldown.told_by_provider), (Some(Time(0) + FIRST), false));
        }
    }

    #[test]
    fn work_ends_a_series_and_never_a_cooldown() {
        let (cooldown, _) = after_provider_failure(None, &refused_at(0, None), Time(10));
        let during = after_work(&cooldown, Time(0), Time(20));
        assert_eq!(during, Some(cooldown.clone()), "another worker finishes during the cooldown");
        let late = Time(100 * SECOND);
        assert_eq!(
            after_work(&cooldown, Time(0), late),
            Some(cooldown.clone()),
            "it began before the episode"
        );
        assert_eq!(after_work(&cooldown, Time(50 * SECOND), late), None);
    }

    #[test]
    fn quick_failures_in_a_row_begin_an_episode() {
        let mut before: Option<ProfileCooldown> = None;
        for failure in 1..QUICK_FAILURES_MAX {
            assert!(!is_breaker_due(before.as_ref(), Time(0), Time(1)), "{failure}");
            let (cooldown, began) = after_quick_failure(before.as_ref(), &refused_at(0, None), Time(1));
            assert_eq!((cooldown.quick_failures, cooldown.until, began), (failure, None, false));
            before = Some(cooldown);
        }
        assert!(is_breaker_due(before.as_ref(), Time(0), Time(1)));
        assert!(!is_breaker_due(before.as_ref(), Time(0), Time(0) + QUICK), "it had worked for a while");
        let (cooldown, began) = after_quick_failure(before.as_ref(), &refused_at(0, None), Time(1));
        assert_eq!((cooldown.until, began), (Some(Time(1) + FIRST), true));
        assert_eq!(after_work(&before.unwrap(), Time(0), Time(2)), None, "work between them ends the series");
    }
}
