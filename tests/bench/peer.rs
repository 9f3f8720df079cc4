//! A program under measurement, driven as an editor drives it: lines in, lines out.
//!
//! Lines are stamped when they arrive and looked at afterwards, so that the looking does not count.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::mock::WORD;

/// How long to wait for a line before giving up.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a program is started.
pub(crate) struct Launch<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    /// An empty folder is made below it for each process.
    pub(crate) scratch: &'a Path,
    /// The contents of `models.json`.
    pub(crate) models: String,
}

impl Launch<'_> {
    /// Starts the program with an environment of its own.
    pub(crate) fn start(&self) -> Result<Peer> {
        self.run(Command::new(self.program))
    }

    /// Starts the program with the file limit that most people have, which it must raise by itself.
    pub(crate) fn start_with_few_files(&self) -> Result<Peer> {
        if !cfg!(unix) {
            return self.start();
        }
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -Sn 1024; exec \"$0\" \"$@\""]).arg(self.program);
        self.run(command)
    }

    fn run(&self, mut command: Command) -> Result<Peer> {
        let home = tempfile::tempdir_in(self.scratch)?.keep();
        fs::write(home.join("models.json"), &self.models)?;
        let log = home.join("stderr");
        command.args(&self.arguments).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("HOME", &home).env("ASIDE_HOME", &home).current_dir(&home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let started = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdin = child.stdin.take().context("no standard input")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let (sender, blocks) = mpsc::channel();
        thread::spawn(move || read(stdout, &sender));
        let mut peer = Peer {
            child,
            stdin,
            blocks,
            partial: Vec::new(),
            lines: VecDeque::new(),
            bytes: 0,
            id: 0,
            started,
            answered: started,
        };
        let id = peer
            .request("initialize", r#"{"protocolVersion":1,"clientInfo":{"name":"bench","version":"1"}}"#)?;
        peer.answered = peer
            .follow(&[id], |_| Ok(()))
            .with_context(|| format!("its log: {}", fs::read_to_string(log).unwrap_or_default().trim()))?;
        Ok(peer)
    }
}

/// Sends what comes, stamped, until the end.
fn read(mut stdout: impl Read, sender: &mpsc::Sender<(Instant, Vec<u8>)>) {
    let mut block = vec![0; 64 * 1024];
    while let Ok(count) = stdout.read(&mut block) {
        let Some(bytes) = block.get(..count).filter(|bytes| !bytes.is_empty()) else { return };
        if sender.send((Instant::now(), bytes.to_vec())).is_err() {
            return;
        }
    }
}

/// A running program. Killed when it goes out of scope.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    blocks: Receiver<(Instant, Vec<u8>)>,
    partial: Vec<u8>,
    lines: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    id: u64,
    pub(crate) started: Instant,
    /// When the answer to `initialize` came.
    pub(crate) answered: Instant,
}

/// What came back for one prompt or several.
pub(crate) struct Turn {
    pub(crate) sent: Instant,
    /// The arrival of each of the provider's deltas; those that were merged arrived together.
    pub(crate) deltas: Vec<Instant>,
    /// Lines that carried deltas.
    pub(crate) lines: usize,
    /// Bytes on standard output.
    pub(crate) bytes: usize,
    /// The arrival of the last answer.
    pub(crate) answered: Instant,
    /// The conversation of the last delta; empty for a program that has none.
    pub(crate) session: String,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    session_id: String,
    r#type: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    stop_reason: String,
}

impl Peer {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A prompt in a conversation of its own, until its answer.
    pub(crate) fn turn(&mut self, deltas: usize) -> Result<Turn> {
        let turn = self.prompts(1)?;
        self.rest(turn, deltas)
    }

