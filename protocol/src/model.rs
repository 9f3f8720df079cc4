//! Models and their prices.

use crate::Diagnostic;

objects! {
    /// Which models to list.
    #[derive(Default)]
    pub struct ListModelsParams {
        /// Only this provider's.
        #[serde(default)]
        pub provider: Option<String>,
        /// Only those that a prompt could be sent to now.
        #[serde(default)]
        pub available: Option<bool>,
        /// Also those that their providers have dropped.
        #[serde(default)]
        pub retired: Option<bool>,
        /// Only those that one of these means, in this order: what `model` of a prompt may be, or a glob over
        /// `provider/id` or `id` such as `anthropic/*`. A person's favourites, for instance.
        #[serde(default)]
        pub patterns: Option<Vec<String>>,
    }

    /// The models that are known now; `modelsChanged` tells of later ones.
    pub struct ListModelsResult {
        /// By provider, in the order in which a default is looked for.
        pub models: Vec<ModelInfo>,
        /// What a prompt that names no model would use, as `provider/id`.
        pub default_model: Option<String>,
        /// What is odd about `patterns`.
        pub warnings: Vec<String>,
        /// Problems found in the user's files.
        pub diagnostics: Vec<Diagnostic>,
    }

    /// A model.
    pub struct ModelInfo {
        /// The provider's id.
        pub provider: String,
        /// The model's id.
        pub id: String,
        /// For people.
        pub name: String,
        /// The wire API that it is called over, such as `openai-responses`.
        pub api: String,
        /// Tokens that a request and its answer may have together.
        pub context_window: u64,
        /// Tokens that an answer may have.
        pub max_output: u64,
        /// Prices.
        pub cost: ModelCost,
        /// What `thinking` may be.
        pub thinking_levels: Vec<String>,
        /// Kinds of content that it takes: `text`, `image`.
        pub input: Vec<String>,
        /// The provider has dropped it: it may still answer, but should not be offered.
        pub retired: bool,
        /// Whether a prompt could be sent now.
        pub available: bool,
        /// Why not.
        pub reason: Option<String>,
    }

    /// Prices in US dollars per million tokens.
    pub struct ModelCost {
        /// Input that was not cached.
        pub input: f64,
        /// Output, reasoning included.
        pub output: f64,
        /// Input read from the provider's cache.
        pub cache_read: f64,
        /// Input written to the provider's cache.
        pub cache_write: f64,
        /// Prices of long requests, the shortest first. A request that is longer than `inputAbove` is charged by
        /// the last tier for which that is so, and by it as a whole.
        pub tiers: Vec<ModelCostTier>,
    }

    /// Prices of long requests.
    pub struct ModelCostTier {
        /// Tokens of input, cached ones too.
        pub input_above: u64,
        /// As above.
        pub input: f64,
        /// As above.
        pub output: f64,
        /// As above.
        pub cache_read: f64,
        /// As above.
        pub cache_write: f64,
    }

    /// Fetches fresh model facts.
    #[derive(Default)]
    pub struct RefreshModelsParams {}

    /// What a refresh brought. Models are named as `provider/id`.
    pub struct RefreshModelsResult {
        /// Whether the source had anything newer than what was fetched before.
        pub modified: bool,
        /// Models that were not in the list before.
        pub added: Vec<String>,
        /// Models of which something else is said now: name, size, price, thinking, input.
        pub changed: Vec<String>,
        /// Models that are gone, or that their provider has dropped.
        pub removed: Vec<String>,
        /// Since when the source says so, in milliseconds since the epoch. Facts that are older than the built-in ones
        /// only add models.
        pub facts_at_ms: u64,
        /// When it was asked, in milliseconds since the epoch.
        pub checked_at_ms: u64,
    }

    /// The list of models has changed; ask `listModels`. Model servers on this machine are looked for when a list
    /// or a default is first asked for, and what is found or gone is told by this to clients that sent
    /// `initialize`.
    #[derive(Default)]
    pub struct ModelsChanged {}
}
