//! Looks for model servers on this machine: Ollama, LM Studio, llama.cpp and vLLM at the places of the settings.
//!
//! A place is asked with short bounded requests that carry no credential, follow no redirect and, on this machine,
//! use no proxy; a server counts only if it answers as its kind does, whatever else may listen there. It must never
//! run at start or at `initialize`: it begins when a list or a default model is first asked for. Next:
//! `discovery/answers.rs`, which reads what the servers say.

mod answers;
pub mod live;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use url::Url;

use crate::catalog::{LocalKind, LocalModel, LocalServer, LocalServers};
use crate::net::transport::{Detail, Transport};
use crate::settings::Settings;
use crate::settings::load::server_url;
use crate::system::System;

/// The variable that keeps a process from looking anywhere when it is `off`, for scripts and tests.
const SWITCH: &str = "ASIDE_LOCAL_SERVERS";
/// How long a prompt that needs a default waits for the servers' lists.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long an answer holds.
const FRESH: Duration = Duration::from_secs(30);
/// How long it holds while a server is just starting.
const STARTING: Duration = Duration::from_secs(2);
/// How long one server may take for its list. One on this machine answers in a few milliseconds.
const LIST_TIME: Duration = Duration::from_secs(1);
/// How long all of a server's details may take, after which the list stands as it is.
const DETAILS_TIME: Duration = Duration::from_secs(2);
/// Until a connection stands, in milliseconds.
const CONNECT_MS: u64 = 250;
/// Bytes of an answer that are read; a longer one is no list of models.
const MAX_BODY: usize = 1 << 20;
/// Models of one server that are taken.
const MAX_MODELS: usize = 500;
/// Models whose details are asked one by one.
const MAX_DETAILS: usize = 24;

/// A kind of server and an address without a path.
pub type Place = (LocalKind, String);

/// The one search of a process. It is told that somebody wants to know, and driven by [`serve`](Self::serve).
#[derive(Default)]
pub struct Discovery {
    transport: Arc<Transport>,
    servers: Arc<LocalServers>,
    /// A leaf: where the newest of those who asked wants it to look.
    wanted: Mutex<Option<Asker>>,
    asked: Notify,
    standing: watch::Sender<Standing>,
}

/// How far it is.
#[derive(Debug, Default)]
enum Standing {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// The lists have not come.
    Looking,
    /// Those of these places have, at that time, and are good for so long.
    Known { places: Vec<Place>, at: Instant, holds: Duration },
}

/// Why a place has no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Nothing listens there.
    Nobody,
    /// Somebody listens and does not answer in time.
    Silent,
    /// Somebody is not ready yet, as llama.cpp and vLLM are while they load a model.
    Starting,
    /// Somebody answers who is no server of that kind.
    Stranger,
}

/// What one place came to.
#[derive(Debug)]
pub struct Visit {
    pub place: Place,
    pub found: Result<LocalServer, Absence>,
}

impl Discovery {
    /// Shares the clients of `transport`.
    pub(super) fn new(transport: Arc<Transport>) -> Self {
        Self { transport, ..Self::default() }
    }

    /// What was found.
    pub fn servers(&self) -> &Arc<LocalServers> {
        &self.servers
    }

    /// Somebody wants to know: begins a search, unless one of the same places is under way or was a moment ago.
    pub fn want(&self, settings: &Arc<Settings>, system: &System) {
        if self.is_known(settings, system) {
            return;
        }
        let asker = self.asker(settings, system);
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(asker);
        self.asked.notify_one();
    }

    /// Whether what is known of these places may be relied on.
    pub fn is_known(&self, settings: &Settings, system: &System) -> bool {
        let wanted = places(settings, system);
        match &*self.standing.borrow() {
            Standing::Known { places, at, holds } => *places == wanted && at.elapsed() < *holds,
            Standing::Unknown => wanted.is_empty(),
            Standing::Looking => false,
        }
    }

