//! A change of one file, in hunks with ids: what a person is shown, accepts or rejects.

use std::path::PathBuf;

/// A change of one file. The diff is computed once, here, and never again by an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// The real path.
    pub path: PathBuf,
    /// Its path before, for a move.
    pub old_path: Option<PathBuf>,
    pub kind: ChangeKind,
    pub hunks: Vec<Hunk>,
    /// Of the file's bytes before, in hexadecimal; `None` where there was no file.
    pub hash_before: Option<String>,
    /// Of the file's bytes after; `None` where there is none any more.
    pub hash_after: Option<String>,
}

/// What becomes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Add,
    Modify,
    Delete,
    Move,
}

/// A run of changed lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    /// `h1`, `h2`, ... within the change.
    pub id: String,
    /// First line before the change, 1-based.
    pub old_start: u32,
    pub old_lines: u32,
    /// First line after the change, 1-based.
    pub new_start: u32,
    pub new_lines: u32,
    /// The lines with ` `, `-` or `+` before each, and `\` before the word that a last line has no end.
    pub lines: Vec<String>,
    pub decision: HunkDecision,
}

/// What the person said to a hunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HunkDecision {
    #[default]
    Pending,
    Accepted,
    Rejected,
}
