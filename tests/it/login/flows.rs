//! Each provider's flow by itself: what it asks, what it is granted, how it renews, and what each failure is told
//! as. A person stands in who does what the test says.

use std::sync::Mutex;

use aside::accounts::oauth::{
    Asking, Exchange, Grant, NotAnswered, OAuthError, OAuthErrorKind, Person, Wanted, Way, flow,
};
use aside::net::Net;
use aside::settings::Settings;
use aside::system::{Dirs, Env, System};
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::browser::{alone, visit};
use crate::identity::{Client, Identity};
use crate::providers::internet::Internet;
use crate::server::{Setup, TestServer};

/// Everybody but the flow.
pub(super) struct Lab {
    pub(super) identity: Identity,
    pub(super) internet: Internet,
}

impl Lab {
    /// A server whose way to everywhere leads here.
    pub(super) fn setup(&self) -> Setup {
        self.variables()
            .into_iter()
            .fold(TestServer::new(), |setup, (name, value)| setup.environment(name, &value))
    }

    /// What a process needs to come here.
    pub(super) fn variables(&self) -> [(&'static str, String); 2] {
        [("HTTPS_PROXY", self.internet.proxy()), ("SSL_CERT_FILE", self.internet.authority().to_owned())]
    }

    pub(super) fn new() -> Self {
        let (identity, internet) = (Identity::new(), Internet::start());
        internet.provider().answer_with(identity.answering());
        Self { identity, internet }
    }

    fn exchange(&self) -> Exchange {
        let mut system = System::real();
        system.dirs = Dirs::default();
        system.env =
            self.variables().into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Env>();
        Exchange { system, settings: std::sync::Arc::new(Settings::default()), net: Net::default() }
    }

    async fn login(&self, provider: &str, way: Way, person: &Actor) -> Result<Grant, OAuthError> {
        let wanted = Wanted { way, domain: person.domain.map(str::to_owned) };
        flow(provider).unwrap().login(&wanted, &self.exchange(), person).await
    }

    async fn refresh(&self, provider: &str, grant: &Grant) -> Result<Grant, OAuthError> {
        flow(provider).unwrap().refresh(grant, &self.exchange()).await
    }

    /// Nobody broke the protocol, and nothing that was told holds a secret.
    #[track_caller]
    pub(super) fn no_violations(&self, told: &[String]) {
        for secret in self.identity.secrets() {
            assert!(!told.iter().any(|told| told.contains(&secret)), "{told:?}");
        }
        assert_eq!(self.identity.violations(), [""; 0]);
    }
}

/// What the person does on the provider's page.
#[derive(Clone, Copy)]
enum Deed {
    Allow,
    Decline(&'static str, &'static str),
    /// Allows it, and pastes the address in place of the browser coming back.
    Paste,
    Nothing,
}

struct Actor {
    identity: Identity,
    deed: Deed,
    domain: Option<&'static str>,
    told: Mutex<Vec<String>>,
    pasted: tokio::sync::watch::Sender<Option<String>>,
}

impl Actor {
    fn new(lab: &Lab, deed: Deed) -> Self {
        Self {
            identity: lab.identity.clone(),
            deed,
            domain: None,
            told: Mutex::default(),
            pasted: tokio::sync::watch::Sender::default(),
        }
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }
}

impl Person for Actor {
    fn open_url<'a>(&'a self, url: &'a str, _: &'a str) -> BoxFuture<'a, ()> {
        let back = match self.deed {
            Deed::Allow | Deed::Paste => Some(self.identity.allow(url)),
            Deed::Decline(error, words) => Some(Identity::decline(url, error, words)),
            Deed::Nothing => None,
        };
        match (self.deed, back) {
            (Deed::Paste, Some(back)) => {
                self.pasted.send_replace(Some(back));
            }
            (_, Some(back)) => {
                std::thread::spawn(move || {
                    let shown = visit(&back);
                    let code = back.split(['=', '&']).nth(1).unwrap();
                    assert!(shown.status == 200 && !shown.body.contains(code), "{shown:?}");
                    assert!(shown.head.contains("cache-control: no-store"), "{shown:?}");
                });
            }
            (_, None) => {}
        }
        Box::pin(async {})
    }

    fn show_code<'a>(&'a self, url: &'a str, code: &'a str, _: u64) -> BoxFuture<'a, ()> {
        assert!(url.starts_with("https://"), "{url}");
        match self.deed {
            Deed::Allow | Deed::Paste => self.identity.type_code(code),
            Deed::Decline(..) => self.identity.refuse_code(code),
            Deed::Nothing => {}
        }
        Box::pin(async {})
    }

    fn progress(&self, message: &str) {
        self.told.lock().unwrap().push(message.to_owned());
    }

    fn ask<'a>(&'a self, _: &'a Asking) -> BoxFuture<'a, Result<SecretString, NotAnswered>> {
        Box::pin(async {
            let mut pasted = self.pasted.subscribe();
            let pasted = pasted.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            Ok(SecretString::from(pasted))
        })
    }
}

