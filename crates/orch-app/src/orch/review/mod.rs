//! `orch review`: the evidence on a run, for the person who lands it.

pub mod sections;

use orch_contract::attempt::FileChangeView;
use orch_contract::orch::review::{
    ForeignCommitsView, HandJudgementView, OverriddenLandingView, ReviewResponse, ReviewedFileView,
    ReviewedQuestionView, TaskEvidenceView,
};
use orch_contract::run::RunLandingView;
use orch_contract::{AttemptView, CheckView, UsdAmount};
use orch_core::escape::path_text;
use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::{ChecksStatus, TaskState};
use orch_query::report::{AskedQuestion, LandingRecord};
use orch_query::review::{ChangedFile, RunReview, TaskEvidence, load_review, recorded_changes};
use serde::Serialize;

use super::report::markdown::next_commands;
use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows the evidence on a run.
#[derive(Debug, Serialize)]
pub struct ReviewRun {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
}

impl Request for ReviewRun {
    const COMMAND: &'static str = "orch review";
    type View = ReviewResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ReviewResponse> {
        let review = load_review(app.session()?, self.run.as_ref())?;
        Ok(Reply::new(review_response(&review)))
    }
}

fn review_response(review: &RunReview) -> ReviewResponse {
    let RunReview { report, tasks, changes } = review;
    let run = &report.run;
    let files = changes.as_ref().map(|changes| changes.files.as_slice());
    let lines = files.unwrap_or_default().iter().filter_map(|file| file.lines);
    let (added, removed) =
        lines.fold((0, 0), |(added, removed), one| (added + one.added, removed + one.removed));
    let unchecked: Vec<String> = tasks
        .iter()
        .filter(|task| is_unchecked(task))
        .map(|task| task.outcome.task.name.to_string())
        .collect();
    let listed_without_checks =
        tasks.iter().filter(|task| is_unchecked(task) && task.outcome.is_unchecked()).count();
    ReviewResponse {
        run: run.name.to_string(),
        title: run.title.clone(),
        goal: run.goal.clone(),
        state: run.state.status().into(),
        branch: run.ground.as_ref().map(|ground| ground.branch.clone()),
        base_branch: run.ground.as_ref().and_then(|ground| ground.base_branch.clone()),
        base_commit: changes.as_ref().map(|changes| changes.base.to_string()),
        tip_commit: changes.as_ref().map(|changes| changes.tip.to_string()),
        landed: RunLandingView::of_run(run),
        overrides: report.landings.first.iter().filter_map(overridden_landing).collect(),
        files_total: files.map(|files| files.len() as u64),
        added,
        removed,
        read_first: files_to_read_first(files.unwrap_or_default(), &run.name),
        by_hand: report
            .overridden
            .first
            .iter()
            .map(|accepted| HandJudgementView {
                attempt: accepted.about.clone(),
                by: accepted.by.as_ref().map(ToString::to_string),
                reason: accepted.reason.clone(),
            })
            .collect(),
        others: report
            .advances
            .first
            .iter()
            .map(|advance| ForeignCommitsView {
                commit: advance.to.clone(),
                commits: advance.commits,
                authors: advance.authors.clone(),
            })
            .collect(),
        unchecked_total: report.unchecked.total + unchecked.len() as u64 - listed_without_checks as u64,
        unchecked,
        questions: report.questions.first.iter().map(question_view).collect(),
        tasks: tasks.iter().map(evidence_view).collect(),
        tasks_total: report.done.total + report.left.total,
        cost_usd: run.spent.cost_micros.map(UsdAmount),
        next: next_commands(report),
    }
}

/// Whether a task is done although neither a command of its checks nor a person judged it.
///
/// That its attempt left protected files alone says nothing about its work.
fn is_unchecked(evidence: &TaskEvidence) -> bool {
    let checks = evidence.outcome.attempt.as_ref().map_or(ChecksStatus::None, |attempt| attempt.checks);
    evidence.outcome.task.state == TaskState::Done
        && checks != ChecksStatus::Overridden
        && evidence.checks.iter().all(|check| check.command.is_empty())
}

fn overridden_landing(landing: &LandingRecord) -> Option<OverriddenLandingView> {
    Some(OverriddenLandingView {
        branch: landing.onto.clone(),
        commit: landing.commit.clone(),
        manner: landing.manner.into(),
        reason: landing.reason.clone()?,
        by: landing.by.as_ref().map(ToString::to_string),
        at: landing.at.into(),
    })
}

/// Returns the protected files, then the risky ones, each by path.
fn files_to_read_first(files: &[ChangedFile], run: &Slug) -> Vec<ReviewedFileView> {
    let mut first: Vec<&ChangedFile> =
        files.iter().filter(|file| file.is_protected || file.risk.is_some()).collect();
    first.sort_by_key(|file| (!file.is_protected, file.risk));
    let view = |file: &ChangedFile| ReviewedFileView {
        path: path_text(&file.path),
        added: file.lines.map(|lines| lines.added),
        removed: file.lines.map(|lines| lines.removed),
        protected: file.is_protected,
        risk: file.risk.map(Into::into),
        tasks: file.tasks.iter().map(|key| format!("{run}/{key}")).collect(),
    };
    first.into_iter().take(limit::LIST_DEFAULT as usize).map(view).collect()
}

fn question_view(asked: &AskedQuestion) -> ReviewedQuestionView {
    ReviewedQuestionView {
        attempt: asked.attempt.as_ref().map(ToString::to_string),
        question: asked.question.clone(),
        answer: asked.answer.as_ref().map(|(_, text)| text.clone()),
        answered_by: asked.answer.as_ref().and_then(|(by, _)| by.as_ref()).map(ToString::to_string),
        open: asked.is_open,
    }
}

fn evidence_view(evidence: &TaskEvidence) -> TaskEvidenceView {
    let task = &evidence.outcome.task;
    let attempt = evidence.outcome.attempt.as_ref();
    let tree = evidence.outcome.tree.as_ref();
    let changes = tree.and_then(recorded_changes);
    let has_run = |command: &String| evidence.checks.iter().any(|check| check.command == *command);
    TaskEvidenceView {
        task: task.name.to_string(),
        title: task.title.clone(),
        state: task.state.into(),
        accept: evidence.text.accept.clone(),
        attempt: attempt.map(|attempt| attempt.name.to_string()),
        agent: attempt.map(|attempt| attempt.agent.to_string()),
        checks_status: attempt.map_or(task.checks, |attempt| attempt.checks).into(),
        checks: evidence.checks.iter().map(CheckView::from_check).collect(),
        checks_missing: evidence.commands.iter().filter(|command| !has_run(command)).cloned().collect(),
        commit: tree.and_then(|tree| tree.head.as_ref()).map(ToString::to_string),
        merged_commit: tree.and_then(|tree| tree.merged.as_ref()).map(ToString::to_string),
        files_total: changes.as_ref().map_or(0, |changes| changes.files),
        files: changes
            .map(|changes| changes.changed)
            .unwrap_or_default()
            .into_iter()
            .map(plain_path)
            .collect(),
        result: attempt.and_then(|one| AttemptView::from_attempt(one, None, evidence.result.as_ref()).result),
    }
}

/// Returns the file with a path that is text.
fn plain_path(file: FileChangeView) -> FileChangeView {
    FileChangeView { path: path_text(file.path.as_ref()), ..file }
}
