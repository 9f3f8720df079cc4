//! The files that a shell line names in places where it is known what happens to them: redirections, and what a
//! harmless command reads. They are looked up before anything is decided, where the file system may be waited for.

use std::path::{Path, PathBuf};

use super::built_in;
use crate::tools::Place;
use crate::tools::shell_line::{RedirectKind, ShellLine, Word};

/// Folders that a line with several `cd` may be in.
const MAX_FOLDERS: usize = 8;

/// Files that one line may name; what more there is cannot be told.
const MAX_NAMED: usize = 200;

/// A file that a line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// As it is written.
    pub text: String,
    /// Whether it is written, or only read.
    pub is_write: bool,
    /// Whether nothing that runs before could make it lead elsewhere than it does now, as `ln` could.
    pub is_settled: bool,
    /// Where it leads; `None` where that cannot be told.
    pub place: Option<Place>,
}

/// The files of `line`, which begins in `folder`.
pub(super) fn named(
    line: &ShellLine,
    folder: &Path,
    locate: &dyn Fn(&str, &Path) -> Option<Place>,
) -> Vec<Named> {
    let mut looking =
        Looking { folders: Some(vec![folder.to_owned()]), named: Vec::new(), is_settled: true, locate };
    for command in &line.commands {
        for redirect in &command.redirects {
            match redirect.kind {
                RedirectKind::Read => looking.look(&redirect.target, false),
                RedirectKind::Write => looking.look(&redirect.target, true),
                RedirectKind::Text | RedirectKind::Copy => {}
            }
        }
        if let Some(harmless) = built_in::harmless(command) {
            let lists = command.words.first().is_some_and(|name| name.text == "ls");
            // Names of files are shown at most, and what is done there is judged by itself.
            let before = looking.is_settled;
            looking.is_settled |= lists || harmless.moves_to.is_some();
            if lists && harmless.reads.is_empty() {
                looking.look(&Word { text: ".".to_owned(), ..Word::default() }, false);
            }
            for read in harmless.reads {
                looking.look(read, false);
            }
            looking.is_settled = before;
            if let Some(to) = harmless.moves_to {
                looking.moved(&to.text);
            }
        } else {
            // Another way to another folder, such as `cd $X`.
            if command.levels().any(|words| words.first().is_some_and(|name| name.text == "cd")) {
                looking.folders = None;
            }
            looking.is_settled = false;
        }
    }
    looking.named
}

struct Looking<'l> {
    /// Where the next command may run: a `cd` may have failed.
    folders: Option<Vec<PathBuf>>,
    named: Vec<Named>,
    is_settled: bool,
    locate: &'l dyn Fn(&str, &Path) -> Option<Place>,
}

impl Looking<'_> {
    fn look(&mut self, word: &Word, is_write: bool) {
        let text = word.text.as_str();
        if matches!(text, "/dev/null" | "/dev/stdout" | "/dev/stderr") && !word.expands {
            return;
        }
        let is_settled = self.is_settled;
        let mut add = |place| {
            if self.named.len() <= MAX_NAMED {
                self.named.push(Named { text: text.to_owned(), is_write, is_settled, place });
            }
        };
        let folders = self.folders.as_ref().filter(|_| !word.expands && !text.is_empty());
        match folders {
            Some(folders) => {
                for folder in folders {
                    add((self.locate)(text, folder));
                }
            }
            None => add(None),
        }
        if self.named.len() > MAX_NAMED
            && let Some(last) = self.named.last_mut()
        {
            last.place = None;
        }
    }

    fn moved(&mut self, to: &str) {
        let Some(folders) = &mut self.folders else { return };
        let moved: Vec<PathBuf> = folders.iter().map(|folder| folder.join(to)).collect();
        folders.extend(moved);
        if folders.len() > MAX_FOLDERS {
            self.folders = None;
        }
    }
}
