//! The records of a session file: JSON, one a line, only ever appended.
//!
//! This is the stored format, versioned by itself: `v` in the first record rises when an older program could
//! no longer read the file. Records of a kind that is not known are kept and passed over.

use serde::{Deserialize, Serialize};

use crate::engine::event::{EndedTurn, Ending, PermissionMode, SessionInfo};
use crate::engine::item::{
    CommandItem, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, Review, Severity, ToolCallItem, TurnId,
};
use crate::models::{Content, Origin, Usage};
use crate::tools::{ChangeKind, FileChange, Hunk, HunkDecision, Image, ToolKind};

/// The newest format that this program writes.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Record {
    /// The first record.
    Session {
        v: u32,
        id: String,
        created_at_ms: u64,
        cwd: String,
        #[serde(default)]
        system: Option<String>,
    },
    /// The file was loaded to be written: sequence numbers begin anew. `damaged` lines stood before it, and
    /// the person was told of them.
    Epoch {
        n: u64,
        at_ms: u64,
        #[serde(default)]
        damaged: usize,
    },
    /// How the session goes on.
    Config {
        model: Option<String>,
        thinking: Option<String>,
        mode: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<StoredAccount>,
        /// Further folders.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        folders: Vec<String>,
    },
    /// The session's title: the first words of its first prompt, or what the person called it.
    Title { title: String },
    /// All that waits for the model, in order: it stands for every such record before it.
    Queue { contents: Vec<Vec<StoredContent>> },
    /// A turn began.
    Turn {
        id: u32,
        at_ms: u64,
        #[serde(default)]
        idempotency: Option<String>,
    },
    /// An item, new or in its newest state. `text: None` keeps what the `text` records added up to.
    Item { item: StoredItem },
    /// More of an item's text.
    Text { id: u32, s: String },
    /// A turn ended.
    End {
        turn: u32,
        at_ms: u64,
        stop: String,
        #[serde(default)]
        error: Option<StoredFailure>,
        usage: StoredUsage,
        /// US dollars, where the price was known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost: Option<f64>,
        #[serde(default)]
        took_ms: u64,
    },
    /// Of a newer version.
    #[serde(other)]
    Unknown,
}

/// An item in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredItem {
    id: u32,
    turn: Option<u32>,
    #[serde(default)]
    call: u32,
    status: String,
    at_ms: u64,
    text: Option<String>,
    body: StoredBody,
}

/// What an item is, in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum StoredBody {
    User {
        content: Vec<StoredContent>,
    },
    Text {
        origin: StoredOrigin,
        #[serde(default)]
        signature: Option<String>,
    },
    Thinking {
        origin: StoredOrigin,
        #[serde(default)]
        signature: Option<String>,
        #[serde(default)]
        redacted: Option<String>,
    },
    ToolCall {
        origin: StoredOrigin,
        call_id: String,
        name: String,
        title: String,
        kind: String,
        arguments: String,
        #[serde(default)]
        signature: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        images: Vec<StoredImage>,
    },
    Notice {
        severity: String,
        #[serde(default)]
        hint: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_model: bool,
    },
    Command {
        line: String,
        #[serde(default)]
        exit_code: Option<i32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
    },
    FileChange {
        tool_call: u32,
        path: String,
        #[serde(default)]
        old_path: Option<String>,
        kind: String,
        hunks: Vec<StoredHunk>,
        #[serde(default)]
        hash_before: Option<String>,
        #[serde(default)]
        hash_after: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<StoredReview>,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StoredContent {
    Text {
        text: String,
    },
    Image {
        mime_type: String,
        data: String,
    },
    #[serde(other)]
    Unknown,
}

/// A run of changed lines.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredHunk {
    id: String,
    /// First line and number of lines, before and after.
    old: (u32, u32),
    new: (u32, u32),
    lines: Vec<String>,
    /// From which index to which lines end with a carriage return and a line feed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    crlf: Vec<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
}

/// A decision on hunks that is being carried out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredReview {
    /// Ids of hunks, and whether they are kept.
    hunks: Vec<(String, bool)>,
    #[serde(default)]
    hash_before: Option<String>,
    #[serde(default)]
    hash_after: Option<String>,
}

/// A picture in a tool's result.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredImage {
    mime_type: String,
    data: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredOrigin {
    provider: String,
    wire: String,
    model: String,
}

/// Why a turn failed, in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFailure {
    /// [`FailureKind::name`](crate::engine::item::FailureKind::name). The first files have other words.
    kind: String,
    message: String,
    #[serde(default)]
    hint: Option<String>,
}

/// Token counts, in the file.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StoredUsage {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
}

