//! Every fault of a provider, over every wire: what it comes to, what it costs, and what is told.
//!
//! The provider is real down to the socket; only the waits are shortened by settings. A row asks once and
//! counts the requests. What holds for all rows: no key and no markup in any line, one `retry` before each
//! further request, and the text that a client shows in the end is the text of the result.

use std::sync::Mutex;
use std::time::Instant;

use aside_protocol::{PromptParams, PromptResult, StopReason};
use serde_json::{Value, json};

use super::talk::{Counts, Failure, Refusal, TALKS, Way, WireTalk};
use super::{hi, of_kind, shown};
use crate::provider::{Provider, Reply};
use crate::server::{TestServer, Upstream};
use crate::transport::tls::Authority;

/// Looks like no known provider's, so that only what was sent can be known by it.
const KEY: &str = "lab.key/0123+4567=89";
/// The same in a URL, and after `user:` in base 64.
const KEY_IN_URL: &str = "lab.key%2F0123%2B4567%3D89";
const KEY_IN_BASE64: &str = "dXNlcjpsYWIua2V5LzAxMjMrNDU2Nz04OQ==";

/// Where a provider is that cannot be scripted.
enum At {
    Upstream,
    Tls(Authority),
    Url(String),
    /// A listener that takes connections and says nothing.
    Silent(std::net::TcpListener),
}

struct Row {
    name: String,
    at: At,
    provider: &'static str,
    replies: Vec<Reply>,
    always: Option<Reply>,
    timeouts: Value,
    limits: Value,
    /// `None` where the prompt is answered.
    kind: Option<&'static str>,
    text: Option<&'static str>,
    /// Requests that reach the provider.
    requests: usize,
    /// Those that are tried over a WebSocket first, and not counted as further tries.
    before: usize,
    /// The ways that it is for.
    ways: &'static [Way],
    /// Requests that are made, where the provider cannot count them.
    tries: Option<usize>,
    says: Vec<String>,
    hints: Vec<&'static str>,
    told: Vec<&'static str>,
}

/// A row whose prompt is answered after one request.
fn row(name: impl Into<String>) -> Row {
    Row {
        name: name.into(),
        at: At::Upstream,
        provider: "lab",
        replies: Vec::new(),
        always: None,
        timeouts: json!({}),
        limits: json!({}),
        kind: None,
        text: None,
        requests: 1,
        before: 0,
        ways: &[Way::Body, Way::Socket],
        tries: None,
        says: Vec::new(),
        hints: Vec::new(),
        told: Vec::new(),
    }
}

impl Row {
    /// The answer to one request; to be called for each.
    fn first(mut self, reply: Reply) -> Self {
        self.replies.push(reply);
        self
    }

    /// The answer to every request.
    fn always(mut self, reply: Reply) -> Self {
        self.always = Some(reply);
        self
    }

    fn at(mut self, at: At) -> Self {
        self.at = at;
        self
    }

    fn fails(mut self, kind: &'static str, requests: usize) -> Self {
        self.kind = Some(kind);
        self.requests = requests;
        self
    }

    /// For answers in a body only.
    fn in_body(mut self) -> Self {
        self.ways = &[Way::Body];
        self
    }

    /// Over a WebSocket one request more is made, before it is given up.
    fn first_by(mut self, way: Way) -> Self {
        self.before = usize::from(way == Way::Socket);
        self
    }

    fn costs(mut self, requests: usize) -> Self {
        self.requests = requests;
        self
    }

    /// So many are made, none of which can be seen.
    fn tries(mut self, tries: usize) -> Self {
        self.tries = Some(tries);
        self.requests = 0;
        self
    }

    /// The text of the answer, whole or partial.
    fn text(mut self, text: &'static str) -> Self {
        self.text = Some(text);
        self
    }

    fn says(mut self, part: impl Into<String>) -> Self {
        self.says.push(part.into());
        self
    }

    fn hints(mut self, part: &'static str) -> Self {
        self.hints.push(part);
        self
    }

    /// Another event that must come.
    fn tells(mut self, kind: &'static str) -> Self {
        self.told.push(kind);
        self
    }

    fn timeout(mut self, name: &str, ms: u64) -> Self {
        self.timeouts[name] = ms.into();
        self
    }

    fn limit(mut self, name: &str, bytes: u64) -> Self {
        self.limits[name] = bytes.into();
        self
    }

    fn of(mut self, provider: &'static str) -> Self {
        self.provider = provider;
        self
    }
}

