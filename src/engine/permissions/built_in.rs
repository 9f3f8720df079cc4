//! What is decided without any rule: what is never done, and the few commands that only show what may be read.

use std::path::Path;

use crate::tools::Place;
use crate::tools::shell_line::{Command, RedirectKind, ShellLine, Word, base_name};

/// No system takes a longer one as one argument of a program, in bytes.
const MAX_LINE: usize = 128 << 10;

/// The file of keys in the folder of Aside.
const KEYS: &str = "auth.json";

/// Why a file is never touched, whoever allows it.
pub(super) fn forbidden_place(place: &Place, config: Option<&Path>) -> Option<&'static str> {
    let name = place.path.file_name()?.to_str()?.to_lowercase();
    let own = config.is_some_and(|config| place.path.parent() == Some(config));
    // Also its lock and what a write has left beside it.
    (own && name.contains(KEYS)).then_some("Aside's own keys are nobody's to read or to change")
}

/// Why a line is never run, whoever allows it.
pub(super) fn forbidden_line(text: &str, line: &ShellLine) -> Option<&'static str> {
    if text.len() > MAX_LINE {
        return Some("the command is longer than the system takes; write it into a file and run that");
    }
    let squeezed: String = text.chars().filter(|character| !character.is_whitespace()).take(4_000).collect();
    if squeezed.contains(":(){:|:&};:") {
        return Some("it starts processes without end");
    }
    line.commands.iter().find_map(|command| {
        let writes = command.redirects.iter().filter(|redirect| redirect.kind == RedirectKind::Write);
        let mut targets = writes.map(|redirect| redirect.target.text.as_str());
        let disk = targets.any(is_disk).then_some("it overwrites a disk");
        disk.or_else(|| command.levels().find_map(forbidden_command))
    })
}

fn forbidden_command(words: &[Word]) -> Option<&'static str> {
    let (name, rest) = words.split_first()?;
    let name = base_name(&name.text).to_ascii_lowercase();
    let has = |letters: &str, long: &str| {
        rest.iter().any(|word| {
            let text = word.text.as_str();
            let short = text.strip_prefix('-').is_some_and(|flags| {
                !flags.starts_with('-') && flags.chars().any(|flag| letters.contains(flag))
            });
            short || (text.len() > 3 && long.starts_with(text))
        })
    };
    let mut operands = rest.iter().map(|word| word.text.as_str()).filter(|text| !text.starts_with('-'));
    match name.as_str() {
        "rm" if has("rR", "--recursive") && operands.any(is_everything) => {
            Some("it removes everything, or everything of a person")
        }
        "chmod" | "chown" | "chgrp" if has("R", "--recursive") && operands.any(is_everything) => {
            Some("it changes who may use everything, or everything of a person")
        }
        "dd" if operands.any(|text| text.strip_prefix("of=").is_some_and(is_disk)) => {
            Some("it overwrites a disk")
        }
        "wipefs" | "blkdiscard" | "shred" | "fdisk" | "sfdisk" | "sgdisk" | "parted" | "tee" | "cp"
            if operands.any(is_disk) =>
        {
            Some("it overwrites a disk")
        }
        "kill" if rest.iter().skip(1).any(|word| word.text == "-1") => Some("it ends every process"),
        _ if (name == "mkfs" || name.starts_with("mkfs.")) && operands.any(is_disk) => {
            Some("it overwrites a disk")
        }
        _ => None,
    }
}

/// Whether a path is the whole system, a folder that it lives in, or a home.
fn is_everything(text: &str) -> bool {
    let mut path = text;
    loop {
        let shorter =
            path.strip_suffix("/*").or_else(|| path.strip_suffix("/.")).or_else(|| path.strip_suffix('/'));
        match shorter {
            Some("") => return true,
            Some(shorter) => path = shorter,
            None => break,
        }
    }
    let whole = [
        "*",
        "~",
        "$HOME",
        "${HOME}",
        "\\",
        "C:",
        "c:",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib64",
        "/opt",
        "/proc",
        "/root",
        "/sbin",
        "/srv",
        "/sys",
        "/usr",
        "/var",
        "/Applications",
        "/Library",
        "/System",
        "/Users",
        "/Volumes",
        "/private",
    ];
    // `*` alone is the folder that it runs in.
    path != "*" && whole.contains(&path)
}

