//! An agent that knows only `orch prime` and follows it to the letter finishes a goal.
//!
//! The texts are taken apart into the commands that they show; every one of them is run by a shell, with nothing
//! changed but the words that stand for something.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scheduling::{event_kinds, json_text};
use crate::supervised::fixture::wait_until;
use crate::test_environment::{CliInvocation, CliOutput, TestEnvironment};

/// The commands of a text, as it shows them.
struct ShownCommands {
    /// The blocks in order: the heading's first word, and the commands below it, each with its here-document.
    blocks: Vec<(String, VecDeque<String>)>,
    /// The lists beside a label: "Label: command, command".
    lists: Vec<(String, Vec<String>)>,
}

impl ShownCommands {
    fn from_text(text: &str) -> Self {
        let mut shown = Self { blocks: Vec::new(), lists: Vec::new() };
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if is_command(line.trim_start()) && line.starts_with("  ") {
                let mut command = line.trim_start().to_owned();
                if command.ends_with("<<'EOF'") {
                    for inner in lines.by_ref() {
                        command = format!("{command}\n{}", inner.trim_start());
                        if inner.trim_start() == "EOF" {
                            break;
                        }
                    }
                }
                shown.blocks.last_mut().unwrap().1.push_back(command);
            } else if let Some((label, list)) = line.split_once(": ").filter(|(_, list)| is_command(list)) {
                // A comment belongs to the whole line.
                let list = list.split("  ").next().unwrap();
                shown.lists.push((label.to_owned(), list.split(", ").map(str::to_owned).collect()));
            } else {
                let heading = line.trim_start_matches(|it: char| !it.is_alphabetic());
                let word = heading.split([' ', ':']).next().unwrap_or_default();
                let goes_on = shown.blocks.last().is_some_and(|(_, commands)| commands.is_empty());
                if !goes_on || word.chars().all(char::is_uppercase) {
                    shown.blocks.push((word.to_owned(), VecDeque::new()));
                }
            }
        }
        shown
    }

    /// The commands below the heading that begins with this word.
    fn below(&self, heading: &str) -> VecDeque<String> {
        let found = self.blocks.iter().find(|(word, commands)| word == heading && !commands.is_empty());
        found.unwrap_or_else(|| panic!("there are no commands below {heading}")).1.clone()
    }

    /// The commands beside the labels.
    fn listed(&self) -> Vec<String> {
        self.lists.iter().flat_map(|(_, list)| list.clone()).collect()
    }
}

fn is_command(text: &str) -> bool {
    ["orch ", "inbox "].iter().any(|program| text.starts_with(program))
        || ["orch", "inbox"].iter().any(|program| text.split(", ").next() == Some(program))
}

/// A repository, and a shell that finds the programs and what the texts name as examples.
struct AgentShell {
    place: TestEnvironment,
    path: String,
}

impl AgentShell {
    fn new() -> Self {
        let place = TestEnvironment::with_repository();
        let tools = place.sibling_path("tools");
        std::fs::create_dir(&tools).unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap().display().to_string();
        let found = std::env::var("PATH").unwrap();
        let path = format!("{}:{programs}:{found}", tools.display());
        let shell = Self { place, path };
        // What the examples name: the check of a project, and a client that works as it is told.
        shell.write_tool("make", "[ \"$1\" = test ] && ls *.txt");
        shell.write_tool(
            "claude",
            "case $1 in --version) echo 1; exit;; esac\ncat > /dev/null\n\
             echo \"$ORCH_TASK\" > \"${ORCH_TASK##*/}.txt\"\ngit add .\ngit commit -qm work\n\
             inbox done --result 'It is written.' > /dev/null\n\
             echo '{\"type\":\"result\",\"is_error\":false,\"result\":\"Done.\"}'",
        );
        shell
    }

    /// A new shell, in whose repository a run has three tasks.
    fn with_tasks() -> Self {
        let shell = Self::new();
        shell.run("orch run init 'A goal' --name r");
        for task in ["a", "b", "later --after a"] {
            shell.run(&format!("orch task add 'Do it' --key {task}"));
        }
        shell
    }

