//! What an answer named is on the disk when the power goes: on a disk of our own, whose contents at a moment are what a power
//! loss at that moment leaves.

use std::path::PathBuf;
use std::process::Command;

use orch_testkit::TestRepo;
use tempfile::TempDir;

use super::fixture::CrashFixture;
use crate::fixture::can_run;

/// A disk in a file, on a file system that copies files in an instant.
struct VolatileDisk {
    folder: TempDir,
    is_mounted: bool,
}

impl VolatileDisk {
    /// Makes a disk with this file system; `None` where that cannot be.
    fn new(test: &str, kind: &str) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("orch-power-").tempdir().unwrap();
        let mut disk = Self { folder, is_mounted: false };
        for name in ["outer", "disk"] {
            std::fs::create_dir(disk.path(name)).unwrap();
        }
        let made = disk.make_file_system("outer.img", "6G", &["mkfs.xfs", "-q", "-m", "reflink=1"])
            && disk.mount("outer.img", "outer")
            && disk.make_file_system("outer/disk.img", "400M", &[&format!("mkfs.{kind}"), "-q"]);
        let needs = format!("loop-devices-with-{kind}");
        can_run(test, &needs, made && disk.mount_image("disk")).then(|| {
            disk.is_mounted = true;
            disk
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make_file_system(&self, file: &str, size: &str, words: &[&str]) -> bool {
        let path = self.path(file);
        succeeds(Command::new("truncate").args(["-s", size]).arg(&path))
            && succeeds(Command::new(words[0]).args(&words[1..]).arg(&path))
    }

    fn mount(&self, image: &str, at: &str) -> bool {
        succeeds(Command::new("mount").args(["-o", "loop"]).args([self.path(image), self.path(at)]))
    }

    fn mount_image(&self, name: &str) -> bool {
        self.mount(&format!("outer/{name}.img"), "disk")
    }

    /// Keeps what the disk holds now.
    fn keep_contents(&self, name: &str) {
        let copy = [self.path("outer/disk.img"), self.path(&format!("outer/{name}.img"))];
        assert!(succeeds(Command::new("cp").arg("--reflink=always").args(copy)));
    }

    /// Replaces the disk by its contents at the moment of that name.
    fn lose_power(&mut self, name: &str) {
        assert!(succeeds(Command::new("umount").arg(self.path("disk"))));
        self.is_mounted = self.mount_image(name);
        assert!(self.is_mounted, "the disk of {name} can be mounted");
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        for name in ["disk", "outer"] {
            let _ = Command::new("umount").arg(self.path(name)).stderr(std::process::Stdio::null()).status();
        }
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Loses the power after each answer that names a commit.
fn lose_power_after_answers(test: &str, kind: &str) {
    let Some(mut disk) = VolatileDisk::new(test, kind) else { return };
    let site = CrashFixture::with_run(TestRepo::new_in(&disk.path("disk")), &[]);
    site.add_tasks(&["a", "b", "c"]);
    assert!(succeeds(&mut Command::new("sync")));
    let started = ["a", "b"].map(|key| (key, site.commit_task(key)));
    disk.keep_contents("dispatch");
    for (key, (thread, token)) in &started {
        site.run_inbox_data(&["done", thread, "--token", token, "--result", "Done."]);
        disk.keep_contents(&format!("done-{key}"));
    }
    site.fail_task("c");
    site.run_orch_data(&["worktree", "remove", "c@1"]);
    disk.keep_contents("salvage");
    site.run_orch_data(&["integrate"]);
    disk.keep_contents("integrate");
    site.run_orch_data(&["land", "r", "--onto", "main", "--partial"]);
    disk.keep_contents("land");
    site.run_orch_data(&["run", "rm", "r"]);
    disk.keep_contents("removal");
    let read = |revision: &str| {
        let shown = site.yard.try_run_git_in(&site.yard.repository_path(), ["show", revision]);
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };
    let main = "refs/heads/orch/r/main";
    for (moment, wanted) in [
        (
            "dispatch",
            vec![("refs/heads/orch/r/a.1:a.txt", "one\n"), ("refs/heads/orch/r/b.1:a.txt", "one\n")],
        ),
        ("done-a", vec![("refs/heads/orch/r/a.1:work/a", "a\n")]),
        ("done-b", vec![("refs/heads/orch/r/b.1:work/b", "b\n")]),
        (
            "salvage",
            vec![
                ("refs/orch/salvage/r/c.1:work/new", "new\n"),
                ("refs/orch/salvage/r/c.1:src/0.txt", "changed\n"),
            ],
        ),
        ("integrate", vec![(&*format!("{main}:work/a"), "a\n"), (&*format!("{main}:work/b"), "b\n")]),
        ("land", vec![("refs/heads/main:work/a", "a\n"), ("refs/heads/main:work/b", "b\n")]),
        ("removal", vec![("refs/orch/salvage/r/c.1:work/new", "new\n")]),
    ] {
        site.record_attempt(&format!("power lost after {moment} on {kind}"));
        disk.lose_power(moment);
        for (revision, content) in wanted {
            assert_eq!(read(revision), content, "{revision} after power was lost after {moment} on {kind}");
        }
        assert_eq!(site.run_orch_data(&["doctor"])["verdict"], "ok", "{moment} on {kind}");
        site.run_orch_data(&["reconcile"]);
    }
}

#[test]
fn what_was_answered_survives_a_power_loss_on_ext4() {
    lose_power_after_answers("a power loss on ext4", "ext4");
}

#[test]
fn what_was_answered_survives_a_power_loss_on_xfs() {
    lose_power_after_answers("a power loss on xfs", "xfs");
}

#[test]
fn what_was_answered_survives_a_power_loss_on_btrfs() {
    lose_power_after_answers("a power loss on btrfs", "btrfs");
}
