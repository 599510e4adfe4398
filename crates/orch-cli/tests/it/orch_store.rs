//! Stores that are not there, not ours, not whole, or not to be written.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::scheduling::json_text;
use crate::test_environment::{TestEnvironment, UNDER_PERMISSIONS};

#[test]
fn nothing_but_init_makes_a_store() {
    let place = TestEnvironment::without_store();
    for words in [
        "status",
        "ready",
        "blocked",
        "events",
        "wait --timeout 1ms",
        "reconcile",
        "graph",
        "doctor",
        "run list",
        "run show",
        "task list",
        "task add x",
        "dispatch --all",
        "why a",
        "request show k",
        "ack --through e-1",
    ] {
        let error = place.orch(&words.split(' ').collect::<Vec<_>>()).fails("store_not_found");
        assert_eq!(error["hint"], "orch init", "{words}");
    }
    let made = place.orch(&["init"]).ok()["store"].clone();
    assert_eq!(
        (&made["created"], &made["schema"]),
        (&true.into(), &orch_testkit::crates::orch_store::migrate::newest_schema().into())
    );
    assert!(json_text(&made["location"]).starts_with("sqlite:/"));
    assert_eq!(place.orch(&["init"]).ok()["store"]["created"], false);
    let none = place.orch(&["status"]).fails("run_not_found");
    assert_eq!(none["hint"], "orch run init TITLE");
    assert_eq!(place.orch(&["run", "list"]).ok(), serde_json::json!({"runs": [], "total": 0, "next": null}));
}

#[test]
fn a_store_is_named_or_found() {
    let place = TestEnvironment::without_store();
    let other = place.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let named = format!("sqlite:{}", other.join("my.db").display());
    assert_eq!(place.orch(&["run", "init", "x", "--store", &named]).ok()["run"]["id"], "x");
    assert_eq!(place.orch(&["status"]).env("ORCH_STORE", &named).ok()["run"]["id"], "x");
    place.orch(&["status", "--store", "postgres://host/db"]).fails("not_supported");
    place.orch(&["init"]).ok();
    let deep = place.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    place.orch(&["run", "init", "found"]).in_folder(&deep).ok();
    assert_eq!(place.orch(&["status"]).ok()["run"]["id"], "found");
    let mode = |path: &str| std::fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".orch"), mode(".orch/orch.db")), (0o700, 0o600));
}

