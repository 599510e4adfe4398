//! The graph: skipping and its repair, ranks, cycles.

use orch_core::graph::layout_graph;
use orch_core::id::Slug;
use orch_core::refusal::Refusal;
use orch_inbox::Error;
use orch_query::graph;
use orch_scheduler::task;
use orch_scheduler::task::TaskAction;
use orch_testkit::TestSession;
use orch_testkit::seeded_rng::SeededRng;
use orch_testkit::test_session::{parse_slug, whole_page};

/// A diamond with a tail: b and c wait for a, d for both, e for d.
const DIAMOND: [&str; 5] = ["a", "b < a", "c < a", "d < b c", "e < d"];
const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn fail_task(desk: &mut TestSession, key: &str) {
    let held = desk.start_task(key, "w").unwrap();
    desk.close_failed(&held, true).unwrap();
}

#[test]
fn a_failure_skips_everything_behind_it_and_a_retry_repairs_it() {
    let mut desk = TestSession::with_tasks(&DIAMOND);
    fail_task(&mut desk, "a");
    assert_eq!(desk.task_states(&KEYS), ["failed", "skipped", "skipped", "skipped", "skipped"]);
    assert_eq!(desk.broken_invariants(), []);
    let refused = desk.change_task("e", TaskAction::Retry).unwrap_err();
    let Error::Refused(Refusal::TaskSkipped { cause, root, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(
        (cause, root),
        (vec![parse_slug("d")], Some(parse_slug("a"))),
        "the root is what a retry repairs"
    );
    desk.change_task("a", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["ready", "waiting", "waiting", "waiting", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn what_is_behind_two_failures_is_repaired_by_the_second() {
    let mut desk = TestSession::with_tasks(&DIAMOND);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_done(&held).unwrap();
    fail_task(&mut desk, "b");
    fail_task(&mut desk, "c");
    assert_eq!(desk.task_states(&KEYS), ["done", "failed", "failed", "skipped", "skipped"]);
    desk.change_task("b", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["done", "ready", "failed", "skipped", "skipped"]);
    desk.change_task("c", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["done", "ready", "ready", "waiting", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn taking_the_dependency_away_repairs_what_it_skipped() {
    let mut desk = TestSession::with_tasks(&DIAMOND);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_done(&held).unwrap();
    fail_task(&mut desk, "b");
    let held = desk.start_task("c", "w").unwrap();
    desk.close_done(&held).unwrap();
    desk.remove_dependency("d", "b").unwrap();
    assert_eq!(desk.task_states(&KEYS), ["done", "failed", "done", "ready", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn cancelling_skips_and_a_skipped_task_can_be_cancelled_itself() {
    let mut desk = TestSession::with_tasks(&DIAMOND);
    desk.change_task("b", TaskAction::Cancel).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["ready", "cancelled", "waiting", "skipped", "skipped"]);
    desk.change_task("d", TaskAction::Cancel).unwrap();
    desk.change_task("b", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["ready", "waiting", "waiting", "cancelled", "skipped"]);
    desk.change_task("d", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&KEYS), ["ready", "waiting", "waiting", "waiting", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_new_task_behind_a_failure_is_skipped_at_once_and_one_behind_done_work_is_ready() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    fail_task(&mut desk, "a");
    let held = desk.start_task("b", "w").unwrap();
    desk.close_done(&held).unwrap();
    desk.add_tasks("r", &["c < a b", "d < b"]);
    assert_eq!(desk.task_states(&["c", "d"]), ["skipped", "ready"]);
    desk.add_dependencies("d", &["a"]).unwrap();
    assert_eq!(desk.task_state("d").name(), "skipped");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn edges_are_refused_where_they_cannot_be() {
    let mut desk = TestSession::with_tasks(&["a", "b < a", "c < b", "x"]);
    let cycle = desk.add_dependencies("a", &["c"]).unwrap_err();
    let Error::Refused(Refusal::DependencyCycle { path, .. }) = cycle else { panic!("{cycle:?}") };
    assert_eq!(path, [parse_slug("a"), parse_slug("c"), parse_slug("b"), parse_slug("a")]);
    for (task, on) in [("a", "a"), ("a", "b")] {
        let refused = desk.add_dependencies(task, &[on]).unwrap_err();
        assert!(matches!(refused, Error::Refused(Refusal::DependencyCycle { .. })), "{refused:?}");
    }
    let refused = desk.add_dependencies("b", &["a"]).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::DependencyExists { .. })), "{refused:?}");
    let refused = desk.remove_dependency("c", "a").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::DependencyNotFound { .. })), "{refused:?}");
    let refused = desk.add_dependencies("x", &["a", "b", "nothing"]).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskNotFound { .. })), "{refused:?}");
    assert_eq!(desk.task_detail("x").dependencies.len(), 0, "all or none");
    let held = desk.start_task("x", "w").unwrap();
    let refused = desk.add_dependencies("x", &["a"]).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptLive { .. })), "{refused:?}");
    desk.close_done(&held).unwrap();
    let refused = desk.add_dependencies("x", &["a"]).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskFinished { .. })), "{refused:?}");
}

