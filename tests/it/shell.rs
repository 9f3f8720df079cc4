//! The shell tool through the real program: runaway commands, what is left of them, and what they see.

mod runaways;

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::process::{Aside, Home, PATIENCE, PROMPTLY, is_running, kill};

/// What a cancelled command with everything that it started may take to end.
const GONE: Duration = Duration::from_secs(3);
/// How often the process is ended while commands run. None may leave anything.
const ENDINGS: usize = 50;
/// How much of such is done at a time.
const AT_ONCE: usize = 4;

/// A server whose model calls the shell, in a folder of its own.
struct Agent {
    home: Home,
    folder: tempfile::TempDir,
    /// Stands in the command lines of what runs.
    tag: String,
    aside: Aside,
    session: String,
}

/// A line in which `TAG` stands for a number that no other test has.
fn tagged(line: &str) -> (String, String) {
    let tag = format!("9000.{:010}", aside::system::Random::Real.next_u64() % 10_000_000_000);
    (line.replace("TAG", &tag), tag)
}

impl Agent {
    /// The model makes these calls of tools, one after the other, then says "done".
    async fn new(calls: &[(&str, Value)], settings: Value, env: &[(&str, &str)], initialize: Value) -> Self {
        let (written, tag) = tagged(&serde_json::to_string(calls).unwrap());
        let calls: Vec<(String, Value)> = serde_json::from_str(&written).unwrap();
        let mut steps = Vec::new();
        for (name, arguments) in calls {
            steps.push(json!({ "toolCall": { "name": name, "arguments": arguments } }));
            steps.push(json!({ "turn": true }));
        }
        steps.push(json!({ "text": "done" }));
        let home = Home::with_script(&steps);
        std::fs::write(home.path().join("settings.json"), settings.to_string()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = home.command();
        command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", folder.path());
        command.envs(env.iter().copied()).current_dir(home.path());
        let mut aside = Aside::of(command);
        let mut params = json!({ "protocolVersion": 1, "capabilities": { "requestPermission": true } });
        params.as_object_mut().unwrap().extend(initialize.as_object().unwrap().clone());
        aside.call("initialize", params).await;
        let session = aside.call("newSession", json!({ "cwd": folder.path(), "model": "demo/demo" })).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        Self { home, folder, tag, aside, session }
    }

    /// One call of the shell.
    async fn running(line: &str, arguments: Value) -> Self {
        let mut all = json!({ "command": line });
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        Self::new(&[("shell", all)], json!({}), &[], json!({})).await
    }

    /// Sends the prompt and allows whatever is asked, until `enough` says so of a line or the turn has ended. The
    /// lines that came.
    async fn prompt(&mut self, enough: impl Fn(&Value) -> bool) -> Vec<Value> {
        self.aside.request("prompt", json!({ "sessionId": self.session, "text": "go on" }));
        self.go_on(enough).await
    }

    async fn go_on(&mut self, enough: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.aside.next().await.expect("the server goes on");
            if line["method"] == "requestPermission" {
                let answer = json!({ "optionId": "allowOnce" });
                self.aside.send(&json!({ "jsonrpc": "2.0", "id": line["id"], "result": answer }));
            }
            let is_end = line["params"]["type"] == "turnEnded";
            let is_enough = enough(&line);
            lines.push(line);
            if is_end || is_enough {
                return lines;
            }
        }
    }

    /// Runs the whole turn; the tool calls as they ended.
    async fn turn(&mut self) -> Vec<Value> {
        let lines = self.prompt(|_| false).await;
        tool_calls(&lines)
    }

