//! How runs and tasks are named on the command line.

use orch_core::id::Slug;
use orch_scheduler::{AttemptSelector, TaskSelector};

use crate::context::CommandRuntime;
use crate::failure::CommandFailure;

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
    pub fn resolve_run(&self, context: &CommandRuntime<'_>) -> Result<Option<Slug>, CommandFailure> {
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
    ) -> Result<Option<Slug>, CommandFailure> {
        let Some(named) = named else { return self.resolve_run(context) };
        if let Some(option) = self.option.as_ref().filter(|option| *option != named) {
            return Err(CommandFailure::invalid_argument(
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
    ) -> Result<TaskSelector, CommandFailure> {
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
    ) -> Result<AttemptSelector, CommandFailure> {
        Ok(AttemptSelector { task: self.resolve_task(attempt.task, context)?, number: attempt.number })
    }
}

/// Reads an attempt's name, `KEY`, `KEY@N`, `RUN/KEY` or `RUN/KEY@N`.
///
/// # Errors
/// It is none.
pub(super) fn parse_attempt(text: &str) -> Result<AttemptSelector, String> {
    let Some((name, number)) = text.split_once('@') else {
        return Ok(AttemptSelector { task: parse_task(text)?, number: None });
    };
    let number: Option<u32> = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or("an attempt is KEY@N or RUN/KEY@N, with N from 1")?;
    Ok(AttemptSelector { task: parse_task(name)?, number: Some(number) })
}

/// The command line's name of an attempt, for fingerprints.
#[must_use]
pub(super) fn attempt_text(attempt: &AttemptSelector) -> String {
    match attempt.number {
        Some(number) => format!("{}@{number}", task_text(&attempt.task)),
        None => task_text(&attempt.task),
    }
}

/// Reads a task's name, `KEY` or `RUN/KEY`.
///
/// # Errors
/// It is none.
pub(super) fn parse_task(text: &str) -> Result<TaskSelector, String> {
    if text.contains('@') {
        return Err("this names an attempt; a task is KEY or RUN/KEY".to_owned());
    }
    let (run, key) = match text.split_once('/') {
        Some((run, key)) => (Some(run), key),
        None => (None, text),
    };
    let slug = |text: &str| Slug::new(text).map_err(|error| format!("a task is KEY or RUN/KEY; {error}"));
    Ok(TaskSelector { run: run.map(slug).transpose()?, key: slug(key)? })
}

/// The keys of tasks that must all be of one run, and that run where any of them names it.
///
/// # Errors
/// Two of them name different runs.
pub(super) fn keys_of_one_run(
    mut run: Option<Slug>,
    tasks: &[TaskSelector],
    argument: &str,
) -> Result<(Option<Slug>, Vec<Slug>), CommandFailure> {
    for task in tasks {
        match (&run, &task.run) {
            (Some(one), Some(other)) if one != other => {
                let message =
                    format!("{other}/{} is not of the run {one}; a task waits within its run.", task.key);
                return Err(CommandFailure::invalid_argument(argument, message));
            }
            (None, Some(named)) => run = Some(named.clone()),
            _ => {}
        }
    }
    Ok((run, tasks.iter().map(|task| task.key.clone()).collect()))
}

/// The command line's name of a task, for fingerprints.
#[must_use]
pub(super) fn task_text(task: &TaskSelector) -> String {
    match &task.run {
        Some(run) => format!("{run}/{}", task.key),
        None => task.key.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_key_or_a_run_and_a_key() {
        let named = |run: Option<&str>, key: &str| TaskSelector {
            run: run.map(|run| Slug::new(run).unwrap()),
            key: Slug::new(key).unwrap(),
        };
        assert_eq!(parse_task("t1"), Ok(named(None, "t1")));
        assert_eq!(parse_task("ship/t1"), Ok(named(Some("ship"), "t1")));
        for bad in ["", "/", "a/", "/a", "a/b/c", "ship/t1@1", "t1@1", "-f", "../x", "a b"] {
            assert!(parse_task(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_attempt_is_a_task_and_perhaps_a_number() {
        let read = |text: &str| parse_attempt(text).map(|attempt| attempt_text(&attempt));
        for good in ["t1", "t1@1", "ship/t1", "ship/t1@12"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for bad in ["", "@1", "t1@", "t1@0", "t1@x", "t1@1@2", "ship/@1", "t1@-1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dependencies_stay_in_one_run() {
        let tasks = |texts: &[&str]| texts.iter().map(|text| parse_task(text).unwrap()).collect::<Vec<_>>();
        let (run, keys) = keys_of_one_run(None, &tasks(&["a", "r/b"]), "ON").unwrap();
        assert_eq!((run, keys.len()), (Some(Slug::new("r").unwrap()), 2));
        assert!(keys_of_one_run(Some(Slug::new("q").unwrap()), &tasks(&["r/b"]), "ON").is_err());
        assert_eq!(keys_of_one_run(None, &tasks(&["a"]), "ON").unwrap().0, None);
    }
}
