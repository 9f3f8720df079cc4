//! Reads the layers of [`Settings`] and lays them over each other. A value that is wrong is reported and left
//! out; the rest of its file holds. It must never fail as a whole.

pub mod permissions;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::jsonc::{Document, Entry, JsoncError, Value};
use super::nearest::nearest;
use super::{CacheRetention, Diagnostic, LocalPlaces, ModelTransport, Settings, Tools, table};
use crate::system::System;

/// The user's file, in the config folder.
pub const SETTINGS_FILE: &str = "settings.json";

/// How the client's layer is called in diagnostics.
pub const CLIENT_LAYER: &str = "initialize.settings";

/// More than any file of settings, models or keys that a person would write, in bytes.
pub const MAX_FILE_BYTES: usize = 8 << 20;

/// Problems of one file that are told; who has more has the wrong file.
pub(crate) const MAX_DIAGNOSTICS: usize = 50;

/// Characters of one diagnostic; names in files may be of any length.
const MAX_MESSAGE: usize = 500;

/// Addresses of one kind of server that are asked.
const MAX_LOCAL_SERVERS: usize = 8;

impl Settings {
    /// Built in, then the user's file, then what the client sent; later layers win, value by value.
    pub fn load(system: &System, client: Option<&RawValue>) -> (Self, Vec<Diagnostic>) {
        let mut loader =
            Loader { settings: Self::default(), diagnostics: Vec::new(), home: system.dirs.home.as_deref() };
        if let Some(path) = system.dirs.config.as_ref().map(|dir| dir.join(SETTINGS_FILE)) {
            match read_text(system, &path) {
                Ok(Some(text)) => loader.layer(&path, &text, Source::User),
                Ok(None) => {}
                Err(diagnostic) => loader.diagnostics.push(diagnostic),
            }
        }
        if let Some(client) = client {
            loader.layer(Path::new(CLIENT_LAYER), client.get(), Source::Client);
        }
        (loader.settings, loader.diagnostics)
    }
}

/// The text of one of the user's files; `None` where there is no such file.
pub fn read_text(system: &System, path: &Path) -> Result<Option<String>, Diagnostic> {
    let whole = |message: String| Diagnostic { path: path.to_path_buf(), line: 0, column: 0, message };
    let bytes = match system.files.read_start(path, MAX_FILE_BYTES + 1) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(whole(format!("the file cannot be read: {error}"))),
    };
    if bytes.len() > MAX_FILE_BYTES {
        return Err(whole(format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => {
            let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = memchr::memchr_iter(b'\n', valid).count() + 1;
            let start = memchr::memrchr(b'\n', valid).map_or(0, |newline| newline + 1);
            let before = String::from_utf8_lossy(valid.get(start..).unwrap_or_default());
            let column = before.trim_start_matches('\u{feff}').chars().count() + 1;
            Err(Diagnostic {
                line: u32::try_from(line).unwrap_or(u32::MAX),
                column: u32::try_from(column).unwrap_or(u32::MAX),
                ..whole("the file is not UTF-8".into())
            })
        }
    }
}

impl Diagnostic {
    /// What is wrong with a part of `path`, in one line of bounded length.
    pub fn at(path: &Path, error: JsoncError) -> Self {
        let JsoncError { line, column, message, path: inside } = error;
        let message = if inside.is_empty() { message } else { format!("{inside}: {message}") };
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let message = message.chars().take(MAX_MESSAGE).map(plain).collect();
        Self { path: path.to_path_buf(), line, column, message }
    }
}

/// Whose settings are read: not everybody may say everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A file of the user's own, or of whoever manages the machine.
    User,
    /// The client, which may pass on what a folder says.
    Client,
}

struct Loader<'h> {
    settings: Settings,
    diagnostics: Vec<Diagnostic>,
    home: Option<&'h Path>,
}

