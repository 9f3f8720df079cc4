//! The published schema against real messages: a check for every test that reads a line of the server, and
//! tests that the schema takes what the types write and refuses what they do not.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use aside_protocol::{ContentBlock, ErrorKind, OpenSessionParams, TurnError};
use aside_protocol::{
    Event, EventBody, EventPosition, FileChangeKind, Hunk, HunkDecision, Item, ItemBody, ItemStatus,
    LayoutMark, LayoutPatch, Location, METHODS, MarkKind, Money, PendingQuestion, PlanEntry, PlanStatus,
    QueueEntry, Sender, SessionState, Severity, StopReason, ToolKind, Usage,
};
use jsonschema::Validator;
use serde::Serialize;
use serde_json::{Value, json};

/// Panics unless the server may write this line.
#[track_caller]
pub(crate) fn check_server_line(line: &Value) {
    assert!(server_takes(line), "the server may not write this line: {}\n{line:#}", fault(line));
}

/// Panics unless `method` may be answered with `result`.
#[track_caller]
pub(crate) fn check_result(method: &str, result: &Value) {
    static RESULTS: OnceLock<HashMap<&str, Validator>> = OnceLock::new();
    let validators = RESULTS.get_or_init(|| {
        METHODS
            .iter()
            .filter(|method| !method.result.is_empty())
            .map(|method| (method.name, validator(method.result)))
            .collect()
    });
    let Some(validator) = validators.get(method) else { panic!("no request is called {method}") };
    if let Err(error) = validator.validate(result) {
        panic!("{method} may not be answered with this: {error} at {}\n{result:#}", error.instance_path());
    }
}

fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/generated/aside.schema.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    })
}

/// The validator of one definition.
fn validator(name: &str) -> Validator {
    let schema = json!({
        "$schema": document()["$schema"],
        "$ref": format!("#/$defs/{name}"),
        "$defs": document()["$defs"],
    });
    jsonschema::validator_for(&schema).unwrap()
}

/// What is wrong with a line: `anyOf` itself only says that nothing fits, so the definition that was meant is
/// looked for.
fn fault(line: &Value) -> String {
    let Some(name) = line["method"].as_str() else {
        let meant = if line.get("error").is_some() { "ErrorAnswer" } else { "Answer" };
        return first_error(meant, line).unwrap_or_else(|| "it is not an object".to_owned());
    };
    let Some(method) = METHODS.iter().find(|method| method.sender == Sender::Server && method.name == name)
    else {
        return format!("the server sends no {name}");
    };
    let params = line.get("params").and_then(|params| match (method.params, params.get("type")) {
        // The kind's own fields say more than the union.
        ("Event", Some(Value::String(_))) => {
            first_error("Event", params).map(|error| event_fault(params).unwrap_or(error))
        }
        _ => first_error(method.params, params),
    });
    params.unwrap_or_else(|| format!("{name} is to be sent as a {:?}", method.kind).to_lowercase())
}

fn first_error(name: &str, value: &Value) -> Option<String> {
    let error = validator(name).validate(value).err()?.to_owned();
    Some(format!("{name}: {error} at {:?}", error.instance_path().to_string()))
}

/// What is wrong with the fields of an event's or an item's kind.
fn event_fault(params: &Value) -> Option<String> {
    let item = params.get("item").filter(|item| first_error("Item", item).is_some());
    let (union, value) = item.map_or(("EventBody", params), |item| ("ItemBody", item));
    let kinds = document()["$defs"][union]["oneOf"].as_array()?;
    let kind = kinds.iter().find(|kind| kind["properties"]["type"]["const"] == value["type"])?;
    let absent =
        kind["required"].as_array()?.iter().find(|field| value.get(field.as_str().unwrap()).is_none())?;
    Some(format!("{union} {}: {absent} is missing", value["type"]))
}

/// Whether the definition takes the value.
fn takes(name: &str, value: &Value) -> bool {
    validator(name).is_valid(value)
}

fn server_takes(line: &Value) -> bool {
    static LINES: OnceLock<Validator> = OnceLock::new();
    LINES.get_or_init(|| validator("ServerMessage")).is_valid(line)
}

