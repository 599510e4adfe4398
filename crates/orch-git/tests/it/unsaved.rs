//! Tests of what a removal would lose: a worktree with such contents is removed only when that is asked for.

use std::fs;

use orch_git::{GitError, RefName, Repository, UnsavedContent, Worktree};

use super::ground::{GitFixture, write};

fn salvage_reference() -> RefName {
    RefName::new("refs/orch/salvage/run/key.1").unwrap()
}

/// Returns what keeps a worktree from being removed, one line each, with paths relative to its top.
fn refused(worktree: &Worktree<'_>) -> Vec<String> {
    let describe = |content: &UnsavedContent| {
        let path = content.path.strip_prefix(worktree.top_level()).unwrap_or(&content.path);
        format!("{}: {}", path.display(), content.problem)
    };
    match worktree.salvage_to_ref(&salvage_reference(), "x") {
        Ok(_) => Vec::new(),
        Err(GitError::Unsaved { contents, .. }) => contents.iter().map(describe).collect(),
        Err(error) => panic!("{error}"),
    }
}

/// Salvages and removes a worktree, and returns whether its folder is deleted.
fn remove(repository: &Repository, worktree: &Worktree<'_>) -> bool {
    let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
    repository.remove_worktree(&salvage).unwrap();
    !worktree.top_level().exists()
}

const UNPUSHED: &str = "is a repository with commits that no remote-tracking branch has";

/// Scripts that leave something in an ignored folder of a worktree, and what keeps it from being removed.
/// `$REMOTE` is another repository, and `CLONE` stands for cloning it and entering the clone.
const LEFT_BY_SCRIPTS: &[(&str, Option<&str>)] = &[
    ("git init --quiet out/dep", None),
    ("git init --quiet out/dep; cd out/dep; echo x > x", Some("is a repository with uncommitted changes")),
    ("git init --quiet out/dep; cd out/dep; git commit --quiet --allow-empty -m x", Some(UNPUSHED)),
    ("CLONE", None),
    ("CLONE echo '*.o' > .git/info/exclude; echo x > x.o", None),
    ("CLONE echo x > new", Some("is a repository with uncommitted changes")),
    ("CLONE git commit --quiet --allow-empty -m x", Some(UNPUSHED)),
    ("CLONE git commit --quiet --allow-empty -m x; git push --quiet origin HEAD:side", None),
    (
        "CLONE git switch --quiet -c side; git commit --quiet --allow-empty -m x; git switch --quiet -",
        Some(UNPUSHED),
    ),
    ("CLONE git switch --quiet --detach; git commit --quiet --allow-empty -m x", Some(UNPUSHED)),
    (
        "CLONE git commit --quiet --allow-empty -m x; git tag t; git reset --quiet --hard HEAD~1",
        Some(UNPUSHED),
    ),
    ("CLONE echo x > a.txt; git stash --quiet", Some("is a repository with a stash")),
    (
        "CLONE git update-index --assume-unchanged a.txt; echo x > a.txt",
        Some("is a repository with files whose changes git was told to ignore"),
    ),
    ("CLONE git bisect start", Some("is a repository in which a bisect is in progress")),
    (
        "CLONE git worktree add --quiet \"$BESIDE/other\"",
        Some("is a repository that has worktrees of its own"),
    ),
    ("git clone --quiet --bare \"$REMOTE\" out/dep", Some(UNPUSHED)),
    (
        "git clone --quiet --mirror \"$REMOTE\" out/dep; cd out/dep; git for-each-ref --format='delete %(refname)' | git update-ref --stdin",
        None,
    ),
    ("git clone --quiet --depth 1 \"file://$REMOTE\" out/dep", None),
    (
        "git init --quiet out/dep; cd out/dep; git fetch --quiet \"$REMOTE\" HEAD; git checkout --quiet FETCH_HEAD",
        None,
    ),
    ("git worktree add --quiet --detach out/dep", None),
    ("git worktree add --quiet -b side out/dep; cd out/dep; git commit --quiet --allow-empty -m x", None),
    (
        "git worktree add --quiet --detach out/dep; cd out/dep; git commit --quiet --allow-empty -m x",
        Some(UNPUSHED),
    ),
    (
        "git worktree add --quiet --detach out/dep; cd out/dep; echo x > x",
        Some("is a repository with uncommitted changes"),
    ),
    ("mkdir -p out/dep/.git; echo x > out/dep/.git/x", Some("is a repository that git cannot read")),
    ("mkdir -p out/dep/.git", None),
];

