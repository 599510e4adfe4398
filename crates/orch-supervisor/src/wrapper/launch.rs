//! Preparing a start: the command, the folder, the environment and the brief.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orch_contract::work::WorkPayloadAttempt;
use orch_core::id::{AttemptName, Slug, TaskName};
use orch_inbox::Error;
use orch_process::EnvironmentVariables;
use orch_process::private_file::PrivateFolder;
use orch_process::reexec;
use orch_process::worker::WorkerInput;
use orch_profile::brief::{
    BriefFacts, BriefTemplate, BriefWorktree, ContinuedWork, NudgeFacts, PriorAttempt, QuestionWithAnswer,
    ResumeCause, ResumeFacts,
};
use orch_profile::{
    AttemptTexts, BriefDelivery, NudgeRule, PlaceholderValues, Profile, ResponsibleParty, SessionTotals,
    variables,
};
use orch_query::meter;

use super::claim::{ClaimedWork, random_uuid};
use super::config::{DEFER, WorkerSource, WrapperConfig};
use super::relay;
use super::usage::StartFacts;
use super::work_changes::WorkChanges;
use crate::SupervisorError;
use orch_git::read_git_folders;

/// The process to start.
pub(super) struct WorkerLaunch {
    pub words: Vec<OsString>,
    pub folder: PathBuf,
    pub environment: EnvironmentVariables,
    /// The session id, if a session with this id exists or is about to.
    pub session: Option<String>,
    pub silence: Option<Duration>,
    /// What the session used in earlier starts.
    pub session_before: SessionTotals,
    brief: BriefPayload,
    /// The folder with the profile's own files, which is removed after the worker has exited.
    _files: Option<PrivateFolder>,
}

/// The brief, by its delivery.
enum BriefPayload {
    /// As an argument, or not at all.
    None,
    /// On stdin.
    Bytes(Vec<u8>),
    /// In a file, which is removed after the worker has exited.
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
            // The next start writes it again.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Why a worker is started.
pub(super) enum StartCause {
    /// The work was claimed.
    Claimed,
    /// Its question was answered.
    Answered(QuestionWithAnswer),
    /// It ended without a report, and is asked for it.
    Unreported(WorkChanges),
}

/// Prepares a start.
pub(super) fn prepare_launch(
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    cause: StartCause,
) -> Result<WorkerLaunch, SupervisorError> {
    let folder = match work.work.work_folder() {
        Some(folder) => folder,
        None => std::env::current_dir().map_err(|source| Error::File {
            doing: "find",
            path: PathBuf::from("."),
            source,
        })?,
    };
    match &config.what {
        WorkerSource::Command { words, .. } => Ok(WorkerLaunch {
            words: words.clone(),
            environment: with_worker_variables(EnvironmentVariables::inherit_sanitized(), config, work),
            folder,
            session: None,
            silence: None,
            session_before: SessionTotals::default(),
            brief: BriefPayload::None,
            _files: None,
        }),
        WorkerSource::Profile { profile, template } => {
            let session = match &work.row.session {
                Some(session) => Some(session.clone()),
                None if profile.chooses_session() => Some(random_uuid()?),
                None => None,
            };
            // A client that exited before it reported its session cannot resume one.
            let again = !matches!(cause, StartCause::Claimed);
            let resumes = profile.resume.is_some()
                && (work.row.session.is_some() || (again && !profile.reports_session()));
            let facts = StartFacts::load(config, work, profile, session.as_deref().filter(|_| resumes))?;
            let start = ClientStart { config, work, profile, folder, session, resumes, facts };
            let text = start.render_brief(template, cause)?;
            start.prepare(&config.secrets.redact_text(&text))
        }
    }
}

/// A start of a profile's client.
struct ClientStart<'a, 'c> {
    config: &'a WrapperConfig<'c>,
    work: &'a ClaimedWork,
    profile: &'a Profile,
    folder: PathBuf,
    session: Option<String>,
    /// Whether the session is resumed.
    resumes: bool,
    facts: StartFacts,
}

impl ClientStart<'_, '_> {
    fn render_brief(&self, template: &BriefTemplate, cause: StartCause) -> Result<String, SupervisorError> {
        let Some(attempt) = self.work.work.attempt.as_ref().filter(|_| self.resumes) else {
            let brief = template.render_brief(&self.brief_facts()).map_err(SupervisorError::Brief)?;
            return Ok(brief.text);
        };
        let (attempt, thread) = (attempt.clone(), self.work.thread());
        let inbox = self.config.programs.inbox.clone();
        let cause = match cause {
            StartCause::Unreported(changes) => {
                let facts = NudgeFacts {
                    attempt,
                    thread,
                    inbox,
                    has_commits: changes.has_commits,
                    uncommitted: changes.uncommitted,
                    commit: self.profile.commit,
                    refused: self.work.refused.reason(),
                };
                let text = match &self.profile.nudge {
                    NudgeRule::Text(text) => Some(text.as_str()),
                    NudgeRule::Standard | NudgeRule::Off => None,
                };
                return template.render_nudge(&facts, text).map_err(SupervisorError::Brief);
            }
            StartCause::Answered(answered) => ResumeCause::Answered(answered),
            StartCause::Claimed => match self.continued_work() {
                Some(continued) => ResumeCause::Continued(continued),
                None => ResumeCause::Interrupted,
            },
        };
        let facts = ResumeFacts { attempt, thread, inbox, cause };
        template.render_resume_brief(&facts).map_err(SupervisorError::Brief)
    }

