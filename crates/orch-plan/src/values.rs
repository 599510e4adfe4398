//! Values as people write them: names, numbers, durations and amounts, read strictly.

use orch_core::check::{CheckIdentity, CheckVariable, FlakyVerdict};
use orch_core::escape::escape_name;
use orch_core::event::AwaitedEvent;
use orch_core::id::{EventId, MessageId, Slug, SlugError, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::run::{BranchMovePolicy, DoneWhen, ReviewPolicy};
use orch_core::task::TaskState;
use orch_core::time::{SpanError, TimeSpan};

/// Parses a number of workers.
///
/// # Errors
/// It is none, or too large.
pub fn parse_worker_count(text: &str) -> Result<usize, String> {
    let max = limit::WORKERS_MAX;
    let workers = text.parse().ok().filter(|workers| (1..=max).contains(workers));
    workers.ok_or_else(|| format!("it is a number from 1 to {max}"))
}

/// Parses a name.
///
/// # Errors
/// The text breaks a rule of names.
pub fn parse_slug(text: &str) -> Result<Slug, SlugError> {
    Slug::new(text)
}

/// Parses a thread's number.
///
/// # Errors
/// The text is no thread's number.
pub fn parse_thread_id(text: &str) -> Result<ThreadId, String> {
    ThreadId::parse(text).ok_or_else(|| "a thread is named th-N, like th-3".to_owned())
}

/// Parses a message's number.
///
/// # Errors
/// The text is no message's number.
pub fn parse_message_id(text: &str) -> Result<MessageId, String> {
    MessageId::parse(text).ok_or_else(|| "a message is named m-N, like m-12".to_owned())
}

/// Parses an event's number.
///
/// # Errors
/// The text is no event's number.
pub fn parse_event_id(text: &str) -> Result<EventId, String> {
    EventId::parse(text).ok_or_else(|| "an event is named e-N, like e-12".to_owned())
}

/// Checks a variable that checks get: `NAME`, `PREFIX_*` or `NAME=VALUE`.
///
/// # Errors
/// The text is none of them.
pub fn parse_check_variable(text: &str) -> Result<String, String> {
    match CheckVariable::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("`{}` names no variable for checks. {error}", escape_name(text))),
    }
}

/// Parses a duration: whole numbers of `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// The text is no duration, or the duration is longer than a year.
pub fn parse_duration(text: &str) -> Result<TimeSpan, SpanError> {
    TimeSpan::parse(text)
}

/// Parses a lease's length.
///
/// # Errors
/// The text is no duration from 1 s to 24 h.
pub fn parse_lease(text: &str) -> Result<LeaseLength, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    LeaseLength::new(span).map_err(|error| error.to_string())
}

/// Parses a priority.
///
/// # Errors
/// The number is not from 0 to 4.
pub fn parse_priority(text: &str) -> Result<u8, String> {
    let priority = text.parse().ok().filter(|priority| *priority <= limit::PRIORITY_MAX);
    priority.ok_or_else(|| "a priority is 0 (most urgent) to 4".to_owned())
}

/// Parses a percentage.
///
/// # Errors
/// The number is not from 0 to 100.
pub fn parse_percent(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| "a percentage is 0 to 100".to_owned())
}

/// Parses the size of a page.
///
/// # Errors
/// The number is not from 1 to the largest page.
pub fn parse_list_limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=limit::LIST_MAX).contains(limit));
    limit.ok_or_else(|| format!("a limit is 1 to {}", limit::LIST_MAX))
}

/// Parses a request id: 1 to 200 bytes without control characters.
///
/// # Errors
/// The text is no request id.
pub fn parse_request_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > limit::REQUEST_KEY_BYTES_MAX || text.contains(char::is_control) {
        return Err(format!(
            "a request id is 1 to {} bytes without control characters",
            limit::REQUEST_KEY_BYTES_MAX
        ));
    }
    Ok(text.to_owned())
}

/// Parses an amount of dollars as millionths.
pub fn parse_dollars(text: &str) -> Result<i64, &'static str> {
    const SHAPE: &str = "it is an amount in US dollars, like 5 or 2.50";
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return Err(SHAPE);
    }
    let whole: i64 = whole.parse().map_err(|_| SHAPE)?;
    let part: i64 = format!("{part:0<6}").parse().map_err(|_| SHAPE)?;
    whole
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(part))
        .filter(|micros| *micros > 0)
        .ok_or(SHAPE)
}

