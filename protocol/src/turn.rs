//! Prompts, and what can be done while one is answered.

use crate::{ContentBlock, Secret, TurnError};

open_enum! {
    /// Why a turn ended.
    StopReason {
        /// The model had said all.
        EndTurn = "endTurn",
        /// The model reached its output limit.
        MaxTokens = "maxTokens",
        /// The model, or a filter of the provider, declined.
        Refusal = "refusal",
        /// Cancelled by the client.
        Cancelled = "cancelled",
        /// Failed; `error` says how.
        Error = "error",
        /// The process ended before the turn did. Only in stored conversations.
        Interrupted = "interrupted",
    }
}

open_enum! {
    /// What happens to a prompt while the session is at work.
    WhenBusy {
        /// It is refused with -32003.
        Refuse = "refuse",
        /// It waits its turn, in the queue, and is answered at the end of it.
        Queue = "queue",
        /// It reaches the model before its next call, and gets the answer of the turn that runs.
        Steer = "steer",
    }
}

open_enum! {
    /// What a rewind takes back.
    CheckpointScope {
        /// The conversation only.
        Conversation = "conversation",
        /// The files only.
        Files = "files",
        /// Both.
        Both = "both",
    }
}

open_enum! {
    /// How long a provider should keep a prompt in its cache.
    CacheRetention {
        /// Not at all, as far as it lets itself be told.
        None = "none",
        /// For minutes, as most do.
        Short = "short",
        /// For an hour or a day, where it can.
        Long = "long",
    }
}