#[test]
fn a_nested_repository_goes_only_where_all_of_it_exists_elsewhere() {
    for (script, problem) in LEFT_BY_SCRIPTS {
        let fixture = GitFixture::new();
        fixture.write(".gitignore", "out\n");
        fixture.commit("ignores");
        let remote = GitFixture::new();
        let repository = fixture.repository();
        let worktree = fixture.add_attempt_worktree(&repository, "key.1");
        let script = script.replace("CLONE", "git clone --quiet \"$REMOTE\" out/dep; cd out/dep;");
        let beside = fixture.beside("");
        let whole = format!("REMOTE='{}'; BESIDE='{}'; {script}", remote.top.display(), beside.display());
        fixture.shell_in(worktree.top_level(), &whole);
        let found = refused(&worktree);
        match problem {
            Some(problem) => assert!(
                found.iter().any(|line| line.starts_with(&format!("out/dep: {problem}"))),
                "{script}: {found:?}"
            ),
            None => {
                assert_eq!(found, Vec::<String>::new(), "{script}");
                assert!(remove(&repository, &worktree), "{script}");
                assert_eq!(repository.list_worktrees().unwrap().len(), 1, "{script}");
            }
        }
    }
}

#[test]
fn a_repository_that_the_setup_made_goes_as_long_as_it_is_unchanged() {
    let fixture = GitFixture::new();
    fixture.write(".gitignore", "out\n");
    fixture.commit("ignores");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let top = worktree.top_level();
    fixture.shell_in(top, "git init -q out; cd out; git commit -q --allow-empty -m x; echo x > x");
    assert_eq!(refused(&worktree).len(), 1);
    worktree.record_setup_repositories().unwrap();
    assert_eq!(refused(&worktree), Vec::<String>::new());
    fixture.shell_in(top, "echo y > out/x");
    assert_eq!(refused(&worktree), ["out: is a repository with uncommitted changes"]);
    fixture.shell_in(top, "rm out/x");
    assert_eq!(refused(&worktree).len(), 1, "its commit was made by the setup, but a file is missing");
    fs::remove_dir_all(top.join("out")).unwrap();
    worktree.record_setup_repositories().unwrap();
    assert!(remove(&repository, &worktree));
}

#[test]
fn a_submodule_goes_where_its_remote_has_it() {
    let fixture = GitFixture::new();
    let library = GitFixture::new();
    fixture.git(["config", "--global", "protocol.file.allow", "always"]);
    fixture.git(["submodule", "add", "--quiet", library.top.to_str().unwrap(), "sub"]);
    fixture.commit("a submodule");
    let repository = fixture.repository();
    for (name, script, problem) in [
        ("key.1", "", None),
        (
            "key.2",
            "git -C sub commit -q --allow-empty -m x",
            Some("with commits that no remote-tracking branch has"),
        ),
        ("key.3", "echo x > sub/new", Some("with uncommitted changes")),
        (
            "key.4",
            "git -C sub switch -q -c side; git -C sub commit -q --allow-empty -m x; git submodule deinit -q -f --all",
            Some("with commits that no remote-tracking branch has"),
        ),
    ] {
        let worktree = fixture.add_attempt_worktree(&repository, name);
        fixture.shell_in(worktree.top_level(), &format!("git submodule update --quiet --init; {script}"));
        let found = refused(&worktree);
        match problem {
            Some(problem) => assert!(found.iter().any(|line| line.ends_with(problem)), "{name}: {found:?}"),
            None => {
                assert_eq!(found, Vec::<String>::new());
                let salvage = worktree.salvage_to_ref(&salvage_reference(), "x").unwrap();
                repository.remove_worktree(&salvage).unwrap();
                let back = repository.restore_salvage(&salvage.commit, &fixture.beside("back"), "r").unwrap();
                assert!(repository.open_worktree(&back.path).unwrap().read_status().unwrap().is_clean());
            }
        }
    }
}

