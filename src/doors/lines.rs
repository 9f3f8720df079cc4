//! A conversation drawn as a Markdown document, and kept so by patches: for editors that show lines.
//!
//! The document is a function of the conversation as it stands, so it is the same however the conversation was
//! streamed, merged or loaded. What is kept is how many lines each part has, not the lines: those are the client's.
//! Nothing here knows a protocol, does input or output, or looks at more of the document than what changes.
//! `lines/block.rs` is one part of it, `lines/draw.rs` says how each kind of item looks, `lines/writer.rs` how
//! text becomes lines.

mod block;
mod content;
mod draw;
mod fences;
mod tree;
mod words;
mod writer;

use std::sync::Arc;

use crate::engine::{EndedTurn, EventBody, Field, Item, ItemId, ItemStatus};
use block::{Block, Key};
use tree::Sums;

/// One change of the document. Lines are counted from zero, before the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// At the end of a line, and new lines behind it. Marks with that line inside grow.
    Append { line: usize, text: String, lines: Vec<String> },
    /// New lines before a line. Marks grow that have lines on both sides.
    Insert { line: usize, lines: Vec<String> },
    /// Other lines in the place of some. Marks are gone that have no other line.
    Replace { from: usize, to: usize, lines: Vec<String> },
    /// A mark that is new or has moved.
    Mark(Mark),
    /// A mark that is gone.
    Unmark(String),
}

/// A named extent of the document: the lines from `from` up to `to`, without that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Stable.
    pub id: String,
    pub kind: MarkKind,
    pub from: usize,
    pub to: usize,
    /// The highlight group, what is folded, or the item.
    pub name: String,
}

/// What a mark is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    Fold,
    Highlight,
    Item,
}

/// A whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    pub lines: Vec<String>,
    pub marks: Vec<Mark>,
}

/// What is known of a document that a client has.
#[derive(Debug, Default)]
pub struct Document {
    /// The folder that the conversation is about: paths in it are shortened.
    folder: String,
    /// In the order of their keys.
    blocks: Vec<Block>,
    lines: Sums,
}

/// A conversation as it stands.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'c> {
    pub folder: &'c str,
    /// By rising ids.
    pub items: &'c [Arc<Item>],
    /// Items before the first of these.
    pub omitted: usize,
    /// By rising last items.
    pub turns: &'c [Arc<EndedTurn>],
}

impl Document {
    /// Draws all of a conversation.
    pub fn new(conversation: Conversation<'_>) -> (Self, Drawing) {
        let Conversation { folder, items, omitted, turns } = conversation;
        let mut drawn = Vec::with_capacity(items.len() + turns.len() + 1);
        if omitted > 0 {
            drawn.push(Block::omitted(omitted));
        }
        // What ended before the first item is left out with its items.
        let first =
            if omitted > 0 { items.first().map_or(ItemId(u32::MAX), |item| item.id) } else { ItemId(0) };
        let mut ends = turns.iter().skip_while(|turn| turn.last_item < first).peekable();
        for item in items.iter().filter(|item| item.status != ItemStatus::Withdrawn) {
            while let Some(turn) = ends.next_if(|turn| turn.last_item < item.id) {
                drawn.push(Block::turn(turn));
            }
            drawn.push(Block::item(item, folder));
        }
        drawn.extend(ends.map(|turn| Block::turn(turn)));
        let mut drawing = Drawing::default();
        let mut blocks = Vec::with_capacity(drawn.len());
        for (block, lines) in drawn {
            block.marks(drawing.lines.len(), |mark| drawing.marks.push(mark));
            drawing.lines.extend(lines);
            blocks.push(block);
        }
        let lines = Sums::of(blocks.iter().map(Block::len));
        (Self { folder: folder.to_owned(), blocks, lines }, drawing)
    }

    /// Takes in what happened, and adds what that changes to `patches`: nothing for most events.
    pub fn apply(&mut self, event: &EventBody, patches: &mut Vec<Patch>) {
        match event {
            EventBody::Delta { item, field: Field::Text, text } => {
                self.change(*item, patches, |block, patches| block.grow(text, patches));
            }
            EventBody::ItemStarted(item) => {
                if self.find(Key::item(item.id)).is_err() {
                    self.insert(Block::item(item, &self.folder), patches);
                }
            }
            EventBody::ItemUpdated(item) | EventBody::ItemCompleted(item) => {
                let folder = std::mem::take(&mut self.folder);
                self.change(item.id, patches, |block, patches| block.update(item, &folder, patches));
                self.folder = folder;
            }
            EventBody::ItemWithdrawn(item) => self.change(*item, patches, Block::withdraw),
            EventBody::TurnEnded { turn, .. } => self.insert(Block::turn(turn), patches),
            EventBody::Delta { field: Field::Arguments, .. }
            | EventBody::TurnStarted { .. }
            | EventBody::QuestionAsked(_)
            | EventBody::QuestionResolved { .. }
            | EventBody::UsageChanged { .. }
            | EventBody::Retry { .. }
            | EventBody::Stalled { .. }
            | EventBody::StateChanged(_)
            | EventBody::SessionChanged(_)
            | EventBody::QueueChanged(_) => {}
        }
    }

    /// Lines of the document.
    pub fn len(&self) -> usize {
        self.lines.before(self.blocks.len())
    }

    /// Whether nothing is drawn.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All marks as they stand.
    pub fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut line = 0;
        for block in &self.blocks {
            block.marks(line, |mark| marks.push(mark));
            line += block.len();
        }
        marks
    }

    fn find(&self, key: Key) -> Result<usize, usize> {
        // What changes is nearly always at the end.
        match self.blocks.last() {
            Some(last) if last.key() == key => Ok(self.blocks.len() - 1),
            Some(last) if last.key() < key => Err(self.blocks.len()),
            _ => self.blocks.binary_search_by_key(&key, Block::key),
        }
    }

    fn change(
        &mut self,
        item: ItemId,
        patches: &mut Vec<Patch>,
        change: impl FnOnce(&mut Block, &mut block::Patches<'_>),
    ) {
        // An item that is not known is one that was left out, or was taken back.
        let Ok(index) = self.find(Key::item(item)) else { return };
        let start = self.lines.before(index);
        let Some(block) = self.blocks.get_mut(index) else { return };
        let before = block.len();
        change(block, &mut block::Patches::new(start, patches));
        let after = block.len();
        if before != after {
            self.lines.change(index, before, after);
        }
    }

    fn insert(&mut self, (block, lines): (Block, Vec<String>), patches: &mut Vec<Patch>) {
        // What stands there already is not drawn a second time.
        let Err(index) = self.find(block.key()) else { return };
        let line = self.lines.before(index);
        if !lines.is_empty() {
            patches.push(Patch::Insert { line, lines });
            block.marks(line, |mark| patches.push(Patch::Mark(mark)));
        }
        if index == self.blocks.len() {
            self.lines.push(block.len());
            self.blocks.push(block);
        } else {
            self.blocks.insert(index, block);
            self.lines = Sums::of(self.blocks.iter().map(Block::len));
        }
    }
}

#[cfg(test)]
mod tests;