fn item(body: ItemBody) -> Item {
    Item {
        id: "i1".to_owned(),
        turn_id: None,
        status: ItemStatus::Completed,
        text: "text".to_owned(),
        created_at_ms: 1,
        body,
    }
}

fn turn_error() -> TurnError {
    TurnError {
        kind: ErrorKind::RateLimited,
        message: "demo: too many requests".to_owned(),
        hint: None,
        provider: Some("demo".to_owned()),
        status: Some(429),
        code: None,
        retry_after_ms: Some(1000),
    }
}

fn session() -> Value {
    json!({
        "sessionId": "s1", "title": null, "cwd": "/home/user/project", "additionalDirectories": [], "model": null,
        "account": null, "thinking": null,
        "permissionMode": "ask", "state": "idle", "storage": "disk", "readOnly": false, "epoch": 1, "seq": 0,
        "createdAtMs": 1, "updatedAtMs": 1, "usage": Usage::default(), "cost": null,
    })
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn permission() -> Value {
    json!({
        "sessionId": "s1", "questionId": "q1", "itemId": "i1", "tool": "shell", "title": "run `ls`",
        "detail": "ls", "locations": [{ "path": "/home/user/project", "line": null }],
        "options": [{ "id": "o1", "label": "this time", "kind": "allowOnce" }],
        "change": { "path": "/a", "kind": "modify", "hunks": [] },
    })
}

fn form() -> Value {
    json!({
        "sessionId": null, "questionId": "q1", "message": "a key", "fields": [
            { "name": "key", "label": "Key", "kind": "secret", "choices": [], "required": true },
        ],
    })
}

fn content() -> Vec<ContentBlock> {
    read(json!([
        { "type": "text", "text": "hi" },
        { "type": "image", "data": "AA==", "mimeType": "image/png" },
        { "type": "audio", "data": "AA==", "mimeType": "audio/wav" },
        { "type": "resource_link", "uri": "file:///a", "name": "a" },
        { "type": "resource", "resource": { "uri": "file:///a", "text": "a" } },
    ]))
}

fn item_bodies() -> Vec<ItemBody> {
    vec![
        ItemBody::UserMessage { content: content() },
        ItemBody::AssistantText { model: "demo/demo".to_owned() },
        ItemBody::Thinking { redacted: false },
        ItemBody::ToolCall {
            name: "read".to_owned(),
            title: "read a".to_owned(),
            kind: ToolKind::Other("taste".to_owned()),
            arguments: None,
            locations: vec![Location { path: "/a".to_owned(), line: Some(1) }],
        },
        ItemBody::FileChange {
            tool_call_id: "i2".to_owned(),
            path: "/a".to_owned(),
            old_path: None,
            kind: FileChangeKind::Modify,
            hunks: vec![Hunk {
                id: "h1".to_owned(),
                old_start: 1,
                old_lines: 1,
                new_start: 1,
                new_lines: 1,
                lines: vec!["-a".to_owned(), "+b".to_owned()],
                decision: HunkDecision::Pending,
            }],
        },
        ItemBody::Plan {
            entries: vec![PlanEntry { text: "first".to_owned(), status: PlanStatus::InProgress }],
        },
        ItemBody::Command { command: "ls".to_owned(), exit_code: Some(0) },
        ItemBody::Notice { severity: Severity::Warning, hint: None },
        ItemBody::Compaction { tokens_before: 2, tokens_after: 1 },
    ]
}

fn event_bodies() -> Vec<EventBody> {
    let queue = vec![QueueEntry { id: "p1".to_owned(), content: content() }];
    let mark = LayoutMark { id: "m1".to_owned(), kind: MarkKind::Fold, from: 0, to: 1, name: String::new() };
    let mut bodies = vec![
        EventBody::TurnStarted {
            turn_id: "t1".to_owned(),
            request_id: Some("1".to_owned()),
            idempotency_id: None,
        },
        EventBody::Delta { item_id: "i1".to_owned(), text: "a".to_owned() },
        EventBody::ArgumentsDelta { item_id: "i1".to_owned(), text: "{".to_owned() },
        EventBody::ItemWithdrawn { item_id: "i1".to_owned() },
        EventBody::QuestionAsked { question: PendingQuestion::Permission { request: read(permission()) } },
        EventBody::QuestionAsked { question: PendingQuestion::Form { request: read(form()) } },
        EventBody::QuestionResolved { question_id: "q1".to_owned(), outcome: "answered".to_owned() },
        EventBody::UsageChanged { usage: Usage::default(), cost: None, context_tokens: 1, context_window: 2 },
        EventBody::Retry {
            attempt: 2,
            max_attempts: 4,
            delay_ms: 500,
            retry_at_ms: 1_500,
            error: turn_error(),
        },
        EventBody::Stalled { since_ms: 1, waiting_for: "event".to_owned(), gives_up_in_ms: 2 },
        EventBody::StateChanged { state: SessionState::Running },
        EventBody::SessionChanged { session: read(session()) },
        EventBody::QueueChanged { queue },
        EventBody::TurnEnded {
            turn_id: "t1".to_owned(),
            stop_reason: StopReason::Error,
            error: Some(turn_error()),
            patches: Vec::new(),
        },
        EventBody::TurnEnded {
            turn_id: "t1".to_owned(),
            stop_reason: StopReason::EndTurn,
            error: None,
            patches: vec![LayoutPatch::Insert { line: 3, lines: vec!["done".to_owned()] }],
        },
        EventBody::LayoutChanged { patches: vec![], item: Some(item(item_bodies().remove(0))) },
        EventBody::LayoutChanged {
            item: None,
            patches: vec![
                LayoutPatch::Append { line: 0, text: "a".to_owned(), lines: vec![] },
                LayoutPatch::Append { line: 0, text: "a".to_owned(), lines: vec!["b".to_owned()] },
                LayoutPatch::Insert { line: 0, lines: vec![] },
                LayoutPatch::Replace { from: 0, to: 1, lines: vec!["b".to_owned()] },
                LayoutPatch::Mark { mark },
                LayoutPatch::Unmark { id: "m1".to_owned() },
            ],
        },
    ];
    for body in item_bodies() {
        bodies.push(EventBody::ItemStarted { item: item(body.clone()) });
        bodies.push(EventBody::ItemUpdated { item: item(body.clone()) });
        bodies.push(EventBody::ItemCompleted { item: item(body) });
    }
    bodies
}

fn event(body: EventBody) -> Event {
    Event { session_id: "s1".to_owned(), epoch: 1, seq: 2, from_seq: None, body }
}

fn notification(method: &str, params: impl Serialize) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

fn request(method: &str, params: impl Serialize) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

/// A result of each request that the client sends, as the types write it.
fn results() -> Vec<(&'static str, Value)> {
    let account = json!({
        "provider": "demo", "account": null, "source": "authFile", "variable": null, "identity": null, "expiresAtMs": null,
        "hint": null,
    });
    let diagnostic = json!({ "path": "/s.json", "line": 1, "column": 0, "message": "odd" });
    let events: Vec<Event> = event_bodies().into_iter().map(event).collect();
    let items: Vec<Item> = item_bodies().into_iter().map(item).collect();
    vec![
        (
            "initialize",
            json!({
                "protocolVersion": 1, "serverInfo": { "name": "aside", "version": "0.1.0" },
                "capabilities": {
                    "layouts": ["items", "lines"], "content": ["text"], "maxMessageBytes": 1, "storage": "disk",
                },
                "methods": ["prompt"], "diagnostics": [diagnostic],
            }),
        ),
        ("shutdown", json!({})),
        (
            "listProviders",
            json!({
                "providers": [{
                    "id": "demo", "name": "Demo", "available": true, "reason": null, "source": "notNeeded",
                    "keyVariables": [], "defaultModel": "demo", "loginMethods": ["apiKey"],
                }],
                "diagnostics": [],
            }),
        ),
        (
            "listModels",
            json!({
                "models": [{
                    "provider": "demo", "id": "demo", "name": "Demo", "api": "demo", "contextWindow": 1,
                    "maxOutput": 1,
                    "cost": {
                        "input": 0.0, "output": 1.5, "cacheRead": 0.0, "cacheWrite": 0.0,
                        "tiers": [{
                            "inputAbove": 9, "input": 1.0, "output": 2.0, "cacheRead": 3.0, "cacheWrite": 4.0,
                        }],
                    },
                    "thinkingLevels": ["off"], "input": ["text"], "retired": false, "available": true,
                    "reason": null,
                }],
                "defaultModel": "demo/demo", "warnings": ["odd"], "diagnostics": [],
            }),
        ),
        ("newSession", json!({ "sessionId": "s1", "session": session(), "document": null })),
        (
            "newSession",
            json!({ "sessionId": "s1", "session": session(), "document": { "lines": [], "marks": [], "revision": 0 } }),
        ),
        (
            "openSession",
            json!({ "session": session(), "events": events, "snapshot": null, "document": null }),
        ),
        (
            "openSession",
            json!({ "session": session(), "events": null, "snapshot": {
            "items": items, "omitted": 0, "turnId": null,
            "questions": [{ "type": "form", "request": form() }],
            "queue": [{ "id": "p1", "content": content() }],
        }, "document": {
            "lines": ["## ❯ You"], "revision": 3,
            "marks": [{ "id": "i1.0", "kind": "item", "from": 0, "to": 1, "name": "i1" }],
        } }),
        ),
        (
            "listSessions",
            json!({
                "sessions": [{ "sessionId": "s1", "title": "hi", "cwd": null, "updatedAtMs": 1, "open": true }],
                "nextCursor": null,
            }),
        ),
        ("configureSession", json!({ "session": session(), "warnings": [] })),
        ("closeSession", json!({})),
        (
            "prompt",
            json!({
                "stopReason": "error", "text": "", "usage": Usage::default(),
                "cost": Money { amount: 0.1, currency: "USD".to_owned() },
                "costNote": "billed per token",
                "sessionId": "s1", "turnId": "t1", "model": null, "error": turn_error(), "warnings": [],
            }),
        ),
        ("cancel", json!({ "cancelled": true })),
        ("login", json!({ "account": account })),
        ("logout", json!({ "removed": true, "account": account })),
        ("authStatus", json!({ "accounts": [account], "diagnostics": [] })),
        (
            "refreshModels",
            json!({
                "modified": true, "added": ["openai/gpt-x"], "changed": [], "removed": [],
                "factsAtMs": 1, "checkedAtMs": 2,
            }),
        ),
        ("forkSession", json!({ "sessionId": "s2", "session": session(), "document": null })),
        ("renameSession", json!({})),
        ("deleteSession", json!({})),
        ("exportSession", json!({ "text": "# hi" })),
        (
            "explainPermission",
            json!({
                "tool": "shell", "decision": "ask", "permissionMode": "ask", "title": "Run make", "detail": "make",
                "reasons": [{ "decision": "ask", "layer": "user", "rule": "shell(make *)", "about": "make" }],
                "answer": null, "warnings": [],
            }),
        ),
        (
            "reviewChange",
            json!({
                "item": item(item_bodies().swap_remove(4)),
                "refused": [{ "id": "h1", "reason": "its lines were changed since" }],
            }),
        ),
        ("steer", json!({})),
        ("queue", json!({ "queue": [{ "id": "p1", "content": content() }] })),
        ("compact", json!({})),
        ("rewind", json!({ "undoItemId": "i1" })),
        ("runShell", json!({ "itemId": "i1", "exitCode": null, "output": "" })),
    ]
}

/// A message of each kind that only the server sends, beside events.
fn server_messages() -> Vec<Value> {
    vec![
        request("requestPermission", permission()),
        request("promptUser", form()),
        request("readFile", json!({ "sessionId": "s1", "path": "/a" })),
        request(
            "applyEdit",
            json!({
                "sessionId": "s1", "itemId": "i1", "path": "/a", "version": null,
                "edits": [{ "startLine": 0, "startByte": 0, "endLine": 0, "endByte": 1, "text": "b" }],
                "review": false,
            }),
        ),
        request("editorContext", json!({ "sessionId": "s1" })),
        request("openUrl", json!({ "url": "https://example.com", "message": "sign in" })),
        request("showDeviceCode", json!({ "url": "https://example.com", "code": "A-B", "expiresAtMs": 1 })),
        notification("$/cancelRequest", json!({ "id": 7 })),
        notification("loginProgress", json!({ "requestId": "1", "provider": "demo", "message": "waiting" })),
        notification("accountsChanged", json!({ "providers": ["demo"] })),
        notification("modelsChanged", json!({})),
    ]
}

#[test]
fn schema_satisfies_its_own_metaschema() {
    jsonschema::meta::validate(document()).unwrap();
    assert!(!jsonschema::meta::is_valid(&json!({ "$schema": document()["$schema"], "type": "nothing" })));
}

#[test]
fn every_kind_of_event_and_item_is_a_line_of_the_server() {
    let bodies = event_bodies();
    for body in &bodies {
        check_server_line(&notification("event", event(body.clone())));
    }
    // Whoever adds a kind adds a sample.
    for (name, samples) in [
        ("EventBody", bodies.iter().map(|body| json!(body)["type"].clone()).collect::<Vec<_>>()),
        ("ItemBody", item_bodies().iter().map(|body| json!(body)["type"].clone()).collect()),
    ] {
        let kinds = document()["$defs"][name]["oneOf"].as_array().unwrap();
        for kind in kinds.iter().filter_map(|kind| kind["properties"]["type"].get("const")) {
            assert!(samples.contains(kind), "{name} has no sample of {kind}");
        }
    }
}

#[test]
fn every_request_has_a_result_that_fits() {
    let results = results();
    for (method, result) in &results {
        check_result(method, result);
        check_server_line(&json!({ "jsonrpc": "2.0", "id": "x", "result": result }));
    }
    for method in METHODS.iter().filter(|method| method.sender == Sender::Client && !method.result.is_empty())
    {
        assert!(results.iter().any(|(name, _)| *name == method.name), "no sample of {}", method.name);
    }
}

#[test]
fn every_field_of_a_result_must_be_there() {
    for (method, result) in results() {
        for field in result.as_object().unwrap().keys() {
            let mut broken = result.clone();
            broken.as_object_mut().unwrap().remove(field);
            let refused = std::panic::catch_unwind(|| check_result(method, &broken)).is_err();
            assert!(refused, "{method} without {field} was taken");
        }
    }
}

#[test]
fn every_field_of_an_event_must_be_there() {
    for body in event_bodies() {
        let whole = json!(event(body));
        for field in whole.as_object().unwrap().keys() {
            // What only some drawn documents have.
            let may_miss = matches!(
                (whole["type"].as_str(), field.as_str()),
                (Some("layoutChanged"), "item") | (Some("turnEnded"), "patches")
            );
            let mut broken = whole.clone();
            broken.as_object_mut().unwrap().remove(field);
            let taken = server_takes(&notification("event", &broken));
            assert_eq!(taken, may_miss, "without {field}: {whole}");
        }
    }
}

#[test]
fn every_other_message_of_the_server_fits_and_needs_its_params() {
    let messages = server_messages();
    for message in &messages {
        check_server_line(message);
        let mut broken = message.clone();
        broken.as_object_mut().unwrap().remove("params");
        assert!(!server_takes(&broken), "taken without params: {message}");
    }
    for method in METHODS.iter().filter(|method| method.sender == Sender::Server && method.name != "event") {
        assert!(
            messages.iter().any(|sample| sample["method"] == method.name),
            "no sample of {}",
            method.name
        );
    }
}

#[test]
fn errors_need_their_data() {
    let error = json!({
        "jsonrpc": "2.0", "id": null,
        "error": { "code": -32600, "message": "no", "data": {
            "kind": "invalidRequest", "hint": null, "path": null, "retryAfterMs": null,
        } },
    });
    check_server_line(&error);
    check_server_line(&json!([error, { "jsonrpc": "2.0", "id": 1, "result": {} }]));
    let mut bare = error.clone();
    bare["error"].as_object_mut().unwrap().remove("data");
    assert!(!server_takes(&bare));
    let mut both = error;
    both["result"] = json!({});
    assert!(!server_takes(&both));
}

#[test]
fn lines_that_the_server_may_not_write_are_refused() {
    for line in [
        json!({ "jsonrpc": "2.0", "id": 1 }),
        json!({ "id": 1, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": null, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": "done" }),
        request("prompt", json!({ "text": "hi" })),
        request("event", event(EventBody::ItemWithdrawn { item_id: "i1".to_owned() })),
        notification("event", json!({ "sessionId": "s1", "epoch": 1, "seq": 1 })),
        notification("event", json!({ "sessionId": "s1", "epoch": -1, "seq": 1, "type": "later" })),
        json!([]),
        json!("text"),
    ] {
        assert!(!server_takes(&line), "taken: {line}");
    }
}

#[test]
#[should_panic(expected = "EventBody \"delta\": \"itemId\" is missing")]
fn a_broken_event_is_explained() {
    check_server_line(&notification(
        "event",
        json!({
            "sessionId": "s1", "epoch": 1, "seq": 1, "type": "delta", "text": "a",
        }),
    ));
}

#[test]
#[should_panic(expected = "ErrorAnswer: \"data\" is a required property at \"/error\"")]
fn a_broken_answer_is_explained() {
    check_server_line(&json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1, "message": "no" } }));
}

