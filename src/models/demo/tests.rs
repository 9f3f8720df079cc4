//! The built-in conversation and the scripts, delta by delta; nothing here waits for a real clock.

use std::sync::Arc;

use futures_util::{FutureExt as _, StreamExt as _};

use super::*;
use crate::accounts::Credential;
use crate::catalog::{Cost, Model, Thinking};
use crate::models::{Assistant, Content, Origin, Request, ToolSpec};
use crate::settings::Settings;
use crate::system::{Clock, Dirs, Env, Random, RealFiles, System};

fn call(id: &str, env: &[(&str, &str)], request: Request) -> Call {
    let model = Model {
        provider: "demo".into(),
        id: id.into(),
        name: "Demo".into(),
        wire: WIRE.into(),
        base_url: "".into(),
        reasoning: true,
        thinking: Thinking::default(),
        takes_images: false,
        cost: Cost::default(),
        context_window: 100_000,
        max_output: 10_000,
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: Arc::default(),
    };
    Call {
        request: Arc::new(request),
        model: Arc::new(model),
        credential: Credential::None,
        headers: Vec::new(),
        settings: Arc::new(Settings::default()),
        system: System {
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Env>(),
            clock: Clock::Fake(Arc::default()),
            random: Random::Counter(Arc::default()),
            files: Arc::new(RealFiles),
            dirs: Dirs::default(),
            working_dir: std::env::temp_dir(),
        },
    }
}

fn user(text: &str) -> Message {
    Message::User(vec![Content::Text(text.into())])
}

fn assistant() -> Message {
    let origin = Origin { provider: "demo".into(), wire: "demo".into(), model: "demo".into() };
    Message::Assistant(Assistant { origin, blocks: Vec::new(), complete: true })
}

fn result(text: &str) -> Message {
    Message::ToolResult {
        call_id: "demo-call-1".into(),
        name: TOOL.into(),
        content: vec![Content::Text(text.into())],
        is_error: false,
    }
}

fn tools() -> Vec<ToolSpec> {
    vec![ToolSpec { name: TOOL.into(), description: String::new(), parameters: "{}".into() }]
}

async fn play(call: Call) -> (Vec<Delta>, Option<Fault>) {
    let mut stream = DemoBackend.call(call);
    let mut deltas = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(delta) => deltas.push(delta),
            Err(fault) => return (deltas, Some(fault)),
        }
    }
    (deltas, None)
}

fn text(deltas: &[Delta]) -> String {
    deltas
        .iter()
        .map(|delta| match delta {
            Delta::Text { text, .. } => text.as_str(),
            _ => "",
        })
        .collect()
}

fn calls(deltas: &[Delta]) -> usize {
    deltas.iter().filter(|delta| matches!(delta, Delta::ToolCall { .. })).count()
}

const QUICK: &[(&str, &str)] = &[(DELAY_VARIABLE, "0")];

#[tokio::test]
async fn the_demo_says_what_it_is_thinks_and_calls_its_tool_once() {
    let ask = Request { messages: vec![user("hello there")], tools: tools(), ..Request::default() };
    let (deltas, fault) = play(call("demo", QUICK, ask.clone())).await;
    assert_eq!(fault, None);
    assert!(text(&deltas).contains("scripted stand-in"));
    assert!(text(&deltas).contains("> hello there"));
    assert!(deltas.iter().any(|delta| matches!(delta, Delta::Thinking { .. })));
    assert!(deltas.contains(&Delta::Arguments {
        block: 2,
        text: "{\"harmless\":true,\"note\":\"hello there\"}".into()
    }));
    assert_eq!(calls(&deltas), 1);
    assert_eq!(deltas.last(), Some(&Delta::Stop { reason: StopReason::ToolUse, raw: None }));

    let mut answered = ask;
    answered.messages.extend([assistant(), result("it worked")]);
    let (deltas, _) = play(call("demo", QUICK, answered.clone())).await;
    assert_eq!(calls(&deltas), 0);
    assert!(text(&deltas).contains("it worked") && text(&deltas).contains("aside providers"));
    assert_eq!(deltas.last(), Some(&Delta::Stop { reason: StopReason::EndTurn, raw: None }));

    answered.messages.extend([assistant(), user("again")]);
    assert_eq!(calls(&play(call("demo", QUICK, answered)).await.0), 1);

    let careful = Request { messages: vec![user("With permission")], tools: tools(), ..Request::default() };
    let (deltas, _) = play(call("demo", QUICK, careful)).await;
    assert!(deltas.contains(&Delta::Arguments { block: 2, text: "{\"note\":\"With permission\"}".into() }));
    let asking = Request { messages: vec![user("Ask me!")], tools: tools(), ..Request::default() };
    let (deltas, _) = play(call("demo", QUICK, asking)).await;
    let asks = |delta: &Delta| matches!(delta, Delta::Arguments { text, .. } if text.contains("question"));
    assert!(deltas.iter().any(asks), "{deltas:?}");
}

#[tokio::test]
async fn without_the_tool_the_demo_tells_how_to_sign_in_at_once() {
    let long = "ü".repeat(500);
    let ask = Request { messages: vec![user(&long)], ..Request::default() };
    let (deltas, _) = play(call("demo", QUICK, ask)).await;
    assert_eq!(calls(&deltas), 0);
    assert!(text(&deltas).contains(&format!("> {}…\n", "ü".repeat(200))));
    assert!(text(&deltas).contains("GROQ_API_KEY") && text(&deltas).contains("--api-key"));
}

