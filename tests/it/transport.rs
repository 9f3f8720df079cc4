//! Model calls over real sockets: what reaches the provider, what comes back, and how it goes wrong.

mod bedrock;
mod dialects;
mod messages;
mod routes;
pub(crate) mod tls;
pub(crate) mod tunnel;
mod websocket;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use aside::accounts::Credential;
use aside::catalog::{Cost, Model, Thinking};
use aside::models::{
    Backends, CacheRetention, Call, Category, Content, Delta, DeltaStream, Fault, Message, Request,
    StopReason, Stream, ToolSpec,
};
use aside::settings::{ModelTransport, Settings};
use aside::system::{Clock, Dirs, Env, Random, RealFiles, System};
use futures_util::StreamExt as _;

use crate::provider::completions::{DONE, STOP, answer, text};
use crate::provider::{Gate, Provider, Reply};

const KEY: &str = "sk-test-0123456789abcdef";

/// One call, to be changed before it is made.
struct Asking {
    backends: Backends,
    model: Model,
    settings: Settings,
    env: Vec<(String, String)>,
    credential: Credential,
    headers: Vec<(String, secrecy::SecretString)>,
    tools: Vec<ToolSpec>,
    cache: CacheRetention,
    variables: Vec<(&'static str, String)>,
    clock: Arc<AtomicU64>,
}

fn ask(base_url: &str) -> Asking {
    Asking {
        backends: Backends::default(),
        model: Model {
            provider: "test".into(),
            id: "m".into(),
            name: "M".into(),
            wire: "openai-completions".into(),
            base_url: base_url.into(),
            reasoning: false,
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
        },
        settings: Settings::default(),
        env: Vec::new(),
        credential: Credential::Key(KEY.to_owned().into()),
        headers: Vec::new(),
        tools: Vec::new(),
        cache: CacheRetention::default(),
        variables: Vec::new(),
        clock: Arc::default(),
    }
}

impl Asking {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.to_owned().into()));
        self
    }

    fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn cache(mut self, cache: CacheRetention) -> Self {
        self.cache = cache;
        self
    }

    fn start(&self) -> DeltaStream {
        let request = Request {
            messages: vec![Message::User(vec![Content::Text("hi".into())])],
            session: "s".into(),
            tools: self.tools.clone(),
            cache: self.cache,
            variables: self.variables.iter().cloned().collect(),
            ..Request::default()
        };
        self.backends.call(Call {
            request: Arc::new(request),
            model: Arc::new(self.model.clone()),
            credential: self.credential.clone(),
            headers: self.headers.clone(),
            settings: Arc::new(self.settings.clone()),
            system: System {
                env: self.env.iter().cloned().collect::<Env>(),
                clock: Clock::Fake(Arc::clone(&self.clock)),
                random: Random::Counter(Arc::default()),
                files: Arc::new(RealFiles),
                dirs: Dirs::default(),
                working_dir: std::env::temp_dir(),
            },
        })
    }

    async fn all(&self) -> Outcome {
        drain(&mut self.start()).await
    }

    async fn fault(&self) -> Fault {
        let outcome = self.all().await;
        let fault = outcome.fault.unwrap_or_else(|| panic!("no fault but {:?}", outcome.deltas));
        let shown = format!("{fault:?}");
        assert!(!shown.contains(KEY) && !shown.contains("hunter2"), "{shown}");
        assert!(!fault.message.ends_with('.'), "{shown}");
        fault
    }
}

struct Outcome {
    deltas: Vec<Delta>,
    fault: Option<Fault>,
}

impl Outcome {
    fn text(&self) -> String {
        self.deltas
            .iter()
            .map(|delta| match delta {
                Delta::Text { text, .. } => text.as_str(),
                _ => "",
            })
            .collect()
    }

    fn stopped(&self) -> bool {
        self.deltas.iter().any(|delta| matches!(delta, Delta::Stop { reason: StopReason::EndTurn, .. }))
    }
}

async fn drain(stream: &mut DeltaStream) -> Outcome {
    let mut outcome = Outcome { deltas: Vec::new(), fault: None };
    while let Some(next) = stream.next().await {
        match next {
            Ok(delta) => outcome.deltas.push(delta),
            Err(fault) => {
                assert!(outcome.fault.replace(fault).is_none(), "a second fault");
            }
        }
    }
    outcome
}

