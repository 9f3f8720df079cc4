//! Markdown on a terminal, styled while it streams. What was printed is never drawn again.
//!
//! A piece of text is held back only while it could still become markup: the first characters of a line, and
//! a span such as `**bold**` until it is closed, for at most [`HELD`] bytes and never beyond its line. Markup
//! that is never closed is printed as it stands, so no character of the text is lost. How the text was cut into
//! pieces changes nothing of what is printed.

use super::terminal::shown;

/// Bytes of a line that wait for the end of a span or a mark at most.
const HELD: usize = 240;
/// How deep spans lie inside each other at most.
const DEEP: u32 = 3;
/// Characters of a thematic break as it is drawn.
const BREAK: usize = 40;

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Style {
    weight: Weight,
    slant: Slant,
    ink: Ink,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Weight {
    #[default]
    Normal,
    Bold,
    Dim,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Slant {
    #[default]
    Upright,
    Italic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ink {
    #[default]
    Plain,
    Code,
    Heading,
    Title,
}

const DIM: Style = Style { weight: Weight::Dim, slant: Slant::Upright, ink: Ink::Plain };

/// The styler of one text.
#[derive(Debug)]
pub(super) struct Markdown {
    /// What is not decided yet.
    pending: String,
    place: Place,
    /// The look of the line outside its spans.
    base: Style,
    /// The open code fence: its character and its length.
    fence: Option<(char, usize)>,
    /// The character before `pending`, which says whether a `*` can open anything.
    before: char,
    /// What the terminal was last told.
    told: Style,
    out: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    LineStart,
    Within,
}

/// What the start of a line is.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// More must come first.
    Undecided,
    /// So many bytes are a heading's mark of this level.
    Heading {
        mark: usize,
        level: usize,
    },
    /// A whole line, without its line feed, that opens or closes a fence.
    Fence {
        line: usize,
        character: char,
        length: usize,
    },
    Bullet {
        indent: usize,
    },
    Quote {
        mark: usize,
    },
    Break {
        line: usize,
    },
    Text,
}

/// What stands at a character that could be markup.
#[derive(Debug, PartialEq, Eq)]
enum Span {
    Undecided,
    /// `text` lies `mark` bytes behind the start, and as much follows it.
    Closed {
        mark: usize,
        text: usize,
        style: Change,
    },
    /// So many bytes are just themselves.
    Literal(usize),
    /// A backslash and the character that it protects.
    Escaped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Bold,
    Italic,
    BoldItalic,
    Code,
}

impl Default for Markdown {
    fn default() -> Self {
        Self {
            pending: String::new(),
            place: Place::LineStart,
            base: Style::default(),
            fence: None,
            before: '\n',
            told: Style::default(),
            out: String::new(),
        }
    }
}

impl Markdown {
    /// Takes more of the text and returns what can be printed now.
    pub(super) fn feed(&mut self, text: &str) -> String {
        self.pending.extend(text.chars().filter_map(shown));
        self.process(false);
        std::mem::take(&mut self.out)
    }

    /// Returns the rest of the text, and leaves the terminal's style as it was before.
    pub(super) fn finish(&mut self) -> String {
        self.process(true);
        self.tell(Style::default());
        let out = std::mem::take(&mut self.out);
        *self = Self::default();
        out
    }

    fn process(&mut self, ended: bool) {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_str();
        while !rest.is_empty() {
            let used = match self.place {
                Place::LineStart => self.line_start(rest, ended),
                Place::Within => self.within(rest, ended),
            };
            let Some(used) = used else { break };
            rest = rest.get(used..).unwrap_or_default();
        }
        rest.clone_into(&mut self.pending);
    }

    /// Takes what the line begins with. `None` where more must come first.
    fn line_start(&mut self, text: &str, ended: bool) -> Option<usize> {
        let start = if let Some((character, length)) = self.fence {
            closing(text, character, length, ended)
        } else {
            start_of(text, ended)
        };
        self.base = Style::default();
        let used = match start {
            Start::Undecided => return None,
            Start::Heading { mark, level } => {
                self.base = Style {
                    weight: Weight::Bold,
                    slant: Slant::Upright,
                    ink: if level == 1 { Ink::Title } else { Ink::Heading },
                };
                mark
            }
            Start::Fence { line, character, length } => {
                self.fence = if self.fence.is_some() { None } else { Some((character, length)) };
                self.say(text.get(..line).unwrap_or_default(), DIM);
                line
            }
            Start::Bullet { indent } => {
                self.say(text.get(..indent).unwrap_or_default(), Style::default());
                self.say("•", DIM);
                // The blank behind it is printed with the text.
                indent + 1
            }
            Start::Quote { mark } => {
                self.base = DIM;
                self.say("│ ", DIM);
                mark
            }
            Start::Break { line } => {
                self.say(&"─".repeat(BREAK), DIM);
                line
            }
            Start::Text => {
                if self.fence.is_some() {
                    self.base = Style { ink: Ink::Code, ..Style::default() };
                }
                0
            }
        };
        self.place = Place::Within;
        self.before = ' ';
        Some(used)
    }

    /// Takes a piece of a line. `None` where more must come first.
    fn within(&mut self, text: &str, ended: bool) -> Option<usize> {
        if text.starts_with('\n') {
            // Each line stands for itself: whatever cuts the text off leaves a clean terminal.
            self.tell(Style::default());
            self.out.push('\n');
            self.place = Place::LineStart;
            self.before = '\n';
            return Some(1);
        }
        if self.fence.is_some() {
            let end = text.find('\n').unwrap_or(text.len());
            self.say(text.get(..end).unwrap_or_default(), self.base);
            return Some(end);
        }
        let line = text.split('\n').next().unwrap_or_default();
        let whole = ended || line.len() < text.len();
        let used = self.inline(line, whole, self.base, 0);
        (used > 0).then_some(used)
    }

    /// Prints as much of `line` as is decided, and returns how much that is. `whole` says that nothing follows.
    fn inline(&mut self, line: &str, whole: bool, base: Style, depth: u32) -> usize {
        let mut used = 0;
        while let Some(rest) = line.get(used..).filter(|rest| !rest.is_empty()) {
            let plain = rest.find(['*', '_', '`', '\\']).unwrap_or(rest.len());
            if plain > 0 {
                let text = rest.get(..plain).unwrap_or_default();
                self.say(text, base);
                self.before = text.chars().next_back().unwrap_or(' ');
                used += plain;
                continue;
            }
            // Deep spans are not looked into; what they hold is printed as it stands.
            let span =
                if depth < DEEP { span_at(rest, self.before, whole) } else { Span::Literal(rest.len()) };
            match span {
                Span::Undecided => return used,
                Span::Literal(len) => {
                    let text = rest.get(..len).unwrap_or_default();
                    self.say(text, base);
                    self.before = text.chars().next_back().unwrap_or(' ');
                    used += len;
                }
                Span::Escaped => {
                    self.say(rest.get(1..2).unwrap_or_default(), base);
                    self.before = '\\';
                    used += 2;
                }
                Span::Closed { mark, text, style } => {
                    let inner = rest.get(mark..mark + text).unwrap_or_default();
                    let look = changed(base, style);
                    if style == Change::Code {
                        self.say(inner, look);
                    } else {
                        self.before = ' ';
                        self.inline(inner, true, look, depth + 1);
                    }
                    self.before = '*';
                    used += mark + text + mark;
                }
            }
        }
        used
    }

    fn say(&mut self, text: &str, style: Style) {
        if !text.is_empty() {
            self.tell(style);
            self.out.push_str(text);
        }
    }

    fn tell(&mut self, style: Style) {
        if self.told == style {
            return;
        }
        self.told = style;
        self.out.push_str("\x1b[0");
        self.out.push_str(match style.weight {
            Weight::Normal => "",
            Weight::Bold => ";1",
            Weight::Dim => ";2",
        });
        self.out.push_str(match style.slant {
            Slant::Upright => "",
            Slant::Italic => ";3",
        });
        self.out.push_str(match style.ink {
            Ink::Plain => "",
            Ink::Code => ";36",
            Ink::Heading => ";35",
            Ink::Title => ";4;35",
        });
        self.out.push('m');
    }
}

fn changed(base: Style, change: Change) -> Style {
    match change {
        Change::Bold => Style { weight: Weight::Bold, ..base },
        Change::Italic => Style { slant: Slant::Italic, ..base },
        Change::BoldItalic => Style { weight: Weight::Bold, slant: Slant::Italic, ..base },
        Change::Code => Style { ink: Ink::Code, ..base },
    }
}

/// What a line outside code begins with.
fn start_of(text: &str, ended: bool) -> Start {
    let line = text.split('\n').next().unwrap_or_default();
    let whole = ended || line.len() < text.len();
    let body = line.trim_start_matches([' ', '\t']);
    let indent = line.len() - body.len();
    if indent > HELD {
        return Start::Text;
    }
    let Some(first) = body.chars().next() else {
        return if whole { Start::Text } else { Start::Undecided };
    };
    let run = body.len() - body.trim_start_matches(first).len();
    let after = body.get(run * first.len_utf8()..).unwrap_or_default();
    match first {
        '#' if indent <= 3 && run <= 6 => match after.chars().next() {
            Some(' ') => Start::Heading { mark: indent + run + 1, level: run },
            None if !whole => Start::Undecided,
            _ => Start::Text,
        },
        '`' | '~' if run >= 3 => {
            if after.contains('`') || line.len() > HELD {
                Start::Text
            } else if whole {
                Start::Fence { line: line.len(), character: first, length: run }
            } else {
                Start::Undecided
            }
        }
        '`' | '~' if after.is_empty() && !whole => Start::Undecided,
        '-' | '*' | '_' | '+' => {
            let marks = body.chars().filter(|it| *it == first).count();
            let only_marks = first != '+' && body.chars().all(|it| it == first || it == ' ');
            if only_marks && line.len() <= HELD {
                return match (whole, marks >= 3) {
                    (true, true) => Start::Break { line: line.len() },
                    (true, false) if run == 1 && first != '_' && after.starts_with(' ') => {
                        Start::Bullet { indent }
                    }
                    (true, false) => Start::Text,
                    (false, _) => Start::Undecided,
                };
            }
            if first != '_' && run == 1 && after.starts_with(' ') {
                Start::Bullet { indent }
            } else if after.is_empty() && !whole && line.len() <= HELD {
                Start::Undecided
            } else {
                Start::Text
            }
        }
        '>' if indent <= 3 => match after.chars().next() {
            _ if run > 1 => Start::Quote { mark: indent + 1 },
            Some(' ') => Start::Quote { mark: indent + 2 },
            None if !whole => Start::Undecided,
            _ => Start::Quote { mark: indent + 1 },
        },
        _ => Start::Text,
    }
}

/// Whether a line of code closes its fence.
fn closing(text: &str, character: char, length: usize, ended: bool) -> Start {
    let line = text.split('\n').next().unwrap_or_default();
    let whole = ended || line.len() < text.len();
    let body = line.trim_start_matches(' ');
    let run = body.len() - body.trim_start_matches(character).len();
    let after = body.get(run..).unwrap_or_default();
    if line.len() - body.len() > 3 || line.len() > HELD || !after.trim().is_empty() {
        return Start::Text;
    }
    if whole {
        if run >= length { Start::Fence { line: line.len(), character, length: run } } else { Start::Text }
    } else if body.is_empty() || run >= length || after.is_empty() {
        Start::Undecided
    } else {
        Start::Text
    }
}

/// What stands at the start of `rest`, which begins with a character of markup and does not leave its line.
fn span_at(rest: &str, before: char, whole: bool) -> Span {
    let Some(first) = rest.chars().next() else { return Span::Literal(0) };
    if first == '\\' {
        return match rest.chars().nth(1) {
            Some(next) if next.is_ascii_punctuation() => Span::Escaped,
            None if !whole => Span::Undecided,
            _ => Span::Literal(1),
        };
    }
    // What lies beyond the window never counts, so that it makes no difference when it comes.
    let open_end = !whole && rest.len() <= HELD;
    let whole = whole && rest.len() <= HELD;
    let rest = rest.get(..rest.floor_char_boundary(HELD)).unwrap_or(rest);
    let run = rest.len() - rest.trim_start_matches(first).len();
    let behind = rest.get(run..).unwrap_or_default();
    let Some(next) = behind.chars().next() else {
        return if open_end { Span::Undecided } else { Span::Literal(run) };
    };
    // The rest of a run whose start was printed already.
    if before == first {
        return Span::Literal(run);
    }
    if first == '`' {
        return match code_end(behind, run, whole) {
            Some(text) => Span::Closed { mark: run, text, style: Change::Code },
            None if open_end => Span::Undecided,
            None => Span::Literal(run),
        };
    }
    let style = match run {
        1 => Change::Italic,
        2 => Change::Bold,
        3 => Change::BoldItalic,
        _ => return Span::Literal(run),
    };
    // Inside a word these characters are arithmetic, a glob or a name.
    if next.is_whitespace() || before.is_alphanumeric() {
        return Span::Literal(run);
    }
    match emphasis_end(behind, first, run, whole) {
        Some(text) => Span::Closed { mark: run, text, style },
        None if open_end => Span::Undecided,
        None => Span::Literal(run),
    }
}

/// Where a code span that began before `text` ends: at a run of exactly as many backticks.
fn code_end(text: &str, run: usize, whole: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('`')) {
        let start = at + found;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.len() - rest.trim_start_matches('`').len();
        // A run at the end may go on.
        if length == rest.len() && !whole {
            return None;
        }
        if length == run {
            return Some(start);
        }
        at = start + length;
    }
    None
}

/// Where an emphasis that began before `text` ends: at a run of exactly as many marks, behind something that
/// is no blank, before something that is no letter, and not inside code.
fn emphasis_end(text: &str, mark: char, run: usize, whole: bool) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find([mark, '`', '\\'])) {
        let start = at + found;
        let rest = text.get(start..).unwrap_or_default();
        if rest.starts_with('\\') {
            let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
            at = start + 1 + escaped;
            continue;
        }
        if rest.starts_with('`') {
            let length = rest.len() - rest.trim_start_matches('`').len();
            let inside = rest.get(length..).unwrap_or_default();
            match code_end(inside, length, whole) {
                Some(code) => at = start + length + code + length,
                None if whole => at = start + length,
                None => return None,
            }
            continue;
        }
        let length = rest.len() - rest.trim_start_matches(mark).len();
        if length == rest.len() && !whole {
            return None;
        }
        let previous = text.get(..start).and_then(|text| text.chars().next_back());
        let next = rest.get(length..).and_then(|rest| rest.chars().next());
        let closes =
            previous.is_some_and(|it| !it.is_whitespace()) && !next.is_some_and(char::is_alphanumeric);
        if length == run && closes {
            return Some(start);
        }
        at = start + length;
    }
    None
}

#[cfg(test)]
mod tests;
