//! Which proxy a URL is reached through: pure, from the settings and the merged environment.
//!
//! It must never send a loopback host through a proxy, nor show the credentials in a proxy's URL.

use std::net::IpAddr;

use url::{Host, Url};

use super::faults;
use crate::net::fault::Fault;
use crate::settings::Settings;
use crate::system::Env;

/// A proxy, and where it was set.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// May hold a password: see [`faults::authority`] for what may be shown.
    pub(crate) url: Url,
    /// The setting or variable that names it.
    pub(crate) source: &'static str,
}

/// The variables that name proxies for a scheme, the first that is set wins: lower case before upper case, as in
/// curl.
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
/// A server's CGI passes a client's `Proxy:` header as `HTTP_PROXY`.
const CGI: [&str; 3] = ["http_proxy", "all_proxy", "ALL_PROXY"];
/// The setting.
const SETTING: &str = "the setting proxy";

/// The proxy for `url`, `None` where it is reached directly.
///
/// The setting stands above the environment, and is not subject to `NO_PROXY` as it is not the environment's; the
/// setting `noProxy` holds for both.
pub(crate) fn for_url(url: &Url, settings: &Settings, env: &Env) -> Result<Option<Proxy>, Fault> {
    if is_loopback(url) || settings.no_proxy.iter().any(|entry| is_excepted(url, entry)) {
        return Ok(None);
    }
    if let Some(proxy) = settings.proxy.as_deref().filter(|proxy| !proxy.trim().is_empty()) {
        return parse(proxy, SETTING).map(|url| Some(Proxy { url, source: SETTING }));
    }
    let cgi = env.get("REQUEST_METHOD").is_some();
    let names: &[&'static str] = match url.scheme() {
        "https" => &HTTPS,
        _ if cgi => &CGI,
        _ => &HTTP,
    };
    let Some((name, proxy)) = names.iter().find_map(|name| Some((*name, env.get(name)?))) else {
        return Ok(None);
    };
    if exceptions(env).is_some_and(|(_, list)| is_excepted(url, list)) {
        return Ok(None);
    }
    parse(proxy, name).map(|url| Some(Proxy { url, source: name }))
}

/// The variable that excepts hosts from the environment's proxies, and its value.
pub(crate) fn exceptions(env: &Env) -> Option<(&'static str, &str)> {
    ["no_proxy", "NO_PROXY"].iter().find_map(|name| Some((*name, env.get(name)?)))
}

/// Every proxy that is set, whatever it holds for, as it may be shown: where it was set, and its address or what is
/// wrong with it.
pub(crate) fn all(settings: &Settings, env: &Env) -> Vec<(&'static str, Result<String, Fault>)> {
    let setting = settings.proxy.as_deref().map(|proxy| (SETTING, proxy));
    let names = HTTPS.iter().take(2).chain(&HTTP);
    let variables = names.filter_map(|name| Some((*name, env.get(name)?)));
    let shown = |(name, proxy)| {
        let url = parse(proxy, name).map(|url| {
            let login = if has_login(&url) { "***@" } else { "" };
            format!("{}://{login}{}", url.scheme(), faults::authority(&url))
        });
        (name, url)
    };
    setting.into_iter().chain(variables).map(shown).collect()
}

