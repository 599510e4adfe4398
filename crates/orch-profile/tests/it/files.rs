//! An invalid profile is reported with file, line and field, and profiles are found in the documented order.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use orch_profile::{
    BUILT_IN, BriefDelivery, PlaceholderError, PlaceholderValues, Profile, ProfileError, ProfileOrigin,
    ProfileReference, ProfileRegistry, ResponsibleParty, TemplateSource, TextFileError, session_uuid,
};

pub(super) fn parse_profile(text: &str) -> Result<Profile, ProfileError> {
    Profile::parse(text, ProfileOrigin::File(PathBuf::from("p/x.toml")))
}

fn built_in(name: &str) -> Profile {
    ProfileRegistry::default().load_profile(&name.parse().unwrap()).unwrap()
}

fn placeholder_values<'a>(session: Option<&'a str>) -> PlaceholderValues<'a> {
    PlaceholderValues {
        worktree: Path::new("/repo.orch/a b"),
        brief: "Do it.",
        brief_file: Path::new("/store/brief"),
        session,
        store_dir: Path::new("/repo/.git/orch"),
        relay_dir: Some(Path::new("/tmp/orch-1/a-th-1")),
        git_dir: None,
        git_common_dir: None,
        inbox: Path::new("/bin/inbox"),
        orch: Path::new("/bin/orch"),
        budget_usd: None,
        model: None,
        attempt_dir: Path::new("/store/th-1.files"),
        names: None,
        args: &[],
    }
}

/// Returns the program and the arguments with placeholders replaced.
fn command_words(profile: &Profile, session: Option<&str>) -> Vec<String> {
    let (program, arguments) = profile.command.expand_placeholders(&placeholder_values(session)).unwrap();
    std::iter::once(program).chain(arguments).map(|word| word.into_string().unwrap()).collect()
}

#[test]
fn a_name_and_a_command_suffice() {
    let profile = parse_profile("name = 'x'\ncommand = ['agent', '--in', '{worktree}']\n").unwrap();
    assert_eq!(command_words(&profile, None), ["agent", "--in", "/repo.orch/a b"]);
    assert_eq!(
        (profile.brief, profile.commit, profile.report),
        (BriefDelivery::Stdin, ResponsibleParty::Worker, ResponsibleParty::Worker)
    );
    assert_eq!((profile.grace, profile.silence), (TimeSpan::from_seconds(10), None));
    assert_eq!(profile.template, TemplateSource::Standard);
    assert!(profile.resume.is_none() && profile.events.is_none() && !profile.chooses_session());
}

