//! One door's connection to the store, with a clock and a source of tokens.

use orch_store::Location;

use crate::Error;
use crate::clock::Clock;

/// An open store with everything an operation needs.
pub struct Session {
    clock: Box<dyn Clock>,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Opens a store on a network file system all the same.
    pub allow_network_fs: bool,
}

/// A store that was opened or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// Where it is.
    pub location: Location,
    /// Whether it was made just now.
    pub created: bool,
    /// Its schema.
    pub schema: i64,
}

impl Session {
    /// Opens a store that is there.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open(location: &Location, options: OpenOptions) -> Result<Self, Error> {
        todo!()
    }

    /// Opens a store, making it when there is none.
    ///
    /// # Errors
    /// It cannot be made or opened.
    pub fn open_or_create(location: &Location, options: OpenOptions) -> Result<(Self, StoreInfo), Error> {
        todo!()
    }

    /// Warnings that came up when the store was opened, for people: full sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        todo!()
    }

    /// Does what may wait until the answer is printed: a checkpoint when one is due. Failure costs nothing but speed.
    pub fn tend(&mut self) {
        todo!()
    }
}
