//! Draws random commands, most of them valid in the last snapshot.

use std::path::PathBuf;

use super::command::{CommandEffect, CommandKind, StormCommand, WEIGHTS};
use super::snapshot::StoreSnapshot;
use crate::seeded_rng::SeededRng;

/// The workers, and one shared queue.
const AGENTS: [&str; 4] = ["ana", "bo", "cy", "pool"];

/// Generates commands with unique request ids and markers.
pub(super) struct CommandGenerator {
    seed: u64,
    made: usize,
    /// The folder for plan files.
    folder: PathBuf,
}

/// A command line without its request id.
struct CommandDraft {
    words: Vec<String>,
    effect: CommandEffect,
}

impl CommandDraft {
    fn new(effect: CommandEffect, words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect(), effect }
    }

    fn with_words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }
}

impl CommandGenerator {
    pub(super) fn new(seed: u64, folder: PathBuf) -> Self {
        Self { seed, made: 0, folder }
    }

    /// Draws the next command.
    pub(super) fn next_command(
        &mut self,
        chance: &mut SeededRng,
        world: &StoreSnapshot,
    ) -> std::io::Result<StormCommand> {
        let kind = pick_kind(chance);
        self.made += 1;
        let marker = format!("mk-{}", self.made);
        let drawn = match inbox_draft(kind, &marker, chance, world) {
            None => self.orch_draft(kind, &marker, chance, world)?,
            drawn => drawn,
        };
        // Where nothing suits the drawn command, new work is made for later ones.
        let (kind, draft) = match drawn {
            Some(draft) => (kind, draft),
            None if chance.is_within_percent(50) || world.runs.is_empty() => {
                (CommandKind::Send, send_draft(&marker, chance))
            }
            None => (CommandKind::TaskAdd, task_add_draft(&marker, chance, world)),
        };
        let mut words = draft.words;
        let request = (!kind.is_read_only()).then(|| format!("rq-{}-{}", self.seed, self.made));
        if let Some(request) = &request {
            words.extend(["--request-id".to_owned(), request.clone()]);
        }
        Ok(StormCommand { kind, words, request, marker, effect: draft.effect })
    }

    /// Drafts a command of `orch`; `None` if nothing in the store suits it.
    fn orch_draft(
        &self,
        kind: CommandKind,
        marker: &str,
        chance: &mut SeededRng,
        world: &StoreSnapshot,
    ) -> std::io::Result<Option<CommandDraft>> {
        if kind == CommandKind::PlanAdd {
            return self.plan_add_draft(marker, chance, world);
        }
        Ok(run_draft(kind, marker, chance, world).or_else(|| task_draft(kind, marker, chance, world)))
    }

    /// Drafts `plan add` with a new file of a few tasks: a chain and one independent task.
    fn plan_add_draft(
        &self,
        marker: &str,
        chance: &mut SeededRng,
        world: &StoreSnapshot,
    ) -> std::io::Result<Option<CommandDraft>> {
        let runs = world.runs_in(&["open", "paused", "finished"]);
        let Some(run) = chance.pick(&runs) else { return Ok(None) };
        let count = 2 + chance.number_below(6);
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
        Ok(Some(CommandDraft::new(CommandEffect::Tasks(count), &words)))
    }
}

fn pick_kind(chance: &mut SeededRng) -> CommandKind {
    let all: usize = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut drawn = chance.number_below(all);
    for (kind, weight) in WEIGHTS {
        if drawn < weight {
            return kind;
        }
        drawn -= weight;
    }
    CommandKind::Send
}

/// Drafts a command of `inbox`; `None` for another command, or if nothing in the store suits it.
fn inbox_draft(
    kind: CommandKind,
    marker: &str,
    chance: &mut SeededRng,
    world: &StoreSnapshot,
) -> Option<CommandDraft> {
    match kind {
        CommandKind::Send => Some(send_draft(marker, chance)),
        CommandKind::Wait | CommandKind::ClaimWaiting | CommandKind::Ack => agent_draft(kind, chance, world),
        _ => thread_draft(kind, marker, chance, world),
    }
}