    /// Prompts at once, each in a conversation of its own. Their answers are for [`Self::rest`].
    pub(crate) fn prompts(&mut self, count: usize) -> Result<Pending> {
        let bytes = self.bytes;
        let sent = Instant::now();
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(self.request("prompt", r#"{"text":"hello","model":"bench/mock"}"#)?);
        }
        Ok(Pending { ids, sent, bytes })
    }

    /// Follows prompts to their answers; together they must bring so many deltas and end well.
    pub(crate) fn rest(&mut self, pending: Pending, deltas: usize) -> Result<Turn> {
        let turn = self.end(pending, "endTurn")?;
        ensure!(turn.deltas.len() == deltas, "{} of {deltas} deltas came through", turn.deltas.len());
        Ok(turn)
    }

    /// Follows prompts to their answers, which must give this reason.
    pub(crate) fn end(&mut self, pending: Pending, reason: &str) -> Result<Turn> {
        let Pending { ids, sent, bytes } = pending;
        let mut turn =
            Turn { sent, deltas: Vec::new(), lines: 0, bytes: 0, answered: sent, session: String::new() };
        turn.answered = self.follow(&ids, |what| {
            match what {
                What::Event(at, event) if event.r#type == "delta" => {
                    let pieces = event.text.len() / WORD;
                    turn.deltas.extend(std::iter::repeat_n(at, pieces));
                    turn.lines += 1;
                    turn.session = event.session_id;
                }
                What::Event(..) => {}
                What::Answer(result) => {
                    let outcome: Outcome = serde_json::from_str(result).context("not a turn's result")?;
                    ensure!(outcome.stop_reason == reason, "a turn ended with {result}");
                }
            }
            Ok(())
        })?;
        turn.bytes = self.bytes - bytes;
        Ok(turn)
    }

    /// Waits for the first delta and tells the conversation it belongs to. What came before it is forgotten.
    pub(crate) fn first_delta(&mut self) -> Result<String> {
        loop {
            let (_, line) = self.line()?;
            let message: Message<'_> = serde_json::from_slice(&line)?;
            if let Some(params) = message.params {
                let event: Event = serde_json::from_str(params.get())?;
                if event.r#type == "delta" {
                    return Ok(event.session_id);
                }
            }
        }
    }

    /// Sends a request and tells its id.
    pub(crate) fn request(&mut self, method: &str, params: &str) -> Result<u64> {
        self.id += 1;
        let id = self.id;
        let line =
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n");
        self.stdin.write_all(line.as_bytes()).with_context(|| format!("cannot send {method}"))?;
        Ok(id)
    }

    /// Shows events and answers until all these requests are answered; tells when the last answer came.
    fn follow(&mut self, ids: &[u64], mut show: impl FnMut(What<'_>) -> Result<()>) -> Result<Instant> {
        let mut left = ids.len();
        while left > 0 {
            let (at, line) = self.line()?;
            let message: Message<'_> = serde_json::from_slice(&line)
                .with_context(|| format!("not a message: {}", String::from_utf8_lossy(&line)))?;
            let id = message.id.and_then(|id| id.get().parse::<u64>().ok());
            if let Some(params) = message.params.filter(|_| message.method.as_deref() == Some("event")) {
                show(What::Event(at, serde_json::from_str(params.get())?))?;
            } else if message.method.is_none() && id.is_some_and(|id| ids.contains(&id)) {
                let Some(result) = message.result else {
                    bail!("an error: {}", String::from_utf8_lossy(&line));
                };
                show(What::Answer(result.get()))?;
                left -= 1;
                if left == 0 {
                    return Ok(at);
                }
            }
        }
        Ok(Instant::now())
    }

    fn line(&mut self) -> Result<(Instant, Vec<u8>)> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(line);
            }
            let (at, block) = self.blocks.recv_timeout(PATIENCE).context("no line came")?;
            self.bytes += block.len();
            self.partial.extend_from_slice(&block);
            let Some(end) = memchr::memrchr(b'\n', &self.partial) else { continue };
            let rest = self.partial.split_off(end + 1);
            let whole = std::mem::replace(&mut self.partial, rest);
            let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            self.lines.extend(lines.map(|line| (at, line.to_vec())));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Prompts whose answers are awaited.
pub(crate) struct Pending {
    ids: Vec<u64>,
    pub(crate) sent: Instant,
    /// Bytes that had come before they were sent.
    bytes: usize,
}

enum What<'a> {
    Event(Instant, Event),
    Answer(&'a str),
}
