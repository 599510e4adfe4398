//! What somebody may ask for, as data: drawn at random, given to the product and to the oracle alike.

use super::model::{Claim, Edit, Line, Millis, Model, RunState, Task};
use crate::chance::Chance;

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
pub(crate) struct Held {
    pub(crate) thread: usize,
    pub(crate) token: usize,
}

/// A task that may not be there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) run: usize,
    pub(crate) key: &'static str,
}

/// What looks at the store and asks for nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// `orch task show`, and all that `orch` reads besides.
    Task(Named),
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
pub(crate) enum Order {
    /// Time passes, or the clock is set back.
    Pass(Millis),
    Look(Look),
    Send {
        to: &'static str,
        priority: u8,
        lease: Millis,
    },
    Note {
        thread: usize,
    },
    Claim(Claim),
    Renew(Held),
    Progress {
        held: Held,
        text: &'static str,
    },
    Ask {
        held: Held,
        text: &'static str,
        default_after: Option<Option<Millis>>,
    },
    Reply {
        thread: usize,
    },
    Done {
        held: Held,
        text: &'static str,
    },
    Fail {
        held: Held,
        text: &'static str,
        last: bool,
    },
    Release(Held),
    CancelThread {
        thread: usize,
    },
    AddTask {
        run: usize,
        key: Option<&'static str>,
        after: Vec<&'static str>,
        new: Task,
    },
    Plan {
        run: usize,
        lines: Vec<Line>,
        update: bool,
        dry_run: bool,
        new: Task,
    },
    AddDependencies {
        task: Named,
        on: Vec<&'static str>,
    },
    RemoveDependency {
        task: Named,
        on: &'static str,
    },
    EditTask {
        task: Named,
        edit: Edit,
    },
    EditRun {
        run: usize,
        max_active: Option<u32>,
        max_attempts: u32,
    },
    CancelTask(Named),
    Retry(Named),
    Recall(Named),
    Tell(Named),
    Answer(Named),
    Dispatch {
        task: Named,
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
        /// The kinds of order, as reports count them.
        pub const KINDS: &[&str] = &[$($name),*];

        impl Order {
            /// What kind of order it is.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $($pattern => $name,)*
                }
            }
        }
    };
}

kinds! {
    Self::Pass(_) => "pass",
    Self::Look(_) => "look",
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
pub(crate) struct Draw<'a> {
    pub(crate) chance: &'a mut Chance,
    pub(crate) model: &'a Model,
}

