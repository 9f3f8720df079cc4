//! Rule 6: how the process ends. Within a second, with every turn settled, stored and answered, and with the
//! provider's connection closed, except that what a script asked for is answered first.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::process::{Aside, Home, Lines, PATIENCE, PROMPTLY, Watched, asked, is_running, kill};
use super::provider::completions::{answer, text};
use super::provider::{Provider, Reply};

/// In what a turn is interrupted.
#[derive(Clone, Copy, Debug)]
enum During {
    Stream,
    Stall,
    Permission,
    Form,
}

/// How the process is ended.
#[derive(Clone, Copy, Debug)]
enum By {
    Signal(Signal),
    EndOfInput,
    Exit,
    Shutdown,
}

/// A process that is in the middle of a turn.
struct Busy {
    home: Home,
    aside: Aside,
    prompt: u64,
    session: String,
    provider: Option<Provider>,
}

async fn busy(during: During) -> Busy {
    let steps = |arguments: Value| {
        [json!({ "text": "I will. " }), json!({ "toolCall": { "name": "demo", "arguments": arguments } })]
    };
    let (home, provider) = match during {
        During::Stream | During::Stall => {
            let provider = Provider::start().await;
            let reply = Reply::stream().event(&text("Hello "));
            let event = format!("data: {}\n\n", text("word "));
            provider.reply(match during {
                During::Stream => reply.flood(event, u64::MAX),
                _ => reply.stall(),
            });
            (Home::with_provider(&provider), Some(provider))
        }
        During::Permission => (Home::with_script(&steps(json!({ "note": "a walk" }))), None),
        During::Form => (Home::with_script(&steps(json!({ "question": "where to?" }))), None),
    };
    let mut aside = home.start_initialized(asked()).await;
    let prompt = aside.request("prompt", json!({ "text": "go on" }));
    let started = aside.event("turnStarted").await;
    match during {
        During::Stream | During::Stall => {
            aside.event("delta").await;
        }
        During::Permission => {
            aside.find(|line| line["method"] == "requestPermission").await;
        }
        During::Form => {
            aside.find(|line| line["method"] == "promptUser").await;
        }
    }
    let session = started["sessionId"].as_str().unwrap().to_owned();
    Busy { home, aside, prompt, session, provider }
}

/// The newest turn in the file ended as cancelled.
#[track_caller]
fn check_settled(home: &Home, session: &str) {
    let records = home.records(session);
    let last = records.iter().rfind(|record| record["t"] == "turn" || record["t"] == "end").unwrap();
    assert_eq!((&last["t"], &last["stop"]), (&json!("end"), &json!("cancelled")), "{last}");
}

async fn check_end(during: During, by: By) {
    let Busy { home, mut aside, prompt, session, provider } = busy(during).await;
    let at = Instant::now();
    let (status, asked) = match by {
        By::Signal(signal) => {
            aside.signal(signal);
            (128 + signal.as_raw(), None)
        }
        By::EndOfInput => {
            aside.close_input();
            (0, None)
        }
        By::Exit => {
            aside.notify("exit", json!({}));
            (0, None)
        }
        By::Shutdown => (0, Some(aside.request("shutdown", json!({})))),
    };
    let pid = aside.pid();
    assert_eq!(aside.exit(PROMPTLY).await, status, "{during:?} {by:?}");
    let took = at.elapsed();
    assert!(!is_running(pid));
    let rest = aside.rest().await;
    let of = |id: u64| rest.iter().position(|line| line["id"] == id && line.get("method").is_none());
    let answered =
        of(prompt).unwrap_or_else(|| panic!("{during:?} {by:?}: no answer after {took:?}: {rest:#?}"));
    assert_eq!(rest[answered]["result"]["stopReason"], "cancelled", "{during:?} {by:?}");
    let ended = rest.iter().position(|line| line["params"]["type"] == "turnEnded").unwrap();
    assert!(ended < answered);
    if let Some(asked) = asked {
        assert_eq!(of(asked), Some(rest.len() - 1), "shutdown is answered last");
    }
    if matches!(during, During::Permission | During::Form) {
        let withdrawn = rest.iter().any(|line| line["method"] == "$/cancelRequest");
        assert!(withdrawn, "{during:?} {by:?}: the question was not withdrawn");
    }
    check_settled(&home, &session);
    if let Some(provider) = provider {
        let closed = provider.request(0).await;
        tokio::time::timeout(PROMPTLY, closed.closed()).await.expect("the provider's connection is closed");
    }
}

#[tokio::test]
async fn signals_settle_what_runs() {
    for during in [During::Stream, During::Stall, During::Permission, During::Form] {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            check_end(during, By::Signal(signal)).await;
        }
    }
}

#[tokio::test]
async fn the_end_of_input_settles_what_an_editor_asked() {
    for during in [During::Stream, During::Stall, During::Permission, During::Form] {
        for by in [By::EndOfInput, By::Exit, By::Shutdown] {
            check_end(during, by).await;
        }
    }
}

