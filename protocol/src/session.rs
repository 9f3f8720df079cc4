//! Conversations: made, opened, listed, changed.

use crate::{
    CheckpointScope, Event, Item, Layout, LayoutDocument, Money, PendingQuestion, QueueEntry, Usage,
};

open_enum! {
    /// What tools may do unasked.
    PermissionMode {
        /// Nothing that has an effect.
        Plan = "plan",
        /// Reads inside the workspace; everything else asks.
        Ask = "ask",
        /// Edits inside the workspace too.
        AcceptEdits = "acceptEdits",
        /// Everything. Needs a switch in the user's own settings.
        Full = "full",
    }
}

open_enum! {
    /// What a session is doing.
    SessionState {
        /// Nothing.
        Idle = "idle",
        /// A turn runs.
        Running = "running",
        /// A turn waits for an answer of the client.
        Waiting = "waiting",
    }
}

open_enum! {
    /// Where a conversation is kept.
    Storage {
        /// In a file.
        Disk = "disk",
        /// In memory: no folder could be written. It ends with the process.
        Memory = "memory",
    }
}

objects! {
    /// Begins a conversation.
    #[derive(Default)]
    pub struct NewSessionParams {
        /// The folder it is about; the client's where it is missing.
        #[serde(default)]
        pub cwd: Option<String>,
        /// Further folders that it works in, by absolute paths; what lies in another one is left out.
        #[serde(default)]
        pub additional_directories: Option<Vec<String>>,
        /// A model pattern: `provider/id`, `id`, either with `:level`.
        #[serde(default)]
        pub model: Option<String>,
        /// The label of an account of the model's provider, where it has several; empty for the one without a label.
        #[serde(default)]
        pub account: Option<String>,
        /// How much to think: off, minimal, low, medium, high, xhigh, max.
        #[serde(default)]
        pub thinking: Option<String>,
        /// What tools may do unasked.
        #[serde(default)]
        pub permission_mode: Option<PermissionMode>,
        /// A system prompt instead of Aside's own.
        #[serde(default)]
        pub system: Option<String>,
        /// How its events are drawn.
        #[serde(default)]
        pub layout: Option<Layout>,
    }

    /// The new conversation.
    pub struct NewSessionResult {
        /// Its id, to be used from now on.
        pub session_id: String,
        /// All about it.
        pub session: SessionInfo,
        /// The empty document, where it is drawn as lines.
        pub document: Option<LayoutDocument>,
    }

    /// A conversation, without its content.
    pub struct SessionInfo {
        /// Its id.
        pub session_id: String,
        /// Its title: given, or the first words of its first prompt.
        pub title: Option<String>,
        /// The folder it is about.
        pub cwd: String,
        /// Further folders that it works in.
        pub additional_directories: Vec<String>,
        /// `provider/id`, or null while none was needed.
        pub model: Option<String>,
        /// The label of the account that was chosen; null leaves it to the settings. It counts while the model is of
        /// the same provider.
        pub account: Option<String>,
        /// How much it thinks; null leaves it to the provider.
        pub thinking: Option<String>,
        /// What tools may do unasked.
        pub permission_mode: PermissionMode,
        /// What it is doing.
        pub state: SessionState,
        /// Where it is kept.
        pub storage: Storage,
        /// Whether it can only be read: another process holds it, or a newer version wrote it.
        pub read_only: bool,
        /// Rises each time it is loaded.
        pub epoch: u64,
        /// The newest event.
        pub seq: u64,
        /// Milliseconds since the Unix epoch.
        pub created_at_ms: u64,
        /// Milliseconds since the Unix epoch.
        pub updated_at_ms: u64,
        /// Everything used so far.
        pub usage: Usage,
        /// What all of it cost; null where a price is not known.
        pub cost: Option<Money>,
    }

    /// Opens a conversation, or asks what was missed of an open one.
    pub struct OpenSessionParams {
        /// Its id.
        pub session_id: String,
        /// The last event that the client has seen. What is drawn as lines is always sent whole.
        #[serde(default)]
        pub after: Option<EventPosition>,
        /// How its events are drawn.
        #[serde(default)]
        pub layout: Option<Layout>,
        /// At most this many items of the snapshot, the newest.
        #[serde(default)]
        pub limit: Option<u32>,
        /// Read it even where another process holds it.
        #[serde(default)]
        pub read_only: Option<bool>,
    }

    /// An event's place in its conversation.
    #[derive(Copy)]
    pub struct EventPosition {
        /// Of the loading.
        pub epoch: u64,
        /// Within it.
        pub seq: u64,
    }

    /// Either `events` or `snapshot`; the events that follow this answer have greater sequence numbers.
    pub struct OpenSessionResult {
        /// All about it.
        pub session: SessionInfo,
        /// Exactly the events after `after`.
        pub events: Option<Vec<Event>>,
        /// The whole conversation, where the events are not to be had.
        pub snapshot: Option<Snapshot>,
        /// The conversation as lines, where it is drawn so.
        pub document: Option<LayoutDocument>,
    }

    /// A conversation as it stands.
    pub struct Snapshot {
        /// Its items in order, at most `limit` of them. Where it is drawn as lines, only the changes of files.
        pub items: Vec<Item>,
        /// Items before the first of these.
        pub omitted: u32,
        /// The turn that runs.
        pub turn_id: Option<String>,
        /// Questions that wait for the client.
        pub questions: Vec<PendingQuestion>,
        /// Prompts that wait their turn.
        pub queue: Vec<QueueEntry>,
    }

    /// Which conversations to list.
    #[derive(Default)]
    pub struct ListSessionsParams {
        /// Only those about this folder.
        #[serde(default)]
        pub cwd: Option<String>,
        /// Where the last page ended.
        #[serde(default)]
        pub cursor: Option<String>,
        /// At most this many; 50 where it is missing.
        #[serde(default)]
        pub limit: Option<u32>,
    }

    /// One page.
    pub struct ListSessionsResult {
        /// The newest first.
        pub sessions: Vec<SessionSummary>,
        /// For the next page; null at the end.
        pub next_cursor: Option<String>,
    }

    /// A conversation in a list.
    pub struct SessionSummary {
        /// Its id.
        pub session_id: String,
        /// Its title: given, or the first words of its first prompt.
        pub title: Option<String>,
        /// The folder it is about.
        pub cwd: Option<String>,
        /// Milliseconds since the Unix epoch.
        pub updated_at_ms: u64,
        /// Whether this process has it open.
        pub open: bool,
    }

    /// Ends a conversation's work and forgets it; its file stays.
    pub struct CloseSessionParams {
        /// Its id.
        pub session_id: String,
    }

    /// Changes how a conversation goes on. What is missing stays.
    pub struct ConfigureSessionParams {
        /// Its id.
        pub session_id: String,
        /// A model pattern; used from the next model call on.
        #[serde(default)]
        pub model: Option<String>,
        /// The label of an account of the model's provider, where it has several; empty for the one without a label.
        #[serde(default)]
        pub account: Option<String>,
        /// How much to think.
        #[serde(default)]
        pub thinking: Option<String>,
        /// What tools may do unasked.
        #[serde(default)]
        pub permission_mode: Option<PermissionMode>,
        /// All further folders that it works in from now on; an empty list leaves the working folder alone.
        #[serde(default)]
        pub additional_directories: Option<Vec<String>>,
    }

    /// The conversation as it now is.
    pub struct ConfigureSessionResult {
        /// All about it.
        pub session: SessionInfo,
        /// What the person should know, such as a model id that the catalog does not have.
        pub warnings: Vec<String>,
    }

    /// Begins a conversation with the content of another.
    pub struct ForkSessionParams {
        /// The other.
        pub session_id: String,
        /// Only up to this item.
        #[serde(default)]
        pub item_id: Option<String>,
    }

    /// Names a conversation.
    pub struct RenameSessionParams {
        /// Its id.
        pub session_id: String,
        /// Its new title.
        pub title: String,
    }

    /// Removes a conversation for good.
    pub struct DeleteSessionParams {
        /// Its id.
        pub session_id: String,
    }

    /// Writes a conversation out.
    pub struct ExportSessionParams {
        /// Its id.
        pub session_id: String,
        /// `markdown` or `json`.
        pub format: String,
    }

    /// The exported conversation.
    pub struct ExportSessionResult {
        /// Its text.
        pub text: String,
    }

    /// Goes back to before an item.
    pub struct RewindParams {
        /// The conversation.
        pub session_id: String,
        /// The first item to be gone.
        pub item_id: String,
        /// What is taken back.
        pub scope: CheckpointScope,
    }

    /// What can be undone again.
    pub struct RewindResult {
        /// Give this as `itemId` to undo the rewind.
        pub undo_item_id: String,
    }
}
