//! A provider on loopback that speaks streamed chat completions: the same bytes for everybody, made beforehand.
//!
//! It must never be the bottleneck and never judge a request: what it plays is decided by the benchmark alone.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Bytes of text in each delta.
pub(crate) const WORD: usize = 5;

/// What is answered, and what was seen of it.
pub(crate) struct Plan {
    head: Vec<u8>,
    /// One piece is one `write`.
    pieces: Vec<Vec<u8>>,
    /// Time between two pieces.
    pace: Duration,
    /// After this many pieces every stream waits for the others.
    gate: Option<usize>,
    /// Whether the stream goes on for ever after its last piece.
    hangs: bool,
    seen: Mutex<Seen>,
    /// For the benchmark.
    changed: Condvar,
    /// For the streams at the gate; apart, so that a thousand of them do not wake at each change.
    opened: Condvar,
}

/// What happened to a plan's streams, and when.
#[derive(Default)]
pub(crate) struct Seen {
    /// A request had come whole.
    pub(crate) asked: Vec<Instant>,
    /// A piece was about to be written.
    pub(crate) written: Vec<Instant>,
    /// The other side closed a stream that hung.
    pub(crate) closed: Vec<Instant>,
    /// Streams that have reached the gate.
    waiting: usize,
    open: bool,
}

impl Plan {
    /// All deltas as fast as they are taken.
    pub(crate) fn burst(deltas: usize) -> Self {
        Self::new(vec![(0..deltas).flat_map(delta).chain(end(deltas)).collect()])
    }

    /// A delta each time `pace` has passed.
    pub(crate) fn paced(deltas: usize, pace: Duration) -> Self {
        let mut pieces: Vec<Vec<u8>> = (0..deltas).map(delta).collect();
        pieces.push(end(deltas));
        Self { pace, ..Self::new(pieces) }
    }

    /// Half of the deltas, a rest until [`Plan::open`], and the other half.
    pub(crate) fn gated(deltas: usize) -> Self {
        let half = deltas / 2;
        let second = (half..deltas).flat_map(delta).chain(end(deltas)).collect();
        Self { gate: Some(1), ..Self::new(vec![(0..half).flat_map(delta).collect(), second]) }
    }

    /// Some deltas and then nothing more, until the other side closes.
    pub(crate) fn hanging(deltas: usize) -> Self {
        Self { hangs: true, ..Self::new(vec![(0..deltas).flat_map(delta).collect()]) }
    }

    fn new(pieces: Vec<Vec<u8>>) -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
                    transfer-encoding: chunked\r\n\r\n";
        let role = chunk("{\"role\":\"assistant\",\"content\":\"\"}", "null", "");
        Self {
            head: [head.as_bytes(), &role].concat(),
            pieces,
            pace: Duration::ZERO,
            gate: None,
            hangs: false,
            seen: Mutex::default(),
            changed: Condvar::new(),
            opened: Condvar::new(),
        }
    }

    /// What was seen until now.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something was seen.
    pub(crate) fn wait(&self, what: &str, until: impl Fn(&Seen) -> bool) -> Result<()> {
        let patience = Duration::from_mins(1);
        let (seen, _) = self
            .changed
            .wait_timeout_while(self.seen(), patience, |seen| !until(seen))
            .unwrap_or_else(PoisonError::into_inner);
        ensure!(until(&seen), "{what}: not within {patience:?}, {} requests came", seen.asked.len());
        Ok(())
    }

    /// Waits until so many streams are at the gate at once.
    pub(crate) fn gather(&self, streams: usize) -> Result<()> {
        self.wait(&format!("{streams} streams open at once"), |seen| seen.waiting >= streams)
    }

    /// Lets the streams at the gate go on.
    pub(crate) fn open(&self) {
        self.seen().open = true;
        self.opened.notify_all();
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen());
        self.changed.notify_all();
    }

    fn play(&self, socket: &mut TcpStream) -> std::io::Result<()> {
        socket.write_all(&self.head)?;
        let begin = Instant::now();
        let mut due = Duration::ZERO;
        for (at, piece) in self.pieces.iter().enumerate() {
            if self.gate == Some(at) {
                self.note(|seen| seen.waiting += 1);
                drop(self.opened.wait_while(self.seen(), |seen| !seen.open));
            }
            due += self.pace;
            thread::sleep(due.saturating_sub(begin.elapsed()));
            self.note(|seen| seen.written.push(Instant::now()));
            socket.write_all(piece)?;
        }
        if self.hangs {
            // An end and a reset are both a close.
            while socket.read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
            self.note(|seen| seen.closed.push(Instant::now()));
        }
        Ok(())
    }
}

/// A text of [`WORD`] bytes that does not repeat soon.
fn delta(at: usize) -> Vec<u8> {
    let letters = b"abcdefghijklmnopqrstuvwxyz";
    let mut left = at.wrapping_mul(7919);
    let word: String = (1..WORD)
        .filter_map(|_| {
            let letter = letters.get(left % letters.len());
            left /= letters.len();
            letter.map(|letter| char::from(*letter))
        })
        .collect();
    chunk(&format!("{{\"content\":\"{word} \"}}"), "null", "")
}

fn end(deltas: usize) -> Vec<u8> {
    let total = deltas + 10;
    let usage = format!(
        ",\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":{deltas},\"total_tokens\":{total}}}"
    );
    [&chunk("{}", "\"stop\"", &usage), &b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"[..]].concat()
}

/// One event of the stream in a chunk of its own, as servers send them.
fn chunk(delta: &str, finish: &str, rest: &str) -> Vec<u8> {
    let event = format!(
        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"mock\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]{rest}}}\n\n"
    );
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// The provider. Ends with the process.
pub(crate) struct Mock {
    pub(crate) address: SocketAddr,
    plan: Arc<Mutex<Arc<Plan>>>,
}

impl Mock {
    pub(crate) fn start() -> Result<Self> {
        let listener = listener().context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let plan = Arc::new(Mutex::new(Arc::new(Plan::burst(1))));
        let current = Arc::clone(&plan);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let current = Arc::clone(&current);
                // The threads are many and do little.
                let thread = thread::Builder::new().stack_size(128 * 1024);
                // Where no thread is to be had the socket closes, which the benchmark sees as a failed turn.
                let _ = thread.spawn(move || serve(socket, &current));
            }
        });
        Ok(Self { address, plan })
    }

    /// From now on every request is answered by this plan.
    pub(crate) fn play(&self, plan: Plan) -> Arc<Plan> {
        let plan = Arc::new(plan);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&plan);
        plan
    }
}

/// The standard library's listener has a queue of 128, which a thousand connections at once overflow; each of
/// those that did not fit would be tried again a second later.
fn listener() -> Result<TcpListener> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        socket.listen(4096)?.into_std()
    })?;
    listener.set_nonblocking(false)?;
    Ok(listener)
}

/// Answers the requests of one connection until it closes; an error is a close.
fn serve(mut socket: TcpStream, current: &Mutex<Arc<Plan>>) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut bytes = Vec::new();
    loop {
        request(&mut socket, &mut bytes)?;
        let plan = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
        plan.note(|seen| seen.asked.push(Instant::now()));
        plan.play(&mut socket).ok()?;
    }
}

/// Takes one request with its body off the connection.
fn request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut block = [0; 8192];
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        if let Some(end) = end {
            let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let whole = end + length.map_or(Some(0), |length| length.trim().parse::<usize>().ok())?;
            if bytes.len() >= whole {
                bytes.drain(..whole);
                return Some(());
            }
        }
        let count = socket.read(&mut block).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(block.get(..count)?);
    }
}