/// Drafts a command of `inbox` that names an agent and no thread; `None` if nothing in the store suits it.
fn agent_draft(kind: CommandKind, chance: &mut SeededRng, world: &StoreSnapshot) -> Option<CommandDraft> {
    Some(match kind {
        CommandKind::Wait => {
            let agent = chance.pick(&AGENTS)?;
            let after = format!("m-{}", world.newest_message);
            let words = ["inbox", "wait", "--for", agent, "--after", &after, "--timeout", "200ms"];
            CommandDraft::new(CommandEffect::Receipt, &words)
        }
        CommandKind::ClaimWaiting => {
            // Mostly a queue without work, where the command has to wait.
            let queue = if chance.is_within_percent(70) { "nobody" } else { chance.pick(&AGENTS)? };
            let words = ["inbox", "claim", "--for", queue, "--wait", "200ms"];
            CommandDraft::new(CommandEffect::Token, &words)
        }
        CommandKind::Ack => {
            let newest = usize::try_from(world.newest_message).ok()?;
            let through = format!("m-{}", chance.number_below(newest));
            let agent = chance.pick(&AGENTS)?;
            let words = ["inbox", "ack", "--for", agent, "--through", &through];
            CommandDraft::new(CommandEffect::Receipt, &words)
        }
        _ => return None,
    })
}

/// Draws the state of the thread that a command gets, usually a valid one.
fn likely_thread_state(kind: CommandKind, chance: &mut SeededRng) -> &'static str {
    match kind {
        CommandKind::Claim => "queued",
        CommandKind::Reply => "blocked",
        CommandKind::Note
        | CommandKind::Cancel
        | CommandKind::Release
        | CommandKind::Done
        | CommandKind::Fail
            if chance.is_within_percent(15) =>
        {
            "blocked"
        }
        CommandKind::Note | CommandKind::Cancel if chance.is_within_percent(30) => "queued",
        _ => "claimed",
    }
}

/// Drafts a command of `inbox` that names a thread; `None` for another command, or without a suitable thread.
fn thread_draft(
    kind: CommandKind,
    marker: &str,
    chance: &mut SeededRng,
    world: &StoreSnapshot,
) -> Option<CommandDraft> {
    let state = likely_thread_state(kind, chance);
    let threads = world.threads_in(state);
    let thread = chance.pick(&threads)?;
    let id = format!("th-{}", thread.id);
    let token = world.tokens.get(&thread.id).map_or("", String::as_str);
    let held = |command: &str, effect| CommandDraft::new(effect, &["inbox", command, &id, "--token", token]);
    let text = long_text(marker, chance);
    Some(match kind {
        CommandKind::Claim => {
            CommandDraft::new(CommandEffect::Token, &["inbox", "claim", "--for", &thread.to])
        }
        CommandKind::Note => {
            let words = ["inbox", "send", "--thread", &id, "--from", "lead", "--body", &text];
            CommandDraft::new(CommandEffect::Message, &words)
        }
        CommandKind::Renew => held("renew", CommandEffect::Receipt),
        CommandKind::Progress => held("progress", CommandEffect::Message).with_words(&[&text]),
        CommandKind::Ask => {
            held("ask", CommandEffect::Message).with_words(&[marker, "--option", "yes", "--option", "no"])
        }
        CommandKind::Reply if thread.owned && chance.is_within_percent(50) => return None,
        CommandKind::Reply => {
            CommandDraft::new(CommandEffect::Message, &["inbox", "reply", "--as", "lead", &id, &text])
        }
        CommandKind::Done => held("done", CommandEffect::Message).with_words(&["--result", &text]),
        CommandKind::Fail => held("fail", CommandEffect::Message).with_words(&["--reason", marker]),
        CommandKind::Release => held("release", CommandEffect::Receipt),
        CommandKind::Cancel => {
            CommandDraft::new(CommandEffect::MessageOrNothing, &["inbox", "cancel", &id, "--reason", marker])
        }
        _ => return None,
    })
}

fn send_draft(marker: &str, chance: &mut SeededRng) -> CommandDraft {
    let to = chance.pick(&AGENTS).copied().unwrap_or("pool");
    let body = long_text(marker, chance);
    let words = ["inbox", "send", "--from", "lead", "--to", to, "--subject", marker, "--body", &body];
    let draft = CommandDraft::new(CommandEffect::Thread, &words);
    // Some leases are so short that they expire during the storm.
    if chance.is_within_percent(20) { draft.with_words(&["--lease", "1s"]) } else { draft }
}

fn task_add_draft(marker: &str, chance: &mut SeededRng, world: &StoreSnapshot) -> CommandDraft {
    let runs = world.runs_in(&["open", "paused", "finished"]);
    let Some(run) = chance.pick(&runs) else { return send_draft(marker, chance) };
    let draft = CommandDraft::new(CommandEffect::Tasks(1), &["orch", "task", "add", "--run", run, marker]);
    let in_run = |task: &&super::snapshot::TaskSnapshot| &task.run == run;
    let tasks: Vec<String> = world.tasks.iter().filter(in_run).map(|task| task.key.clone()).collect();
    match chance.pick(&tasks) {
        Some(task) if chance.is_within_percent(50) => draft.with_words(&["--after", task]),
        _ => draft,
    }
}

