//! Names as file systems see them: which ones mean the same, and which ones mean something else than they say.
//!
//! Only texts are looked at here, never the disk. What is compared is folded generously: a name that could be
//! another one's disguise on any system counts as that one on all of them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The longest path that is taken, in bytes: what systems take themselves.
const LONGEST: usize = 4096;

/// Whose rules names follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    Unix,
    Windows,
}

impl Naming {
    /// This system's.
    pub const HERE: Self = if cfg!(windows) { Self::Windows } else { Self::Unix };
}

/// The path that `text` asks for, or why it is refused before anything is looked up.
pub fn asked(text: &str, naming: Naming) -> Result<PathBuf, &'static str> {
    if text.is_empty() {
        return Err("the path is empty");
    }
    if text.len() > LONGEST {
        return Err("the path is too long");
    }
    if text.contains('\0') {
        return Err("the path has a NUL in it");
    }
    // A look at a network path already sends the user's name and a hash of the password to its host.
    let start: String = text.chars().take(2).map(|c| if c == '/' { '\\' } else { c }).collect();
    if text.starts_with("\\\\") || (naming == Naming::Windows && start == "\\\\") {
        return Err("device and network paths are not taken; name a file by its ordinary path");
    }
    if naming == Naming::Windows {
        text.split(['/', '\\']).enumerate().try_for_each(|(at, name)| windows_name(name, at == 0))?;
    }
    Ok(PathBuf::from(text))
}

/// What Windows would silently take for something else.
fn windows_name(name: &str, is_first: bool) -> Result<(), &'static str> {
    if matches!(name, "" | "." | "..") {
        return Ok(());
    }
    let is_drive = |name: &str| name.len() == 2 && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if name.contains(':') && !(is_first && name.ends_with(':') && is_drive(name)) {
        return Err("a name has a colon in it, which means a stream or a place on another drive");
    }
    if name.ends_with(['.', ' ']) {
        return Err("a name ends in a dot or a space, which the system drops");
    }
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |kind: &str| {
        stem.strip_prefix(kind).is_some_and(|number| {
            let mut number = number.chars();
            matches!((number.next(), number.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
    };
    let devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    if devices.contains(&stem.as_str()) || is_port("COM") || is_port("LPT") {
        return Err("the name is a device's");
    }
    Ok(())
}

/// A name in the form in which names are compared: composed, without case, without characters that are not
/// seen, without the ends that Windows drops.
pub fn folded(name: &str) -> String {
    let visible: String = name.chars().filter(|c| !is_ignored(*c)).collect();
    let nfc = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
    // Up and down again: some letters, such as the long s, only meet their plain form above.
    let mut folded = nfc.normalize(&visible).to_uppercase().to_lowercase();
    // `name:stream` is the file `name`.
    if let Some(colon) = folded.find(':').filter(|at| *at > 0) {
        folded.truncate(colon);
    }
    folded.truncate(folded.trim_end_matches(['.', ' ']).len());
    folded
}

/// The folded names of a path.
pub fn parts(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|part| match part {
            std::path::Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        })
        // On Unix a backslash is a letter; copied to another system it is not.
        .flat_map(|name: Cow<'_, str>| name.split('\\').map(folded).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Characters that Apple's older file system does not compare, and others that nobody sees in a name.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether the folded `name` is `wanted` (folded too), or a short form that Windows could have given to it.
pub fn is_name(name: &str, wanted: &str) -> bool {
    name == wanted || is_short_for(name, wanted)
}

/// `GIT~1` for `.git`, `GITLAB~1.YML` for `.gitlab-ci.yml`, `GI7EBA~1` where those were taken.
fn is_short_for(name: &str, wanted: &str) -> bool {
    let Some((head, tail)) = name.split_once('~') else { return false };
    let digits = tail.split('.').next().unwrap_or_default();
    if head.is_empty() || head.len() > 6 || digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let wanted = wanted.trim_start_matches('.');
    let stem = wanted.rsplit_once('.').map_or(wanted, |(stem, _)| stem);
    let letters: String = stem.chars().filter(|c| !matches!(c, '.' | ' ')).collect();
    let plain: String = letters.chars().take(6).collect();
    let hashed = head.len() == 6
        && head.get(..2) == letters.get(..2)
        && head.get(2..).is_some_and(|hash| hash.bytes().all(|b| b.is_ascii_hexdigit()));
    head == plain || hashed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_the_name_they_hide() {
        for disguise in [
            ".git",
            ".GIT",
            ".Git",
            ".git.",
            ".git ",
            ".git . .",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{200d}t",
            "git~1",
            "GIT~2",
            "GI7EBA~1",
        ] {
            assert!(is_name(&folded(disguise), ".git"), "{disguise:?}");
        }
        assert!(is_name(&folded("GITLAB~1.YML"), ".gitlab-ci.yml"));
        assert!(is_name(&folded("VSCODE~1"), ".vscode"));
        assert_eq!(folded("ca\u{301}fe\u{301}"), folded("CÁFÉ"));
        assert_eq!(folded(".huſky"), ".husky");
        for other in ["git", ".gitx", ".gi", "digit~1", "git~", "git~x", "~1", ".git2", "gi7eb~1"] {
            assert!(!is_name(&folded(other), ".git"), "{other:?}");
        }
        assert_eq!(parts(Path::new("/a/.GIT./Hooks")), ["a", ".git", "hooks"]);
        assert_eq!(parts(Path::new("a\\.git\\hooks")), ["a", ".git", "hooks"]);
    }

    #[test]
    fn what_no_system_should_look_up_is_refused() {
        let long = "a".repeat(LONGEST + 1);
        for bad in ["", "a\0b", "\\\\?\\C:\\x", "\\\\.\\pipe\\x", "\\\\host\\share", long.as_str()] {
            assert!(asked(bad, Naming::Unix).is_err(), "{bad:?}");
            assert!(asked(bad, Naming::Windows).is_err(), "{bad:?}");
        }
        for bad in [
            "//host/share",
            "\\/?/C:/x",
            "a/nul",
            "NUL.txt",
            "con",
            "aux.c",
            "COM1",
            "lpt9.x",
            "COM¹",
            "a./b",
            "a /b",
            "a:b",
            "C:x",
            "x:\\..",
            "a/b::$DATA",
            "..\\C:",
            "conin$",
        ] {
            let taken = asked(bad, Naming::Windows);
            assert!(taken.is_err() || bad == "x:\\..", "{bad:?}");
        }
        for good in ["aux.c", "a:b", "a./b", "//etc/hosts", "nul", "console", "../x", "/"] {
            assert!(asked(good, Naming::Unix).is_ok(), "{good:?}");
        }
        for good in ["C:\\x\\y.rs", "src/main.rs", "..\\x", "console", "com10", "./a"] {
            assert!(asked(good, Naming::Windows).is_ok(), "{good:?}");
        }
    }
}
