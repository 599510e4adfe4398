//! How SQLite goes about each statement: by the index that was made for it, without sorting, never through a whole
//! table.

use orch_core::event::EventKind;
use orch_core::id::{EventId, MessageId, RunId, TaskId, ThreadId};
use orch_core::message::MessageKind;
use orch_core::task::TaskState;
use orch_core::thread::ThreadStatus;
use orch_store::table::{
    agent, attempt, dependency, event, lease_token, message, request, run, task, thread,
};
use orch_store::{Fault, Location, Store, Transaction};

use crate::fixture::{NOW, read, slug};

/// An empty store whose plans are asked for.
struct Explained {
    location: Location,
    _folder: tempfile::TempDir,
}

impl Explained {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("orch.db"));
        Store::create(&location, false).unwrap();
        Self { location, _folder: folder }
    }

    /// The steps of what `work` runs.
    fn steps<T>(&self, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> Vec<String> {
        let mut store = Store::open(&self.location, false).unwrap();
        read(&mut store, work);
        store.plans().unwrap().into_iter().flat_map(|plan| plan.steps).collect()
    }

    /// Checks that `work` goes by these indexes, each in one step of its plan, and sorts nothing.
    fn check<T>(
        &self,
        name: &str,
        indexes: &[&str],
        work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>,
    ) {
        let steps = self.steps(work);
        for index in indexes {
            let by = |step: &String| step.split_whitespace().any(|word| word == *index);
            assert!(steps.iter().any(by), "{name} does not use {index}: {steps:#?}");
        }
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{name} sorts: {steps:#?}");
        assert!(!steps.iter().any(|step| whole_table(step)), "{name} looks through a table: {steps:#?}");
    }
}

/// Whether a step looks through a whole table; an index of a few rows may be walked.
fn whole_table(step: &str) -> bool {
    const FEW: [&str; 7] = [
        "attempt_live",
        "thread_news",
        "thread_defaulting",
        "thread_owned_lapsing",
        "run_unfinished",
        "CONSTANT ROW",
        "SCAN timers",
    ];
    step.starts_with("SCAN ") && !FEW.iter().any(|few| step.contains(few))
}

const RUN: RunId = RunId(1);
const TASK: TaskId = TaskId(1);
const THREAD: ThreadId = ThreadId(1);

#[test]
fn what_every_command_asks_goes_by_its_index() {
    let explained = Explained::new();
    let news = ["thread_news", "thread_owned_lapsing", "thread_defaulting"];
    explained.check("news", &news, |tx| thread::news(tx, NOW));
    explained.check("unfinished", &["run_unfinished"], run::unfinished);
    explained.check("request", &[], |tx| request::load(tx, "k"));
    explained.check("agent", &[], |tx| agent::load(tx, &slug("w")));
    explained.check("next_timer", &["thread_owned_lapsing", "thread_defaulting"], thread::next_timer);
    explained.check("next_default", &["thread_defaulting"], thread::next_default);
}

#[test]
fn claims_and_reports_go_by_their_indexes() {
    let explained = Explained::new();
    explained.check("load", &[], |tx| thread::load(tx, THREAD));
    explained.check("queue_length", &["thread_queue"], |tx| thread::queue_length(tx, &slug("w")));
    explained.check("held_by", &["thread_held"], |tx| thread::held_by(tx, &slug("w")));
    explained.check("next_lapse", &["thread_lapsing"], |tx| thread::next_lapse(tx, &slug("w")));
    explained.check("with_news", &["thread_news"], thread::with_news);
    explained.check("defaults_due", &["thread_defaulting"], |tx| thread::defaults_due(tx, NOW));
    explained.check("owned_lapsed", &["thread_owned_lapsing"], |tx| thread::owned_lapsed(tx, NOW));
    let token = orch_core::lease::TokenDigest("t".to_owned());
    explained.check("token", &[], |tx| lease_token::holder(tx, THREAD, &token));
    // What lapsed is sorted by urgency, but not more than that.
    let plans = explained.steps(|tx| thread::most_urgent(tx, &slug("w"), NOW));
    assert!(plans.iter().any(|plan| plan.contains("thread_queue")), "{plans:#?}");
    assert!(plans.iter().any(|plan| plan.contains("thread_lapsing")), "{plans:#?}");
    assert!(!plans.iter().any(|plan| whole_table(plan)), "{plans:#?}");
}

#[test]
fn threads_are_listed_from_what_is_little() {
    let explained = Explained::new();
    let agent = slug("w");
    let all = thread::Search { agent: None, state: None, unread_after: None, offset: 0, limit: 10 };
    let mine = thread::Search { agent: Some(&agent), ..all };
    for (name, index, search) in [
        ("all", "thread_order", all),
        ("held", "thread_held", thread::Search { state: Some(ThreadStatus::Claimed), ..all }),
        ("mine", "thread_to", mine),
        ("unread", "message_to", thread::Search { unread_after: Some(MessageId(1)), ..mine }),
    ] {
        let steps = explained.steps(|tx| thread::list(tx, &search));
        assert!(steps.iter().all(|step| !step.ends_with("SCAN thread")), "{name}: {steps:#?}");
        let by = |step: &String| step.split_whitespace().any(|word| word == index);
        assert_eq!(steps.iter().filter(|step| by(step)).count(), 2, "the part and its total: {steps:#?}");
    }
}

#[test]
fn tasks_are_found_by_their_indexes() {
    let explained = Explained::new();
    explained.check("by_key", &["task_key"], |tx| task::by_key(tx, RUN, &slug("a")));
    explained.check("id_by_key", &["task_key"], |tx| task::id_by_key(tx, RUN, &slug("a")));
    explained.check("load", &[], |tx| task::load(tx, TASK));
    explained.check("list", &["task_order"], |tx| task::list(tx, RUN, TASK, 10));
    explained.check("in_state", &["task_state"], |tx| task::in_state(tx, RUN, TaskState::Ready, TASK, 10));
    explained.check("ready", &["task_ready"], |tx| task::ready(tx, RUN, None, NOW, 10, 0));
    explained.check("ready", &["task_ready"], |tx| task::ready(tx, RUN, Some(&slug("ui")), NOW, 10, 0));
    explained.check("longest_ready", &["task_ready"], |tx| task::longest_ready(tx, RUN, 2));
    explained.check("longest_live", &["task_live"], |tx| task::longest_live(tx, RUN));
    explained.check("backing_off", &["task_backoff"], |tx| task::backing_off(tx, RUN, NOW));
    explained.check("next_try", &["task_backoff"], |tx| task::next_try(tx, RUN, NOW));
    explained.check("is_ready", &[], |tx| task::is_ready(tx, TASK));
    explained.check("text", &[], |tx| task::text(tx, TASK));
    explained.check("labelled", &[], |tx| task::labelled(tx, RUN, &slug("ui"), None, TASK, 10));
    explained.check("ready_labelled", &[], |tx| task::ready_labelled(tx, RUN, &slug("ui"), NOW));
    explained.check("queued_of_run", &["task_state"], |tx| thread::queued_of_run(tx, RUN));
    explained.check("live attempts", &["attempt_live"], |tx| attempt::live_of_all(tx, 10));
    explained
        .check("timeline", &["task_order", "attempt_number"], |tx| attempt::of_run(tx, RUN, (TASK, 1), 10));
    explained.check("durations", &["task_state"], |tx| attempt::durations(tx, RUN));
    explained.check("of_task", &["attempt_number"], |tx| attempt::of_task(tx, TASK, 5));
    explained.check("next", &[], attempt::next);
}

#[test]
fn edges_are_found_from_both_ends() {
    let explained = Explained::new();
    let behind = ["dependency_on"];
    explained.check("dependents", &behind, |tx| dependency::dependents(tx, TASK));
    explained.check("ranked_dependents", &behind, |tx| dependency::ranked_dependents(tx, TASK));
    explained.check("longest_dependent", &behind, |tx| dependency::longest_dependent(tx, TASK));
    explained.check("edges_on_task", &behind, |tx| dependency::edges_on_task(tx, TASK, TASK, 10));
    explained.check("exists", &[], |tx| dependency::exists(tx, TASK, TASK));
    explained.check("ranked_dependencies", &[], |tx| dependency::ranked_dependencies(tx, TASK));
    explained.check("waits_for", &[], |tx| dependency::waits_for(tx, TASK));
    explained.check("broken", &[], |tx| dependency::broken(tx, TASK));
    explained.check("keys", &[], |tx| dependency::keys(tx, TASK));
    explained.check("edges_of_task", &[], |tx| dependency::edges_of_task(tx, TASK, TASK, 10));
}

#[test]
fn messages_and_events_are_found_by_who_asks() {
    let explained = Explained::new();
    let none = MessageId(0);
    let to = slug("w");
    let search = message::Search { to: &to, after: none, thread: None, kind: None, limit: 10 };
    explained.check("search", &["message_to"], |tx| message::search(tx, &search));
    let of_kind = message::Search { kind: Some(MessageKind::Note), ..search };
    explained.check("search", &["message_to"], |tx| message::search(tx, &of_kind));
    let in_thread = message::Search { thread: Some(THREAD), ..search };
    explained.check("search", &["message_thread"], |tx| message::search(tx, &in_thread));
    explained.check("count_to", &["message_to"], |tx| message::count_to(tx, &to, none));
    explained.check("unread", &["message_thread"], |tx| message::unread(tx, THREAD, &to, none, 5));
    explained.check("of_thread", &["message_thread"], |tx| message::of_thread(tx, THREAD, none, 10));
    explained.check("last_of_thread", &["message_thread"], |tx| message::last_of_thread(tx, THREAD, 20));
    explained.check("last_of_kind", &["message_thread"], |tx| {
        message::last_of_kind(tx, THREAD, MessageKind::Progress)
    });
    explained.check("late_twin", &["message_thread"], |tx| message::late_twin(tx, THREAD, &to, "x"));
    explained.check("question_of", &["message_thread"], |tx| message::question_of(tx, THREAD, &to, "x"));
    explained.check("answer_to", &["message_thread"], |tx| message::answer_to(tx, THREAD, none));
    explained.check("newest", &[], message::newest);

    let begin = EventId(0);
    explained.check("of_run", &["event_run"], |tx| event::of_run(tx, RUN, begin, 10));
    explained.check("of_no_run", &["event_run"], |tx| event::of_no_run(tx, begin, 10));
    explained.check("of_task", &["event_task"], |tx| event::of_task(tx, TASK, begin, 10));
    explained.check("waking", &["event_wakes"], |tx| {
        event::waking(tx, RUN, begin, &[EventKind::Question, EventKind::Finished], 10)
    });
    explained.check("newest", &[], event::newest);
    let waking = explained.steps(|tx| event::waking(tx, RUN, begin, &[EventKind::Question], 10));
    assert!(waking.iter().any(|step| step.contains("kind=?")), "others are passed over: {waking:#?}");
    let ended = explained.steps(|tx| event::runs_ended_after(tx, begin));
    assert!(ended.iter().any(|step| step.contains("event_wakes (run_id=? AND kind=?")), "{ended:#?}");
}