#[test]
fn a_repository_below_a_store_gets_its_own() {
    let place = TestEnvironment::with_run("above");
    let repository = place.path().join("repository");
    for folder in ["objects", "refs"] {
        std::fs::create_dir_all(repository.join(".git").join(folder)).unwrap();
    }
    std::fs::write(repository.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    let runs = || place.orch(&["run", "list"]).in_folder(&repository).ok()["total"].clone();
    place.orch(&["run", "list"]).in_folder(&repository).fails("store_not_found");
    let made = place.orch(&["init"]).in_folder(&repository).ok()["store"].clone();
    assert!(json_text(&made["location"]).ends_with("repository/.git/orch/orch.db"), "{made}");
    assert_eq!((&made["created"], runs()), (&true.into(), 0.into()));
    assert_eq!(place.orch(&["init"]).in_folder(&repository).ok()["store"]["created"], false);
}

#[test]
fn what_is_no_store_of_ours_is_left_alone() {
    let place = TestEnvironment::without_store();
    for (name, content) in [("text.db", &b"This is a letter.\n"[..]), ("empty.bin", &[0xff; 5000])] {
        let file = place.write_file(name, content);
        let path = file.to_str().unwrap();
        for words in [vec!["status"], vec!["run", "init", "x"], vec!["doctor"]] {
            let error = place.orch(&[&words[..], &["--store", path]].concat()).fails("store_corrupt");
            let closer = format!("ls -la {path}");
            let hint = if words == ["doctor"] { closer } else { format!("orch doctor --store {path}") };
            assert_eq!(error["hint"], hint, "{error}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), content, "{name}");
    }
}

#[test]
fn a_damaged_store_is_named() {
    let place = TestEnvironment::with_run("r");
    for _ in 0..50 {
        place.add_long_task();
    }
    let path = place.path().join(".orch/orch.db");
    // All pages behind the first are overwritten; what the log held is gone as well.
    let mut bytes = std::fs::read(&path).unwrap();
    let damaged = bytes.len().max(8192);
    bytes.resize(damaged, 0);
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, &bytes).unwrap();
    for leftover in ["orch.db-wal", "orch.db-shm"] {
        let _ = std::fs::remove_file(place.path().join(".orch").join(leftover));
    }
    let printed = place.orch(&["task", "list"]).run();
    assert_eq!(printed.exit, 1, "{printed:?}");
    printed.fails("store_corrupt");
    place.orch(&["doctor"]).fails("store_corrupt");
}

#[test]
fn a_store_that_stays_locked_is_busy() {
    let place = TestEnvironment::with_run("r");
    let shared = place.path().join(".orch/orch.db-shm");
    let shared = std::fs::OpenOptions::new().read(true).write(true).open(shared).unwrap();
    rustix::fs::fcntl_lock(&shared, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let busy = place.orch(&["task", "add", "x"]).fails("store_busy");
    assert_eq!(busy["retryable"], true);
    rustix::fs::fcntl_lock(&shared, rustix::fs::FlockOperation::Unlock).unwrap();
    assert_eq!(place.orch(&["task", "list"]).ok()["total"], 0);
}

#[test]
fn a_store_that_cannot_be_written_says_so() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let store = place.path().join(".orch");
    let files = std::fs::read_dir(&store).unwrap().map(|file| (file.unwrap().path(), 0o444));
    let closed: Vec<_> = files.chain([(store.clone(), 0o555)]).collect();
    for (path, mode) in closed {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = Command::new("sh");
        command.args(["-c", UNDER_PERMISSIONS, "sh", env!("CARGO_BIN_EXE_orch")]).args(arguments);
        command.current_dir(place.path()).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let output = command.output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), answer["error"]["code"].clone(), answer)
    };
    for change in [&["task", "add", "x"][..], &["dispatch", "a", "--to", "w"], &["run", "pause"]] {
        let (exit, code, answer) = run(change);
        assert_eq!((exit, &code), (7, &"store_read_only".into()), "{answer}");
    }
    let (exit, _, answer) = run(&["task", "list"]);
    assert_eq!((exit, &answer["data"]["total"]), (0, &1.into()), "reading goes on: {answer}");
    std::fs::set_permissions(store, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_full_disk_loses_nothing() {
    let place = TestEnvironment::without_store();
    let (disk, last) = (place.path().join("disk"), place.path().join("last.json"));
    std::fs::create_dir(&disk).unwrap();
    // A disk of a megabyte, seen by these commands alone, is filled until a command is refused.
    let script = r#"
        mount -t tmpfs -o size=1m tmpfs "$DISK" && cd "$DISK" && "$ORCH" init >/dev/null || exit 99
        count=0
        while "$ORCH" run init x --goal "$GOAL" >"$LAST"; do count=$((count + 1)); done
        echo "$count"
        "$ORCH" run list --limit 1000
        "$ORCH" doctor
    "#;
    let goal = "x".repeat(20_000);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", script]);
    command.env("DISK", &disk).env("ORCH", env!("CARGO_BIN_EXE_orch")).env("LAST", &last).env("GOAL", goal);
    let output = match command.output() {
        Ok(output) if !matches!(output.status.code(), Some(1 | 32 | 99)) => output,
        refused => {
            // Without mount namespaces there is no small disk; the code's mapping has a unit test of its own.
            println!("not tested on this machine, which has no mount namespaces: {refused:?}");
            return;
        }
    };
    let refused: serde_json::Value = serde_json::from_slice(&std::fs::read(&last).unwrap()).unwrap();
    assert_eq!(refused["error"]["code"], "disk_full", "{refused}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines = printed.lines();
    let count: u64 = lines.next().unwrap().parse().unwrap();
    let document = |line: Option<&str>| serde_json::from_str::<serde_json::Value>(line.unwrap()).unwrap();
    assert!(count > 0);
    assert_eq!(document(lines.next())["data"]["total"], count, "every ok is there, and nothing else");
    assert_eq!(document(lines.next())["data"]["verdict"], "ok");
}

impl TestEnvironment {
    fn add_long_task(&self) {
        self.orch(&["task", "add", "A task with a title that fills pages", "--spec", &"x".repeat(500)]).ok();
    }
}

#[test]
fn what_a_waiting_process_leaves_in_the_folder_is_its_owners_alone() {
    let place = TestEnvironment::with_run("r");
    let mut waiting = place.orch(&["wait", "--timeout", "60s"]).start();
    let folder = place.path().join(".orch");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The socket is made, then closed to others.
    let socket = || std::fs::read_dir(folder.join("wake")).ok()?.next()?.ok().map(|entry| entry.path());
    while socket().is_none_or(|socket| mode(&socket) != 0o600) {
        assert!(Instant::now() < deadline, "no socket of mode 0600");
        std::thread::yield_now();
    }
    assert_eq!(mode(&folder.join("wake")), 0o700);
    for name in ["orch.db", "orch.db-wal", "orch.db-shm"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    waiting.child.kill().unwrap();
    waiting.child.wait().unwrap();
}
