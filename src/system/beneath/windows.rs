//! Folders of Windows, by cap-std: one name at a time, and no link or junction is followed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt as _, FollowSymlinks, MetadataExt as _, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, Metadata, OpenOptions};

use super::{Access, Kind, Look, Openness, Renaming};

pub(super) struct Folder(Dir);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut root = PathBuf::new();
        let mut below = PathBuf::new();
        for part in path.components() {
            match part {
                std::path::Component::Prefix(_) | std::path::Component::RootDir => root.push(part),
                other => below.push(other),
            }
        }
        let root = Dir::open_ambient_dir(root, cap_std::ambient_authority())?;
        Self(root).folder(super::plain(&below)?)
    }

    pub(super) fn folder(&self, below: &Path) -> io::Result<Self> {
        let mut dir = self.0.try_clone()?;
        for name in below {
            dir = dir.open_dir_nofollow(name)?;
        }
        Ok(Self(dir))
    }

    /// The folder that a path lies in, and its name there.
    fn parent<'p>(&self, below: &'p Path) -> io::Result<(Self, &'p OsStr)> {
        let name = below.file_name().ok_or(io::ErrorKind::IsADirectory)?;
        Ok((self.folder(below.parent().unwrap_or(Path::new("")))?, name))
    }

    pub(super) fn file(&self, below: &Path, access: Access) -> io::Result<File> {
        let (parent, name) = self.parent(below)?;
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write).follow(FollowSymlinks::No);
        Ok(parent.0.open_with(name, &options)?.into_std())
    }

    pub(super) fn look(&self, below: &Path) -> io::Result<Look> {
        if below.as_os_str().is_empty() {
            return Ok(look(&self.0.dir_metadata()?));
        }
        let (parent, name) = self.parent(below)?;
        Ok(look(&parent.0.symlink_metadata(name)?))
    }

    pub(super) fn names(&self, limit: usize) -> io::Result<(Vec<(OsString, Kind)>, bool)> {
        let mut names = Vec::new();
        for entry in self.0.entries()? {
            let entry = entry?;
            if names.len() == limit {
                return Ok((names, true));
            }
            let Ok(kind) = entry.file_type() else { continue };
            names.push((entry.file_name(), kind_of(kind)));
        }
        Ok((names, false))
    }

    pub(super) fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        self.0.create_dir(name)
    }

    pub(super) fn create(&self, name: &OsStr, _openness: Openness) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
        Ok(self.0.open_with(name, &options)?.into_std())
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr, how: Renaming) -> io::Result<()> {
        match how {
            Renaming::Over => self.0.rename(from, &self.0, to),
            Renaming::New => {
                self.0.hard_link(from, &self.0, to)?;
                self.0.remove_file(from)
            }
            Renaming::Exchange => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.0.remove_file(name)
    }

    /// Windows has no such call: the rename itself is durable.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same shape as on Unix")]
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn look_at(file: &File) -> io::Result<Look> {
    Ok(look(&Metadata::from_file(file)?))
}

pub(super) fn take_over(existing: &File, new: &File) -> io::Result<()> {
    new.set_permissions(existing.metadata()?.permissions())
}

fn look(metadata: &Metadata) -> Look {
    Look {
        kind: kind_of(metadata.file_type()),
        len: metadata.len(),
        links: metadata.nlink(),
        is_foreign: false,
        identity: (metadata.dev(), metadata.ino()),
    }
}

fn kind_of(told: cap_std::fs::FileType) -> Kind {
    if told.is_symlink() {
        Kind::Link
    } else if told.is_dir() {
        Kind::Folder
    } else if told.is_file() {
        Kind::File
    } else {
        Kind::Other("neither a file nor a folder")
    }
}
