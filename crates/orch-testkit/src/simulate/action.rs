//! What somebody may ask for, as data: drawn at random, given to the product and to the oracle alike.

use super::oracle::{ClaimAction, OracleEdit, OracleModel, OracleRunState, OracleTask, PlanLine, UnixMillis};
use crate::seeded_rng::SeededRng;

/// The names of all runs.
pub(crate) const RUNS: [&str; 2] = ["one", "two"];

/// The keys of all tasks that are not made.
pub(crate) const KEYS: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// Workers, each with a queue of its own name; `crew` is a queue that all share.
pub(crate) const WORKERS: [&str; 3] = ["u", "v", "w"];

const QUEUES: [&str; 4] = ["u", "v", "w", "crew"];
const TEXTS: [&str; 2] = ["It works.", "It works well."];
const QUESTIONS: [&str; 3] = ["Left?", "Right?", "Up?"];

/// A thread and a token, which may not belong to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PresentedToken {
    pub(crate) thread: usize,
    pub(crate) token: usize,
}

/// A task that may not be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedTask {
    pub(crate) run: usize,
    pub(crate) key: &'static str,
}

/// What looks at the store and asks for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReadQuery {
    /// `orch task show`, and all that `orch` reads besides.
    Task(NamedTask),
    Status(usize),
    Ready(usize),
    Blocked,
    Wait,
    /// `inbox list` and the rest of the transport's reading.
    Threads,
    Thread(usize),
}

/// One step of somebody.
#[derive(Clone, Debug)]
pub(crate) enum SimulatedAction {
    /// Time passes, or the clock is set back.
    AdvanceClock(UnixMillis),
    Query(ReadQuery),
    Send {
        to: &'static str,
        priority: u8,
        lease: UnixMillis,
    },
    Note {
        thread: usize,
    },
    Claim(ClaimAction),
    Renew(PresentedToken),
    Progress {
        held: PresentedToken,
        text: &'static str,
    },
    Ask {
        held: PresentedToken,
        text: &'static str,
        default_after: Option<Option<UnixMillis>>,
    },
    Reply {
        thread: usize,
    },
    Done {
        held: PresentedToken,
        text: &'static str,
    },
    Fail {
        held: PresentedToken,
        text: &'static str,
        last: bool,
    },
    Release(PresentedToken),
    CancelThread {
        thread: usize,
    },
    AddTask {
        run: usize,
        key: Option<&'static str>,
        after: Vec<&'static str>,
        new: OracleTask,
    },
    Plan {
        run: usize,
        lines: Vec<PlanLine>,
        update: bool,
        dry_run: bool,
        new: OracleTask,
    },
    AddDependencies {
        task: NamedTask,
        on: Vec<&'static str>,
    },
    RemoveDependency {
        task: NamedTask,
        on: &'static str,
    },
    EditTask {
        task: NamedTask,
        edit: OracleEdit,
    },
    EditRun {
        run: usize,
        max_active: Option<u32>,
        max_attempts: u32,
    },
    CancelTask(NamedTask),
    Retry(NamedTask),
    Recall(NamedTask),
    Tell(NamedTask),
    Answer(NamedTask),
    Dispatch {
        task: NamedTask,
        to: Option<&'static str>,
    },
    DispatchAll {
        run: Option<usize>,
        to: Vec<&'static str>,
        limit: usize,
    },
    Reconcile {
        run: Option<usize>,
        dry_run: bool,
    },
    Pause(usize),
    Resume(usize),
    CancelRun(usize),
}

macro_rules! kinds {
    ($($pattern:pat => $name:literal,)*) => {
        /// The kinds of action, as reports count them.
        pub const KINDS: &[&str] = &[$($name),*];

        impl SimulatedAction {
            /// The name of the kind of action.
            pub(crate) fn kind_name(&self) -> &'static str {
                match self {
                    $($pattern => $name,)*
                }
            }
        }
    };
}