fn access(grant: &Grant) -> &str {
    grant.access.expose_secret()
}

#[tokio::test]
async fn claude_is_signed_in_to_and_renewed() {
    let (lab, _ports) = (Lab::new(), alone());
    for deed in [Deed::Allow, Deed::Paste] {
        let grant = lab.login("anthropic", Way::Browser, &Actor::new(&lab, deed)).await.unwrap();
        assert!(lab.identity.is_live(Client::Anthropic, access(&grant)));
        assert_eq!(grant.identity(), Some("person@example.com"));
        let left = grant.expires_ms - System::real().clock.now_ms();
        let expected = (8 * 3600 - 300) * 1000;
        assert!((expected - 60_000..=expected).contains(&left), "{left}");
        let next = lab.refresh("anthropic", &grant).await.unwrap();
        assert!(lab.identity.is_live(Client::Anthropic, access(&next)));
        assert!(!lab.identity.is_live(Client::Anthropic, access(&grant)));
        // What is spent is spent, and costs the whole login.
        let error = lab.refresh("anthropic", &grant).await.unwrap_err();
        assert_eq!(error.kind, OAuthErrorKind::SignInAgain, "{error:?}");
        assert!(!lab.identity.is_live(Client::Anthropic, access(&next)));
    }
    assert_eq!((lab.identity.refreshes(), lab.identity.replays()), (2, 2));
    lab.no_violations(&[]);
    assert!(flow("anthropic").unwrap().note().unwrap().contains("billed per token"));
}

#[tokio::test]
async fn chatgpt_is_signed_in_to_by_page_and_by_code_and_renewed() {
    let (lab, _ports) = (Lab::new(), alone());
    for (way, deed) in
        [(Way::Browser, Deed::Allow), (Way::Browser, Deed::Paste), (Way::DeviceCode, Deed::Allow)]
    {
        let grant = lab.login("openai-codex", way, &Actor::new(&lab, deed)).await.unwrap();
        assert!(lab.identity.is_live(Client::Codex, access(&grant)));
        assert_eq!(grant.identity(), Some("person@example.com"));
        assert_eq!(
            (&grant.more["accountId"], &grant.more["planType"]),
            (&json!("account-1"), &json!("plus"))
        );
        assert_eq!(flow("openai-codex").unwrap().concern(&grant), None);
        let next = lab.refresh("openai-codex", &grant).await.unwrap();
        assert!(lab.identity.is_live(Client::Codex, access(&next)));
        assert_eq!(next.more, grant.more);
        let error = lab.refresh("openai-codex", &grant).await.unwrap_err();
        assert_eq!(error.kind, OAuthErrorKind::SignInAgain, "{error:?}");
        assert!(error.message.contains("refresh_token_reused"), "{error:?}");
    }
    lab.no_violations(&[]);
    lab.identity.rule(|rules| rules.plan = "free");
    let grant = lab.login("openai-codex", Way::Browser, &Actor::new(&lab, Deed::Allow)).await.unwrap();
    assert!(flow("openai-codex").unwrap().concern(&grant).unwrap().contains("plan free"));
}