    /// Resolves when the lists of these places are in that were asked for before, or after 300 ms.
    pub fn listed(&self, settings: &Settings, system: &System) -> impl Future<Output = ()> + Send + use<> {
        let mut standing = self.standing.subscribe();
        let wanted = places(settings, system);
        let since = Instant::now();
        async move {
            let is_in = |standing: &Standing| match standing {
                Standing::Known { places, at, .. } => *places == wanted && *at >= since,
                Standing::Unknown | Standing::Looking => false,
            };
            // Whoever waits goes on with what there is.
            let _ = tokio::time::timeout_at(since + PATIENCE, standing.wait_for(is_in)).await;
        }
    }

    /// Searches whenever somebody wants to know. Never ends; whoever drives it may stop at any moment.
    pub async fn serve(&self) -> Infallible {
        loop {
            self.asked.notified().await;
            let asker = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(asker) = asker
                && !self.is_known(&asker.settings, &asker.system)
            {
                self.search(asker).await;
            }
        }
    }

    /// One search, now, to its end: some seconds at most.
    pub async fn look(&self, settings: &Arc<Settings>, system: &System) -> Vec<Visit> {
        self.search(self.asker(settings, system)).await
    }

    fn asker(&self, settings: &Arc<Settings>, system: &System) -> Asker {
        let mut settings = Settings::clone(settings);
        settings.timeouts.connect_ms = CONNECT_MS;
        Asker { transport: Arc::clone(&self.transport), settings: Arc::new(settings), system: system.clone() }
    }

    /// Asks every place, and tells first the lists and then the details.
    async fn search(&self, asker: Asker) -> Vec<Visit> {
        let places = places(&asker.settings, &asker.system);
        self.standing.send_replace(Standing::Looking);
        let before = self.servers.servers();
        let visits = places.iter().map(|place| async {
            let found = asker.list(place.0, place.1.clone()).await;
            Visit { place: place.clone(), found }
        });
        let mut visits = join_all(visits).await;
        // Details that were known before stay until newer ones come: a list must not flicker.
        for server in visits.iter_mut().filter_map(|visit| visit.found.as_mut().ok()) {
            let known = before.iter().find(|known| known.url == server.url && known.kind == server.kind);
            for model in &mut server.models {
                if let Some(known) =
                    known.and_then(|known| known.models.iter().find(|known| known.id == model.id))
                {
                    model.take_details(known);
                }
            }
        }
        self.tell(&visits);
        let is_starting = visits.iter().any(|visit| visit.found == Err(Absence::Starting));
        let holds = if is_starting { STARTING } else { FRESH };
        self.standing.send_replace(Standing::Known { places, at: Instant::now(), holds });
        let servers = visits.iter_mut().filter_map(|visit| visit.found.as_mut().ok());
        join_all(servers.map(|server| asker.details(server))).await;
        self.tell(&visits);
        visits
    }

    fn tell(&self, visits: &[Visit]) {
        let mut servers: Vec<LocalServer> = Vec::new();
        for server in visits.iter().filter_map(|visit| visit.found.as_ref().ok()) {
            let is_there = servers.iter().any(|it| (it.kind, &it.url) == (server.kind, &server.url));
            if !is_there && !server.models.is_empty() {
                servers.push(server.clone());
            }
        }
        self.servers.set(servers);
    }
}

/// Where to look, without a place standing twice.
pub fn places(settings: &Settings, system: &System) -> Vec<Place> {
    let off =
        |word: &str| ["off", "false", "0", "none"].iter().any(|off| word.trim().eq_ignore_ascii_case(off));
    if system.env.get(SWITCH).is_some_and(off) {
        return Vec::new();
    }
    let servers = &settings.local_servers;
    // Somebody who has turned Ollama's place off does not want it found by its variable.
    let moved = system.env.get("OLLAMA_HOST").filter(|_| !servers.ollama.is_empty()).and_then(ollama_url);
    let mut places: Vec<Place> = Vec::new();
    for (kind, urls) in [
        (LocalKind::Ollama, moved.iter().chain(&servers.ollama).collect::<Vec<_>>()),
        (LocalKind::LmStudio, servers.lmstudio.iter().collect()),
        (LocalKind::LlamaCpp, servers.llamacpp.iter().collect()),
        (LocalKind::Vllm, servers.vllm.iter().collect()),
    ] {
        for url in urls {
            if !places.iter().any(|(known, place)| *known == kind && place == url) {
                places.push((kind, url.clone()));
            }
        }
    }
    places
}

