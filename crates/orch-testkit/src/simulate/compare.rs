//! Compares the store's rows with the oracle, and the history with the rows.

use std::collections::HashMap;
use std::fmt::Debug;

use orch_core::event::{Event, EventKind};
use orch_core::id::{EventId, RunId, TaskId};
use orch_core::run::RunState as StoredState;
use orch_core::thread::{ThreadState as StoredThread, decide};
use orch_store::table::{attempt, dependency, event, run, task, thread};
use orch_store::{Fault, Store, Transaction, invariant};

use super::oracle::{OracleModel, OracleRun, OracleRunState, OracleThreadState, OwnTaskState};
use super::product_driver::{thread_holder, thread_id};

/// The first difference as text, or a failure of the store.
type DifferenceResult = Result<Option<String>, Fault>;

/// Finds the first difference between the store and the oracle.
pub(crate) fn store_difference(store: &mut Store, model: &OracleModel) -> DifferenceResult {
    store.read(|tx| {
        for (place, expected) in model.runs.iter().enumerate() {
            if let Some(found) = run_difference(tx, place, expected)? {
                return Ok(Some(found));
            }
        }
        for place in 0..model.threads.len() {
            if let Some(found) = thread_difference(tx, model, place)? {
                return Ok(Some(found));
            }
        }
        let more = thread::load(tx, thread_id(model.threads.len()))?;
        Ok(more.map(|thread| format!("{} is not known", thread.id)))
    })
}

/// Finds the first law that the store breaks.
pub(crate) fn invariant_breach(store: &mut Store) -> DifferenceResult {
    let breaches = store.read(invariant::find_violations)?;
    Ok(breaches.first().map(|breach| format!("{} is broken by {:?}", breach.invariant.name, breach.subjects)))
}

/// Collects the differences.
struct DifferenceCollector {
    subject: String,
    found: Option<String>,
}

impl DifferenceCollector {
    fn for_subject(subject: String) -> Self {
        Self { subject, found: None }
    }

    fn check_equal<T: PartialEq + Debug>(&mut self, what: &str, stored: &T, expected: &T) {
        if stored != expected && self.found.is_none() {
            self.found = Some(format!(
                "{}: {what} is {stored:?} in the store and should be {expected:?}",
                self.subject
            ));
        }
    }
}

