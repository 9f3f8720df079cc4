//! A provider made of one loopback socket: it speaks just enough HTTP/1.1 to answer as scripted, to the byte.
//!
//! No mock crate and no sleeps: a test opens a [`Gate`] to release the next bytes, and awaits what the client
//! did. Start with [`Provider::start`], queue [`Reply`]s, point a model's base URL at [`Provider::url`].

pub(crate) mod bedrock;
pub(crate) mod completions;
pub(crate) mod sigv4;
pub(crate) mod socket;
pub(crate) mod speech;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the provider waits for before it goes on.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one `wait` of a reply pass.
    pub(crate) fn open(&self) {
        self.0.add_permits(1);
    }
}

/// A scripted answer. Chunked unless the script itself says otherwise.
#[derive(Clone)]
pub(crate) struct Reply {
    head: String,
    framing: Framing,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq)]
enum Framing {
    Chunked,
    Raw,
}

#[derive(Clone)]
enum Step {
    /// Written and flushed as one HTTP chunk.
    Chunk(Vec<u8>),
    /// Written and flushed as they are.
    Raw(Vec<u8>),
    /// The same chunk again and again, until the client has had enough.
    Flood {
        chunk: Vec<u8>,
        times: u64,
    },
    Wait(Gate),
    Stall,
    Fin,
    Reset,
}

impl Reply {
    /// An answer with this status and no headers but the framing.
    pub(crate) fn status(status: u16) -> Self {
        Self { head: format!("HTTP/1.1 {status} Scripted\r\n"), framing: Framing::Chunked, steps: Vec::new() }
    }

    /// An open event stream, nothing sent yet.
    pub(crate) fn stream() -> Self {
        Self::status(200).header("content-type", "text/event-stream")
    }

    /// A whole event stream: one `data:` event, and one chunk, for each text.
    pub(crate) fn sse<T: AsRef<str>>(events: impl IntoIterator<Item = T>) -> Self {
        events.into_iter().fold(Self::stream(), |reply, data| reply.event(data.as_ref()))
    }

    /// A JSON body.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::status(status).header("content-type", "application/json").chunk(body)
    }

    /// Bytes that stand for the whole answer, head included.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        let steps = vec![Step::Raw(bytes.as_ref().to_vec())];
        Self { head: String::new(), framing: Framing::Raw, steps }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// One event of a stream, in a chunk of its own.
    pub(crate) fn event(self, data: &str) -> Self {
        self.chunk(format!("data: {data}\n\n"))
    }

    /// One chunk.
    pub(crate) fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Chunk(bytes.as_ref().to_vec()))
    }

    /// Bytes without chunk framing, such as half a chunk's head.
    pub(crate) fn bytes(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Raw(bytes.as_ref().to_vec()))
    }

    /// The same chunk so many times.
    pub(crate) fn flood(self, chunk: impl AsRef<[u8]>, times: u64) -> Self {
        self.step(Step::Flood { chunk: chunk.as_ref().to_vec(), times })
    }

    /// Goes on when the test opens the gate.
    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Says nothing more, and waits for the client to leave.
    pub(crate) fn stall(self) -> Self {
        self.step(Step::Stall)
    }

    /// Closes the connection as if all had been said, without the end of the body.
    pub(crate) fn fin(self) -> Self {
        self.step(Step::Fin)
    }

    /// Resets the connection (plain TCP only).
    pub(crate) fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As in the request line: a path, or a whole URL where the client speaks to a proxy.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    closed: watch::Receiver<bool>,
}

impl Request {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, whether it was sent compressed or not.
    pub(crate) fn json(&self) -> serde_json::Value {
        let plain = match self.header("content-encoding") {
            Some("zstd") => zstd::bulk::decompress(&self.body, 64 << 20).expect("the body is zstd"),
            _ => self.body.clone(),
        };
        serde_json::from_slice(&plain).expect("the body is JSON")
    }

    /// Resolves when the client has closed the connection that the request came on.
    pub(crate) async fn closed(&self) {
        // The sender goes away only with the connection.
        let _ = self.closed.clone().wait_for(|closed| *closed).await;
    }
}

