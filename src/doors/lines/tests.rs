//! The document as a client gets it: the same however the conversation came, readable, and cheap to keep.

mod golden;
mod hostile;
mod load;
mod random;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Conversation, Document, Drawing, Mark, Patch};
use crate::engine::{
    EndedTurn, Ending, EventBody, Field, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, Severity,
    TurnEnd, TurnId,
};
use crate::models::{Origin, Usage};
use crate::tools::{ChangeKind, FileChange, Hunk, HunkDecision, ToolKind};

/// What a client keeps: it does no more than the rules of docs/protocol.md say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Client {
    lines: Vec<String>,
    marks: BTreeMap<String, Mark>,
}

impl Client {
    fn new(drawing: Drawing) -> Self {
        let marks: BTreeMap<_, _> = drawing.marks.into_iter().map(|mark| (mark.id.clone(), mark)).collect();
        Self { lines: drawing.lines, marks }
    }

    fn apply(&mut self, patch: Patch) {
        match patch {
            Patch::Append { line, text, lines } => {
                self.lines[line].push_str(&text);
                let new = lines.len();
                let behind = self.lines.split_off(line + 1);
                self.lines.extend(lines.into_iter().chain(behind));
                for mark in self.marks.values_mut() {
                    mark.from += if mark.from > line { new } else { 0 };
                    mark.to += if mark.to > line { new } else { 0 };
                }
            }
            Patch::Insert { line, lines } => {
                let new = lines.len();
                let behind = self.lines.split_off(line);
                self.lines.extend(lines.into_iter().chain(behind));
                for mark in self.marks.values_mut() {
                    if mark.from >= line {
                        mark.from += new;
                        mark.to += new;
                    } else if mark.to > line {
                        mark.to += new;
                    }
                }
            }
            Patch::Replace { from, to, lines } => {
                assert!(from < to && to <= self.lines.len(), "{from}..{to}");
                let new = lines.len();
                self.lines.splice(from..to, lines);
                self.marks.retain(|_, mark| mark.from < from || mark.to > to);
                for mark in self.marks.values_mut() {
                    let is_partly = mark.from < to && mark.to > from && (mark.from > from || mark.to < to);
                    assert!(!is_partly, "{mark:?} is cut by {from}..{to}");
                    if mark.from >= to {
                        mark.from = mark.from + new - (to - from);
                        mark.to = mark.to + new - (to - from);
                    } else if mark.to >= to {
                        mark.to = mark.to + new - (to - from);
                    }
                }
            }
            Patch::Mark(mark) => {
                assert!(mark.from < mark.to && mark.to <= self.lines.len(), "{mark:?}");
                self.marks.insert(mark.id.clone(), mark);
            }
            Patch::Unmark(id) => assert!(self.marks.remove(&id).is_some(), "{id} is not there"),
        }
    }
}

/// A conversation as the engine would have it, and a client that has it drawn.
struct Play {
    items: Vec<Arc<Item>>,
    turns: Vec<Arc<EndedTurn>>,
    document: Document,
    client: Client,
    /// Those of the last event.
    patches: Vec<Patch>,
}

const FOLDER: &str = "/home/user/project";

fn origin() -> Origin {
    Origin { provider: "demo".into(), wire: "demo".into(), model: "demo".into() }
}

fn text() -> ItemBody {
    ItemBody::Text { origin: origin(), signature: None }
}

fn thinking() -> ItemBody {
    ItemBody::Thinking { origin: origin(), signature: None, redacted: None }
}

fn tool(title: &str) -> ItemBody {
    ItemBody::ToolCall(crate::engine::item::ToolCallItem {
        origin: origin(),
        call_id: "c1".to_owned(),
        name: "shell".to_owned(),
        title: title.to_owned(),
        kind: ToolKind::Execute,
        arguments: String::new(),
        signature: None,
        result: None,
        images: Vec::new(),
    })
}

fn command(line: &str) -> ItemBody {
    let line = line.to_owned();
    ItemBody::Command(crate::engine::item::CommandItem { line, exit_code: None, result: None })
}

fn notice(severity: Severity, hint: Option<&str>) -> ItemBody {
    ItemBody::Notice { severity, hint: hint.map(str::to_owned), for_model: false }
}

