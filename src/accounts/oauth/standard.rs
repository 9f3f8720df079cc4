//! Signing in by a code as the standard has it (RFC 8628), which most providers follow to the letter.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::device::{self, Pace, Polled};
use super::reply::{self, Stage};
use super::{Exchange, OAuthError, Person};
use crate::net::{Ask, Body, exchange::form};

/// Where a provider issues codes, and how it wants to be asked.
pub(super) struct Standard<'s> {
    pub(super) name: &'s str,
    pub(super) client: &'s str,
    /// Issues codes.
    pub(super) device_url: String,
    /// Is asked whether they were typed.
    pub(super) token_url: String,
    /// What a request for a code holds beside the client.
    pub(super) fields: &'s [(&'s str, &'s str)],
    /// The page for the code is on this host or below it.
    pub(super) page_host: &'s str,
    /// How long a code is good for when the provider does not say.
    pub(super) life: Duration,
    pub(super) agent: Option<&'static str>,
}

#[derive(Deserialize)]
struct Issued {
    device_code: String,
    user_code: String,
    verification_uri: String,
    /// With the code in it, so that nothing is left to be typed.
    #[serde(default)]
    verification_uri_complete: Option<String>,
    #[serde(default)]
    interval: Value,
    #[serde(default)]
    expires_in: Value,
}

impl Standard<'_> {
    /// A request as this provider wants it.
    pub(super) fn post(&self, url: &str, fields: &[(&str, &str)]) -> Ask {
        let ask = Ask::post(url, Body::Form(form(fields))).header("accept", "application/json");
        match self.agent {
            Some(agent) => ask.header("user-agent", agent),
            None => ask,
        }
    }

    /// Shows a code and waits until it was typed: the answer of the token endpoint.
    pub(super) async fn sign_in<T: DeserializeOwned>(
        &self,
        exchange: &Exchange,
        person: &dyn Person,
    ) -> Result<T, OAuthError> {
        let name = self.name;
        let fields: Vec<_> =
            [("client_id", self.client)].into_iter().chain(self.fields.iter().copied()).collect();
        let answer = exchange.ask(self.post(&self.device_url, &fields)).await;
        let answer = answer.map_err(|fault| reply::unreachable(name, fault))?;
        // Some answer 200 with an error.
        if !answer.is_success() || reply::said(&answer.body).code.is_some() {
            return Err(reply::refused(name, Stage::Device, &answer, &[]));
        }
        let issued: Issued = reply::json(name, &answer)?;
        let page = issued.verification_uri_complete.as_deref().unwrap_or(&issued.verification_uri);
        let page = device::page(name, page, self.page_host)?;
        let code = device::code(name, &issued.user_code)?;
        let pace = Pace::new(reply::whole(&issued.interval), reply::whole(&issued.expires_in), self.life);
        let ends_ms = pace.ends_ms(exchange.system.clock.now_ms());
        let secret = SecretString::from(issued.device_code);
        let once = || async {
            let fields = [
                ("client_id", self.client),
                ("device_code", secret.expose_secret()),
                ("grant_type", device::GRANT),
            ];
            match exchange.ask(self.post(&self.token_url, &fields)).await {
                Ok(answer) => device::polled::<T>(name, &answer, &[&secret]),
                Err(fault) => Ok(Polled::Fault(fault)),
            }
        };
        let polling = Box::pin(device::poll(name, pace, once));
        let done = device::shown(person, &page, &code, ends_ms, polling).await?;
        person.progress(&format!("the code was typed; {name} has answered"));
        Ok(done)
    }
}
