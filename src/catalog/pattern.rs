//! From what a person types (`sonnet`, `groq/openai/gpt-oss-120b:high`) to a model.
//!
//! Exact names stand before similar ones, the whole text before a text without its `:level`. A name that
//! several providers have is taken from the only one that can be used, and is an error otherwise: the choice
//! decides who is paid.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::{DEMO, DEMO_SCRIPT, Listed, Model, Provider, Snapshot, ThinkingLevel};
use crate::settings::load::shown;
use crate::settings::nearest::nearest;

/// Longer than any model's name, in bytes.
const MAX_PATTERN: usize = 512;

/// Names that an error or a warning tells.
const NEAR: usize = 3;

/// What a pattern stands for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The model.
    pub model: Arc<Model>,
    /// The level that the pattern asked for, not clamped.
    pub thinking: Option<ThinkingLevel>,
    /// What the person should know about the choice.
    pub warnings: Vec<String>,
}

/// Why a pattern stands for no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// Nothing, or far too much, was given.
    #[error("a model's name has between 1 and {MAX_PATTERN} bytes")]
    Length,
    /// The provider that was named does not exist.
    #[error("no provider is called {}{}", shown(.name), meant(.near))]
    UnknownProvider { name: String, near: Vec<String> },
    /// No model fits.
    #[error("no model is called {}{}", shown(.pattern), meant(.near))]
    NotFound { pattern: String, near: Vec<String> },
    /// The word after the last colon is no level.
    #[error("{} is not a thinking level; off, minimal, low, medium, high, xhigh and max are", shown(.level))]
    UnknownLevel { level: String },
    /// Several providers have it.
    #[error("several providers have the model {}: {}", shown(.id), .choices.join(", "))]
    Ambiguous { id: String, choices: Vec<String> },
}

impl ResolveError {
    /// A stable word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Length => "invalidModel",
            Self::UnknownProvider { .. } => "unknownProvider",
            Self::NotFound { .. } => "unknownModel",
            Self::UnknownLevel { .. } => "unknownLevel",
            Self::Ambiguous { .. } => "ambiguousModel",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Ambiguous { choices, .. } => {
                format!(
                    "name the provider too, as in {}",
                    choices.first().map_or("provider/model", String::as_str)
                )
            }
            _ => "`aside models` lists all models, `aside providers` all providers".into(),
        }
    }
}

fn meant(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(", did you mean {}?", near.join(" or ")) }
}

/// A text to look for and the level that was cut off it.
#[derive(Clone, Copy)]
struct Form<'p> {
    text: &'p str,
    level: Option<ThinkingLevel>,
    /// Something was cut off, if only a colon.
    is_cut: bool,
}

impl Snapshot {
    /// The model that `pattern` stands for: `id`, `provider/id`, a part of an id or of a name, each with a
    /// `:level`. `provider` narrows the search to one provider. `available` says which providers have a
    /// credential; it is asked only where several could be meant.
    pub fn resolve(
        &self,
        pattern: &str,
        provider: Option<&str>,
        available: impl Fn(&Provider) -> bool,
    ) -> Result<Resolved, ResolveError> {
        let pattern = pattern.trim();
        if pattern.is_empty() || pattern.len() > MAX_PATTERN {
            return Err(ResolveError::Length);
        }
        // Asked once for each provider: the answer may cost a look at a file.
        let known = RefCell::new(HashMap::new());
        let ask = |id: &str| self.provider(id).is_some_and(|it| available(&it));
        let ask = |id: &str| *known.borrow_mut().entry(id.to_owned()).or_insert_with(|| ask(id));
        let search = Search { snapshot: self, available: &ask };
        let script = match provider {
            Some(name) => name.eq_ignore_ascii_case(DEMO).then(|| without_prefix(pattern, DEMO)),
            None => pattern
                .split_once('/')
                .filter(|(prefix, _)| prefix.eq_ignore_ascii_case(DEMO))
                .map(|(_, id)| id),
        };
        if let Some(model) = script.and_then(|id| self.demo_script(id)) {
            return Ok(Resolved { model: Arc::new(model), thinking: None, warnings: Vec::new() });
        }
        match provider {
            Some(name) => {
                let id = self.ids().find(|id| id.eq_ignore_ascii_case(name));
                let id = id.ok_or_else(|| search.unknown_provider(name))?;
                search.within(id, pattern)
            }
            None => search.anywhere(pattern),
        }
    }

    /// The demo model that plays a script. The id is a path, of which nothing may be cut off.
    fn demo_script(&self, id: &str) -> Option<Model> {
        id.strip_prefix(DEMO_SCRIPT).filter(|path| !path.is_empty())?;
        let demo = self.provider(DEMO)?;
        let mut model = (*self.default_of(&demo)?).clone();
        model.id = id.into();
        model.name = id.into();
        Some(model)
    }
}

