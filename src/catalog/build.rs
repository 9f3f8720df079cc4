//! Compiles `providers/*.toml` into a static table, so that nothing about models is parsed at start.
//!
//! Every string is kept once, in one text; rows hold spans of it. A mistake in a data file stops the build
//! with the file's name and the reason. The table's row types are in `table.rs`.
#![expect(clippy::panic, clippy::disallowed_methods, reason = "a build script has no `system` and no caller")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// One data file. The fields are explained in `docs/adding-a-provider.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    id: String,
    name: String,
    rank: u16,
    wire: String,
    base_url: String,
    keys: Vec<String>,
    /// Looked at before `keys`.
    #[serde(default)]
    bearer_keys: Vec<String>,
    #[serde(default = "yes")]
    needs_key: bool,
    /// What one can sign in with, as words of a sentence.
    #[serde(default)]
    sign_in: String,
    default_model: String,
    #[serde(default)]
    compat: Map<String, Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    session_headers: Vec<String>,
    /// Its other wires.
    #[serde(default)]
    routes: Vec<Route>,
    /// What models.dev calls it; its facts are not refreshed where there is none.
    #[serde(default)]
    facts: String,
    #[serde(default)]
    corrections: Vec<Correction>,
    models: Vec<Model>,
}

/// What is known better here than at models.dev, of the models whose ids one of the patterns fits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Correction {
    models: Vec<String>,
    #[serde(default)]
    context: u32,
    #[serde(default)]
    output: u32,
    /// They cannot be used, whatever is said of them.
    #[serde(default)]
    drop: bool,
}

/// `data.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    /// `YYYY-MM-DD`.
    date: String,
}

/// What the models of another wire than the provider's have in common.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Route {
    wire: String,
    base_url: Option<String>,
    #[serde(default)]
    compat: Map<String, Value>,
    /// What models.dev puts before the ids of its models.
    #[serde(default)]
    facts_prefix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    id: String,
    name: String,
    wire: Option<String>,
    base_url: Option<String>,
    context: u32,
    output: u32,
    /// Input, output, cache read, cache write; missing ones are zero.
    #[serde(default)]
    cost: Vec<f64>,
    /// Threshold, then the four prices above it.
    #[serde(default)]
    tiers: Vec<(u32, f64, f64, f64, f64)>,
    #[serde(default)]
    images: bool,
    #[serde(default)]
    reasoning: bool,
    /// Wire value per level; `false` where the model cannot do it.
    #[serde(default)]
    thinking: BTreeMap<String, Effort>,
    #[serde(default)]
    compat: Map<String, Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    retired: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Effort {
    Value(String),
    Supported(bool),
}

fn yes() -> bool {
    true
}

/// All strings of the table, each once.
#[derive(Default)]
struct Text {
    text: String,
    spans: HashMap<String, String>,
}

impl Text {
    /// The source code of the span that holds `value`.
    fn span(&mut self, value: &str) -> String {
        if let Some(span) = self.spans.get(value) {
            return span.clone();
        }
        let Ok(len) = u16::try_from(value.len()) else { panic!("a string of {} bytes", value.len()) };
        let span = format!("({}, {len})", self.text.len());
        self.text.push_str(value);
        self.spans.insert(value.to_owned(), span.clone());
        span
    }

    /// The same for an object, written as JSON; nothing for an empty one.
    fn json(&mut self, object: &Map<String, Value>) -> String {
        if object.is_empty() { self.span("") } else { self.span(&Value::from(object.clone()).to_string()) }
    }
}

const LEVELS: [&str; 7] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".into());
    let folder = Path::new(&root).join("src/catalog/providers");
    println!("cargo:rerun-if-changed=src/catalog/build.rs");
    println!("cargo:rerun-if-changed={}", folder.display());
    println!("cargo:rerun-if-changed=src/catalog/data.toml");
    let data: Data = read(&Path::new(&root).join("src/catalog/data.toml"));
    let Some(date_ms) = date_ms(&data.date) else { panic!("data.toml: {} is no date", data.date) };
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_else(|_| panic!("no OUT_DIR")));

    let mut providers = Vec::new();
    let mut ids = HashSet::new();
    for path in data_files(&folder) {
        println!("cargo:rerun-if-changed={}", path.display());
        let provider: Provider = read(&path);
        if let Err(reason) = check(&provider, &path) {
            panic!("{}: {reason}", path.display());
        }
        assert!(ids.insert(provider.id.clone()), "{}: the id is taken", path.display());
        providers.push(provider);
    }
    providers.sort_by(|a, b| (a.rank, &a.id).cmp(&(b.rank, &b.id)));

    let (mut table, text) = emit(&providers);
    let _ = writeln!(table, "pub(super) static DATE: &str = {:?};", data.date);
    let _ = writeln!(table, "pub(super) static DATE_MS: u64 = {date_ms};");
    write(&out.join("catalog.rs"), &table);
    write(&out.join("catalog.txt"), &text);
}

