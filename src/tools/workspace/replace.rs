//! Writing a file whole: it is either what it was or what it is to be, and never over what nobody has seen.
//!
//! The new content is written beside the file and the two change places in one step; what comes out is compared
//! with what was expected, and put back where somebody else was quicker. Links that are more than one name of a
//! file, files of others and folders that take no new names are written in place.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Component, Path};

use super::{GateError, Workspace, WorkspacePath};
use crate::system::Random;
use crate::system::beneath::{Access, Folder, Kind, Look, Openness, Renaming, take_over};
use crate::tools::change::hash;
use crate::tools::seen::Digest;

/// What must be there for a file to be written.
#[derive(Clone, Copy, Debug)]
pub enum Before<'a> {
    /// Nothing.
    Nothing,
    /// A file of this content.
    Content(&'a Digest),
}

/// How a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// In one step: no moment showed half of it.
    Whole,
    /// Over what was there.
    InPlace,
}

#[expect(clippy::unused_self, reason = "without a workspace there is no way to a file")]
impl Workspace {
    /// Writes `bytes` as the whole file at `path`, which must be as `before` says, and flushes it to the disk.
    /// Folders that are missing are created.
    pub fn replace(
        &self,
        path: &WorkspacePath,
        bytes: &[u8],
        before: Before<'_>,
        random: &Random,
    ) -> Result<Replaced, GateError> {
        let name = path.name()?;
        let job = Job { path, name, bytes, random };
        match before {
            Before::Nothing => {
                let folder = job.folder_made()?;
                job.create(&folder)
            }
            Before::Content(digest) => {
                let base = path.base()?;
                let parent = path.below().parent().unwrap_or(Path::new(""));
                let folder = base.folder(parent).map_err(|error| path.failed(error))?;
                job.exchange(&folder, digest)
            }
        }
    }

    /// Removes the file at `path`, which must have this content: the undoing of its creation.
    pub fn remove(&self, path: &WorkspacePath, digest: &Digest) -> Result<(), GateError> {
        let name = path.name()?;
        let base = path.base()?;
        let parent = path.below().parent().unwrap_or(Path::new(""));
        let folder = base.folder(parent).map_err(|error| path.failed(error))?;
        let (mut file, _) =
            folder.file(Path::new(&name), Access::Read).map_err(|error| path.failed(error))?;
        if !is_content(&mut file, digest).map_err(|error| path.failed(error))? {
            return Err(GateError::Changed { path: path.shown.clone() });
        }
        folder.remove(&name).and_then(|()| folder.sync()).map_err(|error| path.failed(error))
    }
}

struct Job<'a> {
    path: &'a WorkspacePath,
    name: OsString,
    bytes: &'a [u8],
    random: &'a Random,
}

impl Job<'_> {
    fn failed(&self, error: io::Error) -> GateError {
        self.path.failed(error)
    }

    fn changed(&self) -> GateError {
        GateError::Changed { path: self.path.shown.clone() }
    }

    /// The folder of the file, made where it is missing, one name after the other.
    fn folder_made(&self) -> Result<Folder, GateError> {
        let mut folder = self.path.base()?;
        for part in self.path.below().parent().unwrap_or(Path::new("")).components() {
            let Component::Normal(name) = part else { continue };
            let next = match folder.folder(Path::new(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match folder.create_folder(name) {
                        // Somebody else was quicker.
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                        other => other.map_err(|error| self.failed(error))?,
                    }
                    folder.folder(Path::new(name))
                }
                other => other,
            };
            folder = next.map_err(|error| self.failed(error))?;
        }
        Ok(folder)
    }

    fn create(&self, folder: &Folder) -> Result<Replaced, GateError> {
        match folder.look(Path::new(&self.name)) {
            Ok(Look { kind: Kind::File, .. }) => {
                return Err(GateError::Exists { path: self.path.shown.clone() });
            }
            Ok(Look { kind: Kind::Link, .. }) => {
                return Err(GateError::Moved { path: self.path.shown.clone() });
            }
            Ok(Look { kind: Kind::Folder, .. }) => {
                return Err(self.failed(io::ErrorKind::IsADirectory.into()));
            }
            Ok(Look { kind: Kind::Other(what), .. }) => {
                return Err(self.failed(io::Error::new(io::ErrorKind::Unsupported, format!("it is {what}"))));
            }
            Err(_) => {}
        }
        let made = (|| {
            let beside = Beside::new(folder, self.random, Openness::Masked)?;
            beside.fill(self.bytes)?;
            folder.rename(&beside.name, &self.name, Renaming::New)?;
            beside.keep();
            folder.sync()
        })();
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(GateError::Exists { path: self.path.shown.clone() })
            }
            other => other.map(|()| Replaced::Whole).map_err(|error| self.failed(error)),
        }
    }

    fn exchange(&self, folder: &Folder, digest: &Digest) -> Result<Replaced, GateError> {
        let name = Path::new(&self.name);
        // Opened for writing also where it is only read: what is read-only is not replaced behind its back.
        let (mut old, look) = match folder.file(name, Access::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.changed()),
            other => other.map_err(|error| self.failed(error))?,
        };
        if look.links > 1 && look.is_foreign {
            let reason = "the file belongs to somebody else and has other names (hard links)".to_owned();
            return Err(GateError::Refused { path: self.path.shown.clone(), reason });
        }
        if !is_content(&mut old, digest).map_err(|error| self.failed(error))? {
            return Err(self.changed());
        }
        if look.links > 1 {
            return self.in_place(old);
        }
        let Ok(beside) = Beside::new(folder, self.random, Openness::Private) else {
            return self.in_place(old);
        };
        if take_over(&old, &beside.file).is_err() {
            // It would have another owner.
            drop(beside);
            return self.in_place(old);
        }
        beside.fill(self.bytes).map_err(|error| self.failed(error))?;
        match folder.rename(&beside.name, &self.name, Renaming::Exchange) {
            Ok(()) => {
                if !is_expected(folder, &beside.name, look, digest) {
                    folder
                        .rename(&beside.name, &self.name, Renaming::Exchange)
                        .map_err(|error| self.failed(error))?;
                    return Err(self.changed());
                }
                drop(beside);
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                if !is_expected(folder, &self.name, look, digest) {
                    return Err(self.changed());
                }
                folder
                    .rename(&beside.name, &self.name, Renaming::Over)
                    .map_err(|error| self.failed(error))?;
                beside.keep();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(self.changed()),
            Err(error) => return Err(self.failed(error)),
        }
        folder.sync().map_err(|error| self.failed(error))?;
        Ok(Replaced::Whole)
    }

    fn in_place(&self, mut file: File) -> Result<Replaced, GateError> {
        let written = (|| {
            file.rewind()?;
            file.write_all(self.bytes)?;
            file.set_len(self.bytes.len() as u64)?;
            file.sync_all()
        })();
        written.map(|()| Replaced::InPlace).map_err(|error| self.failed(error))
    }
}

