//! The built-in `demo` model: a scripted stand-in behind the same seam as real models, and a player of script
//! files for tests and plugin authors (`docs/demo.md`).
//!
//! It must never reach a network, and plays the same steps for the same request every time.

mod script;
mod talk;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use self::script::{Piece, Step};
use super::{Backend, Call, Category, Delta, DeltaStream, Fault, Message, StopReason, Stream, Usage};

/// The wire id of demo models.
pub const WIRE: &str = "demo";
/// The tool that the built-in conversation calls, where the request offers it.
pub const TOOL: &str = "demo";

/// Names a script that replaces the built-in conversation.
const SCRIPT_VARIABLE: &str = "ASIDE_DEMO_SCRIPT";
/// The pause between two words of the built-in conversation, in milliseconds.
const DELAY_VARIABLE: &str = "ASIDE_DEMO_DELAY_MS";
/// A model id that names a script itself.
const SCRIPT_PREFIX: &str = "script:";
const DELAY_MS: u64 = 10;
/// The longest script, in bytes.
const SCRIPT_LIMIT: usize = 16 << 20;
/// Deltas given out before other tasks get their turn.
const BURST: u32 = 128;

/// The `demo` model.
#[derive(Clone, Copy, Debug, Default)]
pub struct DemoBackend;

impl Backend for DemoBackend {
    fn call(&self, call: Call) -> DeltaStream {
        Box::pin(Play { call: Some(call), player: None, sleep: None, burst: 0 })
    }
}

/// One playing answer.
struct Play {
    /// Taken at the first poll, when the script is read.
    call: Option<Call>,
    player: Option<Player>,
    sleep: Option<Pin<Box<Sleep>>>,
    burst: u32,
}

impl Stream for Play {
    fn resume(self: Pin<&mut Self>) {}
}

impl futures_util::Stream for Play {
    type Item = Result<Delta, Fault>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(call) = this.call.take() {
            match steps(&call) {
                Ok((steps, delay_ms)) => this.player = Some(Player::new(steps, delay_ms)),
                Err(fault) => return Poll::Ready(Some(Err(fault))),
            }
        }
        if this.burst >= BURST {
            this.burst = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if let Some(sleep) = &mut this.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.sleep = None;
            }
            let Some(player) = &mut this.player else { return Poll::Ready(None) };
            match player.next() {
                Played::Delta(delta) => {
                    // Without a pause a long script would never let anyone else run.
                    this.burst += 1;
                    return Poll::Ready(Some(Ok(delta)));
                }
                Played::Wait(ms) => {
                    this.sleep = Some(Box::pin(tokio::time::sleep(Duration::from_millis(ms))));
                }
                Played::Stall => {
                    // Only dropping the stream ends it, however often it is polled before that.
                    player.ready.push_front(Played::Stall);
                    return Poll::Pending;
                }
                Played::Failed(fault) => {
                    this.player = None;
                    return Poll::Ready(Some(Err(fault)));
                }
                Played::Ended => this.player = None,
            }
        }
    }
}

/// What the call plays, and the pause after each of its words.
fn steps(call: &Call) -> Result<(Vec<Step>, u64), Fault> {
    let env = &call.system.env;
    let path = call.model.id.strip_prefix(SCRIPT_PREFIX).or_else(|| env.get(SCRIPT_VARIABLE));
    if let Some(path) = path {
        let path = call.system.working_dir.join(PathBuf::from(path.trim()));
        let shown = path.display().to_string();
        let bytes = call
            .system
            .files
            .read_start(&path, SCRIPT_LIMIT + 1)
            .map_err(|error| unplayable(&format!("demo script {shown} cannot be read: {error}")))?;
        if bytes.len() > SCRIPT_LIMIT {
            return Err(unplayable(&format!("demo script {shown} is longer than {SCRIPT_LIMIT} bytes")));
        }
        let answered =
            call.request.messages.iter().filter(|message| matches!(message, Message::Assistant(_))).count();
        let turn = script::turn(&bytes, answered)
            .map_err(|why| unplayable(&format!("demo script {shown}: {why}")))?;
        return Ok((turn, 0));
    }
    let delay_ms = match env.get(DELAY_VARIABLE) {
        None => DELAY_MS,
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| unplayable(&format!("{DELAY_VARIABLE} is not a number of milliseconds")))?,
    };
    Ok((talk::steps(&call.request), delay_ms))
}

fn unplayable(message: &str) -> Fault {
    Fault {
        hint: Some("docs/demo.md describes demo scripts".to_owned()),
        ..Fault::new(Category::InvalidRequest, message)
    }
}

