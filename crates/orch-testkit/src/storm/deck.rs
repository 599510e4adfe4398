//! Draws the next command, one that makes sense in the world as it was last seen.

use std::path::PathBuf;

use super::order::{Effect, Kind, Order, WEIGHTS};
use super::world::World;
use crate::chance::Chance;

/// Who works: agents of their own, and one queue that they share.
const AGENTS: [&str; 4] = ["ana", "bo", "cy", "pool"];

/// Makes orders with request ids and markers that nobody else uses.
pub(super) struct Deck {
    seed: u64,
    made: usize,
    /// Where plan files are put.
    folder: PathBuf,
}

/// A command line under way to become an order.
struct Draft {
    words: Vec<String>,
    effect: Effect,
}

impl Draft {
    fn new(effect: Effect, words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect(), effect }
    }

    fn and(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }
}

impl Deck {
    pub(super) fn new(seed: u64, folder: PathBuf) -> Self {
        Self { seed, made: 0, folder }
    }

    /// The next order.
    pub(super) fn draw(&mut self, chance: &mut Chance, world: &World) -> std::io::Result<Order> {
        let kind = kind(chance);
        self.made += 1;
        let marker = format!("mk-{}", self.made);
        let drawn = match self.inbox(kind, &marker, chance, world) {
            None => self.orch(kind, &marker, chance, world)?,
            drawn => drawn,
        };
        // Where there is nothing to do, there will be.
        let (kind, draft) = match drawn {
            Some(draft) => (kind, draft),
            None if chance.percent(50) || world.runs.is_empty() => (Kind::Send, send(&marker, chance)),
            None => (Kind::TaskAdd, task_add(&marker, chance, world)),
        };
        let mut words = draft.words;
        let request = (!kind.only_looks()).then(|| format!("rq-{}-{}", self.seed, self.made));
        if let Some(request) = &request {
            words.extend(["--request-id".to_owned(), request.clone()]);
        }
        Ok(Order { kind, words, request, marker, effect: draft.effect })
    }

    /// The commands of `inbox`; `None` for another one, or where there is nothing for it to do.
    fn inbox(&self, kind: Kind, marker: &str, chance: &mut Chance, world: &World) -> Option<Draft> {
        match kind {
            Kind::Send => return Some(send(marker, chance)),
            Kind::Wait => {
                let agent = chance.pick(&AGENTS)?;
                let after = format!("m-{}", world.newest_message);
                let words = ["inbox", "wait", "--for", agent, "--after", &after, "--timeout", "200ms"];
                return Some(Draft::new(Effect::Receipt, &words));
            }
            Kind::ClaimWaiting => {
                // Mostly a queue without work, where it really waits.
                let queue = if chance.percent(70) { "nobody" } else { chance.pick(&AGENTS)? };
                let words = ["inbox", "claim", "--for", queue, "--wait", "200ms"];
                return Some(Draft::new(Effect::Token, &words));
            }
            Kind::Ack => {
                let through = format!("m-{}", chance.below(usize::try_from(world.newest_message).ok()?));
                let agent = chance.pick(&AGENTS)?;
                return Some(Draft::new(
                    Effect::Receipt,
                    &["inbox", "ack", "--for", agent, "--through", &through],
                ));
            }
            _ => {}
        }
        let state = match kind {
            Kind::Claim => "queued",
            Kind::Reply => "blocked",
            Kind::Note | Kind::Cancel | Kind::Release | Kind::Done | Kind::Fail if chance.percent(15) => {
                "blocked"
            }
            Kind::Note | Kind::Cancel if chance.percent(30) => "queued",
            _ => "claimed",
        };
        let threads = world.in_state(state);
        let thread = chance.pick(&threads)?;
        let id = format!("th-{}", thread.id);
        let token = world.tokens.get(&thread.id).map_or("", String::as_str);
        let held = |command: &str, effect| Draft::new(effect, &["inbox", command, &id, "--token", token]);
        let text = long(marker, chance);
        Some(match kind {
            Kind::Claim => Draft::new(Effect::Token, &["inbox", "claim", "--for", &thread.to]),
            Kind::Note => {
                let words = ["inbox", "send", "--thread", &id, "--from", "lead", "--body", &text];
                Draft::new(Effect::Message, &words)
            }
            Kind::Renew => held("renew", Effect::Receipt),
            Kind::Progress => held("progress", Effect::Message).and(&[&text]),
            Kind::Ask => held("ask", Effect::Message).and(&[marker, "--option", "yes", "--option", "no"]),
            Kind::Reply if thread.owned && chance.percent(50) => return None,
            Kind::Reply => Draft::new(Effect::Message, &["inbox", "reply", "--as", "lead", &id, &text]),
            Kind::Done => held("done", Effect::Message).and(&["--result", &text]),
            Kind::Fail => held("fail", Effect::Message).and(&["--reason", marker]),
            Kind::Release => held("release", Effect::Receipt),
            Kind::Cancel => {
                Draft::new(Effect::MessageOrNothing, &["inbox", "cancel", &id, "--reason", marker])
            }
            _ => return None,
        })
    }

