//! Open folders, and what lies below them: every name is looked up from a descriptor that is already held,
//! and no link is ever followed, so that nothing that changes meanwhile leads anywhere else.
//!
//! A [`Folder`] must never take a path apart by asking the system about it first and opening it afterwards.
//! `unix.rs` uses `openat2` where the kernel has it and walks name by name elsewhere; `windows.rs` is cap-std's.

#[cfg(unix)]
#[path = "beneath/unix.rs"]
mod imp;
#[cfg(not(unix))]
#[path = "beneath/windows.rs"]
mod imp;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed in one path, as many as Linux does.
const LINKS: usize = 40;

/// An open folder.
pub struct Folder(imp::Folder);

/// What lies at a name; of a link, the link itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub kind: Kind,
    /// Length in bytes.
    pub len: u64,
    /// Names that the file has.
    pub links: u64,
    /// Whether it belongs to somebody else than the user that this process runs as.
    pub is_foreign: bool,
    /// Device and inode, which tell two files apart.
    pub identity: (u64, u64),
}

/// The kind of what lies at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    Link,
    /// A pipe, a socket, a device, in a word for the person.
    Other(&'static str),
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Reading and writing what is there.
    Write,
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    /// The user alone.
    Private,
    /// Whom the user's mask lets.
    Masked,
}

/// How a new name is given to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renaming {
    /// Only where nothing has the name.
    New,
    /// What had the name is gone.
    Over,
    /// What had the name gets the old one.
    Exchange,
}

impl Folder {
    /// The folder at an absolute path without a link in it. Fails where there is one.
    pub fn open(path: &Path) -> io::Result<Self> {
        imp::Folder::open(path).map(Self)
    }

    /// The folder itself once more, or one below it.
    pub fn folder(&self, below: &Path) -> io::Result<Self> {
        self.0.folder(plain(below)?).map(Self)
    }

    /// The regular file at a path below the folder. It does not wait for a pipe or a device: those are refused.
    pub fn file(&self, below: &Path, access: Access) -> io::Result<(File, Look)> {
        let below = plain(below)?;
        // A look beforehand, because some devices act when they are opened; the one afterwards decides.
        refuse(self.look(below)?.kind)?;
        let file = self.0.file(below, access)?;
        let look = imp::look_at(&file)?;
        refuse(look.kind)?;
        Ok((file, look))
    }

    /// What lies at a path below the folder.
    pub fn look(&self, below: &Path) -> io::Result<Look> {
        self.0.look(plain(below)?)
    }

    /// The names in the folder, at most `limit`, in no order, and whether there are more.
    pub fn names(&self, limit: usize) -> io::Result<(Vec<(OsString, Kind)>, bool)> {
        self.0.names(limit)
    }

    /// Creates a folder, as open as the user's mask lets.
    pub fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        self.0.create_folder(single(name)?)
    }

    /// Creates a file that must not be there yet, for reading and writing.
    pub fn create(&self, name: &OsStr, openness: Openness) -> io::Result<File> {
        self.0.create(single(name)?, openness)
    }

    /// Gives a file of the folder another name in it. `Unsupported` where the file system cannot do it so.
    pub fn rename(&self, from: &OsStr, to: &OsStr, how: Renaming) -> io::Result<()> {
        self.0.rename(single(from)?, single(to)?, how)
    }

    /// Removes a name of a file.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.0.remove(single(name)?)
    }

    /// Makes what was renamed durable.
    pub fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// The state of an open file.
pub fn look_at(file: &File) -> io::Result<Look> {
    imp::look_at(file)
}

/// Gives `new`, which is private, the mode and the owner of `existing`. Fails where it cannot have that owner.
pub fn take_over(existing: &File, new: &File) -> io::Result<()> {
    imp::take_over(existing, new)
}

/// The path with every link in it followed, also where its end does not exist yet. It tells where a path leads
/// now and is no promise: what is opened there is opened without following links.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        let (mut there, missing) = existing_part(&path)?;
        let Some((first, more)) = missing.split_first() else { return Ok(there) };
        // A link to what is not there yet is there itself.
        if let Ok(target) = std::fs::read_link(there.join(first)) {
            there.push(target);
            there.extend(more);
            path = there;
            continue;
        }
        let named = |name: &&OsString| *name == ".." || *name == ".";
        if missing.iter().any(|name| named(&name)) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "`..` after a folder that does not exist"));
        }
        there.extend(missing);
        return Ok(there);
    }
    Err(io::Error::other("too many links, or links in a circle"))
}

/// The longest part of a path that exists, real, and the names after it.
fn existing_part(path: &Path) -> io::Result<(PathBuf, Vec<OsString>)> {
    let mut components: Vec<Component<'_>> = path.components().collect();
    let mut missing = Vec::new();
    loop {
        let part: PathBuf = components.iter().collect();
        match std::fs::canonicalize(&part) {
            Ok(real) => {
                missing.reverse();
                return Ok((real, missing));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match components.pop() {
                Some(last @ (Component::Normal(_) | Component::ParentDir)) => {
                    missing.push(last.as_os_str().to_owned());
                }
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
}

/// Only names: nothing that leads up or to another root.
fn plain(below: &Path) -> io::Result<&Path> {
    if below.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(below);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder"))
}

fn single(name: &OsStr) -> io::Result<&OsStr> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a name")),
    }
}

fn refuse(kind: Kind) -> io::Result<()> {
    match kind {
        Kind::File => Ok(()),
        Kind::Folder => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        // Whoever opens has followed the links: one that is there now was put there meanwhile.
        Kind::Link => Err(io::Error::new(io::ErrorKind::InvalidInput, "it became a link")),
        Kind::Other(what) => Err(io::Error::new(io::ErrorKind::Unsupported, format!("it is {what}"))),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
