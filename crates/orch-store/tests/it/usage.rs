//! What attempts used.

use orch_core::attempt::Attempt;
use orch_core::id::{RunId, Slug, ThreadId};
use orch_core::run::{CostSource, ResourceUsage, TokenUsage};
use orch_core::time::{Time, TimeSpan};
use orch_store::table::usage::{self, UsageGrouping, UsageSubject, UsageSum};
use orch_store::table::{attempt, removal};
use orch_store::{Store, Transaction};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, load_task, new_run, new_task, new_thread, read_store, test_slug, write_store,
};

const DAY: i64 = 86_400_000;

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    sums_and_groups(&mut store);
    sessions_and_threads(&mut store);
    costs_of_agents(&mut open());
}

/// Returns a usage of so many micro-dollars and as many tokens of each kind.
fn used(amount: i64, source: CostSource) -> UsageSum {
    let tokens = TokenUsage { input: amount, cached_input: amount, output: amount };
    let spent = ResourceUsage { cost_micros: Some(amount), tokens: Some(tokens), attempts: 0 };
    UsageSum { spent, source, wall: TimeSpan(amount) }
}

fn unknown(wall: i64) -> UsageSum {
    UsageSum { wall: TimeSpan(wall), ..UsageSum::default() }
}

struct UsageSample {
    thread: i64,
    run: &'static str,
    task: &'static str,
    profile: &'static str,
    session: &'static str,
}

fn add(tx: &mut Transaction<'_>, run_id: RunId, entry: &UsageSample, more: UsageSum, now: Time) {
    let [run, task, profile] = [entry.run, entry.task, entry.profile].map(test_slug);
    let subject = UsageSubject {
        thread: ThreadId(entry.thread),
        run_id,
        run: &run,
        task: &task,
        agent: &profile,
        profile: Some(&profile),
        session: Some(entry.session).filter(|session| !session.is_empty()),
    };
    usage::add_entry(tx, &subject, &more, now).unwrap();
}

/// Describes the groups: what they have in common, cost, source and attempts.
fn groups(store: &mut Store, grouping: UsageGrouping, since: i64, run: Option<&Slug>) -> Vec<String> {
    let rows = read_store(store, |tx| usage::list_sums(tx, grouping, since, run));
    let text = |name: &Option<Slug>| name.as_ref().map_or("-", Slug::as_str).to_owned();
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let day = row.day.map_or("-".to_owned(), |day| day.to_string());
            let sum = &row.sum;
            let cost = sum.spent.cost_micros.map_or("?".to_owned(), |cost| cost.to_string());
            let (run, profile, task) = (text(&row.run), text(&row.profile), text(&row.task));
            format!("{day} {run} {profile} {task}: {cost} {} {}", sum.source.name(), sum.spent.attempts)
        })
        .collect();
    lines.sort();
    lines
}

fn sums_and_groups(store: &mut Store) {
    let run = write_store(store, |tx| new_run(tx, "r")).id;
    let entry = |thread, run, task, profile| UsageSample { thread, run, task, profile, session: "" };
    write_store(store, |tx| {
        add(tx, run, &entry(1, "r", "a", "claude"), used(5, CostSource::Reported), Time(3 * DAY));
        add(tx, run, &entry(1, "r", "a", "claude"), used(2, CostSource::Reported), Time(3 * DAY + 9));
        add(tx, run, &entry(1, "r", "a", "claude"), used(1, CostSource::Reported), Time(4 * DAY));
        add(tx, run, &entry(2, "r", "b", "codex"), used(7, CostSource::Computed), Time(4 * DAY));
        add(tx, RunId(99), &entry(3, "s", "a", "codex"), unknown(8), Time(4 * DAY));
        Ok(())
    });
    use UsageGrouping as G;
    assert_eq!(
        groups(store, G::Everything, 0, None),
        [
            "3 r claude a: 7 reported 1",
            "4 r claude a: 1 reported 1",
            "4 r codex b: 7 computed 1",
            "4 s codex a: ? unknown 1"
        ]
    );
    assert_eq!(groups(store, G::Day, 0, None), ["3 r claude a: 7 reported 1", "4 - - -: 8 unknown 3"]);
    assert_eq!(groups(store, G::Run, 0, None), ["- r - -: 15 computed 2", "4 s codex a: ? unknown 1"]);
    assert_eq!(
        groups(store, G::Profile, 0, None),
        ["- r claude a: 8 reported 1", "4 - codex -: 7 unknown 2"]
    );
    assert_eq!(
        groups(store, G::Task, 4, None),
        ["4 r claude a: 1 reported 1", "4 r codex b: 7 computed 1", "4 s codex a: ? unknown 1"]
    );
    assert_eq!(usage::day_of(Time(4 * DAY - 1)), 3);
    assert_eq!(groups(store, G::Run, 0, Some(&test_slug("s"))), ["4 s codex a: ? unknown 1"]);
    let by_profile = read_store(store, |tx| usage::list_by_profile(tx, run));
    assert_eq!(by_profile.len(), 2);
    // The run is removed, and what it used stays.
    write_store(store, |tx| removal::delete_run(tx, run));
    assert_eq!(groups(store, G::Run, 0, Some(&test_slug("r"))), ["- r - -: 15 computed 2"]);
    assert_eq!(read_store(store, |tx| usage::list_by_profile(tx, run)), []);
}

