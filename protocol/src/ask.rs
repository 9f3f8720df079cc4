//! What the server asks the client. Each is optional by capability, and each has a fallback.

use std::collections::BTreeMap;

use crate::{FileChangeKind, Hunk, Location};

open_enum! {
    /// How long a permission holds.
    PermissionOptionKind {
        /// This time.
        AllowOnce = "allowOnce",
        /// Until the session ends.
        AllowSession = "allowSession",
        /// For good.
        AllowAlways = "allowAlways",
        /// Not this time.
        RejectOnce = "rejectOnce",
        /// Never.
        RejectAlways = "rejectAlways",
    }
}

open_enum! {
    /// What a field of a form takes.
    FieldKind {
        /// A line.
        Text = "text",
        /// A line that is not shown.
        Secret = "secret",
        /// One of `choices`.
        Choice = "choice",
        /// Yes or no.
        Boolean = "boolean",
    }
}

objects! {
    /// May a tool do this?
    pub struct RequestPermissionParams {
        /// The conversation.
        pub session_id: String,
        /// Stable; as in `questionAsked`.
        pub question_id: String,
        /// The tool call.
        pub item_id: String,
        /// The tool's name.
        pub tool: String,
        /// What it wants to do, in one line made by the server from the real arguments.
        pub title: String,
        /// All of it; invisible characters are shown escaped.
        pub detail: String,
        /// Where it works.
        pub locations: Vec<Location>,
        /// What may be answered.
        pub options: Vec<PermissionOption>,
        /// What it would change; null where it changes no file, or that cannot be told before.
        pub change: Option<ProposedChange>,
    }

    /// A change of a file that has not been made. The file is changed only as it is shown here.
    pub struct ProposedChange {
        /// Absolute path.
        pub path: String,
        /// What would become of the file.
        pub kind: FileChangeKind,
        /// The changed lines; the ids are also those of the `fileChange` item.
        pub hunks: Vec<Hunk>,
    }

    /// A possible answer.
    pub struct PermissionOption {
        /// To be sent back.
        pub id: String,
        /// What it means, in words; for a lasting one exactly what it allows.
        pub label: String,
        /// How long it holds.
        pub kind: PermissionOptionKind,
    }

    /// The person's answer. Cancelling the question, or an error, means no.
    pub struct RequestPermissionResult {
        /// The option taken; null where the question was closed.
        pub option_id: Option<String>,
        /// What the model is told with a rejection, of all or of hunks.
        #[serde(default)]
        pub reason: Option<String>,
        /// Ids of hunks of `change` that are left out of what is allowed. With all of them, or one that is not there,
        /// nothing is done.
        #[serde(default)]
        pub rejected_hunks: Vec<String>,
    }

    /// A form for the person.
    pub struct PromptUserParams {
        /// The conversation; null where it belongs to a login.
        pub session_id: Option<String>,
        /// Stable; as in `questionAsked`.
        pub question_id: String,
        /// What it is about.
        pub message: String,
        /// What is asked.
        pub fields: Vec<FormField>,
    }

    /// One question of a form.
    pub struct FormField {
        /// To be sent back.
        pub name: String,
        /// In words.
        pub label: String,
        /// What it takes.
        pub kind: FieldKind,
        /// For `choice`.
        pub choices: Vec<String>,
        /// Whether it must be answered.
        pub required: bool,
    }

    /// The person's answers.
    pub struct PromptUserResult {
        /// By field; null where the form was closed.
        pub values: Option<BTreeMap<String, String>>,
    }

    /// The text of a file as the editor has it, unsaved changes included.
    pub struct ReadFileParams {
        /// The conversation.
        pub session_id: String,
        /// Absolute path.
        pub path: String,
    }

    /// The file.
    pub struct ReadFileResult {
        /// Its text; null where the editor does not have it open.
        pub text: Option<String>,
        /// The editor's own version of it, for `applyEdit`.
        #[serde(default)]
        pub version: Option<String>,
    }

    /// A change to be made in the editor.
    pub struct ApplyEditParams {
        /// The conversation.
        pub session_id: String,
        /// The `fileChange` item.
        pub item_id: String,
        /// Absolute path.
        pub path: String,
        /// The version that the edits are meant for.
        pub version: Option<String>,
        /// In descending order of position; they do not overlap.
        pub edits: Vec<TextEdit>,
        /// Whether this carries out a `reviewChange`: the person has decided, and nothing is to be asked.
        #[serde(default)]
        pub review: bool,
    }

    /// One replacement. Lines are 0-based, characters are UTF-8 bytes.
    pub struct TextEdit {
        /// First line.
        pub start_line: u32,
        /// Byte within it.
        pub start_byte: u32,
        /// Last line.
        pub end_line: u32,
        /// Byte within it.
        pub end_byte: u32,
        /// What stands there afterwards.
        pub text: String,
    }

    /// What became of the change.
    pub struct ApplyEditResult {
        /// Whether it was made.
        pub applied: bool,
        /// Why not.
        #[serde(default)]
        pub reason: Option<String>,
        /// Ids of hunks that the person rejected.
        #[serde(default)]
        pub rejected_hunks: Vec<String>,
    }

    /// What the person looks at.
    pub struct EditorContextParams {
        /// The conversation.
        pub session_id: String,
    }

    /// What the person looks at.
    pub struct EditorContextResult {
        /// The file in front.
        #[serde(default)]
        pub active: Option<Location>,
        /// What is selected in it.
        #[serde(default)]
        pub selection: Option<String>,
        /// Files that are open.
        #[serde(default)]
        pub open_files: Vec<String>,
        /// What the language servers complain about, one a line.
        #[serde(default)]
        pub diagnostics: Vec<String>,
    }

    /// A page to be shown in the person's browser.
    pub struct OpenUrlParams {
        /// http or https.
        pub url: String,
        /// What it is for.
        pub message: String,
    }

    /// Whether it was shown.
    pub struct OpenUrlResult {
        /// Whether it was shown.
        pub opened: bool,
    }

    /// A code to be typed on another device.
    pub struct ShowDeviceCodeParams {
        /// Where to type it.
        pub url: String,
        /// The code.
        pub code: String,
        /// When it ends, in milliseconds since the Unix epoch.
        pub expires_at_ms: u64,
    }

    /// Asks the server's own request to be forgotten, or the client's.
    pub struct CancelRequestParams {
        /// The request's id.
        pub id: serde_json::Value,
    }
}

kinds! {
    /// A question that waits for the client.
    pub enum PendingQuestion {
        /// As sent with `requestPermission`.
        Permission {
            /// The question.
            request: RequestPermissionParams,
        },
        /// As sent with `promptUser`.
        Form {
            /// The question.
            request: PromptUserParams,
        },
    }
}
