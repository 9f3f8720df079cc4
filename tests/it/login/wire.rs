//! Signing in as an editor and as a script do, and prompting with what was granted.

use aside_protocol::{PromptParams, PromptResult};
use serde_json::{Value, json};

use super::browser::{V4, V6, alone, is_open, visit};
use super::flows::Lab;
use crate::identity::{Client, Identity};
use crate::provider::{Reply, speech};
use crate::server::{Sent, TestServer};

/// What `initialize` says of a client that can do everything a login asks for.
fn able() -> Value {
    json!({"capabilities": {"promptUser": true, "openUrl": true, "showDeviceCode": true}})
}

fn started(lab: &Lab, initialize: &Value) -> TestServer {
    let mut server = lab.setup().start();
    server.call("initialize", initialize);
    server
}

fn prompted(server: &mut TestServer, model: &str) -> PromptResult {
    let text = Some("hi".to_owned());
    server.prompted(&PromptParams { text, model: Some(model.to_owned()), ..PromptParams::default() })
}

fn result(server: &mut TestServer, sent: &Sent) -> Value {
    let message = server.find(|message| message.answers(&sent.0));
    message.json.get("result").unwrap_or_else(|| panic!("{}", message.raw)).clone()
}

fn error(server: &mut TestServer, sent: &Sent) -> Value {
    let message = server.find(|message| message.answers(&sent.0));
    message.json.get("error").unwrap_or_else(|| panic!("{}", message.raw)).clone()
}

/// What `loginProgress` says, once something with these words has come.
fn progress(server: &mut TestServer, words: &str) -> String {
    let found = server.find(|message| {
        message.method() == Some("loginProgress")
            && message.json["params"]["message"].as_str().unwrap().contains(words)
    });
    found.json["params"]["message"].as_str().unwrap().to_owned()
}

fn changed(server: &mut TestServer, provider: &str) {
    let accounts = server.find(|message| message.method() == Some("accountsChanged"));
    assert_eq!(accounts.json["params"]["providers"], json!([provider]));
    server.find(|message| message.method() == Some("modelsChanged"));
}

