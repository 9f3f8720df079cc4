//! Model servers of this machine: found when they are asked for, never before, and believed only if they are
//! what they say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aside::catalog::LocalKind;
use aside::models::Backends;
use aside::models::discovery::Absence;
use aside::settings::{LocalPlaces, Settings};
use aside::system::{Env, System};
use aside_protocol::{ListModelsParams, ListModelsResult, PromptParams, method};
use serde_json::{Value, json};

use crate::server::{Setup, TestServer};

/// What a fake says to a path; `None` says nothing and keeps the connection.
pub(crate) type Answer = fn(&str) -> Option<String>;

/// A model server made of one socket. Its thread ends with the test's process.
pub(crate) struct Fake {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// One that is never to be sent a key.
    fn start(answer: Answer) -> Self {
        Self::listen(answer, None)
    }

    /// One that refuses requests whose head has not this line.
    pub(crate) fn guarded(answer: Answer, line: &'static str) -> Self {
        Self::listen(answer, Some(line))
    }

    fn listen(answer: Answer, line: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || serve(&socket.unwrap(), answer, line, &seen));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

fn serve(socket: &TcpStream, answer: Answer, guard: Option<&'static str>, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    let mut head = String::new();
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        head.push_str(&line);
        line.clear();
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().and_then(|text| text.trim().parse().ok()).unwrap_or(0));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let head = head.to_ascii_lowercase();
    assert!(guard.is_some() || !head.contains("authorization"), "{head}");
    seen.lock().unwrap().push(path.clone());
    let is_refused = guard.is_some_and(|line| !head.lines().any(|have| have == line));
    let said = if is_refused {
        http("401 Unauthorized", "application/json", r#"{"error": {"message": "sk-wrong is no key"}}"#)
    } else {
        answer(&path)
    };
    let Some(said) = said else {
        // Until the client leaves.
        let _ = reader.read_to_end(&mut Vec::new());
        return;
    };
    // A client that has read enough leaves.
    let mut socket = socket;
    let _ = socket.write_all(said.as_bytes());
}

#[expect(clippy::unnecessary_wraps, reason = "an answer's own shape")]
pub(crate) fn http(status: &str, kind: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

pub(crate) fn ok(body: &Value) -> Option<String> {
    http("200 OK", "application/json", &body.to_string())
}

pub(crate) fn not_found() -> Option<String> {
    http("404 Not Found", "text/plain", "404 page not found")
}

pub(crate) fn chat() -> Option<String> {
    let events = [
        r#"{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Local."}}]}"#,
        r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    http("200 OK", "text/event-stream", &format!("data: {}\n\n", events.join("\n\ndata: ")))
}

fn ollama(path: &str) -> Option<String> {
    match path {
        "/api/tags" => ok(&json!({"models": [
            {"name": "qwen3:8b", "model": "qwen3:8b", "digest": "500a", "size": 1, "details": {"family": "qwen3"}},
            {"name": "all-minilm:latest", "digest": "1b22", "details": {"family": "bert"}},
        ]})),
        "/api/show" => ok(&json!({
            "capabilities": ["completion", "tools", "thinking"],
            "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960},
        })),
        "/api/ps" => ok(&json!({"models": []})),
        "/v1/chat/completions" => chat(),
        _ => not_found(),
    }
}

fn lm_studio(path: &str) -> Option<String> {
    match path {
        "/api/v0/models" => ok(&json!({"object": "list", "data": [
            {"id": "gemma-3-4b", "object": "model", "type": "vlm", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 8_192},
            {"id": "embed", "object": "model", "type": "embeddings", "state": "loaded", "max_context_length": 2_048},
        ]})),
        "/v1/chat/completions" => chat(),
        _ => not_found(),
    }
}

fn llama_cpp(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"object": "list", "data": [
            {"id": "smol", "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8_192}},
        ]})),
        "/props" => {
            ok(&json!({"default_generation_settings": {"n_ctx": 4_096}, "modalities": {"vision": false}}))
        }
        "/v1/chat/completions" => chat(),
        _ => not_found(),
    }
}

fn vllm(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"object": "list", "data": [
            {"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "vllm", "max_model_len": 32_768},
        ]})),
        "/v1/chat/completions" => chat(),
        _ => not_found(),
    }
}

/// A server that looks at these places and nowhere else.
fn looking(places: &[(&str, &str)]) -> Setup {
    let mut servers = json!({"ollama": [], "lmstudio": [], "llamacpp": [], "vllm": []});
    for (kind, url) in places {
        servers[*kind].as_array_mut().unwrap().push(json!(url));
    }
    TestServer::new()
        .environment("ASIDE_LOCAL_SERVERS", "on")
        .settings(&json!({"localServers": servers}).to_string())
}

