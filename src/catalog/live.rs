//! Lists of models that servers themselves gave: for providers of `models.json` that name none there.
//!
//! Who asks for them is `models::discovery`; here they only become models, by what the file says of their provider. It
//! must never ask itself, and a list counts only for the address and API that it was asked at.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::local::thinking;
use super::overlay::Overlay;
use super::{LocalKind, LocalModel, Model};

/// What a provider's server answered when it was asked for its models.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveList {
    /// Where it was asked, as `models.json` says it.
    pub base_url: Arc<str>,
    /// The API that it is for.
    pub wire: Arc<str>,
    /// The models, the one to use where none is named first; or why there are none, for people.
    pub answer: Result<LiveModels, String>,
}

/// The models of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveModels {
    /// What kind of server it is, if it is one of those that are known.
    pub kind: Option<LocalKind>,
    pub models: Vec<LocalModel>,
}

/// The newest answers, by the provider's id.
pub(super) type Lists = BTreeMap<Arc<str>, LiveList>;

/// The lists as models.
#[derive(Default)]
pub(super) struct Live {
    providers: Vec<LiveProvider>,
}

struct LiveProvider {
    id: Arc<str>,
    first: Option<Arc<str>>,
    models: BTreeMap<String, Arc<Model>>,
    failed: Option<String>,
}

impl Live {
    /// What the lists come to for the providers of the file.
    pub(super) fn new(overlay: &Overlay, lists: &Lists) -> Self {
        let providers = overlay.live().filter_map(|template| {
            let fits = |list: &&LiveList| list.base_url == template.base_url && list.wire == template.wire;
            let list = lists.get(&template.provider).filter(fits)?;
            let (listed, failed) = match &list.answer {
                Ok(listed) => (listed.clone(), None),
                Err(why) => (LiveModels::default(), Some(why.clone())),
            };
            let models = listed.models.iter().map(|said| {
                let model = overlay.finished(built(template, listed.kind, said));
                (said.id.clone(), Arc::new(model))
            });
            Some(LiveProvider {
                id: Arc::clone(&template.provider),
                first: listed.models.first().map(|model| model.id.as_str().into()),
                models: models.collect(),
                failed,
            })
        });
        Self { providers: providers.collect() }
    }

    fn provider(&self, id: &str) -> Option<&LiveProvider> {
        self.providers.iter().find(|provider| &*provider.id == id)
    }

    pub(super) fn models(&self, provider: &str) -> &BTreeMap<String, Arc<Model>> {
        static NONE: BTreeMap<String, Arc<Model>> = BTreeMap::new();
        self.provider(provider).map_or(&NONE, |provider| &provider.models)
    }

    /// The model to use where none is named.
    pub(super) fn first(&self, provider: &str) -> Option<&Arc<str>> {
        self.provider(provider)?.first.as_ref()
    }

    /// Why there is no list.
    pub(super) fn failed(&self, provider: &str) -> Option<&str> {
        self.provider(provider)?.failed.as_deref()
    }
}

/// A model of the list, by what the file says of its provider.
fn built(template: &Model, kind: Option<LocalKind>, said: &LocalModel) -> Model {
    let context_window = said.context_window.unwrap_or(template.context_window).max(1);
    let max_output = said.max_output.unwrap_or_else(|| template.max_output.min(context_window / 2));
    let mut model = Model {
        id: said.id.as_str().into(),
        name: said.name.as_str().into(),
        takes_images: said.images,
        reasoning: said.thinking,
        context_window,
        max_output: max_output.clamp(1, context_window),
        ..template.clone()
    };
    if let Some(kind) = kind.filter(|_| said.thinking) {
        model.thinking = thinking(kind);
        let compat = Arc::make_mut(&mut model.compat);
        compat.entry("supportsReasoningEffort").or_insert(true.into());
    }
    model
}
