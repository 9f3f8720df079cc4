//! Model servers that were found on this machine: the layer of the catalog that no file holds.
//!
//! Who looks for them is `models::discovery`; here they only become providers and models. It must never look
//! itself. What `models.json` says of a provider stands above what was found under the same name or address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::live::{Lists, LiveList};
use super::{Cost, Model, Provider, Thinking, ThinkingLevel};

/// What kind of server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalKind {
    Ollama,
    LmStudio,
    LlamaCpp,
    Vllm,
}

impl LocalKind {
    /// All, in the order in which they are preferred.
    pub const ALL: [Self; 4] = [Self::Ollama, Self::LmStudio, Self::LlamaCpp, Self::Vllm];

    /// The kind whose provider has this id.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == id)
    }

    /// The id of its provider.
    pub fn id(self) -> &'static str {
        match self {
            Self::Ollama => "ollama",
            Self::LmStudio => "lmstudio",
            Self::LlamaCpp => "llamacpp",
            Self::Vllm => "vllm",
        }
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ollama => "Ollama",
            Self::LmStudio => "LM Studio",
            Self::LlamaCpp => "llama.cpp",
            Self::Vllm => "vLLM",
        }
    }
}

/// One server that answered.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalServer {
    pub kind: LocalKind,
    /// Without `/v1` and without a slash at its end.
    pub url: String,
    /// The one to use where none is named first.
    pub models: Vec<LocalModel>,
}

/// One model of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalModel {
    /// As the server calls it.
    pub id: String,
    /// For people.
    pub name: String,
    /// Tokens, where the server told.
    pub context_window: Option<u64>,
    /// Tokens of an answer, where the server told.
    pub max_output: Option<u64>,
    /// Whether images may be sent.
    pub images: bool,
    /// Whether its thinking can be steered.
    pub thinking: bool,
}

/// Whether every character of a name from outside shows what it is.
pub fn is_showable(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
}

/// What is known of local servers, and of the lists that others gave, shared by everyone who asks the catalog. The lock is never held over an await.
#[derive(Default)]
pub struct LocalServers {
    found: Mutex<Arc<Found>>,
    lists: Mutex<Arc<Lists>>,
    /// Rises with each change.
    changes: watch::Sender<u64>,
}

/// The newest finding.
#[derive(Default)]
pub(super) struct Found {
    servers: Vec<LocalServer>,
    providers: Vec<(LocalKind, BTreeMap<String, Arc<Model>>)>,
}