fn hunk(id: &str, lines: &[&str]) -> Hunk {
    let count = |signs: [char; 2]| {
        u32::try_from(lines.iter().filter(|line| line.starts_with(signs)).count()).unwrap()
    };
    Hunk {
        id: id.to_owned(),
        old_start: 1,
        old_lines: count([' ', '-']),
        new_start: 1,
        new_lines: count([' ', '+']),
        lines: lines.iter().map(ToString::to_string).collect(),
        decision: HunkDecision::Pending,
        crlf: Vec::new(),
    }
}

fn change(path: &str, kind: ChangeKind, hunks: Vec<Hunk>) -> ItemBody {
    let change =
        FileChange { path: path.into(), old_path: None, kind, hunks, hash_before: None, hash_after: None };
    ItemBody::FileChange(FileChangeItem { tool_call: ItemId(1), change, review: None })
}

impl Play {
    fn new() -> Self {
        let (document, drawing) =
            Document::new(Conversation { folder: FOLDER, items: &[], omitted: 0, turns: &[] });
        let client = Client::new(drawing);
        Self { items: Vec::new(), turns: Vec::new(), document, client, patches: Vec::new() }
    }

    fn tell(&mut self, event: &EventBody) {
        self.patches.clear();
        self.document.apply(event, &mut self.patches);
        for patch in self.patches.clone() {
            self.client.apply(patch);
        }
    }

    /// What a client gets that opens the conversation now.
    fn opened(&self) -> (Document, Drawing) {
        let items: Vec<_> =
            self.items.iter().filter(|item| item.status != ItemStatus::Withdrawn).cloned().collect();
        let conversation = Conversation { folder: FOLDER, items: &items, omitted: 0, turns: &self.turns };
        Document::new(conversation)
    }

    #[track_caller]
    fn check(&self) {
        let opened = Client::new(self.opened().1);
        assert_eq!(self.client, opened, "kept by patches, and drawn anew");
        let marks: BTreeMap<_, _> =
            self.document.marks().into_iter().map(|mark| (mark.id.clone(), mark)).collect();
        assert_eq!(self.client.marks, marks);
        assert_eq!(self.client.lines.len(), self.document.len());
        for line in &self.client.lines {
            assert!(
                !line.contains(|character: char| character.is_control() && character != '\t'),
                "{line:?}"
            );
        }
    }

    fn start(&mut self, body: ItemBody, words: &str, status: ItemStatus) -> ItemId {
        let id = ItemId(self.items.last().map_or(0, |item| item.id.0) + 1);
        let text = words.to_owned();
        let item = Item { id, turn: Some(TurnId(1)), call: 1, status, created_at_ms: 1, text, body };
        let item = Arc::new(item);
        self.items.push(Arc::clone(&item));
        self.tell(&EventBody::ItemStarted(Arc::clone(&item)));
        if status != ItemStatus::InProgress {
            self.tell(&EventBody::ItemCompleted(item));
        }
        id
    }

    fn change(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) -> Arc<Item> {
        let item = self.items.iter_mut().find(|item| item.id == id).unwrap();
        change(Arc::make_mut(item));
        Arc::clone(item)
    }

    fn grow(&mut self, id: ItemId, text: &str) {
        self.change(id, |item| item.text.push_str(text));
        self.tell(&EventBody::Delta { item: id, field: Field::Text, text: text.to_owned() });
    }

    fn complete(&mut self, id: ItemId, status: ItemStatus) {
        let item = self.change(id, |item| item.status = status);
        self.tell(&EventBody::ItemCompleted(item));
    }

    fn update(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) {
        let item = self.change(id, change);
        self.tell(&EventBody::ItemUpdated(item));
    }

    fn withdraw(&mut self, id: ItemId) {
        self.change(id, |item| {
            item.status = ItemStatus::Withdrawn;
            item.forget();
        });
        self.tell(&EventBody::ItemWithdrawn(id));
    }

    fn end(&mut self, ending: Ending) {
        let turn = EndedTurn {
            turn: TurnId(u32::try_from(self.turns.len()).unwrap() + 1),
            ending,
            usage: Usage { input: 1_234, output: 56, cache_read: 1_000, ..Usage::default() },
            cost: Some(0.012_3),
            took_ms: 3_210,
            last_item: self.items.last().map_or(ItemId(0), |item| item.id),
        };
        self.turns.push(Arc::new(turn));
        let turn = Arc::clone(self.turns.last().unwrap());
        self.tell(&EventBody::TurnEnded { turn, end: TurnEnd::EndTurn });
    }
}
