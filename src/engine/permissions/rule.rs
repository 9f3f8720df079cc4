//! One rule: `tool`, `tool(pattern)`, or `tool=exactly this`.
//!
//! A rule that allows is read narrowly, one that asks or denies widely: names without case, paths wherever they lie,
//! programs by their name in any folder. It must never match more than it says where it allows.

use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::Decision;
use crate::tools::shell_line::{Command, ShellLine, Word, base_name};
use crate::tools::{Place, shown};

/// The longest rule that is read, in bytes.
const MAX_RULE: usize = 8 << 10;

/// The longest pattern of paths, in bytes: it is compiled.
const MAX_PATHS: usize = 500;

/// What rules can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Read,
    Edit,
    Shell,
    /// Known by the tool's name alone.
    Other,
}

/// A rule that was read.
#[derive(Debug)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    tool: String,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Every call.
    Any,
    /// Files whose real path is like this.
    Paths(Vec<GlobMatcher>),
    /// Commands that begin with these words.
    Words(Vec<Token>),
    /// Exactly this path, or this shell line in this folder.
    Exact(String, Option<PathBuf>),
    /// It could not be read: it is taken to mean every call.
    Broken,
}

#[derive(Debug)]
enum Token {
    /// This word.
    Literal(String),
    /// A word like this, where `*` is any text.
    Like(String),
    /// Whatever else follows, also nothing.
    Rest,
}

/// One part of a call, as a rule looks at it.
pub struct Subject<'s> {
    tool: &'s str,
    class: Class,
    part: Part<'s>,
}

enum Part<'s> {
    Place { place: &'s Place, roots: &'s [PathBuf] },
    Command(&'s Command),
    Line { text: &'s str, folder: &'s Path, line: &'s ShellLine, background: bool },
    Nothing,
}

impl<'s> Subject<'s> {
    /// A file that is read or changed.
    pub fn place(tool: &'s str, class: Class, place: &'s Place, roots: &'s [PathBuf]) -> Self {
        Self { tool, class, part: Part::Place { place, roots } }
    }

    /// One program of a shell line.
    pub fn command(tool: &'s str, command: &'s Command) -> Self {
        Self { tool, class: Class::Shell, part: Part::Command(command) }
    }

    /// A shell line as a whole.
    pub fn line(
        tool: &'s str,
        text: &'s str,
        folder: &'s Path,
        line: &'s ShellLine,
        background: bool,
    ) -> Self {
        Self { tool, class: Class::Shell, part: Part::Line { text, folder, line, background } }
    }

    /// Something else.
    pub fn other(tool: &'s str) -> Self {
        Self { tool, class: Class::Other, part: Part::Nothing }
    }
}

/// What a rule is read with.
#[derive(Clone, Copy)]
pub struct Reading<'r> {
    pub decision: Decision,
    /// For `~/`.
    pub home: Option<&'r Path>,
    /// The session's folders.
    pub roots: &'r [PathBuf],
}

impl Rule {
    /// Reads a rule. One that cannot be read is, where it asks or denies, taken to mean every call of its tool, and
    /// asks; the second value says what is wrong with it.
    pub fn read(text: &str, reading: Reading<'_>) -> (Option<Self>, Option<String>) {
        match Self::parse(text, reading) {
            Ok(rule) => (Some(rule), None),
            Err(why) => {
                let warning = format!("the rule {} is not understood: {why}", shown::line(text, 120));
                let tool = text.split(['(', '=']).next().unwrap_or_default().trim();
                let tool = if tool.chars().all(is_of_name) { tool } else { "" };
                let broken = Self { text: text.to_owned(), tool: tool.to_owned(), what: What::Broken };
                ((reading.decision != Decision::Allow).then_some(broken), Some(warning))
            }
        }
    }

    /// Whether it could be read.
    pub fn is_broken(&self) -> bool {
        matches!(self.what, What::Broken)
    }

