//! The report as a page of Markdown, in which untrusted text has no markup.

use std::fmt::Write as _;

use orch_contract::UtcTimestamp;
use orch_core::id::Slug;
use orch_core::run::usage::DollarAmount;
use orch_core::run::{LandingManner, ResourceUsage, RunOutcome, RunState, RunStatus};
use orch_core::shell;
use orch_core::task::{ChecksStatus, TaskState};
use orch_query::report::{AskedQuestion, NotableEvent, RunReport};
use orch_workspace::task_outcome::{BoundedList, TaskOutcome};

use crate::escape::escape_controls;

/// The most characters of an untrusted text in a line.
const TEXT_MAX: usize = 300;

/// The most lines of the goal.
const GOAL_LINES_MAX: usize = 40;

/// Renders the whole page.
pub(super) fn render_report(report: &RunReport) -> String {
    let mut page = MarkdownPage::default();
    write_overrides(&mut page, report);
    write_header(&mut page, report);
    write_landed(&mut page, report);
    page.write_list("Done", &report.done, done_line);
    page.write_list("Not done", &report.left, |(one, reason)| left_line(one, reason.as_deref()));
    page.write_list("Not checked by anything", &report.unchecked, task_with_title);
    page.write_list("Accepted by hand", &report.overridden, note_line);
    page.write_list("Attempts that came to nothing", &report.refused, note_line);
    page.write_list("Questions", &report.questions, question_line);
    page.write_list("Faults", &report.faults, note_line);
    let next = next_commands(report);
    if !next.is_empty() {
        page.write_heading("Next");
        page.text.push_str("\n```sh\n");
        for command in next {
            page.text.push_str(&command);
            page.text.push('\n');
        }
        page.text.push_str("```\n");
    }
    page.text
}

/// A page that is being written.
#[derive(Default)]
struct MarkdownPage {
    text: String,
}

impl MarkdownPage {
    fn write_heading(&mut self, heading: &str) {
        let _ = write!(self.text, "\n## {heading}\n");
    }

    fn write_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes a heading with a list below it, unless the list is empty.
    fn write_list<T>(&mut self, heading: &str, list: &BoundedList<T>, line: impl Fn(&T) -> String) {
        if list.total == 0 {
            return;
        }
        self.write_heading(&format!("{heading} ({})", list.total));
        self.text.push('\n');
        for one in &list.first {
            self.write_line(&format!("- {}", line(one)));
        }
        let rest = list.total.saturating_sub(list.first.len() as u64);
        if rest > 0 {
            self.write_line(&format!("- … and {rest} more"));
        }
    }
}

/// Writes the landings that a person must know about before all else: those without checks, or with other files.
fn write_overrides(page: &mut MarkdownPage, report: &RunReport) {
    for landing in &report.landings.first {
        let Some(reason) = &landing.reason else { continue };
        let what = match landing.manner {
            LandingManner::Checked | LandingManner::Unverified => "Landed without checks",
            LandingManner::Pushed => "Recorded as landed with other files than a merge makes",
        };
        let by = landing.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        let onto = code_span(&landing.onto);
        page.write_line(&format!("> **{what}** on {onto}{by}: {}\n", escape_inline(reason)));
    }
}

