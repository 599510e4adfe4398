//! What is started: the words, the folder, the environment, and what goes in.

use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::SupervisorError;
use orch_inbox::Error;
use orch_process::EnvironmentVariables;
use orch_process::reexec;
use orch_process::worker::WorkerInput;
use orch_profile::brief::{BriefFacts, BriefWorktree, QuestionWithAnswer, ResumeFacts};
use orch_profile::{
    BriefDelivery, PlaceholderValues as Places, Profile, ResponsibleParty, session_uuid, variables,
};
use orch_scheduler::meter;

use super::{ClaimedWork, WorkerSource, WrapperConfig};

/// A start of a worker.
pub(super) struct WorkerLaunch {
    pub words: Vec<OsString>,
    pub folder: PathBuf,
    pub environment: EnvironmentVariables,
    /// The session, as soon as it is sure that there is, or will be, one of this name.
    pub session: Option<String>,
    pub silence: Option<Duration>,
    brief: BriefPayload,
}

/// How the brief goes in.
enum BriefPayload {
    None,
    Bytes(Vec<u8>),
    /// Removed when the start is over.
    File(PathBuf),
}

impl WorkerLaunch {
    pub(super) fn worker_input(&self) -> WorkerInput<'_> {
        match &self.brief {
            BriefPayload::Bytes(bytes) => WorkerInput::Bytes(bytes),
            BriefPayload::None | BriefPayload::File(_) => WorkerInput::Nothing,
        }
    }
}