/// Whether a path is a disk as a whole.
fn is_disk(text: &str) -> bool {
    let Some(device) = text.strip_prefix("/dev/") else { return false };
    ["sd", "hd", "vd", "xvd", "nvme", "mmcblk", "disk", "rdisk", "mapper/", "dm-", "md", "loop"]
        .iter()
        .any(|kind| device.starts_with(kind))
}

/// A command that only shows what may be read, with the files that it reads.
pub(super) struct Harmless<'w> {
    pub(super) reads: Vec<&'w Word>,
    /// The folder that what follows runs in.
    pub(super) moves_to: Option<&'w Word>,
}

/// Options that are letters, options that are words, and letters that take a value.
struct Options {
    letters: &'static str,
    words: &'static [&'static str],
    valued: &'static str,
}

const NONE: Options = Options { letters: "", words: &[], valued: "" };

/// Whether a command only shows what may be read. Which files it reads is judged apart.
pub(super) fn is_harmless(command: &Command) -> bool {
    harmless(command).is_some()
}

/// The files that a command reads, where it does nothing else. Programs that take a pager, a hook, a configuration
/// or an output file are not among these, nor is anything that talks to the network; git is not, since what it
/// runs depends on the folder's own configuration.
pub(super) fn harmless(command: &Command) -> Option<Harmless<'_>> {
    let reads_nothing = Harmless { reads: Vec::new(), moves_to: None };
    if !command.before.is_empty() || command.words.iter().any(|word| word.expands) {
        return None;
    }
    // What only says how the next is to run does nothing itself.
    let is_plain = command.transparent + 1 >= command.levels.len();
    let words = command.transparent_levels().last().filter(|_| is_plain)?;
    let Some((name, rest)) = words.split_first() else {
        // Only redirections, which are judged apart.
        return Some(reads_nothing);
    };
    let options = match name.text.as_str() {
        ":" | "true" | "false" | "echo" | "basename" | "dirname" => return Some(reads_nothing),
        "pwd" => {
            let plain = rest.iter().all(|word| matches!(word.text.as_str(), "-L" | "-P"));
            return plain.then_some(reads_nothing);
        }
        "cd" => {
            let [folder] = rest else { return None };
            let named = !folder.text.is_empty() && !folder.text.starts_with('-');
            return named.then(|| Harmless { reads: vec![folder], moves_to: Some(folder) });
        }
        "ls" => Options {
            letters: "1aAbBcCdfFgGhiklmnNopqQrRsStuUvxXZ",
            words: &[
                "--all",
                "--almost-all",
                "--color",
                "--color=never",
                "--full-time",
                "--human-readable",
                "--recursive",
                "--reverse",
                "--size",
            ],
            valued: "",
        },
        "cat" => Options { letters: "AbeEnstTuv", ..NONE },
        "head" | "tail" => Options { letters: "qv0123456789", words: &["--lines", "--bytes"], valued: "nc" },
        "wc" => Options { letters: "clLmw", words: &["--lines", "--words", "--bytes"], ..NONE },
        "grep" => Options { letters: "abcEFGhHilLnoqsvwx", words: &["--color=never"], valued: "ABCm" },
        _ => return None,
    };
    let mut reads = operands(rest, &options)?;
    if name.text == "grep" {
        // The first is what is looked for.
        if reads.is_empty() {
            return None;
        }
        reads.remove(0);
    }
    reads.retain(|word| word.text != "-");
    Some(Harmless { reads, moves_to: None })
}

/// What is no option. `None` where an option is not known.
fn operands<'w>(rest: &'w [Word], options: &Options) -> Option<Vec<&'w Word>> {
    let mut operands = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if text == "--" {
            operands.extend(words);
            break;
        }
        let Some(flags) = text.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            operands.push(word);
            continue;
        };
        if flags.starts_with('-') {
            let name =
                text.split_once('=').map_or(text, |(name, value)| if is_number(value) { name } else { text });
            if !options.words.contains(&name) {
                return None;
            }
            continue;
        }
        let value_at = flags.find(|flag| options.valued.contains(flag));
        let letters = flags.get(..value_at.unwrap_or(flags.len()))?;
        if !letters.chars().all(|flag| options.letters.contains(flag)) {
            return None;
        }
        if let Some(at) = value_at {
            let glued = flags.get(at + 1..)?;
            let value = if glued.is_empty() { words.next()?.text.as_str() } else { glued };
            if !is_number(value) {
                return None;
            }
        }
    }
    Some(operands)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.len() < 12 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