    /// What the model was told of its calls where that is not what was shown, from the session's file.
    fn told(&self) -> Vec<String> {
        let records = self.home.records(&self.session);
        let results = records.iter().map(|record| &record["item"]["body"]["result"]);
        results.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Waits until a command has said so.
    async fn until_said(&mut self, word: &str) {
        let said = |line: &Value| {
            line["params"]["type"] == "delta" && line["params"]["text"].as_str().unwrap().contains(word)
        };
        let lines = self.prompt(said).await;
        assert!(said(lines.last().unwrap()), "{word} was not said: {lines:#?}");
    }

    /// What runs of its commands, or watches over them.
    fn survivors(&self) -> Vec<String> {
        survivors(&self.tag, self.folder.path(), self.home.path(), self.aside.pid())
    }

    /// Waits until nothing is left; how long that took.
    async fn settled(&self) -> Duration {
        let at = Instant::now();
        loop {
            let left = self.survivors();
            if left.is_empty() {
                return at.elapsed();
            }
            assert!(at.elapsed() < GONE, "still there: {left:#?}");
            tokio::task::yield_now().await;
        }
    }

    /// Bytes in the files of the server.
    fn on_disk(&self) -> u64 {
        size_of(&self.home.path().join("scratch"))
    }
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn tool_calls(lines: &[Value]) -> Vec<Value> {
    let ended = lines.iter().filter(|line| line["params"]["type"] == "itemCompleted");
    ended.map(|line| line["params"]["item"].clone()).filter(|item| item["type"] == "toolCall").collect()
}

#[track_caller]
fn text(item: &Value) -> &str {
    item["text"].as_str().unwrap_or_else(|| panic!("no text: {item}"))
}

/// Processes that have the tag in their command lines, were started in the folder, or are wardens of that server.
fn survivors(tag: &str, folder: &Path, home: &Path, server: u32) -> Vec<String> {
    let folder = format!("PWD={}", folder.display());
    let mut left = super::jobs::processes_with(&[tag, &folder]);
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let is_here = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == home);
        if is_here && pid != server && is_running(pid) {
            left.push(format!("{pid}: in the server's folder"));
        }
    }
    left
}

