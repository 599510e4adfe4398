//! Long operations in background threads: making worktrees, running checks, merging.
//!
//! Each thread has its own session. An operation that is running is not started again; if another process performs it,
//! the thread waits for that process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_core::effect::{EffectKey, EffectKind};
use orch_core::id::{AttemptId, EffectId, RunId, Slug, TaskId};
use orch_core::known_agents::KnownAgents;
use orch_core::operation_failure;
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{DoneWhen, RunStatus};
use orch_core::task::{ChecksStatus, Task};
use orch_core::time::Time;

use orch_git::GitError;
use orch_inbox::{Error, Session};
use orch_process::kill_descendants_in_own_group;
use orch_scheduler::dispatch::DispatchRecipient;
use orch_scheduler::perform::check_settings::CheckSettings;
use orch_scheduler::verify::{VerifyRequest, verify_attempt};
use orch_scheduler::{AttemptSelector, TaskSelector, dispatch, integrate, perform};

use super::config::SessionOpener;
use super::snapshot::RunSnapshot;
use super::wake_counter::WakeCounter;

/// A long operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum BackgroundOperation {
    /// Makes the worktree of a task's next attempt.
    Dispatch(TaskId),
    /// Runs the checks of an attempt.
    Verify(AttemptId),
    /// Merges verified attempts of a run.
    Integrate(RunId),
    /// Performs an effect that another process left undone, or that failed before.
    PendingEffect(EffectId, RunId),
}

/// The running operations, and those that failed without a record in the store.
///
/// A failure is recorded with its effect, which says when it is tried again.
/// Only where there is no effect yet, or the store cannot be written, the delay is kept here.
pub(super) struct BackgroundWork {
    open: SessionOpener,
    who: Slug,
    checks: CheckSettings,
    running: BTreeMap<BackgroundOperation, JoinHandle<()>>,
    /// The operations that failed, with the time before which they are not started again.
    failed: BTreeMap<BackgroundOperation, RetryBackoff>,
    /// When the pass began, by which delays are judged.
    now: Instant,
    finished: Receiver<(BackgroundOperation, OperationOutcome)>,
    sender: Sender<(BackgroundOperation, OperationOutcome)>,
    notes: Vec<String>,
    /// The messages of failures since the last success, each of which is reported once.
    told: BTreeSet<String>,
    wake: WakeCounter,
}

/// The delay before a failed operation is retried.
#[derive(Clone, Debug)]
struct RetryBackoff {
    until: Instant,
    tries: u32,
    /// Why it failed; `None` while another process performed the operation.
    message: Option<String>,
}

/// The outcome of an operation.
enum OperationOutcome {
    /// It succeeded, or is no longer needed.
    Done,
    /// Another process is performing it.
    Busy,
    /// It failed, with this message.
    Failed(String),
}

/// The first delay after another process was performing the operation.
const BUSY_DELAY: Duration = Duration::from_millis(50);

/// How often that delay doubles.
const DOUBLINGS_MAX: u32 = 6;

/// How many failures of an effect of an unfinished run keep a supervisor busy; later it waits as for a timer.
const FAILURES_AWAITED: u32 = 2;

/// How often a dispatch fails before a supervisor that has nothing else to do ends.
const TRIES_HOPELESS: u32 = 6;

/// How long the end of a supervisor waits for operations, once it was interrupted twice.
const ABANDON_AFTER: Duration = Duration::from_secs(5);

impl BackgroundWork {
    pub(super) fn new(open: SessionOpener, who: Slug, checks: CheckSettings, wake: WakeCounter) -> Self {
        let (sender, finished) = channel();
        let (running, failed) = (BTreeMap::new(), BTreeMap::new());
        let (notes, told, now) = (Vec::new(), BTreeSet::new(), Instant::now());
        Self { open, who, checks, running, failed, now, finished, sender, notes, told, wake }
    }

    /// Whether an operation is running.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Returns the number of worktrees that are being made.
    pub(super) fn dispatch_count(&self) -> usize {
        self.running.keys().filter(|operation| matches!(operation, BackgroundOperation::Dispatch(_))).count()
    }

    /// Whether the worktree of a task's next attempt is being made.
    pub(super) fn is_dispatching(&self, task: TaskId) -> bool {
        self.running.contains_key(&BackgroundOperation::Dispatch(task))
    }

