//! One part of the document: what of it is drawn, and what a change of it changes. A part knows nothing of its
//! neighbours; it ends with an empty line of its own, so that it can come and go by itself.

use std::borrow::Cow;
use std::sync::Arc;

use super::content::{Change, Content};
use super::draw::{self, Frame, Growable};
use super::writer::{Growth, Writer};
use super::{Mark, MarkKind, Patch};
use crate::engine::{EndedTurn, Item, ItemId, ItemStatus};

/// The place of a part: items by their ids, the end of a turn behind its last item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    item: u32,
    /// Zero for an item.
    turn: u32,
}

impl Key {
    pub(super) fn item(item: ItemId) -> Self {
        Self { item: item.0, turn: 0 }
    }
}

/// A mark of a part, counted from its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Own {
    /// What tells it from the part's other marks, in every drawing of it.
    pub(super) tag: usize,
    pub(super) kind: MarkKind,
    pub(super) from: usize,
    pub(super) to: usize,
    /// Empty for the item itself.
    pub(super) name: Cow<'static, str>,
}

/// One part.
#[derive(Debug)]
pub(super) struct Block {
    key: Key,
    /// Lines, with the empty one at the end; zero where nothing is drawn.
    len: usize,
    marks: Vec<Own>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Drawn anew where it changes; a hash of each line.
    Still(Vec<u64>),
    /// Its text grows.
    Growing(Box<Growing>),
}

/// A text that grows, in its frame.
#[derive(Debug)]
struct Growing {
    of: Growable,
    status: ItemStatus,
    writer: Writer,
    content: Content,
    /// Bytes of the text so far, and their hash.
    bytes: usize,
    hash: u64,
    frame: Frame,
}

/// Where a part's changes go to.
pub(super) struct Patches<'p> {
    /// The part's first line.
    start: usize,
    all: &'p mut Vec<Patch>,
}

impl<'p> Patches<'p> {
    pub(super) fn new(start: usize, all: &'p mut Vec<Patch>) -> Self {
        Self { start, all }
    }
}

impl Block {
    /// Draws an item.
    pub(super) fn item(item: &Item, folder: &str) -> (Self, Vec<String>) {
        let key = Key::item(item.id);
        match Growable::of(item) {
            None => Self::still(key, draw::still(item, folder)),
            Some(of) => {
                let (growing, lines) = Growing::new(of, item);
                let marks = growing.marks();
                (Self { key, len: lines.len(), marks, body: Body::Growing(Box::new(growing)) }, lines)
            }
        }
    }

    /// Draws the end of a turn.
    pub(super) fn turn(turn: &EndedTurn) -> (Self, Vec<String>) {
        let key = Key { item: turn.last_item.0, turn: turn.turn.0 };
        Self::still(key, draw::turn(turn))
    }

    /// Says that items are left out.
    pub(super) fn omitted(count: usize) -> (Self, Vec<String>) {
        Self::still(Key { item: 0, turn: 0 }, draw::omitted(count))
    }

