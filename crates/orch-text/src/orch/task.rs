//! Text for tasks and dependencies.

use orch_contract::attempt::{AttemptChecksView, JudgementView};
use orch_contract::orch::dependency::{DependencyEditResponse, DependencyListResponse, DependencyView};
use orch_contract::orch::plan::{PlanResponse, TaskAddResponse};
use orch_contract::orch::task::{
    RefusedReadyTask, TaskChangeResponse, TaskListResponse, TaskResponse, TaskShowResponse,
};
use orch_contract::{AttemptView, TaskOrSummary, TaskSummary, TaskView, UtcTimestamp};
use orch_core::attempt::AttemptState;
use orch_core::task::TaskState;

use super::judgement::write_check;
use super::status::write_next_commands;
use super::usage::usage_text;
use super::{counted_noun, state};
use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

/// A task in a list, as a summary or in full.
pub(super) struct TaskLine<'a> {
    pub(super) id: &'a str,
    pub(super) key: &'a str,
    title: &'a str,
    pub(super) state: TaskState,
    priority: u8,
    waits_for: &'a [String],
    agent: Option<&'a str>,
    updated_at: UtcTimestamp,
}

impl<'a> From<&'a TaskSummary> for TaskLine<'a> {
    fn from(task: &'a TaskSummary) -> Self {
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

impl<'a> From<&'a TaskOrSummary> for TaskLine<'a> {
    fn from(task: &'a TaskOrSummary) -> Self {
        match task {
            TaskOrSummary::Short(task) => task.into(),
            TaskOrSummary::Full(task) => Self {
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

/// Writes a table of tasks, with keys alone if all belong to one run.
pub(super) fn write_task_table<'a>(paper: &mut TextPage, tasks: impl Iterator<Item = TaskLine<'a>>) {
    let lines: Vec<TaskLine<'_>> = tasks.collect();
    let run = |line: &TaskLine<'_>| line.id.split('/').next().map(str::to_owned);
    let one_run = lines.windows(2).all(|pair| run(&pair[0]) == run(&pair[1]));
    let mut table = TextTable::new(&["TASK", "STATE", "P", "TITLE", "AGENT", "WAITS FOR", "UPDATED"])
        .with_elastic_column(3);
    for line in &lines {
        table.push_row(vec![
            TableCell::new(if one_run { line.key } else { line.id }, TextTone::Strong),
            state::state_cell(line.state),
            TableCell::plain(line.priority.to_string()),
            TableCell::plain(line.title),
            TableCell::plain(line.agent.unwrap_or("-")),
            TableCell::new(first_keys(line.waits_for), TextTone::Faint),
            TableCell::new(paper.relative_time(line.updated_at), TextTone::Faint),
        ]);
    }
    paper.write_table(&table);
}

/// Formats the first keys of a list and the number of the others.
fn first_keys(keys: &[String]) -> String {
    const SHOWN: usize = 2;
    let mut text = keys.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text.push_str(&format!(", +{}", keys.len() - SHOWN));
    }
    text
}

/// Writes a task in one line: name, state and title.
pub(super) fn write_task_line(paper: &mut TextPage, task: &TaskLine<'_>) {
    let paint = paper.painter();
    let agent = task.agent.map(|agent| format!("  {agent}")).unwrap_or_default();
    let waits = match task.waits_for {
        [] => String::new(),
        keys => paint.paint_text(TextTone::Faint, &format!("  ← {}", first_keys(keys))),
    };
    paper.write_line(format!(
        "{}  {}  {}{agent}{waits}",
        paint.paint_text(TextTone::Strong, task.id),
        state::painted_state(paint, task.state),
        escape_controls(task.title)
    ));
}

/// Writes a changed task, in full if that was requested.
pub(super) fn write_changed_task(paper: &mut TextPage, task: &TaskOrSummary) {
    match task {
        TaskOrSummary::Short(short) => write_task_line(paper, &short.into()),
        TaskOrSummary::Full(full) => write_full_task(paper, full),
    }
}

fn write_full_task(paper: &mut TextPage, task: &TaskView) {
    let paint = paper.painter();
    paper.write_line(format!(
        "{}  {}  {}",
        paint.paint_text(TextTone::Strong, &task.id),
        state::painted_state(paint, task.state.0),
        escape_controls(&task.title)
    ));
    let mut facts = vec![format!("priority {}", task.priority)];
    if let Some(agent) = &task.agent {
        facts.push(format!("agent {agent}"));
    }
    facts.push(format!("{} of {} failures", task.failures, task.max_attempts));
    if task.losses > 0 {
        facts.push(counted_noun(task.losses, "loss", "losses"));
    }
    if task.releases > 0 {
        facts.push(counted_noun(task.releases, "release", "releases"));
    }
    if task.faults > 0 {
        facts.push(counted_noun(task.faults, "fault", "faults"));
    }
    facts.push(format!("added {}", paper.relative_time(task.created_at)));
    facts.push(format!("changed {}", paper.relative_time(task.updated_at)));
    facts.extend(usage_text(task.cost_usd, task.tokens.as_ref()));
    paper.write_note(&format!("  {}", facts.join(", ")));
    if !task.labels.is_empty() {
        paper.write_note(&format!("  labels {}", task.labels.join(", ")));
    }
    if let Some(not_before) = task.not_before.filter(|stamp| stamp.0 > paper.now()) {
        paper.write_note(&format!("  next try after {not_before}, {}", paper.relative_time(not_before)));
    }
    if let Some(spec) = &task.spec {
        paper.write_gap();
        paper.write_block(spec, 2);
    }
    for (heading, texts) in [("Accept", &task.accept), ("Verify", &task.verify)] {
        if !texts.is_empty() {
            paper.write_gap();
            paper.write_heading(heading);
            for text in texts {
                paper.write_line(format!("  - {}", escape_controls(text)));
            }
        }
    }
}

impl HumanReadable for TaskResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_changed_task(paper, &self.task);
    }
}

