//! A client that is not ours: jsonrpsee's own, over the program's standard streams.

use std::process::Stdio;

use jsonrpsee::core::client::{
    Client, ClientBuilder, ClientT as _, ReceivedMessage, Subscription, SubscriptionClientT as _,
    TransportReceiverT, TransportSenderT,
};
use jsonrpsee::core::params::ObjectParams;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::process::{Home, PATIENCE};

struct Input(ChildStdin);

impl TransportSenderT for Input {
    type Error = std::io::Error;

    async fn send(&mut self, message: String) -> Result<(), Self::Error> {
        self.0.write_all(format!("{message}\n").as_bytes()).await?;
        self.0.flush().await
    }
}

struct Output(Lines<BufReader<ChildStdout>>);

impl TransportReceiverT for Output {
    type Error = std::io::Error;

    async fn receive(&mut self) -> Result<ReceivedMessage, Self::Error> {
        let line = self.0.next_line().await?;
        line.map(ReceivedMessage::Text).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
    }
}

fn client(home: &Home) -> (Client, Child) {
    let mut command = Command::from(home.command());
    let mut child = command.kill_on_drop(true).stderr(Stdio::null()).spawn().unwrap();
    let output = Output(BufReader::new(child.stdout.take().unwrap()).lines());
    let client = ClientBuilder::new()
        .max_buffer_capacity_per_subscription(10_000)
        .build_with_tokio(Input(child.stdin.take().unwrap()), output);
    (client, child)
}

fn params(value: &Value) -> ObjectParams {
    let mut params = ObjectParams::new();
    for (name, value) in value.as_object().unwrap() {
        params.insert(name, value).unwrap();
    }
    params
}

#[tokio::test]
async fn jsonrpsees_client_runs_a_streamed_prompt() {
    let home = Home::with_script(&[
        json!({ "thinking": "hm " }),
        json!({ "repeat": { "text": "word ", "times": 1_000 } }),
    ]);
    let (client, mut child) = client(&home);
    let models: Value = client.request("listModels", params(&json!({ "provider": "demo" }))).await.unwrap();
    assert!(!models["models"].as_array().unwrap().is_empty());
    let made: Value = client.request("newSession", ObjectParams::new()).await.unwrap();
    let session = made["sessionId"].as_str().unwrap();
    let mut events: Subscription<Value> = client.subscribe_to_method("event").await.unwrap();
    let prompt = json!({ "sessionId": session, "text": "hello" });
    let result: Value = client.request("prompt", params(&prompt)).await.unwrap();
    assert_eq!((&result["stopReason"], &result["sessionId"]), (&json!("endTurn"), &made["sessionId"]));
    let (mut text, mut item) = (String::new(), Value::Null);
    loop {
        let event = tokio::time::timeout(PATIENCE, events.next()).await.expect("an event").unwrap().unwrap();
        match event["type"].as_str().unwrap() {
            "itemStarted" if event["item"]["type"] == "assistantText" => item = event["item"]["id"].clone(),
            "delta" if event["itemId"] == item => text.push_str(event["text"].as_str().unwrap()),
            "turnEnded" => break,
            _ => {}
        }
    }
    assert_eq!(text, "word ".repeat(1_000));
    assert_eq!(result["text"], json!(text));
    let unknown = client.request::<Value, _>("noSuchMethod", ObjectParams::new()).await.unwrap_err();
    let jsonrpsee::core::client::Error::Call(error) = unknown else { panic!("{unknown}") };
    assert_eq!(error.code(), -32601);
    drop((events, client));
    // The client drops its end of the pipes, which ends a script's process.
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    assert!(status.success());
}