    fn still(key: Key, (lines, marks): (Vec<String>, Vec<Own>)) -> (Self, Vec<String>) {
        let hashes = lines.iter().map(|line| hash(START, line.as_bytes())).collect();
        (Self { key, len: lines.len(), marks, body: Body::Still(hashes) }, lines)
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Its lines.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Its marks, where its first line is `start`.
    pub(super) fn marks(&self, start: usize, mut mark: impl FnMut(Mark)) {
        for own in &self.marks {
            mark(self.mark(own, start));
        }
    }

    fn id(&self, tag: usize) -> String {
        match self.key {
            Key { item, turn: 0 } => format!("i{item}.{tag}"),
            Key { turn, .. } => format!("t{turn}.{tag}"),
        }
    }

    fn mark(&self, own: &Own, start: usize) -> Mark {
        let Own { tag, kind, from, to, name } = own;
        let id = self.id(*tag);
        let name = if name.is_empty() { format!("i{}", self.key.item) } else { name.to_string() };
        Mark { id, kind: *kind, from: start + from, to: start + to, name }
    }

    /// More of its text.
    pub(super) fn grow(&mut self, text: &str, patches: &mut Patches<'_>) {
        let Body::Growing(growing) = &mut self.body else { return };
        let growth = growing.write(text);
        self.advance(growth, patches);
    }

    /// It is not to be seen any more.
    pub(super) fn withdraw(&mut self, patches: &mut Patches<'_>) {
        self.replace(0, self.len, Vec::new(), patches);
        self.body = Body::Still(Vec::new());
    }

    /// It changed otherwise than by growing.
    pub(super) fn update(&mut self, item: &Arc<Item>, folder: &str, patches: &mut Patches<'_>) {
        if item.status == ItemStatus::Withdrawn {
            return self.withdraw(patches);
        }
        let growth = match (&mut self.body, Growable::of(item)) {
            (Body::Growing(growing), Some(of)) => growing.rest(item).map(|rest| {
                (growing.of, growing.status) = (of, item.status);
                // The frame may be another now.
                growing.frame.status = None;
                growing.write(rest)
            }),
            _ => None,
        };
        if let Some(growth) = growth {
            return self.advance(growth, patches);
        }
        let (block, lines) = Self::item(item, folder);
        match (&self.body, &block.body) {
            (Body::Still(old), Body::Still(new)) => {
                let changed = changed(old, new);
                // From the end, so that what is before keeps its place.
                for (at, from, to) in changed.into_iter().rev() {
                    let lines = lines.get(from..to).unwrap_or_default().to_vec();
                    self.replace(at.start, at.end, lines, patches);
                }
            }
            _ => self.replace(0, self.len, lines, patches),
        }
        self.body = block.body;
        self.settle(block.marks, patches);
    }

    /// Draws what has been written of a growing text, and its frame as it is now.
    fn advance(&mut self, growth: Growth, patches: &mut Patches<'_>) {
        let Body::Growing(growing) = &mut self.body else { return };
        let had = !growing.content.is_empty();
        if had && growing.is_framed() {
            // Nearly every delta: no more is to be done than to append.
            let (at, changes) = (growing.frame.before.len(), growing.content.grow(growth));
            return self.content(at, changes, patches);
        }
        let (first, changes) = if had {
            (None, growing.content.grow(growth))
        } else {
            (Some(growing.content.fill(growth.lines)), [None, None])
        };
        let frame = growing.frame();
        let old = std::mem::replace(&mut growing.frame, frame.clone());
        let marks = growing.marks();
        let same = old.before.iter().zip(&frame.before).take_while(|(old, new)| old == new).count();
        let heading = frame.before.get(same..).unwrap_or_default();
        match first {
            _ if !frame.is_shown => self.replace(0, self.len, Vec::new(), patches),
            Some(content) if self.len == 0 => {
                let end = std::iter::once(String::new());
                let lines = frame.before.iter().cloned().chain(content);
                self.replace(0, 0, lines.chain(frame.after.iter().cloned()).chain(end).collect(), patches);
            }
            Some(content) => {
                let lines = heading.iter().cloned().chain(content).chain(frame.after.iter().cloned());
                self.replace(same, old.before.len() + old.after.len(), lines.collect(), patches);
            }
            None => {
                // Marks of what stays must not be cut.
                let most = old.before.len().min(frame.before.len()) - same;
                let pairs = old.before.iter().rev().zip(frame.before.iter().rev());
                let end = pairs.take_while(|(old, new)| old == new).count().min(most);
                let heading = heading.get(..heading.len() - end).unwrap_or_default().to_vec();
                self.replace(same, old.before.len() - end, heading, patches);
                self.content(frame.before.len(), changes, patches);
                if old.after != frame.after {
                    // The end of the part is the empty line.
                    let end = self.len.saturating_sub(1);
                    self.replace(end - old.after.len(), end, frame.after, patches);
                }
            }
        }
        self.settle(marks, patches);
    }

    fn content(&mut self, at: usize, changes: [Option<Change>; 2], patches: &mut Patches<'_>) {
        for change in changes.into_iter().flatten() {
            match change {
                Change::Append { line, text, lines } => self.append(at + line, text, lines, patches),
                Change::Replace { from, to, lines } => self.replace(at + from, at + to, lines, patches),
            }
        }
    }

    fn append(&mut self, line: usize, text: String, lines: Vec<String>, patches: &mut Patches<'_>) {
        let new = lines.len();
        self.len += new;
        if new > 0 {
            for mark in &mut self.marks {
                if mark.from > line {
                    mark.from += new;
                }
                if mark.to > line {
                    mark.to += new;
                }
            }
        }
        patches.all.push(Patch::Append { line: patches.start + line, text, lines });
    }

    /// Puts lines in the place of others, and does to the marks what a client does.
    fn replace(&mut self, from: usize, to: usize, lines: Vec<String>, patches: &mut Patches<'_>) {
        if from == to && lines.is_empty() {
            return;
        }
        let new = lines.len();
        let moved = |line: usize| line + new - (to - from);
        if from < to {
            self.marks.retain(|mark| !(from <= mark.from && mark.to <= to));
        }
        for mark in &mut self.marks {
            if mark.from >= to {
                mark.from = moved(mark.from);
                mark.to = moved(mark.to);
            } else if mark.to > from {
                mark.to = moved(mark.to);
            }
        }
        self.len = self.len + new - (to - from);
        let (from, to) = (patches.start + from, patches.start + to);
        patches.all.push(if from == to {
            Patch::Insert { line: from, lines }
        } else {
            Patch::Replace { from, to, lines }
        });
    }

    /// Makes the marks what they are to be.
    fn settle(&mut self, wanted: Vec<Own>, patches: &mut Patches<'_>) {
        for own in &self.marks {
            if !wanted.iter().any(|wanted| wanted.tag == own.tag) {
                patches.all.push(Patch::Unmark(self.id(own.tag)));
            }
        }
        let known = std::mem::replace(&mut self.marks, wanted);
        for own in &self.marks {
            if !known.contains(own) {
                patches.all.push(Patch::Mark(self.mark(own, patches.start)));
            }
        }
    }
}

impl Growing {
    fn new(of: Growable, item: &Item) -> (Self, Vec<String>) {
        let mut growing = Self {
            status: item.status,
            writer: Writer::new(of.style()),
            content: Content::new(of.limit()),
            bytes: 0,
            hash: START,
            frame: Frame::default(),
            of,
        };
        let growth = growing.write(&item.text);
        let content = growing.content.fill(growth.lines);
        growing.frame = growing.frame();
        let Frame { is_shown, before, after, .. } = &growing.frame;
        if !is_shown {
            return (growing, Vec::new());
        }
        let end = std::iter::once(String::new());
        let lines = before.iter().cloned().chain(content).chain(after.iter().cloned()).chain(end).collect();
        (growing, lines)
    }

