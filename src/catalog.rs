//! Providers and models as data: a static table compiled from `providers/*.toml`, and the user's `models.json`
//! laid over it. No network, no credentials, nothing parsed at start. Next: `accounts`, which finds the keys.

use std::sync::Arc;

/// How much a model is asked to think. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThinkingLevel {
    /// No thinking.
    Off,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// How a provider is called and what it is called with.
#[derive(Clone, Debug)]
pub struct Provider {
    /// As in `auth.json` and model patterns.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Environment variables that may hold the key, the first that is set wins.
    pub key_variables: Vec<Arc<str>>,
    /// The model used where none is named.
    pub default_model: Option<Arc<str>>,
    /// `apiKey` of `models.json`, unresolved.
    pub api_key: Option<Arc<str>>,
    /// Whether a call needs a key at all: false for `demo` and local servers.
    pub needs_key: bool,
}

/// One model as it is called: the provider's data with every override applied.
#[derive(Clone, Debug)]
pub struct Model {
    /// The provider's id.
    pub provider: Arc<str>,
    /// As sent to the provider.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Id of the wire API, such as `openai-completions`.
    pub wire: Arc<str>,
    /// Where the wire's paths are appended.
    pub base_url: Arc<str>,
    /// Whether the model can think.
    pub reasoning: bool,
    /// Wire value per level; see [`Thinking`].
    pub thinking: Thinking,
    /// Whether images may be sent.
    pub takes_images: bool,
    /// Prices in US dollars per million tokens.
    pub cost: Cost,
    /// Tokens that a request and its answer may have together.
    pub context_window: u64,
    /// Tokens that an answer may have.
    pub max_output: u64,
    /// Headers of `models.json`, values unresolved.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Send `Authorization: Bearer` even where the wire would use another header.
    pub auth_header: bool,
    /// The wire's own switches as a JSON object; each wire reads those that it knows.
    pub compat: Arc<serde_json::Map<String, serde_json::Value>>,
}

/// Prices in US dollars per million tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
    /// Prices of long requests, sorted by their threshold.
    pub tiers: Vec<CostTier>,
}

/// The whole request is charged at the tier with the largest threshold below its input.
#[derive(Clone, Debug, PartialEq)]
pub struct CostTier {
    /// Tokens: input, cache reads and cache writes together.
    pub input_above: u64,
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

/// What each thinking level becomes on the wire.
#[derive(Clone, Debug, Default)]
pub struct Thinking(pub Vec<(ThinkingLevel, Option<Arc<str>>)>);
