//! From what a person types (`sonnet`, `groq/openai/gpt-oss-120b:high`) to a model.
//!
//! Exact names stand before similar ones, the whole text before a text without its `:level`. A name that
//! several providers have is taken from the only one that can be used, and is an error otherwise: the choice
//! decides who is paid.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::glob::Glob;
use super::{Cost, DEMO, DEMO_SCRIPT, Listed, Model, Provider, Snapshot, ThinkingLevel, glob};
use crate::settings::load::shown;
use crate::settings::nearest::{distance, nearest};

/// Longer than any model's name, in bytes.
const MAX_PATTERN: usize = 512;

/// Names that an error or a warning tells.
const NEAR: usize = 3;

/// Letters that the names of two models of one family begin with, at least.
pub(super) const KIN: usize = 4;

/// Choices that an error names.
const CHOICES: usize = 6;

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

/// What a list of patterns stands for.
#[derive(Clone, Debug, Default)]
pub struct Selected {
    /// The models with the levels that were asked for, not clamped.
    pub models: Vec<(Arc<Model>, Option<ThinkingLevel>)>,
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
    #[error("several providers have the model {}: {}", shown(.id), listed(.choices))]
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

fn listed(choices: &[String]) -> String {
    let told = choices.get(..CHOICES).unwrap_or(choices).join(", ");
    match choices.len().saturating_sub(CHOICES) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
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

    /// The models that a list of patterns stands for, in its order, each once. Beside what [`Snapshot::resolve`]
    /// takes, a pattern may be a glob over `provider/id` or `id`, and a level that does not exist is only warned
    /// of, as is a pattern that nothing fits.
    pub fn select(&self, patterns: &[String], available: impl Fn(&Provider) -> bool) -> Selected {
        let mut selected = Selected::default();
        let mut seen = HashSet::new();
        for pattern in patterns.iter().map(|pattern| pattern.trim()).filter(|pattern| !pattern.is_empty()) {
            let mut is_new = |provider: &str, id: &str| seen.insert((provider.to_owned(), id.to_owned()));
            if glob::is_glob(pattern) && pattern.len() <= MAX_PATTERN {
                let (found, level) = self.globbed(pattern);
                if found.is_empty() {
                    selected.warnings.push(format!("no model fits {}", shown(pattern)));
                }
                let new = found.into_iter().filter(|model| is_new(model.provider(), model.id()));
                selected.models.extend(new.map(|model| (model.build(), level)));
            } else if let Some(resolved) = self.resolve_leniently(pattern, &available, &mut selected.warnings)
                && is_new(&resolved.model.provider, &resolved.model.id)
            {
                selected.models.push((resolved.model, resolved.thinking));
            }
        }
        selected
    }

    /// What a glob describes, and the level that it asks for.
    fn globbed(&self, pattern: &str) -> (Vec<Listed<'_>>, Option<ThinkingLevel>) {
        let forms = forms(pattern);
        // Ids may have brackets of their own.
        for form in &forms {
            let is_it = |model: &Listed<'_>| {
                let id = form.text.strip_prefix(model.provider()).and_then(|rest| rest.strip_prefix('/'));
                [Some(form.text), id].into_iter().flatten().any(|id| model.id().eq_ignore_ascii_case(id))
            };
            if let Some(model) = self.all_models().find(is_it) {
                return (vec![model], form.level);
            }
        }
        let mut name = String::new();
        for form in &forms {
            let glob = Glob::new(form.text);
            let fits = |model: &Listed<'_>| {
                name.clear();
                name.extend([model.provider(), "/", model.id()]);
                glob.matches(&name) || (model.provider() != DEMO && glob.matches(model.id()))
            };
            let found: Vec<_> = self.models().filter(fits).collect();
            if !found.is_empty() {
                return (found, form.level);
            }
        }
        (Vec::new(), None)
    }

    fn resolve_leniently(
        &self,
        pattern: &str,
        available: &impl Fn(&Provider) -> bool,
        warnings: &mut Vec<String>,
    ) -> Option<Resolved> {
        let mut text = pattern;
        loop {
            match self.resolve(text, None, available) {
                Ok(mut resolved) => {
                    warnings.append(&mut resolved.warnings);
                    return Some(resolved);
                }
                Err(ResolveError::UnknownLevel { level }) => {
                    warnings.push(format!(
                        "{} in {} is not a thinking level, the default is used",
                        shown(&level),
                        shown(pattern)
                    ));
                    // The text is shorter each time.
                    text = text.rsplit_once(':').map_or("", |(base, _)| base);
                }
                Err(error) => {
                    warnings.push(error.to_string());
                    return None;
                }
            }
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
            let found = self.exact(provider, without_prefix(form.text, provider));
            if let Some(model) = found.or_else(|| self.exact(provider, form.text)) {
                return Ok(form.resolved(model.build()));
            }
        }
        // Without the level first: it would be looked for as a part of a name.
        for form in forms.iter().rev() {
            let models = self.snapshot.models_of(provider);
            if let Some(model) = self.similar(models, without_prefix(form.text, provider)) {
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
                    [other] if !self.can(&model) => Some(*other),
                    _ => None,
                };
                return Ok(form.resolved(elsewhere.unwrap_or(model).build()));
            }
            match self.only(form.text, &literal) {
                // That a gateway has a model of this name is no reason to leave a provider that can be used.
                Ok(Some(model))
                    if self.can(&model) || !inferred.is_some_and(|(id, _)| (self.available)(id)) =>
                {
                    return Ok(form.resolved(model.build()));
                }
                Ok(_) => {}
                Err(error) if !self.usable(&literal).is_empty() => return Err(error),
                // None of them can be used; one whose name is only similar perhaps can.
                Err(error) => ambiguous = Some(error),
            }
        }
        for form in forms.iter().rev() {
            let within = inferred
                .and_then(|(id, _)| self.similar(self.snapshot.models_of(id), without_prefix(form.text, id)));
            if let Some(model) = within {
                return Ok(form.resolved(model.build()));
            }
            // `demo` is only meant where it is named.
            let real = || self.snapshot.models().filter(|model| model.provider() != DEMO);
            let found = self
                .similar(real().filter(|model| self.can(model)), form.text)
                .or_else(|| if ambiguous.is_none() { self.similar(real(), form.text) } else { None });
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

    /// Whether a prompt could be sent to the model now.
    fn can(&self, model: &Listed<'_>) -> bool {
        self.snapshot.speaks(model) && (self.available)(model.provider())
    }

    /// The model of this provider and id; if need be without regard to case.
    fn exact(&self, provider: &str, id: &str) -> Option<Listed<'s>> {
        let exact = self.snapshot.look_up(provider, id);
        exact.or_else(|| self.snapshot.models_of(provider).find(|model| model.id().eq_ignore_ascii_case(id)))
    }

    /// The models of this id of all providers.
    fn all_exact(&self, id: &str) -> Vec<Listed<'s>> {
        self.snapshot.ids().filter_map(|provider| self.exact(provider, id)).collect()
    }

    fn usable(&self, models: &[Listed<'s>]) -> Vec<Listed<'s>> {
        models.iter().copied().filter(|model| self.can(model)).collect()
    }

    /// The one of several of the same id that is meant.
    fn only(&self, id: &str, models: &[Listed<'s>]) -> Result<Option<Listed<'s>>, ResolveError> {
        let offered: Vec<_> = models.iter().copied().filter(|model| !model.is_retired()).collect();
        let models = if offered.is_empty() { models } else { &offered };
        if let [] | [_] = models {
            return Ok(models.first().copied());
        }
        let usable = self.usable(models);
        if let [model] = usable.as_slice() {
            return Ok(Some(*model));
        }
        // What cannot be used is no choice where something else can.
        let choices = if usable.is_empty() { models } else { &usable };
        let choices = choices.iter().map(|model| format!("{}/{}", model.provider(), model.id())).collect();
        Err(ResolveError::Ambiguous { id: id.to_owned(), choices })
    }

    /// The model whose id or name contains `text`: offered ones before retired ones, where a word begins with
    /// it before where it is inside one, ids without a date before those with one, the preferred provider's
    /// before others, a model before its variants, and then the last in the order of the alphabet, which is the
    /// newest as a rule.
    fn similar(&self, models: impl Iterator<Item = Listed<'s>>, text: &str) -> Option<Listed<'s>> {
        if text.is_empty() {
            return None;
        }
        let places: HashMap<&str, usize> =
            self.snapshot.ids().enumerate().map(|(at, id)| (id, usize::MAX - at)).collect();
        let (mut best, mut alike) = (None, Vec::new());
        for model in models {
            let fit = fit(model.id(), text).max(fit(model.name(), text));
            let rank =
                (!model.is_retired(), fit, !is_dated(model.id()), places.get(model.provider()).copied());
            if fit == Fit::None || best > Some(rank) {
                continue;
            }
            if best < Some(rank) {
                best = Some(rank);
                alike.clear();
            }
            alike.push(model);
        }
        let is_base = |id: &str| !alike.iter().any(|other| is_variant(id, other.id()));
        alike.iter().copied().max_by_key(|model| (is_base(model.id()), model.id()))
    }

    /// A model that the catalog does not know, made after the one of the provider that is called most like it,
    /// else after the provider's default: catalogs lag behind.
    fn synthetic(&self, provider: &str, id: &str) -> Result<Resolved, ResolveError> {
        let forms = forms(id);
        let form = forms.last().copied().unwrap_or(Form { text: id, level: None, is_cut: false });
        let known = self.snapshot.kin(provider, form.text).map(|kin| kin.build());
        // Of a server's own list nothing is known but what the file says of all its models.
        let known = known.or_else(|| self.snapshot.overlay.unlisted(provider, form.text).map(Arc::new));
        let known = known.or_else(|| self.snapshot.default_of(&*self.snapshot.provider(provider)?));
        let is_clean =
            !form.text.is_empty() && !form.text.chars().any(|c| c.is_control() || c.is_whitespace());
        let (Some(known), true) = (known, is_clean && provider != DEMO) else {
            return Err(self.not_found(id));
        };
        let mut model = (*known).clone();
        model.id = form.text.into();
        model.name = form.text.into();
        // Nobody knows what it costs.
        model.cost = Cost::default();
        model.reasoning |= form.level.is_some_and(|level| level != ThinkingLevel::Off);
        let near = self.near(form.text, Some(provider));
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
        ResolveError::NotFound { pattern: pattern.to_owned(), near: self.near(pattern, None) }
    }

    /// The offered models that could have been meant: `provider/id`, or the id alone within one provider. Of
    /// several with the same name one is told, if possible one that can be used.
    fn near(&self, pattern: &str, within: Option<&str>) -> Vec<String> {
        // Ids are compared without their maker's name, which few people type.
        let short = |id: &'s str| id.rsplit('/').next().unwrap_or(id);
        let (prefix, wanted) = match forms(pattern).last().and_then(|form| form.text.rsplit_once('/')) {
            Some((prefix, last)) => (prefix, last),
            None => ("", forms(pattern).last().map_or(pattern, |form| form.text)),
        };
        let models: Vec<_> = self
            .snapshot
            .models()
            .filter(|model| within.is_none_or(|provider| model.provider() == provider))
            .filter(|model| model.provider() != DEMO)
            .collect();
        // Many providers have the same models, some with other capitals.
        let mut near = nearest(wanted, models.iter().map(|model| short(model.id())), usize::MAX);
        let mut seen = HashSet::new();
        near.retain(|name| seen.insert(name.to_ascii_lowercase()));
        near.truncate(NEAR);
        let far = |provider: &str| if prefix.is_empty() { 0 } else { distance(prefix, provider) };
        let best = |name: &&str| {
            let called = models.iter().filter(|model| short(model.id()).eq_ignore_ascii_case(name));
            let model = called.min_by_key(|model| (far(model.provider()), !self.can(model)))?;
            Some(match within {
                Some(_) => model.id().to_owned(),
                None => format!("{}/{}", model.provider(), model.id()),
            })
        };
        near.iter().filter_map(best).collect()
    }

    fn unknown_provider(&self, name: &str) -> ResolveError {
        let mut near = nearest(name, self.snapshot.ids(), NEAR);
        let names: Vec<_> = self.snapshot.providers();
        if near.is_empty() {
            // By what people call them: Gemini, Kimi, ChatGPT.
            let called = nearest(name, names.iter().map(|provider| &*provider.name), NEAR);
            let ids = names.iter().filter(|provider| called.contains(&&*provider.name));
            near = ids.map(|provider| &*provider.id).collect();
        }
        let near = near.into_iter().map(str::to_owned).collect();
        ResolveError::UnknownProvider { name: name.to_owned(), near }
    }
}

impl Snapshot {
    /// The provider's model that is called most like `id`. A provider with several APIs has one for each family
    /// of names.
    fn kin(&self, provider: &str, id: &str) -> Option<Listed<'_>> {
        let models = self.models_of(provider).filter(|model| alike(id, model.id()) >= KIN);
        let has_colon = id.contains(':');
        models.max_by_key(|model| {
            let same_kind = model.id().contains(':') == has_colon;
            (alike(id, model.id()), !model.is_retired(), same_kind, model.id().to_owned())
        })
    }
}

/// How many letters the names of two models of one maker begin with alike. Below [`KIN`] it says nothing.
pub(super) fn alike(id: &str, other: &str) -> usize {
    let split = |id: &'_ str| id.rfind('/').map_or(0, |slash| slash + 1);
    let ((maker, name), (other_maker, other_name)) = (id.split_at(split(id)), other.split_at(split(other)));
    if maker != other_maker {
        return 0;
    }
    name.bytes().zip(other_name.bytes()).take_while(|(one, two)| one.eq_ignore_ascii_case(two)).count()
}

/// How a text is contained in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    None,
    /// Inside a word.
    Inside,
    /// From the beginning of a word.
    Word,
}

/// Case is no matter.
fn fit(name: &str, text: &str) -> Fit {
    let (name, text) = (name.as_bytes(), text.as_bytes());
    let mut best = Fit::None;
    for (at, window) in name.windows(text.len()).enumerate() {
        if window.eq_ignore_ascii_case(text) {
            let before = at.checked_sub(1).and_then(|before| name.get(before));
            if before.is_none_or(|byte| !byte.is_ascii_alphanumeric()) {
                return Fit::Word;
            }
            best = Fit::Inside;
        }
    }
    best
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

/// Whether `id` is `base` and a word more, such as `-fast` or `:free`. A number makes it another model.
fn is_variant(id: &str, base: &str) -> bool {
    let more = id.strip_prefix(base).and_then(|more| more.strip_prefix(['-', ':']));
    more.is_some_and(|more| more.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether an id ends in `-YYYYMMDD`.
fn is_dated(id: &str) -> bool {
    id.rsplit_once('-')
        .is_some_and(|(_, tail)| tail.len() == 8 && tail.bytes().all(|byte| byte.is_ascii_digit()))
}
