//! A client of the native door, for tests: starts a server, speaks to it, and holds it to what must always be
//! true, whatever a test is about.
//!
//! Every line is checked against the published schema and every result against its method's. Each request gets
//! one answer, the events of a session are numbered without a gap, no answer overtakes an event, and nothing is
//! left over at the end. In process over pipes; with `REAL_BINARY=1` the same tests run over the real program.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use aside::doors::native::lifecycle::{Ended, Streams, Watch, serve};
use aside::system::{Clock, Dirs, Random, RealFiles, System};
use aside_protocol::{
    ClientCapabilities, ErrorData, Event, EventBody, InitializeParams, InitializeResult, PromptParams,
    PromptResult, Request, method,
};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::provider::{self, Provider};
use crate::schema::{check_result, check_server_line};

/// Nothing takes this long; what is not there by then never comes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How a server is started.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Setup {
    files: Vec<(String, String)>,
    env: Vec<(String, String)>,
    headers: bool,
    slow: bool,
    in_memory: bool,
    program: bool,
}

/// A running server and the connection to it.
pub(crate) struct TestServer {
    input: Option<Box<dyn Write + Send>>,
    output: Receiver<Vec<u8>>,
    tap: Arc<Tap>,
    server: Server,
    home: tempfile::TempDir,
    headers: bool,
    queue: VecDeque<Message>,
    /// The methods of requests without an answer, by the bytes of their ids.
    asked: HashMap<String, VecDeque<String>>,
    /// The newest event of each session and loading.
    newest: HashMap<(String, u64), u64>,
    ended_turns: HashSet<(String, String)>,
    /// Long results that were held to the schema before: many lists are the same.
    valid: HashSet<String>,
    next_id: u64,
    untracked: bool,
    ignoring: bool,
}

/// A message of the server.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// As it came, without its frame.
    pub(crate) raw: String,
    pub(crate) json: Value,
}

/// An error answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Error {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) data: ErrorData,
}

/// A request that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sent(pub(crate) String);

enum Server {
    Thread(Receiver<std::io::Result<Ended>>),
    Process(Child),
}

impl TestServer {
    /// A server in an empty environment and an empty home.
    #[expect(clippy::new_ret_no_self, reason = "how it is started comes first")]
    pub(crate) fn new() -> Setup {
        Setup::default()
    }

