//! The folders of a session, and the one way from a path that a model wrote to a file.

use std::path::PathBuf;

/// The folders that a session works in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The first is where relative paths begin and commands run.
    pub roots: Vec<PathBuf>,
}
