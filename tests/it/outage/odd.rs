//! What is odd in an answer and no fault, over every wire: what is not known, what is no event at all, arguments that
//! are no JSON, half a character, and a picture for a model that cannot see.

use aside_protocol::{ContentBlock, PromptParams, StopReason};
use serde_json::{Value, json};

use super::hi;
use super::talk::{Counts, TALKS, WireTalk};
use crate::provider::Reply;
use crate::server::{KEY, TestServer, Upstream};

/// A server whose only model, which cannot see, is reached over one wire.
fn lab(talk: &dyn WireTalk) -> (Upstream, TestServer) {
    let upstream = Upstream::start();
    talk.meet(&upstream);
    let models = json!({"providers": {"lab": {
        "baseUrl": upstream.provider.url(), "api": talk.api(), "apiKey": KEY,
        "models": [{"id": "m", "input": ["text"]}],
    }}});
    let settings =
        json!({"defaultModel": "lab/m", "transport": talk.way().setting(), "retry": {"baseDelayMs": 4}});
    let server = TestServer::new().models_json(&models.to_string()).settings(&settings.to_string()).start();
    (upstream, server)
}

/// What a prompt is answered with over every wire, when the provider says this.
#[track_caller]
fn check(says: impl Fn(&dyn WireTalk) -> Reply, expected: &str) {
    for talk in TALKS {
        let (upstream, mut server) = lab(talk);
        upstream.provider.reply(says(talk));
        let result = server.prompted(&hi());
        let named = talk.name();
        assert_eq!((result.text.as_str(), &result.error), (expected, &None), "{named}");
        assert_eq!(result.stop_reason, StopReason::EndTurn, "{named}");
        assert_eq!(upstream.provider.requests().len(), 1, "{named}");
        server.ignore_rest();
    }
}

#[test]
fn what_is_not_known_is_passed_over() {
    check(
        |talk| talk.begun("Hello").chunk(talk.strange(" world")).chunk(talk.end(Counts::default())),
        "Hello world",
    );
}

#[test]
fn lines_that_belong_to_no_event_are_passed_over() {
    for talk in TALKS.into_iter().filter(|talk| talk.api() != "bedrock-converse-stream") {
        let (upstream, mut server) = lab(talk);
        let lines = "\nfoo\nbar: x\ndata\n\nid: \0\nretry: soon\n: \n:\n\u{7f}: \n\n\n\nevent: \n\n";
        upstream.provider.reply(
            talk.stream()
                .chunk(lines)
                .chunk(talk.begin())
                .chunk(talk.text("Hello"))
                .chunk(lines)
                .chunk(talk.end(Counts::default())),
        );
        let result = server.prompted(&hi());
        assert_eq!((result.text.as_str(), &result.error), ("Hello", &None), "{}", talk.name());
        server.ignore_rest();
    }
}

#[test]
fn a_message_that_is_damaged_on_the_way_is_a_fault_with_a_hint() {
    let talk = TALKS.into_iter().find(|talk| talk.api() == "bedrock-converse-stream").unwrap();
    let (upstream, mut server) = lab(talk);
    let mut damaged = talk.text(" world");
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    upstream.provider.always(talk.begun("Hello").chunk(damaged).chunk(talk.end(Counts::default())));
    let result = server.prompted(&hi());
    let error = result.error.unwrap();
    assert_eq!((result.text.as_str(), error.kind.as_str()), ("Hello", "protocol"));
    assert!(error.message.contains("checksum") && error.hint.is_some(), "{error:?}");
    assert_eq!(upstream.provider.requests().len(), 2);
    server.ignore_rest();
}

#[test]
fn half_a_character_is_replaced() {
    check(
        |talk| {
            talk.stream()
                .chunk(talk.begin())
                .chunk(talk.spoilt("a@b", br"\ud83d"))
                .chunk(talk.spoilt("@", br"\ude42x"))
                .chunk(talk.end(Counts::default()))
        },
        "a\u{fffd}b\u{fffd}x",
    );
}

/// The arguments of the only call in a request, as an object.
fn arguments(body: &Value) -> Option<Value> {
    match body {
        Value::Array(list) => list.iter().find_map(arguments),
        Value::Object(fields) => {
            let names = fields.get("name").is_some_and(|name| name == "look");
            let given = ["arguments", "args", "input"].iter().find_map(|name| fields.get(*name));
            match given.filter(|_| names) {
                Some(Value::String(text)) => Some(serde_json::from_str(text).expect("arguments are JSON")),
                Some(given) => Some(given.clone()),
                None => fields.values().find_map(arguments),
            }
        }
        _ => None,
    }
}

#[test]
fn arguments_that_are_no_json_are_made_some() {
    for (said, expected) in [
        (r#"{"path": "a"#, json!({"path": "a"})),
        ("{\"path\": \"a\nb\\q\",", json!({"path": "a\nb\\q"})),
        (r#"{"path": "\ud83d"}"#, json!({"path": "\u{fffd}"})),
        ("path: a", json!({})),
        ("[1]", json!({})),
        ("", json!({})),
    ] {
        for talk in TALKS {
            let (upstream, mut server) = lab(talk);
            upstream
                .provider
                .reply(talk.begun("I look. ").chunk(talk.tool_call("look", said)).chunk(talk.end_of_calls()));
            upstream.provider.reply(talk.answer(&["Done."]));
            let result = server.prompted(&hi());
            let named = format!("{said:?} over {}", talk.name());
            assert_eq!((result.text.as_str(), &result.error), ("Done.", &None), "{named}");
            // Where only what is new is sent the call is not.
            let sent = upstream.request(1).json();
            if sent.get("previous_response_id").is_none() {
                let sent = arguments(&sent).unwrap_or_else(|| panic!("{named}: {sent}"));
                // Google's calls are objects from the start, and what is none is nothing.
                let is_google = talk.api().starts_with("google");
                assert_eq!(sent, if is_google { json!({}) } else { expected.clone() }, "{named}");
            }
            server.ignore_rest();
        }
    }
}

#[test]
fn a_picture_is_left_out_for_a_model_that_cannot_see() {
    let picture = "iVBORw0KGgoAAAANSUhEUg==";
    for talk in TALKS {
        let (upstream, mut server) = lab(talk);
        upstream.provider.reply(talk.answer(&["I see nothing."]));
        let content = vec![
            ContentBlock::Text { text: "What is it?".to_owned() },
            ContentBlock::Image { data: picture.to_owned(), mime_type: "image/png".to_owned(), uri: None },
        ];
        let result = server.prompted(&PromptParams { content: Some(content), ..PromptParams::default() });
        assert_eq!((result.text.as_str(), &result.error), ("I see nothing.", &None), "{}", talk.name());
        let sent = String::from_utf8(upstream.request(0).body).unwrap();
        assert!(sent.contains("(image omitted: model does not support images)"), "{}: {sent}", talk.name());
        assert!(sent.contains("What is it?") && !sent.contains(picture), "{}: {sent}", talk.name());
        server.ignore_rest();
    }
}
