//! Kimi for coding: a code that is typed on its page.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;
use url::Url;

use super::reply::{self, Stage, Tokens};
use super::standard::Standard;
use super::{Exchange, Flow, Grant, OAuthError, OAuthErrorKind, Person, Wanted, Way};
use crate::system::System;

const NAME: &str = "Kimi";
const CLIENT: &str = "17e5f671-d194-4dfb-9706-5516cb48c098";
const HOST: &str = "https://auth.kimi.com";
/// Variables that name another host, as Kimi's own programs have them.
const HOSTS: [&str; 2] = ["KIMI_CODE_OAUTH_HOST", "KIMI_OAUTH_HOST"];
/// Waits before a token is asked for again.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// See the file's head.
pub(super) struct KimiCoding;

impl Flow for KimiCoding {
    fn provider(&self) -> &'static str {
        "kimi-coding"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::DeviceCode]
    }

    fn login<'a>(
        &'a self,
        _: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let host = host(&exchange.system)?;
            let tokens: Tokens = standard(&host).sign_in(exchange, person).await?;
            tokens.grant(NAME, exchange.system.clock.now_ms(), 0, None, None)
        })
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let host = host(&exchange.system)?;
            let mut pauses = PAUSES.iter();
            loop {
                let failed = match once(&host, grant, exchange).await {
                    Err(error) if error.kind == OAuthErrorKind::Unreachable => error,
                    done => return done,
                };
                let Some(pause) = pauses.next() else { return Err(failed) };
                tokio::time::sleep(*pause).await;
            }
        })
    }
}

async fn once(host: &Url, grant: &Grant, exchange: &Exchange) -> Result<Grant, OAuthError> {
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", grant.refresh.expose_secret()),
    ];
    let standard = standard(host);
    let answer = exchange.ask(standard.post(&standard.token_url, &fields)).await;
    let answer = answer.map_err(|fault| reply::unreachable(NAME, fault))?;
    if !answer.is_success() {
        let error = reply::refused(NAME, Stage::Refresh, &answer, &[&grant.refresh]);
        let is_over = answer.status == 403;
        return Err(if is_over { OAuthError { kind: OAuthErrorKind::SignInAgain, ..error } } else { error });
    }
    let tokens: Tokens = reply::json(NAME, &answer)?;
    tokens.grant(NAME, exchange.system.clock.now_ms(), 0, None, Some(grant))
}

fn standard(host: &Url) -> Standard<'_> {
    let named = host.host_str().unwrap_or_default();
    let at = |path: &str| host.join(path).map_or_else(|_| HOST.to_owned(), String::from);
    Standard {
        name: NAME,
        client: CLIENT,
        device_url: at("/api/oauth/device_authorization"),
        token_url: at("/api/oauth/token"),
        fields: &[],
        page_host: if named.ends_with(".kimi.com") { "kimi.com" } else { named },
        life: Duration::from_mins(15),
        agent: None,
    }
}

/// The host that signs in.
fn host(system: &System) -> Result<Url, OAuthError> {
    let named = HOSTS.iter().find_map(|name| Some((*name, system.env.get(name)?.trim())));
    let named = named.filter(|(_, host)| !host.is_empty());
    let (name, host) = named.unwrap_or(("", HOST));
    let host = if host.contains("://") { host.to_owned() } else { format!("https://{host}") };
    Url::parse(&host).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some()).ok_or_else(
        || {
            OAuthError::new(
                OAuthErrorKind::Unreachable,
                format!("{name} is not a host that is reached by https"),
                format!("correct {name} where it is set, or unset it"),
            )
        },
    )
}