impl LocalServers {
    /// Replaces what is known. Tells the watchers if it is something else.
    pub fn set(&self, servers: Vec<LocalServer>) {
        {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if found.servers == servers {
                return;
            }
            *found = Arc::new(Found::new(servers));
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// Replaces what is known of one provider's list. Tells the watchers if it is something else.
    pub fn set_list(&self, provider: &Arc<str>, list: LiveList) {
        {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            if lists.get(provider) == Some(&list) {
                return;
            }
            Arc::make_mut(&mut lists).insert(Arc::clone(provider), list);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    /// What is known.
    pub fn servers(&self) -> Vec<LocalServer> {
        self.found().servers.clone()
    }

    /// Changes when what is known does.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn lists(&self) -> Arc<Lists> {
        Arc::clone(&self.lists.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn found(&self) -> Arc<Found> {
        Arc::clone(&self.found.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Found {
    fn new(servers: Vec<LocalServer>) -> Self {
        let mut providers: Vec<(LocalKind, BTreeMap<String, Arc<Model>>)> = Vec::new();
        for kind in LocalKind::ALL {
            let mut models = BTreeMap::new();
            for server in servers.iter().filter(|server| server.kind == kind) {
                for model in &server.models {
                    // Of two servers with the same model the first one named answers.
                    models
                        .entry(model.id.clone())
                        .or_insert_with(|| Arc::new(built(kind, &server.url, model)));
                }
            }
            if !models.is_empty() {
                providers.push((kind, models));
            }
        }
        Self { servers, providers }
    }

    /// Ids of the providers found, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|(kind, _)| kind.id())
    }

    pub(super) fn models(&self, provider: &str) -> &BTreeMap<String, Arc<Model>> {
        static NONE: BTreeMap<String, Arc<Model>> = BTreeMap::new();
        let found = self.providers.iter().find(|(kind, _)| kind.id() == provider);
        found.map_or(&NONE, |(_, models)| models)
    }

    pub(super) fn provider(&self, id: &str) -> Option<Provider> {
        let (kind, _) = self.providers.iter().find(|(kind, _)| kind.id() == id)?;
        let first = self.servers.iter().find(|server| server.kind == *kind)?.models.first()?;
        Some(Provider {
            id: id.into(),
            name: kind.name().into(),
            key_variables: Vec::new(),
            bearer_variables: Vec::new(),
            sign_in: None,
            default_model: Some(first.id.as_str().into()),
            api_key: None,
            needs_key: false,
            url_variables: Vec::new(),
            takes_aws_keys: false,
        })
    }

    /// The same without the servers at these addresses.
    pub(super) fn without(self: Arc<Self>, is_taken: impl Fn(&LocalServer) -> bool) -> Arc<Self> {
        if !self.servers.iter().any(&is_taken) {
            return self;
        }
        let rest = self.servers.iter().filter(|server| !is_taken(server)).cloned();
        Arc::new(Self::new(rest.collect()))
    }
}

/// Tokens of context where the server does not tell, as for any model that nothing is known of.
const CONTEXT_WINDOW: u64 = 128_000;
/// Tokens of an answer at most.
const MAX_OUTPUT: u64 = 16_384;

fn built(kind: LocalKind, url: &str, model: &LocalModel) -> Model {
    let context_window = model.context_window.unwrap_or(CONTEXT_WINDOW).max(1);
    // What every one of them takes; none is sent what only OpenAI's own servers know.
    let mut compat = serde_json::Map::new();
    for flag in ["supportsStore", "supportsDeveloperRole", "supportsStrictMode", "supportsLongCacheRetention"]
    {
        compat.insert(flag.to_owned(), false.into());
    }
    compat.insert("supportsReasoningEffort".to_owned(), model.thinking.into());
    compat.insert("maxTokensField".to_owned(), "max_tokens".into());
    Model {
        provider: kind.id().into(),
        id: model.id.as_str().into(),
        name: model.name.as_str().into(),
        wire: "openai-completions".into(),
        base_url: format!("{url}/v1").into(),
        reasoning: model.thinking,
        thinking: thinking(kind),
        takes_images: model.images,
        cost: Cost::default(),
        context_window,
        max_output: MAX_OUTPUT.min(context_window / 2).max(1),
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: Arc::new(compat),
    }
}

/// How a server is told to think: Ollama's models think unless they are told not to.
pub(super) fn thinking(kind: LocalKind) -> Thinking {
    match kind {
        LocalKind::Ollama => {
            Thinking(vec![(ThinkingLevel::Off, Some("none".into())), (ThinkingLevel::Minimal, None)])
        }
        LocalKind::LmStudio | LocalKind::LlamaCpp | LocalKind::Vllm => Thinking::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(kind: LocalKind, url: &str, ids: &[&str]) -> LocalServer {
        let models = ids.iter().map(|id| LocalModel {
            id: (*id).to_owned(),
            name: (*id).to_owned(),
            context_window: Some(8_192),
            max_output: None,
            images: false,
            thinking: false,
        });
        LocalServer { kind, url: url.to_owned(), models: models.collect() }
    }

    #[test]
    fn the_first_server_with_a_model_has_it() {
        let servers = LocalServers::default();
        servers.set(vec![
            server(LocalKind::Vllm, "http://127.0.0.1:8000", &["v"]),
            server(LocalKind::Ollama, "http://127.0.0.1:1", &["b", "a"]),
            server(LocalKind::Ollama, "http://127.0.0.1:2", &["a", "c"]),
        ]);
        let found = servers.found();
        assert_eq!(found.ids().collect::<Vec<_>>(), ["ollama", "vllm"]);
        let models: Vec<_> =
            found.models("ollama").values().map(|model| (&*model.id, &*model.base_url)).collect();
        let one = "http://127.0.0.1:1/v1";
        assert_eq!(models, [("a", one), ("b", one), ("c", "http://127.0.0.1:2/v1")]);
        assert_eq!(found.provider("ollama").unwrap().default_model.as_deref(), Some("b"));
        assert!(found.provider("llamacpp").is_none());
        let rest = found.without(|server| server.url.ends_with(":1"));
        assert_eq!(rest.models("ollama").keys().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn only_a_change_is_told() {
        let servers = LocalServers::default();
        let watch = servers.watch();
        servers.set(Vec::new());
        assert!(!watch.has_changed().unwrap());
        let one = vec![server(LocalKind::Ollama, "http://127.0.0.1:1", &["a"])];
        servers.set(one.clone());
        assert!(watch.has_changed().unwrap());
        let watch = servers.watch();
        servers.set(one);
        assert!(!watch.has_changed().unwrap());
        servers.set(Vec::new());
        assert!(watch.has_changed().unwrap());
    }
}