    /// The commands of `orch`; `None` where there is nothing to do.
    fn orch(
        &self,
        kind: Kind,
        marker: &str,
        chance: &mut Chance,
        world: &World,
    ) -> std::io::Result<Option<Draft>> {
        if kind == Kind::PlanAdd {
            return self.plan_add(marker, chance, world);
        }
        Ok(of_run(kind, marker, chance, world).or_else(|| of_task(kind, marker, chance, world)))
    }

    /// A plan of a few tasks in a file, a chain with a loose end.
    fn plan_add(&self, marker: &str, chance: &mut Chance, world: &World) -> std::io::Result<Option<Draft>> {
        let runs = world.runs_in(&["open", "paused", "finished"]);
        let Some(run) = chance.pick(&runs) else { return Ok(None) };
        let count = 2 + chance.below(6);
        let lines: Vec<String> = (0..count)
            .map(|number| {
                let after = match number {
                    0 | 1 => String::new(),
                    _ => format!(",\"after\":[\"{marker}-{}\"]", number - 2),
                };
                format!("{{\"key\":\"{marker}-{number}\",\"title\":\"{marker} {number}\"{after}}}\n")
            })
            .collect();
        let path = self.folder.join(format!("{marker}.jsonl"));
        std::fs::write(&path, lines.concat())?;
        let path = path.display().to_string();
        let words = ["orch", "task", "add", "--run", run, "--file", &path];
        Ok(Some(Draft::new(Effect::Tasks(count), &words)))
    }
}

fn kind(chance: &mut Chance) -> Kind {
    let all: usize = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut drawn = chance.below(all);
    for (kind, weight) in WEIGHTS {
        if drawn < weight {
            return kind;
        }
        drawn -= weight;
    }
    Kind::Send
}

fn send(marker: &str, chance: &mut Chance) -> Draft {
    let to = chance.pick(&AGENTS).copied().unwrap_or("pool");
    let body = long(marker, chance);
    let words = ["inbox", "send", "--from", "lead", "--to", to, "--subject", marker, "--body", &body];
    let draft = Draft::new(Effect::Thread, &words);
    // Some leases are so short that they are lost while the storm lasts.
    if chance.percent(20) { draft.and(&["--lease", "1s"]) } else { draft }
}

fn task_add(marker: &str, chance: &mut Chance, world: &World) -> Draft {
    let runs = world.runs_in(&["open", "paused", "finished"]);
    let Some(run) = chance.pick(&runs) else { return send(marker, chance) };
    let draft = Draft::new(Effect::Tasks(1), &["orch", "task", "add", "--run", run, marker]);
    let in_run = |task: &&super::world::TaskSeen| &task.run == run;
    let tasks: Vec<String> = world.tasks.iter().filter(in_run).map(|task| task.key.clone()).collect();
    match chance.pick(&tasks) {
        Some(task) if chance.percent(50) => draft.and(&["--after", task]),
        _ => draft,
    }
}