/// Parses a number of tokens.
pub fn parse_token_count(text: &str) -> Result<i64, &'static str> {
    text.parse().ok().filter(|tokens| *tokens > 0).ok_or("it is a number from 1")
}

/// Parses the prefix of branches: names that git accepts, joined by `/`.
pub fn parse_branch_prefix(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.split('/').all(|part| Slug::new(&part.to_ascii_lowercase()).is_ok());
    if good { Ok(text.to_owned()) } else { Err("it is a name, or names joined by `/`".to_owned()) }
}

/// Parses when a task counts as done.
pub fn parse_done_when(text: &str) -> Result<DoneWhen, &'static str> {
    DoneWhen::parse(text).ok_or("it is one of reported, verified and integrated")
}

/// Parses what identifies the files that a check judges.
pub fn parse_check_identity(text: &str) -> Result<CheckIdentity, &'static str> {
    CheckIdentity::parse(text).ok_or("it is one of tree and commit")
}

/// Parses what a flaky check counts as.
pub fn parse_flaky_verdict(text: &str) -> Result<FlakyVerdict, &'static str> {
    FlakyVerdict::parse(text).ok_or("it is one of pass and fail")
}

/// Parses which attempts wait for a review.
pub fn parse_review(text: &str) -> Result<ReviewPolicy, &'static str> {
    ReviewPolicy::parse(text).ok_or("it is one of none, all and protected")
}

/// Parses what happens when others advance a run's branch.
pub fn parse_on_branch_move(text: &str) -> Result<BranchMovePolicy, &'static str> {
    BranchMovePolicy::parse(text).ok_or("it is one of check and pause")
}

/// Parses the most attempts at once.
pub fn parse_max_active(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|max| (1..=i32::MAX as u32).contains(max)).ok_or("it is a number from 1")
}

/// Parses the most failed attempts of a task.
pub fn parse_max_attempts(text: &str) -> Result<u32, String> {
    let max = text.parse().ok().filter(|max| (1..=limit::ATTEMPTS_MAX).contains(max));
    max.ok_or_else(|| format!("it is a number from 1 to {}", limit::ATTEMPTS_MAX))
}

/// Parses a task's state.
pub fn parse_task_state(text: &str) -> Result<TaskState, String> {
    TaskState::parse(text).ok_or_else(|| {
        let names = TaskState::ALL.map(TaskState::name);
        format!("a task is one of {}", names.join(" "))
    })
}

/// Parses a kind of event that can be awaited.
pub fn parse_wake(text: &str) -> Result<AwaitedEvent, String> {
    AwaitedEvent::parse(text).ok_or_else(|| {
        let names = AwaitedEvent::ALL.map(AwaitedEvent::name);
        format!("it is one of {}", names.join(" "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_numbers_are_strict() {
        assert_eq!((parse_priority("0"), parse_priority("4")), (Ok(0), Ok(4)));
        assert_eq!((parse_percent("0"), parse_percent("100")), (Ok(0), Ok(100)));
        for bad in ["5", "-1", "x", "", "1.0"] {
            assert!(parse_priority(bad).is_err(), "{bad}");
        }
        for bad in ["101", "-1", "50%"] {
            assert!(parse_percent(bad).is_err(), "{bad}");
        }
        assert!(parse_list_limit("0").is_err() && parse_list_limit("100001").is_err());
        assert_eq!(parse_list_limit("1"), Ok(1));
        assert!(parse_lease("500ms").is_err() && parse_lease("25h").is_err());
    }

    #[test]
    fn request_ids_are_printable() {
        assert!(parse_request_id("deploy:2026-11-22/1").is_ok());
        for bad in ["", "a\nb", "\u{1b}[1m", "x".repeat(201).as_str()] {
            assert!(parse_request_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (text, micros) in [("5", 5_000_000), ("2.50", 2_500_000), ("0.000001", 1), ("12.3", 12_300_000)] {
            assert_eq!(parse_dollars(text), Ok(micros), "{text}");
        }
        for bad in ["", "0", "-1", "1.", "1e3", ".5", "1.0000001", "x"].iter().filter(|bad| **bad != "1.") {
            assert!(parse_dollars(bad).is_err(), "{bad}");
        }
    }
}