impl Record {
    /// The record as a line.
    pub fn line(&self) -> Vec<u8> {
        // Only a map with keys that are no strings could fail, and there is none.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// An item's state. `text` is left out where `text` records hold it already.
    pub fn item(item: &Item, text: Text) -> Self {
        Self::Item {
            item: StoredItem {
                id: item.id.0,
                turn: item.turn.map(|turn| turn.0),
                call: item.call,
                status: status_name(item.status).to_owned(),
                at_ms: item.created_at_ms,
                text: match text {
                    Text::Whole => Some(item.text.clone()),
                    Text::AlreadyStored => None,
                },
                body: store_body(&item.body),
            },
        }
    }

    /// What waits for the model.
    pub fn queue<'c>(contents: impl Iterator<Item = &'c Vec<Content>>) -> Self {
        Self::Queue { contents: contents.map(|content| store_content(content)).collect() }
    }

    /// The end of a turn. `kind` is [`FailureKind::name`](crate::engine::item::FailureKind::name) of a failure.
    pub fn end(turn: &EndedTurn, at_ms: u64, kind: &str) -> Self {
        let (stop, error) = match &turn.ending {
            Ending::Done => ("endTurn", None),
            Ending::MaxTokens => ("maxTokens", None),
            Ending::Refusal => ("refusal", None),
            Ending::Cancelled => ("cancelled", None),
            Ending::Interrupted => ("interrupted", None),
            Ending::Failed { message, hint } => {
                let (message, hint) = (message.clone(), hint.clone());
                ("error", Some(StoredFailure { kind: kind.to_owned(), message, hint }))
            }
        };
        let usage = StoredUsage {
            input: turn.usage.input,
            output: turn.usage.output,
            cache_read: turn.usage.cache_read,
            cache_write: turn.usage.cache_write,
            reasoning: turn.usage.reasoning,
        };
        let (cost, took_ms) = (turn.cost, turn.took_ms);
        Self::End { turn: turn.turn.0, at_ms, stop: stop.to_owned(), error, usage, cost, took_ms }
    }

    /// How the session goes on.
    pub fn config(info: &SessionInfo) -> Self {
        Self::Config {
            model: info.model.clone(),
            thinking: info.thinking.map(|level| level.to_string()),
            mode: mode_name(info.permission_mode).to_owned(),
            account: info.account.as_ref().map(|account| StoredAccount {
                provider: account.provider.to_string(),
                label: account.label.to_string(),
            }),
            folders: info.folders.clone(),
        }
    }
}

/// An account that was chosen, without any secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredAccount {
    pub provider: String,
    pub label: String,
}

/// Whether an item's record repeats its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Whole,
    AlreadyStored,
}

impl StoredItem {
    /// The item, with `text` as what `text` records added up to. `None` for a kind that is not known.
    pub fn into_item(self, text: String) -> Option<Item> {
        Some(Item {
            id: ItemId(self.id),
            turn: self.turn.map(TurnId),
            call: self.call,
            status: match self.status.as_str() {
                "completed" => ItemStatus::Completed,
                "failed" => ItemStatus::Failed,
                "cancelled" => ItemStatus::Cancelled,
                "withdrawn" => ItemStatus::Withdrawn,
                _ => ItemStatus::InProgress,
            },
            created_at_ms: self.at_ms,
            text: self.text.unwrap_or(text),
            body: load_body(self.body)?,
        })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.id
    }
}

/// How a turn ended, from the file.
pub fn ending_of(stop: &str, error: Option<StoredFailure>) -> Ending {
    match (stop, error) {
        ("maxTokens", _) => Ending::MaxTokens,
        ("refusal", _) => Ending::Refusal,
        ("cancelled", _) => Ending::Cancelled,
        ("interrupted", _) => Ending::Interrupted,
        (_, Some(StoredFailure { message, hint, .. })) => Ending::Failed { message, hint },
        (_, None) => Ending::Done,
    }
}

impl From<StoredUsage> for Usage {
    fn from(stored: StoredUsage) -> Self {
        Self {
            input: stored.input,
            output: stored.output,
            cache_read: stored.cache_read,
            cache_write: stored.cache_write,
            reasoning: stored.reasoning,
            provider_cost: None,
        }
    }
}

/// A permission mode's name, in the file and on every wire.
pub fn mode_name(mode: PermissionMode) -> &'static str {
    match mode {
        PermissionMode::Plan => "plan",
        PermissionMode::Ask => "ask",
        PermissionMode::AcceptEdits => "acceptEdits",
        PermissionMode::Full => "full",
    }
}