impl HumanReadable for TaskChangeResponse {
    fn render_human(&self, paper: &mut TextPage) {
        self.tasks.iter().for_each(|task| write_changed_task(paper, task));
        for (tasks, what) in [(&self.skipped, "skipped"), (&self.unskipped, "no longer skipped")] {
            if !tasks.is_empty() {
                let count = counted_noun(tasks.len() as u64, "other task is", "other tasks are");
                paper.write_line(format!("{count} {what}: {}", tasks.join(" ")));
            }
        }
        write_next_commands(paper, &self.next);
    }
}

impl HumanReadable for TaskAddResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match self {
            Self::Task(answer) => answer.render_human(paper),
            Self::Plan(answer) => answer.render_human(paper),
        }
    }
}

impl HumanReadable for TaskListResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.tasks.is_empty() {
            paper.write_line("No tasks.");
            write_refused_tasks(paper, &self.refused);
            return;
        }
        if self.tasks.iter().any(|task| matches!(task, TaskOrSummary::Full(_))) {
            for task in &self.tasks {
                paper.write_gap();
                write_changed_task(paper, task);
            }
        } else {
            write_task_table(paper, self.tasks.iter().map(TaskLine::from));
        }
        write_refused_tasks(paper, &self.refused);
        paper.write_truncation(self.tasks.len(), self.total, self.next.as_deref());
    }
}

/// Writes the tasks that the budget keeps from being dispatched.
fn write_refused_tasks(paper: &mut TextPage, refused: &[RefusedReadyTask]) {
    for refused in refused {
        let task = paper.painter().paint_text(TextTone::Strong, &refused.task);
        for reason in &refused.reasons {
            paper.write_line(format!("{task}  not now: {}", escape_controls(&reason.message)));
            for next in reason.next_commands() {
                paper.write_note(&format!("  {}", escape_controls(next)));
            }
        }
    }
}

impl HumanReadable for PlanResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!(
            "{} added, {} changed, {} added; {}, {} ready.",
            counted_noun(self.added, "task", "tasks"),
            self.changed,
            counted_noun(self.dependencies, "dependency", "dependencies"),
            counted_noun(self.levels, "level", "levels"),
            self.ready
        ));
        if self.pruned > 0 {
            paper.write_line(format!("{} cancelled.", counted_noun(self.pruned, "task", "tasks")));
        }
        for change in self.changes.iter().filter(|change| change.change != "add") {
            let fields = change.fields.join(" ");
            paper.write_line(format!("  {} {}  {fields}", change.change, change.task).trim_end());
        }
        for left in &self.left {
            let fields = left.fields.join(" ");
            paper.write_line(format!("  left {}  {fields}  {}", left.task, left.reason));
        }
        if !self.tasks.is_empty() {
            paper.write_gap();
            write_task_table(paper, self.tasks.iter().map(TaskLine::from));
            let rest = (self.added + self.changed).saturating_sub(self.tasks.len() as u64);
            if rest > 0 {
                paper.write_note(&format!("… and {rest} more."));
            }
        }
    }
}

