//! `orch brief`: a run for a lead without context, cut to a few kilobytes.

use orch_contract::orch::brief::{BriefActive, BriefQuestion, BriefResponse, BriefTrouble};
use orch_contract::orch::run::BriefOrRuns;
use orch_contract::orch::status::ReviewView;
use orch_contract::run::{RunProgress, TaskCountsView};
use orch_contract::{ReasonView, operation};
use orch_core::id::{Slug, TaskName};
use orch_core::refusal::Refusal;
use orch_core::run::{DoneWhen, RunState, RunStatus};
use orch_core::shell;
use orch_core::task::TaskState;
use orch_inbox::Error;
use orch_query::brief::{LeadBrief, load_lead_brief};
use orch_query::ps::WorkerProcess;
use serde::Serialize;

use super::status::open_runs;
use crate::app::App;
use crate::escape::escape_controls;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows a run to a lead without context: its state, what is stuck, and the next commands.
#[derive(Serialize)]
pub struct ShowBrief<'a> {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// Returns the size of an answer with these warnings, as the door will print it.
    #[serde(skip)]
    pub measure: &'a dyn Fn(&BriefResponse, &[String]) -> usize,
}

impl Request for ShowBrief<'_> {
    const COMMAND: &'static str = "orch brief";
    type View = BriefOrRuns;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<BriefOrRuns> {
        match load_lead_brief(app.session()?, self.run.as_ref()) {
            Err(Error::Refused(Refusal::RunAmbiguous { runs })) => {
                Ok(Reply::new(BriefOrRuns::Runs(open_runs(app.session()?, &runs, "brief")?)))
            }
            found => {
                let brief = fit_to_size(&found?, |answer| (self.measure)(answer, &app.warnings()));
                Ok(Reply::new(BriefOrRuns::Brief(Box::new(brief))))
            }
        }
    }
}

/// The most bytes of a brief, as text and as a document.
pub const BYTES_MAX: usize = 4096;

/// The length of texts and lists in a brief.
#[derive(Clone, Copy, Debug)]
struct BriefSizing {
    text_bytes: usize,
    entries: usize,
}

/// The sizes of a brief, from generous to one that always fits.
const MEASURES: [BriefSizing; 9] = [
    BriefSizing { text_bytes: 400, entries: 10 },
    BriefSizing { text_bytes: 240, entries: 8 },
    BriefSizing { text_bytes: 160, entries: 6 },
    BriefSizing { text_bytes: 120, entries: 5 },
    BriefSizing { text_bytes: 90, entries: 4 },
    BriefSizing { text_bytes: 60, entries: 3 },
    BriefSizing { text_bytes: 40, entries: 2 },
    BriefSizing { text_bytes: 30, entries: 1 },
    BriefSizing { text_bytes: 12, entries: 1 },
];

/// Returns the longest answer that fits.
fn fit_to_size(found: &LeadBrief, size: impl Fn(&BriefResponse) -> usize) -> BriefResponse {
    let [generous @ .., least] = MEASURES;
    let fitting = generous.into_iter().map(|measure| brief_response(found, measure));
    let mut fitting = fitting.filter(|answer| size(answer) <= BYTES_MAX);
    fitting.next().unwrap_or_else(|| brief_response(found, least))
}