fn write_header(page: &mut MarkdownPage, report: &RunReport) {
    let run = &report.run;
    page.write_line(&format!("# {}: {}", run.name, escape_inline(&run.title)));
    if let Some(goal) = &run.goal {
        page.text.push('\n');
        for line in goal.lines().take(GOAL_LINES_MAX) {
            page.write_line(format!("> {}", escape_inline(line)).trim_end());
        }
    }
    let counts = &run.counts;
    let total = counts.total() - counts.in_state(TaskState::Cancelled);
    page.write_line(&format!(
        "\n**{}**: {} of {total} tasks are done.",
        run_state_text(report),
        counts.in_state(TaskState::Done)
    ));
    let mut facts =
        format!("Begun {}, last changed {}.", UtcTimestamp(run.created_at), UtcTimestamp(run.updated_at));
    if let Some(ground) = &run.ground {
        let on = ground.base_branch.as_deref().map(|branch| format!(" on {}", code_span(branch)));
        let _ = write!(
            facts,
            "\nIts branch {} began from {}{}.",
            code_span(&ground.branch),
            code_span(short_commit(ground.base.as_str())),
            on.unwrap_or_default()
        );
    }
    if let Some(used) = describe_usage(run.spent) {
        let _ = write!(facts, "\nIt has used {used}.");
    }
    for (profile, sum) in &report.profiles {
        let name = profile.as_ref().map_or("without a profile", Slug::as_str);
        let attempts = sum.spent.attempts;
        let used = describe_usage(sum.spent).unwrap_or_else(|| "an unknown amount".to_owned());
        let _ = write!(facts, "\n- {name}: {used} in {attempts} attempts");
    }
    page.write_line(&format!("\n{facts}"));
}

/// Describes what is known of a usage; `None` where nothing is.
fn describe_usage(spent: ResourceUsage) -> Option<String> {
    let cost = spent.cost_micros.map(|cost| format!("{} US dollars", DollarAmount(cost)));
    let tokens = spent.tokens.map(|tokens| format!("{} tokens", tokens.total()));
    match (cost, tokens) {
        (Some(cost), Some(tokens)) => Some(format!("{cost} and {tokens}")),
        (Some(known), None) | (None, Some(known)) => Some(known),
        (None, None) => None,
    }
}

fn run_state_text(report: &RunReport) -> &'static str {
    match &report.run.state {
        RunState::Open => "under way",
        RunState::Paused(_) => "paused",
        RunState::Finished(RunOutcome::Succeeded) => "succeeded",
        RunState::Finished(RunOutcome::Partial) => "succeeded in part",
        RunState::Finished(RunOutcome::Failed) => "failed",
        RunState::Cancelled => "cancelled",
    }
}

fn write_landed(page: &mut MarkdownPage, report: &RunReport) {
    if report.run.ground.is_none() {
        return;
    }
    if report.landings.total == 0 {
        page.write_heading("Landed");
        page.write_line("\nNothing has landed.");
        return;
    }
    page.write_list("Landed", &report.landings, |one| {
        let by = one.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        let how = match one.manner {
            LandingManner::Checked => "",
            LandingManner::Unverified => ", without checks",
            LandingManner::Pushed => ", merged elsewhere",
        };
        format!(
            "on {} at {}, {}{by}{how}",
            code_span(&one.onto),
            code_span(short_commit(&one.commit)),
            UtcTimestamp(one.at)
        )
    });
    if report.has_unlanded {
        page.write_line("\nMore has been merged into the run's branch since then.");
    }
}

/// Returns the line of a task with its title.
fn task_with_title(one: &TaskOutcome) -> String {
    let name = match &one.attempt {
        Some(attempt) => attempt.name.to_string(),
        None => one.task.name.to_string(),
    };
    format!("{} {}", code_span(&name), escape_inline(&one.task.title))
}

fn done_line(one: &TaskOutcome) -> String {
    let said = match one.attempt.as_ref().map_or(ChecksStatus::None, |attempt| attempt.checks) {
        ChecksStatus::None => "not checked",
        ChecksStatus::Pending => "checks have yet to run",
        ChecksStatus::Passed => "checks passed",
        ChecksStatus::Failed => "checks failed",
        ChecksStatus::Overridden => "accepted by hand",
    };
    let merged = one.tree.as_ref().and_then(|tree| tree.merged.as_ref());
    let merged = merged.map_or_else(String::new, |commit| {
        format!(", merged as {}", code_span(short_commit(commit.as_str())))
    });
    format!("{}: {said}{merged}", task_with_title(one))
}

fn left_line(one: &TaskOutcome, reason: Option<&str>) -> String {
    let reason = reason.map_or_else(String::new, |reason| format!(": {}", escape_inline(reason)));
    format!(
        "{} {}, {}{reason}",
        code_span(&one.task.name.to_string()),
        escape_inline(&one.task.title),
        one.task.state.name()
    )
}