    fn write(&mut self, text: &str) -> Growth {
        self.bytes += text.len();
        self.hash = hash(self.hash, text.as_bytes());
        let mut growth = Growth::default();
        self.writer.push(text, &mut growth);
        growth
    }

    /// What an item's text has beyond what is written; `None` where it is another text.
    fn rest<'i>(&self, item: &'i Item) -> Option<&'i str> {
        let written = item.text.as_bytes().get(..self.bytes)?;
        if hash(START, written) == self.hash { item.text.get(self.bytes..) } else { None }
    }

    fn frame(&self) -> Frame {
        let closing = if self.status == ItemStatus::InProgress { None } else { self.writer.closing() };
        self.of.frame(self.status, self.content.is_empty(), closing)
    }

    /// Whether more text cannot change the frame.
    fn is_framed(&self) -> bool {
        self.status == ItemStatus::InProgress && self.frame.status == Some(ItemStatus::InProgress)
    }

    fn marks(&self) -> Vec<Own> {
        self.of.marks(self.status, &self.frame, self.content.shown())
    }
}

/// The runs of lines that differ: where they stand, and the new lines by their range.
fn changed(old: &[u64], new: &[u64]) -> Vec<(std::ops::Range<usize>, usize, usize)> {
    let same = |(old, new): &(&u64, &u64)| old == new;
    if old.len() == new.len() {
        let mut runs: Vec<(std::ops::Range<usize>, usize, usize)> = Vec::new();
        for (index, _) in old.iter().zip(new).enumerate().filter(|(_, pair)| !same(pair)) {
            match runs.last_mut() {
                Some((at, _, to)) if at.end == index => (at.end, *to) = (index + 1, index + 1),
                _ => runs.push((index..index + 1, index, index + 1)),
            }
        }
        return runs;
    }
    let head = old.iter().zip(new).take_while(same).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count().min(most);
    vec![(head..old.len() - tail, head, new.len() - tail)]
}

/// Where a hash begins.
const START: u64 = 0xcbf2_9ce4_8422_2325;

/// Takes bytes into a hash (FNV-1a): it does not matter in which pieces they come.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
