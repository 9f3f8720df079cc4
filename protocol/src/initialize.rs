//! The handshake. It is for editors; a script may leave it out.

use std::collections::BTreeMap;

objects! {
    /// What an editor tells of itself.
    #[derive(Default)]
    pub struct InitializeParams {
        /// The newest version of this contract that the client knows.
        #[serde(default)]
        pub protocol_version: Option<u32>,
        /// Who the client is.
        #[serde(default)]
        pub client_info: Option<Implementation>,
        /// The process whose death ends the server.
        #[serde(default)]
        pub process_id: Option<u32>,
        /// What the client can be asked for.
        #[serde(default)]
        pub capabilities: Option<ClientCapabilities>,
        /// Settings that stand above the user's `settings.json`.
        #[serde(default)]
        pub settings: Option<serde_json::Value>,
        /// Variables that stand above the process's environment.
        #[serde(default)]
        pub environment: Option<BTreeMap<String, String>>,
        /// The editor's own HTTP proxy.
        #[serde(default)]
        pub proxy: Option<String>,
        /// The folder that is open.
        #[serde(default)]
        pub cwd: Option<String>,
        /// Whether the user trusts that folder. Where not, conversations begin, and come back, in the permission
        /// mode `plan`, until the client names another.
        #[serde(default)]
        pub workspace_trusted: Option<bool>,
    }

    /// A program and its version.
    pub struct Implementation {
        /// Its name.
        pub name: String,
        /// Its version.
        #[serde(default)]
        pub version: Option<String>,
    }

    /// What the server may ask this client. All false where it says nothing.
    #[derive(Default)]
    pub struct ClientCapabilities {
        /// Answers `requestPermission`.
        #[serde(default)]
        pub request_permission: bool,
        /// Answers `promptUser`.
        #[serde(default)]
        pub prompt_user: bool,
        /// Answers `readFile`.
        #[serde(default)]
        pub read_file: bool,
        /// Answers `applyEdit`.
        #[serde(default)]
        pub apply_edit: bool,
        /// Answers `editorContext`.
        #[serde(default)]
        pub editor_context: bool,
        /// Answers `openUrl`.
        #[serde(default)]
        pub open_url: bool,
        /// Answers `showDeviceCode`.
        #[serde(default)]
        pub show_device_code: bool,
    }

    /// What the server is and can.
    pub struct InitializeResult {
        /// The version that both sides speak.
        pub protocol_version: u32,
        /// The server.
        pub server_info: Implementation,
        /// What it can.
        pub capabilities: ServerCapabilities,
        /// Every method that it answers.
        pub methods: Vec<String>,
        /// Problems found in the user's files.
        pub diagnostics: Vec<Diagnostic>,
    }

    /// What the server can, beside its methods.
    pub struct ServerCapabilities {
        /// Layouts that `newSession` and `openSession` take.
        pub layouts: Vec<String>,
        /// Kinds of content that `prompt` takes.
        pub content: Vec<String>,
        /// Bytes that one incoming message may have.
        pub max_message_bytes: u64,
        /// Where conversations are kept: `disk` or `memory`.
        pub storage: String,
    }

    /// A problem in one of the user's files. Its good parts are used.
    pub struct Diagnostic {
        /// The file.
        pub path: String,
        /// 1-based; zero where the whole file is meant.
        pub line: u32,
        /// 1-based, in characters; zero where the whole line is meant.
        pub column: u32,
        /// What is wrong.
        pub message: String,
    }

    /// An object without fields.
    #[derive(Default)]
    pub struct Empty {}
}