    /// The folder that holds all files of the server; it is started there too.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// All bytes of all files below the home.
    pub(crate) fn stored(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.home().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.clone(), std::fs::read(path).unwrap()));
                }
            }
        }
        found
    }

    /// Sends bytes as they are and keeps no account of the requests in them: the test does.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.untracked = true;
        self.write(bytes);
    }

    /// Sends one message, framed.
    pub(crate) fn send(&mut self, message: &str) {
        self.track(message);
        let framed = if self.headers {
            format!("Content-Length: {}\r\n\r\n{message}", message.len())
        } else {
            format!("{message}\n")
        };
        self.write(framed.as_bytes());
    }

    /// Sends a request and does not wait.
    pub(crate) fn start<M: Request>(&mut self, params: &M::Params) -> Sent {
        self.next_id += 1;
        let id = self.next_id;
        let params = serde_json::to_string(params).unwrap();
        self.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{}","params":{params}}}"#, M::NAME));
        Sent(id.to_string())
    }

    /// Waits for the answer of a request that was sent. What comes before it is kept for later.
    pub(crate) fn answer<M: Request>(&mut self, sent: &Sent) -> Result<M::Result, Error> {
        let message = self.find(|message| message.answers(&sent.0));
        match message.json.get("error") {
            Some(error) => Err(serde_json::from_value(error.clone()).unwrap()),
            None => Ok(serde_json::from_value(message.json["result"].clone()).unwrap()),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn request<M: Request>(&mut self, params: &M::Params) -> Result<M::Result, Error> {
        let sent = self.start::<M>(params);
        self.answer::<M>(&sent)
    }

    /// Sends any request and waits for its answer: the result, or the error.
    pub(crate) fn call(&mut self, name: &str, params: &Value) -> Value {
        let sent = self.begin(name, params);
        let message = self.find(|message| message.answers(&sent.0));
        message.json.get("result").or_else(|| message.json.get("error")).unwrap().clone()
    }

    /// Sends any request and does not wait.
    pub(crate) fn begin(&mut self, name: &str, params: &Value) -> Sent {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": name, "params": params}).to_string());
        Sent(id.to_string())
    }

    /// Introduces itself as an editor that can answer every question.
    pub(crate) fn initialize(&mut self) -> InitializeResult {
        self.request::<method::Initialize>(&InitializeParams {
            capabilities: Some(ClientCapabilities {
                request_permission: true,
                prompt_user: true,
                ..ClientCapabilities::default()
            }),
            ..InitializeParams::default()
        })
        .unwrap()
    }

    /// A new session in its default state.
    pub(crate) fn new_session(&mut self) -> String {
        self.request::<method::NewSession>(&aside_protocol::NewSessionParams::default()).unwrap().session_id
    }

    /// Sends a prompt to a session and does not wait.
    pub(crate) fn prompt(&mut self, session: &str, text: &str) -> Sent {
        self.start::<method::Prompt>(&PromptParams {
            session_id: Some(session.to_owned()),
            text: Some(text.to_owned()),
            ..PromptParams::default()
        })
    }

    /// Sends a prompt and plays it to its end, the events of its session passed over.
    pub(crate) fn prompted(&mut self, params: &PromptParams) -> PromptResult {
        let sent = self.start::<method::Prompt>(params);
        self.expect_turn_end(&sent)
    }

    /// The answer of a prompt; the events of its session until then are passed over.
    pub(crate) fn expect_turn_end(&mut self, prompt: &Sent) -> PromptResult {
        let result = self.answer::<method::Prompt>(prompt).unwrap();
        self.queue.retain(|message| {
            message.session() != Some(&result.session_id) || message.method() != Some("event")
        });
        result
    }

    /// The next message of any kind.
    pub(crate) fn next(&mut self) -> Message {
        match self.queue.pop_front() {
            Some(message) => message,
            None => self.pump(),
        }
    }

    /// The next event; other messages before it are kept.
    pub(crate) fn next_event(&mut self) -> Event {
        self.find(|message| message.method() == Some("event")).event().unwrap()
    }

    /// Passes over events until one is of that kind. Returns its params.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.find(|message| message.method() == Some("event"));
            if event.json["params"]["type"] == kind {
                return event.json["params"].clone();
            }
        }
    }

    /// The next request that the server puts: its id, and the request.
    pub(crate) fn question(&mut self, name: &str) -> (String, Value) {
        let message = self.find(|message| message.method() == Some(name) && message.id().is_some());
        (message.id().unwrap(), message.json["params"].clone())
    }

    /// The first message that fits; what came before it is kept for later.
    pub(crate) fn find(&mut self, fits: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.queue.iter().position(&fits) {
            return self.queue.remove(at).unwrap();
        }
        loop {
            let message = self.pump();
            if fits(&message) {
                return message;
            }
            self.queue.push_back(message);
        }
    }

    /// Answers a request of the server; `id` is JSON text.
    pub(crate) fn reply(&mut self, id: &str, result: &Value) {
        self.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
    }

    /// Stops reading, as a client does that hangs.
    pub(crate) fn pause_reading(&self) {
        *self.tap.paused.lock().unwrap() = true;
    }

    /// Reads on.
    pub(crate) fn resume_reading(&self) {
        *self.tap.paused.lock().unwrap() = false;
        self.tap.changed.notify_all();
    }

    /// The messages that have come and were not asked for are no concern of the test.
    pub(crate) fn ignore_rest(&mut self) {
        self.ignoring = true;
    }

    /// Forgets the messages that are kept.
    pub(crate) fn forget(&mut self) {
        self.queue.clear();
    }

    /// Waits until the conversations on the disk hold `text`: what a server does while nobody reads.
    pub(crate) fn stored_holds(&self, text: &str) {
        self.stored_holds_after(0, text);
    }

    /// The same, beyond the first `start` bytes of the only conversation.
    pub(crate) fn stored_holds_after(&self, start: usize, text: &str) {
        let begun = std::time::Instant::now();
        let holds = |bytes: &[u8]| {
            bytes.get(start..).is_some_and(|rest| memmem::find(rest, text.as_bytes()).is_some())
        };
        while !self.conversations().iter().any(|bytes| holds(bytes)) {
            assert!(begun.elapsed() < PATIENCE, "no file holds {text}");
            thread::yield_now();
        }
    }

    /// Waits until the conversations on the disk have so many bytes.
    pub(crate) fn stored_at_least(&self, bytes: usize) {
        let begun = std::time::Instant::now();
        while self.stored_bytes() < bytes {
            assert!(begun.elapsed() < PATIENCE, "only {} bytes are stored", self.stored_bytes());
            thread::yield_now();
        }
    }

    /// Bytes of all conversations on the disk.
    pub(crate) fn stored_bytes(&self) -> usize {
        self.conversations().iter().map(Vec::len).sum()
    }

    fn conversations(&self) -> Vec<Vec<u8>> {
        let sessions = self.home().join("sessions");
        self.stored()
            .into_iter()
            .filter(|(path, _)| path.starts_with(&sessions))
            .map(|(_, bytes)| bytes)
            .collect()
    }

    fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input is open");
        input.write_all(bytes).expect("the server reads");
        input.flush().expect("the server reads");
    }

    /// Remembers the requests in a message.
    fn track(&mut self, message: &str) {
        let Ok(value) = serde_json::from_str::<&RawValue>(message) else { return };
        let members: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_else(|_| vec![value]);
        for member in members {
            if !member.get().starts_with('{') {
                continue;
            }
            let Ok(parts) = serde_json::from_str::<Parts<'_>>(member.get()) else { continue };
            let is_response = parts.result.is_some() || parts.error.is_some();
            if let Some(id) = parts.id.filter(|_| !is_response) {
                let method = parts.method.and_then(|method| serde_json::from_str(method.get()).ok());
                self.asked.entry(id.get().to_owned()).or_default().push_back(method.unwrap_or_default());
            }
        }
    }

    /// The next message off the wire, checked.
    fn pump(&mut self) -> Message {
        match self.output.recv_timeout(PATIENCE) {
            Ok(bytes) => self.check(bytes),
            Err(RecvTimeoutError::Timeout) => panic!("the server says nothing more; kept: {}", self.kept()),
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the server's output has ended; kept: {}", self.kept())
            }
        }
    }

    fn kept(&self) -> String {
        self.queue.iter().fold(String::new(), |mut kept, message| {
            let cut: String = message.raw.chars().take(200).collect();
            writeln!(kept, "\n  {cut}").unwrap();
            kept
        })
    }

    /// What must hold for every message of every test.
    fn check(&mut self, bytes: Vec<u8>) -> Message {
        let raw = String::from_utf8(bytes).expect("messages are UTF-8");
        assert!(!raw.contains(['\u{2028}', '\u{2029}', '\n', '\r']), "a line holds no line ends");
        let json = serde_json::from_str(&raw).or_else(|_| {
            // A number may be an id that is too great for the reader of these tests.
            let parts: Parts<'_> = serde_json::from_str(&raw)?;
            let id = parts.id.map(RawValue::get).unwrap_or_default();
            serde_json::from_str(&raw.replacen(&format!("\"id\":{id},"), "\"id\":0,", 1))
        });
        let json: Value = json.unwrap_or_else(|error| panic!("{error}: {raw}"));
        let message = Message { raw, json };
        if let Value::Array(members) = &message.json {
            for member in members {
                check_server_line(member);
            }
            let members: Vec<&RawValue> = serde_json::from_str(&message.raw).unwrap();
            for member in members {
                let raw = member.get().to_owned();
                let json = serde_json::from_str(&raw).unwrap();
                self.check_answer(&Message { raw, json });
            }
        } else {
            let long = message.result().filter(|result| result.len() > 10_000);
            if !long.is_some_and(|result| self.valid.contains(result)) {
                check_server_line(&message.json);
            }
            match message.method() {
                Some("event") => self.check_event(&message.json["params"]),
                Some(_) => {}
                None => self.check_answer(&message),
            }
        }
        message
    }

    fn check_answer(&mut self, message: &Message) {
        let id = message.id().expect("an answer has an id");
        let method = self.asked.get_mut(&id).and_then(VecDeque::pop_front);
        let Some(method) = method else {
            let allowed = self.untracked || id == "null";
            assert!(allowed, "this answers nothing that was asked, or answers it twice: {}", message.raw);
            return;
        };
        let Some(result) = message.json.get("result") else { return };
        let text = message.result().unwrap();
        if !self.valid.contains(text) {
            check_result(&method, result);
            if text.len() > 10_000 {
                self.valid.insert(text.to_owned());
            }
        }
        let session = result["sessionId"].as_str().unwrap_or_default();
        if method == "prompt" {
            let turn = (session.to_owned(), result["turnId"].as_str().unwrap().to_owned());
            assert!(
                self.ended_turns.contains(&turn),
                "the answer came before the turn's last event: {result}"
            );
        }
        if method == "openSession" && !result["document"].is_null() {
            // What changed nothing that is drawn is told of by the document's own number.
            let number = |name: &str| result["session"][name].as_u64().unwrap();
            let of = result["session"]["sessionId"].as_str().unwrap().to_owned();
            let newest = self.newest.entry((of, number("epoch"))).or_default();
            *newest = number("seq").max(*newest);
        }
        if method == "newSession" {
            let early = self.newest.keys().any(|(of, _)| of == session);
            assert!(!early, "an event came before the answer of newSession");
        }
    }

    fn check_event(&mut self, event: &Value) {
        let session = event["sessionId"].as_str().unwrap().to_owned();
        let (epoch, seq) = (event["epoch"].as_u64().unwrap(), event["seq"].as_u64().unwrap());
        let first = event.get("fromSeq").map_or(seq, |first| first.as_u64().unwrap());
        assert!(first <= seq, "{event}");
        if event["type"] == "turnEnded" {
            self.ended_turns.insert((session.clone(), event["turnId"].as_str().unwrap().to_owned()));
        }
        let newest = self.newest.entry((session, epoch)).or_default();
        assert_eq!(first, *newest + 1, "events are numbered without a gap: {event}");
        *newest = seq;
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if thread::panicking() {
            self.resume_reading();
            if let Server::Process(child) = &mut self.server {
                let _ = child.kill();
            }
            return;
        }
        self.resume_reading();
        self.input = None;
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => {
                    let message = self.check(bytes);
                    self.queue.push_back(message);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the server does not end; kept: {}", self.kept()),
            }
        }
        match &mut self.server {
            Server::Thread(ended) => {
                let ended = ended.recv_timeout(PATIENCE).expect("the server returns").expect("it ran");
                assert_eq!(ended, Ended::Closed);
            }
            // Its output has ended, so that this does not wait.
            Server::Process(child) => assert!(child.wait().expect("a child").success()),
        }
        if !self.ignoring {
            assert!(self.queue.is_empty(), "messages were left over: {}", self.kept());
            self.asked.retain(|_, methods| !methods.is_empty());
            assert!(self.asked.is_empty(), "requests were never answered: {:?}", self.asked);
        }
    }
}

