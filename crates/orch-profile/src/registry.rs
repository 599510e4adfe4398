//! Finding profiles and templates: by path, in the store's folder, in the user's folder, or built in.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use orch_core::id::Slug;

use super::brief::{BriefTemplate, TemplateError};
use super::builtin::{BUILT_IN, built_in_profile};
use super::error::{FieldProblem, InvalidProfileReference, ProfileError, ProfileOrigin};
use super::extends::{EXTENDS, complete_text, find_extended};
use super::limit;
use super::profile::{Profile, TemplateSource};
use super::read::{ProfileText, line_at, parse_profile};
use super::text_file::TextFileKind;
use orch_process::TrustRecord;
use orch_process::private_file::list_folder;

/// The file of the template that overrides the built-in one.
const TEMPLATE: &str = "brief.jinja";

const PROFILE_FILE: TextFileKind = TextFileKind { name: "the profile", bytes_max: limit::PROFILE_BYTES_MAX };

/// How a user refers to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileReference {
    /// By its name.
    Name(Slug),
    /// By its name, with another model: `claude:opus`.
    Model(Slug, String),
    /// By the path of its file.
    Path(PathBuf),
}

impl fmt::Display for ProfileReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(formatter),
            Self::Model(name, model) => write!(formatter, "{name}:{model}"),
            Self::Path(path) => path.display().fmt(formatter),
        }
    }
}

impl FromStr for ProfileReference {
    type Err = InvalidProfileReference;

    /// Parses `NAME:MODEL`, or a path, which contains a slash or ends in `.toml`, or else a name.
    fn from_str(text: &str) -> Result<Self, InvalidProfileReference> {
        if let Some((name, model)) = text.split_once(':')
            && let Ok(name) = Slug::new(name)
            && !model.is_empty()
        {
            return Ok(Self::Model(name, model.to_owned()));
        }
        if text.contains('/') || text.ends_with(".toml") {
            return Ok(Self::Path(PathBuf::from(text)));
        }
        Slug::new(text).map(Self::Name).map_err(InvalidProfileReference)
    }
}

/// The folders that are searched for profiles and templates, in this order, before the built-in ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileRegistry {
    folders: Vec<PathBuf>,
    trust: TrustRecord,
}

impl ProfileRegistry {
    /// Searches the folder of the store, then the user's configuration folder.
    /// Each may contain the profiles `profiles/NAME.toml` and the template `brief.jinja`.
    #[must_use]
    pub fn new(store_dir: &Path, user_dir: Option<&Path>) -> Self {
        let folders = std::iter::once(store_dir).chain(user_dir).map(Path::to_owned).collect();
        Self { folders, trust: TrustRecord::new(user_dir) }
    }

    /// Finds and parses a profile.
    ///
    /// # Errors
    /// The profile does not exist, cannot be read, or is invalid.
    pub fn load_profile(&self, reference: &ProfileReference) -> Result<Profile, ProfileError> {
        match reference {
            ProfileReference::Path(path) => {
                let origin = ProfileOrigin::File(path.clone());
                self.parse_text(&PROFILE_FILE.read(path)?, &mut vec![origin], None)
            }
            ProfileReference::Name(name) => self.load_by_name(name),
            ProfileReference::Model(name, model) => {
                let profile = self.load_by_name(name)?;
                let origin = profile.origin.clone();
                profile.with_model(model).ok_or_else(|| ProfileError::Invalid {
                    origin,
                    line: 1,
                    field: Some("model".to_owned()),
                    problem: FieldProblem::NoPlace { placeholder: "model" },
                })
            }
        }
    }

    /// Lists the names of the profiles that can be found by name.
    #[must_use]
    pub fn list_names(&self) -> BTreeSet<Slug> {
        let built_in = BUILT_IN.iter().filter_map(|(name, _)| Slug::new(name).ok());
        let files = self.folders.iter().flat_map(|folder| list_folder(&folder.join("profiles")));
        let files = files.filter_map(|path| {
            let is_profile = path.extension().is_some_and(|extension| extension == "toml");
            Slug::new(path.file_stem().filter(|_| is_profile)?.to_str()?).ok()
        });
        built_in.chain(files).collect()
    }

