//! What the built-in demo model says: plainly that it is none, and how to reach a real one.

use super::TOOL;
use super::script::{Piece, Step};
use crate::models::{Content, Message, Request};

/// Characters of the person's words that are quoted back.
const QUOTED: usize = 200;
/// Characters of them that the tool is handed.
const NOTED: usize = 40;

/// What is said to `request`.
pub(super) fn steps(request: &Request) -> Vec<Step> {
    let asked = request.messages.iter().rposition(|message| matches!(message, Message::User(_)));
    let after = asked.map_or(0, |index| index + 1);
    let since = request.messages.get(after..).unwrap_or_default();
    let result = since.iter().rev().find_map(|message| match message {
        Message::ToolResult { content, is_error, .. } => Some((text_of(content), *is_error)),
        Message::User(_) | Message::Assistant(_) => None,
    });
    let quoted = asked
        .and_then(|index| request.messages.get(index))
        .map(|message| match message {
            Message::User(content) => cut(&text_of(content)),
            Message::Assistant(_) | Message::ToolResult { .. } => String::new(),
        })
        .unwrap_or_default();
    if let Some((result, is_error)) = result {
        return closing(&result, is_error);
    }
    opening(&quoted, request.tools.iter().any(|tool| tool.name == TOOL))
}

fn opening(quoted: &str, tool: bool) -> Vec<Step> {
    let mut steps = vec![
        thinking("No real model is set up, so this thinking is scripted. "),
        thinking("I will say so, show how an answer looks, and tell how to sign in."),
        text(
            "I am **demo**, a scripted stand-in and not a language model: nothing was sent anywhere, and I do not understand what you write.\n\n",
        ),
    ];
    if quoted.is_empty() {
        steps.push(text("You sent no words.\n\n"));
    } else {
        let lines: Vec<String> = quoted.lines().map(|line| format!("> {line}")).collect();
        steps.push(text(&format!("You wrote:\n\n{}\n\n", lines.join("\n"))));
    }
    if tool {
        steps
            .push(text("A real model would now use tools. I call one that touches nothing, to show it:\n\n"));
        let note: String = quoted.lines().next().unwrap_or_default().chars().take(NOTED).collect();
        let words = quoted.to_lowercase();
        let arguments = if words.contains("ask me") {
            serde_json::json!({ "question": "What should I have asked you?" })
        } else if words.contains("permission") {
            serde_json::json!({ "note": note })
        } else {
            // Harmless by its own word, so that nobody has to be asked before the first answer is seen.
            serde_json::json!({ "note": note, "harmless": true })
        };
        let arguments = arguments.to_string();
        steps.push(Step::ToolCall { name: TOOL.to_owned(), arguments });
    } else {
        steps.extend(how_to_sign_in());
    }
    steps
}

fn closing(result: &str, is_error: bool) -> Vec<Step> {
    let verb = if is_error { "failed and said" } else { "answered" };
    let result = cut(result);
    let mut steps = if result.is_empty() {
        vec![text("The tool has finished.\n\n")]
    } else {
        let result = result.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
        vec![text(&format!("The tool {verb}: `{result}`\n\n"))]
    };
    steps.extend(how_to_sign_in());
    steps
}

fn how_to_sign_in() -> Vec<Step> {
    [
        "To talk to a real model, do one of these:\n\n",
        "- sign in to a provider: `aside login groq`, or `login` in your editor\n",
        "- set a provider's key in the environment, for example `GROQ_API_KEY`\n",
        "- try a key once: `aside prompt --provider groq --api-key KEY \"hello\"`\n",
        "- name a local model server, such as Ollama, LM Studio, llama.cpp or vLLM, in `models.json`\n",
        "\n`aside providers` lists the providers that can be used.\n",
    ]
    .map(text)
    .into()
}

fn text(text: &str) -> Step {
    Step::Say(Piece::Text(text.to_owned()))
}

fn thinking(text: &str) -> Step {
    Step::Say(Piece::Thinking(text.to_owned()))
}

fn text_of(content: &[Content]) -> String {
    let mut all = String::new();
    for piece in content {
        if let Content::Text(text) = piece {
            if !all.is_empty() {
                all.push('\n');
            }
            // More is never shown, however long the message is.
            all.extend(text.chars().take(QUOTED + 1));
        }
        if all.len() > 8 * QUOTED {
            break;
        }
    }
    all
}

/// The first [`QUOTED`] characters, without control characters that a terminal would obey.
fn cut(text: &str) -> String {
    let clean = |char: &char| !char.is_control() || *char == '\n' || *char == '\t';
    let trimmed = text.trim();
    let mut quoted: String = trimmed.chars().filter(clean).take(QUOTED).collect();
    if trimmed.chars().filter(clean).nth(QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}
