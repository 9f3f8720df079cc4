//! Whole turns that do something: the demo model plays what a model would call, the real program runs it in a
//! folder with a small project, and the client answers what it is asked.

mod kills;
mod protected;
mod task;

use std::path::{Path, PathBuf};

use aside_protocol::PermissionMode;
use serde_json::{Value, json};

use crate::server::{Sent, Setup, TestServer};

/// A folder with files in it, in the order of their names.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in files {
            let path = project.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        project
    }

    /// Its real path: what a client is told is without links.
    fn root(&self) -> PathBuf {
        std::fs::canonicalize(self.folder.path()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

/// What a model says, a list of calls for each of its turns, and a word at the end.
fn script(turns: &[&[(&str, Value)]]) -> String {
    let mut lines = Vec::new();
    for calls in turns {
        for (name, arguments) in *calls {
            lines.push(json!({"toolCall": {"name": name, "arguments": arguments}}).to_string());
        }
        lines.push(json!({"turn": true}).to_string());
    }
    lines.push(json!({"text": "Done."}).to_string());
    lines.join("\n")
}

/// The real program, with the programs of the machine within reach.
fn with_programs(script: &str) -> Setup {
    let path = std::env::var("PATH").unwrap();
    TestServer::new().program().environment("PATH", &path).script(script)
}

/// A session in that folder.
fn session_in(server: &mut TestServer, folder: &Path, mode: &PermissionMode) -> String {
    let params = json!({"cwd": folder, "permissionMode": mode});
    server.call("newSession", &params)["sessionId"].as_str().unwrap().to_owned()
}

/// Plays a turn to its end; `answer` says what a request of the server gets. Returns the requests, as their method
/// and what they are about.
fn played(
    server: &mut TestServer,
    prompt: &Sent,
    mut answer: impl FnMut(&str, &Value) -> Value,
) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    loop {
        let message = server.find(|message| {
            message.answers(&prompt.0) || (message.id().is_some() && message.method().is_some())
        });
        let Some(method) = message.method() else {
            assert_eq!(message.json["result"]["stopReason"], "endTurn", "{}", message.raw);
            server.forget();
            return asked;
        };
        let params = &message.json["params"];
        let about = params.get("title").or_else(|| params.get("path")).unwrap();
        asked.push((method.to_owned(), about.as_str().unwrap().to_owned()));
        let result = answer(method, params);
        server.reply(&message.id().unwrap(), &result);
    }
}

/// The calls of a conversation: name, status and result.
fn calls(server: &mut TestServer, session: &str) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    items(server, session)
        .iter()
        .filter(|item| item["type"] == "toolCall")
        .map(|item| (text(&item["name"]), text(&item["status"]), text(&item["text"])))
        .collect()
}

fn items(server: &mut TestServer, session: &str) -> Vec<Value> {
    let opened = server.call("openSession", &json!({"sessionId": session}));
    opened["snapshot"]["items"].as_array().unwrap().clone()
}
