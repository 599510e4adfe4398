//! Creating attempts: their rows, and either their threads or the effects that prepare their worktrees.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use orch_core::attempt::{Attempt, AttemptText};
use orch_core::effect::{Effect, PendingEffect};
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, AttemptName, RunId, Slug, TaskId};
use orch_core::known_agents::KnownAgents;
use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::run::reserve::BudgetFacts;
use orch_core::run::{Budget, ResourceUsage, Run};
use orch_core::task::{ChecksStatus, Task, TaskText, decide};
use orch_core::thread::{AttemptReference, NewThread, Thread, ThreadKind};
use orch_core::worktree::{Worktree, free_slot};
use orch_store::table::{agent, attempt, run as run_table, task as task_table, worktree};

use crate::attempt_base::{AttemptBase, AttemptBases};
use crate::budget::load_budget_facts;
use crate::not_ready::explain_refusal;
use crate::perform::effect_lease::request_effect;
use crate::perform::prepare::PreparingAttempt;
use crate::unit_of_work::{TransitionEvent, UnitOfWork};
use orch_inbox::Error;
use orch_inbox::send;
use orch_workspace::continuation::find_continuable_attempt;
use orch_workspace::work_message::{self, WorkPlace};

/// How many tasks' texts are loaded at once.
const TEXTS_LOADED: usize = 16;

/// A created attempt.
#[derive(Debug)]
pub(crate) struct NewAttempt {
    /// Its task, dispatched.
    pub task: Task,
    /// The attempt.
    pub attempt: Attempt,
    /// Whether its agent was ever seen.
    pub agent_seen: bool,
    /// How its work reaches the agent.
    pub delivery: Delivery,
}

/// How the work of an attempt reaches its agent.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Its thread was sent.
    Sent(Thread),
    /// Its thread is sent once its worktree is prepared.
    Preparing {
        /// The effect that prepares it, if this process holds its lease.
        requested: Option<PendingEffect>,
        /// The facts that the preparation needs.
        facts: Box<PreparingAttempt>,
        /// The lead, to whom the worker will report.
        lead: Slug,
    },
}

/// Creates attempts in one transaction; facts that are the same for all of them are loaded once.
pub(crate) struct AttemptFactory<'a> {
    bases: &'a AttemptBases,
    next_id: Option<AttemptId>,
    /// The slots of live attempts, in order.
    slots: Option<Vec<u32>>,
    /// The agents that were registered, and whether each was ever seen.
    agents: BTreeMap<Slug, bool>,
    /// How many attempts each run has used.
    usage: BTreeMap<RunId, i64>,
    /// What is known of agents.
    known: &'a KnownAgents,
    /// What the budget of each run depends on.
    budgets: BTreeMap<RunId, BudgetFacts>,
    /// The tasks at which attempts will be created, in order.
    upcoming: &'a [Task],
    /// The texts of some of them.
    texts: BTreeMap<TaskId, TaskText>,
}

/// The parts of an attempt that its thread is made of.
struct AttemptParts<'a> {
    run: &'a Run,
    task: &'a Task,
    text: &'a TaskText,
    judged_by: &'a AttemptText,
    agent: &'a Slug,
    id: AttemptId,
    name: &'a AttemptName,
}

/// Returns the checks that will judge an attempt at a task.
fn judging_checks(run: &Run, text: &TaskText) -> AttemptText {
    let (run_verify, task_verify) = (run.rules.verify.clone(), text.verify.clone());
    AttemptText { run_verify, task_verify, log_tail: None }
}

impl<'a> AttemptFactory<'a> {
    /// A factory for attempts with these bases, at some or all of these tasks in order.
    pub(crate) fn new(bases: &'a AttemptBases, upcoming: &'a [Task], known: &'a KnownAgents) -> Self {
        Self {
            bases,
            next_id: None,
            slots: None,
            agents: BTreeMap::new(),
            usage: BTreeMap::new(),
            known,
            budgets: BTreeMap::new(),
            upcoming,
            texts: BTreeMap::new(),
        }
    }

