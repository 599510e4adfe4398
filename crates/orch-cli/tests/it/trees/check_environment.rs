//! Which variables checks and setups get, which they seem to miss, and what is redacted in their output.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::{CliInvocation, TestEnvironment};

/// A value that no test environment has by chance.
const SECRET: &str = "secret-value-123";

impl TestEnvironment {
    /// A lead's call in an environment with a secret and a setting.
    fn lead_call(&self, words: &[&str]) -> CliInvocation {
        self.orch(words).env("LEAD_API_KEY", SECRET).env("DATABASE_URL", "db://x").env("AWS_REGION", "eu")
    }

    /// Reports a change of a task, and verifies it in the lead's environment.
    fn verify_report(&self, name: &str, content: &str) -> CliInvocation {
        self.report_task("a", &[(name, content)]);
        self.lead_call(&["verify", "a"])
    }
}

#[test]
fn checks_get_what_workers_get_and_what_the_run_passes() {
    let place = TestEnvironment::with_repository();
    let passed = ["--check-env", "AWS_*", "--check-env", "CI=yes it is", "--check-env", "GIVEN=1"];
    place.begin_run("r", &[&["--setup", "env > setup.env"][..], &passed].concat());
    let shown = place.orch(&["run", "show", "r"]).ok();
    assert_eq!(shown["run"]["check_env"], json!(["AWS_*", "CI=yes it is", "GIVEN=1"]));
    place.orch(&["task", "add", "x", "--key", "a", "--verify", "env; echo; cat setup.env"]).ok();
    let verified = place.verify_report("a.txt", "a").ok();
    let log = std::fs::read_to_string(json_text(&verified["checks"][0]["log"])).unwrap();
    let (of_check, of_setup) = log.split_once("\n\n").unwrap();
    for variables in [of_check, of_setup] {
        for line in ["AWS_REGION=eu", "CI=yes it is", "GIVEN=1", "ORCH_RUN=r"] {
            assert!(variables.lines().any(|own| own == line), "{line} in {variables}");
        }
        for name in ["PATH=", "HOME="] {
            assert!(variables.lines().any(|own| own.starts_with(name)), "{name} in {variables}");
        }
        for name in ["LEAD_API_KEY", "DATABASE_URL", "INBOX_"] {
            assert!(!variables.contains(name), "{name} in {variables}");
        }
    }
    for (wrong, named) in [("1X", "1X"), ("A B", "A B"), ("ORCH_RUN=x", "ORCH_RUN=x"), ("A*B", "A*B")] {
        let refused = place.orch(&["run", "edit", "r", "--check-env", wrong]).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "--check-env");
        assert!(json_text(&refused["message"]).contains(named), "{refused}");
    }
}

#[test]
fn a_failed_check_names_the_variables_that_it_misses() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "5", "--check-env", "CI=1"]);
    let check = "test -n \"$DATABASE_URL\" || { echo 'AWS_REGION is not set either'; exit 3; }";
    place.orch(&["task", "edit", "a", "--verify", check]).ok();
    let refused = place.verify_report("a.txt", "a").fails("check_failed");
    let missing = json!(["AWS_REGION", "DATABASE_URL"]);
    let command = "orch run edit r --check-env CI=1 --check-env AWS_REGION --check-env DATABASE_URL";
    assert_eq!(refused["details"]["checks"][0]["env_not_passed"], missing);
    assert_eq!((&refused["hint"], &refused["details"]["next"][0]), (&command.into(), &command.into()));
    assert!(json_text(&refused["message"]).contains("do not get: AWS_REGION, DATABASE_URL."), "{refused}");
    let shown = place.orch(&["task", "show", "a"]).ok();
    let checks = |shown: &Value| shown["attempts"][0]["checks"].clone();
    assert_eq!(checks(&shown)[0]["env_not_passed"], missing, "{shown}");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    place.orch(&words).ok();
    let verified = place.verify_report("a.txt", "b").ok();
    assert_eq!(verified["checks"][0]["state"], "passed");
    assert_eq!(verified["checks"][0]["env_not_passed"], Value::Null, "nothing is missing");
}

#[test]
fn the_values_that_a_check_gets_belong_to_its_key() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "9", "--check-env", "GIVEN"]);
    place.orch(&["task", "edit", "a", "--verify", "test -e base.txt"]).ok();
    place.report_task("a", &[("a.txt", "a")]);
    let reused = |given: &str, other: &str| {
        let call = place.orch(&["verify", "a"]).env("GIVEN", given).env("OTHER", other);
        call.ok()["checks"][0]["reused"].clone()
    };
    assert_eq!(reused("1", "1"), false);
    for (given, other, expected) in [("1", "2", true), ("2", "2", false), ("1", "3", true)] {
        place.orch(&["reject", "a", "--reason", "again"]).ok();
        place.report_task("a", &[("a.txt", "a")]);
        assert_eq!(reused(given, other), expected, "{given} {other}");
    }
}

#[test]
fn secrets_are_redacted_wherever_the_output_of_a_check_is_kept() {
    let place = TestEnvironment::with_tree_run(&["--max-attempts", "2", "--check-env", "LEAD_API_KEY"]);
    let check = "echo \"key $LEAD_API_KEY\"; printf '%.11s' \"$LEAD_API_KEY\"; sleep 0.1; printf %s \"${LEAD_API_KEY#secret-valu}\"; exit 1";
    place.orch(&["task", "edit", "a", "--verify", check]).ok();
    let refused = place.verify_report("a.txt", "a").fails("check_failed");
    let log = std::fs::read_to_string(json_text(&refused["details"]["checks"][0]["log"])).unwrap();
    assert_eq!(log, "key [redacted]\n[redacted]");
    let dispatched = place.lead_call(&["dispatch", "a", "--to", "w"]).ok();
    let thread = json_text(&dispatched["attempt"]["thread"]);
    let text = place.inbox(&["show", &thread]).ok().to_string();
    assert!(text.contains("key [redacted]") && !text.contains(SECRET), "{text}");
}
