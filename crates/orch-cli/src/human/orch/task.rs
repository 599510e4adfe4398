//! Tasks and dependencies for people.

use orch_contract::orch::dependency::{DependenciesAnswer, Dependency, WaitsForAnswer};
use orch_contract::orch::plan::{PlanAnswer, TaskAddAnswer};
use orch_contract::orch::task::{TaskAnswer, TaskShowAnswer, TasksAnswer};
use orch_contract::{Attempt, Stamp, Task, TaskShort, TaskShown};
use orch_core::attempt::AttemptState;
use orch_core::task::TaskState;

use super::{counted, state};
use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

/// What a list shows of a task, short or whole.
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) key: &'a str,
    title: &'a str,
    pub(super) state: TaskState,
    priority: u8,
    waits_for: &'a [String],
    agent: Option<&'a str>,
    updated_at: Stamp,
}

impl<'a> From<&'a TaskShort> for Line<'a> {
    fn from(task: &'a TaskShort) -> Self {
        Self {
            id: &task.id,
            key: &task.key,
            title: &task.title,
            state: task.state.0,
            priority: task.priority,
            waits_for: &task.waits_for,
            agent: task.agent.as_deref(),
            updated_at: task.updated_at,
        }
    }
}

impl<'a> From<&'a TaskShown> for Line<'a> {
    fn from(task: &'a TaskShown) -> Self {
        match task {
            TaskShown::Short(task) => task.into(),
            TaskShown::Full(task) => Self {
                id: &task.id,
                key: &task.key,
                title: &task.title,
                state: task.state.0,
                priority: task.priority,
                waits_for: &task.waits_for,
                agent: task.agent.as_deref(),
                updated_at: task.updated_at,
            },
        }
    }
}

/// Writes a table of tasks; keys alone where all are of one run.
pub(super) fn table<'a>(paper: &mut Paper, tasks: impl Iterator<Item = Line<'a>>) {
    let lines: Vec<Line<'_>> = tasks.collect();
    let run = |line: &Line<'_>| line.id.split('/').next().map(str::to_owned);
    let one_run = lines.windows(2).all(|pair| run(&pair[0]) == run(&pair[1]));
    let mut table = Table::new(&["TASK", "STATE", "P", "TITLE", "AGENT", "WAITS FOR", "UPDATED"]).elastic(3);
    for line in &lines {
        table.row(vec![
            Cell::new(if one_run { line.key } else { line.id }, Tone::Strong),
            state::cell(line.state),
            Cell::plain(line.priority.to_string()),
            Cell::plain(line.title),
            Cell::plain(line.agent.unwrap_or("-")),
            Cell::new(first_keys(line.waits_for), Tone::Faint),
            Cell::new(paper.ago(line.updated_at), Tone::Faint),
        ]);
    }
    paper.table(&table);
}

/// The first keys of a list, and how many more there are.
fn first_keys(keys: &[String]) -> String {
    const SHOWN: usize = 2;
    let mut text = keys.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text.push_str(&format!(", +{}", keys.len() - SHOWN));
    }
    text
}

/// Writes one task in a line: its name, state and title.
pub(super) fn line(paper: &mut Paper, task: &Line<'_>) {
    let paint = paper.paint();
    let agent = task.agent.map(|agent| format!("  {agent}")).unwrap_or_default();
    let waits = match task.waits_for {
        [] => String::new(),
        keys => paint.text(Tone::Faint, &format!("  ← {}", first_keys(keys))),
    };
    paper.line(format!(
        "{}  {}  {}{agent}{waits}",
        paint.text(Tone::Strong, task.id),
        state::painted(paint, task.state),
        harmless(task.title)
    ));
}

/// Writes a task that was changed, whole when that was asked for.
pub(super) fn shown(paper: &mut Paper, task: &TaskShown) {
    match task {
        TaskShown::Short(short) => line(paper, &short.into()),
        TaskShown::Full(full) => whole(paper, full),
    }
}

fn whole(paper: &mut Paper, task: &Task) {
    let paint = paper.paint();
    paper.line(format!(
        "{}  {}  {}",
        paint.text(Tone::Strong, &task.id),
        state::painted(paint, task.state.0),
        harmless(&task.title)
    ));
    let mut facts = vec![format!("priority {}", task.priority)];
    if let Some(agent) = &task.agent {
        facts.push(format!("agent {agent}"));
    }
    facts.push(format!("{} of {} failures", task.failures, task.max_attempts));
    if task.losses > 0 {
        facts.push(counted(task.losses, "loss", "losses"));
    }
    facts.push(format!("added {}", paper.ago(task.created_at)));
    facts.push(format!("changed {}", paper.ago(task.updated_at)));
    paper.note(&format!("  {}", facts.join(", ")));
    if !task.labels.is_empty() {
        paper.note(&format!("  labels {}", task.labels.join(", ")));
    }
    if let Some(not_before) = task.not_before.filter(|stamp| stamp.0 > paper.now()) {
        paper.note(&format!("  not again before {not_before}, {}", paper.ago(not_before)));
    }
    if let Some(spec) = &task.spec {
        paper.gap();
        paper.block(spec, 2);
    }
    for (heading, texts) in [("Accept", &task.accept), ("Verify", &task.verify)] {
        if !texts.is_empty() {
            paper.gap();
            paper.heading(heading);
            for text in texts {
                paper.line(format!("  - {}", harmless(text)));
            }
        }
    }
}

