//! The least that a program between a provider and an editor can do: the measure that `aside` is held against.
//!
//! Reads lines of JSON-RPC, answers `initialize`, and for each `prompt` sends one HTTP request to the address
//! it was given and writes one line for each text delta that comes back, with one `write` per line.
//! It checks nothing, keeps nothing and knows nothing; it must never become a server.
//! The benchmark compiles it with `rustc -O`; it is no target of Cargo.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

/// How a text delta begins in a chunk of a streamed chat completion.
const CONTENT: &str = "\"content\":\"";

fn main() -> io::Result<()> {
    let address: Arc<str> = std::env::args().nth(1).unwrap_or_default().into();
    let (sender, prompts) = mpsc::channel::<String>();
    let prompts = Arc::new(Mutex::new(prompts));
    let idle = Arc::new(AtomicUsize::new(0));
    for line in io::stdin().lock().lines() {
        let line = line?;
        let id = line.split_once("\"id\":").and_then(|(_, rest)| rest.split([',', '}']).next());
        let id = id.unwrap_or("null").to_owned();
        if line.contains("\"initialize\"") {
            say(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"protocolVersion\":1}}}}\n"))?;
        } else if line.contains("\"prompt\"") {
            sender.send(id).map_err(io::Error::other)?;
            // Threads are kept: the processor time of one that has ended can only be read coarsely.
            if idle.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_err() {
                let (address, prompts, idle) =
                    (Arc::clone(&address), Arc::clone(&prompts), Arc::clone(&idle));
                thread::Builder::new().stack_size(256 * 1024).spawn(move || {
                    while let Some(id) = next(&prompts) {
                        let reason = if forward(&address).is_ok() { "endTurn" } else { "error" };
                        idle.fetch_add(1, Relaxed);
                        let answer = format!("{{\"stopReason\":\"{reason}\"}}");
                        if say(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{answer}}}\n")).is_err()
                        {
                            return;
                        }
                    }
                })?;
            }
        }
    }
    Ok(())
}

fn next(prompts: &Mutex<Receiver<String>>) -> Option<String> {
    prompts.lock().ok()?.recv().ok()
}

/// Standard output is buffered by line: a whole line is one `write`.
fn say(line: &str) -> io::Result<()> {
    io::stdout().lock().write_all(line.as_bytes())
}

fn forward(address: &str) -> io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    let body =
        "{\"model\":\"mock\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
    let length = body.len();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes())?;
    let mut reader = BufReader::with_capacity(16 * 1024, socket);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let mut body = Vec::new();
    let mut out = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        (&mut reader).take(size).read_to_end(&mut body)?;
        line.clear();
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(());
        }
        let mut done = 0;
        while let Some(end) = body[done..].iter().position(|byte| *byte == b'\n') {
            let event = std::str::from_utf8(&body[done..done + end]).map_err(io::Error::other)?;
            done += end + 1;
            let Some((_, rest)) = event.split_once(CONTENT) else { continue };
            let Some((text, _)) = rest.split_once('"') else { continue };
            if !text.is_empty() {
                out.clear();
                out.push_str(
                    "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"type\":\"delta\",\"text\":\"",
                );
                out.push_str(text);
                out.push_str("\"}}\n");
                say(&out)?;
            }
        }
        body.drain(..done);
    }
}