fn list(server: &mut TestServer) -> ListModelsResult {
    server.request::<method::ListModels>(&ListModelsParams::default()).unwrap()
}

/// `provider/id context images` of the local models in a list.
fn local(list: &ListModelsResult) -> Vec<String> {
    let kinds = ["ollama", "lmstudio", "llamacpp", "vllm"];
    let local = list.models.iter().filter(|model| kinds.contains(&&*model.provider));
    local
        .map(|model| {
            assert!(model.available, "{model:?}");
            let images = if model.input.iter().any(|kind| kind == "image") { " image" } else { "" };
            format!("{}/{} {}{images}", model.provider, model.id, model.context_window)
        })
        .collect()
}

#[test]
fn each_kind_is_found_once_it_is_asked_for_and_the_client_is_told() {
    let fakes = [
        ("ollama", Fake::start(ollama)),
        ("lmstudio", Fake::start(lm_studio)),
        ("llamacpp", Fake::start(llama_cpp)),
        ("vllm", Fake::start(vllm)),
    ];
    let places: Vec<_> = fakes.iter().map(|(kind, fake)| (*kind, &*fake.url)).collect();
    let mut server = looking(&places).start();
    server.initialize();
    server.new_session();
    assert!(fakes.iter().all(|(_, fake)| fake.asked().is_empty()), "nobody is asked before a list is");

    // At once, with what is known.
    assert!(local(&list(&mut server)).is_empty());
    let told = |server: &mut TestServer| server.find(|message| message.method() == Some("modelsChanged"));
    told(&mut server);
    let expected = [
        "ollama/qwen3:8b 40960",
        "lmstudio/gemma-3-4b 8192 image",
        "llamacpp/smol 4096",
        "vllm/Qwen/Qwen3-8B 32768",
    ];
    // The lists may be told before the details.
    while local(&list(&mut server)) != expected {
        told(&mut server);
    }
    assert_eq!(list(&mut server).default_model.as_deref(), Some("ollama/qwen3:8b"));
    // However often a list was asked for, it was a moment ago that they were.
    assert_eq!(fakes[0].1.asked(), ["/api/ps", "/api/show", "/api/tags"]);
    assert_eq!(fakes[2].1.asked(), ["/props", "/v1/models"]);
    for model in ["ollama/qwen3:8b", "lmstudio/gemma-3-4b", "llamacpp/smol", "vllm/Qwen/Qwen3-8B"] {
        let prompt = PromptParams {
            text: Some("hi".to_owned()),
            model: Some(model.to_owned()),
            ..PromptParams::default()
        };
        let result = server.prompted(&prompt);
        assert_eq!(
            (result.text.as_str(), result.model.as_deref(), &result.error),
            ("Local.", Some(model), &None)
        );
    }
    server.ignore_rest();
}

#[test]
fn a_first_prompt_of_a_script_waits_for_the_server_of_this_machine() {
    let fake = Fake::start(llama_cpp);
    let mut server = looking(&[("llamacpp", &fake.url)]).start();
    let result = server.prompted(&PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() });
    assert_eq!((result.text.as_str(), result.model.as_deref()), ("Local.", Some("llamacpp/smol")));
    // No other message than the prompt's: a pipe is told nothing that it did not ask for.
}

#[test]
fn a_local_model_that_is_named_is_found_too() {
    let fake = Fake::start(ollama);
    for model in ["ollama/qwen3:8b", "qwen3:8b", "ollama/qwen"] {
        let mut server = looking(&[("ollama", &fake.url)]).start();
        let named = PromptParams {
            text: Some("hi".to_owned()),
            model: Some(model.to_owned()),
            ..PromptParams::default()
        };
        assert_eq!(server.prompted(&named).model.as_deref(), Some("ollama/qwen3:8b"), "{model}");
        server.initialize();
        let session = server.call("newSession", &json!({"model": model}));
        assert_eq!(session["session"]["model"], "ollama/qwen3:8b", "{model} {session}");
        server.ignore_rest();
    }
}

#[test]
fn a_conversation_that_goes_on_finds_its_server_again() {
    let fake = Fake::start(ollama);
    let setup = || looking(&[("ollama", &fake.url)]).environment("GROQ_API_KEY", "gsk-x");
    let mut server = setup().start();
    server.initialize();
    let session = server.new_session();
    let prompt = |model: Option<&str>| PromptParams {
        session_id: Some(session.clone()),
        text: Some("hi".to_owned()),
        model: model.map(str::to_owned),
        ..PromptParams::default()
    };
    assert_eq!(server.prompted(&prompt(Some("ollama/qwen3:8b"))).text, "Local.");
    server.ignore_rest();
    let files = server.stored().into_iter().find(|(path, _)| path.ends_with(format!("{session}.jsonl")));
    let (path, bytes) = files.unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    drop(server);

    let text = String::from_utf8(bytes).unwrap();
    let mut server = setup().file(&format!("sessions/{name}"), &text).start();
    server.initialize();
    let result = server.prompted(&prompt(None));
    assert_eq!((result.text.as_str(), result.model.as_deref()), ("Local.", Some("ollama/qwen3:8b")));
    server.ignore_rest();
}

