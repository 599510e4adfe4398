//! What a person sees: on a terminal answers are text, painted, and as wide as the terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::test_environment::{CliInvocation, TestEnvironment};

/// Opens a terminal of this width; returns our end and the program's.
pub(crate) fn open_terminal(columns: u16) -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (File::from(ours), theirs)
}

/// Makes the call on a terminal of this width and returns what it shows.
pub(crate) fn run_on_terminal(call: CliInvocation, columns: u16) -> String {
    let (ours, theirs) = open_terminal(columns);
    let running = call.with_stdout(theirs).start();
    let mut shown = Vec::new();
    // The read ends with an error once the program has closed the other side.
    let _ = (&ours).read_to_end(&mut shown);
    assert_eq!(running.wait_output().exit, 0);
    String::from_utf8(shown).unwrap().replace("\r\n", "\n")
}

fn environment_with_threads() -> TestEnvironment {
    let place = TestEnvironment::new();
    let subject = "A subject that is a good deal longer than a narrow terminal is wide, and goes on";
    place.inbox(&["send", "--to", "q", "--as", "lead", "--subject", subject]).ok();
    place.claim_work("q", "ana");
    place
}

#[test]
fn a_terminal_gets_painted_text() {
    let place = environment_with_threads();
    let shown = run_on_terminal(place.inbox(&["list"]).env("TERM", "xterm"), 200);
    assert!(shown.contains("\u{1b}[36mclaimed\u{1b}[0m"), "{shown:?}");
    assert!(shown.contains("wide, and goes on"), "{shown:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = run_on_terminal(place.inbox(&["list"]).env(name, value), 200);
        assert!(plain.contains("claimed") && !plain.contains('\u{1b}'), "{plain:?}");
    }
    let json = run_on_terminal(place.inbox(&["list", "--json"]), 200);
    assert!(json.starts_with("{\"schema\":1,\"ok\":true"), "{json}");
}

#[test]
fn a_narrow_terminal_gets_narrow_tables() {
    let shown = run_on_terminal(environment_with_threads().inbox(&["list"]).env("NO_COLOR", "1"), 80);
    assert!(shown.contains('…'), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[test]
fn a_watched_status_is_drawn_anew() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.complete_task("a", "w");
    let shown = run_on_terminal(place.orch(&["status", "--watch"]).env("TERM", "xterm"), 80);
    assert!(shown.contains("1 of 1 done\u{1b}[K\n") && shown.ends_with("\u{1b}[J"), "{shown:?}");
    let dumb = run_on_terminal(place.orch(&["status", "--watch"]).env("TERM", "dumb"), 80);
    assert!(dumb.contains("1 of 1 done\n") && !dumb.contains('\u{1b}'), "{dumb:?}");
    assert!(shown.contains("finished, succeeded") && shown.contains("1 of 1 done"), "{shown:?}");
    place
        .orch(&["run", "init", "A rather long title of a run, longer than narrow terminals", "--name", "s"])
        .ok();
    for number in 0..9 {
        let key = format!("a-rather-long-key-{number}");
        place.orch(&["task", "add", "A title that goes on and on and on", "--key", &key, "--run", "s"]).ok();
    }
    for command in [vec!["status", "s"], vec!["task", "list", "--run", "s"], vec!["graph", "--run", "s"]] {
        let shown = run_on_terminal(place.orch(&command).env("NO_COLOR", "1"), 80);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}

/// Each frame takes the place of the one before, what stood above stays, and no line is wider than the terminal.
#[test]
fn a_drive_is_watched_in_its_place() {
    let place = TestEnvironment::with_scripts(&[]);
    // Its question answers itself, after it was seen.
    let asks = "inbox ask 'Which?' --option one --default one --default-after 1s --wait 30s > /dev/null";
    let hostile = "printf '\\033[2J\\033[8m%0300d\\n' 7";
    place.add_script_task("a", &format!("{hostile}; {asks}; echo x > x; git add x; git commit -qm x"), &[]);
    let drive = run_on_terminal(place.drive_call(&[]).env("TERM", "xterm").env("NO_COLOR", "1"), 80);
    assert!(!drive.contains("\u{1b}[2J") && !drive.contains("\u{1b}[8m"), "{drive:?}");
    let frames: Vec<&str> = drive.split("\u{1b}[J").collect();
    assert!(frames.len() > 3, "{drive:?}");
    for pair in frames.windows(2) {
        let up = format!("\r\u{1b}[{}A", pair[0].matches("\u{1b}[K\n").count());
        assert!(pair[1].starts_with(&up) || pair[1].starts_with("✓ r"), "{pair:?}");
        let lines = pair[0].lines().map(|line| line.replace("\u{1b}[K", ""));
        assert!(lines.skip(1).all(|line| line.chars().count() <= 80), "{pair:?}");
    }
    assert!(frames.iter().any(|frame| frame.contains("orch answer r/a TEXT")), "{drive:?}");
    let last = frames[frames.len() - 2];
    assert!(last.contains("1 of 1 done") && last.contains("finished, succeeded"), "{last:?}");
}
