//! Every provider's sign-in servers as one, at their production addresses: it holds whoever signs in to the
//! protocol and forgives nothing.
//!
//! PKCE is verified, codes are good once and only where they were meant for, a refresh token that comes a second
//! time revokes all that came of its login, devices are told to wait, and calls need a token that is live. What a
//! client did wrong is kept in [`violations`](Identity::violations). Hand its answers to a provider that stands in
//! for the internet: `internet.provider().answer_with(identity.answering())`.

mod apis;
mod devices;
mod grants;
mod pages;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use crate::provider::{Reply, Request};

/// Whose servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Client {
    Anthropic,
    Codex,
    /// GitHub itself, whose token gets Copilot's.
    GitHub,
    /// Copilot's own short tokens.
    Copilot,
    Xai,
    Kimi,
    /// Meta's identity, which gets its keys.
    MetaIdentity,
    Meta,
    OpenRouter,
}

/// The servers. Clones are the same.
#[derive(Clone)]
pub(crate) struct Identity(Arc<Mutex<State>>);

/// What tests change.
pub(crate) struct Rules {
    /// How long a new access token is good for.
    pub(crate) life: Duration,
    pub(crate) device_interval: Duration,
    pub(crate) device_life: Duration,
    /// Polls that are told to slow down although they are not too early.
    pub(crate) slow_downs: u32,
    /// The company's own GitHub.
    pub(crate) enterprise: &'static str,
    /// What Copilot's token names as its host.
    pub(crate) copilot_host: &'static str,
    /// The answer of GitHub in place of a token of Copilot.
    pub(crate) copilot_refusal: Option<(u16, Value)>,
    /// How far GitHub's clock is from this machine's, in seconds.
    pub(crate) clock_s: i64,
    pub(crate) models: Value,
    /// Requests to consent to a model that come too soon.
    pub(crate) policy_too_many: u32,
    /// Whether ChatGPT lets codes be typed.
    pub(crate) codex_devices: bool,
    pub(crate) plan: &'static str,
    /// Whether ChatGPT's token names an account.
    pub(crate) has_account: bool,
    /// What a token endpoint answers in place of tokens, once for each.
    pub(crate) failures: Vec<(u16, String)>,
}

/// A login's tokens.
#[derive(Debug)]
struct Family {
    client: Client,
    revoked: bool,
    /// The only one that is good.
    refresh: String,
    spent: Vec<String>,
    access: BTreeMap<String, Instant>,
}

#[derive(Debug)]
struct Code {
    client: Client,
    challenge: String,
    redirect: String,
    state: String,
    /// The family that came of it.
    used: Option<usize>,
}

#[derive(Debug)]
struct Device {
    client: Client,
    secret: String,
    user_code: String,
    interval: Duration,
    ends: Instant,
    /// When it was issued or polled for the last time.
    last: Instant,
    decision: Decision,
    taken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Open,
    Granted,
    Declined,
}

struct State {
    rules: Rules,
    codes: HashMap<String, Code>,
    families: Vec<Family>,
    devices: Vec<Device>,
    next: u64,
    refreshes: usize,
    replays: usize,
    violations: Vec<String>,
    /// Everything that no log may hold.
    secrets: Vec<String>,
    consents: Vec<String>,
}

impl Identity {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            rules: Rules {
                life: Duration::from_hours(8),
                device_interval: Duration::from_secs(1),
                device_life: Duration::from_mins(15),
                slow_downs: 0,
                enterprise: "company.ghe.com",
                copilot_host: "proxy.individual.githubcopilot.com",
                copilot_refusal: None,
                clock_s: 0,
                models: json!([{ "id": "gpt-5.4", "model_picker_enabled": true }]),
                policy_too_many: 0,
                codex_devices: true,
                plan: "plus",
                has_account: true,
                failures: Vec::new(),
            },
            codes: HashMap::new(),
            families: Vec::new(),
            devices: Vec::new(),
            next: 0,
            refreshes: 0,
            replays: 0,
            violations: Vec::new(),
            secrets: Vec::new(),
            consents: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the rules from now on.
    pub(crate) fn rule(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state().rules);
    }

    /// For `Provider::answer_with`.
    pub(crate) fn answering(&self) -> impl Fn(&Request) -> Option<Reply> + Send + Sync + use<> {
        let identity = self.clone();
        move |request| identity.state().answer(request)
    }

    /// A login that has been: its access and refresh token.
    pub(crate) fn granted(&self, client: Client) -> (String, String) {
        let mut state = self.state();
        let family = state.family(client);
        let access = state.access(family);
        (access, state.families[family].refresh.clone())
    }

    /// Ends every access token of a client, as if its time were over.
    pub(crate) fn expire(&self, client: Client) {
        for family in self.state().families.iter_mut().filter(|family| family.client == client) {
            family.access.clear();
        }
    }

    /// Revokes every login of a client.
    pub(crate) fn revoke(&self, client: Client) {
        for family in self.state().families.iter_mut().filter(|family| family.client == client) {
            family.revoke();
        }
    }

    /// Whether calls with this token are served.
    pub(crate) fn is_live(&self, client: Client, access: &str) -> bool {
        self.state().is_live(client, access)
    }

    /// Whether this refresh token would be taken.
    pub(crate) fn is_good(&self, refresh: &str) -> bool {
        self.state().families.iter().any(|family| !family.revoked && family.refresh == refresh)
    }

    /// How often tokens were renewed.
    pub(crate) fn refreshes(&self) -> usize {
        self.state().refreshes
    }

    /// How often a refresh token came a second time.
    pub(crate) fn replays(&self) -> usize {
        self.state().replays
    }

    /// What clients did against the protocol.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Every token, code and verifier that has been seen.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.state().secrets.clone()
    }

    /// The models that were consented to.
    pub(crate) fn consents(&self) -> Vec<String> {
        self.state().consents.clone()
    }
}

