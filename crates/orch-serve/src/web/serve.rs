//! HTTP: which address is which page, and what every answer and every request must have.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use orch_app::{App, AppError};
use orch_contract::ErrorCode;
use serde_json::{Value, json};

use super::action::{PageAction, read_action};
use super::pages::{PageContent, PageQuery, RunPage, SitePage, TaskPage, load_page};
use super::render::{SCRIPT, STYLE};
use super::{WebSite, link, live};
use crate::mcp::tool::{ToolCall, tool_error};

/// The largest request body, in bytes: a long answer.
const BODY_BYTES_MAX: usize = 128 * 1024;

/// How long an action may take at most; merging runs checks.
const ACTION_MAX: Duration = Duration::from_secs(3_600);

/// What pages may load and do: everything from this server, nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers that tell browsers how a request came about.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

type SharedSite = State<Arc<WebSite>>;

impl WebSite {
    /// Returns the application for one request.
    pub(super) fn app(&self) -> App<'static> {
        App::new("orch web".to_owned(), self.rules, self.call.clone(), ToolCall::environment())
    }

    fn render_page(&self, status: StatusCode, content: PageContent) -> Response {
        let mut context = content.context;
        context["access"] = json!({ "read_only": self.read_only });
        match self.renderer.render(content.template, &context) {
            Ok(page) => (status, Html(page)).into_response(),
            Err(error) => {
                (StatusCode::INTERNAL_SERVER_ERROR, format!("The page cannot be rendered: {error:#}."))
                    .into_response()
            }
        }
    }

    fn render_error(&self, error: &AppError) -> Response {
        let view = &error.view;
        let context = json!({
            "title": "This cannot be shown", "code": view.code, "message": view.message, "hint": view.hint,
        });
        self.render_page(error_status(error.code()), PageContent { template: "error.html", context })
    }
}

