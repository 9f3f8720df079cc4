//! The items of one conversation, owned by its session, and the messages that a model is sent of them.
//!
//! An item's text is only appended to while it is in progress, so that a waiting delta can be a range of it.

use std::sync::Arc;

use super::event::EndedTurn;
use super::item::{Item, ItemBody, ItemId, ItemStatus};
use super::running::told;
use crate::models::{Assistant, Block, Content, Message, Usage};

/// The items in order. Item `n` has the index `n - 1`.
#[derive(Default)]
pub(super) struct Transcript {
    items: Vec<Arc<Item>>,
    /// The turns that are over, in order.
    turns: Vec<Arc<EndedTurn>>,
    /// The greatest id in the file, which may be that of an item that only a newer version knows.
    last: u32,
}

impl Transcript {
    /// A transcript read from a file. Items keep their order; their ids are made to match it.
    /// No item will get an id up to `last` again.
    pub(super) fn from_items(items: Vec<Item>, turns: Vec<EndedTurn>, last: ItemId) -> Self {
        Self {
            items: items.into_iter().map(Arc::new).collect(),
            turns: turns.into_iter().map(Arc::new).collect(),
            last: last.0,
        }
    }

    /// What the turns that are over have cost, in US dollars. One that used nothing cost nothing.
    pub(super) fn cost(&self) -> Option<f64> {
        let used = self.turns.iter().filter(|turn| turn.usage != Usage::default());
        used.map(|turn| turn.cost).try_fold(0.0, |sum, cost| Some(sum + cost?))
    }

    /// The turns that are over.
    pub(super) fn turns(&self) -> &[Arc<EndedTurn>] {
        &self.turns
    }

    /// A turn is over: notes it behind the newest item.
    pub(super) fn end_turn(&mut self, mut turn: EndedTurn) -> Arc<EndedTurn> {
        turn.last_item = self.items.last().map_or(ItemId(0), |item| item.id);
        let turn = Arc::new(turn);
        self.turns.push(Arc::clone(&turn));
        turn
    }

    /// The id that the next item gets.
    pub(super) fn next_id(&self) -> ItemId {
        let last = self.items.last().map_or(0, |item| item.id.0).max(self.last);
        ItemId(last.saturating_add(1))
    }

    /// Adds an item, whose id must be `next_id`.
    pub(super) fn push(&mut self, item: Item) -> Arc<Item> {
        let item = Arc::new(item);
        self.items.push(Arc::clone(&item));
        item
    }

    /// All items.
    pub(super) fn items(&self) -> &[Arc<Item>] {
        &self.items
    }

    /// The item of that id.
    pub(super) fn get(&self, id: ItemId) -> Option<&Arc<Item>> {
        // Ids rise by one from the first, but a file may have lost some.
        let guess = self.items.get(id.0 as usize - usize::from(id.0 > 0));
        guess.filter(|item| item.id == id).or_else(|| {
            let index = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
            self.items.get(index)
        })
    }

    /// Changes the item of that id. A copy that an event still holds stays as it was.
    pub(super) fn update(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) -> Option<Arc<Item>> {
        let index = self.items.binary_search_by_key(&id, |item| item.id).ok()?;
        let item = self.items.get_mut(index)?;
        change(Arc::make_mut(item));
        Some(Arc::clone(item))
    }

    /// Like `update`, for an id that may not be known.
    pub(super) fn update_some(&mut self, id: Option<ItemId>, change: impl FnOnce(&mut Item)) {
        if let Some(id) = id {
            self.update(id, change);
        }
    }

    /// The number of the newest model call.
    pub(super) fn last_call(&self) -> u32 {
        self.items.iter().map(|item| item.call).max().unwrap_or(0)
    }