fn brief_response(found: &LeadBrief, measure: BriefSizing) -> BriefResponse {
    let status = &found.status;
    let run = &status.run;
    let pause = match &run.state {
        RunState::Paused(pause) => {
            let why = pause.message.as_deref().unwrap_or(pause.reason.name());
            Some(measure.truncate_text(why))
        }
        RunState::Open | RunState::Finished(_) | RunState::Cancelled => None,
    };
    let outcome = match &run.state {
        RunState::Finished(outcome) => Some((*outcome).into()),
        RunState::Open | RunState::Paused(_) | RunState::Cancelled => None,
    };
    BriefResponse {
        run: run.name.to_string(),
        title: measure.truncate_text(&run.title),
        goal: run.goal.as_deref().map(|goal| measure.truncate_text(goal)).filter(|goal| !goal.is_empty()),
        state: run.state.status().into(),
        outcome,
        pause,
        progress: RunProgress::from_counts(&run.counts),
        eta_ms: status.eta.map(|span| span.0),
        counts: TaskCountsView::from_counts(&run.counts),
        questions: brief_questions(found, measure),
        reviews: status
            .reviews
            .iter()
            .filter_map(ReviewView::from_event)
            .take(measure.entries)
            .map(|one| one.task)
            .collect(),
        stuck: stuck_tasks(found, measure),
        stuck_total: found.stuck_total,
        active: active_tasks(found, measure),
        ready: status
            .ready
            .iter()
            .take(measure.entries)
            .map(|shown| shown.task.name.key.to_string())
            .collect(),
        driven: is_driven(found),
        cursor: found.cursor.to_string(),
        next: next_commands(found),
    }
}

impl BriefSizing {
    /// Returns a text as one escaped line, cut to the size.
    fn truncate_text(self, text: &str) -> String {
        // The rest of a long text need not be read.
        let near = text.char_indices().nth(self.text_bytes + 1).map_or(text, |(end, _)| &text[..end]);
        let line = near.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = escape_controls(&line);
        if line.len() <= self.text_bytes && near.len() == text.len() {
            return line.into_owned();
        }
        let mut end = self.text_bytes.saturating_sub('…'.len_utf8()).min(line.len());
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}…", &line[..end])
    }
}

fn brief_questions(found: &LeadBrief, measure: BriefSizing) -> Vec<BriefQuestion> {
    let shown = found.status.questions.iter().take(measure.entries);
    let question = shown.map(|asked| BriefQuestion {
        task: asked.task.to_string(),
        question: measure.truncate_text(&asked.question.content.body),
        age_ms: asked.age.0,
        next: format!("orch answer {} TEXT", asked.task),
    });
    question.collect()
}

/// Returns failed operations, then failed tasks with the reason of their failure, then waiting tasks with what they wait for.
fn stuck_tasks(found: &LeadBrief, measure: BriefSizing) -> Vec<BriefTrouble> {
    let operations = found.operations.iter().map(|failed| BriefTrouble {
        task: failed.attempt.as_ref().map_or_else(|| failed.run.to_string(), |one| one.task.to_string()),
        title: None,
        reason: measure.truncate_text(&operation::failure_message(failed)),
        next: operation::next_commands(failed).into_iter().next(),
    });
    let failed = found.status.failed.iter().map(|failed| BriefTrouble {
        task: failed.shown.task.name.to_string(),
        title: Some(measure.truncate_text(&failed.shown.task.title)),
        reason: measure.truncate_text(failed.reason.as_deref().unwrap_or("no reason given")),
        next: Some(format!("orch task retry {}", failed.shown.task.name)),
    });
    let told = |name: &TaskName| found.status.failed.iter().any(|failed| failed.shown.task.name == *name);
    let others = found.stuck.iter().filter(|stuck| !told(&stuck.task)).filter_map(|stuck| {
        let reason = ReasonView::from_reason(stuck.reasons.first()?, &stuck.task);
        let next = reason.next_commands().first().cloned();
        let (task, reason) = (stuck.task.to_string(), measure.truncate_text(&reason.message));
        Some(BriefTrouble { task, title: None, reason, next })
    });
    operations.chain(failed).chain(others).take(measure.entries).collect()
}

fn active_tasks(found: &LeadBrief, measure: BriefSizing) -> Vec<BriefActive> {
    let status = &found.status;
    let activity = |task: &TaskName| {
        let of =
            |worker: &&WorkerProcess| worker.attempt.as_ref().is_some_and(|attempt| attempt.task == *task);
        found.processes.workers.iter().find(of).and_then(|worker| worker.row.activity.as_deref())
    };
    let shown = status.active.iter().take(measure.entries).map(|active| {
        let task = &active.shown.task;
        let at = active.progress.as_deref().or_else(|| activity(&task.name));
        BriefActive {
            task: task.name.to_string(),
            state: task.state.into(),
            agent: active.shown.worker.as_ref().map(ToString::to_string),
            for_ms: (status.now - active.since).0.max(0),
            at: at.map(|at| measure.truncate_text(at)).filter(|at| !at.is_empty()),
        }
    });
    shown.collect()
}

