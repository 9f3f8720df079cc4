//! Every setting by its name: what it may be and what it is for. The loader takes its bounds from here, and the
//! page and the schema in `docs/` are made of it.

use super::{CacheRetention, ModelTransport, Settings};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// One setting.
pub struct Setting {
    /// As in `settings.json`, with a dot between an object and its field.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is for: a sentence without its full stop.
    pub meaning: &'static str,
}

/// What a setting may be.
pub enum Kind {
    /// A string, or `null` for none.
    Text,
    /// Strings.
    Texts,
    /// One of some words, or `null` for the default.
    Word {
        /// Those that are understood.
        words: &'static [&'static str],
        /// The one that is in force.
        field: fn(&Settings) -> &'static str,
    },
    /// Yes or no.
    Switch,
    /// Lists of rules by folder.
    Remembered,
    /// Addresses of model servers of several kinds: `false` for none, `true` for the usual ones, or an object with
    /// a list for each kind.
    Servers,
    /// A string for each of some providers, or `null` for none.
    Labels,
    /// A whole number. One that is out of range is taken as the nearest that is not.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
        /// Where it is kept.
        field: fn(&Settings) -> u64,
    },
}

/// All, in the order in which they are told.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "defaultModel",
        kind: Kind::Text,
        meaning: "The model of prompts that name none, as in `--model`; without it the first provider that has a key is used",
    },
    Setting {
        name: "defaultAccounts",
        kind: Kind::Labels,
        meaning: "The label of the account to be used of each provider that has several, as in `--account`; an empty one is the account without a label",
    },
    Setting {
        name: "proxy",
        kind: Kind::Text,
        meaning: "A proxy for all providers, above those of the environment",
    },
    Setting {
        name: "noProxy",
        kind: Kind::Texts,
        meaning: "Hosts that the setting `proxy` is not for, written as in `NO_PROXY`",
    },
    Setting {
        name: "extraCaFiles",
        kind: Kind::Texts,
        meaning: "Files with certificates (PEM) that are trusted beside the system's; `~` is the home folder",
    },
    Setting {
        name: "localServers",
        kind: Kind::Servers,
        meaning: "Where model servers of this machine are looked for",
    },
    Setting {
        name: "cacheRetention",
        kind: Kind::Word {
            words: &[CacheRetention::None.name(), CacheRetention::Short.name(), CacheRetention::Long.name()],
            field: |it| it.cache_retention.name(),
        },
        meaning: "How long providers are asked to keep prompts in their caches; see [prompt caching](providers.md#prompt-caching)",
    },
    Setting {
        name: "transport",
        kind: Kind::Word {
            words: &[
                ModelTransport::Auto.name(),
                ModelTransport::Sse.name(),
                ModelTransport::Websocket.name(),
                ModelTransport::WebsocketCached.name(),
            ],
            field: |it| it.transport.name(),
        },
        meaning: "How answers of `openai-codex-responses` come: `sse` in the body of an HTTP answer; `websocket` over one connection for a session, else as `sse`; `websocket-cached` the same, and of the conversation only what is new is sent; `auto` is `websocket-cached`",
    },
    Setting {
        name: "permissions.allow",
        kind: Kind::Texts,
        meaning: "Rules of what tools may do unasked; see [permissions](permissions.md). Only heard from this file",
    },
    Setting {
        name: "permissions.ask",
        kind: Kind::Texts,
        meaning: "Rules of what is asked about, whatever allows it",
    },
    Setting {
        name: "permissions.deny",
        kind: Kind::Texts,
        meaning: "Rules of what tools may not do, whatever allows it",
    },
    Setting {
        name: "permissions.allowFull",
        kind: Kind::Switch,
        meaning: "Whether the permission mode `full` may be chosen. Only heard from this file",
    },
    Setting {
        name: "permissions.remembered",
        kind: Kind::Remembered,
        meaning: "What was answered for good, by the folder that was worked in; written by Aside. Only heard from this file",
    },
    Setting {
        name: "limits.maxMessageBytes",
        kind: Kind::Number {
            least: 64 * KIB,
            most: 1024 * MIB,
            field: |it| it.limits.max_message_bytes as u64,
        },
        meaning: "Bytes of one incoming message",
    },
    Setting {
        name: "limits.maxItemBytes",
        kind: Kind::Number { least: 64 * KIB, most: 256 * MIB, field: |it| it.limits.max_item_bytes as u64 },
        meaning: "Bytes of the text of one item of a conversation",
    },
    Setting {
        name: "limits.maxOpenRequests",
        kind: Kind::Number { least: 1, most: 100_000, field: |it| it.limits.max_open_requests as u64 },
        meaning: "Requests of the client that have no answer yet",
    },
    Setting {
        name: "limits.maxCallsPerTurn",
        kind: Kind::Number { least: 1, most: 10_000, field: |it| it.limits.max_calls_per_turn.into() },
        meaning: "Model calls that one prompt may cause",
    },
    Setting {
        name: "limits.maxToolCallsPerTurn",
        kind: Kind::Number { least: 1, most: 100_000, field: |it| it.limits.max_tool_calls_per_turn.into() },
        meaning: "Tool calls that one prompt may cause; further ones are refused, and the model is told",
    },
    Setting {
        name: "limits.maxTurnMs",
        kind: Kind::Number { least: 1_000, most: 7 * DAY_MS, field: |it| it.limits.max_turn_ms },
        meaning: "Milliseconds that one prompt may be at work; then it ends before its next model call",
    },
    Setting {
        name: "timeouts.connectMs",
        kind: Kind::Number { least: 100, most: HOUR_MS, field: |it| it.timeouts.connect_ms },
        meaning: "Milliseconds until the connection to a provider stands, TLS included",
    },
    Setting {
        name: "timeouts.firstEventMs",
        kind: Kind::Number { least: 100, most: DAY_MS, field: |it| it.timeouts.first_event_ms },
        meaning: "Milliseconds until the first event of an answer",
    },
    Setting {
        name: "timeouts.idleMs",
        kind: Kind::Number { least: 100, most: DAY_MS, field: |it| it.timeouts.idle_ms },
        meaning: "Milliseconds between two bytes of an answer that has begun",
    },
    Setting {
        name: "timeouts.eventMs",
        kind: Kind::Number { least: 100, most: DAY_MS, field: |it| it.timeouts.event_ms },
        meaning: "Milliseconds between two events of an answer that has begun, however many comments come",
    },
    Setting {
        name: "timeouts.stallNoticeMs",
        kind: Kind::Number { least: 100, most: DAY_MS, field: |it| it.timeouts.stall_notice_ms },
        meaning: "Milliseconds until the client is told that nothing comes",
    },
    Setting {
        name: "retry.maxRequests",
        kind: Kind::Number { least: 1, most: 10, field: |it| it.retry.max_requests.into() },
        meaning: "Requests that one model call may cost, the first included",
    },
    Setting {
        name: "retry.baseDelayMs",
        kind: Kind::Number { least: 1, most: HOUR_MS, field: |it| it.retry.base_delay_ms },
        meaning: "Milliseconds before the second request; each later wait is twice as long",
    },
    Setting {
        name: "retry.maxDelayMs",
        kind: Kind::Number { least: 0, most: DAY_MS, field: |it| it.retry.max_delay_ms },
        meaning: "The longest wait in milliseconds; where a provider asks for more, the call fails at once",
    },
    Setting {
        name: "tools.env.pass",
        kind: Kind::Texts,
        meaning: "Variables that the commands of a model see though they look like secrets; only a user's own file may say so",
    },
    Setting {
        name: "tools.shell.timeoutMs",
        kind: Kind::Number { least: 1_000, most: DAY_MS, field: |it| it.tools.timeout_ms },
        meaning: "Milliseconds that a command may run where the model does not say how long",
    },
    Setting {
        name: "tools.shell.maxTimeoutMs",
        kind: Kind::Number { least: 1_000, most: DAY_MS, field: |it| it.tools.max_timeout_ms },
        meaning: "The longest that a model may ask for, in milliseconds",
    },
    Setting {
        name: "tools.shell.maxProcesses",
        kind: Kind::Number { least: 16, most: 100_000, field: |it| it.tools.max_processes.into() },
        meaning: "Processes that a command may have at a time; with more, all of them are killed",
    },
    Setting {
        name: "tools.shell.maxMemoryBytes",
        kind: Kind::Number { least: 0, most: 1 << 50, field: |it| it.tools.max_memory_bytes },
        meaning: "Bytes of address space of each process of a command; 0 for no limit",
    },
];