    /// Returns why a dispatch has failed so often that nothing suggests it will succeed.
    pub(super) fn hopeless_dispatch(&self) -> Option<&str> {
        self.failed.iter().find_map(|(operation, backoff)| match operation {
            BackgroundOperation::Dispatch(_) if backoff.tries >= TRIES_HOPELESS => backoff.message.as_deref(),
            _ => None,
        })
    }

    /// Removes and returns the messages of failures.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Collects the outcomes of finished operations, at the beginning of a pass.
    pub(super) fn collect_finished(&mut self) {
        self.now = Instant::now();
        while let Ok((operation, outcome)) = self.finished.try_recv() {
            if let Some(thread) = self.running.remove(&operation) {
                // Sending the outcome was its last step.
                let _ = thread.join();
            }
            let tries = self.failed.get(&operation).map_or(0, |backoff| backoff.tries);
            let (delay, message) = match outcome {
                OperationOutcome::Done => {
                    self.failed.remove(&operation);
                    self.told.clear();
                    continue;
                }
                OperationOutcome::Busy => (BUSY_DELAY * 2_u32.pow(tries.min(DOUBLINGS_MAX)), None),
                OperationOutcome::Failed(message) => {
                    if self.told.insert(message.clone()) {
                        self.notes.push(message.clone());
                    }
                    let delay = operation_failure::backoff_delay(tries + 1).0;
                    (Duration::from_millis(u64::try_from(delay).unwrap_or(0)), Some(message))
                }
            };
            let backoff = RetryBackoff { until: self.now + delay, tries: tries + 1, message };
            self.failed.insert(operation, backoff);
        }
    }

    /// Waits a while for the running operations, then kills the programs that they run, and leaves them.
    pub(super) fn abandon_all(&mut self) {
        let mut killed = false;
        while !self.running.is_empty() {
            match self.finished.recv_timeout(ABANDON_AFTER) {
                Ok((operation, _)) => {
                    self.running.remove(&operation);
                }
                Err(_) if !killed => {
                    kill_descendants_in_own_group();
                    killed = true;
                }
                // The effect's lease is free as soon as this process has exited.
                Err(_) => return,
            }
        }
    }

    /// Waits for all running operations.
    pub(super) fn join_all(&mut self) {
        for (_, thread) in std::mem::take(&mut self.running) {
            let _ = thread.join();
        }
    }

    /// Starts an operation, unless it is running or its retry is not due; returns whether it was started.
    fn start_operation(
        &mut self,
        operation: BackgroundOperation,
        work: impl FnOnce(&mut Session, &Slug) -> Result<(), Error> + Send + 'static,
    ) -> bool {
        let is_delayed = self.failed.get(&operation).is_some_and(|backoff| self.now < backoff.until);
        if is_delayed || self.running.contains_key(&operation) {
            return false;
        }
        let (open, who, sender, own) =
            (std::sync::Arc::clone(&self.open), self.who.clone(), self.sender.clone(), operation.clone());
        let wake = self.wake.clone();
        let run = move || {
            let mut folder = None;
            let result = open().and_then(|mut session| {
                folder = Some(session.store_folder().to_owned());
                let result = work(&mut session, &who);
                session.checkpoint_if_due();
                result
            });
            // The receiver may have been dropped.
            let _ = sender.send((own, OperationOutcome::from_result(result)));
            if let Some(folder) = folder {
                wake.wake_loop(&folder);
            }
        };
        match std::thread::Builder::new().name("background".to_owned()).spawn(run) {
            Ok(thread) => {
                self.running.insert(operation, thread);
                true
            }
            Err(_) => false,
        }
    }

    /// Starts making a worktree for a task, which is then sent to an agent; returns whether it was started.
    pub(super) fn start_dispatch(&mut self, task: &Task, to: Slug, agents: KnownAgents) -> bool {
        let selector = selector_of(task);
        self.start_operation(BackgroundOperation::Dispatch(task.id), move |session, who| {
            let to = DispatchRecipient { to: Some(&to), agents: &agents };
            dispatch::dispatch_supervised(session, who, &selector, to)
        })
    }

    /// Returns the time until the first operation whose delay was not over when the pass began may be started.
    pub(super) fn next_retry_in(&self) -> Option<Duration> {
        // One whose delay was over has been started in this pass, or is no longer needed.
        let delayed = self.failed.values().filter(|backoff| backoff.until > self.now);
        delayed.map(|backoff| backoff.until.saturating_duration_since(self.now)).min()
    }