/// Milliseconds since the epoch of the beginning of a day.
fn date_ms(date: &str) -> Option<u64> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if date.len() != 10
        || !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
    {
        return None;
    }
    // Days from civil, with the year beginning in March.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    Some(days.checked_sub(719_468)? * 86_400_000)
}

fn data_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn check(provider: &Provider, path: &Path) -> Result<(), String> {
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(&provider.id) {
        return Err(format!("the file must be called {}.toml", provider.id));
    }
    let mut ids = HashSet::new();
    for model in &provider.models {
        let wrong = |what: &str| Err(format!("model {}: {what}", model.id));
        if model.id.is_empty() || !ids.insert(&model.id) {
            return wrong("the id is empty or there twice");
        }
        if model.context == 0 || model.output == 0 {
            return wrong("context and output must be above zero");
        }
        if model.cost.len() > 4 {
            return wrong("cost has four numbers: input, output, cache read, cache write");
        }
        let tiers = model.tiers.iter().flat_map(|tier| [tier.1, tier.2, tier.3, tier.4]);
        if model.cost.iter().copied().chain(tiers).any(|price| !price.is_finite() || price < 0.0) {
            return wrong("a price is not a number from zero up");
        }
        if let Some(level) = model.thinking.keys().find(|level| !LEVELS.contains(&level.as_str())) {
            return wrong(&format!("no thinking level is called {level}"));
        }
    }
    if !provider.models.iter().any(|model| model.id == provider.default_model && !model.retired) {
        return Err(format!("the default model {} is not among the models", provider.default_model));
    }
    let mut wires = HashSet::from([&provider.wire]);
    if let Some(route) = provider.routes.iter().find(|route| !wires.insert(&route.wire)) {
        return Err(format!("the wire {} is there twice", route.wire));
    }
    let variable = |name: &&String| {
        let valid = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        !name.bytes().all(valid) || name.is_empty()
    };
    if let Some(name) = provider.keys.iter().chain(&provider.bearer_keys).find(variable) {
        return Err(format!("{name} is no name of a variable"));
    }
    Ok(())
}

