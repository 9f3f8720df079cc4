//! GitHub Copilot: a code that is typed at GitHub, or at a company's own GitHub, gives GitHub's token, and that one
//! Copilot's short ones.
//!
//! Which host takes calls, and which models the account may use, is what the provider says; a host that is not
//! GitHub's or the company's is never believed.

mod models;

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::device::{self, Token};
use super::reply::{self, Stage};
use super::standard::Standard;
use super::{
    Asking, Exchange, Flow, Grant, Need, NotAnswered, OAuthError, OAuthErrorKind, Person, Shown, Wanted, Way,
};
use crate::net::{Answer, Ask};

const NAME: &str = "GitHub Copilot";
/// GitHub gives Copilot's tokens to this application only.
const CLIENT: &str = "Iv1.b507a08c87ecfe98";
const SCOPE: &str = "read:user";
const GITHUB: &str = "github.com";
const COPILOT: &str = "githubcopilot.com";
/// Where calls go when the token does not say.
const INDIVIDUAL: &str = "https://api.individual.githubcopilot.com";
const LIFE: Duration = Duration::from_mins(15);
/// Taken off the end of a token.
const MARGIN_MS: u64 = 300_000;

/// A company's domain in the stored entry; missing for github.com.
const ENTERPRISE: &str = "enterpriseUrl";

/// What the API demands to be told, whoever asks.
const HEADERS: [(&str, &str); 4] = [
    ("user-agent", "GitHubCopilotChat/0.35.0"),
    ("editor-version", "vscode/1.107.0"),
    ("editor-plugin-version", "copilot-chat/0.35.0"),
    ("copilot-integration-id", "vscode-chat"),
];

/// See the file's head.
pub(super) struct GitHubCopilot;

#[derive(Deserialize)]
struct CopilotToken {
    token: String,
    /// Seconds since the Unix epoch.
    expires_at: u64,
}

impl Flow for GitHubCopilot {
    fn provider(&self) -> &'static str {
        "github-copilot"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::DeviceCode]
    }

    fn has_domains(&self) -> bool {
        true
    }

    fn login<'a>(
        &'a self,
        wanted: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let domain = match &wanted.domain {
                Some(domain) => valid(domain)?,
                None => asked(person).await?,
            };
            let token = sign_in(domain.as_deref(), exchange, person).await?;
            person.progress("asking GitHub for Copilot's token");
            let mut grant = exchanged(token, domain.as_deref(), exchange, None).await?;
            person.progress("asking which models the account may use");
            models::settle(&mut grant, exchange, models::Depth::Enable, person).await;
            Ok(grant)
        })
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let domain = domain_of(grant);
            let mut next = exchanged(grant.refresh.clone(), domain, exchange, Some(grant)).await?;
            models::settle(&mut next, exchange, models::Depth::List, &Silent).await;
            Ok(next)
        })
    }

    fn base_url(&self, grant: &Grant) -> Option<String> {
        Some(base_url(grant))
    }
}

/// Nobody: what a refresh comes by is not told.
struct Silent;

impl Person for Silent {
    fn open_url<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn show_code<'a>(&'a self, _: &'a str, _: &'a str, _: u64) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }

    fn progress(&self, _: &str) {}

    fn ask<'a>(&'a self, _: &'a Asking) -> BoxFuture<'a, Result<SecretString, NotAnswered>> {
        Box::pin(async { Err(NotAnswered::Nobody) })
    }
}

/// The company's domain, if it is one of a company.
async fn asked(person: &dyn Person) -> Result<Option<String>, OAuthError> {
    let question = Asking {
        message: "Sign in to GitHub Copilot".to_owned(),
        label: "Domain of GitHub Enterprise (empty for github.com)".to_owned(),
        shown: Shown::Yes,
        need: Need::Optional,
    };
    match person.ask(&question).await {
        Ok(domain) => valid(domain.expose_secret()),
        Err(NotAnswered::Nobody) => Ok(None),
        Err(NotAnswered::Closed) => Err(OAuthError::cancelled(NAME)),
    }
}

/// What a person gave as a domain: a host or an address. `None` for GitHub's own.
fn valid(given: &str) -> Result<Option<String>, OAuthError> {
    let given = given.trim();
    if given.is_empty() {
        return Ok(None);
    }
    let address = if given.contains("://") { given.to_owned() } else { format!("https://{given}") };
    let host = url::Url::parse(&address).ok().filter(|url| {
        matches!(url.scheme(), "https" | "http") && url.username().is_empty() && url.password().is_none()
    });
    let host = host.and_then(|url| match url.host()? {
        // An address is no company's GitHub, and a name without a dot might be anything of the network's.
        url::Host::Domain(name)
            if name.contains('.')
                && name.split('.').all(|label| !label.is_empty())
                && url.port().is_none() =>
        {
            Some(name.to_ascii_lowercase())
        }
        url::Host::Domain(_) | url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    });
    match host {
        Some(host) if host == GITHUB || host == "www.github.com" => Ok(None),
        Some(host) => Ok(Some(host)),
        None => Err(OAuthError::new(
            OAuthErrorKind::Invalid,
            format!("{} is no domain of GitHub Enterprise", crate::net::clean::clean(given)),
            "give the company's host, such as company.ghe.com, or nothing for github.com",
        )),
    }
}