/// The server. Dropping it closes every connection.
pub(crate) struct Provider {
    address: SocketAddr,
    scheme: &'static str,
    script: Arc<Script>,
    arrived: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

/// Answers a request, or leaves it to the script.
type Answering = dyn Fn(&Request) -> Option<Reply> + Send + Sync;

struct Script {
    answering: Mutex<Option<Arc<Answering>>>,
    replies: Mutex<VecDeque<Reply>>,
    /// The answer to a request for which there is no other.
    always: Mutex<Option<Reply>>,
    requests: Mutex<Vec<Request>>,
    arrived: watch::Sender<usize>,
    connections: AtomicUsize,
    /// What a client hears that asks for a WebSocket.
    sockets: Mutex<Sockets>,
    handshakes: Mutex<Vec<Request>>,
    pongs: watch::Sender<usize>,
}

/// What a client hears that asks for a WebSocket.
#[derive(Clone, Default)]
pub(crate) enum Sockets {
    /// That there are none.
    #[default]
    Unknown,
    /// That it is agreed.
    Agreed,
    /// This.
    Refused(Reply),
}

impl Script {
    /// Notes a request, and says what the answer is.
    fn asked(&self, request: Request) -> Reply {
        let answering = self.answering.lock().unwrap().clone();
        let reply = answering.and_then(|answering| answering(&request));
        let count = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request);
            requests.len()
        };
        self.arrived.send_replace(count);
        let reply = reply.or_else(|| self.replies.lock().unwrap().pop_front());
        let reply = reply.or_else(|| self.always.lock().unwrap().clone());
        reply.unwrap_or_else(|| Reply::json(500, "{\"error\":\"no reply is scripted\"}"))
    }
}

impl Provider {
    /// Listens on a free port of the loopback.
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// The same behind TLS.
    pub(crate) async fn start_tls(acceptor: TlsAcceptor) -> Self {
        Self::listen(Some(acceptor)).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let (sender, arrived) = watch::channel(0);
        let script = Arc::new(Script {
            answering: Mutex::default(),
            replies: Mutex::default(),
            always: Mutex::default(),
            requests: Mutex::default(),
            arrived: sender,
            connections: AtomicUsize::new(0),
            sockets: Mutex::default(),
            handshakes: Mutex::default(),
            pongs: watch::Sender::new(0),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, Arc::clone(&script)));
        Self { address, scheme, script, arrived, _tasks: tasks }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Queues the answer to the next request that has none. A request without one is answered 500.
    pub(crate) fn reply(&self, reply: Reply) {
        self.script.replies.lock().unwrap().push_back(reply);
    }

    /// The answer to every request that has none in the queue.
    pub(crate) fn always(&self, reply: Reply) {
        *self.script.always.lock().unwrap() = Some(reply);
    }

    /// What a client hears that asks for a WebSocket; it is not counted as a request.
    pub(crate) fn sockets(&self, sockets: Sockets) {
        *self.script.sockets.lock().unwrap() = sockets;
    }

    /// All requests for a WebSocket so far.
    pub(crate) fn handshakes(&self) -> Vec<Request> {
        self.script.handshakes.lock().unwrap().clone()
    }

    /// Resolves when so many pings have been answered between two requests of a WebSocket.
    pub(crate) async fn pongs(&self, count: usize) {
        self.script.pongs.subscribe().wait_for(|pongs| *pongs >= count).await.expect("the provider runs");
    }

    /// Has `answering` answer what it can; what it leaves is answered as scripted.
    pub(crate) fn answer_with(&self, answering: impl Fn(&Request) -> Option<Reply> + Send + Sync + 'static) {
        *self.script.answering.lock().unwrap() = Some(Arc::new(answering));
    }

    /// How many connections clients have made.
    pub(crate) fn connections(&self) -> usize {
        self.script.connections.load(Ordering::Relaxed)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.script.requests.lock().unwrap().clone()
    }

    /// The `index`-th request (from 0), once it has come.
    pub(crate) async fn request(&self, index: usize) -> Request {
        self.arrived.clone().wait_for(|count| *count > index).await.expect("the provider runs");
        self.requests().swap_remove(index)
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, script: Arc<Script>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        // Each write of a script is a packet of its own, at once.
        socket.set_nodelay(true).expect("a connected socket");
        script.connections.fetch_add(1, Ordering::Relaxed);
        let (acceptor, script) = (acceptor.clone(), Arc::clone(&script));
        connections.spawn(async move {
            match acceptor {
                None => serve(Plain(socket), &script).await,
                Some(acceptor) => {
                    // A client that does not trust the certificate leaves here.
                    if let Ok(stream) = acceptor.accept(socket).await {
                        serve(stream, &script).await;
                    }
                }
            }
        });
    }
}

/// What a connection is made of.
trait Socket: AsyncRead + AsyncWrite + Unpin {
    /// Makes the coming drop a reset.
    fn reset(&self) {}
}

struct Plain(TcpStream);

impl Socket for Plain {
    fn reset(&self) {
        self.0.set_zero_linger().expect("a connected socket");
    }
}

impl Socket for tokio_rustls::server::TlsStream<TcpStream> {}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Serves the requests of one connection, one after the other.
async fn serve(mut socket: impl Socket, script: &Script) {
    let (closer, closed) = watch::channel(false);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut buffer, &closed).await {
        let reply = if request.header("upgrade").is_some() {
            script.handshakes.lock().unwrap().push(request.clone());
            let sockets = script.sockets.lock().unwrap().clone();
            match sockets {
                Sockets::Unknown => Reply::status(426),
                Sockets::Agreed => {
                    socket::serve(request, socket, script, buffer).await;
                    closer.send_replace(true);
                    return;
                }
                Sockets::Refused(reply) => reply,
            }
        } else {
            script.asked(request)
        };
        if play(reply, &mut socket, &mut buffer).await == After::Close {
            break;
        }
    }
    closer.send_replace(true);
}

