//! xAI: a code that is typed on its accounts' page.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret as _;

use super::reply::{self, Stage, Tokens};
use super::standard::Standard;
use super::{Exchange, Flow, Grant, OAuthError, Person, Wanted, Way};

const NAME: &str = "xAI";
const CLIENT: &str = "b1a00492-073a-47ea-816f-4c329264a828";
const SCOPE: &str = "openid profile email offline_access grok-cli:access api:access";
const TOKEN: &str = "https://auth.x.ai/oauth2/token";
/// Where the provider does not say how long a token is good for.
const LIFE_S: u64 = 3600;
/// Taken off the end of a token.
const MARGIN_MS: u64 = 300_000;

/// See the file's head.
pub(super) struct Xai;

fn standard() -> Standard<'static> {
    Standard {
        name: NAME,
        client: CLIENT,
        device_url: "https://auth.x.ai/oauth2/device/code".to_owned(),
        token_url: TOKEN.to_owned(),
        fields: &[("scope", SCOPE), ("referrer", "aside")],
        page_host: "x.ai",
        life: Duration::from_mins(15),
        agent: None,
    }
}

impl Flow for Xai {
    fn provider(&self) -> &'static str {
        "xai"
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
            let tokens: Tokens = standard().sign_in(exchange, person).await?;
            tokens.grant(NAME, exchange.system.clock.now_ms(), MARGIN_MS, Some(LIFE_S), None)
        })
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", CLIENT),
                ("refresh_token", grant.refresh.expose_secret()),
            ];
            let answer = exchange.ask(standard().post(TOKEN, &fields)).await;
            let answer = answer.map_err(|fault| reply::unreachable(NAME, fault))?;
            if !answer.is_success() {
                return Err(reply::refused(NAME, Stage::Refresh, &answer, &[&grant.refresh]));
            }
            let tokens: Tokens = reply::json(NAME, &answer)?;
            tokens.grant(NAME, exchange.system.clock.now_ms(), MARGIN_MS, Some(LIFE_S), Some(grant))
        })
    }
}