/// Whether a proxy's URL brings a user name or password.
pub(crate) fn has_login(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn parse(proxy: &str, source: &str) -> Result<Url, Fault> {
    let proxy = proxy.trim();
    if is_pac(proxy) {
        return Err(faults::pac(source));
    }
    let with_scheme;
    let text = if proxy.contains("://") {
        proxy
    } else {
        with_scheme = format!("http://{proxy}");
        &with_scheme
    };
    // The parser's own error could quote a password.
    let mut url = Url::parse(text).map_err(|_| faults::bad_proxy(source, "it is not a url"))?;
    match url.scheme() {
        "http" | "https" => {}
        "socks4" | "socks4a" | "socks5" | "socks5h" => {
            if url.port().is_none() {
                let _ = url.set_port(Some(1080));
            }
        }
        "socks" => return parse(&text.replacen("socks://", "socks5h://", 1), source),
        other => {
            return Err(faults::bad_proxy(source, &format!("the scheme {other:?} is not supported")));
        }
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(faults::bad_proxy(source, "it names no host"));
    }
    Ok(url)
}

/// Whether it is the address of a script that chooses proxies (PAC), which only a browser can run.
fn is_pac(proxy: &str) -> bool {
    let path = proxy.split(['?', '#']).next().unwrap_or_default();
    path.starts_with("pac+")
        || ends_with_ignore_case(path, ".pac")
        || ends_with_ignore_case(path, "/wpad.dat")
}

/// Whether the URL's host is this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost") || ends_with_ignore_case(name, ".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// Whether one entry of a `NO_PROXY` list, cut by commas or blanks, matches the URL.
fn is_excepted(url: &Url, list: &str) -> bool {
    let Some(host) = url.host() else { return false };
    let port = url.port_or_known_default();
    list.split([',', ' ', '\t', ';'])
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches(entry, &host, port))
}

fn matches(entry: &str, host: &Host<&str>, port: Option<u16>) -> bool {
    if entry == "*" {
        return true;
    }
    let (pattern, wanted_port) = split_port(entry);
    if wanted_port.is_some() && wanted_port != port {
        return false;
    }
    let ip = match host {
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let suffix = pattern.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
            return !suffix.is_empty()
                && (name.eq_ignore_ascii_case(suffix)
                    || name.len() > suffix.len()
                        && ends_with_ignore_case(name, suffix)
                        && name.as_bytes().get(name.len() - suffix.len() - 1) == Some(&b'.'));
        }
        Host::Ipv4(ip) => IpAddr::V4(*ip),
        Host::Ipv6(ip) => IpAddr::V6(*ip),
    };
    match pattern.split_once('/') {
        Some((network, bits)) => match (network.parse(), bits.parse()) {
            (Ok(network), Ok(bits)) => in_network(ip, network, bits),
            _ => false,
        },
        None => pattern.parse() == Ok(ip),
    }
}

/// `host:port`, `[v6]:port`, or an address or name without a port.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[') {
        let (address, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (address, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        // More than one colon: an IPv6 address.
        Some((_, rest)) if rest.contains(':') => (entry, None),
        Some((host, port)) => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        None => (entry, None),
    }
}

fn in_network(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            ip.to_bits() & mask == network.to_bits() & mask
        }
        _ => false,
    }
}

