//! Tests of the live view on a small and a wide terminal, drawn from a fixed state.

use orch_contract::orch::drive::DriveView;
use orch_core::time::Time;
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use crate::frame::{TerminalFrame, TerminalSize};
use crate::{HumanReadable, TextPage, TextPainter};

/// The time at which the view is drawn.
const NOW: &str = "2026-11-25T12:00:00.000Z";

fn task_json(key: &str, state: &str, attempt: Option<&str>, agent: Option<&str>, checks: &str) -> Value {
    json!({
        "id": format!("ship/{key}"), "key": key, "title": "Do it", "state": state, "priority": 2,
        "waits_for": [], "attempt": attempt, "agent": agent, "checks": checks,
        "updated_at": "2026-11-25T11:59:00.000Z",
    })
}

fn active_json(task: Value, progress: Option<&str>) -> Value {
    let more = json!({
        "since": "2026-11-25T11:56:00.000Z", "progress": progress, "percent": progress.map(|_| 40),
        "lease_expires_at": null,
    });
    merge_objects(task, more)
}

fn merge_objects(mut one: Value, other: Value) -> Value {
    let (Value::Object(into), Value::Object(from)) = (&mut one, other) else { unreachable!() };
    into.extend(from);
    one
}

fn worker_json(attempt: &str, activity: Option<&str>, more: Value) -> Value {
    let common = json!({
        "thread": "th-9", "attempt": attempt, "agent": "claude", "profile": "claude", "pid": 4711, "alive": true,
        "started_at": "2026-11-25T11:56:10.000Z", "output_at": "2026-11-25T11:59:57.000Z", "commit_at": null,
        "silent": false, "activity": activity, "tokens": null, "cost_usd": null, "log": "x.log", "outcome": null,
    });
    merge_objects(common, more)
}

fn event_json(number: u32, kind: &str, attempt: Option<&str>, data: Value) -> Value {
    json!({
        "id": format!("e-{number}"), "at": "2026-11-25T11:59:30.000Z", "kind": kind, "run": "ship",
        "task": null, "attempt": attempt, "thread": null, "agent": null, "by": { "agent": null, "user": null, "host": null },
        "needs_action": false, "next": [], "data": data,
    })
}

/// A state with every kind of entry, with texts that contain control sequences.
fn sample_view() -> DriveView {
    let hostile = "\u{1b}[2J\u{1b}]0;mine\u{7}cargo test --workspace --all-features -- --nocapture and then some \
                   more of it, which goes on and on until nobody can follow any more, whatever they have";
    let status = json!({
        "run": {
            "id": "ship", "title": "Ship the parser", "goal": null, "max_active": null, "base_branch": "main", "state": "open", "outcome": null, "pause": null,
            "done_when": "integrated", "updated_at": "2026-11-25T11:59:00.000Z",
        },
        "counts": {
            "waiting": 5, "ready": 1, "dispatched": 1, "running": 2, "blocked": 1, "reported": 2, "done": 7,
            "failed": 1, "skipped": 0, "cancelled": 0,
        },
        "active": [
            active_json(task_json("lexer", "running", Some("ship/lexer@1"), Some("claude"), "none"), None),
            active_json(task_json("tree", "running", Some("ship/tree@2"), Some("claude"), "none"), Some("Half of it.")),
            active_json(task_json("errors", "blocked", Some("ship/errors@1"), Some("claude"), "none"), None),
            active_json(task_json("spans", "reported", Some("ship/spans@1"), Some("claude"), "pending"), None),
            active_json(task_json("names", "reported", Some("ship/names@1"), Some("claude"), "passed"), None),
            active_json(task_json("docs", "dispatched", Some("ship/docs@1"), Some("claude"), "none"), None),
        ],
        "questions": [{
            "task": "ship/errors", "attempt": "ship/errors@1", "agent": "claude",
            "question": "One error per file, or all?\u{1b}[31m\nI would say all of them.",
            "options": ["one", "all"], "default": null, "asked_at": "2026-11-25T11:58:00.000Z", "age_ms": 120_000,
        }],
        "reviews": [],
        "ready": [],
        "failed": [merge_objects(
            task_json("bench", "failed", Some("ship/bench@3"), Some("claude"), "failed"),
            json!({ "reason": "`cargo bench` exited with status 101." }),
        )],
        "stuck": [],
        "clashes": [{ "attempts": ["ship/lexer@1", "ship/tree@2"], "files": ["src/lib.rs"] }],
        "progress": { "done": 7, "total": 20 },
        "critical_path": ["lexer", "docs"],
        "eta_ms": 754_321,
        "driven": true,
        "profiles": [{ "profile": "claude", "cost_usd": null, "tokens": null, "attempts": 9 }],
        "next": [],
    });
    let view = json!({
        "status": status,
        "workers": [
            worker_json("ship/lexer@1", Some(hostile), json!({})),
            worker_json("ship/tree@2", None, json!({ "silent": true, "output_at": "2026-11-25T11:57:00.000Z" })),
            worker_json("ship/errors@1", None, json!({ "alive": false })),
            worker_json("ship/old@1", Some("leaving"), json!({})),
        ],
        "lately": [
            event_json(1, "done", Some("ship/grammar@1"), json!({})),
            event_json(2, "rejected", Some("ship/tree@1"), json!({ "reason": "`cargo test` exited with status 101." })),
            event_json(3, "answered", Some("ship/spans@1"), json!({ "answer": "bytes\u{202e}\u{1b}[8m" })),
            event_json(4, "paused", None, json!({ "reason": "budget" })),
        ],
        "note": "Interrupted: nothing more is started; still at work: ship/lexer@1, ship/tree@2.",
    });
    serde_json::from_value(view).unwrap()
}

/// Draws the view for a terminal of this size and removes the cursor movements.
fn draw_view(columns: usize, rows: usize, colour: bool) -> String {
    let now =
        serde_json::from_value::<orch_contract::UtcTimestamp>(json!(NOW)).map_or(Time(0), |stamp| stamp.0);
    let mut paper = TextPage::new(TextPainter { colour }, columns, now);
    sample_view().render_human(&mut paper);
    let text = TerminalFrame::default().draw_page(&paper.into_text(), TerminalSize { columns, rows });
    text.replace("\u{1b}[K", "").replace("\u{1b}[J", "")
}

#[test]
fn it_stands_still_at_80_columns() {
    assert_eq!(draw_view(80, 50, false), include_str!("80.txt"));
}

#[test]
fn it_stands_still_at_200_columns() {
    assert_eq!(draw_view(200, 50, false), include_str!("200.txt"));
}

#[test]
fn nothing_in_it_moves_the_cursor_or_leaves_the_terminal() {
    for columns in [40, 80, 200] {
        let plain = draw_view(columns, 50, false);
        assert!(!plain.contains(|character: char| character != '\n' && character.is_control()), "{plain:?}");
        assert!(!plain.contains('\u{202e}'), "{plain:?}");
        assert!(plain.lines().all(|line| line.width() <= columns), "{plain}");
        let painted = draw_view(columns, 50, true);
        let mut escapes = painted.split('\u{1b}').skip(1);
        assert!(escapes.all(|rest| rest.starts_with('[') && rest.contains('m')), "{painted:?}");
    }
}

#[test]
fn it_fits_a_small_terminal() {
    let small = draw_view(80, 24, false);
    assert_eq!(small.lines().count(), 23, "{small}");
    assert!(small.lines().last().is_some_and(|line| line.starts_with("… ")), "{small}");
}
