//! Tests of moving a branch together with its checkout.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use orch_git::{BranchMove, CommitId, GitError, MoveObstacle, RefName, Repository};

use super::ground::{GitFixture, tree_contents, write};

/// A repository with `main` checked out at a first commit, and a descendant of it that changes, adds and deletes files.
struct MoveFixture {
    git: GitFixture,
    main: RefName,
    from: CommitId,
    to: CommitId,
}

impl MoveFixture {
    fn new() -> Self {
        Self::in_fixture(GitFixture::new())
    }

    fn in_fixture(git: GitFixture) -> Self {
        git.write("deleted.txt", "deleted\n");
        git.write("kept.txt", "kept\n");
        git.write(".gitignore", "*.ignored\n");
        let from = git.commit("before");
        git.git(["switch", "--quiet", "--detach"]);
        git.write("a.txt", "two\n");
        git.write("folder/new.txt", "new\n");
        git.write("new.ignored", "new\n");
        fs::remove_file(git.top.join("deleted.txt")).unwrap();
        git.git(["add", "--force", "new.ignored"]);
        let to = git.commit("after");
        git.git(["switch", "--quiet", "main"]);
        Self { git, main: RefName::from_branch_name("main").unwrap(), from, to }
    }

    fn step(&self) -> BranchMove<'_> {
        BranchMove { branch: &self.main, from: &self.from, to: &self.to, message: "test" }
    }

    fn repository(&self) -> Repository {
        self.git.repository()
    }

    fn main_tip(&self) -> CommitId {
        self.repository().read_ref(&self.main).unwrap().unwrap()
    }

    /// Asserts that the branch does not move and no file changes, and returns the obstacle.
    fn refused(&self) -> MoveObstacle {
        let before = (self.main_tip(), tree_contents(&self.git.top));
        let repository = self.repository();
        let checked = repository.check_branch_move(&self.step());
        let moved = repository.move_branch(&self.step());
        assert_eq!((self.main_tip(), tree_contents(&self.git.top)), before);
        match (checked, moved) {
            (
                Err(GitError::BranchHeld { obstacle: first, .. }),
                Err(GitError::BranchHeld { obstacle, .. }),
            ) => {
                assert_eq!(first.paths(), obstacle.paths());
                *obstacle
            }
            other => panic!("{other:?}"),
        }
    }

    /// Asserts that the branch moves, and that the checkout then has no changes but these.
    fn moves(&self, changes: &str) {
        let repository = self.repository();
        repository.check_branch_move(&self.step()).unwrap();
        assert_eq!(self.main_tip(), self.from, "a check moves nothing");
        repository.move_branch(&self.step()).unwrap();
        assert_eq!(self.main_tip(), self.to);
        assert_eq!(self.git.git(["status", "--porcelain"]), changes);
    }
}

fn changed_files(obstacle: &MoveObstacle) -> Vec<&str> {
    let MoveObstacle::Changed { .. } = obstacle else { panic!("{obstacle:?}") };
    obstacle.paths().iter().map(|path| path.to_str().unwrap()).collect()
}

