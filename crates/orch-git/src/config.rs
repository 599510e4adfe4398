//! The user's settings that matter to us.

use super::GitError;
use super::program::GitCommand;

/// The command that [`GitConfig::read`] runs.
pub(super) const QUESTION: [&str; 4] =
    ["config", "--null", "--get-regexp", r"^(user\.(name|email)|core\.(autocrlf|attributesfile))$"];

/// What the user has set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GitConfig {
    has_name: bool,
    has_email: bool,
    converts_line_ends: bool,
    has_attributes: bool,
}

/// The command that [`push_remote`] reads the answer of.
pub(super) const REMOTES: [&str; 4] = [
    "config",
    "--null",
    "--get-regexp",
    r"^(branch\..*\.(remote|pushremote)|remote\.pushdefault|remote\..*\.url)$",
];

/// Where a branch would be pushed: what the user has said of it, else of all branches, else `origin`, else the only
/// remote there is.
pub(super) fn push_remote(output: &[u8], branch: &str) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let (mut own, mut default, mut upstream, mut remotes) = (None, None, None, Vec::new());
    for entry in text.split('\0') {
        let Some((name, value)) = entry.split_once('\n') else { continue };
        let of_branch = |end: &str| {
            let rest = name.strip_prefix("branch.")?.strip_suffix(end)?;
            (rest == branch).then(|| value.to_owned())
        };
        if let Some(remote) = name.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(".url")) {
            remotes.push(remote.to_owned());
        } else if name == "remote.pushdefault" {
            default = Some(value.to_owned());
        } else if let Some(remote) = of_branch(".pushremote") {
            own = Some(remote);
        } else if let Some(remote) = of_branch(".remote") {
            upstream = Some(remote);
        }
    }
    remotes.dedup();
    // A dot is the repository itself.
    let said = own.or(default).or(upstream).filter(|remote| remote != ".");
    let usual = remotes.iter().find(|remote| *remote == "origin").cloned();
    said.or(usual).or_else(|| (remotes.len() == 1).then(|| remotes.remove(0)))
}

impl GitConfig {
    /// Asks [`QUESTION`] in a repository or one of its worktrees, which may have settings of its own.
    pub(super) fn read(question: GitCommand) -> Result<Self, GitError> {
        let answer = question.run_to_output()?;
        match answer.exit_code() {
            Some(0) => Ok(Self::parse(&answer.stdout)),
            // Git says 1 when none is made.
            Some(1) => Ok(Self::default()),
            _ => Err(answer.into_error()),
        }
    }

    /// Reads `NAME LF VALUE NUL`; of several values the last one counts.
    fn parse(output: &[u8]) -> Self {
        let mut settings = Self::default();
        for entry in output.split(|byte| *byte == 0) {
            let end = entry.iter().position(|byte| *byte == b'\n').unwrap_or(entry.len());
            let (name, value) = (&entry[..end], entry.get(end + 1..).unwrap_or_default());
            match name {
                b"user.name" => settings.has_name = !value.is_empty(),
                b"user.email" => settings.has_email = !value.is_empty(),
                b"core.attributesfile" => settings.has_attributes = !value.is_empty(),
                // Whatever is not plainly no: git knows several words for yes.
                b"core.autocrlf" => {
                    settings.converts_line_ends =
                        !matches!(value.to_ascii_lowercase().as_slice(), b"false" | b"no" | b"off" | b"0");
                }
                _ => {}
            }
        }
        settings
    }

    /// The settings to give to a command that writes a name where the user has none.
    pub(super) fn missing_identity_settings(&self) -> Vec<&'static str> {
        let name = (!self.has_name).then_some("user.name=orch");
        let email = (!self.has_email).then_some("user.email=orch@localhost");
        name.into_iter().chain(email).collect()
    }

    /// Whether line ends are converted everywhere, or the user has attributes for all repositories.
    pub(super) fn has_conversions(&self) -> bool {
        self.converts_line_ends || self.has_attributes
    }

    /// Whether line ends are converted everywhere.
    pub(super) fn converts_line_ends(&self) -> bool {
        self.converts_line_ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_names_are_given() {
        let both = ["user.name=orch", "user.email=orch@localhost"];
        for (output, expected) in [
            (&b""[..], &both[..]),
            (b"user.name\nAda\0user.email\na@b\0", &[]),
            (b"user.name\nAda\0", &both[1..]),
            (b"user.email\na@b\0", &both[..1]),
            (b"user.name\nAda\0user.name\n\0user.email\na@b\0", &both[..1]),
        ] {
            assert_eq!(
                GitConfig::parse(output).missing_identity_settings(),
                expected,
                "{}",
                String::from_utf8_lossy(output)
            );
        }
    }

    #[test]
    fn a_branch_is_pushed_where_the_user_said() {
        let urls = "remote.origin.url\n/o\0remote.fork.url\n/f\0";
        for (output, expected) in [
            (String::new(), None),
            ("remote.fork.url\n/f\0".to_owned(), Some("fork")),
            ("remote.a.url\n/f\0remote.b.url\n/f\0".to_owned(), None),
            (urls.to_owned(), Some("origin")),
            (format!("{urls}branch.main.remote\nfork\0"), Some("fork")),
            (format!("{urls}branch.other.remote\nfork\0"), Some("origin")),
            (format!("{urls}branch.main.remote\n.\0"), Some("origin")),
            (format!("{urls}branch.main.remote\norigin\0remote.pushdefault\nfork\0"), Some("fork")),
            (format!("{urls}remote.pushdefault\nfork\0branch.main.pushremote\nmine\0"), Some("mine")),
        ] {
            assert_eq!(push_remote(output.as_bytes(), "main").as_deref(), expected, "{output:?}");
        }
    }

    #[test]
    fn conversions_are_seen() {
        for (output, line_ends, any) in [
            (&b""[..], false, false),
            (b"core.autocrlf\nfalse\0", false, false),
            (b"core.autocrlf\ninput\0", true, true),
            (b"core.autocrlf\ntrue\0core.autocrlf\nFalse\0", false, false),
            (b"core.autocrlf\0", true, true),
            (b"core.attributesfile\n~/a\0", false, true),
        ] {
            let settings = GitConfig::parse(output);
            let found = (settings.converts_line_ends(), settings.has_conversions());
            assert_eq!(found, (line_ends, any), "{}", String::from_utf8_lossy(output));
        }
    }
}