#[test]
fn a_worker_without_a_report_is_asked_where_it_can_be_resumed() {
    let resume = "resume = ['agent', '{session}']";
    for (field, is_asked) in [
        ("", true),
        ("nudge = true", true),
        ("nudge = false", false),
        ("nudge = 'Report {{ attempt }}: {{ report }}'", true),
        ("report = 'tool'", false),
    ] {
        let text = format!("name = 'x'\ncommand = ['agent', '{{session}}']\n{resume}\n{field}\n");
        assert_eq!(parse_profile(&text).unwrap().nudges(), is_asked, "{field}");
    }
    assert!(!parse_profile("name = 'x'\ncommand = ['agent']\nnudge = true\n").unwrap().nudges());
    for field in ["nudge = 3", "nudge = '{{ unknown }}'", "nudge = '{% if %}'"] {
        let error = parse_profile(&format!("name = 'x'\ncommand = ['agent']\n{field}\n")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 3, field `nudge`"), "{field}: {text}");
    }
}

#[test]
fn the_command_implies_the_delivery_of_the_brief() {
    for (command, brief, expected) in [
        ("['a']", "", Some(BriefDelivery::Stdin)),
        ("['a', '-p', '{brief}']", "", Some(BriefDelivery::Argument)),
        ("['a', '{brief_file}']", "", Some(BriefDelivery::File)),
        ("['a', '{brief}', '{brief_file}']", "", Some(BriefDelivery::Argument)),
        ("['a']", "stdin", Some(BriefDelivery::Stdin)),
        ("['a', '{brief}']", "argument", Some(BriefDelivery::Argument)),
        ("['a']", "argument", None),
        ("['a']", "file", None),
        ("['a', '{brief}']", "file", None),
        ("['a', '{brief}']", "stdin", None),
        ("['a', '{brief_file}']", "stdin", None),
    ] {
        let brief = if brief.is_empty() { String::new() } else { format!("brief = '{brief}'\n") };
        let profile = parse_profile(&format!("name = 'x'\n{brief}command = {command}\n"));
        assert_eq!(profile.as_ref().ok().map(|profile| profile.brief), expected, "{brief}{command}");
    }
}

/// Asserts that a profile is invalid on a line, in a field, with a problem.
fn assert_invalid(text: &str, line: u32, field: Option<&str>, problem: &str) {
    let error = parse_profile(text).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(source.starts_with(problem), "{source}\n{text}");
    let field = field.map(|field| format!(", field `{field}`")).unwrap_or_default();
    assert_eq!(error.to_string(), format!("p/x.toml, line {line}{field} is invalid"), "{text}");
}

#[test]
fn problems_of_commands_have_a_line_and_a_field() {
    for (text, line, field, problem) in [
        ("name = 'x'\ncommand = [\n", 2, None, "unclosed array, expected `]`"),
        ("command = ['a']\n", 1, None, "missing field `name`"),
        (
            "name = 'x'\n\ncommand = 'a'\n",
            3,
            Some("command"),
            "invalid type: string \"a\", expected a sequence",
        ),
        (
            "name = 'X'\ncommand = ['a']\n",
            1,
            Some("name"),
            "a name begins with a lower-case letter or a digit",
        ),
        ("name = 'x'\ncommand = []\n", 2, Some("command"), "a command begins with a program"),
        ("name = 'x'\ncommand = ['']\n", 2, Some("command"), "a command begins with a program"),
        (
            "name = 'x'\ncommand = [\n  'a',\n  '{worktre}',\n]\n",
            4,
            Some("command.1"),
            "`{worktre}` is not a placeholder; those are {worktree} {brief} {brief_file} {session} {store_dir} {relay_dir} \
             {git_dir} {git_common_dir} {inbox} {orch} {budget_usd} {model} {attempt_dir} {task} {attempt} \
             {run}, and a brace is written {{ or }}",
        ),
        ("name = 'x'\ncommand = ['a']\nresume = ['a']\n", 3, Some("resume"), "`{session}` is missing"),
        (
            "name = 'x'\ncommand = ['a']\nresume = ['a', '{session}']\n",
            3,
            Some("resume"),
            "`{session}` is unknown",
        ),
        (
            "name = 'x'\ncommand = ['a', '{session}']\nresume = ['a', '{session}', '{brief}']\n",
            3,
            Some("resume"),
            "the brief is delivered by `stdin`",
        ),
        ("name = 'x'\ncommand = ['a']\ncommit = 'me'\n", 3, Some("commit"), "unknown variant `me`"),
        (
            "name = 'x'\ncommand = ['a']\ngrace = '1'\n",
            3,
            Some("grace"),
            "a duration is a number with a unit",
        ),
        (
            "name = 'x'\ncommand = ['a']\nsilence = '0s'\n",
            3,
            Some("silence"),
            "a duration must be longer than zero",
        ),
        (
            "name = 'x'\ncommand = ['a']\ntemplate = 'a'\ntemplate_file = 'b'\n",
            4,
            Some("template_file"),
            "use either `template` or `template_file`",
        ),
    ] {
        assert_invalid(text, line, field, problem);
    }
}

#[test]
fn problems_of_tables_have_a_line_and_a_field() {
    for (text, line, field, problem) in [
        (
            "name = 'x'\ncommand = ['a']\nenvironment = [\n  'A_*',\n  'INBOX_LEASE',\n]\n",
            5,
            Some("environment.1"),
            "variables that begin with ORCH_",
        ),
        ("name = 'x'\ncommand = ['a']\n[set]\n'A B' = ''\n", 4, Some("set.A B"), "the name of a variable"),
        ("name = 'x'\ncommand = ['a']\n[set]\nA = '{brief}'\n", 4, Some("set.A"), "`{brief}` is allowed"),
        ("name = 'x'\ncommand = ['a']\n[exit]\n300 = 'normal'\n", 4, Some("exit.300"), "an exit status is"),
        ("name = 'x'\ncommand = ['a']\n[exit]\n1 = 'good'\n", 4, Some("exit.1"), "unknown variant `good`"),
    ] {
        assert_invalid(text, line, field, problem);
    }
}

#[test]
fn problems_of_rules_have_a_line_and_a_field() {
    let events = "name = 'x'\ncommand = ['a']\n[events]\nformat = 'json-lines'\n";
    for (text, line, field, problem) in [
        ("name = 'x'\ncommand = ['a']\n[events]\nx = 1\n", 4, Some("events.x"), "unknown field `x`"),
        (
            &format!("{events}[[events.activity]]\npath = 1\n"),
            6,
            Some("events.activity.0.path"),
            "invalid type",
        ),
        (
            &format!("{events}[[events.activity]]\npath = 'a'\n[[events.activity]]\npath = ['a', 'b..c']\n"),
            8,
            Some("events.activity.1.path.1"),
            "a path consists of names",
        ),
        (
            &format!("{events}[[events.result]]\npath = 'a'\nwhen = {{ a = 1.5 }}\n"),
            7,
            Some("events.result.0.when"),
            "`a`: a condition compares with",
        ),
        (
            &format!("{events}[[events.failure]]\nis = 'quota'\ncontains = ['x']\n"),
            5,
            Some("events.failure.0"),
            "`contains` needs `path`",
        ),
        (
            &format!("{events}[events.tokens]\ncounts = 'run'\ninput = []\noutput = 'b'\n"),
            7,
            Some("events.tokens.input"),
            "the list must not be empty",
        ),
    ] {
        assert_invalid(text, line, field, problem);
    }
}

#[test]
fn profiles_are_searched_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, user) = (folder.path().join("store"), folder.path().join("user"));
    let registry = ProfileRegistry::new(&store, Some(&user));
    let write = |folder: &Path, file: &str, name: &str, program: &str| {
        let folder = folder.join("profiles");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(file);
        std::fs::write(&path, format!("name = '{name}'\ncommand = ['{program}']\n")).unwrap();
        path
    };
    let program = |text: &str| {
        command_words(&registry.load_profile(&text.parse().unwrap()).unwrap(), Some("s"))[0].clone()
    };
    assert_eq!(program("codex"), "codex");
    write(&user, "codex.toml", "codex", "of-the-user");
    assert_eq!(program("codex"), "of-the-user");
    write(&store, "codex.toml", "codex", "of-the-store");
    assert_eq!(program("codex"), "of-the-store");
    let path = write(folder.path(), "any.toml", "mine", "of-the-path");
    assert_eq!(program(path.to_str().unwrap()), "of-the-path");

    let file = write(&user, "alias.toml", "other", "x");
    let error = registry.load_profile(&"alias".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}, line 1, field `name` is invalid", file.display()));
    assert_eq!(error.source().unwrap().to_string(), "the profile is called `other`, but its file `alias`");

    match registry.load_profile(&"other-client".parse().unwrap()) {
        Err(ProfileError::Unknown { name, searched }) => {
            assert_eq!(name.as_str(), "other-client");
            assert_eq!(searched, [store, user].map(|folder| folder.join("profiles/other-client.toml")));
        }
        other => panic!("{other:?}"),
    }
    let missing = ProfileReference::Path(folder.path().join("none.toml"));
    assert!(matches!(registry.load_profile(&missing), Err(ProfileError::File(TextFileError::Io { .. }))));
}

