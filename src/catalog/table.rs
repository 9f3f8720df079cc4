//! The table that `build.rs` made of `providers/*.toml`, and cheap views of its rows. Nothing here is parsed or
//! allocated until a row is asked for its lists.

use std::sync::Arc;

use super::pattern::{KIN, alike};
use super::placeholder;
use super::thinking::Levels;
use super::{AWS_WIRES, Cost, CostTier, Model, Provider, Thinking, ThinkingLevel};

/// Byte offset and length in the table's one text.
type Span = (u32, u16);

/// One provider.
pub(super) struct ProviderRow {
    id: Span,
    name: Span,
    /// The first of the available providers is the default.
    pub(super) rank: u16,
    default_model: Span,
    keys: (u16, u16),
    /// How many of the keys are bearer tokens: the first ones.
    bearers: u16,
    /// Variables that its URLs have places for.
    places: (u16, u16),
    sign_in: Span,
    headers: Span,
    session_headers: (u16, u16),
    /// The first is the provider's own.
    routes: (u16, u16),
    models: (u16, u16),
    /// What models.dev calls it.
    facts: Span,
    corrections: (u16, u16),
    needs_key: bool,
}

/// What the models of one wire of a provider have in common.
pub(super) struct RouteRow {
    wire: Span,
    base_url: Span,
    compat: Span,
    facts_prefix: Span,
}

/// One model.
pub(super) struct ModelRow {
    provider: u16,
    id: Span,
    name: Span,
    wire: Span,
    base_url: Span,
    compat: Span,
    thinking: Span,
    headers: Span,
    pub(super) context: u32,
    pub(super) output: u32,
    cost: u16,
    tiers: (u16, u16),
    /// A bit for each level that it has.
    levels: u8,
    pub(super) reasoning: bool,
    pub(super) images: bool,
    pub(super) retired: bool,
}

/// Threshold, then the four prices above it.
type TierRow = (u32, f64, f64, f64, f64);

/// A pattern of ids, the tokens of context and of an answer where they are known better here (else zero), and whether
/// the models cannot be used.
type CorrectionRow = (Span, u32, u32, bool);

/// What the build script wrote.
mod generated {
    #![expect(clippy::unreadable_literal, reason = "nobody reads it")]
    use super::{CorrectionRow, ModelRow, ProviderRow, RouteRow, Span, TierRow};
    include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
}

/// The day on which the table's facts were true, as `YYYY-MM-DD`.
pub(super) fn date() -> &'static str {
    generated::DATE
}

/// The beginning of that day, in milliseconds since the epoch.
pub(super) fn date_ms() -> u64 {
    generated::DATE_MS
}

/// All providers, by rank.
pub(super) fn providers() -> &'static [ProviderRow] {
    &generated::PROVIDERS
}

/// The built-in provider of this id, exactly written.
pub(super) fn provider(id: &str) -> Option<&'static ProviderRow> {
    // A linear walk: some forty rows in the order of their ranks.
    generated::PROVIDERS.iter().find(|row| row.id() == id)
}

fn text((at, len): Span) -> &'static str {
    let at = at as usize;
    generated::TEXT.get(at..at + usize::from(len)).unwrap_or_default()
}

fn part<T>(of: &'static [T], (first, count): (u16, u16)) -> &'static [T] {
    let first = usize::from(first);
    of.get(first..first + usize::from(count)).unwrap_or_default()
}

/// What is known better here of the models whose ids the pattern fits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correction {
    pub(super) pattern: &'static str,
    /// Tokens; zero where nothing is known better.
    pub(super) context: u32,
    /// Tokens of an answer; zero where nothing is known better.
    pub(super) output: u32,
    /// Whether they cannot be used, whatever is said of them.
    pub(super) drop: bool,
}

impl ProviderRow {
    pub(super) fn id(&self) -> &'static str {
        text(self.id)
    }

    /// Its wires with what their models have in common, the provider's own first.
    pub(super) fn routes(&self) -> &'static [RouteRow] {
        part(&generated::ROUTES, self.routes)
    }

    /// The provider's own wire.
    pub(super) fn wire(&self) -> &'static str {
        self.routes().first().map_or("", RouteRow::wire)
    }

    /// What models.dev calls it; empty where its facts are not refreshed.
    pub(super) fn facts(&self) -> &'static str {
        text(self.facts)
    }

    /// What is known better here of models than at models.dev.
    pub(super) fn corrections(&self) -> impl Iterator<Item = Correction> {
        let rows = part(&generated::CORRECTIONS, self.corrections).iter();
        rows.map(|&(pattern, context, output, drop)| Correction {
            pattern: text(pattern),
            context,
            output,
            drop,
        })
    }

    /// Its model that is called most like `id`, if one is like it at all; of one API, where that is named.
    pub(super) fn kin(&self, id: &str, wire: Option<&str>) -> Option<&'static ModelRow> {
        let fits = |model: &&ModelRow| wire.is_none_or(|wire| wire == model.wire());
        let kin = self.models().iter().filter(fits).filter(|model| alike(id, model.id()) >= KIN);
        kin.max_by_key(|model| alike(id, model.id()))
    }

    pub(super) fn default_model(&self) -> &'static str {
        text(self.default_model)
    }

    /// Its models, sorted by id.
    pub(super) fn models(&self) -> &'static [ModelRow] {
        part(&generated::MODELS, self.models)
    }

    pub(super) fn model(&self, id: &str) -> Option<&'static ModelRow> {
        let models = self.models();
        models.binary_search_by(|row| row.id().cmp(id)).ok().and_then(|at| models.get(at))
    }

    pub(super) fn build(&self) -> Provider {
        let (first, _) = self.keys;
        Provider {
            id: self.id().into(),
            name: text(self.name).into(),
            key_variables: words(self.keys),
            bearer_variables: words((first, self.bearers)),
            url_variables: words(self.places),
            sign_in: Some(text(self.sign_in)).filter(|words| !words.is_empty()),
            default_model: Some(self.default_model().into()),
            api_key: None,
            needs_key: self.needs_key,
            takes_aws_keys: AWS_WIRES.contains(&self.wire()),
        }
    }
}

