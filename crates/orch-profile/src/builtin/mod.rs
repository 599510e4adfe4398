//! The built-in profiles. A file with the same name overrides them.

/// The names and the files of the built-in profiles.
pub const BUILT_IN: [(&str, &str); 9] = [
    ("shell", include_str!("shell.toml")),
    ("codex", include_str!("codex.toml")),
    ("claude", include_str!("claude.toml")),
    ("gemini", include_str!("gemini.toml")),
    ("opencode", include_str!("opencode.toml")),
    ("qwen", include_str!("qwen.toml")),
    ("pi", include_str!("pi.toml")),
    ("cline", include_str!("cline.toml")),
    ("aider", include_str!("aider.toml")),
];

/// Returns the file of a built-in profile.
#[must_use]
pub fn built_in_profile(name: &str) -> Option<&'static str> {
    BUILT_IN.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}