#[test]
fn the_files_move_with_the_branch_and_other_changes_stay() {
    let fixture = MoveFixture::new();
    let top = &fixture.git.top;
    fixture.git.write("kept.txt", "changed\n");
    fixture.git.write("untracked.txt", "mine\n");
    fixture.git.write("staged.txt", "mine\n");
    fixture.git.git(["add", "staged.txt"]);
    // A file that was touched has not changed.
    fs::File::open(top.join("a.txt")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    fixture.moves(" M kept.txt\nA  staged.txt\n?? untracked.txt");
    assert_eq!(fs::read_to_string(top.join("a.txt")).unwrap(), "two\n");
    assert!(!top.join("deleted.txt").exists() && top.join("folder/new.txt").exists());
    let log = fixture.git.git(["log", "-1", "--walk-reflogs", "--format=%gs", "HEAD"]);
    assert_eq!(log, "test", "the log of HEAD has an entry");
    fixture.git.check_integrity();
}

#[test]
fn only_files_that_would_change_are_obstacles() {
    type PrepareCase = fn(&MoveFixture);
    let cases: [(PrepareCase, &[&str]); 9] = [
        (|fixture| fixture.git.write("a.txt", "mine\n"), &["a.txt"]),
        (
            |fixture| {
                fixture.git.write("a.txt", "mine\n");
                fixture.git.git(["add", "a.txt"]);
            },
            &["a.txt"],
        ),
        (|fixture| fixture.git.write("deleted.txt", "mine\n"), &["deleted.txt"]),
        (|fixture| fixture.git.write("folder/new.txt", "mine\n"), &["folder/new.txt"]),
        (|fixture| fixture.git.write("folder", "mine\n"), &["folder"]),
        (|fixture| fixture.git.write("new.ignored", "mine\n"), &["new.ignored"]),
        (|fixture| fixture.git.write("new.ignored/deep.ignored", "mine\n"), &["new.ignored/deep.ignored"]),
        (
            |fixture| {
                fixture.git.write("a.txt", "mine\n");
                fixture.git.write("kept.txt", "mine\n");
            },
            &["a.txt"],
        ),
        (
            |fixture| {
                fixture.git.git(["update-index", "--assume-unchanged", "a.txt"]);
                fixture.git.write("a.txt", "mine\n");
            },
            &["a.txt"],
        ),
    ];
    for (number, (prepare, expected)) in cases.into_iter().enumerate() {
        let fixture = MoveFixture::new();
        prepare(&fixture);
        assert_eq!(changed_files(&fixture.refused()), expected, "case {number}");
    }
}

#[test]
fn a_change_that_is_the_same_as_the_new_commit_is_no_obstacle() {
    let fixture = MoveFixture::new();
    fixture.git.write("a.txt", "two\n");
    fixture.git.git(["add", "a.txt"]);
    fixture.moves("");
}

#[test]
fn an_operation_in_progress_holds_its_branch() {
    type BeginOperation = fn(&GitFixture);
    let cases: [(BeginOperation, &str); 5] = [
        (
            |git| {
                git.git(["switch", "--quiet", "--create", "other", "HEAD~1"]);
                git.write("a.txt", "other\n");
                git.commit("other");
                git.git(["switch", "--quiet", "main"]);
                git.write("a.txt", "mine\n");
                git.commit("mine");
                assert!(!git.try_git_in(&git.top, ["rebase", "other"]).status.success());
            },
            "rebase",
        ),
        (
            |git| {
                git.git(["bisect", "start", "HEAD", "HEAD~1"]);
            },
            "bisect",
        ),
        (
            |git| {
                git.git(["bisect", "start"]);
                git.git(["bisect", "bad", "main"]);
                git.git(["bisect", "good", "main~1"]);
            },
            "bisect",
        ),
        (
            |git| {
                git.git(["switch", "--quiet", "--create", "other", "HEAD~1"]);
                git.write("a.txt", "other\n");
                git.commit("other");
                git.git(["switch", "--quiet", "main"]);
                git.write("a.txt", "mine\n");
                git.commit("mine");
                assert!(!git.try_git_in(&git.top, ["merge", "other"]).status.success());
            },
            "merge",
        ),
        (
            |git| {
                git.git(["merge", "--quiet", "--no-commit", "--no-ff", "side"]);
            },
            "merge",
        ),
    ];
    for (begin, expected) in cases {
        let mut fixture = MoveFixture::new();
        fixture.git.git(["branch", "side", fixture.to.as_str()]);
        begin(&fixture.git);
        fixture.from = fixture.main_tip();
        match fixture.refused() {
            MoveObstacle::InProgress { top, operation } => {
                assert_eq!((top, operation), (fixture.git.top.clone(), expected));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_rebase_that_updates_further_branches_holds_them() {
    let fixture = MoveFixture::new();
    let git = &fixture.git;
    git.git(["switch", "--quiet", "--create", "upper"]);
    git.write("upper.txt", "upper\n");
    git.commit("upper");
    git.git(["switch", "--quiet", "--create", "other", "main~1"]);
    git.write("upper.txt", "other\n");
    git.write("kept.txt", "other\n");
    git.commit("other");
    git.git(["switch", "--quiet", "upper"]);
    assert!(!git.try_git_in(&git.top, ["rebase", "--update-refs", "other"]).status.success());
    assert!(matches!(fixture.refused(), MoveObstacle::InProgress { operation: "rebase", .. }));
}

#[test]
fn an_operation_on_another_branch_holds_nothing() {
    let fixture = MoveFixture::new();
    fixture.git.git(["switch", "--quiet", "--create", "other"]);
    fixture.git.git(["bisect", "start", "HEAD", "HEAD~1"]);
    let files = tree_contents(&fixture.git.top);
    fixture.repository().move_branch(&fixture.step()).unwrap();
    assert_eq!((fixture.main_tip(), tree_contents(&fixture.git.top)), (fixture.to.clone(), files));
}

#[test]
fn a_branch_that_is_checked_out_twice_is_held() {
    let fixture = MoveFixture::new();
    let second = fixture.git.beside("second");
    fixture.git.git(["worktree", "add", "--quiet", "--force", second.to_str().unwrap(), "main"]);
    match fixture.refused() {
        MoveObstacle::CheckedOutTwice { tops } => assert_eq!(tops, [fixture.git.top.clone(), second.clone()]),
        other => panic!("{other:?}"),
    }
    // A deleted folder is no checkout, unless its worktree is locked.
    fs::remove_dir_all(&second).unwrap();
    fixture.git.git(["worktree", "lock", second.to_str().unwrap()]);
    assert!(matches!(fixture.refused(), MoveObstacle::OutOfReach { path } if path == second));
    fixture.git.git(["worktree", "unlock", second.to_str().unwrap()]);
    fixture.moves("");
}

#[test]
fn the_checkout_may_be_a_linked_worktree() {
    let fixture = MoveFixture::new();
    fixture.git.git(["switch", "--quiet", "--detach"]);
    let linked = fixture.git.beside("linked");
    fixture.git.git(["worktree", "add", "--quiet", linked.to_str().unwrap(), "main"]);
    let before = tree_contents(&fixture.git.top);
    fixture.repository().move_branch(&fixture.step()).unwrap();
    assert_eq!(tree_contents(&fixture.git.top), before);
    assert_eq!(fs::read_to_string(linked.join("a.txt")).unwrap(), "two\n");
    assert_eq!(fixture.git.git_in(&linked, ["status", "--porcelain"]), "");
    assert_eq!(fixture.git.git_in(&linked, ["log", "-1", "--walk-reflogs", "--format=%gs", "HEAD"]), "test");
    assert_eq!(fixture.repository().branch_checkout(&fixture.main).unwrap(), Some(linked));
}

#[test]
fn a_checkout_is_found_wherever_its_git_folder_is() {
    // Its own folder, a separate one, that of a submodule, and files that a setting puts elsewhere.
    type ArrangeFolders = fn(&GitFixture) -> PathBuf;
    let cases: [ArrangeFolders; 3] = [
        |git| {
            let separate = git.beside("separate.git");
            git.git(["init", "--quiet", "--separate-git-dir", separate.to_str().unwrap()]);
            git.repository().remember_main_checkout().unwrap();
            git.top.clone()
        },
        |git| {
            let separate = git.beside("separate.git");
            git.git(["init", "--quiet", "--separate-git-dir", separate.to_str().unwrap()]);
            git.git(["config", "core.worktree", "../repo"]);
            git.top.clone()
        },
        |git| {
            let files = git.beside("files");
            git.git(["config", "core.worktree", files.to_str().unwrap()]);
            fs::create_dir(&files).unwrap();
            git.git(["reset", "--quiet", "--hard"]);
            files
        },
    ];
    for (number, arrange) in cases.into_iter().enumerate() {
        let fixture = MoveFixture::new();
        let common = fixture.repository().common_dir().to_owned();
        let top = arrange(&fixture.git);
        let common = if common.is_dir() { common } else { fixture.git.beside("separate.git") };
        // Opened by its git folder, as a run's repository is.
        let repository = Repository::open_at(&fixture.git.program(), &common).unwrap();
        repository.move_branch(&fixture.step()).unwrap();
        assert_eq!(repository.branch_checkout(&fixture.main).unwrap().as_ref(), Some(&top), "case {number}");
        assert_eq!(fs::read_to_string(top.join("a.txt")).unwrap(), "two\n", "case {number}");
        let git_dir = format!("--git-dir={}", common.display());
        let work_tree = format!("--work-tree={}", top.display());
        assert_eq!(
            fixture.git.git_in(&top, [&git_dir, &work_tree, "status", "--porcelain"]),
            "",
            "case {number}"
        );
    }
}

#[test]
fn a_submodule_moves_its_own_branch_and_files() {
    let outer = GitFixture::new();
    let inner = MoveFixture::new();
    outer.git([
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        inner.git.top.to_str().unwrap(),
        "sub",
    ]);
    let top = outer.top.join("sub");
    outer.git_in(&top, ["fetch", "--quiet", "origin", inner.to.as_str()]);
    let repository = Repository::discover(&outer.program(), &top).unwrap();
    let repository = Repository::open_at(&outer.program(), repository.common_dir()).unwrap();
    repository.move_branch(&inner.step()).unwrap();
    assert_eq!(fs::read_to_string(top.join("a.txt")).unwrap(), "two\n");
    assert_eq!(outer.git_in(&top, ["status", "--porcelain"]), "");
}

#[test]
fn a_checkout_that_nothing_leads_to_holds_its_branch() {
    let fixture = MoveFixture::new();
    let separate = fixture.git.beside("separate.git");
    fixture.git.git(["init", "--quiet", "--separate-git-dir", separate.to_str().unwrap()]);
    let repository = Repository::open_at(&fixture.git.program(), &separate).unwrap();
    match repository.move_branch(&fixture.step()) {
        Err(GitError::BranchHeld { obstacle, .. }) => {
            assert_eq!(*obstacle, MoveObstacle::OutOfReach { path: separate });
        }
        other => panic!("{other:?}"),
    }
    fixture.git.git(["switch", "--quiet", "--detach"]);
    repository.move_branch(&fixture.step()).unwrap();
}

#[test]
fn a_checkout_that_is_configured_as_bare_holds_its_branch() {
    let fixture = MoveFixture::new();
    fixture.git.git(["config", "core.bare", "true"]);
    assert!(matches!(fixture.refused(), MoveObstacle::WronglyBare { .. }));
    fixture.git.git(["config", "core.bare", "false"]);
    fixture.moves("");
}

#[test]
fn a_bare_repository_has_no_checkout_of_its_own() {
    let fixture = MoveFixture::new();
    let (bare, tree) = (fixture.git.beside("project/.bare"), fixture.git.beside("project/tree"));
    fixture.git.git(["branch", "side", fixture.to.as_str()]);
    fixture.git.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let repository = Repository::open_at(&fixture.git.program(), &bare).unwrap();
    for with_tree in [true, false] {
        if with_tree {
            fixture.git.git_in(&bare, ["worktree", "add", "--quiet", tree.to_str().unwrap(), "main"]);
        } else {
            fixture.git.git_in(&bare, ["worktree", "remove", tree.to_str().unwrap()]);
            fixture.git.git_in(&bare, ["update-ref", "refs/heads/main", fixture.from.as_str()]);
        }
        repository.move_branch(&fixture.step()).unwrap();
        assert_eq!(repository.read_ref(&fixture.main).unwrap().as_ref(), Some(&fixture.to));
        if with_tree {
            assert_eq!(fs::read_to_string(tree.join("a.txt")).unwrap(), "two\n");
        }
    }
}

#[test]
fn a_symbolic_reference_is_followed() {
    let fixture = MoveFixture::new();
    fixture.git.git(["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    let alias = RefName::from_branch_name("alias").unwrap();
    let step = BranchMove { branch: &alias, ..fixture.step() };
    fixture.repository().move_branch(&step).unwrap();
    assert_eq!(fixture.main_tip(), fixture.to);
    assert_eq!(fixture.git.git(["symbolic-ref", "refs/heads/alias"]), "refs/heads/main");
    assert_eq!(fixture.git.git(["status", "--porcelain"]), "");
}

#[test]
fn settings_and_hooks_of_the_user_do_not_apply() {
    let fixture = MoveFixture::new();
    for (name, value) in [
        ("branch.main.mergeOptions", "--squash"),
        ("merge.ff", "false"),
        ("merge.autoStash", "true"),
        ("alias.read-tree", "!false"),
        ("alias.update-ref", "!false"),
    ] {
        fixture.git.git(["config", name, value]);
    }
    for hook in ["reference-transaction", "post-merge", "post-checkout", "post-index-change"] {
        let path = fixture.git.top.join(".git/hooks").join(hook);
        write(
            path.parent().unwrap(),
            &path,
            "#!/bin/sh\ntouch \"$(git rev-parse --git-dir)/hook-ran\"\nexit 1\n",
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fixture.repository().move_branch(&fixture.step()).unwrap();
    assert!(!fixture.git.top.join(".git/hook-ran").exists());
    fs::remove_dir_all(fixture.git.top.join(".git/hooks")).unwrap();
    assert_eq!((fixture.main_tip(), fixture.git.git(["status", "--porcelain"])), (fixture.to, String::new()));
}

#[test]
fn a_lock_that_a_crashed_git_left_is_named_and_nothing_moves() {
    for lock in ["index.lock", "refs/heads/main.lock"] {
        let fixture = MoveFixture::new();
        let path = fixture.git.top.join(".git").join(lock);
        write(path.parent().unwrap(), &path, "");
        let before = tree_contents(&fixture.git.top);
        match fixture.repository().move_branch(&fixture.step()) {
            Err(GitError::BranchHeld { obstacle, .. }) => {
                assert!(
                    matches!(&*obstacle, MoveObstacle::Locked { lock, age: Some(_) } if *lock == path),
                    "{obstacle:?}"
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!((fixture.main_tip(), tree_contents(&fixture.git.top)), (fixture.from.clone(), before));
        fs::remove_file(path).unwrap();
        fixture.moves("");
    }
}

#[test]
fn a_branch_that_others_moved_is_left_to_them() {
    let fixture = MoveFixture::new();
    fixture.git.write("mine.txt", "mine\n");
    let mine = fixture.git.commit("mine");
    let before = tree_contents(&fixture.git.top);
    match fixture.repository().move_branch(&fixture.step()) {
        Err(GitError::RefMoved { expected, found, .. }) => {
            assert_eq!((expected, found), (fixture.from.clone(), Some(mine.clone())));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((fixture.main_tip(), tree_contents(&fixture.git.top)), (mine, before));
}

#[test]
fn a_sparse_checkout_stays_sparse() {
    let fixture = MoveFixture::new();
    fixture.git.git(["sparse-checkout", "set", "--no-cone", "/a.txt", "/kept.txt"]);
    fixture.moves("");
    assert!(!fixture.git.top.join("folder").exists());
    assert_eq!(fs::read_to_string(fixture.git.top.join("a.txt")).unwrap(), "two\n");
}

/// Leaves the files as a move does that was interrupted at any point.
#[test]
fn an_interrupted_move_is_undone() {
    type InterruptMove = fn(&MoveFixture);
    let cases: [(InterruptMove, &str); 6] = [
        (|_| {}, ""),
        // All files and the index were written.
        (
            |fixture| {
                fixture.git.git(["read-tree", "-m", "-u", fixture.from.as_str(), fixture.to.as_str()]);
            },
            "",
        ),
        // Files were written, the index was not.
        (|fixture| fixture.git.write("a.txt", "two\n"), ""),
        (
            |fixture| {
                fixture.git.write("a.txt", "t");
                fixture.git.write("folder/new.txt", "");
                fixture.git.write("new.ignored", "new\n");
                fs::remove_file(fixture.git.top.join("deleted.txt")).unwrap();
            },
            "",
        ),
        (|fixture| fs::remove_file(fixture.git.top.join("a.txt")).unwrap(), ""),
        // A change of the user stays.
        (
            |fixture| {
                fixture.git.git(["read-tree", "-m", "-u", fixture.from.as_str(), fixture.to.as_str()]);
                fixture.git.write("kept.txt", "mine\n");
            },
            " M kept.txt",
        ),
    ];
    for (number, (interrupt, changes)) in cases.into_iter().enumerate() {
        let fixture = MoveFixture::new();
        interrupt(&fixture);
        fixture.repository().undo_branch_move(&fixture.step()).unwrap();
        assert_eq!(fixture.git.git(["status", "--porcelain"]), changes, "case {number}");
        assert_eq!(fs::read_to_string(fixture.git.top.join("a.txt")).unwrap(), "one\n", "case {number}");
        fixture.repository().move_branch(&fixture.step()).unwrap();
    }
    // What the user made of a file since then is theirs.
    let fixture = MoveFixture::new();
    fixture.git.git(["read-tree", "-m", "-u", fixture.from.as_str(), fixture.to.as_str()]);
    fixture.git.write("a.txt", "mine\n");
    match fixture.repository().undo_branch_move(&fixture.step()) {
        Err(GitError::BranchHeld { obstacle, .. }) => assert_eq!(changed_files(&obstacle), ["a.txt"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read_to_string(fixture.git.top.join("a.txt")).unwrap(), "mine\n");
}

/// A checkout appears while the reference is being locked.
#[test]
fn a_checkout_that_is_added_meanwhile_moves_along() {
    let fixture = MoveFixture::new();
    fixture.git.git(["switch", "--quiet", "--detach"]);
    let tree = fixture.git.beside("meanwhile");
    // The first command of a move that names the branch's worktrees adds one.
    let real = fixture.git.environment().find_program("git").unwrap();
    let bin = fixture.git.beside("bin");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *update-ref*) [ -e {tree} ] || {real} -C {top} worktree add --quiet {tree} main 0</dev/null >/dev/null;; esac\nexec {real} \"$@\"\n",
        tree = tree.display(),
        real = real.display(),
        top = fixture.git.top.display()
    );
    super::ground::write_program(&bin.join("git"), &script);
    let git = fixture.git.program_on_path(&bin);
    let repository = Repository::open_at(&git, fixture.repository().common_dir()).unwrap();
    repository.move_branch(&fixture.step()).unwrap();
    assert_eq!(fixture.main_tip(), fixture.to);
    assert_eq!(fs::read_to_string(tree.join("a.txt")).unwrap(), "two\n");
    assert_eq!(fixture.git.git_in(&tree, ["status", "--porcelain"]), "");
}

#[test]
fn a_worktree_is_opened_by_its_top() {
    let fixture = MoveFixture::new();
    let main = fixture.repository();
    let opened = main.open_main_checkout().unwrap().unwrap();
    assert_eq!(opened.top_level(), Path::new(&fixture.git.top));
}
