//! What web pages, other programs and other users of the machine can say to the callback while a login waits. None
//! of it ends the login, gets anything out of it, or keeps the person's browser from being heard.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};
use url::Url;

use super::browser::{Shown, V4, V6, alone, is_open, said, visit, visit_by};
use super::flows::Lab;
use crate::server::PATIENCE;

const PORT: u16 = 53692;

struct Attack {
    name: &'static str,
    /// `{STATE}` stands for the login's own state, which no attacker has.
    request: String,
    /// 0 where the connection is closed without a word.
    status: u16,
}

fn attack(name: &'static str, request: impl Into<String>, status: u16) -> Attack {
    Attack { name, request: request.into(), status }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost:{PORT}\r\n\r\n")
}

fn attacks() -> Vec<Attack> {
    let good = "/callback?code=stolen&state={STATE}";
    let with_host = |host: &str| format!("GET {good} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    vec![
        attack("no query", get("/callback"), 400),
        attack("no state", get("/callback?code=mine"), 400),
        attack("an empty state", get("/callback?code=mine&state="), 400),
        attack("a wrong state", get(&format!("/callback?code=mine&state={}", "A".repeat(43))), 400),
        attack("a state that begins right", get("/callback?code=mine&state={STATE}A"), 400),
        attack("two states", get("/callback?code=mine&state=x&state={STATE}"), 400),
        attack("two codes", get("/callback?code=mine&code=yours&state={STATE}"), 400),
        attack("a code with line feeds", get("/callback?code=a%0d%0ab&state={STATE}"), 400),
        attack("no code", get("/callback?state={STATE}"), 400),
        attack("an error without a state", get("/callback?error=access_denied"), 400),
        attack("an error and a code", get("/callback?error=x&code=mine&state={STATE}"), 400),
        attack("another path", get("/callback/?code=mine&state={STATE}"), 404),
        attack("a path that climbs", get("/x/../callback?code=mine&state={STATE}"), 404),
        attack("the root", get("/"), 404),
        attack("a name that was rebound", with_host(&format!("evil.example:{PORT}")), 400),
        attack("a name below localhost", with_host(&format!("evil.localhost:{PORT}")), 400),
        attack("another port", with_host("localhost:1"), 400),
        attack("no port", with_host("localhost"), 400),
        attack("no host", format!("GET {good} HTTP/1.1\r\n\r\n"), 400),
        attack(
            "two hosts",
            format!("GET {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\nHost: evil.example\r\n\r\n"),
            400,
        ),
        attack("a whole address as target", get(&format!("http://localhost:{PORT}{good}")), 404),
        attack(
            "a form that is posted",
            format!("POST {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\nContent-Length: 0\r\n\r\n"),
            405,
        ),
        attack("an option", format!("OPTIONS {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\n\r\n"), 405),
        attack("a head", format!("HEAD {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\n\r\n"), 405),
        attack("HTTP/1.0", format!("GET {good} HTTP/1.0\r\nHost: localhost:{PORT}\r\n\r\n"), 400),
        attack("HTTP/0.9", format!("GET {good}\r\n\r\n"), 400),
        attack(
            "a body",
            format!("GET {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\nContent-Length: 5\r\n\r\nhello"),
            400,
        ),
        attack(
            "a chunked body",
            format!(
                "GET {good} HTTP/1.1\r\nHost: localhost:{PORT}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            400,
        ),
        attack(
            "a header of a megabyte",
            format!("GET / HTTP/1.1\r\nHost: localhost:{PORT}\r\nX: {}\r\n\r\n", "x".repeat(1 << 20)),
            431,
        ),
        attack(
            "a thousand headers",
            format!("GET / HTTP/1.1\r\nHost: localhost:{PORT}\r\n{}\r\n", "X: y\r\n".repeat(1000)),
            431,
        ),
        attack("no HTTP", "\u{16}\u{3}\u{1}hello\r\n\r\n", 400),
        attack("a half request", "GET /callback?code=", 0),
        attack("nothing", "", 0),
    ]
}

#[test]
fn no_attack_ends_a_login_or_gets_anything_out_of_it() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = lab.setup().start();
    server.call("initialize", &json!({"capabilities": {"openUrl": true}}));
    let sent = server.begin("login", &json!({"provider": "anthropic", "method": "browser"}));
    let (_, asked) = server.question("openUrl");
    let url = asked["url"].as_str().unwrap().to_owned();
    let parsed = Url::parse(&url).unwrap();
    let state = parsed.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let before = lab.internet.provider().requests().len();

    let all = attacks();
    assert!(all.len() >= 30);
    for attack in &all {
        let request = attack.request.replace("{STATE}", &state);
        let answer = said(V4, PORT, request.as_bytes());
        assert_eq!(
            answer.as_ref().map_or(0, |shown| shown.status),
            attack.status,
            "{}: {answer:?}",
            attack.name
        );
        if let Some(Shown { head, body, .. }) = answer {
            for held in [&*state, "stolen", "mine"] {
                assert!(!head.contains(held) && !body.contains(held), "{}", attack.name);
            }
            for header in ["cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'"] {
                assert!(head.contains(header), "{}: {head}", attack.name);
            }
            assert!(!body.contains("<script"), "{}", attack.name);
        }
    }
    // Hundreds that say nothing, or a byte now and then, keep nobody out.
    let mut slow: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect((V4, PORT)).unwrap()).collect();
    for socket in &mut slow {
        // The oldest have given way already.
        let _ = socket.write_all(b"GET /callback?co");
    }
    assert_eq!(visit_by(V6, &format!("http://localhost:{PORT}/other")).status, 404);
    // Nothing was asked of the provider for any of them.
    assert_eq!(lab.internet.provider().requests().len(), before);
    for socket in slow.iter_mut().rev().take(3) {
        let _ = socket.write_all(b"de=1 HTTP/1.1\r\n");
    }
    let back = lab.identity.allow(&url);
    assert_eq!(visit_by(V6, &back).status, 200);
    let message = server.find(|message| message.answers(&sent.0));
    assert_eq!(message.json["result"]["account"]["source"], "authFile", "{}", message.raw);
    // A replay meets nobody, and those that were slow are let go.
    assert!(!is_open(V4, PORT) && !is_open(V6, PORT));
    for mut socket in slow {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = socket.read_to_end(&mut rest);
        assert!(rest.is_empty());
    }
    // A second login has another state: the first one's answer is strange to it.
    let sent = server.begin("login", &json!({"provider": "anthropic", "method": "browser"}));
    let (_, asked) = server.question("openUrl");
    assert_eq!(visit(&back).status, 400);
    assert_eq!(visit(&lab.identity.allow(asked["url"].as_str().unwrap())).status, 200);
    let message = server.find(|message| message.answers(&sent.0));
    assert_ne!(message.json["result"], Value::Null, "{}", message.raw);
    lab.no_violations(&[]);
    server.ignore_rest();
}
