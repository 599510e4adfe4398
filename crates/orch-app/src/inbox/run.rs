//! `inbox run`: claims work and runs a program on it under a wrapper.

use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orch_contract::inbox::WorkerRunResponse;
use orch_contract::{ErrorCode, MessageView};
use orch_core::id::Slug;
use orch_core::message::MessageKind;
use orch_inbox::Error;
use orch_inbox::claim::ClaimRequest;
use orch_inbox::world::HostEnvironment;
use orch_process::mailbox::MailboxHandler;
use orch_process::{EnvironmentVariables, SecretValues, reexec};
use orch_profile::brief::TemplateError;
use orch_profile::{BUILT_IN, ProfileError, ProfileReference, ProfileRegistry, TextFileError};
use orch_supervisor::wrapper::{
    ClaimedWork, ProgramPaths, ReexecPayload, WorkerSource, WrapperConfig, WrapperOutcome, claim_work,
    run_claimed_work,
};
use serde::{Deserialize, Serialize};

use super::claim::ClaimWork;
use crate::app::App;
use crate::error::{AppError, error_chain, error_sentence, untrusted_file};
use crate::relay::RelayService;
use crate::values;

pub use orch_process::reexec::take_reexec_payload;

/// The program of a worker and how it is run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WorkerLaunch {
    /// The program and its arguments, where no profile is named.
    pub command: Vec<OsString>,
    /// The profile: a name or a path.
    pub profile: Option<String>,
    /// Whether exit status 0 reports the work as done.
    pub exit_reports: bool,
    /// Whether a worker that prints nothing for too long is terminated.
    pub end_silent: bool,
    /// How long the program may take, in milliseconds.
    pub limit_ms: Option<i64>,
}

/// The claimed work and the launch that a process image passes to the next one by re-exec.
#[derive(Deserialize, Serialize)]
pub struct ReexecWork {
    launch: WorkerLaunch,
    store_folder: PathBuf,
    work: ReexecPayload,
}

/// The door's side of a wrapped worker.
pub struct WorkerDoor<'a> {
    /// Receives each line that the worker prints.
    pub echo: &'a mut dyn FnMut(&[u8]),
    /// Takes interrupts over; the descriptor becomes readable when the worker must end.
    pub take_over_interrupts: &'a dyn Fn() -> Result<OwnedFd, AppError>,
}

/// The end of a wrapped worker.
#[derive(Debug)]
pub struct WorkerRun {
    /// The answer.
    pub response: WorkerRunResponse,
    /// Whether the work is done.
    pub is_done: bool,
}

impl App<'_> {
    /// Claims work and runs a program on it until it has ended.
    ///
    /// Between the two the process may replace itself by re-exec, to give memory back: `reexec` makes the payload for
    /// [`App::continue_worker`], with what the door needs besides.
    ///
    /// # Errors
    /// There is no work, another agent holds it, or the program cannot be started.
    pub fn run_worker(
        &mut self,
        claim: &ClaimWork,
        launch: WorkerLaunch,
        reexec: impl FnOnce(ReexecWork) -> Option<Vec<u8>>,
        door: WorkerDoor<'_>,
    ) -> Result<WorkerRun, AppError> {
        let request = ClaimRequest {
            queue: claim.queue.clone(),
            holder: claim.holder.clone(),
            thread: claim.thread,
            lease: claim.lease,
            wait: claim.wait,
            again: claim.again,
        };
        let session = self.take_session()?;
        let store_folder = session.store_folder().to_owned();
        let registry = self.profile_registry_at(&store_folder)?;
        self.run_wrapped(&launch, &registry, door, |wrap| {
            let work = claim_work(session, wrap, &request)?;
            let kept = ReexecWork { launch: launch.clone(), store_folder, work: work.to_reexec_payload() };
            if let Some(payload) = reexec(kept) {
                // Where the re-exec fails, this image continues.
                reexec::reexec_self(&payload);
            }
            Ok(work)
        })
    }

    /// Runs the program on work that an earlier image of this process has claimed.
    ///
    /// # Errors
    /// The program cannot be started, or the store failed.
    pub fn continue_worker(&mut self, kept: ReexecWork, door: WorkerDoor<'_>) -> Result<WorkerRun, AppError> {
        let registry = self.profile_registry_at(&kept.store_folder)?;
        self.run_wrapped(&kept.launch, &registry, door, |wrap| {
            Ok(ClaimedWork::from_reexec_payload(kept.work, wrap))
        })
    }

    fn run_wrapped(
        &mut self,
        launch: &WorkerLaunch,
        registry: &ProfileRegistry,
        door: WorkerDoor<'_>,
        claim: impl FnOnce(&WrapperConfig<'_>) -> Result<ClaimedWork, Error>,
    ) -> Result<WorkerRun, AppError> {
        let what = worker_source(launch, registry)?;
        let (open, store) = self.session_opener()?;
        let allow_network_fs = self.allows_network_fs();
        let secrets = SecretValues::of_environment(&EnvironmentVariables::inherit_sanitized());
        let (relayed_store, relayed_secrets) = (store.clone(), secrets.clone());
        let relay = move |binding| -> Arc<dyn MailboxHandler> {
            Arc::new(RelayService {
                store: relayed_store.clone(),
                allow_network_fs,
                binding,
                secrets: relayed_secrets.clone(),
            })
        };
        let stop;
        let mut wrap = WrapperConfig {
            what,
            programs: own_programs()?,
            open: &open,
            store,
            relay: &relay,
            host: HostEnvironment::new(EnvironmentVariables::inherit_sanitized()),
            secrets,
            limit: launch.limit_ms.map(|limit| Duration::from_millis(u64::try_from(limit).unwrap_or(0))),
            ends_silent: launch.end_silent,
            stop: None,
            echo: door.echo,
        };
        // Until the work is claimed, an interrupt ends the process at once.
        let work = claim(&wrap)?;
        stop = (door.take_over_interrupts)()?;
        wrap.stop = Some(stop.as_fd());
        Ok(worker_run(&run_claimed_work(wrap, work)?))
    }
}

