//! Ids of tool calls, which Mistral wants to be nine letters and digits.

use std::collections::{BTreeMap, BTreeSet};

use crate::models::handoff::fnv;
use crate::models::message::{Block, Message};

const LENGTH: usize = 9;

/// Gives every call and its result an id that is accepted: the same id always becomes the same, and different ones
/// stay different.
pub(super) fn rename(messages: &mut [Message]) {
    let mut names = Names::default();
    // What fits keeps its name, whatever stands before it.
    for_each(messages, &mut |id| {
        if fits(id) {
            names.taken.insert(id.clone());
        }
    });
    for_each(messages, &mut |id| {
        if !fits(id) {
            *id = names.of(id);
        }
    });
}

/// An id made of anything.
pub(super) fn hashed(text: &str) -> String {
    let mut number = fnv(text.as_bytes());
    let mut id = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        id.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
    }
    id
}

fn fits(id: &str) -> bool {
    id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn for_each(messages: &mut [Message], act: &mut dyn FnMut(&mut String)) {
    for message in messages {
        match message {
            Message::Assistant(assistant) => {
                for block in &mut assistant.blocks {
                    if let Block::ToolCall { id, .. } = block {
                        act(id);
                    }
                }
            }
            Message::ToolResult { call_id, .. } => act(call_id),
            Message::User(_) => {}
        }
    }
}

#[derive(Default)]
struct Names {
    known: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Names {
    fn of(&mut self, id: &str) -> String {
        if let Some(name) = self.known.get(id) {
            return name.clone();
        }
        let plain: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
        let mut name = if fits(&plain) { plain } else { hashed(id) };
        let mut tries = 0;
        while !self.taken.insert(name.clone()) {
            tries += 1;
            name = hashed(&format!("{id}:{tries}"));
        }
        self.known.insert(id.to_owned(), name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Assistant, Origin};

    fn said(ids: &[&str]) -> Message {
        let origin = Origin { provider: "p".into(), wire: "w".into(), model: "m".into() };
        let call = |id: &&str| Block::ToolCall {
            id: (*id).to_owned(),
            name: "read".into(),
            arguments: "{}".into(),
            signature: None,
        };
        Message::Assistant(Assistant { origin, blocks: ids.iter().map(call).collect(), complete: true })
    }

    fn renamed(ids: &[&str]) -> Vec<String> {
        let mut messages = vec![said(ids)];
        rename(&mut messages);
        let mut out = Vec::new();
        for_each(&mut messages, &mut |id| out.push(id.clone()));
        out
    }

    #[test]
    fn ids_fit_and_stay_apart() {
        let long = "x".repeat(400);
        let other = format!("{long}y");
        let ids = ["a1B2c3D4e", "call_1", "call_2", "a1B-2c3-D4e", "a-1B2c3D4e", "fc|1+/=", "", &long, &other, "call_1"];
        let renamed = renamed(&ids);
        assert!(renamed.iter().all(|id| fits(id)), "{renamed:?}");
        assert_eq!(renamed[0], "a1B2c3D4e");
        assert_eq!(renamed[1], renamed[9]);
        let different: BTreeSet<_> = renamed.iter().collect();
        assert_eq!(different.len(), ids.len() - 1, "{renamed:?}");
    }

    #[test]
    fn punctuation_is_dropped_where_that_is_enough() {
        assert_eq!(renamed(&["ab-cd-ef-ghi"]), ["abcdefghi"]);
        // The one that has the name keeps it, wherever it stands.
        let names = renamed(&["ab-cd-ef-ghi", "abcdefghi"]);
        assert_eq!(names[1], "abcdefghi");
        assert_ne!(names[0], names[1]);
    }

    #[test]
    fn results_follow_their_calls() {
        let result = Message::ToolResult { call_id: "call_1".into(), name: String::new(), content: vec![], is_error: false };
        let mut messages = vec![said(&["call_1"]), result];
        rename(&mut messages);
        let mut ids = Vec::new();
        for_each(&mut messages, &mut |id| ids.push(id.clone()));
        assert_eq!(ids[0], ids[1]);
    }
}
