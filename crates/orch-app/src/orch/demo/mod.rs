//! `orch demo`: a real job in a repository of its own, done by three shell scripts.
//!
//! It is a plan file, a drive and a landing by the code of the usual commands; only the lead is played.

mod folder;
mod lead;

use std::os::fd::OwnedFd;
use std::path::Path;

use orch_contract::orch::demo::DemoEnd;
use orch_contract::{ErrorCode, ErrorView, EventView};
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::{limit, shell};
use orch_profile::ProfileReference;
use orch_query::ps::stop_all_workers;
use orch_scheduler::run::{RunAction, change_run};
use orch_store::StoreLocation;

use self::folder::PROFILES;
use self::lead::DemoLead;
use super::drive::{DrivePages, DriveRequest, DriveSetup, DriveSignal, DrivenRuns, ListenerResponse};
use super::graph::ShowGraph;
use super::land::LandRun;
use super::status::load_status;
use crate::app::App;
use crate::environment::{STORE, VariableSource};
use crate::error::AppError;
use crate::request::Paging;

pub use folder::DemoFolder;

/// The events that the end of the demo reports.
const TURNING_POINTS: [EventKind; 5] =
    [EventKind::Question, EventKind::Answered, EventKind::Rejected, EventKind::Failed, EventKind::Lost];

/// A demo whose run and workers are set up.
pub struct DemoSetup {
    lead: Slug,
    run: Slug,
    drive: DriveSetup,
}

/// A demo whose workers have ended.
pub struct DrivenDemo {
    lead: Slug,
    run: Slug,
    driven: DrivenRuns,
    happened: Vec<EventView>,
}

/// The end of a demo.
pub enum DemoOutcome {
    /// Everything landed.
    Complete(Box<DemoEnd>),
    /// The demo was interrupted; these lines tell how to resume it.
    Interrupted(Vec<String>),
}

impl DemoSetup {
    /// Adds the plan and loads the workers; `app` is a call in the demo's own store.
    ///
    /// # Errors
    /// The store cannot be created.
    pub fn prepare(app: &mut App<'_>, folder: &DemoFolder) -> Result<Self, AppError> {
        let lead = app.calling_lead()?;
        let repository = folder.repository();
        let plan = repository.join("plan.toml");
        let run = app.create_or_update_run(&plan, &mut std::io::empty(), repository.clone(), None, &lead)?;
        let profile = |path: &str| (ProfileReference::Path(repository.join(path)), Some(1));
        let drive = app.set_up_drive(DriveRequest {
            agent: lead.clone(),
            run: Some(run.clone()),
            profiles: PROFILES.map(profile).to_vec(),
            workers: Some(PROFILES.len()),
            labels: Vec::new(),
            until_idle: false,
            once: false,
            attempt_limit: None,
            end_silent: false,
            allow_unmetered: false,
            no_check_cache: false,
            names_run: true,
            waits_for_resumption: true,
            merge_check_jobs: None,
            log: None,
        })?;
        Ok(Self { lead, run, drive: drive.with_programs(folder.programs()) })
    }

    /// Returns the pages of a live view.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn pages(&self) -> Result<DrivePages, AppError> {
        self.drive.pages()
    }

    /// Supervises the run and plays its lead.
    pub fn supervise(
        self,
        stop: OwnedFd,
        listen: &mut dyn FnMut(DriveSignal<'_>) -> ListenerResponse,
    ) -> Result<DrivenDemo, AppError> {
        let Self { lead, run, drive } = self;
        let mut player = DemoLead::new(lead.clone(), drive.opener());
        let (mut happened, mut failure) = (Vec::new(), None);
        let driven = drive.supervise_observed(
            stop,
            &mut |event| {
                if TURNING_POINTS.contains(&event.kind) {
                    happened.push(EventView::from_event(event));
                }
                if let Err(error) = player.handle_event(event) {
                    failure = Some(error);
                }
            },
            listen,
        )?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(DrivenDemo { lead, run, driven, happened }),
        }
    }
}

