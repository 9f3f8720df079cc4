//! The real program, driven over its standard streams as an editor would: no handshake is implied, every line
//! is held to the published schema, and nothing here sleeps. Deadlines only say when to give up.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::provider::Provider;
use super::schema::check_server_line;

/// When a test that waits for a line gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What the end of the process may take.
pub(crate) const PROMPTLY: Duration = Duration::from_secs(1);

/// A folder for `ASIDE_HOME`, and the variables of the processes in it.
pub(crate) struct Home {
    dir: Arc<tempfile::TempDir>,
    env: Vec<(String, String)>,
}

impl Home {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let env = vec![
            ("ASIDE_HOME".to_owned(), dir.path().display().to_string()),
            ("ASIDE_LOCAL_SERVERS".to_owned(), "off".to_owned()),
        ];
        Self { dir, env }
    }

    /// With a script as what the `demo` model says: one step a line.
    pub(crate) fn with_script(steps: &[Value]) -> Self {
        let mut home = Self::new();
        let script: Vec<String> = steps.iter().map(Value::to_string).collect();
        let path = home.path().join("script.jsonl");
        std::fs::write(&path, script.join("\n")).unwrap();
        home.env.push(("ASIDE_DEMO_SCRIPT".to_owned(), path.display().to_string()));
        home
    }

    /// With the scripted provider as the default model.
    pub(crate) fn with_provider(provider: &Provider) -> Self {
        let home = Self::new();
        let models = json!({ "providers": { "test": {
            "baseUrl": provider.url(), "api": "openai-completions", "models": [{ "id": "m" }],
        } } });
        std::fs::write(home.path().join("models.json"), models.to_string()).unwrap();
        std::fs::write(home.path().join("settings.json"), json!({ "defaultModel": "test/m" }).to_string())
            .unwrap();
        home
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The variables of its processes.
    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.env
    }

    /// Where a session is kept.
    pub(crate) fn session(&self, id: &str) -> PathBuf {
        self.path().join("sessions").join(format!("{id}.jsonl"))
    }

    /// The records of a session's file.
    pub(crate) fn records(&self, id: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.session(id)).unwrap();
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The program's command, with nothing but our variables in its environment.
    pub(crate) fn command(&self) -> Command {
        self.wrapped(Command::new(env!("CARGO_BIN_EXE_aside")))
    }

    /// Another program's command in the same environment.
    pub(crate) fn wrapped(&self, mut command: Command) -> Command {
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// Starts the program.
    pub(crate) fn start(&self) -> Aside {
        Aside::of(self.command())
    }

    /// Starts the program and shakes hands.
    pub(crate) async fn start_initialized(&self, params: Value) -> Aside {
        let mut aside = self.start();
        aside.call("initialize", params).await;
        aside
    }
}

/// What `initialize` is given by a client that can be asked.
pub(crate) fn asked() -> Value {
    json!({ "protocolVersion": 1, "capabilities": { "requestPermission": true, "promptUser": true } })
}

/// Holds the reading thread back.
#[derive(Default)]
struct Tap {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Tap {
    fn set(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let closed = self.closed.lock().unwrap();
        drop(self.changed.wait_while(closed, |closed| *closed).unwrap());
    }
}

/// Lines of any output, read by a thread that can be held back.
pub(crate) struct Lines {
    received: mpsc::UnboundedReceiver<(Instant, String)>,
    tap: Arc<Tap>,
}

impl Lines {
    /// Starts to read.
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let tap = Arc::new(Tap::default());
        let held = Arc::clone(&tap);
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                held.pass();
                let mut line = Vec::new();
                match output.read_until(b'\n', &mut line) {
                    Ok(count) if count > 0 => {}
                    _ => return,
                }
                // Only a process that was killed leaves half a line.
                if line.pop() != Some(b'\n')
                    || sender.send((Instant::now(), String::from_utf8(line).unwrap())).is_err()
                {
                    return;
                }
            }
        });
        Self { received, tap }
    }

    /// Stops reading after the line that is being read.
    pub(crate) fn hold(&self) {
        self.tap.set(true);
    }

    /// Goes on reading.
    pub(crate) fn release(&self) {
        self.tap.set(false);
    }

    /// The next line and when it came; `None` at the end of the output.
    pub(crate) async fn next(&mut self) -> Option<(Instant, String)> {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("a line, or the end of the output")
    }
}

/// A running process. Killed when dropped.
pub(crate) struct Aside {
    /// Zero for a server in this process.
    pid: u32,
    stdin: Option<Box<dyn Write + Send>>,
    lines: Lines,
    status: watch::Receiver<Option<i32>>,
    next_id: u64,
    /// Lines that were read while another was waited for.
    kept: VecDeque<Value>,
}

