//! Every command that a refusal offers is typed as it is offered, where it was offered, and helps as it claims.

use std::path::Path;

use serde_json::Value;

use crate::hint_lines::{fill_placeholders, offered_commands};
use crate::test_environment::{CliInvocation, CliOutput, TestEnvironment};

/// What exists at the beginning of a situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StartingGround {
    /// A folder outside any repository, with a run `r`.
    Folder,
    /// A repository with one commit and a run `r`.
    Repository,
    /// A repository with one commit and no store.
    Fresh,
    /// A repository without a commit and a store.
    Unborn,
}

/// What is so after the offered command.
#[derive(Clone, Copy, Debug)]
enum HintEffect {
    /// The refused command works; if another refusal comes first, its hint leads on.
    Works,
    /// The command has shown something: it succeeded.
    Shown,
    /// This line of a shell succeeds.
    Holds(&'static str),
}

use HintEffect::{Holds, Shown, Works};
use StartingGround::{Folder, Fresh, Repository, Unborn};

/// A refusal: where it comes from, the refused command, its code, and what its hint claims.
type HintSituation = (StartingGround, &'static str, &'static str, &'static str, HintEffect);

/// Refusals about tasks, runs and dependencies.
const OF_PLANNING: &[HintSituation] = &[
    (Folder, "add b --after a", "orch dispatch b --to w", "task_not_ready", Shown),
    (Folder, "", "orch dispatch a", "task_not_ready", Holds("state a dispatched")),
    (Folder, "orch task hold a", "orch dispatch a --to w", "task_not_ready", Works),
    (Folder, "orch run pause", "orch dispatch a --to w", "task_not_ready", Works),
    (Folder, "orch task cancel a", "orch dispatch a --to w", "task_not_ready", Works),
    (
        Folder,
        "add b --after a; orch task cancel a",
        "orch dispatch b --to w",
        "task_not_ready",
        Holds("state b waiting"),
    ),
    (
        Folder,
        "add b --after a; orch task cancel a",
        "orch task retry b",
        "task_not_ready",
        Holds("state b waiting"),
    ),
    (Folder, "finish a", "orch dispatch a --to w", "task_not_ready", Shown),
    (Folder, "orch dispatch a --to w", "orch dispatch a --to w", "attempt_live", Works),
    (Folder, "orch dispatch a --to w", "orch task edit a --spec new", "attempt_live", Works),
    (Folder, "finish a", "orch task edit a --spec new", "task_finished", Shown),
    (Folder, "finish a", "orch task retry a", "task_finished", Shown),
    (Folder, "finish a", "orch task cancel a", "task_finished", Shown),
    (Folder, "", "orch task retry a", "task_not_ready", Shown),
    (Folder, "orch task cancel a", "orch task redo a", "task_not_ready", Holds("state a ready")),
    (Folder, "", "orch task redo a", "task_not_ready", Shown),
    (Folder, "", "orch recall a", "attempt_not_found", Shown),
    (Folder, "", "orch answer a yes", "task_not_blocked", Shown),
    (Folder, "start a", "orch answer a yes", "task_not_blocked", Shown),
    (Folder, "", "orch tell a 'Look.'", "attempt_not_found", Shown),
    (
        Folder,
        "finish a; add b; orch run edit --max-active 1; orch dispatch b --to w; add c",
        "orch dispatch c --to w",
        "capacity_reached",
        Shown,
    ),
    (Folder, "add b --after a", "orch dep add a b", "dependency_cycle", Works),
    (Folder, "", "orch dep add a a", "dependency_cycle", Shown),
    (Folder, "add b --after a", "orch dep add b a", "dependency_exists", Shown),
    (Folder, "add b", "orch dep rm b a", "dependency_not_found", Shown),
    (Folder, "start a; add b", "orch dep add a b", "attempt_live", Works),
    (Folder, "", "orch run show missing", "run_not_found", Shown),
    (Folder, "", "orch task show missing", "task_not_found", Shown),
    (Folder, "", "orch task add 'Do it' --key a", "task_exists", Shown),
    (Folder, "", "orch run init 'A goal' --name r", "run_exists", Shown),
    (Folder, "orch run cancel", "orch task add 'Do it' --run r", "run_not_open", Shown),
    (Folder, "orch run cancel", "orch run resume r", "run_not_open", Shown),
    (Folder, "start a", "orch run rm r", "attempt_live", Works),
    (Folder, "start a", "orch run rm r --purge --discard-unlanded", "attempt_live", Works),
    (Folder, "orch run init Other --name other", "orch task add 'Do it'", "invalid_argument", Shown),
    (Folder, "orch run init Other --name other", "orch run pause", "invalid_argument", Shown),
    (
        Folder,
        "echo '{\"key\":\"a\",\"title\":\"x\"}' > plan",
        "orch task add --file plan",
        "task_exists",
        Shown,
    ),
    (
        Folder,
        "orch run pause --request-id k",
        "orch run pause other --request-id k",
        "request_conflict",
        Shown,
    ),
    (Folder, "", "orch request show nothing", "request_not_found", Shown),
    (Folder, "", "orch events --after e-999", "invalid_argument", Shown),
    (Folder, "", "orch log a", "attempt_not_found", Shown),
    (Folder, "", "orch log a@7", "attempt_not_found", Shown),
    (Folder, "", "orch profile show missing", "profile_not_found", Shown),
    (Folder, "", "orch trust --remove /nowhere", "invalid_argument", Shown),
    (Folder, "", "orch schema nothing", "invalid_argument", Shown),
    (Folder, "", "orch task retry a --operation", "task_not_ready", Shown),
    (Folder, "", "orch run edit", "invalid_argument", Shown),
    (Folder, "", "orch verify a", "base_not_found", Shown),
    (Folder, "", "orch land --onto main", "base_not_found", Shown),
];

/// Refusals about threads.
const OF_MESSAGES: &[HintSituation] = &[
    (Folder, "", "inbox show th-99", "thread_not_found", Shown),
    (Folder, "start a", "inbox done $T --token wrong --result x", "lease_lost", Shown),
    (Folder, "start a", "inbox claim --thread $T --as other", "already_claimed", Shown),
    (
        Folder,
        "start a; inbox ask $T 'Which?' --token $K",
        "inbox ask $T 'Other?' --token $K",
        "question_open",
        Shown,
    ),
    (Folder, "finish a", "inbox progress $T half --token other", "lease_lost", Shown),
    (Folder, "start a", "inbox reply $T yes --as lead", "no_question", Shown),
    (Folder, "finish a", "inbox reply $T yes --as lead", "thread_closed", Shown),
    (
        Folder,
        "orch dispatch a --to w; orch task cancel a",
        "inbox claim --thread th-1 --as w",
        "thread_closed",
        Shown,
    ),
    (
        Folder,
        "orch dispatch a --to w; orch run pause",
        "inbox claim --thread th-1 --as w --wait 1ms",
        "inbox_empty",
        Shown,
    ),
    (
        Folder,
        "inbox send --to ana --from bob --kind note --subject s --body b",
        "inbox claim --thread th-1 --as ana",
        "invalid_argument",
        Shown,
    ),
    (
        Folder,
        "inbox send --to ana --from bob --kind note --subject s --body b; inbox wait --for ana; inbox ack --for ana --through m-1",
        "inbox wait --for ana --timeout 0s",
        "timeout",
        Shown,
    ),
    (
        Folder,
        "orch wait --for progress --timeout 0s || true",
        "orch wait --for finished --after e-2 --timeout 0s",
        "timeout",
        Shown,
    ),
    (Folder, "", "inbox show", "invalid_argument", Shown),
    (Folder, "", "inbox claim", "invalid_argument", Shown),
];

/// Refusals about worktrees, checks and merges.
const OF_TREES: &[HintSituation] = &[
    (
        Repository,
        "start a; touch $W/new",
        "inbox done $T --token $K --result x",
        "worktree_dirty",
        Holds("state a reported"),
    ),
    (Repository, "start a", "inbox done $T --token $K --result x", "no_changes", Shown),
    (
        Repository,
        "start a; commit; git -C $W switch -qc elsewhere",
        "inbox done $T --token $K --result x",
        "worktree_conflict",
        Works,
    ),
    (Repository, "start a", "orch worktree remove a", "attempt_live", Works),
    (Repository, "report a", "orch land --onto main", "run_incomplete", Shown),
    (Repository, "report a; orch integrate", "orch land --onto nowhere", "base_not_found", Shown),
    (
        Repository,
        "report a; orch integrate; echo x > work.txt; git add .; git commit -qm mine",
        "orch land --onto main",
        "merge_conflict",
        Shown,
    ),
    (
        Repository,
        "report a; orch integrate; echo x > work.txt",
        "orch land --onto main",
        "worktree_dirty",
        Shown,
    ),
    (
        Repository,
        "orch run edit --verify '! test -e work.txt'; report a",
        "orch verify a",
        "check_failed",
        Shown,
    ),
    (
        Repository,
        "report a; orch integrate; git commit -q --allow-empty -m mine; orch run edit --verify false",
        "orch land --onto main",
        "check_failed",
        Shown,
    ),
    (Repository, "report a; orch integrate", "orch run rm r --purge", "worktree_conflict", Shown),
    (
        Repository,
        "report a; orch integrate; orch worktree prune",
        "orch worktree restore a@9",
        "attempt_not_found",
        Shown,
    ),
    (Repository, "", "orch diff a", "attempt_not_found", Shown),
    (Repository, "", "orch accept a", "attempt_not_found", Shown),
    (Repository, "start a", "orch reject a --reason no", "attempt_live", Shown),
    (Repository, "start a", "orch verify a", "attempt_live", Shown),
    (Repository, "start a", "orch uninstall", "attempt_live", Shown),
    (Repository, "report a", "orch uninstall", "attempt_live", Shown),
    (Repository, "", "orch run init 'A goal' --name other --base nowhere", "base_not_found", Shown),
    (
        Repository,
        "git branch taken",
        "orch run init 'A goal' --name other --branch-prefix taken",
        "worktree_conflict",
        Shown,
    ),
    (Repository, "", "orch drive r --profile nosuch", "invalid_argument", Shown),
    (Unborn, "", "orch run init 'A goal' --name r", "no_commit", Works),
    (Unborn, "", "orch run init 'A goal' --name r --verify true", "no_commit", Works),
    (Fresh, "", "orch task add 'Do it'", "store_not_found", Shown),
    (Fresh, "", "orch run list", "store_not_found", Works),
    (Fresh, "inbox init --store .orch/orch.db", "orch run list", "store_untrusted", Works),
    (
        Fresh,
        "orch run init 'A goal' --name r; chmod 777 .git/orch; chmod 666 .git/orch/orch.db",
        "orch run list",
        "store_untrusted",
        Works,
    ),
];

/// What the lines of a situation may say.
const SHORT_FORMS: &str = r#"
add() { orch task add 'Do it' --key "$@"; }
state() { orch task show "$1" --json | grep -q "\"state\":\"$2\""; }
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
start() {
    orch dispatch "$1" --to w > /dev/null && inbox claim --for w --as w > "$HOME/claim" || return
    T=$(grep -o '"thread":{"id":"[^"]*"' "$HOME/claim" | field id); K=$(field token < "$HOME/claim")
    W=$(grep -o '"worktree":{"path":"[^"]*"' "$HOME/claim" | field path)
    echo "T='$T' K='$K' W='$W'" > "$HOME/vars"
}
commit() { echo work > "$W/work.txt"; git -C "$W" add . && git -C "$W" commit -qm work; }
finish() { start "$1" && inbox done "$T" --token "$K" --result Done. ; }
report() { start "$1" && commit && finish_started; }
finish_started() { (cd "$W" && inbox done "$T" --token "$K" --result Done.) ; }
[ -e "$HOME/vars" ] && . "$HOME/vars"
"#;

/// A place in which lines of a shell are typed.
struct TypingShell {
    place: TestEnvironment,
}

impl TypingShell {
    fn on(ground: StartingGround) -> Self {
        let place = match ground {
            Repository | Fresh => TestEnvironment::with_repository(),
            Unborn => TestEnvironment::with_empty_repository("repo"),
            Folder => TestEnvironment::without_store(),
        };
        let shell = Self { place };
        if ground == Folder {
            std::fs::create_dir(shell.place.path().join("home")).unwrap();
        }
        if matches!(ground, Folder | Repository) {
            shell.succeeds("orch run init 'A goal' --name r --retry-delay 0s; add a");
        }
        shell
    }

    fn call(&self, line: &str) -> CliInvocation {
        let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap().display().to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let home = self.place.path().canonicalize().unwrap().join("home").display().to_string();
        self.place.shell(&format!("{SHORT_FORMS}\n{line}")).env("PATH", &path).env("HOME", &home)
    }

    fn type_line(&self, line: &str) -> CliOutput {
        self.call(line).run()
    }

    fn succeeds(&self, line: &str) {
        if !line.is_empty() {
            let printed = self.type_line(&line.replace("; ", " && "));
            assert_eq!(printed.exit, 0, "{line}: {} {}", printed.stdout, printed.stderr);
        }
    }

    /// The error of a line that must be refused with this code.
    fn is_refused(&self, line: &str, code: &str) -> Value {
        let printed = self.type_line(line);
        let document: Value = serde_json::from_str(&printed.stdout)
            .unwrap_or_else(|_| panic!("{line}: {} {}", printed.stdout, printed.stderr));
        assert_eq!(document["error"]["code"], code, "{line}: {} {}", printed.stdout, printed.stderr);
        document["error"].clone()
    }

    /// Repeats a line until it works, and follows the hint of each refusal meanwhile.
    fn works_by_its_hints(&self, line: &str) {
        let mut said = Vec::new();
        for _ in 0..4 {
            let printed = self.type_line(line);
            if printed.exit == 0 {
                return;
            }
            let document: Value = serde_json::from_str(&printed.stdout).unwrap();
            let hint = document["error"]["hint"].as_str().unwrap().to_owned();
            self.succeeds(&fill_placeholders(&hint));
            said.push(hint);
        }
        panic!("{line} does not work after {said:?}");
    }
}

/// Types each command that a refusal offers, each in a situation of its own.
fn follow_hints(situation: &HintSituation) -> Result<(), String> {
    let (ground, prepare, refused, code, afterwards) = situation;
    let mut next = 0;
    loop {
        let shell = TypingShell::on(*ground);
        shell.succeeds(prepare);
        let error = shell.is_refused(refused, code);
        let offered = offered_commands(&error);
        let Some(hint) = error["hint"].as_str() else { return Err(format!("{refused}: no hint: {error}")) };
        let Some(line) = offered.get(next) else { return Ok(()) };
        // A token is a secret: no hint holds it, and who has one has it in the environment.
        let token = if line.starts_with("inbox done ") { "INBOX_LEASE=$K " } else { "" };
        let typed = format!("{token}{}", fill_placeholders(line));
        let printed = shell.type_line(&typed);
        // A wait that is offered again may again end without news.
        let is_wait = printed.exit == 5 && ["timeout", "inbox_empty"].contains(code);
        if printed.exit != 0 && !is_wait {
            return Err(format!("{refused}: {line}: {} {}", printed.stdout, printed.stderr));
        }
        if line == hint {
            match afterwards {
                Shown => {}
                Holds(line) => shell.succeeds(line),
                Works => shell.works_by_its_hints(refused),
            }
        }
        next += 1;
    }
}

fn follow_all(situations: &[HintSituation]) {
    let each = |situation: &HintSituation| {
        let caught = std::panic::catch_unwind(|| follow_hints(situation));
        caught.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            Err(format!("{}: {text}", situation.2))
        })
    };
    let wrong: Vec<String> = situations.iter().filter_map(|situation| each(situation).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn hints_about_plans_help() {
    follow_all(OF_PLANNING);
}

#[test]
fn hints_about_messages_help() {
    follow_all(OF_MESSAGES);
}

#[test]
fn hints_about_trees_help() {
    follow_all(OF_TREES);
}
