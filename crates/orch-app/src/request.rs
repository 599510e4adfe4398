//! One request in, one answer out: what a request is, and how it is answered once per request id.

use std::path::PathBuf;

use orch_contract::ErrorCode;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::lookup::{FoundBy, take_found_by};
use orch_store::page::PageRequest;
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::app::App;
use crate::error::AppError;
use crate::fingerprint;
use crate::relay::RelayClient;

/// A request of an agent, with every default filled in and every file read.
///
/// The serialised form is the request's fingerprint: two requests with one request id must agree in it.
/// Fields that change only how the answer is shown, or how long the caller waits, are skipped by `#[serde(skip)]`.
pub trait Request: Serialize {
    /// The command's canonical name, like `orch dispatch`.
    const COMMAND: &'static str;
    /// The answer's `data`.
    type View;

    /// Runs the operation and converts its outcome.
    ///
    /// # Errors
    /// The operation was refused or failed, or the request id was used with another request.
    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<Self::View>;

    /// Sends the request to the wrapper of the worker that makes it; `None` for what a worker may not ask.
    fn relay(&self, _relay: &RelayClient, _request_id: Option<&str>) -> Option<Answer<Self::View>> {
        None
    }
}

/// The answer of a request.
pub type Answer<V> = Result<Reply<V>, AppError>;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<V> {
    /// The answer's `data`.
    pub data: V,
    /// Whether this is the recorded answer of an earlier request with the same request id.
    pub replayed: bool,
    /// What chose the run, where the request is about one.
    pub run_from: Option<RunOrigin>,
}

/// What chose the run of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOrigin {
    /// The request names it.
    Option,
    /// The variable names it.
    Environment,
    /// `orch run use` chose it for this worktree.
    Worktree,
    /// It is the only unfinished one.
    Only,
    /// It changed last, and none is unfinished.
    Newest,
}

impl RunOrigin {
    /// Returns the name that answers have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Environment => "environment",
            Self::Worktree => "worktree",
            Self::Only => "only",
            Self::Newest => "newest",
        }
    }
}

impl From<FoundBy> for RunOrigin {
    fn from(found: FoundBy) -> Self {
        match found {
            FoundBy::Only => Self::Only,
            FoundBy::Newest => Self::Newest,
        }
    }
}

impl<V> Reply<V> {
    /// Returns the answer of a request that was performed now.
    #[must_use]
    pub fn new(data: V) -> Self {
        Self { data, replayed: false, run_from: None }
    }
}

/// The request id of a call and the fingerprint of its request; both are absent when the call has no request id.
#[derive(Debug)]
pub struct RequestKey<'a> {
    keyed: Option<(&'a str, String)>,
}

impl RequestKey<'_> {
    /// Returns the request id.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.keyed.as_ref().map(|(id, _)| *id)
    }
}

/// The part of a list that a request asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Paging {
    /// The most entries to return.
    pub limit: u32,
    /// The `next` of the part before.
    pub after: Option<String>,
}

impl Paging {
    pub(crate) fn page_request(&self) -> PageRequest {
        PageRequest { limit: self.limit, after: self.after.clone() }
    }
}

impl App<'_> {
    /// Answers a request; with a request id, a repeated request gets the recorded answer and changes nothing.
    ///
    /// # Errors
    /// The operation was refused or failed, or the request id was used with another request.
    pub fn answer<R: Request>(&mut self, request: &R, request_id: Option<&str>) -> Answer<R::View> {
        if let Some(relay) = self.relay()? {
            let answer = request.relay(&relay, request_id);
            self.add_warnings(relay.take_warnings());
            if let Some(answer) = answer {
                return answer;
            }
        }
        let keyed = match request_id {
            Some(id) => Some((id, fingerprint::fingerprint(R::COMMAND, request)?)),
            None => None,
        };
        let answer = request.perform(self, &RequestKey { keyed });
        self.add_clock_warning();
        let found = take_found_by().map(RunOrigin::from);
        answer.map(|reply| Reply { run_from: reply.run_from.or(self.run_origin()).or(found), ..reply })
    }

    /// Makes a change, or returns the recorded answer of the same request.
    pub(crate) fn change<T, V: Serialize + DeserializeOwned>(
        &mut self,
        key: &RequestKey<'_>,
        view: impl Fn(&T) -> V,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
    ) -> Answer<V> {
        change_in_session(self.session()?, key, view, operation)
    }
}

/// Makes a change in an open store.
pub(crate) fn change_in_session<T, V: Serialize + DeserializeOwned>(
    session: &mut Session,
    key: &RequestKey<'_>,
    view: impl Fn(&T) -> V,
    operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
) -> Answer<V> {
    // A view consists of texts, numbers and lists, which always have a JSON form.
    let encode = |outcome: &T| serde_json::to_string(&view(outcome)).unwrap_or_default();
    session.require_writable()?;
    session.settle_move()?;
    let receipt =
        key.keyed.as_ref().map(|(id, fingerprint)| Receipt { key: id, fingerprint, encode: &encode });
    match operation(session, receipt.as_ref())? {
        Response::Fresh(outcome) => Ok(Reply::new(view(&outcome))),
        Response::Replayed(recorded) => {
            let data = serde_json::from_str(&recorded).map_err(|error| {
                AppError::new(ErrorCode::Internal, format!("The recorded answer cannot be read: {error}."))
            })?;
            Ok(Reply { data, replayed: true, run_from: None })
        }
    }
}

/// Serialises a path as it is shown, so that no path is without a serialised form.
pub(crate) fn serialize_path<S: Serializer>(
    path: &Option<PathBuf>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.display().to_string()).serialize(serializer)
}
