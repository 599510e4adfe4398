//! What the commands of `orch` answer, one file per command or group.

pub mod agents;
pub mod blocked;
pub mod brief;
pub mod cursor;
pub mod demo;
pub mod dependency;
pub mod diff;
pub mod dispatch;
pub mod doctor;
pub mod drive;
pub mod events;
pub mod graph;
pub mod judgement;
pub mod land;
pub mod log;
pub mod meter;
pub mod plan;
pub mod reconcile;
pub mod request;
pub mod run;
pub mod status;
pub mod task;
pub mod timeline;
pub mod why;
pub mod word_to_worker;
pub mod worktree;

use crate::schema::{Entry, SchemaAnswer, entry};
use crate::store::{DocumentAnswer, InitAnswer};

/// The schema of every answer, by command.
#[must_use]
pub fn schemas() -> Vec<Entry> {
    let mut schemas = run_schemas();
    schemas.extend(task_schemas());
    schemas.extend(work_schemas());
    schemas.extend(worktree_schemas());
    schemas.extend(vec![
        entry::<InitAnswer>("orch init"),
        entry::<doctor::DoctorAnswer>("orch doctor"),
        entry::<request::RequestAnswer>("orch request show"),
        entry::<SchemaAnswer>("orch schema"),
        entry::<DocumentAnswer>("orch completions"),
        entry::<DocumentAnswer>("orch prime"),
        entry::<DocumentAnswer>("orch report"),
        entry::<demo::DemoLine>("orch demo"),
    ]);
    schemas
}

fn run_schemas() -> Vec<Entry> {
    vec![
        entry::<run::RunAnswer>("orch run init"),
        entry::<run::RunsAnswer>("orch run list"),
        entry::<run::RunShowAnswer>("orch run show"),
        entry::<run::RunAnswer>("orch run edit"),
        entry::<run::RunAnswer>("orch run pause"),
        entry::<run::RunAnswer>("orch run resume"),
        entry::<run::RunAnswer>("orch run cancel"),
        entry::<run::RunRmAnswer>("orch run rm"),
    ]
}

fn task_schemas() -> Vec<Entry> {
    vec![
        entry::<plan::TaskAddAnswer>("orch task add"),
        entry::<task::TasksAnswer>("orch task list"),
        entry::<task::TaskShowAnswer>("orch task show"),
        entry::<task::TaskAnswer>("orch task edit"),
        entry::<task::TaskAnswer>("orch task cancel"),
        entry::<task::TaskAnswer>("orch task retry"),
        entry::<dependency::WaitsForAnswer>("orch dep add"),
        entry::<dependency::WaitsForAnswer>("orch dep rm"),
        entry::<dependency::DependenciesAnswer>("orch dep list"),
    ]
}

fn work_schemas() -> Vec<Entry> {
    vec![
        entry::<task::TasksAnswer>("orch ready"),
        entry::<dispatch::DispatchAnswer>("orch dispatch"),
        entry::<task::TaskAnswer>("orch recall"),
        entry::<word_to_worker::TellAnswer>("orch tell"),
        entry::<reconcile::ReconcileAnswer>("orch reconcile"),
        entry::<blocked::BlockedAnswer>("orch blocked"),
        entry::<word_to_worker::AnswerAnswer>("orch answer"),
        entry::<status::StatusAnswer>("orch status"),
        entry::<why::WhyAnswer>("orch why"),
        entry::<cursor::WaitAnswer>("orch wait"),
        entry::<cursor::AckAnswer>("orch ack"),
        entry::<events::EventsAnswer>("orch events"),
        entry::<graph::GraphShown>("orch graph"),
        entry::<judgement::VerifyAnswer>("orch verify"),
        entry::<drive::DriveLine>("orch drive"),
        entry::<drive::PsAnswer>("orch ps"),
        entry::<drive::StopAnswer>("orch stop"),
        entry::<task::TaskAnswer>("orch accept"),
        entry::<task::TaskAnswer>("orch reject"),
        entry::<judgement::IntegrateAnswer>("orch integrate"),
        entry::<brief::BriefAnswer>("orch brief"),
        entry::<log::LogAnswer>("orch log"),
        entry::<meter::MeterAnswer>("orch meter"),
        entry::<agents::AgentsAnswer>("orch agents"),
        entry::<timeline::TimelineAnswer>("orch timeline"),
        entry::<land::LandAnswer>("orch land"),
        entry::<diff::DiffAnswer>("orch diff"),
    ]
}

fn worktree_schemas() -> Vec<Entry> {
    vec![
        entry::<worktree::WorktreesAnswer>("orch worktree list"),
        entry::<worktree::WorktreeShowAnswer>("orch worktree show"),
        entry::<worktree::WorktreeAnswer>("orch worktree remove"),
        entry::<worktree::PruneAnswer>("orch worktree prune"),
        entry::<worktree::WorktreeAnswer>("orch worktree restore"),
    ]
}
