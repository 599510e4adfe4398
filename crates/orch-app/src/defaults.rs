//! `orch.toml`: the settings of the user, and its `[defaults]` for new runs and for drives.

use std::collections::BTreeSet;
use std::path::Path;

use orch_core::id::Slug;
use orch_inbox::Session;
use orch_scheduler::run::NewRun;
use orch_supervisor::settings::{self, DefaultSettings, SettingsProblem, UserSettings};
use orch_workspace::run_location::GitBase;

use crate::app::App;
use crate::error::{AppError, error_chain, untrusted_file};
use crate::orch::drive::DriveRequest;
use crate::values::{parse_check_variable, parse_seat};

impl App<'_> {
    /// Loads the settings: those beside the store, then the user's; never those of a checkout.
    pub(crate) fn user_settings(&mut self) -> Result<UserSettings, AppError> {
        let user = self.user_folder()?;
        let folder = self.session()?.store_folder().to_owned();
        let folders: Vec<&Path> = [Some(folder.as_path()), user.as_deref()].into_iter().flatten().collect();
        settings::load_settings(&folders, &self.trust_record()?).map_err(|error| match &error.problem {
            SettingsProblem::Untrusted(problem) => untrusted_file(&error.path, problem),
            _ => AppError::invalid_argument(settings::FILE, format!("{}.", error_chain(&error))),
        })
    }

    /// Adds the defaults to a new run that neither its command line nor its plan names, and returns their names.
    ///
    /// A run without worktrees has no use for them.
    pub(crate) fn apply_run_defaults(&mut self, new: &mut NewRun) -> Result<Vec<String>, AppError> {
        let defaults = self.user_settings()?.defaults;
        if defaults.is_empty_for_runs() || !has_base(self.session()?, new)? {
            return Ok(Vec::new());
        }
        for text in &defaults.check_env {
            parse_check_variable(text).map_err(|error| {
                AppError::invalid_argument(settings::FILE, format!("defaults.check_env: {error}"))
            })?;
        }
        Ok(fill_run(new, defaults))
    }

    /// Returns the agents that `[defaults]` names as people.
    pub(crate) fn named_humans(&mut self) -> Result<BTreeSet<Slug>, AppError> {
        let humans = self.user_settings()?.defaults.humans;
        humans
            .iter()
            .map(|name| Slug::new(name))
            .collect::<Result<_, _>>()
            .map_err(|error| AppError::invalid_argument(settings::FILE, format!("defaults.humans: {error}.")))
    }

    /// Adds the default profiles and the default number of workers to a drive that names none.
    pub(crate) fn apply_drive_defaults(&mut self, request: &mut DriveRequest) -> Result<(), AppError> {
        let names_number =
            request.workers.is_some() || request.profiles.iter().any(|(_, limit)| limit.is_some());
        if names_number && !request.profiles.is_empty() {
            return Ok(());
        }
        let defaults = self.user_settings()?.defaults;
        if request.profiles.is_empty() {
            request.profiles =
                defaults.profile.iter().map(|text| parse_seat(text)).collect::<Result<_, _>>().map_err(
                    |error| AppError::invalid_argument(settings::FILE, format!("defaults.profile: {error}.")),
                )?;
        }
        if !names_number {
            request.workers = defaults.workers;
        }
        Ok(())
    }
}

/// Whether a new run will have worktrees.
fn has_base(session: &Session, new: &NewRun) -> Result<bool, AppError> {
    match &new.place {
        Some(place) => Ok(GitBase::resolve_location(session, place)?.is_some()),
        None => Ok(false),
    }
}

fn fill_run(new: &mut NewRun, defaults: DefaultSettings) -> Vec<String> {
    let mut used = Vec::new();
    let rules = &mut new.rules;
    for (name, list, default) in [
        ("verify", &mut rules.verify, defaults.verify),
        ("copy", &mut rules.copy, defaults.copy),
        ("check_env", &mut rules.check_env, defaults.check_env),
        ("check_cache", &mut rules.check_cache, defaults.check_cache),
    ] {
        if list.is_empty() && !default.is_empty() {
            *list = default;
            used.push(name.to_owned());
        }
    }
    if rules.setup.is_none() && defaults.setup.is_some() {
        rules.setup = defaults.setup;
        used.push("setup".to_owned());
    }
    if let Some(place) = new.place.as_mut().filter(|place| place.root.is_none())
        && defaults.worktree_root.is_some()
    {
        place.root = defaults.worktree_root;
        used.push("worktree_root".to_owned());
    }
    used
}
