//! The gate: the only way from a path that a model wrote to a file.
//!
//! [`Workspace::locate`] follows the links of a path once and says where it really leads; what is inside comes
//! back as a [`WorkspacePath`], what is outside has to be granted first. Whatever is then opened is opened by
//! that real path without following a single link, so that a folder which becomes a link meanwhile is an error
//! and never another file. No other file of this room may open a path.
//! Next to read: `guarded.rs` for the files that are never touched unasked, `replace.rs` for writing.

pub mod guarded;
pub mod names;
mod replace;
mod walk;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

pub use replace::{Before, Replaced, sweep_beside};
pub use walk::{Entry, Rules, Walk};

use super::intent::Place;
use super::seen::Seen;
use crate::system::Dirs;
use crate::system::beneath::{Access, Folder, Kind, Look, real_path};
use names::{Naming, asked};

/// The folders that a session works in. Making one touches nothing: they are looked up when they are needed first.
#[derive(Debug)]
pub struct Workspace {
    /// As they were given. The first is where relative paths begin and commands run.
    pub roots: Vec<PathBuf>,
    dirs: Dirs,
    real: OnceLock<Real>,
    seen: Seen,
}

/// The same without a link.
#[derive(Debug)]
struct Real {
    roots: Vec<PathBuf>,
    /// Folders of Aside itself.
    own: Vec<PathBuf>,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Located {
    Inside(WorkspacePath),
    Outside(OutsidePath),
}

/// A path that may be opened: made by the gate alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspacePath {
    /// Without a link.
    real: PathBuf,
    /// The folder that lookups start from, real.
    base: PathBuf,
    /// As the model is told.
    shown: String,
    is_inside: bool,
}

/// A path outside every folder of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsidePath {
    real: PathBuf,
}

/// Why the gate stays shut. The text is for the model.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    #[error("{path}: {reason}")]
    Refused { path: String, reason: String },
    #[error("{path} does not exist")]
    NotFound { path: String },
    #[error("{path} changed while it was looked at; try again")]
    Moved { path: String },
    #[error("{path} was changed since you read it; read it again before you change it")]
    Changed { path: String },
    #[error("{path} exists already; read it before you overwrite it")]
    Exists { path: String },
    #[error("{path} has {len} bytes; {limit} are the most that this tool takes")]
    TooLarge { path: String, len: u64, limit: u64 },
    #[error("{path}: {error}")]
    System { path: String, error: io::Error },
}

#[expect(clippy::unused_self, reason = "without a workspace there is no way to a file")]
impl Workspace {
    /// A workspace of `roots`, the first of which is the working folder.
    pub fn new(roots: Vec<PathBuf>, dirs: &Dirs) -> Self {
        Self { roots, dirs: dirs.clone(), real: OnceLock::new(), seen: Seen::default() }
    }

    /// The same with other folders; what the model has seen stays seen.
    #[must_use]
    pub fn with_roots(&self, roots: Vec<PathBuf>) -> Self {
        Self { roots, dirs: self.dirs.clone(), real: OnceLock::new(), seen: self.seen.clone() }
    }

    /// The folders as they really are. Fails where the working folder is none, and then tries again the next time;
    /// a further one that is none holds nothing.
    fn real(&self) -> Result<&Real, GateError> {
        if let Some(real) = self.real.get() {
            return Ok(real);
        }
        let folder = |root: &PathBuf| {
            let shown = root.display().to_string();
            let real = real_path(root).and_then(|real| Folder::open(&real).map(|_| real));
            real.map_err(|error| GateError::of(&shown, error))
        };
        let mut roots = Vec::with_capacity(self.roots.len());
        for (at, root) in self.roots.iter().enumerate() {
            match folder(root) {
                Ok(real) => roots.push(real),
                Err(error) if at == 0 => return Err(error),
                Err(error) => tracing::debug!(%error, "a folder of the session is left out"),
            }
        }
        // A folder of ours that does not exist yet is guarded all the same.
        let own = [&self.dirs.config, &self.dirs.data].into_iter().flatten();
        let own = own.map(|own| real_path(own).unwrap_or_else(|_| own.clone())).collect();
        Ok(self.real.get_or_init(|| Real { roots, own }))
    }

    /// What the model has seen of files in this session.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The folders, without a link; none where one of them cannot be found.
    fn real_roots(&self) -> &[PathBuf] {
        self.real().map_or(&[], |real| &real.roots)
    }

