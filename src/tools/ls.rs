//! `ls`: what lies in a folder.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use serde::Deserialize;
use serde_json::Value;

use super::files::{Touch, admitted, aside, failed, intent};
use super::schema::read;
use super::workspace::{Rules, Walk};
use super::{Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};
use crate::system::beneath::Kind;

/// Names that are shown unless another number is asked for.
const NAMES: usize = 500;
const MOST: usize = 5000;

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "Folder; the working folder if left out"},
        "hidden": {"type": "boolean", "description": "Also names that begin with a dot"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 5000, "description": "Names at most, 500 if left out"}
    }
}"#;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Ls;

#[derive(Deserialize)]
struct Arguments {
    path: Option<String>,
    #[serde(default)]
    hidden: bool,
    limit: Option<usize>,
}

impl Arguments {
    fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(".")
    }
}

fn parse(arguments: &Value) -> Result<Arguments, ToolOutcome> {
    read("ls", SCHEMA, &[("file_path", "path"), ("all", "hidden")], arguments)
}

impl Tool for Ls {
    fn name(&self) -> &'static str {
        "ls"
    }

    fn description(&self) -> &'static str {
        "Lists a folder in the order of names: folders end in /, links in @, files are followed by their size in bytes."
    }

    fn parameters(&self) -> &'static str {
        SCHEMA
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Read
    }

    fn is_parallel(&self) -> bool {
        true
    }

    fn title(&self, arguments: &Value) -> String {
        super::path_title("List", arguments)
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        intent(scope, parse(arguments)?.path(), Touch::Read)
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move {
            let listed = aside(move |_| list(&arguments, &context)).await;
            listed.and_then(|listed| listed).unwrap_or_else(|failed| failed)
        })
    }
}

fn list(arguments: &Value, context: &ToolContext) -> Result<ToolOutcome, ToolOutcome> {
    let arguments = parse(arguments)?;
    let path = admitted(context, arguments.path(), Touch::Read)?;
    let limit = arguments.limit.unwrap_or(NAMES).min(MOST);
    let mut out = String::new();
    let mut count = 0_usize;
    let mut walk = Walk::new(&context.scope.workspace, Rules { hidden: arguments.hidden, ignored: true });
    walk.level(&path, &mut |entry| {
        count += 1;
        if count <= limit {
            let name = entry.path.real().file_name().unwrap_or_default().to_string_lossy();
            let about = match entry.kind {
                Kind::Folder => "/".to_owned(),
                Kind::Link => "@".to_owned(),
                Kind::Other(what) => format!(" ({what})"),
                Kind::File => entry.look().map_or_else(|_| String::new(), |look| format!(" {}", look.len)),
            };
            let _ = writeln!(out, "{name}{about}");
        }
        ControlFlow::Continue(())
    })
    .map_err(failed)?;
    if out.is_empty() {
        out.push_str("[The folder is empty.]\n");
    }
    if count > limit || walk.is_cut {
        let _ = writeln!(out, "[{} more; raise limit or use find.]", count.saturating_sub(limit));
    }
    out.pop();
    Ok(ToolOutcome::done(out))
}