#[test]
fn a_reference_is_a_name_or_a_path() {
    for (text, expected) in [
        ("claude", Some(ProfileReference::Name(Slug::new("claude").unwrap()))),
        ("x.toml", Some(ProfileReference::Path(PathBuf::from("x.toml")))),
        ("./x", Some(ProfileReference::Path(PathBuf::from("./x")))),
        (
            "claude:anthropic/opus",
            Some(ProfileReference::Model(Slug::new("claude").unwrap(), "anthropic/opus".to_owned())),
        ),
        ("./a:b", Some(ProfileReference::Path(PathBuf::from("./a:b")))),
        ("claude:", None),
        ("Claude", None),
        ("", None),
    ] {
        assert_eq!(text.parse::<ProfileReference>().ok(), expected, "{text}");
    }
}

#[test]
fn the_built_in_profiles_are_consistent() {
    assert_eq!(
        BUILT_IN.map(|(name, _)| built_in(name).name.to_string()),
        ["shell", "codex", "claude", "gemini", "opencode", "qwen", "pi", "cline", "aider"]
    );
    for (name, text) in BUILT_IN {
        assert!(!text.contains("{store_dir}"), "{name} grants its worker the folder of the store");
    }
    let session = session_uuid([7; 16]);
    let (shell, codex, claude) = (built_in("shell"), built_in("codex"), built_in("claude"));
    assert_eq!(command_words(&shell, None), ["sh", "-e", "/store/brief"]);
    assert_eq!(
        (shell.brief, shell.report, shell.commit),
        (BriefDelivery::File, ResponsibleParty::Tool, ResponsibleParty::Worker)
    );
    // The sandbox lets the worker write its relay, but not the repository's git directory.
    assert!(command_words(&codex, None).windows(2).any(|pair| pair == ["--add-dir", "/tmp/orch-1/a-th-1"]));
    assert_eq!((codex.commit, codex.report), (ResponsibleParty::Tool, ResponsibleParty::Worker));
    assert!(!codex.chooses_session() && codex.resume.is_some());
    assert!(
        command_words(&claude, Some(&session))
            .windows(2)
            .any(|pair| pair == ["--session-id", session.as_str()])
    );
    assert!(claude.chooses_session() && claude.commit == ResponsibleParty::Worker);
    for profile in [codex, claude] {
        let resume = profile.resume.unwrap();
        let (_, words) = resume.expand_placeholders(&placeholder_values(Some("the-session"))).unwrap();
        assert!(words.contains(&OsString::from("the-session")));
        assert_eq!(
            resume.expand_placeholders(&placeholder_values(None)),
            Err(PlaceholderError::Missing { placeholder: "session" })
        );
    }
}

