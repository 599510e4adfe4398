//! `orch demo`: the main job on real input, in a repository of its own, by three shell scripts.
//!
//! It is a plan file, `orch drive` and `orch land`, by the same code as those commands; only the lead is played.

mod folder;
mod lead;
mod pages;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_contract::orch::demo::{DemoEnd, DemoLine};
use orch_contract::{ErrorCode, ErrorView, EventView};
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::shell;
use orch_inbox::Response;
use orch_profile::ProfileReference;
use orch_scheduler::land::{self as landing, LandOutcome};
use orch_scheduler::ps::stop_all_workers;
use orch_scheduler::run::{RunAction, change_run};
use orch_store::StoreLocation;
use orch_supervisor::supervisor::worker_pool::{ProfileSlots, WorkerPool};
use orch_supervisor::supervisor::{DriveOutcome, DriveUntil, SessionOpener};

use super::drive::{DriveRequest, FinalScreen, create_or_update_run, supervise_run};
use crate::context::CommandRuntime;
use crate::inbox::run::{profile_failure, profile_registry};
use crate::interrupts;
use crate::respond::{CommandOutcome, CommandReply};
use folder::{DemoFolder, PROFILES};
use lead::DemoLead;
use orch_app::AppError;
use orch_app::environment::{IsolatedEnvironment, STORE};

/// Watch three workers turn a plan into a landed branch
///
/// Takes less than a minute, in FOLDER, else in the current folder if it is empty, else in a new temporary
/// folder. In a git repository of its own the demo turns the help pages of both programs into a handbook,
/// with a question, a rejected report and a merge conflict on the way. The workers are shell scripts;
/// everything else is what `orch drive` and `orch land` do.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch demo /tmp/look\n  cd /tmp/look/handbook && ../bin/orch status")]
pub struct DemoArgs {
    /// An empty or new folder to work in
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the demo.
///
/// # Errors
/// The folder is not empty, git is not there, or the job is not done in the end.
pub fn run(args: &DemoArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    // An interrupt that comes while the folder is made is heard when there is something to say about it.
    let stop = interrupts::take_over_interrupts()?;
    let ground = DemoFolder::prepare_in(args.folder.as_deref())?;
    let environment = IsolatedEnvironment(context.environment());
    let mut demo = context.for_store(&ground.store(), &environment);
    demo.print_progress(&format!("Working in {}.", ground.folder.display()));
    let pages = ground.pages;
    demo.print_progress(&format!(
        "{pages} help pages become a handbook: 9 tasks, 3 workers (shell scripts)."
    ));
    demo.print_progress("");
    let lead = demo.calling_lead()?;
    let run = create_or_update_run(
        &ground.repository().join("plan.toml"),
        ground.repository(),
        None,
        &lead,
        &mut demo,
    )?;
    let (open, _) = demo.session_opener()?;
    let open: SessionOpener = Arc::new(open);
    let mut played = DemoLead::new(lead.clone(), open);
    let (mut happened, mut unheard) = (Vec::new(), None);
    let shift = DriveRequest {
        who: lead.clone(),
        run: Some(run.clone()),
        crew: demo_crew(&ground, &mut demo)?,
        until: DriveUntil::Finished,
        once: false,
        programs: ground.programs(),
        stop,
        log: None,
        notifier: None,
        ends: FinalScreen::Erased,
    };
    let driven = supervise_run(shift, &mut demo, &mut |event| {
        if TURNS.contains(&event.kind) {
            happened.push(EventView::from_event(event));
        }
        if let Err(error) = played.handle_event(event) {
            unheard = Some(error);
        }
    })?;
    if let Some(error) = unheard {
        return Err(error.into());
    }
    let place = DemoHints::for_folder(&ground, context)?;
    if driven.interrupted {
        return stop_interrupted(&mut demo, &lead, &run, &place);
    }
    if !driven.complete {
        return Err(incomplete_failure(&driven, &place));
    }
    let landed = land_run(&mut demo, &lead, &run)?;
    report_end(&mut demo, &ground, &place, happened, &landed)
}

/// What does not go straight in the demo.
const TURNS: [EventKind; 5] =
    [EventKind::Question, EventKind::Answered, EventKind::Rejected, EventKind::Failed, EventKind::Lost];

/// The three workers, one of each.
fn demo_crew(ground: &DemoFolder, demo: &mut CommandRuntime<'_>) -> Result<WorkerPool, AppError> {
    let shelf = profile_registry(demo)?;
    let mut seats = Vec::new();
    for path in PROFILES.map(|path| ground.repository().join(path)) {
        let profile = shelf
            .load_profile(&ProfileReference::Path(path.clone()))
            .map_err(|error| profile_failure(&error))?;
        seats.push(ProfileSlots { profile: profile.name, reference: path.display().to_string(), limit: 1 });
    }
    Ok(WorkerPool::new(seats, PROFILES.len(), shelf))
}

/// How commands are written for somebody who stands in the repository.
struct DemoHints {
    folder: String,
    repository: String,
    /// What names the store, where another one would be found.
    store: &'static str,
}

impl DemoHints {
    fn for_folder(ground: &DemoFolder, context: &CommandRuntime<'_>) -> Result<Self, AppError> {
        let quoted = |path: &Path| shell::join_words([path.display().to_string().as_str()]);
        let repository = ground.repository();
        let named = context.environment().variable_text(STORE)?;
        let found = orch_store::location::find_store(named.as_deref(), &repository);
        let is_found = matches!(found, Ok(StoreLocation::Sqlite(found)) if found == ground.store());
        let store = if is_found { "" } else { " --store .git/orch/orch.db" };
        Ok(Self { folder: quoted(&ground.folder), repository: quoted(&repository), store })
    }