impl Loader<'_> {
    fn layer(&mut self, path: &Path, text: &str, source: Source) {
        let document = match Document::new(text) {
            Ok(document) => document,
            Err(error) => return self.diagnostics.push(Diagnostic::at(path, error)),
        };
        let mut layer = Layer { path, diagnostics: &mut self.diagnostics };
        let root = document.root();
        let Some(entries) = layer.good(root.and_then(|root| root.entries())) else { return };
        let settings = &mut self.settings;
        for entry in entries {
            if layer.is_full() {
                break;
            }
            let value = entry.value;
            match entry.key.as_str() {
                "defaultModel" => layer.set(&entry, &mut settings.default_model),
                "defaultAccounts" => {
                    // Each provider by itself: a layer above changes those that it names.
                    for (provider, label) in
                        layer.typed::<BTreeMap<String, Option<String>>>(&entry).unwrap_or_default()
                    {
                        match label {
                            Some(label) => settings.default_accounts.insert(provider, label),
                            None => settings.default_accounts.remove(&provider),
                        };
                    }
                }
                "proxy" => layer.set(&entry, &mut settings.proxy),
                "transport" => layer.word(&entry, ModelTransport::named, &mut settings.transport),
                "noProxy" => {
                    if let Some(hosts) = layer.typed::<Vec<String>>(&entry) {
                        settings.no_proxy = hosts;
                    }
                }
                "extraCaFiles" => {
                    if let Some(files) = layer.typed::<Vec<String>>(&entry) {
                        settings.extra_ca_files =
                            files.iter().map(|file| expanded(file, self.home)).collect();
                    }
                }
                "cacheRetention" => layer.word(&entry, CacheRetention::named, &mut settings.cache_retention),
                "limits" => {
                    let limits = &mut settings.limits;
                    layer.numbers(
                        value,
                        "limits",
                        &mut [
                            ("maxMessageBytes", &mut limits.max_message_bytes),
                            ("maxItemBytes", &mut limits.max_item_bytes),
                            ("maxOpenRequests", &mut limits.max_open_requests),
                            ("maxCallsPerTurn", &mut limits.max_calls_per_turn),
                            ("maxToolCallsPerTurn", &mut limits.max_tool_calls_per_turn),
                            ("maxTurnMs", &mut limits.max_turn_ms),
                        ],
                    );
                }
                "timeouts" => {
                    let timeouts = &mut settings.timeouts;
                    layer.numbers(
                        value,
                        "timeouts",
                        &mut [
                            ("connectMs", &mut timeouts.connect_ms),
                            ("firstEventMs", &mut timeouts.first_event_ms),
                            ("idleMs", &mut timeouts.idle_ms),
                            ("eventMs", &mut timeouts.event_ms),
                            ("stallNoticeMs", &mut timeouts.stall_notice_ms),
                        ],
                    );
                }
                "retry" => {
                    let retry = &mut settings.retry;
                    layer.numbers(
                        value,
                        "retry",
                        &mut [
                            ("maxRequests", &mut retry.max_requests),
                            ("baseDelayMs", &mut retry.base_delay_ms),
                            ("maxDelayMs", &mut retry.max_delay_ms),
                        ],
                    );
                }
                "permissions" => layer.permissions(value, &mut settings.permissions, source),
                "tools" => layer.tools(value, &mut settings.tools, source),
                "localServers" => layer.local_servers(&entry, &mut settings.local_servers),
                // The key by which editors find the file's schema.
                "$schema" => {}
                _ => layer.unknown(&entry, "", &table::names(None)),
            }
        }
    }
}

/// A number field that is set after a check of its bounds.
trait Number {
    fn assign(&mut self, value: u64);
}

macro_rules! numbers {
    ($($of:ty),*) => { $(impl Number for $of {
        fn assign(&mut self, value: u64) {
            *self = <$of>::try_from(value).unwrap_or(<$of>::MAX);
        }
    })* };
}
numbers!(usize, u32, u64);

/// Its name in its object, and where it is kept.
type Field<'f> = (&'static str, &'f mut dyn Number);

/// One layer while it is read.
struct Layer<'l> {
    path: &'l Path,
    diagnostics: &'l mut Vec<Diagnostic>,
}

