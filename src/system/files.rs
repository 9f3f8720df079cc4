//! The file system: the few operations that Aside needs, each safe by construction.
//!
//! Whatever is created is private to the user (0600 in 0700 folders), and what is replaced is replaced whole.
//! A trait, so that tests can make any operation fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// What identifies one state of a file: a change of any part means that it must be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Length in bytes.
    pub len: u64,
    /// Modification time in nanoseconds since the Unix epoch, where the file system tells it.
    pub modified_ns: u128,
    /// Time of the last change of its inode, in nanoseconds; zero where there is none.
    pub changed_ns: i128,
    /// Inode, zero where there is none.
    pub inode: u64,
    /// Device, zero where there is none.
    pub device: u64,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Permission bits for the group and others, zero where there are none.
    pub shared_mode: u32,
}

/// One entry of a folder.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The entry's path.
    pub path: PathBuf,
    /// Its state.
    pub stamp: Stamp,
}

/// The operations. Errors are the system's own.
pub trait Files: Send + Sync {
    /// The whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// At most `limit` bytes from the start of the file.
    fn read_start(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// At most `limit` bytes from the end of the file.
    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// The file's state without reading it.
    fn stamp(&self, path: &Path) -> io::Result<Stamp>;
    /// The regular files of a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Replaces the file whole: written beside it, flushed to disk, renamed over it. A link is followed, and
    /// the mode of an existing file is kept.
    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()>;
    /// Creates the folder and those above it, private to the user.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Creates a file that must not exist yet and opens it for appending.
    fn create_new(&self, path: &Path) -> io::Result<File>;
    /// Opens an existing file for reading and appending.
    fn open_append(&self, path: &Path) -> io::Result<File>;
    /// Appends to an open file.
    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Flushes an open file to the disk.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The file that a path means once its links are followed, also where there is none yet.
    fn target(&self, path: &Path) -> PathBuf;
    /// Opens a file to be locked, and creates it where there is none. A folder that stands in its place is
    /// opened instead.
    fn open_lock(&self, path: &Path) -> io::Result<File>;
    /// What a [`Files::replace`] of this file has left beside it when its process was killed.
    fn leftovers(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
}

/// The real file system.
#[derive(Clone, Copy, Debug)]
pub struct RealFiles;

#[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
impl Files for RealFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn read_start(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut start = Vec::new();
        File::open(path)?.take(limit as u64).read_to_end(&mut start)?;
        Ok(start)
    }

    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(length.saturating_sub(limit as u64)))?;
        let mut end = Vec::new();
        file.take(limit as u64).read_to_end(&mut end)?;
        Ok(end)
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        std::fs::metadata(path).map(|metadata| stamp_of(&metadata))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            // An entry that vanished between the two calls is not there any more.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_file() {
                entries.push(Entry { path: entry.path(), stamp: stamp_of(&metadata) });
            }
        }
        Ok(entries)
    }

    fn replace(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let target = self.target(path);
        let dir = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        self.create_dir(dir)?;
        let prefix = temporary_prefix(&target);
        let mut beside = tempfile::Builder::new().prefix(&prefix).suffix(TEMPORARY).tempfile_in(dir)?;
        beside.write_all(contents)?;
        if let Ok(existing) = std::fs::metadata(&target) {
            take_over(&existing, beside.as_file())?;
        }
        beside.as_file().sync_all()?;
        beside.persist(&target).map_err(|failed| failed.error)?;
        sync_dir(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    }

    fn open_append(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(path)
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn target(&self, path: &Path) -> PathBuf {
        let mut target = path.to_path_buf();
        // A link to what is not there yet cannot be followed by the system; as many as the system follows.
        for _ in 0..40 {
            match std::fs::canonicalize(&target) {
                Ok(whole) => return whole,
                Err(_) => match std::fs::read_link(&target) {
                    Ok(next) => target = target.parent().map_or(next.clone(), |dir| dir.join(&next)),
                    Err(_) => return target,
                },
            }
        }
        path.to_path_buf()
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        let open = || match self.open_append(path) {
            // A folder, or a lock of somebody else: it is held all the same.
            Err(error) if error.kind() != io::ErrorKind::NotFound => File::open(path),
            other => other,
        };
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match self.create_new(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(),
                other => other,
            },
            other => other,
        }
    }

    fn leftovers(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let target = self.target(path);
        let dir = target.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
        let prefix = temporary_prefix(&target);
        let mut left = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let name = entry?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(TEMPORARY)) {
                left.push(dir.join(name));
            }
        }
        Ok(left)
    }
}

/// How the name of a file ends that is about to take another's place.
const TEMPORARY: &str = ".tmp";

/// How it begins.
fn temporary_prefix(target: &Path) -> String {
    format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy())
}

/// Gives `new`, which is private, the owner and the mode of the file whose place it takes.
#[cfg(unix)]
fn take_over(existing: &std::fs::Metadata, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let own = new.metadata()?;
    let mut mode = existing.mode() & 0o777;
    if (own.uid(), own.gid()) != (existing.uid(), existing.gid())
        && std::os::unix::fs::fchown(new, Some(existing.uid()), Some(existing.gid())).is_err()
    {
        // It stays ours: what its old group was allowed is not what ours is.
        mode &= 0o707;
    }
    new.set_permissions(std::fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn take_over(existing: &std::fs::Metadata, new: &File) -> io::Result<()> {
    new.set_permissions(existing.permissions())
}

impl Stamp {
    /// The state that `metadata` tells.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        stamp_of(metadata)
    }
}

fn stamp_of(metadata: &std::fs::Metadata) -> Stamp {
    let modified_ns = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    #[cfg(unix)]
    let (device, inode, changed_ns, shared_mode) = {
        use std::os::unix::fs::MetadataExt as _;
        let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
        (metadata.dev(), metadata.ino(), changed, metadata.mode() & 0o077)
    };
    #[cfg(not(unix))]
    let (device, inode, changed_ns, shared_mode) = (0, 0, 0, 0);
    let is_dir = metadata.is_dir();
    Stamp { len: metadata.len(), modified_ns, changed_ns, inode, device, is_dir, shared_mode }
}

/// Makes a rename durable. Windows has no such call: the rename itself is.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
