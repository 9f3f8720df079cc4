//! `login`, `logout`, `providers` and `import` as a person and a script use them.

use serde_json::{Value, json};

use super::Home;
use super::screen::Screen;

const KEY: &str = "sk-typed-by-a-person-1";

impl Home {
    fn auth_json(&self) -> Value {
        serde_json::from_str(&self.read("auth.json")).unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// A folder as pi keeps one, with these files.
    fn pi(&self, auth: &str, models: &str) -> String {
        let dir = self.dir.path().join("pi");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("auth.json"), auth).unwrap();
        std::fs::write(dir.join("models.json"), models).unwrap();
        dir.display().to_string()
    }
}

#[test]
fn a_key_comes_through_a_pipe_and_goes_again() {
    let home = Home::new();
    for arguments in [&["login", "groq", "--key-stdin"][..], &["login", "groq", "-"]] {
        let run = home.run_with(arguments, &format!("{KEY}\n"));
        run.ended(0);
        assert!(run.out.starts_with("signed in to Groq; the key is kept in "), "{}", run.out);
        assert!(run.err.is_empty(), "{}", run.err);
        assert!(!run.out.contains(KEY));
        assert_eq!(home.auth_json(), json!({"groq": {"type": "api_key", "key": KEY}}));
    }
    let listed = home.run(&["providers"]);
    let line = listed.ended(0).out.lines().find(|line| line.starts_with("groq ")).unwrap().to_owned();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["groq", "Groq", "auth.json", "GROQ_API_KEY"]);
    let out = home.run(&["logout", "groq"]);
    assert!(out.ended(0).out.starts_with("what was stored for groq was removed from "), "{}", out.out);
    assert_eq!(home.auth_json(), json!({}));
    assert!(
        home.run(&["logout", "groq"]).ended(0).out.starts_with("what was stored for groq is nothing in ")
    );
}

#[test]
fn an_account_has_a_label_on_the_command_line_too() {
    let home = Home::new();
    for label in ["work", "me@home"] {
        let run = home.run_with(&["login", "groq", "--account", label, "-"], &format!("{KEY}-{label}\n"));
        run.ended(0);
    }
    let entry = |label: &str| json!({"type": "api_key", "key": format!("{KEY}-{label}")});
    assert_eq!(home.auth_json(), json!({"groq:work": entry("work"), "groq:me@home": entry("me@home")}));
    assert!(
        home.run(&["logout", "groq"]).ended(2).err.contains("groq has several accounts and none is chosen")
    );
    let run = home.run(&["logout", "groq", "--account", "work"]);
    assert!(run.ended(0).out.starts_with("what was stored for groq:work was removed from "), "{}", run.out);
    assert!(run.out.contains("groq is still available: another account of it is stored"), "{}", run.out);
    assert_eq!(home.auth_json(), json!({"groq:me@home": entry("me@home")}));
    assert!(
        home.run_with(&["login", "groq", "--account", "a b", "-"], KEY).ended(2).err.contains("is no label")
    );
}

#[test]
fn an_id_is_stored_beside_the_key_and_what_is_missing_is_told() {
    let home = Home::new();
    let run = home.run_with(&["login", "cloudflare-workers-ai", "-"], KEY);
    assert!(run.ended(0).err.contains("CLOUDFLARE_ACCOUNT_ID is not set"), "{}", run.err);
    let arguments = ["login", "cloudflare-workers-ai", "--env", "CLOUDFLARE_ACCOUNT_ID=0123abcd", "-"];
    let run = home.run_with(&arguments, KEY);
    assert_eq!(run.ended(0).err, "");
    let env = json!({"CLOUDFLARE_ACCOUNT_ID": "0123abcd"});
    assert_eq!(home.auth_json()["cloudflare-workers-ai"], json!({"type": "api_key", "key": KEY, "env": env}));
}

