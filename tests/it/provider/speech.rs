//! Whole answers as each wire API speaks them, written from the providers' own documents.

use super::Reply;

/// Text in two pieces, and an end.
pub(crate) fn text(wire: &str, one: &str, two: &str) -> Reply {
    match wire {
        "openai-completions" => super::completions::answer(&[one, two]),
        "mistral-conversations" => {
            let piece = |text: &str| {
                format!(r#"{{"id":"m1","model":"m","choices":[{{"index":0,"delta":{{"content":{}}},"finish_reason":null}}]}}"#, quoted(text))
            };
            let end = r#"{"id":"m1","model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;
            Reply::sse([piece(one), piece(two), end.to_owned(), "[DONE]".to_owned()])
        }
        "anthropic-messages" => anthropic(&[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#.to_owned(),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{}}}}}"#, quoted(one)),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{}}}}}"#, quoted(two)),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        ], "end_turn"),
        "openai-responses" | "azure-openai-responses" | "openai-codex-responses" => responses(&[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1","role":"assistant","status":"in_progress","content":[]}}"#.to_owned(),
            r#"{"type":"response.content_part.added","output_index":0,"item_id":"msg_1","content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#.to_owned(),
            format!(r#"{{"type":"response.output_text.delta","output_index":0,"item_id":"msg_1","content_index":0,"delta":{}}}"#, quoted(one)),
            format!(r#"{{"type":"response.output_text.delta","output_index":0,"item_id":"msg_1","content_index":0,"delta":{}}}"#, quoted(two)),
            format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{{"type":"output_text","text":{},"annotations":[]}}]}}}}"#, quoted(&format!("{one}{two}"))),
        ]),
        "google-generative-ai" | "google-vertex" => google(&[
            format!(r#"{{"text":{}}}"#, quoted(one)),
            format!(r#"{{"text":{}}}"#, quoted(two)),
        ]),
        "bedrock-converse-stream" => bedrock(&[
            ("contentBlockDelta", format!(r#"{{"contentBlockIndex":0,"delta":{{"text":{}}}}}"#, quoted(one))),
            ("contentBlockDelta", format!(r#"{{"contentBlockIndex":0,"delta":{{"text":{}}}}}"#, quoted(two))),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#.to_owned()),
        ], "end_turn"),
        other => panic!("{other} is not spoken here"),
    }
}

/// A call of one tool, its arguments in two pieces where the API has pieces.
pub(crate) fn tool_call(wire: &str, name: &str) -> Reply {
    match wire {
        "openai-completions" => Reply::sse([
            format!(r#"{{"id":"c1","choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"id":"call_12345","type":"function","function":{{"name":"{name}","arguments":"{{\"pa"}}}}]}}}}]}}"#),
            r#"{"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"th\":\"a\"}"}}]}}]}"#.to_owned(),
            r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
            "[DONE]".to_owned(),
        ]),
        "mistral-conversations" => Reply::sse([
            format!(r#"{{"id":"m1","model":"m","choices":[{{"index":0,"delta":{{"content":"","tool_calls":[{{"id":"Abc123xyz","index":0,"function":{{"name":"{name}","arguments":"{{\"path\":\"a\"}}"}}}}]}},"finish_reason":"tool_calls"}}],"usage":{{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}}}"#),
            "[DONE]".to_owned(),
        ]),
        "anthropic-messages" => anthropic(&[
            format!(r#"{{"type":"content_block_start","index":0,"content_block":{{"type":"tool_use","id":"toolu_1","name":"{name}","input":{{}}}}}}"#),
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"pa"}}"#.to_owned(),
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"th\":\"a\"}"}}"#.to_owned(),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
        ], "tool_use"),
        "openai-responses" | "azure-openai-responses" | "openai-codex-responses" => responses(&[
            format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{{"type":"function_call","id":"fc_1","call_id":"call_1","name":"{name}","arguments":"","status":"in_progress"}}}}"#),
            r#"{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"{\"pa"}"#.to_owned(),
            r#"{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"th\":\"a\"}"}"#.to_owned(),
            r#"{"type":"response.function_call_arguments.done","output_index":0,"item_id":"fc_1","arguments":"{\"path\":\"a\"}"}"#.to_owned(),
            format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{{"type":"function_call","id":"fc_1","call_id":"call_1","name":"{name}","arguments":"{{\"path\":\"a\"}}","status":"completed"}}}}"#),
        ]),
        "google-generative-ai" | "google-vertex" => google(&[
            format!(r#"{{"functionCall":{{"name":"{name}","args":{{"path":"a"}}}},"thoughtSignature":"c2ln"}}"#),
        ]),
        "bedrock-converse-stream" => bedrock(&[
            ("contentBlockStart", format!(r#"{{"contentBlockIndex":0,"start":{{"toolUse":{{"toolUseId":"tooluse_1","name":"{name}"}}}}}}"#)),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{\"pa"}}}"#.to_owned()),
            ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"th\":\"a\"}"}}}"#.to_owned()),
            ("contentBlockStop", r#"{"contentBlockIndex":0}"#.to_owned()),
        ], "tool_use"),
        other => panic!("{other} is not spoken here"),
    }
}

/// A key that is refused.
pub(crate) fn refused(wire: &str) -> Reply {
    let body = match wire {
        "anthropic-messages" => {
            r#"{"type":"error","error":{"type":"authentication_error","message":"key not accepted"}}"#
        }
        "google-generative-ai" | "google-vertex" => {
            r#"{"error":{"code":401,"message":"key not accepted","status":"UNAUTHENTICATED"}}"#
        }
        "bedrock-converse-stream" | "mistral-conversations" => r#"{"message":"key not accepted"}"#,
        _ => {
            r#"{"error":{"message":"key not accepted","type":"invalid_request_error","code":"invalid_api_key"}}"#
        }
    };
    Reply::json(401, body)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn anthropic(blocks: &[String], stop: &str) -> Reply {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":5,"output_tokens":1}}}"#.to_owned();
    let ping = r#"{"type":"ping"}"#.to_owned();
    let delta = format!(
        r#"{{"type":"message_delta","delta":{{"stop_reason":"{stop}","stop_sequence":null}},"usage":{{"output_tokens":2}}}}"#
    );
    let end = r#"{"type":"message_stop"}"#.to_owned();
    named([start, ping].iter().chain(blocks).chain(&[delta, end]))
}

fn responses(items: &[String]) -> Reply {
    let created = r#"{"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress","model":"m","output":[]}}"#.to_owned();
    let completed = r#"{"type":"response.completed","response":{"id":"resp_1","object":"response","status":"completed","model":"m","output":[],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}}"#.to_owned();
    named([created].iter().chain(items).chain(&[completed]))
}

/// Events whose name is their data's `type`.
fn named<'e>(events: impl Iterator<Item = &'e String>) -> Reply {
    events.fold(Reply::stream(), |reply, data| {
        let json: serde_json::Value = serde_json::from_str(data).expect("an event is JSON");
        reply.chunk(format!("event: {}\ndata: {data}\n\n", json["type"].as_str().expect("a type")))
    })
}

fn google(parts: &[String]) -> Reply {
    let said = parts.iter().map(|part| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{part}],"role":"model"}},"index":0}}],"modelVersion":"m","responseId":"r1"}}"#)
    });
    let end = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"m","responseId":"r1"}"#;
    // As the real ones end their lines.
    said.chain([end.to_owned()])
        .fold(Reply::stream(), |reply, data| reply.chunk(format!("data: {data}\r\n\r\n")))
}

