//! `orch demo`: the main job on real input, in an empty folder, by three shell scripts.
//!
//! The lead here is this program; it uses the same operations as the commands it names.

mod pages;
mod plan;
mod workers;

use std::path::{Path, PathBuf};

use orch_contract::Code;
use orch_contract::orch::demo::DemoAnswer;
use orch_core::event::{Event, EventKind};
use orch_core::id::{EventId, Slug};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{Budget, DoneWhen, Policy, Rules};
use orch_core::time::Span;
use orch_engine::orch::{
    TaskRef, answer, blocked, dispatch, events, plan as plan_operation, run as run_operation,
};
use orch_engine::session::OpenOptions;
use orch_engine::{Answer, Session};
use orch_store::Location;
use orch_store::page::PageRequest;

use crate::context::Context;
use crate::environment::STORE;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Watch a lead and three workers do a small job, from plan to report
///
/// Works in the given folder, in this one if it is empty, else in a new temporary one.
/// The job is real: the help pages of both programs are indexed, and report.md is the result.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch demo /tmp/look\n  cd /tmp/look && bin/orch status")]
pub struct Args {
    /// An empty or new folder to work in
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// The queue that the workers share.
const QUEUE: &str = "scribes";

/// How long the demo may take before it says that something is wrong.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// How long the lead waits for news before it looks for tasks whose delay has passed.
const PULSE: Span = Span(250);

/// Runs the demo.
///
/// # Errors
/// The folder is not empty, the store or a worker cannot be started, or the job does not end in time.
pub fn run(args: &Args, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let folder = workers::settle_in(args.folder.as_deref())?;
    let pages = pages::write(&folder)?;
    let store = folder.join(".orch").join("orch.db");
    let (mut session, _) = Session::open_or_create(&Location::Sqlite(store.clone()), OpenOptions::default())?;
    let mut lead = Lead { name: name("lead"), run: begin(&mut session)?, after: EventId(0), context };
    lead.say(&format!("Working in {}.", folder.display()));
    let tasks = plan::tasks().len();
    lead.say(&format!(
        "{pages} help pages to index: {tasks} tasks, 3 workers (shell scripts, see bin/worker.sh)."
    ));
    let workers = workers::start(&folder, &store)?;
    let ended = lead.conduct(&mut session);
    drop(workers);
    ended?;
    lead.say("");
    let named = lead.context.environment().text(STORE)?;
    let found = orch_store::location::find(named.as_deref(), &folder);
    let is_found = matches!(found, Ok(Location::Sqlite(found)) if found == store);
    let store = if is_found { "" } else { " --store .orch/orch.db" };
    let answer = outcome(&mut session, &folder, store)?;
    Ok(Reply::new(answer).into())
}

fn name(text: &str) -> Slug {
    Slug::stored(text.to_owned())
}

/// Makes the run and adds the plan.
fn begin(session: &mut Session) -> Result<Slug, Failure> {
    let lead = name("lead");
    let policy = Policy {
        done_when: DoneWhen::Reported,
        max_active: None,
        max_attempts: limit::ATTEMPTS_DEFAULT,
        retry_delay: Span::seconds(1),
        lease: LeaseLength::DEFAULT,
        answer_after: None,
    };
    let new = run_operation::NewRun {
        name: Some(name("demo")),
        title: "Index the help pages".to_owned(),
        goal: Some("report.md lists every command and every option of both programs".to_owned()),
        done_when: Some(DoneWhen::Reported),
        policy,
        rules: Rules::default(),
        budget: Budget::default(),
        place: None,
    };
    run_operation::init(session, None, &lead, &new)?;
    let plan = plan_operation::Plan { tasks: plan::tasks(), ..plan_operation::Plan::default() };
    plan_operation::add(
        session,
        None,
        &lead,
        Some(&new.name.clone().unwrap_or_else(|| name("demo"))),
        &plan,
    )?;
    Ok(name("demo"))
}

/// What the lead of the demo keeps in mind.
struct Lead<'a, 'b> {
    name: Slug,
    run: Slug,
    after: EventId,
    context: &'a mut Context<'b>,
}

impl Lead<'_, '_> {
    fn say(&mut self, line: &str) {
        self.context.progress(line);
    }

    /// Dispatches what is ready, answers what is asked, tells what happens, until the run is finished.
    fn conduct(&mut self, session: &mut Session) -> Result<(), Failure> {
        let began = std::time::Instant::now();
        loop {
            let all = dispatch::All { run: Some(self.run.clone()), to: vec![name(QUEUE)], limit: 100 };
            dispatch::all(session, None, &self.name, &all)?;
            let wanted = events::Events {
                run: Some(self.run.clone()),
                task: None,
                after: Some(self.after),
                limit: limit::LIST_DEFAULT,
            };
            for event in events::follow(session, &wanted, PULSE)? {
                self.after = event.id;
                self.tell(&event);
                match event.kind {
                    EventKind::Question => self.answer(session)?,
                    EventKind::Finished => return Ok(()),
                    _ => {}
                }
            }
            if began.elapsed() > PATIENCE {
                let message = format!("The demo is not done after {} s.", PATIENCE.as_secs());
                return Err(Failure::new(Code::Timeout, message));
            }
        }
    }

    /// Answers every open question: the demo's one question has a good answer.
    fn answer(&mut self, session: &mut Session) -> Result<(), Failure> {
        let run = self.run.clone();
        let first = PageRequest { limit: limit::LIST_DEFAULT, after: None };
        for open in blocked::blocked(session, Some(&run), &first)?.questions {
            let task = TaskRef { run: Some(run.clone()), key: open.task.key };
            if let Answer::Fresh(_) = answer::answer(session, None, &self.name, &task, "use")? {
                self.say(&format!("        {:<9} the lead answers: use", task.key.as_str()));
            }
        }
        Ok(())
    }

    /// One line per event that a person wants to see.
    fn tell(&mut self, event: &Event) {
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        let text =
            |field: &str| data.get(field).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let agent = event.agent.as_ref().map_or("", Slug::as_str);
        let what = match event.kind {
            EventKind::Dispatched => format!("dispatched to {QUEUE}"),
            EventKind::Claimed => format!("claimed by {agent}"),
            EventKind::Question => format!("{agent} asks: {}", text("question")),
            EventKind::Done => format!("done by {agent}"),
            EventKind::Failed => format!("failed, will be tried again: {}", text("reason")),
            _ => return,
        };
        let key = event.task.as_ref().map_or("", |task| task.key.as_str());
        self.say(&format!("        {key:<9} {what}"));
    }
}

/// What the demo came to; `store` names the store where another one would be found from the folder.
fn outcome(session: &mut Session, folder: &Path, store: &str) -> Result<DemoAnswer, Failure> {
    let run = name("demo");
    let (status, unfinished) = super::status::look(session, Some(&run))?;
    let graph = super::graph::look(session, Some(&run))?;
    if unfinished {
        return Err(Failure::new(Code::Internal, "The run of the demo is not finished."));
    }
    let place = orch_engine::shell::line([folder.display().to_string().as_str()]);
    Ok(DemoAnswer {
        folder: folder.display().to_string(),
        report: folder.join("report.md").display().to_string(),
        status,
        graph,
        next: vec![
            format!("cd {place}"),
            "cat report.md".to_owned(),
            format!("bin/orch task show examples{store}"),
            format!("bin/orch events{store}"),
            "bin/orch --help".to_owned(),
            format!("cd - && rm -r {place}"),
        ],
    })
}
