//! The supervisor's loop: read, act, sleep until something changes.

use std::sync::Arc;

use orch_core::event::Event;
use orch_core::id::EventId;
use orch_core::run::{Run, RunOutcome, RunState};
use orch_core::task::TaskState;
use orch_inbox::{Error, Session};

use super::background::BackgroundWork;
use super::budget_watch::BudgetWatch;
use super::config::{DriveConfig, ListenerResponse, SupervisorEvent};
use super::interrupts::InterruptCounter;
use super::pass::{PassContext, StopDecision, decide_stop, run_pass};
use super::reaper::reap_orphaned_workers;
use super::registration::{register_supervisor, unregister_supervisor};
use super::scope::DriveScope;
use super::snapshot::{PassSnapshot, SnapshotOptions};
use super::stall::StallReporter;
use super::stop_reason::StopReason;
use super::wake::sleep_until_wake;
use super::wake_counter::WakeCounter;
use super::wrapper_watch::WrapperWatch;

/// How a supervisor ended.
#[derive(Clone, Debug)]
pub struct DriveOutcome {
    /// Its runs.
    pub runs: Vec<Run>,
    /// Whether all their tasks are done.
    pub complete: bool,
    /// Whether the supervisor was interrupted.
    pub interrupted: bool,
    /// Why it stopped before its runs were finished.
    pub reason: Option<StopReason>,
}

/// Drives runs until they are finished or another [`StopReason`] applies.
///
/// # Errors
/// The run does not exist, or the store failed.
pub fn drive_runs(mut drive: DriveConfig<'_>) -> Result<DriveOutcome, Error> {
    let mut session = (drive.open)()?;
    let scope = DriveScope::resolve_runs(&mut session, drive.run.as_ref())?;
    register_supervisor(&mut session, scope.only, drive.log.clone())?;
    let wake = WakeCounter::default();
    let mut interrupts = InterruptCounter::start(drive.stop.take(), &session, &wake);
    let mut background = BackgroundWork::new(Arc::clone(&drive.open), drive.who.clone(), wake.clone());
    let mut cursor = scope.begin;
    let mut stalls = StallReporter::default();
    let (mut budgets, mut watch) = (BudgetWatch::default(), WrapperWatch::default());
    let decision = loop {
        let before = wake.take_snapshot(&mut session)?;
        let asked = interrupts.count();
        let options = SnapshotOptions {
            starts: asked == 0,
            workers: drive.crew.workers,
            limits_labels: !drive.crew.labels.is_empty(),
        };
        let mut snapshot = PassSnapshot::load(&mut session, &scope, cursor, options)?;
        while reap_orphaned_workers(&mut session, &scope, &snapshot.live)? {
            cursor = report_events(&snapshot.events, cursor, &mut drive);
            snapshot = PassSnapshot::load(&mut session, &scope, cursor, options)?;
        }
        if let Some(note) = interrupts.handle(&mut session, &scope, &snapshot)? {
            (drive.listen)(SupervisorEvent::Note(&note));
        }
        cursor = report_events(&snapshot.events, cursor, &mut drive);
        for note in background.take_notes() {
            (drive.listen)(SupervisorEvent::Note(&note));
        }
        let mut context = PassContext {
            session: &mut session,
            drive: &mut drive,
            scope: &scope,
            background: &mut background,
            budgets: &mut budgets,
            options,
            cursor,
        };
        let (snapshot, pass) = run_pass(&mut context, snapshot)?;
        let mut response = (drive.listen)(SupervisorEvent::Tick);
        if let Some(decision) = decide_stop(&drive, &snapshot, &pass, asked) {
            break decision;
        }
        if pass.is_quiet() {
            for reason in stalls.new_reasons(&snapshot, &mut drive.crew) {
                (drive.listen)(SupervisorEvent::Stalled(&reason));
            }
            response = (drive.listen)(SupervisorEvent::Tick);
        }
        if response == ListenerResponse::Closed {
            break StopDecision::Finished;
        }
        watch.watch_only(&pass.processes);
        sleep_until_wake(&mut session, &pass, &watch, &wake, before, response)?;
    };
    background.join_all();
    let runs = finish_drive(&mut session, &scope, cursor, &mut drive)?;
    let complete = !runs.is_empty() && runs.iter().all(is_complete);
    Ok(DriveOutcome { runs, complete, interrupted: interrupts.count() > 0, reason: decision.into_reason() })
}

/// Reports the last events, and removes the supervisor from the store.
fn finish_drive(
    session: &mut Session,
    scope: &DriveScope,
    cursor: EventId,
    drive: &mut DriveConfig<'_>,
) -> Result<Vec<Run>, Error> {
    let options = SnapshotOptions { starts: false, workers: 0, limits_labels: false };
    let last = PassSnapshot::load(session, scope, cursor, options)?;
    report_events(&last.events, cursor, drive);
    unregister_supervisor(session)?;
    session.checkpoint_if_due();
    Ok(last.runs.into_iter().map(|run| run.run).collect())
}

/// Reports events, and returns the id of the newest one.
fn report_events(events: &[Event], cursor: EventId, drive: &mut DriveConfig<'_>) -> EventId {
    for event in events {
        (drive.listen)(SupervisorEvent::Event(event));
    }
    events.iter().map(|event| event.id).fold(cursor, EventId::max)
}

fn is_complete(run: &Run) -> bool {
    match &run.state {
        RunState::Finished(RunOutcome::Succeeded) => run.counts.in_state(TaskState::Cancelled) == 0,
        RunState::Finished(RunOutcome::Partial | RunOutcome::Failed)
        | RunState::Open
        | RunState::Paused(_)
        | RunState::Cancelled => false,
    }
}