/// The place that `OLLAMA_HOST` names, as Ollama reads it, if it is on this machine: the variable says where
/// *a* server is, not that this program may call other machines.
fn ollama_url(host: &str) -> Option<String> {
    let host = host.trim().trim_end_matches('/');
    let with_scheme = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    let with_host = with_scheme.replacen("://:", "://127.0.0.1:", 1);
    let mut url = Url::parse(&with_host).ok()?;
    match url.host()? {
        url::Host::Ipv4(ip) if ip.is_unspecified() => url.set_host(Some("127.0.0.1")).ok()?,
        url::Host::Ipv4(ip) if ip.is_loopback() => {}
        url::Host::Ipv6(ip) if ip.is_unspecified() => url.set_host(Some("[::1]")).ok()?,
        url::Host::Ipv6(ip) if ip.is_loopback() => {}
        url::Host::Domain("localhost") => {}
        url::Host::Domain(_) | url::Host::Ipv4(_) | url::Host::Ipv6(_) => return None,
    }
    if url.port().is_none() && url.scheme() == "http" {
        url.set_port(Some(11_434)).ok()?;
    }
    server_url(url.as_str())
}

/// Asks servers, in the way that the settings of whoever wants to know say.
struct Asker {
    transport: Arc<Transport>,
    settings: Arc<Settings>,
    system: System,
}

impl Asker {
    /// What the place lists, if a server of that kind is there. llama.cpp and vLLM speak alike and say who they
    /// are, so one may be found at the other's place.
    async fn list(&self, kind: LocalKind, url: String) -> Result<LocalServer, Absence> {
        let listing = async {
            Ok(match kind {
                LocalKind::Ollama => {
                    let list: answers::OllamaTags = self.get(&url, "/api/tags").await?;
                    list.models().map(|models| (kind, models))
                }
                LocalKind::LmStudio => {
                    match self.get::<answers::LmStudioModels>(&url, "/api/v0/models").await {
                        Ok(list) => list.models().map(|models| (kind, models)),
                        // Versions before 0.3.6.
                        Err(Absence::Stranger) => {
                            let list: answers::OpenAiModels = self.get(&url, "/v1/models").await?;
                            list.models().filter(|(found, _)| *found == kind)
                        }
                        Err(absence) => return Err(absence),
                    }
                }
                LocalKind::LlamaCpp | LocalKind::Vllm => {
                    let list: answers::OpenAiModels = self.get(&url, "/v1/models").await?;
                    list.models().filter(|(found, _)| matches!(found, LocalKind::LlamaCpp | LocalKind::Vllm))
                }
            })
        };
        let listed: Result<_, Absence> =
            tokio::time::timeout(LIST_TIME, listing).await.unwrap_or(Err(Absence::Silent));
        let (kind, mut models) = listed?.ok_or(Absence::Stranger)?;
        models.truncate(MAX_MODELS);
        Ok(LocalServer { kind, url, models })
    }

    /// Fills in what the list does not say, as far as it comes in time.
    async fn details(&self, server: &mut LocalServer) {
        let url = server.url.clone();
        match server.kind {
            LocalKind::Ollama => {
                let running = self.in_time(self.get::<answers::OllamaRunning>(&url, "/api/ps")).await;
                let shown = server.models.iter().take(MAX_DETAILS).map(|model| async {
                    let body = serde_json::json!({ "model": model.id }).to_string();
                    self.ask::<answers::OllamaModel>(&url, "/api/show", Some(body)).await
                });
                let shown = self.in_time(async { Ok(join_all(shown).await) }).await.unwrap_or_default();
                answers::show(&mut server.models, shown.into_iter().map(Result::ok));
                if let Some(running) = running {
                    running.apply(&mut server.models);
                }
            }
            LocalKind::LlamaCpp => {
                let props = self.in_time(self.get::<answers::LlamaProps>(&url, "/props")).await;
                if let Some(props) = props {
                    for model in &mut server.models {
                        props.apply(model);
                    }
                }
            }
            // Their lists say all that they tell.
            LocalKind::LmStudio | LocalKind::Vllm => {}
        }
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, Absence>>) -> Option<T> {
        tokio::time::timeout(DETAILS_TIME, answer).await.ok()?.ok()
    }