    /// The conversation as a model is sent it: the items of one call become one assistant message, each tool
    /// call is followed by its result, and what was withdrawn or is not whole yet is left out.
    pub(super) fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut open: Option<OpenCall> = None;
        for item in &self.items {
            // What is in progress now is what a request said that broke and is made again.
            if matches!(item.status, ItemStatus::Withdrawn | ItemStatus::InProgress) {
                continue;
            }
            let (origin, block) = match &item.body {
                ItemBody::User { content } => {
                    close(&mut open, &mut messages);
                    messages.push(Message::User(content.clone()));
                    continue;
                }
                ItemBody::Notice { for_model: true, .. } | ItemBody::Command(_) => {
                    let text = match &item.body {
                        ItemBody::Command(command) => told(item, command),
                        _ => item.text.as_str().into(),
                    };
                    let notice = Message::User(vec![Content::Text(text)]);
                    // It may have come while the model spoke, whose message stays one.
                    match &mut open {
                        Some(open) => open.notices.push(notice),
                        None => messages.push(notice),
                    }
                    continue;
                }
                ItemBody::Notice { .. } | ItemBody::FileChange(_) => continue,
                ItemBody::Text { origin, signature } => {
                    (origin, Block::Text { text: item.text.as_str().into(), signature: signature.clone() })
                }
                ItemBody::Thinking { origin, redacted: Some(data), .. } => {
                    (origin, Block::RedactedThinking { data: data.clone() })
                }
                ItemBody::Thinking { origin, signature, redacted: None } => (
                    origin,
                    Block::Thinking { text: item.text.as_str().into(), signature: signature.clone() },
                ),
                ItemBody::ToolCall(call) => (
                    &call.origin,
                    Block::ToolCall {
                        id: call.call_id.clone(),
                        name: call.name.clone(),
                        arguments: call.arguments.clone(),
                        signature: call.signature.clone(),
                    },
                ),
            };
            if open.as_ref().is_some_and(|open| open.call != item.call) {
                close(&mut open, &mut messages);
            }
            let open = open.get_or_insert_with(|| OpenCall {
                call: item.call,
                message: Assistant { origin: origin.clone(), blocks: Vec::new(), complete: true },
                results: Vec::new(),
                notices: Vec::new(),
            });
            open.message.blocks.push(block);
            match (&item.body, item.status) {
                // A tool that was cut off has a result all the same: the call itself was whole.
                (ItemBody::ToolCall(call), status) => {
                    if serde_json::from_str::<serde::de::IgnoredAny>(&call.arguments).is_err() {
                        open.message.complete = false;
                    }
                    let text = Content::Text(match status {
                        ItemStatus::Cancelled => "Cancelled by the person.".into(),
                        _ => call.result.as_deref().unwrap_or(&item.text).into(),
                    });
                    let pictures = call.images.iter().map(|image| Content::Image {
                        mime_type: image.mime_type.as_str().into(),
                        data: image.data.as_str().into(),
                    });
                    open.results.push(Message::ToolResult {
                        call_id: call.call_id.clone(),
                        name: call.name.clone(),
                        content: std::iter::once(text).chain(pictures).collect(),
                        is_error: status != ItemStatus::Completed,
                    });
                }
                (_, ItemStatus::Completed) => {}
                _ => open.message.complete = false,
            }
        }
        close(&mut open, &mut messages);
        messages
    }
}

/// An assistant message that is being put together, and the results that follow it.
struct OpenCall {
    call: u32,
    message: Assistant,
    results: Vec<Message>,
    /// What else it is to know, behind them.
    notices: Vec<Message>,
}

fn close(open: &mut Option<OpenCall>, messages: &mut Vec<Message>) {
    if let Some(call) = open.take() {
        // An answer that was cut off is not sent again, and then its calls have no results either.
        let results = if call.message.complete { call.results } else { Vec::new() };
        messages.push(Message::Assistant(call.message));
        messages.extend(results);
        messages.extend(call.notices);
    }
}

/// The first line of a prompt, at most 80 characters of it.
pub(super) fn title_of(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    })
}
