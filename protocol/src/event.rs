//! What happens in a conversation, in order. One notification, `event`.

use crate::{
    Item, LayoutPatch, Money, PendingQuestion, QueueEntry, SessionInfo, SessionState, StopReason, TurnError,
    Usage,
};

objects! {
    /// Something that happened in a conversation.
    pub struct Event {
        /// The conversation.
        pub session_id: String,
        /// Rises each time the conversation is loaded.
        pub epoch: u64,
        /// Rises with each event.
        pub seq: u64,
        /// Where the event stands for several merged ones: the first of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub from_seq: Option<u64>,
        /// What happened.
        #[serde(flatten)]
        pub body: EventBody,
    }
}

kinds! {
    /// What happened. Clients ignore kinds that they do not know.
    pub enum EventBody {
        /// A turn began. The first event of a prompt: it ties request, session and turn together.
        TurnStarted {
            /// The turn.
            turn_id: String,
            /// The id of the `prompt` request, as JSON text; null where the turn was not asked for by one.
            request_id: Option<String>,
            /// As given with the prompt.
            idempotency_id: Option<String>,
        },
        /// An item appeared.
        ItemStarted {
            /// As far as it is.
            item: Item,
        },
        /// More of an item's `text`.
        Delta {
            /// Which.
            item_id: String,
            /// What to append.
            text: String,
        },
        /// More of a tool call's arguments, as raw JSON text.
        ArgumentsDelta {
            /// Which.
            item_id: String,
            /// What to append.
            text: String,
        },
        /// An item changed otherwise than by growing.
        ItemUpdated {
            /// All of it.
            item: Item,
        },
        /// An item is whole. What stands here holds, whatever the deltas added up to.
        ItemCompleted {
            /// All of it.
            item: Item,
        },
        /// An item does not count, and is not to be shown any more: the answer is begun anew. It is in no later
        /// snapshot, and deltas that are replayed for it are empty.
        ItemWithdrawn {
            /// Which.
            item_id: String,
        },
        /// A question was put to the client.
        QuestionAsked {
            /// The question.
            question: PendingQuestion,
        },
        /// A question needs no answer any more.
        QuestionResolved {
            /// Which.
            question_id: String,
            /// How it ended.
            outcome: String,
        },
        /// What the turn has used so far, and how full the context is.
        UsageChanged {
            /// By this turn.
            usage: Usage,
            /// Its cost; null where the price is not known.
            cost: Option<Money>,
            /// Tokens in the context now.
            context_tokens: u64,
            /// Tokens that it may have.
            context_window: u64,
        },
        /// A model call failed and will be made again. What had come of its answer stays until the new one
        /// begins; then each of its items is withdrawn.
        Retry {
            /// Which request of this model call it will be: the first was 1.
            attempt: u32,
            /// How many there will be at most, if they all fail like this.
            max_attempts: u32,
            /// Milliseconds until then.
            delay_ms: u64,
            /// The same as a time, in milliseconds since the Unix epoch.
            retry_at_ms: u64,
            /// Why.
            error: TurnError,
        },
        /// Nothing has come from the provider for a while.
        Stalled {
            /// Milliseconds.
            since_ms: u64,
            /// What is waited for: `connection`, `firstEvent` or `event`.
            waiting_for: String,
            /// When it will be given up, in milliseconds from now.
            gives_up_in_ms: u64,
        },
        /// The session does something else now.
        StateChanged {
            /// What.
            state: SessionState,
        },
        /// Title, model or another property changed.
        SessionChanged {
            /// All about it.
            session: SessionInfo,
        },
        /// What waits behind the turn changed.
        QueueChanged {
            /// In order.
            queue: Vec<QueueEntry>,
        },
        /// The last event of a turn; the answer to `prompt` follows it.
        TurnEnded {
            /// The turn.
            turn_id: String,
            /// Why it ended.
            stop_reason: StopReason,
            /// Why it failed.
            error: Option<TurnError>,
            /// The end of the turn in the drawn document, for `layout: "lines"`; absent otherwise.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            patches: Vec<LayoutPatch>,
        },
        /// Changes of the drawn document, for `layout: "lines"`.
        LayoutChanged {
            /// In order, each for the document as those before it left it.
            patches: Vec<LayoutPatch>,
            /// The change of a file that this draws, with its hunks; absent for everything else.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            item: Option<Item>,
        },
    }
}
