//! `import codex` and `import claude`: what others have signed in to, with a word about it before it is taken.

use serde_json::{Value, json};

use super::Home;
#[cfg(unix)]
use super::screen::Screen;

/// `{"https://api.openai.com/auth": {"chatgpt_account_id": "acc-1"}, "exp": 1800000000, "email": "me@example.com"}`
const JWT: &str = "e30.eyJodHRwczovL2FwaS5vcGVuYWkuY29tL2F1dGgiOnsiY2hhdGdwdF9hY2NvdW50X2lkIjoiYWNjLTEifSwiZXhwIjoxODAwMDAwMDAwLCJlbWFpbCI6Im1lQGV4YW1wbGUuY29tIn0.c2ln";
/// What is said before tokens are copied.
const WORD: &str = "good for one program";

fn folder(home: &Home, name: &str, file: &str, text: &str) -> String {
    let dir = home.dir.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join(file), text).unwrap();
    dir.display().to_string()
}

fn auth_json(home: &Home) -> Value {
    serde_json::from_slice(&std::fs::read(home.dir.path().join("auth.json")).unwrap()).unwrap()
}

#[test]
fn codex_has_a_sign_in_or_a_key() {
    let home = Home::new();
    let tokens =
        json!({"id_token": JWT, "access_token": JWT, "refresh_token": "rt-secret", "account_id": null});
    let theirs = json!({"auth_mode": "chatgpt", "OPENAI_API_KEY": "sk-$theirs", "tokens": tokens, "last_refresh": "x"});
    let dir = folder(&home, "codex", "auth.json", &theirs.to_string());
    let dry = home.run(&["import", "codex", "--dir", &dir, "--dry-run"]);
    assert!(dry.ended(0).out.contains("sign-in of me@example.com"), "{}", dry.out);
    assert!(dry.err.contains(WORD) && dry.err.contains("aside login PROVIDER"), "{}", dry.err);
    // Nobody can be asked, so nothing is done without being told to.
    let run = home.run(&["import", "codex", "--dir", &dir]);
    assert!(run.ended(2).err.contains(WORD) && run.err.contains("--yes"), "{}", run.err);
    assert!(!home.dir.path().join("auth.json").exists());
    let run = home.run(&["import", "codex", "--dir", &dir, "--yes"]);
    assert!(run.ended(0).err.contains(WORD), "{}", run.err);
    let expected = json!({
        "openai": {"type": "api_key", "key": "sk-$$theirs"},
        "openai-codex": {
            "type": "oauth", "access": JWT, "refresh": "rt-secret", "expires": 1_800_000_000_000_u64,
            "accountId": "acc-1", "email": "me@example.com",
        },
    });
    assert_eq!(auth_json(&home), expected);
    let again = home.run(&["import", "codex", "--dir", &dir, "--yes"]);
    assert!(
        again.ended(0).out.ends_with("nothing to import\n") && !again.err.contains(WORD),
        "{}",
        again.err
    );
    // Beside it, under a label.
    let run = home.run(&["import", "codex", "--dir", &dir, "--yes", "--account", "work"]);
    run.ended(0);
    assert_eq!(auth_json(&home)["openai-codex:work"]["refresh"], "rt-secret");
    assert_eq!(std::fs::read_to_string(home.dir.path().join("codex/auth.json")).unwrap(), theirs.to_string());
    for run in [&dry, &run] {
        assert!(!run.out.contains("rt-secret") && !run.err.contains("rt-secret") && !run.out.contains(JWT));
    }
    assert!(
        home.run(&["import", "codex", "--dir", &dir, "--account", "a b"])
            .ended(2)
            .err
            .contains("is no label")
    );
}

