//! Meta: a code that is typed on its page gives an identity, and that one keys that last for a day.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Map;

use super::device::{self, Token};
use super::reply::{self, Stage};
use super::standard::Standard;
use super::{Exchange, Flow, Grant, OAuthError, OAuthErrorKind, Person, Wanted, Way};
use crate::net::{Ask, Body};

const NAME: &str = "Meta";
const KEY: &str = "https://api.meta.ai/muse-code/key";
const LIFE_MS: u64 = 24 * 3_600_000;

/// See the file's head.
pub(super) struct Meta;

#[derive(Deserialize)]
struct Minted {
    #[serde(default)]
    api_key: Option<String>,
    /// Something is to be done there first.
    #[serde(default)]
    action_url: Option<String>,
}

impl Flow for Meta {
    fn provider(&self) -> &'static str {
        "meta"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::DeviceCode]
    }

    fn gives_key(&self) -> bool {
        true
    }

    fn login<'a>(
        &'a self,
        _: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let standard = Standard {
                name: NAME,
                client: "1031625952748946",
                device_url: "https://auth.meta.com/oidc/device/authorization/".to_owned(),
                token_url: "https://auth.meta.com/oidc/device/token/".to_owned(),
                fields: &[],
                page_host: "meta.com",
                life: Duration::from_mins(15),
                agent: None,
            };
            let identity: Token = standard.sign_in(exchange, person).await?;
            if !reply::is_token(&identity.access_token) {
                return Err(reply::strange(NAME, "its token cannot be sent"));
            }
            minted(identity.access_token.into(), Map::new(), Stage::Code, exchange).await
        })
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(minted(grant.refresh.clone(), grant.more.clone(), Stage::Refresh, exchange))
    }
}

/// A key for the next day.
async fn minted(
    identity: SecretString,
    more: Map<String, serde_json::Value>,
    stage: Stage,
    exchange: &Exchange,
) -> Result<Grant, OAuthError> {
    let ask = Ask::post(KEY, Body::Json("{}".into()))
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {}", identity.expose_secret()))
        .header("x-api-version", "1.0.0");
    let answer = exchange.ask(ask).await.map_err(|fault| reply::unreachable(NAME, fault))?;
    if !answer.is_success() {
        let error = reply::refused(NAME, stage, &answer, &[&identity]);
        let is_over = matches!(answer.status, 401 | 403) && stage == Stage::Refresh;
        return Err(if is_over { OAuthError { kind: OAuthErrorKind::SignInAgain, ..error } } else { error });
    }
    let minted: Minted = reply::json(NAME, &answer)?;
    let Some(key) = minted.api_key.filter(|key| reply::is_token(key)) else {
        let page = minted.action_url.and_then(|url| {
            ["meta.ai", "meta.com"].iter().find_map(|host| device::page(NAME, &url, host).ok())
        });
        return Err(match page {
            Some(page) => OAuthError::new(
                OAuthErrorKind::NoPlan,
                "Meta gives this account no key before something else is done",
                format!("go to {page} and begin again"),
            ),
            None => reply::strange(NAME, "it holds no key"),
        });
    };
    let expires_ms = exchange.system.clock.now_ms().saturating_add(LIFE_MS);
    Ok(Grant { access: key.into(), refresh: identity, expires_ms, more })
}
