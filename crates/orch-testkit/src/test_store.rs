//! A store of its own in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use orch_inbox::Session;
use orch_inbox::session::OpenOptions;
use orch_store::{Store, StoreLocation};

use crate::FakeClock;

/// A folder with a store, which goes away with the last copy of this, and the clock of its sessions.
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
    /// A new store on the disk.
    ///
    /// # Panics
    /// The disk has no place for it.
    #[must_use]
    pub fn new() -> Self {
        Self::in_folder(&std::env::temp_dir())
    }

    /// A new store in memory where the machine has a folder for that: nothing waits for a disk there.
    ///
    /// # Panics
    /// There is no place for it.
    #[must_use]
    pub fn in_memory() -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() { Self::in_folder(memory) } else { Self::new() }
    }

    fn in_folder(folder: &Path) -> Self {
        let folder = tempfile::tempdir_in(folder).expect("a temporary folder can be made");
        let place = Self { folder: Arc::new(folder), clock: FakeClock::default() };
        Store::create(&place.location(), false).expect("a store can be made in a temporary folder");
        place
    }

    /// Where the store is.
    #[must_use]
    pub fn location(&self) -> StoreLocation {
        StoreLocation::Sqlite(self.folder.path().join("orch.db"))
    }

    /// The folder that the store lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The clock of every session here.
    #[must_use]
    pub fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// One more session, as another process would open it.
    ///
    /// # Panics
    /// The store cannot be opened.
    #[must_use]
    pub fn open_session(&self) -> Session {
        let session = Session::open(&self.location(), OpenOptions::default());
        session.expect("the store can be opened").with_clock(Box::new(self.clock.clone()))
    }

    /// The store underneath, to look at rows without any operation.
    ///
    /// # Panics
    /// The store cannot be opened.
    #[must_use]
    pub fn open_store(&self) -> Store {
        Store::open(&self.location(), false).expect("the store can be opened")
    }
}