/// Reads until `text` has come.
async fn until_text(stream: &mut DeltaStream, text: &str) {
    let mut so_far = String::new();
    while so_far != text {
        match stream.next().await {
            Some(Ok(Delta::Text { text, .. })) => so_far.push_str(&text),
            Some(Ok(_)) => {}
            other => panic!("{other:?} after {so_far:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_streams_and_the_request_carries_the_key() {
    let provider = Provider::start().await;
    provider.reply(answer(&["Hel", "lo"]));
    let asking = ask(&provider.url()).header("x-team", "blue").header("user-agent", "mine/1");
    let outcome = asking.all().await;
    assert_eq!((outcome.text().as_str(), outcome.stopped(), outcome.fault), ("Hello", true, None));
    let request = provider.request(0).await;
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/chat/completions"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(request.header("x-team"), Some("blue"));
    assert_eq!(request.header("user-agent"), Some("mine/1"));
    assert_eq!(request.json()["stream"], true);
}

#[tokio::test]
async fn headers_hold_the_session_or_are_taken_away() {
    let provider = Provider::start().await;
    provider.reply(answer(&["Hello"]));
    let mut asking = ask(&provider.url()).header("x-kept", "1");
    asking.model.session_headers = vec!["x-conversation".into()];
    asking.model.without_headers = vec!["Authorization".into(), "x-kept".into()];
    assert_eq!(asking.all().await.fault, None);
    let request = provider.request(0).await;
    assert_eq!(request.header("x-conversation"), Some("s"));
    assert_eq!(request.header("authorization"), None);
    // What the user sets stands above what the user takes away.
    assert_eq!(request.header("x-kept"), Some("1"));
}

#[tokio::test]
async fn a_connection_is_used_again_where_it_was_dear() {
    let authority = tls::Authority::new();
    let plain = Provider::start().await;
    let secure = Provider::start_tls(authority.acceptor()).await;
    for (provider, connections) in [(plain, 2), (secure, 1)] {
        let pem = authority.pem.path().display().to_string();
        let asking = ask(&provider.url()).env("SSL_CERT_FILE", &pem);
        for _ in 0..2 {
            provider.reply(answer(&["x"]));
            assert!(asking.all().await.stopped());
        }
        assert_eq!(
            (provider.requests().len(), provider.connections()),
            (2, connections),
            "{}",
            provider.url()
        );
    }
}

#[tokio::test]
async fn a_kept_connection_that_is_gone_costs_nothing_but_a_new_one() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    let asking = ask(&provider.url()).env("SSL_CERT_FILE", &authority.pem.path().display().to_string());
    provider.reply(answer(&["one"]));
    assert_eq!(asking.all().await.text(), "one");
    // The connection ends as the next request comes.
    provider.reply(Reply::raw("").fin());
    provider.reply(answer(&["two"]));
    assert_eq!(asking.all().await.text(), "two");
    assert_eq!((provider.requests().len(), provider.connections()), (3, 2));
    // It is not hidden that new ones end like that.
    provider.reply(Reply::raw("").fin());
    provider.reply(Reply::raw("").fin());
    assert_eq!(asking.fault().await.category, Category::Network);
    assert_eq!(provider.requests().len(), 5);
    provider.reply(Reply::raw("").fin());
    assert_eq!(asking.fault().await.category, Category::Network);
    assert_eq!(provider.requests().len(), 6);
}

#[tokio::test]
async fn a_delta_is_given_out_as_soon_as_it_has_come() {
    let provider = Provider::start().await;
    let gate = Gate::new();
    provider.reply(Reply::stream().event(&text("a")).wait(&gate).event(&text("b")).event(STOP).event(DONE));
    let asking = ask(&provider.url());
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    gate.open();
    until_text(&mut stream, "b").await;
    assert!(drain(&mut stream).await.stopped());
}

#[tokio::test]
async fn any_cut_of_the_bytes_gives_the_same_answer() {
    let body = format!(": hello\r\n\r\ndata: {}\n\ndata: {STOP}\r\rdata: [DONE]\n\n", text("üß→ 🙂"));
    let provider = Provider::start().await;
    let asking = ask(&provider.url());
    for at in 1..body.len() {
        let (one, two) = body.as_bytes().split_at(at);
        provider.reply(Reply::stream().chunk(one).chunk(two));
        let outcome = asking.all().await;
        assert_eq!((outcome.text().as_str(), outcome.stopped()), ("üß→ 🙂", true), "cut at {at}");
    }
    let single = body.as_bytes().iter().fold(Reply::stream(), |reply, byte| reply.chunk([*byte]));
    provider.reply(single);
    assert_eq!(asking.all().await.text(), "üß→ 🙂");
}

#[tokio::test]
async fn a_burst_in_one_chunk_is_given_out_whole() {
    let provider = Provider::start().await;
    let burst = format!("data: {}\n\n", text("abcd ")).repeat(5000);
    provider.reply(Reply::stream().chunk(format!("{burst}data: {STOP}\n\ndata: {DONE}\n\n")));
    let outcome = ask(&provider.url()).all().await;
    assert_eq!((outcome.text().len(), outcome.stopped()), (25_000, true));
}

#[tokio::test]
async fn dropping_the_answer_closes_the_connection() {
    let provider = Provider::start().await;
    let asking = ask(&provider.url());
    provider.reply(Reply::stream().event(&text("a")).stall());
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    drop(stream);
    provider.request(0).await.closed().await;

    // Before the head of the answer, too.
    provider.reply(Reply::raw("").stall());
    let mut stream = asking.start();
    tokio::select! {
        biased;
        next = stream.next() => panic!("{next:?}"),
        request = provider.request(1) => {
            drop(stream);
            request.closed().await;
        }
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_its_target_gets_nothing() {
    let (provider, thief) = (Provider::start().await, Provider::start().await);
    for status in [301, 302, 307, 308] {
        let location = format!("{}/steal?x=1", thief.url());
        provider.reply(Reply::status(status).header("location", &location));
        let fault = ask(&provider.url()).fault().await;
        assert_eq!((fault.category, fault.status), (Category::Protocol, Some(status)));
        assert!(fault.message.contains(&format!("redirects to {}", thief.url())), "{fault}");
        assert!(!fault.message.contains("steal"), "{fault}");
    }
    assert!(thief.requests().is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// A frame whose window is 1 MiB, and what comes in it before its blocks.
const ZSTD_HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];

/// One block that holds the bytes as they are.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let last_and_raw = u32::try_from(bytes.len()).unwrap() << 3 | 1;
    [&ZSTD_HEAD[..], &last_and_raw.to_le_bytes()[..3], bytes].concat()
}

/// One block that holds the bytes as they are, and the empty last one.
fn brotli(bytes: &[u8]) -> Vec<u8> {
    // From the lowest bit: a window of 64 KiB, not the last, four digits of length, the length, as it is.
    let head = u32::try_from(bytes.len() - 1).unwrap() << 4 | 1 << 20;
    [&head.to_le_bytes()[..3], bytes, &[3]].concat()
}

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let provider = Provider::start().await;
    let body = format!("data: {}\n\ndata: {STOP}\n\ndata: {DONE}\n\n", text("small"));
    let bytes = body.as_bytes();
    let forms =
        [("gzip", gzip(bytes)), ("deflate", deflate(bytes)), ("zstd", zstd(bytes)), ("br", brotli(bytes))];
    for (name, compressed) in forms {
        let (one, two) = compressed.split_at(20);
        provider.reply(Reply::stream().header("content-encoding", name).chunk(one).chunk(two));
        let outcome = ask(&provider.url()).all().await;
        assert_eq!(
            (outcome.text().as_str(), outcome.stopped(), outcome.fault),
            ("small", true, None),
            "{name}"
        );

        provider.reply(Reply::stream().header("content-encoding", name).chunk("this is not that at all"));
        let fault = ask(&provider.url()).fault().await;
        assert_eq!(fault.category, Category::Protocol, "{name}: {fault}");
        assert!(fault.message.contains("is damaged"), "{name}: {fault}");
    }
    assert_eq!(provider.request(0).await.header("accept-encoding"), Some("gzip"));
}

#[tokio::test]
async fn a_compressed_bomb_is_cut_off() {
    let provider = Provider::start().await;
    // Comments, so that no single frame is too long.
    let zipped =
        gzip(&b":aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n".repeat((80 << 20) / 64));
    assert!(zipped.len() < 1 << 20);
    // One byte for each 128 KiB, 2 GiB of them.
    let run = [&(128_u32 << 10 << 3 | 1 << 1).to_le_bytes()[..3], b"\n"].concat();
    let zstd = [&ZSTD_HEAD[..], &run.repeat(16 << 10)].concat();
    let replies = [
        Reply::stream().header("content-encoding", "gzip").chunk(zipped).stall(),
        Reply::stream().header("content-encoding", "zstd").chunk(zstd).stall(),
    ];
    for (index, reply) in replies.into_iter().enumerate() {
        provider.reply(reply);
        let asking = ask(&provider.url());
        let fault = asking.fault().await;
        assert_eq!(fault.category, Category::TooLarge, "{fault}");
        provider.request(index).await.closed().await;
    }
}

#[tokio::test]
async fn an_endless_line_is_cut_off() {
    let provider = Provider::start().await;
    provider.reply(Reply::stream().chunk("data: ").flood(vec![b'a'; 65536], 100_000));
    let fault =
        ask(&provider.url()).settings(|settings| settings.limits.max_message_bytes = 1 << 20).fault().await;
    assert_eq!(fault.category, Category::TooLarge, "{fault}");
    provider.request(0).await.closed().await;
}

#[tokio::test]
async fn a_page_in_place_of_the_stream_is_told_by_its_title() {
    let provider = Provider::start().await;
    let page = "<html><head><title>Sign in\n to WiFi</title></head><body>x</body></html>";
    provider.reply(Reply::status(200).header("content-type", "text/html; charset=utf-8").chunk(page));
    let fault = ask(&provider.url()).fault().await;
    assert_eq!((fault.category, fault.status), (Category::Protocol, Some(200)));
    assert!(fault.message.contains("not an event stream but text/html (\"Sign in to WiFi\")"), "{fault}");

    provider.reply(Reply::json(200, &format!("{{\"error\":\"no such key {KEY}\"}}")));
    let fault = ask(&provider.url()).fault().await;
    assert!(fault.message.contains("no such key ***"), "{fault}");
}

#[tokio::test]
async fn a_refused_key_is_never_shown() {
    let provider = Provider::start().await;
    let body =
        format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {KEY}\",\"code\":\"k {KEY}\"}}}}");
    provider.reply(Reply::json(401, &body));
    let fault = ask(&provider.url()).header("x-other", "Token hunter2hunter2").fault().await;
    assert_eq!((fault.category, fault.status), (Category::Authentication, Some(401)));
    assert!(fault.message.contains("***"), "{fault}");

    // In the middle of a stream, too.
    let event = "{\"error\":{\"message\":\"key hunter2hunter2 was revoked\",\"code\":401}}";
    provider.reply(Reply::sse([text("a").as_str(), event]));
    let asking = ask(&provider.url()).header("x-other", "Token hunter2hunter2");
    let fault = asking.fault().await;
    assert!(fault.message.contains("***"), "{fault}");
}

#[tokio::test]
async fn an_error_says_how_long_to_wait_and_is_read_only_so_far() {
    let provider = Provider::start().await;
    provider.reply(Reply::json(429, "{\"error\":{\"message\":\"slow down\"}}").header("retry-after", "3"));
    let fault = ask(&provider.url()).fault().await;
    assert_eq!((fault.category, fault.retry_after_ms), (Category::RateLimit, Some(3000)));

    provider.reply(Reply::status(500).flood(vec![b'a'; 65536], 1_000_000));
    let fault = ask(&provider.url()).fault().await;
    assert_eq!((fault.category, fault.status), (Category::Server, Some(500)));
    provider.request(1).await.closed().await;
}

#[tokio::test]
async fn an_error_that_does_not_end_is_told_all_the_same() {
    let provider = Provider::start().await;
    provider.reply(Reply::json(503, "{\"error\":{\"message\":\"come back later\"}}").stall());
    let asking = ask(&provider.url());
    let mut stream = asking.start();
    tokio::select! {
        biased;
        next = stream.next() => panic!("{next:?}"),
        _ = provider.request(0) => {}
    }
    tokio::time::pause();
    let fault = drain(&mut stream).await.fault.expect("a fault");
    assert_eq!((fault.category, fault.status), (Category::Overloaded, Some(503)));
}

#[tokio::test]
async fn connecting_has_its_own_limit_which_covers_tls() {
    // Connections stand, but nobody answers the handshake.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asking = ask(&format!("https://{address}"));
    let mut stream = asking.start();
    tokio::time::pause();
    let fault = drain(&mut stream).await.fault.expect("a fault");
    assert_eq!(fault.category, Category::Timeout, "{fault}");
    assert_eq!(fault.message, format!("no connection to {address} within 10000 ms"));
}

#[tokio::test]
async fn a_broken_connection_is_told_after_what_had_come() {
    let provider = Provider::start().await;
    let endings = [
        Reply::stream().event(&text("a")).reset(),
        Reply::stream().event(&text("a")).bytes("ff\r\ndata: {").fin(),
    ];
    for reply in endings {
        provider.reply(reply);
        let outcome = ask(&provider.url()).all().await;
        let fault = outcome.fault.expect("a fault");
        assert_eq!(fault.category, Category::Network, "{fault}");
        assert!(fault.message.contains("broke in the middle"), "{fault}");
    }
    // What had been said in full is an answer, however the connection ends.
    provider.reply(Reply::sse([text("a").as_str(), STOP]).fin());
    let outcome = ask(&provider.url()).all().await;
    assert_eq!((outcome.stopped(), outcome.fault), (true, None));
}

#[tokio::test]
async fn a_refused_connection_names_host_and_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let fault = ask(&format!("http://{address}/v1")).fault().await;
    assert_eq!(fault.category, Category::Network);
    assert_eq!(fault.message, format!("connection refused by {address}"));
    assert!(fault.hint.is_some());
}

#[tokio::test]
async fn what_cannot_be_called_is_refused_before_anything_is_sent() {
    for (url, wanted) in
        [("ftp://host", "scheme"), ("nonsense", "url"), ("http://me:hunter2@host/", "password")]
    {
        let fault = ask(url).fault().await;
        assert_eq!(fault.category, Category::InvalidRequest);
        assert!(fault.message.contains(wanted), "{fault}");
    }
    let mut asking = ask("http://127.0.0.1:9");
    asking.credential = Credential::Key("hunter2\nhunter2".to_owned().into());
    assert_eq!(asking.fault().await.category, Category::Authentication);
    for (name, value) in [("content-length", "3"), ("bad name", "x"), ("x-ok", "a\r\nb: c")] {
        let fault = ask("http://127.0.0.1:9").header(name, value).fault().await;
        assert_eq!(fault.category, Category::InvalidRequest, "{fault}");
    }
    let mut asking = ask("http://127.0.0.1:9");
    asking.model.wire = "telepathy".into();
    assert!(asking.fault().await.message.contains("telepathy"));
}

/// Lets the paused clock run to the end of the wait that the answer is in.
async fn timed_out(stream: &mut DeltaStream) -> Fault {
    tokio::time::pause();
    let fault = timed_out_paused(stream).await;
    tokio::time::resume();
    fault
}

async fn timed_out_paused(stream: &mut DeltaStream) -> Fault {
    let fault = drain(stream).await.fault.expect("a fault");
    assert_eq!(fault.category, Category::Timeout, "{fault}");
    fault
}

#[tokio::test]
async fn a_provider_that_says_nothing_at_all_times_out() {
    let provider = Provider::start().await;
    for reply in [Reply::raw("").stall(), Reply::stream().chunk(": queued\n\n").stall()] {
        let seen = provider.requests().len();
        provider.reply(reply);
        let asking = ask(&provider.url());
        let mut stream = asking.start();
        tokio::select! {
            biased;
            Some(Err(fault)) = stream.next() => panic!("{fault}"),
            _ = provider.request(seen) => {}
        }
        let fault = timed_out(&mut stream).await;
        assert!(fault.message.contains("no event from 127.0.0.1"), "{fault}");
        assert!(fault.message.contains("within 300000 ms"), "{fault}");
        provider.request(seen).await.closed().await;
    }
}

#[tokio::test]
async fn an_answer_that_goes_silent_times_out() {
    let provider = Provider::start().await;
    provider.reply(Reply::stream().event(&text("a")).stall());
    let asking = ask(&provider.url());
    // The silence is counted from the last byte, which comes before it is read here.
    let started = tokio::time::Instant::now();
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    let fault = timed_out(&mut stream).await;
    assert!(fault.message.contains("no byte") && fault.message.contains("60000 ms"), "{fault}");
    assert!(started.elapsed() >= Duration::from_mins(1));
}

#[tokio::test]
async fn comments_keep_an_answer_alive_only_so_long() {
    let provider = Provider::start().await;
    let gate = Gate::new();
    let reply =
        (0..10).fold(Reply::stream().event(&text("a")), |reply, _| reply.wait(&gate).chunk(": ping\n\n"));
    provider.reply(reply.stall());
    let asking = ask(&provider.url()).settings(|settings| settings.timeouts.event_ms = 90_000);
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(50)).await;
    gate.open();
    assert_eq!(stream.next().await, Some(Ok(Delta::Alive)));
    let fault = timed_out_paused(&mut stream).await;
    assert!(fault.message.contains("no event for 90000 ms"), "{fault}");
}

