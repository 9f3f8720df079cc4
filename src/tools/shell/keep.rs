//! What is kept of a command's output: its start and its end for the model, a bounded share for the person while it
//! runs, and a file with a cap for whoever wants more. The rest is counted and forgotten.
//!
//! It must never hold more than its bounds, nor let the command wait.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::clean::{Cleaner, clean};
use crate::system::System;
use crate::system::jobs::{Flow, Sink};

/// Bytes of the start that the model sees.
pub const HEAD: usize = 16 << 10;
/// Bytes of the end that the model sees.
pub const TAIL: usize = 48 << 10;
/// Bytes as they came that are kept to make the end of: what is written over and over is longer than what is left.
const RAW: usize = 192 << 10;
/// Bytes that the person is shown of one call while it runs.
const SHOWN: usize = 1 << 20;
/// Bytes that are cleaned to show them: a progress bar that never ends shows nothing new.
const CLEANED: u64 = 16 << 20;
/// Bytes of the file.
const SPILLED: u64 = 64 << 20;
/// Bytes of output after which a command is taken for one that will not stop, and killed.
pub const MOST: u64 = 1 << 30;

/// The output of one command. Cloning is cheap: all clones are the same.
#[derive(Clone)]
pub struct Output {
    kept: Arc<Mutex<Kept>>,
    changed: Arc<Notify>,
}

struct Kept {
    /// For the start and for what is shown; gone once both have enough.
    cleaner: Option<Cleaner>,
    /// The start, cleaned: all of it while that is no more than a model sees.
    start: String,
    /// Bytes that were cleaned.
    cleaned: u64,
    fresh: String,
    /// Bytes that were or are to be shown.
    shown: usize,
    /// How what was shown ends.
    last: Option<char>,
    raw: VecDeque<u8>,
    total: u64,
    lines: u64,
    spill: Spill,
}

/// The file.
enum Spill {
    /// None yet: everything is still in memory.
    Waiting {
        system: System,
        path: PathBuf,
    },
    Open {
        system: System,
        path: PathBuf,
        file: File,
        written: u64,
    },
    /// It could not be written, or there was no place for it.
    None,
}

/// What is left of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Fit for a model: bounded, and cleaned.
    pub text: String,
    /// Where more of it is, if anything was left out.
    pub file: Option<PathBuf>,
}

impl Output {
    /// An empty one, which spills into `path` when it grows long.
    pub fn new(system: System, path: Option<PathBuf>) -> Self {
        let kept = Kept {
            cleaner: Some(Cleaner::default()),
            start: String::new(),
            cleaned: 0,
            fresh: String::new(),
            shown: 0,
            last: None,
            raw: VecDeque::new(),
            total: 0,
            lines: 0,
            spill: path.map_or(Spill::None, |path| Spill::Waiting { system, path }),
        };
        Self { kept: Arc::new(Mutex::new(kept)), changed: Arc::default() }
    }

    /// Where a command writes.
    pub fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for something new. Cancel-safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What came since and is to be shown; empty where there is nothing.
    pub fn fresh(&self) -> String {
        self.with(|kept| {
            if let Some(cleaner) = &mut kept.cleaner {
                let mut more = String::new();
                cleaner.partial(&mut more);
                let is_binary = cleaner.is_binary();
                kept.take(&more);
                if is_binary {
                    kept.fresh.clear();
                }
            }
            let fresh = std::mem::take(&mut kept.fresh);
            kept.last = fresh.chars().next_back().or(kept.last);
            fresh
        })
    }

    /// What sets a note apart from what was shown.
    pub fn gap(&self) -> &'static str {
        match self.with(|kept| kept.last) {
            None => "",
            Some('\n') => "\n",
            Some(_) => "\n\n",
        }
    }

    /// Bytes that came.
    pub fn total(&self) -> u64 {
        self.with(|kept| kept.total)
    }

    /// Whether it was so much that the command was killed.
    pub fn is_flood(&self) -> bool {
        self.total() >= MOST
    }

    /// Whether some of it was not shown.
    pub fn is_shown_in_part(&self) -> bool {
        self.with(|kept| kept.cleaner.is_none())
    }

    /// The start and the end, each no longer than that.
    pub fn rest(&self, head: usize, tail: usize) -> Rest {
        self.with(|kept| kept.rest(head, tail))
    }
}

