//! What a call would do to the world, said before it runs: what permissions are decided on and asked for.
//!
//! Made from the real arguments and the real paths, never from what the model says of them.

use std::path::PathBuf;

/// Everything that a call would touch. A call without effects needs no permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    pub effects: Vec<Effect>,
}

/// One thing that a call would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads a file or lists a folder.
    Read(Place),
    /// Creates, changes, moves or removes a file.
    Write(Place),
    /// Runs a command line through the shell.
    Run {
        /// As the model wrote it.
        line: String,
        /// The real folder that it runs in.
        folder: PathBuf,
        /// Whether it goes on when the call has ended.
        background: bool,
    },
    /// Ends a process that the session began.
    Stop {
        /// In words, such as its command line.
        what: String,
    },
    /// What only the `demo` model's tool does: nothing, but it asks for permission.
    Pretend,
}

/// A path as the gate resolved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The real path, every link followed. For a file that does not exist yet, that of its folder and its name.
    pub path: PathBuf,
    /// Whether it lies in one of the session's folders.
    pub inside: bool,
    /// Why it is never changed unasked, such as "a git hook": such files run code or change permissions.
    pub protected: Option<&'static str>,
    /// Why it is never read unasked, such as "a private key".
    pub secret: Option<&'static str>,
    /// Names that the file has, all of which change when one is written; zero where there is no file.
    pub hard_links: u64,
}
