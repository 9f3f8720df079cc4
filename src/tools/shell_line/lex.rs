//! Cuts a shell line into simple commands, from left to right and in one pass.
//!
//! It takes exactly what every shell of the Bourne family takes in the same way; whatever else it meets it
//! names as a reason not to trust the reading, and goes on, so that the commands inside are found all the
//! same. What it has said about the start of a line does not depend on what comes after. It must never look at
//! what a program is: see `programs.rs`.

use std::collections::VecDeque;
use std::ops::Range;

use super::{Command, Redirect, RedirectKind, Why, Word};

/// Levels of substitutions, subshells and quotes that are followed.
const MAX_DEPTH: usize = 64;

/// Commands of one line that are kept.
pub(super) const MAX_COMMANDS: usize = 2_000;

/// Reasons that are kept.
const MAX_WHYS: usize = 8;

/// Words that begin or end a compound command where a command's name could stand.
const RESERVED: &[&str] = &[
    "!", "{", "}", "[[", "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case",
    "esac", "select", "function", "coproc", "in",
];

/// What was cut.
pub(super) struct Lexed {
    /// In the order in which they end.
    pub(super) commands: Vec<Command>,
    /// Why it is not fully understood; empty where it is.
    pub(super) whys: Vec<Why>,
    /// Where operators stand, without line ends.
    pub(super) operators: Vec<Range<usize>>,
    /// Whether no quote, bracket or redirection is open at the end.
    pub(super) at_rest: bool,
}

/// Cuts `text`.
pub(super) fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        text,
        at: 0,
        frames: vec![Frame::Commands(Close::End, Building::default())],
        lexed: Lexed { commands: Vec::new(), whys: Vec::new(), operators: Vec::new(), at_rest: true },
        heres: VecDeque::new(),
    };
    lexer.run();
    lexer.lexed
}

/// What ends a list of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    End,
    Parenthesis,
    Backtick,
}

enum Frame {
    Commands(Close, Building),
    /// Between double quotes.
    Quotes,
}

/// A command that has not ended.
#[derive(Default)]
struct Building {
    command: Command,
    word: Option<Growing>,
    /// A redirection that waits for its target.
    redirect: Option<RedirectKind>,
    /// Whether the next word is the end mark of a here-document, and whether its lines may be indented.
    here: Option<bool>,
}

/// A word that has not ended.
struct Growing {
    text: String,
    start: usize,
    expands: bool,
    quoted: bool,
    hidden: bool,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    frames: Vec<Frame>,
    lexed: Lexed,
    /// Here-documents whose text begins on the next line.
    heres: VecDeque<(String, bool)>,
}

