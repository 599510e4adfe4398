//! One pass of the supervisor over all its runs, in the order in which the steps depend on each other.

use std::time::Duration;

use crate::profile_cooldown::record_ended_cooldowns;
use orch_core::effect::{EffectKind, PendingEffect};
use orch_core::id::EventId;
use orch_core::run::{Run, RunStatus};
use orch_core::time::Time;
use orch_inbox::{Error, Session};

use super::background::BackgroundWork;
use super::branch_watch::BranchWatch;
use super::budget_watch::BudgetWatch;
use super::config::{DriveConfig, DriveUntil};
use super::dispatch::{BudgetStop, RunDispatch};
use super::initial_pause::InitialPauses;
use super::scope::DriveScope;
use super::snapshot::{PassSnapshot, RunSnapshot, SnapshotOptions};
use super::stop_reason::StopReason;
use super::takeover::take_over_unclaimed;

/// The retry interval while a process that has recorded its end is about to exit.
const EXIT_POLL: Duration = Duration::from_millis(10);

/// The parts of a supervisor that a pass uses.
pub(super) struct PassContext<'c, 'd> {
    pub session: &'c mut Session,
    pub drive: &'c mut DriveConfig<'d>,
    pub scope: &'c DriveScope,
    pub background: &'c mut BackgroundWork,
    pub branches: &'c mut BranchWatch,
    pub budgets: &'c mut BudgetWatch,
    pub options: SnapshotOptions,
    pub cursor: EventId,
    /// The number of interrupts so far.
    pub interrupts: usize,
}

/// The result of a pass.
#[derive(Clone, Debug, Default)]
pub(super) struct PassSummary {
    /// The number of workers.
    pub workers: usize,
    /// The wrapper processes of workers that have claimed their work.
    pub processes: Vec<String>,
    /// The number of workers that wait for an answer.
    pub waiting: usize,
    /// The number of live attempts of agents without a profile.
    pub others: usize,
    /// Whether something was started, or is running in this process.
    pub busy: bool,
    /// The next time at which a timer fires.
    pub next: Option<Time>,
    /// The time until a failed operation is retried.
    pub retry_in: Option<Duration>,
    /// The next time at which a run's time budget is nearly or fully used.
    pub limit: Option<Time>,
    /// Why the budget of a run without live attempts allows no further one.
    pub over_budget: Option<BudgetStop>,
    /// Why a dispatch fails again and again.
    pub hopeless: Option<String>,
}

impl PassSummary {
    /// Whether nothing is running, apart from workers that wait for an answer.
    pub(super) const fn is_quiet(&self) -> bool {
        self.workers <= self.waiting && !self.busy
    }
}

/// Runs a pass, and returns the latest snapshot: a new one if the pass changed the store.
pub(super) fn run_pass(
    context: &mut PassContext<'_, '_>,
    mut snapshot: PassSnapshot,
) -> Result<(PassSnapshot, PassSummary), Error> {
    let mut pass = PassSummary::default();
    context.background.collect_finished();
    context.drive.crew.settle_starting(&snapshot);
    if advance_runs(context, &snapshot, &mut pass)? {
        // Our own commits do not wake the loop, so what was dispatched is started in this pass.
        snapshot = PassSnapshot::load(context.session, context.scope, context.cursor, context.options)?;
        // The next pass reports the new events.
        snapshot.events.clear();
        context.drive.crew.settle_starting(&snapshot);
    }
    start_workers(context, &snapshot, &mut pass)?;
    pass.retry_in = context.background.next_retry_in();
    pass.busy |= context.background.is_busy();
    pass.hopeless = context.background.hopeless_dispatch().map(str::to_owned);
    if pass.workers == 0 && context.drive.crew.has_children() {
        // A wrapper records its end shortly before it exits, and its exit does not wake the loop.
        pass.busy = true;
        pass.retry_in = Some(pass.retry_in.map_or(EXIT_POLL, |retry| retry.min(EXIT_POLL)));
    }
    Ok((snapshot, pass))
}

