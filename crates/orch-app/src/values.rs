//! Values as people write them, with those that name profiles.

pub use orch_plan::values::*;
pub use orch_profile::ProfileReference;

/// Parses a profile: a name or a path.
///
/// # Errors
/// The text is neither.
pub fn parse_profile(text: &str) -> Result<ProfileReference, String> {
    text.parse().map_err(|error: orch_profile::InvalidProfileReference| error.to_string())
}

/// Parses a profile with the most workers of it: `PROFILE` or `PROFILE=N`.
///
/// # Errors
/// The profile or the number is invalid.
pub fn parse_seat(text: &str) -> Result<(ProfileReference, Option<usize>), String> {
    let (name, limit) = match text.rsplit_once('=') {
        Some((name, limit)) => (name, Some(parse_worker_count(limit)?)),
        None => (text, None),
    };
    let reference = parse_profile(name)?;
    Ok((reference, limit))
}
