//! Human review: after its checks an attempt stays reported until a person accepts or rejects it.
//!
//! An acceptance is for a commit and for the run's base: when either changes, the attempt waits again.
//! The events of the attempt hold both, so that nothing else has to be kept.

use orch_core::attempt::Attempt;
use orch_core::event::{Event, EventDatum, EventKind};
use orch_core::id::{AttemptId, CommitHash, RunId};
use orch_core::run::ReviewPolicy;
use orch_store::Transaction;
use orch_store::table::{event, task as task_table, worktree};

use crate::unit_of_work::UnitOfWork;
use orch_inbox::Error;

/// What a review is for.
struct ReviewSubject {
    /// The commit of the attempt; `None` in a run without worktrees.
    commit: Option<CommitHash>,
    /// The run's base.
    base: Option<CommitHash>,
}

impl ReviewSubject {
    fn load(unit: &mut UnitOfWork<'_, '_>, attempt: &Attempt) -> Result<Self, Error> {
        let commit = worktree::load(unit.tx, attempt.id)?.and_then(|tree| tree.head);
        let base = unit.load_run(attempt.run)?.ground.as_ref().map(|git| git.base.clone());
        Ok(Self { commit, base })
    }

    fn is_of(&self, event: &Event) -> bool {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        let is_same =
            |name: &str, commit: Option<&CommitHash>| data[name].as_str() == commit.map(CommitHash::as_str);
        is_same("commit", self.commit.as_ref()) && is_same("base", self.base.as_ref())
    }

    fn data(&self) -> Vec<(&'static str, EventDatum)> {
        let of = |name, commit: &Option<CommitHash>| {
            commit.as_ref().map(|commit| (name, EventDatum::from(commit.as_str())))
        };
        of("commit", &self.commit).into_iter().chain(of("base", &self.base)).collect()
    }
}

/// Returns the data of an event that accepts an attempt: what the acceptance is for.
pub(crate) fn acceptance_data(
    unit: &mut UnitOfWork<'_, '_>,
    attempt: &Attempt,
) -> Result<Vec<(&'static str, EventDatum)>, Error> {
    Ok(ReviewSubject::load(unit, attempt)?.data())
}

/// Returns whether an attempt that passed its checks must wait for a review, which is recorded once.
pub(crate) fn waits_for_review(
    unit: &mut UnitOfWork<'_, '_>,
    attempt: &Attempt,
    touches_protected: bool,
) -> Result<bool, Error> {
    let own = task_table::load_text(unit.tx, attempt.task)?.review;
    let policy = own.unwrap_or(unit.load_run(attempt.run)?.rules.review);
    if policy == ReviewPolicy::None {
        return Ok(false);
    }
    let subject = ReviewSubject::load(unit, attempt)?;
    let mut judged = event::list_reviews_of_task(unit.tx, attempt.task)?;
    judged.retain(|event| event.attempt.as_ref() == Some(&attempt.name));
    let is_wanted = match policy {
        ReviewPolicy::None => false,
        ReviewPolicy::All => true,
        // That it changes protected files was found when it was verified.
        ReviewPolicy::Protected => {
            touches_protected || judged.iter().any(|event| event.kind == EventKind::Review)
        }
    };
    let is_accepted = |event: &Event| event.kind == EventKind::Accepted && subject.is_of(event);
    if !is_wanted || judged.iter().any(is_accepted) {
        return Ok(false);
    }
    let is_asked =
        judged.first().is_some_and(|event| event.kind == EventKind::Review && subject.is_of(event));
    if !is_asked {
        unit.append_event(EventKind::Review, attempt.event_subject(), None, subject.data())?;
    }
    Ok(true)
}

/// Returns whether an attempt waits for a review.
pub fn is_review_asked(tx: &mut Transaction<'_>, attempt: &Attempt) -> Result<bool, Error> {
    let judged = event::list_reviews_of_task(tx, attempt.task)?;
    let newest = judged.into_iter().find(|event| event.attempt.as_ref() == Some(&attempt.name));
    Ok(newest.is_some_and(|event| event.kind == EventKind::Review))
}

/// Lists the reviews that reported attempts of a run wait for, oldest first.
pub fn list_open_reviews(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<Event>, Error> {
    let mut events = event::list_reviews(tx, run)?;
    events.retain(|event| event.kind == EventKind::Review);
    Ok(events)
}

/// Lists the reported attempts of a run that are not merged now: they wait for a task that resolves their conflict.
pub fn list_conflicting_attempts(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<AttemptId>, Error> {
    let conflicts = task_table::list_conflicts(tx, run)?;
    Ok(conflicts.into_iter().filter_map(|(_, conflict)| conflict.attempt).collect())
}
