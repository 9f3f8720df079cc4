//! Servers of `models.json` that are asked for their models: in the background, when somebody asks for a list or names
//! one of their models, and never at start.
//!
//! Nobody waits for it but a prompt that means such a model, and that for three seconds at most. What was answered
//! holds for the process, what failed for half a minute. A command that prints a key is run for a prompt or a refresh,
//! never for a list.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::World;
use crate::catalog::{LiveList, Model};
use crate::models::discovery::live::Asked;
use crate::models::{Fault, demo};

/// How long a prompt waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a failure holds, and a list in which a name was looked for in vain.
const FRESH: Duration = Duration::from_secs(30);

/// Why a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// Somebody wants a list.
    List,
    /// Somebody means one of its models.
    Prompt,
    /// Somebody wants everything anew.
    Refresh,
}

/// When each server was asked last, and the asking that goes on. One for a process.
#[derive(Default)]
pub(super) struct Listing {
    /// A leaf: who wants to know, for the strongest reason of all that wait.
    wanted: Mutex<Option<(Arc<World>, Reason)>>,
    wants: Notify,
    standing: watch::Sender<BTreeMap<Arc<str>, Standing>>,
}

/// How it stands with one server.
#[derive(Clone, Debug, PartialEq)]
struct Standing {
    /// Where it was asked, and for which API.
    place: (Arc<str>, Arc<str>),
    /// When the answer came.
    at: Instant,
    is_listed: bool,
}

impl Listing {
    /// Asks whenever somebody wants to know. Never ends; whoever drives it may stop at any moment.
    pub(super) async fn serve(&self) -> Infallible {
        loop {
            self.wants.notified().await;
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((world, reason)) = wanted {
                self.ask(&world, reason).await;
            }
        }
    }

    fn want(&self, world: &Arc<World>, reason: Reason) {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = wanted.as_ref().map_or(reason, |(_, other)| reason.max(*other));
        *wanted = Some((Arc::clone(world), reason));
        self.wants.notify_one();
    }

    /// Asks every server that is to be asked for this reason, and tells the catalog.
    async fn ask(&self, world: &World, reason: Reason) {
        let asking = world
            .catalog
            .snapshot()
            .live()
            .filter(|it| self.is_due(world, it, reason))
            .cloned()
            .collect::<Vec<_>>();
        join_all(asking.into_iter().map(|template| async move {
            let answer = world.asked(&template).await;
            let is_listed = answer.is_ok();
            let Model { provider, base_url, wire, .. } = &*template;
            world.catalog.local().set_list(
                provider,
                LiveList {
                    base_url: Arc::clone(base_url),
                    wire: Arc::clone(wire),
                    answer: answer.map_err(|fault| fault.message),
                },
            );
            let place = (Arc::clone(base_url), Arc::clone(wire));
            let standing = Standing { place, at: Instant::now(), is_listed };
            self.standing.send_modify(|all| drop(all.insert(Arc::clone(provider), standing)));
        }))
        .await;
    }

    /// Whether this server is asked, or asked again, for this reason.
    fn is_due(&self, world: &World, template: &Model, reason: Reason) -> bool {
        if reason == Reason::List && world.runs_command(template) {
            return false;
        }
        match self.standing(template) {
            None => true,
            Some(standing) => match reason {
                Reason::Refresh => true,
                Reason::List => !standing.is_listed && standing.at.elapsed() >= FRESH,
                Reason::Prompt => standing.at.elapsed() >= FRESH,
            },
        }
    }

    fn standing(&self, template: &Model) -> Option<Standing> {
        let standing = self.standing.borrow().get(&template.provider).cloned();
        standing.filter(|it| it.place == (Arc::clone(&template.base_url), Arc::clone(&template.wire)))
    }
}

impl World {
    /// Begins to ask servers of `models.json` for their models, as far as that was not done. Never waits.
    pub(super) fn look_at_lists(self: &Arc<Self>, reason: Reason) {
        if self.catalog.snapshot().live().any(|template| self.listing.is_due(self, template, reason)) {
            self.listing.want(self, reason);
        }
    }

    /// Asks them now, for a person who waits, and returns when it is done: within some seconds.
    pub(super) async fn ask_for_lists(&self, reason: Reason) {
        self.listing.ask(self, reason).await;
    }

    /// Resolves when the servers that were just asked have answered, or after three seconds.
    pub(super) fn lists(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut standing = self.listing.standing.subscribe();
        let due: Vec<Arc<Model>> = {
            let snapshot = self.catalog.snapshot();
            snapshot.live().filter(|it| self.listing.is_due(self, it, Reason::Prompt)).cloned().collect()
        };
        let since = Instant::now();
        async move {
            let are_in = |all: &BTreeMap<Arc<str>, Standing>| {
                due.iter().all(|template| all.get(&template.provider).is_some_and(|it| it.at >= since))
            };
            // Whoever waits goes on with what there is.
            let _ = tokio::time::timeout_at(since + PATIENCE, standing.wait_for(are_in)).await;
        }
    }

    /// Whether a server that was not asked, or not lately, may have what these names mean, or the default.
    pub(super) fn may_be_listed(&self, pattern: Option<&str>, provider: Option<&str>) -> bool {
        let snapshot = self.catalog.snapshot();
        let mut due = snapshot.live().filter(|it| self.listing.is_due(self, it, Reason::Prompt)).peekable();
        if due.peek().is_none() {
            return false;
        }
        let named = pattern.is_some() || provider.is_some() || self.settings.default_model.is_some();
        match self.find_model(pattern, provider) {
            // The last resort.
            Ok(found) if !named => &*found.model.wire == demo::WIRE,
            // It is not in the list, or there is none yet.
            Ok(found) => {
                due.any(|template| template.provider == found.model.provider)
                    && snapshot.find(&found.model.provider, &found.model.id).is_none()
            }
            Err(_) => true,
        }
    }

    fn runs_command(&self, template: &Model) -> bool {
        let provider = self.catalog.provider(&template.provider);
        provider.is_some_and(|provider| self.accounts.runs_command(&provider))
            || template.headers.iter().any(|(_, value)| value.starts_with('!'))
    }

    /// Asks one server, with the provider's own key and headers.
    async fn asked(&self, template: &Arc<Model>) -> Result<crate::catalog::LiveModels, Fault> {
        let failed = |error: crate::accounts::AccountError| {
            let fault = Fault::new(crate::models::Category::Authentication, error.message);
            Fault { hint: Some(error.hint), ..fault }
        };
        let provider = self.catalog.provider(&template.provider);
        let provider = provider.ok_or_else(|| {
            Fault::new(crate::models::Category::NotFound, format!("no provider {}", template.provider))
        })?;
        let credential = self.accounts.resolve(&provider, None).await.map_err(failed)?;
        let headers = self.accounts.resolve_headers(&provider, &template.headers).await.map_err(failed)?;
        let base_url = self.accounts.expand(&provider, &template.base_url).map_err(failed)?;
        let asked = Asked {
            template: Arc::new(Model { base_url: base_url.into(), ..(**template).clone() }),
            credential,
            headers,
            settings: Arc::clone(&self.settings),
            system: self.accounts.system_for(&provider),
        };
        self.backends.list(&asked).await
    }
}