#[tokio::test]
async fn idle_processes_end_at_once() {
    let home = Home::new();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut aside = home.start_initialized(asked()).await;
        aside.signal(signal);
        assert_eq!(aside.exit(PROMPTLY).await, 128 + signal.as_raw());
    }
    let mut aside = home.start_initialized(asked()).await;
    aside.close_input();
    assert_eq!(aside.exit(PROMPTLY).await, 0);
}

#[tokio::test]
async fn a_scripts_requests_are_answered_after_its_input_ended() {
    let home = Home::with_script(&[
        json!({ "repeat": { "text": "abcd ", "times": 500 } }),
        json!({ "waitMs": 1500 }),
        json!({ "text": "the end" }),
    ]);
    let mut aside = home.start();
    let first = aside.request("prompt", json!({ "text": "one" }));
    let second = aside.request("prompt", json!({ "text": "two" }));
    let third = aside.request("listModels", json!({}));
    aside.close_input();
    for prompt in [first, second] {
        let answer = aside.answer(prompt).await;
        assert_eq!(answer["result"]["stopReason"], "endTurn", "{answer}");
        assert!(answer["result"]["text"].as_str().unwrap().ends_with("abcd the end"));
    }
    assert!(aside.answer(third).await["result"]["models"].is_array());
    assert_eq!(aside.exit(PROMPTLY).await, 0);
}