impl Sink for Output {
    fn output(&mut self, bytes: &[u8]) -> Flow {
        let flow = self.with(|kept| {
            kept.push(bytes);
            if kept.total < MOST { Flow::GoOn } else { Flow::Kill }
        });
        self.changed.notify_one();
        flow
    }
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.spill(bytes);
        self.total += bytes.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        let last = bytes.get(bytes.len().saturating_sub(RAW)..).unwrap_or_default();
        let over = (self.raw.len() + last.len()).saturating_sub(RAW);
        self.raw.drain(..over.min(self.raw.len()));
        self.raw.extend(last);
        if let Some(mut cleaner) = self.cleaner.take() {
            let mut text = String::new();
            cleaner.push(bytes, &mut text);
            self.take(&text);
            if self.shown < SHOWN && self.total < CLEANED {
                self.cleaner = Some(cleaner);
            }
        }
    }

    /// Takes text that was cleaned.
    fn take(&mut self, text: &str) {
        self.cleaned += text.len() as u64;
        let room = text.floor_char_boundary((HEAD + TAIL).saturating_sub(self.start.len()));
        self.start.push_str(text.get(..room).unwrap_or_default());
        let room = text.floor_char_boundary(SHOWN.saturating_sub(self.shown));
        let shown = text.get(..room).unwrap_or_default();
        self.shown += if room < text.len() { SHOWN } else { shown.len() };
        self.fresh.push_str(shown);
    }

    /// Writes to the file, which is made when not everything is in memory any more.
    fn spill(&mut self, bytes: &[u8]) {
        if let Spill::Waiting { system, path } = &self.spill {
            if self.raw.len() + bytes.len() <= HEAD + TAIL {
                return;
            }
            let (before, after) = self.raw.as_slices();
            let made = system.files.create_new(path).and_then(|mut file| {
                system.files.append(&mut file, before)?;
                system.files.append(&mut file, after)?;
                Ok(file)
            });
            self.spill = match made {
                Ok(file) => Spill::Open {
                    system: system.clone(),
                    path: path.clone(),
                    file,
                    written: self.raw.len() as u64,
                },
                Err(error) => {
                    tracing::debug!(%error, "the output of a command is not kept in a file");
                    Spill::None
                }
            };
        }
        if let Spill::Open { system, file, written, .. } = &mut self.spill {
            let room = usize::try_from(SPILLED.saturating_sub(*written)).unwrap_or(usize::MAX);
            let part = bytes.get(..room.min(bytes.len())).unwrap_or_default();
            if part.is_empty() {
                return;
            }
            match system.files.append(file, part) {
                Ok(()) => *written += part.len() as u64,
                // A full disk is no reason to stop the command; what is there stays.
                Err(error) => {
                    tracing::debug!(%error, "the rest of a command's output is not kept in a file");
                    *written = SPILLED;
                }
            }
        }
    }

    fn rest(&mut self, head: usize, tail: usize) -> Rest {
        if let Some(cleaner) = &self.cleaner {
            let (text, line) = (&self.start, cleaner.unfinished());
            let is_whole = text.len() as u64 == self.cleaned && text.len() + line.len() <= head + tail;
            if is_whole && !cleaner.is_binary() {
                return Rest { text: format!("{text}{line}"), file: None };
            }
        }
        let raw = self.raw.make_contiguous();
        if self.total <= raw.len() as u64 {
            let (text, is_binary) = clean(raw);
            if is_binary {
                return self.binary();
            }
            if text.len() <= head + tail {
                return Rest { text, file: None };
            }
            let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
            let total = text.len() as u64;
            return self.joined(start(&text, head), end(&text, tail), total, lines);
        }
        // What was cut in front begins anywhere: within a character, a sequence, a line.
        let from = memchr::memchr(b'\n', raw).filter(|at| *at < raw.len() / 2).map_or(0, |at| at + 1);
        let (text, is_binary) = clean(raw.get(from..).unwrap_or_default());
        if is_binary {
            return self.binary();
        }
        let (total, lines) = (self.total, self.lines);
        let first = start(&self.start, head).to_owned();
        self.joined(&first, end(&text, tail), total, lines)
    }

    fn binary(&self) -> Rest {
        let text = format!("[{} of output that is no text, not shown]", size(self.total));
        Rest { text, file: self.file() }
    }

    fn file(&self) -> Option<PathBuf> {
        match &self.spill {
            Spill::Open { path, .. } => Some(path.clone()),
            Spill::Waiting { .. } | Spill::None => None,
        }
    }

    /// Both ends, with what was left out told between them.
    fn joined(&self, head: &str, tail: &str, total: u64, lines: u64) -> Rest {
        let count = |text: &str| memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
        let left_out = size(total.saturating_sub((head.len() + tail.len()) as u64));
        let lines = lines.saturating_sub(count(head) + count(tail));
        let lines = if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") };
        let file = self.file();
        let kept = match (&self.spill, &file) {
            (Spill::Open { written: SPILLED.., .. }, Some(file)) => {
                format!("; the first {} are in {}", size(SPILLED), file.display())
            }
            (_, Some(file)) => format!("; all of it is in {}", file.display()),
            (_, None) => String::new(),
        };
        let gap = if head.ends_with('\n') || head.is_empty() { "" } else { "\n" };
        let text = format!("{head}{gap}[... {lines}, {left_out} left out here{kept} ...]\n{tail}");
        Rest { text, file }
    }
}

/// The first bytes, up to the end of a line if there is one nearby.
fn start(text: &str, most: usize) -> &str {
    let cut = text.get(..text.floor_char_boundary(most)).unwrap_or(text);
    match cut.rfind('\n') {
        Some(at) if cut.len() < text.len() && at >= most / 2 => cut.get(..=at).unwrap_or(cut),
        _ => cut,
    }
}