/// Resumes effects, enforces budgets, verifies, merges and dispatches; returns whether the store was changed.
fn advance_runs(
    context: &mut PassContext<'_, '_>,
    snapshot: &PassSnapshot,
    pass: &mut PassSummary,
) -> Result<bool, Error> {
    let PassContext { session, drive, background, branches, budgets, options, interrupts, .. } = context;
    if *interrupts > 1 {
        return Ok(false);
    }
    let mut usage = drive.crew.used_slots(snapshot, true);
    let mut changed = false;
    if snapshot.cooldowns.iter().any(|cooldown| cooldown.has_unrecorded_end(snapshot.now)) {
        record_ended_cooldowns(session)?;
        changed = true;
    }
    if options.starts {
        changed |= take_over_unclaimed(session, &mut drive.crew, snapshot, &mut usage)?;
    }
    budgets.begin_pass();
    for run in &snapshot.runs {
        let is_awaited = background.resume_pending_effects(run, snapshot.now);
        // Once interrupted, the supervisor waits for what runs, and not for what is tried again later.
        pass.busy |= is_awaited && *interrupts == 0;
        if !run.run.state.status().is_unfinished() {
            continue;
        }
        if branches.notice_moves(session, &run.run)
            || budgets.enforce_run_budget(session, &run.run, snapshot.now)?
        {
            changed = true;
            continue;
        }
        changed |= budgets.end_overdue_attempts(session, &run.run)?;
        background.verify_and_merge(run);
        if options.starts && run.run.state.status() == RunStatus::Open {
            let dispatch = RunDispatch::plan(&mut drive.crew, snapshot, run, background);
            let (dispatched, over_budget) =
                dispatch.dispatch_ready(session, &mut usage, background, &drive.who)?;
            changed |= dispatched;
            pass.over_budget = pass.over_budget.take().or(over_budget);
        }
    }
    Ok(changed)
}

/// Starts wrappers for unclaimed attempts, and counts what is running.
fn start_workers(
    context: &mut PassContext<'_, '_>,
    snapshot: &PassSnapshot,
    pass: &mut PassSummary,
) -> Result<(), Error> {
    let PassContext { session, drive, options, budgets, scope, interrupts, .. } = context;
    if *interrupts <= 1 {
        drive.crew.resume_answered(session, snapshot, scope)?;
    }
    pass.next = snapshot.next_timer;
    pass.limit = budgets.next_due();
    for run in &snapshot.runs {
        let counted = drive.crew.count_active(snapshot, run);
        pass.workers += counted.workers;
        pass.processes.extend(counted.processes);
        if !run.run.state.status().is_unfinished() {
            // A worker whose work was revoked needs a moment to exit.
            continue;
        }
        pass.waiting += counted.waiting;
        // An attempt whose worktree is not prepared has no worker yet.
        let is_prepare = |pending: &&PendingEffect| pending.effect.kind() == EffectKind::Prepare;
        let preparing = run.pending_effects.iter().filter(is_prepare).count();
        pass.others += counted.others.saturating_sub(preparing);
        let budget = &run.run.budget;
        let mut marks = budget.wall_time_marks(run.run.created_at);
        pass.limit = earliest(pass.limit, marks.find(|at| *at > snapshot.now));
        if options.starts {
            let started = drive.crew.start_wrappers(session, snapshot, run, &drive.programs, &drive.store)?;
            pass.workers += started;
            pass.busy |= started > 0;
        }
        pass.next = earliest(pass.next, run.next_retry);
        let retries = run.pending_effects.iter().filter_map(|effect| effect.retries.retry_at);
        pass.next = earliest(pass.next, retries.filter(|at| *at > snapshot.now).min());
    }
    let cooldown_end = snapshot.active_cooldowns().filter_map(|cooldown| cooldown.until).min();
    pass.next = earliest(pass.next, cooldown_end);
    Ok(())
}

pub(super) fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}

/// A decision to stop.
pub(super) enum StopDecision {
    /// The runs are finished, or the listener no longer reads.
    Finished,
    /// Another reason applies.
    Early(StopReason),
}

impl StopDecision {
    pub(super) fn into_reason(self) -> Option<StopReason> {
        match self {
            Self::Finished => None,
            Self::Early(reason) => Some(reason),
        }
    }
}

