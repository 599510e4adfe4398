//! The cooldowns of profiles, as recorded in the transactions that end workers, and as ended by time or by a person.

use orch_core::cooldown::{
    ProfileCooldown, ProfileFailure, after_provider_failure, after_quick_failure, after_work,
};
use orch_core::event::{EventDatum, EventKind, EventSubject, NewEvent};
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_store::Transaction;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::{event, profile_cooldown};

use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::operation::Operation;

/// Records a failure that says something about a profile; the first one of an episode is an event.
///
/// `is_quick` tells that the worker failed quickly, which counts only when it happens several times in a row.
pub fn record_profile_failure(
    tx: &mut Transaction<'_>,
    failure: &ProfileFailure,
    is_quick: bool,
    about: EventSubject,
    now: Time,
) -> Result<(), Error> {
    let before = profile_cooldown::load(tx, &failure.profile)?;
    let (cooldown, began) = match is_quick {
        true => after_quick_failure(before.as_ref(), failure, now),
        false => after_provider_failure(before.as_ref(), failure, now),
    };
    if before.as_ref() == Some(&cooldown) {
        return Ok(());
    }
    profile_cooldown::upsert(tx, &cooldown)?;
    if began {
        let mut data: Vec<(&'static str, EventDatum)> = vec![
            ("profile", cooldown.profile.as_str().into()),
            ("cause", cooldown.cause.name().into()),
            ("told_by_provider", cooldown.told_by_provider.into()),
        ];
        data.extend(cooldown.until.map(|until| ("until", until.0.into())));
        data.extend(cooldown.reason.as_deref().map(|reason| ("reason", reason.into())));
        append_event(tx, EventKind::RateLimited, &cooldown.profile, None, about, data, now)?;
    }
    Ok(())
}

/// Records that a worker of a profile has worked: a series of failures is over.
pub fn record_profile_work(
    tx: &mut Transaction<'_>,
    profile: &Slug,
    started_at: Time,
    now: Time,
) -> Result<(), Error> {
    let Some(before) = profile_cooldown::load(tx, profile)? else { return Ok(()) };
    match after_work(&before, started_at, now) {
        Some(after) if after == before => {}
        Some(after) => profile_cooldown::upsert(tx, &after)?,
        None => {
            if before.has_unrecorded_end(now) {
                append_available(tx, &before, None, now)?;
            }
            profile_cooldown::delete(tx, profile)?;
        }
    }
    Ok(())
}

/// Records the ends of cooldowns that are over, each as an event.
pub fn record_ended_cooldowns(session: &mut Session) -> Result<(), Error> {
    session.write(WriteDurability::Process, |tx, now| {
        for cooldown in profile_cooldown::list_all(tx)? {
            if cooldown.has_unrecorded_end(now) {
                append_available(tx, &cooldown, None, now)?;
                profile_cooldown::upsert(tx, &ProfileCooldown { over: true, ..cooldown })?;
            }
        }
        Ok(TxEnd::Commit(()))
    })
}

/// Ends the cooldown of a profile by hand; without one nothing changes. Its series of failures is forgotten too.
///
/// # Errors
/// The store failed.
pub fn resume_profile(
    session: &mut Session,
    receipt: Option<&Receipt<'_, ()>>,
    who: &Slug,
    profile: &Slug,
) -> Result<Response<()>, Error> {
    Operation::by_lead(receipt, who).run(session, |unit| {
        let Some(before) = profile_cooldown::load(unit.tx, profile)? else { return Ok(()) };
        if before.until.is_some() && !before.over {
            append_available(unit.tx, &before, Some(who), unit.now)?;
        }
        Ok(profile_cooldown::delete(unit.tx, profile)?)
    })
}

fn append_available(
    tx: &mut Transaction<'_>,
    cooldown: &ProfileCooldown,
    by: Option<&Slug>,
    now: Time,
) -> Result<(), Error> {
    let about = cooldown.run.map(EventSubject::of_run).unwrap_or_default();
    let data = vec![("profile", cooldown.profile.as_str().into()), ("cause", cooldown.cause.name().into())];
    append_event(tx, EventKind::Available, &cooldown.profile, by, about, data, now)
}

fn append_event(
    tx: &mut Transaction<'_>,
    kind: EventKind,
    profile: &Slug,
    by: Option<&Slug>,
    about: EventSubject,
    data: Vec<(&'static str, EventDatum)>,
    now: Time,
) -> Result<(), Error> {
    let event = NewEvent { kind, about, agent: Some(profile.clone()), by: by.cloned(), data };
    Ok(event::insert(tx, &event, now)?)
}