/// Returns the HTTP status of an error, by the exit status that commands have for it.
fn error_status(code: ErrorCode) -> StatusCode {
    match code.exit_status() {
        2 => StatusCode::BAD_REQUEST,
        3 | 5 => StatusCode::NOT_FOUND,
        4 => StatusCode::CONFLICT,
        6 => StatusCode::SERVICE_UNAVAILABLE,
        7 => StatusCode::FORBIDDEN,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the site.
pub(super) fn router(site: Arc<WebSite>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/runs/{run}", get(run_now))
        .route("/runs/{run}/{page}", get(run_page))
        .route("/runs/{run}/tasks/{key}", get(task_evidence))
        .route("/runs/{run}/tasks/{key}/{page}", get(task_page))
        .route("/events", get(events))
        .route("/act", post(act))
        .route("/login", post(log_in))
        .route("/link", post(give_link))
        .route("/page.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/page.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .fallback(async |State(site): SharedSite| missing_page(&site))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}

/// Lets requests in, and gives every answer its headers.
async fn guard(State(site): SharedSite, request: Request, next: Next) -> Response {
    let mut answer = match refuse(&site, request.method(), request.uri().path(), request.headers()) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    };
    let headers = answer.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Returns the answer to a request that is not let in.
fn refuse(site: &WebSite, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if !text(&HOST).is_some_and(|host| site.gate.admits_host(host)) {
        let message =
            "This server does not know the host of the request. `orch web --allow-host NAME` admits one.\n";
        return Some((StatusCode::MISDIRECTED_REQUEST, message).into_response());
    }
    let is_read = *method == Method::GET || *method == Method::HEAD;
    if !is_read {
        let is_own = match text(&ORIGIN) {
            Some(origin) => site.gate.admits_origin(origin),
            None => text(&FETCH_SITE) == Some("same-origin"),
        };
        if !is_own {
            return Some((StatusCode::FORBIDDEN, "Only pages of this server may do that.\n").into_response());
        }
        let kind = text(&CONTENT_TYPE).unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            let message = "A request with a body must be JSON.\n";
            return Some((StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response());
        }
    }
    if matches!(path, "/page.css" | "/page.js" | "/login" | "/link") {
        return None;
    }
    let has_session = headers
        .get_all(COOKIE)
        .iter()
        .any(|cookies| cookies.to_str().is_ok_and(|cookies| site.gate.has_session(cookies)));
    if has_session {
        return None;
    }
    let is_page =
        is_read && text(&ACCEPT).is_none_or(|kinds| kinds.contains("text/html") || kinds.contains("*/*"));
    if !is_page || path == "/events" {
        return Some((StatusCode::UNAUTHORIZED, "Open the page by its link first.\n").into_response());
    }
    let login = PageContent { template: "login.html", context: json!({}) };
    Some(site.render_page(StatusCode::UNAUTHORIZED, login))
}

/// Does something that blocks in a thread of its own.
async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Box<Response>> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Box::new(
            (StatusCode::INTERNAL_SERVER_ERROR, format!("The request failed: {error}.\n")).into_response(),
        )
    })
}

async fn show(site: Arc<WebSite>, page: SitePage, query: PageQuery) -> Response {
    let answering = Arc::clone(&site);
    let loaded = in_thread(move || {
        let mut app = answering.app();
        let loaded = load_page(&mut app, &page, &query);
        app.checkpoint_if_due();
        loaded
    })
    .await;
    match loaded {
        Ok(Ok(content)) => site.render_page(StatusCode::OK, content),
        Ok(Err(error)) => site.render_error(&error),
        Err(answer) => *answer,
    }
}

async fn home(State(site): SharedSite, Query(query): Query<PageQuery>) -> Response {
    show(site, SitePage::Home, query).await
}

async fn run_now(
    State(site): SharedSite,
    Path(run): Path<String>,
    Query(query): Query<PageQuery>,
) -> Response {
    show(site, SitePage::Run(run, RunPage::Now), query).await
}

async fn run_page(
    State(site): SharedSite,
    Path((run, page)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Response {
    match RunPage::from_name(&page) {
        Some(page) => show(site, SitePage::Run(run, page), query).await,
        None => missing_page(&site),
    }
}

async fn task_evidence(
    State(site): SharedSite,
    Path((run, key)): Path<(String, String)>,
    Query(query): Query<PageQuery>,
) -> Response {
    show(site, SitePage::Task(run, key, TaskPage::Evidence), query).await
}

async fn task_page(
    State(site): SharedSite,
    Path((run, key, page)): Path<(String, String, String)>,
    Query(query): Query<PageQuery>,
) -> Response {
    let page = match page.as_str() {
        "log" => TaskPage::Log,
        "diff" => TaskPage::Diff,
        _ => return missing_page(&site),
    };
    show(site, SitePage::Task(run, key, page), query).await
}

fn missing_page(site: &WebSite) -> Response {
    let mut answer =
        site.render_error(&AppError::new(ErrorCode::InvalidArgument, "This address has no page."));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

async fn events(State(site): SharedSite, Query(query): Query<PageQuery>, headers: HeaderMap) -> Response {
    let after = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    live::stream_events(&site, query.run.as_deref(), after)
}

async fn log_in(State(site): SharedSite, body: Bytes) -> Response {
    let key = read_key(&body);
    match site.gate.begin_session(&key) {
        Ok(Some(session)) => {
            let cookie = format!("{}={session}; Path=/; HttpOnly; SameSite=Strict", site.gate.cookie_name());
            match HeaderValue::from_str(&cookie) {
                Ok(cookie) => ([(SET_COOKIE, cookie)], axum::Json(json!({ "ok": true }))).into_response(),
                Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
        Ok(None) => (StatusCode::FORBIDDEN, axum::Json(json!({ "ok": false }))).into_response(),
        Err(error) => site.render_error(&error),
    }
}

async fn give_link(State(site): SharedSite, headers: HeaderMap, body: Bytes) -> Response {
    if !site.gate.is_key(&read_key(&body)) {
        return (StatusCode::FORBIDDEN, axum::Json(json!({ "ok": false }))).into_response();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    match (site.gate.new_link(), host) {
        (Ok(token), Some(address)) => {
            let answer = json!({ "url": link::page_url(address, &token), "read_only": site.read_only });
            axum::Json(answer).into_response()
        }
        (Err(error), _) => site.render_error(&error),
        (_, None) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn read_key(body: &Bytes) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value["key"].as_str().unwrap_or_default().to_owned()
}

async fn act(State(site): SharedSite, body: Bytes) -> Response {
    let value = serde_json::from_slice::<Value>(&body).unwrap_or_default();
    let answering = Arc::clone(&site);
    match in_thread(move || perform(&answering, value)).await {
        Ok((status, answer)) => (status, axum::Json(answer)).into_response(),
        Err(answer) => *answer,
    }
}

/// Performs an action, and answers as the command would.
fn perform(site: &WebSite, value: Value) -> (StatusCode, Value) {
    let action = match read_action(value) {
        Ok(action) => action,
        Err(error) => return refused("orch web", error),
    };
    let command = action.command();
    if site.read_only {
        let error =
            AppError::new(ErrorCode::NotPermitted, "This page only shows.").with_hint(command.clone());
        return (StatusCode::FORBIDDEN, refused(&command, error).1);
    }
    match perform_action(site, &action) {
        Ok(data) => (StatusCode::OK, json!({ "schema": 1, "ok": true, "command": command, "data": data })),
        Err(error) => refused(&command, error),
    }
}

fn perform_action(site: &WebSite, action: &PageAction) -> Result<Value, AppError> {
    let mut call = ToolCall {
        app: site.app(),
        is_cancelled: Arc::new(AtomicBool::new(false)),
        deadline: Instant::now() + ACTION_MAX,
        held: Arc::new(Mutex::new(None)),
    };
    let done = action.perform(&mut call);
    call.app.checkpoint_if_due();
    Ok(done?.data)
}

fn refused(command: &str, error: AppError) -> (StatusCode, Value) {
    let status = error_status(error.code());
    (status, json!({ "schema": 1, "ok": false, "command": command, "error": tool_error(error).data }))
}
