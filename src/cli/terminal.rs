//! The standard streams of the command line: what they are, and the only place that writes to them.
//!
//! Whatever comes from a model, a provider or a file passes [`clean`] before it reaches a terminal, so that
//! nothing it says can move the cursor, set the title or reach the clipboard.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use tokio::sync::mpsc;

use crate::system::Env;

/// The stack of the writing thread, in bytes.
const STACK: usize = 256 << 10;

/// What the standard streams are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terminal {
    pub(super) input: Kind,
    pub(super) output: Kind,
    pub(super) errors: Kind,
    pub(super) colours: Colours,
}

/// What a stream leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person.
    Screen,
    /// A pipe, a file or nothing.
    Pipe,
}

/// Whether escape sequences may be used on a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Yes,
    /// `NO_COLOR` or `--no-color`.
    No,
    /// `TERM=dumb`: not even a line may be cleared.
    Dumb,
}

impl Terminal {
    /// Looks at the process's own streams. `plain` is `--no-color`.
    pub(super) fn of_process(env: &Env, plain: Option<Plain>) -> Self {
        let kind = |screen| if screen { Kind::Screen } else { Kind::Pipe };
        let colours = if env.get("TERM") == Some("dumb") {
            Colours::Dumb
        } else if plain.is_some() || env.get("NO_COLOR").is_some() {
            Colours::No
        } else {
            Colours::Yes
        };
        Self {
            input: kind(std::io::stdin().is_terminal()),
            output: kind(std::io::stdout().is_terminal()),
            errors: kind(std::io::stderr().is_terminal()),
            colours,
        }
    }

    /// Whether a person sits at both ends and can be asked.
    pub(super) fn can_ask(self) -> bool {
        self.input == Kind::Screen && self.errors == Kind::Screen
    }

    /// Whether the standard output takes colours.
    pub(super) fn paints(self) -> bool {
        self.output == Kind::Screen && self.colours == Colours::Yes
    }

    /// Whether standard error takes colours.
    pub(super) fn styles(self) -> bool {
        self.errors == Kind::Screen && self.colours == Colours::Yes
    }

    /// `text` in the style `code` (SGR) where standard error takes colours.
    pub(super) fn styled(self, code: &str, text: &str) -> String {
        if self.styles() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A complaint as it is written everywhere: `aside: error: ...` and, below it, the hint.
    pub(super) fn complaint(self, severity: Complaint, message: &str, hint: Option<&str>) -> String {
        let (word, code) = match severity {
            Complaint::Error => ("error:", "1;31"),
            Complaint::Warning => ("warning:", "1;33"),
        };
        let mut text = format!("aside: {} {}\n", self.styled(code, word), clean(message));
        if let Some(hint) = hint {
            // Writing to memory does not fail.
            let _ = writeln!(text, "{} {}", self.styled("1;36", "hint:"), clean(hint));
        }
        text
    }
}

/// `--no-color` was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain;

/// How serious a complaint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    Error,
    Warning,
}

/// Where a piece of a [`Page`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// What is to be written, in the order in which a person is to see it.
#[derive(Debug, Default)]
pub(super) struct Page {
    pieces: Vec<(Stream, Vec<u8>)>,
    len: usize,
}

impl Page {
    /// For the standard output.
    pub(super) fn out(&mut self, bytes: impl AsRef<[u8]>) {
        self.push(Stream::Out, bytes.as_ref());
    }

    /// For standard error.
    pub(super) fn err(&mut self, bytes: impl AsRef<[u8]>) {
        self.push(Stream::Err, bytes.as_ref());
    }

