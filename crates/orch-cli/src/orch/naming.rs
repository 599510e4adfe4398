//! How runs and tasks are named on the command line.

use orch_core::id::Slug;
use orch_scheduler::{AttemptSelector, TaskSelector};

use crate::context::CommandRuntime;
use orch_app::AppError;

/// The run that the global option names.
#[derive(Clone, Debug)]
pub struct NamedRun {
    /// `--run`.
    pub option: Option<Slug>,
}

impl NamedRun {
    /// The run that the option or the environment names; without one, the operation finds it or covers all.
    ///
    /// # Errors
    /// The variable holds no name.
    pub fn resolve_run(&self, context: &CommandRuntime<'_>) -> Result<Option<Slug>, AppError> {
        let run = match &self.option {
            Some(run) => Some(run.clone()),
            None => context.run_of_environment()?,
        };
        context.record_named_run(run.as_ref());
        Ok(run)
    }

    /// The same for a command that also takes the run in place.
    ///
    /// # Errors
    /// Two different runs are named, or the variable holds no name.
    pub fn resolve_run_or(
        &self,
        named: Option<&Slug>,
        context: &CommandRuntime<'_>,
    ) -> Result<Option<Slug>, AppError> {
        let Some(named) = named else { return self.resolve_run(context) };
        if let Some(option) = self.option.as_ref().filter(|option| *option != named) {
            return Err(AppError::invalid_argument(
                "--run",
                format!("Two runs are named, {named} and {option}."),
            ));
        }
        context.record_named_run(Some(named));
        Ok(Some(named.clone()))
    }

    /// The task, in the run it names itself, else in the named one.
    ///
    /// # Errors
    /// Two different runs are named, or the variable holds no name.
    pub fn resolve_task(
        &self,
        task: TaskSelector,
        context: &CommandRuntime<'_>,
    ) -> Result<TaskSelector, AppError> {
        Ok(TaskSelector { run: self.resolve_run_or(task.run.as_ref(), context)?, key: task.key })
    }

    /// The attempt, in the run it names itself, else in the named one.
    ///
    /// # Errors
    /// The variable holds no name.
    pub fn resolve_attempt(
        &self,
        attempt: AttemptSelector,
        context: &CommandRuntime<'_>,
    ) -> Result<AttemptSelector, AppError> {
        Ok(AttemptSelector { task: self.resolve_task(attempt.task, context)?, number: attempt.number })
    }
}