impl Message {
    /// The id, byte for byte.
    pub(crate) fn id(&self) -> Option<String> {
        let object = self.raw.starts_with('{').then_some(&self.raw)?;
        let parts: Parts<'_> = serde_json::from_str(object).ok()?;
        parts.id.map(|id| id.get().to_owned())
    }

    /// The result, as it came.
    fn result(&self) -> Option<&str> {
        let parts: Parts<'_> = serde_json::from_str(&self.raw).ok()?;
        parts.result.map(RawValue::get)
    }

    pub(crate) fn method(&self) -> Option<&str> {
        self.json.get("method")?.as_str()
    }

    /// Whether this is the answer to the request of that id.
    pub(crate) fn answers(&self, id: &str) -> bool {
        self.method().is_none() && self.id().as_deref() == Some(id)
    }

    /// The session that an event belongs to.
    pub(crate) fn session(&self) -> Option<&str> {
        self.json.get("params")?.get("sessionId")?.as_str()
    }

    pub(crate) fn event(&self) -> Option<Event> {
        (self.method() == Some("event")).then(|| serde_json::from_value(self.json["params"].clone()).unwrap())
    }

    /// The kind of an event.
    pub(crate) fn kind(&self) -> Option<&str> {
        if self.method() == Some("event") { self.json["params"]["type"].as_str() } else { None }
    }
}

