//! Stores that are not there, not ours, or not for this program.

use std::fs::OpenOptions;
use std::path::Path;

use crate::test_environment::TestEnvironment;

#[test]
fn without_a_store_only_init_works() {
    let place = TestEnvironment::without_store();
    for line in [
        "list",
        "show th-1",
        "claim --for q",
        "agents",
        "wait --for a",
        "ack --for a --through m-1",
        "send --to a --as b --subject s",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let error = place.inbox(&arguments).fails("store_not_found");
        assert!(error["hint"].as_str().unwrap().ends_with("init"), "{error}");
    }
    assert!(std::fs::read_dir(place.path()).unwrap().next().is_none(), "nothing was made");
    let made = place.inbox(&["init", "--request-id", "k"]).ok();
    assert_eq!(made["store"]["created"], true);
    let place_of_store =
        format!("sqlite:{}", place.path().canonicalize().unwrap().join(".orch/orch.db").display());
    assert_eq!(made["store"]["location"], place_of_store);
    assert_eq!(place.inbox(&["init"]).ok()["store"]["created"], false);
    assert_eq!(place.inbox(&["list", "--store", &place_of_store]).in_folder(Path::new("/")).ok()["total"], 0);
}

#[test]
fn only_stores_of_this_program_are_opened() {
    let place = TestEnvironment::new();
    let list = |store: &Path| place.inbox(&["list", "--store", store.to_str().unwrap()]);
    let foreign =
        place.write_file("foreign.db", "This is no database, and it is long enough to be one.".repeat(100));
    let hint = list(&foreign).fails("store_corrupt")["hint"].clone();
    assert_eq!(hint, format!("orch doctor --store {}", foreign.display()));
    // Whoever was making it may have died.
    list(&place.write_file("empty.db", "")).fails("store_not_found");
    let folder = place.path().join("other/orch.db");
    std::fs::create_dir_all(&folder).unwrap();
    list(folder.parent().unwrap()).fails("store_corrupt");
    let mut newer = std::fs::read(place.path().join(".orch/orch.db")).unwrap();
    // The version of a store's schema stands in the database's header.
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let error = list(&place.write_file("newer.db", newer)).fails("store_too_new");
    assert_eq!(error["details"]["found"], 99);
    list(Path::new("nowhere/orch.db")).fails("store_not_found");
    list(Path::new("")).fails("invalid_argument");
    list(Path::new("postgres://host/base")).fails("not_supported");
    list(Path::new("mysql://host/base")).fails("not_supported");
    place.inbox(&["init", "--store", "/proc/nowhere/orch.db"]).fails("store_unavailable");
    assert_eq!(list(&foreign).fails("store_corrupt")["retryable"], false);
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    let place = TestEnvironment::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let printed = place.inbox(&["list"]).with_stdout(full).run();
    assert_eq!(printed.exit, 1);
    assert!(printed.stderr.starts_with("error: The answer could not be written: "), "{printed:?}");
}
