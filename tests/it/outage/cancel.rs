//! A cancel ends a turn at once, in whatever phase of a model call it comes.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use aside_protocol::StopReason;
use serde_json::json;

use super::talk::{Refusal, TALKS, Way, WireTalk};
use crate::provider::Reply;
use crate::server::{KEY, TestServer, Upstream};

/// What a cancel may take on a busy machine; it is told how long it took.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A listener whose queue is full: a further connection is neither taken nor refused.
struct Full {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Full {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut queue = Vec::new();
        while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            queue.push(connection);
            assert!(queue.len() < 10_000, "the queue has no end");
        }
        Self { address, _listener: listener, _queue: queue }
    }
}

/// What shows that the phase has been reached.
enum Seen {
    /// The request has come.
    Request,
    /// An event of that type was told.
    Event(&'static str),
}

/// Cancels in every phase of a call over one wire, and returns the table.
fn cancelled(talk: &dyn WireTalk, full: &Full, silent: &TcpListener) -> String {
    let mut table = String::new();
    let busy = talk.error(503, Refusal::Plain, "busy").header("retry-after", "50");
    let phases = [
        ("connect", Some(format!("http://{}", full.address)), None, Seen::Event("stalled")),
        ("tls", Some(format!("https://{}", silent.local_addr().unwrap())), None, Seen::Event("stalled")),
        ("header", None, Some(Reply::raw("").stall()), Seen::Request),
        ("before the first word", None, Some(talk.stream().stall()), Seen::Event("stalled")),
        ("stream", None, Some(talk.begun("so far").stall()), Seen::Event("delta")),
        ("stall", None, Some(talk.begun("so far").stall()), Seen::Event("stalled")),
        ("retry wait", None, Some(busy), Seen::Event("retry")),
        ("error body", None, Some(Reply::status(500).chunk("so far").stall()), Seen::Request),
    ];
    for (phase, url, reply, seen) in phases {
        let upstream = Upstream::start();
        if talk.way() == Way::Socket && phase == "error body" {
            // An error answer is one message.
            continue;
        }
        talk.meet(&upstream);
        if let Some(reply) = reply {
            upstream.provider.always(reply);
        }
        let models = json!({"providers": {"lab": {
            "baseUrl": url.unwrap_or_else(|| upstream.provider.url()), "api": talk.api(), "apiKey": KEY,
            "models": [{"id": "m"}],
        }}});
        let settings = json!({"defaultModel": "lab/m", "transport": talk.way().setting(), "timeouts": {"stallNoticeMs": 100}});
        let setup = TestServer::new().models_json(&models.to_string());
        let mut server = setup.settings(&settings.to_string()).start();
        let session = server.new_session();
        let prompt = server.prompt(&session, "hi");
        match seen {
            Seen::Request => drop(upstream.request(0)),
            Seen::Event(kind) => drop(server.until(kind)),
        }
        let begun = Instant::now();
        assert_eq!(server.call("cancel", &json!({"sessionId": session}))["cancelled"], true, "{phase}");
        let result = server.expect_turn_end(&prompt);
        let took = begun.elapsed();
        assert_eq!(result.stop_reason, StopReason::Cancelled, "{phase}");
        assert!(took < AT_ONCE, "{phase} took {took:?}");
        let ms = took.as_secs_f64() * 1e3;
        writeln!(table, "{:<24} {phase:<24} {ms:>6.1} ms", talk.name()).unwrap();
        for request in upstream.provider.requests() {
            upstream.wait(request.closed());
        }
    }
    table
}

#[test]
fn a_cancel_works_in_every_phase() {
    let full = Full::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tables: Vec<String> = std::thread::scope(|scope| {
        let running = TALKS.map(|talk| {
            let (full, silent) = (&full, &silent);
            scope.spawn(move || cancelled(talk, full, silent))
        });
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    println!("wire, phase, cancel\n{}", tables.concat());
}