    /// Where the path leads that a model wrote. Relative ones start at the working folder.
    pub fn locate(&self, text: &str) -> Result<Located, GateError> {
        let refused = |reason: &str| GateError::Refused { path: clip(text), reason: reason.to_owned() };
        // Some models write addresses of files.
        let named = text.strip_prefix("file://").filter(|path| path.starts_with('/')).unwrap_or(text);
        let path = asked(named, Naming::HERE).map_err(refused)?;
        let path = match (path.strip_prefix("~"), &self.dirs.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        };
        let Some(cwd) = self.real()?.roots.first() else {
            return Err(refused("there is no folder to work in"));
        };
        let real = real_path(&cwd.join(path)).map_err(|error| GateError::of(&clip(text), error))?;
        Ok(self.located(real))
    }

    /// The same for a path inside; what leads outside is an error that names the real path.
    pub fn inside(&self, text: &str) -> Result<WorkspacePath, GateError> {
        match self.locate(text)? {
            Located::Inside(path) => Ok(path),
            Located::Outside(path) => Err(GateError::Refused {
                path: clip(text),
                reason: format!("it leads to {}, outside the workspace", path.real.display()),
            }),
        }
    }

    fn located(&self, real: PathBuf) -> Located {
        // The nearest root, where one lies in another.
        let roots = self.real_roots().iter().filter(|root| real.starts_with(root));
        match roots.max_by_key(|root| root.components().count()) {
            Some(base) => Located::Inside(WorkspacePath {
                shown: self.shown(&real),
                base: base.clone(),
                real,
                is_inside: true,
            }),
            None => Located::Outside(OutsidePath { real }),
        }
    }

    /// A real path as the model is told it: relative where it lies in the working folder.
    fn shown(&self, real: &Path) -> String {
        let relative = self.real_roots().first().and_then(|cwd| real.strip_prefix(cwd).ok());
        match relative {
            Some(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Some(relative) => relative.display().to_string(),
            None => without_verbatim(&real.display().to_string()).to_owned(),
        }
    }

    /// What a permission is decided on: the place, and what a person should know of it.
    pub fn place(&self, located: &Located) -> Place {
        let real = located.real();
        let look = match located {
            Located::Inside(path) => self.look(path).ok(),
            Located::Outside(path) => self.look(&path.clone().grant()).ok(),
        };
        let links = look.filter(|look| look.kind == Kind::File).map_or(0, |look| look.links);
        Place {
            path: real.to_owned(),
            inside: matches!(located, Located::Inside(_)),
            protected: self.protected(real),
            secret: self.secret(real),
            hard_links: links,
        }
    }

    fn is_own(&self, real: &Path) -> bool {
        self.real().is_ok_and(|all| all.own.iter().any(|own| is_below(real, own)))
    }

    /// Why this path is never changed without a person, whatever the permission mode.
    pub fn protected(&self, real: &Path) -> Option<&'static str> {
        if self.is_own(real) {
            return Some("it says what Aside may do");
        }
        guarded::protected(&self.below_root(real))
    }

    /// Why this path is not read unless it is named and a person agrees.
    pub fn secret(&self, real: &Path) -> Option<&'static str> {
        if self.is_own(real) {
            return Some("keys and conversations lie in this folder");
        }
        guarded::secret(&self.below_root(real))
    }

    /// The part of a path that the names are judged by: a project that itself lies below `.config` or `.claude`
    /// is a project all the same.
    fn below_root(&self, real: &Path) -> PathBuf {
        let roots = self.real_roots().iter().filter_map(|root| Some((root, real.strip_prefix(root).ok()?)));
        let Some((root, rest)) = roots.max_by_key(|(_, rest)| rest.components().count()) else {
            return real.to_path_buf();
        };
        // The root's own name counts only with what follows it, as in `.github` and `workflows`.
        match root.file_name().map(Path::new) {
            Some(name) if names::parts(name) == [".git"] || guarded::is_plain(name) => name.join(rest),
            _ => rest.to_path_buf(),
        }
    }

    /// What lies at the path.
    pub fn look(&self, path: &WorkspacePath) -> Result<Look, GateError> {
        let base = path.base()?;
        base.look(path.below()).map_err(|error| path.failed(error))
    }

    /// The folder at the path.
    pub fn folder(&self, path: &WorkspacePath) -> Result<Folder, GateError> {
        path.base()?.folder(path.below()).map_err(|error| path.failed(error))
    }

    /// The regular file at the path.
    pub fn file(&self, path: &WorkspacePath) -> Result<(File, Look), GateError> {
        path.base()?.file(path.below(), Access::Read).map_err(|error| path.failed(error))
    }

    /// The whole file at the path, which may have `limit` bytes.
    pub fn read(&self, path: &WorkspacePath, limit: u64) -> Result<Vec<u8>, GateError> {
        let (file, look) = self.file(path)?;
        read_whole(file, look, limit, path)
    }

    /// The names in a folder, to help with a mistyped one.
    pub fn siblings(&self, path: &WorkspacePath) -> Vec<String> {
        const SHOWN: usize = 2000;
        let parent = path.real.parent().filter(|parent| parent.starts_with(&path.base));
        let names = parent.and_then(|parent| Folder::open(parent).ok()?.names(SHOWN).ok());
        names.map_or_else(Vec::new, |(names, _)| {
            names.into_iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
        })
    }
}

