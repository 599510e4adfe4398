//! Whole plans: all or nothing.

use orch_core::id::Slug;
use orch_core::refusal::Refusal;
use orch_core::run::RunEdit;
use orch_core::task::TaskEdit;
use orch_inbox::{Error, Receipt, Response};
use orch_scheduler::plan::{self, PlannedTask, TaskPlan};
use orch_scheduler::task::TaskAction;
use orch_testkit::TestSession;
use orch_testkit::test_session::{expect_fresh, new_task, parse_slug};

/// A plan of lines as [`TestSession::add_tasks`] takes them; a line without a key gets one made.
fn plan_of_lines(lines: &[&str]) -> TaskPlan {
    let tasks = lines.iter().zip(1..).map(|(line, number)| planned_task(line, number)).collect();
    TaskPlan { tasks, ..TaskPlan::default() }
}

fn planned_task(line: &str, number: u32) -> PlannedTask {
    let (key, after) = line.split_once('<').unwrap_or((line, ""));
    let after: Vec<&str> = after.split_whitespace().collect();
    let mut task = new_task(if key.trim().is_empty() { "none" } else { key.trim() }, &after);
    if key.trim().is_empty() {
        task.key = None;
    }
    let named = TaskEdit { title: Some(task.title.clone()), ..TaskEdit::default() };
    PlannedTask { task, named, names_after: line.contains('<'), line: number }
}

fn add_plan(desk: &mut TestSession, plan: &TaskPlan) -> Result<plan::PlanOutcome, Error> {
    plan::add_plan(&mut desk.session, None, &desk.lead, None, plan).map(expect_fresh)
}

/// The line, the field and the refusal of a plan that is refused.
fn refusal_of(outcome: Result<plan::PlanOutcome, Error>) -> (u32, &'static str, Refusal) {
    match outcome {
        Err(Error::Refused(Refusal::InPlan { line, field, refusal })) => (line, field, *refusal),
        other => panic!("{other:?}"),
    }
}

fn task_keys(desk: &mut TestSession) -> Vec<String> {
    let run =
        orch_scheduler::run::show_run(&mut desk.session, None, &orch_testkit::test_session::whole_page())
            .unwrap();
    run.tasks.items.iter().map(|shown| shown.task.name.key.to_string()).collect()
}