impl Draw<'_> {
    /// The tasks that both runs begin with.
    pub(crate) fn beginning(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        for (run, size) in [(0, 7), (1, 4)] {
            for place in 0..size {
                let after = self.chance.below(3).min(place);
                let after = (0..after).map(|_| KEYS[self.chance.below(place)]).collect();
                orders.push(Order::AddTask { run, key: Some(KEYS[place]), after, new: self.template() });
            }
        }
        orders
    }

    /// The next order.
    pub(crate) fn order(&mut self) -> Order {
        match self.chance.below(100) {
            0..=7 => self.pass(),
            8..=13 => self.look(),
            14..=30 => self.dispatching(),
            31..=42 => self.planning(),
            43..=47 => self.running(),
            48..=66 => self.claim(),
            67..=71 => self.sending(),
            _ => self.holding(),
        }
    }

    fn among<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.chance.below(from.len())]
    }

    fn pass(&mut self) -> Order {
        Order::Pass(match self.chance.below(12) {
            // Beyond every lease; now and then beyond every delay.
            0 => 3_600_000,
            1 | 2 => 26_000,
            3 => 11_000,
            4 => -5_000,
            _ => 2_000,
        })
    }

    fn look(&mut self) -> Order {
        let run = self.run();
        Order::Look(match self.chance.below(8) {
            0 | 1 => Look::Task(self.task()),
            2 => Look::Status(run),
            3 => Look::Ready(run),
            4 => Look::Blocked,
            5 => Look::Wait,
            6 => Look::Threads,
            _ => Look::Thread(self.thread()),
        })
    }

    fn run(&mut self) -> usize {
        // The first run gets most of the work.
        usize::from(self.chance.percent(25))
    }

    fn key(&mut self) -> &'static str {
        self.among(&KEYS)
    }

    fn task(&mut self) -> Named {
        Named { run: self.run(), key: self.key() }
    }

    /// A task in one of these states, where there is one.
    fn task_in(&mut self, states: &[&str]) -> Named {
        let mut fitting = Vec::new();
        for (run, found) in self.model.runs.iter().enumerate() {
            for key in KEYS {
                if found.place(key).is_some_and(|task| states.contains(&found.state(task))) {
                    fitting.push(Named { run, key });
                }
            }
        }
        let any = self.task();
        if self.chance.percent(20) { any } else { self.chance.pick(&fitting).copied().unwrap_or(any) }
    }

    /// A thread of now; rarely one that is not there.
    fn thread(&mut self) -> usize {
        let all = self.model.threads.len();
        if self.chance.percent(5) {
            return all;
        }
        let recent = if self.chance.percent(70) { all.saturating_sub(5) } else { 0 };
        recent + self.chance.below(all - recent)
    }

    /// A thread with the token of its holder; sometimes an old token, or that of another thread.
    fn held(&mut self) -> Held {
        let live: Vec<Held> = self
            .model
            .threads
            .iter()
            .enumerate()
            .filter_map(|(thread, found)| Some(Held { thread, token: found.state.hold()?.token }))
            .collect();
        let token = self.chance.below(self.model.tokens.len());
        let old = Held { thread: self.model.tokens.get(token).map_or(0, |token| token.thread), token };
        match self.chance.below(20) {
            0 => Held { thread: self.thread(), token },
            1 | 2 => old,
            _ => self.chance.pick(&live).copied().unwrap_or(old),
        }
    }

    fn template(&mut self) -> Task {
        Task {
            key: String::new(),
            born: 0,
            priority: self.among(&[0, 1, 2, 2, 4]),
            agent: self.among(&[None, Some("u"), Some("crew")]),
            max_attempts: self.among(&[None, None, Some(1)]),
            after: std::collections::BTreeSet::new(),
            base: super::model::Base::Free,
            failures: 0,
            losses: 0,
            not_before: None,
            attempts: Vec::new(),
        }
    }

    fn after(&mut self) -> Vec<&'static str> {
        (0..self.chance.below(3)).map(|_| self.key()).collect()
    }

    fn planning(&mut self) -> Order {
        let task = self.task();
        match self.chance.below(12) {
            0 | 1 => {
                let key = Some(task.key).filter(|_| self.chance.percent(80));
                Order::AddTask { run: task.run, key, after: self.after(), new: self.template() }
            }
            2 => {
                let key = |draw: &mut Self| Some(draw.key()).filter(|_| draw.chance.percent(80));
                let lines = (0..1 + self.chance.below(4))
                    .map(|_| Line { key: key(self), after: self.after() })
                    .collect();
                let (update, dry_run) = (self.chance.percent(60), self.chance.percent(20));
                Order::Plan { run: task.run, lines, update, dry_run, new: self.template() }
            }
            3 | 4 => {
                let on = (0..1 + self.chance.below(2)).map(|_| self.key()).collect();
                Order::AddDependencies { task: self.task_in(&["waiting", "ready", "skipped"]), on }
            }
            5 | 6 => {
                let task = self.task_in(&["waiting", "skipped"]);
                let run = &self.model.runs[task.run];
                let after: Vec<&str> = KEYS
                    .into_iter()
                    .filter(|key| {
                        let on = run.place(key);
                        run.place(task.key)
                            .zip(on)
                            .is_some_and(|(task, on)| run.tasks[task].after.contains(&on))
                    })
                    .collect();
                let any = self.key();
                Order::RemoveDependency { task, on: self.chance.pick(&after).copied().unwrap_or(any) }
            }
            7 => {
                let edit = match self.chance.below(2) {
                    0 => Edit::Priority(self.among(&[0, 1, 3])),
                    _ => Edit::MaxAttempts(self.among(&[1, 2, 3])),
                };
                Order::EditTask { task, edit }
            }
            8 => Order::CancelTask(task),
            _ => Order::Retry(self.task_in(&["failed", "cancelled"])),
        }
    }

    fn running(&mut self) -> Order {
        let run = self.run();
        match self.chance.below(24) {
            0..=3 => Order::Pause(run),
            4..=9 => Order::Resume(run),
            10..=12 => {
                let max_active = self.among(&[None, Some(1), Some(2), Some(4)]);
                Order::EditRun { run, max_active, max_attempts: self.among(&[1, 2, 3]) }
            }
            // Rarely, since nothing begins in that run afterwards.
            13 if self.chance.percent(50) => Order::CancelRun(run),
            _ => Order::Reconcile {
                run: self.among(&[None, None, Some(run)]),
                dry_run: self.chance.percent(30),
            },
        }
    }

    fn dispatching(&mut self) -> Order {
        let to = self.among(&[None, Some("u"), Some("crew"), Some("w")]);
        match self.chance.below(14) {
            0..=4 => {
                let unfinished =
                    |run: &super::model::Run| matches!(run.state, RunState::Open | RunState::Paused);
                // Without an unfinished run the newest is meant, which the oracle does not know.
                let some = self.model.runs.iter().any(unfinished);
                let run = Some(self.run()).filter(|_| !some || self.chance.percent(50));
                let to = self.among(&[&QUEUES[..2], &QUEUES[3..], &QUEUES[1..], &[]]).to_vec();
                Order::DispatchAll { run, to, limit: 1 + self.chance.below(3) }
            }
            5..=9 => Order::Dispatch { task: self.task_in(&["ready"]), to },
            10 => Order::Recall(self.task_in(&["dispatched", "running", "blocked"])),
            11 => Order::Tell(self.task_in(&["running", "blocked"])),
            _ => Order::Answer(self.task_in(&["blocked", "running"])),
        }
    }

    fn claim(&mut self) -> Order {
        let holder = self.among(&WORKERS);
        let any = self.thread();
        let (again, thread) = match self.chance.below(12) {
            0 => (true, Some(self.held().thread)),
            1 | 2 => (false, Some(any)),
            _ => (false, None),
        };
        let any = self.among(&QUEUES);
        let offered: Vec<&str> = self
            .model
            .threads
            .iter()
            .filter(|found| found.state.name() == "queued")
            .map(|found| found.to)
            .collect();
        let queue = self.chance.pick(&offered).copied().filter(|_| self.chance.percent(85)).unwrap_or(any);
        let lease = self.among(&[None, None, Some(40_000)]);
        Order::Claim(Claim { queue, holder, thread, lease, again })
    }

    fn sending(&mut self) -> Order {
        let thread = self.thread();
        match self.chance.below(6) {
            0 | 1 => {
                let (to, priority) = (self.among(&QUEUES), self.among(&[1, 2, 3]));
                Order::Send { to, priority, lease: self.among(&[8_000, 20_000]) }
            }
            2 => Order::Note { thread },
            3 | 4 => {
                let asking = (0..self.model.threads.len())
                    .filter(|thread| self.model.threads[*thread].state.name() == "blocked");
                let asking: Vec<usize> = asking.collect();
                Order::Reply { thread: self.chance.pick(&asking).copied().unwrap_or(thread) }
            }
            _ => Order::CancelThread { thread },
        }
    }

    fn holding(&mut self) -> Order {
        let held = self.held();
        let text = self.among(&TEXTS);
        match self.chance.below(24) {
            0 | 1 => Order::Renew(held),
            2..=4 => Order::Progress { held, text },
            5..=9 => {
                let default_after = self.among(&[None, None, Some(None), Some(Some(5_000))]);
                Order::Ask { held, text: self.among(&QUESTIONS), default_after }
            }
            10..=12 => Order::Release(held),
            13..=16 => Order::Fail { held, text, last: self.chance.percent(20) },
            _ => Order::Done { held, text },
        }
    }
}