    fn enter_command(&self) -> String {
        format!("cd {}", self.repository)
    }

    fn orch_command(&self, command: &str) -> String {
        format!("../bin/orch {command}{}", self.store)
    }

    fn resume_command(&self, run: &Slug) -> String {
        let profiles = PROFILES.map(|profile| format!(" --profile {profile}=1")).concat();
        self.orch_command(&format!("drive {run}{profiles}"))
    }

    fn remove_command(&self) -> String {
        format!("rm -r {}", self.folder)
    }
}

/// Ends the workers that still wait, and says how to go on.
fn stop_interrupted(
    demo: &mut CommandRuntime<'_>,
    lead: &Slug,
    run: &Slug,
    place: &DemoHints,
) -> Result<CommandOutcome, AppError> {
    let session = demo.open_session()?;
    let stopped = stop_all_workers(session, lead, Some(run))?;
    // Stopping pauses, and nothing is left that the pause would have to hold back.
    change_run(session, None, lead, Some(run), RunAction::Resume)?;
    let left = stopped.left.len();
    demo.print_progress(&match left {
        0 => "Interrupted: no worker is left.".to_owned(),
        _ => format!("Interrupted; workers that have not ended: {left}."),
    });
    demo.print_progress("Go on, and answer yourself what is asked:");
    demo.print_progress(&format!("  {} && {}", place.enter_command(), place.resume_command(run)));
    demo.print_progress("Remove it:");
    demo.print_progress(&format!("  {}", place.remove_command()));
    Ok(CommandOutcome::StreamedWithStatus(130))
}

fn incomplete_failure(driven: &DriveOutcome, place: &DemoHints) -> AppError {
    let why = driven.reason.as_ref().map_or_else(|| "not every task is done".to_owned(), ToString::to_string);
    let error = ErrorView::new(ErrorCode::RunIncomplete, format!("The demo is not complete: {why}."));
    error.with_hint(format!("{} && {}", place.enter_command(), place.orch_command("status"))).into()
}

/// Lands what is done on the demo's own branch.
fn land_run(demo: &mut CommandRuntime<'_>, lead: &Slug, run: &Slug) -> Result<LandOutcome, AppError> {
    let wanted = landing::LandRequest { run: Some(run.clone()), onto: "main".to_owned(), partial: false };
    match landing::land_run(demo.open_session()?, None, lead, &wanted)? {
        Response::Fresh(landed) => Ok(landed),
        Response::Replayed(_) => {
            Err(AppError::new(ErrorCode::Internal, "The landing of the demo was answered from a record."))
        }
    }
}

/// Shows what came of it, and what to type next.
fn report_end(
    demo: &mut CommandRuntime<'_>,
    ground: &DemoFolder,
    place: &DemoHints,
    happened: Vec<EventView>,
    landed: &LandOutcome,
) -> Result<CommandOutcome, AppError> {
    let run = &landed.run.name;
    let session = demo.open_session()?;
    let (status, _) = super::status::load_status(session, Some(run))?;
    let graph = super::graph::load_graph_response(session, Some(run))?;
    let end = DemoEnd {
        folder: ground.folder.display().to_string(),
        repository: ground.repository().display().to_string(),
        handbook: ground.repository().join("handbook.md").display().to_string(),
        happened,
        land: super::land::land_response(landed),
        status,
        graph,
        next: vec![
            place.enter_command(),
            "cat handbook.md".to_owned(),
            "git log --graph --oneline".to_owned(),
            place.orch_command(&format!("report {run}")),
            place.orch_command(&format!("timeline {run}")),
            place.orch_command("log options --attempt 1"),
            format!("cd - && {}", place.remove_command()),
        ],
    };
    Ok(CommandReply::new(DemoLine::End(Box::new(end))).into())
}
