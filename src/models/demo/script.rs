//! Demo scripts: JSON Lines or one JSON array of steps, cut into turns. The format is in `docs/demo.md`.

use serde::Deserialize;
use serde_json::Value;

use crate::models::{Category, Fault, StopReason, Usage};

/// One step of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Say(Piece),
    Repeat {
        piece: Piece,
        times: u64,
    },
    Flood {
        bytes: u64,
        chunk: usize,
    },
    /// `arguments` is JSON text.
    ToolCall {
        name: String,
        arguments: String,
    },
    Wait {
        ms: u64,
    },
    Stall,
    Fail(Box<Fault>),
    Usage(Usage),
    Stop(StopReason),
    Panic,
}

/// Something said.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Thinking(String),
}

/// One step as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Written {
    Text(String),
    Thinking(String),
    Repeat(WrittenRepeat),
    Flood(WrittenFlood),
    ToolCall(WrittenCall),
    WaitMs(u64),
    Stall(bool),
    Fail(WrittenFault),
    Usage(WrittenUsage),
    Stop(WrittenStop),
    Panic(bool),
    Turn(bool),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenRepeat {
    text: Option<String>,
    thinking: Option<String>,
    times: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFlood {
    bytes: u64,
    chunk: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCall {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WrittenFault {
    category: WrittenCategory,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    hint: Option<String>,
    retry_after_ms: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum WrittenCategory {
    ContextOverflow,
    Authentication,
    Permission,
    NotFound,
    PaymentRequired,
    RateLimit,
    Overloaded,
    InvalidRequest,
    Server,
    Timeout,
    Network,
    Tls,
    Dns,
    Protocol,
    TooLarge,
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
struct WrittenUsage {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    provider_cost: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum WrittenStop {
    EndTurn,
    ToolUse,
    MaxTokens,
    Refusal,
}

/// The steps of the `index`-th turn (from 0), the last one's where there are fewer. The whole script is
/// checked, so that a mistake shows at the first turn. The error names the line, or the step of an array.
pub(super) fn turn(script: &[u8], index: usize) -> Result<Vec<Step>, String> {
    let text = std::str::from_utf8(script).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}');
    let mut turns = vec![Vec::new()];
    let mut add = |written: Written, place: String| -> Result<(), String> {
        let step = match written {
            Written::Turn(true) => {
                turns.push(Vec::new());
                return Ok(());
            }
            other => step(other).map_err(|why| format!("{place}: {why}"))?,
        };
        if let (Some(step), Some(turn)) = (step, turns.last_mut()) {
            turn.push(step);
        }
        Ok(())
    };
    if text.trim_start().starts_with('[') {
        let values: Vec<Value> =
            serde_json::from_str(text).map_err(|error| format!("line {}: {error}", error.line()))?;
        for (number, value) in (1..).zip(values) {
            let written = serde_json::from_value(value).map_err(|error| format!("step {number}: {error}"))?;
            add(written, format!("step {number}"))?;
        }
    } else {
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let written = serde_json::from_str(line).map_err(|error| {
                // The parser counts lines within this one.
                let error = error.to_string();
                let error = error.split(" at line ").next().unwrap_or_default();
                format!("line {number}: {error}")
            })?;
            add(written, format!("line {number}"))?;
        }
    }
    // A separator before the first step separates nothing.
    if turns.len() > 1 && turns.first().is_some_and(Vec::is_empty) {
        turns.remove(0);
    }
    let index = index.min(turns.len() - 1);
    Ok(turns.swap_remove(index))
}

fn step(written: Written) -> Result<Option<Step>, String> {
    Ok(Some(match written {
        Written::Text(text) => Step::Say(Piece::Text(text)),
        Written::Thinking(text) => Step::Say(Piece::Thinking(text)),
        Written::Repeat(WrittenRepeat { text: Some(text), thinking: None, times }) => {
            Step::Repeat { piece: Piece::Text(text), times }
        }
        Written::Repeat(WrittenRepeat { text: None, thinking: Some(text), times }) => {
            Step::Repeat { piece: Piece::Thinking(text), times }
        }
        Written::Repeat(_) => return Err("\"repeat\" takes either \"text\" or \"thinking\"".to_owned()),
        Written::Flood(WrittenFlood { chunk: 0, .. }) => {
            return Err("\"chunk\" must be at least 1".to_owned());
        }
        Written::Flood(WrittenFlood { bytes, chunk }) => Step::Flood { bytes, chunk: chunk.min(1 << 20) },
        Written::ToolCall(WrittenCall { name, arguments }) => {
            let arguments = match arguments {
                Value::Null => "{}".to_owned(),
                // Text is sent as it is, so that a script can send arguments that are no JSON.
                Value::String(text) => text,
                other => other.to_string(),
            };
            Step::ToolCall { name, arguments }
        }
        Written::WaitMs(ms) => Step::Wait { ms: ms.min(86_400_000) },
        Written::Fail(written) => Step::Fail(Box::new(fault(written))),
        Written::Usage(usage) => Step::Usage(Usage {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
            provider_cost: usage.provider_cost,
        }),
        Written::Stop(stop) => Step::Stop(match stop {
            WrittenStop::EndTurn => StopReason::EndTurn,
            WrittenStop::ToolUse => StopReason::ToolUse,
            WrittenStop::MaxTokens => StopReason::MaxTokens,
            WrittenStop::Refusal => StopReason::Refusal,
        }),
        Written::Stall(true) => Step::Stall,
        Written::Panic(true) => Step::Panic,
        Written::Stall(false) | Written::Panic(false) | Written::Turn(_) => return Ok(None),
    }))
}

fn fault(written: WrittenFault) -> Fault {
    let category = match written.category {
        WrittenCategory::ContextOverflow => Category::ContextOverflow,
        WrittenCategory::Authentication => Category::Authentication,
        WrittenCategory::Permission => Category::Permission,
        WrittenCategory::NotFound => Category::NotFound,
        WrittenCategory::PaymentRequired => Category::PaymentRequired,
        WrittenCategory::RateLimit => Category::RateLimit,
        WrittenCategory::Overloaded => Category::Overloaded,
        WrittenCategory::InvalidRequest => Category::InvalidRequest,
        WrittenCategory::Server => Category::Server,
        WrittenCategory::Timeout => Category::Timeout,
        WrittenCategory::Network => Category::Network,
        WrittenCategory::Tls => Category::Tls,
        WrittenCategory::Dns => Category::Dns,
        WrittenCategory::Protocol => Category::Protocol,
        WrittenCategory::TooLarge => Category::TooLarge,
        WrittenCategory::Other => Category::Other,
    };
    let message = written.message.unwrap_or_else(|| "the demo script failed as it was told".to_owned());
    Fault {
        status: written.status,
        code: written.code.map(Into::into),
        hint: written.hint,
        retry_after_ms: written.retry_after_ms,
        ..Fault::new(category, message)
    }
}
