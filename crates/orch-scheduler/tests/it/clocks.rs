//! Wall clocks that are wrong in one process, set while the host runs, or set back while it was down.

use orch_core::lease::LeaseLength;
use orch_core::run::Policy;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_inbox::clock::Clock;
use orch_testkit::TestSession;
use orch_testkit::test_session::default_policy;

const DAY: TimeSpan = TimeSpan::from_hours(24);
const BACK_A_DAY: TimeSpan = TimeSpan::from_hours(-24);

/// A run with leases of 8 seconds, which are lost 2 seconds after they expired, and a delay of 1 second.
fn session_with_short_leases() -> TestSession {
    let mut desk = TestSession::new();
    let lease = LeaseLength::new(TimeSpan::from_seconds(8)).unwrap();
    let policy = Policy { lease, retry_delay: TimeSpan::from_seconds(1), ..default_policy() };
    desk.make_run("r", policy).unwrap();
    desk.add_tasks("r", &["a", "b"]);
    desk
}

fn warning(session: &Session) -> Option<String> {
    session.clock_warning()
}

#[test]
fn under_a_wrong_clock_nothing_expires_and_afterwards_nothing_is_delayed() {
    for wrong in [DAY, BACK_A_DAY] {
        let mut desk = session_with_short_leases();
        let held = desk.start_task("a", "w").unwrap();
        desk.clock().set_ahead(wrong);
        assert_eq!(desk.task_state("a").name(), "running", "a lease does not expire");
        let other = desk.start_task("b", "v").unwrap();
        desk.report_progress(&held, "Still here.").unwrap();
        assert!(warning(&desk.session).is_some_and(|text| text.contains("86400 s")), "{wrong:?}");
        desk.clock().set_ahead(TimeSpan(-wrong.0));
        assert_eq!(desk.task_state("b").name(), "running");
        desk.clock().advance(TimeSpan(9_999));
        assert_eq!(desk.task_state("a").name(), "running");
        desk.clock().advance(TimeSpan(1));
        assert_eq!(desk.task_state("a").name(), "ready", "its lease was lost in its time");
        assert_eq!(desk.task_state("b").name(), "ready", "as was the one claimed under the wrong clock");
        assert!(desk.report_progress(&other, "Too late.").is_err());
        assert_eq!(desk.broken_invariants(), []);
    }
}

#[test]
fn a_delay_and_a_default_answer_begun_under_a_wrong_clock_end_in_their_time() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().set_ahead(TimeSpan::from_hours(1));
    desk.close_failed(&held, false).unwrap();
    assert_eq!(desk.task_state("a").name(), "ready");
    desk.clock().set_ahead(TimeSpan::from_hours(-1));
    assert!(desk.start_task("a", "w").is_err(), "its delay runs");
    desk.clock().advance(TimeSpan(1_000));
    desk.start_task("a", "w").unwrap();
}

#[test]
fn a_clock_that_was_set_is_believed_after_a_minute_and_deadlines_move_along() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().set_ahead(DAY);
    for _ in 0..13 {
        desk.clock().advance(TimeSpan::from_seconds(5));
        desk.renew_lease(&held).unwrap();
    }
    let wall = desk.clock().now();
    assert_eq!(desk.session.clock_now(), wall, "the new time is adopted");
    assert_eq!(desk.task_state("a").name(), "running");
    desk.clock().advance(TimeSpan(9_999));
    assert_eq!(desk.task_state("a").name(), "running", "its lease moved along");
    desk.clock().advance(TimeSpan(1));
    assert_eq!(desk.task_state("a").name(), "ready");
    let mut fresh = desk.place.open_session();
    fresh.read(|_, _| Ok(())).unwrap();
    assert_eq!(warning(&fresh), None);
}

#[test]
fn after_a_reboot_the_wall_clock_counts_and_no_deadline_is_further_than_its_length() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().reboot();
    desk.clock().set_ahead(BACK_A_DAY);
    desk.add_tasks("r", &["c"]);
    assert_eq!(desk.task_state("a").name(), "running");
    desk.clock().advance(TimeSpan(10_000));
    assert_eq!(desk.task_state("a").name(), "ready", "the lease was cut to its length");
    let held_again = desk.start_task("b", "w").unwrap();
    desk.clock().reboot();
    desk.clock().advance(DAY);
    assert_eq!(desk.task_state("b").name(), "ready", "the wall clock says that a day has passed");
    assert!(desk.report_progress(&held, "Too late.").is_err());
    assert!(desk.report_progress(&held_again, "Too late.").is_err());
    assert_eq!(desk.broken_invariants(), []);
}