#[tokio::test]
async fn copilot_is_signed_in_to_at_github_and_at_a_company() {
    let lab = Lab::new();
    lab.identity.rule(|rules| {
        rules.copilot_host = "proxy.business.githubcopilot.com";
        rules.policy_too_many = 1;
        rules.models = json!([
            {"id": "gpt-5.4", "model_picker_enabled": true, "policy": {"state": "enabled"}},
            {"id": "claude-sonnet-5", "model_picker_enabled": true, "policy": {"state": "unconfigured"}},
            {"id": "of-tomorrow", "model_picker_enabled": true, "policy": {"state": "unconfigured"}},
            {"id": "gpt-5.5", "model_picker_enabled": true, "policy": {"state": "disabled"}},
        ]);
    });
    let copilot = flow("github-copilot").unwrap();
    for (domain, base) in [
        (Some(""), "https://api.business.githubcopilot.com"),
        (Some("https://Company.ghe.com/"), "https://api.business.githubcopilot.com"),
    ] {
        let person = Actor { domain, ..Actor::new(&lab, Deed::Allow) };
        let grant = lab.login("github-copilot", Way::DeviceCode, &person).await.unwrap();
        assert!(lab.identity.is_live(Client::Copilot, access(&grant)));
        assert!(lab.identity.is_live(Client::GitHub, grant.refresh.expose_secret()));
        assert_eq!(copilot.base_url(&grant).as_deref(), Some(base));
        assert_eq!(grant.more["availableModelIds"], json!(["gpt-5.4", "claude-sonnet-5", "of-tomorrow"]));
        let company = grant.more.get("enterpriseUrl").and_then(|domain| domain.as_str());
        assert_eq!(company, domain.filter(|domain| !domain.is_empty()).map(|_| "company.ghe.com"));
        // What nobody here knows is not consented to, and consent is not given again when a token is renewed.
        lab.identity.rule(|rules| {
            rules.copilot_host = "proxy.enterprise.githubcopilot.com";
            rules.models = json!([{"id": "gpt-5.4", "model_picker_enabled": true}]);
        });
        let consents = lab.identity.consents();
        assert_eq!(consents.last().map(String::as_str), Some("claude-sonnet-5"));
        let next = lab.refresh("github-copilot", &grant).await.unwrap();
        assert_eq!(copilot.base_url(&next).as_deref(), Some("https://api.enterprise.githubcopilot.com"));
        assert_eq!(next.more["availableModelIds"], json!(["gpt-5.4"]));
        assert_eq!(lab.identity.consents(), consents);
        lab.identity.rule(|rules| {
            rules.copilot_host = "proxy.business.githubcopilot.com";
            rules.models = json!([
                {"id": "gpt-5.4", "model_picker_enabled": true},
                {"id": "claude-sonnet-5", "model_picker_enabled": true, "policy": {"state": "unconfigured"}},
                {"id": "of-tomorrow", "model_picker_enabled": true},
            ]);
        });
    }
    let hosts = lab.internet.targets();
    for host in ["github.com:443", "api.github.com:443", "company.ghe.com:443", "api.company.ghe.com:443"] {
        assert!(hosts.iter().any(|target| target == host), "{hosts:?}");
    }
    lab.no_violations(&[]);
}

/// The kind and the words of a login that failed.
async fn failed(lab: &Lab, provider: &str, way: Way, deed: Deed) -> (OAuthErrorKind, String) {
    let person = Actor { domain: Some(""), ..Actor::new(lab, deed) };
    let error = lab.login(provider, way, &person).await.unwrap_err();
    assert!(!error.hint.is_empty() && !error.message.ends_with('.'), "{error:?}");
    (error.kind, format!("{}; {}", error.message, error.hint))
}

