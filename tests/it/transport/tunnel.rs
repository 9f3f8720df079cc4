//! A proxy that lets everything through to one address, whatever name it is asked for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

#[derive(Clone)]
pub(crate) enum Kind {
    Connect,
    Socks5,
    /// Takes the place of every server, with certificates of its own, and speaks plainly with the real one.
    Intercept(TlsAcceptor),
    /// Says this to a CONNECT, and no more.
    Refuse(&'static str),
    /// Lets nobody in, whatever name and password are offered.
    Socks5Refuse,
    /// Says nothing at all.
    Silent,
}

pub(crate) struct Tunnel {
    kind: Kind,
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Tunnel {
    pub(crate) async fn start(kind: Kind, to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let targets = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&targets);
        let mut tasks = JoinSet::new();
        let served = kind.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(serve(client, served.clone(), Arc::clone(&seen), to));
            }
        });
        Self { kind, address, targets, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Connect | Kind::Intercept(_) | Kind::Refuse(_) | Kind::Silent => "http",
            Kind::Socks5 | Kind::Socks5Refuse => "socks5h",
        };
        format!("{scheme}://{}", self.address)
    }

    /// What clients asked for.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, kind: Kind, seen: Arc<Mutex<Vec<String>>>, to: SocketAddr) {
    let target = match &kind {
        Kind::Connect | Kind::Intercept(_) => connect(&mut client).await,
        Kind::Socks5 => socks5(&mut client).await,
        Kind::Refuse(said) => {
            head(&mut client).await;
            client.write_all(said.as_bytes()).await.unwrap();
            return;
        }
        Kind::Socks5Refuse => {
            assert_eq!(client.read_u8().await.unwrap(), 5);
            let methods = client.read_u8().await.unwrap();
            client.read_exact(&mut vec![0; methods.into()]).await.unwrap();
            client.write_all(&[5, 0xff]).await.unwrap();
            return;
        }
        Kind::Silent => {
            // Until the client leaves.
            let _ = client.read_to_end(&mut Vec::new()).await;
            return;
        }
    };
    seen.lock().unwrap().push(target);
    let mut server = TcpStream::connect(to).await.unwrap();
    // A client that does not trust the proxy leaves.
    match kind {
        Kind::Intercept(acceptor) => {
            if let Ok(mut client) = acceptor.accept(client).await {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        }
        _ => {
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
    }
}

async fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn connect(client: &mut TcpStream) -> String {
    let head = head(client).await;
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

async fn socks5(client: &mut TcpStream) -> String {
    assert_eq!(client.read_u8().await.unwrap(), 5);
    let methods = client.read_u8().await.unwrap();
    client.read_exact(&mut vec![0; methods.into()]).await.unwrap();
    client.write_all(&[5, 0]).await.unwrap();
    let mut request = [0; 4];
    client.read_exact(&mut request).await.unwrap();
    // Version, connect, reserved, a name.
    assert_eq!(request, [5, 1, 0, 3]);
    let mut name = vec![0; client.read_u8().await.unwrap().into()];
    client.read_exact(&mut name).await.unwrap();
    let port = client.read_u16().await.unwrap();
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    format!("{}:{port}", String::from_utf8(name).unwrap())
}