fn ends_with_ignore_case(text: &str, suffix: &str) -> bool {
    let (text, suffix) = (text.as_bytes(), suffix.as_bytes());
    text.len() >= suffix.len() && text[text.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Env {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn through(url: &str, pairs: &[(&str, &str)]) -> Option<String> {
        let url = Url::parse(url).unwrap();
        for_url(&url, &Settings::default(), &env(pairs)).unwrap().map(|proxy| proxy.url.into())
    }

    #[test]
    fn the_environment_is_read_by_scheme_lower_case_first() {
        let both =
            [("HTTPS_PROXY", "http://upper:1"), ("https_proxy", "http://lower:2"), ("HTTP_PROXY", "plain:3")];
        assert_eq!(through("https://api.test/", &both).as_deref(), Some("http://lower:2/"));
        assert_eq!(through("http://api.test/", &both).as_deref(), Some("http://plain:3/"));
        assert_eq!(
            through("https://api.test/", &[("ALL_PROXY", "socks5h://p")]).as_deref(),
            Some("socks5h://p:1080")
        );
        assert_eq!(through("http://api.test/", &[("HTTP_PROXY", "p:1"), ("REQUEST_METHOD", "GET")]), None);
        assert_eq!(through("https://api.test/", &[]), None);
    }

    #[test]
    fn loopback_hosts_are_never_proxied() {
        let settings = Settings { proxy: Some("http://p:1".into()), ..Settings::default() };
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            let url = Url::parse(&format!("http://{host}:11434/v1")).unwrap();
            let proxy = for_url(&url, &settings, &env(&[("ALL_PROXY", "http://q:1")]));
            assert!(proxy.unwrap().is_none(), "{host}");
        }
    }

    #[test]
    fn the_setting_stands_above_the_environment() {
        let settings = Settings { proxy: Some("http://editor:1".into()), ..Settings::default() };
        let url = Url::parse("https://api.test").unwrap();
        let environment = env(&[("HTTPS_PROXY", "http://env:2"), ("NO_PROXY", "*")]);
        let proxy = for_url(&url, &settings, &environment).unwrap().unwrap();
        assert_eq!((proxy.url.as_str(), proxy.source), ("http://editor:1/", "the setting proxy"));
        // Its own exceptions hold for it, and for the environment's.
        for proxy in [settings.proxy, None] {
            let no_proxy = vec!["x.test".to_owned(), ".test".to_owned()];
            let settings = Settings { proxy, no_proxy, ..Settings::default() };
            assert!(for_url(&url, &settings, &env(&[("HTTPS_PROXY", "http://env:2")])).unwrap().is_none());
        }
    }

    #[test]
    fn a_script_that_chooses_proxies_is_told_as_such() {
        for pac in ["http://wpad.corp/wpad.dat", "pac+http://corp/x", "https://corp/Proxy.PAC?x=1"] {
            let settings = Settings { proxy: Some(pac.into()), ..Settings::default() };
            let url = Url::parse("https://api.test").unwrap();
            let Err(fault) = for_url(&url, &settings, &Env::default()) else { panic!("{pac} was taken") };
            assert!(fault.message.contains("PAC"), "{fault}");
        }
    }

    #[test]
    fn no_login_of_a_proxy_is_shown() {
        let settings = Settings { proxy: Some("http://me:hunter2@p:1".into()), ..Settings::default() };
        let environment = env(&[("HTTPS_PROXY", "me:hunter2@q"), ("ALL_PROXY", "ftp://me:hunter2@r")]);
        let all = all(&settings, &environment);
        let shown: Vec<_> = all.iter().map(|(name, shown)| (*name, shown.as_deref().ok())).collect();
        assert_eq!(
            shown,
            [
                ("the setting proxy", Some("http://***@p:1")),
                ("HTTPS_PROXY", Some("http://***@q:80")),
                ("ALL_PROXY", None)
            ]
        );
        assert!(!format!("{all:?}").contains("hunter2"));
    }

    #[test]
    fn no_proxy_knows_suffixes_networks_ports_and_all() {
        let excepted = [
            ("https://api.test", "api.test"),
            ("https://api.test", ".test"),
            ("https://api.test", "x, *.test"),
            ("https://API.test.", "api.TEST"),
            ("https://api.test:8443", "api.test:8443"),
            ("https://api.test", "*"),
            ("http://10.1.2.3", "10.0.0.0/8"),
            ("http://10.1.2.3", "10.1.2.3"),
            ("http://10.1.2.3", "0.0.0.0/0"),
            ("http://[fd00::7]", "fd00::/8"),
            ("http://[fd00::7]:81", "[fd00::7]:81"),
        ];
        for (url, list) in excepted {
            assert!(is_excepted(&Url::parse(url).unwrap(), list), "{url} {list}");
        }
        let proxied = [
            ("https://notapi.test", "api.test"),
            ("https://api.test", "api.test:8443"),
            ("https://api.test", ".,*.,/8,:,[,10.0.0.0/8"),
            ("http://11.1.2.3", "10.0.0.0/8"),
            ("http://10.1.2.3", "10.0.0.0/99"),
            ("http://10.1.2.3", "fd00::/8"),
        ];
        for (url, list) in proxied {
            assert!(!is_excepted(&Url::parse(url).unwrap(), list), "{url} {list}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_showing_it() {
        for bad in [
            "ftp://user:hunter2secret@host",
            "http://user:hunter2secret@",
            "http://[hunter2secret",
            "gopher://x",
        ] {
            let url = Url::parse("https://api.test").unwrap();
            let fault = for_url(&url, &Settings::default(), &env(&[("HTTPS_PROXY", bad)])).err().unwrap();
            assert!(fault.message.contains("HTTPS_PROXY"), "{fault:?}");
            assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
        }
    }
}
