//! The wrapper's side of the relay: it performs the requests of its worker.

use std::borrow::Cow;
use std::ffi::OsString;

use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::{MessageId, TaskName, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::message::MessageKind;
use orch_core::time::TimeSpan;
use orch_process::SecretValues;
use orch_process::mailbox::{MailboxHandler, MailboxRefusal};
use orch_scheduler::TaskSelector;
use orch_supervisor::wrapper::{DEFER, RelayBinding};
use serde::Serialize;
use serde_json::Value;

use super::request::{RELAY_VERSION, RelayAnswer, RelayMessage, RelayRequest, RelayRetry};
use crate::app::{App, CallOptions, CallerRules};
use crate::environment::VariableSource;
use crate::error::{AppError, RetryAdvice};
use crate::inbox::{
    AcknowledgeMessages, AskQuestion, ReleaseThread, RenewLease, ReportDone, ReportFailure, ReportProgress,
    ShowThread, SuggestTask, WaitForMessages,
};
use crate::orch::diff::{ANSWER_BYTES_MAX, DiffAttempt};
use crate::orch::request::show::ShowRequest;
use crate::orch::task::show::ShowTask;
use crate::request::{Paging, Request};
use crate::{naming, values};

/// Performs the requests of one worker.
pub(crate) struct RelayService {
    pub store: String,
    pub allow_network_fs: bool,
    pub binding: RelayBinding,
    /// What is redacted in the texts of requests.
    pub secrets: SecretValues,
}

/// The variables of a relayed call: what decides how a report is taken in, and nothing of the wrapper's own.
struct RelayVariables {
    defers: bool,
}

impl VariableSource for RelayVariables {
    fn raw_variable(&self, name: &str) -> Option<OsString> {
        (self.defers && name == DEFER).then(|| "1".into())
    }
}

impl MailboxHandler for RelayService {
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        let answer = self
            .decode_redacted(request)
            .map_err(|error| invalid_request(&format!("it is not one: {error}")))
            .and_then(|message| self.perform_message(message));
        encode_answer(answer)
    }

    fn refuse(&self, reason: &MailboxRefusal) -> Vec<u8> {
        encode_answer(Err(match reason {
            MailboxRefusal::Unreadable(text) => invalid_request(text),
            MailboxRefusal::TooManyWaiting => busy("too many requests of this worker wait for their answers"),
            MailboxRefusal::TooFast => busy("this worker has sent too many requests within a second"),
        }))
    }
}

fn encode_answer(answer: Result<RelayAnswer, AppError>) -> Vec<u8> {
    let answer = answer.unwrap_or_else(|error| RelayAnswer::Failed {
        retry: match error.retry {
            Some(RetryAdvice::Unchanged) => Some(RelayRetry::Unchanged),
            Some(RetryAdvice::AfterCursor(cursor)) => Some(RelayRetry::After(cursor)),
            Some(RetryAdvice::WithOption(_) | RetryAdvice::WithRun(_)) | None => None,
        },
        error: error.view,
    });
    // Answers consist of texts, numbers and lists, which always have a JSON form.
    serde_json::to_vec(&answer).unwrap_or_default()
}

