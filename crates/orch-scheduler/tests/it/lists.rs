//! What lists and views show.

use orch_core::task::TaskState;
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use orch_query::{blocked, status};
use orch_scheduler::dispatch;
use orch_store::page::PageRequest;
use orch_testkit::TestSession;
use orch_testkit::test_session::{default_policy, expect_fresh, parse_slug, whole_page};

#[test]
fn a_state_that_is_asked_for_twice_is_listed_once() {
    let mut desk = TestSession::with_tasks(&["a", "b < a"]);
    let states = vec![TaskState::Ready, TaskState::Waiting, TaskState::Ready];
    let wanted = orch_query::task::TaskListRequest { run: None, states, label: None, page: whole_page() };
    let found = orch_query::task::list_tasks(&mut desk.session, &wanted).unwrap();
    let keys: Vec<_> = found.items.iter().map(|shown| shown.task.name.key.as_str()).collect();
    assert_eq!((keys, found.total), (vec!["a", "b"], 2));
}

#[test]
fn pages_join_to_the_whole_list() {
    let keys: Vec<String> = (0..7).map(|number| format!("k{number}")).collect();
    let mut desk = TestSession::with_tasks(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let mut after = None;
    let mut seen = Vec::new();
    loop {
        let page = PageRequest { limit: 3, after };
        let wanted = orch_query::task::TaskListRequest {
            run: None,
            states: vec![TaskState::Ready],
            label: None,
            page,
        };
        let found = orch_query::task::list_tasks(&mut desk.session, &wanted).unwrap();
        assert_eq!(found.total, 7);
        seen.extend(found.items.iter().map(|shown| shown.task.name.key.to_string()));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, keys);
}

/// What holds things up, part by part: the keys of those who ask, then of those who are stuck.
fn blocked_in_parts(desk: &mut TestSession, limit: u32) -> (Vec<String>, Vec<String>) {
    let (mut asking, mut stuck) = (Vec::new(), Vec::new());
    let mut page = PageRequest { limit, after: None };
    loop {
        let part = blocked::list_blockers(&mut desk.session, None, &page).unwrap();
        assert_eq!((part.questions_total, part.stuck_total), (3, 3));
        assert!(part.questions.len() + part.stuck.len() <= limit as usize);
        asking.extend(part.questions.iter().map(|asked| asked.task.to_string()));
        stuck.extend(part.stuck.iter().map(|stuck| stuck.task.to_string()));
        page.after = part.next;
        if page.after.is_none() {
            return (asking, stuck);
        }
    }
}

#[test]
fn what_holds_things_up_comes_in_parts_the_oldest_question_first() {
    let mut desk = TestSession::with_tasks(&["a", "b", "sent", "lost", "f", "g < f"]);
    desk.make_run("other", default_policy()).unwrap();
    desk.add_tasks("other", &["c"]);
    let held: Vec<_> =
        ["r/a", "r/b", "other/c"].iter().map(|key| desk.start_task(key, "w").unwrap()).collect();
    for asks in held.iter().rev() {
        desk.ask_question(asks, "Which one?").unwrap();
    }
    let failing = desk.start_task("r/f", "w").unwrap();
    desk.close_failed(&failing, true).unwrap();
    desk.dispatch_task("r/sent", "w").unwrap();
    desk.dispatch_task("r/lost", "woker").unwrap();
    let whole = blocked_in_parts(&mut desk, 100);
    assert_eq!(whole.0, ["other/c", "r/b", "r/a"]);
    assert_eq!(whole.1, ["r/f", "r/g", "r/lost"]);
    for limit in 1..7 {
        assert_eq!(blocked_in_parts(&mut desk, limit), whole, "{limit}");
    }
}

#[test]
fn the_critical_path_begins_at_the_longest_chain_however_much_is_under_way() {
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    let mut desk = TestSession::with_tasks(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    desk.add_tasks("r", &["middle < k29", "end < middle"]);
    let all = dispatch::DispatchAllRequest {
        run: None,
        to: vec![parse_slug("crew")],
        limit: 100,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    assert_eq!(
        expect_fresh(dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &all).unwrap())
            .dispatched
            .len(),
        30
    );
    let shown = status::load_overview(&mut desk.session, None).unwrap();
    let path: Vec<_> = shown.critical_path.iter().map(orch_core::id::Slug::as_str).collect();
    assert_eq!(path, ["k29", "middle", "end"]);
}

#[test]
fn pages_of_ready_tasks_show_each_once_while_tasks_leave_the_list() {
    let mut desk = TestSession::with_tasks(&["a", "b", "c", "d", "e", "f", "g"]);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let request = ReadyRequest { run: None, label: None, page: PageRequest { limit: 2, after } };
        let page = list_ready_tasks(&mut desk.session, &request).unwrap().tasks;
        for found in &page.items {
            seen.push(found.task.name.key.to_string());
            desk.dispatch_task(found.task.name.key.as_str(), "w").unwrap();
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e", "f", "g"]);
}
