//! `login`, `logout` and `authStatus` as an editor uses them.

use aside_protocol::PromptParams;
use serde_json::{Value, json};

use crate::process::{self, PATIENCE};
use crate::provider::completions::answer;
use crate::server::{Setup, TestServer, Upstream};

const KEY: &str = "sk-typed-by-a-person-1";

/// A provider `lab` without a key, whose address needs an id.
fn lab(upstream: &Upstream) -> Setup {
    let models = json!({"providers": {"lab": {
        "name": "The lab", "baseUrl": format!("{}/{{LAB_ID}}/v1", upstream.provider.url()),
        "api": "openai-completions", "models": [{"id": "m"}],
    }}});
    TestServer::new().models_json(&models.to_string()).settings(r#"{"defaultModel": "lab/m"}"#)
}

fn hi() -> PromptParams {
    PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() }
}

fn auth_json(server: &TestServer) -> Option<String> {
    std::fs::read_to_string(server.home().join("auth.json")).ok()
}

/// The word that the accounts of these providers, and with them the models, have changed.
#[track_caller]
fn changed(server: &mut TestServer, providers: &[&str]) {
    let accounts = server.find(|message| message.method() == Some("accountsChanged"));
    assert_eq!(accounts.json["params"]["providers"], json!(providers));
    server.find(|message| message.method() == Some("modelsChanged"));
}

#[test]
fn a_key_is_given_used_and_taken_away() {
    let upstream = Upstream::start();
    let mut server = lab(&upstream).start();
    let before = server.call("authStatus", &json!({"provider": "lab"}));
    assert_eq!(before["accounts"][0]["source"], "notNeeded");
    assert_eq!(before["accounts"][0]["hint"], "LAB_ID is not set");
    let failed = server.prompted(&hi()).error.unwrap();
    assert_eq!(failed.message, "LAB_ID is not set, which the address of lab needs");

    let params = json!({"provider": "lab", "apiKey": format!(" {KEY}\n"), "env": {"LAB_ID": "team-7"}});
    let account = server.call("login", &params)["account"].clone();
    assert_eq!((&account["source"], &account["hint"]), (&json!("authFile"), &Value::Null), "{account}");
    changed(&mut server, &["lab"]);
    upstream.provider.reply(answer(&["signed in"]));
    assert_eq!(server.prompted(&hi()).text, "signed in");
    let request = upstream.request(0);
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
    assert_eq!(request.target, "/team-7/v1/chat/completions");

    let out = server.call("logout", &json!({"provider": "lab"}));
    assert_eq!((&out["removed"], &out["account"]["source"]), (&json!(true), &json!("notNeeded")));
    changed(&mut server, &["lab"]);
    assert_eq!(auth_json(&server).as_deref(), Some("{\n}\n"));
    let again = server.call("logout", &json!({"provider": "lab"}));
    assert_eq!(again["removed"], false);
}