#[tokio::test]
async fn a_command_is_asked_for_runs_and_tells_how_it_ended() {
    let mut agent = Agent::new(
        &[
            ("shell", json!({ "command": "echo one; echo two >&2; pwd; exit 3" })),
            ("shell", json!({ "command": "true" })),
            ("shell", json!({ "command": "pwd", "cwd": "sub" })),
            ("shell", json!({ "command": "pwd", "cwd": "/" })),
            ("shell", json!({ "command": "pwd", "cwd": "link" })),
            ("shell", json!({ "command": "pwd", "cwd": "sub/../.." })),
            ("shell", json!({ "command": "" })),
            ("shell", json!({ "comand": "x" })),
            ("shell", json!({ "command": "kill -SEGV $$" })),
        ],
        json!({}),
        &[],
        json!({}),
    )
    .await;
    let folder = agent.folder.path().canonicalize().unwrap();
    std::fs::create_dir(folder.join("sub")).unwrap();
    std::os::unix::fs::symlink("/usr", folder.join("link")).unwrap();
    let lines = agent.prompt(|_| false).await;
    let calls = tool_calls(&lines);
    let ended: Vec<(&str, &str)> =
        calls.iter().map(|call| (call["status"].as_str().unwrap(), text(call))).collect();
    let shown = folder.display();
    let outside =
        |place: &str| format!("\"cwd\" leads to {place}, outside of the session's folders: {shown}");
    let above = folder.parent().unwrap().display().to_string();
    assert_eq!(
        ended,
        [
            ("failed", &*format!("one\ntwo\n{shown}\n\n[exit code 3]")),
            ("completed", "[exit code 0, and nothing was printed]"),
            ("completed", &format!("{shown}/sub\n")),
            ("failed", &outside("/")),
            ("failed", &outside("/usr")),
            ("failed", &outside(&above)),
            ("failed", "\"command\" is empty"),
            (
                "failed",
                "there is no argument \"comand\"; those that there are: command, cwd, timeoutSeconds, background"
            ),
            ("failed", "[ended by signal 11 (SEGV)]"),
        ]
    );
    // Asked for what is run and nothing else.
    let asked = lines.iter().filter(|line| line["method"] == "requestPermission").count();
    // `true` and `pwd` change nothing and run unasked.
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn no_secret_is_seen_by_a_command() {
    let secrets = [
        ("ANTHROPIC_API_KEY", "planted-anthropic-1"),
        ("GITHUB_TOKEN", "planted-github-2"),
        ("AWS_SECRET_ACCESS_KEY", "planted-aws-3"),
        ("PGPASSWORD", "planted-pg-4"),
        ("HARMLESS_COPY", "planted-anthropic-1"),
        ("WITHIN", "x=planted-stored-5;y"),
        ("IN_URL", "https://h/?q=planted%2Fstored+6"),
        ("DATABASE_URL", "postgres://me:planted-url-7@db/x"),
        ("npm_config__authToken", "planted-npm-8"),
        ("ODD", "ghp_plantedplantedplanted9"),
        ("OLD_MODELS", "planted-models-10"),
        ("BY_EDITOR_COPY", "planted-editor-11"),
    ];
    let kept = [
        ("KEYBOARD", "us"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("MY_SETTING", "stays"),
        ("AWS_PROFILE", "p"),
    ];
    let mut env: Vec<(&str, &str)> = secrets.iter().chain(&kept).copied().collect();
    env.push(("PASSED_TOKEN", "passed-12"));
    env.push(("NOT_PASSED_TOKEN", "planted-13"));
    let call = ("shell", json!({ "command": "env; echo; tr '\\0' '\\n' < /proc/$PPID/environ; exit 0" }));
    let initialize = json!({
        "environment": { "OPENAI_API_KEY": "planted-editor-11", "FROM_EDITOR": "yes" },
        "settings": { "tools": { "env": { "pass": ["NOT_PASSED_TOKEN"] } } },
    });
    let settings = json!({ "tools": { "env": { "pass": ["PASSED_TOKEN"] } } });
    // The files are there before the server starts, which reads them when it wants to.
    let mut agent = Agent::new(&[call], settings, &env, initialize).await;
    let auth = json!({
        "groq": { "type": "api_key", "key": "planted-stored-5" },
        "xai": { "type": "api_key", "key": "planted/stored 6" },
        "openai-codex": { "type": "oauth", "access": "planted-access-14", "refresh": "planted-refresh-15" },
    });
    std::fs::write(agent.home.path().join("auth.json"), auth.to_string()).unwrap();
    let models = json!({ "providers": { "mine": { "baseUrl": "http://127.0.0.1:1", "api": "openai-completions", "apiKey": "planted-models-10", "models": [{ "id": "m" }] } } });
    std::fs::write(agent.home.path().join("models.json"), models.to_string()).unwrap();
    let calls = agent.turn().await;
    let seen = text(&calls[0]);
    assert!(!seen.contains("planted"), "{seen}");
    assert!(!seen.contains("ASIDE_HOME") && !seen.contains("ASIDE_DEMO"), "{seen}");
    for (name, value) in kept {
        assert!(seen.contains(&format!("{name}={value}\n")), "{name} is missing: {seen}");
    }
    for line in ["FROM_EDITOR=yes\n", "PASSED_TOKEN=passed-12\n", "NO_COLOR=1\n", "PAGER=cat\n"] {
        assert!(seen.contains(line), "{line} is missing: {seen}");
    }
}

#[tokio::test]
async fn what_goes_on_is_listed_shown_and_stopped() {
    let mut agent = Agent::new(
        &[
            ("shell", json!({ "command": "echo served; sleep TAG", "background": true })),
            ("shell", json!({ "command": "echo left; sleep TAG & exit 4" })),
            ("processes", json!({ "action": "list" })),
            ("processes", json!({ "action": "output", "process": 1 })),
            ("processes", json!({ "action": "stop", "process": "1" })),
            ("processes", json!({ "action": "stop", "process": 2 })),
            ("processes", json!({ "action": "list" })),
            ("processes", json!({ "action": "stop", "process": 7 })),
            ("shell", json!({ "command": "exit 5", "background": true })),
        ],
        json!({}),
        &[],
        json!({}),
    )
    .await;
    let calls = agent.turn().await;
    let told: Vec<&str> = calls.iter().map(text).collect();
    assert!(
        told[0].starts_with("served\n\n[sleep (") || told[0].starts_with("served\n\n[bash ("),
        "{}",
        told[0]
    );
    assert!(told[0].ends_with(
        "still running in the background as process 1; the tool \"processes\" shows and stops it]"
    ));
    assert!(told[1].starts_with("left\n\n[exit code 4]\n[sleep ("), "{}", told[1]);
    assert_eq!(calls[1]["status"], "failed");
    let lines: Vec<&str> = told[2].lines().collect();
    assert!(lines[0].starts_with("1: echo served; sleep") && lines[0].contains("running: "), "{}", told[2]);
    assert!(lines[1].contains("exit code 4, but left running: sleep ("), "{}", told[2]);
    assert!(told[3].starts_with("served\n\n[running: "), "{}", told[3]);
    assert_eq!(told[4], "Process 1 was stopped, with everything that it started.");
    assert_eq!(told[5], "Process 2 was stopped, with everything that it started.");
    let lines: Vec<&str> = told[6].lines().collect();
    assert!(
        lines[0].ends_with("ended by signal 15 (TERM)") && lines[1].ends_with("exit code 4"),
        "{}",
        told[6]
    );
    assert!(told[7].starts_with("there is no process 7; those that are known: 1, 2"), "{}", told[7]);
    assert_eq!((told[8], &calls[8]["status"]), ("[exit code 5]", &json!("failed")));
    assert_eq!(agent.survivors(), [""; 0]);
}

#[tokio::test]
async fn closing_a_session_ends_its_commands_and_removes_their_files() {
    let line = "setsid sleep TAG & yes | head -c 300000; sleep TAG";
    let mut agent = Agent::running(line, json!({ "background": true })).await;
    let calls = agent.turn().await;
    assert!(agent.told()[0].contains("all of it is in "), "{}", text(&calls[0]));
    assert!(!agent.survivors().is_empty());
    assert!(agent.on_disk() >= 300_000);
    let session = agent.session.clone();
    agent.aside.call("closeSession", json!({ "sessionId": session })).await;
    agent.settled().await;
    assert_eq!(agent.on_disk(), 0);
}

/// How the process is ended.
#[derive(Clone, Copy, Debug)]
enum By {
    EndOfInput,
    Signal(Signal),
    /// The process that `initialize` named is gone, while the pipes are still held.
    Client,
}

const WAYS: [By; 6] = [
    By::EndOfInput,
    By::Signal(Signal::TERM),
    By::Signal(Signal::HUP),
    By::Signal(Signal::INT),
    By::Signal(Signal::KILL),
    By::Client,
];

/// What runs then: of every kind that tends to stay.
const STAYERS: &str = "trap '' TERM HUP INT; sleep TAG & setsid sleep TAG & (setsid sh -c 'sleep TAG & sleep TAG' &); \
                       env -i setsid sleep TAG & setsid sh -c 'trap \"\" TERM; sleep TAG; sleep TAG' & \
                       nohup setsid sleep TAG >/dev/null 2>&1 </dev/null & setsid sh -c 'kill -STOP $$' sh TAG & \
                       sleep 0.2; echo ready; while :; do sleep TAG; done";

async fn ended(by: By) -> Duration {
    let mut client = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    let call = ("shell", json!({ "command": STAYERS }));
    let mut agent = Agent::new(&[call], json!({}), &[], json!({ "processId": client.id() })).await;
    agent.until_said("ready").await;
    assert!(agent.survivors().len() > 8, "{:#?}", agent.survivors());
    match by {
        By::EndOfInput => agent.aside.close_input(),
        By::Signal(signal) => agent.aside.signal(signal),
        By::Client => kill(client.id(), Signal::KILL),
    }
    // Also while other servers start.
    agent.aside.exit(PATIENCE).await;
    let took = agent.settled().await;
    // It ended by itself, or is not needed any more.
    let _ = client.kill();
    let _ = client.wait();
    took
}

/// Does all of it, a few at a time.
async fn side_by_side<T: 'static>(work: impl Iterator<Item = impl Future<Output = T> + 'static>) -> Vec<T> {
    let (mut running, mut done) = (tokio::task::JoinSet::new(), Vec::new());
    let all = async {
        for each in work {
            while running.len() >= AT_ONCE {
                done.push(running.join_next().await.unwrap().unwrap());
            }
            running.spawn_local(each);
        }
        while let Some(each) = running.join_next().await {
            done.push(each.unwrap());
        }
    };
    tokio::task::LocalSet::new().run_until(all).await;
    done
}

#[tokio::test]
async fn whatever_ends_the_process_nothing_is_left() {
    let took = side_by_side(WAYS.iter().copied().cycle().take(ENDINGS).map(ended)).await;
    assert_eq!(took.len(), ENDINGS);
    let slowest = took.into_iter().max().unwrap();
    println!(
        "{ENDINGS} of {ENDINGS} ends left nothing; the slowest took {slowest:?} after the server's own end"
    );
}

#[tokio::test]
async fn a_server_that_ends_with_running_tools_ends_at_once() {
    for by in [By::EndOfInput, By::Signal(Signal::TERM), By::Client] {
        let mut client = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let call = ("shell", json!({ "command": STAYERS }));
        let mut agent = Agent::new(&[call], json!({}), &[], json!({ "processId": client.id() })).await;
        agent.until_said("ready").await;
        match by {
            By::EndOfInput => agent.aside.close_input(),
            By::Signal(signal) => agent.aside.signal(signal),
            By::Client => kill(client.id(), Signal::KILL),
        }
        agent.aside.exit(PROMPTLY).await;
        agent.settled().await;
        // It ended by itself, or is not needed any more.
        let _ = client.kill();
        let _ = client.wait();
    }
}
