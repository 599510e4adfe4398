//! Processes that wait: they cost nothing, wake when something comes, and may be ended at any time.

use std::time::{Duration, Instant};

use orch_testkit::program::{ProgramReply, RunningProcess};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{ProcessFixture, wait_until};

/// Commands that wait for what does not come, for five seconds.
const WAITS: [&[&str]; 3] = [
    &["inbox", "wait", "--for", "bo", "--timeout", "5s"],
    &["inbox", "claim", "--for", "bo", "--wait", "5s"],
    &["orch", "wait", "--timeout", "5s"],
];

/// The same for a wait that somebody ends.
const LONG_WAITS: [&[&str]; 3] = [
    &["inbox", "wait", "--for", "ana"],
    &["inbox", "claim", "--for", "ana", "--wait"],
    &["orch", "wait", "--for", "question,reported"],
];

/// A store with a run whose one task is dispatched to `cy`.
fn fixture_with_dispatch() -> ProcessFixture {
    let place = ProcessFixture::new();
    let _ = place.programs.run_for_data(&["orch", "run", "init", "R", "--name", "r"]);
    let _ = place.programs.run_for_data(&["orch", "task", "add", "T", "--key", "t"]);
    let _ = place.programs.run_for_data(&["orch", "dispatch", "t", "--to", "cy"]);
    place
}

fn count_sockets(place: &ProcessFixture) -> usize {
    std::fs::read_dir(place.file_path("wake")).map_or(0, Iterator::count)
}

/// Starts a command and waits until it waits.
fn start_waiting(place: &ProcessFixture, words: &[&str]) -> RunningProcess {
    let running = RunningProcess::start(place.programs.program_command(words));
    let socket = place.file_path("wake").join(format!("{}-0", running.id()));
    wait_until("it waits", || socket.exists() && is_asleep(running.id()));
    running
}

/// The fields of `/proc/PID/stat` behind the name: state first.
fn process_stat(process: u32) -> Vec<String> {
    let line = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = line.rsplit_once(')').unwrap();
    fields.split_whitespace().map(str::to_owned).collect()
}

fn is_asleep(process: u32) -> bool {
    process_stat(process)[0] == "S"
}

/// User and system time that a process has used, in ticks of 10 ms.
fn processor_ticks(process: u32) -> u64 {
    let fields = process_stat(process);
    // Fields 14 and 15 of proc(5), which counts from 1 and before the name.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn an_idle_wait_uses_no_processor() {
    let place = fixture_with_dispatch();
    let waiting: Vec<_> = WAITS
        .iter()
        .map(|words| {
            let running = start_waiting(&place, words);
            let before = processor_ticks(running.id());
            (words, running, before)
        })
        .collect();
    for (words, running, before) in waiting {
        let since = Instant::now();
        let finished = running.wait_unreaped();
        // What ended and was not looked after yet still shows what it used.
        let used = processor_ticks(finished.id()) - before;
        let ended = finished.reap();
        assert!(matches!(ended.program_reply(), ProgramReply::Refused { .. }), "{words:?}: {ended}");
        assert_eq!(ended.status.code(), Some(5), "{words:?}");
        assert!(used <= 2, "{words:?} used {used} ticks of 10 ms while it waited for {:?}", since.elapsed());
    }
}

/// How long it takes from another's answer to the end of the wait; the middle of five tries.
fn measure_wake_up(words: &[&str], news: impl Fn(&ProcessFixture)) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let place = fixture_with_dispatch();
            let running = start_waiting(&place, words);
            news(&place);
            let since = Instant::now();
            let ended = running.wait_output();
            assert!(matches!(ended.program_reply(), ProgramReply::Ok { .. }), "{words:?}: {ended}");
            since.elapsed()
        })
        .collect();
    times.sort();
    times[2]
}

/// The safety net would come after a second at the latest: well below that, it was told.
const TOLD: Duration = Duration::from_millis(500);

#[test]
fn a_wait_for_messages_ends_when_one_comes() {
    let time = measure_wake_up(LONG_WAITS[0], |place| place.send_work("s"));
    assert!(time < TOLD, "{time:?}");
}

#[test]
fn a_wait_for_work_ends_when_some_comes() {
    let time = measure_wake_up(LONG_WAITS[1], |place| place.send_work("s"));
    assert!(time < TOLD, "{time:?}");
}

#[test]
fn a_lead_is_woken_by_a_report() {
    let time = measure_wake_up(LONG_WAITS[2], |place| {
        let claimed = place.programs.run_for_data(&["inbox", "claim", "--for", "cy"]);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (thread, token) = (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]));
        let _ = place.programs.run_for_data(&["inbox", "done", &thread, "--token", &token, "--result", "x"]);
    });
    assert!(time < TOLD, "{time:?}");
}

#[test]
fn one_commit_wakes_every_waiter() {
    let place = fixture_with_dispatch();
    let waiters: Vec<_> = (0..8).map(|_| start_waiting(&place, LONG_WAITS[0])).collect();
    place.send_work("s");
    for waiter in waiters {
        let ended = waiter.wait_output();
        let ProgramReply::Ok { data, .. } = ended.program_reply() else { panic!("{ended}") };
        assert_eq!(data["messages"].as_array().unwrap().len(), 1);
    }
    assert_eq!(count_sockets(&place), 0, "they took their sockets away");
}

#[test]
fn a_wait_without_sockets_still_ends() {
    let place = fixture_with_dispatch();
    // A file where the sockets would be: as in a sandbox that has none.
    std::fs::write(place.file_path("wake"), "").unwrap();
    let running = RunningProcess::start(place.programs.program_command(LONG_WAITS[0]));
    wait_until("it waits", || is_asleep(running.id()));
    place.send_work("s");
    let ended = running.wait_output();
    assert!(matches!(ended.program_reply(), ProgramReply::Ok { .. }), "{ended}");
}

#[test]
fn an_interrupted_wait_says_how_it_ended_and_harms_nobody() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        for words in LONG_WAITS {
            let place = fixture_with_dispatch();
            let running = start_waiting(&place, words);
            let process = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
            kill_process(process, signal).unwrap();
            let ended = running.wait_output();
            assert_eq!(ended.status.code(), Some(status), "{words:?}: {ended}");
            assert_eq!(ended.program_reply(), ProgramReply::Nothing, "{words:?}");
            // Its socket is still there, with nobody behind it; the next commit clears it away.
            place.send_work("s");
            assert_eq!(count_sockets(&place), 0, "{words:?}");
            assert_eq!(place.programs.run_for_data(&["inbox", "list", "--for", "ana"])["total"], 1);
        }
    }
}

#[test]
fn a_killed_waiter_keeps_nobody_from_waiting_or_working() {
    let place = fixture_with_dispatch();
    for waiting in [start_waiting(&place, LONG_WAITS[1]), start_waiting(&place, LONG_WAITS[0])] {
        assert!(waiting.wait_or_kill(Duration::ZERO).was_killed());
    }
    assert_eq!(count_sockets(&place), 2, "they left what they had");
    let other = start_waiting(&place, LONG_WAITS[0]);
    assert_eq!(count_sockets(&place), 3);
    place.send_work("s");
    assert!(matches!(other.wait_output().program_reply(), ProgramReply::Ok { .. }));
    wait_until("the dead ones' sockets are gone", || count_sockets(&place) == 0);
}
