//! ChatGPT Plus and Pro (Codex): a page of auth.openai.com that comes back to one of two ports, or a code that is
//! typed on its site.

use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::device::{self, Pace, Polled};
use super::page::{self, Page};
use super::pkce::Pkce;
use super::reply::{self, Stage, Tokens};
use super::{Exchange, Flow, Grant, OAuthError, OAuthErrorKind, Person, Wanted, Way, claims};
use crate::net::{Answer, Ask, Body, exchange::form};

const NAME: &str = "OpenAI";
const CLIENT: &str = "app_EMoamEEZ73f0CkXaXp7hrann";
const ISSUER: &str = "https://auth.openai.com";
const AUTHORIZE: &str = "https://auth.openai.com/oauth/authorize";
const TOKEN: &str = "https://auth.openai.com/oauth/token";
const SCOPE: &str = "openid profile email offline_access";
/// The only ports that the provider sends a browser back to.
const PORTS: [u16; 2] = [1455, 1457];
const PATH: &str = "/auth/callback";
/// Who began the login, as the provider's pages and its statistics know us.
const ORIGINATOR: &str = "aside";

const USER_CODE: &str = "https://auth.openai.com/api/accounts/deviceauth/usercode";
const DEVICE_TOKEN: &str = "https://auth.openai.com/api/accounts/deviceauth/token";
/// Where the code is typed.
const DEVICE_PAGE: &str = "https://auth.openai.com/codex/device";
const DEVICE_REDIRECT: &str = "https://auth.openai.com/deviceauth/callback";
const DEVICE_LIFE: Duration = Duration::from_mins(15);

/// The claim of the access token that speaks of the account.
const CLAIM: &str = "https://api.openai.com/auth";
/// The account's id in the stored entry.
const ACCOUNT: &str = "accountId";
/// The plan's name in the stored entry.
const PLAN: &str = "planType";

/// See the file's head.
pub(super) struct OpenAiCodex;

#[derive(Deserialize)]
struct Issued {
    device_auth_id: String,
    #[serde(alias = "usercode")]
    user_code: String,
    #[serde(default)]
    interval: Value,
    #[serde(default)]
    expires_in: Value,
}

/// What a typed code gives: PKCE's verifier is the server's own here.
#[derive(Deserialize)]
struct Typed {
    authorization_code: String,
    code_verifier: String,
}

impl Flow for OpenAiCodex {
    fn provider(&self) -> &'static str {
        "openai-codex"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Browser, Way::DeviceCode]
    }

    fn note(&self) -> Option<&'static str> {
        Some("Codex needs a ChatGPT plan that includes it, such as Plus or Pro")
    }

    fn concern(&self, grant: &Grant) -> Option<String> {
        let plan = grant.more.get(PLAN)?.as_str().filter(|plan| *plan == "free")?;
        Some(format!(
            "this ChatGPT account is on the plan {plan}, and Codex needs one that includes it, such as Plus or Pro: \
             https://chatgpt.com/#pricing"
        ))
    }

    fn login<'a>(
        &'a self,
        wanted: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        match wanted.way {
            Way::Browser => Box::pin(by_page(exchange, person)),
            Way::DeviceCode => Box::pin(by_code(exchange, person)),
        }
    }

    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async move {
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", grant.refresh.expose_secret()),
                ("client_id", CLIENT),
            ];
            let answer = ask(Ask::post(TOKEN, Body::Form(form(&fields))), exchange).await?;
            if !answer.is_success() {
                return Err(reply::refused(NAME, Stage::Refresh, &answer, &[&grant.refresh]));
            }
            granted(&answer, exchange, Some(grant))
        })
    }
}

async fn by_page(exchange: &Exchange, person: &dyn Person) -> Result<Grant, OAuthError> {
    let pkce = Pkce::new(&exchange.system.random)?;
    let callback = page::callback(&PORTS, exchange, person).await;
    let port = callback.as_ref().map_or(PORTS[0], super::callback::Callback::port);
    let redirect = format!("http://localhost:{port}{PATH}");
    let query = [
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", &redirect),
        ("scope", SCOPE),
        ("code_challenge", &pkce.challenge),
        ("code_challenge_method", "S256"),
        ("state", pkce.state()),
        ("id_token_add_organizations", "true"),
        ("codex_cli_simplified_flow", "true"),
        ("originator", ORIGINATOR),
    ];
    let url = page::address(AUTHORIZE, &query);
    let page = Page { name: NAME, url, pkce: &pkce, callback, path: PATH, issuer: Some(ISSUER) };
    let code = page::code(page, person).await?;
    person.progress("the browser came back; asking OpenAI for the token");
    redeem(&code, &pkce.verifier, &redirect, exchange).await
}