kinds! {
    Self::AdvanceClock(_) => "pass",
    Self::Query(_) => "look",
    Self::Send { .. } => "send",
    Self::Note { .. } => "note",
    Self::Claim(_) => "claim",
    Self::Renew(_) => "renew",
    Self::Progress { .. } => "progress",
    Self::Ask { .. } => "ask",
    Self::Reply { .. } => "reply",
    Self::Done { .. } => "done",
    Self::Fail { .. } => "fail",
    Self::Release(_) => "release",
    Self::CancelThread { .. } => "cancel thread",
    Self::AddTask { .. } => "task add",
    Self::Plan { .. } => "plan",
    Self::AddDependencies { .. } => "dep add",
    Self::RemoveDependency { .. } => "dep rm",
    Self::EditTask { .. } => "task edit",
    Self::EditRun { .. } => "run edit",
    Self::CancelTask(_) => "task cancel",
    Self::Retry(_) => "task retry",
    Self::Recall(_) => "recall",
    Self::Tell(_) => "tell",
    Self::Answer(_) => "answer",
    Self::Dispatch { .. } => "dispatch",
    Self::DispatchAll { .. } => "dispatch --all",
    Self::Reconcile { .. } => "reconcile",
    Self::Pause(_) => "pause",
    Self::Resume(_) => "resume",
    Self::CancelRun(_) => "run cancel",
}

/// Draws what happens next, mostly what makes sense.
pub(crate) struct ActionGenerator<'a> {
    pub(crate) chance: &'a mut SeededRng,
    pub(crate) model: &'a OracleModel,
}

