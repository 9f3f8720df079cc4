//! Asks the server of a provider of `models.json` which models it has: one short bounded request or a few, with the
//! provider's own key and headers, to its own host and nowhere else.
//!
//! It must never follow a redirect, and never show what the server said: that may repeat the key.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::{MAX_DETAILS, answers};
use crate::accounts::Credential;
use crate::catalog::{LiveModels, LocalKind, Model};
use crate::models::{Category, Fault, fault};
use crate::net::{Ask, Body, Net};
use crate::settings::Settings;
use crate::system::System;

/// How long a server may take for its list.
const LIST_TIME: Duration = Duration::from_secs(5);
/// How long all that the list does not say may take, after which it stands as it is.
const DETAILS_TIME: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read.
const MAX_BODY: usize = 4 << 20;
/// Models of one server that are taken.
const MAX_MODELS: usize = 2_000;
/// What to do about a server that does not tell.
const HINT: &str = "name its models under models in models.json, or prompt one by provider/id";

/// A server to be asked.
pub struct Asked {
    /// Its address, API and the names of its headers, in the shape of a model; places in the address are filled.
    pub template: Arc<Model>,
    pub credential: Credential,
    /// The headers of `template` with their values.
    pub headers: Vec<(String, SecretString)>,
    /// Proxies, certificates and timeouts in force.
    pub settings: Arc<Settings>,
    pub system: System,
}

impl Asked {
    /// The models that the server has, the one to use where none is named first.
    pub(in crate::models) async fn list(&self, net: &Net) -> Result<LiveModels, Fault> {
        let provider = &self.template.provider;
        let slow = || {
            let message = format!("{provider} did not list its models within {} s", LIST_TIME.as_secs());
            hinted(Fault::new(Category::Timeout, message))
        };
        let listed = tokio::time::timeout(LIST_TIME, self.first(net)).await;
        let mut listed = listed.unwrap_or_else(|_| Err(slow()))?;
        listed.models.truncate(MAX_MODELS);
        // What does not come in time is not known, then.
        let _ = tokio::time::timeout(DETAILS_TIME, self.details(net, &mut listed)).await;
        if listed.models.is_empty() {
            return Err(hinted(Fault::new(
                Category::Protocol,
                format!("{provider} lists no model that chats"),
            )));
        }
        Ok(listed)
    }

