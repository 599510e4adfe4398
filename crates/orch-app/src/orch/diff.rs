//! `orch diff`: the changes of an attempt.

use orch_contract::attempt::FileChangeView;
use orch_contract::orch::diff::DiffResponse;
use orch_core::{escape, limit};
use orch_query::diff::{AttemptDiff, DiffLimits, diff_attempt};
use orch_scheduler::AttemptSelector;
use serde::Serialize;

use crate::app::App;
use crate::naming;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Reply, Request, RequestKey};

/// The most bytes of a diff that is printed as it is.
pub const RAW_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The most bytes of a diff inside an answer.
pub const ANSWER_BYTES_MAX: usize = limit::TEXT_BYTES_MAX;

/// Shows what an attempt has committed since its base commit.
#[derive(Debug, Serialize)]
pub struct DiffAttempt {
    /// The attempt.
    pub attempt: AttemptSelector,
    /// Whether the changed lines are wanted, and not only a line for each file.
    pub patch: bool,
    /// The most bytes to return.
    pub bytes_max: usize,
}

/// A diff as an answer and as git printed it.
#[derive(Clone, Debug)]
pub struct DiffOutput {
    /// The answer.
    pub response: DiffResponse,
    /// The patch, or the line for each file.
    pub bytes: Vec<u8>,
}

impl Request for DiffAttempt {
    const COMMAND: &'static str = "orch diff";
    type View = DiffOutput;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<DiffOutput> {
        let limits = DiffLimits { patch: self.patch, bytes_max: self.bytes_max };
        let found = diff_attempt(app.session()?, &self.attempt, limits)?;
        let response = diff_response(&found);
        Ok(Reply::new(DiffOutput { response, bytes: found.patch.unwrap_or(found.stat) }))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<DiffOutput>> {
        let request = RelayRequest::Diff {
            attempt: naming::attempt_text(&self.attempt),
            patch: self.patch,
            bytes_max: self.bytes_max,
        };
        let answer = relay.exchange(RelayProof::default(), request_id, request);
        Some(answer.map(|reply: Reply<DiffResponse>| {
            let response = reply.data;
            let bytes = response.diff.as_ref().unwrap_or(&response.stat).clone().into_bytes();
            Reply::new(DiffOutput { response, bytes })
        }))
    }
}

fn diff_response(found: &AttemptDiff) -> DiffResponse {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    DiffResponse {
        task: found.attempt.name.task.to_string(),
        attempt: found.attempt.name.to_string(),
        base_commit: found.base.to_string(),
        head_commit: found.head.to_string(),
        files: found.files.iter().take(limit::FILES_KEPT).map(file_change).collect(),
        files_total: found.files.len() as u64,
        stat: text(&found.stat),
        diff: found.patch.as_deref().map(text),
        cut: found.is_cut,
    }
}

fn file_change(change: &orch_git::FileDiffStat) -> FileChangeView {
    FileChangeView {
        path: escape::path_text(&change.path),
        added: change.lines.map(|lines| lines.added),
        removed: change.lines.map(|lines| lines.removed),
    }
}
