//! What takes long is done beside the loop, each in a thread with a session of its own: making worktrees, running
//! checks, merging. What is under way here is not begun again; what another process does is waited for there.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_core::id::{AttemptId, EffectId, RunId, Slug, TaskId};
use orch_core::refusal::{Refusal, TreeRefusal};
use orch_core::run::{DoneWhen, Run, RunStatus};
use orch_core::task::{ChecksStatus, Task, TaskState};
use orch_store::table::{effect, task as task_table};

use super::{SessionOpener, WakeCounter};
use orch_git::GitError;
use orch_inbox::{Error, Session};
use orch_scheduler::perform::{self, effect_lease};
use orch_scheduler::{TaskSelector, dispatch, integrate, verify};

/// Something that takes long.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum BackgroundOperation {
    /// Making the worktree of an attempt at a task.
    Dispatch(TaskId),
    /// Running the checks of an attempt.
    Verify(AttemptId),
    /// Merging what is good.
    Integrate(RunId),
    /// What somebody left undone, or could not be done when it was to be.
    PendingEffect(EffectId, RunId),
}

/// The chores under way.
pub struct BackgroundWork {
    open: SessionOpener,
    who: Slug,
    under_way: BTreeMap<BackgroundOperation, JoinHandle<()>>,
    /// What could not be done lately.
    resting: BTreeMap<BackgroundOperation, RetryBackoff>,
    done: Receiver<(BackgroundOperation, OperationOutcome)>,
    tell: Sender<(BackgroundOperation, OperationOutcome)>,
    notes: Vec<String>,
    news: WakeCounter,
}

/// A chore that is let be.
#[derive(Clone, Copy, Debug)]
struct RetryBackoff {
    until: Instant,
    tries: u32,
    /// Whether somebody was at the same thing, which ends by itself.
    busy: bool,
}

/// What came of a chore.
enum OperationOutcome {
    /// It is done, or not to be done any more.
    Done,
    /// Somebody is at the same thing, for a moment.
    Busy,
    /// It failed, in words.
    Failed(String),
}

/// How long a chore that failed is let be, at first.
const REST: Duration = Duration::from_secs(2);

/// How long one is let be that met somebody at the same thing, at first.
const MOMENT: Duration = Duration::from_millis(50);

/// How many doublings that grows by.
const RESTS_MAX: u32 = 6;

/// How often a finished run is still kept waiting for what cannot be done.
const PATIENCE: u32 = 3;

impl BackgroundWork {
    pub(super) fn new(open: SessionOpener, who: Slug, news: WakeCounter) -> Self {
        let (tell, done) = channel();
        let (under_way, resting) = (BTreeMap::new(), BTreeMap::new());
        Self { open, who, under_way, resting, done, tell, notes: Vec::new(), news }
    }

    /// Whether any is under way, or will be tried again by itself.
    pub(super) fn is_busy(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// How many worktrees are being made.
    pub(super) fn dispatch_count(&self) -> usize {
        self.under_way.keys().filter(|chore| matches!(chore, BackgroundOperation::Dispatch(_))).count()
    }

    /// Whether the worktree of a task's next attempt is being made.
    pub(super) fn is_dispatching(&self, task: TaskId) -> bool {
        self.under_way.contains_key(&BackgroundOperation::Dispatch(task))
    }

    /// What went wrong since this was asked, for people.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Takes in what is done.
    pub(super) fn collect_finished(&mut self) {
        while let Ok((chore, came)) = self.done.try_recv() {
            if let Some(thread) = self.under_way.remove(&chore) {
                // It has said its last word.
                let _ = thread.join();
            }
            let tries = self.resting.get(&chore).map_or(0, |rest| rest.tries);
            let longer = 2_u32.pow(tries.min(RESTS_MAX));
            let (rest, busy) = match came {
                OperationOutcome::Done => {
                    self.resting.remove(&chore);
                    continue;
                }
                OperationOutcome::Busy => (MOMENT * longer, true),
                OperationOutcome::Failed(said) => {
                    self.notes.push(said);
                    (REST * longer, false)
                }
            };
            self.resting.insert(chore, RetryBackoff { until: Instant::now() + rest, tries: tries + 1, busy });
        }
    }

    /// Waits for everything that is under way.
    pub(super) fn join_all(&mut self) {
        for (_, thread) in std::mem::take(&mut self.under_way) {
            let _ = thread.join();
        }
    }

    /// Begins a chore, unless it is under way or let be.
    fn start_operation(
        &mut self,
        chore: BackgroundOperation,
        work: impl FnOnce(&mut Session, &Slug) -> Result<(), Error> + Send + 'static,
    ) -> bool {
        let rests = self.resting.get(&chore).is_some_and(|rest| Instant::now() < rest.until);
        if rests || self.under_way.contains_key(&chore) {
            return false;
        }
        let (open, who, tell, own) =
            (std::sync::Arc::clone(&self.open), self.who.clone(), self.tell.clone(), chore.clone());
        let news = self.news.clone();
        let run = move || {
            let mut folder = None;
            let result = open().and_then(|mut session| {
                folder = Some(session.store_folder().to_owned());
                let done = work(&mut session, &who);
                session.checkpoint_if_due();
                done
            });
            let came = match result {
                Ok(()) => OperationOutcome::Done,
                Err(
                    Error::Git(GitError::Busy)
                    | Error::Refused(Refusal::Tree(TreeRefusal::HeldElsewhere { .. })),
                ) => OperationOutcome::Busy,
                // Said by an event of its own already.
                Err(Error::Refused(Refusal::Tree(TreeRefusal::ChecksFailed { .. }))) => {
                    OperationOutcome::Done
                }
                // Somebody else was faster, or it is not to be done any more.
                Err(Error::Refused(
                    Refusal::TaskNotReady { .. }
                    | Refusal::AttemptLive { .. }
                    | Refusal::AttemptNotFound { .. }
                    | Refusal::TaskFinished { .. }
                    | Refusal::CapacityReached { .. },
                )) => OperationOutcome::Done,
                Err(error) => OperationOutcome::Failed(error.describe()),
            };
            // Whoever waits for it may be gone.
            let _ = tell.send((own, came));
            if let Some(folder) = folder {
                news.wake_loop(&folder);
            }
        };
        match std::thread::Builder::new().name("chore".to_owned()).spawn(run) {
            Ok(thread) => {
                self.under_way.insert(chore, thread);
                true
            }
            Err(_) => false,
        }
    }

    /// Makes a worktree for a task and sends it to an agent.
    pub(super) fn start_dispatch(&mut self, task: &Task, to: Slug) -> bool {
        let wanted = TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() };
        self.start_operation(BackgroundOperation::Dispatch(task.id), move |session, who| {
            dispatch::dispatch_task(session, None, who, &wanted, Some(&to)).map(|_| ())
        })
    }

