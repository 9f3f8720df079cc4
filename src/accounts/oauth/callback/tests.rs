//! Tests of the callback server by itself; `tests/it/login/attacks.rs` holds the whole program to it.

use std::sync::Mutex;

use secrecy::ExposeSecret as _;

use super::*;
use crate::system::Random;

async fn listening() -> (Callback, Pkce) {
    let callback = Callback::bind(&[], &Env::default()).await.unwrap();
    (callback, Pkce::new(&Random::Real).unwrap())
}

async fn say(address: IpAddr, port: u16, text: &str) -> String {
    let mut socket = TcpStream::connect((address, port)).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(port: u16, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")
}

/// Plays requests, each until it is answered, then waits for the login's end.
async fn played(requests: &[(&str, u16)]) -> (Back, Vec<String>) {
    let (callback, pkce) = listening().await;
    let notes = Mutex::new(Vec::new());
    let asking = async {
        for (request, status) in requests {
            let request =
                request.replace("STATE", pkce.state()).replace("PORT", &callback.port().to_string());
            let answer = say(IpAddr::V4(Ipv4Addr::LOCALHOST), callback.port(), &request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
            for header in ["no-store", "no-referrer", "default-src 'none'", "nosniff", "Connection: close"] {
                assert!(answer.contains(header), "{answer}");
            }
        }
    };
    let wait = callback.wait("/back", &pkce, Some("https://issuer.example"), |note| {
        notes.lock().unwrap().push(note.to_owned());
    });
    let (back, ()) = futures_util::future::join(wait, asking).await;
    drop(callback);
    (back, notes.into_inner().unwrap())
}

#[tokio::test]
async fn only_the_answer_of_this_login_ends_it() {
    let get = |query: &str| format!("GET /back{query} HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n");
    let good = get("?code=c-1&state=STATE&iss=https://issuer.example");
    let strange = [
        get(""),
        get("?code=c"),
        get("?code=c&state=x"),
        get("?code=c&state=STATE&iss=https://evil.example"),
        get("?code=c&code=d&state=STATE"),
        get("?code=c&state=STATE&error=x"),
        get("?state=STATE"),
        get("?code=%0a&state=STATE"),
    ];
    let mut requests: Vec<(&str, u16)> = strange.iter().map(|request| (&**request, 400)).collect();
    requests.push((&good, 200));
    let (back, notes) = played(&requests).await;
    assert!(matches!(back, Back::Code(code) if code.expose_secret() == "c-1"));
    assert_eq!(notes.len(), 1, "{notes:?}");

    let declined = get("?error=access_denied&error_description=The%20person%20said%20no&state=STATE");
    let unknown = get("?error=access_denied");
    let (back, _) = played(&[(&unknown, 400), (&declined, 200)]).await;
    let Back::Refused { error, description } = back else { panic!("not refused") };
    assert_eq!((&*error, &*description), ("access_denied", "The person said no"));
}

#[tokio::test]
async fn both_meanings_of_localhost_are_served_and_closed() {
    let (callback, pkce) = listening().await;
    let port = callback.port();
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let asking = async {
        for address in addresses.iter().take(callback.sockets.len()) {
            assert!(say(*address, port, &get(port, "/")).await.starts_with("HTTP/1.1 404 "));
        }
        let last = addresses[callback.sockets.len() - 1];
        say(last, port, &get(port, &format!("/back?code=c&state={}", pkce.state()))).await
    };
    let (_, answer) = futures_util::future::join(callback.wait("/back", &pkce, None, |_| {}), asking).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    // Nothing that was sent is said again.
    assert!(!answer.contains(pkce.state()), "{answer}");
    drop(callback);
    for address in addresses {
        assert!(TcpStream::connect((address, port)).await.is_err());
    }
}

#[tokio::test]
async fn a_port_that_somebody_has_is_not_shared() {
    let (first, _) = listening().await;
    let taken = first.port();
    assert!(matches!(Callback::bind(&[taken], &Env::default()).await, Err(Unbound::Busy)));
    let (second, _) = listening().await;
    let free = second.port();
    drop(second);
    assert_eq!(Callback::bind(&[taken, free], &Env::default()).await.unwrap().port(), free);
    // Only the other address of localhost.
    let other = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await;
    if let Ok(other) = other {
        let port = other.local_addr().unwrap().port();
        assert!(matches!(Callback::bind(&[port], &Env::default()).await, Err(Unbound::Busy)));
    }
}

#[tokio::test]
async fn the_address_can_be_said() {
    for name in HOSTS {
        let env = |host: &str| [(name.to_owned(), host.to_owned())].into_iter().collect::<Env>();
        let callback = Callback::bind(&[], &env("127.0.0.2")).await.unwrap();
        assert_eq!(callback.sockets.len(), 1);
        assert_eq!(callback.sockets[0].local_addr().unwrap().ip().to_string(), "127.0.0.2");
        assert!(matches!(Callback::bind(&[], &env("everywhere")).await, Err(Unbound::Failed(_))));
    }
}
