//! How a session goes on: its model, account, thinking level, permission mode and folders, changed by the client in
//! every state. A change is made whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Prompt;
use super::event::{Answer, EventBody, OutputBody, PermissionMode};
use super::folders::check;
use super::item::Failure;
use super::session::Session;
use super::store::Durability;
use super::store::format::Record;
use super::ticket::Ticket;
use crate::catalog::ThinkingLevel;

/// Changes of how a session goes on.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// A model pattern.
    pub model: Option<String>,
    /// A provider's id, where the pattern names none.
    pub provider: Option<String>,
    pub thinking: Option<ThinkingLevel>,
    pub permission_mode: Option<PermissionMode>,
    /// The label of an account of the model's provider.
    pub account: Option<String>,
    /// All further folders.
    pub folders: Option<Vec<String>>,
}

/// Changes of a session whose folders are looked at.
pub(super) type Checking = JoinSet<(Ticket, Changes, Result<Vec<String>, Failure>)>;

impl Session {
    /// Answers `configureSession`, as soon as folders that it names have been looked at.
    pub(super) fn configure_for(&mut self, ticket: Ticket, changes: Changes) {
        match &changes.folders {
            Some(folders) if !folders.is_empty() => {
                let (system, cwd, folders) = (self.world.system.clone(), self.cwd.clone(), folders.clone());
                self.checking.spawn_blocking(move || {
                    let checked = check(&system, &cwd, &folders);
                    (ticket, changes, checked)
                });
            }
            _ => self.configured(ticket, &changes),
        }
    }

    /// The folders of a change have been looked at.
    pub(super) fn folders_checked(
        &mut self,
        ticket: Ticket,
        changes: Changes,
        checked: Result<Vec<String>, Failure>,
    ) {
        match checked {
            Ok(folders) => self.configured(ticket, &Changes { folders: Some(folders), ..changes }),
            Err(failure) => self.out.send(OutputBody::Answer { ticket, answer: Err(failure) }),
        }
    }

    fn configured(&mut self, ticket: Ticket, changes: &Changes) {
        let answer = self.configure(changes);
        let answer = answer.map(|warnings| Answer::Configured { info: Box::new(self.info()), warnings });
        self.out.send(OutputBody::Answer { ticket, answer });
    }

    /// Applies `changes`, all or none. Returns warnings for the person.
    pub(super) fn configure(&mut self, changes: &Changes) -> Result<Vec<String>, Failure> {
        if let Some(failure) = self.read_only_failure() {
            return Err(failure);
        }
        self.world.may_choose(changes.permission_mode)?;
        let mut warnings = Vec::new();
        let mut thinking = changes.thinking;
        let mut model = self.model.clone();
        if changes.model.is_some() || changes.provider.is_some() {
            let resolved = self.world.find_model(changes.model.as_deref(), changes.provider.as_deref())?;
            thinking = thinking.or(resolved.thinking);
            warnings = resolved.warnings;
            model = Some(resolved.model);
        }
        if let Some(label) = &changes.account {
            let of = match model.take() {
                Some(model) => model,
                None => self.world.find_model(self.stored_model.as_deref(), None)?.model,
            };
            self.account = Some(self.world.account(&of.provider, label)?);
            model = Some(of);
        }
        self.model = model;
        if thinking.is_some() {
            self.thinking = thinking;
        }
        if let Some(mode) = changes.permission_mode {
            self.permission_mode = mode;
        }
        if let Some(folders) = &changes.folders {
            self.folders.clone_from(folders);
            self.workspace = Arc::new(self.workspace.with_roots(roots(&self.cwd, folders)));
        }
        if changes.model.is_some()
            || changes.provider.is_some()
            || thinking.is_some()
            || changes.permission_mode.is_some()
            || changes.account.is_some()
            || changes.folders.is_some()
        {
            let info = self.info();
            let record = Record::config(&info);
            self.log.record(&record, Durability::Written);
            self.out.event(EventBody::SessionChanged(Box::new(info)));
        }
        Ok(warnings)
    }

    /// Makes sure of a model before a turn begins, so that a wrong name is an error of the request.
    pub(super) fn prepare(&mut self, prompt: &Prompt) -> Result<Vec<String>, Failure> {
        let changes = Changes {
            model: prompt.model.clone(),
            provider: prompt.provider.clone(),
            thinking: prompt.thinking,
            permission_mode: None,
            account: prompt.account.clone(),
            folders: None,
        };
        let warnings = self.configure(&changes)?;
        if self.model.is_none() {
            let stored = self.stored_model.clone();
            let resolved = self.world.find_model(stored.as_deref(), None)?;
            self.model = Some(resolved.model);
        }
        Ok(warnings)
    }
}

/// All folders of a session, the working folder first.
pub(super) fn roots(cwd: &str, folders: &[String]) -> Vec<PathBuf> {
    std::iter::once(cwd).chain(folders.iter().map(String::as_str)).map(Into::into).collect()
}
