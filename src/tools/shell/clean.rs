//! Output of a program as text: without escape sequences and control characters, with what is not UTF-8 replaced,
//! and with lines that were written over again and again, as progress bars are, reduced to how they last looked.
//!
//! It takes bytes as they come, cut anywhere, and never holds more than one bounded line.

/// A line that is longer is given out in pieces; what was given out cannot be written over any more. In bytes.
const LINE: usize = 8 << 10;
/// The longest escape sequence and the longest text within one, in characters: what is longer was none.
const SEQUENCE: u32 = 256;
const STRING: u32 = 4096;
/// Characters before it can be told whether they are text.
const SAMPLE: u64 = 64;

/// Cleans one stream.
#[derive(Debug, Default)]
pub struct Cleaner {
    /// The start of a character whose end has not come yet.
    cut: Vec<u8>,
    state: State,
    line: String,
    /// Whether what comes next is written over the line.
    returned: bool,
    seen: u64,
    strange: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After an escape.
    Escape,
    /// One more character belongs to the sequence.
    One,
    /// In a control sequence, with the characters that may still come.
    Control(u32),
    /// In a command to the terminal, such as one that sets its title.
    Command(u32),
}

impl Cleaner {
    /// Takes bytes and adds every line that is whole to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.cut.is_empty() {
            return self.bytes(bytes, out);
        }
        let mut whole = std::mem::take(&mut self.cut);
        whole.extend_from_slice(bytes);
        self.bytes(&whole, out);
    }

    /// Adds the line that is not whole.
    pub fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.cut).is_empty() {
            self.strange();
        }
        out.push_str(&std::mem::take(&mut self.line));
        self.returned = false;
    }

    /// Adds what is there of a line that is not whole, unless it may still be written over.
    pub fn partial(&mut self, out: &mut String) {
        if !self.returned {
            out.push_str(&std::mem::take(&mut self.line));
        }
    }

    /// The line that is not whole.
    pub fn unfinished(&self) -> &str {
        &self.line
    }

    /// Whether this is no text: much of it are control characters or bytes that mean nothing.
    pub fn is_binary(&self) -> bool {
        self.seen >= SAMPLE && self.strange * 10 > self.seen
    }

    fn bytes(&mut self, bytes: &[u8], out: &mut String) {
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            self.text(chunk.valid(), out);
            let invalid = chunk.invalid();
            let is_cut = chunks.peek().is_none()
                && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if is_cut {
                self.cut = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.strange();
            }
        }
    }

    fn strange(&mut self) {
        self.seen += 1;
        self.strange += 1;
        if self.state == State::Text {
            self.write("\u{fffd}");
        }
    }

    fn text(&mut self, mut text: &str, out: &mut String) {
        while !text.is_empty() {
            let plain = match self.state {
                State::Text => text.find(char::is_control).unwrap_or(text.len()),
                _ => 0,
            };
            let (before, after) = text.split_at(plain);
            self.seen += before.len() as u64;
            self.plain(before, out);
            let mut rest = after.chars();
            if let Some(character) = rest.next() {
                self.special(character, out);
            }
            text = rest.as_str();
        }
    }

    /// Text without a control character.
    fn plain(&mut self, mut text: &str, out: &mut String) {
        while !text.is_empty() {
            let room = LINE.saturating_sub(self.line.len());
            let (now, later) = text.split_at(text.floor_char_boundary(room.max(4)));
            self.write(now);
            if self.line.len() >= LINE {
                out.push_str(&std::mem::take(&mut self.line));
            }
            text = later;
        }
    }

    fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if std::mem::take(&mut self.returned) {
            self.line.clear();
        }
        self.line.push_str(text);
    }

    fn special(&mut self, character: char, out: &mut String) {
        self.state = match (self.state, character) {
            (State::Text, _) => return self.control(character, out),
            (State::Escape, '[') => State::Control(SEQUENCE),
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => State::Command(STRING),
            (State::Escape, '(' | ')' | '*' | '+' | '-' | '.' | '/' | '#' | '%' | ' ') => State::One,
            (State::Control(left @ 1..), '\u{20}'..='\u{3f}') => State::Control(left - 1),
            (State::Escape | State::One, '\u{20}'..='\u{7e}')
            | (State::Control(_), '\u{40}'..='\u{7e}')
            | (State::Command(_), '\u{7}' | '\u{9c}') => State::Text,
            (State::Command(_), '\u{1b}') => State::Escape,
            (State::Command(left @ 1..), character) if character != '\n' => State::Command(left - 1),
            // What cannot belong to the sequence ends it, and is text again.
            (State::Escape | State::One | State::Control(_) | State::Command(_), _) => {
                self.state = State::Text;
                return self.again(character, out);
            }
        };
    }

    fn again(&mut self, character: char, out: &mut String) {
        if character.is_control() {
            self.control(character, out);
        } else {
            self.plain(character.encode_utf8(&mut [0; 4]), out);
        }
    }

    fn control(&mut self, character: char, out: &mut String) {
        self.seen += 1;
        match character {
            '\n' => {
                out.push_str(&self.line);
                out.push('\n');
                self.line.clear();
                self.returned = false;
            }
            '\t' => self.write("\t"),
            '\r' => self.returned = true,
            // Old programs print bold and underlined text so.
            '\u{8}' => drop(self.line.pop()),
            '\u{1b}' => self.state = State::Escape,
            '\u{9b}' => self.state = State::Control(SEQUENCE),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => self.state = State::Command(STRING),
            // Bells and page feeds are found in texts too.
            '\u{7}' | '\u{b}' | '\u{c}' => {}
            _ => self.strange += 1,
        }
    }
}

