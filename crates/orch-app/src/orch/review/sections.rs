//! The review as sections of lines, which a terminal shows as text and a pull request as Markdown.

use std::fmt::Write as _;

use orch_contract::CheckView;
use orch_contract::orch::review::{
    OverriddenLandingView, ReviewResponse, ReviewedFileView, ReviewedQuestionView, TaskEvidenceView,
};
use orch_core::check::CheckState;
use orch_core::path_risk::PathRisk;
use orch_core::run::LandingManner;
use orch_core::run::usage::DollarAmount;
use orch_core::task::{ChecksStatus, TaskState};

use crate::orch::report::markdown::{code_span, escape_inline};

/// A part of the review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewSection {
    /// Its heading.
    pub heading: String,
    /// Its lines.
    pub lines: Vec<ReviewLine>,
}

/// A line of the review; its texts may contain what workers wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewLine {
    /// Whether it belongs to the line above it.
    pub is_detail: bool,
    /// The name of what it is about: a path, a task, a command.
    pub name: Option<String>,
    /// The statement about it.
    pub text: String,
}

impl ReviewLine {
    fn about(name: &str, text: impl Into<String>) -> Self {
        Self { is_detail: false, name: Some(name.to_owned()), text: text.into() }
    }

    fn detail(name: Option<&str>, text: impl Into<String>) -> Self {
        Self { is_detail: true, name: name.map(str::to_owned), text: text.into() }
    }
}

/// Returns the line that sums a review up.
#[must_use]
pub fn summary(review: &ReviewResponse) -> String {
    let done = review.tasks.iter().filter(|task| task.state.0 == TaskState::Done).count();
    let mut text = format!("{}: {done} of {} tasks are done", review.state, review.tasks_total);
    match (review.files_total, &review.branch) {
        (Some(files), _) => {
            let _ =
                write!(text, "; {} changed, +{} −{}", counted(files, "file"), review.added, review.removed);
        }
        (None, Some(_)) => text.push_str("; the changes cannot be read from the repository"),
        (None, None) => text.push_str("; the run has no branch"),
    }
    match review.cost_usd {
        Some(cost) => {
            let _ = write!(text, "; {} US dollars", DollarAmount(cost.0));
        }
        None => text.push_str("; cost unknown"),
    }
    if let Some(landed) = &review.landed {
        let _ = write!(text, "; landed on {}", landed.branch);
    }
    text
}

/// Returns the sections that have content, the most important first.
#[must_use]
pub fn sections(review: &ReviewResponse) -> Vec<ReviewSection> {
    let unchecked_rest = review.unchecked_total - review.unchecked.len() as u64;
    let mut unchecked: Vec<ReviewLine> =
        review.unchecked.iter().map(|task| unchecked_line(review, task)).collect();
    if unchecked_rest > 0 {
        unchecked.push(ReviewLine {
            is_detail: false,
            name: None,
            text: format!("… and {unchecked_rest} more"),
        });
    }
    let by_hand = review.by_hand.iter().map(|judged| {
        let by = judged.by.as_deref().unwrap_or("unknown");
        let reason = judged.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        ReviewLine::about(&judged.attempt, format!("accepted by {by}{reason}"))
    });
    let others = review.others.iter().map(|advance| {
        let text = format!("{} by {}", counted(advance.commits, "commit"), advance.authors.join(", "));
        ReviewLine::about(short(&advance.commit), text)
    });
    let (done, left): (Vec<&TaskEvidenceView>, Vec<&TaskEvidenceView>) =
        review.tasks.iter().partition(|task| task.state.0 == TaskState::Done);
    let all = [
        ("Landed without its checks", review.overrides.iter().map(override_line).collect()),
        ("Read these files first", review.read_first.iter().map(file_line).collect()),
        ("Accepted by hand", by_hand.collect()),
        ("Checked by nothing", unchecked),
        ("Commits of others on the run's branch", others.collect()),
        ("Not done", left.into_iter().flat_map(task_lines).collect()),
        ("Questions", review.questions.iter().flat_map(question_lines).collect()),
        ("Tasks", done.into_iter().flat_map(task_lines).collect()),
    ];
    let all = all.into_iter().map(|(heading, lines): (&str, Vec<ReviewLine>)| ReviewSection {
        heading: heading.to_owned(),
        lines,
    });
    all.filter(|section| !section.lines.is_empty()).collect()
}

/// Renders a review as Markdown, in which the texts of others have no markup.
#[must_use]
pub fn to_markdown(review: &ReviewResponse) -> String {
    let mut page =
        format!("# Review of {}: {}\n\n{}.\n", review.run, escape_inline(&review.title), summary(review));
    for section in sections(review) {
        let _ = write!(page, "\n## {}\n\n", section.heading);
        for line in section.lines {
            let name = line.name.as_deref().map_or_else(String::new, |name| format!("{} ", code_span(name)));
            let indent = if line.is_detail { "  " } else { "" };
            let _ = writeln!(page, "{indent}- {}", format!("{name}{}", escape_inline(&line.text)).trim_end());
        }
    }
    if !review.next.is_empty() {
        let _ = write!(page, "\n## Next\n\n```sh\n{}\n```\n", review.next.join("\n"));
    }
    page
}

fn override_line(landing: &OverriddenLandingView) -> ReviewLine {
    let what = match landing.manner.0 {
        LandingManner::Checked | LandingManner::Unverified => "without checks",
        LandingManner::Pushed => "merged elsewhere with other files",
    };
    let by = landing.by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
    ReviewLine::about(&landing.branch, format!("{what}{by}, {}: {}", short(&landing.commit), landing.reason))
}

