//! Operations that may mean a model server of this machine, while nobody knows yet which there are: they wait for
//! the lists of `models::discovery`, 300 ms at most, and nothing else waits with them. What may mean a model of a
//! server of `models.json` that has not said which it has waits too (`listing.rs`).
//!
//! It must never make anybody wait where a model is there anyway.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::listing::Reason;
use super::{Found, World};
use crate::catalog::LocalKind;
use crate::engine::item::{Failure, cut};
use crate::models::{demo, discovery};

/// What waits, in the order in which it came.
pub(super) struct Waiting<T> {
    things: VecDeque<(T, Option<CancellationToken>)>,
    listed: Option<BoxFuture<'static, ()>>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { things: VecDeque::new(), listed: None }
    }
}

/// What goes on.
pub(super) enum Ready<T> {
    /// The lists are in, or have taken too long.
    All(VecDeque<T>),
    /// It was cancelled while it waited.
    Cancelled(T),
}

impl<T> Waiting<T> {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.things.is_empty()
    }

    /// Waits behind whatever waits already. `cancel` ends its wait.
    pub(super) fn push(&mut self, world: &Arc<World>, thing: T, cancel: Option<CancellationToken>) {
        self.listed.get_or_insert_with(|| {
            let lists = world.lists();
            let local = world.backends.discovery().listed(&world.settings, &world.system);
            async move {
                tokio::join!(lists, local);
            }
            .boxed()
        });
        world.backends.discovery().want(&world.settings, &world.system);
        world.look_at_lists(Reason::Prompt);
        self.things.push_back((thing, cancel));
    }

    /// Everything, at once.
    pub(super) fn take(&mut self) -> VecDeque<T> {
        self.listed = None;
        self.things.drain(..).map(|(thing, _)| thing).collect()
    }

    /// Resolves when something goes on; never where nothing waits. Cancel-safe.
    pub(super) async fn ready(&mut self) -> Ready<T> {
        let Some(listed) = &mut self.listed else { return std::future::pending().await };
        let cancels: Vec<_> = self.things.iter().filter_map(|(_, cancel)| cancel.as_ref()).collect();
        let cancelled = async {
            if cancels.is_empty() {
                return std::future::pending().await;
            }
            futures_util::future::select_all(cancels.iter().map(|cancel| Box::pin(cancel.cancelled()))).await;
        };
        tokio::select! {
            biased;
            () = cancelled => {}
            () = listed => return Ready::All(self.take()),
        }
        let is_cancelled = |(_, cancel): &(T, Option<CancellationToken>)| {
            cancel.as_ref().is_some_and(CancellationToken::is_cancelled)
        };
        let at = self.things.iter().position(is_cancelled);
        match at.and_then(|at| self.things.remove(at)) {
            Some((thing, _)) => {
                if self.things.is_empty() {
                    self.listed = None;
                }
                Ready::Cancelled(thing)
            }
            None => Ready::All(self.take()),
        }
    }
}

impl World {
    /// Begins to look for model servers on this machine, and to ask those of `models.json` for their models, as far as
    /// that was not just done. Never waits.
    pub fn look_around(self: &Arc<Self>) {
        self.backends.discovery().want(&self.settings, &self.system);
        self.look_at_lists(Reason::List);
    }

    /// Does that now, and returns when it is done: within some seconds.
    pub async fn look_closely(&self) -> Vec<discovery::Visit> {
        let looking = self.backends.discovery().look(&self.settings, &self.system);
        tokio::join!(looking, self.ask_for_lists(Reason::List)).0
    }

    /// Whether a server that nobody knows of yet, or that has not said what it has, may be what these names mean, or the default.
    pub(super) fn may_be_local(&self, pattern: Option<&str>, provider: Option<&str>) -> bool {
        if self.may_be_listed(pattern, provider) {
            return true;
        }
        if self.backends.discovery().is_known(&self.settings, &self.system) {
            return false;
        }
        let named = pattern.is_some() || provider.is_some() || self.settings.default_model.is_some();
        match self.find_model(pattern, provider) {
            // The last resort.
            Ok(Found { model, .. }) if !named => &*model.wire == demo::WIRE,
            // It was pulled a moment ago, perhaps.
            Ok(Found { model, .. }) => {
                LocalKind::of_id(&model.provider).is_some()
                    && self.catalog.find(&model.provider, &model.id).is_none()
            }
            Err(_) => true,
        }
    }

    /// The failure of a name that means a server of this machine which is not there.
    pub(super) fn no_local_server(&self, pattern: Option<&str>, provider: Option<&str>) -> Option<Failure> {
        let name = provider.or_else(|| Some(pattern?.split_once('/')?.0))?;
        let kind = LocalKind::of_id(&name.to_ascii_lowercase())?;
        if self.catalog.provider(kind.id()).is_some() {
            return None;
        }
        let places = discovery::places(&self.settings, &self.system);
        let places: Vec<String> =
            places.into_iter().filter(|(of, _)| *of == kind).map(|(_, url)| url).collect();
        let (message, hint) = if places.is_empty() {
            (
                format!("{} is not looked for", kind.name()),
                format!("set localServers.{} in settings.json to the addresses of its server", kind.id()),
            )
        } else {
            (
                format!("no model server of {} was found at {}", kind.name(), cut(&places.join(", "))),
                format!(
                    "start it and load a model, or set localServers.{} in settings.json; `aside doctor` tells what answers",
                    kind.id()
                ),
            )
        };
        Some(Failure { path: Some("/model".to_owned()), ..Failure::not_found(message, Some(&hint)) })
    }
}