#[test]
fn a_plan_is_added_whole_with_references_forward_backward_and_out() {
    let mut desk = TestSession::with_tasks(&["there"]);
    let planned = add_plan(&mut desk, &plan_of_lines(&["z < a there", "a", "b < z a"])).unwrap();
    assert_eq!(
        (planned.added, planned.changed, planned.dependencies, planned.levels, planned.ready),
        (3, 0, 4, 3, 1)
    );
    assert_eq!(desk.task_states(&["there", "z", "a", "b"]), ["ready", "waiting", "ready", "waiting"]);
    let ranks: Vec<u32> = ["there", "z", "a", "b"].map(|key| desk.task_detail(key).shown.task.rank).to_vec();
    assert_eq!(ranks, [2, 1, 2, 0]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn keys_are_made_around_those_that_are_given() {
    let mut desk = TestSession::with_tasks(&["t2"]);
    add_plan(&mut desk, &plan_of_lines(&["", "t3", "", "x < t1"])).unwrap();
    assert_eq!(task_keys(&mut desk), ["t2", "t1", "t3", "t4", "x"]);
    add_plan(&mut desk, &plan_of_lines(&[""])).unwrap();
    assert_eq!(task_keys(&mut desk).last().unwrap(), "t5");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_bad_line_leaves_nothing_behind() {
    let mut desk = TestSession::with_tasks(&["there"]);
    let before = desk.list_events(Some("r")).len();
    let cases: [(&[&str], u32, &str); 6] = [
        (&["a", "b < a", "c < nothing"], 3, "after"),
        (&["a", "a"], 2, "key"),
        (&["a", "there"], 2, "key"),
        (&["a", "b < a a"], 2, "after"),
        (&["a < a"], 1, "after"),
        (&["x", "a < c", "b < a", "c < b"], 0, "after"),
    ];
    for (lines, line, field) in cases {
        let (at, named, refusal) = refusal_of(add_plan(&mut desk, &plan_of_lines(lines)));
        assert_eq!(named, field, "{lines:?}: {refusal:?}");
        if let Refusal::DependencyCycle { path, .. } = &refusal {
            assert_eq!(path.first(), path.last());
            assert!(at >= 1);
        } else {
            assert_eq!(at, line, "{lines:?}: {refusal:?}");
        }
        assert_eq!(task_keys(&mut desk), ["there"], "{lines:?}");
        assert_eq!(desk.list_events(Some("r")).len(), before, "{lines:?}");
    }
}

#[test]
fn a_dry_run_answers_the_same_and_keeps_nothing() {
    let mut desk = TestSession::with_tasks(&["there"]);
    let wanted = plan_of_lines(&["a < there", "", "c < a"]);
    let dry = add_plan(&mut desk, &TaskPlan { dry_run: true, ..wanted.clone() }).unwrap();
    assert_eq!(task_keys(&mut desk), ["there"]);
    let kept = add_plan(&mut desk, &wanted).unwrap();
    assert_eq!(dry, kept);
    assert_eq!(task_keys(&mut desk), ["there", "a", "t1", "c"]);
}

#[test]
fn a_dry_run_is_not_what_its_request_id_did() {
    let mut desk = TestSession::with_tasks(&["there"]);
    let encode = |planned: &plan::PlanOutcome| planned.added.to_string();
    let receipt = Receipt { key: "k-1", fingerprint: "dry", encode: &encode };
    let dry = TaskPlan { dry_run: true, ..plan_of_lines(&["a"]) };
    for _ in 0..2 {
        let answer = plan::add_plan(&mut desk.session, Some(&receipt), &desk.lead, None, &dry).unwrap();
        assert!(matches!(answer, Response::Fresh(_)), "nothing was applied that could be repeated");
    }
    let shown = orch_scheduler::request::show_request(&mut desk.session, "k-1").unwrap_err();
    assert!(matches!(shown, Error::Refused(Refusal::RequestNotFound { .. })), "{shown:?}");
}

#[test]
fn an_update_changes_by_key_and_leaves_live_and_finished_tasks_alone() {
    let mut desk = TestSession::with_tasks(&["a", "b < a", "c", "live", "done"]);
    desk.start_task("live", "w").unwrap();
    let held = desk.start_task("done", "w").unwrap();
    desk.close_done(&held).unwrap();
    let mut wanted = plan_of_lines(&["a", "b < new", "c < a", "live < a", "done < a", "new < a"]);
    wanted.update = true;
    for planned in &mut wanted.tasks {
        planned.task.title = "Changed".to_owned();
        planned.named.title = Some("Changed".to_owned());
    }
    let planned = add_plan(&mut desk, &wanted).unwrap();
    assert_eq!((planned.added, planned.changed, planned.dependencies), (1, 3, 3));
    let waits: Vec<Vec<Slug>> =
        ["b", "c", "new"].map(|key| desk.task_detail(key).shown.waits_for.clone()).to_vec();
    assert_eq!(waits, [vec![parse_slug("new")], vec![parse_slug("a")], vec![parse_slug("a")]]);
    for (key, title) in [("a", "Changed"), ("live", "Do live"), ("done", "Do done")] {
        assert_eq!(desk.task_detail(key).shown.task.title, title, "{key}");
    }
    let again = add_plan(&mut desk, &wanted).unwrap();
    assert_eq!((again.added, again.changed, again.dependencies), (0, 0, 0), "twice is once");
    assert_eq!(again.levels, planned.levels, "the plan is as deep as before");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn an_update_that_would_close_a_cycle_is_refused_whole() {
    let mut desk = TestSession::with_tasks(&["a", "b < a"]);
    let mut wanted = plan_of_lines(&["a < new", "new < b"]);
    wanted.update = true;
    let (_, field, refusal) = refusal_of(add_plan(&mut desk, &wanted));
    assert_eq!(field, "after");
    assert!(matches!(refusal, Refusal::DependencyCycle { .. }), "{refusal:?}");
    assert_eq!(task_keys(&mut desk), ["a", "b"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_plan_behind_what_failed_is_skipped_as_far_as_it_depends_on_it() {
    let mut desk = TestSession::with_tasks(&["bad", "good"]);
    let held = desk.start_task("bad", "w").unwrap();
    desk.close_failed(&held, true).unwrap();
    let held = desk.start_task("good", "w").unwrap();
    desk.close_done(&held).unwrap();
    add_plan(&mut desk, &plan_of_lines(&["z < y", "y < x good", "x < bad", "free < good"])).unwrap();
    assert_eq!(desk.task_states(&["x", "y", "z", "free"]), ["skipped", "skipped", "skipped", "ready"]);
    desk.change_task("bad", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&["x", "y", "z", "free"]), ["waiting", "waiting", "waiting", "ready"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_plan_may_change_its_run_and_opens_a_finished_one() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_done(&held).unwrap();
    assert_eq!(desk.show_run("r").unwrap().state.status().name(), "finished");
    let run = RunEdit { goal: Some("More.".to_owned()), max_attempts: Some(7), ..RunEdit::default() };
    add_plan(&mut desk, &TaskPlan { run, ..plan_of_lines(&["b"]) }).unwrap();
    let run = desk.show_run("r").unwrap();
    assert_eq!((run.state.status().name(), run.goal.as_deref()), ("open", Some("More.")));
    assert_eq!(run.policy.max_attempts, 7);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn labels_that_are_given_twice_count_once() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let mut wanted = plan_of_lines(&["b"]);
    wanted.tasks[0].task.labels = vec![parse_slug("ui"), parse_slug("api"), parse_slug("ui")];
    add_plan(&mut desk, &wanted).unwrap();
    assert_eq!(desk.task_detail("b").shown.task.labels, [parse_slug("ui"), parse_slug("api")]);
    let edit = TaskEdit { labels: Some(vec![parse_slug("db"), parse_slug("db")]), ..TaskEdit::default() };
    let target = orch_testkit::test_session::task_ref("b");
    orch_scheduler::task::edit_task(&mut desk.session, None, &desk.lead, &target, &edit).unwrap();
    assert_eq!(desk.task_detail("b").shown.task.labels, [parse_slug("db")]);
}

#[test]
fn an_update_repairs_what_is_skipped() {
    let mut desk = TestSession::with_tasks(&["bad", "a < bad", "b < a"]);
    let held = desk.start_task("bad", "w").unwrap();
    desk.close_failed(&held, true).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["skipped", "skipped"]);
    let mut wanted = plan_of_lines(&["bad", "other", "a < other", "b < a"]);
    wanted.update = true;
    let planned = add_plan(&mut desk, &wanted).unwrap();
    assert_eq!((planned.added, planned.changed), (1, 1));
    assert_eq!(desk.task_states(&["bad", "other", "a", "b"]), ["failed", "ready", "waiting", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}
