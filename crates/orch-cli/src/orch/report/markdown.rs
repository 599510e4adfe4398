//! The report as a page of Markdown, in which nothing that others wrote is more than text.

use std::fmt::Write as _;

use orch_contract::Stamp;
use orch_core::run::{Outcome, RunState, RunStatus};
use orch_core::shell;
use orch_core::task::{Checks, TaskState};
use orch_scheduler::outcome::{Shown, TaskOutcome};
use orch_scheduler::report::{Asked, Report, Told};

use crate::human::harmless;

/// How much of what others wrote stands in a line, in characters.
const TEXT_MAX: usize = 300;

/// How many lines of the goal are repeated.
const GOAL_LINES_MAX: usize = 40;

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    landed(&mut page, report);
    page.list("Done", &report.done, done);
    page.list("Not done", &report.left, |(one, reason)| left(one, reason.as_deref()));
    page.list("Not checked by anything", &report.unchecked, named);
    page.list("Accepted by hand", &report.overridden, told);
    page.list("Attempts that came to nothing", &report.refused, told);
    page.list("Questions", &report.questions, asked);
    page.list("Faults", &report.faults, told);
    let next = next(report);
    if !next.is_empty() {
        page.heading("Next");
        page.text.push_str("\n```sh\n");
        for command in next {
            page.text.push_str(&command);
            page.text.push('\n');
        }
        page.text.push_str("```\n");
    }
    page.text
}

/// A page under way.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn heading(&mut self, heading: &str) {
        let _ = write!(self.text, "\n## {heading}\n");
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A heading with a list below it, where there is anything to list.
    fn list<T>(&mut self, heading: &str, list: &Shown<T>, line: impl Fn(&T) -> String) {
        if list.total == 0 {
            return;
        }
        self.heading(&format!("{heading} ({})", list.total));
        self.text.push('\n');
        for one in &list.first {
            self.line(&format!("- {}", line(one)));
        }
        let rest = list.total.saturating_sub(list.first.len() as u64);
        if rest > 0 {
            self.line(&format!("- … and {rest} more"));
        }
    }
}

fn head(page: &mut Page, report: &Report) {
    let run = &report.run;
    page.line(&format!("# {}: {}", run.name, inline(&run.title)));
    if let Some(goal) = &run.goal {
        page.text.push('\n');
        for line in goal.lines().take(GOAL_LINES_MAX) {
            page.line(format!("> {}", inline(line)).trim_end());
        }
    }
    let counts = &run.counts;
    let total = counts.total() - counts.of(TaskState::Cancelled);
    page.line(&format!("\n**{}**: {} of {total} tasks are done.", state(report), counts.of(TaskState::Done)));
    let mut facts = format!("Begun {}, last changed {}.", Stamp(run.created_at), Stamp(run.updated_at));
    if let Some(ground) = &run.ground {
        let on = ground.base_branch.as_deref().map(|branch| format!(" on {}", code(branch)));
        let _ = write!(
            facts,
            "\nIts branch {} began from {}{}.",
            code(&ground.branch),
            code(short(ground.base.as_str())),
            on.unwrap_or_default()
        );
    }
    if run.spent.cost_micros > 0 {
        let _ = write!(facts, "\nIt has cost {:.2} US dollars.", run.spent.cost_micros as f64 / 1e6);
    }
    page.line(&format!("\n{facts}"));
}

fn state(report: &Report) -> &'static str {
    match &report.run.state {
        RunState::Open => "under way",
        RunState::Paused(_) => "paused",
        RunState::Finished(Outcome::Succeeded) => "succeeded",
        RunState::Finished(Outcome::Partial) => "succeeded in part",
        RunState::Finished(Outcome::Failed) => "failed",
        RunState::Cancelled => "cancelled",
    }
}

fn landed(page: &mut Page, report: &Report) {
    if report.run.ground.is_none() {
        return;
    }
    if report.landings.total == 0 {
        page.heading("Landed");
        page.line("\nNothing has landed.");
        return;
    }
    page.list("Landed", &report.landings, |one| {
        let by = one.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        format!("on {} at {}, {}{by}", code(&one.onto), code(short(&one.commit)), Stamp(one.at))
    });
    if report.has_unlanded {
        page.line("\nMore has been merged into the run's branch since then.");
    }
}

/// A task with its title.
fn named(one: &TaskOutcome) -> String {
    let name = match &one.attempt {
        Some(attempt) => attempt.name.to_string(),
        None => one.task.name.to_string(),
    };
    format!("{} {}", code(&name), inline(&one.task.title))
}