#[test]
fn a_worker_inherits_listed_variables_only() {
    let profile = parse_profile(
        "name = 'x'\ncommand = ['a']\nenvironment = ['KEY', 'X_*']\n[set]\nX_A = 'set'\nPLACE = '{store_dir}/x'\n",
    )
    .unwrap();
    let ours = [("PATH", "/bin"), ("KEY", "k"), ("X_A", "a"), ("X_B", "b"), ("Y", "y"), ("INBOX_LEASE", "l")];
    let ours = ours.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let environment = profile.worker_environment(ours, &placeholder_values(None)).unwrap();
    for (name, value) in [
        ("PATH", Some("/bin")),
        ("KEY", Some("k")),
        ("X_A", Some("set")),
        ("X_B", Some("b")),
        ("PLACE", Some("/repo/.git/orch/x")),
        ("Y", None),
        ("INBOX_LEASE", None),
    ] {
        assert_eq!(environment.get(name).and_then(|value| value.to_str()), value, "{name}");
    }
}

#[test]
fn a_profile_extends_another() {
    let folder = tempfile::tempdir().unwrap();
    let (store, user) = (folder.path().join("store"), folder.path().join("user"));
    let registry = ProfileRegistry::new(&store, Some(&user));
    let write = |name: &str, text: &str| {
        std::fs::create_dir_all(user.join("profiles")).unwrap();
        std::fs::write(user.join(format!("profiles/{name}.toml")), text).unwrap();
    };
    let load = |name: &str| registry.load_profile(&name.parse().unwrap());
    let words = |profile: &Profile| {
        let (session, args) = (Some("s"), profile.args.as_slice());
        let values =
            PlaceholderValues { model: profile.model.as_deref(), args, ..placeholder_values(session) };
        let (_, words) = profile.command.expand_placeholders(&values).unwrap();
        words.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>()
    };
    // A file that extends the profile of its own name extends the next one of that name.
    write("claude", "name = 'claude'\nextends = 'claude'\nsilence = '5m'\n[set]\nMORE = 'x'\n");
    write(
        "judge",
        "name = 'judge'\nextends = 'claude'\nmodel = 'opus'\nargs = ['--add-dir', '{worktree}']\n",
    );
    let (claude, judge) = (load("claude").unwrap(), load("judge").unwrap());
    assert_eq!(claude.silence.map(|silence| silence.0), Some(300_000));
    assert!(claude.settings.sets_variable("MORE") && claude.settings.sets_variable("DISABLE_AUTOUPDATER"));
    assert_eq!(claude.events, built_in("claude").events);
    assert_eq!(words(&claude), words(&built_in("claude")));
    let added = ["--model", "opus", "--add-dir", "/repo.orch/a b"];
    assert_eq!(words(&judge), [words(&claude), added.map(str::to_owned).to_vec()].concat());
    assert_eq!((judge.name.as_str(), judge.silence), ("judge", claude.silence));
    let named = load("judge:haiku").unwrap();
    assert_eq!((named.name.as_str(), named.model.as_deref()), ("judge", Some("haiku")));

    // A relative template file belongs to the folder of the profile that names it.
    write("asks", "name = 'asks'\ncommand = ['x']\ntemplate_file = 'asks.jinja'\n");
    let child = folder.path().join("child.toml");
    std::fs::write(&child, "name = 'child'\nextends = 'asks'\n").unwrap();
    assert_eq!(
        load(child.to_str().unwrap()).unwrap().template,
        TemplateSource::File(user.join("profiles/asks.jinja"))
    );
    std::fs::write(&child, "name = 'child'\nextends = 'asks'\ntemplate = 'Do it.'\n").unwrap();
    assert_eq!(load(child.to_str().unwrap()).unwrap().template, TemplateSource::Text("Do it.".to_owned()));
}