    /// The list in the API's own form.
    async fn first(&self, net: &Net) -> Result<LiveModels, Fault> {
        let Model { base_url, wire, provider, .. } = &*self.template;
        let path = match &**wire {
            "anthropic-messages" => "/v1/models?limit=1000",
            "google-generative-ai" => "/models?pageSize=1000",
            "mistral-conversations" => "/v1/models",
            _ => "/models",
        };
        let list: Result<Value, Fault> = self.get(net, &format!("{base_url}{path}"), None).await;
        match list {
            Ok(list) => {
                let (kind, models) = answers::any(&list).ok_or_else(|| strange(provider))?;
                Ok(LiveModels { kind, models })
            }
            // An old Ollama has no list in OpenAI's form.
            Err(fault) if fault.status == Some(404) => {
                let tags = self.beside::<answers::OllamaTags>(net, "/api/tags", None).await;
                let models = tags.ok().and_then(answers::OllamaTags::models).ok_or(fault)?;
                Ok(LiveModels { kind: Some(LocalKind::Ollama), models })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Fills in what a list in OpenAI's form does not say, where the server is one that says it elsewhere.
    async fn details(&self, net: &Net, listed: &mut LiveModels) {
        match listed.kind {
            Some(LocalKind::Ollama) => {
                let tags = self.beside::<answers::OllamaTags>(net, "/api/tags", None).await;
                if let Some(models) = tags.ok().and_then(answers::OllamaTags::models) {
                    listed.models = models;
                    listed.models.truncate(MAX_MODELS);
                }
                let shown = listed.models.iter().take(MAX_DETAILS).map(|model| async {
                    let body = serde_json::json!({ "model": model.id }).to_string();
                    self.beside::<answers::OllamaModel>(net, "/api/show", Some(body)).await
                });
                let shown = join_all(shown).await;
                answers::show(&mut listed.models, shown.into_iter().map(Result::ok));
                if let Ok(running) = self.beside::<answers::OllamaRunning>(net, "/api/ps", None).await {
                    running.apply(&mut listed.models);
                }
            }
            Some(LocalKind::LmStudio) => {
                let list = self.beside::<answers::LmStudioModels>(net, "/api/v0/models", None).await;
                if let Some(models) = list.ok().and_then(answers::LmStudioModels::models) {
                    listed.models = models;
                }
            }
            Some(LocalKind::LlamaCpp) => {
                if let Ok(props) = self.beside::<answers::LlamaProps>(net, "/props", None).await {
                    listed.models.iter_mut().for_each(|model| props.apply(model));
                }
            }
            Some(LocalKind::Vllm) | None => {}
        }
    }

    /// Something at the root of the same server.
    async fn beside<T: DeserializeOwned>(
        &self,
        net: &Net,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Fault> {
        let url = Url::parse(&self.template.base_url).ok().and_then(|url| url.join(path).ok());
        let url = url.ok_or_else(|| strange(&self.template.provider))?;
        self.get(net, url.as_str(), body).await
    }

    /// One answer as JSON.
    async fn get<T: DeserializeOwned>(&self, net: &Net, url: &str, body: Option<String>) -> Result<T, Fault> {
        let provider = &self.template.provider;
        let ask = Ask::post(url, body.map_or(Body::None, |body| Body::Json(body.into())));
        let mut ask = ask.within(LIST_TIME).at_most(MAX_BODY);
        for (name, value) in self.headers() {
            ask = ask.header(name, value);
        }
        let answer = net.ask(ask, &self.settings, &self.system).await?;
        if !answer.is_success() {
            let mut fault = fault::refused(answer.status, "", "").named(provider);
            fault.message = format!("{provider} did not list its models: status {}", answer.status);
            return Err(match fault.category {
                Category::Authentication | Category::Permission => fault,
                _ => hinted(fault),
            });
        }
        serde_json::from_slice(&answer.body).map_err(|_| strange(provider))
    }

    /// The key where the API has it, over it the user's own headers.
    fn headers(&self) -> Vec<(Cow<'static, str>, SecretString)> {
        let Model { wire, auth_header, without_headers, .. } = &*self.template;
        let mut headers: Vec<(Cow<'static, str>, SecretString)> =
            vec![("accept".into(), "application/json".into())];
        if &**wire == "anthropic-messages" {
            headers.push(("anthropic-version".into(), "2023-06-01".into()));
        }
        if let Credential::Key(key) | Credential::Bearer(key) = &self.credential {
            let own = match &**wire {
                "anthropic-messages" => Some("x-api-key"),
                "google-generative-ai" => Some("x-goog-api-key"),
                _ => None,
            };
            let is_key = matches!(self.credential, Credential::Key(_)) && !auth_header;
            headers.push(match own.filter(|_| is_key) {
                Some(name) => (name.into(), key.clone()),
                None => ("authorization".into(), format!("Bearer {}", key.expose_secret()).into()),
            });
        }
        headers.retain(|(name, _)| !without_headers.iter().any(|gone| gone.eq_ignore_ascii_case(name)));
        for (name, value) in &self.headers {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            headers.push((name.clone().into(), value.clone()));
        }
        headers
    }
}

fn strange(provider: &str) -> Fault {
    hinted(Fault::new(Category::Protocol, format!("what {provider} answered is no list of models")))
}

fn hinted(fault: Fault) -> Fault {
    Fault { hint: Some(HINT.to_owned()), ..fault }
}
