//! What a shell completes.

use crate::test_environment::TestEnvironment;

/// Returns what bash would offer for the last word of a line.
fn offered(place: &TestEnvironment, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let program = words[0];
    let call = if program == "orch" { place.orch(&["--"]) } else { place.inbox(&["--"]) };
    let call = words.iter().fold(call, |call, word| call.raw_argument((*word).as_ref()));
    let variable = format!("{}_COMPLETE", program.to_uppercase());
    let index = (words.len() - 1).to_string();
    let call = call.env(&variable, "bash").env("_CLAP_COMPLETE_INDEX", &index).env("_CLAP_IFS", "\n");
    let (stdout, _) = call.raw_output();
    String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn names_of_the_store_are_completed() {
    let place = TestEnvironment::with_repository();
    place.begin_run("ship", &[]);
    place.add_task("parser", &[]);
    place.add_task("printer", &[]);
    place.orch(&["dispatch", "parser", "--to", "ada"]).ok();
    place.write_profile("mine", "");
    for (line, expected) in [
        ("orch status ", &["ship"][..]),
        ("orch task show p", &["parser", "printer"]),
        ("orch task show pr", &["printer"]),
        ("orch task add X --after pa", &["parser"]),
        ("orch dispatch printer --to a", &["ada"]),
        ("orch land --onto m", &["main"]),
        ("orch drive --profile mi", &["mine"]),
        ("orch stat", &["status"]),
        ("orch run init X --done-when v", &["verified"]),
        ("orch task list --state r", &["ready", "running", "reported"]),
        ("orch task add X --after parser,pr", &["parser,printer"]),
        ("orch wait --for question,fi", &["question,finished"]),
        ("inbox claim --for a", &["ada"]),
        ("inbox claim --as a", &["ada"]),
    ] {
        let offered = offered(&place, line);
        let names: Vec<&str> = offered.iter().map(|name| name.trim()).collect();
        assert!(expected.iter().all(|name| names.contains(name)), "{line}: {names:?}");
        if !line.ends_with(' ') {
            assert_eq!(names.len(), expected.len(), "{line}: {names:?}");
        }
    }
    place.begin_run("other", &[]);
    let both = offered(&place, "orch task show ship/pr");
    assert_eq!(both, ["ship/printer"], "without a current run a task is named with its own");
}

#[test]
fn nothing_is_completed_where_there_is_no_store() {
    let place = TestEnvironment::without_store();
    assert_eq!(offered(&place, "orch task show x"), Vec::<String>::new());
    assert_eq!(offered(&place, "orch task ad"), ["add"]);
}