#[tokio::test(start_paused = true)]
async fn the_demo_streams_word_by_word() {
    let ask = Request { messages: vec![user("hi")], ..Request::default() };
    let started = tokio::time::Instant::now();
    let (slow, _) = play(call("demo", &[], ask.clone())).await;
    assert!(started.elapsed() >= Duration::from_millis(500));
    let (quick, _) = play(call("demo", QUICK, ask)).await;
    assert!(slow.len() > quick.len());
    assert_eq!(text(&slow), text(&quick));
}

fn script(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_script_plays_its_turns_in_order_and_the_last_for_ever() {
    let file = script(
        "{\"thinking\":\"hm\"}\n{\"toolCall\":{\"name\":\"demo\",\"arguments\":{\"a\":1}}}\n\
         {\"usage\":{\"input\":3,\"output\":4}}\n{\"stop\":\"toolUse\"}\n{\"turn\":true}\n\n{\"text\":\"done\"}\n",
    );
    let id = format!("script:{}", file.path().display());
    let mut ask = Request { messages: vec![user("x")], ..Request::default() };
    let (first, fault) = play(call(&id, &[], ask.clone())).await;
    assert_eq!(fault, None);
    let usage = Usage { input: 3, output: 4, ..Usage::default() };
    let stop = |reason| Delta::Stop { reason, raw: None };
    let begin = Delta::Response { id: None, model: None };
    assert_eq!(
        first,
        [
            begin.clone(),
            Delta::Thinking { block: 0, text: "hm".into() },
            Delta::ToolCall { block: 1, id: "demo-call-1".into(), name: "demo".into() },
            Delta::Arguments { block: 1, text: "{\"a\":1}".into() },
            Delta::Usage(usage),
            stop(StopReason::ToolUse),
        ]
    );
    for _ in 0..2 {
        ask.messages.push(assistant());
        let (later, _) = play(call(&id, &[], ask.clone())).await;
        let usage = Usage { input: 1, output: 1, ..Usage::default() };
        let said = Delta::Text { block: 0, text: "done".into() };
        assert_eq!(later, [begin.clone(), said, Delta::Usage(usage), stop(StopReason::EndTurn)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_script_from_the_environment_repeats_floods_waits_and_fails() {
    let file = script(
        r#"[{"repeat":{"text":"abcd ","times":20000}},{"flood":{"bytes":10000,"chunk":4096}},{"waitMs":100},
            {"fail":{"category":"overloaded","status":503,"message":"busy","retryAfterMs":7}}]"#,
    );
    let path = file.path().display().to_string();
    let started = tokio::time::Instant::now();
    let (deltas, fault) = play(call("demo", &[(SCRIPT_VARIABLE, &path)], Request::default())).await;
    assert_eq!(deltas.len(), 1 + 20_000 + 3);
    assert_eq!(text(&deltas).len(), 100_000 + 10_000);
    assert!(started.elapsed() >= Duration::from_millis(100));
    let fault = fault.unwrap();
    assert_eq!(
        (fault.category, fault.status, fault.retry_after_ms),
        (Category::Overloaded, Some(503), Some(7))
    );
    assert_eq!(fault.message, "busy");
}

#[tokio::test]
async fn a_script_may_stall_or_panic() {
    let file = script("{\"text\":\"x\"}\n{\"stall\":true}");
    let id = format!("script:{}", file.path().display());
    let mut stream = DemoBackend.call(call(&id, &[], Request::default()));
    assert!(stream.next().await.is_some());
    assert!(stream.next().await.is_some());
    assert!(stream.next().now_or_never().is_none());

    let file = script("{\"panic\":true}");
    let id = format!("script:{}", file.path().display());
    let playing = std::panic::AssertUnwindSafe(play(call(&id, &[], Request::default())));
    assert!(playing.catch_unwind().await.is_err());
}

#[tokio::test]
async fn mistakes_in_a_script_name_their_line() {
    let cases = [
        ("{\"text\":\"x\"}\n{\"nope\":1}", "line 2: unknown variant `nope`"),
        ("{\"text\":\"x\"}\n\n{\"text\":", "line 3: EOF"),
        ("{\"text\":1}", "line 1: invalid type"),
        ("[{\"text\":\"x\"},{\"repeat\":{\"times\":1}}]", "step 2: \"repeat\""),
        ("{\"flood\":{\"bytes\":1,\"chunk\":0}}", "line 1: \"chunk\""),
        ("[1,", "line 1: EOF"),
        ("{\"stop\":\"later\"}", "line 1: unknown variant `later`"),
    ];
    for (text, wanted) in cases {
        let file = script(text);
        let id = format!("script:{}", file.path().display());
        let (_, fault) = play(call(&id, &[], Request::default())).await;
        let message = fault.unwrap().message;
        assert!(message.contains(wanted), "{message}");
    }
    let (_, fault) = play(call("script:does/not/exist", &[], Request::default())).await;
    assert!(fault.unwrap().message.contains("cannot be read"));
}