/// The text of an event's delta.
pub(crate) fn delta(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::Delta { text, .. } => Some(text),
        _ => None,
    }
}

/// A `null` is there; only what is missing is `None`.
#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(borrow, default, deserialize_with = "there")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "there")]
    error: Option<&'a RawValue>,
}

fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Setup {
    /// What the demo model plays (`docs/demo.md`).
    pub(crate) fn script(self, lines: &str) -> Self {
        self.file("script.jsonl", lines).environment("ASIDE_DEMO_SCRIPT", "script.jsonl")
    }

    /// `settings.json`.
    pub(crate) fn settings(self, text: &str) -> Self {
        self.file("settings.json", text)
    }

    /// `models.json`.
    pub(crate) fn models_json(self, text: &str) -> Self {
        self.file("models.json", text)
    }

    /// A file in the home.
    pub(crate) fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A variable.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A models.json with one provider, `lab`, whose only model `m` answers there. It is the default model, and
    /// what fails is tried again nearly at once.
    pub(crate) fn upstream(self, upstream: &Upstream) -> Self {
        let models = json!({"providers": {"lab": {
            "baseUrl": upstream.provider.url(), "api": "openai-completions", "apiKey": KEY,
            "models": [{"id": "m", "cost": {"input": 1, "output": 2, "cacheRead": 0, "cacheWrite": 0}}],
        }}});
        self.models_json(&models.to_string())
            .settings(r#"{"defaultModel": "lab/m", "retry": {"baseDelayMs": 4}}"#)
    }

    /// Speaks in header blocks instead of lines.
    pub(crate) fn headers(mut self) -> Self {
        self.headers = true;
        self
    }

    /// The server's output takes a few bytes at a time, with a pause for the others in between.
    pub(crate) fn slow_output(mut self) -> Self {
        self.slow = true;
        self
    }

    /// The real program, as whoever starts programs of its own must be.
    pub(crate) fn program(mut self) -> Self {
        self.program = true;
        self
    }

    /// There is no folder for sessions (and none for settings): nothing waits for a disk.
    pub(crate) fn in_memory(mut self) -> Self {
        self.in_memory = true;
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> TestServer {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut env = vec![("ASIDE_DEMO_DELAY_MS".to_owned(), "0".to_owned())];
        // What runs on the machine of the tests is no concern of theirs.
        env.push(("ASIDE_LOCAL_SERVERS".to_owned(), "off".to_owned()));
        env.extend(self.env.iter().cloned());
        let real = self.program || std::env::var_os("REAL_BINARY").is_some_and(|value| value == "1");
        let (input, output, server) = if real {
            if !self.in_memory {
                env.push(("ASIDE_HOME".to_owned(), home.path().display().to_string()));
            }
            let mut child = Command::new(env!("CARGO_BIN_EXE_aside"))
                .arg("serve")
                .env_clear()
                .envs(env)
                .current_dir(home.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let input: Box<dyn Write + Send> = Box::new(child.stdin.take().unwrap());
            let output: Box<dyn Read + Send> = Box::new(child.stdout.take().unwrap());
            (input, output, Server::Process(child))
        } else {
            let (server_input, input) = std::io::pipe().unwrap();
            let (output, server_output) = std::io::pipe().unwrap();
            let system = System {
                env: env.into_iter().collect(),
                clock: Clock::Real,
                random: Random::Real,
                files: Arc::new(RealFiles),
                dirs: if self.in_memory { Dirs::default() } else { Dirs::below(home.path()) },
                working_dir: home.path().to_path_buf(),
            };
            let ended = run(system, server_input, Output { pipe: server_output, slow: self.slow });
            let input: Box<dyn Write + Send> = Box::new(input);
            let output: Box<dyn Read + Send> = Box::new(output);
            (input, output, Server::Thread(ended))
        };
        let tap = Arc::new(Tap::default());
        let output = read(output, self.headers, Arc::clone(&tap));
        TestServer {
            input: Some(input),
            output,
            tap,
            server,
            home,
            headers: self.headers,
            queue: VecDeque::new(),
            asked: HashMap::new(),
            newest: HashMap::new(),
            ended_turns: HashSet::new(),
            valid: HashSet::new(),
            next_id: 0,
            untracked: false,
            ignoring: false,
        }
    }
}

/// Serves on a thread with a runtime of its own, as the program does.
fn run(system: System, input: PipeReader, output: Output) -> Receiver<std::io::Result<Ended>> {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(8)
            .build()
            .unwrap();
        let result = runtime.block_on(serve(system, Streams { input, output }, Watch::Streams));
        runtime.shutdown_background();
        // The test may be over.
        let _ = done.send(result);
    });
    ended
}

/// The server's end of the pipe.
struct Output {
    pipe: PipeWriter,
    slow: bool,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.slow {
            return self.pipe.write(bytes);
        }
        thread::yield_now();
        self.pipe.write(&bytes[..bytes.len().min(100)])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.pipe.flush()
    }
}