    async fn get<T: DeserializeOwned>(&self, url: &str, path: &str) -> Result<T, Absence> {
        self.ask(url, path, None).await
    }

    /// One answer as JSON.
    async fn ask<T: DeserializeOwned>(
        &self,
        url: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<T, Absence> {
        let url = Url::parse(&format!("{url}{path}")).map_err(|_| Absence::Nobody)?;
        let route =
            Arc::clone(&self.transport).route(&url, &self.settings, &self.system, Detail::Plain).await;
        let client = route.map_err(|_| Absence::Nobody)?.client;
        let request = match body {
            None => client.get(url),
            Some(body) => {
                client.post(url).header(reqwest::header::CONTENT_TYPE, "application/json").body(body)
            }
        };
        let absence = |error: reqwest::Error| match (error.is_timeout(), error.is_connect()) {
            (true, _) => Absence::Silent,
            (false, true) => Absence::Nobody,
            (false, false) => Absence::Stranger,
        };
        let mut response = request.send().await.map_err(absence)?;
        match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => return Err(Absence::Starting),
            status if !status.is_success() => return Err(Absence::Stranger),
            _ => {}
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Absence::Stranger)? {
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(Absence::Stranger);
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|_| Absence::Stranger)
    }
}

impl LocalModel {
    fn take_details(&mut self, known: &Self) {
        self.context_window = self.context_window.or(known.context_window);
        self.images |= known.images;
        self.thinking |= known.thinking;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_ollama_is_read_as_ollama_reads_it() {
        for (host, url) in [
            ("127.0.0.1:5000", Some("http://127.0.0.1:5000")),
            ("0.0.0.0", Some("http://127.0.0.1:11434")),
            (":8000", Some("http://127.0.0.1:8000")),
            ("localhost", Some("http://localhost:11434")),
            ("http://[::1]:7", Some("http://[::1]:7")),
            ("https://localhost/", Some("https://localhost")),
            ("10.0.0.9:11434", None),
            ("ollama.corp", None),
            ("localhost/evil?x", None),
            ("http://u:p@localhost", None),
            ("", None),
            ("::", None),
        ] {
            assert_eq!(ollama_url(host).as_deref(), url, "{host}");
        }
    }

    #[test]
    fn a_place_is_asked_once() {
        let mut settings = Settings::default();
        let at = |settings: &Settings, host: &str| {
            let mut system = System::real();
            system.env = [("OLLAMA_HOST".to_owned(), host.to_owned())].into_iter().collect();
            places(settings, &system)
        };
        let expected = [
            (LocalKind::Ollama, "http://127.0.0.1:11434"),
            (LocalKind::LmStudio, "http://127.0.0.1:1234"),
            (LocalKind::LlamaCpp, "http://127.0.0.1:8080"),
            (LocalKind::Vllm, "http://127.0.0.1:8000"),
        ];
        assert_eq!(at(&settings, "127.0.0.1"), expected.map(|(kind, url)| (kind, url.to_owned())));
        assert_eq!(at(&settings, ":1")[0].1, "http://127.0.0.1:1");
        settings.local_servers.ollama.clear();
        assert_eq!(at(&settings, ":1").len(), 3);
        let mut system = System::real();
        system.env = [(SWITCH.to_owned(), "Off".to_owned())].into_iter().collect();
        assert_eq!(places(&Settings::default(), &system), []);
    }
}
