//! What local model servers say of themselves: Ollama's `/api`, LM Studio's `/api/v0`, llama.cpp's `/props` and
//! the `/v1/models` of llama.cpp and vLLM. Read leniently, but nobody is taken for what he is not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::{LocalKind, LocalModel, is_showable};

/// Characters of a name.
const MAX_NAME: usize = 200;

/// A name from a server, if it can be shown and typed.
fn name(text: &str) -> Option<String> {
    let fits = !text.is_empty()
        && text.len() <= MAX_NAME
        && !text.contains(char::is_whitespace)
        && is_showable(text);
    fits.then(|| text.to_owned())
}

fn model(id: &str) -> Option<LocalModel> {
    let id = name(id)?;
    Some(LocalModel {
        name: id.clone(),
        id,
        context_window: None,
        max_output: None,
        images: false,
        thinking: false,
    })
}

/// An entry of a list; one that is not as expected spoils no other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Good(T),
    Bad(serde::de::IgnoredAny),
}

/// The good ones.
fn good<T>(entries: Vec<Entry<T>>) -> Vec<T> {
    let good = |entry| match entry {
        Entry::Good(entry) => Some(entry),
        Entry::Bad(_) => None,
    };
    entries.into_iter().filter_map(good).collect()
}

/// A count of tokens that can be true.
fn tokens(value: Option<u64>) -> Option<u64> {
    value.filter(|value| (1..=100_000_000).contains(value))
}

/// `GET /api/tags` of Ollama.
#[derive(Deserialize)]
pub(super) struct OllamaTags {
    models: Vec<Entry<OllamaTag>>,
}

#[derive(Deserialize)]
struct OllamaTag {
    name: String,
    /// Ollama's own mark: llama.cpp, which answers here too, leaves it empty.
    digest: String,
    #[serde(default)]
    details: Option<OllamaDetails>,
}

#[derive(Deserialize)]
struct OllamaDetails {
    #[serde(default)]
    family: Option<String>,
}

impl OllamaTag {
    fn embeds(&self) -> bool {
        let family = self.details.as_ref().and_then(|details| details.family.as_deref());
        family.is_some_and(|family| family.contains("bert"))
    }
}

impl OllamaTags {
    /// `None` where it is not Ollama's list.
    pub(super) fn models(self) -> Option<Vec<LocalModel>> {
        let is_empty = self.models.is_empty();
        let mut tags = good(self.models);
        tags.retain(|tag| !tag.digest.is_empty());
        let chats = tags.iter().filter(|tag| !tag.embeds()).filter_map(|tag| model(&tag.name));
        (is_empty || !tags.is_empty()).then(|| chats.collect())
    }
}

/// `POST /api/show` of Ollama.
#[derive(Deserialize)]
pub(super) struct OllamaModel {
    #[serde(default)]
    capabilities: Option<Vec<String>>,
    #[serde(default)]
    model_info: BTreeMap<String, Value>,
    /// Lines of a name and a value.
    #[serde(default)]
    parameters: Option<String>,
}

impl OllamaModel {
    /// Whether it answers in text; old versions do not say.
    pub(super) fn chats(&self) -> bool {
        self.capabilities.as_ref().is_none_or(|all| all.iter().any(|one| one == "completion"))
    }

    pub(super) fn apply(&self, model: &mut LocalModel) {
        let can = |what: &str| self.capabilities.iter().flatten().any(|one| one == what);
        model.images = can("vision");
        model.thinking = can("thinking");
        let context = self.model_info.iter().find(|(key, _)| key.ends_with(".context_length"));
        let context = context.and_then(|(_, value)| value.as_u64());
        // What the model was set to, which may be less than it could have.
        let lines = self.parameters.iter().flat_map(|text| text.lines());
        let set = lines.filter_map(|line| line.trim().strip_prefix("num_ctx")).next_back();
        let set = set.and_then(|value| value.trim().parse().ok());
        model.context_window = tokens(set).or_else(|| tokens(context)).or(model.context_window);
    }
}

