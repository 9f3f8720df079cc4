//! `grep`: lines that match a regular expression, below a folder or in one file, by the libraries of ripgrep.

use std::fmt::Write as _;
use std::fs::File;
use std::ops::ControlFlow;
use std::time::Duration;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{
    BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkContextKind, SinkMatch,
};
use serde::Deserialize;
use serde_json::Value;

use super::files::{Stop, Touch, admitted, aside, failed, intent};
use super::find::globs;
use super::schema::read;
use super::workspace::{Rules, Walk, WorkspacePath};
use super::{Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};
use crate::system::beneath::Kind;

/// Matches that are shown unless another number is asked for, and the most that can be asked for.
const MATCHES: usize = 200;
const MOST: usize = 5000;

/// Bytes that are shown.
const BYTES: usize = 50 << 10;

/// Bytes of one line that are shown.
const LINE: usize = 500;

/// Bytes of one file; larger ones are no text that anybody wrote.
const FILE: u64 = 64 << 20;

/// Memory that one line may take.
const HEAP: usize = 16 << 20;

/// Memory that an expression may take once it is compiled.
const EXPRESSION: usize = 8 << 20;

/// How long is searched.
const TIME: Duration = Duration::from_secs(30);

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["pattern"],
    "properties": {
        "pattern": {"type": "string", "minLength": 1, "description": "Regular expression, as ripgrep takes it"},
        "path": {"type": "string", "minLength": 1, "description": "File or folder; the working folder if left out"},
        "glob": {"type": "array", "items": {"type": "string"}, "description": "Only files of these names, such as *.rs or src/**/*.ts"},
        "mode": {"type": "string", "enum": ["content", "files", "count"], "description": "content: matching lines (default); files: names only; count: matches of each file"},
        "ignoreCase": {"type": "boolean"},
        "literal": {"type": "boolean", "description": "The pattern is plain text"},
        "multiline": {"type": "boolean", "description": "A match may go over several lines"},
        "context": {"type": "integer", "minimum": 0, "maximum": 50, "description": "Lines shown around each match"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 5000, "description": "Matches at most, 200 if left out"},
        "hidden": {"type": "boolean", "description": "Also names that begin with a dot"},
        "ignored": {"type": "boolean", "description": "Also what .gitignore and .ignore name"}
    }
}"#;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Grep;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Mode {
    #[default]
    Content,
    Files,
    Count,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the arguments as the model writes them")]
struct Arguments {
    pattern: String,
    path: Option<String>,
    #[serde(default)]
    glob: Vec<String>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    literal: bool,
    #[serde(default)]
    multiline: bool,
    #[serde(default)]
    context: usize,
    limit: Option<usize>,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    ignored: bool,
}

impl Arguments {
    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(".")
    }
}

fn parse(arguments: &Value) -> Result<Arguments, ToolOutcome> {
    const ALIASES: &[(&str, &str)] =
        &[("file_path", "path"), ("ignore_case", "ignoreCase"), ("include", "glob"), ("query", "pattern")];
    read("grep", SCHEMA, ALIASES, arguments)
}

impl Tool for Grep {
    fn name(&self) -> &'static str {
        "grep"
    }

    fn description(&self) -> &'static str {
        "Searches the text of files with a regular expression. Hidden and ignored files are left out unless asked \
         for; files that may hold secrets are searched only when path names them."
    }

    fn parameters(&self) -> &'static str {
        SCHEMA
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Search
    }

    fn is_parallel(&self) -> bool {
        true
    }

    fn title(&self, arguments: &Value) -> String {
        let text = |name| arguments.get(name).and_then(Value::as_str);
        let place = text("path").map(|path| format!(" in {path}")).unwrap_or_default();
        format!("Search for {}{place}", text("pattern").unwrap_or("something"))
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        intent(scope, parse(arguments)?.path(), Touch::Read)
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move {
            let found = aside(move |stop| search(&arguments, &context, stop)).await;
            found.and_then(|found| found).unwrap_or_else(|failed| failed)
        })
    }
}

fn matcher(arguments: &Arguments) -> Result<RegexMatcher, ToolOutcome> {
    let mut builder = RegexMatcherBuilder::new();
    builder.case_insensitive(arguments.ignore_case).fixed_strings(arguments.literal).size_limit(EXPRESSION);
    builder.dfa_size_limit(EXPRESSION).multi_line(true);
    if !arguments.multiline {
        builder.line_terminator(Some(b'\n'));
    }
    builder.build(&arguments.pattern).map_err(|error| {
        ToolOutcome::failed(format!(
            "the pattern is no regular expression: {error}; set literal to search for plain text"
        ))
    })
}