#[tokio::test]
async fn waits_rest_while_nobody_reads() {
    let provider = Provider::start().await;
    let gate = Gate::new();
    provider.reply(Reply::stream().event(&text("a")).wait(&gate).event(&text("b")).event(STOP).event(DONE));
    let asking = ask(&provider.url());
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    // The wait is armed, then the client stops reading for an hour.
    assert!(futures_util::FutureExt::now_or_never(stream.next()).is_none());
    tokio::time::pause();
    tokio::time::advance(Duration::from_hours(1)).await;
    tokio::time::resume();
    Stream::resume(Pin::as_mut(&mut stream));
    assert!(futures_util::FutureExt::now_or_never(stream.next()).is_none());
    gate.open();
    assert!(drain(&mut stream).await.stopped());
}

#[tokio::test]
async fn an_answer_without_a_last_word_ends_when_nothing_follows_its_reason() {
    let event = |text: &str, reason: &str| {
        format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}{reason}}}]}}"#)
    };
    let stop = r#","finishReason":"STOP""#;
    for ends in [|reply: Reply| reply.stall(), |reply: Reply| reply.reset(), |reply: Reply| reply.fin()] {
        let provider = Provider::start().await;
        // The first reason turned out to be none.
        let reply = Reply::stream().event(&event("a", stop)).event(&event("b", "")).event(&event("c", stop));
        provider.reply(ends(reply));
        let mut asking = ask(&provider.url());
        asking.model.wire = "google-generative-ai".into();
        let mut stream = asking.start();
        until_text(&mut stream, "abc").await;
        tokio::time::pause();
        let outcome = drain(&mut stream).await;
        assert_eq!((outcome.stopped(), outcome.fault), (true, None));
        tokio::time::resume();
        assert_eq!(provider.request(0).await.header("x-goog-api-key"), Some(KEY));
    }
    let provider = Provider::start().await;
    provider.reply(Reply::stream().event(&event("a", stop)).event(&event("b", "")).reset());
    let mut asking = ask(&provider.url());
    asking.model.wire = "google-generative-ai".into();
    assert_eq!(asking.fault().await.category, Category::Network);
}