    /// When the first chore that is let be may be tried again, from now.
    pub(super) fn next_retry_in(&self) -> Option<Duration> {
        let now = Instant::now();
        self.resting.values().map(|rest| rest.until.saturating_duration_since(now)).min()
    }

    /// Goes on with what was left undone in a run; says whether something is worth waiting for.
    pub(super) fn resume_pending_effects(
        &mut self,
        session: &mut Session,
        run: RunId,
    ) -> Result<bool, Error> {
        let left = session.read(|tx, now| {
            let mut effects = effect::list_pending(tx, Some(run))?;
            effects.retain(|effect| effect_lease::is_unheld(effect, now));
            Ok(effects)
        })?;
        // What was let be and has been done since, by whomever, is forgotten.
        self.resting.retain(|chore, _| match chore {
            BackgroundOperation::PendingEffect(id, of) => {
                *of != run || left.iter().any(|effect| effect.id == *id)
            }
            BackgroundOperation::Dispatch(_)
            | BackgroundOperation::Verify(_)
            | BackgroundOperation::Integrate(_) => true,
        });
        let mut worth = false;
        for effect in left {
            let chore = BackgroundOperation::PendingEffect(effect.id, run);
            let rest = self.resting.get(&chore);
            worth |= rest.is_none_or(|rest| rest.busy || rest.tries < PATIENCE);
            let key = effect.key();
            self.start_operation(chore, move |session, _| perform::complete_effect(session, key));
        }
        Ok(worth)
    }

    /// Judges and merges what was reported.
    pub(super) fn verify_and_merge(&mut self, session: &mut Session, run: &Run) -> Result<(), Error> {
        if run.ground.is_none() || run.counts.in_state(TaskState::Reported) == 0 {
            return Ok(());
        }
        let reported = session.read(|tx, _| {
            Ok(task_table::list_in_state(
                tx,
                run.id,
                TaskState::Reported,
                TaskId(0),
                orch_core::limit::LIST_DEFAULT,
            )?)
        })?;
        let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(1);
        let mut mergeable = false;
        for task in reported {
            let Some(last) = task.attempt else { continue };
            let to_verify = match task.checks {
                ChecksStatus::Pending => true,
                ChecksStatus::None => !run.rules.protect.is_empty(),
                ChecksStatus::Passed | ChecksStatus::Failed | ChecksStatus::Overridden => false,
            };
            if !to_verify {
                mergeable = true;
                continue;
            }
            let verifying =
                self.under_way.keys().filter(|chore| matches!(chore, BackgroundOperation::Verify(_))).count();
            if verifying < at_once {
                let wanted = TaskSelector { run: Some(task.name.run.clone()), key: task.name.key.clone() };
                self.start_operation(BackgroundOperation::Verify(last.id), move |session, who| {
                    verify::verify_task(session, None, who, &wanted).map(|_| ())
                });
            }
        }
        // Nothing is merged while a run is paused.
        let merges = run.state.status() == RunStatus::Open && run.policy.done_when == DoneWhen::Integrated;
        if mergeable && merges {
            let name = run.name.clone();
            self.start_operation(BackgroundOperation::Integrate(run.id), move |session, who| {
                integrate::integrate_run(session, None, who, Some(&name)).map(|_| ())
            });
        }
        Ok(())
    }
}
