//! `find`: files and folders by their names.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;
use serde_json::Value;

use super::files::{Stop, Touch, admitted, aside, failed, intent};
use super::schema::read;
use super::workspace::{Rules, Walk};
use super::{Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};
use crate::system::beneath::Kind;

/// Names that are shown unless another number is asked for.
const NAMES: usize = 500;
const MOST: usize = 5000;

/// Bytes that are shown.
const BYTES: usize = 50 << 10;

/// Globs of one call, and the length of one.
const GLOBS: usize = 50;
const GLOB: usize = 1000;

/// How long is looked.
const TIME: Duration = Duration::from_secs(30);

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["pattern"],
    "properties": {
        "pattern": {"type": "string", "minLength": 1, "description": "Glob, such as *.rs (in any folder) or src/**/*.{ts,tsx} (from path)"},
        "path": {"type": "string", "minLength": 1, "description": "Folder; the working folder if left out"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 5000, "description": "Names at most, 500 if left out"},
        "hidden": {"type": "boolean", "description": "Also names that begin with a dot"},
        "ignored": {"type": "boolean", "description": "Also what .gitignore and .ignore name"}
    }
}"#;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Find;

#[derive(Deserialize)]
struct Arguments {
    pattern: String,
    path: Option<String>,
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
    read("find", SCHEMA, &[("glob", "pattern"), ("file_path", "path")], arguments)
}

impl Tool for Find {
    fn name(&self) -> &'static str {
        "find"
    }

    fn description(&self) -> &'static str {
        "Finds files and folders by a glob, in the order of their paths. Hidden and ignored ones are left out \
         unless asked for."
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
        format!("Find {}{place}", text("pattern").unwrap_or("files"))
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

/// Globs as one matcher of paths relative to where a search begins. One without a slash means a name anywhere.
pub(super) fn globs(patterns: &[String]) -> Result<Option<GlobSet>, ToolOutcome> {
    if patterns.is_empty() {
        return Ok(None);
    }
    if patterns.len() > GLOBS || patterns.iter().any(|pattern| pattern.len() > GLOB) {
        return Err(ToolOutcome::failed(format!("at most {GLOBS} globs of {GLOB} bytes are taken")));
    }
    let fault = |error: globset::Error| ToolOutcome::failed(format!("the glob cannot be read: {error}"));
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let plain = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
        let anywhere = if plain.contains('/') { String::new() } else { "**/".to_owned() };
        let glob = format!("{anywhere}{}", plain.trim_start_matches('/'));
        set.add(GlobBuilder::new(&glob).literal_separator(true).build().map_err(fault)?);
    }
    set.build().map(Some).map_err(fault)
}

fn search(arguments: &Value, context: &ToolContext, stop: &Stop) -> Result<ToolOutcome, ToolOutcome> {
    let arguments = parse(arguments)?;
    let globs = globs(std::slice::from_ref(&arguments.pattern))?;
    let path = admitted(context, arguments.path(), Touch::Read)?;
    let limit = arguments.limit.unwrap_or(NAMES).min(MOST);
    let started = tokio::time::Instant::now();
    let mut out = String::new();
    let mut count = 0;
    let mut end = "";
    let mut walk =
        Walk::new(&context.scope.workspace, Rules { hidden: arguments.hidden, ignored: arguments.ignored });
    walk.below(&path, &mut |entry| {
        if stop.is_set() {
            return ControlFlow::Break(());
        }
        if started.elapsed() > TIME {
            end = "[There may be more: the time was up. Search a smaller folder.]\n";
            return ControlFlow::Break(());
        }
        let relative = entry.path.real().strip_prefix(path.real()).unwrap_or(entry.path.real());
        if globs.as_ref().is_none_or(|globs| globs.is_match(relative)) {
            if count == limit || out.len() > BYTES {
                end = "[There are more: this is as much as is shown. Narrow the search.]\n";
                return ControlFlow::Break(());
            }
            count += 1;
            out.push_str(entry.path.shown());
            out.push_str(if entry.kind == Kind::Folder { "/\n" } else { "\n" });
        }
        ControlFlow::Continue(())
    })
    .map_err(failed)?;
    if out.is_empty() {
        out.push_str("Nothing found.\n");
    }
    out.push_str(end);
    if end.is_empty() && walk.is_cut {
        out.push_str("[Some folders were not searched: they are too deep, too full or closed.]\n");
    }
    if walk.secrets > 0 {
        let _ = writeln!(out, "[{} files that may hold secrets were left out.]", walk.secrets);
    }
    out.pop();
    Ok(ToolOutcome::done(out))
}
