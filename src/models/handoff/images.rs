//! How many pictures a request may have. What is too many is replaced by words, the oldest first; a request to a
//! model without such limits is never changed.

use serde_json::Value;

use super::{Content, Message};
use crate::catalog::Model;

const TOO_MANY: &str = "(image omitted: the model takes no more of them in one request)";

/// Takes pictures away until there are no more than `inputLimits` of the model's data allow, in a message and in all.
pub(super) fn limit(messages: &mut [Message], model: &Model) {
    let limits = model.compat.get("inputLimits").and_then(|limits| limits.get("images"));
    let most = |name: &str| {
        let most = limits.and_then(|limits| limits.get(name)).and_then(Value::as_u64);
        most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    };
    let (in_one, in_all) = (most("maxPerMessage"), most("maxPerRequest"));
    if in_one.is_none() && in_all.is_none() {
        return;
    }
    let mut left = in_all.unwrap_or(usize::MAX);
    // What was said last is what is asked about.
    for message in messages.iter_mut().rev() {
        let (Message::User(content) | Message::ToolResult { content, .. }) = message else { continue };
        let mut here = in_one.unwrap_or(usize::MAX).min(left);
        let before = here;
        for piece in content.iter_mut().rev().filter(|piece| matches!(piece, Content::Image { .. })) {
            match here.checked_sub(1) {
                Some(less) => here = less,
                None => *piece = Content::Text(TOO_MANY.into()),
            }
        }
        left -= before - here;
        content
            .dedup_by(|one, other| one == other && matches!(one, Content::Text(text) if &**text == TOO_MANY));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::models::wires::tests::model;

    fn image(name: &str) -> Content {
        Content::Image { mime_type: "image/png".into(), data: name.into() }
    }

    /// The pictures of each message that are left, and `-` for words in their place.
    fn left(limits: &Value) -> Vec<String> {
        let mut model = model("own", "https://own.example");
        model.compat = Arc::new(json!({"inputLimits": {"images": limits}}).as_object().unwrap().clone());
        let text = Content::Text("so".into());
        let result = Message::ToolResult {
            call_id: "1".into(),
            name: "read".into(),
            content: vec![image("d"), text.clone(), image("e")],
            is_error: false,
        };
        let mut messages = [
            Message::User(vec![image("a"), image("b"), image("c"), text]),
            result,
            Message::User(vec![image("f")]),
        ];
        limit(&mut messages, &model);
        let shown = |piece: &Content| match piece {
            Content::Image { data, .. } => data.to_string(),
            Content::Text(text) if &**text == TOO_MANY => "-".to_owned(),
            Content::Text(_) => String::new(),
        };
        let content = |message: &Message| match message {
            Message::User(content) | Message::ToolResult { content, .. } => {
                content.iter().map(shown).collect()
            }
            Message::Assistant(_) => String::new(),
        };
        messages.iter().map(content).collect()
    }

    #[test]
    fn the_newest_pictures_stay() {
        assert_eq!(left(&json!({})), ["abc", "de", "f"]);
        assert_eq!(left(&json!({"maxPerRequest": 6, "maxPerMessage": 3})), ["abc", "de", "f"]);
        assert_eq!(left(&json!({"maxPerRequest": 4})), ["-c", "de", "f"]);
        assert_eq!(left(&json!({"maxPerRequest": 2})), ["-", "-e", "f"]);
        assert_eq!(left(&json!({"maxPerMessage": 1})), ["-c", "-e", "f"]);
        assert_eq!(left(&json!({"maxPerMessage": 2, "maxPerRequest": 3})), ["-", "de", "f"]);
        assert_eq!(left(&json!({"maxPerMessage": "1", "maxPerRequest": -1})), ["abc", "de", "f"]);
    }
}
