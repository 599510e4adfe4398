//! What workers are told, word for word: the expected texts lie in `briefs/`.

use std::error::Error as _;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_profile::brief::{
    Answered, BriefError, BriefFacts, BriefWorktree, Earlier, ResumeFacts, Template, TemplateError,
};
use orch_profile::{Actor, Shelf};

use super::files::parse;

const BYTES_MAX: usize = 4096;

fn attempt(number: u32) -> AttemptName {
    let slug = |text| Slug::new(text).unwrap();
    AttemptName { task: TaskName { run: slug("ship-it"), key: slug("parser") }, number }
}

/// A first attempt, outside of git.
fn first() -> BriefFacts {
    BriefFacts {
        attempt: attempt(1),
        thread: ThreadId(12),
        title: "Write the parser".to_owned(),
        spec: None,
        spec_bytes_max: usize::MAX,
        accept: Vec::new(),
        verify: Vec::new(),
        worktree: None,
        inbox: PathBuf::from("/opt/orch/bin/inbox"),
        orch: PathBuf::from("/opt/orch/bin/orch"),
        resumable: false,
        answers: Vec::new(),
        earlier: Vec::new(),
    }
}

/// A third attempt with everything that there can be.
fn third() -> BriefFacts {
    let earlier = |number, outcome: &str, reason: Option<&str>, log_tail: Option<&str>| Earlier {
        attempt: attempt(number),
        outcome: outcome.to_owned(),
        reason: reason.map(str::to_owned),
        log_tail: log_tail.map(str::to_owned),
    };
    BriefFacts {
        attempt: attempt(3),
        spec: Some("Read `a.txt` into {{ a }} tree.\n\nKeep the order.\n".to_owned()),
        accept: vec!["Every line is read.".to_owned(), "Empty files\nare read too.".to_owned()],
        verify: vec!["cargo test -p parser".to_owned()],
        worktree: Some(BriefWorktree {
            path: PathBuf::from("/srv/my repo.orch/parser.3"),
            branch: "orch/ship-it/parser.3".to_owned(),
            base: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            commit: Actor::Worker,
            allow_empty: false,
        }),
        inbox: PathBuf::from("/opt/my tools/inbox"),
        resumable: true,
        answers: vec![Answered {
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
        ..first()
    }
}

/// Where commits are the tool's.
fn sandboxed() -> BriefFacts {
    let worktree =
        third().worktree.map(|worktree| BriefWorktree { commit: Actor::Tool, allow_empty: true, ..worktree });
    BriefFacts { worktree, ..first() }
}

fn write(facts: &BriefFacts) -> String {
    Template::standard().write(facts).unwrap().text
}

fn assert_same(text: &str, expected: &str) {
    assert_eq!(text, expected, "the whole text:\n{text}");
}

#[test]
fn briefs_are_as_expected() {
    assert_same(&write(&first()), include_str!("briefs/first.txt"));
    assert_same(&write(&third()), include_str!("briefs/third.txt"));
    assert_same(&write(&sandboxed()), include_str!("briefs/sandboxed.txt"));
}

#[test]
fn resumptions_are_as_expected() {
    let answered = third().answers.pop();
    let facts = ResumeFacts { attempt: attempt(3), thread: ThreadId(12), inbox: third().inbox, answered };
    let template = Template::standard();
    assert_same(&template.resume(&facts).unwrap(), include_str!("briefs/answered.txt"));
    let interrupted = ResumeFacts { answered: None, ..facts };
    assert_same(&template.resume(&interrupted).unwrap(), include_str!("briefs/interrupted.txt"));
}

#[test]
fn a_brief_stays_short_and_says_what_was_cut() {
    let long = |text: &str| text.repeat(40_000 / text.len());
    let mut facts = third();
    facts.spec = Some(long("The spec. "));
    facts.title = long("Title ");
    facts.accept = vec![long("Good "); 300];
    facts.verify = vec![long("true; "); 300];
    facts.answers = vec![facts.answers[0].clone(); 50];
    facts.answers.push(Answered {
        question: long("Wirklich? "),
        answer: long("Jäwöhl. "),
        from: "lead".to_owned(),
    });
    facts.earlier =
        vec![
            Earlier { reason: Some(long("é ")), log_tail: Some(long("line\n")), ..facts.earlier[1].clone() };
            5
        ];
    let brief = Template::standard().write(&facts).unwrap();
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
fn what_is_newest_is_cut_last() {
    let mut facts = third();
    let tail: String = (1..=200).map(|number| format!("line {number}\n")).collect();
    facts.earlier = (1..=5)
        .map(|number| Earlier {
            attempt: attempt(number),
            outcome: "failed".to_owned(),
            reason: Some(format!("reason {number} {}", "x".repeat(150))),
            log_tail: Some(tail.clone()),
        })
        .collect();
    let brief = Template::standard().write(&facts).unwrap();
    assert!(brief.text.len() <= BYTES_MAX, "{}", brief.text);
    assert!(brief.text.contains("parser@5 failed: reason 5"));
    assert!(brief.text.contains("  | line 199\n  | line 200\n"), "{}", brief.text);
    assert!(!brief.text.contains("parser@1 "), "{}", brief.text);
    assert!(brief.cut.iter().any(|cut| cut == "older attempts"), "{:?}", brief.cut);
}

#[test]
fn a_spec_that_goes_in_as_an_argument_is_bounded() {
    let facts = BriefFacts { spec: Some("é".repeat(1_000)), spec_bytes_max: 101, ..first() };
    let brief = Template::standard().write(&facts).unwrap();
    assert!(brief.text.contains(&format!("\n{}…\n", "é".repeat(50))));
    assert_eq!(brief.cut, ["the end of the spec"]);
    assert!(brief.text.contains("/opt/orch/bin/inbox show th-12"));
}

#[test]
fn a_profile_or_a_folder_can_have_its_own_template() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(folder.path(), None);
    let text = |profile: &str| {
        let profile = parse(&format!("name = 'x'\ncommand = ['a']\n{profile}")).unwrap();
        shelf.template(&profile).map(|template| template.write(&third()).unwrap().text)
    };
    assert_same(&text("").unwrap(), include_str!("briefs/third.txt"));
    std::fs::write(folder.path().join("brief.jinja"), "{{ title }} in {{ worktree.path }}\n").unwrap();
    assert_eq!(text("").unwrap(), "Write the parser in /srv/my repo.orch/parser.3\n");
    assert_eq!(
        text("template = '{{ thread }} {{ spec }}'").unwrap(),
        "th-12 Read `a.txt` into {{ a }} tree.\n\nKeep the order."
    );
    let missing = text("template_file = 'none.jinja'").unwrap_err();
    assert!(matches!(missing, TemplateError::Io { path, .. } if path.as_os_str() == "p/none.jinja"));
}

#[test]
fn a_template_that_names_what_there_is_not_is_refused() {
    for (text, line, expected) in [
        ("a\n{{ titel }}", 2, "it names what there is not"),
        ("{{ worktree.folder }}", 1, "it names what there is not"),
        ("a\n\n{% for x in accept %}", 3, "unexpected end of input"),
        ("{{ title | shout }}", 1, "filter shout is unknown"),
    ] {
        let error = Template::parse(text, "t").unwrap_err();
        assert_eq!(error.to_string(), format!("t, line {line} is wrong"));
        let source = error.source().unwrap().to_string();
        assert!(source.starts_with(expected), "{source}");
    }
    // What is missing only here is found when it is written.
    let template = Template::parse("{{ worktree.path }}", "t").unwrap();
    assert!(matches!(template.write(&first()), Err(BriefError::Template { .. })));
}

#[test]
fn a_worker_must_be_able_to_type_our_programs() {
    let inbox = PathBuf::from(OsStr::from_bytes(b"/opt/\xff/inbox"));
    let facts = BriefFacts { inbox, ..first() };
    assert!(matches!(Template::standard().write(&facts), Err(BriefError::ProgramPath { .. })));
}
