//! Which processes of a program use a folder, as far as `/proc` shows.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How many folders above a working folder are compared.
const DEPTH_MAX: usize = 128;

/// Whether processes use a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderUse {
    /// None does.
    Unused,
    /// The process with this pid does.
    UsedBy(u32),
    /// Not all processes can be seen.
    Unknown,
}

/// What is asked about the processes of a program.
#[derive(Clone, Copy, Debug)]
pub struct FolderUseQuery<'a> {
    /// The program's name; programs whose names begin with it and a hyphen count too.
    pub program: &'a str,
    /// Commands of the program that only read, and may run for long: their processes do not count.
    pub readers: &'a [&'a str],
    /// The folders.
    pub folders: &'a [PathBuf],
    /// A file that no process of any program may have open.
    pub file: &'a Path,
}

impl FolderUseQuery<'_> {
    /// Looks for a process with its working folder, root folder or open files in one of the folders.
    #[must_use]
    pub fn find_use(&self) -> FolderUse {
        // A system may hide the processes of other users, beginning with the first one.
        if !Path::new("/proc/1").exists() {
            return FolderUse::Unknown;
        }
        let Ok(entries) = fs::read_dir("/proc") else { return FolderUse::Unknown };
        let folders: Vec<PathBuf> =
            self.folders.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        let identities: Vec<_> =
            folders.iter().filter_map(|folder| fs::metadata(folder).ok()).map(file_identity).collect();
        let file = fs::metadata(self.file).ok().map(file_identity);
        let mut is_hidden = false;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            let process = entry.path();
            match self.uses(&process, &folders, &identities, file) {
                Ok(true) => return FolderUse::UsedBy(pid),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => is_hidden = true,
                // The process has ended.
                Err(_) => {}
            }
        }
        if is_hidden { FolderUse::Unknown } else { FolderUse::Unused }
    }

    /// Returns whether a process counts; an error only for processes of the program.
    fn uses(
        &self,
        process: &Path,
        folders: &[PathBuf],
        identities: &[(u64, u64)],
        file: Option<(u64, u64)>,
    ) -> io::Result<bool> {
        let is_of_program = self.is_of_program(process)?;
        let open_files: Vec<PathBuf> = match fs::read_dir(process.join("fd")) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) if !is_of_program => return Ok(false),
            Err(error) => return Err(error),
        };
        let has_file_open =
            |path: &PathBuf| file.is_some() && fs::metadata(path).ok().map(file_identity) == file;
        if open_files.iter().any(has_file_open) {
            return Ok(true);
        }
        if !is_of_program {
            return Ok(false);
        }
        for name in ["cwd", "root"] {
            let link = process.join(name);
            // Seen from a container, the path may be another one.
            if is_below(&fs::read_link(&link)?, folders) || is_inside(link, identities) {
                return Ok(true);
            }
        }
        Ok(open_files.iter().any(|path| fs::read_link(path).is_ok_and(|path| is_below(&path, folders))))
    }

    fn is_of_program(&self, process: &Path) -> io::Result<bool> {
        let name = fs::read(process.join("comm"))?;
        let name = name.strip_suffix(b"\n").unwrap_or(&name);
        let Some(rest) = name.strip_prefix(self.program.as_bytes()) else { return Ok(false) };
        if !(rest.is_empty() || rest.starts_with(b"-")) {
            return Ok(false);
        }
        // A process that has ended has no words.
        let words = fs::read(process.join("cmdline"))?;
        let command = command_word(&words);
        Ok(!command.is_some_and(|command| self.readers.iter().any(|reader| reader.as_bytes() == command)))
    }
}

/// Returns the first word of a command line after the program that does not begin with a hyphen.
fn command_word(words: &[u8]) -> Option<&[u8]> {
    let mut words = words.split(|byte| *byte == 0).skip(1);
    while let Some(word) = words.next() {
        match word {
            b"-c" | b"-C" => {
                words.next()?;
            }
            _ if word.starts_with(b"-") => {}
            b"" => return None,
            _ => return Some(word),
        }
    }
    None
}

fn file_identity(found: Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn is_below(path: &Path, folders: &[PathBuf]) -> bool {
    let bytes = path.as_os_str().as_bytes();
    let path =
        bytes.strip_suffix(b" (deleted)").map_or(path, |kept| Path::new(std::ffi::OsStr::from_bytes(kept)));
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Returns whether a folder or one above it is one of these.
fn is_inside(mut folder: PathBuf, identities: &[(u64, u64)]) -> bool {
    let mut last = None;
    for _ in 0..DEPTH_MAX {
        let Ok(found) = fs::metadata(&folder).map(file_identity) else { return false };
        if identities.contains(&found) {
            return true;
        }
        if last == Some(found) {
            return false;
        }
        last = Some(found);
        folder.push("..");
    }
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs::File;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A program that waits, under another name, until it is dropped.
    struct WaitingProgram(Child);

    impl WaitingProgram {
        fn start(folder: &Path, name: &str, cwd: &Path) -> Self {
            let program = folder.join(name);
            let made = Command::new("cp").arg("/bin/sh").arg(&program).status().unwrap();
            assert!(made.success());
            let mut command = Command::new(&program);
            command.args(["-c", "echo begun; read line", name]).current_dir(cwd);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut begun = [0; 6];
            io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut begun).unwrap();
            Self(child)
        }
    }

    impl Drop for WaitingProgram {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn only_processes_of_the_program_in_the_folder_count() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        for path in [&inside, &outside] {
            fs::create_dir(path).unwrap();
        }
        let file = inside.join("file");
        let folders = [inside.clone()];
        let query = FolderUseQuery { program: "probe", readers: &[], folders: &folders, file: &file };
        {
            let program = WaitingProgram::start(folder.path(), "probe-x", &inside);
            assert_eq!(query.find_use(), FolderUse::UsedBy(program.0.id()));
            // The first word of the shell without a hyphen is its own name.
            let reading = FolderUseQuery { readers: &["probe-x"], ..query };
            assert_eq!(reading.find_use(), FolderUse::Unused);
        }
        {
            let _other = WaitingProgram::start(folder.path(), "prober", &inside);
            let _elsewhere = WaitingProgram::start(folder.path(), "probe", &outside);
            assert_eq!(query.find_use(), FolderUse::Unused);
        }
        let opened = File::create(&file).unwrap();
        assert_eq!(query.find_use(), FolderUse::UsedBy(std::process::id()));
        drop(opened);
        assert_eq!(query.find_use(), FolderUse::Unused);
    }

    #[test]
    fn the_command_is_the_first_word_without_options() {
        let word = |words: &str| {
            command_word(words.as_bytes()).map(|word| String::from_utf8_lossy(word).into_owned())
        };
        for (words, expected) in [
            ("git\0cat-file\0--batch\0", Some("cat-file")),
            ("git\0-c\0a=b\0--git-dir=/x\0-C\0/y\0commit\0-m\0x\0", Some("commit")),
            ("git\0", None),
            ("git\0--version\0", None),
            ("", None),
        ] {
            assert_eq!(word(words).as_deref(), expected, "{words:?}");
        }
    }
}