/// Ranks as a fresh layout of the same graph gives them.
fn fresh_ranks(graph: &graph::TaskGraph) -> Vec<u32> {
    let keys: Vec<&Slug> = graph.tasks.items.iter().map(|shown| &shown.task.name.key).collect();
    let place = |edge: &graph::GraphEdge| (edge.task, keys.iter().position(|key| **key == edge.on).unwrap());
    let edges: Vec<(usize, usize)> = graph.edges.iter().map(place).collect();
    layout_graph(keys.len(), &edges, &[]).unwrap().ranks
}

#[test]
fn ranks_after_any_edits_equal_those_of_a_fresh_layout() {
    for seed in 0..20 {
        let mut chance = SeededRng::new(seed);
        let keys: Vec<String> = (0..14).map(|number| format!("k{number}")).collect();
        let lines: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut desk = TestSession::with_tasks(&lines);
        for _ in 0..60 {
            let task = chance.pick(&lines).unwrap();
            let on = chance.pick(&lines).unwrap();
            // Half of these are refused: they exist already, or would close a cycle.
            let _ = if chance.is_within_percent(33) {
                desk.remove_dependency(task, on)
            } else {
                desk.add_dependencies(task, &[on, chance.pick(&lines).unwrap()])
            };
        }
        let graph = graph::load_graph(&mut desk.session, None, &whole_page()).unwrap();
        assert!(graph.edges.len() > 3, "seed {seed}");
        let kept: Vec<u32> = graph.tasks.items.iter().map(|shown| shown.task.rank).collect();
        assert_eq!(kept, fresh_ranks(&graph), "seed {seed}");
        assert_eq!(desk.broken_invariants(), [], "seed {seed}");
    }
}

#[test]
fn edits_follow_the_state_of_the_task() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let harmless = orch_core::task::TaskEdit { title: Some("Another".to_owned()), ..Default::default() };
    let spec = orch_core::task::TaskEdit { spec: Some("More.".to_owned()), ..Default::default() };
    let edit = |desk: &mut TestSession, edit: &orch_core::task::TaskEdit| {
        task::edit_task(
            &mut desk.session,
            None,
            &parse_slug("lead"),
            &orch_testkit::test_session::task_ref("a"),
            edit,
        )
    };
    edit(&mut desk, &harmless).unwrap();
    edit(&mut desk, &spec).unwrap();
    let held = desk.start_task("a", "w").unwrap();
    edit(&mut desk, &harmless).unwrap();
    let refused = edit(&mut desk, &spec).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptLive { .. })), "{refused:?}");
    desk.close_done(&held).unwrap();
    let refused = edit(&mut desk, &harmless).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskFinished { .. })), "{refused:?}");
    assert_eq!(desk.task_detail("a").text.spec.as_deref(), Some("More."));
}

#[test]
fn the_root_of_a_skipped_task_is_found_far_back() {
    let keys: Vec<String> = (0..300).map(|number| format!("k{number}")).collect();
    let lines: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(index, key)| if index == 0 { key.clone() } else { format!("{key} < {}", keys[index - 1]) })
        .collect();
    let mut desk = TestSession::with_tasks(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    fail_task(&mut desk, "k0");
    let refused = desk.change_task("k299", TaskAction::Retry).unwrap_err();
    let Error::Refused(Refusal::TaskSkipped { cause, root, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!((cause, root), (vec![parse_slug("k298")], Some(parse_slug("k0"))));
}