fn is_driven(found: &LeadBrief) -> bool {
    found.processes.supervisors.iter().any(|one| one.alive == Some(true))
}

/// Returns the next commands, the most useful first.
fn next_commands(found: &LeadBrief) -> Vec<String> {
    let status = &found.status;
    let (run, counts) = (&status.run, &status.run.counts);
    let name = &run.name;
    let mut next = Vec::new();
    if let Some(review) = status.reviews.first().and_then(ReviewView::from_event) {
        next.extend(review.next);
    }
    if let Some(asked) = status.questions.first() {
        next.push(format!("orch answer {} TEXT", asked.task));
    }
    if let Some(failed) = found.operations.first() {
        next.extend(operation::next_commands(failed));
    }
    if let Some(failed) = status.failed.first() {
        let task = &failed.shown.task.name;
        next.push(format!("orch log {task}"));
        next.push(format!("orch task retry {task}"));
    }
    match run.state.status() {
        RunStatus::Paused => {
            let resume = format!("orch run resume {name}");
            if !next.contains(&resume) {
                next.push(resume);
            }
        }
        RunStatus::Open if counts.total() == 0 => next.push(format!("orch task add TITLE --run {name}")),
        RunStatus::Open => {
            if !is_driven(found) {
                next.push(format!("orch drive {name}{}", profile_options(&found.profiles)));
                if !status.ready.is_empty() {
                    next.push(format!("orch dispatch --all --to AGENT --run {name}"));
                }
                if counts.in_state(TaskState::Reported) > 0 && run.policy.done_when == DoneWhen::Integrated {
                    next.push(format!("orch integrate {name}"));
                }
            }
            next.push(format!("orch wait --run {name} --after {}", found.cursor));
        }
        RunStatus::Finished => {
            if let Some(ground) = &run.ground {
                let onto = ground
                    .base_branch
                    .as_deref()
                    .filter(|branch| is_plain_branch(branch))
                    .unwrap_or("BRANCH");
                next.push(format!("orch review {name}"));
                next.push(format!("orch land {name} --onto {onto}"));
            }
            next.push(format!("orch report {name}"));
        }
        RunStatus::Cancelled => next.push(format!("orch report {name}")),
    }
    next.push(format!("orch ack --run {name} --through {}", found.cursor));
    next.push(format!("orch status {name}"));
    next.push("orch prime".to_owned());
    next
}

/// Returns the options for the profiles that were used last.
fn profile_options(profiles: &[String]) -> String {
    if profiles.is_empty() {
        return " --profile PROFILE".to_owned();
    }
    profiles.iter().map(|profile| format!(" --profile {}", shell::quote_word(profile))).collect()
}

/// Whether a branch's name needs no quotes in a command.
fn is_plain_branch(branch: &str) -> bool {
    branch.len() <= 64
        && !branch.starts_with('-')
        && branch.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_to_bytes_in_one_line() {
        let measure = BriefSizing { text_bytes: 12, entries: 1 };
        for (text, shown) in [
            ("", ""),
            ("short", "short"),
            ("two\n  lines", "two lines"),
            ("exactly 12 b", "exactly 12 b"),
            ("more than 12 bytes", "more than…"),
            ("日本語日本語", "日本語…"),
            ("\u{1b}[2J", "␛[2J"),
            ("\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}", "␛␛␛…"),
        ] {
            assert_eq!(measure.truncate_text(text), shown, "{text:?}");
        }
        assert!(measure.truncate_text(&"\n".repeat(1_000_000)).len() <= 12);
    }
}