impl Human for TaskAnswer {
    fn human(&self, paper: &mut Paper) {
        shown(paper, &self.task);
    }
}

impl Human for TaskAddAnswer {
    fn human(&self, paper: &mut Paper) {
        match self {
            Self::Task(answer) => answer.human(paper),
            Self::Plan(answer) => answer.human(paper),
        }
    }
}

impl Human for TasksAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.tasks.is_empty() {
            paper.line("No tasks.");
            return;
        }
        if self.tasks.iter().any(|task| matches!(task, TaskShown::Full(_))) {
            for task in &self.tasks {
                paper.gap();
                shown(paper, task);
            }
        } else {
            table(paper, self.tasks.iter().map(Line::from));
        }
        paper.rest(self.tasks.len(), self.total, self.next.as_deref());
    }
}

impl Human for PlanAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!(
            "{} added, {} changed, {} added; {}, {} ready.",
            counted(self.added, "task", "tasks"),
            self.changed,
            counted(self.dependencies, "dependency", "dependencies"),
            counted(self.levels, "level", "levels"),
            self.ready
        ));
        if !self.tasks.is_empty() {
            paper.gap();
            table(paper, self.tasks.iter().map(Line::from));
            let rest = (self.added + self.changed).saturating_sub(self.tasks.len() as u64);
            if rest > 0 {
                paper.note(&format!("… and {rest} more."));
            }
        }
    }
}

impl Human for TaskShowAnswer {
    fn human(&self, paper: &mut Paper) {
        whole(paper, &self.task);
        edges(paper, "Waits for", &self.dependencies, |edge| &edge.on);
        edges(paper, "Needed by", &self.dependents, |edge| &edge.task);
        if !self.attempts.is_empty() {
            paper.gap();
            paper.heading("Attempts");
            for attempt in &self.attempts {
                one_attempt(paper, attempt);
            }
        }
    }
}

fn edges(paper: &mut Paper, heading: &str, edges: &[Dependency], other: impl Fn(&Dependency) -> &String) {
    if edges.is_empty() {
        return;
    }
    paper.gap();
    paper.heading(heading);
    for edge in edges {
        let state = state::painted(paper.paint(), edge.state.0);
        paper.line(format!("  {}  {state}", other(edge)));
    }
}

fn one_attempt(paper: &mut Paper, attempt: &Attempt) {
    let paint = paper.paint();
    let state = paint.text(attempt_tone(attempt.state.0), attempt.state.0.name());
    let ended = attempt.ended_at.map(|at| format!(", ended {}", paper.ago(at))).unwrap_or_default();
    let began = paper.ago(attempt.created_at);
    let thread = attempt.thread.as_deref().unwrap_or("no thread yet");
    let about = paint.text(Tone::Faint, &format!("{thread}  began {began}{ended}"));
    paper.line(format!("  {}  {state}  {}  {about}", attempt.id, attempt.agent));
    for text in [&attempt.result, &attempt.reason].into_iter().flatten() {
        paper.block(text, 4);
    }
    if let Some(tree) = &attempt.worktree {
        let place = format!("{} on {}", harmless(&tree.path), tree.branch);
        paper.line(format!("    {}", paper.paint().text(Tone::Faint, &place)));
    }
    if let Some(tail) = &attempt.log_tail {
        paper.block(tail, 6);
    }
}

fn attempt_tone(state: AttemptState) -> Tone {
    match state {
        AttemptState::Preparing | AttemptState::Dispatched | AttemptState::Running => Tone::Busy,
        AttemptState::Reported => Tone::Busy,
        AttemptState::Blocked => Tone::Attention,
        AttemptState::Accepted => Tone::Good,
        AttemptState::Rejected | AttemptState::Failed | AttemptState::Lost => Tone::Bad,
        AttemptState::Recalled | AttemptState::Cancelled => Tone::Faint,
    }
}

impl Human for WaitsForAnswer {
    fn human(&self, paper: &mut Paper) {
        shown(paper, &self.task);
    }
}

impl Human for DependenciesAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.dependencies.is_empty() {
            paper.line("No dependencies.");
            return;
        }
        let mut table = Table::new(&["TASK", "WAITS FOR", "STATE", "MET"]);
        for edge in &self.dependencies {
            table.row(vec![
                Cell::plain(&edge.task),
                Cell::plain(&edge.on),
                state::cell(edge.state.0),
                if edge.met { Cell::new("yes", Tone::Good) } else { Cell::new("no", Tone::Faint) },
            ]);
        }
        paper.table(&table);
        paper.rest(self.dependencies.len(), self.total, self.next.as_deref());
    }
}