    /// Bytes in it.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        self.len += bytes.len();
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == stream => piece.extend_from_slice(bytes),
            _ if bytes.is_empty() => {}
            _ => self.pieces.push((stream, bytes.to_vec())),
        }
    }

    /// Adds another page.
    pub(super) fn append(&mut self, page: Self) {
        for (stream, bytes) in page.pieces {
            self.push(stream, &bytes);
        }
    }

    /// Writes it to the process's streams. An error is one of the standard output: where standard error is
    /// gone there is nobody to tell.
    pub(super) fn write(&self) -> std::io::Result<()> {
        for (stream, bytes) in &self.pieces {
            match stream {
                Stream::Out => {
                    let mut output = std::io::stdout().lock();
                    output.write_all(bytes)?;
                    output.flush()?;
                }
                Stream::Err => {
                    // See above.
                    let _ = std::io::stderr().lock().write_all(bytes);
                }
            }
        }
        Ok(())
    }
}

/// A thread that writes pages, so that a reader who has stopped reading keeps nobody from hearing a signal.
pub(super) struct Writer {
    pages: mpsc::Sender<Page>,
    done: mpsc::Receiver<std::io::Result<()>>,
    busy: bool,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (pages, mut jobs) = mpsc::channel::<Page>(1);
        let (told, done) = mpsc::channel(1);
        std::thread::Builder::new().name("output".to_owned()).stack_size(STACK).spawn(move || {
            while let Some(page) = jobs.blocking_recv() {
                if told.blocking_send(page.write()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { pages, done, busy: false })
    }

    /// Whether a page is being written.
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Hands a page over, unless one is being written or there is nothing in it.
    pub(super) fn offer(&mut self, page: &mut Page) {
        if !self.busy && !page.is_empty() {
            // Never full: the thread has told that it is done with the last one.
            self.busy = self.pages.try_send(std::mem::take(page)).is_ok();
        }
    }

    /// Resolves when the page is written; never where none is. Cancel-safe.
    pub(super) async fn written(&mut self) -> std::io::Result<()> {
        if !self.busy {
            return std::future::pending().await;
        }
        let result = self.done.recv().await;
        self.busy = false;
        result.unwrap_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()))
    }
}

/// `text` as a terminal may get it: of control characters only line feeds and tabs are left as they are.
///
/// A carriage return is dropped, the others become their pictures, and characters that turn the direction of
/// writing or hide text become U+FFFD.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(|character| shown(character) == Some(character)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(shown).collect())
}

/// What a character becomes on a terminal; `None` where nothing.
pub(super) fn shown(character: char) -> Option<char> {
    match character {
        '\n' | '\t' => Some(character),
        '\r' => None,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(character)),
        '\x7f' => Some('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some(char::REPLACEMENT_CHARACTER),
        _ => Some(character),
    }
}

/// At most `width` characters of the first line with any words, cleaned.
pub(super) fn one_line(text: &str, width: usize) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut shortened: String =
        line.chars().filter_map(shown).map(|it| if it == '\t' { ' ' } else { it }).take(width).collect();
    if line.chars().nth(width).is_some() {
        shortened.pop();
        shortened.push('…');
    }
    shortened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\x1b]52;c;AAAA\x07b\x1b[2J\u{9b}31m\u{202e}c\u{200b}d\u{e0041}\0\x7f\r\n\te";
        let cleaned = clean(hostile);
        assert_eq!(cleaned, "a␛]52;c;AAAA␇b␛[2J\u{fffd}31m\u{fffd}c\u{fffd}d\u{fffd}␀␡\n\te");
        assert!(cleaned.chars().all(|it| !it.is_control() || it == '\n' || it == '\t'));
        assert!(matches!(clean("Grüße 👩‍👧\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_page_keeps_its_order() {
        let mut page = Page::default();
        page.out("a");
        page.out("b");
        page.err("");
        page.err("c");
        page.out("d");
        let pieces: Vec<(Stream, &[u8])> =
            page.pieces.iter().map(|(stream, bytes)| (*stream, &**bytes)).collect();
        assert_eq!(pieces, [(Stream::Out, &b"ab"[..]), (Stream::Err, b"c"), (Stream::Out, b"d")]);
        assert_eq!(page.len(), 4);
    }

    #[test]
    fn long_titles_are_cut() {
        assert_eq!(one_line("\n  one two\nthree", 80), "one two");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("", 4), "");
    }
}
