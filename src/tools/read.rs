//! `read`: the lines of a text with their numbers, or a picture.

use std::fmt::Write as _;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;

use super::files::{Disk, Loaded, Touch, intent, load, missing, note_seen};
use super::schema::read;
use super::text::{Encoding, LineEnd, plain};
use super::{Image, Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};

/// Lines that are shown unless another number is asked for.
const LINES: usize = 2000;

/// Bytes that are shown.
const BYTES: usize = 50 << 10;

/// Bytes of one line that are shown.
const LINE: usize = 2000;

/// Bytes of a picture: providers take 5 MiB of base64.
const PICTURE: usize = 3_900_000;

const SCHEMA: &str = r#"{
    "type": "object",
    "required": ["path"],
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "File; relative to the working folder, or absolute"},
        "offset": {"type": "integer", "description": "First line, from 1; negative: so many lines from the end"},
        "limit": {"type": "integer", "minimum": 1, "description": "Lines at most"}
    }
}"#;

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Read;

#[derive(Deserialize)]
struct Arguments {
    path: String,
    offset: Option<i64>,
    limit: Option<usize>,
}

fn parse(arguments: &Value) -> Result<Arguments, ToolOutcome> {
    read("read", SCHEMA, super::PATH_ALIASES, arguments)
}

impl Tool for Read {
    fn name(&self) -> &'static str {
        "read"
    }

    fn description(&self) -> &'static str {
        "Reads a text file, each line after its number and a tab (neither is in the file), or a picture \
         (PNG, JPEG, GIF, WebP). At most 2000 lines and 50 KiB a call; read on with offset."
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
        super::path_title("Read", arguments)
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        intent(scope, &parse(arguments)?.path, Touch::Read)
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move { run(&arguments, &context).await.unwrap_or_else(|failed| failed) })
    }
}

async fn run(arguments: &Value, context: &ToolContext) -> Result<ToolOutcome, ToolOutcome> {
    let Arguments { path, offset, limit } = parse(arguments)?;
    let loaded = load(context, &path, Touch::Read).await?;
    let context = context.clone();
    super::files::aside(move |_| answer(&context, &loaded, offset, limit)).await?
}

fn answer(
    context: &ToolContext,
    loaded: &Loaded,
    offset: Option<i64>,
    limit: Option<usize>,
) -> Result<ToolOutcome, ToolOutcome> {
    let shown = loaded.path.shown();
    if let Some(raw) = loaded.raw() {
        note_seen(&context.scope, &loaded.path, raw);
        let mut text = page(shown, &plain(raw), offset, limit).map_err(ToolOutcome::failed)?;
        text.push_str(&remarks(loaded));
        return Ok(ToolOutcome::done(text));
    }
    match &loaded.disk {
        Disk::Image(bytes, kind) if bytes.len() <= PICTURE => Ok(ToolOutcome {
            text: format!("[{shown} is a picture: {kind}, {} bytes]", bytes.len()),
            images: vec![Image {
                mime_type: (*kind).to_owned(),
                data: base64::engine::general_purpose::STANDARD.encode(bytes),
            }],
            ..ToolOutcome::default()
        }),
        Disk::Image(bytes, _) => Err(ToolOutcome::failed(format!(
            "{shown} is a picture of {} bytes; {PICTURE} are the most that can be looked at; make it smaller first",
            bytes.len()
        ))),
        Disk::Binary(len) => Err(ToolOutcome::failed(format!(
            "{shown} is a binary file of {len} bytes, which cannot be read as text"
        ))),
        Disk::Nothing | Disk::Text(..) => Err(ToolOutcome::failed(missing(&context.scope, &loaded.path))),
    }
}

