//! Hints are literal commands: what is pasted works.

use serde_json::Value;

use crate::place::{Place, Printed};
use crate::scheduling::text;

impl Place {
    /// Runs a hint as a shell would; it holds no quotes.
    fn paste(&self, hint: &Value) -> Printed {
        let hint = text(hint);
        let mut words = hint.split(' ');
        let program = words.next().unwrap();
        let arguments: Vec<&str> = words.map(|word| if word == "AGENT" { "w" } else { word }).collect();
        match program {
            "orch" => self.orch(&arguments).run(),
            "inbox" => self.inbox(&arguments).run(),
            other => panic!("{other} is none of our programs: {hint}"),
        }
    }
}

#[test]
fn what_is_far_behind_a_failure_is_repaired_by_its_hint() {
    for ask in [vec!["task", "retry", "d"], vec!["dispatch", "d", "--to", "w"]] {
        let place = Place::with_run("r");
        for (key, after) in [("a", vec![]), ("b", vec!["a"]), ("c", vec!["b"]), ("d", vec!["c"])] {
            place.task(key, &after);
        }
        place.orch(&["task", "cancel", "a"]).ok();
        assert_eq!(place.state("d"), "skipped");
        let refused = place.orch(&ask).fails("task_not_ready");
        let why = place.orch(&["why", "d"]).ok()["reasons"][0].clone();
        assert_eq!(why["next"], refused["hint"]);
        assert_eq!(why["message"], "It cannot become ready, because c did not end well; it began with a.");
        place.paste(&refused["hint"]).ok();
        assert_eq!((place.state("a"), place.state("d")), ("ready".to_owned(), "waiting".to_owned()));
    }
}

#[test]
fn what_is_not_ready_says_why_in_its_message() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    place.task("b", &["a"]);
    let waits = place.orch(&["dispatch", "b", "--to", "w"]).fails("task_not_ready");
    assert_eq!(waits["message"], "Task r/b is not ready: it waits for a.");
    place.paste(&waits["hint"]).ok();
    let nobody = place.orch(&["dispatch", "a"]).fails("task_not_ready");
    assert_eq!(nobody["message"], "Task r/a is not ready: nobody is named to do it.");
    place.paste(&nobody["hint"]).ok();
}

#[test]
fn a_cancelled_run_offers_no_retry() {
    let place = Place::with_run("r");
    place.task("a", &[]);
    place.orch(&["run", "cancel"]).ok();
    place.orch(&["dispatch", "a", "--to", "w"]).fails("task_not_ready");
    place.orch(&["task", "retry", "a"]).fails("run_not_open");
    let reason = place.orch(&["why", "a"]).ok()["reasons"][0].clone();
    assert_eq!((&reason["code"], &reason["next"]), (&"cancelled".into(), &Value::Null));
    assert_eq!(reason["message"], "The run r is cancelled.");
}