struct Search<'s> {
    snapshot: &'s Snapshot,
    available: &'s dyn Fn(&str) -> bool,
}

impl<'s> Search<'s> {
    /// The search in one provider, which the person named.
    fn within(&self, provider: &str, pattern: &str) -> Result<Resolved, ResolveError> {
        let bare = without_prefix(pattern, provider);
        let forms = forms(pattern);
        for form in &forms {
            let texts = [form.text, without_prefix(form.text, provider)];
            if let Some(model) = texts.iter().find_map(|text| self.exact(provider, text)) {
                return Ok(form.resolved(model.build()));
            }
        }
        for form in forms.iter().rev() {
            if let Some(model) =
                Self::similar(self.snapshot.models_of(provider), without_prefix(form.text, provider))
            {
                return Ok(form.resolved(model.build()));
            }
        }
        self.synthetic(provider, bare)
    }

    fn anywhere(&self, pattern: &str) -> Result<Resolved, ResolveError> {
        let inferred = pattern.split_once('/').and_then(|(prefix, rest)| {
            let id = self.snapshot.ids().find(|id| id.eq_ignore_ascii_case(prefix))?;
            (!rest.is_empty()).then_some((id, rest))
        });
        let forms = forms(pattern);
        let mut ambiguous = None;
        for form in &forms {
            let literal = self.all_exact(form.text);
            if let Some((id, _)) = inferred
                && let Some(model) = self.exact(id, without_prefix(form.text, id))
            {
                // A gateway's model may be called like a provider's: whoever has only the gateway means that.
                let elsewhere = match self.usable(&literal).as_slice() {
                    [other] if !(self.available)(id) => Some(*other),
                    _ => None,
                };
                return Ok(form.resolved(elsewhere.unwrap_or(model).build()));
            }
            match self.only(form.text, &literal) {
                Ok(Some(model)) => return Ok(form.resolved(model.build())),
                Ok(None) => {}
                Err(error) if !self.usable(&literal).is_empty() => return Err(error),
                // None of them can be used; one whose name is only similar perhaps can.
                Err(error) => ambiguous = Some(error),
            }
        }
        for form in forms.iter().rev() {
            let within = inferred.and_then(|(id, _)| {
                Self::similar(self.snapshot.models_of(id), without_prefix(form.text, id))
            });
            if let Some(model) = within {
                return Ok(form.resolved(model.build()));
            }
            // `demo` is only meant where it is named.
            let real = || self.snapshot.models().filter(|model| model.provider() != DEMO);
            let usable = real().filter(|model| (self.available)(model.provider()));
            let found = Self::similar(usable, form.text)
                .or_else(|| if ambiguous.is_none() { Self::similar(real(), form.text) } else { None });
            if let Some(model) = found {
                return Ok(form.resolved(model.build()));
            }
        }
        if let Some(ambiguous) = ambiguous {
            return Err(ambiguous);
        }
        match inferred {
            Some((id, rest)) => self.synthetic(id, rest),
            None => Err(self.not_found(pattern)),
        }
    }