/// The last bytes, from the start of a line if there is one nearby.
fn end(text: &str, most: usize) -> &str {
    let from = text.ceil_char_boundary(text.len().saturating_sub(most));
    let cut = text.get(from..).unwrap_or(text);
    match cut.find('\n') {
        Some(at) if from > 0 && at < most / 2 => cut.get(at + 1..).unwrap_or(cut),
        _ => cut,
    }
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    let tenths = |unit: u64| format!("{}.{}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{} KiB", tenths(1 << 10)),
        _ => format!("{} MiB", tenths(1 << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(dir: Option<&tempfile::TempDir>) -> Output {
        Output::new(System::real(), dir.map(|dir| dir.path().join("1.log")))
    }

    #[test]
    fn a_short_output_is_whole() {
        let mut output = output(None);
        assert_eq!(output.output(b"one\ntw\xc3"), Flow::GoOn);
        assert_eq!(output.fresh(), "one\ntw");
        output.output(b"\xb6\n\x1b[1mthree");
        assert_eq!(output.fresh(), "ö\nthree");
        assert_eq!(output.fresh(), "");
        let rest = output.rest(HEAD, TAIL);
        assert_eq!(rest, Rest { text: "one\ntwö\nthree".to_owned(), file: None });
    }

    #[test]
    fn of_a_long_output_both_ends_are_kept_and_the_rest_is_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = output(Some(&dir));
        let lines: Vec<String> = (0..200_000).map(|n| format!("line {n}\n")).collect();
        let whole = lines.concat();
        for part in whole.as_bytes().chunks(7_777) {
            assert_eq!(output.output(part), Flow::GoOn);
        }
        let Rest { text, file } = output.rest(HEAD, TAIL);
        assert!(text.len() <= HEAD + TAIL + 200, "{}", text.len());
        assert!(text.starts_with("line 0\nline 1\n") && text.ends_with("line 199998\nline 199999\n"));
        let (head, gap_and_tail) = text.split_once("[... ").unwrap();
        let (gap, tail) = gap_and_tail.split_once(" ...]\n").unwrap();
        let (first, last) = (head.lines().count(), tail.lines().count());
        let path = dir.path().join("1.log");
        let left_out = (whole.len() - head.len() - tail.len()) as u64;
        let told = format!(
            "{} lines, {} left out here; all of it is in {}",
            200_000 - first - last,
            size(left_out),
            path.display()
        );
        assert_eq!(gap, told);
        assert_eq!(file, Some(path.clone()));
        assert!(System::real().files.read(&path).unwrap() == whole.as_bytes(), "the file holds all of it");
        assert!(output.fresh().len() <= SHOWN && output.is_shown_in_part());
        // A shorter look at the same.
        let short = output.rest(100, 100).text;
        assert!(short.len() < 500 && short.starts_with("line 0\n") && short.ends_with("line 199999\n"));
    }

    #[test]
    fn nothing_grows_beyond_its_bounds() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = output(Some(&dir));
        let part = vec![b'x'; 1 << 20];
        let mut flow = Flow::GoOn;
        let mut pushed = 0;
        while flow == Flow::GoOn {
            flow = output.output(&part);
            pushed += 1;
            assert!(output.with(|kept| kept.raw.len() <= RAW && kept.fresh.len() <= SHOWN));
        }
        assert_eq!(pushed, 1024);
        assert!(output.is_flood());
        assert_eq!(System::real().files.stamp(&dir.path().join("1.log")).unwrap().len, SPILLED);
        let text = output.rest(HEAD, TAIL).text;
        assert!(
            text.contains("0 lines, 1023.9 MiB left out here; the first 64.0 MiB are in "),
            "{}",
            &text[HEAD..HEAD + 200]
        );
        assert_eq!(output.fresh().len(), SHOWN);
    }

    #[test]
    fn a_progress_bar_leaves_one_line() {
        let mut output = output(None);
        for n in 0..300_000 {
            output.output(format!("\r{n:>8} of 300000").as_bytes());
        }
        output.output(b"\ndone\n");
        let text = output.rest(HEAD, TAIL).text;
        assert!(text.ends_with("  299999 of 300000\ndone\n"), "{}", &text[text.len() - 100..]);
        assert!(text.len() < 300, "{text}");
    }

    #[test]
    fn what_is_no_text_is_only_counted() {
        let mut output = output(None);
        output.output(&(0..=255).cycle().take(1 << 18).collect::<Vec<u8>>());
        assert_eq!(output.rest(HEAD, TAIL).text, "[256.0 KiB of output that is no text, not shown]");
        assert_eq!(output.fresh(), "");
    }

    #[test]
    fn a_file_that_cannot_be_made_is_no_reason_to_stop() {
        let mut output = Output::new(System::real(), Some("/nowhere/at/all".into()));
        assert_eq!(output.output(&vec![b'y'; 1 << 20]), Flow::GoOn);
        let Rest { text, file } = output.rest(HEAD, TAIL);
        assert!(file.is_none() && text.contains("left out here ...]"));
    }
}
