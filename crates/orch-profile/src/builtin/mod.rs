//! The built-in profiles. A file with the same name overrides them.

/// The names and the files of the built-in profiles.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("shell", include_str!("shell.toml")),
    ("codex", include_str!("codex.toml")),
    ("claude", include_str!("claude.toml")),
];

/// Returns the file of a built-in profile.
#[must_use]
pub fn built_in_profile(name: &str) -> Option<&'static str> {
    BUILT_IN.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}
