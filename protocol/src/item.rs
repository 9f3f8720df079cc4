//! The parts of a conversation. Each has a stable id and a plain-text fallback.

use crate::ContentBlock;

open_enum! {
    /// How far an item is.
    ItemStatus {
        /// It still grows.
        InProgress = "inProgress",
        /// It is whole.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It does not count: the answer was begun anew.
        Withdrawn = "withdrawn",
    }
}

open_enum! {
    /// What a tool does, for an icon.
    ToolKind {
        /// Reads.
        Read = "read",
        /// Changes files.
        Edit = "edit",
        /// Removes files.
        Delete = "delete",
        /// Moves files.
        Move = "move",
        /// Searches.
        Search = "search",
        /// Runs a command.
        Execute = "execute",
        /// Thinks.
        Think = "think",
        /// Fetches from the network.
        Fetch = "fetch",
    }
}

open_enum! {
    /// How serious a notice is.
    Severity {
        /// Good to know.
        Info = "info",
        /// Something odd.
        Warning = "warning",
        /// Something failed.
        Error = "error",
    }
}

open_enum! {
    /// What became of a file.
    FileChangeKind {
        /// It is new.
        Add = "add",
        /// Its content changed.
        Modify = "modify",
        /// It is gone.
        Delete = "delete",
        /// It has another path.
        Move = "move",
    }
}

open_enum! {
    /// What the person said to a change.
    HunkDecision {
        /// Nothing yet.
        Pending = "pending",
        /// Keep it.
        Accepted = "accepted",
        /// Take it back.
        Rejected = "rejected",
    }
}

open_enum! {
    /// How far a step of a plan is.
    PlanStatus {
        /// Not begun.
        Pending = "pending",
        /// Under way.
        InProgress = "inProgress",
        /// Done.
        Completed = "completed",
    }
}

objects! {
    /// A part of a conversation.
    pub struct Item {
        /// Stable within the conversation.
        pub id: String,
        /// The turn it belongs to; null for one that belongs to none.
        pub turn_id: Option<String>,
        /// How far it is.
        pub status: ItemStatus,
        /// The whole of it as plain text, for a client that knows no better.
        pub text: String,
        /// Milliseconds since the Unix epoch.
        pub created_at_ms: u64,
        /// What it is.
        #[serde(flatten)]
        pub body: ItemBody,
    }

    /// A place in a file.
    pub struct Location {
        /// Absolute path.
        pub path: String,
        /// 1-based.
        pub line: Option<u32>,
    }

    /// A run of changed lines.
    pub struct Hunk {
        /// Stable within the item.
        pub id: String,
        /// First line before the change, 1-based.
        pub old_start: u32,
        /// Lines before the change.
        pub old_lines: u32,
        /// First line after the change, 1-based.
        pub new_start: u32,
        /// Lines after the change.
        pub new_lines: u32,
        /// The lines with ` `, `-` or `+` before each, and `\` before the word that a last line has no end.
        pub lines: Vec<String>,
        /// What the person said to it.
        pub decision: HunkDecision,
    }

    /// A step of a plan.
    pub struct PlanEntry {
        /// What is to be done.
        pub text: String,
        /// How far it is.
        pub status: PlanStatus,
    }
}

kinds! {
    /// What an item is.
    pub enum ItemBody {
        /// What the person said.
        UserMessage {
            /// In pieces; pictures are shortened to their kind.
            content: Vec<ContentBlock>,
        },
        /// What the model said: `text` is Markdown.
        AssistantText {
            /// `provider/id`.
            model: String,
        },
        /// What the model thought.
        Thinking {
            /// Whether only the provider can read it.
            redacted: bool,
        },
        /// A tool that the model called: `text` is what it printed.
        ToolCall {
            /// The tool's name.
            name: String,
            /// The call in a few words.
            title: String,
            /// What the tool does.
            kind: ToolKind,
            /// Its arguments; null until they are whole.
            arguments: Option<serde_json::Value>,
            /// Where it works.
            locations: Vec<Location>,
        },
        /// A file that was changed: `text` is a unified diff.
        FileChange {
            /// The item of the tool call that changed it.
            tool_call_id: String,
            /// Absolute path.
            path: String,
            /// Its path before, for a move.
            old_path: Option<String>,
            /// What became of it.
            kind: FileChangeKind,
            /// The changed lines.
            hunks: Vec<Hunk>,
        },
        /// A command that the person ran: `text` is what it printed.
        Command {
            /// The command line.
            command: String,
            /// Its exit status; null while it runs, and where it did not end by itself.
            exit_code: Option<i32>,
        },
        /// What the model intends to do.
        Plan {
            /// In order.
            entries: Vec<PlanEntry>,
        },
        /// Something that the server has to say.
        Notice {
            /// How serious it is.
            severity: Severity,
            /// What to do about it.
            hint: Option<String>,
        },
        /// A summary that stands for what was before it.
        Compaction {
            /// Tokens before.
            tokens_before: u64,
            /// Tokens after.
            tokens_after: u64,
        },
    }
}
