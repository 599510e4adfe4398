//! Workers that ask and go.

use crate::place::Place;
use crate::supervised::ground::Driving;

/// A question waits without a process of the worker's, and its answer starts the worker again.
#[test]
fn whoever_asks_and_goes_is_started_again_with_the_answer() {
    let place = Place::with_scripts(&[]);
    let starts = place.beside("starts").display().to_string();
    let ask = "answer=$(inbox ask 'Which colour?' --text)";
    let script = format!(
        "echo x >> {starts}\n{ask}\ncase \"$answer\" in *blue*) ;; *) exit 0;; esac\n\
        echo blue > a.txt; git add .; git commit -qm a"
    );
    place.script("a", &script, &[]);
    let mut drive = Driving::start(place.drive(&[]));
    drive.hears("question");
    let asked = place.orch(&["wait", "--for", "question"]).ok();
    assert_eq!(asked["events"][0]["kind"], "question", "{asked}");
    crate::supervised::ground::until("the worker has ended", || place.processes().len() == 2);
    let names = place.processes().join("\n");
    assert!(names.contains("inbox run") && names.contains("orch drive"), "{names}");
    place.orch(&["answer", "a", "It is blue."]).ok();
    let printed = drive.end();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(place.attempts("a"), ["accepted"], "it was one attempt all the time");
    assert_eq!(std::fs::read_to_string(&starts).unwrap(), "x\nx\n");
    assert_eq!(place.on_branch("a.txt").as_deref(), Some("blue"));
    place.is_tidy();
}

/// Work that is taken away while its question is open is left by its wrapper at once.
#[test]
fn a_question_of_work_that_is_taken_away_ends() {
    let place = Place::with_scripts(&[]);
    place.script("a", "inbox ask 'Which colour?'", &[]);
    let mut drive = Driving::start(place.drive(&[]));
    drive.hears("question");
    place.orch(&["task", "cancel", "a"]).ok();
    assert_eq!(drive.end().exit, 4);
    crate::supervised::ground::until("its wrapper has gone", || place.processes().is_empty());
    place.is_tidy();
}
