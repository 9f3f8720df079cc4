//! A change of one file, in hunks with ids: what a person is shown, accepts or rejects.

use std::fmt::Write as _;
use std::ops::Range;
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
    /// Of the file's bytes after, as far as hunks were not taken back; `None` where there is none any more.
    pub hash_after: Option<String>,
}

/// The change as a unified diff, for a reader that knows nothing else, without what the person has rejected.
pub fn unified(change: &FileChange) -> String {
    let path = change.path.display();
    let old = change.old_path.as_ref().unwrap_or(&change.path).display();
    let (before, after) = match change.kind {
        ChangeKind::Add => ("/dev/null".to_owned(), path.to_string()),
        ChangeKind::Delete => (old.to_string(), "/dev/null".to_owned()),
        ChangeKind::Modify | ChangeKind::Move => (old.to_string(), path.to_string()),
    };
    let mut text = format!("--- {before}\n+++ {after}\n");
    for hunk in change.hunks.iter().filter(|hunk| hunk.decision != HunkDecision::Rejected) {
        let Hunk { old_start, old_lines, new_start, new_lines, .. } = hunk;
        // Writing to memory does not fail.
        let _ = writeln!(text, "@@ -{old_start},{old_lines} +{new_start},{new_lines} @@");
        for line in &hunk.lines {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Names the content of a file: SHA-256 in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
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
    /// Which of them end with a carriage return and a line feed, by their index.
    pub crlf: Vec<Range<u32>>,
    pub decision: HunkDecision,
}

/// Stands in the lines of a hunk for those that were too many.
pub const CUT: &str = "\\ More lines than are shown";

/// Stands behind a last line that has no end.
pub const NO_END: &str = "\\ No newline at end of file";

/// What the person said to a hunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HunkDecision {
    #[default]
    Pending,
    Accepted,
    Rejected,
}

impl HunkDecision {
    /// The decision to keep a hunk, or not.
    pub fn of(kept: bool) -> Self {
        if kept { Self::Accepted } else { Self::Rejected }
    }
}
