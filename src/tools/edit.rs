//! `edit`: exact replacements in a file that the model has read.

use serde::Deserialize;
use serde_json::Value;

use super::edits::{Edit as Replacement, apply};
use super::files::{Disk, Loaded, Touch, aside, intent, load, missing, must_be_seen, preview, save};
use super::schema::read;
use super::{Intent, PreviewFuture, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["path", "edits"],
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "File; relative to the working folder, or absolute"},
        "edits": {
            "type": "array",
            "minItems": 1,
            "description": "All are made or none; each is looked for in the file as it is now; they must not overlap",
            "items": {
                "type": "object",
                "required": ["oldText", "newText"],
                "properties": {
                    "oldText": {"type": "string", "description": "Exact text, with its indentation; once in the file"},
                    "newText": {"type": "string", "description": "What is to stand there"},
                    "replaceAll": {"type": "boolean", "description": "Wherever it occurs"}
                }
            }
        }
    }
}"#;

/// What models call these by habit.
const ALIASES: &[(&str, &str)] = &[
    ("file_path", "path"),
    ("filePath", "path"),
    ("old_string", "oldText"),
    ("oldString", "oldText"),
    ("old_text", "oldText"),
    ("new_string", "newText"),
    ("newString", "newText"),
    ("new_text", "newText"),
    ("replace_all", "replaceAll"),
];

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Edit;

#[derive(Deserialize)]
struct Arguments {
    path: String,
    edits: Vec<OneEdit>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneEdit {
    old_text: String,
    new_text: String,
    #[serde(default)]
    replace_all: bool,
}

fn parse(arguments: &Value) -> Result<Arguments, ToolOutcome> {
    // A single edit without the list around it.
    let mut given = arguments.clone();
    if let Value::Object(map) = &mut given
        && !map.contains_key("edits")
    {
        let names =
            ALIASES.iter().flat_map(|(alias, name)| [*alias, *name]).filter(|name| !name.contains("ath"));
        let single: serde_json::Map<String, Value> =
            names.filter_map(|name| Some((name.to_owned(), map.remove(name)?))).collect();
        if !single.is_empty() {
            map.insert("edits".to_owned(), Value::Array(vec![Value::Object(single)]));
        }
    }
    read("edit", SCHEMA, ALIASES, &given)
}

impl Tool for Edit {
    fn name(&self) -> &'static str {
        "edit"
    }

    fn description(&self) -> &'static str {
        "Replaces exact texts in a file that has been read. Each oldText must be in the file once, or replaceAll \
         be set. Line ends and encoding are kept."
    }

    fn parameters(&self) -> &'static str {
        SCHEMA
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Edit
    }

    fn title(&self, arguments: &Value) -> String {
        super::path_title("Edit", arguments)
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        intent(scope, &parse(arguments)?.path, Touch::Write)
    }

    fn preview(&self, arguments: Value, context: ToolContext) -> Option<PreviewFuture> {
        Some(Box::pin(async move {
            let (loaded, raw) = changed(&arguments, &context).await.ok()?;
            preview(loaded, raw).await
        }))
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move { run(&arguments, &context).await.unwrap_or_else(|failed| failed) })
    }
}

async fn run(arguments: &Value, context: &ToolContext) -> Result<ToolOutcome, ToolOutcome> {
    let (loaded, raw) = changed(arguments, context).await?;
    let shown = loaded.path.shown().to_owned();
    let told = save(context, loaded, raw).await?;
    Ok(ToolOutcome::done(format!("Edited {shown}: {told}.")))
}

/// The file, and the text that it is to have.
async fn changed(arguments: &Value, context: &ToolContext) -> Result<(Loaded, String), ToolOutcome> {
    let Arguments { path, edits } = parse(arguments)?;
    let loaded = load(context, &path, Touch::Write).await?;
    let shown = loaded.path.shown().to_owned();
    let Some(before) = loaded.raw().map(str::to_owned) else {
        return Err(ToolOutcome::failed(match &loaded.disk {
            Disk::Nothing => missing(&context.scope, &loaded.path),
            _ => format!("{shown} is a picture or a binary file, which cannot be edited"),
        }));
    };
    must_be_seen(&context.scope, &loaded.path, &before)?;
    let edits: Vec<Replacement> = edits
        .into_iter()
        .map(|edit| Replacement { old: edit.old_text, new: edit.new_text, all: edit.replace_all })
        .collect();
    let raw = aside(move |_| apply(&before, &edits)).await?;
    let raw = raw.map_err(|why| ToolOutcome::failed(format!("{shown}: {why}")))?;
    Ok((loaded, raw))
}
