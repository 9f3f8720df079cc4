//! `runShell`: commands that the person runs in a session's folder, through the real program.

use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{Aside, Home};
use crate::provider::{Provider, completions};

/// A session in a folder of its own.
struct Desk {
    aside: Aside,
    home: Home,
    session: String,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn of(home: Home) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = home.command();
        command.env("PATH", "/usr/bin:/bin").env("LAB_API_KEY", "sk-very-secret").current_dir(home.path());
        let mut aside = Aside::of(command);
        aside.call("initialize", json!({"protocolVersion": 1})).await;
        let session = aside.call("newSession", json!({"cwd": folder.path()})).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        Self { aside, home, session, folder }
    }

    async fn new() -> Self {
        Self::of(Home::with_script(&[json!({"text": "Well"}), json!({"stall": true})])).await
    }

    fn begin(&mut self, line: &str) -> u64 {
        self.aside.request("runShell", json!({"sessionId": self.session, "command": line}))
    }

    async fn run(&mut self, line: &str) -> Value {
        let id = self.begin(line);
        self.aside.answer(id).await["result"].clone()
    }

    async fn item(&mut self, id: &Value) -> Value {
        let opened = self.aside.call("openSession", json!({"sessionId": self.session})).await;
        let items = opened["snapshot"]["items"].as_array().unwrap();
        items.iter().find(|item| item["id"] == *id).unwrap_or_else(|| panic!("no {id}: {opened}")).clone()
    }

    /// Waits until a running command has said this.
    async fn hear(&mut self, text: &str) -> Value {
        let said = |line: &Value| {
            line["params"]["type"] == "delta" && line["params"]["text"].as_str().unwrap().contains(text)
        };
        self.aside.find(said).await["params"]["itemId"].clone()
    }
}

#[tokio::test]
async fn a_command_of_the_person_runs_unasked_and_becomes_part_of_the_conversation() {
    let mut desk = Desk::new().await;
    let result = desk.run("pwd; echo more >&2; exit 3").await;
    let folder = desk.folder.path().canonicalize().unwrap().display().to_string();
    assert_eq!(result["exitCode"], 3, "{result}");
    let output = result["output"].as_str().unwrap();
    assert!(output.starts_with(&format!("{folder}\nmore\n")) && output.contains("exit code 3"), "{output}");
    let item = desk.item(&result["itemId"]).await;
    assert_eq!(
        json!([item["type"], item["status"], item["command"], item["exitCode"], item["turnId"]]),
        json!(["command", "failed", "pwd; echo more >&2; exit 3", 3, null])
    );
    assert!(item["text"].as_str().unwrap().starts_with(&format!("{folder}\nmore\n")), "{item}");
    let result = desk.run("true").await;
    assert_eq!(json!([result["exitCode"]]), json!([0]));
    assert!(result["output"].as_str().unwrap().contains("nothing was printed"));
    // Its output goes to the model, so that it gets no keys.
    let result = desk.run("env").await;
    assert!(!result["output"].as_str().unwrap().contains("sk-very-secret"), "{result}");
    // It is kept, also by a session that has seen no prompt.
    desk.aside.call("closeSession", json!({"sessionId": desk.session})).await;
    let kept = desk.item(&result["itemId"]).await;
    assert_eq!((&kept["status"], &kept["command"]), (&json!("completed"), &json!("env")));
}

#[tokio::test]
async fn what_runs_is_shown_and_can_be_ended() {
    let mut desk = Desk::new().await;
    // By its item, by its request, and as all that runs.
    for way in ["item", "request", "session"] {
        let id = desk.begin("echo begun; sleep 1000; echo never");
        let item = desk.hear("begun").await;
        match way {
            "item" => {
                let params = json!({"sessionId": desk.session, "itemId": item});
                assert_eq!(desk.aside.call("cancel", params).await, json!({"cancelled": true}));
            }
            "request" => desk.aside.notify("$/cancelRequest", json!({"id": id})),
            _ => {
                let params = json!({"sessionId": desk.session});
                assert_eq!(desk.aside.call("cancel", params).await, json!({"cancelled": true}));
            }
        }
        let result = desk.aside.answer(id).await["result"].clone();
        assert_eq!(result, json!({"itemId": item, "exitCode": null, "output": "begun\n"}), "{way}");
        let item = desk.item(&item).await;
        assert_eq!((&item["status"], &item["text"]), (&json!("cancelled"), &json!("begun\n")));
    }
    let none = desk.aside.call("cancel", json!({"sessionId": desk.session})).await;
    assert_eq!(none, json!({"cancelled": false}));
}

