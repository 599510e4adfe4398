//! `orch demo`: the main job on real input, in a repository of its own, by three shell scripts.
//!
//! It is a plan file, `orch drive` and `orch land`, by the same code as those commands; only the lead is played.

mod ground;
mod lead;
mod pages;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orch_contract::orch::demo::{DemoEnd, DemoLine};
use orch_contract::{Code, ErrorView, Event};
use orch_core::event::EventKind;
use orch_core::id::Slug;
use orch_core::shell;
use orch_inbox::Answer;
use orch_profile::Reference;
use orch_scheduler::land::{self as landing, Landed};
use orch_scheduler::ps::stop_all;
use orch_scheduler::run::{Verb, change};
use orch_store::Location;
use orch_supervisor::supervisor::crew::{Crew, Seat};
use orch_supervisor::supervisor::{Driven, Opener, Until};

use super::drive::{Ends, Shift, make, see_through};
use crate::context::Context;
use crate::environment::{Apart, STORE};
use crate::failure::Failure;
use crate::inbox::run::{bad_profile, shelf};
use crate::interrupts;
use crate::respond::{Outcome, Reply};
use ground::{Ground, PROFILES};
use lead::Lead;

/// Watch a plan become a branch: three workers, a question, a rejected report, a merge conflict, and all of it landed
///
/// Works in the given folder, in this one if it is empty, else in a new temporary one, and takes less than a minute.
/// The job is real: in a git repository of the demo's own, the help pages of both programs become a handbook. The
/// workers are shell scripts; what is driven and landed is what `orch drive` and `orch land` would do.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch demo /tmp/look\n  cd /tmp/look/handbook && ../bin/orch status")]
pub struct Args {
    /// An empty or new folder to work in
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the demo.
///
/// # Errors
/// The folder is not empty, git is not there, or the job is not done in the end.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    // An interrupt that comes while the folder is made is heard when there is something to say about it.
    let stop = interrupts::take_over()?;
    let ground = Ground::settle_in(args.folder.as_deref())?;
    let environment = Apart(context.environment());
    let mut demo = context.within(&ground.store(), &environment);
    demo.progress(&format!("Working in {}.", ground.folder.display()));
    let pages = ground.pages;
    demo.progress(&format!("{pages} help pages become a handbook: 9 tasks, 3 workers (shell scripts)."));
    demo.progress("");
    let lead = demo.lead()?;
    let run = make(&ground.repository().join("plan.toml"), ground.repository(), None, &lead, &mut demo)?;
    let (open, _) = demo.opener()?;
    let open: Opener = Arc::new(open);
    let mut played = Lead::new(lead.clone(), open);
    let (mut happened, mut unheard) = (Vec::new(), None);
    let shift = Shift {
        who: lead.clone(),
        run: Some(run.clone()),
        crew: crew(&ground, &mut demo)?,
        until: Until::Finished,
        once: false,
        programs: ground.programs(),
        stop,
        log: None,
        notifier: None,
        ends: Ends::Erased,
    };
    let driven = see_through(shift, &mut demo, &mut |event| {
        if TURNS.contains(&event.kind) {
            happened.push(Event::of(event));
        }
        if let Err(error) = played.hear(event) {
            unheard = Some(error);
        }
    })?;
    if let Some(error) = unheard {
        return Err(error.into());
    }
    let place = Place::of(&ground, context)?;
    if driven.interrupted {
        return interrupted(&mut demo, &lead, &run, &place);
    }
    if !driven.complete {
        return Err(incomplete(&driven, &place));
    }
    let landed = land(&mut demo, &lead, &run)?;
    end(&mut demo, &ground, &place, happened, &landed)
}

/// What does not go straight in the demo.
const TURNS: [EventKind; 5] =
    [EventKind::Question, EventKind::Answered, EventKind::Rejected, EventKind::Failed, EventKind::Lost];

/// The three workers, one of each.
fn crew(ground: &Ground, demo: &mut Context<'_>) -> Result<Crew, Failure> {
    let shelf = shelf(demo)?;
    let mut seats = Vec::new();
    for path in PROFILES.map(|path| ground.repository().join(path)) {
        let profile = shelf.profile(&Reference::Path(path.clone())).map_err(|error| bad_profile(&error))?;
        seats.push(Seat { profile: profile.name, reference: path.display().to_string(), limit: 1 });
    }
    Ok(Crew::new(seats, PROFILES.len(), shelf))
}

