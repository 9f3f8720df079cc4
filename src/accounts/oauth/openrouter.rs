//! OpenRouter: a page that comes back to any port gives a key that does not end.
//!
//! It gives no state back. In its place the path that the browser comes back to is one that nobody can guess.

use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, json};

use super::page::{self, Page};
use super::pkce::{Pkce, Proof};
use super::reply::{self, Stage};
use super::{Exchange, Flow, Grant, OAuthError, OAuthErrorKind, Person, Wanted, Way};
use crate::net::{Ask, Body};

const NAME: &str = "OpenRouter";
const AUTHORIZE: &str = "https://openrouter.ai/auth";
const KEYS: &str = "https://openrouter.ai/api/v1/auth/keys";
/// Where the browser would come back to if it could; what it ends at is pasted then.
const NO_PORT: u16 = 3000;

/// See the file's head.
pub(super) struct OpenRouter;

#[derive(Deserialize)]
struct Minted {
    key: String,
}

impl Flow for OpenRouter {
    fn provider(&self) -> &'static str {
        "openrouter"
    }

    fn ways(&self) -> &'static [Way] {
        &[Way::Browser]
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
            let pkce = Pkce::new(&exchange.system.random)?.proven_by(Proof::Path);
            let callback = page::callback(&[], exchange, person).await;
            let port = callback.as_ref().map_or(NO_PORT, super::callback::Callback::port);
            let path = format!("/oauth/callback/{}", pkce.state());
            let back = format!("http://localhost:{port}{path}");
            let query = [
                ("callback_url", back.as_str()),
                ("code_challenge", &pkce.challenge),
                ("code_challenge_method", "S256"),
            ];
            let url = page::address(AUTHORIZE, &query);
            let page = Page { name: NAME, url, pkce: &pkce, callback, path: &path, issuer: None };
            let code = page::code(page, person).await?;
            person.progress("the browser came back; asking OpenRouter for the key");
            let body = json!({
                "code": code.expose_secret(),
                "code_verifier": pkce.verifier(),
                "code_challenge_method": "S256",
            });
            let ask = Ask::post(KEYS, Body::Json(SecretString::from(body.to_string())));
            let answer = exchange.ask(ask.header("accept", "application/json")).await;
            let answer = answer.map_err(|fault| reply::unreachable(NAME, fault))?;
            if !answer.is_success() {
                return Err(reply::refused(NAME, Stage::Code, &answer, &[&code, &pkce.verifier]));
            }
            let minted: Minted = reply::json(NAME, &answer)?;
            if !reply::is_token(&minted.key) {
                return Err(reply::strange(NAME, "its key cannot be sent"));
            }
            Ok(Grant {
                access: minted.key.into(),
                refresh: SecretString::default(),
                expires_ms: Grant::NEVER_MS,
                more: Map::new(),
            })
        })
    }

    fn refresh<'a>(&'a self, _: &'a Grant, _: &'a Exchange) -> BoxFuture<'a, Result<Grant, OAuthError>> {
        Box::pin(async {
            Err(OAuthError::new(
                OAuthErrorKind::SignInAgain,
                "a key of OpenRouter does not end, so there is no next one: it was disabled or deleted",
                "sign in again",
            ))
        })
    }
}