/// How the names of files of ours begin and end.
const PIECE_START: &str = ".aside-";
const PIECE_END: &str = ".tmp";

/// Names that are looked at in one folder.
const MAX_NAMES: usize = 100_000;

/// Removes what a process that was killed has left beside `path`. With `replaced`, the change was made, and what is
/// left is what stood there before: it goes only if it is of that hash, and not if somebody else had been quicker.
pub fn sweep_beside(path: &Path, replaced: Option<&str>) -> io::Result<()> {
    let folder = Folder::open(path.parent().unwrap_or(Path::new("")))?;
    let (names, _) = folder.names(MAX_NAMES)?;
    for (name, kind) in names {
        let is_piece =
            name.to_str().is_some_and(|name| name.starts_with(PIECE_START) && name.ends_with(PIECE_END));
        if !is_piece || kind != Kind::File {
            continue;
        }
        let (mut file, _) = folder.file(Path::new(&name), Access::Read)?;
        if file.try_lock().is_err() {
            continue;
        }
        if let Some(replaced) = replaced {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            if hash(&bytes) != replaced {
                continue;
            }
        }
        folder.remove(&name)?;
    }
    Ok(())
}

/// A file of ours beside the one that is written; gone when it is dropped.
struct Beside<'f> {
    folder: &'f Folder,
    name: OsString,
    file: File,
    is_kept: std::cell::Cell<bool>,
}

impl<'f> Beside<'f> {
    fn new(folder: &'f Folder, random: &Random, openness: Openness) -> io::Result<Self> {
        let name = OsString::from(format!("{PIECE_START}{}{PIECE_END}", random.id()));
        let file = folder.create(&name, openness)?;
        // Held while it is written, so that it is known which pieces nobody writes any more. Without locks on this
        // file system none is ever swept.
        let _ = file.try_lock();
        Ok(Self { folder, name, file, is_kept: std::cell::Cell::new(false) })
    }

    fn fill(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.file).write_all(bytes)?;
        self.file.sync_all()
    }

    /// It has its final name.
    fn keep(&self) {
        self.is_kept.set(true);
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        if !self.is_kept.get()
            && let Err(error) = self.folder.remove(&self.name)
        {
            tracing::debug!(%error, "a temporary file stays");
        }
    }
}

/// Whether the file of that name is the one that was looked at, and still has the content.
fn is_expected(folder: &Folder, name: &OsStr, before: Look, digest: &Digest) -> bool {
    folder.file(Path::new(name), Access::Read).is_ok_and(|(mut file, look)| {
        look.identity == before.identity && is_content(&mut file, digest).unwrap_or(false)
    })
}

fn is_content(file: &mut File, digest: &Digest) -> io::Result<bool> {
    let mut hasher = Digest::hasher();
    let mut buffer = vec![0; 64 << 10];
    file.rewind()?;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish() == *digest),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