#[derive(PartialEq)]
enum After {
    NextRequest,
    Close,
}

async fn play(reply: Reply, socket: &mut impl Socket, buffer: &mut Vec<u8>) -> After {
    let mut head = reply.head;
    if reply.framing == Framing::Chunked {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
    }
    if write(socket, head.as_bytes()).await.is_err() {
        return After::Close;
    }
    for step in reply.steps {
        let done = match step {
            Step::Chunk(bytes) => write(socket, &framed(&bytes)).await,
            Step::Raw(bytes) => write(socket, &bytes).await,
            Step::Flood { chunk, times } => {
                let framed = framed(&chunk);
                let mut done = Ok(());
                for _ in 0..times {
                    done = write(socket, &framed).await;
                    if done.is_err() {
                        break;
                    }
                }
                done
            }
            Step::Wait(gate) => {
                tokio::select! {
                    biased;
                    () = left(socket, buffer) => return After::Close,
                    permit = gate.0.acquire() => {
                        permit.expect("gates are not closed").forget();
                        Ok(())
                    }
                }
            }
            Step::Stall => {
                left(socket, buffer).await;
                return After::Close;
            }
            Step::Fin => {
                let _ = socket.shutdown().await;
                left(socket, buffer).await;
                return After::Close;
            }
            Step::Reset => {
                socket.reset();
                return After::Close;
            }
        };
        if done.is_err() {
            return After::Close;
        }
    }
    let end: &[u8] = match reply.framing {
        Framing::Raw => b"",
        Framing::Chunked => b"0\r\n\r\n",
    };
    if write(socket, end).await.is_err() { After::Close } else { After::NextRequest }
}

fn framed(chunk: &[u8]) -> Vec<u8> {
    let mut framed = format!("{:x}\r\n", chunk.len()).into_bytes();
    framed.extend_from_slice(chunk);
    framed.extend_from_slice(b"\r\n");
    framed
}

async fn write(socket: &mut impl Socket, bytes: &[u8]) -> std::io::Result<()> {
    socket.write_all(bytes).await?;
    socket.flush().await
}

/// Resolves when the client has closed its side; what it says meanwhile is kept for later.
async fn left(socket: &mut impl Socket, buffer: &mut Vec<u8>) {
    while matches!(socket.read_buf(buffer).await, Ok(read) if read > 0) {}
}

async fn read_request(
    socket: &mut impl Socket,
    buffer: &mut Vec<u8>,
    closed: &watch::Receiver<bool>,
) -> Option<Request> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..end].to_vec()).expect("an ASCII head");
    let mut lines = head.split("\r\n");
    let mut words = lines.next().expect("a request line").split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(':').expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a length"));
    while buffer.len() < end + 4 + length {
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(end + 4 + length);
    let body = std::mem::replace(buffer, rest).split_off(end + 4);
    Some(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body,
        closed: closed.clone(),
    })
}
