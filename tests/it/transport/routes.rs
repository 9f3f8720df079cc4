//! The way to a provider: proxies and certificates.

use aside::models::{Category, Delta};
use futures_util::StreamExt as _;

use super::tunnel::{Kind, Tunnel};
use super::{ask, tls};
use crate::provider::completions::answer;
use crate::provider::{Provider, Reply};

#[tokio::test]
async fn plain_http_goes_through_the_proxy_of_the_environment() {
    let proxy = Provider::start().await;
    proxy.reply(answer(&["hi"]));
    let at = proxy.url().replace("http://", "http://me:hunter2@");
    let outcome = ask("http://api.test/v1").env("http_proxy", &at).all().await;
    assert_eq!(outcome.text(), "hi");
    let request = proxy.request(0).await;
    assert_eq!(request.target, "http://api.test/v1/chat/completions");
    // me:hunter2
    assert_eq!(request.header("proxy-authorization"), Some("Basic bWU6aHVudGVyMg=="));
}

#[tokio::test]
async fn the_setting_is_the_proxy_above_all() {
    let proxy = Provider::start().await;
    proxy.reply(answer(&["hi"]));
    let url = proxy.url();
    let asking = ask("http://api.test").env("HTTP_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "*");
    let outcome = asking.settings(|settings| settings.proxy = Some(url)).all().await;
    assert_eq!(outcome.text(), "hi");
}

#[tokio::test]
async fn loopback_and_excepted_hosts_are_reached_directly() {
    let provider = Provider::start().await;
    provider.reply(answer(&["direct"]));
    let outcome = ask(&provider.url()).env("ALL_PROXY", "http://127.0.0.1:1").all().await;
    assert_eq!(outcome.text(), "direct");
    let fault = ask("http://no-such-host.invalid").env("ALL_PROXY", "http://127.0.0.1:1").fault().await;
    assert!(fault.message.contains("proxy 127.0.0.1:1"), "{fault}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told() {
    // Too long to be asked of any server.
    let name = format!("{}.test", "a".repeat(64));
    let fault = ask(&format!("http://{name}/v1")).fault().await;
    assert_eq!(fault.category, Category::Dns, "{fault}");
    assert!(fault.message.contains(&name), "{fault}");
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_told_without_it() {
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for scheme in ["https", "http"] {
        let proxy = Provider::start().await;
        proxy.always(Reply::raw(refusal).fin());
        let url = format!("{scheme}://api.test");
        let variable = format!("{scheme}_proxy");
        let bare = ask(&url).env(&variable, &proxy.url()).fault().await;
        let shown = proxy.address().to_string();
        assert_eq!(bare.category, Category::Network, "{bare}");
        assert!(
            bare.message.starts_with(&format!("the proxy {shown} wants a user name and password")),
            "{bare}"
        );
        assert!(bare.hint.unwrap().contains(&format!("into {variable}: http://user:password@")));

        let at = proxy.url().replace("http://", "http://me:hunter2@");
        let wrong = ask(&url).env(&variable, &at).fault().await;
        assert!(wrong.message.contains("refused the user name and password"), "{wrong}");
    }
    let fault = ask("https://api.test").env("HTTPS_PROXY", "ftp://me:hunter2@x").fault().await;
    assert!(fault.message.contains("HTTPS_PROXY"), "{fault}");
    let fault = ask("https://api.test").env("HTTPS_PROXY", "http://corp/proxy.pac").fault().await;
    assert!(fault.message.contains("PAC"), "{fault}");
    let tunnel = Tunnel::start(Kind::Socks5Refuse, "127.0.0.1:1".parse().unwrap()).await;
    let fault = ask("https://api.test").env("ALL_PROXY", &tunnel.url()).fault().await;
    assert!(fault.message.contains("wants a user name and password"), "{fault}");
}

#[tokio::test]
async fn a_proxy_that_does_not_help_says_which_and_why() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let forbidden = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    for (kind, said, hint) in [
        (Kind::Refuse(forbidden), "refused to connect to api.test:443", "allow the host"),
        (Kind::Refuse(""), "unexpected end of file", "address and kind in HTTPS_PROXY"),
        (Kind::Refuse("220 mail.test ESMTP\r\n\r\n"), "refused to connect", "allow the host"),
        (Kind::Silent, "within 300 ms", "check that the proxy runs"),
    ] {
        let tunnel = Tunnel::start(kind, nowhere).await;
        let proxy = tunnel.url().replace("http://", "http://me:hunter2@");
        let asking = ask("https://api.test").env("HTTPS_PROXY", &proxy);
        let fault = asking.settings(|settings| settings.timeouts.connect_ms = 300).fault().await;
        let shown = tunnel.url().replace("http://", "the proxy ");
        assert!(fault.message.contains(&shown) && fault.message.contains(said), "{fault}");
        assert!(fault.hint.as_ref().unwrap().contains(hint), "{fault:?}");
    }
    let refused = ask("https://api.test").env("https_proxy", "http://127.0.0.1:1").fault().await;
    assert_eq!(refused.message, "connection refused by the proxy 127.0.0.1:1 (https_proxy)");
    let name = format!("{}.test", "a".repeat(64));
    let unknown = ask("https://api.test").env("https_proxy", &format!("http://{name}")).fault().await;
    assert_eq!(unknown.category, Category::Dns, "{unknown}");
    assert!(unknown.message.contains(&name) && unknown.hint.unwrap().contains("https_proxy"));
}

#[tokio::test]
async fn a_proxy_that_opens_tls_is_named_and_can_be_trusted() {
    let provider = Provider::start().await;
    let corp = tls::Authority::named("Corp Proxy CA");
    let tunnel = Tunnel::start(Kind::Intercept(corp.acceptor()), provider.address()).await;
    let asking = || ask("https://api.test").env("HTTPS_PROXY", &tunnel.url());
    let fault = asking().fault().await;
    assert_eq!(fault.category, Category::Tls);
    let via = tunnel.url().replace("http://", "");
    assert_eq!(
        fault.message,
        format!(
            "no secure connection to api.test:443 through the proxy {via} (HTTPS_PROXY): its certificate was issued by \"Corp Proxy CA\", an unknown authority"
        )
    );
    let hint = fault.hint.unwrap();
    assert!(hint.contains("\"Corp Proxy CA\" (PEM)") && hint.contains("extraCaFiles"), "{hint}");
    assert!(provider.requests().is_empty(), "nothing was sent");

    provider.reply(answer(&["inspected"]));
    let path = corp.pem.path().to_str().unwrap();
    assert_eq!(asking().env("REQUESTS_CA_BUNDLE", path).all().await.text(), "inspected");
    assert!(provider.request(0).await.header("authorization").is_some());

    // The file may be bare too.
    let bare = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(bare.path(), corp.der()).unwrap();
    provider.reply(answer(&["again"]));
    let outcome = asking().env("SSL_CERT_FILE", bare.path().to_str().unwrap()).all().await;
    assert_eq!(outcome.text(), "again");

    // An authority in between is told with the one that is to be trusted.
    let tunnel =
        Tunnel::start(Kind::Intercept(corp.acceptor_under("Corp Issuing 7")), provider.address()).await;
    let fault = ask("https://api.test").env("HTTPS_PROXY", &tunnel.url()).fault().await;
    assert!(
        fault.message.ends_with("issued by \"Corp Issuing 7\" under \"Corp Proxy CA\", an unknown authority"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_time_points_at_the_clock() {
    let authority = tls::Authority::new();
    let path = authority.pem.path().to_str().unwrap();
    let told = Provider::start().await;
    for (change, said) in [
        (tls::expired as fn(&mut _), "issued by \"Test Authority\", expired on 2001-02-03 00:00 UTC"),
        (tls::early, "issued by \"Test Authority\", is not valid before 4000-01-02 00:00 UTC"),
    ] {
        let provider = Provider::start_tls(authority.acceptor_of(change)).await;
        let mut asking = ask(&provider.url()).env("SSL_CERT_FILE", path);
        let fault = asking.fault().await;
        assert!(fault.category == Category::Tls && fault.message.contains(said), "{fault}");
        let hint = fault.hint.unwrap();
        assert!(hint.starts_with("check the clock of this machine, which says 2"), "{hint}");

        // Once a server has told the time, the hint knows better.
        let url = std::mem::replace(&mut asking.model.base_url, told.url().as_str().into());
        told.reply(answer(&["x"]).header("date", "Sun, 06 Nov 2094 08:49:37 GMT"));
        asking.all().await;
        asking.model.base_url = url;
        let hint = asking.fault().await.hint.unwrap();
        assert!(hint.contains("days behind: correct it"), "{hint}");
    }
}

#[tokio::test]
async fn a_server_that_signed_for_itself_or_refuses_the_handshake_is_told_as_such() {
    let provider = Provider::start_tls(tls::Authority::alone()).await;
    let fault = ask(&provider.url()).fault().await;
    assert!(fault.message.ends_with("its certificate is signed by itself (\"api.test\")"), "{fault}");
    assert!(fault.hint.unwrap().contains("extraCaFiles"));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // A fatal alert: handshake failure.
        tokio::io::AsyncWriteExt::write_all(&mut socket, &[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut Vec::new()).await;
    };
    let asking = ask(&url);
    let (fault, ()) = tokio::join!(asking.fault(), server);
    assert!(fault.message.contains("the server refused the handshake"), "{fault}");
}

#[tokio::test]
async fn an_unknown_authority_is_refused_with_a_hint_and_trusted_when_named() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    let asking = ask(&provider.url());
    let fault = asking.fault().await;
    assert_eq!(fault.category, Category::Tls);
    assert!(fault.message.contains("unknown authority"), "{fault}");
    assert!(fault.hint.unwrap().contains("NODE_EXTRA_CA_CERTS"));
    assert!(provider.requests().is_empty());

    let path = authority.pem.path().to_str().unwrap();
    for name in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        provider.reply(answer(&["safe"]));
        let outcome = ask(&provider.url()).env(name, path).all().await;
        assert_eq!((outcome.text().as_str(), outcome.fault), ("safe", None), "{name}");
    }
    provider.reply(answer(&["safe"]));
    let outcome =
        ask(&provider.url()).settings(|settings| settings.extra_ca_files.push(path.into())).all().await;
    assert_eq!(outcome.text(), "safe");
    let folder = authority.pem.path().parent().unwrap().to_str().unwrap();
    provider.reply(answer(&["safe"]));
    assert_eq!(ask(&provider.url()).env("SSL_CERT_DIR", folder).all().await.text(), "safe");
}

#[tokio::test]
async fn a_file_of_certificates_that_cannot_be_used_is_told_once() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    let mut asking = ask(&provider.url()).env("NODE_EXTRA_CA_CERTS", "/does/not/exist.pem");
    let path = authority.pem.path().to_path_buf();
    asking.settings.extra_ca_files.push(path);
    for wanted in [1, 0] {
        provider.reply(answer(&["safe"]));
        let outcome = asking.all().await;
        let warnings = outcome.deltas.iter().filter(|delta| matches!(delta, Delta::Warning(_))).count();
        assert_eq!((outcome.text().as_str(), warnings), ("safe", wanted));
    }
}

#[tokio::test]
async fn tls_goes_through_connect_and_socks_proxies() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    let path = authority.pem.path().to_str().unwrap();
    for kind in [Kind::Connect, Kind::Socks5] {
        let tunnel = Tunnel::start(kind, provider.address()).await;
        provider.reply(answer(&["through"]));
        let asking =
            ask("https://api.test").env("HTTPS_PROXY", &tunnel.url()).env("NODE_EXTRA_CA_CERTS", path);
        let outcome = asking.all().await;
        assert_eq!((outcome.text().as_str(), outcome.fault), ("through", None));
        assert_eq!(tunnel.targets(), ["api.test:443"]);
    }
    let sent: Vec<_> = provider.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(sent, ["/chat/completions", "/chat/completions"]);
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let authority = tls::Authority::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let asking = ask(&url).env("SSL_CERT_FILE", authority.pem.path().to_str().unwrap());
    let mut preface = [0; 14];
    let server = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = authority.acceptor_for(b"h2").accept(socket).await.unwrap();
        tokio::io::AsyncReadExt::read_exact(&mut socket, &mut preface).await.unwrap();
    };
    let mut stream = asking.start();
    tokio::select! {
        biased;
        next = stream.next() => panic!("{next:?}"),
        () = server => {}
    }
    assert_eq!(&preface, b"PRI * HTTP/2.0");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    let tunnel = Tunnel::start(Kind::Connect, provider.address()).await;
    let path = authority.pem.path().to_str().unwrap();
    let asking = ask("https://other.test").env("HTTPS_PROXY", &tunnel.url()).env("NODE_EXTRA_CA_CERTS", path);
    let fault = asking.fault().await;
    assert_eq!(fault.category, Category::Tls);
    assert!(fault.message.ends_with("is for another name: 127.0.0.1, api.test"), "{fault}");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn plain_http_behind_an_https_url_is_told_as_such() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Until the client leaves.
        let _ = std::io::Read::read_to_end(&mut socket, &mut Vec::new());
    });
    let fault = ask(&format!("https://{address}")).fault().await;
    assert_eq!(fault.category, Category::Tls, "{fault}");
    assert!(fault.hint.unwrap().contains("plain http"));
    server.join().unwrap();
}
