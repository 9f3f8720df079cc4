//! A browser as far as a login's last step needs one, and the right to the ports that only one login can have.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream};

use url::Url;

use crate::server::PATIENCE;

/// What the server on the loopback said.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) status: u16,
    /// In lower case.
    pub(super) head: String,
    pub(super) body: String,
}

pub(super) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Goes where a provider sends the browser.
#[track_caller]
pub(super) fn visit(url: &str) -> Shown {
    visit_by(V4, url)
}

/// The same, by the address that `localhost` is taken for.
#[track_caller]
pub(super) fn visit_by(address: IpAddr, url: &str) -> Shown {
    let url = Url::parse(url).unwrap();
    let port = url.port().unwrap();
    let target = &url[url::Position::BeforePath..];
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\r\n"
    );
    said(address, port, request.as_bytes()).expect("an answer")
}

/// Says `request` and reads to the end; `None` where the connection was closed without an answer.
pub(super) fn said(address: IpAddr, port: u16, request: &[u8]) -> Option<Shown> {
    let mut socket = TcpStream::connect((address, port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has had enough may close before all of it is said.
    let _ = socket.write_all(request);
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Shown { status, head: head.to_lowercase(), body: body.to_owned() })
}

/// Whether somebody listens.
pub(super) fn is_open(address: IpAddr, port: u16) -> bool {
    TcpStream::connect((address, port)).is_ok()
}

/// The right to the ports that providers fix, which all tests on a machine share. Held until it is dropped.
pub(crate) fn alone() -> std::fs::File {
    let path = std::env::temp_dir().join("aside-tests-login-ports.lock");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// A program that stands in for the person's browser: its first argument is the page.
#[cfg(unix)]
pub(super) fn program(folder: &std::path::Path, script: &str) -> String {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join("browser");
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o700).open(&path).unwrap();
    write!(file, "#!/bin/sh\n{script}\n").unwrap();
    path.display().to_string()
}
