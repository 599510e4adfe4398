//! Rendered briefs, compared with the expected texts in `briefs/`.

use std::error::Error as _;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_profile::brief::{
    BriefError, BriefFacts, BriefTemplate, BriefWorktree, ContinuedWork, NudgeFacts, PriorAttempt,
    QuestionWithAnswer, ResumeCause, ResumeFacts, TemplateError,
};
use orch_profile::{ProfileRegistry, ResponsibleParty, TextFileError};

use super::files::parse_profile;

const BYTES_MAX: usize = 4096;

fn attempt_name(number: u32) -> AttemptName {
    let slug = |text| Slug::new(text).unwrap();
    AttemptName { task: TaskName { run: slug("ship-it"), key: slug("parser") }, number }
}

/// Returns the facts of a first attempt outside git.
fn first_attempt_facts() -> BriefFacts {
    BriefFacts {
        attempt: attempt_name(1),
        thread: ThreadId(12),
        title: "Write the parser".to_owned(),
        spec: None,
        spec_bytes_max: usize::MAX,
        accept: Vec::new(),
        verify: Vec::new(),
        worktree: None,
        folder: None,
        inbox: PathBuf::from("/opt/orch/bin/inbox"),
        orch: PathBuf::from("/opt/orch/bin/orch"),
        resumable: false,
        answers: Vec::new(),
        earlier: Vec::new(),
    }
}

/// Returns the facts of a third attempt, with every optional field.
fn third_attempt_facts() -> BriefFacts {
    let earlier = |number, outcome: &str, reason: Option<&str>, log_tail: Option<&str>| PriorAttempt {
        attempt: attempt_name(number).to_string(),
        outcome: outcome.to_owned(),
        reason: reason.map(str::to_owned),
        log_tail: log_tail.map(str::to_owned),
        branch: log_tail.map(|_| format!("orch/ship-it/parser.{number}")),
    };
    BriefFacts {
        attempt: attempt_name(3),
        spec: Some("Read `a.txt` into {{ a }} tree.\n\nKeep the order.\n".to_owned()),
        accept: vec!["Every line is read.".to_owned(), "Empty files\nare read too.".to_owned()],
        verify: vec!["cargo test -p parser".to_owned()],
        worktree: Some(BriefWorktree {
            path: PathBuf::from("/srv/my repo.orch/parser.3"),
            branch: "orch/ship-it/parser.3".to_owned(),
            base: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            commit: ResponsibleParty::Worker,
            allow_empty: false,
        }),
        inbox: PathBuf::from("/opt/my tools/inbox"),
        resumable: true,
        answers: vec![QuestionWithAnswer {
            question: "Tabs or spaces?".to_owned(),
            answer: "Spaces.\nFour of them.".to_owned(),
            from: "lead".to_owned(),
        }],
        earlier: vec![
            earlier(1, "lost", None, None),
            earlier(
                2,
                "rejected",
                Some("merge_conflict in src/lib.rs"),
                Some("test parser ... FAILED\nexit 101\n"),
            ),
        ],
        ..first_attempt_facts()
    }
}

/// Returns the facts of an attempt whose changes the tool commits.
fn sandboxed_facts() -> BriefFacts {
    let worktree = third_attempt_facts().worktree.map(|worktree| BriefWorktree {
        commit: ResponsibleParty::Tool,
        allow_empty: true,
        ..worktree
    });
    BriefFacts { worktree, ..first_attempt_facts() }
}

fn write_brief(facts: &BriefFacts) -> String {
    BriefTemplate::built_in().render_brief(facts).unwrap().text
}

fn assert_same(text: &str, expected: &str) {
    assert_eq!(text, expected, "the whole text:\n{text}");
}

#[test]
fn briefs_are_as_expected() {
    assert_same(&write_brief(&first_attempt_facts()), include_str!("briefs/first.txt"));
    assert_same(&write_brief(&third_attempt_facts()), include_str!("briefs/third.txt"));
    assert_same(&write_brief(&sandboxed_facts()), include_str!("briefs/sandboxed.txt"));
}

