//! Where profiles are found: a path, the store's folder, the user's folder, the program itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use orch_core::id::Slug;

use super::brief::{Template, TemplateError};
use super::{BadReference, Origin, Problem, Profile, ProfileError, TemplateSource, built_in, limit, read};

/// The file of the template that takes the place of the built-in one.
const TEMPLATE: &str = "brief.jinja";

/// How a profile is asked for: by its name, or by the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By its name.
    Name(Slug),
    /// By a path.
    Path(PathBuf),
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    /// A path has a slash in it, or ends in `.toml`.
    fn from_str(text: &str) -> Result<Self, BadReference> {
        if text.contains('/') || text.ends_with(".toml") {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Slug::new(text).map(Self::Name).map_err(BadReference)
    }
}

/// The folders in which profiles and templates are looked for, in this order, before the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    folders: Vec<PathBuf>,
}

impl Shelf {
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
    pub fn profile(&self, reference: &Reference) -> Result<Profile, ProfileError> {
        match reference {
            Reference::Path(path) => {
                let text = text_of(path)?.ok_or_else(|| ProfileError::Io {
                    path: path.clone(),
                    source: io::Error::from(io::ErrorKind::NotFound),
                })?;
                Profile::parse(&text, Origin::File(path.clone()))
            }
            Reference::Name(name) => self.named(name),
        }
    }

    /// The template of a profile's briefs: its own, else the one that lies in a folder, else the built-in one.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn template(&self, profile: &Profile) -> Result<Template, TemplateError> {
        match &profile.template {
            TemplateSource::Text(text) => {
                Template::parse(text, &format!("{}, field `template`", profile.origin))
            }
            TemplateSource::File(path) => Template::of_file(path)?.ok_or_else(|| TemplateError::Io {
                path: path.clone(),
                source: io::Error::from(io::ErrorKind::NotFound),
            }),
            TemplateSource::Standard => {
                for folder in &self.folders {
                    if let Some(template) = Template::of_file(&folder.join(TEMPLATE))? {
                        return Ok(template);
                    }
                }
                Ok(Template::standard())
            }
        }
    }

    fn named(&self, name: &Slug) -> Result<Profile, ProfileError> {
        let files: Vec<PathBuf> =
            self.folders.iter().map(|folder| folder.join("profiles").join(format!("{name}.toml"))).collect();
        for path in &files {
            let Some(text) = text_of(path)? else { continue };
            let profile = Profile::parse(&text, Origin::File(path.clone()))?;
            if profile.name == *name {
                return Ok(profile);
            }
            let problem = Problem::OtherName { name: profile.name, file: name.clone() };
            return Err(read::wrong(&text, profile.origin, &["name"], problem));
        }
        match built_in(name.as_str()) {
            Some(text) => Profile::parse(text, Origin::BuiltIn),
            None => Err(ProfileError::Unknown { name: name.clone(), looked: files }),
        }
    }
}

/// The text of a file; `None` when there is none.
fn text_of(path: &Path) -> Result<Option<String>, ProfileError> {
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
