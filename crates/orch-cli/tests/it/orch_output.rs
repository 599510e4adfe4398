//! What people see, what documents look like, and how many bytes answers have.

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A run in which something of everything happens.
fn busy_run() -> TestEnvironment {
    let place = TestEnvironment::without_store();
    place.begin_run("ship", &["--max-attempts", "1"]);
    for (key, after) in [
        ("done", vec![]),
        ("asks", vec!["done"]),
        ("fails", vec![]),
        ("behind", vec!["fails"]),
        ("free", vec![]),
    ] {
        place.add_task(key, &after);
    }
    place.complete_task("done", "w1");
    let held = place.start_task("asks", "w2");
    place.holder_call(&held, &["ask", &held.thread, "Which `port`?", "--option", "80"]).ok();
    let held = place.start_task("fails", "w3");
    place.fail_work(&held, "It broke.");
    place
}

#[test]
fn a_status_says_how_it_is_and_what_to_type_next() {
    let text = busy_run().orch(&["status"]).text();
    for expected in [
        "ship  open  A goal",
        "1 of 5 done",
        "○ 1 ready  ? 1 blocked  ✓ 1 done  ✗ 1 failed  ⊘ 1 skipped",
        "Under way\n",
        "? ship/asks  w2 asked",
        "  Which `port`?\n  - 80\n",
        "✗ fails  Do it: It broke.\n",
        "  orch answer ship/asks TEXT\n",
        "  orch dispatch --all --to AGENT --run ship\n",
        "  orch task retry ship/fails\n",
    ] {
        assert!(text.contains(expected), "{expected:?} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "a pipe has no colours");
}

#[test]
fn every_command_has_a_text() {
    let place = busy_run();
    for (words, expected) in [
        ("run show", "ship  open  A goal"),
        ("run list", "RUN   STATE  DONE"),
        ("run edit --title B", "ship  open  B"),
        ("run pause", "ship  paused  B"),
        ("run resume", "ship  open  B"),
        ("task list", "TASK    STATE"),
        ("task show fails", "Attempts\n  ship/fails@1  failed  w3"),
        ("task edit free --priority 1", "ship/free  ○ ready  Do it"),
        ("task add New --key new", "ship/new  ○ ready  New"),
        ("task cancel new", "ship/new  − cancelled  New"),
        ("task retry new", "ship/new  ○ ready  New"),
        ("dep list", "TASK         WAITS FOR   STATE"),
        ("ready", "free  ○ ready  1"),
        ("blocked", "? ship/asks  w2 asked"),
        ("why behind", "ship/behind  ⊘ skipped\n- "),
        ("why free", "- It has no agent.\n  orch dispatch ship/free --to AGENT\n"),
        ("task edit free --agent w9", "ship/free  ○ ready  Do it  w9\n"),
        ("why free", "The task can be dispatched now.\n  orch dispatch ship/free\n"),
        ("dispatch free --to w1", "ship/free → w1  as ship/free@1 in th-4\n"),
        ("tell free Hello", "Told w1 as m-"),
        ("recall free", "ship/free  ○ ready  Do it"),
        ("dispatch --all --to w1", "Dispatched 2 tasks.\nship/free → w1"),
        ("reconcile", "Nothing to do.\n"),
        ("answer asks 80", "Answered w2 as m-"),
        ("wait --for question", "e-"),
        ("ack --through e-9", "Acknowledged through e-9.\n"),
        ("events --limit 1", "e-1 "),
        ("graph", "ship: 6 tasks, 2 levels, 2 dependencies\n\n1 ┬ ✓ done"),
        ("doctor", "CHECK"),
        ("init", "The store at sqlite:"),
        ("schema ready", "{\n"),
    ] {
        let arguments: Vec<&str> = words.split(' ').collect();
        let text = place.orch(&arguments).text();
        assert!(text.contains(expected), "{words}: {expected:?} in\n{text}");
        assert!(text.ends_with('\n') && !text.contains(" \n"), "{words}: {text:?}");
    }
    place.orch(&["run", "cancel"]).text();
}

#[test]
fn errors_for_people_go_to_stderr() {
    let place = TestEnvironment::with_run("r");
    let printed = place.orch(&["task", "show", "none", "--text"]).run();
    assert_eq!((printed.exit, printed.stdout.as_str()), (3, ""));
    assert_eq!(printed.stderr, "error: Task r/none not found.\nhint: orch task list --run r\n");
    place.add_task("a", &[]);
    let warned = place.orch(&["dispatch", "a", "--to", "w", "--text"]).run();
    assert!(warned.stderr.starts_with("warning: No agent w was ever seen"), "{warned:?}");
}

#[test]
fn a_graph_is_drawn_four_ways() {
    let place = busy_run();
    let graph = place.orch(&["graph"]).ok();
    assert_eq!(graph["tasks"].as_array().unwrap().len(), 5);
    assert_eq!(graph["dependencies"][0], serde_json::json!({"task": "ship/asks", "on": "ship/done"}));
    assert_eq!(place.orch(&["graph", "--format", "json"]).ok(), graph);
    let drawn = |format: &str| place.orch(&["graph", "--format", format]).run().stdout;
    assert!(drawn("mermaid").starts_with("flowchart TD\n"), "{}", drawn("mermaid"));
    assert!(drawn("dot").starts_with("digraph \"ship\" {\n"), "{}", drawn("dot"));
    assert_eq!(drawn("text"), place.orch(&["graph"]).text());
    let wrapped = place.orch(&["graph", "--format", "dot", "--json"]).ok();
    assert_eq!(json_text(&wrapped["document"]), drawn("dot"));
    place.orch(&["graph", "--format", "svg"]).fails("invalid_argument");
}

#[test]
fn documents_are_printed_as_they_are() {
    let place = TestEnvironment::without_store();
    for (words, begins) in [
        ("--help", "Plan a goal"),
        ("--version", "orch "),
        ("prime", "A lead plans with orch"),
        ("completions bash", "\n_clap_complete_orch() {"),
        ("task add --help", "Add a task to a run"),
    ] {
        let printed = place.orch(&words.split(' ').collect::<Vec<_>>()).run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        assert!(printed.stdout.starts_with(begins), "{printed:?}");
    }
    let prime = place.orch(&["prime", "--json"]).ok();
    assert!(json_text(&prime["document"]).len() <= 2048);
    let folder = place.path().join("man");
    std::fs::create_dir(&folder).unwrap();
    place.orch(&["man", folder.to_str().unwrap()]).run();
    assert!(folder.join("orch-task-add.1").exists());
    assert_eq!(place.orch(&["schema", "task", "add"]).ok()["schemas"].as_object().unwrap().len(), 1);
    place.orch(&["schema", "sing"]).fails("invalid_argument");
    place.orch(&["sing"]).fails("invalid_argument");
}

#[test]
fn texts_of_strangers_are_harmless_on_paper_and_whole_in_json() {
    let place = TestEnvironment::with_run("r");
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\u{9b}31m";
    place.orch(&["task", "add", evil, "--key", "a", "--spec", evil, "--accept", evil]).ok();
    place.orch(&["run", "edit", "--title", evil, "--goal", evil]).ok();
    let held = place.start_task("a", "w");
    place.holder_call(&held, &["progress", &held.thread, evil]).ok();
    place.holder_call(&held, &["ask", &held.thread, evil, "--option", evil, "--default", evil]).ok();
    for words in
        ["status", "run show", "run list", "task list", "task show a", "blocked", "events", "graph", "why a"]
    {
        let text = place.orch(&words.split(' ').collect::<Vec<_>>()).text();
        let harmful = |character: char| character.is_control() && character != '\n';
        assert!(!text.contains(harmful), "{words}: {text:?}");
    }
    for format in ["mermaid", "dot", "text"] {
        let drawn = place.orch(&["graph", "--format", format]).run().stdout;
        assert!(!drawn.contains('\u{1b}') && !drawn.contains('\u{9b}'), "{drawn:?}");
    }
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["task"]["title"], evil);
}

#[test]
fn answers_are_small() {
    let place = TestEnvironment::without_store();
    place.orch(&["run", "init", "Ship the parser", "--name", "ship"]).ok();
    let line = |number: usize| {
        let after = if number < 5 { String::new() } else { format!(",\"after\":[\"t{}\"]", number - 5) };
        format!("{{\"key\":\"t{number}\",\"title\":\"Module {number}\"{after}}}\n")
    };
    let plan: String = (0..40).map(line).collect();
    place.orch(&["task", "add", "--file", "-"]).stdin(plan).ok();
    for _ in 0..20 {
        place.orch(&["task", "add", "One more module"]).ok();
    }
    let bytes = |arguments: &[&str]| place.orch(arguments).run().stdout.len();
    assert!(bytes(&["ready", "--limit", "10"]) <= 2_000, "{}", bytes(&["ready", "--limit", "10"]));
    assert!(
        bytes(&["run", "show", "--limit", "40"]) <= 8_192,
        "{}",
        bytes(&["run", "show", "--limit", "40"])
    );
    let held = place.start_task("t0", "w");
    place.holder_call(&held, &["ask", &held.thread, "Which of the two formats do you want?"]).ok();
    place.orch(&["run", "cancel"]).ok();
    let blocked = place.orch(&["blocked", "--run", "ship"]).run().stdout;
    assert!(blocked.len() <= 1_000, "{} bytes: {blocked}", blocked.len());
}