/// What is known of one session or thread is known of the whole; a correction may be negative.
fn sessions_and_threads(store: &mut Store) {
    let entry = |thread, session| UsageSample { thread, run: "r", task: "a", profile: "claude", session };
    write_store(store, |tx| {
        add(tx, RunId(77), &entry(11, ""), unknown(4), NOW);
        add(tx, RunId(77), &entry(11, "s-1"), used(5, CostSource::Computed), NOW);
        add(tx, RunId(77), &entry(11, "s-1"), used(-2, CostSource::Reported), NOW);
        add(tx, RunId(77), &entry(12, "s-1"), used(6, CostSource::Reported), NOW);
        Ok(())
    });
    let claude = test_slug("claude");
    let session = |store: &mut Store, id| read_store(store, |tx| usage::load_session(tx, &claude, id));
    assert_eq!(session(store, "s-1").cost_micros, Some(9));
    assert_eq!(session(store, "s-1").known_tokens(), 18);
    assert_eq!(session(store, "s-2"), ResourceUsage::default());
    assert_eq!(session(store, ""), ResourceUsage::default());
    let threads = [ThreadId(11), ThreadId(12), ThreadId(13)];
    let found = read_store(store, |tx| usage::list_by_threads(tx, &threads));
    let found: Vec<_> =
        found.iter().map(|(id, sum)| (id.0, sum.spent.cost_micros, sum.source, sum.wall.0)).collect();
    assert_eq!(found, [(11, Some(3), CostSource::Reported, 7), (12, Some(6), CostSource::Reported, 6)]);
}

fn costs_of_agents(store: &mut Store) {
    let run = write_store(store, |tx| new_run(tx, "r")).id;
    let task = write_store(store, |tx| new_task(tx, run, "a")).id;
    // Three ended attempts, and two live ones.
    write_store(store, |tx| {
        let task = load_task(tx, task)?;
        for (number, (cost, ended)) in
            [(Some(5), true), (Some(9), true), (None, true), (Some(30), false), (None, false)]
                .iter()
                .enumerate()
        {
            let thread = new_thread(tx, "w", 2)?;
            let (key, number) = (attempt::next_id(tx)?, u32::try_from(number).unwrap() + 1);
            let made = attempt::insert(tx, attempt_row(key, &task, number, thread.id), NOW)?;
            if *ended {
                attempt::save(tx, &Attempt { ended_at: Some(NOW), ..made })?;
            }
            let entry = UsageSample { thread: thread.id.0, run: "r", task: "a", profile: "w", session: "" };
            let more = cost.map_or(unknown(1), |cost| used(cost, CostSource::Reported));
            add(tx, run, &entry, more, NOW);
        }
        Ok(())
    });
    let w = test_slug("w");
    assert_eq!(read_store(store, |tx| usage::list_ended_costs(tx, run)), [(w.clone(), Some(9), 1)]);
    let live = read_store(store, |tx| usage::list_live_costs(tx, run));
    let live: Vec<_> = live.into_iter().map(|(agent, cost, _)| (agent, cost)).collect();
    assert_eq!(live, [(w.clone(), 30), (w, 0)]);
}
