//! Requests: what is asked, as the bytes that go out.

#![expect(clippy::needless_pass_by_value, reason = "expected values are written in place")]

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};

use super::*;
use crate::catalog::{Model, Thinking, ThinkingLevel};
use crate::models::message::{Assistant, CacheRetention, Content, Message, Request, ToolSpec};
use crate::models::wires::{Access, Auth, HttpRequest};

const EAST: &str = "https://bedrock-runtime.us-east-1.amazonaws.com";
const CLAUDE: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const ADAPTIVE: &str = "us.anthropic.claude-opus-4-6-v1";
const NOVA: &str = "amazon.nova-lite-v1:0";

fn of(id: &str) -> Model {
    let mut model = model("amazon-bedrock", EAST);
    model.wire = "bedrock-converse-stream".into();
    model.id = id.into();
    model
}

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn image(mime_type: &str) -> Content {
    Content::Image { mime_type: mime_type.into(), data: "AAAA".into() }
}

fn user(said: &str) -> Message {
    Message::User(vec![text(said)])
}

/// Said by the model `id` itself.
fn said_by(id: &str, blocks: Vec<Block>) -> Message {
    let origin =
        Origin { provider: "amazon-bedrock".into(), wire: "bedrock-converse-stream".into(), model: id.into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn says(text: &str) -> Block {
    Block::Text { text: text.into(), signature: None }
}

fn thinks(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn calls(id: &str, arguments: &str) -> Block {
    Block::ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into(), signature: None }
}

fn result(id: &str, content: Vec<Content>, is_error: bool) -> Message {
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error }
}

fn tool() -> ToolSpec {
    ToolSpec {
        name: "read".into(),
        description: "Reads.".into(),
        parameters: r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}"#.into(),
    }
}

fn asking(messages: Vec<Message>) -> Request {
    Request { messages, session: "s-1".into(), cache: CacheRetention::None, ..Request::default() }
}