/// The mode of that name; the default where it is not known, which is never the freest.
pub fn mode_of(name: &str) -> PermissionMode {
    match name {
        "plan" => PermissionMode::Plan,
        "acceptEdits" => PermissionMode::AcceptEdits,
        "full" => PermissionMode::Full,
        _ => PermissionMode::Ask,
    }
}

fn status_name(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::InProgress => "inProgress",
        ItemStatus::Completed => "completed",
        ItemStatus::Failed => "failed",
        ItemStatus::Cancelled => "cancelled",
        ItemStatus::Withdrawn => "withdrawn",
    }
}

/// A tool kind's name, in the file and on every wire.
pub fn kind_name(kind: ToolKind) -> &'static str {
    match kind {
        ToolKind::Read => "read",
        ToolKind::Edit => "edit",
        ToolKind::Delete => "delete",
        ToolKind::Move => "move",
        ToolKind::Search => "search",
        ToolKind::Execute => "execute",
        ToolKind::Think => "think",
        ToolKind::Fetch => "fetch",
        ToolKind::Other => "other",
    }
}

fn kind_of(name: &str) -> ToolKind {
    match name {
        "read" => ToolKind::Read,
        "edit" => ToolKind::Edit,
        "delete" => ToolKind::Delete,
        "move" => ToolKind::Move,
        "search" => ToolKind::Search,
        "execute" => ToolKind::Execute,
        "think" => ToolKind::Think,
        "fetch" => ToolKind::Fetch,
        _ => ToolKind::Other,
    }
}

fn store_body(body: &ItemBody) -> StoredBody {
    match body {
        ItemBody::User { content } => StoredBody::User { content: store_content(content) },
        ItemBody::Text { origin, signature } => {
            StoredBody::Text { origin: store_origin(origin), signature: signature.clone() }
        }
        ItemBody::Thinking { origin, signature, redacted } => StoredBody::Thinking {
            origin: store_origin(origin),
            signature: signature.clone(),
            redacted: redacted.clone(),
        },
        ItemBody::ToolCall(call) => StoredBody::ToolCall {
            origin: store_origin(&call.origin),
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            title: call.title.clone(),
            kind: kind_name(call.kind).to_owned(),
            arguments: call.arguments.clone(),
            signature: call.signature.clone(),
            result: call.result.clone(),
            images: call
                .images
                .iter()
                .map(|image| StoredImage { mime_type: image.mime_type.clone(), data: image.data.clone() })
                .collect(),
        },
        ItemBody::FileChange(FileChangeItem { tool_call, change, review }) => StoredBody::FileChange {
            tool_call: tool_call.0,
            path: change.path.display().to_string(),
            old_path: change.old_path.as_ref().map(|path| path.display().to_string()),
            kind: change_name(change.kind).to_owned(),
            hunks: change.hunks.iter().map(store_hunk).collect(),
            hash_before: change.hash_before.clone(),
            hash_after: change.hash_after.clone(),
            review: review.as_ref().map(store_review),
        },
        ItemBody::Command(CommandItem { line, exit_code, result }) => {
            StoredBody::Command { line: line.clone(), exit_code: *exit_code, result: result.clone() }
        }
        ItemBody::Notice { severity, hint, for_model } => StoredBody::Notice {
            for_model: *for_model,
            severity: match severity {
                Severity::Info => "info",
                Severity::Warning => "warning",
                Severity::Error => "error",
            }
            .to_owned(),
            hint: hint.clone(),
        },
    }
}

fn load_body(body: StoredBody) -> Option<ItemBody> {
    Some(match body {
        StoredBody::User { content } => ItemBody::User { content: load_content(content) },
        StoredBody::Text { origin, signature } => ItemBody::Text { origin: load_origin(origin), signature },
        StoredBody::Thinking { origin, signature, redacted } => {
            ItemBody::Thinking { origin: load_origin(origin), signature, redacted }
        }
        StoredBody::ToolCall { origin, call_id, name, title, kind, arguments, signature, result, images } => {
            ItemBody::ToolCall(ToolCallItem {
                origin: load_origin(origin),
                call_id,
                name,
                title,
                kind: kind_of(&kind),
                arguments,
                signature,
                result,
                images: images
                    .into_iter()
                    .map(|image| Image { mime_type: image.mime_type, data: image.data })
                    .collect(),
            })
        }
        StoredBody::FileChange {
            tool_call,
            path,
            old_path,
            kind,
            hunks,
            hash_before,
            hash_after,
            review,
        } => {
            let change = FileChange {
                path: path.into(),
                old_path: old_path.map(Into::into),
                kind: change_of(&kind),
                hunks: hunks.into_iter().map(load_hunk).collect(),
                hash_before,
                hash_after,
            };
            ItemBody::FileChange(FileChangeItem {
                tool_call: ItemId(tool_call),
                change,
                review: review.map(load_review),
            })
        }
        StoredBody::Command { line, exit_code, result } => {
            ItemBody::Command(CommandItem { line, exit_code, result })
        }
        StoredBody::Notice { severity, hint, for_model } => ItemBody::Notice {
            for_model,
            severity: match severity.as_str() {
                "error" => Severity::Error,
                "warning" => Severity::Warning,
                _ => Severity::Info,
            },
            hint,
        },
        StoredBody::Unknown => return None,
    })
}

