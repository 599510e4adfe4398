//! Where profiles are found: a path, the store's folder, the user's folder, the program itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use orch_core::id::Slug;

use super::brief::{BriefTemplate, TemplateError};
use super::{
    FieldProblem, InvalidProfileReference, Profile, ProfileError, ProfileOrigin, TemplateSource,
    built_in_profile, limit, read,
};

/// The file of the template that takes the place of the built-in one.
const TEMPLATE: &str = "brief.jinja";

/// How a profile is asked for: by its name, or by the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileReference {
    /// By its name.
    Name(Slug),
    /// By a path.
    Path(PathBuf),
}

impl fmt::Display for ProfileReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

impl FromStr for ProfileReference {
    type Err = InvalidProfileReference;

    /// A path has a slash in it, or ends in `.toml`.
    fn from_str(text: &str) -> Result<Self, InvalidProfileReference> {
        if text.contains('/') || text.ends_with(".toml") {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Slug::new(text).map(Self::Name).map_err(InvalidProfileReference)
    }
}

/// The folders in which profiles and templates are looked for, in this order, before the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileRegistry {
    folders: Vec<PathBuf>,
}

impl ProfileRegistry {
    /// The folder of the store, then the user's folder for our settings where there is one.
    /// Profiles lie in `profiles/` there, and beside it `brief.jinja`.
    #[must_use]
    pub fn new(store_dir: &Path, user_dir: Option<&Path>) -> Self {
        Self { folders: std::iter::once(store_dir).chain(user_dir).map(Path::to_owned).collect() }
    }

    /// Finds and reads a profile.
    ///
    /// # Errors
    /// There is none, it cannot be read, or something in it is wrong.
    pub fn load_profile(&self, reference: &ProfileReference) -> Result<Profile, ProfileError> {
        match reference {
            ProfileReference::Path(path) => {
                let text = read_profile_file(path)?.ok_or_else(|| ProfileError::Io {
                    path: path.clone(),
                    source: io::Error::from(io::ErrorKind::NotFound),
                })?;
                Profile::parse(&text, ProfileOrigin::File(path.clone()))
            }
            ProfileReference::Name(name) => self.load_by_name(name),
        }
    }

    /// The template of a profile's briefs: its own, else the one that lies in a folder, else the built-in one.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load_template(&self, profile: &Profile) -> Result<BriefTemplate, TemplateError> {
        match &profile.template {
            TemplateSource::Text(text) => {
                BriefTemplate::parse(text, &format!("{}, field `template`", profile.origin))
            }
            TemplateSource::File(path) => BriefTemplate::load_file(path)?.ok_or_else(|| TemplateError::Io {
                path: path.clone(),
                source: io::Error::from(io::ErrorKind::NotFound),
            }),
            TemplateSource::Standard => {
                for folder in &self.folders {
                    if let Some(template) = BriefTemplate::load_file(&folder.join(TEMPLATE))? {
                        return Ok(template);
                    }
                }
                Ok(BriefTemplate::built_in())
            }
        }
    }

    fn load_by_name(&self, name: &Slug) -> Result<Profile, ProfileError> {
        let files: Vec<PathBuf> =
            self.folders.iter().map(|folder| folder.join("profiles").join(format!("{name}.toml"))).collect();
        for path in &files {
            let Some(text) = read_profile_file(path)? else { continue };
            let profile = Profile::parse(&text, ProfileOrigin::File(path.clone()))?;
            if profile.name == *name {
                return Ok(profile);
            }
            let problem = FieldProblem::OtherName { name: profile.name, file: name.clone() };
            return Err(read::field_error(&text, profile.origin, &["name"], problem));
        }
        match built_in_profile(name.as_str()) {
            Some(text) => Profile::parse(text, ProfileOrigin::BuiltIn),
            None => Err(ProfileError::Unknown { name: name.clone(), looked: files }),
        }
    }
}

/// The text of a file; `None` when there is none.
fn read_profile_file(path: &Path) -> Result<Option<String>, ProfileError> {
    let io_error = |source| ProfileError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
    };
    let mut bytes = Vec::new();
    file.take(limit::PROFILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() > limit::PROFILE_BYTES_MAX {
        return Err(ProfileError::TooLong { path: path.to_owned() });
    }
    String::from_utf8(bytes).map(Some).map_err(|_| ProfileError::NotText { path: path.to_owned() })
}