impl Aside {
    /// Starts a command whose output is read at once.
    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = Lines::of(child.stdout.take().unwrap());
        Self::with(child, lines)
    }

    /// A started process whose output is read by `lines`.
    pub(crate) fn with(mut child: Child, lines: Lines) -> Self {
        let pid = child.id();
        let stdin = child.stdin.take().map(|stdin| Box::new(stdin) as Box<dyn Write + Send>);
        let (ended, status) = watch::channel(None);
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            ended.send_replace(Some(status.code().unwrap_or_else(|| -signal.unwrap())));
        });
        Self { pid, stdin, lines, status, next_id: 1, kept: VecDeque::new() }
    }

    /// A server in this process, which `status` tells the end of.
    pub(crate) fn in_process(
        stdin: Box<dyn Write + Send>,
        lines: Lines,
        status: watch::Receiver<Option<i32>>,
    ) -> Self {
        Self { pid: 0, stdin: Some(stdin), lines, status, next_id: 1, kept: VecDeque::new() }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The reading of its output.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Sends one line.
    pub(crate) fn send(&mut self, line: &Value) {
        self.send_text(&line.to_string());
    }

    /// Sends text and a line feed.
    pub(crate) fn send_text(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        // A process that ended does not read any more, and the test will see that in what it answers.
        let _ = stdin.write_all(format!("{text}\n").as_bytes());
    }

    /// Sends a request and returns its id.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        message["params"] = params;
        self.send(&message);
        id
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        message["params"] = params;
        self.send(&message);
    }

    /// Ends its input.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    async fn read(&mut self) -> Option<Value> {
        let (_, line) = self.lines.next().await?;
        let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        check_server_line(&line);
        Some(line)
    }

    /// The next line; `None` at the end of the output.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        match self.kept.pop_front() {
            Some(line) => Some(line),
            None => self.read().await,
        }
    }

    /// The next line and when it came.
    pub(crate) async fn next_timed(&mut self) -> Option<(Instant, Value)> {
        if let Some(line) = self.kept.pop_front() {
            return Some((Instant::now(), line));
        }
        let (at, line) = self.lines.next().await?;
        let line = serde_json::from_str(&line).unwrap();
        check_server_line(&line);
        Some((at, line))
    }

    /// The first line that fits, which is taken; those before it stay.
    pub(crate) async fn find(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&fits) {
            return self.kept.remove(at).unwrap();
        }
        loop {
            let Some(line) = self.read().await else {
                panic!("the output ended before what was waited for; before it came {:#?}", self.kept)
            };
            if fits(&line) {
                return line;
            }
            self.kept.push_back(line);
        }
    }

    /// The next event of that type.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        let line = self.find(|line| line["method"] == "event" && line["params"]["type"] == kind).await;
        line["params"].clone()
    }

    /// The whole answer to a request: with `result` or `error`.
    pub(crate) async fn answer(&mut self, id: u64) -> Value {
        self.find(|line| line["id"] == id && line.get("method").is_none()).await
    }

    /// Sends a request and returns its result.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id).await;
        assert!(answer.get("error").is_none(), "{method} failed: {answer}");
        super::schema::check_result(method, &answer["result"]);
        answer["result"].clone()
    }

    /// Sends a request and returns its error.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id).await;
        assert!(answer.get("result").is_none(), "{method} did not fail: {answer}");
        answer["error"].clone()
    }

    /// All lines up to the end of the output.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut rest = Vec::new();
        while let Some(line) = self.next().await {
            rest.push(line);
        }
        rest
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        if self.pid > 0 && self.status.borrow().is_none() {
            kill(self.pid, signal);
        }
    }

    /// Its exit status, or a signal's number below zero, once it has ended; fails when that takes longer.
    pub(crate) async fn exit(&mut self, within: Duration) -> i32 {
        let ended = tokio::time::timeout(within, self.status.wait_for(Option::is_some)).await;
        ended.unwrap_or_else(|_| panic!("the process did not end within {within:?}")).unwrap().unwrap()
    }

    /// Kills it as no process can prevent, and waits for its end.
    pub(crate) async fn kill(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        self.exit(PATIENCE).await;
    }

    /// Memory that is resident now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// The most memory that ever was resident, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    fn memory_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.lines.release();
        self.signal(rustix::process::Signal::KILL);
    }
}

/// Sends a signal to a process.
pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended meanwhile.
    let _ = rustix::process::kill_process(pid, signal);
}

/// A process that need not be our child.
pub(crate) struct Watched(std::os::fd::OwnedFd);

impl Watched {
    /// A process that runs.
    pub(crate) fn new(pid: u32) -> Self {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        Self(rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap())
    }

    /// Waits for its end; false when that takes longer.
    pub(crate) async fn ends(self, within: Duration) -> bool {
        let wait = move || {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let mut polled = [PollFd::new(&self.0, PollFlags::IN)];
            poll(&mut polled, Some(&Timespec::try_from(within).unwrap())).unwrap() > 0
        };
        tokio::task::spawn_blocking(wait).await.unwrap()
    }
}

/// Whether a process runs: one that nobody has waited for yet has ended all the same.
pub(crate) fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