fn store_content(content: &[Content]) -> Vec<StoredContent> {
    let store = |content: &Content| match content {
        Content::Text(text) => StoredContent::Text { text: text.to_string() },
        Content::Image { mime_type, data } => {
            StoredContent::Image { mime_type: mime_type.to_string(), data: data.to_string() }
        }
    };
    content.iter().map(store).collect()
}

/// What a person said, from the file.
pub fn load_content(content: Vec<StoredContent>) -> Vec<Content> {
    let load = |content| match content {
        StoredContent::Text { text } => Some(Content::Text(text.into())),
        StoredContent::Image { mime_type, data } => {
            Some(Content::Image { mime_type: mime_type.into(), data: data.into() })
        }
        StoredContent::Unknown => None,
    };
    content.into_iter().filter_map(load).collect()
}

/// A change's name, in the file and on every wire.
pub fn change_name(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Add => "add",
        ChangeKind::Modify => "modify",
        ChangeKind::Delete => "delete",
        ChangeKind::Move => "move",
    }
}

fn change_of(name: &str) -> ChangeKind {
    match name {
        "add" => ChangeKind::Add,
        "delete" => ChangeKind::Delete,
        "move" => ChangeKind::Move,
        _ => ChangeKind::Modify,
    }
}

fn store_hunk(hunk: &Hunk) -> StoredHunk {
    StoredHunk {
        id: hunk.id.clone(),
        old: (hunk.old_start, hunk.old_lines),
        new: (hunk.new_start, hunk.new_lines),
        lines: hunk.lines.clone(),
        crlf: hunk.crlf.iter().map(|range| (range.start, range.end)).collect(),
        accepted: match hunk.decision {
            HunkDecision::Pending => None,
            HunkDecision::Accepted => Some(true),
            HunkDecision::Rejected => Some(false),
        },
    }
}

fn load_hunk(stored: StoredHunk) -> Hunk {
    Hunk {
        id: stored.id,
        old_start: stored.old.0,
        old_lines: stored.old.1,
        new_start: stored.new.0,
        new_lines: stored.new.1,
        lines: stored.lines,
        crlf: stored.crlf.into_iter().map(|(start, end)| start..end).collect(),
        decision: match stored.accepted {
            None => HunkDecision::Pending,
            Some(true) => HunkDecision::Accepted,
            Some(false) => HunkDecision::Rejected,
        },
    }
}

fn store_review(review: &Review) -> StoredReview {
    StoredReview {
        hunks: review.hunks.clone(),
        hash_before: review.hash_before.clone(),
        hash_after: review.hash_after.clone(),
    }
}

fn load_review(stored: StoredReview) -> Review {
    Review { hunks: stored.hunks, hash_before: stored.hash_before, hash_after: stored.hash_after }
}

fn store_origin(origin: &Origin) -> StoredOrigin {
    StoredOrigin {
        provider: origin.provider.to_string(),
        wire: origin.wire.to_string(),
        model: origin.model.to_string(),
    }
}

fn load_origin(origin: StoredOrigin) -> Origin {
    Origin { provider: origin.provider.into(), wire: origin.wire.into(), model: origin.model.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::item::{Failure, TurnEnd};

    #[test]
    fn a_failure_is_written_by_its_lasting_name_and_older_words_are_read() {
        let fault = crate::models::fault::refused(429, "", "slow down");
        let failed = TurnEnd::Failed(Failure::from(fault));
        let ended = EndedTurn {
            turn: TurnId(1),
            ending: Ending::from(&failed),
            usage: Usage::default(),
            cost: None,
            took_ms: 0,
            last_item: ItemId(0),
        };
        let line = Record::end(&ended, 2, failed.failure_kind()).line();
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains(r#""kind":"rateLimited""#), "{line}");
        for kind in ["rateLimited", "Provider(RateLimit)", "of another version"] {
            let line = line.replace("rateLimited", kind);
            let Ok(Record::End { stop, error: Some(failure), .. }) = serde_json::from_str(&line) else {
                panic!("not read: {line}");
            };
            assert_eq!((stop.as_str(), failure.kind.as_str()), ("error", kind));
        }
    }
}