/// Applies what was shown of the first models, and takes away those that do not chat.
pub(super) fn show(models: &mut Vec<LocalModel>, shown: impl IntoIterator<Item = Option<OllamaModel>>) {
    let mut shown = shown.into_iter();
    models.retain_mut(|model| {
        let Some(shown) = shown.next().flatten() else { return true };
        shown.apply(model);
        shown.chats()
    });
}

/// `GET /api/ps` of Ollama: what is loaded, and with how much context, which is often less than the model has.
#[derive(Deserialize)]
pub(super) struct OllamaRunning {
    models: Vec<OllamaLoaded>,
}

#[derive(Deserialize)]
struct OllamaLoaded {
    name: String,
    #[serde(default)]
    context_length: Option<u64>,
}

impl OllamaRunning {
    /// What is loaded comes first: it answers at once.
    pub(super) fn apply(&self, models: &mut [LocalModel]) {
        for model in &mut *models {
            if let Some(loaded) = self.models.iter().find(|loaded| loaded.name == model.id) {
                model.context_window = tokens(loaded.context_length).or(model.context_window);
            }
        }
        models.sort_by_key(|model| !self.models.iter().any(|loaded| loaded.name == model.id));
    }
}

/// `GET /api/v0/models` of LM Studio.
#[derive(Deserialize)]
pub(super) struct LmStudioModels {
    data: Vec<Entry<LmStudioModel>>,
}

#[derive(Deserialize)]
struct LmStudioModel {
    id: String,
    /// `llm`, `vlm` or `embeddings`.
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    max_context_length: Option<u64>,
    #[serde(default)]
    loaded_context_length: Option<u64>,
}

impl LmStudioModels {
    /// `None` where it is not LM Studio's list.
    pub(super) fn models(self) -> Option<Vec<LocalModel>> {
        let is_empty = self.data.is_empty();
        let mut entries = good(self.data);
        entries.retain(|entry| matches!(entry.kind.as_str(), "llm" | "vlm" | "embeddings"));
        if entries.is_empty() && !is_empty {
            return None;
        }
        // What is loaded answers at once.
        entries.sort_by_key(|entry| entry.state.as_deref() != Some("loaded"));
        let chats = entries.iter().filter(|entry| entry.kind != "embeddings");
        let models = chats.filter_map(|entry| {
            let mut model = model(&entry.id)?;
            model.images = entry.kind == "vlm";
            model.context_window =
                tokens(entry.loaded_context_length).or_else(|| tokens(entry.max_context_length));
            Some(model)
        });
        Some(models.collect())
    }
}

/// `GET /v1/models` in OpenAI's form.
#[derive(Deserialize)]
pub(super) struct OpenAiModels {
    data: Vec<Entry<OpenAiModel>>,
}

#[derive(Deserialize)]
struct OpenAiModel {
    id: String,
    #[serde(default)]
    owned_by: Option<String>,
    /// vLLM's.
    #[serde(default)]
    max_model_len: Option<u64>,
    /// llama.cpp's.
    #[serde(default)]
    meta: Option<LlamaMeta>,
}

#[derive(Deserialize)]
struct LlamaMeta {
    #[serde(default)]
    n_ctx_train: Option<u64>,
}

/// Who says that it has a model: thousands of other programs speak this form.
const OWNERS: [(&str, LocalKind); 3] = [
    ("llamacpp", LocalKind::LlamaCpp),
    ("vllm", LocalKind::Vllm),
    ("organization_owner", LocalKind::LmStudio),
];

/// The kind of server that says so of its models.
fn kind_of(owner: &str) -> Option<LocalKind> {
    OWNERS.iter().find(|(known, _)| *known == owner).map(|(_, kind)| *kind)
}