#[tokio::test]
async fn a_script_gets_its_whole_answer_however_late_it_reads() {
    let home = Home::with_script(&[json!({ "repeat": { "text": "0123456789abcdef", "times": 65_536 } })]);
    let mut aside = home.start();
    aside.lines().hold();
    let prompt = aside.request("prompt", json!({ "text": "much" }));
    aside.close_input();
    // Nothing is read; a process that gives its reader up would end now.
    let waited = tokio::time::timeout(2 * PROMPTLY, aside.exit(PATIENCE)).await;
    assert!(waited.is_err(), "the process ended before its output was read");
    aside.lines().release();
    let answer = aside.answer(prompt).await;
    assert_eq!(answer["result"]["text"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(aside.exit(PROMPTLY).await, 0);
}

#[tokio::test]
async fn a_script_that_nobody_reads_still_hears_a_signal() {
    let home = Home::with_script(&[json!({ "repeat": { "text": "0123456789abcdef", "times": 65_536 } })]);
    let mut aside = home.start();
    aside.lines().hold();
    aside.request("prompt", json!({ "text": "much" }));
    aside.close_input();
    let busy = tokio::time::timeout(PROMPTLY, aside.exit(PATIENCE)).await;
    assert!(busy.is_err(), "the process ended before its output was read");
    aside.signal(Signal::TERM);
    assert_eq!(aside.exit(PROMPTLY).await, 128 + 15);
}

#[tokio::test]
async fn requests_behind_a_shutdown_are_refused_as_such() {
    let home = Home::new();
    let mut aside = home.start_initialized(asked()).await;
    let shutdown = json!({ "jsonrpc": "2.0", "id": "s", "method": "shutdown" });
    let late = json!({ "jsonrpc": "2.0", "id": "l", "method": "newSession" });
    // In one write, so that the second is there when the first is served.
    aside.send(&json!(null));
    aside.find(|line| line["error"]["code"] == -32600).await;
    let both = format!("{shutdown}\n{late}");
    aside.send_text(&both);
    assert_eq!(aside.exit(PROMPTLY).await, 0);
    let rest = aside.rest().await;
    assert_eq!(rest.last().unwrap()["id"], "s", "{rest:#?}");
    for line in &rest {
        if line["id"] == "l" {
            assert_eq!(line["error"]["code"], -32005, "{line}");
        }
    }
}

#[tokio::test]
async fn a_lost_reader_ends_the_process_while_it_streams() {
    let provider = Provider::start().await;
    let event = format!("data: {}\n\n", text("word "));
    provider.reply(Reply::stream().event(&text("Hello ")).flood(event, u64::MAX));
    let home = Home::with_provider(&provider);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = home.command();
    command.stdout(writer);
    let child = command.spawn().unwrap();
    drop(command);
    let mut aside = Aside::with(child, Lines::of(std::io::empty()));
    aside.request("initialize", asked());
    aside.request("prompt", json!({ "text": "go on" }));
    let request = provider.request(0).await;
    let mut first = BufReader::new(reader);
    let session = read_blocking(&mut first, |line| line["params"]["type"] == "delta").await;
    drop(first);
    assert_eq!(aside.exit(PROMPTLY).await, 0);
    check_settled(&home, session["params"]["sessionId"].as_str().unwrap());
    tokio::time::timeout(PROMPTLY, request.closed()).await.expect("the provider's connection is closed");
}

#[tokio::test]
async fn a_lost_reader_ends_an_idle_process() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    // Node hands out sockets, others pipes.
    lost_while_idle(&home, writer.into(), reader.into()).await;
    lost_while_idle(&home, theirs.into(), ours.into()).await;
}

async fn lost_while_idle(home: &Home, theirs: OwnedFd, ours: OwnedFd) {
    let mut command = home.command();
    command.stdout(theirs);
    let child = command.spawn().unwrap();
    drop(command);
    let mut aside = Aside::with(child, Lines::of(std::io::empty()));
    aside.request("initialize", asked());
    let mut output = BufReader::new(std::fs::File::from(ours));
    let answer = read_blocking(&mut output, |_| true).await;
    assert_eq!(answer["id"], 1);
    drop(output);
    assert_eq!(aside.exit(PROMPTLY).await, 0);
}

/// Reads lines until one fits, without stopping the provider meanwhile.
async fn read_blocking(
    output: &mut BufReader<impl std::io::Read + Send + 'static>,
    fits: impl Fn(&Value) -> bool,
) -> Value {
    loop {
        tokio::task::yield_now().await;
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        if fits(&line) {
            return line;
        }
    }
}

#[tokio::test]
async fn the_death_of_the_parent_ends_the_process_though_its_pipes_stay_open() {
    let home = Home::with_script(&[json!({ "text": "Hello " }), json!({ "stall": true })]);
    // The shell starts the program on its own pipes, whose other ends stay here.
    let mut command = Command::new("/bin/sh");
    let start = "exec 3<&0; \"$0\" <&3 3<&- & echo $! >&2; exec 3<&-; wait";
    command.args(["-c", start, env!("CARGO_BIN_EXE_aside")]);
    let mut command = home.wrapped(command);
    command.stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let lines = Lines::of(child.stdout.take().unwrap());
    let mut shell = Aside::with(child, lines);
    let mut pid = String::new();
    errors.read_line(&mut pid).unwrap();
    let pid: u32 = pid.trim().parse().unwrap();
    shell.call("initialize", asked()).await;
    let prompt = shell.request("prompt", json!({ "text": "go on" }));
    let session = shell.event("delta").await["sessionId"].as_str().unwrap().to_owned();
    let program = Watched::new(pid);
    shell.kill().await;
    let ended = tokio::time::timeout(PROMPTLY, program.ended()).await;
    kill(pid, Signal::KILL);
    ended.expect("the program ends with its parent");
    let rest = shell.rest().await;
    let answer = rest.iter().find(|line| line["id"] == prompt).unwrap();
    assert_eq!(answer["result"]["stopReason"], "cancelled");
    check_settled(&home, &session);
}

#[tokio::test]
async fn the_death_of_the_named_process_ends_the_process() {
    let home = Home::with_script(&[json!({ "text": "Hello " }), json!({ "stall": true })]);
    let mut editor = Command::new("/bin/sh").args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
    let params = json!({ "processId": editor.id() });
    let mut aside = home.start_initialized(params).await;
    let prompt = aside.request("prompt", json!({ "text": "go on" }));
    let session = aside.event("delta").await["sessionId"].as_str().unwrap().to_owned();
    editor.stdin.take().unwrap().write_all(b"\n").unwrap();
    editor.wait().unwrap();
    assert_eq!(aside.exit(PROMPTLY).await, 0);
    assert_eq!(aside.answer(prompt).await["result"]["stopReason"], "cancelled");
    check_settled(&home, &session);
    // A number that nobody has is no reason to end: the parent is watched instead.
    let mut aside = home.start_initialized(json!({ "processId": editor.id() })).await;
    aside.call("listProviders", json!({})).await;
    aside.close_input();
    assert_eq!(aside.exit(PROMPTLY).await, 0);
}

#[tokio::test]
async fn nothing_but_the_protocol_reaches_the_output() {
    let home = Home::new();
    let mut aside = home.start_initialized(asked()).await;
    let end = |number: u32| std::fs::read_link(format!("/proc/{}/fd/{number}", aside.pid())).unwrap();
    // Whatever prints by mistake prints to standard error.
    assert_eq!(end(1), end(2));
    assert_eq!(end(2), std::path::Path::new("/dev/null"));
    aside.call("listProviders", json!({})).await;
}

#[tokio::test]
async fn a_connection_that_was_answered_is_not_left_behind() {
    let provider = Provider::start().await;
    provider.reply(answer(&["done"]));
    let home = Home::with_provider(&provider);
    let mut aside = home.start();
    let result = aside.call("prompt", json!({ "text": "go on" })).await;
    assert_eq!(result["text"], "done");
    aside.close_input();
    assert_eq!(aside.exit(PROMPTLY).await, 0);
    tokio::time::timeout(PROMPTLY, provider.request(0).await.closed()).await.expect("it is closed");
}
