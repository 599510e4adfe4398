//! Whether a store is at its recorded place, was moved, or is a copy: a rule over what the file system shows.

/// The device and inode of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileNumber {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

/// A place of a store: the path of its file, on which machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorePlace {
    /// The real path of the file.
    pub path: String,
    /// The number of the file.
    pub file: FileNumber,
    /// The machine's identifier.
    pub machine: String,
}

/// What the recorded place of a store holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceOccupant {
    /// The file of this store.
    SameFile,
    /// Another file with a store of this identity.
    OtherFile,
    /// No store of this identity.
    None,
    /// It cannot be read.
    Unknown,
}

/// How the place of a store compares to its recorded one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorePlacement {
    /// It is at its recorded place.
    Home,
    /// It is the recorded file under another path, as a bind mount shows it.
    OtherPath,
    /// It was moved.
    Moved,
    /// The recorded place holds the store, and this is a copy.
    Copied,
    /// It was moved or copied, and which is unknown.
    Undecided,
}

impl StorePlacement {
    /// Returns the name that answers show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::OtherPath => "other_path",
            Self::Moved => "moved",
            Self::Copied => "copied",
            Self::Undecided => "undecided",
        }
    }
}

/// Compares the place of a store to its recorded one.
///
/// The recorded place is looked at only where it matters, and so is whether a supervisor or an attempt is live:
/// a store that was moved under live work needs a person to decide.
pub fn classify_placement(
    recorded: &StorePlace,
    found: &StorePlace,
    occupant: impl FnOnce() -> PlaceOccupant,
    has_live_work: impl FnOnce() -> bool,
) -> StorePlacement {
    let (same_file, same_machine) = (recorded.file == found.file, recorded.machine == found.machine);
    if recorded.path == found.path {
        // A file restored from a backup has another number.
        return if same_file || same_machine { StorePlacement::Home } else { StorePlacement::Undecided };
    }
    if !same_machine {
        // A container shows the file of its host under another path.
        return if same_file { StorePlacement::OtherPath } else { StorePlacement::Undecided };
    }
    match occupant() {
        PlaceOccupant::SameFile => StorePlacement::OtherPath,
        PlaceOccupant::OtherFile => StorePlacement::Copied,
        PlaceOccupant::None if has_live_work() => StorePlacement::Undecided,
        PlaceOccupant::None => StorePlacement::Moved,
        PlaceOccupant::Unknown => StorePlacement::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_placement_of_a_store_follows_from_path_file_machine_and_occupant() {
        use PlaceOccupant::{None as Nothing, OtherFile, SameFile, Unknown};
        use StorePlacement::{Copied, Home, Moved, OtherPath, Undecided};
        let place = |path: &str, inode, machine: &str| StorePlace {
            path: path.to_owned(),
            file: FileNumber { device: 1, inode },
            machine: machine.to_owned(),
        };
        let recorded = place("/a", 1, "m");
        for (found, occupant, live, expected) in [
            (place("/a", 1, "m"), Unknown, true, Home),
            (place("/a", 2, "m"), Unknown, true, Home),
            (place("/a", 1, "n"), Unknown, true, Home),
            (place("/a", 2, "n"), Nothing, false, Undecided),
            (place("/b", 1, "m"), SameFile, true, OtherPath),
            (place("/b", 1, "n"), Nothing, false, OtherPath),
            (place("/b", 2, "n"), Nothing, false, Undecided),
            (place("/b", 2, "m"), OtherFile, false, Copied),
            (place("/b", 1, "m"), OtherFile, false, Copied),
            (place("/b", 1, "m"), Nothing, false, Moved),
            (place("/b", 2, "m"), Nothing, false, Moved),
            (place("/b", 1, "m"), Nothing, true, Undecided),
            (place("/b", 1, "m"), Unknown, false, Undecided),
        ] {
            let case = format!("{found:?} {occupant:?} {live}");
            assert_eq!(classify_placement(&recorded, &found, || occupant, || live), expected, "{case}");
        }
    }
}
