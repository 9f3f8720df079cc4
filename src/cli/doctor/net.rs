//! What is beyond this process: model servers of the machine, and the providers that have a key. Asked in parallel,
//! within seconds, without any key.

use std::time::Duration;

use futures_util::future::join_all;

use super::{Area, Finding};
use crate::catalog::LocalKind;
use crate::engine::World;
use crate::models::discovery::Absence;
use crate::models::is_known_wire;
use crate::models::reach::{Answered, Reach};

/// How long a provider may take.
const LIMIT: Duration = Duration::from_secs(5);
/// A clock that is off by more spoils certificates and sign-ins, in milliseconds.
const SKEW_MS: i64 = 5 * 60_000;

/// The model servers that were looked for.
pub(super) async fn servers(world: &World) -> Vec<Finding> {
    let visits = world.look_closely().await;
    if visits.is_empty() {
        return vec![Finding::ok(Area::LocalServers, "localServers", "none is looked for")];
    }
    let mut findings = Vec::new();
    for visit in visits {
        let (kind, url) = visit.place;
        let subject = kind.name();
        findings.push(match visit.found {
            Ok(server) if server.models.is_empty() => {
                Finding::warning(Area::LocalServers, subject, format!("answers at {url}, but has no model"))
                    .hint(match kind {
                        LocalKind::Ollama => "`ollama pull` one",
                        LocalKind::LmStudio | LocalKind::LlamaCpp | LocalKind::Vllm => "load one",
                    })
            }
            Ok(server) => {
                let first = server.models.first().map_or("", |model| model.id.as_str());
                let more = match server.models.len() {
                    0 | 1 => String::new(),
                    count => format!(" and {} more", count - 1),
                };
                // llama.cpp and vLLM may stand at each other's place.
                let message = format!("{url}: {first}{more}");
                Finding::ok(Area::LocalServers, server.kind.name(), message)
            }
            Err(Absence::Nobody) => {
                Finding::ok(Area::LocalServers, subject, format!("nobody listens at {url}"))
            }
            Err(Absence::Stranger) => {
                Finding::ok(Area::LocalServers, subject, format!("what answers at {url} is something else"))
            }
            Err(Absence::Starting) => Finding::warning(
                Area::LocalServers,
                subject,
                format!("what answers at {url} is not ready yet"),
            )
            .hint("wait until it has loaded its model"),
            Err(Absence::Silent) => Finding::warning(
                Area::LocalServers,
                subject,
                format!("{url} takes connections and does not answer"),
            )
            .hint("if it is that server, start it again"),
        });
    }
    findings
}

/// Every provider that has a key and can be spoken with.
pub(super) async fn providers(world: &World) -> Vec<Finding> {
    let mut asked = Vec::new();
    for provider in world.catalog.providers() {
        let is_local = LocalKind::of_id(&provider.id).is_some();
        if is_local || !world.is_available(&provider) {
            continue;
        }
        let snapshot = world.catalog.snapshot();
        let default = provider.default_model.as_deref().and_then(|id| snapshot.find(&provider.id, id));
        let spoken = || snapshot.models_of(&provider.id).find(|model| snapshot.speaks(model));
        let model =
            default.filter(|model| is_known_wire(&model.wire)).or_else(|| spoken().map(|it| it.build()));
        let Some(model) = model.filter(|model| model.base_url.starts_with("http")) else { continue };
        asked.push(async move {
            let url = match world.accounts.expand(&provider, &model.base_url) {
                Ok(url) => url,
                Err(error) => {
                    return vec![
                        Finding::problem(Area::Network, &*provider.id, error.message).hint(error.hint),
                    ];
                }
            };
            let system = world.accounts.system_for(&provider);
            let reach = world.backends.reach(&url, &world.settings, &system, LIMIT).await;
            vec![told(&provider.id, reach)]
        });
    }
    let reached = join_all(asked).await;
    let mut findings: Vec<Finding> = reached.into_iter().flatten().collect();
    if findings.is_empty() {
        findings.push(Finding::ok(Area::Network, "providers", "none that has a key, so none was asked"));
    }
    findings
}

fn told(provider: &str, reach: Reach) -> Finding {
    let Reach { host, proxy, outcome, took_ms } = reach;
    let Answered { status, version, issuer, skew_ms } = match outcome {
        Ok(answered) => answered,
        Err(fault) => {
            let finding = Finding::problem(Area::Network, provider, fault.message);
            return Finding { hint: fault.hint, ..finding };
        }
    };
    let via = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
    let issuer = issuer.map_or_else(String::new, |issuer| format!(", certificate of \"{issuer}\""));
    let message = format!("{host} answers{via}: {version}, status {status}, {took_ms} ms{issuer}");
    if let Some(skew) = skew_ms.filter(|skew| skew.abs() > SKEW_MS) {
        let direction = if skew > 0 { "ahead" } else { "behind" };
        let off = crate::cli::list::age(skew.unsigned_abs());
        return Finding::warning(
            Area::Network,
            provider,
            format!("{message}; this clock is {off} {direction}"),
        )
        .hint("set the clock of this machine: certificates and sign-ins depend on it");
    }
    if status >= 500 {
        return Finding::warning(Area::Network, provider, message)
            .hint("the provider, or a proxy before it, has trouble: try again later");
    }
    Finding::ok(Area::Network, provider, message)
}