    fn write_tool(&self, name: &str, body: &str) {
        let file = self.place.sibling_path("tools").join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn call(&self, command: &str) -> CliInvocation {
        self.place.shell(command).env("PATH", &self.path)
    }

    /// Runs a command as an agent does, which must be accepted.
    fn run(&self, command: &str) -> Value {
        let printed = self.call(command).run();
        assert_eq!(printed.exit, 0, "{command}: {printed:?}");
        answer_of(&printed)
    }

    /// The commands that the text for this role shows.
    fn prime(&self, role: &str) -> ShownCommands {
        let printed = self.call(&format!("orch prime {role}")).run();
        assert!(printed.stdout.len() <= 2048, "{} bytes", printed.stdout.len());
        ShownCommands::from_text(&printed.stdout)
    }

    /// Plans as the text says, and with a file of the form that it shows.
    fn plan(&self, commands: &VecDeque<String>) {
        let form = commands.iter().find(|line| line.contains("plan.jsonl")).unwrap();
        let (_, form) = form.split_once('{').unwrap();
        let (form, _) = form.split_once('}').unwrap();
        let line = form
            .replace("\"key\"", "\"key\":\"docs\"")
            .replace("\"title\"", "\"title\":\"Describe it\"")
            .replace("\"spec\"", "\"spec\":\"All of it.\"")
            .replace("[]", "[\"write\"]");
        std::fs::write(self.place.repository_path().join("plan.jsonl"), format!("{{{line}}}\n")).unwrap();
        for command in commands {
            self.run(command);
        }
        std::fs::remove_file(self.place.repository_path().join("plan.jsonl")).unwrap();
    }

    /// Lands as the text says, and sees that the work of all three tasks is on the branch.
    fn land(&self, commands: &VecDeque<String>) {
        for command in commands {
            self.run(command);
        }
        for key in ["write", "test", "docs"] {
            let file = self.place.repository_path().join(format!("{key}.txt"));
            assert!(file.exists(), "{key} is landed, and the checkout moved along");
        }
        assert_eq!(self.run("orch status")["run"]["outcome"], "succeeded");
    }
}

/// `data` of an answer; null for a text.
fn answer_of(printed: &CliOutput) -> Value {
    serde_json::from_str::<Value>(&printed.stdout).map_or(Value::Null, |mut document| document["data"].take())
}

/// A worker that has claimed its work by hand.
struct FollowingWorker<'a> {
    shell: &'a AgentShell,
    tree: PathBuf,
    variables: [(&'static str, String); 3],
}

impl<'a> FollowingWorker<'a> {
    /// Claims as the text says.
    fn claim(shell: &'a AgentShell, commands: &VecDeque<String>) -> Self {
        let [claim] = commands.iter().collect::<Vec<_>>()[..] else { panic!("one command: {commands:?}") };
        let printed = shell.call(claim).env("INBOX_AGENT", "w1").run();
        let claimed = answer_of(&printed);
        let variables = [
            ("INBOX_AGENT", "w1".to_owned()),
            ("INBOX_THREAD", json_text(&claimed["thread"]["id"])),
            ("INBOX_LEASE", json_text(&claimed["lease"]["token"])),
        ];
        let tree = json_text(&claimed["messages"][0]["payload"]["worktree"]["path"]);
        Self { shell, tree: tree.into(), variables }
    }

    fn call(&self, command: &str) -> CliInvocation {
        let call = self.shell.call(command).in_folder(&self.tree);
        self.variables.iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    fn run(&self, command: &str) -> Value {
        let printed = self.call(command).run();
        assert_eq!(printed.exit, 0, "{command}: {printed:?}");
        answer_of(&printed)
    }

    fn commit(&self) {
        let key = self.tree.file_name().unwrap().to_str().unwrap().split('.').next().unwrap();
        std::fs::write(self.tree.join(format!("{key}.txt")), key).unwrap();
        self.shell.place.commit_in(&self.tree, key);
    }

    /// Works as the text says; `is_asked` is called while a question is open.
    fn work(&self, commands: &VecDeque<String>, is_asked: impl FnOnce()) {
        let verb = |command: &String| command.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(
            commands.iter().map(verb).collect::<Vec<_>>(),
            ["show", "progress", "ask", "suggest", "done", "fail"],
            "the order in which a worker is shown them"
        );
        let shown = self.run(&commands[0]);
        assert!(!shown["messages"].as_array().unwrap().is_empty());
        self.run(&commands[1]);
        let asking = self.call(&commands[2]).start();
        is_asked();
        let answered = asking.wait_output();
        assert_eq!(answered.exit, 0, "{answered:?}");
        self.run(&commands[3]);
        self.commit();
        self.run(&commands[4]);
    }
}

/// Without a supervisor: the lead hands out, waits, answers, merges and lands; the worker claims, asks and reports.
#[test]
fn who_follows_prime_by_hand_lands_a_finished_goal() {
    let shell = AgentShell::new();
    let (lead, worker) = (shell.prime("lead"), shell.prime("worker"));
    shell.plan(&lead.below("PLAN"));
    let by_hand = lead.below("or");
    let repeated = lead.below("REPEAT");
    let mut dispatched = 0;
    let mut hand_out = |command: &str| {
        let answer = shell.run(command);
        let given = answer["dispatched"].as_array().unwrap().len();
        dispatched += given;
        for _ in 0..given {
            let claimed = FollowingWorker::claim(&shell, &worker.below("CLAIM"));
            claimed.work(&worker.below("WORK"), || {
                let thread = &claimed.variables[1].1;
                wait_until("the question is asked", || {
                    shell.run(&format!("inbox show {thread}"))["thread"]["state"] == "blocked"
                });
                let events = shell.run(&repeated[0])["events"].clone();
                assert!(event_kinds(&events).contains(&"question".to_owned()), "{events}");
                let open = shell.run(&repeated[1])["questions"].clone();
                shell.run(&repeated[2].replace("TASK", &json_text(&open[0]["task"])));
            });
        }
    };
    for command in &by_hand {
        hand_out(command);
    }
    for round in 0.. {
        assert!(round < 10, "it comes to an end");
        let news = shell.run(&repeated[0]);
        for command in repeated.iter().skip(3) {
            if command.contains(" dispatch ") {
                hand_out(command);
            } else {
                shell.run(&command.replace("e-N", &json_text(&news["cursor"])));
            }
        }
        if event_kinds(&news["events"]).contains(&"finished".to_owned()) {
            break;
        }
    }
    assert_eq!(dispatched, 3);
    shell.land(&lead.below("LAND"));
}

/// With a supervisor: it starts the workers, checks and merges, and the lead waits for the end.
#[test]
fn who_follows_prime_with_a_supervisor_lands_a_finished_goal() {
    let shell = AgentShell::new();
    let lead = shell.prime("lead");
    shell.plan(&lead.below("PLAN"));
    for command in &lead.below("WORK") {
        shell.run(command);
    }
    let repeated = lead.below("REPEAT");
    for round in 0.. {
        assert!(round < 20, "it comes to an end");
        let news = shell.run(&repeated[0]);
        assert_eq!(shell.run(&repeated[1])["questions"], serde_json::json!([]));
        shell.run(&repeated.back().unwrap().replace("e-N", &json_text(&news["cursor"])));
        if event_kinds(&news["events"]).contains(&"finished".to_owned()) {
            break;
        }
    }
    shell.land(&lead.below("LAND"));
    wait_until("the supervisor ends", || shell.place.remaining_processes().is_empty());
}

/// What is shown for when things go another way is accepted where it fits.
#[test]
fn what_prime_shows_beside_the_way_works_where_it_fits() {
    let shown = AgentShell::new();
    let (lead, worker) = (shown.prime("lead"), shown.prime("worker"));
    let listed = lead.listed();
    assert!(listed.len() > 12, "{listed:?}");
    for command in listed {
        let shell = AgentShell::with_tasks();
        let start = || {
            shell.run("orch dispatch a --to w1");
            FollowingWorker::claim(&shell, &worker.below("CLAIM"))
        };
        let report = || {
            let claimed = start();
            claimed.commit();
            claimed.run(&worker.below("WORK")[4]);
        };
        let verb = command.split(' ').filter(|word| *word != "task").nth(1).unwrap_or("status");
        match verb {
            "--help" | "status" | "brief" | "why" | "hold" | "cancel" | "dep" => {}
            "log" => drop(shell.run(&lead.below("WORK")[0].replace(" --detach", ""))),
            "tell" | "recall" => drop(start()),
            "diff" | "accept" | "reject" => report(),
            "retry" => {
                let (fail, _) =
                    worker.below("WORK")[5].split_once('#').map(|(it, more)| (it.to_owned(), more)).unwrap();
                start().run(&format!("{fail} --final"));
            }
            "redo" => {
                report();
                shell.run("orch integrate");
            }
            other => panic!("no situation is known for {other}: {command}"),
        }
        let filled = command.replace("TASK", "a").replace("TEXT", "'Look again.'").replace(" B A", " b a");
        shell.run(&filled);
    }
    for command in worker.listed() {
        let shell = AgentShell::with_tasks();
        shell.run("orch dispatch a --to w1");
        let claimed = FollowingWorker::claim(&shell, &worker.below("CLAIM"));
        assert_eq!(claimed.run(&command.replace("TASK", "a"))["task"]["key"], "a");
    }
}
