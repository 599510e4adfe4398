//! Stores to measure on, made by the engine itself.

use std::path::{Path, PathBuf};

use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{AttemptRules, Budget, DoneWhen, Policy, RunEdit};
use orch_core::task::{NewTask, TaskEdit, TaskText};
use orch_inbox::Session;
use orch_inbox::session::OpenOptions;
use orch_scheduler::plan::{self, PlannedTask, TaskPlan};
use orch_scheduler::run::{self, NewRun};
use orch_store::StoreLocation;

use crate::BenchResult;

/// What a graph looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphShape {
    /// Layers; each task waits for three of the layer before.
    Layered,
    /// Each task waits for the one before.
    Chain,
    /// Nothing waits for anything.
    AllReady,
}

impl GraphShape {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Layered, Self::Chain, Self::AllReady];

    /// Its name in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Layered => "layered",
            Self::Chain => "one chain",
            Self::AllReady => "all ready",
        }
    }
}

/// How many tasks of the layer before a task of a layer waits for.
const DEPENDENCIES: usize = 3;

/// How many layers a layered graph has.
const LAYERS: usize = 20;

/// A name.
pub(crate) fn parse_slug(name: &str) -> Slug {
    Slug::from_stored(name.to_owned())
}

/// Opens a store, making it when there is none.
pub(crate) fn open_session(path: &Path) -> BenchResult<Session> {
    let location = StoreLocation::Sqlite(path.to_owned());
    Ok(Session::open_or_create(&location, OpenOptions::default())?.0)
}

/// Makes a store with one run of so many tasks.
pub(crate) fn make_store(folder: &Path, name: &str, shape: GraphShape, tasks: usize) -> BenchResult<PathBuf> {
    let path = folder.join(name).join("orch.db");
    let mut session = open_session(&path)?;
    make_run(&mut session)?;
    plan::add_plan(&mut session, None, &parse_slug("lead"), None, &make_plan(shape, tasks))?;
    session.checkpoint_if_due();
    Ok(path)
}

/// Makes the run that plans are added to.
pub(crate) fn make_run(session: &mut Session) -> BenchResult<()> {
    let policy = Policy {
        done_when: DoneWhen::Reported,
        max_active: None,
        max_attempts: limit::ATTEMPTS_DEFAULT,
        retry_delay: limit::RETRY_DELAY_DEFAULT,
        lease: LeaseLength::DEFAULT,
        answer_after: None,
    };
    let new = NewRun {
        name: Some(parse_slug("run")),
        title: "A run to measure".to_owned(),
        goal: None,
        done_when: Some(policy.done_when),
        policy,
        rules: AttemptRules::default(),
        budget: Budget::default(),
        place: None,
        folder: std::env::temp_dir(),
    };
    run::create_run(session, None, &parse_slug("lead"), &new)?;
    Ok(())
}

/// A plan of so many tasks. Its file would name each task after what it waits for.
pub(crate) fn make_plan(shape: GraphShape, tasks: usize) -> TaskPlan {
    let planned = (0..tasks).map(|index| planned_task(index, dependencies_of(shape, tasks, index))).collect();
    TaskPlan {
        run: RunEdit::default(),
        tasks: planned,
        update: false,
        prune: false,
        dry_run: false,
        done_when: None,
    }
}

fn dependencies_of(shape: GraphShape, tasks: usize, index: usize) -> Vec<usize> {
    match shape {
        GraphShape::AllReady => Vec::new(),
        GraphShape::Chain => index.checked_sub(1).into_iter().collect(),
        GraphShape::Layered => {
            let width = tasks.div_ceil(LAYERS);
            let Some(before) = (index / width).checked_sub(1) else { return Vec::new() };
            let place = index % width;
            (0..DEPENDENCIES.min(width)).map(|step| before * width + (place + step) % width).collect()
        }
    }
}

fn planned_task(index: usize, waits_for: Vec<usize>) -> PlannedTask {
    let spec = format!("Do part {index} of the work as the goal says, and say what you did.");
    let task = NewTask {
        key: Some(task_key(index)),
        title: format!("Part {index} of the work"),
        text: TaskText { spec: Some(spec), ..TaskText::default() },
        priority: limit::PRIORITY_DEFAULT,
        labels: Vec::new(),
        agent: Some(parse_slug("worker")),
        max_attempts: None,
        allow_empty: false,
        after: waits_for.into_iter().map(task_key).collect(),
    };
    let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
    PlannedTask { task, named: TaskEdit::default(), names_after: false, line }
}

/// The key of the task in this place.
pub(crate) fn task_key(index: usize) -> Slug {
    parse_slug(&format!("part-{index}"))
}
