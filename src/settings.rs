//! Settings in layers: built in < the user's `settings.json` < the client's `initialize.settings`.
//!
//! Also the one reader of JSON with comments, and the one way to change such a file, which `auth.json` and
//! `models.json` share. It must never read a
//! project folder's file as anything but a restriction.

pub mod change;
pub mod edit;
pub mod jsonc;
pub mod load;
pub mod nearest;
pub mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What can be set, with every default filled in.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// A model pattern (`provider/id`), used where a prompt names none.
    pub default_model: Option<String>,
    /// The account of each provider that is used where none is named: provider to label.
    pub default_accounts: BTreeMap<String, String>,
    /// Sizes beyond which something is refused or ended.
    pub limits: Limits,
    /// How long to wait for a provider.
    pub timeouts: Timeouts,
    /// How often a model call that failed is made again.
    pub retry: Retry,
    /// Certificate files (PEM) trusted beside the system's.
    pub extra_ca_files: Vec<PathBuf>,
    /// Where local model servers are looked for.
    pub local_servers: LocalPlaces,
    /// A proxy that stands above the environment's, as an editor's own `http.proxy` does.
    pub proxy: Option<String>,
    /// Hosts that are reached without any proxy, each as in `NO_PROXY`.
    pub no_proxy: Vec<String>,
    /// What tools may do unasked, and what never.
    pub permissions: Permissions,
    /// How long providers are asked to keep prompts, where neither the prompt nor the provider's variable says.
    pub cache_retention: CacheRetention,
    /// How answers come where an API offers more than one way.
    pub transport: ModelTransport,
    /// What the commands of a model may see and take.
    pub tools: Tools,
}

/// How an answer comes where an API offers more than one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelTransport {
    /// As is best: as [`WebsocketCached`](Self::WebsocketCached).
    #[default]
    Auto,
    /// Events in the body of an HTTP answer.
    Sse,
    /// A WebSocket that serves one request after the other, each with the whole conversation; where there is none,
    /// as [`Sse`](Self::Sse).
    Websocket,
    /// The same, and of a conversation only what is new is sent.
    WebsocketCached,
}

impl ModelTransport {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Sse, Self::Websocket, Self::WebsocketCached];

    /// As in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Sse => "sse",
            Self::Websocket => "websocket",
            Self::WebsocketCached => "websocket-cached",
        }
    }

    /// What `name` stands for; upper and lower case are alike.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// Rules about what tools may do, as they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What runs unasked. Only of the user's own file.
    pub allow: Vec<String>,
    /// What is asked about, whatever allows it.
    pub ask: Vec<String>,
    /// What does not run, whatever allows it.
    pub deny: Vec<String>,
    /// Whether the permission mode `full` may be chosen. Only of the user's own file.
    pub allow_full: Option<bool>,
    /// What the person answered for good. Only of the user's own file.
    pub remembered: Vec<Remembered>,
    /// What the client adds: it can only restrict.
    pub client_ask: Vec<String>,
    pub client_deny: Vec<String>,
}

/// What the person answered for good when working in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// The real path of the folder.
    pub folder: String,
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

/// How long a provider should keep a prompt in its cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheRetention {
    /// Not at all, as far as it lets itself be told.
    None,
    /// As long as it does where nothing is said of time: minutes.
    #[default]
    Short,
    /// An hour or a day, where it can; what is written into such a cache may cost more.
    Long,
}

impl CacheRetention {
    /// All, from none to most.
    pub const ALL: [Self; 3] = [Self::None, Self::Short, Self::Long];

    /// As in settings, variables and prompts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Short => "short",
            Self::Long => "long",
        }
    }

    /// What `name` stands for; upper and lower case are alike.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// Addresses at which model servers of each kind are looked for, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPlaces {
    pub ollama: Vec<String>,
    pub lmstudio: Vec<String>,
    pub llamacpp: Vec<String>,
    pub vllm: Vec<String>,
}

impl LocalPlaces {
    /// Nowhere.
    pub fn none() -> Self {
        Self { ollama: Vec::new(), lmstudio: Vec::new(), llamacpp: Vec::new(), vllm: Vec::new() }
    }
}