fn worker_run(outcome: &WrapperOutcome) -> WorkerRun {
    let message = outcome.message.as_ref();
    WorkerRun {
        is_done: message.is_some_and(|message| message.content.kind == MessageKind::Result),
        response: WorkerRunResponse {
            thread: outcome.thread.to_string(),
            outcome: outcome.outcome.into(),
            exit_status: outcome.exit_status,
            message: message.map(MessageView::from_message),
            detail: outcome.detail.clone(),
            log: outcome.log.display().to_string(),
        },
    }
}

fn worker_source(launch: &WorkerLaunch, registry: &ProfileRegistry) -> Result<WorkerSource, AppError> {
    let Some(named) = &launch.profile else {
        return Ok(WorkerSource::Command {
            words: launch.command.clone(),
            exit_reports: launch.exit_reports,
        });
    };
    let reference = values::parse_profile(named)
        .map_err(|problem| AppError::invalid_argument("--profile", format!("{problem}.")))?;
    let profile = registry.load_profile(&reference).map_err(|error| profile_error(&error))?;
    let template = registry.load_template(&profile).map_err(|error| profile_error(&error))?;
    Ok(WorkerSource::Profile { profile: Box::new(profile), template: Box::new(template) })
}

/// Loads a profile and its template, and returns the profile's name.
pub(crate) fn check_profile(
    registry: &ProfileRegistry,
    reference: &ProfileReference,
) -> Result<Slug, AppError> {
    let profile = registry.load_profile(reference).map_err(|error| profile_error(&error))?;
    registry.load_template(&profile).map_err(|error| profile_error(&error))?;
    Ok(profile.name)
}

/// Converts an error of a profile.
fn profile_error(error: &(dyn std::error::Error + 'static)) -> AppError {
    let in_profile = error.downcast_ref().and_then(|error| match error {
        ProfileError::File(file) => Some(file),
        ProfileError::Invalid { .. } | ProfileError::Unknown { .. } => None,
    });
    let in_template = error.downcast_ref().and_then(|error| match error {
        TemplateError::File(file) => Some(file),
        TemplateError::Invalid { .. } => None,
    });
    if let Some(TextFileError::Untrusted { path, problem, .. }) = in_profile.or(in_template) {
        return untrusted_file(path, problem);
    }
    let mut message = error_sentence(&error_chain(error));
    if matches!(error.downcast_ref(), Some(ProfileError::Unknown { .. })) {
        let known = BUILT_IN.map(|(name, _)| name).join(", ");
        message.push_str(&format!(" Built in are {known}; others are files."));
    }
    AppError::invalid_argument("--profile", message)
}

/// Returns the paths of both programs, which lie beside this one.
pub(crate) fn own_programs() -> Result<ProgramPaths, AppError> {
    let own = std::env::current_exe().map_err(|error| {
        AppError::new(ErrorCode::Internal, format!("This program cannot find itself: {error}."))
    })?;
    Ok(ProgramPaths { inbox: own.with_file_name("inbox"), orch: own.with_file_name("orch") })
}