fn redact_texts(secrets: &SecretValues, value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = secrets.redact_text(text) {
                *text = redacted;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| redact_texts(secrets, value)),
        // What a request is and who makes it are no texts.
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !matches!(name.as_str(), "command" | "token"))
            .for_each(|(_, value)| redact_texts(secrets, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn invalid_request(why: &str) -> AppError {
    AppError::invalid_argument("request", format!("The relay cannot read this request: {why}."))
}

fn busy(why: &str) -> AppError {
    let view = ErrorView::new(ErrorCode::StoreBusy, format!("The relay is busy: {why}."));
    AppError { retry: Some(RetryAdvice::Unchanged), ..view.into() }
}

impl RelayService {
    /// Reads a request, with the values of secret variables redacted in its texts.
    fn decode_redacted(&self, request: &[u8]) -> Result<RelayMessage, serde_json::Error> {
        if self.secrets.is_empty() {
            return serde_json::from_slice(request);
        }
        let mut document = serde_json::from_slice(request)?;
        redact_texts(&self.secrets, &mut document);
        serde_json::from_value(document)
    }

    fn perform_message(&self, message: RelayMessage) -> Result<RelayAnswer, AppError> {
        if message.version != RELAY_VERSION {
            return Err(invalid_request("it is of another version of this program"));
        }
        let own = self.binding.thread;
        if message.thread.is_some_and(|thread| thread != own.to_string()) {
            return Err(AppError::not_permitted(&format!(
                "This worker works on {own}, and on no other thread."
            )));
        }
        let request = message.request;
        if request.needs_token() && message.token.as_deref() != Some(self.binding.relay_token.as_str()) {
            let text = format!("The token is not the one of the lease of {own}.");
            return Err(AppError::new(ErrorCode::LeaseLost, text));
        }
        let variables = RelayVariables { defers: self.binding.defers };
        let options = CallOptions {
            store: Some(self.store.clone()),
            allow_network_fs: self.allow_network_fs,
            agent: Some(self.binding.agent.clone()),
            run: self.binding.task.as_ref().map(|task| task.run.clone()),
        };
        let rules = CallerRules { agent_variable: "INBOX_AGENT", agent_default: None };
        let mut call = RelayCall {
            app: App::new(request.command().to_owned(), rules, options, &variables),
            request_id: message.request_id,
            thread: own,
            token: self.binding.token.clone(),
            task: self.binding.task.as_ref(),
        };
        let is_report = matches!(request, RelayRequest::Done { .. } | RelayRequest::Fail { .. });
        let answered = call.perform(request);
        if is_report {
            let refusal = answered.as_ref().err().map(|error| error.view.message.clone());
            self.binding.refused.record(refusal);
        }
        call.app.checkpoint_if_due();
        answered
    }
}

/// One request of the worker.
struct RelayCall<'a> {
    app: App<'a>,
    request_id: Option<String>,
    thread: ThreadId,
    token: String,
    task: Option<&'a TaskName>,
}

impl RelayCall<'_> {
    fn perform(&mut self, request: RelayRequest) -> Result<RelayAnswer, AppError> {
        let (thread, token) = (self.thread, self.token.clone());
        match request {
            RelayRequest::Show { limit, after } => {
                self.reply(&ShowThread { thread, paging: Paging { limit, after } })
            }
            RelayRequest::Progress { text, percent, full } => {
                self.reply(&ReportProgress { thread, token, text, percent, full })
            }
            RelayRequest::Suggest { title, spec, after } => {
                let keys = after.iter().map(|key| orch_core::id::Slug::new(key));
                let after =
                    keys.collect::<Result<_, _>>().map_err(|_| invalid_request("a key is not a name"))?;
                self.reply(&SuggestTask { thread, token, title, spec, after })
            }
            RelayRequest::Ask { question, options, default, default_after_ms, wait_ms, empty_ok } => self
                .reply(&AskQuestion {
                    thread,
                    token,
                    question,
                    options,
                    default,
                    default_after: default_after_ms.map(read_duration).transpose()?,
                    wait: wait_ms.map(read_duration).transpose()?,
                    empty_ok,
                }),
            RelayRequest::Wait { kind, after, timeout_ms, limit, empty_ok } => {
                self.wait_for_messages(kind.as_deref(), after, read_duration(timeout_ms)?, (limit, empty_ok))
            }
            RelayRequest::Ack { through } => {
                let agent = self.app.calling_agent_or("--as", None)?;
                self.reply(&AcknowledgeMessages { agent, thread: Some(thread), through: MessageId(through) })
            }
            RelayRequest::Renew { lease_ms } => {
                let lease = lease_ms.map(|length| {
                    LeaseLength::new(TimeSpan(length)).map_err(|error| invalid_request(&error.to_string()))
                });
                self.reply(&RenewLease { thread, token, lease: lease.transpose()? })
            }
            RelayRequest::Done { result, payload, artifacts, snapshot, full } => self.reply(&ReportDone {
                thread,
                token,
                result,
                payload,
                artifacts,
                snapshot,
                folder: None,
                full,
            }),
            RelayRequest::Fail { reason, last, full } => {
                self.reply(&ReportFailure { thread, token, reason, last, full })
            }
            RelayRequest::Release => self.reply(&ReleaseThread { thread, token }),
            RelayRequest::RequestShow { key } => self.show_request(key),
            RelayRequest::TaskShow { task } => {
                let task = naming::parse_task(&task).map_err(|why| invalid_request(&why))?;
                let task = self.permitted_task(task)?;
                self.reply(&ShowTask { task })
            }
            RelayRequest::Diff { attempt, patch, bytes_max } => {
                let mut attempt = naming::parse_attempt(&attempt).map_err(|why| invalid_request(&why))?;
                attempt.task = self.permitted_task(attempt.task)?;
                let bytes_max = bytes_max.min(ANSWER_BYTES_MAX);
                let found = self.app.answer(&DiffAttempt { attempt, patch, bytes_max }, None)?;
                self.encode(&found.data.response, false)
            }
        }
    }

    fn wait_for_messages(
        &mut self,
        kind: Option<&str>,
        after: Option<i64>,
        timeout: TimeSpan,
        (limit, empty_ok): (u32, bool),
    ) -> Result<RelayAnswer, AppError> {
        let kind = kind.map(|kind| {
            MessageKind::parse(kind).ok_or_else(|| invalid_request("its kind of message is unknown"))
        });
        self.reply(&WaitForMessages {
            agent: self.app.calling_agent_or("--as", None)?,
            thread: Some(self.thread),
            kind: kind.transpose()?,
            after: after.map(MessageId),
            timeout,
            limit,
            empty_ok,
        })
    }

    fn reply<R: Request>(&mut self, request: &R) -> Result<RelayAnswer, AppError>
    where
        R::View: Serialize,
    {
        let request_id = self.request_id.as_deref().map(values::parse_request_id).transpose();
        let request_id = request_id.map_err(|why| invalid_request(&why))?;
        let reply = self.app.answer(request, request_id.as_deref())?;
        self.encode(&reply.data, reply.replayed)
    }

    fn encode(&mut self, data: &impl Serialize, replayed: bool) -> Result<RelayAnswer, AppError> {
        let data = serde_json::to_value(data).map_err(|error| {
            AppError::new(ErrorCode::Internal, format!("The answer cannot be serialised: {error}."))
        })?;
        Ok(RelayAnswer::Reply { data, replayed, warnings: self.app.take_warnings() })
    }

    /// Shows a request of this worker, and no other one.
    fn show_request(&mut self, key: String) -> Result<RelayAnswer, AppError> {
        let shown = self.app.answer(&ShowRequest { key }, None)?.data;
        let own = self.thread.to_string();
        if !mentions_thread(&shown.request.answer, &own) {
            return Err(AppError::not_permitted(&format!("That request is not about {own}.")));
        }
        self.encode(&shown, false)
    }

    /// Returns a task if it is the worker's own, or one that it depends on.
    fn permitted_task(&mut self, named: TaskSelector) -> Result<TaskSelector, AppError> {
        let Some(own) = self.task else {
            return Err(AppError::not_permitted("This work belongs to no task."));
        };
        let is_own_run = named.run.as_ref().is_none_or(|run| *run == own.run);
        let own_task = TaskSelector { run: Some(own.run.clone()), key: own.key.clone() };
        if is_own_run && named.key != own.key {
            let shown = self.app.answer(&ShowTask { task: own_task }, None)?.data;
            if !shown.dependencies.iter().any(|dependency| dependency.on == named.key.as_str()) {
                return Err(not_permitted_task(own));
            }
        } else if !is_own_run {
            return Err(not_permitted_task(own));
        }
        Ok(TaskSelector { run: Some(own.run.clone()), key: named.key })
    }
}