fn done(one: &TaskOutcome) -> String {
    let said = match one.attempt.as_ref().map_or(Checks::None, |attempt| attempt.checks) {
        Checks::None => "not checked",
        Checks::Pending => "checks have yet to run",
        Checks::Passed => "checks passed",
        Checks::Failed => "checks failed",
        Checks::Overridden => "accepted by hand",
    };
    let merged = one.tree.as_ref().and_then(|tree| tree.merged.as_ref());
    let merged =
        merged.map_or_else(String::new, |commit| format!(", merged as {}", code(short(commit.as_str()))));
    format!("{}: {said}{merged}", named(one))
}

fn left(one: &TaskOutcome, reason: Option<&str>) -> String {
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", inline(reason)));
    format!(
        "{} {}, {}{reason}",
        code(&one.task.name.to_string()),
        inline(&one.task.title),
        one.task.state.name()
    )
}

fn told(one: &Told) -> String {
    let by = one.by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
    let reason = one.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", inline(reason)));
    format!("{} {}{by}{reason}", code(&one.about), one.kind.name().replace('_', " "))
}

fn asked(one: &Asked) -> String {
    let attempt =
        one.attempt.as_ref().map_or_else(String::new, |attempt| format!("{} ", code(&attempt.to_string())));
    let by = one.by.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
    let answer = match &one.answer {
        Some((from, text)) => {
            let from = from.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
            format!("answered by {from}: {}", inline(text))
        }
        None if one.is_open => "not answered yet".to_owned(),
        None => "withdrawn".to_owned(),
    };
    format!("{attempt}{by} asked: {}\n  - {answer}", inline(&one.question))
}

/// The literal next commands, the most useful first.
fn next(report: &Report) -> Vec<String> {
    let run = &report.run;
    let (name, counts) = (&run.name, &run.counts);
    let mut commands = Vec::new();
    if run.state.status() == RunStatus::Paused {
        commands.push(format!("orch run resume {name}"));
    }
    for open in report.questions.first.iter().filter(|asked| asked.is_open) {
        if let Some(attempt) = &open.attempt {
            commands.push(format!("orch answer {} TEXT", attempt.task));
        }
    }
    let failed = report.left.first.iter().find(|(one, _)| one.task.state == TaskState::Failed);
    if let Some((failed, _)) = failed {
        commands.push(format!("orch task retry {}", failed.task.name));
    }
    if counts.of(TaskState::Reported) > 0 {
        commands.push(format!("orch integrate {name}"));
    }
    if run.state.status() == RunStatus::Open && counts.of(TaskState::Ready) > 0 {
        commands.push(format!("orch dispatch --all --to AGENT --run {name}"));
    }
    let Some(ground) = &run.ground else { return commands };
    let over = !run.state.status().unfinished();
    if over && is_to_land(report) {
        let onto = ground.base_branch.as_deref().unwrap_or("BRANCH");
        let mut words = vec!["orch", "land", name.as_str(), "--onto", onto];
        if counts.total() > counts.of(TaskState::Done) + counts.of(TaskState::Cancelled) {
            words.push("--partial");
        }
        commands.push(shell::line(words));
    } else if over {
        if report.worktrees > 0 {
            commands.push(format!("orch worktree prune {name}"));
        }
        commands.push(format!("orch run rm {name}"));
    }
    commands
}

/// Whether there is something that has not landed.
fn is_to_land(report: &Report) -> bool {
    report.has_unlanded || (report.landings.total == 0 && report.done.total > 0)
}

fn short(commit: &str) -> &str {
    &commit[..commit.len().min(10)]
}

/// A name of ours, or of git's, as code.
fn code(name: &str) -> String {
    format!("`{}`", harmless(name).replace('`', "'"))
}

/// What others wrote as one line of plain text: nothing in it is a heading, a link, code or a tag.
fn inline(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = String::with_capacity(line.len());
    for (index, character) in harmless(&line).chars().enumerate() {
        if index == TEXT_MAX {
            shown.push('…');
            break;
        }
        if matches!(character, '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '#') {
            shown.push('\\');
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_only_text() {
        for (text, shown) in [
            ("Ship it.", "Ship it."),
            ("two\nlines\tof it", "two lines of it"),
            ("# heading", r"\# heading"),
            ("[x](y) <b> `c` *d*", r"\[x\](y) \<b\> \`c\` \*d\*"),
            ("\u{1b}[31mred", "␛\\[31mred"),
        ] {
            assert_eq!(inline(text), shown);
        }
        assert_eq!(inline(&"é".repeat(TEXT_MAX + 1)), format!("{}…", "é".repeat(TEXT_MAX)));
        assert_eq!(code("a`b\u{1b}"), "`a'b␛`");
    }
}