impl OpenAiModels {
    /// The models and whose they are, if that is one of the known kinds of server.
    pub(super) fn models(self) -> Option<(LocalKind, Vec<LocalModel>)> {
        let mut entries = good(self.data);
        let owner = |entry: &OpenAiModel| kind_of(entry.owned_by.as_deref()?);
        let kind = entries.iter().find_map(owner)?;
        entries.retain(|entry| owner(entry) == Some(kind));
        let chats = entries.iter().filter(|entry| !entry.id.starts_with("text-embedding-"));
        let models = chats.filter_map(|entry| {
            // llama.cpp without an alias calls a model by the path of its file.
            let mut model = model(&entry.id)?;
            if let Some(file) = entry.id.rsplit(['/', '\\']).next().filter(|_| kind == LocalKind::LlamaCpp) {
                file.trim_end_matches(".gguf").clone_into(&mut model.name);
            }
            let trained = entry.meta.as_ref().and_then(|meta| meta.n_ctx_train);
            model.context_window = tokens(entry.max_model_len.or(trained));
            Some(model)
        });
        Some((kind, models.collect()))
    }
}

/// `GET /props` of llama.cpp.
#[derive(Deserialize)]
pub(super) struct LlamaProps {
    #[serde(default)]
    default_generation_settings: Option<LlamaSettings>,
    #[serde(default)]
    modalities: Option<LlamaModalities>,
}

#[derive(Deserialize)]
struct LlamaSettings {
    #[serde(default)]
    n_ctx: Option<u64>,
}

#[derive(Deserialize)]
struct LlamaModalities {
    #[serde(default)]
    vision: bool,
}

impl LlamaProps {
    pub(super) fn apply(&self, model: &mut LocalModel) {
        // What it was started with, not what the model could do.
        let context = self.default_generation_settings.as_ref().and_then(|settings| settings.n_ctx);
        model.context_window = tokens(context).or(model.context_window);
        model.images = self.modalities.as_ref().is_some_and(|modalities| modalities.vision);
    }
}

/// The owner that Ollama gives its models in OpenAI's form.
const OLLAMA: &str = "library";

/// Lists of any server, in any of the usual forms: `data`, `models`, or a bare list, of objects with an id.
pub(super) fn any(list: &Value) -> Option<(Option<LocalKind>, Vec<LocalModel>)> {
    let entries = ["data", "models"].iter().find_map(|name| list.get(name));
    let entries = entries.unwrap_or(list).as_array()?;
    let owner = entries.iter().find_map(|entry| entry.get("owned_by")?.as_str());
    let kind = owner.and_then(|owner| if owner == OLLAMA { Some(LocalKind::Ollama) } else { kind_of(owner) });
    Some((kind, entries.iter().filter_map(one).collect()))
}

/// What a model reads and writes, under the names that servers have for it.
const CONTEXTS: [&str; 7] = [
    "loaded_context_length",
    "max_model_len",
    "context_length",
    "context_window",
    "max_context_length",
    "max_input_tokens",
    "inputTokenLimit",
];
const OUTPUTS: [&str; 3] = ["max_completion_tokens", "max_output_tokens", "outputTokenLimit"];
/// Kinds of models that do not chat, where an entry says its kind.
const MUTE: [&str; 9] =
    ["embedding", "embeddings", "image", "rerank", "audio", "transcribe", "moderation", "video", "speech"];