/// 2 GiB of signs of life, of which two megabytes travel: one block that is repeated.
fn bomb(talk: &dyn WireTalk) -> Reply {
    let line = talk.alive(1 << 10);
    let plain = line.repeat((16 << 20) / line.len());
    let mut compressor = flate2::Compress::new(flate2::Compression::fast(), false);
    let mut block = Vec::with_capacity(1 << 20);
    compressor.compress_vec(&plain, &mut block, flate2::FlushCompress::Full).unwrap();
    assert_eq!(compressor.total_in(), plain.len() as u64, "all of it is in the block");
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    talk.stream().header("content-encoding", "gzip").chunk(head).flood(block, 128).stall()
}

fn rows(talk: &dyn WireTalk, thief: &str) -> Vec<Row> {
    let html =
        "<!DOCTYPE html><html><head><title>502 Bad\u{1b}[31m Gateway</title></head><body>x</body></html>";
    let page = |status| Reply::status(status).header("content-type", "text/html").chunk(html);
    let mut rows = vec![
        row("401").always(talk.error(401, Refusal::Plain, "no")).fails("authRequired", 1),
        row("403").always(talk.error(403, Refusal::Plain, "no")).fails("permissionDenied", 1),
        row("404").always(talk.error(404, Refusal::Plain, "no")).fails("notFound", 1),
    ];
    for row in &mut rows {
        row.says.push(format!("lab answered with status {}: no", row.name));
        row.hints.push("it was asked with the apiKey of models.json");
    }
    for (status, kind, requests) in [
        (400, "providerRejected", 1),
        (402, "paymentRequired", 1),
        (408, "timeout", 4),
        (409, "overloaded", 4),
        (413, "providerRejected", 1),
        (422, "providerRejected", 1),
        (429, "rateLimited", 4),
        (500, "providerFailed", 4),
        (502, "providerFailed", 4),
        (503, "overloaded", 4),
        (504, "providerFailed", 4),
        (524, "providerFailed", 4),
        (529, "overloaded", 4),
    ] {
        rows.push(
            row(format!("{status} always"))
                .always(talk.error(status, Refusal::Plain, "no"))
                .fails(kind, requests)
                .says(format!("lab answered with status {status}: no")),
        );
    }
    rows.extend(vec![
        row("key echoed in the error body")
            .always(talk.error(401, Refusal::Plain, &format!("bad key {KEY}, \u{1b}[1mno\u{202e}")))
            .fails("authRequired", 1)
            .says("bad key ***, no"),
        row("key echoed in an error event, in other forms")
            .always(talk.begun("Hello").chunk(
                talk.error_event(Failure::Key, &format!("bad {KEY}, {KEY_IN_URL} and {KEY_IN_BASE64}")),
            ))
            .fails("authRequired", 1)
            .says("bad ***, *** and dXNlcjp***Q=="),
        row("prompt too long").always(talk.overflow()).fails("contextOverflow", 1).hints("compact"),
        row("bodyless 413 of cerebras")
            .in_body()
            .of("cerebras")
            .always(Reply::status(413))
            .fails("contextOverflow", 1)
            .says("cerebras answered with status 413"),
        row("bodyless 413 of another").in_body().always(Reply::status(413)).fails("providerRejected", 1),
        row("counts beyond the window")
            .always(talk.begun("cut").chunk(talk.end(Counts { input: 1_001, output: 2 })))
            .fails("contextOverflow", 1)
            .text("cut")
            .says("it has 1001 tokens, and the model's context 1000"),
        row("no room for an answer")
            .always(
                talk.stream().chunk(talk.begin()).chunk(talk.end_of_length(Counts { input: 995, output: 0 })),
            )
            .fails("contextOverflow", 1)
            .says("no room for an answer"),
        row("429, Retry-After 0.05, always")
            .always(talk.error(429, Refusal::Plain, "slow down").header("retry-after", "0.05"))
            .fails("rateLimited", 4),
        row("429 once")
            .first(talk.error(429, Refusal::Plain, "slow down"))
            .always(talk.answer(&["Yes."]))
            .costs(2)
            .text("Yes."),
        row("429, Retry-After 7200")
            .always(talk.error(429, Refusal::Plain, "slow down").header("retry-after", "7200"))
            .fails("rateLimited", 1)
            .says("it asks to wait 2 h"),
        row("429, no quota left")
            .always(talk.error(429, Refusal::Quota, "You exceeded your current quota"))
            .fails("paymentRequired", 1),
        row("503, x-should-retry: false")
            .in_body()
            .always(talk.error(503, Refusal::Plain, "no").header("x-should-retry", "false"))
            .fails("overloaded", 1),
        row("502 with a page")
            .in_body()
            .always(page(502))
            .fails("providerFailed", 4)
            .says("status 502: 502 Bad Gateway"),
        row("200 with a page")
            .in_body()
            .always(page(200))
            .fails("protocol", 1)
            .says("not an event stream but text/html"),
        row("reset in the middle, always")
            .always(talk.begun("Hello wor").reset())
            .fails("network", 2)
            .text("Hello wor")
            .says("broke in the middle of the answer"),
        row("reset in the middle, once")
            .first(talk.begun("Hello wor").reset())
            .always(talk.answer(&["Hello", " world"]))
            .costs(2)
            .text("Hello world")
            .tells("itemWithdrawn"),
        row("reset before the first word")
            .always(talk.stream().chunk(talk.begin()).reset())
            .fails("network", 4)
            .text(""),
        row("reset before the answer")
            .first_by(talk.way())
            .always(Reply::raw("").reset())
            .fails("network", 4),
        row("the end is missing")
            .always(talk.begun("Hello wor"))
            .fails("protocol", 2)
            .text("Hello wor")
            .says("lab's answer ended early"),
        row("cut within a chunk")
            .always(talk.begun("Hello wor").bytes(talk.cut()).fin())
            .fails("network", 2)
            .text("Hello wor"),
        row("an empty stream").first_by(talk.way()).always(talk.stream()).fails("protocol", 2),
        row("an event that is not JSON")
            .always(
                talk.begun("Hello")
                    .chunk(talk.damaged())
                    .chunk(talk.text(" world"))
                    .chunk(talk.end(Counts::default())),
            )
            .text("Hello world")
            .tells("warning"),
        row("an error event, busy")
            .always(talk.begun("Hello").chunk(talk.error_event(Failure::Busy, "Overloaded")))
            .fails("overloaded", 2)
            .text("Hello")
            .says("lab broke off its answer: Overloaded"),
        row("an error event, busy, before the first word")
            .always(talk.stream().chunk(talk.begin()).chunk(talk.error_event(Failure::Busy, "Overloaded")))
            .fails("overloaded", 2),
        row("an error event, busy, once")
            .first(talk.begun("Hello").chunk(talk.error_event(Failure::Busy, "Overloaded")))
            .always(talk.answer(&["Hi."]))
            .costs(2)
            .text("Hi.")
            .tells("itemWithdrawn"),
        row("an error event, refused")
            .always(talk.begun("Hello").chunk(talk.error_event(Failure::Request, "no such thing")))
            .fails("providerRejected", 1)
            .text("Hello"),
        row("a tool call that breaks")
            .first(talk.begun("I look. ").chunk(talk.tool_call("read", "{\"path\": \"a")).reset())
            .always(talk.answer(&["Done."]))
            .costs(2)
            .text("Done."),
        row("no byte after the first word")
            .always(talk.begun("Hello").stall())
            .timeout("idleMs", 400)
            .fails("timeout", 2)
            .text("Hello")
            .says("no byte")
            .tells("stalled"),
        row("no head")
            .always(Reply::raw("").stall())
            .timeout("firstEventMs", 400)
            .fails("timeout", 1)
            .says("no event")
            .tells("stalled"),
        row("nothing but comments")
            .always(talk.stream().chunk(talk.alive(9)).chunk(talk.alive(9)).stall())
            .timeout("firstEventMs", 400)
            .fails("timeout", 1)
            .tells("stalled"),
        row("comments after the first word")
            .always(talk.begun("Hello").chunk(talk.alive(9)).chunk(talk.alive(9)).stall())
            .timeout("eventMs", 400)
            .fails("timeout", 1)
            .text("Hello")
            .says("kept the connection alive but sent no event")
            .tells("stalled"),
        row("a redirect to another origin")
            .in_body()
            .always(Reply::status(307).header("location", thief))
            .fails("protocol", 1)
            .says("redirects to"),
        row("a line of 300 MB").always(talk.endless()).fails("tooLarge", 1).says("67108864 bytes"),
        row("a gzip bomb of 2 GB").in_body().always(bomb(talk)).fails("tooLarge", 1).says("67108864 bytes"),
        row("a delta of 20 MB, where an item may have 1")
            .limit("maxItemBytes", 1 << 20)
            .always(talk.begun(&"abcdefgh".repeat(20 << 17)).chunk(talk.end(Counts::default())))
            .fails("tooLarge", 1),
        row("bytes one by one")
            .always(
                [talk.begin(), talk.text("üß→ 🙂\u{2028}\u{85}"), talk.end(Counts::default())]
                    .concat()
                    .iter()
                    .fold(talk.stream(), |reply, byte| reply.chunk([*byte])),
            )
            .text("üß→ 🙂\u{2028}\u{85}"),
        row("bytes that are not UTF-8")
            .in_body()
            .always(
                talk.stream()
                    .chunk(talk.begin())
                    .chunk(talk.spoilt("a@b", &[0xff]))
                    .chunk(talk.end(Counts::default())),
            )
            .text("a\u{fffd}b"),
        row("an answer like a key, a page and a code")
            .always(talk.answer(&["<b>sk-ant-0123456789</b>\u{1b}[1m\u{202e}"]))
            .text("<b>sk-ant-0123456789</b>\u{1b}[1m\u{202e}"),
        row("connection refused")
            .at(At::Url("http://127.0.0.1:1/v1".to_owned()))
            .fails("network", 0)
            .tries(4)
            .says("connection refused by 127.0.0.1:1"),
        row("a name that does not resolve")
            .at(At::Url(format!("http://{}.test:81/v1", "a".repeat(64))))
            .fails("dns", 0)
            .tries(1)
            .says(":81")
            .says("does not resolve"),
        row("a certificate of nobody known")
            .at(At::Tls(Authority::new()))
            .fails("tls", 0)
            .says("unknown authority")
            .hints("extraCaFiles"),
        row("a TLS peer that never answers")
            .at(At::Silent(std::net::TcpListener::bind("127.0.0.1:0").unwrap()))
            .timeout("connectMs", 300)
            .fails("timeout", 0)
            .tries(2)
            .says("within 300 ms"),
    ]);
    rows
}