/// Turns steps into deltas, one at a time: a flood is never in memory as a whole.
struct Player {
    steps: std::vec::IntoIter<Step>,
    ready: VecDeque<Played>,
    /// A piece that is still to be said so many times.
    repeating: Option<(Piece, u64)>,
    /// A flood's bytes that are still to come, and how many come at once.
    flooding: Option<(u64, usize)>,
    block: Block,
    blocks: u32,
    calls: u32,
    delay_ms: u64,
    words: u64,
    stopped: bool,
    ended: bool,
}

/// The block that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    None,
    Text,
    Thinking,
}

enum Played {
    Delta(Delta),
    Wait(u64),
    Stall,
    Failed(Fault),
    Ended,
}

impl Player {
    fn new(steps: Vec<Step>, delay_ms: u64) -> Self {
        let response = Delta::Response { id: None, model: None };
        Self {
            steps: steps.into_iter(),
            ready: VecDeque::from([Played::Delta(response)]),
            repeating: None,
            flooding: None,
            block: Block::None,
            blocks: 0,
            calls: 0,
            delay_ms,
            words: 0,
            stopped: false,
            ended: false,
        }
    }

    fn next(&mut self) -> Played {
        loop {
            if let Some(played) = self.ready.pop_front() {
                return played;
            }
            if let Some((piece, times)) = self.repeating.take_if(|(_, times)| *times > 0) {
                let delta = self.say(&piece);
                self.repeating = Some((piece, times - 1));
                return Played::Delta(delta);
            }
            if let Some((left, chunk)) = self.flooding.take_if(|(left, _)| *left > 0) {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(chunk);
                self.flooding = Some((left - now as u64, chunk));
                return Played::Delta(self.say(&Piece::Text("x".repeat(now))));
            }
            match self.steps.next() {
                Some(step) => self.begin(step),
                None if self.ended => return Played::Ended,
                None => self.end(),
            }
        }
    }

    fn begin(&mut self, step: Step) {
        match step {
            Step::Say(piece) => {
                if self.delay_ms == 0 {
                    let delta = self.say(&piece);
                    self.ready.push_back(Played::Delta(delta));
                } else {
                    let (text, wrap): (&str, fn(String) -> Piece) = match &piece {
                        Piece::Text(text) => (text, Piece::Text),
                        Piece::Thinking(text) => (text, Piece::Thinking),
                    };
                    for word in text.split_inclusive(' ') {
                        let delta = self.say(&wrap(word.to_owned()));
                        self.ready.push_back(Played::Delta(delta));
                        self.ready.push_back(Played::Wait(self.delay_ms));
                    }
                }
            }
            Step::Repeat { piece, times } => self.repeating = Some((piece, times)),
            Step::Flood { bytes, chunk } => self.flooding = Some((bytes, chunk)),
            Step::ToolCall { name, arguments } => {
                let block = self.open(Block::None);
                self.calls += 1;
                let id = format!("demo-call-{}", self.calls);
                self.ready.push_back(Played::Delta(Delta::ToolCall { block, id, name }));
                self.ready.push_back(Played::Delta(Delta::Arguments { block, text: arguments }));
            }
            Step::Wait { ms } => self.ready.push_back(Played::Wait(ms)),
            Step::Stall => self.ready.push_back(Played::Stall),
            Step::Fail(fault) => self.ready.push_back(Played::Failed(*fault)),
            Step::Usage(usage) => self.ready.push_back(Played::Delta(Delta::Usage(usage))),
            Step::Stop(reason) => self.stop(reason),
            Step::Panic => {
                #[expect(clippy::panic, reason = "a script asks for it, to see that a panic is contained")]
                {
                    panic!("the demo script asked for a panic");
                }
            }
        }
    }

    /// The end of a script that does not say how it ends.
    fn end(&mut self) {
        self.ended = true;
        if !self.stopped {
            let usage = Usage { input: 1, output: self.words, ..Usage::default() };
            self.ready.push_back(Played::Delta(Delta::Usage(usage)));
            self.stop(if self.calls > 0 { StopReason::ToolUse } else { StopReason::EndTurn });
        }
    }

    fn stop(&mut self, reason: StopReason) {
        if !self.stopped {
            self.stopped = true;
            self.ready.push_back(Played::Delta(Delta::Stop { reason, raw: None }));
        }
    }

    fn say(&mut self, piece: &Piece) -> Delta {
        self.words += 1;
        match piece {
            Piece::Text(text) => Delta::Text { block: self.open(Block::Text), text: text.clone() },
            Piece::Thinking(text) => {
                Delta::Thinking { block: self.open(Block::Thinking), text: text.clone() }
            }
        }
    }

    /// The number of the open block, or of a new one where another kind is open.
    fn open(&mut self, kind: Block) -> u32 {
        if self.block != kind || kind == Block::None {
            self.block = kind;
            self.blocks += 1;
        }
        self.blocks - 1
    }
}

#[cfg(test)]
mod tests;