impl ActionGenerator<'_> {
    /// The tasks that both runs begin with.
    pub(crate) fn initial_actions(&mut self) -> Vec<SimulatedAction> {
        let mut orders = Vec::new();
        for (run, size) in [(0, 7), (1, 4)] {
            for place in 0..size {
                let after = self.chance.number_below(3).min(place);
                let after = (0..after).map(|_| KEYS[self.chance.number_below(place)]).collect();
                orders.push(SimulatedAction::AddTask {
                    run,
                    key: Some(KEYS[place]),
                    after,
                    new: self.draw_task_template(),
                });
            }
        }
        orders
    }

    /// The next order.
    pub(crate) fn next_action(&mut self) -> SimulatedAction {
        match self.chance.number_below(100) {
            0..=7 => self.draw_pause(),
            8..=13 => self.draw_query(),
            14..=30 => self.draw_dispatch(),
            31..=42 => self.draw_planning(),
            43..=47 => self.running_process(),
            48..=66 => self.draw_claim(),
            67..=71 => self.draw_send(),
            _ => self.draw_holder_write(),
        }
    }

    fn pick_from<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.chance.number_below(from.len())]
    }

    fn draw_pause(&mut self) -> SimulatedAction {
        SimulatedAction::AdvanceClock(match self.chance.number_below(12) {
            // Beyond every lease; now and then beyond every delay.
            0 => 3_600_000,
            1 | 2 => 26_000,
            3 => 11_000,
            4 => -5_000,
            _ => 2_000,
        })
    }

    fn draw_query(&mut self) -> SimulatedAction {
        let run = self.draw_run();
        SimulatedAction::Query(match self.chance.number_below(8) {
            0 | 1 => ReadQuery::Task(self.draw_task()),
            2 => ReadQuery::Status(run),
            3 => ReadQuery::Ready(run),
            4 => ReadQuery::Blocked,
            5 => ReadQuery::Wait,
            6 => ReadQuery::Threads,
            _ => ReadQuery::Thread(self.draw_thread()),
        })
    }

    fn draw_run(&mut self) -> usize {
        // The first run gets most of the work.
        usize::from(self.chance.is_within_percent(25))
    }

    fn draw_key(&mut self) -> &'static str {
        self.pick_from(&KEYS)
    }

    fn draw_task(&mut self) -> NamedTask {
        NamedTask { run: self.draw_run(), key: self.draw_key() }
    }

    /// A task in one of these states, where there is one.
    fn draw_task_in(&mut self, states: &[&str]) -> NamedTask {
        let mut fitting = Vec::new();
        for (run, found) in self.model.runs.iter().enumerate() {
            for key in KEYS {
                if found.task_index(key).is_some_and(|task| states.contains(&found.task_state(task))) {
                    fitting.push(NamedTask { run, key });
                }
            }
        }
        let any = self.draw_task();
        if self.chance.is_within_percent(20) {
            any
        } else {
            self.chance.pick(&fitting).copied().unwrap_or(any)
        }
    }

    /// A thread of now; rarely one that is not there.
    fn draw_thread(&mut self) -> usize {
        let all = self.model.threads.len();
        if self.chance.is_within_percent(5) {
            return all;
        }
        let recent = if self.chance.is_within_percent(70) { all.saturating_sub(5) } else { 0 };
        recent + self.chance.number_below(all - recent)
    }

    /// A thread with the token of its holder; sometimes an old token, or that of another thread.
    fn draw_token(&mut self) -> PresentedToken {
        let live: Vec<PresentedToken> = self
            .model
            .threads
            .iter()
            .enumerate()
            .filter_map(|(thread, found)| {
                Some(PresentedToken { thread, token: found.state.current_lease()?.token })
            })
            .collect();
        let token = self.chance.number_below(self.model.tokens.len());
        let old =
            PresentedToken { thread: self.model.tokens.get(token).map_or(0, |token| token.thread), token };
        match self.chance.number_below(20) {
            0 => PresentedToken { thread: self.draw_thread(), token },
            1 | 2 => old,
            _ => self.chance.pick(&live).copied().unwrap_or(old),
        }
    }

    fn draw_task_template(&mut self) -> OracleTask {
        OracleTask {
            key: String::new(),
            born: 0,
            priority: self.pick_from(&[0, 1, 2, 2, 4]),
            agent: self.pick_from(&[None, Some("u"), Some("crew")]),
            max_attempts: self.pick_from(&[None, None, Some(1)]),
            after: std::collections::BTreeSet::new(),
            base: super::oracle::OwnTaskState::Free,
            failures: 0,
            losses: 0,
            not_before: None,
            attempts: Vec::new(),
        }
    }

    fn draw_dependencies(&mut self) -> Vec<&'static str> {
        (0..self.chance.number_below(3)).map(|_| self.draw_key()).collect()
    }

    fn draw_planning(&mut self) -> SimulatedAction {
        let task = self.draw_task();
        match self.chance.number_below(12) {
            0 | 1 => {
                let key = Some(task.key).filter(|_| self.chance.is_within_percent(80));
                SimulatedAction::AddTask {
                    run: task.run,
                    key,
                    after: self.draw_dependencies(),
                    new: self.draw_task_template(),
                }
            }
            2 => {
                let key =
                    |draw: &mut Self| Some(draw.draw_key()).filter(|_| draw.chance.is_within_percent(80));
                let lines = (0..1 + self.chance.number_below(4))
                    .map(|_| PlanLine { key: key(self), after: self.draw_dependencies() })
                    .collect();
                let (update, dry_run) =
                    (self.chance.is_within_percent(60), self.chance.is_within_percent(20));
                SimulatedAction::Plan {
                    run: task.run,
                    lines,
                    update,
                    dry_run,
                    new: self.draw_task_template(),
                }
            }
            3 | 4 => {
                let on = (0..1 + self.chance.number_below(2)).map(|_| self.draw_key()).collect();
                SimulatedAction::AddDependencies {
                    task: self.draw_task_in(&["waiting", "ready", "skipped"]),
                    on,
                }
            }
            5 | 6 => {
                let task = self.draw_task_in(&["waiting", "skipped"]);
                let run = &self.model.runs[task.run];
                let after: Vec<&str> = KEYS
                    .into_iter()
                    .filter(|key| {
                        let on = run.task_index(key);
                        run.task_index(task.key)
                            .zip(on)
                            .is_some_and(|(task, on)| run.tasks[task].after.contains(&on))
                    })
                    .collect();
                let any = self.draw_key();
                SimulatedAction::RemoveDependency {
                    task,
                    on: self.chance.pick(&after).copied().unwrap_or(any),
                }
            }
            7 => {
                let edit = match self.chance.number_below(2) {
                    0 => OracleEdit::Priority(self.pick_from(&[0, 1, 3])),
                    _ => OracleEdit::MaxAttempts(self.pick_from(&[1, 2, 3])),
                };
                SimulatedAction::EditTask { task, edit }
            }
            8 => SimulatedAction::CancelTask(task),
            _ => SimulatedAction::Retry(self.draw_task_in(&["failed", "cancelled"])),
        }
    }

    fn running_process(&mut self) -> SimulatedAction {
        let run = self.draw_run();
        match self.chance.number_below(24) {
            0..=3 => SimulatedAction::Pause(run),
            4..=9 => SimulatedAction::Resume(run),
            10..=12 => {
                let max_active = self.pick_from(&[None, Some(1), Some(2), Some(4)]);
                SimulatedAction::EditRun { run, max_active, max_attempts: self.pick_from(&[1, 2, 3]) }
            }
            // Rarely, since nothing begins in that run afterwards.
            13 if self.chance.is_within_percent(50) => SimulatedAction::CancelRun(run),
            _ => SimulatedAction::Reconcile {
                run: self.pick_from(&[None, None, Some(run)]),
                dry_run: self.chance.is_within_percent(30),
            },
        }
    }

    fn draw_dispatch(&mut self) -> SimulatedAction {
        let to = self.pick_from(&[None, Some("u"), Some("crew"), Some("w")]);
        match self.chance.number_below(14) {
            0..=4 => {
                let unfinished = |run: &super::oracle::OracleRun| {
                    matches!(run.state, OracleRunState::Open | OracleRunState::Paused)
                };
                // Without an unfinished run the newest is meant, which the oracle does not know.
                let some = self.model.runs.iter().any(unfinished);
                let run = Some(self.draw_run()).filter(|_| !some || self.chance.is_within_percent(50));
                let to = self.pick_from(&[&QUEUES[..2], &QUEUES[3..], &QUEUES[1..], &[]]).to_vec();
                SimulatedAction::DispatchAll { run, to, limit: 1 + self.chance.number_below(3) }
            }
            5..=9 => SimulatedAction::Dispatch { task: self.draw_task_in(&["ready"]), to },
            10 => SimulatedAction::Recall(self.draw_task_in(&["dispatched", "running", "blocked"])),
            11 => SimulatedAction::Tell(self.draw_task_in(&["running", "blocked"])),
            _ => SimulatedAction::Answer(self.draw_task_in(&["blocked", "running"])),
        }
    }

    fn draw_claim(&mut self) -> SimulatedAction {
        let holder = self.pick_from(&WORKERS);
        let any = self.draw_thread();
        let (again, thread) = match self.chance.number_below(12) {
            0 => (true, Some(self.draw_token().thread)),
            1 | 2 => (false, Some(any)),
            _ => (false, None),
        };
        let any = self.pick_from(&QUEUES);
        let offered: Vec<&str> = self
            .model
            .threads
            .iter()
            .filter(|found| found.state.name() == "queued")
            .map(|found| found.to)
            .collect();
        let queue =
            self.chance.pick(&offered).copied().filter(|_| self.chance.is_within_percent(85)).unwrap_or(any);
        let lease = self.pick_from(&[None, None, Some(40_000)]);
        SimulatedAction::Claim(ClaimAction { queue, holder, thread, lease, again })
    }

    fn draw_send(&mut self) -> SimulatedAction {
        let thread = self.draw_thread();
        match self.chance.number_below(6) {
            0 | 1 => {
                let (to, priority) = (self.pick_from(&QUEUES), self.pick_from(&[1, 2, 3]));
                SimulatedAction::Send { to, priority, lease: self.pick_from(&[8_000, 20_000]) }
            }
            2 => SimulatedAction::Note { thread },
            3 | 4 => {
                let asking = (0..self.model.threads.len())
                    .filter(|thread| self.model.threads[*thread].state.name() == "blocked");
                let asking: Vec<usize> = asking.collect();
                SimulatedAction::Reply { thread: self.chance.pick(&asking).copied().unwrap_or(thread) }
            }
            _ => SimulatedAction::CancelThread { thread },
        }
    }

    fn draw_holder_write(&mut self) -> SimulatedAction {
        let held = self.draw_token();
        let text = self.pick_from(&TEXTS);
        match self.chance.number_below(24) {
            0 | 1 => SimulatedAction::Renew(held),
            2..=4 => SimulatedAction::Progress { held, text },
            5..=9 => {
                let default_after = self.pick_from(&[None, None, Some(None), Some(Some(5_000))]);
                SimulatedAction::Ask { held, text: self.pick_from(&QUESTIONS), default_after }
            }
            10..=12 => SimulatedAction::Release(held),
            13..=16 => SimulatedAction::Fail { held, text, last: self.chance.is_within_percent(20) },
            _ => SimulatedAction::Done { held, text },
        }
    }
}
