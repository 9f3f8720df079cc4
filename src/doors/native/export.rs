//! A conversation written out: for people as Markdown, for programs as the items that clients get.

use std::sync::Arc;

use super::convert;
use crate::engine::{ExportFormat, Item, ItemBody, ItemStatus, SessionInfo};
use serde_json::json;

/// The whole text.
pub(super) fn text(info: &SessionInfo, items: &[Arc<Item>], format: ExportFormat) -> String {
    match format {
        ExportFormat::Json => {
            let items: Vec<_> = items.iter().map(|item| convert::item(item)).collect();
            let all = json!({ "session": convert::info(info), "items": items });
            // Nothing in it could fail to be written.
            serde_json::to_string_pretty(&all).unwrap_or_default()
        }
        ExportFormat::Markdown => markdown(info, items),
    }
}

fn markdown(info: &SessionInfo, items: &[Arc<Item>]) -> String {
    let title = info.title.as_deref().unwrap_or("Conversation");
    let mut text = format!("# {}\n", title.replace('\n', " "));
    let mut push = |part: &str| {
        text.push('\n');
        text.push_str(part.trim_end());
        text.push('\n');
    };
    for item in items {
        match &item.body {
            ItemBody::User { .. } => push(&quoted(&item.text)),
            ItemBody::Text { .. } => push(&item.text),
            ItemBody::Thinking { .. } if item.text.is_empty() => {}
            ItemBody::Thinking { .. } => {
                let body = format!("<details><summary>Thinking</summary>\n\n{}\n\n</details>", item.text);
                push(&body);
            }
            ItemBody::ToolCall(call) => {
                let failed = if item.status == ItemStatus::Completed { "" } else { " (not done)" };
                push(&format!("**{}**{failed}\n\n{}", call.title, fenced(&item.text, "")));
            }
            ItemBody::FileChange(_) => push(&fenced(&item.text, "diff")),
            ItemBody::Command(command) => {
                push(&format!(
                    "{}\n\n{}",
                    fenced(&format!("$ {}", command.line), ""),
                    fenced(&item.text, "")
                ));
            }
            ItemBody::Notice { .. } => push(&format!("*{}*", item.text)),
        }
    }
    text
}

fn quoted(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    format!("> {}", lines.join("\n> "))
}

/// In a fence that nothing in the text can end.
fn fenced(text: &str, language: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().bytes().take_while(|byte| *byte == b'`').count());
    let fence = "`".repeat(longest.max().unwrap_or(0).max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", text.trim_end())
}
