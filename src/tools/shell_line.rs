//! A shell line as the list of programs that it starts, so that each of them can be judged.
//!
//! Two readers read it: a strict one of our own, which gives the commands (`shell_line/lex.rs`), and
//! tree-sitter's grammar of bash (`shell_line/tree.rs`). Only where both see the same, and nothing in the line
//! hides what it does, is it [`Understood::Fully`]; all else is for a person to judge. Nothing here decides
//! anything, and nothing is executed or looked up.

mod lex;
mod programs;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

pub(crate) use programs::base_name;

/// The longest line in bytes that is read by both readers.
const MAX_BYTES: usize = 16 << 10;

/// How often a script within a script is read.
const MAX_SCRIPTS: usize = 4;

/// A shell line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellLine {
    /// Every simple command in it, in substitutions, subshells and here-documents too.
    pub commands: Vec<Command>,
    /// Whether these are all, and do what they say.
    pub understood: Understood,
}

/// Whether a line says what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Understood {
    /// Each of its commands gets exactly these words, and nothing else runs.
    Fully,
    /// It may do something that its words do not say. The reasons, the first ones found first.
    Not(Vec<Why>),
}

/// One program with its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Its name and its arguments.
    pub words: Vec<Word>,
    /// Assignments and words of the shell's own before the name.
    pub before: Vec<Word>,
    /// Files that its input and outputs are connected to.
    pub redirects: Vec<Redirect>,
    /// Outputs connected to each other, as in `2>&1`.
    pub copies: Vec<Word>,
    /// Ranges of `words`, each a command that the one before it starts: the whole, then what `timeout 5`, `env`
    /// or `sudo` start, and so on.
    pub levels: Vec<Range<usize>>,
    /// How many of the levels say only how the next is to run, and can do nothing else.
    pub transparent: usize,
}

/// One word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// Without quotes.
    pub text: String,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// Whether the shell makes something else of it: names of files, a home folder, a variable's value.
    pub expands: bool,
    /// Whether some of it stood in quotes.
    pub quoted: bool,
}

/// A connection of an input or output to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    pub kind: RedirectKind,
    pub target: Word,
}

/// What a redirection does with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// The file is read.
    Read,
    /// The file is written or appended to.
    Write,
    /// The target is no file but the text itself.
    Text,
    /// The target is another output.
    Copy,
}

/// Why a line is not fully understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("it has the output of a command in the place of words")]
    Substitution,
    #[error("it has a variable, whose value is not known here")]
    Variable,
    #[error("it sets variables, which may change what a command does")]
    Assignment,
    #[error("a character is escaped")]
    Escape,
    #[error("quotes hide a word")]
    Hidden,
    #[error("the name of a command is not written out")]
    HiddenName,
    #[error("it has braces, which some shells expand")]
    Braces,
    #[error("it is more than a chain of simple commands")]
    Compound,
    #[error("it leaves a command running in the background")]
    Background,
    #[error("it has a redirection that shells understand in different ways")]
    Redirection,
    #[error("it has a here-document")]
    HereDocument,
    #[error("it is not finished")]
    Unfinished,
    #[error("it has characters that cannot be seen")]
    Invisible,
    #[error("it changes what later commands mean")]
    ChangesShell,
    #[error("it runs a script that is among its arguments or its input")]
    Script,
    #[error("it runs another program with arguments of its own making")]
    RunsProgram,
    #[error("it runs a command as somebody else")]
    OtherUser,
    #[error("an option of it writes files, runs programs or changes its configuration")]
    Option,
    #[error("it is too long to be judged")]
    TooLong,
    #[error("it is nested too deeply to be judged")]
    TooDeep,
    #[error("it can be read in more than one way")]
    Ambiguous,
}

impl Word {
    /// Whether it sets a variable where it stands before a command's name.
    fn is_assignment(&self) -> bool {
        let Some((name, _)) = self.text.split_once('=') else { return false };
        let name = name.strip_suffix('+').unwrap_or(name);
        let name = name.split('[').next().unwrap_or_default();
        let mut characters = name.chars();
        characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && characters.all(|character| character.is_ascii_alphanumeric() || character == '_')
    }
}

impl Command {
    /// The command as it is written, then what it starts, and so on to the last.
    pub fn levels(&self) -> impl Iterator<Item = &[Word]> {
        self.levels.iter().filter_map(|range| self.words.get(range.clone()))
    }

    /// Those levels of which any says all that the command does.
    pub fn transparent_levels(&self) -> impl Iterator<Item = &[Word]> {
        self.levels().take(self.transparent + 1)
    }
}

impl ShellLine {
    /// Reads `line`. Takes time in proportion to its length.
    pub fn read(line: &str) -> Self {
        let mut whys = Vec::new();
        let mut commands = Vec::new();
        if line.chars().any(is_unseen) {
            whys.push(Why::Invisible);
        }
        let mut scripts = vec![line.to_owned()];
        let mut read = 0;
        while let Some(script) = scripts.pop() {
            let mut lexed = lex::lex(&script);
            whys.append(&mut lexed.whys);
            for command in &mut lexed.commands {
                let inspected = programs::inspect(command);
                whys.extend(inspected.why);
                if read < MAX_SCRIPTS {
                    scripts.extend(inspected.script);
                }
            }
            let clean = whys.is_empty();
            if clean && script.len() > MAX_BYTES {
                whys.push(Why::TooLong);
            } else if clean && !tree::agrees(&script, &lexed.commands, &lexed.operators) {
                whys.push(Why::Ambiguous);
            }
            let room = lex::MAX_COMMANDS.saturating_sub(commands.len());
            commands.extend(lexed.commands.into_iter().take(room));
            read += 1;
        }
        let mut reasons: Vec<Why> = Vec::new();
        for why in whys {
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        let understood = if reasons.is_empty() { Understood::Fully } else { Understood::Not(reasons) };
        Self { commands, understood }
    }

    /// Reads the pattern of a rule: one simple command, in which `*` may stand for words or parts of them.
    pub fn read_pattern(pattern: &str) -> Option<Vec<Word>> {
        let lexed = lex::lex(pattern);
        let mut commands = lexed.commands.into_iter();
        let command = commands.next().filter(|_| commands.next().is_none())?;
        let plain = lexed.whys.iter().all(|why| matches!(why, Why::Hidden | Why::HiddenName | Why::Braces));
        let bare = command.redirects.is_empty() && command.copies.is_empty() && command.before.is_empty();
        (plain && bare && !pattern.chars().any(is_unseen)).then_some(command.words)
    }

    /// Whether a line ends outside of quotes and brackets, so that what is appended does not change it.
    pub fn is_at_rest(line: &str) -> bool {
        lex::lex(line).at_rest
    }

    /// Whether it is fully understood.
    pub fn is_understood(&self) -> bool {
        self.understood == Understood::Fully
    }
}

/// Whether a character does not show, shows as a blank that is none to a shell, or turns the text around.
fn is_unseen(character: char) -> bool {
    crate::tools::shown::is_unseen(character) && character != '\n' && character != '\t'
}
