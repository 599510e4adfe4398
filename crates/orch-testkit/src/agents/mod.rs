//! Runs real agent clients under our supervisor, each in its own repository and against a scripted model.
//!
//! [`client`] locates and configures the clients, [`scenarios`] lists what is tested, and [`sandbox`] is the
//! environment of one scenario, which ends every process that the scenario leaves behind.

pub mod client;
mod drive_process;
mod sandbox;
mod scenarios;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::client::InstalledClient;
use self::sandbox::ClientSandbox;
pub use self::scenarios::STORIES;

/// One scenario that every client is tested with.
#[derive(Clone, Copy, Debug)]
pub struct ClientScenario {
    /// A short description of the scenario.
    pub title: &'static str,
    tell: fn(&ClientSandbox) -> Result<(), String>,
}

/// A scenario that failed.
#[derive(Clone, Debug)]
pub struct ScenarioFailure {
    /// The difference from the expected result.
    pub message: String,
    /// The folder kept for inspection: the repository, the home folder and all logs.
    pub folder: PathBuf,
}

/// The result of one scenario.
#[derive(Clone, Debug)]
pub struct ScenarioReport {
    /// The duration from the first commit to the exit of the last process.
    pub took: Duration,
    /// Whether the scenario passed.
    pub result: Result<(), ScenarioFailure>,
}

impl ClientScenario {
    /// Runs the scenario with a client.
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
