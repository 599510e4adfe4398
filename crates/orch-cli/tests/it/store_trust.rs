//! Whose a store and the files beside it are, and the exceptions of `orch trust`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

use serde_json::json;

use crate::scheduling::json_text;
use crate::test_environment::{CliInvocation, TestEnvironment};

/// The number of a user who is neither root nor the one who runs the tests.
const OTHER: u32 = 54_321;

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder that others can enter, with a store that others can write.
fn with_shared_store() -> TestEnvironment {
    let place = TestEnvironment::with_run("r");
    set_mode(place.path(), 0o755);
    set_mode(&place.path().join(".orch"), 0o777);
    place
}

impl TestEnvironment {
    fn orch_with_settings(&self, line: &str) -> CliInvocation {
        let settings = self.path().join("settings");
        let words: Vec<&str> = line.split(' ').collect();
        self.orch(&words).env("XDG_CONFIG_HOME", settings.to_str().unwrap())
    }
}

#[test]
fn a_store_that_others_can_write_is_refused_until_it_is_trusted() {
    let place = with_shared_store();
    let store = place.path().canonicalize().unwrap().join(".orch/orch.db");
    for line in ["status", "run list", "task add x", "doctor", "run init y"] {
        let error = place.orch_with_settings(line).fails("store_untrusted");
        assert_eq!(error["hint"], format!("orch trust {}", store.display()), "{line}");
        assert_eq!(error["retryable"], false);
    }
    let id = {
        set_mode(&place.path().join(".orch"), 0o700);
        let id = place.orch_with_settings("doctor").ok()["store"]["id"].clone();
        set_mode(&place.path().join(".orch"), 0o777);
        id
    };
    let entry = json!({"kind": "store", "path": store, "id": id});
    assert_eq!(place.orch_with_settings("trust .orch").ok()["trusted"], json!([entry]));
    assert_eq!(place.orch_with_settings("trust --list").ok()["trusted"], json!([entry]));
    place.orch_with_settings("task add x").ok();
    // Another store at that path is not the one that was trusted.
    std::fs::rename(place.path().join(".orch"), place.path().join("old")).unwrap();
    place.orch_with_settings("init").ok();
    set_mode(&place.path().join(".orch"), 0o777);
    place.orch_with_settings("status").fails("store_untrusted");
    assert_eq!(place.orch_with_settings("trust --remove .orch").ok()["trusted"], json!([]));
    place.orch_with_settings("trust --remove .orch").fails("invalid_argument");
}

#[test]
fn a_store_is_not_created_where_others_can_write() {
    let place = TestEnvironment::without_store();
    set_mode(place.path(), 0o755);
    let shared = place.path().canonicalize().unwrap().join("shared");
    std::fs::create_dir(&shared).unwrap();
    set_mode(&shared, 0o1777);
    let store = shared.join("my.db");
    let store = store.to_str().unwrap();
    place.orch_with_settings(&format!("run init x --store {store}")).fails("store_untrusted");
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0);
    let trusted = place.orch_with_settings(&format!("trust {store}")).ok();
    assert_eq!(trusted["trusted"], json!([{"kind": "store", "path": store}]));
    place.orch_with_settings(&format!("run init x --store {store}")).ok();
    let known = place.orch_with_settings("trust --list").ok();
    assert!(json_text(&known["trusted"][0]["id"]).starts_with("s-"), "{known}");
}

#[test]
fn modes_do_not_count_below_a_private_folder() {
    let place = with_shared_store();
    set_mode(place.path(), 0o700);
    place.orch_with_settings("task add x").ok();
}

#[test]
fn a_profile_and_settings_that_others_can_write_are_not_used() {
    let place = TestEnvironment::with_run("r");
    let base = place.path().canonicalize().unwrap();
    let store = base.join(".orch");
    // The store is private; what is linked from it is not.
    set_mode(&base, 0o755);
    set_mode(&store, 0o755);
    let profiles = store.join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    let file = profiles.join("mine.toml");
    std::fs::write(&file, "name = \"mine\"\ncommand = [\"true\"]\nreport = \"tool\"\n").unwrap();
    let drive = "drive r --profile mine --check";
    // What else is missing for a drive does not matter here.
    let is_used = || place.orch_with_settings(drive).run().document()["data"]["findings"].is_array();
    assert!(is_used(), "it is the user's");
    set_mode(&file, 0o666);
    let error = place.orch_with_settings(drive).fails("store_untrusted");
    assert_eq!(error["hint"], format!("orch trust {}", file.display()));
    place.orch_with_settings(&format!("trust {}", file.display())).ok();
    assert!(is_used());
    std::fs::write(&file, "name = \"mine\"\ncommand = [\"false\"]\nreport = \"tool\"\n").unwrap();
    place.orch_with_settings(drive).fails("store_untrusted");
    set_mode(&file, 0o644);
    set_mode(&profiles, 0o777);
    place.orch_with_settings(drive).fails("store_untrusted");
    set_mode(&profiles, 0o755);
    assert!(is_used());
    if is_root() {
        lchown(&file, Some(OTHER), None).unwrap();
        place.orch_with_settings(drive).fails("store_untrusted");
    }
}

#[test]
fn a_named_profile_is_trusted_unless_a_worker_may_have_written_it() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    let text = "name = \"mine\"\ncommand = [\"true\"]\nreport = \"tool\"\n";
    let (ours, theirs) = (place.sibling_path("mine.toml"), place.sibling_path("repo.orch/r/a.1/mine.toml"));
    for file in [&ours, &theirs] {
        std::fs::write(file, text).unwrap();
    }
    let check = |file: &Path| place.orch(&["drive", "r", "--check", "--profile", file.to_str().unwrap()]);
    assert!(check(&ours).run().document()["data"]["findings"].is_array());
    check(&theirs).fails("store_untrusted");
    let link = place.sibling_path("link.toml");
    std::os::unix::fs::symlink(&theirs, &link).unwrap();
    check(&link).fails("store_untrusted");
}

#[test]
fn a_worktree_root_is_as_private_as_the_repository() {
    let place = TestEnvironment::with_repository();
    set_mode(place.repository_path(), 0o700);
    place.begin_run("r", &["--verify", "true"]);
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).ok();
    for folder in ["repo.orch", "repo.orch/r"] {
        let mode = std::fs::metadata(place.sibling_path(folder)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{folder}");
    }
}

#[test]
fn root_does_not_lock_the_owner_of_a_store_out() {
    if !is_root() {
        return;
    }
    let place = TestEnvironment::without_store();
    set_mode(place.path(), 0o755);
    let home = place.path().join("home");
    std::fs::create_dir(&home).unwrap();
    lchown(&home, Some(OTHER), Some(OTHER)).unwrap();
    place.orch(&["run", "init", "R", "--name", "r"]).in_folder(&home).ok();
    place.orch(&["task", "add", "x"]).in_folder(&home).ok();
    let folder = home.join(".orch");
    for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder]) {
        assert_eq!(std::fs::symlink_metadata(&entry).unwrap().uid(), OTHER, "{}", entry.display());
    }
}
