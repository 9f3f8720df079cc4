//! `write`: a whole file, new or instead of one that the model has read.

use serde::Deserialize;
use serde_json::Value;

use super::files::{Disk, Loaded, Touch, intent, load, must_be_seen, preview, save};
use super::schema::read;
use super::text::{Encoding, LineEnd, Text};
use super::{Intent, PreviewFuture, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["path", "content"],
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "File; relative to the working folder, or absolute"},
        "content": {"type": "string", "description": "The whole text"}
    }
}"#;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Write;

#[derive(Deserialize)]
struct Arguments {
    path: String,
    content: String,
}

fn parse(arguments: &Value) -> Result<Arguments, ToolOutcome> {
    read("write", SCHEMA, super::PATH_ALIASES, arguments)
}

impl Tool for Write {
    fn name(&self) -> &'static str {
        "write"
    }

    fn description(&self) -> &'static str {
        "Writes a whole text file and creates missing folders. A file that exists must have been read first; its \
         encoding, line ends and final newline are kept. To change a part of a file use edit."
    }

    fn parameters(&self) -> &'static str {
        SCHEMA
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Edit
    }

    fn title(&self, arguments: &Value) -> String {
        super::path_title("Write", arguments)
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        intent(scope, &parse(arguments)?.path, Touch::Write)
    }

    fn preview(&self, arguments: Value, context: ToolContext) -> Option<PreviewFuture> {
        Some(Box::pin(async move {
            let (loaded, raw) = changed(&arguments, &context).await.ok()?;
            preview(loaded, raw?).await
        }))
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move { run(&arguments, &context).await.unwrap_or_else(|failed| failed) })
    }
}

async fn run(arguments: &Value, context: &ToolContext) -> Result<ToolOutcome, ToolOutcome> {
    let (loaded, raw) = changed(arguments, context).await?;
    let shown = loaded.path.shown().to_owned();
    let Some(raw) = raw else {
        return Ok(ToolOutcome::done(format!("{shown} has this content already; nothing was changed")));
    };
    let verb = if loaded.raw().is_none() { "Created" } else { "Wrote" };
    let told = save(context, loaded, raw).await?;
    Ok(ToolOutcome::done(format!("{verb} {shown}: {told}.")))
}

/// The file, and the text that it is to have; `None` where it has it already.
async fn changed(arguments: &Value, context: &ToolContext) -> Result<(Loaded, Option<String>), ToolOutcome> {
    let Arguments { path, content } = parse(arguments)?;
    let loaded = load(context, &path, Touch::Write).await?;
    let shown = loaded.path.shown().to_owned();
    let raw = match (loaded.raw(), &loaded.disk) {
        (Some(before), _) => {
            must_be_seen(&context.scope, &loaded.path, before)?;
            // What is kept of it is its line ends and its end; its encoding is the disk's.
            let text =
                Text { raw: before.to_owned(), encoding: Encoding::Utf8, line_end: LineEnd::of(before) };
            let raw = text.dressed(&content);
            Some(raw).filter(|raw| raw != before)
        }
        (None, Disk::Nothing) => Some(content),
        (None, _) => {
            return Err(ToolOutcome::failed(format!(
                "{shown} is a picture or a binary file, which is not written over; choose another name"
            )));
        }
    };
    Ok((loaded, raw))
}