#[test]
fn resumptions_are_as_expected() {
    let facts = ResumeFacts {
        attempt: attempt_name(3),
        thread: ThreadId(12),
        inbox: third_attempt_facts().inbox,
        cause: ResumeCause::Answered(third_attempt_facts().answers.remove(0)),
    };
    let template = BriefTemplate::built_in();
    let rejected = |commit, conflicts: &[&str]| {
        ResumeCause::Continued(ContinuedWork {
            earlier: third_attempt_facts().earlier.remove(1),
            branch: Some("orch/ship-it/parser.3".to_owned()),
            conflicts: conflicts.iter().map(|&file| file.to_owned()).collect(),
            commit,
        })
    };
    let mut raised = rejected(ResponsibleParty::Worker, &[]);
    if let ResumeCause::Continued(work) = &mut raised {
        work.earlier.outcome = "failed".to_owned();
        work.earlier.reason = Some("budget: the attempt has used 120 of 100 tokens".to_owned());
        work.earlier.log_tail = None;
    }
    for (cause, expected) in [
        (raised, include_str!("briefs/raised.txt")),
        (facts.cause.clone(), include_str!("briefs/answered.txt")),
        (ResumeCause::Interrupted, include_str!("briefs/interrupted.txt")),
        (rejected(ResponsibleParty::Worker, &[]), include_str!("briefs/rejected.txt")),
        (rejected(ResponsibleParty::Tool, &["a.txt"]), include_str!("briefs/conflicting.txt")),
    ] {
        let facts = ResumeFacts { cause, ..facts.clone() };
        assert_same(&template.render_resume_brief(&facts).unwrap(), expected);
    }
}

#[test]
fn a_worker_that_ended_without_a_report_is_asked_for_it() {
    let facts = NudgeFacts {
        attempt: attempt_name(3),
        thread: ThreadId(12),
        inbox: third_attempt_facts().inbox,
        has_commits: false,
        uncommitted: (0..25).map(|number| format!("file-{number}")).collect(),
        commit: ResponsibleParty::Worker,
        refused: Some("The worktree has uncommitted changes.".to_owned()),
    };
    let template = BriefTemplate::built_in();
    assert_same(&template.render_nudge(&facts, None).unwrap(), include_str!("briefs/nudge.txt"));
    let bare = NudgeFacts { has_commits: true, uncommitted: Vec::new(), refused: None, ..facts };
    assert_same(&template.render_nudge(&bare, None).unwrap(), include_str!("briefs/nudge_bare.txt"));
    let own = "{{ attempt }} {{ commit }} {{ has_commits }}: {{ report }}";
    let text = template.render_nudge(&bare, Some(own)).unwrap();
    assert!(text.starts_with("ship-it/parser@3 worker True: Report exactly once"), "{text}");
}

#[test]
fn a_long_brief_is_shortened_and_names_the_shortened_parts() {
    let long = |text: &str| text.repeat(40_000 / text.len());
    let mut facts = third_attempt_facts();
    facts.spec = Some(long("The spec. "));
    facts.title = long("Title ");
    facts.accept = vec![long("Good "); 300];
    facts.verify = vec![long("true; "); 300];
    facts.answers = vec![facts.answers[0].clone(); 50];
    facts.answers.push(QuestionWithAnswer {
        question: long("Wirklich? "),
        answer: long("Jäwöhl. "),
        from: "lead".to_owned(),
    });
    facts.earlier = vec![
        PriorAttempt {
            reason: Some(long("é ")),
            log_tail: Some(long("line\n")),
            ..facts.earlier[1].clone()
        };
        5
    ];
    let brief = BriefTemplate::built_in().render_brief(&facts).unwrap();
    let spec = facts.spec.unwrap();
    assert!(brief.text.contains(spec.trim_end()), "the spec is whole");
    let without = brief.text.len() - spec.trim_end().len();
    assert!((2_000..=BYTES_MAX).contains(&without), "{without}");
    assert_eq!(
        brief.cut,
        [
            "answers",
            "how it is checked",
            "older answers",
            "older attempts",
            "output of earlier attempts",
            "questions",
            "reasons",
            "the title",
            "when it is good",
        ]
    );
    let end = "Cut to keep this short: answers, how it is checked, older answers, older attempts, output of earlier \
               attempts, questions, reasons, the title, when it is good. All of it:\n```\n'/opt/my tools/inbox' show \
               th-12\n```\n";
    assert!(brief.text.ends_with(end), "{}", brief.text);
}

