//! The parts of the user's git configuration that matter to us.

use super::error::GitError;
use super::program::{GitCommand, split_nul};

/// In the common directory: which worktree has an excludes file.
/// In a worktree's git directory: the setting that names its excludes file.
pub(super) const EXCLUDES_CONFIG: &str = "orch-excludes.config";

/// The command whose output [`GitConfig::read`] parses.
pub(super) const CONFIG_QUERY: [&str; 4] = [
    "config",
    "--null",
    "--get-regexp",
    r"^(user\.(name|email)|core\.(autocrlf|attributesfile|bare)|checkout\.workers|commit\.gpgsign|extensions\.worktreeconfig|includeif\..*\.path)$",
];

/// The relevant settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GitConfig {
    has_name: bool,
    has_email: bool,
    converts_line_endings: bool,
    has_attributes_file: bool,
    is_bare: bool,
    has_worktree_config: bool,
    signs_commits: bool,
    has_conditions: bool,
    has_checkout_workers: bool,
}

/// The command whose output [`push_remote`] parses.
pub(super) const REMOTES_QUERY: [&str; 4] = [
    "config",
    "--null",
    "--get-regexp",
    r"^(branch\..*\.(remote|pushremote)|remote\.pushdefault|remote\..*\.url)$",
];

/// Returns the remote to push a branch to: the one configured for the branch, else for all branches, else `origin`,
/// else the only remote.
pub(super) fn push_remote(output: &[u8], branch: &str) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let (mut push_remote, mut push_default, mut upstream, mut remotes) = (None, None, None, Vec::new());
    for entry in text.split('\0') {
        let Some((name, value)) = entry.split_once('\n') else { continue };
        let of_branch = |end: &str| {
            let rest = name.strip_prefix("branch.")?.strip_suffix(end)?;
            (rest == branch).then(|| value.to_owned())
        };
        if let Some(remote) = name.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(".url")) {
            remotes.push(remote.to_owned());
        } else if name == "remote.pushdefault" {
            push_default = Some(value.to_owned());
        } else if let Some(remote) = of_branch(".pushremote") {
            push_remote = Some(remote);
        } else if let Some(remote) = of_branch(".remote") {
            upstream = Some(remote);
        }
    }
    remotes.dedup();
    // A dot stands for the repository itself.
    let configured = push_remote.or(push_default).or(upstream).filter(|remote| remote != ".");
    let origin = remotes.iter().find(|remote| *remote == "origin").cloned();
    configured.or(origin).or_else(|| (remotes.len() == 1).then(|| remotes.remove(0)))
}

impl GitConfig {
    /// Runs a [`CONFIG_QUERY`] command of a repository or a worktree, which may have settings of its own.
    pub(super) fn read(query: GitCommand) -> Result<Self, GitError> {
        Ok(query.read_optional(|output| Some(Self::parse(output)))?.unwrap_or_default())
    }

    /// Parses entries of `NAME LF VALUE NUL`; the last value of a name wins.
    fn parse(output: &[u8]) -> Self {
        let mut config = Self::default();
        for entry in split_nul(output) {
            let end = entry.iter().position(|byte| *byte == b'\n').unwrap_or(entry.len());
            let (name, value) = (&entry[..end], entry.get(end + 1..).unwrap_or_default());
            match name {
                b"user.name" => config.has_name = !value.is_empty(),
                b"user.email" => config.has_email = !value.is_empty(),
                b"core.attributesfile" => config.has_attributes_file = !value.is_empty(),
                b"core.autocrlf" => config.converts_line_endings = is_yes(value),
                b"commit.gpgsign" => config.signs_commits = is_yes(value),
                b"checkout.workers" => config.has_checkout_workers = true,
                b"core.bare" => config.is_bare = is_yes(value),
                b"extensions.worktreeconfig" => config.has_worktree_config = is_yes(value),
                // Ours name nothing but the excludes of one worktree.
                [b'i', b'n', b'c', ..] if !value.ends_with(EXCLUDES_CONFIG.as_bytes()) => {
                    config.has_conditions = true;
                }
                _ => {}
            }
        }
        config
    }

    /// Returns the settings that complete the identity of the user.
    pub(super) fn missing_identity_settings(&self) -> Vec<&'static str> {
        let name = (!self.has_name).then_some("user.name=orch");
        let email = (!self.has_email).then_some("user.email=orch@localhost");
        name.into_iter().chain(email).collect()
    }

    /// Returns whether the user has decided how many processes write the files of a checkout.
    pub(super) fn has_checkout_workers(&self) -> bool {
        self.has_checkout_workers
    }

    /// Returns whether line endings are converted everywhere, or a global attributes file is configured.
    pub(super) fn has_conversions(&self) -> bool {
        self.converts_line_endings || self.has_attributes_file
    }

    /// Returns whether a new worktree would count as bare unless it has a setting of its own.
    ///
    /// Without `extensions.worktreeConfig` git ignores `core.bare` in linked worktrees.
    pub(super) fn makes_worktrees_bare(&self) -> bool {
        self.is_bare && self.has_worktree_config
    }

    /// Returns whether the worktrees may have other settings than the repository.
    pub(super) fn may_differ_in_worktrees(&self) -> bool {
        self.has_conditions || self.has_worktree_config
    }

    /// Returns whether the user signs commits.
    pub(super) fn signs_commits(&self) -> bool {
        self.signs_commits
    }

    /// Returns whether line endings are converted everywhere.
    pub(super) fn converts_line_endings(&self) -> bool {
        self.converts_line_endings
    }
}

/// Returns whether a value is anything except a clear no: git knows several words for yes.
fn is_yes(value: &[u8]) -> bool {
    !matches!(value.to_ascii_lowercase().as_slice(), b"false" | b"no" | b"off" | b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_missing_identity_is_added() {
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
    fn the_push_remote_follows_the_configuration() {
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
    fn conversions_are_detected() {
        for (output, line_endings, any) in [
            (&b""[..], false, false),
            (b"core.autocrlf\nfalse\0", false, false),
            (b"core.autocrlf\ninput\0", true, true),
            (b"core.autocrlf\ntrue\0core.autocrlf\nFalse\0", false, false),
            (b"core.autocrlf\0", true, true),
            (b"core.attributesfile\n~/a\0", false, true),
        ] {
            let config = GitConfig::parse(output);
            let found = (config.converts_line_endings(), config.has_conversions());
            assert_eq!(found, (line_endings, any), "{}", String::from_utf8_lossy(output));
        }
    }
}