fn body(request: &Request, model: &Model) -> String {
    let bytes = Api.encode(request, model, Access::Key).body;
    assert_eq!(bytes, Api.encode(request, model, Access::Key).body, "the same request gives the same bytes");
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn check(request: &Request, model: &Model, expected: &Expect) {
    let body = body(request, model);
    judge().check(&body.parse().unwrap());
    expected.assert_eq(&body);
}

/// The messages only, one a line.
#[track_caller]
fn check_messages(messages: Vec<Message>, id: &str, expected: &Expect) {
    let body: Value = serde_json::from_str(&body(&asking(messages), &of(id))).unwrap();
    judge().check(&body);
    let lines: Vec<_> = body["messages"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// What is sent beside the messages.
#[track_caller]
fn check_fields(request: &Request, model: &Model, expected: Value) {
    let mut body: Value = serde_json::from_str(&body(request, model)).unwrap();
    body.as_object_mut().unwrap().remove("messages");
    assert_eq!(body, expected);
}

#[test]
fn a_whole_request() {
    let request = Request {
        system: Some("be brief".into()),
        tools: vec![tool(), ToolSpec { name: "a.b".into(), description: " ".into(), parameters: "no".into() }],
        max_tokens: Some(9000),
        temperature: Some(0.5),
        thinking: Some(ThinkingLevel::Off),
        cache: CacheRetention::Short,
        output_schema: Some(r#"{"type":"object"}"#.into()),
        ..asking(vec![user("hi")])
    };
    let model = of(CLAUDE);
    check(
        &request,
        &model,
        &expect![[r#"{"messages":[{"role":"user","content":[{"text":"hi"},{"cachePoint":{"type":"default"}}]}],"system":[{"text":"be brief"},{"cachePoint":{"type":"default"}}],"inferenceConfig":{"maxTokens":9000,"temperature":0.5},"toolConfig":{"tools":[{"toolSpec":{"name":"read","description":"Reads.","inputSchema":{"json":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}}}},{"toolSpec":{"name":"a_b","inputSchema":{"json":{"type":"object","properties":{}}}}}]},"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"answer","schema":"{\"type\":\"object\"}"}}}}}"#]],
    );
    let HttpRequest { method, url, headers, auth, framing, .. } = Api.encode(&request, &model, Access::Key);
    assert_eq!(method, "POST");
    assert_eq!(url, format!("{EAST}/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream"));
    assert_eq!(auth, Auth::SigV4 { service: "bedrock", region: "us-east-1".into() });
    assert_eq!(framing, Framing::EventStream);
    assert_eq!(
        headers,
        [
            ("content-type", "application/json".to_owned()),
            ("accept", "application/vnd.amazon.eventstream".to_owned())
        ]
    );
}

#[test]
fn a_small_request() {
    check(&asking(vec![user("hi")]), &of(NOVA), &expect![[r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#]]);
}

#[test]
fn results_of_a_run_and_what_follows_are_one_turn() {
    check_messages(
        vec![
            user("look"),
            said_by(CLAUDE, vec![says("I look."), calls("a", r#"{"z":"1","b":2}"#), calls("b", "{}"), calls("c", "oops")]),
            result("a", vec![text("one"), text(" "), image("image/png")], false),
            result("b", vec![], true),
            result("c", vec![text("\n"), image("image/bmp")], false),
            user("and?"),
            user("well?"),
        ],
        CLAUDE,
        &expect![[r#"
            {"content":[{"text":"look"}],"role":"user"}
            {"content":[{"text":"I look."},{"toolUse":{"input":{"b":2,"z":"1"},"name":"read","toolUseId":"a"}},{"toolUse":{"input":{},"name":"read","toolUseId":"b"}},{"toolUse":{"input":{},"name":"read","toolUseId":"c"}}],"role":"assistant"}
            {"content":[{"toolResult":{"content":[{"text":"one"},{"image":{"format":"png","source":{"bytes":"AAAA"}}}],"status":"success","toolUseId":"a"}},{"toolResult":{"content":[{"text":"<empty>"}],"status":"error","toolUseId":"b"}},{"toolResult":{"content":[{"text":"(image omitted: only png, jpeg, gif and webp can be sent)"}],"status":"success","toolUseId":"c"}},{"text":"and?"},{"text":"well?"}],"role":"user"}"#]],
    );
}

#[test]
fn blank_texts_are_not_sent() {
    check_messages(
        vec![
            Message::User(vec![text(""), text(" \n")]),
            said_by(CLAUDE, vec![says(" "), says("Yes."), thinks("", None)]),
            Message::User(vec![]),
            said_by(CLAUDE, vec![says("\t")]),
            Message::User(vec![text(" "), text(" kept as it is "), image("image/JPEG"), image("image/webp"), image("image/gif")]),
        ],
        CLAUDE,
        &expect![[r#"
            {"content":[{"text":"<empty>"}],"role":"user"}
            {"content":[{"text":"Yes."}],"role":"assistant"}
            {"content":[{"text":" kept as it is "},{"image":{"format":"jpeg","source":{"bytes":"AAAA"}}},{"image":{"format":"webp","source":{"bytes":"AAAA"}}},{"image":{"format":"gif","source":{"bytes":"AAAA"}}}],"role":"user"}"#]],
    );
}

#[test]
fn thinking_goes_back_to_the_model_that_thought() {
    let thoughts = |id: &str| {
        vec![
            user("hi"),
            said_by(
                id,
                vec![
                    thinks("signed", Some("c2ln")),
                    thinks("", Some("only")),
                    thinks("unsigned", None),
                    Block::RedactedThinking { data: "YWJj".into() },
                    says("Yes."),
                ],
            ),
            user("so?"),
        ]
    };
    check_messages(thoughts(CLAUDE), CLAUDE, &expect![[r#"
        {"content":[{"text":"hi"}],"role":"user"}
        {"content":[{"reasoningContent":{"reasoningText":{"signature":"c2ln","text":"signed"}}},{"reasoningContent":{"reasoningText":{"signature":"only","text":""}}},{"text":"unsigned"},{"reasoningContent":{"redactedContent":"YWJj"}},{"text":"Yes."}],"role":"assistant"}
        {"content":[{"text":"so?"}],"role":"user"}"#]]);
    check_messages(thoughts(NOVA), NOVA, &expect![[r#"
        {"content":[{"text":"hi"}],"role":"user"}
        {"content":[{"reasoningContent":{"reasoningText":{"text":"signed"}}},{"reasoningContent":{"reasoningText":{"text":"unsigned"}}},{"reasoningContent":{"redactedContent":"YWJj"}},{"text":"Yes."}],"role":"assistant"}
        {"content":[{"text":"so?"}],"role":"user"}"#]]);
    // Another model's.
    check_messages(thoughts(NOVA), CLAUDE, &expect![[r#"
        {"content":[{"text":"hi"}],"role":"user"}
        {"content":[{"text":"signed"},{"text":"unsigned"},{"text":"Yes."}],"role":"assistant"}
        {"content":[{"text":"so?"}],"role":"user"}"#]]);
}

#[test]
fn empty_keys_are_taken_out() {
    check_messages(
        vec![
            user("x"),
            said_by(CLAUDE, vec![calls("a", r#"{"":1,"a":[{"":{"x":1}}],"b":{"":2,"c":""}}"#)]),
            result("a", vec![text("ok")], false),
        ],
        CLAUDE,
        &expect![[r#"
            {"content":[{"text":"x"}],"role":"user"}
            {"content":[{"toolUse":{"input":{"a":[{}],"b":{"c":""}},"name":"read","toolUseId":"a"}}],"role":"assistant"}
            {"content":[{"toolResult":{"content":[{"text":"ok"}],"status":"success","toolUseId":"a"}}],"role":"user"}"#]],
    );
}

#[test]
fn ids_and_names_of_others_are_made_fit() {
    let origin = Origin { provider: "openai".into(), wire: "openai-responses".into(), model: "gpt".into() };
    let id = format!("call_1|{}", "x+/=".repeat(100));
    let call = Block::ToolCall {
        id: id.clone(),
        name: format!("mcp.tool/{}", "n".repeat(80)),
        arguments: "{}".into(),
        signature: Some("s".into()),
    };
    let blocks = vec![thinks("hidden", Some("fc")), call];
    check_messages(
        vec![
            user("x"),
            Message::Assistant(Assistant { origin, blocks, complete: true }),
            result(&id, vec![text("ok")], false),
        ],
        CLAUDE,
        &expect![[r#"
            {"content":[{"text":"x"}],"role":"user"}
            {"content":[{"text":"hidden"},{"toolUse":{"input":{},"name":"mcp_tool_nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn_455c77ea","toolUseId":"call_1_x___x___x___x___x___x___x___x___x___x___x___x_b48b11b7"}}],"role":"assistant"}
            {"content":[{"toolResult":{"content":[{"text":"ok"}],"status":"success","toolUseId":"call_1_x___x___x___x___x___x___x___x___x___x___x___x_b48b11b7"}}],"role":"user"}"#]],
    );
}

#[test]
fn a_history_with_calls_has_a_tool_to_show() {
    let history =
        vec![user("x"), said_by(NOVA, vec![calls("a", "{}")]), result("a", vec![text("ok")], false)];
    let stub = "Stands for the tools used earlier in this conversation, which are gone. Do not call it.";
    let schema = json!({ "json": { "type": "object", "properties": {} } });
    check_fields(
        &asking(history),
        &of(NOVA),
        json!({ "toolConfig": { "tools": [{ "toolSpec": { "name": "unavailable", "description": stub, "inputSchema": schema } }] } }),
    );
    check_fields(&asking(vec![user("x")]), &of(NOVA), json!({}));
}

/// Where the marks stand: paths of the cache points in the body.
fn marks(request: &Request, model: &Model) -> Vec<String> {
    fn walk(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == "cachePoint" {
                        out.push(format!("{path} {value}"));
                    }
                    walk(value, &format!("{path}/{name}"), out);
                }
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{path}/{at}"), out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(&serde_json::from_str(&body(request, model)).unwrap(), "", &mut out);
    out
}

#[test]
fn caches_are_marked_after_the_system_prompt_and_the_last_turn_of_the_user() {
    let asked = |cache| Request {
        system: Some("be brief".into()),
        tools: vec![tool()],
        cache,
        ..asking(vec![
            user("one"),
            said_by(CLAUDE, vec![calls("a", "{}")]),
            result("a", vec![text("two")], false),
        ])
    };
    let short = [r#"/messages/2/content/1 {"type":"default"}"#, r#"/system/1 {"type":"default"}"#];
    assert_eq!(marks(&asked(CacheRetention::Short), &of(CLAUDE)), short);
    let long =
        [r#"/messages/2/content/1 {"ttl":"1h","type":"default"}"#, r#"/system/1 {"ttl":"1h","type":"default"}"#];
    assert_eq!(marks(&asked(CacheRetention::Long), &of(CLAUDE)), long);
    let mut brief = of(CLAUDE);
    let switch = json!({"supportsLongCacheRetention": false});
    brief.compat = std::sync::Arc::new(switch.as_object().unwrap().clone());
    assert_eq!(marks(&asked(CacheRetention::Long), &brief), short);
    for (cache, id) in [
        (CacheRetention::None, CLAUDE),
        (CacheRetention::Long, NOVA),
        (CacheRetention::Short, "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        (CacheRetention::Short, "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"),
    ] {
        assert_eq!(marks(&asked(cache), &of(id)), [""; 0], "{id}");
    }
    let mut profile = of("arn:aws:bedrock:us-east-1:1:application-inference-profile/x");
    profile.name = "Claude Sonnet 4.5".into();
    assert_eq!(marks(&asked(CacheRetention::Short), &profile), short);
}

#[test]
fn a_profile_of_ones_own_caches_where_the_environment_says_so() {
    let asked = |value: &str, id: &str, name: &str| {
        let mut model = of(id);
        model.name = name.into();
        let variables = [("AWS_BEDROCK_FORCE_CACHE", value.to_owned())].into_iter().collect();
        let request = Request { variables, cache: CacheRetention::Short, ..asking(vec![user("x")]) };
        marks(&request, &model).len()
    };
    let profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/x";
    assert_eq!(asked("1", profile, "M"), 1);
    assert_eq!(asked("0", profile, "M"), 0);
    // Of a Claude it is known what it can.
    assert_eq!(asked("1", profile, "Claude 3 Haiku"), 0);
}

#[test]
fn the_environment_chooses_the_region_and_the_endpoint() {
    let url = |variables: &[(&'static str, &str)], id: &str| {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let request = Request { variables, ..asking(vec![user("x")]) };
        let model = of(id);
        let url = Api.encode(&request, &model, Access::Key).url;
        assert!(url.starts_with(&*Api.base_url(&request, &model)), "{url}");
        url
    };
    let tokyo = "https://bedrock-runtime.ap-northeast-1.amazonaws.com/model/m/converse-stream";
    assert_eq!(url(&[("AWS_REGION", "ap-northeast-1"), ("AWS_DEFAULT_REGION", "us-west-2")], "m"), tokyo);
    let own = "https://own.test/b/model/m/converse-stream";
    assert_eq!(url(&[("AWS_REGION", "ap-northeast-1"), ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://own.test/b")], "m"), own);
    for name in Api.variables() {
        assert!(!name.contains("SECRET") && !name.contains("TOKEN"), "{name} is for accounts");
    }
}

fn thinking(level: ThinkingLevel, limit: Option<u64>, model: &Model) -> Value {
    let request = Request { thinking: Some(level), max_tokens: limit, ..asking(vec![user("x")]) };
    let mut body: Value = serde_json::from_str(&body(&request, model)).unwrap();
    body.as_object_mut().unwrap().remove("messages");
    body
}

#[test]
fn budgets_stand_beside_the_answer() {
    let asked = |budget: u64| {
        json!({
            "thinking": { "type": "enabled", "budget_tokens": budget, "display": "summarized" },
            "anthropic_beta": ["interleaved-thinking-2025-05-14"],
        })
    };
    let expected =
        |limit: u64, budget| json!({ "inferenceConfig": { "maxTokens": limit }, "additionalModelRequestFields": asked(budget) });
    let model = of(CLAUDE);
    // The model's own limit, which the budget fits into.
    assert_eq!(thinking(ThinkingLevel::Low, None, &model), expected(10_000, 2048));
    assert_eq!(thinking(ThinkingLevel::High, Some(10_000), &model), expected(10_000, 8976));
    // What is asked for is what is said.
    assert_eq!(thinking(ThinkingLevel::Low, Some(100), &model), expected(2148, 1124));
    assert_eq!(thinking(ThinkingLevel::Minimal, Some(5000), &model), expected(5000, 1024));
    // No room to think.
    let mut small = of(CLAUDE);
    small.max_output = 1500;
    assert_eq!(thinking(ThinkingLevel::High, None, &small), json!({ "inferenceConfig": { "maxTokens": 1500 } }));
    let mut narrow = of(CLAUDE);
    narrow.context_window = 3000;
    let limit = thinking(ThinkingLevel::High, Some(100), &narrow)["inferenceConfig"]["maxTokens"].as_u64();
    assert!(limit < Some(3000), "{limit:?}");
}

#[test]
fn efforts_are_for_models_that_adapt() {
    let expected = |effort: &str| {
        json!({
            "inferenceConfig": { "maxTokens": 10_000 },
            "additionalModelRequestFields": {
                "thinking": { "type": "adaptive", "display": "summarized" },
                "output_config": { "effort": effort },
            },
        })
    };
    let mut model = of(ADAPTIVE);
    assert_eq!(thinking(ThinkingLevel::Minimal, None, &model), expected("low"));
    assert_eq!(thinking(ThinkingLevel::High, None, &model), expected("high"));
    model.thinking = Thinking(vec![(ThinkingLevel::Max, Some("max".into()))]);
    assert_eq!(thinking(ThinkingLevel::Xhigh, None, &model), expected("max"));
    let off = json!({ "inferenceConfig": { "maxTokens": 10_000 } });
    assert_eq!(thinking(ThinkingLevel::Off, None, &model), off);
    model.reasoning = false;
    assert_eq!(thinking(ThinkingLevel::High, None, &model), off);
}

#[test]
fn the_government_is_shown_nothing() {
    for (id, base) in [
        ("us-gov.anthropic.claude-sonnet-4-5-v1:0", EAST),
        (CLAUDE, "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("arn:aws-us-gov:bedrock:us-gov-east-1:1:inference-profile/us-gov.anthropic.claude-sonnet-4-5", EAST),
    ] {
        let mut model = of(id);
        model.base_url = base.into();
        let fields = thinking(ThinkingLevel::Low, None, &model)["additionalModelRequestFields"].clone();
        assert_eq!(fields["thinking"], json!({ "type": "enabled", "budget_tokens": 2048 }), "{id}");
    }
}

#[test]
fn others_than_claude_are_not_asked_to_think() {
    assert_eq!(thinking(ThinkingLevel::High, None, &of(NOVA)), json!({}));
    let limit = json!({ "inferenceConfig": { "maxTokens": 70 } });
    assert_eq!(thinking(ThinkingLevel::High, Some(70), &of(NOVA)), limit);
}

#[test]
fn temperatures_go_where_they_are_taken() {
    let asked = |temperature, level, id| {
        let request = Request {
            temperature: Some(temperature),
            thinking: Some(level),
            ..asking(vec![user("x")])
        };
        let body: Value = serde_json::from_str(&body(&request, &of(id))).unwrap();
        body["inferenceConfig"]["temperature"].as_f64()
    };
    assert_eq!(asked(0.5, ThinkingLevel::Off, CLAUDE), Some(0.5));
    assert_eq!(asked(0.5, ThinkingLevel::Low, CLAUDE), None);
    assert_eq!(asked(0.5, ThinkingLevel::Low, NOVA), Some(0.5));
    assert_eq!(asked(1.7, ThinkingLevel::Off, NOVA), Some(1.0));
    assert_eq!(asked(f64::NAN, ThinkingLevel::Off, NOVA), None);
    assert_eq!(asked(0.5, ThinkingLevel::Off, "anthropic.claude-opus-4-7"), None);
}

/// AWS's own description of the API as a JSON Schema; of what every request has, where it is not at hand.
pub(super) struct Judge(jsonschema::Validator);

impl Judge {
    #[track_caller]
    pub(super) fn check(&self, body: &Value) {
        let errors: Vec<_> =
            self.0.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?} in {body:#}");
    }

    pub(super) fn accepts(&self, body: &Value) -> bool {
        self.0.is_valid(body)
    }
}

pub(super) fn judge() -> &'static Judge {
    static JUDGE: std::sync::OnceLock<Judge> = std::sync::OnceLock::new();
    JUDGE.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
        let model = std::fs::read(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../shared/data/schemas/bedrock-runtime.botocore-1.44.5.service-2.json"),
        );
        let schema = match model {
            Ok(bytes) => schema(&serde_json::from_slice(&bytes).unwrap()),
            Err(_) => json!({ "type": "object", "required": ["messages"], "properties": { "messages": { "minItems": 1 } } }),
        };
        Judge(jsonschema::validator_for(&schema).unwrap())
    })
}

fn schema(model: &Value) -> Value {
    let shapes = model["shapes"].as_object().unwrap();
    let mut definitions = Map::new();
    let mut wanted = vec!["ConverseStreamRequest".to_owned()];
    while let Some(name) = wanted.pop() {
        let definition = definition(&shapes[&name]);
        let used = definition.to_string();
        definitions.insert(name, definition);
        for name in used.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            if !definitions.contains_key(name) {
                wanted.push(name.to_owned());
            }
        }
    }
    json!({ "$ref": "#/$defs/ConverseStreamRequest", "$defs": definitions })
}

fn definition(shape: &Value) -> Value {
    let to = |member: &Value| json!({ "$ref": format!("#/$defs/{}", member["shape"].as_str().unwrap()) });
    if shape["document"] == true {
        return json!({});
    }
    let bounds = |out: &mut Value, least: &str, most: &str| {
        for (name, bound) in [(least, &shape["min"]), (most, &shape["max"])] {
            if !bound.is_null() {
                out[name] = bound.clone();
            }
        }
    };
    match shape["type"].as_str().unwrap() {
        "structure" => {
            let members = shape["members"].as_object().unwrap();
            let in_body = members.iter().filter(|(_, member)| member.get("location").is_none());
            let properties: Map<String, Value> =
                in_body.map(|(name, member)| (name.clone(), to(member))).collect();
            let required: Vec<&Value> = shape["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|name| properties.contains_key(name.as_str().unwrap()))
                .collect();
            let mut out = json!({ "type": "object", "required": required, "additionalProperties": false });
            if shape["union"] == true {
                (out["minProperties"], out["maxProperties"]) = (1.into(), 1.into());
            }
            out["properties"] = properties.into();
            out
        }
        "list" => {
            let mut out = json!({ "type": "array", "items": to(&shape["member"]) });
            bounds(&mut out, "minItems", "maxItems");
            out
        }
        "map" => json!({ "type": "object", "additionalProperties": to(&shape["value"]) }),
        "string" | "blob" => {
            let mut out = json!({ "type": "string" });
            bounds(&mut out, "minLength", "maxLength");
            if let Some(of) = shape.get("enum") {
                out["enum"] = of.clone();
            }
            if let Some(pattern @ ("[a-zA-Z0-9_.:-]+" | "[a-zA-Z0-9_-]+")) = shape["pattern"].as_str() {
                out["pattern"] = format!("^{pattern}$").into();
            }
            out
        }
        "integer" | "long" => {
            let mut out = json!({ "type": "integer" });
            bounds(&mut out, "minimum", "maximum");
            out
        }
        "float" | "double" => {
            let mut out = json!({ "type": "number" });
            bounds(&mut out, "minimum", "maximum");
            out
        }
        // Nothing else is in a request.
        other => json!({ "type": other }),
    }
}

#[test]
fn requests_of_every_kind_satisfy_the_published_model() {
    assert!(!judge().accepts(&json!({ "messages": [] , "mesages": 1 })), "the judge knows nothing");
    let conversation = vec![
        Message::User(vec![text("look"), image("image/png"), text("")]),
        said_by(CLAUDE, vec![thinks("hm", Some("s")), says("I look."), calls("a b:c", "{}"), calls("", "{\"\":1}")]),
        result("a b:c", vec![image("image/png")], false),
        result("", vec![], true),
        user(""),
        said_by(NOVA, vec![thinks("hm", None), Block::RedactedThinking { data: "YQ==".into() }]),
    ];
    let mut checked = 0;
    for id in [CLAUDE, ADAPTIVE, NOVA, "arn:aws:bedrock:us-east-1:1:application-inference-profile/x"] {
        for cache in [CacheRetention::None, CacheRetention::Short, CacheRetention::Long] {
            for level in ThinkingLevel::ALL {
                for tools in [vec![], vec![tool(), ToolSpec { name: String::new(), description: String::new(), parameters: "[]".into() }]] {
                    let mut model = of(id);
                    model.takes_images = id != NOVA;
                    let request = Request {
                        system: Some("s".into()),
                        tools,
                        thinking: Some(level),
                        cache,
                        temperature: Some(2.0),
                        output_schema: Some("{}".into()),
                        ..asking(conversation.clone())
                    };
                    judge().check(&body(&request, &model).parse().unwrap());
                    checked += 1;
                }
            }
        }
    }
    assert_eq!(checked, 4 * 3 * 7 * 2);
}

#[test]
fn conversations_go_to_chat_completions_and_back() {
    let chat = super::super::super::openai_completions::Api;
    let mut gpt = model("openai", "https://api.openai.com/v1");
    gpt.wire = "openai-completions".into();
    let ours = vec![
        user("look"),
        said_by(
            CLAUDE,
            vec![
                thinks("I should look.", Some("c2ln")),
                Block::RedactedThinking { data: "YWJj".into() },
                says("I look."),
                calls("tooluse_a.b:c", r#"{"a":1}"#),
            ],
        ),
        result("tooluse_a.b:c", vec![text("found")], false),
    ];
    let sent: Value = serde_json::from_slice(&chat.encode(&asking(ours), &gpt, Access::Key).body).unwrap();
    assert!(!sent.to_string().contains("c2ln") && !sent.to_string().contains("YWJj"), "{sent}");
    assert_eq!(sent["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"a":1}"#);
    assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], sent["messages"][2]["tool_call_id"]);

    let origin = Origin { provider: "openai".into(), wire: "openai-completions".into(), model: "m".into() };
    let blocks = vec![
        thinks("I should look.", Some("reasoning_content")),
        says("I look."),
        calls("call/1", r#"{"a":1}"#),
        calls("call 2", ""),
    ];
    check_messages(
        vec![
            user("look"),
            Message::Assistant(Assistant { origin, blocks, complete: true }),
            result("call/1", vec![text("found")], false),
        ],
        CLAUDE,
        &expect![[r#"
            {"content":[{"text":"look"}],"role":"user"}
            {"content":[{"text":"I should look."},{"text":"I look."},{"toolUse":{"input":{"a":1},"name":"read","toolUseId":"call_1"}},{"toolUse":{"input":{},"name":"read","toolUseId":"call_2"}}],"role":"assistant"}
            {"content":[{"toolResult":{"content":[{"text":"found"}],"status":"success","toolUseId":"call_1"}},{"toolResult":{"content":[{"text":"No result provided"}],"status":"error","toolUseId":"call_2"}}],"role":"user"}"#]],
    );
}

#[test]
fn images_are_told_of_where_they_cannot_be_seen() {
    let mut nova = of(NOVA);
    nova.takes_images = false;
    let request = asking(vec![Message::User(vec![image("image/png"), image("image/png"), text("look")])]);
    let body: Value = serde_json::from_str(&body(&request, &nova)).unwrap();
    assert_eq!(
        body["messages"][0]["content"],
        json!([{ "text": "(image omitted: model does not support images)" }, { "text": "look" }])
    );
}

#[test]
fn no_switch_of_a_model_breaks_a_request() {
    let mut model = of(CLAUDE);
    let compat = json!({ "forceAdaptiveThinking": "yes", "supportsTemperature": 1, "x": null });
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    body(&Request { thinking: Some(ThinkingLevel::High), ..asking(vec![user("x")]) }, &model);
}