impl WorkspacePath {
    /// The real path: absolute and without a link.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// As the model is told.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it lies in a folder of the session; else it was granted.
    pub fn is_inside(&self) -> bool {
        self.is_inside
    }

    /// A path below this one. `names` must be plain.
    fn child(&self, names: &Path) -> Self {
        let shown = match (self.shown.as_str(), names.as_os_str().is_empty()) {
            (_, true) => self.shown.clone(),
            (".", _) => names.display().to_string(),
            (shown, _) => Path::new(shown).join(names).display().to_string(),
        };
        Self { real: self.real.join(names), shown, base: self.base.clone(), is_inside: self.is_inside }
    }

    fn base(&self) -> Result<Folder, GateError> {
        Folder::open(&self.base).map_err(|error| self.failed(error))
    }

    /// Relative to where lookups start.
    fn below(&self) -> &Path {
        self.real.strip_prefix(&self.base).unwrap_or(Path::new(""))
    }

    /// The name in its folder.
    fn name(&self) -> Result<OsString, GateError> {
        self.below().file_name().map(ToOwned::to_owned).ok_or_else(|| GateError::Refused {
            path: self.shown.clone(),
            reason: "it is a folder".to_owned(),
        })
    }

    fn failed(&self, error: io::Error) -> GateError {
        GateError::of(&self.shown, error)
    }
}

impl OutsidePath {
    /// The real path, for the question.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// The path as one that may be opened. Only to be called when a person or a rule of theirs allowed exactly
    /// this real path.
    pub fn grant(self) -> WorkspacePath {
        let base = self.real.components().take_while(|part| !matches!(part, Component::Normal(_))).collect();
        let shown = without_verbatim(&self.real.display().to_string()).to_owned();
        WorkspacePath { real: self.real, base, shown, is_inside: false }
    }
}

impl Located {
    /// The real path, wherever it is.
    pub fn real(&self) -> &Path {
        match self {
            Self::Inside(path) => path.real(),
            Self::Outside(path) => path.real(),
        }
    }
}

impl GateError {
    fn of(path: &str, error: io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::NotADirectory => {
                Self::Refused { path, reason: "a part of the path is not a folder".to_owned() }
            }
            io::ErrorKind::IsADirectory => Self::Refused { path, reason: "it is a folder".to_owned() },
            io::ErrorKind::PermissionDenied => {
                Self::Refused { path, reason: "the system does not allow it".to_owned() }
            }
            io::ErrorKind::Unsupported => {
                Self::Refused { path, reason: format!("{error}; only files and folders are opened") }
            }
            // The path was real: a link on it was put there meanwhile.
            _ if is_link_met(&error) => Self::Moved { path },
            _ => Self::System { path, error },
        }
    }
}

fn is_link_met(error: &io::Error) -> bool {
    let named = error.kind() == io::ErrorKind::InvalidInput;
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let met = [Errno::LOOP, Errno::XDEV, Errno::MLINK].map(|errno| Some(errno.raw_os_error()));
        named || met.contains(&error.raw_os_error())
    }
    #[cfg(not(unix))]
    {
        named
    }
}

/// Everything in an open file, as long as it is no more than `limit`.
fn read_whole(file: File, look: Look, limit: u64, path: &WorkspacePath) -> Result<Vec<u8>, GateError> {
    let too_large = |len| GateError::TooLarge { path: path.shown.clone(), len, limit };
    if look.len > limit {
        return Err(too_large(look.len));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(look.len).unwrap_or(0).saturating_add(1));
    // One more than told, because a file may grow, and some say that they are empty.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| path.failed(error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Whether `path` lies in `folder`, or is it, in any spelling.
fn is_below(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (names::parts(path), names::parts(folder));
    !folder.is_empty() && path.starts_with(&folder)
}

/// Windows' real paths begin with a mark that nobody writes.
fn without_verbatim(path: &str) -> &str {
    path.strip_prefix("\\\\?\\").filter(|rest| !rest.starts_with("UNC")).unwrap_or(path)
}

/// What the model wrote, short enough to be shown.
fn clip(text: &str) -> String {
    const SHOWN: usize = 300;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