/// Whether the client reads.
#[derive(Default)]
struct Tap {
    paused: Mutex<bool>,
    changed: Condvar,
}

/// Reads messages on a thread, in the framing that the client speaks: an answer in any other would not be cut.
fn read(mut output: impl Read + Send + 'static, headers: bool, tap: Arc<Tap>) -> Receiver<Vec<u8>> {
    let (messages, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept: Vec<u8> = Vec::new();
        let mut searched = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            {
                let paused = tap.paused.lock().unwrap();
                drop(tap.changed.wait_while(paused, |paused| *paused).unwrap());
            }
            let count = output.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                assert!(kept.is_empty(), "the output ends within a message");
                return;
            }
            kept.extend_from_slice(&buffer[..count]);
            let mut start = 0;
            while let Some((message, end)) = cut(&kept[start..], searched, headers) {
                if messages.send(message).is_err() {
                    return;
                }
                start += end;
                searched = 0;
            }
            kept.drain(..start);
            searched = if headers { 0 } else { kept.len() };
        }
    });
    receiver
}

/// The first message, and where it ends.
fn cut(bytes: &[u8], searched: usize, headers: bool) -> Option<(Vec<u8>, usize)> {
    if !headers {
        let end = searched + bytes.get(searched..)?.iter().position(|byte| *byte == b'\n')?;
        return Some((bytes[..end].to_vec(), end + 1));
    }
    let head = bytes.windows(4).take(100).position(|window| window == b"\r\n\r\n")?;
    let length =
        std::str::from_utf8(&bytes[..head]).unwrap().strip_prefix("Content-Length: ").expect("a header");
    let end = head + 4 + length.parse::<usize>().unwrap();
    Some((bytes.get(head + 4..end)?.to_vec(), end))
}

