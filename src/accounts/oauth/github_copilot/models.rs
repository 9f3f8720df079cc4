//! Which of Copilot's models an account may use, and the consent that some of them wait for.
//!
//! Nothing here ends a login: a list that cannot be had is left out, and every model is offered.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{INDIVIDUAL, authorised, base_url};
use crate::accounts::oauth::{Exchange, Grant, Person};
use crate::catalog;
use crate::net::{Ask, Body};

/// The version of the list that is understood.
const VERSION: (&str, &str) = ("x-github-api-version", "2026-06-01");
/// One request takes at most this.
const LIMIT: Duration = Duration::from_secs(5);
/// A wait that is asked for and longer than this is not kept.
const MAX_WAIT_MS: u64 = 5_000;
/// Further tries of one request that came too soon.
const RETRIES: u32 = 2;
/// Models that are looked at.
const MAX_MODELS: usize = 500;
const MAX_ID: usize = 200;

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Look only.
    List,
    /// Consent to known models that wait for it.
    Enable,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Value>,
}

#[derive(Debug, PartialEq, Eq)]
struct Model {
    id: String,
    calls_tools: bool,
    is_picked: bool,
    policy: Option<String>,
}

/// Notes in `grant` which models may be used.
pub(super) async fn settle(grant: &mut Grant, exchange: &Exchange, depth: Depth, person: &dyn Person) {
    let base = base_url(grant);
    let Some(mut models) = listed(&base, grant, exchange).await else { return };
    if depth == Depth::Enable {
        enable(&base, grant, exchange, &mut models, person).await;
    }
    let usable = usable(&models, &base);
    if !usable.is_empty() {
        grant.more.insert(Grant::MODELS.to_owned(), json!(usable));
    }
}

async fn listed(base: &str, grant: &Grant, exchange: &Exchange) -> Option<Vec<Model>> {
    let ask = authorised(Ask::get(format!("{base}/models")), &grant.access).header(VERSION.0, VERSION.1);
    let answer = exchange.ask(ask.within(LIMIT).at_most(4 << 20)).await;
    let answer = answer.inspect_err(|fault| tracing::debug!(%fault, "no list of Copilot's models")).ok()?;
    if !answer.is_success() {
        tracing::debug!(status = answer.status, "no list of Copilot's models");
        return None;
    }
    let list: List = serde_json::from_slice(&answer.body).ok()?;
    Some(list.data.iter().take(MAX_MODELS).filter_map(model).collect())
}

fn model(value: &Value) -> Option<Model> {
    let id = value["id"].as_str().filter(|id| {
        id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
    })?;
    Some(Model {
        id: id.to_owned(),
        calls_tools: value["capabilities"]["supports"]["tool_calls"] != false,
        is_picked: value["model_picker_enabled"] == true,
        policy: value["policy"]["state"].as_str().map(str::to_owned),
    })
}

/// Consents to the known models that wait for it, one after the other: all at once is too much for the provider.
async fn enable(base: &str, grant: &Grant, exchange: &Exchange, models: &mut [Model], person: &dyn Person) {
    let waiting = |model: &&mut Model| {
        model.policy.as_deref() == Some("unconfigured") && catalog::is_built_in("github-copilot", &model.id)
    };
    for model in models.iter_mut().filter(waiting) {
        person.progress(&format!("enabling {}", model.id));
        match consent(base, grant, exchange, &model.id).await {
            Consent::Given => model.policy = Some("enabled".to_owned()),
            Consent::Refused => {}
            Consent::TooMany => return,
        }
    }
}

enum Consent {
    Given,
    Refused,
    /// The provider wants no more of these now.
    TooMany,
}

async fn consent(base: &str, grant: &Grant, exchange: &Exchange, id: &str) -> Consent {
    for _ in 0..=RETRIES {
        let body = Body::Json(json!({"state": "enabled"}).to_string().into());
        let ask = authorised(Ask::post(format!("{base}/models/{id}/policy"), body), &grant.access)
            .header("openai-intent", "chat-policy")
            .header("x-interaction-type", "chat-policy");
        match exchange.ask(ask.within(LIMIT)).await {
            Ok(answer) if answer.is_success() => return Consent::Given,
            Ok(answer) if answer.status == 429 => match answer.retry_after_ms.unwrap_or(1_000) {
                wait if wait <= MAX_WAIT_MS => tokio::time::sleep(Duration::from_millis(wait)).await,
                _ => return Consent::TooMany,
            },
            Ok(_) | Err(_) => return Consent::Refused,
        }
    }
    Consent::TooMany
}

/// The ids of those that may be used.
fn usable(models: &[Model], base: &str) -> Vec<String> {
    let able = |model: &&Model| model.calls_tools && model.policy.as_deref() != Some("disabled");
    let picked: Vec<&Model> = models.iter().filter(able).filter(|model| model.is_picked).collect();
    let chosen = if picked.is_empty() && base == INDIVIDUAL {
        models.iter().filter(able).filter(|model| model.policy.as_deref() == Some("enabled")).collect()
    } else {
        picked
    };
    chosen.into_iter().map(|model| model.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usable_ones_are_told_apart() {
        let models: Vec<Model> = [
            json!({"id": "a", "model_picker_enabled": true, "capabilities": {"supports": {"tool_calls": true}}}),
            json!({"id": "b", "model_picker_enabled": true, "policy": {"state": "disabled"}}),
            json!({"id": "c", "model_picker_enabled": true, "capabilities": {"supports": {"tool_calls": false}}}),
            json!({"id": "d", "model_picker_enabled": false, "policy": {"state": "enabled"}}),
            json!({"id": "e", "model_picker_enabled": true, "policy": {"state": "unconfigured"}}),
            json!({"id": "../x", "model_picker_enabled": true}),
            json!({"model_picker_enabled": true}),
            json!(7),
        ]
        .iter()
        .filter_map(model)
        .collect();
        assert_eq!(models.len(), 5);
        assert_eq!(usable(&models, INDIVIDUAL), ["a", "e"]);
        let none: Vec<Model> = models.into_iter().filter(|model| model.id == "d").collect();
        assert_eq!(usable(&none, INDIVIDUAL), ["d"]);
        assert!(usable(&none, "https://api.business.githubcopilot.com").is_empty());
    }
}