#[test]
fn a_server_that_is_not_there_is_told_as_such() {
    let mut server = looking(&[("ollama", "http://127.0.0.1:1")]).start();
    let error = server.call("prompt", &json!({"text": "hi", "model": "ollama/qwen3:8b"}));
    assert_eq!(error["message"], "no model server of Ollama was found at http://127.0.0.1:1", "{error}");
    let error = server.call("prompt", &json!({"text": "hi", "model": "x", "provider": "vllm"}));
    assert_eq!(error["message"], "vLLM is not looked for", "{error}");
    let models = server.call("listModels", &json!({"provider": "ollama"}));
    assert_eq!(models["models"], json!([]), "{models}");
}

#[test]
fn whoever_waits_can_be_cancelled_and_holds_nobody_up() {
    let fake = Fake::start(|_| None);
    let mut server = looking(&[("ollama", &fake.url)]).start();
    server.initialize();
    let session = server.new_session();
    for params in [
        json!({"text": "hi", "sessionId": session}),
        json!({"text": "hi", "sessionId": session, "model": "ollama/x"}),
        json!({"text": "hi", "model": "ollama/x"}),
    ] {
        let prompt = server.begin("prompt", &params);
        // The session is served meanwhile.
        let opened = server.call("openSession", &json!({"sessionId": session}));
        assert_eq!(opened["session"]["state"], "idle", "{opened}");
        server.send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": prompt.0.parse::<u64>().unwrap()}}).to_string());
        let answer = server.find(|message| message.answers(&prompt.0));
        let kind = &answer.json["error"]["data"]["kind"];
        // Whoever was not heard in time is told that there is no such server, or was answered by the stand-in.
        assert!(
            kind == "cancelled" || kind == "notFound" || answer.json["result"].is_object(),
            "{}",
            answer.raw
        );
        server.forget();
    }
    server.ignore_rest();
}

#[test]
fn nobody_is_asked_where_a_model_is_there_anyway() {
    let fake = Fake::start(llama_cpp);
    let mut server = looking(&[("llamacpp", &fake.url)]).environment("GROQ_API_KEY", "gsk-x").start();
    server.initialize();
    let prompt = PromptParams {
        text: Some("hi".to_owned()),
        model: Some("demo".to_owned()),
        ..PromptParams::default()
    };
    server.prompted(&prompt);
    let session = server.new_session();
    assert_eq!(
        server.call("configureSession", &json!({"sessionId": session, "model": "groq/openai/gpt-oss-120b"}))
            ["session"]["model"],
        "groq/openai/gpt-oss-120b"
    );
    assert!(fake.asked().is_empty());
    server.ignore_rest();
}

#[test]
fn what_is_no_such_server_is_not_taken_for_one() {
    let page: Answer = |_| http("200 OK", "text/html", "<html><title>My app</title></html>");
    let other: Answer = |_| {
        ok(
            &json!({"object": "list", "data": [{"id": "x", "object": "model", "owned_by": "corp"}], "models": [{"name": "x"}]}),
        )
    };
    let garbage: Answer = |_| Some("\0\0\0\r\n\r\n".to_owned());
    let redirect: Answer = |_| {
        Some(
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/v1/models\r\ncontent-length: 0\r\n\r\n"
                .to_owned(),
        )
    };
    let endless: Answer = |_| http("200 OK", "application/json", &format!("[{}", " ".repeat(3 << 20)));
    let many: Answer = |path| {
        let models: Vec<_> =
            (0..100_000).map(|n| json!({"id": format!("m{n}"), "owned_by": "vllm"})).collect();
        (path == "/v1/models").then(|| ok(&json!({"data": models}))).flatten()
    };
    for answer in [page, other, garbage, redirect, endless, many, |_| None, |_| not_found()] {
        let fake = Fake::start(answer);
        let places = ["ollama", "lmstudio", "llamacpp", "vllm"].map(|kind| (kind, &*fake.url));
        let mut server = looking(&places).start();
        let begun = Instant::now();
        let result =
            server.prompted(&PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() });
        assert_eq!(result.model.as_deref(), Some("demo/demo"));
        // A silent server costs 300 ms; the rest of the bound is for a busy machine.
        assert!(begun.elapsed() < Duration::from_secs(20));
        let asked = fake.asked();
        assert!(asked.starts_with(&["/api/tags".to_owned(), "/api/v0/models".to_owned()]), "{asked:?}");
    }
}