fn file_line(file: &ReviewedFileView) -> ReviewLine {
    let mut text = match (file.added, file.removed) {
        (Some(added), Some(removed)) => format!("+{added} −{removed}"),
        _ => "binary".to_owned(),
    };
    if file.protected {
        text.push_str(", protected");
    }
    if let Some(risk) = file.risk.filter(|risk| risk.0 != PathRisk::Binary) {
        let _ = write!(text, ", {}", risk_text(risk.0));
    }
    match file.tasks.is_empty() {
        true => text.push_str(", by no task"),
        false => {
            let _ = write!(text, ", by {}", file.tasks.join(", "));
        }
    }
    ReviewLine::about(&file.path, text)
}

fn risk_text(risk: PathRisk) -> &'static str {
    match risk {
        PathRisk::Secret => "may hold a secret",
        PathRisk::Pipeline => "runs with the secrets of the pipeline",
        PathRisk::AgentInstructions => "agents obey it",
        PathRisk::GitConfiguration => "git obeys it",
        PathRisk::Build => "runs when the program is built",
        PathRisk::Dependencies => "changes the dependencies",
        PathRisk::FewerTests => "removes tests",
        PathRisk::Binary => "binary",
    }
}

fn unchecked_line(review: &ReviewResponse, task: &str) -> ReviewLine {
    let title = review.tasks.iter().find(|one| one.task == task).map_or("", |one| one.title.as_str());
    ReviewLine::about(task, title)
}

fn question_lines(asked: &ReviewedQuestionView) -> Vec<ReviewLine> {
    let answer = match (&asked.answer, &asked.answered_by) {
        (Some(answer), Some(by)) => format!("{by} answered: {answer}"),
        (Some(answer), None) => format!("its default counts: {answer}"),
        (None, _) if asked.open => "not answered yet".to_owned(),
        (None, _) => "withdrawn".to_owned(),
    };
    vec![
        ReviewLine::about(asked.attempt.as_deref().unwrap_or("?"), asked.question.as_str()),
        ReviewLine::detail(None, answer),
    ]
}

fn task_lines(task: &TaskEvidenceView) -> Vec<ReviewLine> {
    let verdict = match (task.state.0, task.checks_status.0) {
        (TaskState::Done, ChecksStatus::None) => "nothing checked it".to_owned(),
        (TaskState::Done, ChecksStatus::Passed) => "checks passed".to_owned(),
        (TaskState::Done, ChecksStatus::Overridden) => "accepted by hand".to_owned(),
        (TaskState::Done, ChecksStatus::Failed) => "done although checks failed".to_owned(),
        (TaskState::Done, ChecksStatus::Pending) => "done, and its checks have not run yet".to_owned(),
        (state, _) => state.name().to_owned(),
    };
    let name = task.attempt.as_deref().unwrap_or(&task.task);
    let mut lines = vec![ReviewLine::about(name, format!("{} ({verdict})", task.title))];
    lines.extend(task.accept.iter().map(|wanted| ReviewLine::detail(None, format!("wanted: {wanted}"))));
    let is_repeat = |index: usize, check: &CheckView| {
        check.reused
            && task.checks[..index].iter().any(|one| one.command == check.command && one.tree == check.tree)
    };
    let checks = task.checks.iter().enumerate().filter(|(index, check)| !is_repeat(*index, check));
    lines.extend(checks.map(|(_, check)| check_line(check)));
    let missing = task.checks_missing.iter().filter(|_| task.state.0 == TaskState::Done);
    lines.extend(missing.map(|command| ReviewLine::detail(Some(command), "has no result")));
    if task.files_total > 0 {
        let named: Vec<&str> = task.files.iter().take(FILES_NAMED).map(|file| file.path.as_str()).collect();
        let rest = task.files_total.saturating_sub(named.len() as u64);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let (added, removed) = task.files.iter().fold((0, 0), |(added, removed), file| {
            (added + file.added.unwrap_or_default(), removed + file.removed.unwrap_or_default())
        });
        lines.push(ReviewLine::detail(
            None,
            format!("changed +{added} −{removed}: {}{rest}", named.join(", ")),
        ));
    }
    if let Some(result) =
        task.result.as_deref().and_then(|result| result.lines().find(|line| !line.trim().is_empty()))
    {
        lines.push(ReviewLine::detail(None, format!("reported: {}", result.trim())));
    }
    lines
}

/// How many files a task's line names.
const FILES_NAMED: usize = 6;

fn check_line(check: &CheckView) -> ReviewLine {
    let mut text = match check.state.0 {
        CheckState::Passed => "passed".to_owned(),
        state => state.name().replace('_', " "),
    };
    if let Some(tree) = &check.tree {
        let _ = write!(text, " on tree {}", short(tree));
    }
    let _ = write!(text, " in {:.1} s", check.duration_ms as f64 / 1e3);
    if check.reused {
        text.push_str(", reused from an earlier check of that tree");
    }
    if check.flaky {
        text.push_str(", both failed and passed on that tree");
    }
    let command = if check.command.is_empty() { "protected files" } else { check.command.as_str() };
    ReviewLine::detail(Some(command), text)
}

fn counted(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

fn short(hash: &str) -> &str {
    hash.get(..10).unwrap_or(hash)
}