fn not_permitted_task(own: &TaskName) -> AppError {
    AppError::not_permitted(&format!(
        "This worker sees its own task, {own}, and the tasks that it depends on."
    ))
}

/// Reads a duration, which is not negative and has a bound.
fn read_duration(milliseconds: i64) -> Result<TimeSpan, AppError> {
    let span = TimeSpan(milliseconds);
    if milliseconds < 0 || span > limit::DURATION_MAX {
        return Err(invalid_request("a duration is out of range"));
    }
    Ok(span)
}

/// Whether an answer names a thread as the one that it is about.
fn mentions_thread(answer: &Value, thread: &str) -> bool {
    let names = [
        &answer["thread"],
        &answer["thread"]["id"],
        &answer["message"]["thread"],
        &answer["question"]["thread"],
    ];
    names.iter().any(|name| name.as_str() == Some(thread))
}

#[cfg(test)]
mod tests {
    use orch_supervisor::wrapper::RefusedReport;
    use serde_json::json;

    use super::*;

    fn refusal_of(bytes: &[u8]) -> Value {
        let service = RelayService {
            store: "/nowhere/orch.db".to_owned(),
            allow_network_fs: false,
            binding: RelayBinding {
                thread: ThreadId(3),
                agent: orch_core::id::Slug::from_stored("w".to_owned()),
                token: "real".to_owned(),
                relay_token: "relayed".to_owned(),
                task: None,
                defers: false,
                refused: RefusedReport::default(),
            },
            secrets: SecretValues::default(),
        };
        let answer: Value = serde_json::from_slice(&service.answer(bytes)).unwrap();
        assert!(!answer.to_string().contains("real"), "the token of the lease stays here");
        answer["failed"]["error"]["code"].clone()
    }

    #[test]
    fn what_a_worker_may_not_ask_is_refused_before_the_store_is_opened() {
        let message = |thread: &str, token: &str, request: Value| {
            json!({"version": 1, "thread": thread, "token": token, "request_id": null, "request": request})
                .to_string()
        };
        let release = json!({"command": "release"});
        for (text, code) in [
            (String::new(), "invalid_argument"),
            ("[1,2]".to_owned(), "invalid_argument"),
            (message("th-3", "relayed", json!({"command": "claim"})), "invalid_argument"),
            (
                message("th-3", "relayed", json!({"command": "ack", "through": 1, "agent": "v"})),
                "invalid_argument",
            ),
            (message("th-4", "relayed", release.clone()), "not_permitted"),
            (message("th-3", "real-looking", release.clone()), "lease_lost"),
            (message("th-3", "", release.clone()), "lease_lost"),
            (message("th-3", "relayed", json!({"command": "task_show", "task": "a"})), "not_permitted"),
            (message("th-3", "relayed", json!({"command": "task_show", "task": "../a"})), "invalid_argument"),
            (message("th-3", "relayed", release), "store_not_found"),
        ] {
            assert_eq!(refusal_of(text.as_bytes()), code, "{text}");
        }
    }
}
