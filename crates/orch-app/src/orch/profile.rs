//! `orch profile …`: the profiles of workers, and the cooldowns of their providers.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use orch_contract::ErrorCode;
use orch_contract::orch::profile::{CooldownView, ProfileView, ProfilesResponse};
use orch_core::id::Slug;
use orch_process::EnvironmentVariables;
use orch_process::timed_command::read_first_line;
use orch_profile::{Profile, ProfileError, ProfileOrigin, ProfileReference, ProfileRegistry};
use orch_query::profiles::{ProfileActivity, load_profile_activity};
use orch_supervisor::profile_cooldown::resume_profile;
use orch_supervisor::supervisor::preflight::is_program_found;
use serde::Serialize;

use crate::app::App;
use crate::error::{AppError, error_chain, error_sentence};
use crate::request::{Answer, Reply, Request, RequestKey};

/// Clients that print their version when they are asked for it; another program might begin to work.
const KNOWN_CLIENTS: [&str; 8] = ["codex", "claude", "gemini", "opencode", "qwen", "pi", "cline", "aider"];

/// How long a client may take to print its version.
const VERSION_LIMIT: Duration = Duration::from_secs(3);

/// Lists the profiles.
#[derive(Debug, Serialize)]
pub struct ListProfiles {}

/// Shows one profile.
#[derive(Debug, Serialize)]
pub struct ShowProfile {
    /// The profile.
    pub name: Slug,
}

/// Ends the cooldown of a profile.
#[derive(Debug, Serialize)]
pub struct ResumeProfile {
    /// The lead who decides.
    pub agent: Slug,
    /// The profile.
    pub name: Slug,
}

impl Request for ListProfiles {
    const COMMAND: &'static str = "orch profile list";
    type View = ProfilesResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ProfilesResponse> {
        let registry = app.profile_registry()?;
        let activity = load_profile_activity(app.session()?)?;
        let mut names: BTreeSet<Slug> = registry.list_names();
        names.extend(activity.keys().cloned());
        Ok(Reply::new(ProfilesResponse { profiles: app.profile_views(&registry, &activity, names)? }))
    }
}

impl Request for ShowProfile {
    const COMMAND: &'static str = "orch profile show";
    type View = ProfilesResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<ProfilesResponse> {
        Ok(Reply::new(ProfilesResponse { profiles: app.known_profile(&self.name)? }))
    }
}

impl Request for ResumeProfile {
    const COMMAND: &'static str = "orch profile resume";
    type View = ProfilesResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ProfilesResponse> {
        let mut profiles = app.known_profile(&self.name)?;
        for profile in &mut profiles {
            profile.cooldown = None;
        }
        let view = |(): &()| ProfilesResponse { profiles: profiles.clone() };
        app.change(key, view, |session, receipt| resume_profile(session, receipt, &self.agent, &self.name))
    }
}

impl App<'_> {
    /// Returns the view of a profile that has a file or is built in, or that workers were started of.
    fn known_profile(&mut self, name: &Slug) -> Result<Vec<ProfileView>, AppError> {
        let registry = self.profile_registry()?;
        let activity = load_profile_activity(self.session()?)?;
        if !registry.list_names().contains(name) && !activity.contains_key(name) {
            let message = format!("There is no profile {name}.");
            return Err(AppError::new(ErrorCode::ProfileNotFound, message).with_hint("orch profile list"));
        }
        self.profile_views(&registry, &activity, BTreeSet::from([name.clone()]))
    }

    fn profile_views(
        &mut self,
        registry: &ProfileRegistry,
        activity: &BTreeMap<Slug, ProfileActivity>,
        names: BTreeSet<Slug>,
    ) -> Result<Vec<ProfileView>, AppError> {
        let session = self.session()?;
        let environment = session.world().environment().clone();
        let folder = session.store_folder().to_owned();
        let mut views = Vec::new();
        let mut programs = Vec::new();
        for name in names {
            let loaded = registry.load_profile(&ProfileReference::Name(name.clone()));
            let activity = activity.get(&name).cloned().unwrap_or_default();
            let view = profile_view(&name, loaded.as_ref(), &environment, activity);
            let is_known =
                view.command_found == Some(true) && view.program.as_deref().is_some_and(is_known_client);
            programs.push(view.program.clone().filter(|_| is_known));
            views.push(view);
        }
        // Some clients take a second to start.
        std::thread::scope(|scope| {
            for (view, program) in views.iter_mut().zip(programs) {
                let Some(program) = program else { continue };
                let (environment, folder) = (&environment, &folder);
                scope.spawn(move || view.version = ask_version(&program, folder, environment));
            }
        });
        Ok(views)
    }
}

fn profile_view(
    name: &Slug,
    loaded: Result<&Profile, &ProfileError>,
    environment: &EnvironmentVariables,
    activity: ProfileActivity,
) -> ProfileView {
    let profile = loaded.ok();
    let problem = match loaded {
        Ok(_) | Err(ProfileError::Unknown { .. }) => None,
        Err(error) => Some(error_sentence(&error_chain(error))),
    };
    ProfileView {
        name: name.to_string(),
        source: profile.map(|profile| match &profile.origin {
            ProfileOrigin::BuiltIn => "built-in".to_owned(),
            ProfileOrigin::File(path) => path.display().to_string(),
        }),
        program: profile.map(|profile| profile.command.program_text()),
        command_found: profile.and_then(|profile| is_program_found(environment, profile)),
        version: None,
        metered: profile.map(|profile| profile.metered.name().to_owned()),
        resumable: profile.map(|profile| profile.resume.is_some()),
        workers: activity.workers,
        cooldown: activity.cooldown.as_ref().map(CooldownView::from_cooldown),
        problem,
    }
}

fn is_known_client(program: &str) -> bool {
    let name = Path::new(program).file_name().and_then(std::ffi::OsStr::to_str);
    name.is_some_and(|name| KNOWN_CLIENTS.contains(&name))
}

fn ask_version(program: &str, folder: &Path, environment: &EnvironmentVariables) -> Option<String> {
    let words: [OsString; 2] = [program.into(), "--version".into()];
    read_first_line(&words, folder, environment, VERSION_LIMIT)
}
