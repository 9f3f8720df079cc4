//! Folders of Unix: descriptors, and calls that take one.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use super::{Access, Kind, Look, Openness, Renaming};

/// What every descriptor here is opened with: none is inherited, follows a link, becomes our terminal or waits.
const ALWAYS: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NOCTTY).union(OFlags::NONBLOCK);

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

pub(super) struct Folder(OwnedFd);

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let Ok(below) = path.strip_prefix("/") else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an absolute path"));
        };
        let root = rustix::fs::openat(CWD, "/", FOLDER | ALWAYS, Mode::empty())?;
        Ok(Self(open_below(root.as_fd(), super::plain(below)?, FOLDER)?))
    }

    pub(super) fn folder(&self, below: &Path) -> io::Result<Self> {
        Ok(Self(open_below(self.0.as_fd(), below, FOLDER)?))
    }

    pub(super) fn file(&self, below: &Path, access: Access) -> io::Result<File> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        Ok(File::from(open_below(self.0.as_fd(), below, flags)?))
    }

    pub(super) fn look(&self, below: &Path) -> io::Result<Look> {
        let Some(name) = below.file_name() else { return Ok(look(&rustix::fs::fstat(&self.0)?)) };
        let stat = |folder: BorrowedFd<'_>| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
        let stat = match below.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => stat(open_below(self.0.as_fd(), parent, FOLDER)?.as_fd()),
            None => stat(self.0.as_fd()),
        };
        Ok(look(&stat?))
    }

    pub(super) fn names(&self, limit: usize) -> io::Result<(Vec<(OsString, Kind)>, bool)> {
        let mut names = Vec::new();
        // A descriptor of its own: reading moves a position in it.
        let folder = open_below(self.0.as_fd(), Path::new(""), FOLDER)?;
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if names.len() == limit {
                return Ok((names, true));
            }
            let kind = match entry.file_type() {
                // Some file systems do not tell.
                FileType::Unknown => match self.look(Path::new(name)) {
                    Ok(look) => look.kind,
                    Err(_) => continue,
                },
                told => kind(told),
            };
            names.push((name.to_owned(), kind));
        }
        Ok((names, false))
    }

    pub(super) fn create_folder(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.0, name, Mode::RWXU | Mode::RWXG | Mode::RWXO)?)
    }

    pub(super) fn create(&self, name: &OsStr, openness: Openness) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | ALWAYS;
        let mode = match openness {
            Openness::Private => Mode::RUSR | Mode::WUSR,
            Openness::Masked => Mode::from_raw_mode(0o666),
        };
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, mode)?))
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr, how: Renaming) -> io::Result<()> {
        let flags = match how {
            Renaming::Over => return Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?),
            Renaming::New => RenameFlags::NOREPLACE,
            Renaming::Exchange => RenameFlags::EXCHANGE,
        };
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        let renamed = rustix::fs::renameat_with(&self.0, from, &self.0, to, flags);
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        let renamed = Err::<(), _>(Errno::NOSYS);
        match renamed {
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) if how == Renaming::New => {
                // A second name, which a file system gives only where there is none, and the first one gone.
                rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
                Ok(rustix::fs::unlinkat(&self.0, from, AtFlags::empty())?)
            }
            Err(Errno::NOSYS | Errno::INVAL | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
            other => Ok(other?),
        }
    }

    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

pub(super) fn look_at(file: &File) -> io::Result<Look> {
    Ok(look(&rustix::fs::fstat(file)?))
}

pub(super) fn take_over(existing: &File, new: &File) -> io::Result<()> {
    let (old, own) = (existing.metadata()?, new.metadata()?);
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid()))?;
    }
    new.set_permissions(std::fs::Permissions::from_mode(old.mode() & 0o7777))
}

#[cfg_attr(
    target_os = "linux",
    expect(clippy::unnecessary_cast, reason = "elsewhere the numbers have other widths")
)]
fn look(stat: &Stat) -> Look {
    Look {
        kind: kind(FileType::from_raw_mode(stat.st_mode)),
        len: u64::try_from(stat.st_size).unwrap_or(0),
        links: stat.st_nlink as u64,
        is_foreign: stat.st_uid != rustix::process::geteuid().as_raw(),
        identity: (stat.st_dev as u64, stat.st_ino as u64),
    }
}

fn kind(told: FileType) -> Kind {
    match told {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        FileType::Fifo => Kind::Other("a pipe"),
        FileType::Socket => Kind::Other("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Other("a device"),
        FileType::Unknown => Kind::Other("of an unknown kind"),
    }
}

fn open_below(folder: BorrowedFd<'_>, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | ALWAYS;
    if below.as_os_str().is_empty() {
        return Ok(rustix::fs::openat(folder, ".", flags, Mode::empty())?);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(folder, below, flags, Mode::empty(), resolve) {
            // Old kernels do not have it, and some sandboxes forbid it. A rename elsewhere disturbs it.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
            other => return Ok(other?),
        }
    }
    walk(folder, below, flags)
}

/// The same one name at a time.
pub(super) fn walk(folder: BorrowedFd<'_>, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mut names = below.iter().peekable();
    let mut held: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        let at = held.as_ref().map_or(folder, AsFd::as_fd);
        let flags = if names.peek().is_some() { FOLDER | ALWAYS } else { flags };
        held = Some(rustix::fs::openat(at, name, flags, Mode::empty())?);
    }
    held.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