/// A whole output at once, and whether it is no text.
pub fn clean(bytes: &[u8]) -> (String, bool) {
    let mut cleaner = Cleaner::default();
    let mut text = String::new();
    cleaner.push(bytes, &mut text);
    cleaner.finish(&mut text);
    (text, cleaner.is_binary())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> String {
        clean(bytes).0
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        for (given, left) in [
            ("\x1b[1;31mred\x1b[0m\n", "red\n"),
            ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
            ("a\x1b]52;c;AAAA\x1b\\b", "ab"),
            ("\u{9b}31mx\u{9d}0;t\u{9c}y", "xy"),
            ("\x1b(Bplain\x1b=\x1b7", "plain"),
            ("a\x1bPq#0;1\x1b\\b", "ab"),
            ("bell\x07 nul\0 del\x7f", "bell nul del"),
            ("tab\tstays", "tab\tstays"),
            // Sequences that never end take no more than the line.
            ("a\x1b]0;never\nb", "a\nb"),
            ("a\x1b[31\nb", "a\nb"),
            ("a\x1b\nb", "a\nb"),
            ("x\x1b[é", "xé"),
        ] {
            assert_eq!(text(given.as_bytes()), left, "{given:?}");
        }
        let long = format!("a\x1b[{}mb", "1".repeat(10_000));
        assert!(text(long.as_bytes()).len() > 9_000, "what is so long is no sequence");
        let long = format!("a\x1b]0;{}", "t".repeat(10_000));
        assert!(text(long.as_bytes()).len() > 5_000);
    }

    #[test]
    fn lines_that_are_written_over_are_seen_once() {
        for (given, left) in [
            ("10%\r20%\r100%\ndone\n", "100%\ndone\n"),
            ("dos\r\nlines\r\n", "dos\nlines\n"),
            ("half\r", "half"),
            ("ab\x08c", "ac"),
            ("b\x08bo\x08ol\x08ld\x08d", "bold"),
            ("\x08\x08x", "x"),
        ] {
            assert_eq!(text(given.as_bytes()), left, "{given:?}");
        }
        let bar: Vec<String> = (0..100_000).map(|n| format!("\r[{n:>6}/100000]")).collect();
        assert_eq!(text(bar.concat().as_bytes()), "[ 99999/100000]");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_known() {
        assert_eq!(text(b"a\xffb\xe2\x82"), "a\u{fffd}b\u{fffd}");
        assert_eq!(text("€".as_bytes()), "€");
        assert!(clean(&(0..=255).cycle().take(10_000).collect::<Vec<u8>>()).1);
        assert!(!clean("ünïcode text, and then some more of it, so that it can be told".as_bytes()).1);
        assert!(!clean(b"\0\0\0").1);
    }

    #[test]
    fn a_huge_line_is_not_held() {
        let mut cleaner = Cleaner::default();
        let mut out = String::new();
        for _ in 0..100 {
            cleaner.push("é".repeat(5_000).as_bytes(), &mut out);
            assert!(cleaner.line.len() <= LINE + 4);
        }
        cleaner.finish(&mut out);
        assert_eq!(out.chars().count(), 500_000);
    }

    #[test]
    fn a_line_that_is_not_whole_can_be_had_unless_it_may_be_written_over() {
        let mut cleaner = Cleaner::default();
        let mut out = String::new();
        cleaner.push(b"one\ntwo", &mut out);
        cleaner.partial(&mut out);
        cleaner.push(b" three\r10%\r", &mut out);
        cleaner.partial(&mut out);
        cleaner.push(b"20%\n", &mut out);
        assert_eq!(out, "one\ntwo20%\n");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_bytes_are_cut(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just(b"\x1b[31m".to_vec()), Just(b"\r".to_vec()), Just(b"\n".to_vec()), Just("€ü".as_bytes().to_vec()),
                    Just(b"\x1b]0;x\x07".to_vec()), Just(b"\xff\xc3".to_vec()), Just("\u{9b}1m".as_bytes().to_vec()),
                    proptest::collection::vec(any::<u8>(), 0..20),
                ],
                0..20,
            ),
            cuts in proptest::collection::vec(0..400_usize, 0..20),
        ) {
            let bytes = parts.concat();
            let (whole, is_binary) = clean(&bytes);
            let mut cleaner = Cleaner::default();
            let mut text = String::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut start = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                cleaner.push(&bytes[start..cut], &mut text);
                start = cut;
            }
            cleaner.finish(&mut text);
            prop_assert_eq!(&text, &whole);
            prop_assert_eq!(cleaner.is_binary(), is_binary);
            let forbidden = |c: char| c.is_control() && c != '\n' && c != '\t';
            prop_assert!(!whole.contains(forbidden));
        }
    }
}
