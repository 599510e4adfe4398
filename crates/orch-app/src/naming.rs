//! How requests name runs, tasks and attempts.

use orch_core::id::Slug;
use orch_scheduler::{AttemptSelector, TaskSelector};

use crate::error::AppError;

/// Parses an attempt's name, `KEY`, `KEY@N`, `RUN/KEY` or `RUN/KEY@N`.
///
/// # Errors
/// The text is no attempt's name.
pub fn parse_attempt(text: &str) -> Result<AttemptSelector, String> {
    let Some((name, number)) = text.split_once('@') else {
        return Ok(AttemptSelector { task: parse_task(text)?, number: None });
    };
    let number: Option<u32> = number.parse().ok().filter(|number| *number > 0);
    let number = number.ok_or("an attempt is KEY@N or RUN/KEY@N, with N from 1")?;
    Ok(AttemptSelector { task: parse_task(name)?, number: Some(number) })
}

/// Returns the name of an attempt as [`parse_attempt`] reads it.
#[must_use]
pub fn attempt_text(attempt: &AttemptSelector) -> String {
    match attempt.number {
        Some(number) => format!("{}@{number}", task_text(&attempt.task)),
        None => task_text(&attempt.task),
    }
}

/// Parses a task's name, `KEY` or `RUN/KEY`.
///
/// # Errors
/// The text is no task's name.
pub fn parse_task(text: &str) -> Result<TaskSelector, String> {
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

/// Returns the keys of tasks of one run, and the run where one of them names it.
///
/// # Errors
/// Two of them name different runs.
pub fn keys_of_one_run(
    mut run: Option<Slug>,
    tasks: &[TaskSelector],
    argument: &str,
) -> Result<(Option<Slug>, Vec<Slug>), AppError> {
    for task in tasks {
        match (&run, &task.run) {
            (Some(one), Some(other)) if one != other => {
                let message =
                    format!("{other}/{} is not of the run {one}; a task waits within its run.", task.key);
                return Err(AppError::invalid_argument(argument, message));
            }
            (None, Some(named)) => run = Some(named.clone()),
            _ => {}
        }
    }
    Ok((run, tasks.iter().map(|task| task.key.clone()).collect()))
}

/// Returns the name of a task as [`parse_task`] reads it.
#[must_use]
pub fn task_text(task: &TaskSelector) -> String {
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