/// Decides whether the supervisor stops after a pass.
pub(super) fn decide_stop(
    drive: &DriveConfig<'_>,
    snapshot: &PassSnapshot,
    pass: &PassSummary,
    pauses: &InitialPauses,
    interrupts: usize,
) -> Option<StopDecision> {
    let stop_if = |condition: bool, reason| condition.then_some(StopDecision::Early(reason));
    if interrupts > 0 {
        // The second interrupt ends the workers; operations that still run are left to the next process.
        let ends = match interrupts {
            1 => pass.is_quiet(),
            2 => pass.workers <= pass.waiting,
            _ => true,
        };
        return stop_if(ends, StopReason::Interrupted);
    }
    let runs = || snapshot.runs.iter().map(|run| &run.run);
    if runs().all(|run| !run.state.status().is_unfinished()) {
        // Operations that were requested before the end are completed.
        return (!pass.busy && pass.workers == 0).then_some(StopDecision::Finished);
    }
    if drive.once {
        return stop_if(!pass.busy || pass.workers > 0, StopReason::OnePass);
    }
    if !pass.is_quiet() {
        return None;
    }
    if drive.until == DriveUntil::Idle && pass.next.is_none() {
        return stop_if(true, StopReason::Idle);
    }
    let is_automatic = |run: &&Run| run.state.pause_reason().is_some_and(|reason| !reason.is_requested());
    let paused = runs().find(is_automatic).and_then(StopReason::of_pause);
    if let Some(reason) = paused.or_else(|| pauses.stop_reason(snapshot)) {
        return stop_if(true, reason);
    }
    if pass.others > 0 || pass.next.is_some() {
        return None;
    }
    if let Some(over) = &pass.over_budget {
        let BudgetStop { run, message, next } = over.clone();
        return stop_if(true, StopReason::OverBudget { run, message, next });
    }
    if let Some(run) = drive.crew.find_run_without_worker(snapshot) {
        return stop_if(true, StopReason::NoWorker { run });
    }
    // A worker that waits for an answer will continue; nothing else will.
    let is_stuck = |run: &&RunSnapshot| {
        run.waits_for_stuck_operation() || (pass.hopeless.is_some() && !run.ready.is_empty())
    };
    let run = snapshot.runs.iter().find(is_stuck)?;
    let reason = StopReason::Stuck { run: run.run.name.clone(), message: pass.hopeless.clone() };
    stop_if(pass.waiting == 0, reason)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use orch_core::effect::Effect;
    use orch_core::id::ThreadId;
    use orch_core::operation_failure::{OperationFailure, OperationFaultCause};
    use orch_core::time::TimeSpan;
    use orch_core::worker::Worker;
    use orch_process::{ProcessIdentity, host_id};
    use orch_profile::ProfileRegistry;
    use orch_scheduler::perform::check_settings::CheckSettings;
    use orch_store::TxEnd;
    use orch_store::driver::WriteDurability;
    use orch_store::table::{effect, worker};
    use orch_testkit::TestSession;
    use orch_testkit::test_session::{default_policy, parse_slug};

    use super::super::config::ListenerResponse;
    use super::super::reaper::reap_orphaned_workers;
    use super::super::wake_counter::WakeCounter;
    use super::super::worker_pool::{ProfileSlots, WorkerPool};
    use super::*;
    use crate::wrapper::ProgramPaths;

    /// The ceiling for a pass in which nothing changes.
    const STATEMENTS_MAX: u64 = 15;

    fn live_worker(thread: ThreadId, now: Time) -> Worker {
        Worker {
            thread,
            agent: parse_slug("crew"),
            host: host_id().to_owned(),
            process: ProcessIdentity::of_current_process().to_string(),
            tag: "tag".to_owned(),
            profile: Some(parse_slug("crew")),
            log: "/logs/worker.log".to_owned(),
            grace: TimeSpan::from_seconds(10),
            session: None,
            started_at: now,
            output_at: None,
            commit_at: None,
            silent: false,
            activity: None,
            report: None,
            end: None,
        }
    }

    /// Counts the statements of a pass in which nothing changes, with so many live workers and as many ready tasks.
    fn count_statements(workers: usize) -> u64 {
        let mut test = TestSession::new();
        test.make_run("r", default_policy()).unwrap();
        let keys: Vec<String> = (0..workers * 2).map(|number| format!("k{number}")).collect();
        test.add_tasks("r", &keys.iter().map(String::as_str).collect::<Vec<_>>());
        for key in &keys[..workers] {
            let thread = test.start_task(&format!("r/{key}"), "crew").unwrap().thread;
            let row = |now| live_worker(thread, now);
            let write = test.session.write(WriteDurability::Process, |tx, now| {
                worker::upsert(tx, &row(now))?;
                Ok(TxEnd::Commit(()))
            });
            write.unwrap();
        }
        let slots =
            ProfileSlots { profile: parse_slug("crew"), reference: "crew".to_owned(), limit: workers };
        let mut drive = DriveConfig {
            open: Arc::new(|| unreachable!("nothing runs in the background")),
            store: String::new(),
            who: test.lead.clone(),
            run: Some(parse_slug("r")),
            crew: WorkerPool::new(vec![slots], workers, ProfileRegistry::default()),
            until: DriveUntil::Finished,
            once: false,
            waits_for_resumption: true,
            no_check_cache: false,
            merge_check_jobs: 2,
            programs: ProgramPaths { inbox: "/none".into(), orch: "/none".into() },
            stop: None,
            log: None,
            listen: &mut |_| ListenerResponse::Accepted,
        };
        let session = &mut test.session;
        let scope = DriveScope::resolve_runs(session, drive.run.as_ref()).unwrap();
        let wake = WakeCounter::default();
        let mut background = BackgroundWork::new(
            Arc::clone(&drive.open),
            drive.who.clone(),
            CheckSettings::default(),
            wake.clone(),
        );
        let (mut branches, mut budgets) = (BranchWatch::default(), BudgetWatch::default());
        let options = SnapshotOptions { starts: true, workers, limits_labels: false };
        let mut run = |session: &mut Session| {
            let before = session.statement_counts();
            wake.take_snapshot(session).unwrap();
            let snapshot = PassSnapshot::load(session, &scope, scope.begin, options).unwrap();
            assert!(!reap_orphaned_workers(session, &scope, &snapshot.live).unwrap());
            let mut context = PassContext {
                session,
                drive: &mut drive,
                scope: &scope,
                background: &mut background,
                branches: &mut branches,
                budgets: &mut budgets,
                options,
                cursor: scope.begin,
                interrupts: 0,
            };
            let (snapshot, pass) = run_pass(&mut context, snapshot).unwrap();
            assert_eq!((pass.workers, pass.others), (workers, 0));
            assert!(decide_stop(&drive, &snapshot, &pass, &InitialPauses::default(), 0).is_none());
            (session.statement_counts() - before).statements
        };
        // The first pass reconciles what the workers claimed.
        run(session);
        run(session)
    }

    /// A removal that fails whenever it is tried is due after 1, 10 and 60 seconds, and then never again.
    #[test]
    fn a_failing_operation_is_due_by_its_delays() {
        let mut test = TestSession::new();
        let run = test.make_run("r", default_policy()).unwrap().id;
        let begin = test.session.clock_now();
        let insert = test.session.write(WriteDurability::Process, |tx, now| {
            effect::insert(tx, run, &Effect::SweepWorktrees, now)?;
            Ok(TxEnd::Commit(()))
        });
        insert.unwrap();
        let scope = DriveScope::resolve_runs(&mut test.session, Some(&parse_slug("r"))).unwrap();
        let options = SnapshotOptions { starts: false, workers: 0, limits_labels: false };
        let failure = OperationFailure {
            cause: OperationFaultCause::Other,
            message: "It failed.".to_owned(),
            command: None,
            exit_status: None,
            last_lines: Vec::new(),
            path: None,
        };
        let mut tried = Vec::new();
        for _ in 0..200 {
            let snapshot = PassSnapshot::load(&mut test.session, &scope, scope.begin, options).unwrap();
            let pending = snapshot.runs[0].pending_effects[0].clone();
            if pending.retries.is_due(snapshot.now) {
                tried.push((snapshot.now - begin).0 / 1_000);
                let save = test.session.write(WriteDurability::Process, |tx, now| {
                    let (after, _) = pending.retries.after_failure(failure.clone(), now);
                    effect::save_failure(tx, pending.id, pending.lease_number, &after)?;
                    Ok(TxEnd::Commit(()))
                });
                save.unwrap();
            }
            test.clock().advance(TimeSpan::from_seconds(1));
        }
        assert_eq!(tried, [0, 1, 11, 71]);
    }

    #[test]
    fn the_statements_of_a_pass_do_not_grow_with_the_workers() {
        let (one, many) = (count_statements(1), count_statements(30));
        assert_eq!(one, many);
        assert!(many <= STATEMENTS_MAX, "{many}");
    }
}