/// GitHub's own token, by a code that is typed there.
async fn sign_in(
    domain: Option<&str>,
    exchange: &Exchange,
    person: &dyn Person,
) -> Result<SecretString, OAuthError> {
    let domain = domain.unwrap_or(GITHUB);
    let standard = Standard {
        name: NAME,
        client: CLIENT,
        device_url: format!("https://{domain}/login/device/code"),
        token_url: format!("https://{domain}/login/oauth/access_token"),
        fields: &[("scope", SCOPE)],
        page_host: domain,
        life: LIFE,
        agent: Some(HEADERS[0].1),
    };
    let token: Token = standard.sign_in(exchange, person).await?;
    if reply::is_token(&token.access_token) {
        return Ok(token.access_token.into());
    }
    Err(reply::strange(NAME, "its token cannot be sent"))
}

/// Copilot's token for GitHub's.
async fn exchanged(
    github: SecretString,
    domain: Option<&str>,
    exchange: &Exchange,
    old: Option<&Grant>,
) -> Result<Grant, OAuthError> {
    let url = format!("https://api.{}/copilot_internal/v2/token", domain.unwrap_or(GITHUB));
    let answer = exchange.ask(authorised(Ask::get(url), &github)).await;
    let answer = answer.map_err(|fault| reply::unreachable(NAME, fault))?;
    if !answer.is_success() {
        return Err(refused(&answer, &github, old));
    }
    let given: CopilotToken = reply::json(NAME, &answer)?;
    if !reply::is_token(&given.token) {
        return Err(reply::strange(NAME, "its token cannot be sent"));
    }
    let now_ms = exchange.system.clock.now_ms();
    let ends_ms = given.expires_at.saturating_mul(1000);
    if ends_ms <= now_ms {
        let minutes = (now_ms - ends_ms) / 60_000;
        return Err(OAuthError::new(
            OAuthErrorKind::Clock,
            format!(
                "GitHub's new token would have ended {minutes} minutes ago by this machine's clock, which is off"
            ),
            reply::hint(OAuthErrorKind::Clock),
        ));
    }
    let mut more = old.map(|old| old.more.clone()).unwrap_or_default();
    if let Some(domain) = domain {
        more.insert(ENTERPRISE.to_owned(), domain.into());
    }
    Ok(Grant {
        access: given.token.into(),
        refresh: github,
        expires_ms: ends_ms.saturating_sub(MARGIN_MS),
        more,
    })
}

/// A request with GitHub's or Copilot's token.
fn authorised(ask: Ask, token: &SecretString) -> Ask {
    let ask = ask
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {}", token.expose_secret()));
    HEADERS.iter().fold(ask, |ask, (name, value)| ask.header(*name, *value))
}

/// Why GitHub gives no token for Copilot.
fn refused(answer: &Answer, github: &SecretString, old: Option<&Grant>) -> OAuthError {
    let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
    let why = body["error_details"]["notification_id"].as_str().unwrap_or_default();
    let said = reply::said(body["error_details"].to_string().as_bytes());
    let words = said.words.map_or(String::new(), |words| {
        format!(
            ": {}",
            crate::net::clean::redact(&crate::net::clean::clean(&words), &[github.expose_secret()])
        )
    });
    let words: String = words.chars().take(300).collect();
    match why {
        "not_signed_up" | "no_copilot_access" | "subscription_ended" => OAuthError::new(
            OAuthErrorKind::NoPlan,
            format!("this GitHub account has no Copilot plan{words}"),
            "take a plan at https://github.com/settings/copilot, or sign in with an account that has one",
        ),
        "feature_flag_blocked" | "enterprise_managed_user_account" | "snippy_not_configured" => {
            OAuthError::new(
                OAuthErrorKind::Forbidden,
                format!("the organisation of this GitHub account does not allow this use of Copilot{words}"),
                "ask the organisation's administrator, or look at https://github.com/settings/copilot",
            )
        }
        _ if answer.status == 401 => OAuthError::new(
            OAuthErrorKind::SignInAgain,
            "GitHub does not take the sign-in any more: it was revoked or has ended",
            "sign in again: aside login github-copilot",
        ),
        _ if matches!(answer.status, 403 | 404) => OAuthError::new(
            OAuthErrorKind::NoPlan,
            format!("GitHub gives this account no token for Copilot (status {}){words}", answer.status),
            "look at https://github.com/settings/copilot whether the account has Copilot",
        ),
        _ => {
            reply::refused(NAME, if old.is_some() { Stage::Refresh } else { Stage::Code }, answer, &[github])
        }
    }
}