/// The source code of the table, and the text that its spans point into.
fn emit(providers: &[Provider]) -> (String, String) {
    let mut text = Text::default();
    let mut costs: Vec<String> = Vec::new();
    let (mut rows, mut tiers, mut words, mut routes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut corrections = Vec::new();
    let mut heads = Vec::new();
    for (at, provider) in providers.iter().enumerate() {
        let mut models: Vec<&Model> = provider.models.iter().collect();
        models.sort_by(|a, b| a.id.cmp(&b.id));
        let (first, first_route) = (rows.len(), routes.len());
        let mut list = |of: &mut dyn Iterator<Item = &str>| {
            let first = words.len();
            words.extend(of.map(|word| text.span(word)));
            format!("({first}, {})", words.len() - first)
        };
        let keys = list(&mut provider.bearer_keys.iter().chain(&provider.keys).map(String::as_str));
        let places = list(&mut places(provider).into_iter());
        let session_headers = list(&mut provider.session_headers.iter().map(String::as_str));
        let first_correction = corrections.len();
        for correction in &provider.corrections {
            for pattern in &correction.models {
                let Correction { context, output, drop, .. } = correction;
                corrections.push(format!("({}, {context}, {output}, {drop})", text.span(pattern)));
            }
        }
        let own = Route {
            wire: provider.wire.clone(),
            base_url: None,
            compat: provider.compat.clone(),
            facts_prefix: String::new(),
        };
        for route in std::iter::once(&own).chain(&provider.routes) {
            routes.push(format!(
                "RouteRow {{ wire: {}, base_url: {}, compat: {}, facts_prefix: {} }}",
                text.span(&route.wire),
                text.span(route.base_url.as_ref().unwrap_or(&provider.base_url)),
                text.json(&route.compat),
                text.span(&route.facts_prefix),
            ));
        }
        for model in models {
            let wire = model.wire.as_ref().unwrap_or(&provider.wire);
            let route = provider.routes.iter().find(|route| route.wire == *wire);
            let first_tier = tiers.len();
            tiers.extend(model.tiers.iter().map(|tier| format!("{tier:?}")));
            let price = |index: usize| model.cost.get(index).copied().unwrap_or_default();
            let cost = format!("[{:?}, {:?}, {:?}, {:?}]", price(0), price(1), price(2), price(3));
            let cost = costs.iter().position(|known| *known == cost).unwrap_or_else(|| {
                costs.push(cost);
                costs.len() - 1
            });
            let base_url = model.base_url.as_ref().or(route.and_then(|route| route.base_url.as_ref()));
            rows.push(format!(
                "ModelRow {{ provider: {at}, id: {}, name: {}, wire: {}, base_url: {}, compat: {}, thinking: {}, \
                 headers: {}, context: {}, output: {}, cost: {cost}, tiers: ({first_tier}, {}), levels: {}, \
                 reasoning: {}, images: {}, retired: {} }}",
                text.span(&model.id),
                text.span(&model.name),
                text.span(wire),
                text.span(base_url.unwrap_or(&provider.base_url)),
                text.json(&compat(provider, model)),
                text.json(&thinking(model)),
                text.json(&headers(provider, model)),
                model.context,
                model.output,
                model.tiers.len(),
                levels(model),
                model.reasoning,
                model.images,
                model.retired,
            ));
        }
        heads.push(format!(
            "ProviderRow {{ id: {}, name: {}, rank: {}, default_model: {}, keys: {keys}, bearers: {}, \
             places: {places}, sign_in: {}, headers: {}, session_headers: {session_headers}, \
             routes: ({first_route}, {}), models: ({first}, {}), facts: {}, \
             corrections: ({first_correction}, {}), needs_key: {} }}",
            text.span(&provider.id),
            text.span(&provider.name),
            provider.rank,
            text.span(&provider.default_model),
            provider.bearer_keys.len(),
            text.span(&provider.sign_in),
            text.json(
                &provider.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect()
            ),
            provider.routes.len() + 1,
            provider.models.len(),
            text.span(&provider.facts),
            corrections.len() - first_correction,
            provider.needs_key,
        ));
    }
    let mut table = String::from(
        "pub(super) static TEXT: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/catalog.txt\"));\n",
    );
    for (name, of, items) in [
        ("PROVIDERS", "ProviderRow", &heads),
        ("ROUTES", "RouteRow", &routes),
        ("MODELS", "ModelRow", &rows),
        ("WORDS", "Span", &words),
        ("COSTS", "[f64; 4]", &costs),
        ("TIERS", "TierRow", &tiers),
        ("CORRECTIONS", "CorrectionRow", &corrections),
    ] {
        let _ = writeln!(table, "pub(super) static {name}: [{of}; {}] = [", items.len());
        for item in items {
            let _ = writeln!(table, "    {item},");
        }
        table.push_str("];\n");
    }
    (table, text.text)
}

/// The variables that the provider's URLs have places for, such as `{CLOUDFLARE_ACCOUNT_ID}`.
fn places(provider: &Provider) -> Vec<&str> {
    let routes = provider.routes.iter().filter_map(|route| route.base_url.as_deref());
    let models = provider.models.iter().filter_map(|model| model.base_url.as_deref());
    let mut names = Vec::new();
    for url in std::iter::once(provider.base_url.as_str()).chain(routes).chain(models) {
        for name in url.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let is_variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            if is_variable && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The provider's switches belong to the provider's wire; another wire has those of its route.
fn compat(provider: &Provider, model: &Model) -> Map<String, Value> {
    let mut compat = match &model.wire {
        Some(wire) if *wire != provider.wire => {
            let route = provider.routes.iter().find(|route| route.wire == *wire);
            route.map(|route| route.compat.clone()).unwrap_or_default()
        }
        _ => provider.compat.clone(),
    };
    compat.extend(model.compat.clone());
    compat
}

/// One bit for each level that the model has, the lowest for `off`.
fn levels(model: &Model) -> u8 {
    if !model.reasoning {
        return 1;
    }
    let has = |name: &str| match model.thinking.get(name) {
        Some(Effort::Supported(is)) => *is,
        Some(Effort::Value(_)) => true,
        None => !matches!(name, "xhigh" | "max"),
    };
    LEVELS.iter().enumerate().filter(|(_, name)| has(name)).map(|(bit, _)| 1 << bit).sum()
}

fn thinking(model: &Model) -> Map<String, Value> {
    let value = |effort: &Effort| match effort {
        Effort::Value(value) => Some(Value::from(value.clone())),
        Effort::Supported(false) => Some(Value::Null),
        // `true` is the level's own name, as if it were absent, and that for `xhigh` and `max` too.
        Effort::Supported(true) => None,
    };
    model
        .thinking
        .iter()
        .map(|(level, effort)| (level.clone(), value(effort).unwrap_or_else(|| Value::from(level.clone()))))
        .collect()
}

fn headers(provider: &Provider, model: &Model) -> Map<String, Value> {
    let of = |headers: &BTreeMap<String, String>| -> Vec<(String, Value)> {
        headers.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect()
    };
    of(&provider.headers).into_iter().chain(of(&model.headers)).collect()
}