/// Plays a row and returns its line of the table.
fn play(row: &Row, talk: &dyn WireTalk) -> String {
    let upstream = match &row.at {
        At::Tls(authority) => Upstream::start_tls(authority.acceptor()),
        At::Upstream | At::Url(_) | At::Silent(_) => Upstream::start(),
    };
    for reply in &row.replies {
        upstream.provider.reply(reply.clone());
    }
    if let Some(reply) = &row.always {
        upstream.provider.always(reply.clone());
    }
    let url = match &row.at {
        At::Upstream | At::Tls(_) => upstream.provider.url(),
        At::Url(url) => url.clone(),
        At::Silent(listener) => format!("https://{}", listener.local_addr().unwrap()),
    };
    let models = json!({"providers": {row.provider: {
        "baseUrl": url, "api": talk.api(), "apiKey": KEY, "models": [{"id": "m", "contextWindow": 1000}],
    }}});
    let mut timeouts = row.timeouts.clone();
    timeouts["stallNoticeMs"] = 100.into();
    talk.meet(&upstream);
    let settings = json!({
        "defaultModel": format!("{}/m", row.provider), "retry": {"baseDelayMs": 4},
        "timeouts": timeouts, "limits": row.limits, "transport": talk.way().setting(),
    });
    let mut server =
        TestServer::new().models_json(&models.to_string()).settings(&settings.to_string()).start();
    let begun = Instant::now();
    let (result, events, raw) = asked(&mut server, &hi());
    let took = begun.elapsed();
    check(row, &result, &events, &raw);
    let requests = upstream.provider.requests().len();
    assert_eq!(requests, row.requests + row.before, "requests of {:?}: {result:?}", row.name);
    let tries = row.tries.unwrap_or(row.requests.max(1));
    let retries = of_kind(&events, "retry");
    assert_eq!(retries.len(), tries - 1, "retries told of {:?}", row.name);
    for (index, retry) in retries.iter().enumerate() {
        assert_eq!(retry["attempt"], index + 2, "{retry}");
        assert!(
            retry["maxAttempts"].as_u64() <= Some(4)
                && retry["attempt"].as_u64() <= retry["maxAttempts"].as_u64(),
            "{retry}"
        );
    }
    let outcome = row.kind.unwrap_or("answered");
    format!(
        "{:<24} {:<48} {outcome:<18} {requests:>3} {:>3} {:>6} ms",
        talk.name(),
        row.name,
        retries.len(),
        took.as_millis()
    )
}

