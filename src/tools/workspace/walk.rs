//! Everything below a folder, as searches see it: without what is ignored, hidden or secret.
//!
//! Each folder is opened from the one that is held above it and no link is followed, so that a search never
//! leaves the place where it was begun. It is bounded in names, in depth and, by its caller, in time.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{GateError, Workspace, WorkspacePath};
use crate::system::beneath::{Access, Folder, Kind, Look};

/// Folders inside each other; each holds a descriptor.
const DEPTH: usize = 100;

/// Names in one folder.
const NAMES: usize = 100_000;

/// Names in all.
const ALL: usize = 1_000_000;

/// Bytes of one file of ignore rules.
const RULES: u64 = 1 << 20;

/// Folders above the first one whose rules count too.
const ABOVE: usize = 32;

/// What a search takes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Names that begin with a dot.
    pub hidden: bool,
    /// What the ignore files name.
    pub ignored: bool,
}

/// A search below a folder.
pub struct Walk<'w> {
    workspace: &'w Workspace,
    rules: Rules,
    ignores: Vec<Gitignore>,
    left: usize,
    /// Whether folders in folders are searched too.
    is_deep: bool,
    /// How many files were passed over because of their names.
    pub secrets: usize,
    /// Whether some part was not looked at, because there was too much of it or it could not be read.
    pub is_cut: bool,
}

/// Something that a search found.
pub struct Entry<'f> {
    folder: &'f Folder,
    name: &'f OsStr,
    pub path: WorkspacePath,
    pub kind: Kind,
}

impl Entry<'_> {
    /// Opens the file.
    pub fn open(&self) -> std::io::Result<(File, Look)> {
        self.folder.file(Path::new(self.name), Access::Read)
    }

    /// The state of it.
    pub fn look(&self) -> std::io::Result<Look> {
        self.folder.look(Path::new(self.name))
    }
}

/// What a visitor says.
pub(super) type Visit<'v> = &'v mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>;

impl<'w> Walk<'w> {
    /// A search by these rules.
    pub fn new(workspace: &'w Workspace, rules: Rules) -> Self {
        Self { workspace, rules, ignores: Vec::new(), left: ALL, is_deep: true, secrets: 0, is_cut: false }
    }

    /// Visits everything below the folder at `start`, folders before what is in them, in the order of names.
    /// What is named is searched, whatever the rules say of it.
    pub fn below(&mut self, start: &WorkspacePath, visit: Visit<'_>) -> Result<(), GateError> {
        let folder = self.workspace.folder(start)?;
        if !self.rules.ignored {
            self.above(start);
        }
        // Whoever names a secret folder has been asked about it.
        let asked = self.workspace.secret(start.real()).is_some();
        let _stopped = self.folder(&folder, start, DEPTH, asked, visit);
        Ok(())
    }

    /// The names in the folder at `start` alone, those of secret files among them.
    pub fn level(&mut self, start: &WorkspacePath, visit: Visit<'_>) -> Result<(), GateError> {
        let folder = self.workspace.folder(start)?;
        if !self.rules.ignored {
            self.above(start);
        }
        self.is_deep = false;
        let _stopped = self.folder(&folder, start, 0, true, visit);
        Ok(())
    }

    fn folder(
        &mut self,
        folder: &Folder,
        path: &WorkspacePath,
        depth: usize,
        asked: bool,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        let Ok((mut names, more)) = folder.names(NAMES.min(self.left)) else {
            self.is_cut = true;
            return ControlFlow::Continue(());
        };
        self.is_cut |= more;
        self.left -= names.len();
        names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let rules = self.ignores.len();
        if !self.rules.ignored {
            self.ignores.extend(ignores_of(folder, path.real()));
        }
        let mut flow = ControlFlow::Continue(());
        for (name, kind) in names {
            let entry = Entry { folder, name: &name, path: path.child(Path::new(&name)), kind };
            if self.is_passed_over(&entry, asked) {
                continue;
            }
            flow = visit(&entry);
            if flow.is_break() {
                break;
            }
            if kind != Kind::Folder {
                continue;
            }
            match depth.checked_sub(1) {
                Some(depth) if self.left > 0 => {
                    let Ok(next) = folder.folder(Path::new(&name)) else { continue };
                    flow = self.folder(&next, &entry.path, depth, asked, visit);
                    if flow.is_break() {
                        break;
                    }
                }
                _ => self.is_cut |= self.is_deep,
            }
        }
        self.ignores.truncate(rules);
        flow
    }

    fn is_passed_over(&mut self, entry: &Entry<'_>, asked: bool) -> bool {
        let name = entry.name.to_string_lossy();
        let is_folder = entry.kind == Kind::Folder;
        // Version control's own store is nobody's text.
        if is_folder && matches!(name.as_ref(), ".git" | ".hg" | ".svn" | ".jj") && !asked {
            return true;
        }
        if !self.rules.hidden && name.starts_with('.') {
            return true;
        }
        if self.is_ignored(entry.path.real(), is_folder) {
            return true;
        }
        if !asked && self.workspace.secret(entry.path.real()).is_some() {
            self.secrets += 1;
            return true;
        }
        false
    }

    fn is_ignored(&self, real: &Path, is_folder: bool) -> bool {
        for rules in self.ignores.iter().rev() {
            match rules.matched(real, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    /// The rules of the folders above, up to the one that the repository begins with.
    fn above(&mut self, start: &WorkspacePath) {
        let mut found = Vec::new();
        let begins = |folder: &Folder| folder.look(Path::new(".git")).is_ok();
        if self.workspace.folder(start).is_ok_and(|folder| begins(&folder)) {
            return;
        }
        for above in start.real().ancestors().skip(1).take(ABOVE) {
            let Ok(folder) = Folder::open(above) else { break };
            found.push(ignores_of(&folder, above));
            if begins(&folder) {
                self.ignores.extend(found.into_iter().rev().flatten());
                return;
            }
        }
        // Without a repository only the folders of the session itself have a say.
        let inside = start.real().ancestors().skip(1).take(ABOVE);
        let inside = inside.take_while(|above| above.starts_with(&start.base) && start.is_inside).count();
        found.truncate(inside);
        self.ignores.extend(found.into_iter().rev().flatten());
    }
}

/// The rules that lie in a folder, the later ones stronger.
fn ignores_of(folder: &Folder, real: &Path) -> Vec<Gitignore> {
    let files: [PathBuf; 3] = [".git/info/exclude".into(), ".gitignore".into(), ".ignore".into()];
    files.iter().filter_map(|file| rules_in(folder, real, file)).collect()
}

fn rules_in(folder: &Folder, real: &Path, file: &Path) -> Option<Gitignore> {
    let (file, _) = folder.file(file, Access::Read).ok()?;
    let mut bytes = Vec::new();
    file.take(RULES).read_to_end(&mut bytes).ok()?;
    let mut builder = GitignoreBuilder::new(real);
    for line in String::from_utf8_lossy(&bytes).lines() {
        // A rule that cannot be read is no rule.
        if builder.add_line(None, line).is_err() {
            tracing::debug!(folder = %real.display(), "an ignore rule cannot be read");
        }
    }
    builder.build().ok()
}
