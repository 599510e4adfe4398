//! The version of git.

/// Parses major and minor from the output of `git version`.
pub(super) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text.strip_prefix("git version ")?.split_whitespace().next()?;
    let mut parts = number.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_distributions_are_parsed() {
        for (text, expected) in [
            ("git version 2.47.3\n", Some((2, 47))),
            ("git version 2.39.5 (Apple Git-154)\n", Some((2, 39))),
            ("git version 2.38.0-rc1\n", Some((2, 38))),
            ("git version 2.45.GIT", Some((2, 45))),
            ("git version 2.50.1.windows.1", Some((2, 50))),
            ("git version 3.0-rc0", Some((3, 0))),
            ("git version ", None),
            ("hello", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text}");
        }
    }
}