/// Sends a prompt, and returns its result, the events until then, and all that was said in those lines.
fn asked(server: &mut TestServer, params: &PromptParams) -> (PromptResult, Vec<Value>, String) {
    let sent = server.start::<aside_protocol::method::Prompt>(params);
    let (mut events, mut raw) = (Vec::new(), String::new());
    loop {
        let message = server.next();
        raw.push_str(&message.raw);
        if message.method() == Some("event") {
            events.push(message.json["params"].clone());
        } else if message.answers(&sent.0) {
            return (serde_json::from_value(message.json["result"].clone()).unwrap(), events, raw);
        }
    }
}

fn check(row: &Row, result: &PromptResult, events: &[Value], raw: &str) {
    let name = &row.name;
    let error = result.error.as_ref();
    assert_eq!(error.map(|error| error.kind.as_str()), row.kind, "{name}: {error:?}");
    assert_eq!(result.stop_reason == StopReason::Error, row.kind.is_some(), "{name}");
    if let Some(text) = row.text {
        assert_eq!(result.text, text, "{name}");
    }
    assert_eq!(result.text, shown(events), "{name}");
    for key in [KEY, KEY_IN_URL, "YWIua2V5LzAxMjMrNDU2Nz04O"] {
        assert!(!raw.contains(key), "{name} shows the key");
    }
    let told: Vec<&Value> = of_kind(events, "retry").into_iter().map(|retry| &retry["error"]).collect();
    for message in
        told.iter().map(|error| error["message"].as_str().unwrap()).chain(error.map(|error| &*error.message))
    {
        let odd = message.contains("</") || message.chars().any(|c| c.is_control() || c == '\u{202e}');
        assert!(!odd && !message.ends_with('.') && message.len() < 500, "{name}: {message:?}");
    }
    if let Some(error) = error {
        for part in &row.says {
            assert!(error.message.contains(part), "{name}: {}", error.message);
        }
        let hint = error.hint.as_deref().unwrap_or_else(|| panic!("{name} has no hint: {error:?}"));
        for part in &row.hints {
            assert!(hint.contains(part), "{name}: {hint}");
        }
        // What the engine itself ends is nobody's fault.
        let named = error.provider.as_deref().or((error.kind.as_str() == "tooLarge").then_some(row.provider));
        assert_eq!(named, Some(row.provider), "{name}");
    }
    for kind in &row.told {
        let is_told = match *kind {
            "warning" => events.iter().any(|event| event["item"]["severity"] == "warning"),
            kind => !of_kind(events, kind).is_empty(),
        };
        assert!(is_told, "{name} does not tell {kind}");
    }
}