#[test]
fn the_users_own_word_stands_above_what_is_found() {
    let fake = Fake::start(ollama);
    let models = json!({"providers": {"mine": {"baseUrl": format!("{}/v1", fake.url), "api": "openai-completions", "apiKey": "k", "models": [{"id": "qwen3:8b"}]}}});
    let mut server = looking(&[("ollama", &fake.url)]).models_json(&models.to_string()).start();
    server.initialize();
    list(&mut server);
    // The search is over when its last question was asked.
    while fake.asked().len() < 3 {
        std::thread::yield_now();
    }
    let list = list(&mut server);
    assert!(local(&list).is_empty());
    assert_eq!(list.default_model.as_deref(), Some("mine/qwen3:8b"));
    server.ignore_rest();
}

#[test]
fn a_person_can_turn_it_off() {
    let fake = Fake::start(ollama);
    let on = json!({"localServers": {"ollama": [fake.url]}}).to_string();
    for setup in [
        TestServer::new().environment("ASIDE_LOCAL_SERVERS", "off").settings(&on),
        TestServer::new()
            .environment("ASIDE_LOCAL_SERVERS", "on")
            .environment("OLLAMA_HOST", &fake.url)
            .settings(r#"{"localServers": false}"#),
    ] {
        let mut server = setup.start();
        let result =
            server.prompted(&PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() });
        assert_eq!(result.model.as_deref(), Some("demo/demo"));
    }
    assert!(fake.asked().is_empty());
}

/// A search of its own, without a server around it.
fn search(places: &[(&str, &str)]) -> (Arc<Backends>, Arc<Settings>, System) {
    let mut settings = Settings { local_servers: LocalPlaces::none(), ..Settings::default() };
    for (kind, url) in places {
        let of = match *kind {
            "ollama" => &mut settings.local_servers.ollama,
            "llamacpp" => &mut settings.local_servers.llamacpp,
            _ => &mut settings.local_servers.vllm,
        };
        of.push((*url).to_owned());
    }
    let mut system = System::real();
    system.env = Env::default();
    (Arc::default(), Arc::new(settings), system)
}

#[tokio::test]
async fn what_vanishes_is_forgotten_and_told() {
    let fake = Fake::start(ollama);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        for _ in 0..2 {
            serve(&gone.accept().unwrap().0, vllm, None, &Mutex::default());
        }
    });
    let (backends, settings, system) = search(&[("ollama", &fake.url), ("vllm", &url)]);
    let discovery = backends.discovery();
    let mut changes = discovery.servers().watch();
    discovery.look(&settings, &system).await;
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    let kinds = || discovery.servers().servers().iter().map(|server| server.kind).collect::<Vec<_>>();
    assert_eq!(kinds(), [LocalKind::Ollama, LocalKind::Vllm]);
    discovery.look(&settings, &system).await;
    assert!(!changes.has_changed().unwrap(), "nothing has changed");
    thread.join().unwrap();
    let visits = discovery.look(&settings, &system).await;
    assert_eq!(visits[1].found, Err(Absence::Nobody));
    assert!(changes.has_changed().unwrap());
    assert_eq!(kinds(), [LocalKind::Ollama]);
}

#[tokio::test]
async fn what_listens_at_anothers_place_is_known_by_what_it_says() {
    let (one, other) = (Fake::start(vllm), Fake::start(llama_cpp));
    let page = Fake::start(|_| http("200 OK", "text/html", "<html>"));
    let silent = Fake::start(|_| None);
    let starting = Fake::start(|_| http("503 Service Unavailable", "application/json", "{}"));
    let (backends, settings, system) = search(&[
        ("llamacpp", &one.url),
        ("vllm", &other.url),
        ("vllm", &page.url),
        ("vllm", &silent.url),
        ("vllm", "http://127.0.0.1:1"),
        ("vllm", &starting.url),
    ]);
    let visits = backends.discovery().look(&settings, &system).await;
    let found: Vec<_> = visits.iter().map(|visit| visit.found.as_ref().map(|server| server.kind)).collect();
    let absent = [Absence::Stranger, Absence::Silent, Absence::Nobody, Absence::Starting];
    assert_eq!(found[..2], [Ok(LocalKind::Vllm), Ok(LocalKind::LlamaCpp)]);
    assert_eq!(found[2..], absent.each_ref().map(Err));
}
