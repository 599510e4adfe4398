//! `orch dispatch`: sends ready tasks to agents.

use std::collections::{BTreeMap, BTreeSet};

use orch_contract::orch::dispatch::{BulkDispatch, DispatchResponse, DispatchedTask, UndispatchedTask};
use orch_contract::{AttemptView, ErrorView, ReasonView};
use orch_core::id::{Slug, TaskName};
use orch_core::known_agents::KnownAgents;
use orch_core::refusal::{NotReadyReason, Refusal};
use orch_inbox::{Error, Response};
use orch_profile::{BUILT_IN, ProfileReference};
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use orch_scheduler::TaskSelector;
use orch_scheduler::dispatch::{
    DispatchAllOutcome, DispatchAllRequest, DispatchOutcome, DispatchRecipient, dispatch_all_ready,
    dispatch_named, dispatch_task,
};
use orch_store::page::PageRequest;
use serde::Serialize;

use super::view::{add_long_texts, new_thread_view, task_view};
use crate::app::App;
use crate::error::{AppError, error_view};
use crate::request::{Answer, Request, RequestKey};

/// Dispatches one task.
#[derive(Debug, Serialize)]
pub struct DispatchTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The agent who gets it, in place of the task's own.
    pub to: Option<Slug>,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

/// Dispatches every ready task, in the order of `orch ready`.
#[derive(Debug, Serialize)]
pub struct DispatchAll {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The agents who share the tasks; each task's own when empty.
    pub to: Vec<Slug>,
    /// The most tasks to dispatch.
    pub limit: u32,
    /// Whether the limit is the default one, so that more ready tasks are worth a warning.
    #[serde(skip)]
    pub is_default_limit: bool,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for DispatchTask {
    const COMMAND: &'static str = "orch dispatch";
    type View = DispatchResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<DispatchResponse> {
        let mut unseen = BTreeMap::new();
        let agents = app.known_agents(self.to.iter())?;
        let view = |outcome: &DispatchOutcome| DispatchResponse::One(Box::new(dispatched_view(outcome)));
        let mut reply = app.change(key, view, |session, receipt| {
            let dispatched = dispatch_task(
                session,
                receipt,
                &self.agent,
                &self.task,
                DispatchRecipient { to: self.to.as_ref(), agents: &agents },
            )?;
            if let Response::Fresh(outcome) = &dispatched {
                unseen = unseen_agents([outcome]);
            }
            Ok(dispatched)
        })?;
        warn_of_unseen_agents(app, &unseen);
        if let DispatchResponse::One(dispatched) = &mut reply.data {
            add_long_texts(app.session()?, &mut dispatched.task, self.full)?;
        }
        Ok(reply)
    }
}

impl Request for DispatchAll {
    const COMMAND: &'static str = "orch dispatch";
    type View = DispatchResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<DispatchResponse> {
        let agents = app.known_agents(&self.to)?;
        let request =
            DispatchAllRequest { run: self.run.clone(), to: self.to.clone(), limit: self.limit, agents };
        let mut unseen = BTreeMap::new();
        let mut reply = app.change(key, bulk_response, |session, receipt| {
            let dispatched = dispatch_all_ready(session, receipt, &self.agent, &request)?;
            if let Response::Fresh(outcome) = &dispatched {
                unseen = unseen_agents(&outcome.dispatched);
            }
            Ok(dispatched)
        })?;
        warn_of_unseen_agents(app, &unseen);
        if let DispatchResponse::All(BulkDispatch { dispatched, .. }) = &mut reply.data {
            let count = dispatched.len() as u64;
            for dispatched in dispatched {
                add_long_texts(app.session()?, &mut dispatched.task, self.full)?;
            }
            if self.is_default_limit && count == u64::from(self.limit) {
                self.warn_of_limit(app)?;
            }
        }
        Ok(reply)
    }
}

/// Dispatches several tasks; those that are not ready are refused one by one.
#[derive(Debug, Serialize)]
pub struct DispatchNamed {
    /// The lead who decides.
    pub agent: Slug,
    /// The tasks.
    pub tasks: Vec<TaskSelector>,
    /// The agents who share the tasks; each task's own when empty.
    pub to: Vec<Slug>,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for DispatchNamed {
    const COMMAND: &'static str = "orch dispatch";
    type View = DispatchResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<DispatchResponse> {
        let agents = app.known_agents(&self.to)?;
        let mut unseen = BTreeMap::new();
        let mut reply = app.change(key, bulk_response, |session, receipt| {
            let dispatched =
                dispatch_named(session, receipt, &self.agent, &self.tasks, &self.to, agents.clone())?;
            if let Response::Fresh(outcome) = &dispatched {
                unseen = unseen_agents(&outcome.dispatched);
            }
            Ok(dispatched)
        })?;
        warn_of_unseen_agents(app, &unseen);
        if let DispatchResponse::All(BulkDispatch { dispatched, .. }) = &mut reply.data {
            for dispatched in dispatched {
                add_long_texts(app.session()?, &mut dispatched.task, self.full)?;
            }
        }
        Ok(reply)
    }
}

impl DispatchAll {
    /// Warns when the default limit left ready tasks behind.
    fn warn_of_limit(&self, app: &mut App<'_>) -> Result<(), AppError> {
        let page = PageRequest { limit: 1, after: None };
        let request = ReadyRequest { run: self.run.clone(), label: None, page };
        let more = list_ready_tasks(app.session()?, &request)?.tasks.total;
        if more > 0 {
            let limit = self.limit;
            app.add_warning(format!("{limit} were sent, as many as without --limit; {more} more are ready."));
        }
        Ok(())
    }
}

fn bulk_response(outcome: &DispatchAllOutcome) -> DispatchResponse {
    DispatchResponse::All(BulkDispatch {
        dispatched: outcome.dispatched.iter().map(dispatched_view).collect(),
        refused: outcome.refused.iter().map(|(task, error)| undispatched_view(task, error)).collect(),
    })
}

fn dispatched_view(outcome: &DispatchOutcome) -> DispatchedTask {
    DispatchedTask {
        task: task_view(&outcome.task),
        attempt: AttemptView::from_attempt(&outcome.attempt, outcome.worktree.as_ref(), None),
        thread: outcome.thread.as_ref().map(new_thread_view),
    }
}

fn undispatched_view(task: &TaskName, error: &Error) -> UndispatchedTask {
    let reasons = match error {
        Error::Refused(Refusal::TaskNotReady { reasons, .. }) => ReasonView::from_reasons(reasons, task),
        Error::Refused(Refusal::CapacityReached { max, .. }) => {
            ReasonView::from_reasons(&[NotReadyReason::Capacity { max: *max }], task)
        }
        _ => Vec::new(),
    };
    let ErrorView { code, message, .. } = error_view(error);
    UndispatchedTask { task: task.to_string(), code, message, reasons }
}

impl App<'_> {
    /// Returns the agents that cost nothing, which are the built-in profiles and those of the recipients that say so,
    /// and those that are people.
    fn known_agents<'a>(&mut self, to: impl IntoIterator<Item = &'a Slug>) -> Result<KnownAgents, AppError> {
        let registry = self.profile_registry()?;
        let built_in = BUILT_IN.iter().map(|(name, _)| Slug::from_stored((*name).to_owned()));
        let mut free: BTreeSet<Slug> = built_in.chain(to.into_iter().cloned()).collect();
        free.retain(|name| {
            registry.load_profile(&ProfileReference::Name(name.clone())).is_ok_and(|profile| profile.is_free)
        });
        Ok(KnownAgents { free, humans: self.named_humans()? })
    }
}

/// Returns the agents that were never seen before, each with the first task that it got.
fn unseen_agents<'a>(outcomes: impl IntoIterator<Item = &'a DispatchOutcome>) -> BTreeMap<Slug, TaskName> {
    let mut agents = BTreeMap::new();
    for outcome in outcomes.into_iter().filter(|outcome| !outcome.agent_seen) {
        let task = &outcome.attempt.name.task;
        agents.entry(outcome.attempt.agent.clone()).or_insert_with(|| task.clone());
    }
    agents
}

fn warn_of_unseen_agents(app: &mut App<'_>, agents: &BTreeMap<Slug, TaskName>) {
    for (agent, task) in agents {
        app.add_warning(format!(
            "No agent {agent} was ever seen; if the name is mistyped, `orch recall {task}` takes the work back."
        ));
    }
}
