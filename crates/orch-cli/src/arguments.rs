//! Arguments that several commands share, and the strict readers of their values.

use clap::Args;
use orch_core::id::{EventId, MessageId, Slug, SlugError, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::time::{SpanError, TimeSpan};
use orch_store::page::PageRequest;

/// Options that every command of both programs takes.
#[derive(Args, Clone, Debug, Default)]
pub struct GlobalOptions {
    /// Where the store is: sqlite:PATH or a path [env: ORCH_STORE]
    #[arg(long, global = true, value_name = "LOCATION", help_heading = GLOBAL)]
    pub store: Option<String>,
    /// Print one JSON document; the default when stdout is not a terminal [env: ORCH_OUTPUT=json]
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Print text for people; the default on a terminal [env: ORCH_OUTPUT=text]
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub text: bool,
    /// Use a store on a network file system all the same
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub allow_network_fs: bool,
    /// Who runs this command
    #[arg(long = "as", global = true, value_name = "NAME", value_parser = parse_slug, help_heading = GLOBAL)]
    pub who: Option<Slug>,
}

/// The heading of options that every command takes.
pub const GLOBAL: &str = "Global options";

/// The option that makes a change repeatable.
#[derive(Args, Clone, Debug, Default)]
pub struct RequestIdOption {
    /// Make this request repeatable: the same key and arguments answer the same and change nothing
    #[arg(long, value_name = "KEY", value_parser = parse_request_id)]
    pub request_id: Option<String>,
}

/// The options of lists.
#[derive(Args, Clone, Debug)]
pub struct PagingOptions {
    /// Show at most this many entries
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = parse_list_limit)]
    pub limit: u32,
    /// Go on behind this cursor, the `next` of an earlier part
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

impl PagingOptions {
    /// The part that is asked for.
    #[must_use]
    pub fn page_request(&self) -> PageRequest {
        PageRequest { limit: self.limit, after: self.after.clone() }
    }
}

/// The option that asks for long texts too.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct DetailOption {
    /// Show things whole, with their long texts
    #[arg(long)]
    pub full: bool,
}

/// The option that makes an empty answer a success.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct EmptyOkOption {
    /// Exit with status 0 when there is nothing
    #[arg(long)]
    pub empty_ok: bool,
}

/// Reads a name.
///
/// # Errors
/// It breaks a rule of names.
pub fn parse_slug(text: &str) -> Result<Slug, SlugError> {
    Slug::new(text)
}

/// Reads a thread's number.
///
/// # Errors
/// It is none.
pub fn parse_thread_id(text: &str) -> Result<ThreadId, String> {
    ThreadId::parse(text).ok_or_else(|| "a thread is named th-N, like th-3".to_owned())
}

/// Reads a message's number.
///
/// # Errors
/// It is none.
pub fn parse_message_id(text: &str) -> Result<MessageId, String> {
    MessageId::parse(text).ok_or_else(|| "a message is named m-N, like m-12".to_owned())
}

/// Reads an event's number.
///
/// # Errors
/// It is none.
pub fn parse_event_id(text: &str) -> Result<EventId, String> {
    EventId::parse(text).ok_or_else(|| "an event is named e-N, like e-12".to_owned())
}

/// Reads a duration: whole numbers of `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
/// It is none, or longer than a year.
pub fn parse_duration(text: &str) -> Result<TimeSpan, SpanError> {
    TimeSpan::parse(text)
}

/// Reads a lease's length.
///
/// # Errors
/// It is no duration, or not from 1 s to 24 h.
pub fn parse_lease(text: &str) -> Result<LeaseLength, String> {
    let span = parse_duration(text).map_err(|error| error.to_string())?;
    LeaseLength::new(span).map_err(|error| error.to_string())
}

/// Reads a priority.
///
/// # Errors
/// It is not from 0 to 4.
pub fn parse_priority(text: &str) -> Result<u8, String> {
    let priority = text.parse().ok().filter(|priority| *priority <= limit::PRIORITY_MAX);
    priority.ok_or_else(|| "a priority is 0 (most urgent) to 4".to_owned())
}

/// Reads a percentage.
///
/// # Errors
/// It is not from 0 to 100.
pub fn parse_percent(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|percent| *percent <= 100).ok_or_else(|| "a percentage is 0 to 100".to_owned())
}

/// Reads the size of a list's part.
///
/// # Errors
/// It is not from 1 to the most that a list shows.
pub fn parse_list_limit(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=limit::LIST_MAX).contains(limit));
    limit.ok_or_else(|| format!("a limit is 1 to {}", limit::LIST_MAX))
}

/// Reads a request id: 1 to 200 bytes without control characters, so that it can be shown and typed again.
///
/// # Errors
/// It is none.
pub fn parse_request_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > limit::REQUEST_KEY_BYTES_MAX || text.contains(char::is_control) {
        return Err(format!(
            "a request id is 1 to {} bytes without control characters",
            limit::REQUEST_KEY_BYTES_MAX
        ));
    }
    Ok(text.to_owned())
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
}