/// The kinds of model servers, as the fields of `localServers`.
pub const SERVERS: [&str; 4] = ["ollama", "lmstudio", "llamacpp", "vllm"];

/// The names of the settings of one object, or of the top.
pub(super) fn names(object: Option<&str>) -> Vec<&'static str> {
    let of = |setting: &Setting| {
        let below = match object {
            None => setting.name,
            Some(object) => setting.name.strip_prefix(object)?.strip_prefix('.')?,
        };
        below.split('.').next()
    };
    let mut names: Vec<&'static str> = Vec::new();
    for setting in SETTINGS {
        let setting: &'static Setting = setting;
        names.extend(of(setting).filter(|name| !names.contains(name)));
    }
    names
}

/// The words of a setting.
pub(super) fn words(name: &str) -> Option<&'static [&'static str]> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
    if let Kind::Word { words, .. } = setting.kind { Some(words) } else { None }
}

/// The bounds of a number.
pub(super) fn bounds(name: &str) -> Option<(u64, u64)> {
    SETTINGS.iter().find(|setting| setting.name == name).and_then(|setting| match setting.kind {
        Kind::Number { least, most, .. } => Some((least, most)),
        Kind::Text
        | Kind::Texts
        | Kind::Word { .. }
        | Kind::Switch
        | Kind::Remembered
        | Kind::Servers
        | Kind::Labels => None,
    })
}