impl ProviderRow {
    /// Headers of every call.
    pub(super) fn headers(&self) -> Vec<(Arc<str>, Arc<str>)> {
        pairs(self.headers)
    }

    /// Headers that hold the session's id.
    pub(super) fn session_headers(&self) -> Vec<Arc<str>> {
        words(self.session_headers)
    }

    /// What the models of one of its wires have in common.
    pub(super) fn route(&self, wire: &str) -> Option<&'static RouteRow> {
        self.routes().iter().find(|route| route.wire() == wire)
    }
}

impl RouteRow {
    pub(super) fn wire(&self) -> &'static str {
        text(self.wire)
    }

    pub(super) fn base_url(&self) -> &'static str {
        text(self.base_url)
    }

    pub(super) fn compat(&self) -> serde_json::Map<String, serde_json::Value> {
        object(self.compat)
    }

    /// What models.dev puts before the ids of its models; empty as a rule.
    pub(super) fn facts_prefix(&self) -> &'static str {
        text(self.facts_prefix)
    }
}

impl ModelRow {
    pub(super) fn provider(&self) -> &'static ProviderRow {
        // The build script numbered the providers itself; the first stands in for one that cannot be missing.
        generated::PROVIDERS.get(usize::from(self.provider)).unwrap_or(&generated::PROVIDERS[0])
    }

    pub(super) fn id(&self) -> &'static str {
        text(self.id)
    }

    pub(super) fn name(&self) -> &'static str {
        text(self.name)
    }

    pub(super) fn wire(&self) -> &'static str {
        text(self.wire)
    }

    pub(super) fn base_url(&self) -> &'static str {
        text(self.base_url)
    }

    pub(super) fn cost(&self) -> Cost {
        let [input, output, cache_read, cache_write] =
            generated::COSTS.get(usize::from(self.cost)).copied().unwrap_or_default();
        let tiers = part(&generated::TIERS, self.tiers)
            .iter()
            .map(|&(above, input, output, cache_read, cache_write)| CostTier {
                input_above: above.into(),
                input,
                output,
                cache_read,
                cache_write,
            })
            .collect();
        Cost { input, output, cache_read, cache_write, tiers }
    }

    pub(super) fn thinking(&self) -> Thinking {
        let levels = object(self.thinking).into_iter().filter_map(|(level, value)| {
            Some((level.parse::<ThinkingLevel>().ok()?, value.as_str().map(Arc::from)))
        });
        let mut levels: Vec<_> = levels.collect();
        levels.sort_unstable_by_key(|(level, _)| *level);
        Thinking(levels)
    }

    /// The levels that it has.
    pub(super) fn levels(&self) -> Levels {
        Levels(self.levels)
    }

    pub(super) fn compat(&self) -> serde_json::Map<String, serde_json::Value> {
        object(self.compat)
    }

    pub(super) fn headers(&self) -> Vec<(Arc<str>, Arc<str>)> {
        pairs(self.headers)
    }

    /// The model as the data files say.
    pub(super) fn build(&self) -> Model {
        Model {
            provider: self.provider().id().into(),
            id: self.id().into(),
            name: self.name().into(),
            wire: self.wire().into(),
            base_url: self.base_url().into(),
            reasoning: self.reasoning,
            thinking: self.thinking(),
            takes_images: self.images,
            cost: self.cost(),
            context_window: self.context.into(),
            max_output: self.output.into(),
            headers: self.headers(),
            session_headers: self.provider().session_headers(),
            without_headers: Vec::new(),
            auth_header: false,
            compat: Arc::new(self.compat()),
        }
    }
}

/// Adds the names that `url` has places for.
pub(super) fn add_names(to: &mut Vec<Arc<str>>, url: &str) {
    for name in placeholder::names(url) {
        if !to.iter().any(|known| &**known == name) {
            to.push(name.into());
        }
    }
}

fn pairs(span: Span) -> Vec<(Arc<str>, Arc<str>)> {
    let object = object(span);
    object.iter().filter_map(|(name, value)| Some((name.as_str().into(), value.as_str()?.into()))).collect()
}

fn words(range: (u16, u16)) -> Vec<Arc<str>> {
    part(&generated::WORDS, range).iter().map(|word| text(*word).into()).collect()
}

fn object(span: Span) -> serde_json::Map<String, serde_json::Value> {
    // The build script wrote it; an empty span is an empty object.
    serde_json::from_str(text(span)).unwrap_or_default()
}
