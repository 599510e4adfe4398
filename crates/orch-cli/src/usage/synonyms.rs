//! What people type for a command or an option that has another name here.

/// Names of commands that people guess, and the command that they mean.
pub(super) struct CommandSynonyms {
    /// The program, or the program and the group in which the guess stands.
    pub(super) group: &'static str,
    /// The guesses, separated by spaces.
    pub(super) guesses: &'static str,
    /// The intended command, from the program down; the words behind the guess follow it.
    pub(super) meant: &'static str,
}

/// Names of options that people guess, and what they mean.
pub(super) struct OptionSynonyms {
    /// The commands, separated by commas; empty for every command.
    pub(super) commands: &'static str,
    /// The guesses without hyphens, separated by spaces.
    pub(super) guesses: &'static str,
    /// The intended option.
    pub(super) meant: MeantOption<'static>,
}

/// What a guessed option means.
#[derive(Clone, Copy, Debug)]
pub(super) enum MeantOption<'a> {
    /// Another option, without its hyphens.
    Option(&'a str),
    /// The last positional argument.
    Positional,
    /// Nothing: the option is not needed, for this reason, a sentence.
    Needless(&'a str),
}

use MeantOption::{Needless, Option as Named, Positional};

const fn command(group: &'static str, guesses: &'static str, meant: &'static str) -> CommandSynonyms {
    CommandSynonyms { group, guesses, meant }
}

const fn option(
    commands: &'static str,
    guesses: &'static str,
    meant: MeantOption<'static>,
) -> OptionSynonyms {
    OptionSynonyms { commands, guesses, meant }
}

/// The first entry whose group and guess fit, and whose command exists, counts.
pub(super) const COMMANDS: &[CommandSynonyms] = &[
    command("orch task", "create new make insert append", "orch task add"),
    command("orch task", "import load apply", "orch task add --file"),
    command("orch task", "ls all tasks find search", "orch task list"),
    command("orch task", "get view info describe inspect details status open cat", "orch task show"),
    command("orch task", "update modify set change rename priority prioritize label", "orch task edit"),
    command("orch task", "rm remove delete del drop destroy kill abort stop archive", "orch task cancel"),
    command("orch task", "rerun restart requeue reset again", "orch task retry"),
    command("orch task", "done complete close finish resolve approve", "orch accept"),
    command("orch task", "assign start send run begin execute give delegate", "orch dispatch"),
    command("orch task", "unassign return", "orch recall"),
    command("orch task", "block pause suspend freeze park", "orch task hold"),
    command("orch task", "unblock resume release unpause unfreeze", "orch task unhold"),
    command("orch task", "reply respond", "orch answer"),
    command("orch task", "comment message note notify", "orch tell"),
    command("orch task", "logs output", "orch log"),
    command("orch task", "deps dependencies", "orch dep list"),
    command("orch task", "depend depends link block-by after", "orch dep add"),
    command("orch task", "next", "orch ready"),
    command("orch task", "check test validate", "orch verify"),
    command("orch task", "export", "orch plan export"),
    command("orch run", "create new add make", "orch run init"),
    command("orch run", "ls all runs", "orch run list"),
    command("orch run", "get view info describe inspect details", "orch run show"),
    command("orch run", "stat progress", "orch status"),
    command("orch run", "set modify change config configure rename", "orch run edit"),
    command("orch run", "start begin go execute exec", "orch drive"),
    command("orch run", "suspend hold halt", "orch run pause"),
    command("orch run", "continue unpause restart", "orch run resume"),
    command("orch run", "select switch checkout activate default current", "orch run use"),
    command("orch run", "delete del remove destroy drop", "orch run rm"),
    command("orch run", "abort kill close", "orch run cancel"),
    command("orch run", "finish merge ship", "orch land"),
    command("orch run", "watch", "orch status --watch"),
    command("orch run", "fix", "orch run repair"),
    command("orch run", "update rebase pull refresh", "orch run sync"),
    command("orch dep", "create new link set", "orch dep add"),
    command("orch dep", "ls show tree get", "orch dep list"),
    command("orch dep", "remove delete del unlink drop", "orch dep rm"),
    command("orch worktree", "ls all", "orch worktree list"),
    command("orch worktree", "get view info describe inspect status", "orch worktree show"),
    command("orch worktree", "delete del rm drop", "orch worktree remove"),
    command("orch worktree", "clean gc cleanup", "orch worktree prune"),
    command("orch worktree", "recover undo", "orch worktree restore"),
    command("orch plan", "apply import load add", "orch task add --file"),
    command("orch plan", "show print dump get save write", "orch plan export"),
    command("orch plan", "check validate lint", "orch task add --dry-run --file"),
    command("orch plan", "diff compare", "orch task add --diff --file"),
    command("orch request", "get view info", "orch request show"),
    command("orch", "create add", "orch task add"),
    command("orch", "new begin", "orch run init"),
    command("orch", "import load apply", "orch task add --file"),
    command("orch", "plan", "orch task add --file"),
    command("orch", "validate lint", "orch task add --dry-run --file"),
    command("orch", "ls list tasks", "orch task list"),
    command("orch", "runs", "orch run list"),
    command("orch", "show view get describe inspect info details", "orch task show"),
    command("orch", "update edit modify set change", "orch task edit"),
    command("orch", "done complete close finish resolve approve", "orch accept"),
    command("orch", "deny decline refuse", "orch reject"),
    command("orch", "merge", "orch integrate"),
    command("orch", "ship publish deploy push", "orch land"),
    command("orch", "pull sync rebase", "orch run sync"),
    command("orch", "start go exec execute spawn launch up work orchestrate", "orch drive"),
    command("orch", "logs output cat tail", "orch log"),
    command("orch", "reply respond", "orch answer"),
    command("orch", "comment message msg note notify say send", "orch tell"),
    command("orch", "questions question inbox asks stuck problems", "orch blocked"),
    command("orch", "assign schedule give delegate", "orch dispatch"),
    command("orch", "claim", "inbox claim"),
    command("orch", "renew heartbeat", "inbox renew"),
    command("orch", "ask", "inbox ask"),
    command("orch", "fail", "inbox fail"),
    command("orch", "release", "inbox release"),
    command("orch", "unassign return revoke", "orch recall"),
    command("orch", "retry rerun restart requeue", "orch task retry"),
    command("orch", "reopen redo", "orch task redo"),
    command("orch", "hold block", "orch task hold"),
    command("orch", "unhold unblock", "orch task unhold"),
    command("orch", "pause suspend", "orch run pause"),
    command("orch", "resume continue unpause", "orch run resume"),
    command("orch", "use switch select checkout", "orch run use"),
    command("orch", "cancel rm remove delete del drop abort", "orch task cancel"),
    command("orch", "kill terminate end halt quit down", "orch stop"),
    command("orch", "watch monitor dashboard top follow", "orch status --watch"),
    command("orch", "st stat progress overview state", "orch status"),
    command("orch", "explain reason", "orch why"),
    command("orch", "next todo available pending queue backlog", "orch ready"),
    command("orch", "deps dependencies", "orch dep list"),
    command("orch", "depend depends link after", "orch dep add"),
    command("orch", "unlink", "orch dep rm"),
    command("orch", "tree dag dot viz", "orch graph"),
    command("orch", "history journal activity feed audit", "orch events"),
    command("orch", "summary summarize summarise context", "orch brief"),
    command("orch", "export", "orch plan export"),
    command("orch", "check test", "orch verify"),
    command("orch", "workers processes jobs running", "orch ps"),
    command("orch", "who people team agent", "orch agents"),
    command("orch", "usage cost costs stats tokens spend metrics", "orch usage"),
    command("orch", "health diagnose fsck selftest", "orch doctor"),
    command("orch", "guide howto tutorial docs learn onboard instructions skill", "orch prime"),
    command("orch", "completion complete autocomplete", "orch completions"),
    command("orch", "manual manpage manpages", "orch man"),
    command("orch", "example examples try tour quickstart", "orch demo"),
    command("orch", "gc cleanup tidy purge prune", "orch worktree prune"),
    command("orch", "repair fix", "orch reconcile"),
    command("orch", "worktrees trees", "orch worktree list"),
    command("orch", "patch changes", "orch diff"),
    command("orch", "version", "orch --version"),
    command("inbox", "read view get open cat info", "inbox show"),
    command("inbox", "receive take pull pop next fetch pick dequeue grab accept start", "inbox claim"),
    command("inbox", "complete resolve finish close submit report deliver success succeed", "inbox done"),
    command("inbox", "error failed giveup give-up abandon", "inbox fail"),
    command("inbox", "delete del rm remove discard abort", "inbox cancel"),
    command("inbox", "return unclaim giveback requeue yield drop nack reject", "inbox release"),
    command("inbox", "question query", "inbox ask"),
    command("inbox", "answer respond", "inbox reply"),
    command("inbox", "message post push add create new notify tell enqueue", "inbox send"),
    command("inbox", "ls messages threads status queue", "inbox list"),
    command("inbox", "heartbeat extend keepalive touch ping", "inbox renew"),
    command("inbox", "update log note comment", "inbox progress"),
    command("inbox", "poll watch listen follow", "inbox wait"),
    command("inbox", "mark-read confirm", "inbox ack"),
    command("inbox", "who workers agent", "inbox agents"),
    command("inbox", "exec execute work wrap", "inbox run"),
    command("inbox", "completion autocomplete", "inbox completions"),
    command("inbox", "manual manpage", "inbox man"),
    command("inbox", "prime guide howto", "orch prime"),
    command("inbox", "brief summary", "orch brief"),
    command("inbox", "dispatch assign", "orch dispatch"),
    command("inbox", "integrate merge", "orch integrate"),
    command("inbox", "ready", "orch ready"),
    command("inbox", "drive", "orch drive"),
    command("inbox", "task tasks", "orch task"),
    command("inbox", "version", "inbox --version"),
];

const NOTHING_ASKS: &str = "No command asks for a confirmation.";

/// The first entry whose commands and guess fit, and whose option the command has, counts.
pub(super) const OPTIONS: &[OptionSynonyms] = &[
    option("orch task add,orch run init", "title name summary subject", Positional),
    option(
        "orch task add,orch task edit,orch task retry,orch task redo",
        "description desc body prompt details instructions instruction content text message task",
        Named("spec"),
    ),
    option(
        "orch task add,orch task edit",
        "description-file desc-file body-file prompt-file content-file",
        Named("spec-file"),
    ),
    option("orch task edit", "name summary subject", Named("title")),
    option("orch task add", "id slug task-id", Named("key")),
    option(
        "orch task add",
        "depends-on depends depend deps dep dependency dependencies needs need requires blocked-by parent parents waits-for wait-for on blockers",
        Named("after"),
    ),
    option(
        "orch task add,orch task edit",
        "assignee assign assign-to to worker owner for profile",
        Named("agent"),
    ),
    option(
        "orch task add,orch task edit,orch run init,orch run edit",
        "check checks test tests verify-cmd verify-command validate verification check-command",
        Named("verify"),
    ),
    option(
        "orch task add,orch task edit",
        "criteria criterion acceptance accept-criteria acceptance-criteria done-when definition-of-done",
        Named("accept"),
    ),
    option("orch task add,orch task edit,orch task list,orch ready", "tag tags labels", Named("label")),
    option("orch task add,orch task edit,inbox send", "prio p urgency", Named("priority")),
    option(
        "orch task add,orch task edit,orch run init,orch run edit",
        "retries max-retries tries attempts max-tries",
        Named("max-attempts"),
    ),
    option("orch task add", "plan from-file import input from", Named("file")),
    option("orch task add", "upsert merge", Named("update")),
    option(
        "orch task add,orch worktree prune,orch clean,orch uninstall",
        "dry what-if simulate",
        Named("dry-run"),
    ),
    option("orch task add,orch task edit", "no-commit no-changes", Named("allow-empty")),
    option("orch task list", "status filter", Named("state")),
    option("orch dispatch", "agent worker assignee workers for profile agents", Named("to")),
    option("orch run init", "id slug key run-name", Named("name")),
    option("orch run init,orch run edit", "description desc objective body prompt spec text", Named("goal")),
    option("orch run init", "branch from ref rev commit base-branch start", Named("base")),
    option(
        "orch run init,orch run edit",
        "parallel concurrency max-parallel max-workers jobs workers max-concurrent j",
        Named("max-active"),
    ),
    option("orch run init", "prefix", Named("branch-prefix")),
    option("orch run init", "no-git no-worktree", Named("no-worktrees")),
    option("orch run init", "worktree worktree-dir worktrees", Named("worktree-root")),
    option("orch run init,orch run edit", "budget max-usd cost max-budget", Named("max-cost")),
    option("orch run init,orch run edit", "timeout max-time deadline time-limit", Named("max-wall")),
    option("orch run init,orch run edit", "prepare bootstrap install", Named("setup")),
    option(
        "orch answer,inbox reply",
        "body text message msg answer choice reply option with value response content",
        Positional,
    ),
    option("orch answer,inbox reply", "file answer-file", Named("body-file")),
    option("orch tell", "message text body note msg content", Positional),
    option("orch tell", "file body-file message-file", Named("text-file")),
    option(
        "orch recall,orch reject,orch accept,orch task cancel,orch task retry,orch task hold,orch land,inbox cancel,inbox fail",
        "message why comment note because msg error text",
        Named("reason"),
    ),
    option("orch accept", "rev sha ref head", Named("commit")),
    option("orch land", "into to target branch on base onto-branch", Named("onto")),
    option("orch land", "skip-checks no-checks no-check", Named("no-verify")),
    option("orch wait", "event events kind kinds until on type", Named("for")),
    option("orch wait", "max-wait for-duration", Named("timeout")),
    option("orch events", "tail lines newest", Named("last")),
    option("orch log", "number try", Named("attempt")),
    option("orch graph", "type style", Named("format")),
    option("orch drive", "agent agents worker with client model profiles", Named("profile")),
    option("orch drive", "max-workers parallel concurrency jobs max-active j", Named("workers")),
    option("orch drive", "background daemon bg daemonize d", Named("detach")),
    option("orch drive", "file from-file", Named("plan")),
    option("orch drive", "dry-run dry preflight", Named("check")),
    option("orch drive", "timeout", Named("attempt-limit")),
    option("orch dep add,orch dep rm", "on after depends-on needs depends", Positional),
    option("orch ack,inbox ack", "to until cursor event up-to after message", Named("through")),
    option("inbox send", "title", Named("subject")),
    option("inbox send", "message text content msg", Named("body")),
    option("inbox send", "recipient for agent queue", Named("to")),
    option("inbox send", "file", Named("body-file")),
    option("inbox send", "type", Named("kind")),
    option("inbox send", "sender", Named("from")),
    option("inbox send", "reply-to in-reply-to", Named("thread")),
    option("inbox claim", "queue from agent", Named("for")),
    option("inbox claim", "timeout block", Named("wait")),
    option("inbox claim,inbox renew,inbox send", "ttl duration", Named("lease")),
    option("inbox claim,inbox wait", "id thread-id", Named("thread")),
    option("inbox progress", "message text body note status msg", Positional),
    option("inbox progress", "pct percentage percent-complete", Named("percent")),
    option("inbox ask", "question text message body q", Positional),
    option("inbox ask", "choice choices options opt", Named("option")),
    option("inbox ask", "timeout", Named("wait")),
    option("inbox done", "message summary text output body note msg", Named("result")),
    option("inbox done", "file", Named("result-file")),
    option("inbox done", "data", Named("payload")),
    option("inbox done", "files attach attachment", Named("artifact")),
    option("inbox fail", "permanent no-retry fatal", Named("final")),
    option("inbox fail", "message error", Named("reason")),
    option("inbox wait,inbox list", "agent to queue", Named("for")),
    option("inbox wait", "type", Named("kind")),
    option("inbox list", "status", Named("state")),
    option("", "output-format format out", Named("output")),
    option("", "j", Named("json")),
    option("", "plain pretty human", Named("text")),
    option("", "verbose v detail details long wide l", Named("full")),
    option("", "silent s", Named("quiet")),
    option("", "directory cwd dir chdir repo path folder workdir", Named("directory")),
    option("", "db database", Named("store")),
    option("", "project goal-id run-id r", Named("run")),
    option("", "max count lines tail head page-size top num last", Named("limit")),
    option("", "since from cursor offset start page", Named("after")),
    option("", "live stream tail f watch", Named("follow")),
    option("", "live follow refresh interval", Named("watch")),
    option("", "idempotency-key request", Named("request-id")),
    option("", "token-id lease-token secret lease-id", Named("token")),
    option("", "agent me user author from sender name worker whoami", Named("as")),
    option("", "yes y no-input non-interactive no-confirm assume-yes", Needless(NOTHING_ASKS)),
    option(
        "",
        "no-color no-colour color colour",
        Needless("Text is coloured on terminals alone, and never with NO_COLOR=1."),
    ),
    option("", "all a", Needless("Everything is shown, up to --limit.")),
];

/// Commands that take work away: no hint is one of them, only its help.
const TAKES_AWAY: &[&str] = &[
    "orch run rm",
    "orch run cancel",
    "orch task cancel",
    "orch recall",
    "orch reject",
    "orch stop",
    "orch worktree remove",
    "orch worktree prune",
    "orch clean",
    "orch uninstall",
    "inbox cancel",
    "inbox release",
    "inbox fail",
];

/// Options that take work away, or a safeguard.
const LOSES_WORK: &[&str] =
    &["force", "prune", "purge", "discard-unlanded", "no-verify", "partial", "final", "remove", "all"];

/// Whether a command takes work away.
pub(super) fn takes_away(path: &str) -> bool {
    TAKES_AWAY.contains(&path)
}

/// Whether an option takes work away, or a safeguard.
pub(super) fn loses_work(option: &str) -> bool {
    LOSES_WORK.contains(&option)
}