impl Layer<'_> {
    fn is_full(&self) -> bool {
        self.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    fn good<T>(&mut self, result: Result<T, JsoncError>) -> Option<T> {
        result.map_err(|error| self.diagnostics.push(Diagnostic::at(self.path, error))).ok()
    }

    fn typed<T: DeserializeOwned>(&mut self, entry: &Entry<'_>) -> Option<T> {
        let result = entry.value.parse().map_err(|mut error: JsoncError| {
            let dot = if error.path.is_empty() || error.path.starts_with('[') { "" } else { "." };
            error.path = format!("{}{dot}{}", entry.key, error.path);
            error
        });
        self.good(result)
    }

    /// `false` and `"off"` look nowhere, `true` and `null` at the usual places; an object names the places of
    /// some kinds.
    fn local_servers(&mut self, entry: &Entry<'_>, servers: &mut LocalPlaces) {
        if entry.value.text() == "\"off\"" {
            *servers = LocalPlaces::none();
        } else if entry.value.text().starts_with('{') {
            for kind in self.good(entry.value.entries()).unwrap_or_default() {
                let named = Entry { key: format!("{}.{}", entry.key, kind.key), value: kind.value };
                let field = match kind.key.as_str() {
                    "ollama" => &mut servers.ollama,
                    "lmstudio" => &mut servers.lmstudio,
                    "llamacpp" => &mut servers.llamacpp,
                    "vllm" => &mut servers.vllm,
                    _ => {
                        self.unknown(&kind, "localServers.", &table::SERVERS);
                        continue;
                    }
                };
                if matches!(kind.value.text(), "false" | "\"off\"") {
                    field.clear();
                    continue;
                }
                let Some(urls) = self.typed::<Vec<String>>(&named) else { continue };
                field.clear();
                for (index, url) in urls.iter().take(MAX_LOCAL_SERVERS).enumerate() {
                    if let Some(url) = server_url(url) {
                        field.push(url);
                        continue;
                    }
                    // It may hold a password, so it is not shown.
                    let message = format!(
                        "{}[{index}] is not the address of a server, such as http://127.0.0.1:11434",
                        named.key
                    );
                    self.diagnostics.push(Diagnostic::at(self.path, named.value.error(message)));
                }
            }
        } else if let Some(on) = self.typed::<Option<bool>>(entry) {
            *servers = if on == Some(false) { LocalPlaces::none() } else { LocalPlaces::default() };
        }
    }

    /// `null` takes the value of the layers below away.
    fn set(&mut self, entry: &Entry<'_>, field: &mut Option<String>) {
        if let Some(value) = self.typed::<Option<String>>(entry) {
            *field = value.filter(|value| !value.trim().is_empty());
        }
    }

    /// One of the words of a setting; `null` stands for the default.
    fn word<T: Default>(&mut self, entry: &Entry<'_>, named: fn(&str) -> Option<T>, field: &mut T) {
        match self.typed::<Option<String>>(entry).map(|word| word.as_deref().map(named)) {
            Some(None) => *field = T::default(),
            Some(Some(Some(named))) => *field = named,
            Some(Some(None)) => {
                let message = match table::words(&entry.key) {
                    Some([first @ .., last]) => {
                        format!("{} is none of {} and {last}", entry.key, first.join(", "))
                    }
                    Some([]) | None => format!("{} has no such value", entry.key),
                };
                self.diagnostics.push(Diagnostic::at(self.path, entry.value.error(message)));
            }
            None => {}
        }
    }

    /// What a user's own file alone may say is not taken from a client, whose settings a project may have a part in.
    fn tools(&mut self, object: Value<'_>, tools: &mut Tools, source: Source) {
        let part = |error: JsoncError, name: &str| JsoncError { path: name.into(), ..error };
        let parts = self.good(object.entries().map_err(|error| part(error, "tools")));
        for entry in parts.unwrap_or_default() {
            match entry.key.as_str() {
                "shell" => self.numbers(
                    entry.value,
                    "tools.shell",
                    &mut [
                        ("timeoutMs", &mut tools.timeout_ms),
                        ("maxTimeoutMs", &mut tools.max_timeout_ms),
                        ("maxProcesses", &mut tools.max_processes),
                        ("maxMemoryBytes", &mut tools.max_memory_bytes),
                    ],
                ),
                "env" => {
                    let variables =
                        self.good(entry.value.entries().map_err(|error| part(error, "tools.env")));
                    for entry in variables.unwrap_or_default() {
                        if entry.key != "pass" {
                            self.unknown(&entry, "tools.env.", &table::names(Some("tools.env")));
                        } else if source == Source::Client {
                            let message = "tools.env.pass is taken from your own settings.json alone";
                            self.diagnostics.push(Diagnostic::at(self.path, entry.value.error(message)));
                        } else {
                            let named = Entry { key: "tools.env.pass".to_owned(), value: entry.value };
                            if let Some(names) = self.typed::<Vec<String>>(&named) {
                                tools.env_pass = names;
                            }
                        }
                    }
                }
                _ => self.unknown(&entry, "tools.", &table::names(Some("tools"))),
            }
        }
    }

    fn numbers(&mut self, object: Value<'_>, name: &str, fields: &mut [Field<'_>]) {
        let entries = object.entries().map_err(|mut error| {
            error.path = name.into();
            error
        });
        for entry in self.good(entries).unwrap_or_default() {
            if self.is_full() {
                break;
            }
            let Some((_, field)) = fields.iter_mut().find(|field| field.0 == entry.key) else {
                self.unknown(&entry, &format!("{name}."), &table::names(Some(name)));
                continue;
            };
            let named = Entry { key: format!("{name}.{}", entry.key), value: entry.value };
            let Some(value) = self.typed::<u64>(&named) else { continue };
            let (least, most) = table::bounds(&named.key).unwrap_or((0, u64::MAX));
            let bounded = value.clamp(least, most);
            if bounded != value {
                let error = entry.value.error(format!("{} is out of range: {bounded} is used", named.key));
                self.diagnostics.push(Diagnostic::at(self.path, error));
            }
            field.assign(bounded);
        }
    }

    fn unknown(&mut self, entry: &Entry<'_>, above: &str, known: &[&str]) {
        let near = nearest(&entry.key, known.iter().copied(), 1);
        let near = near.first().map_or(String::new(), |near| format!(", did you mean {above}{near}?"));
        let message = format!("unknown setting {above}{}{near}", shown(&entry.key));
        self.diagnostics.push(Diagnostic::at(self.path, entry.value.error(message)));
    }
}

