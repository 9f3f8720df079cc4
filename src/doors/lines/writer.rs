//! From text that grows to lines of the document. It does not matter in which pieces the text comes.
//!
//! Line ends are drawn when something follows them, so that a text never ends with empty lines. Characters that
//! do not show, or that would turn the text around, are spelt out. It must never give out a line end, nor look
//! ahead: what stands in the document depends on nothing but the text so far.

use super::fences::Fences;

/// Bytes after which a line goes on in the next at the first blank.
const SOFT: usize = 4_000;
/// Bytes after which it does anywhere.
const HARD: usize = 8_000;
/// Empty lines in a row that are kept.
const MAX_EMPTY: usize = 50;
/// The fence around what is no Markdown. Shorter ones may stand in it; for a longer one see [`Guard`].
pub(super) const FENCE: &str = "`````";
/// What only Aside's own lines begin with: a prompt's heading and everything else.
pub(super) const SIGILS: [char; 2] = ['❯', '⏵'];

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Markdown that stays as it is.
    Prose,
    /// Behind `>`.
    Quote,
    /// Between fences.
    Fenced,
}

/// What a piece of text adds to the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    /// At the end of the last line.
    pub(super) append: String,
    /// New lines behind it.
    pub(super) lines: Vec<String>,
}

/// One text on its way into the document.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    style: Style,
    begun: bool,
    /// Line ends that nothing has followed yet.
    ends: usize,
    /// The last character was a carriage return.
    returned: bool,
    /// Bytes of the line so far.
    width: usize,
    after_blank: bool,
    guard: Guard,
    fences: Fences,
}

/// What the line so far could still become.
#[derive(Clone, Copy, Debug)]
enum Guard {
    /// Nothing that matters.
    Off,
    /// A line of Aside's own.
    Markup,
    /// The end of the fence: so many blanks, then so many backticks.
    Fence { blanks: usize, ticks: usize },
}

impl Writer {
    /// Nothing is written yet.
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            begun: false,
            ends: 0,
            returned: false,
            width: 0,
            after_blank: false,
            guard: Guard::Off,
            fences: Fences::default(),
        }
    }

    /// The lines of a whole text.
    pub(super) fn lines(style: Style, text: &str) -> Vec<String> {
        let mut growth = Growth::default();
        Self::new(style).push(text, &mut growth);
        growth.lines
    }

    /// More of the text.
    pub(super) fn push(&mut self, text: &str, growth: &mut Growth) {
        for character in text.chars() {
            if self.returned {
                self.returned = false;
                if character == '\n' {
                    self.line_end();
                    continue;
                }
                self.escaped('\r', growth);
            }
            match character {
                '\n' => self.line_end(),
                '\r' => self.returned = true,
                '\t' => self.shown(character, growth),
                _ if is_hidden(character) => self.escaped(character, growth),
                _ => self.shown(character, growth),
            }
        }
    }

    /// What closes a part of the Markdown that the text has left open, as a line.
    pub(super) fn closing(&self) -> Option<String> {
        if self.style == Style::Prose { self.fences.closing() } else { None }
    }

    fn line_end(&mut self) {
        // Line ends before the first word are left out.
        if self.begun {
            self.ends = (self.ends + 1).min(MAX_EMPTY + 1);
        }
    }

    fn escaped(&mut self, character: char, growth: &mut Growth) {
        for character in character.escape_unicode() {
            self.shown(character, growth);
        }
    }

    fn shown(&mut self, character: char, growth: &mut Growth) {
        if !self.begun {
            self.begun = true;
            self.new_line(growth);
        } else if self.ends > 0 {
            let empty = if self.style == Style::Quote { ">" } else { "" };
            for _ in 1..self.ends {
                growth.lines.push(empty.to_owned());
                self.fences.line_end();
            }
            self.ends = 0;
            self.fences.line_end();
            self.new_line(growth);
        } else if self.width + character.len_utf8() > HARD || (self.width >= SOFT && self.after_blank) {
            self.fences.line_end();
            self.new_line(growth);
        }
        self.keep_apart(character, growth);
        self.put(character, growth);
        self.after_blank = character == ' ';
    }

    fn new_line(&mut self, growth: &mut Growth) {
        let start = if self.style == Style::Quote { "> " } else { "" };
        growth.lines.push(start.to_owned());
        self.width = 0;
        self.after_blank = false;
        self.guard = match self.style {
            Style::Prose if !self.fences.is_code() => Guard::Markup,
            Style::Prose | Style::Quote => Guard::Off,
            Style::Fenced => Guard::Fence { blanks: 0, ticks: 0 },
        };
    }

    /// Puts something between what stands in the line and `character` where the two would look like a line of
    /// Aside's own, or like the end of the fence.
    fn keep_apart(&mut self, character: char, growth: &mut Growth) {
        self.guard = match self.guard {
            Guard::Markup if SIGILS.contains(&character) => {
                self.put('\\', growth);
                Guard::Off
            }
            Guard::Markup if matches!(character, ' ' | '\t' | '#' | '>' | '*' | '-' | '+') => Guard::Markup,
            Guard::Fence { blanks, ticks: 0 } if character == ' ' && blanks < 3 => {
                Guard::Fence { blanks: blanks + 1, ticks: 0 }
            }
            Guard::Fence { blanks, ticks } if character == '`' && ticks + 1 < FENCE.len() => {
                Guard::Fence { blanks, ticks: ticks + 1 }
            }
            Guard::Fence { .. } if character == '`' => {
                self.put(' ', growth);
                Guard::Off
            }
            Guard::Off | Guard::Markup | Guard::Fence { .. } => Guard::Off,
        };
    }

    fn put(&mut self, character: char, growth: &mut Growth) {
        self.width += character.len_utf8();
        growth.lines.last_mut().unwrap_or(&mut growth.append).push(character);
        if self.style == Style::Prose {
            self.fences.put(character);
        }
    }
}

/// Whether a character is spelt out: controls, line separators, what turns the text around, and what is only
/// ever used to hide something. Joiners, selectors and odd blanks are part of how people write, and stay.
pub(super) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