/// What is not to be seen in the lines.
fn remarks(loaded: &Loaded) -> String {
    let mut remarks = String::new();
    if loaded.editor.is_some() {
        remarks.push_str("\n[This is the text in the editor; it may not be saved.]");
    }
    if let Some(why) = &loaded.silence {
        let _ = write!(remarks, "\n[This is the text on the disk, which may be old: {why}.]");
    }
    if let Disk::Text(_, text) = &loaded.disk {
        if text.encoding != Encoding::Utf8 {
            let _ = write!(remarks, "\n[The file is {}; that is kept.]", text.encoding.name());
        }
        if text.line_end == LineEnd::CrLf {
            remarks.push_str("\n[Lines end in CR LF; that is kept, write them with LF.]");
        }
    }
    remarks
}

/// The lines asked for with their numbers, and how to go on.
fn page(shown: &str, text: &str, offset: Option<i64>, limit: Option<usize>) -> Result<String, String> {
    if text.is_empty() {
        return Ok(format!("[{shown} is empty]"));
    }
    let lines: Vec<&str> = text.lines().collect();
    let first = match offset.unwrap_or(1) {
        0 => 0,
        from_end if from_end < 0 => {
            lines.len().saturating_sub(usize::try_from(from_end.unsigned_abs()).unwrap_or(usize::MAX))
        }
        line => usize::try_from(line - 1).unwrap_or(usize::MAX),
    };
    if first >= lines.len() {
        return Err(format!(
            "{shown} has {} lines; line {} is not there",
            lines.len(),
            first.saturating_add(1)
        ));
    }
    let mut page = String::new();
    let mut shown_lines = 0;
    for (at, line) in lines.iter().enumerate().skip(first).take(limit.unwrap_or(LINES).min(LINES)) {
        let cut = line.get(..line.floor_char_boundary(LINE)).unwrap_or_default();
        let more = line.len() - cut.len();
        let more = if more > 0 { format!("… [{more} more bytes]") } else { String::new() };
        let entry = format!("{:>6}\t{cut}{more}\n", at + 1);
        if shown_lines > 0 && page.len() + entry.len() > BYTES {
            break;
        }
        page.push_str(&entry);
        shown_lines += 1;
    }
    page.pop();
    let last = first + shown_lines;
    if last < lines.len() {
        let _ = write!(
            page,
            "\n[Lines {} to {last} of {}. Go on with offset {}.]",
            first + 1,
            lines.len(),
            last + 1
        );
    } else if !text.ends_with('\n') {
        page.push_str("\n[The last line has no end.]");
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_where_they_are_and_how_to_go_on() {
        let mut text = (1..=10).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        text.push('\n');
        assert_eq!(
            page("f", &text, Some(3), Some(2)).unwrap(),
            "     3\tline 3\n     4\tline 4\n[Lines 3 to 4 of 10. Go on with offset 5.]"
        );
        assert_eq!(page("f", &text, Some(-1), None).unwrap(), "    10\tline 10");
        assert_eq!(page("f", &text, Some(-99), Some(1)).unwrap().lines().next(), Some("     1\tline 1"));
        assert_eq!(
            page("f", "a\nb", None, None).unwrap(),
            "     1\ta\n     2\tb\n[The last line has no end.]"
        );
        assert_eq!(page("f", "", None, None).unwrap(), "[f is empty]");
        assert_eq!(page("f", &text, Some(11), None).unwrap_err(), "f has 10 lines; line 11 is not there");
        assert!(page("f", &text, Some(i64::MAX), None).is_err());
        assert!(page("f", &text, Some(i64::MIN), None).is_ok());
    }

    #[test]
    fn long_lines_and_many_lines_are_cut() {
        let long = format!("{}é\nnext\n", "x".repeat(LINE - 1));
        let shown = page("f", &long, None, None).unwrap();
        assert!(shown.contains("x… [2 more bytes]\n     2\tnext"), "{}", shown.len());
        let many = "some words\n".repeat(100_000);
        let shown = page("f", &many, None, None).unwrap();
        assert!(shown.ends_with("[Lines 1 to 2000 of 100000. Go on with offset 2001.]"));
        let wide = format!("{}\n", "y".repeat(1500)).repeat(1000);
        let shown = page("f", &wide, None, Some(5000)).unwrap();
        assert!(shown.len() <= BYTES + 100 && shown.contains("Go on with offset 34."), "{}", shown.len());
    }
}
