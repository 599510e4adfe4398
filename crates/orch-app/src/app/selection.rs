//! The run, task, attempt or thread of a request.

use orch_core::id::{Slug, ThreadId};
use orch_inbox::show::show_thread;
use orch_scheduler::{AttemptSelector, TaskSelector};
use orch_store::location;
use orch_store::page::PageRequest;

use super::{App, environment_thread, location_text, missing_thread, parse_slug_variable, working_folder};
use crate::environment;
use crate::error::AppError;
use crate::request::RunOrigin;

impl App<'_> {
    /// Returns the run of the option or the environment; without one, the operation finds it or covers all.
    ///
    /// # Errors
    /// The variable holds an invalid name.
    pub fn resolve_run(&mut self) -> Result<Option<Slug>, AppError> {
        let found = match &self.options.run {
            Some(run) => Some((run.clone(), RunOrigin::Option)),
            None => match self.run_of_environment()? {
                Some(run) => Some((run, RunOrigin::Environment)),
                None => self.run_of_worktree().map(|run| (run, RunOrigin::Worktree)),
            },
        };
        let (run, origin) = found.unzip();
        self.named_run.clone_from(&run);
        self.run_origin = origin;
        Ok(run)
    }

    /// Returns what chose the run of the request.
    pub(crate) fn run_origin(&self) -> Option<RunOrigin> {
        self.run_origin
    }

    /// Returns the run that `orch run use` chose for this worktree and store.
    fn run_of_worktree(&self) -> Option<Slug> {
        let store = location_text(&self.find_store().ok()?);
        Slug::new(&location::read_current_run(&working_folder().ok()?, &store)?).ok()
    }

    /// Chooses the run of this worktree for later commands, or forgets the choice.
    ///
    /// # Errors
    /// There is no store, or the choice cannot be recorded.
    pub(crate) fn choose_run(&mut self, run: Option<&Slug>) -> Result<(), AppError> {
        let store = location_text(&self.find_store()?);
        Ok(location::write_current_run(&working_folder()?, &store, run.map(Slug::as_str))?)
    }

    /// Returns the run that the request names itself, else as [`App::resolve_run`].
    ///
    /// # Errors
    /// The request and the option name different runs, or the variable holds an invalid name.
    pub fn resolve_run_or(&mut self, named: Option<&Slug>) -> Result<Option<Slug>, AppError> {
        let Some(named) = named else { return self.resolve_run() };
        if let Some(option) = self.options.run.as_ref().filter(|option| *option != named) {
            return Err(AppError::invalid_argument(
                "--run",
                format!("Two runs are named, {named} and {option}."),
            ));
        }
        self.named_run = Some(named.clone());
        self.run_origin = Some(RunOrigin::Option);
        Ok(Some(named.clone()))
    }

    /// Returns the task in the run that it names itself, else in the named one.
    ///
    /// # Errors
    /// Two different runs are named, or the variable holds an invalid name.
    pub fn resolve_task(&mut self, task: TaskSelector) -> Result<TaskSelector, AppError> {
        Ok(TaskSelector { run: self.resolve_run_or(task.run.as_ref())?, key: task.key })
    }

    /// Returns the attempt in the run that it names itself, else in the named one.
    ///
    /// # Errors
    /// Two different runs are named, or the variable holds an invalid name.
    pub fn resolve_attempt(&mut self, attempt: AttemptSelector) -> Result<AttemptSelector, AppError> {
        Ok(AttemptSelector { task: self.resolve_task(attempt.task)?, number: attempt.number })
    }

    /// Returns the named thread, else the one of the environment, else the one that the client's session claimed last.
    ///
    /// # Errors
    /// None of them names a thread.
    pub fn resolve_thread(&mut self, named: Option<ThreadId>) -> Result<ThreadId, AppError> {
        match named {
            Some(thread) => Ok(thread),
            None => self.held_thread()?.ok_or_else(missing_thread),
        }
    }

    /// Returns the thread of the environment, else the one that the client's session claimed last.
    ///
    /// # Errors
    /// A variable holds an invalid value.
    pub fn held_thread(&mut self) -> Result<Option<ThreadId>, AppError> {
        if let Some(thread) = environment_thread(self.environment)? {
            return Ok(Some(thread));
        }
        let claim = self.remembered_claim(None)?;
        Ok(claim.and_then(|claim| ThreadId::parse(&claim.thread)))
    }

    /// Returns the named thread, else the one that the environment names for this agent; a worker asks for no other one.
    ///
    /// # Errors
    /// The variable holds no thread.
    pub fn own_thread_or(&self, named: Option<ThreadId>, agent: &Slug) -> Result<Option<ThreadId>, AppError> {
        let is_own =
            self.environment.variable_text(self.rules.agent_variable)?.as_deref() == Some(agent.as_str());
        match named {
            None if is_own => environment_thread(self.environment),
            named => Ok(named),
        }
    }

    /// Refuses what a worker does in the name of others: to its own thread, or to one that it has not sent.
    ///
    /// # Errors
    /// The environment is a worker's, and the thread is not one that it has sent under its own name.
    pub(crate) fn require_sender(&mut self, thread: ThreadId) -> Result<(), AppError> {
        let Some(own) = environment_thread(self.environment)? else { return Ok(()) };
        let worker = self.environment.variable_text(self.rules.agent_variable)?;
        let caller = self.calling_agent()?;
        let page = PageRequest { limit: 1, after: None };
        let is_sender = thread != own
            && caller.as_ref().is_some_and(|caller| Some(caller.as_str()) == worker.as_deref())
            && Some(show_thread(self.session()?, thread, &page)?.thread.thread.head.from) == caller;
        if is_sender {
            return Ok(());
        }
        Err(AppError::not_permitted(&format!(
            "{} is set, so a worker runs this; {} is for the one who sent the work.",
            environment::THREAD,
            self.command
        )))
    }

    pub(super) fn run_of_environment(&self) -> Result<Option<Slug>, AppError> {
        let name = self.environment.variable_text(environment::RUN)?;
        name.map(|name| parse_slug_variable(environment::RUN, &name)).transpose()
    }
}
