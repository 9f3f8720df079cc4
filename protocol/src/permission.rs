//! Why a tool may do something, or not.

use crate::PermissionMode;

open_enum! {
    /// What is decided. Deny stands over ask, and ask over allow.
    PermissionDecision {
        /// It runs.
        Allow = "allow",
        /// The person is asked.
        Ask = "ask",
        /// It does not run.
        Deny = "deny",
    }
}

open_enum! {
    /// Who says so.
    PermissionLayer {
        /// Aside itself.
        BuiltIn = "builtIn",
        /// The settings of whoever manages the machine.
        Managed = "managed",
        /// The user's `settings.json`.
        User = "user",
        /// The client's `initialize.settings`.
        Client = "client",
        /// The settings of a folder that is worked on.
        Folder = "folder",
        /// What the person answered in this session.
        Session = "session",
        /// The permission mode.
        Mode = "mode",
    }
}

objects! {
    /// Why was this allowed, asked or denied, or what would be? Either a past call, by `itemId` or `questionId`, or
    /// a call that might be made, by `tool` and `arguments`: it is not made.
    pub struct ExplainPermissionParams {
        /// The conversation.
        pub session_id: String,
        /// A tool call of it.
        #[serde(default)]
        pub item_id: Option<String>,
        /// A question that was asked in it.
        #[serde(default)]
        pub question_id: Option<String>,
        /// A tool's name.
        #[serde(default)]
        pub tool: Option<String>,
        /// What it would be called with.
        #[serde(default)]
        pub arguments: Option<serde_json::Value>,
    }

    /// The decision and everything that was said about it.
    pub struct ExplainPermissionResult {
        /// The tool's name.
        pub tool: String,
        /// What was decided.
        pub decision: PermissionDecision,
        /// The mode that held.
        pub permission_mode: PermissionMode,
        /// Every rule and guard that is about the call. The greatest decision among them holds.
        pub reasons: Vec<PermissionReason>,
        /// What the person is asked, in one line.
        pub title: String,
        /// All of it.
        pub detail: String,
        /// The option that the person took; null where nobody was asked, or nobody answered.
        pub answer: Option<String>,
        /// Rules that are not understood, and what else is wrong with them.
        pub warnings: Vec<String>,
    }

    /// One thing that is said about a call.
    pub struct PermissionReason {
        /// What it would decide alone.
        pub decision: PermissionDecision,
        /// Who says it.
        pub layer: PermissionLayer,
        /// The rule as it is written, or in words.
        pub rule: String,
        /// The part of the call that it is about: a path, a command.
        pub about: String,
    }
}