fn bedrock(blocks: &[(&str, String)], stop: &str) -> Reply {
    let start = ("messageStart", r#"{"role":"assistant"}"#.to_owned());
    let end = ("messageStop", format!(r#"{{"stopReason":"{stop}"}}"#));
    let metadata = (
        "metadata",
        r#"{"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7},"metrics":{"latencyMs":1}}"#
            .to_owned(),
    );
    let reply = Reply::status(200).header("content-type", "application/vnd.amazon.eventstream");
    [start]
        .iter()
        .chain(blocks)
        .chain(&[end, metadata])
        .fold(reply, |reply, (name, payload)| reply.chunk(event_stream(name, payload.as_bytes())))
}

/// One frame of AWS's event stream.
fn event_stream(name: &str, payload: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (key, value) in
        [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")]
    {
        headers.push(u8::try_from(key.len()).expect("short"));
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).expect("short").to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let length = |bytes: usize| u32::try_from(bytes).expect("short").to_be_bytes();
    let mut frame = Vec::new();
    frame.extend_from_slice(&length(12 + headers.len() + payload.len() + 4));
    frame.extend_from_slice(&length(headers.len()));
    frame.extend_from_slice(&crc(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&crc(&frame).to_be_bytes());
    frame
}

/// CRC-32 as of ISO 3309, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}