#[test]
fn what_is_missing_is_asked_for() {
    let upstream = Upstream::start();
    let mut server = lab(&upstream).start();
    server.initialize();
    let sent = server.begin("login", &json!({"provider": "lab"}));
    let (id, form) = server.question("promptUser");
    assert_eq!((&form["sessionId"], &form["message"]), (&Value::Null, &json!("Sign in to The lab")));
    let fields: Vec<_> =
        form["fields"].as_array().unwrap().iter().map(|field| (&field["name"], &field["kind"])).collect();
    assert_eq!(json!(fields), json!([["key", "secret"], ["LAB_ID", "text"]]));

    // What cannot be used is asked for again, and why is told.
    server.reply(&id, &json!({"values": {"key": "two words", "LAB_ID": "team-7"}}));
    let (second, form) = server.question("promptUser");
    assert_ne!(second, id);
    let complaint = "the key that was given for lab cannot be used: it has spaces in it. Sign in to The lab";
    assert_eq!(form["message"], complaint);
    server.reply(&second, &json!({"values": {"key": KEY, "LAB_ID": "a/../b"}}));
    let (third, form) = server.question("promptUser");
    assert!(form["message"].as_str().unwrap().starts_with("LAB_ID cannot be part"), "{form}");
    assert_eq!(auth_json(&server), None);
    server.reply(&third, &json!({"values": {"key": KEY, "LAB_ID": "team-7", "other": "x"}}));
    let message = server.find(|message| message.answers(&sent.0));
    assert_eq!(message.json["result"]["account"]["source"], "authFile", "{}", message.raw);
    changed(&mut server, &["lab"]);
    let expected = json!({"lab": {"type": "api_key", "key": KEY, "env": {"LAB_ID": "team-7"}}});
    let stored: Value = serde_json::from_str(&auth_json(&server).unwrap()).unwrap();
    assert_eq!(stored, expected);

    // A key that is given is not asked for, and neither is an id that is known.
    server.call("login", &json!({"provider": "lab", "apiKey": "other"}));
    changed(&mut server, &["lab"]);
    let stored: Value = serde_json::from_str(&auth_json(&server).unwrap()).unwrap();
    assert_eq!(stored["lab"]["env"], expected["lab"]["env"]);
}

#[test]
fn three_keys_that_cannot_be_used_are_enough() {
    let mut server = TestServer::new().start();
    server.initialize();
    let sent = server.begin("login", &json!({"provider": "groq"}));
    for key in ["a b", "", "caf\u{e9}"] {
        let (id, _) = server.question("promptUser");
        server.reply(&id, &json!({"values": {"key": key}}));
    }
    let error = server.find(|message| message.answers(&sent.0)).json["error"].clone();
    assert_eq!((&error["code"], &error["data"]["path"]), (&json!(-32602), &json!("/apiKey")), "{error}");
    assert_eq!(auth_json(&server), None);
}

#[test]
fn a_login_that_is_closed_or_cancelled_stores_nothing() {
    let mut server = TestServer::new().start();
    server.initialize();
    for answer in [json!({"values": null}), json!([]), json!({"optionId": "x"})] {
        let sent = server.begin("login", &json!({"provider": "groq"}));
        let (id, _) = server.question("promptUser");
        server.reply(&id, &answer);
        let error = server.find(|message| message.answers(&sent.0)).json["error"].clone();
        assert_eq!(error["code"], -32800, "{error}");
    }
    let sent = server.begin("login", &json!({"provider": "groq"}));
    let (id, _) = server.question("promptUser");
    server.send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": sent.0.parse::<u64>().unwrap()}}).to_string());
    let closed = server.find(|message| message.method() == Some("$/cancelRequest"));
    assert_eq!(closed.json["params"]["id"].to_string(), id);
    let error = server.find(|message| message.answers(&sent.0)).json["error"].clone();
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32800), &json!("cancelled")), "{error}");
    // Too late, twice, and for questions that nobody put.
    for id in [&*id, &*id, "\"login:0\"", "\"login:99\"", "\"login:x\"", "7"] {
        server.reply(id, &json!({"values": {"key": KEY}}));
    }
    assert_eq!(server.call("authStatus", &json!({"provider": "groq"}))["accounts"][0]["source"], Value::Null);
    assert_eq!(auth_json(&server), None);
}