#[test]
fn claude_code_has_a_sign_in_with_an_end() {
    let home = Home::new();
    let file = ".credentials.json";
    let theirs = json!({"claudeAiOauth": {
        "accessToken": "sk-ant-oat01-x", "refreshToken": "sk-ant-ort01-secret", "expiresAt": 1_800_000_000_000_u64,
        "scopes": ["user:inference", "user:profile"], "subscriptionType": "max",
    }});
    let dir = folder(&home, "claude", file, &theirs.to_string());
    let run = home.run(&["import", "claude", "--dir", &dir, "--yes"]);
    assert!(
        run.ended(0).out.contains("sign-in (plan max)") && run.err.contains(WORD),
        "{} {}",
        run.out,
        run.err
    );
    let expected = json!({
        "type": "oauth", "access": "sk-ant-oat01-x", "refresh": "sk-ant-ort01-secret", "expires": 1_799_999_700_000_u64,
    });
    assert_eq!(auth_json(&home), json!({"anthropic": expected}));
    assert_eq!(
        std::fs::read_to_string(home.dir.path().join("claude").join(file)).unwrap(),
        theirs.to_string()
    );
    // What is not for models is of no use here.
    let mut other = theirs;
    other["claudeAiOauth"]["scopes"] = json!(["user:profile"]);
    let dir = folder(&home, "other", file, &other.to_string());
    let run = home.run(&["import", "claude", "--dir", &dir, "--yes"]);
    assert!(run.ended(0).out.contains("left out: a sign-in that is not for models"), "{}", run.out);
    assert!(!run.err.contains(WORD));
}

#[test]
fn what_makes_no_sense_is_told_and_left_alone() {
    let home = Home::new();
    for (agent, file) in [("codex", "auth.json"), ("claude", ".credentials.json")] {
        let none = folder(&home, &format!("{agent}-none"), "other", "x");
        let run = home.run(&["import", agent, "--dir", &none, "--yes"]);
        assert!(run.ended(2).err.contains(&format!("there is no {file}")), "{}", run.err);
        for (name, text) in [
            ("broken", "{\"tokens\": {\"refresh_token\": \"rt-secret\""),
            ("list", "[\"rt-secret\"]"),
            ("inner", "{\"tokens\": [\"rt-secret\"], \"claudeAiOauth\": [\"rt-secret\"]}"),
            ("kinds", "{\"tokens\": {\"refresh_token\": [\"rt-secret\"]}, \"claudeAiOauth\": \"rt-secret\"}"),
        ] {
            let dir = folder(&home, &format!("{agent}-{name}"), file, text);
            let run = home.run(&["import", agent, "--dir", &dir, "--yes"]);
            assert!(run.ended(0).err.contains(&format!("{file}:1:")), "{}", run.err);
            assert!(!run.err.contains("rt-secret") && !run.out.contains("rt-secret"), "{}", run.err);
        }
        for text in ["", "{}", "{\"tokens\": {}, \"claudeAiOauth\": {}}"] {
            let dir = folder(&home, &format!("{agent}-empty"), file, text);
            assert!(
                home.run(&["import", agent, "--dir", &dir, "--yes"])
                    .ended(0)
                    .out
                    .ends_with("nothing to import\n")
            );
        }
    }
    assert!(!home.dir.path().join("auth.json").exists());
}

#[cfg(unix)]
#[test]
fn the_person_has_the_last_word() {
    let home = Home::new();
    let tokens = json!({"access_token": "at", "refresh_token": "rt", "account_id": "a"});
    let dir = folder(&home, "codex", "auth.json", &json!({"tokens": tokens}).to_string());
    for (answer, status) in [("n\n", 1), ("y\n", 0)] {
        let mut screen = Screen::run(&home, &["import", "codex"], &[("CODEX_HOME", &*dir)]);
        screen.until(WORD);
        screen.until("import?");
        screen.types(answer);
        let (printed, ended) = screen.ended();
        assert_eq!(ended, Some(status), "{printed}");
        assert_eq!(home.dir.path().join("auth.json").exists(), status == 0);
    }
    // Whoever does not say when it ends is asked for the next tokens at once.
    assert_eq!(
        auth_json(&home)["openai-codex"],
        json!({"type": "oauth", "access": "at", "refresh": "rt", "expires": 0, "accountId": "a"})
    );
}
