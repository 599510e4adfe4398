//! Real agent clients under our supervisor, in repositories of their own, with a scripted model at the other end.
//!
//! [`client`] knows the clients, [`stories`] tells what they live through, [`ground`] is where that happens:
//! whatever a story leaves running is ended with it.

pub mod client;
mod driving;
mod ground;
mod stories;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::client::Installed;
use self::ground::Ground;
pub use self::stories::STORIES;

/// What a client lives through.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// In a few words.
    pub title: &'static str,
    tell: fn(&Ground) -> Result<(), String>,
}

/// A story that did not go as it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was different.
    pub message: String,
    /// The repository, the home and what everybody said, kept to look into.
    pub folder: PathBuf,
}

/// How a story went.
#[derive(Clone, Debug)]
pub struct Told {
    /// From the first commit to the last process.
    pub took: Duration,
    /// Whether it went as it should.
    pub result: Result<(), Failure>,
}

impl Story {
    /// Lives through it with a client.
    #[must_use]
    pub fn tell(&self, client: &Installed) -> Told {
        let since = Instant::now();
        let ground = Ground::new(client);
        let result = (self.tell)(&ground).and_then(|()| ground.is_tidy());
        let result = match result {
            Ok(()) => ground.leave(),
            Err(message) => Err(Failure { message, folder: ground.keep() }),
        };
        Told { took: since.elapsed(), result }
    }
}