#[tokio::test]
async fn vertex_gets_keys_as_keys_and_tokens_as_tokens_and_no_words_for_either() {
    let stop = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    for (key, bearer, bare) in [
        ("AIza-0123456789", None, Some("AIza-0123456789")),
        ("ya29.0123456789", Some("Bearer ya29.0123456789"), None),
        ("gcp-vertex-credentials", None, None),
        ("<authenticated>", None, None),
    ] {
        let provider = Provider::start().await;
        provider.reply(Reply::sse([stop]));
        let mut asking = ask(&provider.url());
        asking.model.wire = "google-vertex".into();
        asking.credential = Credential::Key(key.to_owned().into());
        let outcome = asking.all().await;
        assert_eq!((outcome.stopped(), outcome.fault), (true, None));
        let request = provider.request(0).await;
        assert_eq!((request.header("authorization"), request.header("x-goog-api-key")), (bearer, bare));
        assert_eq!(request.target, "/v1/publishers/google/models/m:streamGenerateContent?alt=sse");
        // Google's own hosts are not asked without.
        asking.model.base_url = "https://{location}-aiplatform.googleapis.com".into();
        if bare.is_none() {
            let fault = asking.fault().await;
            assert_eq!(fault.category, Category::Authentication);
            let names = if bearer.is_some() { "GOOGLE_CLOUD_LOCATION" } else { "no credential" };
            assert!(fault.message.contains(names), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_has_stopped_does_not_wait_for_the_connection_to_end() {
    let provider = Provider::start().await;
    provider.reply(Reply::stream().event(&text("a")).event(STOP).event(DONE).stall());
    let asking = ask(&provider.url());
    let mut stream = asking.start();
    until_text(&mut stream, "a").await;
    tokio::time::pause();
    let outcome = drain(&mut stream).await;
    assert_eq!((outcome.stopped(), outcome.fault), (true, None));
}
