//! Several accounts of one provider: stored, listed, chosen for a session, a prompt or as default, removed.

use serde_json::{Value, json};

use crate::process::{Aside, Home, PATIENCE};
use crate::provider::{Provider, completions};

/// A provider `own`, reached at `provider`.
fn home(provider: &Provider, settings: &Value) -> Home {
    let home = Home::new();
    let own = json!({"baseUrl": provider.url(), "api": "openai-completions", "models": [{"id": "m"}]});
    std::fs::write(home.path().join("models.json"), json!({"providers": {"own": own}}).to_string()).unwrap();
    std::fs::write(home.path().join("settings.json"), settings.to_string()).unwrap();
    home
}

async fn log_in(aside: &mut Aside, account: Option<&str>, key: &str) {
    let done = aside.call("login", json!({"provider": "own", "account": account, "apiKey": key})).await;
    let expected = (json!(account), json!("authFile"));
    assert_eq!((done["account"]["account"].clone(), done["account"]["source"].clone()), expected, "{done}");
}

/// What `authStatus` says of the accounts: label and hint.
async fn listed(aside: &mut Aside) -> Vec<(Value, Value)> {
    let status = aside.call("authStatus", json!({"provider": "own"})).await;
    let accounts = status["accounts"].as_array().unwrap().iter();
    accounts.map(|account| (account["account"].clone(), account["hint"].clone())).collect()
}

/// Prompts with these params, and tells the key that it went out with.
async fn key_of(aside: &mut Aside, provider: &Provider, params: Value) -> String {
    provider.reply(completions::answer(&["ok"]));
    let mut all = json!({"text": "hi", "model": "own/m"});
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    let result = aside.call("prompt", all).await;
    assert_eq!(result["stopReason"], "endTurn", "{result}");
    let requests = provider.requests();
    let authorization = requests.last().unwrap().header("authorization").unwrap_or_default();
    authorization.trim_start_matches("Bearer ").to_owned()
}

#[tokio::test]
async fn an_account_is_chosen_for_a_prompt_for_a_session_and_by_default() {
    let provider = Provider::start().await;
    let home = home(&provider, &json!({}));
    let mut aside = home.start_initialized(json!({})).await;
    log_in(&mut aside, Some("work"), "key-of-work").await;
    // The only one there is.
    assert_eq!(listed(&mut aside).await, [(json!("work"), Value::Null)]);
    assert_eq!(key_of(&mut aside, &provider, json!({})).await, "key-of-work");
    log_in(&mut aside, Some("me@home"), "key-of-home").await;
    let several = "own has several accounts and none is chosen: me@home, work";
    let accounts = listed(&mut aside).await;
    assert_eq!(
        accounts.iter().map(|account| account.0.clone()).collect::<Vec<_>>(),
        [Value::Null, json!("me@home"), json!("work")]
    );
    assert!(accounts[0].1.as_str().unwrap().starts_with(several), "{accounts:?}");
    // None is taken by chance.
    let result = aside.call("prompt", json!({"text": "hi", "model": "own/m"})).await;
    assert_eq!(
        (&result["error"]["kind"], &result["error"]["message"]),
        (&json!("authRequired"), &json!(several))
    );
    assert_eq!(
        result["error"]["hint"],
        "name one with --account, or set defaultAccounts.own in settings.json"
    );
    // For a prompt, and from it on.
    assert_eq!(key_of(&mut aside, &provider, json!({"account": "work"})).await, "key-of-work");
    let session =
        aside.call("newSession", json!({"model": "own/m", "account": "work"})).await["session"].clone();
    assert_eq!(session["account"], "work");
    let id = session["sessionId"].clone();
    assert_eq!(key_of(&mut aside, &provider, json!({"sessionId": id})).await, "key-of-work");
    let changed = aside.call("configureSession", json!({"sessionId": id, "account": "me@home"})).await;
    assert_eq!(changed["session"]["account"], "me@home");
    assert_eq!(key_of(&mut aside, &provider, json!({"sessionId": id})).await, "key-of-home");
    let refused = aside.refused("configureSession", json!({"sessionId": id, "account": "nobody"})).await;
    assert_eq!(refused["message"], "auth.json holds no account \"nobody\" of own");
    assert_eq!(refused["data"]["hint"], "there is me@home, work; aside login --account adds one");
    // The one without a label is one more, and stands for the provider where nobody says otherwise.
    log_in(&mut aside, None, "key-of-none").await;
    assert_eq!(key_of(&mut aside, &provider, json!({})).await, "key-of-none");
    assert_eq!(key_of(&mut aside, &provider, json!({"sessionId": id})).await, "key-of-home");
    assert_eq!(key_of(&mut aside, &provider, json!({"sessionId": id, "account": ""})).await, "key-of-none");
    aside.call("configureSession", json!({"sessionId": id, "account": "work"})).await;
    aside.close_input();
    assert_eq!(aside.exit(PATIENCE).await, 0);

    // The choice of a session outlives the process; a default is for those that have made none.
    std::fs::write(
        home.path().join("settings.json"),
        json!({"defaultAccounts": {"own": "me@home"}}).to_string(),
    )
    .unwrap();
    let mut aside = home.start_initialized(json!({})).await;
    let opened = aside.call("openSession", json!({"sessionId": id})).await;
    assert_eq!(opened["session"]["account"], "work");
    assert_eq!(key_of(&mut aside, &provider, json!({"sessionId": id})).await, "key-of-work");
    assert_eq!(key_of(&mut aside, &provider, json!({})).await, "key-of-home");
    let labels: Vec<_> = listed(&mut aside).await.into_iter().map(|account| account.0).collect();
    assert_eq!(labels, [json!("me@home"), Value::Null, json!("work")], "the one in use stands first");
    // One is removed, and the others stay.
    let gone = aside.call("logout", json!({"provider": "own", "account": "work"})).await;
    assert_eq!((&gone["removed"], &gone["account"]["source"]), (&json!(true), &Value::Null));
    let result = aside.call("prompt", json!({"text": "hi", "sessionId": id})).await;
    assert_eq!(
        result["error"]["message"], "auth.json holds no account \"work\" of own",
        "none stands in for it"
    );
    aside.call("logout", json!({"provider": "own", "account": "me@home"})).await;
    let result = aside.call("prompt", json!({"text": "hi", "model": "own/m"})).await;
    assert_eq!(
        result["error"]["message"], "auth.json holds no account \"me@home\" of own",
        "nor for the default"
    );
    assert_eq!(aside.call("logout", json!({"provider": "own"})).await["removed"], true);
    let text = std::fs::read_to_string(home.path().join("auth.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({}));
}

#[tokio::test]
async fn what_another_process_does_is_told() {
    let provider = Provider::start().await;
    let home = home(&provider, &json!({}));
    let (mut first, mut second) =
        (home.start_initialized(json!({})).await, home.start_initialized(json!({})).await);
    assert_eq!(listed(&mut first).await, [(Value::Null, Value::Null)]);
    log_in(&mut second, Some("work"), "k").await;
    let told = first.find(|line| line["method"] == "accountsChanged").await;
    assert_eq!(told["params"]["providers"], json!(["own"]));
    assert_eq!(listed(&mut first).await, [(json!("work"), Value::Null)]);
}
