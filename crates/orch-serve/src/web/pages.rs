//! The pages: which answers each one shows.
//!
//! A page is a template and the answers of `orch` commands, as they are printed as JSON.

use orch_app::naming::{parse_attempt, parse_task};
use orch_app::orch::diff::DiffAttempt;
use orch_app::orch::events::ListEvents;
use orch_app::orch::graph::ShowGraph;
use orch_app::orch::log::CheckChoice;
use orch_app::orch::review::ReviewRun;
use orch_app::orch::run::list::ListRuns;
use orch_app::orch::status::ShowOverview;
use orch_app::orch::task::list::ListTasks;
use orch_app::orch::task::show::ShowTask;
use orch_app::orch::timeline::ShowTimeline;
use orch_app::orch::usage::ShowUsage;
use orch_app::orch::why::ExplainTask;
use orch_app::values::parse_slug;
use orch_app::{App, AppError, Paging, Request};
use orch_contract::ErrorCode;
use orch_core::id::Slug;
use orch_core::limit;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::graph::{DRAWN_MAX, count_levels, draw_graph};

/// The most tasks of a column of the board.
const COLUMN_TASKS: u32 = 30;

/// The most tasks whose levels are counted.
const GRAPH_TASKS: u32 = 10_000;

/// The most attempts of a timeline.
const TIMELINE_ATTEMPTS: u32 = 200;

/// The most lines of a log, and bytes of a diff.
const LOG_LINES: u32 = 400;
const DIFF_BYTES: usize = 200_000;

/// The newest events beside what needs a person.
const NEWS: u32 = 12;

/// A page of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SitePage {
    /// What needs a person, in the only unfinished run or in each.
    Home,
    /// A view of a run.
    Run(String, RunPage),
    /// A view of a task: its run, its key.
    Task(String, String, TaskPage),
}

/// A view of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunPage {
    Now,
    Board,
    Graph,
    Timeline,
    Review,
    Usage,
}

impl RunPage {
    /// Returns the view at the end of an address.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "board" => Self::Board,
            "graph" => Self::Graph,
            "timeline" => Self::Timeline,
            "review" => Self::Review,
            "usage" => Self::Usage,
            _ => return None,
        })
    }
}

/// A view of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskPage {
    Evidence,
    Log,
    Diff,
}

/// What an address says behind its question mark.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PageQuery {
    /// The task around which a graph is drawn.
    task: Option<String>,
    /// The attempt of a log or a diff, by its number.
    attempt: Option<u32>,
    /// The check of a log, by its number.
    check: Option<u32>,
    /// The part of a list.
    after: Option<String>,
    /// The run of a stream of events.
    pub run: Option<String>,
}

/// A template and what it shows.
pub(super) struct PageContent {
    pub template: &'static str,
    pub context: Value,
}

/// Loads a page.
pub(super) fn load_page(
    app: &mut App<'_>,
    page: &SitePage,
    query: &PageQuery,
) -> Result<PageContent, AppError> {
    match page {
        SitePage::Home => load_home(app),
        SitePage::Run(run, page) => load_run(app, &parse_run(run)?, *page, query),
        SitePage::Task(run, key, page) => load_task(app, &parse_run(run)?, key, *page, query),
    }
}

fn parse_run(name: &str) -> Result<Slug, AppError> {
    parse_slug(name).map_err(|_| {
        AppError::new(ErrorCode::RunNotFound, format!("There is no run {name}.")).with_hint("orch run list")
    })
}