async fn by_code(exchange: &Exchange, person: &dyn Person) -> Result<Grant, OAuthError> {
    let client = json!({"client_id": CLIENT}).to_string();
    let answer = ask(Ask::post(USER_CODE, Body::Json(client.into())), exchange).await?;
    if answer.status == 404 {
        return Err(OAuthError::new(
            OAuthErrorKind::Forbidden,
            "OpenAI does not let this account or workspace sign in by a device code",
            "allow device codes in ChatGPT's security settings, or have the workspace's administrator allow them; \
             signing in by the browser works without",
        ));
    }
    if !answer.is_success() {
        return Err(reply::refused(NAME, Stage::Device, &answer, &[]));
    }
    let issued: Issued = reply::json(NAME, &answer)?;
    let shown = device::code(NAME, &issued.user_code)?;
    let pace =
        Pace::new(reply::whole(&issued.interval), reply::whole(&issued.expires_in), DEVICE_LIFE).at_once();
    let ends_ms = pace.ends_ms(exchange.system.clock.now_ms());
    let poll = json!({"device_auth_id": issued.device_auth_id, "user_code": issued.user_code}).to_string();
    let secret = SecretString::from(issued.device_auth_id);
    let once = || async {
        let body = Body::Json(poll.clone().into());
        let answer = match exchange.ask(Ask::post(DEVICE_TOKEN, body)).await {
            Ok(answer) => answer,
            Err(fault) => return Ok(Polled::Fault(fault)),
        };
        if answer.is_success() {
            return Ok(Polled::Done(reply::json::<Typed>(NAME, &answer)?));
        }
        let said = reply::said(&answer.body);
        match (answer.status, said.code.as_deref()) {
            (_, Some("slow_down")) => Ok(Polled::SlowDown(said.interval)),
            (_, Some("access_denied" | "expired_token")) => device::failed(NAME, &answer, &[&secret]),
            (403 | 404, _) | (_, Some("deviceauth_authorization_pending" | "authorization_pending")) => {
                Ok(Polled::Pending)
            }
            _ => device::failed(NAME, &answer, &[&secret]),
        }
    };
    let polling = Box::pin(device::poll(NAME, pace, once));
    let typed = device::shown(person, DEVICE_PAGE, &shown, ends_ms, polling).await?;
    person.progress("the code was typed; asking OpenAI for the token");
    redeem(&typed.authorization_code.into(), &typed.code_verifier.into(), DEVICE_REDIRECT, exchange).await
}

async fn redeem(
    code: &SecretString,
    verifier: &SecretString,
    redirect: &str,
    exchange: &Exchange,
) -> Result<Grant, OAuthError> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code.expose_secret()),
        ("code_verifier", verifier.expose_secret()),
        ("redirect_uri", redirect),
    ];
    let answer = ask(Ask::post(TOKEN, Body::Form(form(&fields))), exchange).await?;
    if !answer.is_success() {
        return Err(reply::refused(NAME, Stage::Code, &answer, &[code, verifier]));
    }
    granted(&answer, exchange, None)
}

async fn ask(ask: Ask, exchange: &Exchange) -> Result<Answer, OAuthError> {
    let ask = ask.header("accept", "application/json").within(Duration::from_secs(30));
    exchange.ask(ask).await.map_err(|fault| reply::unreachable(NAME, fault))
}

fn granted(answer: &Answer, exchange: &Exchange, old: Option<&Grant>) -> Result<Grant, OAuthError> {
    let tokens: Tokens = reply::json(NAME, answer)?;
    let claims = claims::of(&tokens.access_token).unwrap_or_default();
    let who = tokens.id_token.as_deref().and_then(claims::of).unwrap_or_default();
    let mut grant = tokens.grant(NAME, exchange.system.clock.now_ms(), 0, None, old)?;
    let of_account = &claims[CLAIM];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let account = text(&of_account["chatgpt_account_id"])
        .or_else(|| text(&claims["chatgpt_account_id"]))
        .or_else(|| text(&claims["organizations"][0]["id"]))
        .filter(|account| reply::is_token(account) && account.len() <= 200);
    match account {
        Some(account) => grant.more.insert(ACCOUNT.to_owned(), account.into()),
        None if grant.more.contains_key(ACCOUNT) => None,
        None => {
            return Err(OAuthError::new(
                OAuthErrorKind::NoPlan,
                "the token of OpenAI names no ChatGPT account",
                "sign in with a ChatGPT account that has a plan with Codex, such as Plus or Pro; a key of \
                 platform.openai.com goes to `aside login openai`",
            ));
        }
    };
    if let Some(plan) = text(&of_account["chatgpt_plan_type"]) {
        grant.more.insert(PLAN.to_owned(), plan.chars().take(40).collect::<String>().into());
    }
    let address = text(&claims["https://api.openai.com/profile"]["email"]).or_else(|| text(&who["email"]));
    reply::identify(&mut grant, address.as_deref());
    Ok(grant)
}