    /// Resumes the pending effects of a run that are due; returns whether the supervisor should wait for one of them.
    pub(super) fn resume_pending_effects(&mut self, run: &RunSnapshot, now: Time) -> bool {
        let id = run.run.id;
        // A failed effect that has been performed since, by any process, is forgotten.
        self.failed.retain(|operation, _| match operation {
            BackgroundOperation::PendingEffect(effect, of) => {
                *of != id || run.pending_effects.iter().any(|pending| pending.id == *effect)
            }
            BackgroundOperation::Dispatch(_)
            | BackgroundOperation::Verify(_)
            | BackgroundOperation::Integrate(_) => true,
        });
        let mut is_awaited = false;
        for effect in &run.pending_effects {
            // After the end of the run only a supervisor that waits can tell that an operation keeps failing.
            let is_hopeful = match run.run.state.status().is_unfinished() {
                true => effect.retries.failures < FAILURES_AWAITED,
                false => !effect.retries.is_stuck(),
            };
            is_awaited |= effect.retries.waits == 0 && is_hopeful;
            if effect.retries.is_due(now) {
                let operation = BackgroundOperation::PendingEffect(effect.id, id);
                let key = effect.key();
                let checks = CheckSettings { merge_jobs: self.checks.merge_jobs, ..CheckSettings::default() };
                self.start_operation(operation, move |session, _| {
                    perform::complete_effect_with(session, key, checks)
                });
            }
        }
        is_awaited
    }

    /// Verifies and merges reported attempts.
    pub(super) fn verify_and_merge(&mut self, run: &RunSnapshot) {
        let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(1);
        let checks = self.checks;
        let mut mergeable = false;
        let RunSnapshot { run, reported, pending_effects, .. } = run;
        // What is pending is resumed when it is due.
        let is_pending = |key: EffectKey| pending_effects.iter().any(|pending| pending.key() == key);
        for task in reported {
            let Some(last) = task.attempt else { continue };
            if is_pending(EffectKey::of_attempt(EffectKind::Verify, run.id, last.id)) {
                continue;
            }
            let to_verify = match task.checks {
                ChecksStatus::Pending => true,
                ChecksStatus::None => !run.rules.protect.is_empty(),
                ChecksStatus::Passed | ChecksStatus::Failed | ChecksStatus::Overridden => false,
            };
            if !to_verify {
                mergeable = true;
                continue;
            }
            let is_check =
                |operation: &&BackgroundOperation| matches!(operation, BackgroundOperation::Verify(_));
            if self.running.keys().filter(is_check).count() < at_once {
                let selector = AttemptSelector { task: selector_of(task), number: None };
                self.start_operation(BackgroundOperation::Verify(last.id), move |session, who| {
                    let request = VerifyRequest { attempt: selector, again: false, reuse: checks.reuse };
                    verify_attempt(session, None, who, &request).map(|_| ())
                });
            }
        }
        // A paused run merges nothing.
        let merges = run.state.status() == RunStatus::Open
            && run.policy.done_when == DoneWhen::Integrated
            && !is_pending(EffectKey::of_run(EffectKind::Integrate, run.id));
        if mergeable && merges {
            let name = run.name.clone();
            self.start_operation(BackgroundOperation::Integrate(run.id), move |session, who| {
                integrate::integrate_run(session, None, who, Some(&name), checks, false).map(|_| ())
            });
        }
    }
}

impl OperationOutcome {
    fn from_result(result: Result<(), Error>) -> Self {
        match result {
            // An event already reports failed checks. The other refusals mean that another process acted first, or
            // that the operation is no longer needed.
            Ok(())
            | Err(Error::Refused(
                Refusal::Tree(TreeRefusal::ChecksFailed { .. } | TreeRefusal::BranchMoved { .. })
                | Refusal::TaskNotReady { .. }
                | Refusal::AttemptLive { .. }
                | Refusal::AttemptNotFound { .. }
                | Refusal::TaskFinished { .. }
                | Refusal::CapacityReached { .. },
            )) => Self::Done,
            Err(
                Error::Git(GitError::Busy) | Error::Refused(Refusal::Tree(TreeRefusal::HeldElsewhere { .. })),
            ) => Self::Busy,
            Err(error) => Self::Failed(error.describe()),
        }
    }
}

fn selector_of(task: &Task) -> TaskSelector {
    TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() }
}
