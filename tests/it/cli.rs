//! The command line as a person and a script use it: the real program, in a folder of its own.

mod accounts;
mod doctor;
mod import;
mod refresh;
pub(crate) mod screen;

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::provider::completions::{answer, text};
use crate::provider::{Gate, Provider, Reply};
use crate::schema::{check_result, check_server_line};

/// A machine with nothing on it but what a test puts there.
pub(crate) struct Home {
    dir: TempDir,
}

/// What a run left.
pub(crate) struct Run {
    status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("project")).unwrap();
        Self { dir }
    }

    /// With a demo model that plays this script.
    fn playing(script: &str) -> Self {
        let home = Self::new();
        home.file("script", script);
        home
    }

    /// With a provider `local` of one model `m`.
    fn with_provider(url: &str) -> Self {
        let home = Self::new();
        let models = json!({ "providers": { "local": {
            "baseUrl": url, "api": "openai-completions", "apiKey": "k", "models": [{ "id": "m" }],
        } } });
        home.file("models.json", &models.to_string());
        home
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command
            .args(arguments)
            .env_clear()
            .env("ASIDE_HOME", self.dir.path())
            .env("ASIDE_DEMO_DELAY_MS", "0")
            .env("ASIDE_LOCAL_SERVERS", "off")
            .env("TERM", "xterm")
            .current_dir(self.dir.path().join("project"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let script = self.dir.path().join("script");
        if script.exists() {
            command.env("ASIDE_DEMO_SCRIPT", script);
        }
        command
    }

    /// The folder.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// What a command that succeeds prints, with these variables.
    pub(crate) fn printed_with(&self, arguments: &[&str], variables: &[(&'static str, String)]) -> String {
        let run = Run::of(self.command(arguments).envs(variables.iter().cloned()).output().unwrap());
        assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
        run.out
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// The same with something on standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        let path = self.file("input", input);
        Run::of(self.command(arguments).stdin(std::fs::File::open(path).unwrap()).output().unwrap())
    }

    /// The same beside a provider that runs in this test.
    async fn run_beside(&self, arguments: &[&str]) -> Run {
        Run::of(tokio::process::Command::from(self.command(arguments)).output().await.unwrap())
    }

    /// The lines of the one session file.
    fn session(&self) -> String {
        let mut files = std::fs::read_dir(self.dir.path().join("sessions")).unwrap();
        let file = files.next().unwrap().unwrap();
        assert!(files.next().is_none(), "more than one session");
        std::fs::read_to_string(file.path()).unwrap()
    }
}

impl Run {
    pub(crate) fn of(output: std::process::Output) -> Self {
        Self {
            status: code(output.status),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Every line of `--json`, held against the schema.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        let lines: Vec<Value> = self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &lines {
            check_server_line(line);
        }
        lines
    }

    #[track_caller]
    pub(crate) fn ended(&self, status: i32) -> &Self {
        assert_eq!(self.status, Some(status), "out: {}\nerr: {}", self.out, self.err);
        self
    }
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

#[test]
fn a_pipe_gets_the_bare_answer() {
    let home = Home::playing("{\"thinking\":\"hm\"}\n{\"text\":\"**so** \\u001b[1m\"}\n{\"text\":\"it is\"}");
    let run = home.run(&["prompt", "why", "so"]);
    run.ended(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("**so** \x1b[1mit is\n", ""));
    assert!(home.session().contains("why so"));
}

#[test]
fn texts_around_a_tool_call_are_paragraphs() {
    let home = Home::playing(
        "{\"text\":\"look\"}\n{\"toolCall\":{\"name\":\"demo\",\"arguments\":{\"harmless\":true}}}\n{\"turn\":true}\n{\"text\":\"found\\n\"}",
    );
    assert_eq!(home.run(&["prompt", "x"]).ended(0).out, "look\n\nfound\n");
}

#[test]
fn nothing_configured_still_answers() {
    let run = Home::new().run(&["prompt", "hello"]);
    run.ended(0);
    assert!(run.out.contains("scripted stand-in") && run.out.contains("> hello"), "{}", run.out);
    assert!(!run.out.contains("Denied"), "{}", run.out);
    assert_eq!(run.err, "");
}

#[test]
fn json_lines_are_those_of_the_protocol() {
    let home = Home::playing("{\"thinking\":\"hm\"}\n{\"text\":\"one \"}\n{\"text\":\"two\"}");
    let lines = home.run(&["prompt", "--json", "x"]).ended(0).json();
    let (last, events) = lines.split_last().unwrap();
    assert!(events.iter().all(|line| line["method"] == "event"));
    assert_eq!(events[0]["params"]["type"], "turnStarted");
    assert_eq!(events.last().unwrap()["params"]["type"], "turnEnded");
    assert_eq!(last["id"], 1);
    check_result("prompt", &last["result"]);
    assert_eq!(last["result"]["text"], "one two");

    let lines = home.run(&["prompt", "--json", "--session", "nope", "x"]).ended(2).json();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["id"], &lines[0]["error"]["data"]["kind"]), (&json!(1), &json!("notFound")));
}

#[test]
fn standard_input_is_read_only_where_it_is_named() {
    let home = Home::new();
    for (arguments, wanted) in [
        (&["prompt", "-"][..], "> from a pipe\n"),
        (&["prompt", "before", "it", "-", "after"], "> before it\n> \n> from a pipe\n> \n> after\n"),
        (&["prompt", "alone"], "> alone\n"),
    ] {
        let run = home.run_with(arguments, "from a pipe\n\n");
        run.ended(0);
        assert!(run.out.contains(&format!("You wrote:\n\n{wanted}")), "{arguments:?}: {}", run.out);
    }
    assert!(home.run_with(&["prompt", "-", "-"], "x").ended(2).err.contains("can be read once"));
    assert!(home.run_with(&["prompt", "-"], " \n").ended(2).err.contains("the prompt is empty"));
}

#[test]
fn wrong_usage_is_told_apart() {
    let home = Home::new();
    for (arguments, complaint) in [
        (&["prompt"][..], "aside: error: the following required arguments were not provided"),
        (&["prompt", "-m", "no-such-model-anywhere", "x"], "aside: error: no model is called"),
        (&["prompt", "-p", "nobody", "x"], "aside: error: no provider nobody"),
        (&["prompt", "-s", "nope", "x"], "aside: error: no session nope"),
        (&["prompt", "-c", "x"], "aside: error: no session was held in"),
        (&["models", "no such words"], "aside: error: no model matches"),
        (&["models", "-p", "nobody"], "aside: error: no provider nobody"),
        (&["nonsense"], "aside: error: unrecognized subcommand"),
    ] {
        let run = home.run(arguments);
        run.ended(2);
        assert!(run.err.starts_with(complaint), "{arguments:?}: {}", run.err);
        assert_eq!(run.out, "", "{arguments:?}");
    }
    // None of these made a session.
    assert!(!home.dir.path().join("sessions").exists());
}

#[test]
fn a_missing_key_is_told_apart() {
    let run = Home::new().run(&["prompt", "-p", "groq", "x"]);
    run.ended(3);
    assert!(run.err.starts_with("aside: error: no key was found for groq\nhint: "), "{}", run.err);
}

#[tokio::test]
async fn failures_of_a_provider_have_a_status() {
    for (status, wanted) in [(401, 3), (404, 1), (400, 1)] {
        let provider = Provider::start().await;
        let home = Home::with_provider(&provider.url());
        provider.reply(Reply::json(status, "{\"error\":{\"message\":\"not \\u001b[2J so\"}}"));
        let run = home.run_beside(&["prompt", "x"]).await;
        run.ended(wanted);
        assert!(run.err.starts_with("aside: error: ") && !run.err.contains('\x1b'), "{}", run.err);
        assert_eq!(run.out, "");
    }
}

#[tokio::test]
async fn an_answer_that_is_begun_anew_stands_once_where_it_can() {
    // The text that comes after the break, what a pipe has of both, and whether that is complained of.
    for (again, out, complains) in [
        (&["Hello", " world"][..], "Hello world\n", false),
        (&["Hello wor", "ld"], "Hello world\n", false),
        (&["Hel", "p!"], "Hello wor\n\nHelp!\n", true),
        (&["Hell"], "Hello wor\n", true),
    ] {
        let provider = Provider::start().await;
        let home = Home::with_provider(&provider.url());
        home.file("settings.json", r#"{"retry": {"baseDelayMs": 4}}"#);
        provider.reply(Reply::stream().event(&text("Hello wor")).reset());
        provider.reply(answer(again));
        let run = home.run_beside(&["prompt", "x"]).await;
        run.ended(0);
        assert_eq!(run.out, out);
        assert!(run.err.contains("; trying again in 1 s (2 of 2)"), "{}", run.err);
        assert_eq!(run.err.contains("begun anew"), complains, "{}", run.err);
    }
}

#[tokio::test]
async fn a_key_is_used_once_and_never_shown() {
    let provider = Provider::start().await;
    let home = Home::with_provider(&provider.url());
    provider.reply(answer(&["ok"]));
    let run = home.run_beside(&["prompt", "--json", "-p", "local", "--api-key", "sk-secret-1", "x"]).await;
    run.ended(0);
    assert_eq!(provider.request(0).await.header("authorization"), Some("Bearer sk-secret-1"));
    assert!(!run.out.contains("sk-secret-1") && !run.err.contains("sk-secret-1"));
    assert!(!home.session().contains("sk-secret-1"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_signal_cancels_and_keeps_what_had_come() {
    use rustix::process::Signal;
    use tokio::io::AsyncReadExt as _;

    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let provider = Provider::start().await;
        let home = Home::with_provider(&provider.url());
        provider.reply(Reply::stream().event(&text("half an ")).event(&text("answer")).stall());
        let mut child = tokio::process::Command::from(home.command(&["prompt", "x"])).spawn().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"answer") {
            assert!(output.read_buf(&mut said).await.unwrap() > 0, "it ended early");
        }
        rustix::process::kill_process(pid(&child), signal).unwrap();
        // The connection is closed, the text kept, the person told.
        provider.request(0).await.closed().await;
        let run = Run::of(child.wait_with_output().await.unwrap());
        run.ended(status);
        assert!(run.err.starts_with("aside: cancelled; what had come is kept in session "), "{}", run.err);
        // In one record or in two.
        let saved = home.session().replace("\"}\n{\"t\":\"text\",\"id\":2,\"s\":\"", "");
        assert!(saved.contains("half an answer"), "{saved}");
    }
}

#[cfg(unix)]
fn pid(child: &tokio::process::Child) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn a_reader_who_leaves_ends_it_quietly() {
    use tokio::io::AsyncReadExt as _;

    let provider = Provider::start().await;
    let home = Home::with_provider(&provider.url());
    let gate = Gate::new();
    provider.reply(Reply::stream().event(&text("first")).wait(&gate).event(&text("second")).stall());
    let mut child = tokio::process::Command::from(home.command(&["prompt", "x"])).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut said = vec![0; 5];
    output.read_exact(&mut said).await.unwrap();
    drop(output);
    gate.open();
    let run = Run::of(child.wait_with_output().await.unwrap());
    run.ended(0);
    assert_eq!(run.err, "");
    assert!(home.session().contains("first"));
}

#[test]
fn a_conversation_goes_on() {
    let home = Home::playing("{\"text\":\"first answer\"}\n{\"turn\":true}\n{\"text\":\"second answer\"}");
    assert_eq!(home.run(&["prompt", "one"]).ended(0).out, "first answer\n");
    assert_eq!(home.run(&["prompt", "--continue", "two"]).ended(0).out, "second answer\n");

    let list = home.run(&["sessions", "--json"]);
    let list: Value = serde_json::from_str(&list.ended(0).out).unwrap();
    check_result("listSessions", &list);
    assert_eq!(list["sessions"].as_array().unwrap().len(), 1);
    let id = list["sessions"][0]["sessionId"].as_str().unwrap();
    assert_eq!(home.run(&["prompt", "--session", id, "three"]).ended(0).out, "second answer\n");

    let table = home.run(&["sessions"]);
    assert!(table.ended(0).out.contains(id) && table.out.contains("one"), "{}", table.out);

    // Another folder knows nothing of it, unless it asks for all.
    let elsewhere =
        |arguments: &[&str]| Run::of(home.command(arguments).current_dir(home.dir.path()).output().unwrap());
    elsewhere(&["prompt", "--continue", "x"]).ended(2);
    assert_eq!(elsewhere(&["sessions"]).ended(0).out, "");
    assert!(elsewhere(&["sessions", "--all"]).ended(0).out.contains(id));
}

#[tokio::test]
async fn a_broken_models_file_is_told_and_its_good_entries_used() {
    let provider = Provider::start().await;
    let home = Home::new();
    let path = home.file(
        "models.json",
        &format!(
            "{{\"providers\": {{\n  \"local\": {{ \"baseUrl\": \"{}\", \"api\": \"openai-completions\", \"apiKey\": \"k\",\n    \"models\": [{{ \"id\": \"m\" }}, {{ \"id\": 7 }}] }}\n}} }}",
            provider.url()
        ),
    );
    provider.reply(answer(&["fine"]));
    let run = home.run_beside(&["prompt", "-m", "local/m", "x"]).await;
    run.ended(0);
    assert_eq!(run.out, "fine\n");
    let place = format!("aside: warning: {}:3:", path.display());
    assert!(run.err.starts_with(&place), "{}", run.err);
    assert!(home.run(&["models", "local/m"]).ended(0).out.contains("local/m"));
}

#[test]
fn lists_are_tables_or_json() {
    let home = Home::new();
    for (arguments, method) in
        [(&["models", "--json"][..], "listModels"), (&["providers", "--json"], "listProviders")]
    {
        check_result(method, &serde_json::from_str(&home.run(arguments).ended(0).out).unwrap());
    }
    let models = home.run(&["models", "gpt-oss", "20b", "--provider", "groq"]);
    let lines: Vec<&str> = models.ended(0).out.lines().collect();
    assert!(lines[0].starts_with("model ") && lines[0].ends_with("available"), "{}", models.out);
    assert!(
        lines[1..]
            .iter()
            .all(|line| line.starts_with("groq/") && line.contains("gpt-oss") && line.contains("20b")),
        "{}",
        models.out
    );
    let available = home.run(&["models", "--available"]);
    assert!(
        available.ended(0).out.contains("demo/demo *") && !available.out.contains("groq/"),
        "{}",
        available.out
    );
    assert!(home.run(&["providers"]).ended(0).out.contains("GROQ_API_KEY"));
}

#[test]
fn models_are_found_by_words_and_globs() {
    let home = Home::new();
    let names = |arguments: &[&str]| -> Vec<String> {
        let run = home.run(&[&["models"], arguments].concat());
        let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        run.ended(0).out.lines().skip(1).map(first).collect()
    };
    assert_eq!(names(&["cerebras/*"]), ["cerebras/gpt-oss-120b", "cerebras/qwen-3.8-27b"]);
    assert_eq!(names(&["CEREBRAS/*", "qwen"]), ["cerebras/qwen-3.8-27b"]);
    assert_eq!(names(&["--provider", "cerebras", "gpt-*"]), ["cerebras/gpt-oss-120b"]);
    let with_retired = names(&["--all", "--provider", "cerebras"]);
    assert!(with_retired.len() > 2 && with_retired.contains(&"cerebras/zai-glm-4.7".to_owned()));
    let retired = home.run(&["models", "--all", "zai-glm-4.7"]);
    assert!(retired.ended(0).out.contains("cerebras/zai-glm-4.7 (retired)"), "{}", retired.out);
    assert_eq!(names(&["openai/gpt-5.5"]).first().map(String::as_str), Some("openai/gpt-5.5"));
    home.run(&["models", "--all", "--available"]).ended(2);
    let unable = home.run(&["models", "-p", "openai-codex"]);
    assert!(unable.ended(0).out.contains("with a ChatGPT subscription"), "{}", unable.out);
}

#[test]
fn shells_and_manuals_are_served() {
    let home = Home::new();
    for (shell, word) in [
        ("bash", "complete -F _aside"),
        ("zsh", "#compdef aside"),
        ("fish", "complete -c aside"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer"),
    ] {
        let script = home.run(&["completions", shell]);
        assert!(script.ended(0).out.contains(word) && script.err.is_empty(), "{shell}: {}", script.out);
        assert!(script.out.contains("continue") && script.out.contains("models"), "{shell}");
    }
    home.run(&["completions", "nosh"]).ended(2);
    let man = home.run(&["man"]);
    assert!(man.ended(0).out.contains(".TH aside 1") && man.out.contains("aside\\-prompt(1)"), "{}", man.out);
    let prompt = home.run(&["man", "prompt"]);
    assert!(
        prompt.ended(0).out.contains("\\-\\-continue") && prompt.out.contains("Exit status"),
        "{}",
        prompt.out
    );
    home.run(&["man", "nothing"]).ended(2);
}

#[test]
fn help_has_examples_and_goes_to_standard_output() {
    let home = Home::new();
    for arguments in [
        &["--help"][..],
        &["prompt", "--help"],
        &["models", "--help"],
        &["sessions", "--help"],
        &["providers", "--help"],
        &["doctor", "--help"],
        &["serve", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let run = home.run(arguments);
        assert!(run.ended(0).out.contains("Examples:") && run.err.is_empty(), "{arguments:?}: {}", run.out);
        let width = run.out.lines().map(|line| line.chars().count()).max();
        assert!(width < Some(115), "{arguments:?} is {width:?} wide");
    }
    assert_eq!(home.run(&["--version"]).ended(0).out, format!("aside {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_pipe_without_arguments_is_served() {
    let home = Home::playing("{\"text\":\"served\"}");
    let asked = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompt\",\"params\":{\"text\":\"hi\"}}\n";
    for arguments in [&[][..], &["serve"]] {
        let lines = home.run_with(arguments, asked).ended(0).json();
        assert_eq!(lines.last().unwrap()["result"]["text"], "served");
    }
}
