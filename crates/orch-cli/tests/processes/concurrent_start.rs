//! A store's first moments: several who make it at once, and some who die while they make it.

use std::collections::BTreeSet;
use std::time::Duration;

use orch_testkit::program::{ProcessOutput, ProgramReply, RunningProcess};
use orch_testkit::seeded_rng::SeededRng;

use crate::fixture::ProcessFixture;

/// How many begin at once.
const AT_ONCE: usize = 8;

/// Starts them all before the first can have ended.
fn run_concurrently(place: &ProcessFixture, commands: &[Vec<&str>]) -> Vec<ProcessOutput> {
    let running: Vec<_> =
        commands.iter().map(|words| RunningProcess::start(place.programs.program_command(words))).collect();
    running.into_iter().map(RunningProcess::wait_output).collect()
}

fn check_sound(place: &ProcessFixture) {
    let doctor = place.programs.run_for_data(&["orch", "doctor"]);
    assert_ne!(doctor["verdict"], "error", "{doctor}");
}

#[test]
fn of_many_who_make_a_store_one_did() {
    for round in 0..10 {
        let place = ProcessFixture::without_store();
        let commands: Vec<_> =
            (0..AT_ONCE).map(|number| vec![if number % 2 == 0 { "orch" } else { "inbox" }, "init"]).collect();
        let created = run_concurrently(&place, &commands)
            .iter()
            .filter(|ended| match ended.program_reply() {
                ProgramReply::Ok { data, .. } => data["store"]["created"] == true,
                _ => panic!("round {round}: {ended}"),
            })
            .count();
        assert_eq!(created, 1, "round {round}");
        check_sound(&place);
    }
}

#[test]
fn first_commands_that_race_all_count() {
    for round in 0..10 {
        let place = ProcessFixture::without_store();
        let names: Vec<String> = (0..AT_ONCE).map(|number| format!("run-{number}")).collect();
        let commands: Vec<_> =
            names.iter().map(|name| vec!["orch", "run", "init", "R", "--name", name]).collect();
        for ended in run_concurrently(&place, &commands) {
            assert!(matches!(ended.program_reply(), ProgramReply::Ok { .. }), "round {round}: {ended}");
        }
        let list = place.programs.run_for_data(&["orch", "run", "list"]);
        let runs = list["runs"].as_array().unwrap();
        let listed: BTreeSet<_> = runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(listed, names.into_iter().collect(), "round {round}");
        check_sound(&place);
    }
}

/// Who makes no store finds none or a whole one, never a half one.
#[test]
fn who_looks_while_a_store_is_made_sees_none_or_all_of_it() {
    for round in 0..20 {
        let place = ProcessFixture::without_store();
        let mut commands = vec![vec!["orch", "init"]];
        commands.extend((1..AT_ONCE).map(|_| vec!["inbox", "list"]));
        for ended in &run_concurrently(&place, &commands)[1..] {
            match ended.program_reply() {
                ProgramReply::Ok { data, .. } => assert_eq!(data["total"], 0),
                ProgramReply::Refused { code, .. } => {
                    assert_eq!(code, "store_not_found", "round {round}: {ended}");
                }
                _ => panic!("round {round}: {ended}"),
            }
        }
    }
}

#[test]
fn a_store_whose_maker_died_is_made_by_the_next() {
    let mut chance = SeededRng::new(1);
    let mut killed = 0;
    while killed < 60 {
        let place = ProcessFixture::without_store();
        let after = chance.duration_up_to(Duration::from_millis(30));
        let maker =
            RunningProcess::start(place.programs.program_command(&["orch", "init"])).wait_or_kill(after);
        killed += usize::from(maker.was_killed());
        let list = place.programs.run_command(&["inbox", "list"]);
        match list.program_reply() {
            ProgramReply::Ok { .. } => {}
            ProgramReply::Refused { code, .. } => {
                assert_eq!(code, "store_not_found", "killed after {after:?}: {list}");
            }
            _ => panic!("killed after {after:?}: {list}"),
        }
        let run = place.programs.run_command(&["orch", "run", "init", "R"]);
        assert!(matches!(run.program_reply(), ProgramReply::Ok { .. }), "killed after {after:?}: {run}");
        check_sound(&place);
    }
}
