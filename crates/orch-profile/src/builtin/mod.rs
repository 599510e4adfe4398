//! The profiles that the program brings along; a file of the same name takes their place.

/// Their names and their files.
pub const BUILT_IN: [(&str, &str); 3] = [
    ("shell", include_str!("shell.toml")),
    ("codex", include_str!("codex.toml")),
    ("claude", include_str!("claude.toml")),
];

/// The file of a built-in profile.
#[must_use]
pub fn built_in_profile(name: &str) -> Option<&'static str> {
    BUILT_IN.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}