impl DrivenDemo {
    /// Lands the run and collects the demo's end, or stops what an interrupt left.
    ///
    /// # Errors
    /// Not every task is done, or the run cannot be landed.
    pub fn finish(
        self,
        app: &mut App<'_>,
        folder: &DemoFolder,
        outside: &dyn VariableSource,
    ) -> Result<DemoOutcome, AppError> {
        let commands = DemoCommands::new(folder, outside)?;
        let Self { lead, run, driven, happened } = self;
        if driven.is_interrupted() {
            return Ok(DemoOutcome::Interrupted(stop_interrupted(app, &lead, &run, &commands)?));
        }
        if !driven.is_complete() {
            let message = format!("The demo is not complete: {}.", driven.stop_reason());
            let hint = format!("{} && {}", commands.enter(), commands.orch("status"));
            return Err(ErrorView::new(ErrorCode::RunIncomplete, message).with_hint(hint).into());
        }
        let named = || Some(run.clone());
        let landing = LandRun {
            agent: lead,
            run: named(),
            onto: Some("main".to_owned()),
            partial: false,
            no_verify: false,
            pushed: None,
            reason: None,
            run_hooks: false,
            no_check_cache: false,
            resolve: false,
        };
        let land = app.answer(&landing, None)?.data;
        Ok(DemoOutcome::Complete(Box::new(DemoEnd {
            folder: folder.path().display().to_string(),
            repository: folder.repository().display().to_string(),
            handbook: folder.repository().join("handbook.md").display().to_string(),
            happened,
            land,
            status: load_status(app.session()?, named().as_ref())?.0,
            graph: app
                .answer(
                    &ShowGraph { run: named(), paging: Paging { limit: limit::GRAPH_SHOWN, after: None } },
                    None,
                )?
                .data,
            next: vec![
                commands.enter(),
                "cat handbook.md".to_owned(),
                "git log --graph --oneline".to_owned(),
                commands.orch(&format!("report {run}")),
                commands.orch(&format!("timeline {run}")),
                commands.orch("log options --attempt 1"),
                format!("cd - && {}", commands.remove()),
            ],
        })))
    }
}

/// Terminates the workers that still wait, and returns how to resume.
fn stop_interrupted(
    app: &mut App<'_>,
    lead: &Slug,
    run: &Slug,
    commands: &DemoCommands,
) -> Result<Vec<String>, AppError> {
    let session = app.session()?;
    let stopped = stop_all_workers(session, lead, Some(run))?;
    // Stopping pauses the run, and no worker is left that the pause would have to hold back.
    change_run(session, None, lead, Some(run), RunAction::Resume)?;
    let profiles = PROFILES.map(|profile| format!(" --profile {profile}=1")).concat();
    Ok(vec![
        match stopped.left.len() {
            0 => "Interrupted: no worker is left.".to_owned(),
            left => format!("Interrupted; workers that have not ended: {left}."),
        },
        "Go on, and answer yourself what is asked:".to_owned(),
        format!("  {} && {}", commands.enter(), commands.orch(&format!("drive {run}{profiles}"))),
        "Remove it:".to_owned(),
        format!("  {}", commands.remove()),
    ])
}

/// Commands for a shell outside the demo's repository.
struct DemoCommands {
    folder: String,
    repository: String,
    /// The option that names the store, where the search would find another one.
    store: &'static str,
}

impl DemoCommands {
    fn new(folder: &DemoFolder, environment: &dyn VariableSource) -> Result<Self, AppError> {
        let quoted = |path: &Path| shell::join_words([path.display().to_string().as_str()]);
        let repository = folder.repository();
        let named = environment.variable_text(STORE)?;
        let found = orch_store::location::find_store(named.as_deref(), &repository);
        let is_found = matches!(found, Ok(StoreLocation::Sqlite(found)) if found == folder.store());
        let store = if is_found { "" } else { " --store .git/orch/orch.db" };
        Ok(Self { folder: quoted(folder.path()), repository: quoted(&repository), store })
    }

    fn enter(&self) -> String {
        format!("cd {}", self.repository)
    }

    fn orch(&self, command: &str) -> String {
        format!("../bin/orch {command}{}", self.store)
    }

    fn remove(&self) -> String {
        format!("rm -r {}", self.folder)
    }
}