fn note_line(one: &NotableEvent) -> String {
    let by = one.by.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
    let reason =
        one.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", escape_inline(reason)));
    format!("{} {}{by}{reason}", code_span(&one.about), one.kind.name().replace('_', " "))
}

fn question_line(one: &AskedQuestion) -> String {
    let attempt = one
        .attempt
        .as_ref()
        .map_or_else(String::new, |attempt| format!("{} ", code_span(&attempt.to_string())));
    let by = one.by.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
    let answer = match &one.answer {
        Some((from, text)) => {
            let from = from.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string);
            format!("answered by {from}: {}", escape_inline(text))
        }
        None if one.is_open => "not answered yet".to_owned(),
        None => "withdrawn".to_owned(),
    };
    format!("{attempt}{by} asked: {}\n  - {answer}", escape_inline(&one.question))
}

/// Returns the next commands, the most useful first.
pub(in crate::orch) fn next_commands(report: &RunReport) -> Vec<String> {
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
    if counts.in_state(TaskState::Reported) > 0 {
        commands.push(format!("orch integrate {name}"));
    }
    if run.state.status() == RunStatus::Open && counts.in_state(TaskState::Ready) > 0 {
        commands.push(format!("orch dispatch --all --to AGENT --run {name}"));
    }
    let Some(ground) = &run.ground else { return commands };
    let over = !run.state.status().is_unfinished();
    if over && has_unlanded_tasks(report) {
        let onto = ground.base_branch.as_deref().unwrap_or("BRANCH");
        let mut words = vec!["orch", "land", name.as_str(), "--onto", onto];
        if counts.total() > counts.in_state(TaskState::Done) + counts.in_state(TaskState::Cancelled) {
            words.push("--partial");
        }
        commands.push(shell::join_words(words));
    } else if over {
        if report.worktrees > 0 {
            commands.push(format!("orch worktree prune {name}"));
        }
        commands.push(format!("orch run rm {name}"));
    }
    commands
}

/// Whether a finished task has not landed.
fn has_unlanded_tasks(report: &RunReport) -> bool {
    report.has_unlanded || (report.landings.total == 0 && report.done.total > 0)
}

fn short_commit(commit: &str) -> &str {
    &commit[..commit.len().min(10)]
}

/// Returns a name as a code span.
pub(in crate::orch) fn code_span(name: &str) -> String {
    format!("`{}`", escape_controls(name).replace('`', "'"))
}

/// Returns an untrusted text as one line without markup.
pub(in crate::orch) fn escape_inline(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = String::with_capacity(line.len());
    let line = escape_controls(&line);
    for (index, (at, character)) in line.char_indices().enumerate() {
        if index == TEXT_MAX {
            shown.push('…');
            break;
        }
        if is_markup(character, &line[..at], &line[at + character.len_utf8()..]) {
            shown.push('\\');
        }
        shown.push(character);
    }
    shown
}

/// Returns whether a character may begin or continue markup: emphasis, links, HTML, entities, tables, headings, formulas, mentions,
/// and addresses, which become links without any brackets.
fn is_markup(character: char, before: &str, after: &str) -> bool {
    match character {
        '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '@' | '$' => true,
        ':' => after.starts_with("//") || before.to_ascii_lowercase().ends_with("mailto"),
        '.' => before.to_ascii_lowercase().ends_with("www"),
        '-' | '+' | '=' => before.is_empty(),
        _ => false,
    }
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
            ("_a_ ~~b~~ &lt; $x$ @all", r"\_a\_ \~\~b\~\~ \&lt; \$x\$ \@all"),
            ("![i](https://e.org/a.png) www.e.org", r"!\[i\](https\://e.org/a.png) www\.e.org"),
            ("- list: mailto:x", r"\- list: mailto\:x"),
        ] {
            assert_eq!(escape_inline(text), shown);
        }
        assert_eq!(escape_inline(&"é".repeat(TEXT_MAX + 1)), format!("{}…", "é".repeat(TEXT_MAX)));
        assert_eq!(code_span("a`b\u{1b}"), "`a'b␛`");
    }
}