/// Drafts a command on a run.
fn run_draft(
    kind: CommandKind,
    marker: &str,
    chance: &mut SeededRng,
    world: &StoreSnapshot,
) -> Option<CommandDraft> {
    let unfinished = world.runs_in(&["open", "paused"]);
    let words: Vec<&str> = match kind {
        CommandKind::RunInit => {
            let words = ["orch", "run", "init", marker, "--retry-delay", "0s", "--max-active", "40"];
            return Some(CommandDraft::new(CommandEffect::Run, &words));
        }
        CommandKind::RunEdit => vec!["orch", "run", "edit", chance.pick(&unfinished)?, "--goal", marker],
        CommandKind::Pause => vec!["orch", "run", "pause", chance.pick(&unfinished)?],
        CommandKind::Resume => vec!["orch", "run", "resume", chance.pick(&unfinished)?],
        CommandKind::Reconcile => vec!["orch", "reconcile"],
        CommandKind::Status => vec!["orch", "status", chance.pick(&unfinished)?],
        CommandKind::Acknowledge => {
            let through = format!("e-{}", chance.number_below(usize::try_from(world.newest_event).ok()?));
            return Some(CommandDraft::new(CommandEffect::Receipt, &["orch", "ack", "--through", &through]));
        }
        CommandKind::DispatchAll => {
            let to = "ana,bo,cy,pool";
            let words =
                ["orch", "dispatch", "--all", "--run", chance.pick(&unfinished)?, "--to", to, "--limit", "4"];
            return Some(CommandDraft::new(CommandEffect::Attempts, &words));
        }
        CommandKind::TaskAdd => return Some(task_add_draft(marker, chance, world)),
        _ => return None,
    };
    Some(CommandDraft::new(CommandEffect::Receipt, &words))
}

/// Drafts a command on a task.
fn task_draft(
    kind: CommandKind,
    marker: &str,
    chance: &mut SeededRng,
    world: &StoreSnapshot,
) -> Option<CommandDraft> {
    let states: &[&str] = match kind {
        CommandKind::TaskEdit | CommandKind::DependencyAdd => &["waiting", "ready"],
        CommandKind::TaskCancel => &["waiting", "ready", "running"],
        CommandKind::Retry => &["failed", "cancelled"],
        CommandKind::Dispatch => &["ready"],
        CommandKind::Recall | CommandKind::Tell => &["dispatched", "running"],
        CommandKind::Answer => &["blocked"],
        CommandKind::DependencyRemove => {
            let (run, task, on) = chance.pick(&world.dependencies)?;
            let words = ["orch", "dep", "rm", "--run", run, task, on];
            return Some(CommandDraft::new(CommandEffect::Receipt, &words));
        }
        _ => return None,
    };
    let tasks = world.tasks_in(states);
    let task = chance.pick(&tasks)?.as_str();
    Some(match kind {
        CommandKind::TaskEdit => {
            CommandDraft::new(CommandEffect::Receipt, &["orch", "task", "edit", task, "--spec", marker])
        }
        CommandKind::TaskCancel => {
            CommandDraft::new(CommandEffect::Receipt, &["orch", "task", "cancel", task])
        }
        CommandKind::Retry => CommandDraft::new(CommandEffect::Receipt, &["orch", "task", "retry", task]),
        CommandKind::Dispatch => {
            let to = chance.pick(&AGENTS)?;
            CommandDraft::new(CommandEffect::Attempts, &["orch", "dispatch", task, "--to", to])
        }
        CommandKind::Recall => {
            CommandDraft::new(CommandEffect::Reason, &["orch", "recall", task, "--reason", marker])
        }
        CommandKind::Tell => CommandDraft::new(CommandEffect::Message, &["orch", "tell", task, marker]),
        CommandKind::Answer => CommandDraft::new(CommandEffect::Message, &["orch", "answer", task, marker]),
        CommandKind::DependencyAdd => {
            let others = world.tasks_in(&["waiting", "ready", "running", "done", "failed"]);
            let run = task.split('/').next()?;
            let same = |other: &&String| other.split('/').next() == Some(run) && other.as_str() != task;
            let others: Vec<&String> = others.iter().filter(same).collect();
            CommandDraft::new(CommandEffect::Receipt, &["orch", "dep", "add", task, chance.pick(&others)?])
        }
        _ => return None,
    })
}

/// Returns the marker followed by padding, so that some commands write many database pages.
fn long_text(marker: &str, chance: &mut SeededRng) -> String {
    let filler =
        if chance.is_within_percent(20) { chance.number_below(40_000) } else { chance.number_below(40) };
    format!("{marker} {}", "x".repeat(filler))
}