fn entry(server: &TestServer, provider: &str) -> Value {
    let text = std::fs::read_to_string(server.home().join("auth.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[provider].clone()
}

/// Begins a login by the browser and reaches the page: the request, the page's address and its question.
fn at_page(server: &mut TestServer, provider: &str) -> (Sent, String, String) {
    let sent = server.begin("login", &json!({"provider": provider, "method": "browser"}));
    let (id, asked) = server.question("openUrl");
    (sent, asked["url"].as_str().unwrap().to_owned(), id)
}

/// Prompts, lets the token end, and prompts again: the person sees nothing of it.
fn converse(lab: &Lab, server: &mut TestServer, model: &str, wire: &str, client: Client) -> Option<String> {
    let answer = |one: &str| speech::text(wire, one, "!");
    lab.internet.provider().reply(answer("signed in"));
    let told = prompted(server, model);
    assert_eq!((told.text.as_str(), &told.error), ("signed in!", &None));
    lab.identity.expire(client);
    lab.internet.provider().reply(answer("still"));
    let told = prompted(server, model);
    assert_eq!((told.text.as_str(), &told.error), ("still!", &None), "{:?}", lab.identity.violations());
    lab.no_violations(&[]);
    told.cost_note
}

#[test]
fn claude_is_signed_in_to_and_prompted() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = started(&lab, &able());
    let (sent, url, open) = at_page(&mut server, "anthropic");
    assert!(progress(&mut server, "billed per token").contains("claude.ai/settings/usage"));
    assert!(progress(&mut server, "Sign in to Anthropic").contains(&url));
    let (paste, form) = server.question("promptUser");
    assert_eq!((&form["sessionId"], &form["fields"][0]["kind"]), (&Value::Null, &json!("secret")));
    server.reply(&open, &json!({"opened": true}));
    assert_eq!(visit(&lab.identity.allow(&url)).status, 200);
    let account = result(&mut server, &sent)["account"].clone();
    assert_eq!(account["source"], "authFile");
    assert_eq!(account["identity"], "person@example.com");
    assert!(account["expiresAtMs"].as_u64().is_some(), "{account}");
    assert!(account["hint"].as_str().unwrap().contains("billed per token"), "{account}");
    let closed = server.find(|message| message.method() == Some("$/cancelRequest"));
    assert_eq!(closed.json["params"]["id"].to_string(), paste);
    changed(&mut server, "anthropic");
    assert_eq!(entry(&server, "anthropic")["type"], "oauth");
    for address in [V4, V6] {
        assert!(!is_open(address, 53692));
    }
    server.ignore_rest();
    let model = "anthropic/claude-haiku-4-5";
    let note = converse(&lab, &mut server, model, "anthropic-messages", Client::Anthropic);
    assert!(note.unwrap().contains("billed per token"));
    let requests = lab.internet.provider().requests();
    let call = requests.iter().find(|request| request.target.starts_with("/v1/messages")).unwrap();
    assert!(call.header("anthropic-beta").unwrap().contains("oauth-2025-04-20"));
    assert_eq!(call.header("x-api-key"), None);
    assert_eq!(lab.identity.refreshes(), 1);
}

#[test]
fn chatgpt_is_signed_in_to_by_a_code_and_prompted() {
    let lab = Lab::new();
    let mut server = started(&lab, &able());
    let sent = server.begin("login", &json!({"provider": "openai-codex", "method": "deviceCode"}));
    let (show, shown) = server.question("showDeviceCode");
    assert_eq!(shown["url"], "https://auth.openai.com/codex/device");
    let code = shown["code"].as_str().unwrap().to_owned();
    assert!(progress(&mut server, "type the code").contains(&code));
    assert!(progress(&mut server, "Plus or Pro").contains("plan"));
    lab.identity.type_code(&code);
    let account = result(&mut server, &sent)["account"].clone();
    assert_eq!(account["identity"], "person@example.com");
    // What shows the code is taken back.
    let closed = server.find(|message| message.method() == Some("$/cancelRequest"));
    assert_eq!(closed.json["params"]["id"].to_string(), show);
    changed(&mut server, "openai-codex");
    assert_eq!(entry(&server, "openai-codex")["accountId"], "account-1");
    server.ignore_rest();
    assert_eq!(
        converse(&lab, &mut server, "openai-codex/gpt-5.5", "openai-codex-responses", Client::Codex),
        None
    );
}

#[test]
fn copilot_is_signed_in_to_and_prompted_where_its_token_says() {
    let lab = Lab::new();
    lab.identity.rule(|rules| rules.copilot_host = "proxy.business.githubcopilot.com");
    let mut server = started(&lab, &able());
    let sent = server.begin("login", &json!({"provider": "github-copilot"}));
    let (id, form) = server.question("promptUser");
    assert_eq!((&form["fields"][0]["kind"], &form["fields"][0]["required"]), (&json!("text"), &json!(false)));
    server.reply(&id, &json!({"values": {"answer": ""}}));
    let (show, shown) = server.question("showDeviceCode");
    assert_eq!(shown["url"], "https://github.com/login/device");
    // A client that is done with showing does not end the login.
    server.reply(&show, &json!({}));
    lab.identity.type_code(shown["code"].as_str().unwrap());
    let account = result(&mut server, &sent)["account"].clone();
    assert_eq!(account["source"], "authFile", "{account}");
    changed(&mut server, "github-copilot");
    server.ignore_rest();
    assert_eq!(
        converse(&lab, &mut server, "github-copilot/gpt-5.4", "openai-responses", Client::Copilot),
        None
    );
    assert!(lab.internet.targets().contains(&"api.business.githubcopilot.com:443".to_owned()));
    // A model that is there and not enabled has an error of its own.
    let refusal = r#"{"error":{"message":"The requested model is not supported.","code":"model_not_supported","type":"invalid_request_error"}}"#;
    lab.internet.provider().reply(Reply::json(400, refusal));
    let error = prompted(&mut server, "github-copilot/gpt-5.4").error.unwrap();
    assert_eq!(json!(error.kind), "modelNotEnabled", "{error:?}");
    assert!(error.hint.unwrap().contains("Copilot Chat"));
}

#[test]
fn the_others_are_signed_in_to_and_prompted() {
    let lab = Lab::new();
    for (provider, model, wire, client) in [
        ("xai", "xai/grok-4.5", "openai-responses", Client::Xai),
        ("kimi-coding", "kimi-coding/kimi-for-coding", "anthropic-messages", Client::Kimi),
        ("meta", "meta/muse-spark-1.3", "openai-responses", Client::Meta),
    ] {
        let mut server = started(&lab, &able());
        let sent = server.begin("login", &json!({"provider": provider, "method": "deviceCode"}));
        let (_, shown) = server.question("showDeviceCode");
        lab.identity.type_code(shown["code"].as_str().unwrap());
        assert_eq!(result(&mut server, &sent)["account"]["source"], "authFile");
        server.ignore_rest();
        assert_eq!(converse(&lab, &mut server, model, wire, client), None);
    }
    let mut server = started(&lab, &able());
    let (sent, url, _) = at_page(&mut server, "openrouter");
    visit(&lab.identity.allow(&url));
    assert_eq!(result(&mut server, &sent)["account"]["expiresAtMs"], Value::Null);
    server.ignore_rest();
    lab.internet.provider().reply(speech::text("openai-completions", "by a key", "!"));
    assert_eq!(prompted(&mut server, "openrouter/moonshotai/kimi-k2.6").text, "by a key!");
}

#[test]
fn what_the_browser_ended_at_can_be_pasted_at_any_time() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = started(&lab, &able());
    let (sent, url, _) = at_page(&mut server, "anthropic");
    let back = lab.identity.allow(&url);
    for (wrong, words) in [
        ("https://example.com/", "no code"),
        (&*format!("{back}x"), "another login"),
        (&*url, "the page on which the login begins"),
    ] {
        let (paste, _) = server.question("promptUser");
        server.reply(&paste, &json!({"values": {"answer": wrong}}));
        progress(&mut server, words);
    }
    let (paste, form) = server.question("promptUser");
    assert!(form["message"].as_str().unwrap().starts_with("What was pasted is the page"), "{form}");
    server.reply(&paste, &json!({"values": {"answer": format!("  {back}\n")}}));
    assert_eq!(result(&mut server, &sent)["account"]["source"], "authFile");
    changed(&mut server, "anthropic");
    // A form that is closed does not end what the browser may still end.
    let (sent, url, open) = at_page(&mut server, "anthropic");
    let (paste, _) = server.question("promptUser");
    server.reply(&paste, &json!({"values": null}));
    server.reply(&open, &json!({"opened": true}));
    visit(&lab.identity.allow(&url));
    assert_eq!(result(&mut server, &sent)["account"]["source"], "authFile");
    server.ignore_rest();
    lab.no_violations(&[]);
}

