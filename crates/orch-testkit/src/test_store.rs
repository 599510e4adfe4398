//! A store in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use orch_inbox::Session;
use orch_inbox::session::OpenOptions;
use orch_store::{Store, StoreLocation, StoreOptions};

use crate::FakeClock;

/// A temporary folder with a store, deleted with the last clone of this value, and the clock of its sessions.
#[derive(Clone, Debug)]
pub struct TestStore {
    folder: Arc<tempfile::TempDir>,
    clock: FakeClock,
}

impl Default for TestStore {
    fn default() -> Self {
        Self::new()
    }
}

impl TestStore {
    /// Makes a store on the disk.
    #[must_use]
    pub fn new() -> Self {
        Self::in_folder(&std::env::temp_dir())
    }

    /// Makes a store in a folder in memory if the machine has one, so that commits do not wait for a disk.
    #[must_use]
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::in_folder(memory) } else { Self::new() }
    }

    fn in_folder(folder: &Path) -> Self {
        let folder = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
        let place = Self { folder: Arc::new(folder), clock: FakeClock::default() };
        Store::create(&place.location(), StoreOptions::default())
            .expect("a store can be made in a temporary folder");
        place
    }

    /// Returns the store's location.
    #[must_use]
    pub fn location(&self) -> StoreLocation {
        StoreLocation::Sqlite(self.folder.path().join("orch.db"))
    }

    /// Returns the folder that contains the store.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the clock of all sessions of this store.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// Opens a session, as another process would.
    #[must_use]
    pub fn open_session(&self) -> Session {
        let session = Session::open(&self.location(), OpenOptions::default());
        session.expect("the store can be opened").with_clock(Box::new(self.clock.clone()))
    }

    /// Opens the store itself, to read rows without an operation.
    #[must_use]
    pub fn open_store(&self) -> Store {
        Store::open(&self.location(), StoreOptions::default()).expect("the store can be opened")
    }
}
