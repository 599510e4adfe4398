//! The supervisor's loop: read, act, sleep until something changes.

use std::sync::Arc;
use std::time::Duration;

use orch_core::event::Event;
use orch_core::id::EventId;
use orch_core::operation_failure::{self, FailedOperation};
use orch_core::run::{Run, RunOutcome, RunState};
use orch_core::task::TaskState;
use orch_inbox::{Error, Session, failure, liveness};
use orch_query::blocked::list_stuck_operations;
use orch_scheduler::perform::check_settings::CheckSettings;
use orch_store::table::worker::LiveWorker;
use orch_workspace::check_cache::CheckReuse;

use super::background::BackgroundWork;
use super::branch_watch::BranchWatch;
use super::budget_watch::BudgetWatch;
use super::config::{DriveConfig, ListenerResponse, SupervisorEvent};
use super::initial_pause::InitialPauses;
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
    /// The operations of its runs that are not tried again by themselves.
    pub stuck: Vec<FailedOperation>,
}

/// Drives runs until they are finished or another [`StopReason`] applies.
///
/// A store that cannot be written for a while does not end it: it waits, and tries again.
///
/// # Errors
/// The run does not exist, or the store failed for good.
pub fn drive_runs(mut drive: DriveConfig<'_>) -> Result<DriveOutcome, Error> {
    let mut session = (drive.open)()?;
    let scope = DriveScope::resolve_runs(&mut session, drive.run.as_ref())?;
    let pauses = InitialPauses::find(&mut session, &scope, drive.waits_for_resumption)?;
    register_supervisor(&mut session, scope.only, drive.log.clone())?;
    let wake = WakeCounter::default();
    let interrupts = InterruptCounter::start(drive.stop.take(), &session, &wake);
    let reuse = CheckReuse::beginning_now(&session, drive.no_check_cache);
    let checks = CheckSettings { reuse, merge_jobs: drive.merge_check_jobs };
    let background = BackgroundWork::new(Arc::clone(&drive.open), drive.who.clone(), checks, wake.clone());
    let mut supervisor = DrivingSupervisor {
        cursor: scope.begin,
        session,
        scope,
        wake,
        interrupts,
        background,
        pauses,
        stalls: StallReporter::default(),
        branches: BranchWatch::default(),
        budgets: BudgetWatch::default(),
        watch: WrapperWatch::default(),
        live: Vec::new(),
        outage: 0,
    };
    let decision = loop {
        match supervisor.run_round(&mut drive) {
            Ok(Some(decision)) => break decision,
            Ok(None) => supervisor.note_recovery(&mut drive),
            Err(error) if failure::is_transient(&error) => {
                if let Some(decision) = supervisor.wait_out(&error, &mut drive) {
                    break decision;
                }
            }
            Err(error) => return Err(error),
        }
    };
    supervisor.finish(decision, &mut drive)
}

/// A supervisor in its loop.
struct DrivingSupervisor {
    session: Session,
    scope: DriveScope,
    wake: WakeCounter,
    interrupts: InterruptCounter,
    background: BackgroundWork,
    cursor: EventId,
    pauses: InitialPauses,
    stalls: StallReporter,
    branches: BranchWatch,
    budgets: BudgetWatch,
    watch: WrapperWatch,
    /// The workers that lived in the last round.
    live: Vec<LiveWorker>,
    /// The number of rounds in a row that failed because of the store.
    outage: u32,
}

