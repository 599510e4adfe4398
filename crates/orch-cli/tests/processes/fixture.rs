//! A folder of a test's own, with the built programs pointed at a store in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orch_testkit::program::TestPrograms;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder, gone at the end unless the test fails.
pub(crate) struct ProcessFixture {
    folder: Option<tempfile::TempDir>,
    pub(crate) programs: TestPrograms,
}

impl ProcessFixture {
    /// A folder without a store.
    pub(crate) fn without_store() -> Self {
        let folder = tempfile::Builder::new().prefix("orch-processes-").tempdir().unwrap();
        let store = folder.path().join("orch.db");
        let programs = TestPrograms::new(env!("CARGO_BIN_EXE_inbox"), env!("CARGO_BIN_EXE_orch"), store);
        Self { folder: Some(folder), programs }
    }

    /// A folder with an empty store.
    pub(crate) fn new() -> Self {
        let place = Self::without_store();
        let _ = place.programs.run_for_data(&["inbox", "init"]);
        place
    }

    /// Sends work to `ana`.
    pub(crate) fn send_work(&self, subject: &str) {
        let words = ["inbox", "send", "--as", "lead", "--to", "ana", "--subject", subject];
        let _ = self.programs.run_for_data(&words);
    }

    /// Claims work as `ana`; returns the thread and its token.
    pub(crate) fn claim_work(&self) -> (String, String) {
        let claimed = self.programs.run_for_data(&["inbox", "claim", "--for", "ana"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]))
    }

    /// A path in the folder.
    pub(crate) fn file_path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().unwrap().path().join(name)
    }
}

impl Drop for ProcessFixture {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take().filter(|_| std::thread::panicking()) {
            print_notice(&format!("The folder is kept: {}", folder.keep().display()));
        }
    }
}

/// Looks until it is so.
#[expect(
    clippy::disallowed_methods,
    reason = "the state of another process tells nobody when it changes: looking again is all there is"
)]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says something that also a test which passes is heard to say.
pub(crate) fn print_notice(line: &str) {
    // Nothing more can be done where stderr is gone.
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Whether a test can run that needs what not every machine has. Says so loudly when it cannot.
///
/// `ORCH_REQUIRE_TOOLS` lists what must be there, so that no machine skips in silence what it could run.
pub(crate) fn can_run(test: &str, needs: &str, has: bool) -> bool {
    if !has {
        let required = std::env::var("ORCH_REQUIRE_TOOLS").unwrap_or_default();
        assert!(!required.split(' ').any(|tool| tool == needs), "{test} needs {needs}");
        print_notice(&format!(
            "NOT RUN: {test} needs {needs}, which this machine does not have or does not allow."
        ));
    }
    has
}

/// Everything that a file holds.
pub(crate) fn read_bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