fn domain_of(grant: &Grant) -> Option<&str> {
    grant.more.get(ENTERPRISE)?.as_str().filter(|domain| !domain.is_empty())
}

/// Where calls go: what the token says, where that is a host of GitHub's or of the company's.
fn base_url(grant: &Grant) -> String {
    let domain = domain_of(grant);
    let named =
        grant.access.expose_secret().split(';').find_map(|field| field.trim().strip_prefix("proxy-ep="));
    let host =
        named.map(|host| host.strip_prefix("proxy.").map_or(host.to_owned(), |rest| format!("api.{rest}")));
    let host = host.filter(|host| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        host.bytes().all(plain)
            && (host.strip_suffix(COPILOT).is_some_and(|rest| rest.ends_with('.'))
                || domain.is_some_and(|domain| device::is_below(host, domain)))
    });
    match (host, domain) {
        (Some(host), _) => format!("https://{host}"),
        (None, Some(domain)) => format!("https://copilot-api.{domain}"),
        (None, None) => INDIVIDUAL.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(token: &str, domain: Option<&str>) -> Grant {
        let mut more = serde_json::Map::new();
        if let Some(domain) = domain {
            more.insert(ENTERPRISE.to_owned(), domain.into());
        }
        Grant { access: token.into(), refresh: "r".into(), expires_ms: 0, more }
    }

    #[test]
    fn calls_go_to_the_host_of_the_token_if_it_is_one_of_the_provider() {
        for (token, domain, url) in [
            (
                "tid=1;proxy-ep=proxy.business.githubcopilot.com;x=1",
                None,
                "https://api.business.githubcopilot.com",
            ),
            (
                "tid=1; proxy-ep=proxy.enterprise.githubcopilot.com",
                None,
                "https://api.enterprise.githubcopilot.com",
            ),
            ("tid=1", None, INDIVIDUAL),
            ("proxy-ep=", None, INDIVIDUAL),
            ("proxy-ep=evil.example", None, INDIVIDUAL),
            ("proxy-ep=githubcopilot.com.evil.example", None, INDIVIDUAL),
            ("proxy-ep=evilgithubcopilot.com", None, INDIVIDUAL),
            ("proxy-ep=evil.example/.githubcopilot.com", None, INDIVIDUAL),
            ("proxy-ep=evil.example#.githubcopilot.com", None, INDIVIDUAL),
            ("proxy-ep=a@b.githubcopilot.com", None, INDIVIDUAL),
            ("proxy-ep=x.githubcopilot.com:444", None, INDIVIDUAL),
            ("tid=1", Some("co.ghe.com"), "https://copilot-api.co.ghe.com"),
            ("proxy-ep=proxy.co.ghe.com", Some("co.ghe.com"), "https://api.co.ghe.com"),
            ("proxy-ep=proxy.other.ghe.com", Some("co.ghe.com"), "https://copilot-api.co.ghe.com"),
        ] {
            assert_eq!(base_url(&grant(token, domain)), url, "{token}");
        }
    }

    #[test]
    fn a_domain_is_a_host_or_an_address() {
        for (given, expected) in [
            ("", None),
            ("  ", None),
            ("github.com", None),
            ("https://www.github.com/", None),
            ("Company.GHE.com", Some("company.ghe.com")),
            ("https://company.ghe.com/login?x", Some("company.ghe.com")),
        ] {
            assert_eq!(valid(given).unwrap().as_deref(), expected, "{given}");
        }
        for bad in [
            "a b",
            "127.0.0.1",
            "[::1]",
            "localhost",
            "ftp://x.y",
            "x.y:8080",
            "https://u@x.y",
            "https://",
            "..",
        ] {
            let error = valid(bad).unwrap_err();
            assert_eq!(error.kind, OAuthErrorKind::Invalid, "{bad}");
        }
    }

    #[test]
    fn why_there_is_no_token_is_told() {
        let told = |status: u16, body: &str| {
            let answer = Answer {
                status,
                headers: reqwest::header::HeaderMap::default(),
                body: body.as_bytes().to_vec(),
                retry_after_ms: None,
            };
            refused(&answer, &"ghu_secret0123456789".into(), None).kind
        };
        let detail = |id: &str| format!(r#"{{"error_details":{{"notification_id":"{id}","message":"m"}}}}"#);
        assert_eq!(told(403, &detail("no_copilot_access")), OAuthErrorKind::NoPlan);
        assert_eq!(told(403, &detail("feature_flag_blocked")), OAuthErrorKind::Forbidden);
        assert_eq!(told(401, "{}"), OAuthErrorKind::SignInAgain);
        assert_eq!(told(404, "not found"), OAuthErrorKind::NoPlan);
        assert_eq!(told(503, ""), OAuthErrorKind::Unreachable);
    }
}