#[test]
fn a_client_that_can_nothing_is_told_what_to_show() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = lab.setup().environment("SSH_CONNECTION", "1").start();
    let several = server.call("login", &json!({"provider": "anthropic"}));
    assert_eq!(
        (&several["code"], &several["data"]["path"]),
        (&json!(-32602), &json!("/method")),
        "{several}"
    );
    // Far from the person's browser a code is the way that works.
    let sent = server.begin("login", &json!({"provider": "openai-codex"}));
    let told = progress(&mut server, "type the code");
    let code = told.split(' ').nth(3).unwrap();
    lab.identity.type_code(code);
    assert_eq!(result(&mut server, &sent)["account"]["source"], "authFile");
    let sent = server.begin("login", &json!({"provider": "anthropic", "method": "browser"}));
    let told = progress(&mut server, "https://claude.ai/oauth");
    assert_eq!(progress(&mut server, "any browser"), "open the page in any browser");
    let url = told.split_once(": ").unwrap().1;
    let declined = Identity::decline(url, "access_denied", "The person said no.");
    assert_eq!(visit(&declined).status, 200);
    let failed = error(&mut server, &sent);
    assert_eq!(
        (&failed["code"], &failed["data"]["kind"]),
        (&json!(-32000), &json!("loginDenied")),
        "{failed}"
    );
    assert!(!is_open(V4, 53692));
    // Nobody could paste, and the browser cannot come back.
    let taken = std::net::TcpListener::bind(("127.0.0.1", 53692)).unwrap();
    let sent = server.begin("login", &json!({"provider": "anthropic", "method": "browser"}));
    progress(&mut server, "port 53692 is in use");
    let failed = error(&mut server, &sent);
    assert_eq!(failed["data"]["kind"], "loginPort", "{failed}");
    drop(taken);
    server.ignore_rest();
}

#[test]
fn a_browser_that_is_named_is_opened_where_the_client_cannot() {
    let (lab, _ports) = (Lab::new(), alone());
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let program =
        super::browser::program(folder.path(), &format!("printf '%s' \"$1\" > '{}'", seen.display()));
    let mut server = lab.setup().environment("BROWSER", &program).start();
    server.call("initialize", &json!({"capabilities": {"openUrl": true}}));
    let (sent, url, open) = at_page(&mut server, "anthropic");
    server.reply(&open, &json!({"opened": false}));
    progress(&mut server, "opened in the browser of this machine");
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), url);
    visit(&lab.identity.allow(&url));
    assert_eq!(result(&mut server, &sent)["account"]["source"], "authFile");
    server.ignore_rest();
}

