//! How SQLite goes about each statement: by the index that was made for it, without sorting, never through a whole
//! table.

use orch_core::event::EventKind;
use orch_core::id::{EventId, MessageId, RunId, TaskId, ThreadId};
use orch_core::message::MessageKind;
use orch_core::store_clock::ClockReading;
use orch_core::task::TaskState;
use orch_core::thread::ThreadStatus;
use orch_store::table::{
    agent, attempt, dependency, event, lease_token, message, request, run, task, thread,
};
use orch_store::{Fault, Store, StoreLocation, StoreOptions, Transaction};

use crate::fixture::{NOW, read_store, test_slug};

/// An empty store whose plans are asked for.
struct PlanRecorder {
    location: StoreLocation,
    _folder: tempfile::TempDir,
}

impl PlanRecorder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = StoreLocation::Sqlite(folder.path().join("orch.db"));
        Store::create(&location, StoreOptions::default()).unwrap();
        Self { location, _folder: folder }
    }

    /// The steps of what `work` runs.
    fn plan_steps<T>(&self, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> Vec<String> {
        let mut store = Store::open(&self.location, StoreOptions::default()).unwrap();
        read_store(&mut store, work);
        store.query_plans().unwrap().into_iter().flat_map(|plan| plan.steps).collect()
    }

    /// Checks that `work` goes by these indexes, each in one step of its plan, and sorts nothing.
    fn check_plan<T>(
        &self,
        name: &str,
        indexes: &[&str],
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) {
        let steps = self.plan_steps(work);
        for index in indexes {
            let by = |step: &String| step.split_whitespace().any(|word| word == *index);
            assert!(steps.iter().any(by), "{name} does not use {index}: {steps:#?}");
        }
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{name} sorts: {steps:#?}");
        assert!(
            !steps.iter().any(|step| scans_whole_table(step)),
            "{name} looks through a table: {steps:#?}"
        );
    }
}

/// Whether a step looks through a whole table; an index of a few rows may be walked.
fn scans_whole_table(step: &str) -> bool {
    const FEW: [&str; 10] = [
        "attempt_live",
        "thread_news",
        "thread_defaulting",
        "thread_owned_lapsing",
        "run_unfinished",
        "CONSTANT ROW",
        "SCAN timers",
        "json_each",
        // The result of a subquery.
        "SCAN part_",
        "SCAN event",
    ];
    step.starts_with("SCAN ") && !FEW.iter().any(|few| step.contains(few))
}

const RUN: RunId = RunId(1);
const TASK: TaskId = TaskId(1);
const THREAD: ThreadId = ThreadId(1);

#[test]
fn what_every_command_asks_goes_by_its_index() {
    let explained = PlanRecorder::new();
    let news = ["thread_news", "thread_owned_lapsing", "thread_defaulting"];
    explained.check_plan("news", &news, thread::load_timers);
    explained.check_plan("unfinished", &["run_unfinished"], run::list_unfinished);
    explained.check_plan("request", &[], |tx| request::load(tx, "k"));
    explained.check_plan("agent", &[], |tx| agent::load(tx, &test_slug("w")));
    explained.check_plan("next_timer", &["thread_owned_lapsing", "thread_defaulting"], thread::next_timer);
    explained.check_plan("next_default", &["thread_defaulting"], thread::next_default_time);
}

#[test]
fn claims_and_reports_go_by_their_indexes() {
    let explained = PlanRecorder::new();
    explained.check_plan("load", &[], |tx| thread::load(tx, THREAD));
    explained.check_plan("queue_length", &["thread_queue"], |tx| thread::queue_length(tx, &test_slug("w")));
    explained.check_plan("held_by", &["thread_held"], |tx| thread::count_held(tx, &test_slug("w")));
    explained
        .check_plan("next_lapse", &["thread_lapsing"], |tx| thread::next_lease_loss(tx, &test_slug("w")));
    explained.check_plan("with_news", &["thread_news"], thread::list_dirty);
    explained.check_plan("defaults_due", &["thread_defaulting"], |tx| thread::list_due_defaults(tx, NOW));
    explained.check_plan("owned_lapsed", &["thread_owned_lapsing"], |tx| thread::list_owned_lapsed(tx, NOW));
    let token = orch_core::lease::TokenDigest("t".to_owned());
    explained.check_plan("token", &[], |tx| lease_token::find_holder(tx, THREAD, &token));
    // What lapsed is sorted by urgency, but not more than that.
    let reading = ClockReading { wall: NOW, boot: None };
    let plans =
        explained.plan_steps(|tx| thread::find_claimable(tx, &test_slug("w"), &test_slug("v"), &reading));
    assert!(plans.iter().any(|plan| plan.contains("thread_queue")), "{plans:#?}");
    assert!(plans.iter().any(|plan| plan.contains("thread_lapsing")), "{plans:#?}");
    assert!(!plans.iter().any(|plan| scans_whole_table(plan)), "{plans:#?}");
}

#[test]
fn threads_are_listed_from_what_is_little() {
    let explained = PlanRecorder::new();
    let agent = test_slug("w");
    let all = thread::ThreadFilter { agent: None, state: None, unread_after: None, after: None, limit: 10 };
    let mine = thread::ThreadFilter { agent: Some(&agent), ..all };
    for (name, index, search) in [
        ("all", "thread_order", all),
        ("held", "thread_held", thread::ThreadFilter { state: Some(ThreadStatus::Claimed), ..all }),
        ("mine", "thread_to", mine),
        ("unread", "message_to", thread::ThreadFilter { unread_after: Some(MessageId(1)), ..mine }),
    ] {
        let steps = explained.plan_steps(|tx| thread::list(tx, &search));
        assert!(steps.iter().all(|step| !step.ends_with("SCAN thread")), "{name}: {steps:#?}");
        let by = |step: &String| step.split_whitespace().any(|word| word == index);
        assert_eq!(steps.iter().filter(|step| by(step)).count(), 2, "the part and its total: {steps:#?}");
    }
}

#[test]
fn tasks_are_found_by_their_indexes() {
    let explained = PlanRecorder::new();
    explained.check_plan("by_key", &["task_key"], |tx| task::load_by_key(tx, RUN, &test_slug("a")));
    explained.check_plan("id_by_key", &["task_key"], |tx| task::id_by_key(tx, RUN, &test_slug("a")));
    explained.check_plan("load", &[], |tx| task::load(tx, TASK));
    explained.check_plan("list", &["task_order"], |tx| task::list(tx, RUN, TASK, 10));
    explained.check_plan("in_state", &["task_state"], |tx| {
        task::list_in_state(tx, RUN, TaskState::Ready, TASK, 10)
    });
    explained.check_plan("ready", &["task_ready"], |tx| task::list_ready(tx, RUN, None, NOW, 10, None));
    explained.check_plan("ready", &["task_ready"], |tx| {
        task::list_ready(tx, RUN, Some(&test_slug("ui")), NOW, 10, None)
    });
    let steps = explained.plan_steps(|tx| task::critical_path(tx, RUN, 20));
    for index in ["task_ready", "task_live", "dependency_on"] {
        assert!(steps.iter().any(|step| step.contains(index)), "{index}: {steps:#?}");
    }
    assert!(!steps.iter().any(|step| scans_whole_table(step)), "{steps:#?}");
    explained.check_plan("in_states", &["task_state"], |tx| {
        task::list_in_states(tx, RUN, &[TaskState::Ready, TaskState::Failed], TASK, 10)
    });
    explained.check_plan("load_many", &[], |tx| task::load_many(tx, &[TASK]));
    explained.check_plan("load_by_keys", &["task_key"], |tx| task::load_by_keys(tx, RUN, &[&test_slug("a")]));
    explained.check_plan("backing_off", &["task_backoff"], |tx| task::count_backing_off(tx, RUN, NOW));
    explained.check_plan("next_try", &["task_backoff"], |tx| task::next_retry_time(tx, RUN, NOW));
    explained.check_plan("count_ready", &[], |tx| task::count_ready(tx, &[TASK]));
    explained.check_plan("text", &[], |tx| task::load_text(tx, TASK));
    explained
        .check_plan("labelled", &[], |tx| task::list_labelled(tx, RUN, &test_slug("ui"), None, TASK, 10));
    explained
        .check_plan("ready_labelled", &[], |tx| task::count_ready_labelled(tx, RUN, &test_slug("ui"), NOW));
    explained.check_plan("queued_of_run", &["task_state"], |tx| thread::list_queued_by_run(tx, RUN));
    explained.check_plan("live attempts", &["attempt_live"], |tx| attempt::list_live_of_all_runs(tx, 10));
    explained.check_plan("timeline", &["task_order", "attempt_number"], |tx| {
        attempt::list_by_run(tx, RUN, (TASK, 1), 10)
    });
    explained.check_plan("durations", &["task_state"], |tx| attempt::recent_durations(tx, RUN));
    explained.check_plan("of_task", &["attempt_number"], |tx| attempt::list_by_task(tx, TASK, 5));
    explained.check_plan("next", &[], attempt::next_id);
}

#[test]
fn edges_are_found_from_both_ends() {
    let explained = PlanRecorder::new();
    let behind = ["dependency_on"];
    explained.check_plan("dependents", &behind, |tx| dependency::list_dependents(tx, TASK));
    explained.check_plan("ranked_dependents", &behind, |tx| dependency::ranked_dependents(tx, TASK));
    explained.check_plan("longest_dependent", &behind, |tx| dependency::longest_dependent(tx, TASK));
    explained.check_plan("edges_on_task", &behind, |tx| dependency::edges_on_task(tx, TASK, TASK, 10));
    explained.check_plan("exists", &[], |tx| dependency::exists(tx, TASK, TASK));
    explained.check_plan("ranked_dependencies", &[], |tx| dependency::ranked_dependencies(tx, TASK));
    explained.check_plan("waits_for", &[], |tx| dependency::waits_for(tx, TASK));
    explained.check_plan("broken", &[], |tx| dependency::broken_keys_many(tx, &[TASK]));
    let steps = explained.plan_steps(|tx| dependency::root_causes(tx, &[TASK], 9));
    assert!(!steps.iter().any(|step| scans_whole_table(step)), "{steps:#?}");
    explained.check_plan("keys", &[], |tx| dependency::dependency_keys(tx, TASK));
    explained.check_plan("edges_of_task", &[], |tx| dependency::edges_of_task(tx, TASK, TASK, 10));
}

#[test]
fn messages_and_events_are_found_by_who_asks() {
    let explained = PlanRecorder::new();
    let none = MessageId(0);
    let to = test_slug("w");
    let search = message::MessageFilter { to: &to, after: none, thread: None, kind: None, limit: 10 };
    explained.check_plan("search", &["message_to"], |tx| message::list_matching(tx, &search));
    let of_kind = message::MessageFilter { kind: Some(MessageKind::Note), ..search };
    explained.check_plan("search", &["message_to"], |tx| message::list_matching(tx, &of_kind));
    let in_thread = message::MessageFilter { thread: Some(THREAD), ..search };
    explained.check_plan("search", &["message_thread"], |tx| message::list_matching(tx, &in_thread));
    explained.check_plan("count_to", &["message_to"], |tx| message::count_to(tx, &to, none));
    explained.check_plan("unread", &["message_thread"], |tx| message::list_unread(tx, THREAD, &to, none, 5));
    explained
        .check_plan("of_thread", &["message_thread"], |tx| message::list_by_thread(tx, THREAD, none, 10));
    explained.check_plan("last_of_thread", &["message_thread"], |tx| message::last_of_thread(tx, THREAD, 20));
    explained.check_plan("last_of_kind", &["message_thread"], |tx| {
        message::last_of_kind(tx, THREAD, MessageKind::Progress)
    });
    explained.check_plan("late_twin", &["message_thread"], |tx| {
        message::find_late_duplicate(tx, THREAD, &to, "x")
    });
    explained
        .check_plan("question_of", &["message_thread"], |tx| message::find_question(tx, THREAD, &to, "x"));
    explained.check_plan("answer_to", &["message_thread"], |tx| message::find_answer(tx, THREAD, none));
    explained.check_plan("newest", &[], message::newest_id);

    let begin = EventId(0);
    explained.check_plan("of_run", &["event_run"], |tx| event::list_by_run(tx, RUN, begin, 10));
    explained.check_plan("of_no_run", &["event_run"], |tx| event::list_without_run(tx, begin, 10));
    explained.check_plan("of_task", &["event_task"], |tx| event::list_by_task(tx, TASK, begin, 10));
    explained.check_plan("waking", &["event_wakes"], |tx| {
        event::list_of_kinds(tx, RUN, begin, &[EventKind::Question, EventKind::Finished], 10)
    });
    explained.check_plan("newest", &[], event::newest_id);
    let waking = explained.plan_steps(|tx| event::list_of_kinds(tx, RUN, begin, &[EventKind::Question], 10));
    assert!(waking.iter().any(|step| step.contains("kind=?")), "others are passed over: {waking:#?}");
    let ended = explained.plan_steps(|tx| event::runs_ended_after(tx, begin));
    assert!(ended.iter().any(|step| step.contains("event_wakes (run_id=? AND kind=?")), "{ended:#?}");
}