fn run_difference(tx: &mut Transaction<'_>, place: usize, expected: &OracleRun) -> DifferenceResult {
    let id = RunId(i64::try_from(place + 1).unwrap_or(i64::MAX));
    let Some(stored) = run::load(tx, id)? else {
        return Ok(Some(format!("{} does not exist", expected.name)));
    };
    let mut differences = DifferenceCollector::for_subject(expected.name.to_owned());
    differences.check_equal("its state", &stored.state.status().name(), &expected.state.name());
    if let (StoredState::Finished(stored), OracleRunState::Finished(expected)) =
        (&stored.state, expected.state)
    {
        differences.check_equal("its outcome", &stored.name(), &expected);
    }
    let tasks = task::list(tx, id, TaskId(0), u32::MAX)?;
    differences.check_equal("the number of its tasks", &tasks.len(), &expected.tasks.len());
    if differences.found.is_some() {
        return Ok(differences.found);
    }
    for (task, stored) in tasks.iter().enumerate() {
        if let Some(found) = task_difference(tx, stored, expected, task)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn task_difference(
    tx: &mut Transaction<'_>,
    stored: &orch_core::task::Task,
    run: &OracleRun,
    place: usize,
) -> DifferenceResult {
    let expected = &run.tasks[place];
    let mut differences = DifferenceCollector::for_subject(stored.name.to_string());
    differences.check_equal("its key", &stored.name.key.as_str(), &expected.key.as_str());
    differences.check_equal("its state", &stored.state.name(), &run.task_state(place));
    differences.check_equal("its failures", &stored.failures, &expected.failures);
    differences.check_equal("its losses", &stored.losses, &expected.losses);
    differences.check_equal("its releases", &stored.releases, &expected.releases);
    differences.check_equal("its next try", &stored.not_before.map(|at| at.0), &expected.not_before);
    differences.check_equal("its priority", &stored.priority, &expected.priority);
    differences.check_equal("its rank", &stored.rank, &run.task_rank(place));
    let on: Vec<String> =
        dependency::dependency_keys(tx, stored.id)?.iter().map(ToString::to_string).collect();
    let after: Vec<String> = expected.after.iter().map(|on| run.tasks[*on].key.clone()).collect();
    differences.check_equal("what it waits for", &on, &after);
    let attempts = attempt::list_by_task(tx, stored.id, u32::MAX)?;
    differences.check_equal("the number of its attempts", &attempts.len(), &expected.attempts.len());
    for (stored, expected) in attempts.iter().rev().zip(&expected.attempts) {
        differences.check_equal("an attempt's state", &stored.state.name(), &expected.state);
        differences.check_equal("an attempt's thread", &stored.thread, &Some(thread_id(expected.thread)));
        // The store does not record who released a thread before its attempt was reconciled.
        if stored.state.is_live() || matches!(expected.state, "accepted" | "failed") {
            differences.check_equal("an attempt's agent", &stored.agent.as_str(), &expected.agent);
        }
    }
    Ok(differences.found)
}

fn thread_difference(tx: &mut Transaction<'_>, model: &OracleModel, place: usize) -> DifferenceResult {
    let expected = &model.threads[place];
    let id = thread_id(place);
    let Some(stored) = thread::load(tx, id)? else { return Ok(Some(format!("{id} does not exist"))) };
    let mut differences = DifferenceCollector::for_subject(id.to_string());
    differences.check_equal("its state", &stored.state.status().name(), &expected.state.name());
    differences.check_equal("its queue", &stored.head.to.as_str(), &expected.to);
    differences.check_equal("its priority", &stored.head.priority, &expected.priority);
    differences.check_equal("its owner", &stored.head.reference.is_some(), &expected.owner.is_some());
    differences.check_equal("whether it is withdrawn", &stored.withdrawn, &expected.withdrawn);
    differences.check_equal("the number of its messages", &stored.message_count, &expected.messages);
    let hold = expected.state.current_lease();
    differences.check_equal(
        "its holder",
        &thread_holder(&stored).map(ToString::to_string),
        &hold.map(|hold| hold.holder.to_owned()),
    );
    let expires_at = match expected.state {
        OracleThreadState::Claimed { expires_at, .. } => Some(expires_at),
        _ => None,
    };
    differences.check_equal(
        "its lease",
        &decide::running_lease(&stored).map(|lease| lease.expires_at.0),
        &expires_at,
    );
    if let (
        StoredThread::Blocked { question, length, .. },
        OracleThreadState::Blocked { hold, default_at, .. },
    ) = (&stored.state, expected.state)
    {
        differences.check_equal("its default", &question.default_at.map(|at| at.0), &default_at);
        differences.check_equal("its lease's length", &length.span().0, &hold.length);
    }
    if let Some(owner) = expected.owner {
        let live = model.runs[owner.0].tasks[owner.1].base == OwnTaskState::Live;
        let newest = model.thread_of(owner) == Some(place);
        differences.check_equal(
            "whether it may be open",
            &(stored.state.status().is_closed() || (live && newest)),
            &true,
        );
    }
    Ok(differences.found)
}

/// Returns whether an event of this kind records a change of a task's state.
fn changes_task_state(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::Sent
            | EventKind::Noted
            | EventKind::Claimed
            | EventKind::Question
            | EventKind::Answered
            | EventKind::Released
            | EventKind::ThreadDone
            | EventKind::ThreadFailed
            | EventKind::ThreadCancelled
            | EventKind::Late
    )
}

/// Replays the history: each change of a task must start from the state where the previous one ended, and the
/// last one must end in the task's current state.
pub(crate) fn history_breach(store: &mut Store) -> DifferenceResult {
    store.read(|tx| {
        let mut states: HashMap<String, String> = HashMap::new();
        for place in 1..=2 {
            for event in event::list_by_run(tx, RunId(place), EventId(0), u32::MAX)? {
                if let Some(found) = replay_event(&mut states, &event) {
                    return Ok(Some(found));
                }
            }
            for task in task::list(tx, RunId(place), TaskId(0), u32::MAX)? {
                let told = states.get(&task.name.to_string()).map(String::as_str);
                if told != Some(task.state.name()) {
                    return Ok(Some(format!(
                        "{} is {}, its history says {told:?}",
                        task.name,
                        task.state.name()
                    )));
                }
            }
        }
        Ok(None)
    })
}

fn replay_event(states: &mut HashMap<String, String>, event: &Event) -> Option<String> {
    let name = event.task.as_ref().filter(|_| changes_task_state(event.kind))?.to_string();
    let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
    let to = data["to"].as_str()?.to_owned();
    let before = states.insert(name.clone(), to);
    match (data["from"].as_str(), before) {
        (None, None) => None,
        (Some(from), Some(before)) if from == before => None,
        (from, before) => Some(format!("{}: {name} goes from {from:?}, but was {before:?}", event.id)),
    }
}