#[test]
fn what_cannot_be_done_says_how() {
    let home = Home::new();
    for (arguments, input, status, wanted) in [
        (&["login"][..], "", 2, "no provider was named"),
        (&["login", "grok", "-"], KEY, 2, "did you mean"),
        (&["login", "groq"], "", 2, "`aside login groq --key-stdin`"),
        (&["login", "groq", "-"], "", 2, "it is empty"),
        (&["login", "groq", "-"], "a b", 2, "it has spaces in it"),
        (&["login", "groq", "-"], "a\nb", 2, "it has more than one line"),
        (&["login", "groq", KEY], "", 2, "possible values: -"),
        (&["login", "demo", "-"], KEY, 2, "needs no key"),
        (&["login", "openai-codex", "-"], KEY, 2, "takes no key"),
        (&["login", "groq", "-", "--env", "x"], KEY, 2, "NAME=VALUE"),
        (&["login", "groq", "-", "--env", "A B=c"], KEY, 2, "it is no name of a variable"),
        (&["logout", "nobody"], "", 2, "no provider nobody"),
        (&["import", "nothing"], "", 2, "possible values: pi"),
    ] {
        let run = home.run_with(arguments, input);
        assert!(run.ended(status).err.contains(wanted), "{arguments:?}: {}", run.err);
        assert!(!home.dir.path().join("auth.json").exists(), "{arguments:?}");
    }
    home.file("auth.json", "{\n  \"groq\": ");
    let run = home.run_with(&["login", "groq", "-"], KEY);
    assert!(
        run.ended(1).err.contains("(line 2, column") || run.err.contains("line 2, column"),
        "{}",
        run.err
    );
    assert_eq!(home.read("auth.json"), "{\n  \"groq\": ");
}

#[cfg(unix)]
#[test]
fn a_key_is_typed_and_not_shown() {
    let home = Home::new();
    let mut screen = Screen::run(&home, &["login"], &[]);
    screen.until("Which provider?");
    screen.until("> ");
    screen.types("nonsense\n");
    screen.until("there is no nonsense");
    screen.until("number or id > ");
    screen.types("groq\n");
    screen.until("API key of Groq > ");
    screen.types(&format!("{KEY}\n"));
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("signed in to Groq") && !printed.contains(KEY), "{printed}");
    assert_eq!(home.auth_json(), json!({"groq": {"type": "api_key", "key": KEY}}));

    // Again, and given up: by Ctrl-D, and by a signal.
    let mut screen = Screen::run(&home, &["login", "groq"], &[]);
    screen.until("in place of the key that is stored");
    screen.until("> ");
    screen.types("\u{4}");
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(1), "{printed}");
    let mut screen = Screen::run(&home, &["login", "groq"], &[]);
    screen.until("API key of Groq > ");
    let pid = rustix::process::Pid::from_child(&screen.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(screen.ended().1, Some(130));
    assert_eq!(home.auth_json()["groq"]["key"], KEY);
}

const PI_AUTH: &str = r#"{
  "groq": { "type": "api_key", "key": "gsk-theirs" },
  "deepseek": {
    "type": "api_key",
    "key": "!pass show deepseek",
    "env": {
      "A": "b"
    }
  },
  "mystery": { "type": "oauth", "access": "at", "refresh": "rt-secret", "expires": 1 },
  "later": { "type": "passkey" }
}
"#;
const PI_MODELS: &str = r#"{
  // mine
  "providers": {
    "lab": {
      "baseUrl": "http://127.0.0.1:9/v1",
      "api": "openai-completions",
      "models": [{ "id": "m" }]
    }
  }
}
"#;

