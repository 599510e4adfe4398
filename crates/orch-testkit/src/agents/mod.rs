//! Real agent clients under our supervisor, in repositories of their own, with a scripted model at the other end.
//!
//! [`client`] knows the clients, [`scenarios`] tells what they live through, [`sandbox`] is where that happens:
//! whatever a story leaves running is ended with it.

pub mod client;
mod drive_process;
mod sandbox;
mod scenarios;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::client::InstalledClient;
use self::sandbox::ClientSandbox;
pub use self::scenarios::STORIES;

/// What a client lives through.
#[derive(Clone, Copy, Debug)]
pub struct ClientScenario {
    /// In a few words.
    pub title: &'static str,
    tell: fn(&ClientSandbox) -> Result<(), String>,
}

/// A story that did not go as it should.
#[derive(Clone, Debug)]
pub struct ScenarioFailure {
    /// What was different.
    pub message: String,
    /// The repository, the home and what everybody said, kept to look into.
    pub folder: PathBuf,
}

/// How a story went.
#[derive(Clone, Debug)]
pub struct ScenarioReport {
    /// From the first commit to the last process.
    pub took: Duration,
    /// Whether it went as it should.
    pub result: Result<(), ScenarioFailure>,
}

impl ClientScenario {
    /// Lives through it with a client.
    #[must_use]
    pub fn run_with(&self, client: &InstalledClient) -> ScenarioReport {
        let since = Instant::now();
        let ground = ClientSandbox::new(client);
        let result = (self.tell)(&ground).and_then(|()| ground.expect_tidy());
        let result = match result {
            Ok(()) => ground.tear_down(),
            Err(message) => Err(ScenarioFailure { message, folder: ground.keep_folder() }),
        };
        ScenarioReport { took: since.elapsed(), result }
    }
}