#[test]
fn logins_to_several_providers_do_not_meet() {
    let mut server = TestServer::new().start();
    server.initialize();
    let groq = server.begin("login", &json!({"provider": "groq"}));
    let (groq_form, _) = server.question("promptUser");
    let deepseek = server.begin("login", &json!({"provider": "deepseek"}));
    let (deepseek_form, _) = server.question("promptUser");
    // Two forms for the same key would be one too many.
    let busy = server.call("login", &json!({"provider": "groq"}));
    assert_eq!((&busy["code"], &busy["data"]["kind"]), (&json!(-32003), &json!("busy")), "{busy}");
    server.reply(&deepseek_form, &json!({"values": {"key": "d"}}));
    assert_eq!(
        server.find(|message| message.answers(&deepseek.0)).json["result"]["account"]["provider"],
        "deepseek"
    );
    changed(&mut server, &["deepseek"]);
    server.reply(&groq_form, &json!({"values": {"key": "g"}}));
    assert_eq!(server.find(|message| message.answers(&groq.0)).json["result"]["account"]["provider"], "groq");
    changed(&mut server, &["groq"]);
    let stored: Value = serde_json::from_str(&auth_json(&server).unwrap()).unwrap();
    assert_eq!((&stored["deepseek"]["key"], &stored["groq"]["key"]), (&json!("d"), &json!("g")));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut server = TestServer::new().start();
    for (method, params, code, path) in [
        ("login", json!({"provider": "groq"}), -32602, "/apiKey"),
        ("login", json!({"provider": "groq", "apiKey": ""}), -32602, "/apiKey"),
        ("login", json!({"provider": "groq", "apiKey": "a\nb"}), -32602, "/apiKey"),
        ("login", json!({"provider": "nobody", "apiKey": "k"}), -32002, "/provider"),
        ("login", json!({"provider": "demo", "apiKey": "k"}), -32602, "/provider"),
        ("login", json!({"provider": "groq", "apiKey": "k", "account": "at work"}), -32602, "/account"),
        ("login", json!({"provider": "groq", "apiKey": "k", "method": "browser"}), -32602, "/method"),
        ("login", json!({"provider": "groq", "apiKey": "k", "env": {"A B": "c"}}), -32602, "/env"),
        ("login", json!({"provider": "groq", "apiKey": "k", "env": {"A": "b\u{7}"}}), -32602, "/env"),
        ("login", json!({"apiKey": "k"}), -32602, "/provider"),
        ("logout", json!({"provider": "nobody"}), -32002, "/provider"),
        ("newSession", json!({"model": "groq/m", "account": "work"}), -32602, "/account"),
        ("prompt", json!({"text": "hi", "provider": "groq", "account": "work"}), -32602, "/account"),
        ("authStatus", json!({"provider": "nobody"}), -32002, "/provider"),
    ] {
        let error = server.call(method, &params);
        assert_eq!(
            (&error["code"], &error["data"]["path"]),
            (&json!(code), &json!(path)),
            "{params}: {error}"
        );
    }
    server.send(r#"[{"jsonrpc":"2.0","id":"b","method":"login","params":{"provider":"groq","apiKey":"k"}}]"#);
    let batch = server.find(|message| message.json.is_array());
    assert_eq!(batch.json[0]["error"]["code"], -32600);
    assert_eq!(auth_json(&server), None);
}

#[test]
fn a_change_by_somebody_else_is_noticed_at_the_next_use() {
    let mut server = TestServer::new().environment("DEEPSEEK_API_KEY", "k").start();
    let reason = |server: &mut TestServer| {
        let providers = server.call("listProviders", &json!({}))["providers"].clone();
        let groq =
            providers.as_array().unwrap().iter().find(|provider| provider["id"] == "groq").unwrap().clone();
        (groq["available"].clone(), groq["reason"].clone(), groq["loginMethods"].clone())
    };
    let hint = json!("no key: `aside login groq`, or set GROQ_API_KEY");
    assert_eq!(reason(&mut server), (json!(false), hint, json!(["apiKey"])));
    let path = server.home().join("auth.json");
    let entry = |key: &str| format!("{{\"groq\": {{\"type\": \"api_key\", \"key\": \"{key}\"}}}}");
    std::fs::write(&path, entry("one")).unwrap();
    assert_eq!(reason(&mut server).0, true);
    changed(&mut server, &["groq"]);
    // The same length, at the same time as far as the clock tells: another inode is another file.
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    let beside = server.home().join("beside");
    std::fs::write(&beside, entry("two")).unwrap();
    std::fs::File::open(&beside).unwrap().set_modified(time).unwrap();
    std::fs::rename(&beside, &path).unwrap();
    server.call("authStatus", &json!({}));
    changed(&mut server, &["groq"]);
    std::fs::write(&path, "{ \"groq\": {\"type\": \"api_key\",").unwrap();
    let status = server.call("authStatus", &json!({}));
    let told =
        &status["diagnostics"].as_array().unwrap().iter().find(|told| told["line"] == 1).unwrap().clone();
    assert_eq!(told["column"], 29, "{told}");
    let account = |id: &str| {
        let accounts = status["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["provider"] == id).unwrap().clone()
    };
    let broken = "auth.json cannot be read, so what it may hold is not used";
    assert!(account("groq")["hint"].as_str().unwrap().starts_with(broken), "{status}");
    // Other sources go on.
    assert_eq!(account("deepseek")["source"], "environment");
    assert_eq!(account("deepseek")["variable"], "DEEPSEEK_API_KEY");
    changed(&mut server, &["groq"]);
}

#[test]
fn what_stands_in_the_way_is_told() {
    let mut server = TestServer::new()
        .environment("GROQ_API_KEY", "env")
        .environment("SET", "value")
        .file(
            "auth.json",
            r#"{"groq": {"type": "api_key", "key": "stored"}, "deepseek": {"type": "api_key", "key": "$GONE"},
                "openrouter": {"type": "api_key", "key": "SET"}, "cerebras": {"type": "oauth", "access": "a", "expires": 1}, "strange": {"key": "x"}}"#,
        )
        .start();
    let status = server.call("authStatus", &json!({}));
    let hints: serde_json::Map<String, Value> = status["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|account| account["source"] == "authFile")
        .map(|account| (account["provider"].as_str().unwrap().to_owned(), account["hint"].clone()))
        .collect();
    assert_eq!(
        json!(hints),
        json!({
            "groq": "GROQ_API_KEY is set too and not used while auth.json has an entry",
            "deepseek": "the key in auth.json names what is not set: GONE",
            "openrouter": "the key in auth.json is the bare name of a variable; write a $ before it",
            "cerebras": "auth.json holds a sign-in, which aside cannot use",
            "strange": "no provider of this id is known",
        })
    );
    // An entry whose provider nobody knows can be removed too; what is left still makes groq available.
    assert_eq!(server.call("logout", &json!({"provider": "strange"}))["removed"], true);
    changed(&mut server, &["strange"]);
    let account = server.call("logout", &json!({"provider": "groq"}))["account"].clone();
    assert_eq!((&account["source"], &account["variable"]), (&json!("environment"), &json!("GROQ_API_KEY")));
    changed(&mut server, &["groq"]);
}

#[tokio::test]
async fn the_end_of_input_ends_a_login_that_waits() {
    let home = process::Home::new();
    let mut aside = home.start_initialized(process::asked()).await;
    let login = aside.request("login", json!({"provider": "groq"}));
    aside.find(|line| line["method"] == "promptUser").await;
    aside.close_input();
    let answer = aside.answer(login).await;
    assert_eq!(answer["error"]["data"]["kind"], "shuttingDown", "{answer}");
    assert_eq!(aside.exit(PATIENCE).await, 0);
    assert!(!home.path().join("auth.json").exists());
}

#[tokio::test]
async fn a_script_signs_in_with_one_line() {
    let home = process::Home::new();
    let mut aside = home.start();
    let login = aside.request("login", json!({"provider": "groq", "apiKey": KEY}));
    aside.close_input();
    let lines = aside.rest().await;
    assert_eq!(lines[0]["id"], login, "{lines:?}");
    assert_eq!(lines[0]["result"]["account"]["source"], "authFile");
    assert_eq!(lines[1]["method"], "accountsChanged");
    assert_eq!(lines[2]["method"], "modelsChanged");
    assert_eq!((lines.len(), aside.exit(PATIENCE).await), (3, 0));
}