fn search(arguments: &Value, context: &ToolContext, stop: &Stop) -> Result<ToolOutcome, ToolOutcome> {
    let arguments = parse(arguments)?;
    let matcher = matcher(&arguments)?;
    let globs = globs(&arguments.glob)?;
    let path = admitted(context, arguments.path(), Touch::Read)?;
    let workspace = &context.scope.workspace;
    let searcher = SearcherBuilder::new()
        .line_number(true)
        .multi_line(arguments.multiline)
        .before_context(arguments.context)
        .after_context(arguments.context)
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(HEAP))
        .build();
    let mut hunt = Hunt {
        matcher,
        searcher,
        mode: arguments.mode,
        limit: arguments.limit.unwrap_or(MATCHES).min(MOST),
        has_context: arguments.context > 0,
        out: String::new(),
        matches: 0,
        files: 0,
        left_out: 0,
        end: None,
    };
    let look = workspace.look(&path).map_err(failed)?;
    let mut secrets = 0;
    if look.kind == Kind::Folder {
        let started = tokio::time::Instant::now();
        let rules = Rules { hidden: arguments.hidden, ignored: arguments.ignored };
        let mut walk = Walk::new(workspace, rules);
        walk.below(&path, &mut |entry| {
            if stop.is_set() {
                return ControlFlow::Break(());
            }
            if started.elapsed() > TIME {
                hunt.end = Some(End::Time);
                return ControlFlow::Break(());
            }
            let relative = entry.path.real().strip_prefix(path.real()).unwrap_or(entry.path.real());
            if entry.kind == Kind::File
                && globs.as_ref().is_none_or(|globs| globs.is_match(relative))
                && let Ok((file, look)) = entry.open()
            {
                hunt.file(&entry.path, &file, look.len, stop);
            }
            if hunt.end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(failed)?;
        secrets = walk.secrets;
        hunt.end = hunt.end.or(walk.is_cut.then_some(End::Walk));
    } else {
        let (file, look) = workspace.file(&path).map_err(failed)?;
        hunt.file(&path, &file, look.len, stop);
    }
    Ok(ToolOutcome::done(hunt.told(secrets)))
}

/// Why a search ended before everything was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Limit,
    Bytes,
    Time,
    Walk,
}

struct Hunt {
    matcher: RegexMatcher,
    searcher: Searcher,
    mode: Mode,
    limit: usize,
    has_context: bool,
    out: String,
    matches: usize,
    /// Files with matches.
    files: usize,
    /// Files that were too large.
    left_out: usize,
    end: Option<End>,
}

impl Hunt {
    fn file(&mut self, path: &WorkspacePath, file: &File, len: u64, stop: &Stop) {
        if len > FILE {
            self.left_out += 1;
            return;
        }
        let before = self.out.len();
        let matches_before = self.matches;
        let Self { matcher, searcher, .. } = self;
        let (matcher, mut searcher) = (matcher.clone(), searcher.clone());
        let mut lines =
            Lines { hunt: self, path: path.shown(), stop, found: 0, is_binary: false, text: String::new() };
        let searched = searcher.search_file(&matcher, file, &mut lines);
        let Lines { found, is_binary, text, .. } = lines;
        if is_binary || searched.is_err() {
            // What was found before the first sign of it being no text does not count.
            self.out.truncate(before);
            self.matches = matches_before;
            self.left_out += usize::from(searched.is_err());
            return;
        }
        if found == 0 {
            return;
        }
        self.files += 1;
        match self.mode {
            Mode::Content => self.out.push_str(&text),
            Mode::Files => {
                let _ = writeln!(self.out, "{}", path.shown());
            }
            Mode::Count => {
                let _ = writeln!(self.out, "{}:{found}", path.shown());
            }
        }
        if self.out.len() >= BYTES {
            self.end = Some(End::Bytes);
        }
        let count = if self.mode == Mode::Content { self.matches } else { self.files };
        if count >= self.limit {
            self.end = Some(End::Limit);
        }
    }

    fn told(self, secrets: usize) -> String {
        let mut out = self.out;
        if out.is_empty() {
            out.push_str("No matches.\n");
        }
        out.push_str(match self.end {
            Some(End::Limit) => {
                "[There may be more: the limit is reached. Narrow the search or raise limit.]\n"
            }
            Some(End::Bytes) => "[There may be more: this is as much as is shown. Narrow the search.]\n",
            Some(End::Time) => "[There may be more: the time was up. Search a smaller folder.]\n",
            Some(End::Walk) => "[Some folders were not searched: they are too deep, too full or closed.]\n",
            None => "",
        });
        if self.left_out > 0 {
            let _ = writeln!(out, "[{} files were left out as too large or unreadable.]", self.left_out);
        }
        if secrets > 0 {
            let _ = writeln!(out, "[{secrets} files that may hold secrets were left out.]");
        }
        out.pop();
        out
    }
}

/// Takes the matches of one file.
struct Lines<'h> {
    hunt: &'h mut Hunt,
    path: &'h str,
    stop: &'h Stop,
    found: usize,
    is_binary: bool,
    text: String,
}

impl Lines<'_> {
    fn push(&mut self, number: Option<u64>, mark: char, bytes: &[u8]) {
        if self.hunt.mode != Mode::Content {
            return;
        }
        for (at, line) in (0..).zip(String::from_utf8_lossy(bytes).lines()) {
            let cut = line.get(..line.floor_char_boundary(LINE)).unwrap_or_default();
            let more = if cut.len() < line.len() { "…" } else { "" };
            let number = number.unwrap_or(0) + at;
            let _ = writeln!(self.text, "{}{mark}{number}{mark}{cut}{more}", self.path);
        }
    }

    fn is_full(&self) -> bool {
        self.stop.is_set() || self.hunt.out.len() + self.text.len() >= BYTES
    }
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        self.found += 1;
        self.hunt.matches += 1;
        self.push(found.line_number(), ':', found.bytes());
        Ok(!self.is_full()
            && match self.hunt.mode {
                Mode::Content => self.hunt.matches < self.hunt.limit,
                Mode::Files => false,
                Mode::Count => true,
            })
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, Self::Error> {
        if *context.kind() != SinkContextKind::Other {
            self.push(context.line_number(), '-', context.bytes());
        }
        Ok(!self.is_full())
    }

    fn context_break(&mut self, _: &Searcher) -> Result<bool, Self::Error> {
        if self.hunt.has_context && self.hunt.mode == Mode::Content {
            self.text.push_str("--\n");
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, Self::Error> {
        self.is_binary = true;
        Ok(false)
    }
}