#[tokio::test]
async fn each_failure_has_words_of_its_own() {
    use OAuthErrorKind as Kind;
    let (lab, _ports) = (Lab::new(), alone());
    let declined = Deed::Decline("access_denied", "The user said no.");
    let entitled = Deed::Decline("access_denied", "missing_codex_entitlement");
    let mut seen = std::collections::BTreeSet::new();
    let mut check = |told: (Kind, String), kind: Kind, words: &str| {
        assert!(told.0 == kind && told.1.contains(words), "{kind:?}, {words}: {told:?}");
        assert!(seen.insert(told.1.clone()), "twice: {}", told.1);
    };
    check(failed(&lab, "anthropic", Way::Browser, declined).await, Kind::Denied, "declined at Anthropic");
    check(failed(&lab, "openai-codex", Way::Browser, declined).await, Kind::Denied, "declined at OpenAI");
    check(
        failed(&lab, "openai-codex", Way::Browser, entitled).await,
        Kind::Forbidden,
        "administers the workspace",
    );
    check(failed(&lab, "openai-codex", Way::DeviceCode, declined).await, Kind::Denied, "access_denied");
    check(failed(&lab, "github-copilot", Way::DeviceCode, declined).await, Kind::Denied, "GitHub Copilot");

    lab.identity.rule(|rules| rules.codex_devices = false);
    let told = failed(&lab, "openai-codex", Way::DeviceCode, Deed::Allow).await;
    check(told, Kind::Forbidden, "security settings");
    lab.identity.rule(|rules| {
        rules.codex_devices = true;
        rules.failures =
            vec![(400, r#"{"error":"invalid_grant","error_description":"Code expired"}"#.to_owned())];
    });
    check(failed(&lab, "anthropic", Way::Browser, Deed::Allow).await, Kind::Expired, "used up or too old");
    lab.identity.rule(|rules| rules.failures = vec![(503, "<html>busy</html>".to_owned())]);
    check(failed(&lab, "anthropic", Way::Browser, Deed::Allow).await, Kind::Unreachable, "just now");
    lab.identity.rule(|rules| rules.failures = vec![(200, "<html>captive</html>".to_owned())]);
    check(failed(&lab, "anthropic", Way::Browser, Deed::Allow).await, Kind::Protocol, "no JSON");
    lab.identity.rule(|rules| rules.has_account = false);
    check(failed(&lab, "openai-codex", Way::Browser, Deed::Allow).await, Kind::NoPlan, "no ChatGPT account");

    let refusal =
        |id: &str| Some((403, json!({"error_details": {"notification_id": id, "message": "No access."}})));
    lab.identity.rule(|rules| rules.copilot_refusal = refusal("no_copilot_access"));
    let told = failed(&lab, "github-copilot", Way::DeviceCode, Deed::Allow).await;
    check(told, Kind::NoPlan, "no Copilot plan");
    lab.identity.rule(|rules| rules.copilot_refusal = refusal("feature_flag_blocked"));
    let told = failed(&lab, "github-copilot", Way::DeviceCode, Deed::Allow).await;
    check(told, Kind::Forbidden, "the organisation");
    lab.identity.rule(|rules| {
        rules.copilot_refusal = None;
        rules.clock_s = -86_400;
    });
    let told = failed(&lab, "github-copilot", Way::DeviceCode, Deed::Allow).await;
    check(told, Kind::Clock, "set this machine's clock");
    lab.identity.rule(|rules| rules.device_life = std::time::Duration::from_secs(1));
    let told = failed(&lab, "github-copilot", Way::DeviceCode, Deed::Nothing).await;
    check(told, Kind::Expired, "type the new code");
    lab.no_violations(&seen.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_code_is_waited_for_as_the_provider_says() {
    let lab = Lab::new();
    lab.identity.rule(|rules| rules.slow_downs = 1);
    let person = Actor { domain: Some(""), ..Actor::new(&lab, Deed::Allow) };
    let begin = std::time::Instant::now();
    lab.login("github-copilot", Way::DeviceCode, &person).await.unwrap();
    // One second to the first poll, two to the second.
    assert!(begin.elapsed() >= std::time::Duration::from_secs(3));
    lab.no_violations(&[]);
    let person = Actor { domain: Some("not a host"), ..Actor::new(&lab, Deed::Allow) };
    let error = lab.login("github-copilot", Way::DeviceCode, &person).await.unwrap_err();
    assert_eq!(error.kind, OAuthErrorKind::Invalid);
}

#[tokio::test]
async fn ports_in_use_are_told_and_gone_round() {
    let (lab, _ports) = (Lab::new(), alone());
    let taken = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut held = vec![taken(1455)];
    let person = Actor::new(&lab, Deed::Allow);
    lab.login("openai-codex", Way::Browser, &person).await.unwrap();
    lab.no_violations(&person.told());
    let told = "port 1455 is in use by another program; port 1457 is used in its place";
    assert_eq!(person.told()[0], told);
    // Somebody else on the other address would be sent the code.
    held.push(std::net::TcpListener::bind(("::1", 1457)).unwrap());
    let person = Actor::new(&lab, Deed::Paste);
    lab.login("openai-codex", Way::Browser, &person).await.unwrap();
    assert!(person.told()[0].starts_with("ports 1455 and 1457 are in use"), "{:?}", person.told());
    held.push(taken(53692));
    let person = Actor::new(&lab, Deed::Paste);
    lab.login("anthropic", Way::Browser, &person).await.unwrap();
    assert!(person.told()[0].starts_with("port 53692 is in use by another program"), "{:?}", person.told());
    lab.no_violations(&[]);
    drop(held);
}

#[tokio::test]
async fn a_login_that_is_given_up_closes_its_port() {
    let (lab, _ports) = (Lab::new(), alone());
    let person = Actor::new(&lab, Deed::Nothing);
    let mut login = Box::pin(lab.login("anthropic", Way::Browser, &person));
    let opened = async {
        while !super::browser::is_open(super::browser::V4, 53692) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        ended = &mut login => panic!("it ended by itself: {ended:?}"),
        () = opened => {}
    }
    assert!(super::browser::is_open(super::browser::V6, 53692));
    drop(login);
    for address in [super::browser::V4, super::browser::V6] {
        assert!(!super::browser::is_open(address, 53692));
    }
}

#[tokio::test]
async fn a_login_of_before_is_renewed_until_it_is_revoked() {
    let lab = Lab::new();
    let (access, refresh) = lab.identity.granted(Client::Anthropic);
    let more = serde_json::Map::from_iter([("kept".to_owned(), json!(1))]);
    let grant = Grant { access: access.clone().into(), refresh: refresh.clone().into(), expires_ms: 0, more };
    lab.identity.expire(Client::Anthropic);
    assert!(!lab.identity.is_live(Client::Anthropic, &access) && lab.identity.is_good(&refresh));
    let next = lab.refresh("anthropic", &grant).await.unwrap();
    assert_eq!(next.more["kept"], 1);
    let shown = format!("{grant:?}{next:?}");
    lab.no_violations(&[shown]);
    lab.identity.revoke(Client::Anthropic);
    let error = lab.refresh("anthropic", &next).await.unwrap_err();
    assert_eq!(error.kind, OAuthErrorKind::SignInAgain);
    // What is only bad luck leaves the login as it is.
    lab.identity.rule(|rules| rules.failures = vec![(529, "{}".to_owned()), (400, "{}".to_owned())]);
    for kind in [OAuthErrorKind::Unreachable, OAuthErrorKind::Protocol] {
        assert_eq!(lab.refresh("anthropic", &next).await.unwrap_err().kind, kind);
    }
}

#[tokio::test]
async fn the_others_are_signed_in_to_and_renewed() {
    let lab = Lab::new();
    for (provider, client, way) in [
        ("xai", Client::Xai, Way::DeviceCode),
        ("kimi-coding", Client::Kimi, Way::DeviceCode),
        ("meta", Client::Meta, Way::DeviceCode),
        ("openrouter", Client::OpenRouter, Way::Browser),
    ] {
        let person = Actor::new(&lab, Deed::Allow);
        let grant = lab.login(provider, way, &person).await.unwrap();
        assert!(lab.identity.is_live(client, access(&grant)), "{provider}");
        let next = lab.refresh(provider, &grant).await;
        if provider == "openrouter" {
            assert_eq!(grant.expires_ms, Grant::NEVER_MS);
            assert_eq!(next.unwrap_err().kind, OAuthErrorKind::SignInAgain);
        } else {
            assert!(lab.identity.is_live(client, access(&next.unwrap())), "{provider}");
            lab.identity.revoke(client);
            lab.identity.revoke(Client::MetaIdentity);
            let error = lab.refresh(provider, &grant).await.unwrap_err();
            assert_eq!(error.kind, OAuthErrorKind::SignInAgain, "{provider}");
        }
        lab.no_violations(&person.told());
    }
    let person = Actor::new(&lab, Deed::Paste);
    lab.login("openrouter", Way::Browser, &person).await.unwrap();
    // Bad luck is borne for some seconds, as the provider asks.
    let (access, refresh) = lab.identity.granted(Client::Kimi);
    let grant =
        Grant { access: access.into(), refresh: refresh.into(), expires_ms: 0, more: serde_json::Map::new() };
    lab.identity.rule(|rules| rules.failures = vec![(503, "{}".to_owned())]);
    lab.refresh("kimi-coding", &grant).await.unwrap();
    lab.identity.rule(|rules| {
        rules.failures = vec![(200, r#"{"action_url": "https://www.meta.ai/terms"}"#.to_owned())];
    });
    let (identity, _) = lab.identity.granted(Client::MetaIdentity);
    let grant = Grant { refresh: identity.into(), ..grant };
    let error = lab.refresh("meta", &grant).await.unwrap_err();
    assert_eq!(
        (error.kind, error.hint.contains("https://www.meta.ai/terms")),
        (OAuthErrorKind::NoPlan, true)
    );
}
