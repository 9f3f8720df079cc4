//! Claude Pro and Max: a page of claude.ai that comes back to a fixed port.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::page::{self, Page};
use super::pkce::Pkce;
use super::reply::{self, Stage, Tokens};
use super::{Exchange, Flow, Grant, OAuthError, Person, Wanted, Way};
use crate::net::{Answer, Ask, Body};

const NAME: &str = "Anthropic";
const CLIENT: &str = "9d1c250a-e61b-44d9-88ed-5944d1962f5e";
const AUTHORIZE: &str = "https://claude.ai/oauth/authorize";
const TOKEN: &str = "https://platform.claude.com/v1/oauth/token";
/// The only port that the provider sends a browser back to.
const PORT: u16 = 53692;
const PATH: &str = "/callback";
/// Sent for pasted codes too.
const REDIRECT: &str = "http://localhost:53692/callback";
const SCOPE: &str = "org:create_api_key user:profile user:inference user:sessions:claude_code \
                     user:mcp_servers user:file_upload";
/// Taken off the end of a token.
const MARGIN_MS: u64 = 300_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// See the file's head.
pub(super) struct Anthropic;

/// What the token endpoint says of the account.
#[derive(Deserialize)]
struct Holder {
    #[serde(default)]
    account: Option<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    email_address: Option<String>,
}

impl Flow for Anthropic {
    fn provider(&self) -> &'static str {
        "anthropic"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Browser]
    }

    fn note(&self) -> Option<&'static str> {
        self.cost_note()
    }

    fn cost_note(&self) -> Option<&'static str> {
        Some(
            "use of a Claude subscription outside Anthropic's own programs draws on extra usage, which is billed \
             per token and not against the plan's limits: https://claude.ai/settings/usage",
        )
    }

    fn login<'a>(
        &'a self,
        _: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let pkce = Pkce::new(&exchange.system.random)?;
            let page = Page {
                name: NAME,
                url: authorize(&pkce),
                pkce: &pkce,
                callback: page::callback(&[PORT], exchange, person).await,
                path: PATH,
                issuer: None,
            };
            let code = page::code(page, person).await?;
            person.progress("the browser came back; asking Anthropic for the token");
            let body = json!({
                "grant_type": "authorization_code",
                "client_id": CLIENT,
                "code": code.expose_secret(),
                "state": pkce.state(),
                "redirect_uri": REDIRECT,
                "code_verifier": pkce.verifier(),
            });
            let answer = ask(&body, exchange).await?;
            if !answer.is_success() {
                return Err(reply::refused(NAME, Stage::Code, &answer, &[&code, &pkce.verifier]));
            }
            granted(&answer, exchange, None)
        })
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            // Without a scope: the token keeps its own, and a request that names one is refused.
            let body = json!({
                "grant_type": "refresh_token",
                "client_id": CLIENT,
                "refresh_token": grant.refresh.expose_secret(),
            });
            let answer = ask(&body, exchange).await?;
            if !answer.is_success() {
                return Err(reply::refused(NAME, Stage::Refresh, &answer, &[&grant.refresh]));
            }
            granted(&answer, exchange, Some(grant))
        })
    }
}

fn authorize(pkce: &Pkce) -> String {
    let query = [
        ("code", "true"),
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("code_challenge", &pkce.challenge),
        ("code_challenge_method", "S256"),
        ("state", pkce.state()),
    ];
    page::address(AUTHORIZE, &query)
}

async fn ask(body: &serde_json::Value, exchange: &Exchange) -> Result<Answer, OAuthError> {
    let body = Body::Json(SecretString::from(body.to_string()));
    let ask = Ask::post(TOKEN, body).header("accept", "application/json").within(PATIENCE);
    exchange.ask(ask).await.map_err(|fault| reply::unreachable(NAME, fault))
}

fn granted(answer: &Answer, exchange: &Exchange, old: Option<&Grant>) -> Result<Grant, OAuthError> {
    let tokens: Tokens = reply::json(NAME, answer)?;
    let mut grant = tokens.grant(NAME, exchange.system.clock.now_ms(), MARGIN_MS, None, old)?;
    let holder = serde_json::from_slice::<Holder>(&answer.body).ok();
    let address = holder.and_then(|holder| holder.account?.email_address);
    reply::identify(&mut grant, address.as_deref());
    Ok(grant)
}
