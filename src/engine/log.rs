//! One session's side of the store: what of it is on the disk already, and how it heals when the disk failed.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::oneshot;

use super::event::{SessionInfo, Storage};
use super::item::{Failure, Item, ItemId, ItemStatus};
use super::store::format::{Record, Text, VERSION};
use super::store::{Durability, SessionFile, Store};
use super::transcript::Transcript;

/// Unsaved text beyond which a record is written at once, in bytes.
const TEXT_BYTES: usize = 8 << 10;
/// Bytes that wait for the store's queue before they are given up and written anew later.
const BACKLOG_BYTES: usize = 4 << 20;

/// The log of one session.
pub(super) struct Log {
    store: Store,
    file: Option<SessionFile>,
    /// What was said of a failure already, so that it is said once.
    told: bool,
    /// Everything must be written anew before the next record.
    rewrite: bool,
    /// Bytes that the store's queue had no room for.
    backlog: Vec<u8>,
    /// How much of the text of items in progress is in the file.
    saved: BTreeMap<ItemId, usize>,
}

impl Log {
    /// A session that is not on the disk yet.
    pub(super) fn new(store: Store) -> Self {
        Self { store, file: None, told: false, rewrite: true, backlog: Vec::new(), saved: BTreeMap::new() }
    }

    /// A session that was loaded. A torn last line is healed by a line feed.
    pub(super) fn opened(store: Store, file: Option<SessionFile>, torn: bool) -> Self {
        let backlog = if torn { b"\n".to_vec() } else { Vec::new() };
        Self { store, file, told: false, rewrite: false, backlog, saved: BTreeMap::new() }
    }

    /// Where the session is kept, as far as is known.
    pub(super) fn storage(&self) -> Storage {
        let memory = self.store.dir().is_none() || self.told;
        if memory { Storage::Memory } else { Storage::Disk }
    }

    /// Makes sure that there is a file, and that it holds what is in `transcript`. The failure is returned
    /// the first time only.
    pub(super) fn ensure(
        &mut self,
        info: &SessionInfo,
        system: Option<&str>,
        transcript: &Transcript,
    ) -> Result<(), Failure> {
        if self.file.is_none() {
            if self.store.dir().is_none() {
                return self.tell_once(Failure::storage(format!(
                    "this conversation is only kept in memory: {}",
                    self.store.why_memory().unwrap_or("no folder")
                )));
            }
            match self.store.create(&info.session) {
                Ok(file) => self.file = Some(file),
                Err(failure) => return self.tell_once(failure),
            }
        }
        if self.rewrite {
            self.rewrite = false;
            self.backlog.clear();
            self.saved.clear();
            // The line feed ends whatever a failed write left; an empty line is passed over.
            let mut bytes = if self.told { b"\n".to_vec() } else { Vec::new() };
            let header = Record::Session {
                v: VERSION,
                id: info.session.to_string(),
                created_at_ms: info.created_at_ms,
                cwd: info.cwd.clone(),
                system: system.map(str::to_owned),
            };
            bytes.extend(header.line());
            if let Some(title) = info.title.clone() {
                bytes.extend(Record::Title { title }.line());
            }
            bytes.extend(Record::config(info.model.as_deref(), info.thinking, info.permission_mode).line());
            for item in transcript.items() {
                bytes.extend(Record::item(item, Text::Whole).line());
            }
            self.append(bytes, Durability::Written, None);
        }
        Ok(())
    }

    fn tell_once(&mut self, failure: Failure) -> Result<(), Failure> {
        if std::mem::replace(&mut self.told, true) { Ok(()) } else { Err(failure) }
    }

    /// Appends a record.
    pub(super) fn record(&mut self, record: &Record, durability: Durability) {
        self.append(record.line(), durability, None);
    }

    /// Appends a record and tells when it is written.
    pub(super) fn record_and_tell(
        &mut self,
        record: &Record,
        durability: Durability,
    ) -> oneshot::Receiver<io::Result<()>> {
        let (done, finished) = oneshot::channel();
        self.append(record.line(), durability, Some(done));
        finished
    }

    /// A write failed: everything is written anew when the next turn begins.
    pub(super) fn failed(&mut self, error: &io::Error) -> Result<(), Failure> {
        self.rewrite = true;
        self.tell_once(Failure::storage(format!("the conversation could not be saved: {error}")))
    }

    /// A write went well again.
    pub(super) fn worked(&mut self) {
        self.told = false;
    }

    /// Saves the text of an item in progress, when enough of it is not saved or `now` says so.
    pub(super) fn text(&mut self, item: &Item, now: bool) {
        if self.file.is_none() || item.status != ItemStatus::InProgress {
            return;
        }
        let Some(saved) = self.saved.get(&item.id).copied() else {
            self.record(&Record::item(item, Text::Whole), Durability::Written);
            self.saved.insert(item.id, item.text.len());
            return;
        };
        let unsaved = item.text.len().saturating_sub(saved);
        if unsaved >= TEXT_BYTES || (now && unsaved > 0) {
            let s = item.text.get(saved..).unwrap_or_default().to_owned();
            self.record(&Record::Text { id: item.id.0, s }, Durability::Written);
            self.saved.insert(item.id, item.text.len());
        }
    }

    /// An item is whole: its last text and its final state.
    pub(super) fn completed(&mut self, item: &Item, durability: Durability) {
        let text = match self.saved.remove(&item.id) {
            None => Text::Whole,
            Some(saved) => {
                if let Some(rest) = item.text.get(saved..).filter(|rest| !rest.is_empty()) {
                    let s = rest.to_owned();
                    self.record(&Record::Text { id: item.id.0, s }, Durability::Written);
                }
                Text::AlreadyStored
            }
        };
        self.record(&Record::item(item, text), durability);
    }

    /// Resolves when all is on the disk.
    pub(super) async fn settled(&mut self) {
        let Some(file) = self.file.clone() else { return };
        let backlog = std::mem::take(&mut self.backlog);
        if !backlog.is_empty() {
            self.append(backlog, Durability::Flushed, None);
        }
        if let Err(error) = self.store.settled(&file).await {
            tracing::warn!(%error, "the last records of a session could not be saved");
        }
    }

    fn append(
        &mut self,
        bytes: Vec<u8>,
        durability: Durability,
        done: Option<oneshot::Sender<io::Result<()>>>,
    ) {
        let Some(file) = &self.file else {
            if let Some(done) = done {
                // Kept in memory: that was told, and nobody waits for a disk.
                let _ = done.send(Ok(()));
            }
            return;
        };
        let bytes = if self.backlog.is_empty() {
            bytes
        } else {
            let mut all = std::mem::take(&mut self.backlog);
            all.extend(bytes);
            all
        };
        if let Err(bytes) = self.store.append(file, bytes, durability, done) {
            if bytes.len() > BACKLOG_BYTES {
                self.rewrite = true;
            } else {
                self.backlog = bytes;
            }
        }
    }
}
