//! `[defaults]` in `orch.toml`: where it is read, what it fills in, and what it never replaces.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::test_environment::TestEnvironment;

const SETTINGS: &str = "[defaults]
profile = \"shell=2\"
verify = [\"test -e base.txt\"]
setup = \"true\"
copy = \".env\"
check_env = [\"CI=1\"]
check_cache = [\"target/\"]
worktree_root = \"../elsewhere\"
";

/// A repository with a store and these settings beside it.
fn with_settings(settings: &str) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.orch(&["init"]).ok();
    std::fs::write(place.repository_path().join(".git/orch/orch.toml"), settings).unwrap();
    place
}

fn init_call(place: &TestEnvironment, more: &[&str]) -> Value {
    place.orch(&[&["run", "init", "A goal"][..], more].concat()).ok()
}

#[test]
fn a_new_run_takes_what_its_command_line_does_not_say() {
    let place = with_settings(SETTINGS);
    let made = init_call(&place, &["--name", "r", "--verify", "true"]);
    assert_eq!(made["run"]["verify"], json!(["true"]), "the command line wins");
    assert_eq!(
        (&made["run"]["setup"], &made["run"]["copy"], &made["run"]["check_env"], &made["run"]["check_cache"]),
        (&json!("true"), &json!([".env"]), &json!(["CI=1"]), &json!(["target/"]))
    );
    assert_eq!(made["defaults"], json!(["copy", "check_env", "check_cache", "setup", "worktree_root"]));
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    assert!(work.path.starts_with(place.sibling_path("elsewhere")), "{}", work.path.display());
    let all = init_call(&place, &["--name", "all"]);
    assert_eq!(all["run"]["verify"], json!(["test -e base.txt"]));
    let bare = init_call(&place, &["--name", "bare", "--no-worktrees"]);
    assert_eq!(bare["defaults"], Value::Null, "nothing is checked in a run without worktrees");
}

#[test]
fn a_drive_takes_profiles_and_checks_from_there() {
    let place = with_settings(SETTINGS);
    let plan = place.write_file(
        "plan.jsonl",
        "{\"run\":{\"title\":\"r\"}}\n{\"key\":\"a\",\"title\":\"x\",\"spec\":\"echo x > x; git add .; git commit -qm x\"}\n",
    );
    let printed = place.orch(&["drive", "--plan", plan.to_str().unwrap()]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(place.show_run()["verify"], json!(["test -e base.txt"]));
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["checks"], "passed");
}

#[test]
fn what_a_repository_brings_along_is_never_obeyed() {
    let place = TestEnvironment::with_repository();
    place.commit_all("orch.toml", "[defaults]\nsetup = \"touch ../stolen\"\n");
    let made = init_call(&place, &[]);
    assert_eq!((&made["defaults"], &made["run"]["setup"]), (&Value::Null, &Value::Null));
}

#[test]
fn settings_that_others_could_have_written_are_refused() {
    let place = with_settings(SETTINGS);
    let folder = place.repository_path().join(".git/orch");
    let open = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(&folder, 0o755);
    open(&folder.join("orch.toml"), 0o666);
    let refused = place.orch(&["run", "init", "A goal"]).fails("store_untrusted");
    assert_eq!(refused["details"]["paths"][0], folder.join("orch.toml").to_str().unwrap());
    place.orch(&["trust", folder.join("orch.toml").to_str().unwrap()]).ok();
    assert_eq!(init_call(&place, &[])["run"]["setup"], "true");
}

#[test]
fn a_field_that_no_command_uses_is_refused() {
    for wrong in ["hub = \"origin\"", "verfy = \"x\"", "check_env = \"a b\""] {
        let place = with_settings(&format!("[defaults]\n{wrong}\n"));
        let refused = place.orch(&["run", "init", "A goal"]).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "orch.toml", "{wrong}");
    }
}

/// Work for a person makes an event that wakes the lead, who has to tell them; work for a program does not.
#[test]
fn work_that_is_sent_to_a_person_wakes_the_lead() {
    let place = with_settings("[defaults]\nhumans = [\"ada\"]\n");
    init_call(&place, &["--name", "r"]);
    for (key, agent, is_person) in [("a", "ada", true), ("b", "w", false), ("c", "human", true)] {
        place.add_task(key, &[]);
        place.orch(&["dispatch", key, "--to", agent]).ok();
        let waited = place.orch(&["wait", "--timeout", "0s"]).run();
        assert_eq!(waited.exit, if is_person { 0 } else { 5 }, "{agent}: {waited:?}");
        if is_person {
            let news = waited.ok();
            let event = &news["events"][0];
            assert_eq!(
                (&event["kind"], &event["agent"], &event["needs_action"]),
                (&"assigned".into(), &agent.into(), &true.into())
            );
            assert_eq!(
                event["next"],
                json!([format!("orch task show r/{key}"), format!("inbox claim --as {agent}")])
            );
            place.orch(&["ack", "--through", news["cursor"].as_str().unwrap()]).ok();
        }
    }
    let named = place.orch(&["wait", "--for", "assigned", "--after", "e-0", "--timeout", "0s"]).ok();
    assert_eq!(named["events"].as_array().unwrap().len(), 2);
}

#[test]
fn people_are_named_as_agents_are() {
    let place = with_settings("[defaults]\nhumans = [\"not a name\"]\n");
    init_call(&place, &["--name", "r"]);
    place.add_task("a", &[]);
    place.orch(&["dispatch", "a", "--to", "w"]).fails("invalid_argument");
}