impl Family {
    fn revoke(&mut self) {
        self.revoked = true;
        self.access.clear();
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> Option<Reply> {
        let host = request.header("host")?.to_owned();
        let (path, _) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let enterprise = self.rules.enterprise;
        let is_github = host == "github.com" || host == enterprise;
        let is_api = host == "api.github.com" || host.strip_prefix("api.") == Some(enterprise);
        match (request.method.as_str(), &*host, path) {
            ("POST", "platform.claude.com", "/v1/oauth/token") => Some(self.anthropic_token(request)),
            ("POST", "auth.openai.com", "/oauth/token") => Some(self.codex_token(request)),
            ("POST", "auth.openai.com", "/api/accounts/deviceauth/usercode") => {
                Some(self.codex_device(request))
            }
            ("POST", "auth.openai.com", "/api/accounts/deviceauth/token") => Some(self.codex_typed(request)),
            ("POST", "auth.x.ai", "/oauth2/device/code") => {
                Some(self.device(Client::Xai, request, "https://accounts.x.ai/device"))
            }
            ("POST", "auth.x.ai", "/oauth2/token") => Some(self.standard_token(Client::Xai, request)),
            ("POST", "auth.kimi.com", "/api/oauth/device_authorization") => {
                Some(self.device(Client::Kimi, request, "https://www.kimi.com/code/authorize_device"))
            }
            ("POST", "auth.kimi.com", "/api/oauth/token") => Some(self.standard_token(Client::Kimi, request)),
            ("POST", "auth.meta.com", "/oidc/device/authorization/") => {
                Some(self.device(Client::MetaIdentity, request, "https://auth.meta.com/device"))
            }
            ("POST", "auth.meta.com", "/oidc/device/token/") => {
                Some(self.standard_token(Client::MetaIdentity, request))
            }
            ("POST", "api.meta.ai", "/muse-code/key") => Some(self.meta_key(request)),
            ("POST", "openrouter.ai", "/api/v1/auth/keys") => Some(self.openrouter_key(request)),
            ("POST", _, "/login/device/code") if is_github => {
                let page = format!("https://{host}/login/device");
                Some(self.device(Client::GitHub, request, &page))
            }
            ("POST", _, "/login/oauth/access_token") if is_github => {
                Some(self.standard_token(Client::GitHub, request))
            }
            ("GET", _, "/copilot_internal/v2/token") if is_api => Some(self.copilot_token(request)),
            _ => self.api(request, &host, path),
        }
    }

    /// A client did what it must not.
    fn violation(&mut self, what: impl Into<String>) -> Reply {
        let what = what.into();
        let body = json!({ "error": "invalid_request", "error_description": what });
        self.violations.push(what);
        Reply::json(400, &body.to_string())
    }

    /// Something that nobody has seen before.
    fn fresh(&mut self, prefix: &str) -> String {
        self.next += 1;
        let bytes: Vec<u8> = (0..4).flat_map(|part| mixed(self.next * 4 + part).to_le_bytes()).collect();
        let fresh = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        self.secrets.push(fresh.clone());
        fresh
    }

    fn note_secret(&mut self, secret: &str) {
        if secret.len() >= 16 {
            self.secrets.push(secret.to_owned());
        }
    }
}

/// The fields of a form, none twice.
fn fields(request: &Request) -> Option<HashMap<String, String>> {
    if request.header("content-type") != Some("application/x-www-form-urlencoded") {
        return None;
    }
    let mut fields = HashMap::new();
    for (name, value) in form_urlencoded::parse(&request.body) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// The fields of a JSON object of strings.
fn members(request: &Request) -> Option<HashMap<String, String>> {
    if request.header("content-type") != Some("application/json") {
        return None;
    }
    serde_json::from_slice(&request.body).ok()
}

fn bearer(request: &Request) -> Option<&str> {
    request.header("authorization")?.strip_prefix("Bearer ")
}

fn error(status: u16, code: &str, words: &str) -> Reply {
    Reply::json(status, &json!({ "error": code, "error_description": words }).to_string())
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn query(url: &Url) -> Result<HashMap<String, String>, String> {
    let mut fields = HashMap::new();
    for (name, value) in url.query_pairs() {
        if fields.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(fields)
}

/// Different processes of a test run must not meet, so that what is looked for in logs is unmistakable.
fn mixed(number: u64) -> u64 {
    let mut hash = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&(number, std::process::id(), "identity"), &mut hash);
    std::hash::Hasher::finish(&hash)
}
