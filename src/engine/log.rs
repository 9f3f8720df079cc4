//! One session's side of the store: what of it is on the disk already, and how it heals when the disk failed.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::oneshot;

use super::event::{SessionInfo, Storage};
use super::item::{Failure, Item, ItemId, ItemStatus};
use super::store::format::{Record, Text, VERSION};
use super::store::{Done, Durability, Part, SessionFile, Store};
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
    /// Bytes that the store's queue had no room for, and who waits for them.
    backlog: Vec<u8>,
    waiting: Vec<Done>,
    /// How much of the text of items in progress is in the file.
    saved: BTreeMap<ItemId, usize>,
}

impl Log {
    /// A session that is not on the disk yet.
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            file: None,
            told: false,
            rewrite: true,
            backlog: Vec::new(),
            waiting: Vec::new(),
            saved: BTreeMap::new(),
        }
    }

    /// A session that was loaded. What could not be written then comes before anything else.
    pub(super) fn opened(store: Store, file: Option<SessionFile>, backlog: Vec<u8>) -> Self {
        Self {
            store,
            file,
            told: false,
            rewrite: false,
            backlog,
            waiting: Vec::new(),
            saved: BTreeMap::new(),
        }
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
            self.rewrite = false;
            match self.store.create(&info.session, &everything(info, system, transcript)) {
                Ok(file) => self.file = Some(file),
                Err(failure) => return self.tell_once(failure),
            }
        }
        self.mend(info, system, transcript)
    }

    /// Writes everything anew where too much was lost for less, and tells, once, of a disk that fails.
    pub(super) fn mend(
        &mut self,
        info: &SessionInfo,
        system: Option<&str>,
        transcript: &Transcript,
    ) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        let trouble = file.trouble();
        if self.rewrite || trouble.lost {
            self.rewrite = false;
            self.backlog.clear();
            self.saved.clear();
            let waiting = std::mem::take(&mut self.waiting);
            self.send(everything(info, system, transcript), Durability::Written, Part::Whole, waiting);
        }
        self.tell_trouble()
    }

    /// Tells, once, of a disk that fails, and tries again what the store's queue had no room for.
    pub(super) fn tell_trouble(&mut self) -> Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        let trouble = file.trouble();
        if !self.backlog.is_empty() {
            self.append(Vec::new(), Durability::Flushed, None);
        }
        if let Some(why) = trouble.failing {
            return self.failed(&why);
        }
        self.told = trouble.lost;
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

    /// A write failed: it is tried again before the next.
    pub(super) fn failed(&mut self, error: &impl std::fmt::Display) -> Result<(), Failure> {
        self.tell_once(Failure::storage(format!("the conversation could not be saved: {error}")))
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

    /// An item was taken back: what is in the file of its text does not count.
    pub(super) fn withdrawn(&mut self, item: &Item) {
        self.saved.remove(&item.id);
        self.record(&Record::item(item, Text::Whole), Durability::Written);
    }

    /// Resolves when all is on the disk and the file can be opened by others.
    pub(super) async fn settled(&mut self) {
        let Some(file) = self.file.take() else { return };
        if let Err(error) = self.store.release(&file, std::mem::take(&mut self.backlog)).await {
            tracing::warn!(%error, "the last records of a session could not be saved");
        }
    }

    fn append(&mut self, bytes: Vec<u8>, durability: Durability, done: Option<Done>) {
        if self.file.is_none() {
            if let Some(done) = done {
                // Kept in memory: that was told, and nobody waits for a disk.
                let _ = done.send(Ok(()));
            }
            return;
        }
        let bytes = if self.backlog.is_empty() {
            bytes
        } else {
            let mut all = std::mem::take(&mut self.backlog);
            all.extend(bytes);
            all
        };
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.extend(done);
        self.send(bytes, durability, Part::More, waiting);
    }

    fn send(&mut self, bytes: Vec<u8>, durability: Durability, part: Part, waiting: Vec<Done>) {
        let Some(file) = &self.file else { return };
        if let Err((bytes, waiting)) = self.store.append(file, bytes, durability, part, waiting) {
            self.waiting = waiting;
            if bytes.len() > BACKLOG_BYTES || part == Part::Whole {
                self.rewrite = true;
            } else {
                self.backlog = bytes;
            }
        }
    }
}

/// A whole session as its file has it.
fn everything(info: &SessionInfo, system: Option<&str>, transcript: &Transcript) -> Vec<u8> {
    let header = Record::Session {
        v: VERSION,
        id: info.session.to_string(),
        created_at_ms: info.created_at_ms,
        cwd: info.cwd.clone(),
        system: system.map(str::to_owned),
    };
    let mut bytes = header.line();
    if info.epoch > 1 {
        bytes.extend(Record::Epoch { n: info.epoch, at_ms: info.updated_at_ms, damaged: 0 }.line());
    }
    if let Some(title) = info.title.clone() {
        bytes.extend(Record::Title { title }.line());
    }
    bytes.extend(Record::config(info).line());
    let mut turns = transcript.turns().iter().peekable();
    for item in transcript.items() {
        while let Some(turn) = turns.next_if(|turn| turn.last_item < item.id) {
            bytes.extend(Record::end(turn, info.updated_at_ms, "").line());
        }
        bytes.extend(Record::item(item, Text::Whole).line());
    }
    for turn in turns {
        bytes.extend(Record::end(turn, info.updated_at_ms, "").line());
    }
    bytes
}