    /// Creates an attempt at a task; its thread is sent at once, or in a run with worktrees when its worktree is prepared.
    pub(crate) fn create_attempt(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        task: &Task,
        to: Option<&Slug>,
    ) -> Result<NewAttempt, Error> {
        let run = unit.load_run(task.run)?.clone();
        let agent = match decide::decide_dispatch(&run, task, to, unit.now) {
            Err(refusal) => return Err(explain_refusal(unit.tx, task, refusal)?.into()),
            Ok(agent) => agent,
        };
        self.require_budget(unit, &run, task, &agent)?;
        let base = match &run.ground {
            Some(_) => Some(self.bases.confirm_base(unit.tx, &run, task)?),
            None => None,
        };
        let agent_seen = self.register_agent(unit, &agent)?;
        let text = self.load_text(unit, task.id)?;
        let judged_by = judging_checks(&run, &text);
        // Checks run in a worktree.
        let has_checks = base.is_some() && !judged_by.has_no_checks();
        let checks = if has_checks { ChecksStatus::Pending } else { ChecksStatus::None };
        let id = self.take_id(unit)?;
        let after = decide::start_attempt(task, id, checks, unit.now);
        let number = after.attempt.map_or(1, |last| last.number);
        let name = AttemptName { task: task.name.clone(), number };
        let parts = AttemptParts {
            run: &run,
            task,
            text: &text,
            judged_by: &judged_by,
            agent: &agent,
            id,
            name: &name,
        };
        let thread = match &base {
            Some(_) => None,
            None => Some(send_thread(unit, &parts)?),
        };
        let row = attempt::NewAttemptRow {
            id,
            task,
            number,
            agent: &agent,
            thread: thread.as_ref().map(|thread| thread.id),
            checks,
        };
        let attempt = attempt::insert(unit.tx, row, unit.now)?;
        *self.usage.entry(run.id).or_default() += 1;
        if !judged_by.has_no_checks() {
            attempt::save_text(unit.tx, id, &judged_by)?;
        }
        let planned = match &base {
            Some(base) => Some(self.plan_worktree(unit, (base, task), &attempt, &run)?),
            None => None,
        };
        unit.apply_transition(task, &after, dispatch_event(&attempt))?;
        self.announce_to_human(unit, task, &attempt)?;
        let delivery = match (thread, planned) {
            (Some(thread), _) => Delivery::Sent(thread),
            (None, Some((tree, requested))) => {
                let lead = unit.who.clone().unwrap_or(agent);
                let (task, attempt) = (after.clone(), attempt.clone());
                let facts = Box::new(PreparingAttempt { run, task, text, attempt, judged_by, tree });
                Delivery::Preparing { requested, facts, lead }
            }
            (None, None) => unreachable!("an attempt without a base was sent"),
        };
        Ok(NewAttempt { task: after, attempt, agent_seen, delivery })
    }

    /// Records that work was sent to a person, who has to be told.
    fn announce_to_human(
        &self,
        unit: &mut UnitOfWork<'_, '_>,
        task: &Task,
        attempt: &Attempt,
    ) -> Result<(), Error> {
        if self.known.is_human(&attempt.agent) {
            let data = vec![("title", task.title.as_str().into())];
            let agent = Some(attempt.agent.clone());
            unit.append_event(EventKind::Assigned, attempt.event_subject(), agent, data)?;
        }
        Ok(())
    }

