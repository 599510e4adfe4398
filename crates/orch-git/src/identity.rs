//! The identity with which the user commits.

use super::error::GitError;
use super::program::split_nul;
use super::worktree::Worktree;

/// The name and the email address of a user, as configured; what is not configured is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserIdentity {
    /// `user.name`
    pub name: Option<String>,
    /// `user.email`
    pub email: Option<String>,
}

impl Worktree<'_> {
    /// Returns the name and the email address that the user has configured for commits here.
    ///
    /// # Errors
    /// `NotInstalled`, or git's own.
    pub fn user_identity(&self) -> Result<UserIdentity, GitError> {
        let query = self.git_command(["config", "--null", "--get-regexp", r"^user\.(name|email)$"]);
        let found = query.read_optional(|output| {
            let mut identity = UserIdentity::default();
            for entry in split_nul(output) {
                let text = String::from_utf8_lossy(entry);
                match text.split_once('\n') {
                    Some(("user.name", name)) => identity.name = Some(name.to_owned()),
                    Some(("user.email", email)) => identity.email = Some(email.to_owned()),
                    _ => {}
                }
            }
            Some(identity)
        })?;
        Ok(found.unwrap_or_default())
    }
}