    /// The model of this provider and id; if need be without regard to case.
    fn exact(&self, provider: &str, id: &str) -> Option<Listed<'s>> {
        let exact = self.snapshot.listed(provider, id);
        exact.or_else(|| self.snapshot.models_of(provider).find(|model| model.id().eq_ignore_ascii_case(id)))
    }

    /// The models of this id of all providers.
    fn all_exact(&self, id: &str) -> Vec<Listed<'s>> {
        self.snapshot.ids().filter_map(|provider| self.exact(provider, id)).collect()
    }

    fn usable(&self, models: &[Listed<'s>]) -> Vec<Listed<'s>> {
        models.iter().copied().filter(|model| (self.available)(model.provider())).collect()
    }

    /// The one of several of the same id that is meant.
    fn only(&self, id: &str, models: &[Listed<'s>]) -> Result<Option<Listed<'s>>, ResolveError> {
        let offered: Vec<_> = models.iter().copied().filter(|model| !model.is_retired()).collect();
        let models = if offered.is_empty() { models } else { &offered };
        if let [] | [_] = models {
            return Ok(models.first().copied());
        }
        if let [model] = self.usable(models).as_slice() {
            return Ok(Some(*model));
        }
        let choices = models.iter().map(|model| format!("{}/{}", model.provider(), model.id())).collect();
        Err(ResolveError::Ambiguous { id: id.to_owned(), choices })
    }

    /// The model whose id or name contains `text`: ids without a date before those with one, offered ones
    /// before retired ones, and then the last in the order of the alphabet, which is the newest as a rule.
    fn similar(models: impl Iterator<Item = Listed<'s>>, text: &str) -> Option<Listed<'s>> {
        if text.is_empty() {
            return None;
        }
        let wanted = text.to_ascii_lowercase();
        let contains = |name: &str| name.to_ascii_lowercase().contains(&wanted);
        let found = models.filter(|model| contains(model.id()) || contains(model.name()));
        // Of equal ids the one that comes first stays: its provider is preferred.
        found.reduce(|best, model| {
            let rank =
                |model: &Listed<'_>| (!model.is_retired(), !is_dated(model.id()), model.id().to_owned());
            if rank(&model) > rank(&best) { model } else { best }
        })
    }

    /// A model that the catalog does not know, made after the provider's default: catalogs lag behind.
    fn synthetic(&self, provider: &str, id: &str) -> Result<Resolved, ResolveError> {
        let forms = forms(id);
        let form = forms.last().copied().unwrap_or(Form { text: id, level: None, is_cut: false });
        let known = self.snapshot.provider(provider).and_then(|provider| self.snapshot.default_of(&provider));
        let is_clean =
            !form.text.is_empty() && !form.text.chars().any(|c| c.is_control() || c.is_whitespace());
        let (Some(known), true) = (known, is_clean && provider != DEMO) else {
            return Err(self.not_found(id));
        };
        let mut model = (*known).clone();
        model.id = form.text.into();
        model.name = form.text.into();
        model.reasoning |= form.level.is_some_and(|level| level != ThinkingLevel::Off);
        let ids: Vec<_> = self.snapshot.models_of(provider).map(|model| model.id()).collect();
        let near: Vec<_> = nearest(form.text, ids, NEAR).into_iter().map(str::to_owned).collect();
        let warning = format!(
            "{provider} has no model {} that is known here, it is tried as it is{}",
            shown(form.text),
            meant(&near)
        );
        Ok(Resolved { model: Arc::new(model), thinking: form.level, warnings: vec![warning] })
    }

    fn not_found(&self, pattern: &str) -> ResolveError {
        if let Some((base, level)) = pattern.rsplit_once(':')
            && !base.is_empty()
            && !self.all_exact(base).is_empty()
        {
            return ResolveError::UnknownLevel { level: level.to_owned() };
        }
        let last = pattern.rsplit('/').next().unwrap_or(pattern);
        let names: Vec<_> = self.snapshot.models().map(|model| (model.id(), model.provider())).collect();
        // Ids are compared without their maker's name, which few people type.
        let short = |id: &'s str| id.rsplit('/').next().unwrap_or(id);
        let near = nearest(last, names.iter().map(|(id, _)| short(id)), NEAR);
        let full = |near: &&str| {
            let whole = names.iter().find(|(id, _)| id == near);
            let (id, provider) = whole.or_else(|| names.iter().find(|(id, _)| short(id) == *near))?;
            Some(format!("{provider}/{id}"))
        };
        ResolveError::NotFound { pattern: pattern.to_owned(), near: near.iter().filter_map(full).collect() }
    }

    fn unknown_provider(&self, name: &str) -> ResolveError {
        let near = nearest(name, self.snapshot.ids(), NEAR).into_iter().map(str::to_owned).collect();
        ResolveError::UnknownProvider { name: name.to_owned(), near }
    }
}

impl Form<'_> {
    fn resolved(&self, model: Arc<Model>) -> Resolved {
        let mut warnings = Vec::new();
        if self.is_cut && self.level.is_none() {
            warnings.push("no thinking level follows the colon, the default is used".to_owned());
        }
        Resolved { model, thinking: self.level, warnings }
    }
}

/// The text as it is, and without its `:level` if it has one.
fn forms(text: &str) -> Vec<Form<'_>> {
    let mut forms = vec![Form { text, level: None, is_cut: false }];
    if let Some((base, level)) = text.rsplit_once(':')
        && !base.is_empty()
    {
        match level.parse() {
            Ok(level) => forms.push(Form { text: base, level: Some(level), is_cut: true }),
            Err(_) if level.is_empty() => forms.push(Form { text: base, level: None, is_cut: true }),
            Err(_) => {}
        }
    }
    forms
}

/// `text` without `provider/` in front of it.
fn without_prefix<'t>(text: &'t str, provider: &str) -> &'t str {
    match text.split_once('/') {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(provider) && !rest.is_empty() => rest,
        _ => text,
    }
}

/// Whether an id ends in `-YYYYMMDD`.
fn is_dated(id: &str) -> bool {
    id.rsplit_once('-')
        .is_some_and(|(_, tail)| tail.len() == 8 && tail.bytes().all(|byte| byte.is_ascii_digit()))
}
