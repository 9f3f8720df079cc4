//! Text of others made fit for a person who is to judge it: what does not show is spelt out, and what is long is
//! cut in its middle. It must never leave out the end, nor let anything push the rest out of sight.

/// Blanks in a row that are shown as they are.
const BLANKS: usize = 8;
/// Line ends in a row that are shown as they are.
const LINE_ENDS: usize = 3;
/// Marks on one letter that are shown as they are: more of them would cover other lines.
const MARKS: usize = 3;

/// Whether a character does not show, shows as a blank of another kind, or turns the text around: controls (also
/// tab and line end), formats, fillers, odd blanks, selectors, private and unassigned specials.
pub fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{a0}' | '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{1680}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}'
            | '\u{205f}'..='\u{206f}' | '\u{2800}' | '\u{3000}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{110bd}'
            | '\u{110cd}' | '\u{13430}'..='\u{1345f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{1fffe}'..='\u{1ffff}' | '\u{e0000}'..='\u{10ffff}')
}

/// A mark that is drawn over the letter before it.
fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{6d6}'..='\u{6dc}' | '\u{e31}' | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// A picture that others can be joined to.
fn is_emoji(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// All of `text`, with what does not show as escapes. Line ends and tabs stay, unless many follow each other.
pub fn show(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut marks = 0;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let run = run_of(rest);
        if let Some(note) = run.note {
            shown.push_str(&note);
            rest = rest.get(run.bytes..).unwrap_or_default();
            before = None;
            continue;
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        marks = if is_mark(character) { marks + 1 } else { 0 };
        let joins = match character {
            // Parts of a picture.
            '\u{200d}' => before.is_some_and(is_emoji_part) && rest.chars().next().is_some_and(is_emoji),
            '\u{fe0f}' => before.is_some_and(is_emoji),
            _ => false,
        };
        let plain = joins || matches!(character, '\n' | '\t') || (!is_unseen(character) && marks <= MARKS);
        if plain {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
        before = Some(character);
    }
    shown
}

fn is_emoji_part(character: char) -> bool {
    is_emoji(character) || character == '\u{fe0f}'
}

struct Run {
    bytes: usize,
    note: Option<String>,
}

/// Blanks or line ends at the start of `text`, where they are many.
fn run_of(text: &str) -> Run {
    let blanks = text.len() - text.trim_start_matches([' ', '\t']).len();
    if blanks > BLANKS {
        // As many as stay are not told twice.
        return Run { bytes: blanks, note: Some(format!("⟨{blanks} blanks⟩")) };
    }
    if text.starts_with('\n') {
        let white = text.len() - text.trim_start_matches([' ', '\t', '\n']).len();
        let lines = text.get(..white).unwrap_or_default().matches('\n').count();
        if lines > LINE_ENDS {
            return Run { bytes: white, note: Some(format!("\n⟨{lines} line ends⟩\n")) };
        }
    }
    Run { bytes: 0, note: None }
}

/// `text` as one line of at most about `most` characters.
pub fn line(text: &str, most: usize) -> String {
    let one: String = show(text)
        .chars()
        .map(|c| {
            if c == '\n' {
                '⏎'
            } else if c == '\t' {
                ' '
            } else {
                c
            }
        })
        .collect();
    cut(&one, most)
}

/// `text` of at most about `most` characters: where it is longer, its middle gives way to a note.
pub fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let head = most / 2;
    let tail = most - head;
    let left_out = count - head - tail;
    let mut kept: String = text.chars().take(head).collect();
    let note = format!(" ⟨{left_out} more characters here⟩ ");
    kept.push_str(&note);
    kept.extend(text.chars().skip(count - tail));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_is_spelt_out() {
        for (text, expected) in [
            ("ls -l", "ls -l"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{1b}[2Jb\r", "a\\u{1b}[2Jb\\u{d}"),
            ("\u{e0041}x\u{200b}", "\\u{e0041}x\\u{200b}"),
            ("ls\u{a0}-l", "ls\\u{a0}-l"),
            ("👩\u{200d}💻", "👩\u{200d}💻"),
            ("a\u{200d}b", "a\\u{200d}b"),
            ("héé\n\tx", "héé\n\tx"),
            ("a\u{301}\u{301}\u{301}\u{301}", "a\u{301}\u{301}\u{301}\\u{301}"),
        ] {
            assert_eq!(show(text), expected, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_pushed_out_of_sight() {
        let hidden = format!("ls{}; rm -rf x", " ".repeat(5_000));
        assert_eq!(show(&hidden), "ls⟨5000 blanks⟩; rm -rf x");
        let below = format!("ls{}rm -rf x", "\n".repeat(500));
        assert_eq!(show(&below), "ls\n⟨500 line ends⟩\nrm -rf x");
        let ragged = format!("ls{}rm", "\n  \t".repeat(500));
        assert_eq!(show(&ragged), "ls\n⟨500 line ends⟩\nrm");
        let long = format!("begin{}end", "x".repeat(10_000));
        let short = cut(&long, 100);
        assert!(short.starts_with("begin") && short.ends_with("end"), "{short}");
        assert!(short.chars().count() < 150, "{short}");
        assert_eq!(line("a\nb", 10), "a⏎b");
    }

    /// The formats and controls of Unicode, from the two properties that the standard library knows.
    fn is_bad(character: char) -> bool {
        character.is_control() && !matches!(character, '\n' | '\t')
    }

    proptest::proptest! {
        #[test]
        fn shown_text_has_nothing_unseen(text in "(\\PC|\\p{Cf}|\\p{Cc}|\\p{Zs}|[ \n\t👩💻a\u{200d}\u{fe0f}]){0,80}") {
            let shown = show(&text);
            let mut before = ' ';
            for character in shown.chars() {
                proptest::prop_assert!(!is_bad(character), "{shown:?}");
                let joins = matches!(character, '\u{200d}' | '\u{fe0f}') && is_emoji_part(before);
                proptest::prop_assert!(
                    joins || matches!(character, '\n' | '\t') || !is_unseen(character),
                    "{character:?} in {shown:?}"
                );
                before = character;
            }
        }

        #[test]
        fn every_format_character_is_known(character in "[\\p{Cf}\\p{Cc}\\p{Zl}\\p{Zp}\\p{Co}]") {
            proptest::prop_assert!(character.chars().all(is_unseen), "{character:?}");
        }

        #[test]
        fn what_is_seen_is_kept(text in "[a-z;|&$ \n]{0,60}") {
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            let shown = show(&text);
            let shown = regexless(&shown);
            proptest::prop_assert_eq!(letters(&shown), letters(&text));
        }
    }

    /// Without the notes.
    fn regexless(text: &str) -> String {
        let mut kept = String::new();
        let mut inside = false;
        for character in text.chars() {
            match character {
                '⟨' => inside = true,
                '⟩' => inside = false,
                _ if !inside => kept.push(character),
                _ => {}
            }
        }
        kept
    }
}