#[test]
fn the_newest_attempts_are_shortened_last() {
    let mut facts = third_attempt_facts();
    let tail: String = (1..=200).map(|number| format!("line {number}\n")).collect();
    facts.earlier = (1..=5)
        .map(|number| PriorAttempt {
            attempt: attempt_name(number).to_string(),
            outcome: "failed".to_owned(),
            reason: Some(format!("reason {number} {}", "x".repeat(150))),
            log_tail: Some(tail.clone()),
            branch: None,
        })
        .collect();
    let brief = BriefTemplate::built_in().render_brief(&facts).unwrap();
    assert!(brief.text.len() <= BYTES_MAX, "{}", brief.text);
    assert!(brief.text.contains("parser@5 failed: reason 5"));
    assert!(brief.text.contains("  | line 199\n  | line 200\n"), "{}", brief.text);
    assert!(!brief.text.contains("parser@1 "), "{}", brief.text);
    assert!(brief.cut.iter().any(|cut| cut == "older attempts"), "{:?}", brief.cut);
}

#[test]
fn a_spec_in_an_argument_is_bounded() {
    let facts = BriefFacts { spec: Some("é".repeat(1_000)), spec_bytes_max: 101, ..first_attempt_facts() };
    let brief = BriefTemplate::built_in().render_brief(&facts).unwrap();
    assert!(brief.text.contains(&format!("\n{}…\n", "é".repeat(50))));
    assert_eq!(brief.cut, ["the end of the spec"]);
    assert!(brief.text.contains("/opt/orch/bin/inbox show th-12"));
}

#[test]
fn a_profile_or_a_folder_can_have_its_own_template() {
    let folder = tempfile::tempdir().unwrap();
    let registry = ProfileRegistry::new(folder.path(), None);
    let text = |profile: &str| {
        let profile = parse_profile(&format!("name = 'x'\ncommand = ['a']\n{profile}")).unwrap();
        registry
            .load_template(&profile)
            .map(|template| template.render_brief(&third_attempt_facts()).unwrap().text)
    };
    assert_same(&text("").unwrap(), include_str!("briefs/third.txt"));
    std::fs::write(folder.path().join("brief.jinja"), "{{ title }} in {{ worktree.path }}\n").unwrap();
    assert_eq!(text("").unwrap(), "Write the parser in /srv/my repo.orch/parser.3\n");
    assert_eq!(
        text("template = '{{ thread }} {{ spec }}'").unwrap(),
        "th-12 Read `a.txt` into {{ a }} tree.\n\nKeep the order."
    );
    let missing = text("template_file = 'none.jinja'").unwrap_err();
    assert!(
        matches!(missing, TemplateError::File(TextFileError::Io { path, .. }) if path.as_os_str() == "p/none.jinja")
    );
}

#[test]
fn a_template_with_an_undefined_name_is_invalid() {
    for (text, line, expected) in [
        ("a\n{{ titel }}", 2, "it uses an undefined name"),
        ("{{ worktree.folder }}", 1, "it uses an undefined name"),
        ("a\n\n{% for x in accept %}", 3, "unexpected end of input"),
        ("{{ title | shout }}", 1, "filter shout is unknown"),
    ] {
        let error = BriefTemplate::parse(text, "t").unwrap_err();
        assert_eq!(error.to_string(), format!("t, line {line} is invalid"));
        let source = error.source().unwrap().to_string();
        assert!(source.starts_with(expected), "{source}");
    }
    // A name that is undefined only for these facts is found when the brief is rendered.
    let template = BriefTemplate::parse("{{ worktree.path }}", "t").unwrap();
    assert!(matches!(template.render_brief(&first_attempt_facts()), Err(BriefError::Template { .. })));
}

#[test]
fn the_paths_of_programs_must_be_text() {
    let inbox = PathBuf::from(OsStr::from_bytes(b"/opt/\xff/inbox"));
    let facts = BriefFacts { inbox, ..first_attempt_facts() };
    assert!(matches!(BriefTemplate::built_in().render_brief(&facts), Err(BriefError::ProgramPath { .. })));
}