#[test]
fn problems_of_a_profile_that_extends_another_have_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let registry = ProfileRegistry::new(folder.path(), None);
    std::fs::create_dir_all(folder.path().join("profiles")).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(format!("profiles/{name}.toml")), text).unwrap();
    };
    let load = |name: &str| registry.load_profile(&name.parse().unwrap());
    for (text, line, field, problem) in [
        (
            "name = 'x'\nextends = 'shell'\nmodel = 'm'\n",
            3,
            "model",
            "`command` and `resume` have no place for it",
        ),
        ("name = 'x'\n\nextends = 'shell'\nargs = ['m']\n", 4, "args", "they must contain `{args}`"),
        ("name = 'x'\nextends = 'x y'\n", 2, "extends", "`extends` names a profile"),
        ("name = 'x'\nextends = 'claude'\n[events.cost]\nusd = 1\n", 4, "events.cost.usd", "invalid type"),
        ("name = 'x'\nextends = 'claude'\nbrief = 'argument'\n", 2, "command", "must contain `{brief}`"),
    ] {
        write("x", text);
        match load("x") {
            Err(ProfileError::Invalid { line: found, field: Some(at), problem: said, .. }) => {
                assert_eq!((found, at.as_str()), (line, field), "{text}: {said}");
                assert!(said.to_string().contains(problem), "{said}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for number in 0..9 {
        write(&format!("p{number}"), &format!("name = 'p{number}'\nextends = 'p{}'\n", (number + 1) % 9));
    }
    assert!(load("p0").unwrap_err().source().unwrap().to_string().contains("more than 4 profiles"));
    write("x", "name = 'x'\nextends = 'nothing-like-it'\n");
    assert!(matches!(load("x"), Err(ProfileError::Unknown { .. })));
    assert!(load("shell:m").is_err() && load("claude:m").is_ok());
}

#[test]
fn files_of_a_profile_stay_in_their_folder() {
    let profile =
        parse_profile("name = 'x'\ncommand = ['x']\n[files]\n'a/b.json' = '{{\"in\": \"{worktree}\"}}'\n")
            .unwrap();
    let values = placeholder_values(None);
    let files = profile.files.expand_placeholders(&values).unwrap();
    assert_eq!(files, [("a/b.json", "{\"in\": \"/repo.orch/a b\"}".into())]);
    assert!(profile.uses_attempt_dir());
    for path in ["/etc/x", "../x", "a/../x", "", "a/"] {
        let text = format!("name = 'x'\ncommand = ['x']\n[files]\n'{path}' = 'x'\n");
        assert!(parse_profile(&text).is_err(), "{path}");
    }
}