impl DrivingSupervisor {
    /// Runs one pass, and sleeps until there is reason for another; returns a decision to stop.
    fn run_round(&mut self, drive: &mut DriveConfig<'_>) -> Result<Option<StopDecision>, Error> {
        let before = self.wake.take_snapshot(&mut self.session)?;
        let asked = self.interrupts.count();
        let options = SnapshotOptions {
            starts: asked == 0,
            workers: drive.crew.workers,
            limits_labels: !drive.crew.labels.is_empty(),
        };
        let mut snapshot = PassSnapshot::load(&mut self.session, &self.scope, self.cursor, options)?;
        while reap_orphaned_workers(&mut self.session, &self.scope, &snapshot.live)? {
            self.cursor = report_events(&snapshot.events, self.cursor, drive);
            snapshot = PassSnapshot::load(&mut self.session, &self.scope, self.cursor, options)?;
        }
        self.live.clone_from(&snapshot.live);
        if let Some(note) = self.interrupts.handle(&mut self.session, &self.scope, &snapshot.live)? {
            (drive.listen)(SupervisorEvent::Note(&note));
        }
        self.cursor = report_events(&snapshot.events, self.cursor, drive);
        for note in self.background.take_notes() {
            (drive.listen)(SupervisorEvent::Note(&note));
        }
        let mut context = PassContext {
            session: &mut self.session,
            drive: &mut *drive,
            scope: &self.scope,
            background: &mut self.background,
            branches: &mut self.branches,
            budgets: &mut self.budgets,
            options,
            cursor: self.cursor,
            interrupts: asked,
        };
        let (snapshot, pass) = run_pass(&mut context, snapshot)?;
        let mut response = (drive.listen)(SupervisorEvent::Tick);
        self.pauses.update(&snapshot);
        if let Some(decision) = decide_stop(drive, &snapshot, &pass, &self.pauses, asked) {
            return Ok(Some(decision));
        }
        if pass.is_quiet() {
            for reason in self.stalls.new_reasons(&snapshot, &mut drive.crew) {
                (drive.listen)(SupervisorEvent::Stalled(&reason));
            }
            response = (drive.listen)(SupervisorEvent::Tick);
        }
        if response == ListenerResponse::Closed {
            return Ok(Some(StopDecision::Finished));
        }
        self.watch.watch_only(&pass.processes);
        sleep_until_wake(&mut self.session, &pass, &self.watch, &self.wake, before, response)?;
        Ok(None)
    }

    /// Waits before the next round, because the store cannot be used now; an interrupt ends the wait.
    fn wait_out(&mut self, error: &Error, drive: &mut DriveConfig<'_>) -> Option<StopDecision> {
        self.outage = self.outage.saturating_add(1);
        if self.outage == 1 {
            let note = format!("{} It is tried again until it succeeds.", error.describe());
            if (drive.listen)(SupervisorEvent::Note(&note)) == ListenerResponse::Closed {
                return Some(StopDecision::Finished);
            }
        }
        let asked = self.interrupts.count();
        if asked > 1 {
            for live in self.live.iter().filter(|live| self.scope.covers(live.run)) {
                liveness::request_stop(&live.worker);
            }
            return Some(StopDecision::Early(StopReason::Interrupted));
        }
        let delay = operation_failure::backoff_delay(self.outage).0;
        self.interrupts.wait_for_another(asked, Duration::from_millis(u64::try_from(delay).unwrap_or(0)));
        None
    }

    fn note_recovery(&mut self, drive: &mut DriveConfig<'_>) {
        if std::mem::take(&mut self.outage) > 0 {
            (drive.listen)(SupervisorEvent::Note("The store can be used again."));
        }
    }

    /// Reports the last events, and removes the supervisor from the store.
    fn finish(mut self, decision: StopDecision, drive: &mut DriveConfig<'_>) -> Result<DriveOutcome, Error> {
        let interrupts = self.interrupts.count();
        if interrupts > 1 {
            self.background.abandon_all();
        } else {
            self.background.join_all();
        }
        let session = &mut self.session;
        let options = SnapshotOptions { starts: false, workers: 0, limits_labels: false };
        let last = PassSnapshot::load(session, &self.scope, self.cursor, options);
        let runs = match last {
            Ok(last) => {
                report_events(&last.events, self.cursor, drive);
                last.runs.into_iter().map(|run| run.run).collect()
            }
            // What the store knows can still be read.
            Err(error) if failure::is_transient(&error) => {
                session.query(|tx| self.scope.load_runs(tx)).unwrap_or_default()
            }
            Err(error) => return Err(error),
        };
        let stuck = list_stuck_operations(session, &runs).unwrap_or_default();
        // The next supervisor removes the row of a process that has ended.
        match unregister_supervisor(session) {
            Err(error) if !failure::is_transient(&error) => return Err(error),
            _ => {}
        }
        session.checkpoint_if_due();
        let complete = !runs.is_empty() && runs.iter().all(is_complete);
        let reason = decision.into_reason();
        Ok(DriveOutcome { runs, complete, interrupted: interrupts > 0, reason, stuck })
    }
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