impl HumanReadable for TaskShowResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_full_task(paper, &self.task);
        write_edges(paper, "Waits for", &self.dependencies, |edge| &edge.on);
        write_edges(paper, "Needed by", &self.dependents, |edge| &edge.task);
        if !self.attempts.is_empty() {
            paper.write_gap();
            paper.write_heading("Attempts");
            for attempt in &self.attempts {
                write_attempt(paper, attempt);
            }
        }
    }
}

fn write_edges(
    paper: &mut TextPage,
    heading: &str,
    edges: &[DependencyView],
    other: impl Fn(&DependencyView) -> &String,
) {
    if edges.is_empty() {
        return;
    }
    paper.write_gap();
    paper.write_heading(heading);
    for edge in edges {
        let state = state::painted_state(paper.painter(), edge.state.0);
        paper.write_line(format!("  {}  {state}", other(edge)));
    }
}

fn write_attempt(paper: &mut TextPage, attempt: &AttemptView) {
    let paint = paper.painter();
    let state = paint.paint_text(attempt_tone(attempt.state.0), attempt.state.0.name());
    let ended = attempt.ended_at.map(|at| format!(", ended {}", paper.relative_time(at))).unwrap_or_default();
    let began = paper.relative_time(attempt.created_at);
    let thread = attempt.thread.as_deref().unwrap_or("no thread yet");
    let about = paint.paint_text(TextTone::Faint, &format!("{thread}  began {began}{ended}"));
    paper.write_line(format!("  {}  {state}  {}  {about}", attempt.id, attempt.agent));
    for text in [&attempt.result, &attempt.reason].into_iter().flatten() {
        paper.write_block(text, 4);
    }
    if let Some(tree) = &attempt.worktree {
        let place = format!("{} on {}", escape_controls(&tree.path), tree.branch);
        paper.write_line(format!("    {}", paper.painter().paint_text(TextTone::Faint, &place)));
    }
    if let Some(used) = usage_text(attempt.cost_usd, attempt.tokens.as_ref()) {
        paper.write_note(&format!("    {used}"));
    }
    if let AttemptChecksView::Runs(checks) = &attempt.checks {
        for check in checks {
            write_check(paper, check);
        }
    }
    if let Some(tail) = &attempt.log_tail {
        paper.write_block(tail, 6);
    }
    if let Some(by) = attempt.judgement.as_ref().and_then(author_text) {
        paper.write_note(&format!("    {by}"));
    }
}

/// Returns who judged an attempt by hand.
fn author_text(judgement: &JudgementView) -> Option<String> {
    let by = &judgement.by;
    let agent = by.agent.as_ref()?;
    let what = if judgement.accepted { "accepted" } else { "rejected" };
    let place = match (&by.user, &by.host) {
        (Some(user), Some(host)) => format!(" ({})", escape_controls(&format!("{user} on {host}"))),
        _ => String::new(),
    };
    Some(format!("{what} by {agent}{place}"))
}

fn attempt_tone(state: AttemptState) -> TextTone {
    match state {
        AttemptState::Preparing | AttemptState::Dispatched | AttemptState::Running => TextTone::Busy,
        AttemptState::Reported => TextTone::Busy,
        AttemptState::Blocked => TextTone::Attention,
        AttemptState::Accepted => TextTone::Good,
        AttemptState::Rejected | AttemptState::Failed | AttemptState::Lost => TextTone::Bad,
        AttemptState::Recalled | AttemptState::Cancelled => TextTone::Faint,
    }
}

impl HumanReadable for DependencyEditResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_changed_task(paper, &self.task);
    }
}

impl HumanReadable for DependencyListResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.dependencies.is_empty() {
            paper.write_line("No dependencies.");
            return;
        }
        let mut table = TextTable::new(&["TASK", "WAITS FOR", "STATE", "MET"]);
        for edge in &self.dependencies {
            table.push_row(vec![
                TableCell::plain(&edge.task),
                TableCell::plain(&edge.on),
                state::state_cell(edge.state.0),
                if edge.met {
                    TableCell::new("yes", TextTone::Good)
                } else {
                    TableCell::new("no", TextTone::Faint)
                },
            ]);
        }
        paper.write_table(&table);
        paper.write_truncation(self.dependencies.len(), self.total, self.next.as_deref());
    }
}