    /// The attempt that this attempt continues.
    fn continued_work(&self) -> Option<ContinuedWork> {
        let payload = &self.work.work.payload;
        let continues = payload.continues.as_deref()?;
        let earlier = payload.earlier.iter().find(|earlier| earlier.attempt == continues)?;
        Some(ContinuedWork {
            earlier: prior_attempt(earlier),
            branch: self.work.work.condition.as_ref().map(|condition| condition.branch.clone()),
            conflicts: payload.conflicts.clone(),
            commit: self.profile.commit,
        })
    }

    fn brief_facts(&self) -> BriefFacts {
        let Self { config, work, profile, .. } = self;
        let payload = &work.work.payload;
        // Work that no scheduler sent is named by its thread.
        let attempt = work.work.attempt.clone().unwrap_or_else(|| AttemptName {
            task: TaskName {
                run: Slug::from_stored("inbox".to_owned()),
                key: Slug::from_stored(work.thread().to_string()),
            },
            number: 1,
        });
        let answers = payload.answers.iter().map(|answered| QuestionWithAnswer {
            question: answered.question.clone(),
            answer: answered.answer.clone(),
            from: answered.from.clone(),
        });
        let earlier = payload.earlier.iter().map(prior_attempt);
        BriefFacts {
            attempt,
            thread: work.thread(),
            title: payload.title.clone(),
            spec: payload.spec.clone(),
            spec_bytes_max: profile.spec_bytes_max(),
            accept: payload.accept.clone(),
            verify: payload.verify.clone(),
            folder: payload.folder.as_ref().map(PathBuf::from),
            worktree: work.work.condition.as_ref().map(|condition| BriefWorktree {
                path: PathBuf::from(&condition.tree),
                branch: condition.branch.clone(),
                base: condition.base.to_string(),
                commit: profile.commit,
                allow_empty: !condition.needs_commit,
            }),
            inbox: config.programs.inbox.clone(),
            orch: config.programs.orch.clone(),
            resumable: profile.resume.is_some(),
            answers: answers.collect(),
            earlier: earlier.collect(),
        }
    }