impl<'t> Lexer<'t> {
    fn run(&mut self) {
        while let Some(next) = self.peek() {
            match self.frames.last() {
                Some(Frame::Quotes) => self.quoted(next),
                Some(Frame::Commands(..)) | None => self.plain(next),
            }
        }
        if self.frames.len() > 1 {
            self.lexed.at_rest = false;
            self.why(Why::Unfinished);
        }
        if !self.heres.is_empty() {
            self.why(Why::Unfinished);
        }
        while let Some(frame) = self.frames.pop() {
            if let Frame::Commands(_, building) = frame {
                self.finish(building);
            }
        }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn follows(&self, text: &str) -> bool {
        self.rest().starts_with(text)
    }

    fn why(&mut self, why: Why) {
        if self.lexed.whys.len() < MAX_WHYS && !self.lexed.whys.contains(&why) {
            self.lexed.whys.push(why);
        }
    }

    /// The innermost list of commands.
    fn building(&mut self) -> Option<&mut Building> {
        self.frames.iter_mut().rev().find_map(|frame| match frame {
            Frame::Commands(_, building) => Some(building),
            Frame::Quotes => None,
        })
    }

    /// The word that grows, begun here where none does.
    fn word(&mut self, grow: impl FnOnce(&mut Growing)) {
        let start = self.at;
        let Some(building) = self.building() else { return };
        let word = building.word.get_or_insert_with(|| Growing {
            text: String::new(),
            start,
            expands: false,
            quoted: false,
            hidden: false,
        });
        grow(word);
    }

    fn push(&mut self, character: char) {
        self.word(|word| word.text.push(character));
        self.at += character.len_utf8();
    }

    fn open(&mut self, frame: Frame) {
        if self.frames.len() < MAX_DEPTH {
            self.frames.push(frame);
        } else {
            self.why(Why::TooDeep);
        }
    }

    /// Outside quotes.
    fn plain(&mut self, next: char) {
        let started = self.building().is_some_and(|building| building.word.is_some());
        match next {
            ' ' | '\t' => {
                self.end_word();
                self.at += 1;
            }
            // What follows is a command, as in `f() { rm x; }`.
            '{' if !started && self.is_alone('{') => {
                self.why(Why::Compound);
                self.end_command();
                self.at += 1;
            }
            '\n' => {
                self.end_command();
                self.at += 1;
                self.here_documents();
            }
            ';' | '&' | '|' => self.operator(next),
            '<' | '>' => self.redirection(next),
            '(' => {
                self.why(Why::Compound);
                self.end_word();
                self.at += 1;
                self.open(Frame::Commands(Close::Parenthesis, Building::default()));
            }
            ')' => {
                self.at += 1;
                self.close(Close::Parenthesis);
            }
            '`' => self.backtick(),
            '#' if !started => {
                self.end_word();
                let comment = self.rest();
                self.at += comment.find('\n').unwrap_or(comment.len());
            }
            '\'' => {
                let inside = self.rest().get(1..).unwrap_or_default();
                let end = inside.find('\'');
                if end.is_none() {
                    self.why(Why::Unfinished);
                    self.lexed.at_rest = false;
                }
                let text = inside.get(..end.unwrap_or(inside.len())).unwrap_or_default();
                self.word(|word| {
                    word.hidden |= text.is_empty() && !word.text.is_empty();
                    word.quoted = true;
                    word.text.push_str(text);
                });
                self.at += 1 + text.len() + usize::from(end.is_some());
                self.after_empty(text.is_empty());
            }
            '"' => {
                self.word(|word| word.quoted = true);
                self.at += 1;
                self.open(Frame::Quotes);
            }
            '\\' => {
                self.why(Why::Escape);
                self.at += 1;
                match self.peek() {
                    // The two are as if they were not there.
                    Some('\n') => self.at += 1,
                    Some(escaped) => {
                        self.word(|word| word.quoted = true);
                        self.push(escaped);
                    }
                    None => self.lexed.at_rest = false,
                }
            }
            '$' => self.dollar(),
            '*' | '?' | '[' => {
                self.word(|word| word.expands = true);
                self.push(next);
            }
            '~' => {
                // Also after `=` and `:`, as in an assignment.
                let begins = self
                    .building()
                    .and_then(|building| building.word.as_ref())
                    .is_none_or(|word| word.text.ends_with(['=', ':']));
                self.word(|word| word.expands |= begins);
                self.push(next);
            }
            '{' if !self.follows("{}") => {
                self.why(Why::Braces);
                self.word(|word| word.expands = true);
                self.push(next);
            }
            _ => self.push(next),
        }
    }

    /// Whether this character is a word of its own.
    fn is_alone(&self, character: char) -> bool {
        let after = self.rest().strip_prefix(character);
        let ends = [' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')'];
        after.is_some_and(|after| after.is_empty() || after.starts_with(ends))
    }

    /// An empty pair of quotes before the rest of a word hides what the word is.
    fn after_empty(&mut self, empty: bool) {
        let goes_on = self
            .peek()
            .is_some_and(|next| !matches!(next, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | ')'));
        if empty && goes_on {
            self.word(|word| word.hidden = true);
        }
    }

    /// Between double quotes.
    fn quoted(&mut self, next: char) {
        match next {
            '"' => {
                self.frames.pop();
                self.at += 1;
                let empty = self
                    .building()
                    .and_then(|building| building.word.as_ref())
                    .is_some_and(|word| word.text.is_empty());
                // `a""` and `""a` both hide; `""` alone does not.
                let before = self.at.checked_sub(2).and_then(|at| self.text.as_bytes().get(at));
                let pair = before == Some(&b'"');
                if pair && !empty {
                    self.word(|word| word.hidden = true);
                }
                self.after_empty(pair);
            }
            '`' => self.backtick(),
            '$' => self.dollar(),
            '\\' => {
                self.at += 1;
                match self.peek() {
                    Some('\n') => {
                        self.why(Why::Escape);
                        self.at += 1;
                    }
                    Some(escaped @ ('$' | '`' | '"' | '\\')) => self.push(escaped),
                    _ => self.word(|word| word.text.push('\\')),
                }
            }
            _ => self.push(next),
        }
    }

    fn dollar(&mut self) {
        let quotes = matches!(self.frames.last(), Some(Frame::Quotes));
        if self.follows("$(") {
            self.why(Why::Substitution);
            self.word(|word| word.expands = true);
            self.at += 2;
            self.open(Frame::Commands(Close::Parenthesis, Building::default()));
            return;
        }
        if self.follows("$'") && !quotes {
            self.why(Why::Escape);
            self.at += 2;
            self.word(|word| word.quoted = true);
            while let Some(next) = self.peek() {
                match next {
                    '\'' => {
                        self.at += 1;
                        return;
                    }
                    '\\' => {
                        self.at += 1;
                        if let Some(escaped) = self.peek() {
                            self.push(escaped);
                        }
                    }
                    _ => self.push(next),
                }
            }
            self.lexed.at_rest = false;
            self.why(Why::Unfinished);
            return;
        }
        self.why(Why::Variable);
        self.word(|word| word.expands = true);
        self.push('$');
    }

    fn backtick(&mut self) {
        self.why(Why::Substitution);
        self.at += 1;
        let open = self.frames.iter().any(|frame| matches!(frame, Frame::Commands(Close::Backtick, _)));
        if open {
            self.close(Close::Backtick);
        } else {
            self.word(|word| word.expands = true);
            self.open(Frame::Commands(Close::Backtick, Building::default()));
        }
    }

    /// Ends everything down to the list of commands that ends like this.
    fn close(&mut self, close: Close) {
        let found =
            self.frames.iter().rposition(|frame| matches!(frame, Frame::Commands(of, _) if *of == close));
        // A parenthesis within quotes or backticks does not end what was open before them.
        let barred = self
            .frames
            .iter()
            .rposition(|frame| matches!(frame, Frame::Quotes | Frame::Commands(Close::Backtick, _)));
        let found =
            found.filter(|found| close == Close::Backtick || barred.is_none_or(|barred| barred < *found));
        let Some(found) = found else {
            self.why(Why::Compound);
            self.end_command();
            return;
        };
        while self.frames.len() > found {
            if let Some(Frame::Commands(_, building)) = self.frames.pop() {
                self.finish(building);
            }
        }
    }

    fn operator(&mut self, next: char) {
        let length = match next {
            '&' if self.follows("&>") => {
                // One shell redirects both outputs, another starts the command beside.
                self.why(Why::Redirection);
                self.end_word();
                let length = if self.follows("&>>") { 3 } else { 2 };
                self.at += length;
                self.expect_target(RedirectKind::Write);
                return;
            }
            ';' if self.follows(";;") || self.follows(";&") => {
                self.why(Why::Compound);
                2
            }
            '&' if !self.follows("&&") => {
                self.why(Why::Background);
                1
            }
            '|' if self.follows("|&") => {
                self.why(Why::Redirection);
                2
            }
            '&' => 2,
            '|' if self.follows("||") => 2,
            _ => 1,
        };
        self.end_command();
        self.lexed.operators.push(self.at..self.at + length);
        self.at += length;
    }

    fn redirection(&mut self, next: char) {
        // A number right before it says which output is meant.
        if let Some(building) = self.building()
            && let Some(word) = building.word.take_if(|word| {
                !word.quoted && !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit())
            })
            && word.text.len() > 1
        {
            self.why(Why::Redirection);
        }
        self.end_word();
        let rest = self.rest();
        if rest.starts_with("<(") || rest.starts_with(">(") {
            self.why(Why::Substitution);
            self.word(|word| word.expands = true);
            self.at += 2;
            self.open(Frame::Commands(Close::Parenthesis, Building::default()));
            return;
        }
        if rest.starts_with("<<<") {
            self.why(Why::HereDocument);
            self.at += 3;
            self.expect_target(RedirectKind::Text);
            return;
        }
        if rest.starts_with("<<") {
            self.why(Why::HereDocument);
            let indented = rest.starts_with("<<-");
            self.at += if indented { 3 } else { 2 };
            if let Some(building) = self.building() {
                building.here = Some(indented);
            }
            return;
        }
        let (kind, length) = match next {
            '<' if rest.starts_with("<>") => {
                self.why(Why::Redirection);
                (RedirectKind::Write, 2)
            }
            '<' if rest.starts_with("<&") => (RedirectKind::Copy, 2),
            '<' => (RedirectKind::Read, 1),
            _ if rest.starts_with(">&") => (RedirectKind::Copy, 2),
            _ if rest.starts_with(">>") => (RedirectKind::Write, 2),
            _ if rest.starts_with(">|") => (RedirectKind::Write, 2),
            _ => (RedirectKind::Write, 1),
        };
        self.lexed.operators.push(self.at..self.at + length);
        self.at += length;
        self.expect_target(kind);
    }