impl Drop for WorkerLaunch {
    fn drop(&mut self) {
        if let BriefPayload::File(path) = &self.brief {
            // Whoever comes next writes it anew.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Prepares a start; `again` goes on in the session that was left.
pub(super) fn prepare_launch(
    wrap: &WrapperConfig<'_>,
    held: &ClaimedWork,
    again: bool,
    answered: Option<QuestionWithAnswer>,
) -> Result<WorkerLaunch, SupervisorError> {
    let folder = match held.work.work_folder() {
        Some(folder) => folder,
        None => std::env::current_dir().map_err(|source| Error::File {
            doing: "find",
            path: PathBuf::from("."),
            source,
        })?,
    };
    match &wrap.what {
        WorkerSource::Command { words, .. } => Ok(WorkerLaunch {
            words: words.clone(),
            environment: with_worker_variables(EnvironmentVariables::inherit_sanitized(), wrap, held),
            folder,
            session: None,
            silence: None,
            brief: BriefPayload::None,
        }),
        WorkerSource::Profile { profile, template } => {
            let session = match &held.row.session {
                Some(session) => Some(session.clone()),
                None if profile.chooses_session() => Some(new_session_id()?),
                None => None,
            };
            // A client that ended before it had a session has none to go on with, and begins anew.
            let resumes = profile.resume.is_some()
                && (held.row.session.is_some() || (again && !profile.reports_session()));
            let text = match (resumes, &held.work.attempt) {
                (true, Some(attempt)) if profile.resume.is_some() => {
                    let facts = ResumeFacts {
                        attempt: attempt.clone(),
                        thread: held.thread,
                        inbox: wrap.programs.inbox.clone(),
                        answered,
                    };
                    template.render_resume_brief(&facts)
                }
                _ => template.render_brief(&brief_facts(wrap, held, profile)).map(|brief| brief.text),
            };
            let text = text.map_err(SupervisorError::Brief)?;
            prepare_profile_launch(wrap, held, profile, folder, session, resumes, text)
        }
    }
}

fn prepare_profile_launch(
    wrap: &WrapperConfig<'_>,
    held: &ClaimedWork,
    profile: &Profile,
    folder: PathBuf,
    session: Option<String>,
    resumes: bool,
    text: String,
) -> Result<WorkerLaunch, SupervisorError> {
    let brief_file = held.log.with_file_name(format!("{}.brief", held.thread));
    let brief = match profile.brief {
        BriefDelivery::Stdin => BriefPayload::Bytes(text.clone().into_bytes()),
        BriefDelivery::Argument => BriefPayload::None,
        BriefDelivery::File => {
            write_private_file(&brief_file, &text)?;
            BriefPayload::File(brief_file.clone())
        }
    };
    let (git_dir, common) = read_git_folders(&folder);
    let store_dir = held.log.ancestors().find(|folder| folder.ends_with("logs")).and_then(Path::parent);
    let places = Places {
        worktree: &folder,
        brief: &text,
        brief_file: &brief_file,
        session: session.as_deref(),
        store_dir: store_dir.unwrap_or(Path::new("/")),
        git_dir: git_dir.as_deref(),
        git_common_dir: common.as_deref(),
        inbox: &wrap.programs.inbox,
        orch: &wrap.programs.orch,
    };
    // A script reads no text of ours, and costs nobody anything.
    if let (Some(attempt), Some(folder), ResponsibleParty::Worker) =
        (&held.work.attempt, store_dir, profile.report)
    {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        meter::record_cost(folder, &attempt.task.run, &held.holder, "inbox run", bytes);
    }
    let line = match &profile.resume {
        Some(resume) if resumes => resume,
        _ => &profile.command,
    };
    let (program, arguments) = line.expand_placeholders(&places).map_err(SupervisorError::Fill)?;
    let foreign = std::env::vars_os().filter(|(name, value)| !reexec::is_reexec_variable(name, value));
    let environment = profile.worker_environment(foreign, &places).map_err(SupervisorError::Fill)?;
    let mut environment = with_worker_variables(environment, wrap, held);
    if profile.commit == ResponsibleParty::Tool {
        environment = environment.with_variable(super::DEFER, "1");
    }
    Ok(WorkerLaunch {
        words: std::iter::once(program).chain(arguments).collect(),
        environment,
        folder,
        session: session.filter(|_| resumes || !profile.reports_session()),
        silence: profile.silence.map(|span| Duration::from_millis(u64::try_from(span.0).unwrap_or(0))),
        brief,
    })
}

fn brief_facts(wrap: &WrapperConfig<'_>, held: &ClaimedWork, profile: &Profile) -> BriefFacts {
    let work = &held.work;
    let attempt = work.attempt.clone().unwrap_or_else(|| orch_core::id::AttemptName {
        // Work that no scheduler sent is named by its thread.
        task: orch_core::id::TaskName {
            run: orch_core::id::Slug::from_stored("inbox".to_owned()),
            key: orch_core::id::Slug::from_stored(held.thread.to_string()),
        },
        number: 1,
    });
    BriefFacts {
        attempt,
        thread: held.thread,
        title: work.title.clone(),
        spec: work.spec.clone(),
        spec_bytes_max: profile.spec_bytes_max(),
        accept: work.accept.clone(),
        verify: work.verify.clone(),
        worktree: work.condition.as_ref().map(|condition| BriefWorktree {
            path: PathBuf::from(&condition.tree),
            branch: condition.branch.clone(),
            base: condition.base.to_string(),
            commit: profile.commit,
            allow_empty: !condition.needs_commit,
        }),
        inbox: wrap.programs.inbox.clone(),
        orch: wrap.programs.orch.clone(),
        resumable: profile.resume.is_some(),
        answers: work.answers.clone(),
        earlier: work.earlier.clone(),
    }
}

/// The variables that say who the worker is, and where our programs are.
fn with_worker_variables(
    environment: EnvironmentVariables,
    wrap: &WrapperConfig<'_>,
    held: &ClaimedWork,
) -> EnvironmentVariables {
    let mut environment = environment
        .without_prefix("ORCH_")
        .without_prefix("INBOX_")
        .with_variable(variables::STORE, &wrap.store)
        .with_variable(variables::AGENT, held.holder.as_str())
        .with_variable(variables::THREAD, held.thread.to_string())
        .with_variable(variables::LEASE, &held.token);
    if let Some(name) = &held.work.attempt {
        environment = environment
            .with_variable(variables::RUN, name.task.run.as_str())
            .with_variable(variables::TASK, name.task.to_string())
            .with_variable(variables::ATTEMPT, name.to_string());
    }
    if let Some(slot) = held.work.slot {
        environment = environment.with_variable("ORCH_SLOT", slot.to_string());
    }
    // A worker that says `inbox` means this one.
    let own = wrap.programs.inbox.parent().map(Path::to_owned);
    let path = environment.get("PATH").map(std::ffi::OsStr::to_owned).unwrap_or_default();
    let parts = own.into_iter().chain(std::env::split_paths(&path));
    match std::env::join_paths(parts) {
        Ok(path) => environment.with_variable("PATH", path),
        Err(_) => environment,
    }
}

fn new_session_id() -> Result<String, Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|error| Error::Entropy(std::io::Error::other(error)))?;
    Ok(session_uuid(random))
}

/// The git folder of a worktree and the one that all share, read as git itself writes them.
pub(super) fn read_git_folders(folder: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        return (Some(dot_git.clone()), Some(dot_git));
    }
    let Ok(text) = std::fs::read_to_string(&dot_git) else { return (None, None) };
    let Some(named) = text.strip_prefix("gitdir: ") else { return (None, None) };
    let own = folder.join(named.trim_end());
    let common = std::fs::read_to_string(own.join("commondir")).ok();
    let common = common.map(|named| own.join(named.trim_end())).and_then(|path| path.canonicalize().ok());
    (Some(own), common)
}

fn write_private_file(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let failed = |source| Error::File { doing: "write", path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}

/// What a profile is, for those who only ask whether it reports.
pub(super) fn reports_by_exit(what: &WorkerSource) -> bool {
    match what {
        WorkerSource::Command { exit_reports, .. } => *exit_reports,
        WorkerSource::Profile { profile, .. } => profile.report == ResponsibleParty::Tool,
    }
}