/// How commands are written for somebody who stands in the repository.
struct Place {
    folder: String,
    repository: String,
    /// What names the store, where another one would be found.
    store: &'static str,
}

impl Place {
    fn of(ground: &Ground, context: &Context<'_>) -> Result<Self, Failure> {
        let quoted = |path: &Path| shell::line([path.display().to_string().as_str()]);
        let repository = ground.repository();
        let named = context.environment().text(STORE)?;
        let found = orch_store::location::find(named.as_deref(), &repository);
        let is_found = matches!(found, Ok(Location::Sqlite(found)) if found == ground.store());
        let store = if is_found { "" } else { " --store .git/orch/orch.db" };
        Ok(Self { folder: quoted(&ground.folder), repository: quoted(&repository), store })
    }

    fn enter(&self) -> String {
        format!("cd {}", self.repository)
    }

    fn orch(&self, command: &str) -> String {
        format!("../bin/orch {command}{}", self.store)
    }

    fn go_on(&self, run: &Slug) -> String {
        let profiles = PROFILES.map(|profile| format!(" --profile {profile}=1")).concat();
        self.orch(&format!("drive {run}{profiles}"))
    }

    fn remove(&self) -> String {
        format!("rm -r {}", self.folder)
    }
}

/// Ends the workers that still wait, and says how to go on.
fn interrupted(demo: &mut Context<'_>, lead: &Slug, run: &Slug, place: &Place) -> Result<Outcome, Failure> {
    let session = demo.session()?;
    let stopped = stop_all(session, lead, Some(run))?;
    // Stopping pauses, and nothing is left that the pause would have to hold back.
    change(session, None, lead, Some(run), Verb::Resume)?;
    let left = stopped.left.len();
    demo.progress(&match left {
        0 => "Interrupted: no worker is left.".to_owned(),
        _ => format!("Interrupted; workers that have not ended: {left}."),
    });
    demo.progress("Go on, and answer yourself what is asked:");
    demo.progress(&format!("  {} && {}", place.enter(), place.go_on(run)));
    demo.progress("Remove it:");
    demo.progress(&format!("  {}", place.remove()));
    Ok(Outcome::StreamedAs(130))
}

fn incomplete(driven: &Driven, place: &Place) -> Failure {
    let why = driven.reason.as_ref().map_or_else(|| "not every task is done".to_owned(), ToString::to_string);
    let error = ErrorView::new(Code::RunIncomplete, format!("The demo is not complete: {why}."));
    error.hint(format!("{} && {}", place.enter(), place.orch("status"))).into()
}

/// Lands what is done on the demo's own branch.
fn land(demo: &mut Context<'_>, lead: &Slug, run: &Slug) -> Result<Landed, Failure> {
    let wanted = landing::Landing { run: Some(run.clone()), onto: "main".to_owned(), partial: false };
    match landing::land(demo.session()?, None, lead, &wanted)? {
        Answer::Fresh(landed) => Ok(landed),
        Answer::Replayed(_) => {
            Err(Failure::new(Code::Internal, "The landing of the demo was answered from a record."))
        }
    }
}

/// Shows what came of it, and what to type next.
fn end(
    demo: &mut Context<'_>,
    ground: &Ground,
    place: &Place,
    happened: Vec<Event>,
    landed: &Landed,
) -> Result<Outcome, Failure> {
    let run = &landed.run.name;
    let session = demo.session()?;
    let (status, _) = super::status::look(session, Some(run))?;
    let graph = super::graph::look(session, Some(run))?;
    let end = DemoEnd {
        folder: ground.folder.display().to_string(),
        repository: ground.repository().display().to_string(),
        handbook: ground.repository().join("handbook.md").display().to_string(),
        happened,
        land: super::land::answer(landed),
        status,
        graph,
        next: vec![
            place.enter(),
            "cat handbook.md".to_owned(),
            "git log --graph --oneline".to_owned(),
            place.orch(&format!("report {run}")),
            place.orch(&format!("timeline {run}")),
            place.orch("log options --attempt 1"),
            format!("cd - && {}", place.remove()),
        ],
    };
    Ok(Reply::new(DemoLine::End(Box::new(end))).into())
}