    fn prepare(self, text: &str) -> Result<WorkerLaunch, SupervisorError> {
        let Self { config, work, profile, folder, session, resumes, facts } = self;
        let brief_file = work.log.with_file_name(format!("{}.brief", work.thread()));
        let brief = match profile.brief {
            BriefDelivery::Stdin => BriefPayload::Bytes(text.as_bytes().to_vec()),
            BriefDelivery::Argument => BriefPayload::None,
            BriefDelivery::File => {
                write_private_file(&brief_file, text)?;
                BriefPayload::File(brief_file.clone())
            }
        };
        let (git_dir, common) = read_git_folders(&folder);
        let store_dir = relay::store_folder(&work.log);
        let attempt_dir = work.log.with_file_name(format!("{}.files", work.thread()));
        let names = work
            .work
            .attempt
            .as_ref()
            .map(|name| (name.task.run.to_string(), name.task.to_string(), name.to_string()));
        let values = PlaceholderValues {
            worktree: &folder,
            brief: text,
            brief_file: &brief_file,
            session: session.as_deref(),
            store_dir: store_dir.unwrap_or(Path::new("/")),
            relay_dir: work.relay.as_ref().map(|relay| relay.folder.as_path()),
            git_dir: git_dir.as_deref(),
            git_common_dir: common.as_deref(),
            inbox: &config.programs.inbox,
            orch: &config.programs.orch,
            budget_usd: facts.budget_usd.as_deref(),
            model: profile.model.as_deref(),
            attempt_dir: &attempt_dir,
            names: names.as_ref().map(|(run, task, attempt)| AttemptTexts { run, task, attempt }),
            args: &profile.args,
        };
        // A script does not read its brief as a model does, so the brief costs nothing.
        if let (Some(attempt), Some(folder), ResponsibleParty::Worker) =
            (&work.work.attempt, store_dir, profile.report)
        {
            let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
            meter::record_cost(folder, &attempt.task.run, &work.row.agent, "inbox run", bytes);
        }
        let line = match &profile.resume {
            Some(resume) if resumes => resume,
            _ => &profile.command,
        };
        let (program, arguments) = line.expand_placeholders(&values).map_err(SupervisorError::Fill)?;
        let inherited = std::env::vars_os().filter(|(name, value)| !reexec::is_reexec_variable(name, value));
        let environment = profile.worker_environment(inherited, &values).map_err(SupervisorError::Fill)?;
        let files = write_files(profile, &values)?;
        let mut environment = with_worker_variables(environment, config, work);
        if let Some(common) = common.as_deref() {
            environment = prepare_repository(config, work, profile, (common, &folder), environment)?;
        }
        if config.defers_reports() {
            environment = environment.with_variable(DEFER, "1");
        }
        Ok(WorkerLaunch {
            words: std::iter::once(program).chain(arguments).collect(),
            environment,
            folder,
            session: session.filter(|_| profile.resume.is_some() && (resumes || !profile.reports_session())),
            silence: profile.silence.map(|span| Duration::from_millis(u64::try_from(span.0).unwrap_or(0))),
            session_before: facts.before,
            brief,
            _files: files,
        })
    }
}

/// Excludes what the client leaves in the worktree, and passes on the identity with which the user commits, because some
/// clients hide the user's git settings from their commands.
fn prepare_repository(
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
    profile: &Profile,
    (common, folder): (&Path, &Path),
    mut environment: EnvironmentVariables,
) -> Result<EnvironmentVariables, SupervisorError> {
    let repository = config.host.open_repository(common).map_err(Error::from)?;
    let worktree = repository.open_worktree(folder).map_err(Error::from)?;
    if work.work.condition.is_some() && !profile.exclude.is_empty() {
        worktree.exclude_patterns(&profile.exclude).map_err(Error::from)?;
    }
    // Without an identity git itself says what is missing.
    let identity = worktree.user_identity().unwrap_or_default();
    for (value, names) in [
        (identity.name, ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"]),
        (identity.email, ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"]),
    ] {
        for name in names {
            if let (Some(value), None) = (&value, environment.get(name)) {
                environment = environment.with_variable(name, value);
            }
        }
    }
    Ok(environment)
}

fn prior_attempt(earlier: &WorkPayloadAttempt) -> PriorAttempt {
    PriorAttempt {
        attempt: earlier.attempt.clone(),
        outcome: earlier.outcome.clone(),
        reason: earlier.reason.clone(),
        log_tail: earlier.log_tail.clone(),
        branch: earlier.branch.clone().filter(|_| earlier.commit.is_some()),
    }
}

/// Adds the variables that identify the worker, and puts our programs first on the `PATH`.
fn with_worker_variables(
    environment: EnvironmentVariables,
    config: &WrapperConfig<'_>,
    work: &ClaimedWork,
) -> EnvironmentVariables {
    let mut environment = environment
        .without_prefix("ORCH_")
        .without_prefix("INBOX_")
        .with_variable(variables::AGENT, work.row.agent.as_str())
        .with_variable(variables::THREAD, work.thread().to_string());
    environment = match &work.relay {
        Some(relay) => environment
            .with_variable(variables::RELAY, &relay.folder)
            .with_variable(variables::LEASE, &relay.token),
        None => environment
            .with_variable(variables::STORE, &config.store)
            .with_variable(variables::LEASE, &work.token),
    };
    if let Some(name) = &work.work.attempt {
        environment = environment
            .with_variable(variables::RUN, name.task.run.as_str())
            .with_variable(variables::TASK, name.task.to_string())
            .with_variable(variables::ATTEMPT, name.to_string());
    }
    if let Some(slot) = work.work.payload.worktree.as_ref().and_then(|tree| tree.slot) {
        environment = environment.with_variable("ORCH_SLOT", slot.to_string());
    }
    // A worker that runs `inbox` means this program.
    let own = config.programs.inbox.parent().map(Path::to_owned);
    let path = environment.get("PATH").map(std::ffi::OsStr::to_owned).unwrap_or_default();
    let parts = own.into_iter().chain(std::env::split_paths(&path));
    match std::env::join_paths(parts) {
        Ok(path) => environment.with_variable("PATH", path),
        Err(_) => environment,
    }
}

/// Writes the profile's own files.
fn write_files(
    profile: &Profile,
    values: &PlaceholderValues<'_>,
) -> Result<Option<PrivateFolder>, SupervisorError> {
    if !profile.uses_attempt_dir() {
        return Ok(None);
    }
    let failed = |source| Error::File { doing: "write", path: values.attempt_dir.to_owned(), source };
    let folder = PrivateFolder::create(values.attempt_dir).map_err(failed)?;
    for (path, text) in profile.files.expand_placeholders(values).map_err(SupervisorError::Fill)? {
        folder.write_file(path, text.as_bytes()).map_err(failed)?;
    }
    Ok(Some(folder))
}

/// Writes a file that only the user can read.
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