/// A name from outside, fit for a message.
pub(crate) fn shown(name: &str) -> String {
    let mut short: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    format!("\"{short}\"")
}

/// An address without a path: `/v1` and slashes at its end say nothing, and anything else would be another place.
pub fn server_url(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let text = text.strip_suffix("/v1").unwrap_or(text).trim_end_matches('/');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    let is_good = !rest.is_empty() && rest.chars().all(is_plain) && url::Url::parse(text).is_ok();
    is_good.then(|| text.to_owned())
}

/// `~` and `~/…` are the user's home.
pub(crate) fn expanded(file: &str, home: Option<&Path>) -> PathBuf {
    match (file.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home.to_path_buf(),
        (Some(rest), Some(home)) if rest.starts_with(['/', std::path::MAIN_SEPARATOR]) => {
            home.join(rest.trim_start_matches(['/', std::path::MAIN_SEPARATOR]))
        }
        _ => PathBuf::from(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Dirs;

    fn system(settings: Option<&[u8]>) -> (tempfile::TempDir, System) {
        let home = tempfile::tempdir().unwrap();
        let mut system = System::real();
        system.dirs = Dirs::below(home.path());
        system.dirs.home = Some("/home/me".into());
        if let Some(settings) = settings {
            system.files.replace(&home.path().join(SETTINGS_FILE), settings).unwrap();
        }
        (home, system)
    }

    #[track_caller]
    fn check(settings: &str, client: Option<&str>, messages: &[(u32, u32, &str)]) -> Settings {
        let (_home, system) = system(Some(settings.as_bytes()));
        let client = client.map(|text| RawValue::from_string(text.into()).unwrap());
        let (settings, diagnostics) = Settings::load(&system, client.as_deref());
        let told: Vec<_> = diagnostics.iter().map(|d| (d.line, d.column, d.message.as_str())).collect();
        assert_eq!(told, messages);
        settings
    }

    #[test]
    fn hosts_without_a_proxy_are_a_list() {
        let settings = check(r#"{"proxy": "p:1", "noProxy": [".corp", "10.0.0.0/8"]}"#, None, &[]);
        assert_eq!(settings.no_proxy, [".corp", "10.0.0.0/8"]);
    }

    #[test]
    fn places_of_local_servers_are_addresses_and_can_be_turned_off() {
        let settings = check(
            r#"{"localServers": {"ollama": ["http://localhost:1/v1/", "https://gpu.lan"], "vllm": false, "x": 1}}"#,
            None,
            &[(1, 96, "unknown setting localServers.\"x\"")],
        );
        let places = LocalPlaces::default();
        assert_eq!(
            settings.local_servers,
            LocalPlaces {
                ollama: vec!["http://localhost:1".to_owned(), "https://gpu.lan".to_owned()],
                vllm: Vec::new(),
                ..places.clone()
            }
        );
        for off in ["false", "\"off\""] {
            let off = check(&format!("{{\"localServers\": {off}}}"), None, &[]);
            assert_eq!(off.local_servers, LocalPlaces::none());
        }
        let on = check(r#"{"localServers": false}"#, Some(r#"{"localServers": true}"#), &[]);
        assert_eq!(on.local_servers, places);
        let bad = r#"{"localServers": {"ollama": ["http://me:secret@x", "gpu", "http://x/y?z"]}}"#;
        let (_home, system) = system(Some(bad.as_bytes()));
        let (settings, told) = Settings::load(&system, None);
        assert_eq!((settings.local_servers.ollama, told.len()), (Vec::new(), 3));
        assert!(!format!("{told:?}").contains("secret"), "{told:?}");
    }

    #[test]
    fn without_a_file_everything_is_as_built_in() {
        let (_home, mut system) = system(None);
        assert_eq!(Settings::load(&system, None), (Settings::default(), vec![]));
        system.dirs = Dirs::default();
        assert_eq!(Settings::load(&system, None), (Settings::default(), vec![]));
    }

    #[test]
    fn the_client_stands_above_the_file() {
        let file = "{ // mine\n \"defaultModel\": \"groq/a\", \"proxy\": \"http://p:1\", \"timeouts\": {\"idleMs\": 500}, \"retry\": {\"maxRequests\": 2},\
                    \"extraCaFiles\": [\"~/ca.pem\", \"/x\"], \"limits\": {\"maxCallsPerTurn\": 3} }";
        let settings = check(file, Some("{\"defaultModel\": \"demo\", \"proxy\": null}"), &[]);
        let mut expected = Settings { default_model: Some("demo".into()), ..Settings::default() };
        expected.timeouts.idle_ms = 500;
        expected.retry.max_requests = 2;
        expected.limits.max_calls_per_turn = 3;
        expected.extra_ca_files = vec!["/home/me/ca.pem".into(), "/x".into()];
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_is_used() {
        let file = "{\n  \"defaultModle\": \"x\",\n  \"limits\": {\"maxItemBytes\": -1, \"maxOpenRequests\": 7, \"bytes\": 1},\n\
                    \"timeouts\": 3, \"extraCaFiles\": [1], \"proxy\": \"http://p\",\n \"colour\": 1}";
        let settings = check(
            file,
            None,
            &[
                (2, 19, "unknown setting \"defaultModle\", did you mean defaultModel?"),
                (3, 30, "limits.maxItemBytes: expected a whole number from zero up, found a number"),
                (3, 65, "unknown setting limits.\"bytes\", did you mean limits.maxItemBytes?"),
                (4, 13, "timeouts: expected an object, found a number"),
                (4, 33, "extraCaFiles[0]: expected a string, found a number"),
                (5, 12, "unknown setting \"colour\""),
            ],
        );
        assert_eq!((settings.limits.max_open_requests, settings.proxy.as_deref()), (7, Some("http://p")));
    }

    #[test]
    fn every_setting_of_the_table_is_read() {
        let defaults = Settings::default();
        for setting in table::SETTINGS {
            let value = match setting.kind {
                table::Kind::Text => "\"x\"".to_owned(),
                table::Kind::Texts => "[\"/x\"]".to_owned(),
                table::Kind::Word { words, field } => {
                    assert!(words.contains(&field(&defaults)), "{}", setting.name);
                    format!("\"{}\"", words[words.len() - 1])
                }
                table::Kind::Switch => "true".to_owned(),
                table::Kind::Remembered => "{\"/x\": {\"allow\": [\"edit\"]}}".to_owned(),
                table::Kind::Servers => "false".to_owned(),
                table::Kind::Labels => "{\"anthropic\": \"work\"}".to_owned(),
                table::Kind::Number { least, most, field } => {
                    assert!((least..=most).contains(&field(&defaults)), "{}", setting.name);
                    most.to_string()
                }
            };
            let inside_out = setting.name.rsplit('.');
            let text = inside_out.fold(value, |inner, name| format!("{{\"{name}\": {inner}}}"));
            let settings = check(&text, None, &[]);
            assert_ne!(settings, defaults, "{} changes nothing", setting.name);
            if let table::Kind::Number { most, field, .. } = setting.kind {
                assert_eq!(field(&settings), most, "{}", setting.name);
            }
        }
    }

    #[test]
    fn caches_are_kept_as_long_as_a_word_says() {
        let of = |text, told: &[_]| check(text, None, told).cache_retention;
        assert_eq!(of(r#"{"cacheRetention": "NONE"}"#, &[]), CacheRetention::None);
        assert_eq!(of(r#"{"cacheRetention": null}"#, &[]), CacheRetention::Short);
        let told = [(1, 21, "cacheRetention is none of none, short and long")];
        assert_eq!(of(r#"{"cacheRetention":  "1h"}"#, &told), CacheRetention::Short);
        let told = [(1, 20, "cacheRetention: expected a string, found a boolean")];
        assert_eq!(of(r#"{"cacheRetention": true}"#, &told), CacheRetention::Short);
    }

    #[test]
    fn a_word_chooses_the_transport() {
        for transport in ModelTransport::ALL {
            let settings = check(&format!("{{\"transport\": \"{}\"}}", transport.name()), None, &[]);
            assert_eq!(settings.transport, transport);
        }
        let none = check("{\"transport\": \"sse\"}", Some("{\"transport\": null}"), &[]);
        assert_eq!(none.transport, ModelTransport::Auto);
        let told = [(1, 15, "transport is none of auto, sse, websocket and websocket-cached")];
        check("{\"transport\": \"smoke\"}", None, &told);
    }

    #[test]
    fn only_the_users_own_file_lets_secrets_through() {
        let file =
            r#"{"tools": {"env": {"pass": ["A"], "keep": 1}, "shell": {"maxProcesses": 3}, "shel": 1}}"#;
        let client = r#"{"tools": {"env": {"pass": ["B"]}, "shell": {"timeoutMs": 5000}}}"#;
        let told = [
            (1, 43, "unknown setting tools.env.\"keep\""),
            (1, 73, "tools.shell.maxProcesses is out of range: 16 is used"),
            (1, 85, "unknown setting tools.\"shel\", did you mean tools.shell?"),
            (1, 28, "tools.env.pass is taken from your own settings.json alone"),
        ];
        let settings = check(file, Some(client), &told);
        assert_eq!(settings.tools.env_pass, ["A"]);
        assert_eq!((settings.tools.timeout_ms, settings.tools.max_processes), (5000, 16));
    }

    #[test]
    fn hard_caps_hold() {
        let told = [
            (1, 33, "limits.maxMessageBytes is out of range: 1073741824 is used"),
            (1, 66, "limits.maxItemBytes is out of range: 65536 is used"),
        ];
        let text = "{\"limits\": {\"maxMessageBytes\":  99999999999999, \"maxItemBytes\":  0}}";
        let settings = check(text, None, &told);
        assert_eq!(settings.limits.max_item_bytes, 65536);
    }

    #[test]
    fn a_broken_file_does_not_take_the_client_along() {
        let settings =
            check("{\"a\": ", Some("{\"defaultModel\": \"demo\"}"), &[(1, 6, "EOF while parsing a value")]);
        assert_eq!(settings.default_model.as_deref(), Some("demo"));
        let (_home, system) = system(Some(b"{\n\xff}"));
        let (_, diagnostics) = Settings::load(&system, None);
        let told = (diagnostics[0].line, diagnostics[0].column, diagnostics[0].message.as_str());
        assert_eq!(told, (2, 1, "the file is not UTF-8"));
    }

    #[test]
    fn a_folder_in_place_of_the_file_is_told() {
        let (home, system) = system(None);
        system.files.create_dir(&home.path().join(SETTINGS_FILE)).unwrap();
        let (settings, diagnostics) = Settings::load(&system, None);
        assert_eq!(settings, Settings::default());
        assert!(diagnostics[0].message.starts_with("the file cannot be read"), "{diagnostics:?}");
    }
}