    fn parse(text: &str, reading: Reading<'_>) -> Result<Self, &'static str> {
        if text.len() > MAX_RULE {
            return Err("it is too long");
        }
        let end = text.find(['(', '=']).unwrap_or(text.len());
        let (tool, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        let tool = tool.trim();
        if tool.is_empty() || !tool.chars().all(is_of_name) {
            return Err("it begins with the name of a tool, as in `shell(git status)`");
        }
        let rule = |what| Ok(Self { text: text.to_owned(), tool: tool.to_owned(), what });
        if rest.is_empty() {
            return rule(What::Any);
        }
        if let Some(exactly) = rest.strip_prefix('=') {
            return rule(What::Exact(exactly.to_owned(), reading.roots.first().cloned()));
        }
        let pattern = rest.strip_prefix('(').and_then(|rest| rest.trim_end().strip_suffix(')'));
        let Some(pattern) = pattern.map(str::trim).filter(|pattern| !pattern.is_empty()) else {
            return Err("a pattern stands in parentheses, as in `edit(docs/**)`");
        };
        if tool == "shell" {
            return rule(What::Words(tokens(pattern)?));
        }
        if pattern.len() > MAX_PATHS {
            return Err("the pattern is too long");
        }
        let mut globs = Vec::new();
        for pattern in absolute(pattern, reading)? {
            let mut builder = GlobBuilder::new(&pattern);
            builder.literal_separator(true).backslash_escape(true);
            builder.case_insensitive(reading.decision != Decision::Allow);
            globs.push(builder.build().map_err(|_| "the pattern is not one of paths")?.compile_matcher());
        }
        rule(What::Paths(globs))
    }

    /// Whether the rule is about this.
    pub fn matches(&self, subject: &Subject<'_>, decision: Decision) -> bool {
        let strict = decision == Decision::Allow;
        let named = if strict {
            self.tool == subject.tool
        } else {
            self.tool == "*" || self.tool.is_empty() || self.tool.eq_ignore_ascii_case(subject.tool)
        };
        let of_class = match subject.class {
            Class::Read => self.is_called("read", strict),
            Class::Edit => self.is_called("edit", strict) || self.is_called("write", strict),
            Class::Shell => self.is_called("shell", strict),
            Class::Other => false,
        };
        // A tool that runs commands may also read and write; who allows it to run them has not allowed that.
        let by_name = named && !(strict && self.tool == "shell" && subject.class != Class::Shell);
        if !of_class && !by_name {
            return false;
        }
        match (&self.what, &subject.part) {
            (What::Broken, _) | (What::Any, Part::Nothing) => true,
            (What::Any, Part::Place { place, .. }) => !strict || place.inside,
            // Of a line, its commands are asked about one by one.
            (What::Any, Part::Line { .. }) => !strict,
            (What::Any, Part::Command(command)) => !strict || !command.words.is_empty(),
            (What::Paths(globs), Part::Place { place, roots }) => {
                paths_match(globs, place, if strict { None } else { Some(roots) })
            }
            (What::Words(tokens), Part::Command(command)) if strict => {
                command.transparent_levels().any(|words| begins(tokens, words, true))
            }
            (What::Words(tokens), Part::Command(command)) => {
                command.levels().any(|words| begins(tokens, words, false))
            }
            (What::Exact(path, _), Part::Place { place, .. }) => {
                let real = place.path.to_str();
                if strict {
                    real == Some(path)
                } else {
                    real.is_some_and(|real| folded(real) == folded(path))
                }
            }
            (What::Exact(exactly, home), Part::Line { text, folder, line, background }) => {
                let here = home.as_deref() == Some(*folder) && !background;
                text == exactly && (!strict || (here && line.is_understood()))
            }
            _ => false,
        }
    }

    fn is_called(&self, name: &str, strict: bool) -> bool {
        if strict { self.tool == name } else { self.tool.eq_ignore_ascii_case(name) }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '*')
}

fn paths_match(globs: &[GlobMatcher], place: &Place, roots: Option<&[PathBuf]>) -> bool {
    if roots.is_none() {
        // A path that is no text is not one that somebody wrote down.
        return place.path.to_str().is_some_and(|path| globs.iter().any(|glob| glob.is_match(slashed(path))));
    }
    let path = folded(&place.path.to_string_lossy());
    globs.iter().any(|glob| glob.is_match(&path))
}

fn slashed(path: &str) -> String {
    if cfg!(windows) { path.replace('\\', "/") } else { path.to_owned() }
}

/// A path in a form in which its disguises are the same.
fn folded(path: &str) -> String {
    let visible: String = path.chars().filter(|c| !shown::is_unseen(*c)).collect();
    slashed(&visible.to_uppercase().to_lowercase())
}

/// The pattern as those of absolute paths.
fn absolute(pattern: &str, reading: Reading<'_>) -> Result<Vec<String>, &'static str> {
    if pattern.starts_with('!') {
        return Err("a rule cannot take back another");
    }
    let wide = reading.decision != Decision::Allow;
    let below = pattern.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(pattern);
    let root = |root: &PathBuf| globset::escape(&slashed(&root.to_string_lossy()));
    let in_roots = |rest: &str| -> Vec<String> {
        reading.roots.iter().map(|path| format!("{}/{rest}", root(path).trim_end_matches('/'))).collect()
    };
    let mut patterns = if let Some(rest) = below.strip_prefix("~/") {
        let Some(home) = reading.home else { return Err("there is no home folder") };
        vec![format!("{}/{rest}", root(&home.to_owned()))]
    } else if let Some(rest) = below.strip_prefix("./") {
        in_roots(rest)
    } else if let Some(rest) = below.strip_prefix('/') {
        let mut patterns = vec![below.to_owned()];
        if wide {
            // Who knows .gitignore means the folder that is worked in.
            patterns.extend(in_roots(rest));
        }
        patterns
    } else if cfg!(windows) && below.get(1..3) == Some(":/") {
        vec![below.to_owned()]
    } else if wide {
        vec![format!("**/{below}")]
    } else if below.contains('/') {
        in_roots(below)
    } else {
        in_roots(&format!("**/{below}"))
    };
    // A folder means what is in it.
    let inside: Vec<String> = patterns.iter().map(|pattern| format!("{pattern}/**")).collect();
    patterns.extend(inside);
    if wide {
        for pattern in &mut patterns {
            *pattern = pattern.to_uppercase().to_lowercase();
        }
    }
    Ok(patterns)
}

/// The words of a pattern.
fn tokens(pattern: &str) -> Result<Vec<Token>, &'static str> {
    let words =
        ShellLine::read_pattern(pattern).ok_or("a pattern is one simple command, such as `git diff *`")?;
    let last = words.len().saturating_sub(1);
    let tokens = words.into_iter().enumerate().map(|(at, word)| {
        let star = word.text.contains('*') && !word.quoted;
        if star && word.text == "*" && at == last {
            Token::Rest
        } else if star {
            Token::Like(word.text)
        } else {
            Token::Literal(word.text)
        }
    });
    Ok(tokens.collect())
}

/// Whether a command begins with these words, and has no others unless the pattern ends with `*`.
fn begins(tokens: &[Token], words: &[Word], strict: bool) -> bool {
    if words.is_empty() {
        return false;
    }
    let mut left = words.iter().enumerate();
    for token in tokens {
        if matches!(token, Token::Rest) {
            return true;
        }
        let Some((at, word)) = left.next() else { return false };
        let is_name = at == 0 && !strict;
        let text = if is_name { base_name(&word.text).to_ascii_lowercase() } else { word.text.clone() };
        let same = match token {
            // What the shell makes of a word is not known.
            _ if strict && word.expands => false,
            Token::Literal(literal) if is_name => {
                text == base_name(literal).to_ascii_lowercase() || word.text == *literal
            }
            Token::Literal(literal) => text == *literal,
            Token::Like(like) if is_name => is_like(&like.to_ascii_lowercase(), &text),
            Token::Like(like) => is_like(like, &text),
            Token::Rest => true,
        };
        if !same {
            return false;
        }
    }
    left.next().is_none()
}

/// Whether `text` is like `pattern`, in which `*` is any text. Takes time in proportion to both.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}