    /// Checks that the budget allows another attempt.
    fn require_budget(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        run: &Run,
        task: &Task,
        agent: &Slug,
    ) -> Result<(), Error> {
        if run.budget == Budget::default() {
            return Ok(());
        }
        let mut counted = run.clone();
        counted.spent.attempts += self.usage.get(&run.id).copied().unwrap_or(0);
        let facts = match self.budgets.entry(run.id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(load_budget_facts(unit.tx, run, &self.known.free, unit.now)?)
            }
        };
        match facts.find_shortage(&counted, task, Some(agent), unit.now) {
            None => facts.reserves.add_live(agent),
            Some(shortage) => {
                let reasons = vec![NotReadyReason::Budget(shortage)];
                return Err(Refusal::TaskNotReady { task: task.name.clone(), reasons }.into());
            }
        }
        Ok(())
    }

    /// Counts the created attempts in the usage of their runs.
    pub(crate) fn record_usage(self, unit: &mut UnitOfWork<'_, '_>) -> Result<(), Error> {
        for (run, attempts) in self.usage {
            run_table::add_usage(unit.tx, run, ResourceUsage { attempts, ..ResourceUsage::default() })?;
        }
        Ok(())
    }

    fn register_agent(&mut self, unit: &mut UnitOfWork<'_, '_>, agent: &Slug) -> Result<bool, Error> {
        if let Some(seen) = self.agents.get(agent) {
            return Ok(*seen);
        }
        let seen = agent::register_name(unit.tx, agent, unit.now)?;
        self.agents.insert(agent.clone(), seen);
        Ok(seen)
    }

    /// The texts of a task; those of the tasks after it are loaded with them.
    fn load_text(&mut self, unit: &mut UnitOfWork<'_, '_>, id: TaskId) -> Result<TaskText, Error> {
        if !self.texts.contains_key(&id) {
            let upcoming = self.upcoming.iter().map(|task| task.id).skip_while(|task| *task != id);
            let ids: Vec<TaskId> = upcoming.take(TEXTS_LOADED).collect();
            self.texts = ids.iter().map(|id| (*id, TaskText::default())).collect();
            self.texts.extend(task_table::load_texts(unit.tx, &ids)?);
        }
        Ok(self.texts.remove(&id).unwrap_or_default())
    }

    fn take_id(&mut self, unit: &mut UnitOfWork<'_, '_>) -> Result<AttemptId, Error> {
        let id = match self.next_id {
            Some(id) => id,
            None => attempt::next_id(unit.tx)?,
        };
        self.next_id = Some(AttemptId(id.0 + 1));
        Ok(id)
    }

    fn plan_worktree(
        &mut self,
        unit: &mut UnitOfWork<'_, '_>,
        (base, task): (&AttemptBase, &Task),
        attempt: &Attempt,
        run: &Run,
    ) -> Result<(Worktree, Option<PendingEffect>), Error> {
        let mut slots = match self.slots.take() {
            Some(slots) => slots,
            None => worktree::used_slots(unit.tx)?,
        };
        let slot = free_slot(&slots);
        slots.insert(slots.partition_point(|used| *used < slot), slot);
        self.slots = Some(slots);
        let mut tree = base.plan_worktree(run, attempt.id, &attempt.name, slot, unit.now)?;
        if let Some(earlier) = find_continuable_attempt(unit.tx, run, task, &attempt.agent)? {
            tree = earlier.hand_over(unit.tx, tree, unit.now)?;
        }
        worktree::insert(unit.tx, &tree)?;
        let lead = unit.who.clone().unwrap_or_else(|| attempt.agent.clone());
        let effect = Effect::PrepareWorktree { attempt: attempt.id, lead: Some(lead) };
        Ok((tree, request_effect(unit.tx, run.id, &effect, unit.now)?))
    }
}

/// Sends the thread of an attempt without a worktree.
fn send_thread(unit: &mut UnitOfWork<'_, '_>, parts: &AttemptParts<'_>) -> Result<Thread, Error> {
    let AttemptParts { run, task, text, judged_by, agent, id, name } = parts;
    let place = WorkPlace::SharedFolder(run.folder.as_deref());
    let work = work_message::write_work_message(unit.tx, task, text, judged_by, name, place)?;
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: task.title.clone(),
        from: unit.who.clone().unwrap_or_else(|| (*agent).clone()),
        to: (*agent).clone(),
        priority: task.priority,
        lease_length: run.policy.lease,
        answer_after: run.policy.answer_after,
        reference: Some(AttemptReference { run: run.id, task: task.id, attempt: *id }),
    };
    let (thread, _, sent) =
        send::begin_unrecorded_thread(unit.tx, head, work.body, Some(work.payload), unit.now)?;
    unit.queue_event(sent);
    Ok(thread)
}

/// The event of a dispatch.
fn dispatch_event(attempt: &Attempt) -> TransitionEvent {
    TransitionEvent {
        thread: attempt.thread,
        data: vec![("agent", attempt.agent.to_string().into())],
        ..TransitionEvent::without_data(EventKind::Dispatched, "the lead dispatched it")
    }
}