/// Commands about a whole run.
fn of_run(kind: Kind, marker: &str, chance: &mut Chance, world: &World) -> Option<Draft> {
    let unfinished = world.runs_in(&["open", "paused"]);
    let words: Vec<&str> = match kind {
        Kind::RunInit => {
            let words = ["orch", "run", "init", marker, "--retry-delay", "0s", "--max-active", "40"];
            return Some(Draft::new(Effect::Run, &words));
        }
        Kind::RunEdit => vec!["orch", "run", "edit", chance.pick(&unfinished)?, "--goal", marker],
        Kind::Pause => vec!["orch", "run", "pause", chance.pick(&unfinished)?],
        Kind::Resume => vec!["orch", "run", "resume", chance.pick(&unfinished)?],
        Kind::Reconcile => vec!["orch", "reconcile"],
        Kind::Status => vec!["orch", "status", chance.pick(&unfinished)?],
        Kind::Acknowledge => {
            let through = format!("e-{}", chance.below(usize::try_from(world.newest_event).ok()?));
            return Some(Draft::new(Effect::Receipt, &["orch", "ack", "--through", &through]));
        }
        Kind::DispatchAll => {
            let to = "ana,bo,cy,pool";
            let words =
                ["orch", "dispatch", "--all", "--run", chance.pick(&unfinished)?, "--to", to, "--limit", "4"];
            return Some(Draft::new(Effect::Attempts, &words));
        }
        Kind::TaskAdd => return Some(task_add(marker, chance, world)),
        _ => return None,
    };
    Some(Draft::new(Effect::Receipt, &words))
}

/// Commands about one task.
fn of_task(kind: Kind, marker: &str, chance: &mut Chance, world: &World) -> Option<Draft> {
    let states: &[&str] = match kind {
        Kind::TaskEdit | Kind::DependencyAdd => &["waiting", "ready"],
        Kind::TaskCancel => &["waiting", "ready", "running"],
        Kind::Retry => &["failed", "cancelled"],
        Kind::Dispatch => &["ready"],
        Kind::Recall | Kind::Tell => &["dispatched", "running"],
        Kind::Answer => &["blocked"],
        Kind::DependencyRemove => {
            let (run, task, on) = chance.pick(&world.dependencies)?;
            let words = ["orch", "dep", "rm", "--run", run, task, on];
            return Some(Draft::new(Effect::Receipt, &words));
        }
        _ => return None,
    };
    let tasks = world.tasks_in(states);
    let task = chance.pick(&tasks)?.as_str();
    Some(match kind {
        Kind::TaskEdit => Draft::new(Effect::Receipt, &["orch", "task", "edit", task, "--spec", marker]),
        Kind::TaskCancel => Draft::new(Effect::Receipt, &["orch", "task", "cancel", task]),
        Kind::Retry => Draft::new(Effect::Receipt, &["orch", "task", "retry", task]),
        Kind::Dispatch => {
            let to = chance.pick(&AGENTS)?;
            Draft::new(Effect::Attempts, &["orch", "dispatch", task, "--to", to])
        }
        Kind::Recall => Draft::new(Effect::Reason, &["orch", "recall", task, "--reason", marker]),
        Kind::Tell => Draft::new(Effect::Message, &["orch", "tell", task, marker]),
        Kind::Answer => Draft::new(Effect::Message, &["orch", "answer", task, marker]),
        Kind::DependencyAdd => {
            let others = world.tasks_in(&["waiting", "ready", "running", "done", "failed"]);
            let run = task.split('/').next()?;
            let same = |other: &&String| other.split('/').next() == Some(run) && other.as_str() != task;
            let others: Vec<&String> = others.iter().filter(same).collect();
            Draft::new(Effect::Receipt, &["orch", "dep", "add", task, chance.pick(&others)?])
        }
        _ => return None,
    })
}

/// The marker with so much behind it that some commands write many pages.
fn long(marker: &str, chance: &mut Chance) -> String {
    let filler = if chance.percent(20) { chance.below(40_000) } else { chance.below(40) };
    format!("{marker} {}", "x".repeat(filler))
}