    /// Loads the template of a profile's briefs: its own, or else one in a folder, or else the built-in one.
    ///
    /// # Errors
    /// The template cannot be read or is invalid.
    pub fn load_template(&self, profile: &Profile) -> Result<BriefTemplate, TemplateError> {
        match &profile.template {
            TemplateSource::Text(text) => {
                BriefTemplate::parse(text, &format!("{}, field `template`", profile.origin))
            }
            TemplateSource::File(path) => {
                // The template of a profile in a folder of settings is as trusted as the profile must be.
                match self.folders.iter().find(|folder| path.starts_with(folder)) {
                    Some(folder) => match BriefTemplate::load_trusted(folder, path, &self.trust)? {
                        Some(template) => Ok(template),
                        None => BriefTemplate::load_file(path),
                    },
                    None => BriefTemplate::load_file(path),
                }
            }
            TemplateSource::Standard => {
                for folder in &self.folders {
                    let path = folder.join(TEMPLATE);
                    if let Some(template) = BriefTemplate::load_trusted(folder, &path, &self.trust)? {
                        return Ok(template);
                    }
                }
                Ok(BriefTemplate::built_in())
            }
        }
    }

    fn load_by_name(&self, name: &Slug) -> Result<Profile, ProfileError> {
        let (text, origin) = self.find_text(name, &[])?;
        let expected = (origin != ProfileOrigin::BuiltIn).then_some(name);
        self.parse_text(&text, &mut vec![origin], expected)
    }

    /// Finds the text of a profile by its name, apart from those of which a profile that extends it was made.
    fn find_text(
        &self,
        name: &Slug,
        seen: &[ProfileOrigin],
    ) -> Result<(String, ProfileOrigin), ProfileError> {
        let file = format!("{name}.toml");
        let files: Vec<PathBuf> =
            self.folders.iter().map(|folder| folder.join("profiles").join(&file)).collect();
        for (folder, path) in self.folders.iter().zip(&files) {
            let origin = ProfileOrigin::File(path.clone());
            if !seen.contains(&origin)
                && let Some(text) = PROFILE_FILE.read_trusted(folder, path, &self.trust)?
            {
                return Ok((text, origin));
            }
        }
        match built_in_profile(name.as_str()) {
            Some(text) => Ok((text.to_owned(), ProfileOrigin::BuiltIn)),
            None => Err(ProfileError::Unknown { name: name.clone(), searched: files }),
        }
    }

    /// Parses the text of a profile, completed by those that it extends. `seen` ends with where the text is from.
    fn parse_text(
        &self,
        text: &str,
        seen: &mut Vec<ProfileOrigin>,
        expected: Option<&Slug>,
    ) -> Result<Profile, ProfileError> {
        let origin = seen.last().cloned().unwrap_or(ProfileOrigin::BuiltIn);
        let complete = self.complete(text, seen)?;
        parse_profile(&ProfileText { written: text, complete: complete.as_deref() }, origin, expected)
    }

    /// Returns a text completed by the profiles that it extends; `None` if it extends none.
    fn complete(&self, text: &str, seen: &mut Vec<ProfileOrigin>) -> Result<Option<String>, ProfileError> {
        let Some((span, name)) = find_extended(text) else { return Ok(None) };
        let invalid = |problem| ProfileError::Invalid {
            origin: seen.last().cloned().unwrap_or(ProfileOrigin::BuiltIn),
            line: line_at(text, span.start),
            field: Some(EXTENDS.to_owned()),
            problem,
        };
        let name = name.map_err(|error| invalid(FieldProblem::Extends(error)))?;
        if seen.len() > limit::EXTENDED_MAX {
            return Err(invalid(FieldProblem::TooManyExtended));
        }
        let (extended, origin) = self.find_text(&name, seen)?;
        seen.push(origin.clone());
        let whole = self.complete(&extended, seen)?;
        let source = ProfileText { written: &extended, complete: whole.as_deref() };
        parse_profile(&source, origin.clone(), None)?;
        let folder = match &origin {
            ProfileOrigin::File(path) => path.parent(),
            ProfileOrigin::BuiltIn => None,
        };
        Ok(complete_text(text, whole.as_deref().unwrap_or(&extended), folder))
    }
}