#[tokio::test]
async fn commands_run_beside_a_turn_and_survive_it() {
    let mut desk = Desk::new().await;
    let prompt = desk.aside.request("prompt", json!({"sessionId": desk.session, "text": "hi"}));
    desk.hear("Well").await;
    let long = desk.begin("echo begun; sleep 1000");
    let begun = desk.hear("begun").await;
    assert_eq!(desk.run("echo short").await["exitCode"], 0);
    desk.aside.call("cancel", json!({"sessionId": desk.session})).await;
    let ended = desk.aside.answer(prompt).await["result"].clone();
    assert_eq!((&ended["stopReason"], &ended["text"]), (&json!("cancelled"), &json!("Well")));
    assert_eq!(desk.item(&begun).await["status"], "inProgress", "a turn that ends takes no command along");
    // The end of the session does.
    desk.aside.call("closeSession", json!({"sessionId": desk.session})).await;
    let result = desk.aside.answer(long).await;
    assert_eq!(result["result"]["exitCode"], Value::Null, "{result}");
    assert_eq!(desk.item(&begun).await["status"], "cancelled");
}

#[tokio::test]
async fn mistakes_are_named() {
    let mut desk = Desk::new().await;
    let session = desk.session.clone();
    for command in ["", "  \n", "a\0b", &"x".repeat(200_000)] {
        let error = desk.aside.refused("runShell", json!({"sessionId": session, "command": command})).await;
        assert_eq!((&error["code"], &error["data"]["path"]), (&json!(-32602), &json!("/command")));
    }
    let error = desk.aside.refused("runShell", json!({"sessionId": "x", "command": "ls"})).await;
    assert_eq!(error["code"], -32002);
    // So many at a time, and not one more.
    let running: Vec<u64> = (0..8).map(|_| desk.begin("sleep 1000")).collect();
    let error = desk.aside.refused("runShell", json!({"sessionId": session, "command": "true"})).await;
    assert_eq!(error["data"]["kind"], "overloaded", "{error}");
    desk.aside.call("cancel", json!({"sessionId": session})).await;
    for id in running {
        desk.aside.answer(id).await;
    }
    desk.run("true").await;
    // A conversation that is only read runs nothing.
    desk.aside.call("closeSession", json!({"sessionId": session})).await;
    desk.aside.call("openSession", json!({"sessionId": session, "readOnly": true})).await;
    let error = desk.aside.refused("runShell", json!({"sessionId": session, "command": "touch made"})).await;
    assert_eq!(error["data"]["kind"], "busy", "{error}");
    assert!(!desk.folder.path().join("made").exists());
    // Nor one whose folder is gone.
    desk.aside.call("closeSession", json!({"sessionId": session})).await;
    let gone = desk.folder.path().join("gone");
    desk.session =
        desk.aside.call("newSession", json!({"cwd": gone})).await["sessionId"].as_str().unwrap().to_owned();
    let result = desk.run("true").await;
    assert_eq!(result["exitCode"], Value::Null);
    assert!(result["output"].as_str().unwrap().contains("cannot be used"), "{result}");
}

#[tokio::test]
async fn a_killed_server_leaves_a_command_that_was_cancelled() {
    let mut desk = Desk::new().await;
    desk.begin("echo begun; sleep 1000");
    let item = desk.hear("begun").await;
    desk.aside.kill().await;
    let mut next = desk.home.start_initialized(json!({"protocolVersion": 1})).await;
    let opened = next.call("openSession", json!({"sessionId": desk.session})).await;
    let kept = &opened["snapshot"]["items"][0];
    assert_eq!(json!([kept["id"], kept["status"], kept["type"]]), json!([item, "cancelled", "command"]));
    next.close_input();
    next.exit(Duration::from_secs(30)).await;
}

#[tokio::test]
async fn the_model_sees_what_the_person_ran() {
    let provider = Provider::start().await;
    provider.always(completions::answer(&["I see."]));
    let mut desk = Desk::of(Home::with_provider(&provider)).await;
    desk.run("echo built; exit 2").await;
    desk.aside.call("prompt", json!({"sessionId": desk.session, "text": "why?"})).await;
    let request = provider.request(0).await.json();
    let said: Vec<String> = request["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "user")
        .map(|message| message["content"].to_string())
        .collect();
    let all = said.join("\n");
    assert!(
        all.contains("$ echo built; exit 2") && all.contains("built") && all.contains("exit code 2"),
        "{all}"
    );
    assert!(all.find("built") < all.find("why?"), "{all}");
}