#[test]
fn what_pi_has_is_listed_and_taken_over() {
    let home = Home::new();
    let pi = home.pi(PI_AUTH, PI_MODELS);
    let ours = "{ // ours\n  \"groq\": {\"type\": \"api_key\", \"key\": \"ours\"},\n  \"cerebras\": {\"key\": \"c\"}\n}\n";
    home.file("auth.json", ours);
    let dry = home.run(&["import", "pi", "--dir", &pi, "--dry-run"]);
    let cells = |line: &str| {
        line.split("  ")
            .filter(|cell| !cell.is_empty())
            .map(|cell| cell.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let lines: Vec<Vec<String>> = dry.ended(0).out.lines().skip(2).map(cells).collect();
    let sign_in = "left out: a sign-in that aside cannot use";
    assert_eq!(
        lines,
        [
            vec!["groq", "key", "auth.json", "replaces yours"],
            vec!["deepseek", "key command", "auth.json", "new"],
            vec!["mystery", "sign-in", "auth.json", sign_in],
            vec!["later", "unknown", "auth.json", "left out: of a kind that is not known"],
            vec!["lab", "provider with 1 model", "models.json", "new"],
        ]
    );
    assert_eq!(home.read("auth.json"), ours);
    assert!(!home.dir.path().join("models.json").exists());
    // Nobody can be asked here.
    assert!(home.run(&["import", "pi", "--dir", &pi]).ended(2).err.contains("--yes"));
    assert_eq!(home.read("auth.json"), ours);

    let yes = home.run(&["import", "pi", "--dir", &pi, "--yes"]);
    assert!(yes.ended(0).out.contains("imported 3 entries into "), "{}", yes.out);
    let expected = "{ // ours\n  \"groq\": { \"type\": \"api_key\", \"key\": \"gsk-theirs\" },\n  \"cerebras\": {\"key\": \"c\"},\n  \
                    \"deepseek\": {\n    \"type\": \"api_key\",\n    \"key\": \"!pass show deepseek\",\n    \"env\": {\n      \"A\": \"b\"\n    }\n  }\n}\n";
    assert_eq!(home.read("auth.json"), expected);
    let lab = "{\n  \"providers\": {\n    \"lab\": {\n      \"baseUrl\": \"http://127.0.0.1:9/v1\",\n      \
               \"api\": \"openai-completions\",\n      \"models\": [{ \"id\": \"m\" }]\n    }\n  }\n}\n";
    assert_eq!(home.read("models.json"), lab);
    assert_eq!(
        (home.read("pi/auth.json"), home.read("pi/models.json")),
        (PI_AUTH.to_owned(), PI_MODELS.to_owned())
    );
    for run in [&dry, &yes] {
        assert!(!run.out.contains("theirs") && !run.out.contains("secret") && !run.err.contains("secret"));
    }
    let again = home.run(&["import", "pi", "--dir", &pi, "--yes"]);
    assert!(again.ended(0).out.ends_with("nothing to import\n"), "{}", again.out);
}

#[cfg(unix)]
#[test]
fn an_entry_is_only_replaced_where_the_person_says_so() {
    let home = Home::new();
    let pi = home.pi(PI_AUTH, PI_MODELS);
    let environment = [("PI_CODING_AGENT_DIR", &*pi)];
    home.file("auth.json", r#"{"groq": {"key": "ours"}, "deepseek": {"key": "ours"}}"#);
    let mut screen = Screen::run(&home, &["import", "pi"], &environment);
    screen.until("replace groq in auth.json?");
    screen.types("n\n");
    screen.until("replace deepseek in auth.json?");
    screen.types("y\n");
    screen.until("import?");
    screen.types("y\n");
    let (printed, status) = screen.ended();
    assert_eq!(status, Some(0), "{printed}");
    let auth = home.auth_json();
    assert_eq!(
        (&auth["groq"]["key"], &auth["deepseek"]["key"]),
        (&json!("ours"), &json!("!pass show deepseek"))
    );

    let mut screen = Screen::run(&home, &["import", "pi"], &environment);
    screen.until("replace groq in auth.json?");
    screen.types("y\n");
    screen.until("import?");
    screen.types("n\n");
    assert_eq!(screen.ended().1, Some(1));
    assert_eq!(home.auth_json()["groq"]["key"], "ours");
}

#[test]
fn files_that_make_no_sense_are_left_alone() {
    let home = Home::new();
    let nothing = home.dir.path().join("none").display().to_string();
    assert!(
        home.run(&["import", "pi", "--dir", &nothing, "--yes"]).ended(2).err.contains("there is neither")
    );
    // What is broken of theirs is told, and the rest is taken.
    let pi = home.pi("{\"groq\": {\"key\": \"sk-secret\"", PI_MODELS);
    let run = home.run(&["import", "pi", "--dir", &pi, "--yes"]);
    assert!(run.ended(0).err.contains("auth.json:1:"), "{}", run.err);
    assert!(!run.err.contains("sk-secret"));
    assert!(!home.dir.path().join("auth.json").exists());
    // What is broken of ours is told, and nothing is written.
    let pi = home.pi(PI_AUTH, "{}");
    home.file("auth.json", "{\n \"x\": 1,,\n}");
    let run = home.run(&["import", "pi", "--dir", &pi, "--yes"]);
    assert!(run.ended(1).err.contains("auth.json:2:"), "{}", run.err);
    assert_eq!(home.read("auth.json"), "{\n \"x\": 1,,\n}");
}