impl Default for LocalPlaces {
    /// Where each kind listens if nobody told it otherwise.
    fn default() -> Self {
        let at = |port: u16| vec![format!("http://127.0.0.1:{port}")];
        Self { ollama: at(11_434), lmstudio: at(1_234), llamacpp: at(8_080), vllm: at(8_000) }
    }
}

/// Sizes, in bytes unless said otherwise.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the names of the settings")]
pub struct Limits {
    /// One incoming line or body.
    pub max_message_bytes: usize,
    /// The text of one item of a conversation.
    pub max_item_bytes: usize,
    /// Requests without an answer yet (a count).
    pub max_open_requests: usize,
    /// Model calls that one prompt may cause (a count).
    pub max_calls_per_turn: u32,
    /// Tool calls that one prompt may cause (a count).
    pub max_tool_calls_per_turn: u32,
    /// How long one prompt may be at work, in milliseconds.
    pub max_turn_ms: u64,
}

/// Waits, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "a number that waits says its unit")]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    pub connect_ms: u64,
    /// Until the first event of an answer.
    pub first_event_ms: u64,
    /// Between two bytes of an answer that has begun.
    pub idle_ms: u64,
    /// Between two events of an answer that has begun, however many comments come.
    pub event_ms: u64,
    /// Until the client is told that nothing comes.
    pub stall_notice_ms: u64,
}

/// What the commands of a model may see and take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    /// Variables that they see though their names or values look like secrets.
    pub env_pass: Vec<String>,
    /// How long one may run where the model does not say, in milliseconds.
    pub timeout_ms: u64,
    /// The longest that a model may ask for, in milliseconds.
    pub max_timeout_ms: u64,
    /// Processes that one may have at a time (a count).
    pub max_processes: u32,
    /// Address space of each process, in bytes; zero for no limit.
    pub max_memory_bytes: u64,
}

/// How model calls are made again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Requests that one model call may cost, the first included (a count).
    pub max_requests: u32,
    /// The wait before the second request, in milliseconds; each later one is twice as long.
    pub base_delay_ms: u64,
    /// The longest wait, in milliseconds: where a provider asks for more, the call fails at once.
    pub max_delay_ms: u64,
}

impl std::fmt::Debug for Settings {
    /// Without the proxy, whose URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("default_model", &self.default_model)
            .field("default_accounts", &self.default_accounts)
            .field("limits", &self.limits)
            .field("timeouts", &self.timeouts)
            .field("retry", &self.retry)
            .field("extra_ca_files", &self.extra_ca_files)
            .field("local_servers", &self.local_servers)
            .field("proxy", &self.proxy.as_ref().map(|_| "***"))
            .field("no_proxy", &self.no_proxy)
            .field("permissions", &self.permissions)
            .field("cache_retention", &self.cache_retention)
            .field("transport", &self.transport)
            .field("tools", &self.tools)
            .finish()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            default_model: None,
            default_accounts: BTreeMap::new(),
            limits: Limits {
                max_message_bytes: 64 << 20,
                max_item_bytes: 16 << 20,
                max_open_requests: 16_384,
                max_calls_per_turn: 200,
                max_tool_calls_per_turn: 1_000,
                max_turn_ms: 4 * 3_600_000,
            },
            timeouts: Timeouts {
                connect_ms: 10_000,
                first_event_ms: 300_000,
                idle_ms: 60_000,
                event_ms: 180_000,
                stall_notice_ms: 10_000,
            },
            retry: Retry { max_requests: 4, base_delay_ms: 1_000, max_delay_ms: 60_000 },
            extra_ca_files: Vec::new(),
            local_servers: LocalPlaces::default(),
            proxy: None,
            no_proxy: Vec::new(),
            permissions: Permissions::default(),
            cache_retention: CacheRetention::default(),
            transport: ModelTransport::Auto,
            tools: Tools {
                env_pass: Vec::new(),
                timeout_ms: 120_000,
                max_timeout_ms: 600_000,
                max_processes: 1_000,
                max_memory_bytes: 0,
            },
        }
    }
}

/// A problem in one of the user's files, told to the client and never fatal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file.
    pub path: PathBuf,
    /// 1-based, zero where the whole file is meant.
    pub line: u32,
    /// 1-based, in characters; zero where the whole line is meant.
    pub column: u32,
    /// What is wrong, without secrets.
    pub message: String,
}