#[test]
fn what_git_has_not_finished_is_not_removed() {
    let conflict = "git switch -q -c other; echo 1 > a.txt; git commit -qam one; git switch -q -; echo 2 > a.txt; git commit -qam two; ";
    for (script, problem) in [
        (format!("{conflict} git merge -q other || true"), "has a merge in progress"),
        (format!("{conflict} git rebase -q other || true"), "has a rebase in progress"),
        (format!("{conflict} git cherry-pick other || true"), "has a cherry-pick in progress"),
        (format!("{conflict} git revert --no-edit other || true"), "has a revert in progress"),
        ("git bisect start".to_owned(), "has a bisect in progress"),
        (
            format!("{conflict} echo x > b.txt; git add b.txt; git rebase -q --autostash other || true"),
            "has changes in an autostash",
        ),
        ("git update-ref refs/worktree/mine HEAD".to_owned(), "has references of its own (refs/worktree)"),
    ] {
        let fixture = GitFixture::new();
        let repository = fixture.repository();
        let worktree = fixture.add_attempt_worktree(&repository, "key.1");
        fixture.shell_in(worktree.top_level(), &script);
        let found = refused(&worktree);
        assert!(found.contains(&format!(": {problem}")), "{script}: {found:?}");
        assert_eq!(repository.read_ref(&salvage_reference()).unwrap(), None, "nothing is written");
        // Asked to, it removes the worktree all the same.
        let salvage = worktree.salvage_partly_to_ref(&salvage_reference(), "x").unwrap();
        assert_eq!(salvage.unsaved().len(), found.len());
        repository.remove_worktree(&salvage).unwrap();
        assert!(!worktree.top_level().exists());
    }
}

#[test]
fn what_came_after_the_list_was_made_is_not_deleted() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    let salvage = worktree.salvage_partly_to_ref(&salvage_reference(), "x").unwrap();
    fixture.git_in(worktree.top_level(), ["bisect", "start"]);
    assert!(matches!(repository.remove_worktree(&salvage), Err(GitError::ChangedSinceSalvage(_))));
}

/// A pipe that git would read makes it wait for ever.
#[test]
fn a_pipe_in_the_place_of_a_file_of_git_is_seen_before_git_waits_for_it() {
    let fixture = GitFixture::new();
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    fixture.shell_in(worktree.top_level(), "mkdir d; mkfifo d/.gitignore");
    assert_eq!(refused(&worktree), ["d/.gitignore: cannot be read"]);
    let pipe = worktree.top_level().join("d/.gitignore");
    assert!(matches!(worktree.read_status(), Err(GitError::WaitsForPipe(path)) if path == pipe));
    fixture.shell_in(worktree.top_level(), "rm d/.gitignore; mkfifo d/pipe");
    assert!(remove(&repository, &worktree), "a pipe of another name holds nothing");
}

/// Files and attributes in such numbers that the answer about all attributes would exceed every limit.
#[test]
fn attributes_without_number_do_not_matter() {
    let fixture = GitFixture::new();
    let names: Vec<String> = (0..4_000).map(|number| format!("attribute-{number:04}")).collect();
    fixture.write(".gitattributes", format!("* {}\n", names.join(" ")));
    let folder = "f".repeat(200);
    for number in 0..90 {
        fixture.write(format!("{folder}/{number}"), "x\n");
    }
    fixture.commit("attributes");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "new", "x");
    assert!(remove(&repository, &worktree));
}