/// Rows that are played at once: most of them wait.
const AT_ONCE: usize = 8;

/// Plays all rows over one wire, and returns the table.
#[track_caller]
fn check_wire(name: &str) -> String {
    let talk = *TALKS.iter().find(|talk| talk.name() == name).unwrap();
    let thief = Upstream::start();
    let target = format!("{}/steal", thief.provider.url());
    let mut rows = rows(talk, &target);
    rows.retain(|row| row.ways.contains(&talk.way()));
    let count = rows.len();
    let waiting = Mutex::new(rows);
    let played = Mutex::new(Vec::new());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(row) = waiting.lock().unwrap().pop() else { return };
                    let line = play(&row, talk);
                    played.lock().unwrap().push(line);
                }
            });
        }
    });
    let mut lines = played.into_inner().unwrap();
    lines.sort();
    assert_eq!(lines.len(), count);
    assert_eq!(Provider::requests(&thief.provider).len(), 0, "a redirect was followed");
    let took = begun.elapsed().as_millis();
    format!(
        "wire, fault, outcome, requests, retries told, time\n{}\n{count} rows in {took} ms",
        lines.join("\n")
    )
}

/// One test for each wire, so that they run beside each other.
macro_rules! tables {
    ($($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() {
                println!("{}", check_wire($name));
            }
        )*

        #[test]
        fn every_wire_is_played() {
            assert_eq!(TALKS.map(WireTalk::name), [$($name),*]);
        }
    };
}

tables! {
    faults_of_openai_completions "openai-completions"
    faults_of_anthropic_messages "anthropic-messages"
    faults_of_openai_responses "openai-responses"
    faults_of_azure_openai_responses "azure-openai-responses"
    faults_of_openai_codex_responses "openai-codex-responses"
    faults_of_codex_over_a_websocket "codex over a websocket"
    faults_of_google_generative_ai "google-generative-ai"
    faults_of_google_vertex "google-vertex"
    faults_of_mistral_conversations "mistral-conversations"
    faults_of_bedrock_converse_stream "bedrock-converse-stream"
}