fn one(entry: &Value) -> Option<LocalModel> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let id = text("id").or_else(|| text("name")).or_else(|| entry.as_str())?;
    // Gemini's list has ids of another form than its calls.
    let mut model = model(id.strip_prefix("models/").unwrap_or(id))?;
    let kinds = ["type", "mode"].iter().filter_map(|name| text(name));
    let methods = entry.get("supportedGenerationMethods").and_then(Value::as_array);
    let chats = entry.pointer("/capabilities/completion_chat").and_then(Value::as_bool);
    let is_mute = kinds.into_iter().any(|kind| MUTE.contains(&kind))
        || methods.is_some_and(|methods| !methods.iter().any(|method| method == "generateContent"))
        || chats == Some(false)
        || model.id.starts_with("text-embedding-");
    if is_mute {
        return None;
    }
    let names = ["display_name", "displayName", "name"].iter().filter_map(|name| text(name));
    let shown = |name: &&str| !name.trim().is_empty() && name.len() <= MAX_NAME && is_showable(name);
    if let Some(name) = names.filter(|name| !name.starts_with("models/")).find(shown) {
        name.trim().clone_into(&mut model.name);
    }
    let count = |names: &[&str]| names.iter().find_map(|name| tokens(entry.get(name)?.as_u64()));
    model.context_window = count(&CONTEXTS).or_else(|| tokens(entry.pointer("/meta/n_ctx_train")?.as_u64()));
    let top = entry.pointer("/top_provider/max_completion_tokens").and_then(Value::as_u64);
    model.max_output = count(&OUTPUTS).or_else(|| tokens(top));
    let inputs = ["/architecture/input_modalities", "/input_modalities", "/modalities/input"];
    let mut inputs = inputs.iter().filter_map(|path| entry.pointer(path)?.as_array()).flatten();
    model.images = inputs.any(|kind| kind == "image")
        || entry.pointer("/capabilities/vision").and_then(Value::as_bool) == Some(true)
        || text("type") == Some("vlm");
    model.thinking = entry.get("thinking").and_then(Value::as_bool) == Some(true);
    Some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
        serde_json::from_str(text).unwrap()
    }

    fn ids(models: &[LocalModel]) -> Vec<&str> {
        models.iter().map(|model| model.id.as_str()).collect()
    }

    #[test]
    fn ollama() {
        let tags: OllamaTags = read(
            r#"{"models": [
                {"name": "qwen3:8b", "digest": "50", "details": {"family": "qwen3", "families": ["qwen3"]}},
                {"name": "nomic-embed-text:latest", "digest": "0a", "details": {"family": "nomic-bert"}},
                {"name": "llava:7b", "digest": "8d", "details": null}, {"name": "bad\u001b[m", "digest": "1"},
                {"name": 7}, null
            ]}"#,
        );
        let mut models = tags.models().unwrap();
        assert_eq!(ids(&models), ["qwen3:8b", "llava:7b"]);
        let shown: OllamaModel = read(
            r#"{"capabilities": ["completion", "tools", "thinking"], "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960}}"#,
        );
        shown.apply(&mut models[0]);
        assert!(shown.chats() && models[0].thinking && !models[0].images);
        assert_eq!(models[0].context_window, Some(40_960));
        let running: OllamaRunning = read(r#"{"models": [{"name": "llava:7b", "context_length": 4096}]}"#);
        running.apply(&mut models);
        assert_eq!((ids(&models), models[0].context_window), (vec!["llava:7b", "qwen3:8b"], Some(4_096)));
        assert!(!read::<OllamaModel>(r#"{"capabilities": ["embedding"]}"#).chats());
        assert!(read::<OllamaModel>("{}").chats());
        let set: OllamaModel = read(
            r#"{"parameters": "stop \"x\"\nnum_ctx      16384", "model_info": {"qwen3.context_length": 40960}}"#,
        );
        set.apply(&mut models[1]);
        assert_eq!(models[1].context_window, Some(16_384));
        // llama.cpp's own answer to the same question.
        assert!(read::<OllamaTags>(r#"{"models": [{"name": "x", "digest": ""}]}"#).models().is_none());
        assert_eq!(read::<OllamaTags>(r#"{"models": []}"#).models(), Some(vec![]));
    }

    #[test]
    fn lm_studio() {
        let list: LmStudioModels = read(
            r#"{"object": "list", "data": [
                {"id": "a", "type": "llm", "state": "not-loaded", "max_context_length": 131072},
                {"id": "e", "type": "embeddings", "state": "loaded", "max_context_length": 512},
                {"id": "v", "type": "vlm", "state": "loaded", "max_context_length": 32768, "loaded_context_length": 4096}
            ]}"#,
        );
        let models = list.models().unwrap();
        assert_eq!(ids(&models), ["v", "a"]);
        assert_eq!((models[0].context_window, models[0].images), (Some(4_096), true));
        assert_eq!((models[1].context_window, models[1].images), (Some(131_072), false));
    }

    #[test]
    fn llama_cpp_and_vllm_say_who_they_are() {
        let llama = r#"{"object": "list", "data": [{"id": "gpt", "owned_by": "somebody"}, {"id": 7},
            {"id": "/m/Smol-Q4.gguf", "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8192}}
        ]}"#;
        let (kind, mut models) = read::<OpenAiModels>(llama).models().unwrap();
        assert_eq!((kind, ids(&models)), (LocalKind::LlamaCpp, vec!["/m/Smol-Q4.gguf"]));
        assert_eq!((models[0].name.as_str(), models[0].context_window), ("Smol-Q4", Some(8_192)));
        read::<LlamaProps>(
            r#"{"default_generation_settings": {"n_ctx": 2048}, "modalities": {"vision": true}}"#,
        )
        .apply(&mut models[0]);
        assert_eq!((models[0].context_window, models[0].images), (Some(2_048), true));
        let vllm = r#"{"data": [{"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 40960}]}"#;
        let (kind, models) = read::<OpenAiModels>(vllm).models().unwrap();
        assert_eq!((kind, ids(&models)), (LocalKind::Vllm, vec!["Qwen/Qwen3-8B"]));
        assert_eq!(models[0].context_window, Some(40_960));
        let studio = r#"{"data": [{"id": "a", "owned_by": "organization_owner"},
            {"id": "text-embedding-nomic", "owned_by": "organization_owner"}]}"#;
        let (kind, models) = read::<OpenAiModels>(studio).models().unwrap();
        assert_eq!((kind, ids(&models)), (LocalKind::LmStudio, vec!["a"]));
        assert!(read::<OpenAiModels>(r#"{"data": [{"id": "x", "owned_by": "corp"}]}"#).models().is_none());
    }

    #[test]
    fn lists_of_any_form_are_read() {
        let listed = |text: &str| any(&read::<Value>(text));
        let (kind, models) = listed(
            r#"{"object": "list", "data": [
                {"id": "meta/llama", "object": "model", "context_length": 131072, "type": "chat",
                 "architecture": {"input_modalities": ["text", "image"]}, "top_provider": {"max_completion_tokens": 4096}},
                {"id": "plain", "owned_by": "corp"}, {"id": "embed", "type": "embedding"}, {"id": 7}, null, "bare",
                {"id": "e\u202evil"}, {"id": "huge", "context_length": 1e300}, {"id": "named", "name": "A name"}
            ]}"#,
        )
        .unwrap();
        assert_eq!((kind, ids(&models)), (None, vec!["meta/llama", "plain", "bare", "huge", "named"]));
        assert_eq!(
            (models[0].context_window, models[0].max_output, models[0].images),
            (Some(131_072), Some(4_096), true)
        );
        assert_eq!((models[3].context_window, models[4].name.as_str()), (None, "A name"));
        let (_, models) = listed(
            r#"{"models": [
                {"name": "models/gemini-x", "displayName": "Gemini X", "inputTokenLimit": 1000, "outputTokenLimit": 50,
                 "supportedGenerationMethods": ["generateContent"], "thinking": true},
                {"name": "models/embed-x", "supportedGenerationMethods": ["embedContent"]}
            ]}"#,
        )
        .unwrap();
        assert_eq!((ids(&models), models[0].name.as_str()), (vec!["gemini-x"], "Gemini X"));
        assert!(models[0].thinking && models[0].max_output == Some(50));
        let (kind, models) =
            listed(r#"{"data": [{"id": "q", "owned_by": "vllm", "max_model_len": 32768}]}"#).unwrap();
        assert_eq!((kind, models[0].context_window), (Some(LocalKind::Vllm), Some(32_768)));
        assert_eq!(listed(r#"[{"id": "a"}]"#).unwrap().1.len(), 1);
        assert_eq!(
            listed(r#"{"data": [{"id": "a", "owned_by": "library"}]}"#).unwrap().0,
            Some(LocalKind::Ollama)
        );
        for bad in ["7", "{}", "null", r#"{"data": 7}"#, r#"{"error": "no"}"#] {
            assert!(listed(bad).is_none(), "{bad}");
        }
    }
}
