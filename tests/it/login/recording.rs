//! The recordings in `docs/sign-in.md` are what the program really shows and says; what differs from run to run is
//! left out. `UPDATE_GENERATED=1` writes them anew.
#![cfg(unix)]

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::browser::{alone, visit};
use super::flows::Lab;
use super::terminal::{screen, word};
use crate::cli::Home;
use crate::provider::speech;
use crate::server::TestServer;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sign-in.md");

/// Holds the block of this name in the page to what was recorded.
#[track_caller]
fn hold(name: &str, language: &str, recorded: &str) {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let begin = format!("<!-- recorded: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (block, after) = rest.split_once("<!-- end -->").unwrap();
    let fresh = format!("```{language}\n{}\n```\n", recorded.trim());
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(PAGE, format!("{before}{begin}{fresh}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(block, fresh, "docs/sign-in.md: UPDATE_GENERATED=1 writes it anew");
    }
}

/// Without what is random, and without where this ran.
fn settled(text: &str, home: &Path) -> String {
    let text = text.replace(&home.display().to_string(), "~/.config/aside");
    let mut out = String::new();
    let mut rest = &*text;
    while let Some(at) =
        ["code_challenge=", "state="].iter().filter_map(|name| Some(rest.find(name)? + name.len())).min()
    {
        out.push_str(&rest[..at]);
        rest = rest[at..].trim_start_matches(|it: char| it.is_ascii_alphanumeric() || "-_%".contains(it));
        out.push('…');
    }
    out.push_str(rest);
    out
}

/// Without styles.
fn plain(printed: &str) -> String {
    let mut text = String::new();
    let mut rest = printed;
    while let Some((before, code)) = rest.split_once('\x1b') {
        text.push_str(before);
        let end = code.find(|it: char| it.is_ascii_alphabetic()).unwrap();
        rest = &code[end + 1..];
    }
    text.push_str(rest);
    text
}

#[test]
fn the_recording_of_a_terminal_is_true() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    let mut terminal = screen(&lab, &home, &["login", "anthropic"]);
    terminal.until("number > ");
    terminal.types("1\n");
    terminal.until("open it in any browser");
    terminal.until("Address or code > ");
    let back = lab.identity.allow(&word(terminal.seen(), "https://claude.ai/oauth"));
    terminal.types(&format!("{back}\n"));
    let (printed, status) = terminal.ended();
    assert_eq!(status, Some(0), "{printed}");
    let mut recorded = format!("$ aside login anthropic\n{}", plain(&printed));
    lab.internet.provider().reply(speech::text("anthropic-messages", "Hello", "."));
    let answer = home.printed_with(&["prompt", "--provider", "anthropic", "hello"], &lab.variables());
    write!(recorded, "$ aside prompt --provider anthropic \"hello\"\n{answer}").unwrap();
    hold("terminal", "text", &settled(&recorded, home.path()));
}

/// Writes down what the server says until something fits.
fn heard(server: &mut TestServer, recorded: &mut String, fits: impl Fn(&Value) -> bool) -> Value {
    loop {
        let line = server.next().json;
        // Whether the page was said to be open before the browser came back is a matter of luck.
        if line["method"] == "$/cancelRequest" && line["params"]["id"] == "login:1" {
            continue;
        }
        let mut shown = line.clone();
        if let Some(ends) = shown.pointer_mut("/result/account/expiresAtMs") {
            *ends = json!(1_800_000_000_000_u64);
        }
        writeln!(recorded, "← {shown}").unwrap();
        if fits(&line) {
            return line;
        }
    }
}

#[test]
fn the_recording_over_stdio_is_true() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = lab.setup().start();
    let capabilities = json!({"capabilities": {"openUrl": true, "promptUser": true}});
    server.call("initialize", &capabilities);
    let params = json!({"provider": "anthropic", "method": "browser"});
    let login = server.begin("login", &params);
    let mut recorded = String::new();
    let request = |id: u64, method: &str, params: &Value| {
        format!("→ {}\n", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    };
    recorded.push_str(&request(1, "initialize", &capabilities));
    recorded.push_str(&request(login.0.parse().unwrap(), "login", &params));
    let (mut url, mut opened, mut pastes) = (None, Value::Null, false);
    while url.is_none() || !pastes {
        let asks = |line: &Value| line["method"] == "openUrl" || line["method"] == "promptUser";
        let line = heard(&mut server, &mut recorded, asks);
        if line["method"] == "openUrl" {
            url = line["params"]["url"].as_str().map(str::to_owned);
            opened = line["id"].clone();
        } else {
            pastes = true;
        }
    }
    server.reply(&opened.to_string(), &json!({"opened": true}));
    writeln!(recorded, "→ {}", json!({"jsonrpc": "2.0", "id": opened, "result": {"opened": true}})).unwrap();
    visit(&lab.identity.allow(&url.unwrap()));
    heard(&mut server, &mut recorded, |line| line["method"] == "modelsChanged");
    server.ignore_rest();
    hold("stdio", "jsonc", &settled(&recorded, server.home()));
}