#[test]
#[should_panic(expected = "the server sends no prompt")]
fn a_strange_message_is_explained() {
    check_server_line(&request("prompt", json!({})));
}

#[test]
fn kinds_and_fields_of_newer_versions_are_taken() {
    check_server_line(&notification(
        "event",
        json!({
            "sessionId": "s1", "epoch": 1, "seq": 1, "type": "later", "more": true,
        }),
    ));
    let mut later = json!(item(ItemBody::Thinking { redacted: true }));
    later["type"] = json!("later");
    later["more"] = json!({});
    check_server_line(&notification(
        "event",
        json!({
            "sessionId": "s1", "epoch": 1, "seq": 1, "type": "itemStarted", "item": later,
        }),
    ));
    let mut result = results().into_iter().find(|(method, _)| *method == "prompt").unwrap().1;
    result["stopReason"] = json!("later");
    result["more"] = json!(1);
    check_result("prompt", &result);
}

#[test]
fn the_client_may_leave_out_what_is_optional() {
    for line in [
        request("prompt", json!({ "text": "hi" })),
        request("prompt", json!({ "content": [{ "type": "image", "data": "", "mimeType": "image/png" }] })),
        json!({ "jsonrpc": "2.0", "id": "a", "method": "listModels" }),
        notification("cancel", json!({ "sessionId": "s1" })),
        notification("$/cancelRequest", json!({ "id": "a" })),
        json!({ "jsonrpc": "2.0", "method": "exit" }),
        request(
            "openSession",
            OpenSessionParams {
                session_id: "s1".to_owned(),
                after: Some(EventPosition { epoch: 1, seq: 2 }),
                layout: None,
                limit: None,
                read_only: None,
            },
        ),
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "optionId": null } }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32601, "message": "no" } }),
        json!([request("listModels", json!({}))]),
    ] {
        assert!(takes("ClientMessage", &line), "refused: {line}");
    }
    for line in [
        json!({ "jsonrpc": "2.0", "method": "prompt", "params": { "text": "hi" } }),
        request("openSession", json!({})),
        request("prompt", json!({ "text": 1 })),
        request("queue", json!({ "sessionId": "s1", "action": { "type": "later" } })),
        request("event", json!({})),
    ] {
        assert!(!takes("ClientMessage", &line), "taken: {line}");
    }
}

#[test]
fn samples_are_what_the_types_read_and_write() {
    fn same<M: aside_protocol::Request>(results: &[(&str, Value)]) {
        for (_, result) in results.iter().filter(|(name, _)| *name == M::NAME) {
            let typed: M::Result = read(result.clone());
            assert_eq!(serde_json::to_value(typed).unwrap(), *result, "{}", M::NAME);
        }
    }
    use aside_protocol::method as m;
    let results = results();
    same::<m::Initialize>(&results);
    same::<m::ListProviders>(&results);
    same::<m::ListModels>(&results);
    same::<m::NewSession>(&results);
    same::<m::OpenSession>(&results);
    same::<m::ListSessions>(&results);
    same::<m::ConfigureSession>(&results);
    same::<m::Prompt>(&results);
    same::<m::Cancel>(&results);
    same::<m::Login>(&results);
    same::<m::Logout>(&results);
    same::<m::AuthStatus>(&results);
    same::<m::RefreshModels>(&results);
    same::<m::ExportSession>(&results);
    same::<m::Queue>(&results);
    same::<m::Rewind>(&results);
    same::<m::RunShell>(&results);
}