#[test]
fn a_login_is_cancelled_at_every_step() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = started(&lab, &able());
    let cancel = |server: &mut TestServer, sent: &Sent, steps: &[&str]| {
        let id: u64 = sent.0.parse().unwrap();
        server
            .send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": id}}).to_string());
        for step in steps {
            server.find(|message| {
                message.method() == Some("$/cancelRequest")
                    && serde_json::from_str::<Value>(step).is_ok_and(|id| message.json["params"]["id"] == id)
            });
        }
        let failed = error(server, sent);
        assert_eq!((&failed["code"], &failed["data"]["kind"]), (&json!(-32800), &json!("cancelled")));
        for address in [V4, V6] {
            assert!(!is_open(address, 53692) && !is_open(address, 1455));
        }
    };
    // While it is asked how.
    let sent = server.begin("login", &json!({"provider": "openai-codex"}));
    let (id, form) = server.question("promptUser");
    assert_eq!(form["fields"][0]["choices"], json!(["browser", "deviceCode"]));
    cancel(&mut server, &sent, &[&id]);
    // While the page is open.
    for provider in ["anthropic", "openai-codex"] {
        let (sent, _, open) = at_page(&mut server, provider);
        let (paste, _) = server.question("promptUser");
        // Nobody begins a second one meanwhile.
        let busy = server.call("login", &json!({"provider": provider, "method": "browser"}));
        assert_eq!(busy["data"]["kind"], "busy", "{busy}");
        cancel(&mut server, &sent, &[&open, &paste]);
    }
    // While the domain is asked for, and while a code is shown.
    let sent = server.begin("login", &json!({"provider": "github-copilot"}));
    let (id, _) = server.question("promptUser");
    cancel(&mut server, &sent, &[&id]);
    let sent = server.begin("login", &json!({"provider": "github-copilot", "domain": ""}));
    let (id, _) = server.question("showDeviceCode");
    cancel(&mut server, &sent, &[&id]);
    // While the token is asked for: the provider does not answer.
    let gate = crate::provider::Gate::new();
    let answering = lab.identity.answering();
    lab.internet.provider().answer_with(move |request| {
        let is_token = request.target == "/v1/oauth/token";
        if is_token { Some(Reply::status(200).wait(&gate)) } else { answering(request) }
    });
    let (sent, url, _) = at_page(&mut server, "anthropic");
    visit(&lab.identity.allow(&url));
    progress(&mut server, "asking Anthropic");
    cancel(&mut server, &sent, &[]);
    assert!(!server.home().join("auth.json").exists());
    server.ignore_rest();
}

#[test]
fn the_end_of_the_server_closes_the_port() {
    let (lab, _ports) = (Lab::new(), alone());
    let mut server = started(&lab, &able());
    at_page(&mut server, "anthropic");
    assert!(is_open(V4, 53692));
    server.ignore_rest();
    drop(server);
    assert!(!is_open(V4, 53692));
}

#[test]
fn two_servers_sign_in_to_the_same_provider() {
    let (lab, _ports) = (Lab::new(), alone());
    let (mut one, mut other) = (started(&lab, &able()), started(&lab, &able()));
    let (first, first_url, _) = at_page(&mut one, "anthropic");
    let (second, second_url, _) = at_page(&mut other, "anthropic");
    progress(&mut other, "port 53692 is in use by another program");
    // The second one's page comes back to the first server, which does not take it.
    let strange = lab.identity.allow(&second_url);
    assert_eq!(visit(&strange).status, 400);
    progress(&mut one, "not of this login");
    let (paste, _) = other.question("promptUser");
    other.reply(&paste, &json!({"values": {"answer": strange}}));
    assert_eq!(result(&mut other, &second)["account"]["source"], "authFile");
    assert_eq!(visit(&lab.identity.allow(&first_url)).status, 200);
    assert_eq!(result(&mut one, &first)["account"]["source"], "authFile");
    one.ignore_rest();
    other.ignore_rest();
    lab.no_violations(&[]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut server = TestServer::new().start();
    for (params, path) in [
        (json!({"provider": "anthropic", "method": "deviceCode"}), "/method"),
        (json!({"provider": "anthropic", "method": "carrierPigeon"}), "/method"),
        (json!({"provider": "openai-codex", "method": "apiKey"}), "/method"),
        (json!({"provider": "anthropic", "method": "browser", "apiKey": "k"}), "/apiKey"),
        (json!({"provider": "anthropic", "method": "browser", "domain": "company.ghe.com"}), "/domain"),
        (json!({"provider": "github-copilot", "domain": "http://127.0.0.1:99/"}), "/domain"),
        (json!({"provider": "demo"}), "/provider"),
    ] {
        let error = server.call("login", &params);
        let told = (&error["code"], &error["data"]["path"]);
        assert_eq!(told, (&json!(-32602), &json!(path)), "{params}: {error}");
    }
    let providers = server.call("listProviders", &json!({}))["providers"].clone();
    let methods = |id: &str| {
        let found = providers.as_array().unwrap().iter().find(|provider| provider["id"] == id);
        found.unwrap()["loginMethods"].clone()
    };
    assert_eq!(methods("anthropic"), json!(["browser", "apiKey"]));
    assert_eq!(methods("openai-codex"), json!(["browser", "deviceCode"]));
    assert_eq!(methods("github-copilot"), json!(["deviceCode"]));
    assert_eq!(methods("demo"), json!([]));
    server.ignore_rest();
}