/// The key that the provider of [`Setup::upstream`] is asked with.
pub(crate) const KEY: &str = "sk-lab-0123456789";

/// A scripted provider for tests that are not asynchronous themselves.
pub(crate) struct Upstream {
    pub(crate) provider: Provider,
    waiting: tokio::runtime::Runtime,
    /// Ends the provider's thread.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        Self::listening(None)
    }

    /// The same behind TLS.
    pub(crate) fn start_tls(acceptor: tokio_rustls::TlsAcceptor) -> Self {
        Self::listening(Some(acceptor))
    }

    fn listening(acceptor: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (sender, provider) = mpsc::channel();
        thread::spawn(move || {
            runtime().block_on(async {
                let provider = match acceptor {
                    None => Provider::start().await,
                    Some(acceptor) => Provider::start_tls(acceptor).await,
                };
                sender.send(provider).unwrap();
                // An error means the same: the test is over.
                let _ = stopped.await;
            });
        });
        Self { provider: provider.recv_timeout(PATIENCE).unwrap(), waiting: runtime(), _stop: stop }
    }

    /// The `index`-th request, once it has come.
    pub(crate) fn request(&self, index: usize) -> provider::Request {
        self.wait(self.provider.request(index))
    }

    /// Waits, but not for ever.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.waiting
            .block_on(async { tokio::time::timeout(PATIENCE, future).await })
            .expect("it comes in time")
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