    fn expect_target(&mut self, kind: RedirectKind) {
        let Some(building) = self.building() else { return };
        if building.redirect.replace(kind).is_some() {
            self.why(Why::Unfinished);
        }
    }

    fn end_word(&mut self) {
        let end = self.at;
        let Some(building) = self.building() else { return };
        let Some(word) = building.word.take() else { return };
        let Growing { text, start, expands, quoted, hidden } = word;
        if let Some(indented) = building.here.take() {
            self.heres.push_back((text, indented));
            return;
        }
        let redirect = building.redirect.take();
        let kept = Word { text, span: start..end, expands, quoted };
        match redirect {
            Some(RedirectKind::Copy) if is_descriptor(&kept.text) && !kept.quoted => {
                building.command.copies.push(kept);
            }
            Some(RedirectKind::Copy) => {
                building.command.redirects.push(Redirect { kind: RedirectKind::Write, target: kept });
                self.why(Why::Redirection);
            }
            Some(kind) => building.command.redirects.push(Redirect { kind, target: kept }),
            None => building.command.words.push(kept),
        }
        if hidden {
            self.why(Why::Hidden);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        if let Some(building) = self.building() {
            let building = std::mem::take(building);
            self.finish(building);
        }
    }

    /// Keeps a command that has ended.
    fn finish(&mut self, mut building: Building) {
        // The end of a substitution ends a word that no blank has ended.
        if building.word.is_some() {
            self.frames.push(Frame::Commands(Close::End, building));
            self.end_word();
            building = match self.frames.pop() {
                Some(Frame::Commands(_, building)) => building,
                Some(Frame::Quotes) | None => return,
            };
        }
        if building.redirect.is_some() || building.here.is_some() {
            self.why(Why::Unfinished);
            self.lexed.at_rest &= !self.rest().is_empty();
        }
        let mut command = building.command;
        let mut begun = 0;
        for word in &command.words {
            if !word.quoted && RESERVED.contains(&word.text.as_str()) {
                self.why(Why::Compound);
            } else if word.is_assignment() {
                self.why(Why::Assignment);
            } else {
                break;
            }
            begun += 1;
        }
        command.before = command.words.drain(..begun).collect();
        if let Some(name) = command.words.first() {
            if name.expands {
                self.why(Why::HiddenName);
            } else if name.quoted {
                self.why(Why::Hidden);
            }
        }
        let empty = command.words.is_empty() && command.redirects.is_empty() && command.before.is_empty();
        if empty && command.copies.is_empty() {
            return;
        }
        if self.lexed.commands.len() < MAX_COMMANDS {
            self.lexed.commands.push(command);
        } else {
            self.why(Why::TooLong);
        }
    }

    /// Skips the text of here-documents. Its lines could be commands, where a shell reads them, and are kept as
    /// such.
    fn here_documents(&mut self) {
        while let Some((end, indented)) = self.heres.pop_front() {
            loop {
                let rest = self.rest();
                if rest.is_empty() {
                    self.why(Why::Unfinished);
                    break;
                }
                let line = rest.split('\n').next().unwrap_or_default();
                self.at += (line.len() + 1).min(rest.len());
                let bare = if indented { line.trim_start_matches('\t') } else { line };
                if bare == end {
                    break;
                }
                if self.frames.len() < MAX_DEPTH && !line.contains("<<") {
                    let inside = lex(line);
                    let room = MAX_COMMANDS.saturating_sub(self.lexed.commands.len());
                    self.lexed.commands.extend(inside.commands.into_iter().take(room));
                }
            }
        }
    }
}

fn is_descriptor(text: &str) -> bool {
    text == "-" || (text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit()))
}