objects! {
    /// Sends a prompt and answers when its turn has ended. Needs neither a handshake nor a session.
    #[derive(Default)]
    pub struct PromptParams {
        /// The prompt as plain text. This or `content`.
        #[serde(default)]
        pub text: Option<String>,
        /// The prompt in pieces.
        #[serde(default)]
        pub content: Option<Vec<ContentBlock>>,
        /// The conversation it goes on with; a new one where it is missing.
        #[serde(default)]
        pub session_id: Option<String>,
        /// A model pattern, from this prompt on.
        #[serde(default)]
        pub model: Option<String>,
        /// How much to think, from this prompt on.
        #[serde(default)]
        pub thinking: Option<String>,
        /// A provider's id, where `model` names none.
        #[serde(default)]
        pub provider: Option<String>,
        /// The label of an account of the provider, from this prompt on; empty for the one without a label.
        #[serde(default)]
        pub account: Option<String>,
        /// A key for this prompt only; never stored, never shown.
        #[serde(default)]
        pub api_key: Option<Secret>,
        /// The folder of a new conversation.
        #[serde(default)]
        pub cwd: Option<String>,
        /// The system prompt of a new conversation.
        #[serde(default)]
        pub system: Option<String>,
        /// Names of the tools that may be used; all where it is missing.
        #[serde(default)]
        pub tools: Option<Vec<String>>,
        /// JSON Schema that the answer must satisfy.
        #[serde(default)]
        pub output_schema: Option<serde_json::Value>,
        /// Tokens that the answer may have.
        #[serde(default)]
        pub max_tokens: Option<u64>,
        /// Sampling temperature.
        #[serde(default)]
        pub temperature: Option<f64>,
        /// How long the provider should keep the conversation cached, for this prompt; else the settings say.
        #[serde(default)]
        pub cache_retention: Option<CacheRetention>,
        /// Made by the client: a second prompt with the same id gets the first one's answer.
        #[serde(default)]
        pub idempotency_id: Option<String>,
        /// What happens while the session is at work.
        #[serde(default)]
        pub when_busy: Option<WhenBusy>,
    }

    /// How a turn ended. A failed or cancelled one has this too.
    pub struct PromptResult {
        /// Why it ended.
        pub stop_reason: StopReason,
        /// What the model said in its last message.
        pub text: String,
        /// What all model calls of the turn used.
        pub usage: Usage,
        /// What they cost; null where the price is not known.
        pub cost: Option<Money>,
        /// What the person should know of the cost, such as that a subscription is billed per token for it; null
        /// where there is nothing to know.
        pub cost_note: Option<String>,
        /// The conversation.
        pub session_id: String,
        /// The turn.
        pub turn_id: String,
        /// `provider/id`; null where none was reached.
        pub model: Option<String>,
        /// Why it failed.
        pub error: Option<TurnError>,
        /// What the person should know, such as a model id that the catalog does not have.
        pub warnings: Vec<String>,
    }

    /// Token counts.
    #[derive(Copy, Default)]
    #[expect(clippy::struct_field_names, reason = "the names of the wire")]
    pub struct Usage {
        /// Input that was not cached.
        pub input_tokens: u64,
        /// Output, reasoning included.
        pub output_tokens: u64,
        /// Input read from the provider's cache.
        pub cache_read_tokens: u64,
        /// Input written to the provider's cache.
        pub cache_write_tokens: u64,
        /// Part of the output.
        pub reasoning_tokens: u64,
    }

    /// An amount of money.
    pub struct Money {
        /// In units of the currency.
        pub amount: f64,
        /// ISO 4217.
        pub currency: String,
    }

    /// Ends the turn that runs, and the prompts that wait behind it with their requests open. Entries of the
    /// queue stay, and none begins before a prompt or a new entry.
    pub struct CancelParams {
        /// The conversation.
        pub session_id: String,
        /// Ends only this tool call; the turn goes on.
        #[serde(default)]
        pub item_id: Option<String>,
    }

    /// What was cancelled.
    pub struct CancelResult {
        /// Whether anything ran.
        pub cancelled: bool,
    }

    /// Adds to the running turn: reaches the model before its next call, and keeps the turn going where the model
    /// had just said all. What a turn that is cancelled or fails did not take in stands in the conversation.
    pub struct SteerParams {
        /// The conversation.
        pub session_id: String,
        /// What to say.
        pub content: Vec<ContentBlock>,
        /// Refused where another turn runs.
        #[serde(default)]
        pub turn_id: Option<String>,
    }

    /// Lists and changes what waits behind the running turn. An entry begins a turn of its own when the one before
    /// it has ended well; after one that was cancelled or failed, when the person says more. What waits is kept
    /// with the conversation.
    pub struct QueueParams {
        /// The conversation.
        pub session_id: String,
        /// What to do.
        pub action: QueueAction,
    }

    /// What waits now.
    pub struct QueueResult {
        /// In order.
        pub queue: Vec<QueueEntry>,
    }

    /// A prompt that waits.
    pub struct QueueEntry {
        /// Its id.
        pub id: String,
        /// What it says.
        pub content: Vec<ContentBlock>,
    }

    /// Shortens a conversation by a summary.
    pub struct CompactParams {
        /// The conversation.
        pub session_id: String,
        /// What the summary should keep.
        #[serde(default)]
        pub instructions: Option<String>,
    }

    /// Runs a command of the person's own in the session's folder; its output becomes part of the conversation, and
    /// the model sees it with its next request. Nothing is asked. `cancel` with its item, or cancelling the request,
    /// ends it.
    pub struct RunShellParams {
        /// The conversation.
        pub session_id: String,
        /// The command line.
        pub command: String,
    }

    /// How a command ended.
    pub struct RunShellResult {
        /// The `command` item.
        pub item_id: String,
        /// Its exit status; null where it did not end by itself.
        pub exit_code: Option<i32>,
        /// What it printed, shortened in the middle.
        pub output: String,
    }
}

kinds! {
    /// A change of the queue.
    pub enum QueueAction {
        /// Only tell.
        List {},
        /// At the end.
        Add {
            /// What it says.
            content: Vec<ContentBlock>,
        },
        /// Another text.
        Edit {
            /// Which.
            id: String,
            /// What it says now.
            content: Vec<ContentBlock>,
        },
        /// Before another.
        Move {
            /// Which.
            id: String,
            /// Before this one; at the end where it is missing.
            #[serde(default)]
            before: Option<String>,
        },
        /// Away.
        Remove {
            /// Which.
            id: String,
        },
    }
}