/// Answers a request as JSON.
fn data<R: Request>(app: &mut App<'_>, request: &R) -> Result<Value, AppError>
where
    R::View: Serialize,
{
    let reply = app.answer(request, None)?;
    serde_json::to_value(&reply.data)
        .map_err(|error| AppError::new(ErrorCode::Internal, format!("An answer has no JSON form: {error}.")))
}

fn load_home(app: &mut App<'_>) -> Result<PageContent, AppError> {
    let status = data(app, &ShowOverview { run: None })?;
    if let Some(run) = status["run"]["id"].as_str() {
        let run = parse_run(run)?;
        return show_now(app, &run, status);
    }
    let paging = Paging { limit: limit::LIST_DEFAULT, after: None };
    // Without a store there is no run.
    let runs = match app.answer(&ListRuns { paging }, None) {
        Ok(runs) => serde_json::to_value(&runs.data).unwrap_or_default(),
        Err(error) if error.code() == ErrorCode::StoreNotFound => json!({ "runs": [] }),
        Err(error) => return Err(error),
    };
    Ok(PageContent {
        template: "runs.html",
        context: json!({ "open": status, "all": runs, "title": "Runs" }),
    })
}

fn show_now(app: &mut App<'_>, run: &Slug, status: Value) -> Result<PageContent, AppError> {
    let events = ListEvents { run: Some(run.clone()), task: None, after: None, limit: NEWS, newest: true };
    let news = data(app, &events)?;
    Ok(run_page(
        "now.html",
        "now",
        &json!({ "status": status, "run": status["run"], "news": news["events"] }),
    ))
}

fn load_run(
    app: &mut App<'_>,
    run: &Slug,
    page: RunPage,
    query: &PageQuery,
) -> Result<PageContent, AppError> {
    let named = Some(run.clone());
    let paging = |limit| Paging { limit, after: query.after.clone() };
    let content = match page {
        RunPage::Now => {
            let status = data(app, &ShowOverview { run: named })?;
            return show_now(app, run, status);
        }
        RunPage::Board => load_board(app, run)?,
        RunPage::Graph => load_graph(app, run, query)?,
        RunPage::Timeline => {
            let timeline = data(app, &ShowTimeline { run: named, paging: paging(TIMELINE_ATTEMPTS) })?;
            run_page("timeline.html", "timeline", &json!({ "run": timeline["run"], "timeline": timeline }))
        }
        RunPage::Review => {
            let review = data(app, &ReviewRun { run: named.clone() })?;
            let status = data(app, &ShowOverview { run: named })?;
            run_page(
                "review.html",
                "review",
                &json!({ "run": status["run"], "review": review, "status": status }),
            )
        }
        RunPage::Usage => {
            let status = data(app, &ShowOverview { run: named.clone() })?;
            let usage =
                data(app, &ShowUsage { run: named, since: None, by: None, paging: paging(limit::LIST_MAX) })?;
            run_page(
                "usage.html",
                "usage",
                &json!({ "run": status["run"], "status": status, "usage": usage }),
            )
        }
    };
    Ok(content)
}

/// Returns a page of a run, whose place in the navigation is `tab`.
fn run_page(template: &'static str, tab: &str, context: &Value) -> PageContent {
    let mut context = context.clone();
    context["tab"] = json!(tab);
    context["title"] = context["run"]["title"].clone();
    PageContent { template, context }
}

fn load_board(app: &mut App<'_>, run: &Slug) -> Result<PageContent, AppError> {
    let status = data(app, &ShowOverview { run: Some(run.clone()) })?;
    let mut columns = Vec::new();
    for state in TaskState::ALL {
        let total = status["counts"][state.name()].as_u64().unwrap_or_default();
        if total == 0 {
            continue;
        }
        let paging = Paging { limit: COLUMN_TASKS, after: None };
        let request =
            ListTasks { run: Some(run.clone()), states: vec![state], label: None, paging, full: false };
        let tasks = data(app, &request)?;
        columns.push(json!({ "state": state.name(), "total": total, "tasks": tasks["tasks"] }));
    }
    Ok(run_page(
        "board.html",
        "board",
        &json!({ "run": status["run"], "status": status, "columns": columns }),
    ))
}

fn load_graph(app: &mut App<'_>, run: &Slug, query: &PageQuery) -> Result<PageContent, AppError> {
    let paging = Paging { limit: GRAPH_TASKS, after: None };
    let graph = app.answer(&ShowGraph { run: Some(run.clone()), paging }, None)?.data;
    let is_large = graph.tasks.len() > DRAWN_MAX;
    let around = query.task.as_deref();
    let picture = (!is_large || around.is_some()).then(|| draw_graph(&graph, around));
    let levels = is_large.then(|| count_levels(&graph));
    // Where to begin in a large graph: what is not finished.
    let unfinished: Vec<Value> = graph
        .tasks
        .iter()
        .filter(|task| is_large && !task.state.0.is_finished())
        .take(DRAWN_MAX)
        .map(|task| json!({ "key": task.key, "title": task.title, "state": task.state }))
        .collect();
    let context = json!({
        "run": graph.run, "picture": picture, "levels": levels, "around": around, "total": graph.total,
        "unfinished": unfinished,
    });
    Ok(run_page("graph.html", "graph", &context))
}

fn load_task(
    app: &mut App<'_>,
    run: &Slug,
    key: &str,
    page: TaskPage,
    query: &PageQuery,
) -> Result<PageContent, AppError> {
    let name = format!("{run}/{key}");
    let unknown = |_| AppError::new(ErrorCode::TaskNotFound, format!("There is no task {name}."));
    let task = app.resolve_task(parse_task(&name).map_err(unknown)?)?;
    let shown = data(app, &ShowTask { task: task.clone() })?;
    let attempt_name = match query.attempt {
        Some(number) => format!("{name}@{number}"),
        None => name.clone(),
    };
    let attempt = || {
        parse_attempt(&attempt_name).map_err(|_| {
            AppError::new(ErrorCode::AttemptNotFound, format!("There is no attempt {attempt_name}."))
        })
    };
    let mut context = json!({
        "run": { "id": run, "title": shown["task"]["title"] }, "task": shown["task"], "shown": shown,
        "tab": "task", "title": shown["task"]["title"],
    });
    let template = match page {
        TaskPage::Evidence => {
            let status = data(app, &ShowOverview { run: Some(run.clone()) })?;
            let about = |list: &str| {
                let entries = status[list].as_array().cloned().unwrap_or_default();
                entries.into_iter().filter(|entry| entry["task"] == name.as_str()).collect::<Vec<Value>>()
            };
            context["questions"] = about("questions").into();
            context["reviews"] = about("reviews").into();
            context["why"] = data(app, &ExplainTask { task })?;
            "task.html"
        }
        TaskPage::Log => {
            let attempt = app.resolve_attempt(attempt()?)?;
            let check = query.check.map(|number| CheckChoice(Some(number).filter(|number| *number > 0)));
            let log = app.open_log(&attempt, Some(LOG_LINES), check)?.response();
            context["log"] = serde_json::to_value(&log).unwrap_or_default();
            context["check"] = json!(query.check);
            "log.html"
        }
        TaskPage::Diff => {
            let attempt = app.resolve_attempt(attempt()?)?;
            let request = DiffAttempt { attempt, patch: true, bytes_max: DIFF_BYTES };
            let diff = app.answer(&request, None)?.data.response;
            context["diff"] = serde_json::to_value(&diff).unwrap_or_default();
            "diff.html"
        }
    };
    Ok(PageContent { template, context })
}
