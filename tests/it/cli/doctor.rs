//! `aside doctor`: what it finds, what it says of it, and what it never does.

use serde_json::{Value, json};

use super::{Home, Run};
use crate::provider::{Provider, Reply};
use crate::transport::tls::Authority;

/// Level, subject and message of every finding.
fn findings(run: &Run) -> Vec<(String, String, String)> {
    let whole: Value = serde_json::from_str(&run.out).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    let findings = whole["findings"].as_array().unwrap().iter();
    let ok = findings.clone().all(|finding| finding["level"] != "problem");
    assert_eq!(whole["ok"], ok);
    findings.map(|it| (text(it, "level"), text(it, "subject"), text(it, "message"))).collect()
}

#[track_caller]
fn has(run: &Run, level: &str, subject: &str, part: &str) {
    let all = findings(run);
    let fits = |(a, b, c): &&(String, String, String)| a == level && b.contains(subject) && c.contains(part);
    assert!(all.iter().find(fits).is_some(), "no {level} {subject} {part} in {all:#?}");
}

#[test]
fn an_empty_machine_is_healthy_and_hears_what_it_could_have() {
    let home = Home::new();
    let run = home.run(&["doctor"]);
    run.ended(0);
    assert!(
        run.out.contains("  warning keys: no provider has a key\n          -> `aside login"),
        "{}",
        run.out
    );
    assert!(run.out.contains("  warning demo/demo: a scripted stand-in"), "{}", run.out);
    assert!(run.out.ends_with("\nno problems, 2 warnings\n"), "{}", run.out);
    assert!(!run.out.contains('\x1b') && run.err.is_empty());
    // It looked and made nothing.
    let left: Vec<_> =
        std::fs::read_dir(home.dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["project"]);
}

#[cfg(unix)]
#[test]
fn files_are_told_with_their_mistakes_and_modes() {
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    home.file("settings.json", "{\n  \"defaultModle\": 1\n}");
    home.file("models.json", "{ \"providers\": ");
    let auth = home.file("auth.json", "{\"groq\": {\"type\": \"api_key\", \"key\": \"sk-secret-1\"}}");
    std::fs::set_permissions(&auth, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::create_dir(home.dir.path().join("sessions")).unwrap();
    home.file("sessions/abcdefghij.jsonl", "x");
    let run = home.run(&["doctor", "--offline", "--json"]);
    has(&run, "warning", "settings.json:2:", "did you mean defaultModel?");
    has(&run, "warning", "models.json:1:", "");
    has(&run, "warning", "auth.json", "chmod 600");
    has(&run, "ok", "groq", "from auth.json");
    has(&run, "ok", "conversations", "1 in ");
    has(&run, "ok", "groq/", "the first provider that can be used");
    run.ended(0);
    assert!(!run.out.contains("sk-secret-1"));
    assert_eq!(std::fs::read_dir(home.dir.path().join("sessions")).unwrap().count(), 1);

    std::fs::set_permissions(&auth, std::fs::Permissions::from_mode(0o666)).unwrap();
    let run = home.run(&["doctor", "--offline", "--json"]);
    has(&run, "problem", "auth.json", "others may change");
    run.ended(1);
}

#[cfg(unix)]
#[test]
fn a_command_is_only_run_when_that_is_asked_for() {
    let home = Home::new();
    let marker = home.dir.path().join("ran");
    let of = |command: &str| json!({"groq": {"type": "api_key", "key": format!("!touch {}; {command}", marker.display())}});
    home.file("auth.json", &of("echo sk-printed-1").to_string());
    let run = home.run(&["doctor", "--offline", "--json"]);
    has(&run, "ok", "groq", "which was not run");
    assert!(!marker.exists());

    let run = home.run(&["doctor", "--offline", "--run", "--json"]);
    has(&run, "ok", "groq", "which works");
    assert!(
        marker.exists() && !run.out.contains("sk-printed-1") && !run.out.contains("touch"),
        "{}",
        run.out
    );

    home.file("auth.json", &of("exit 3").to_string());
    let run = home.run(&["doctor", "--offline", "--run", "--json"]);
    has(&run, "problem", "groq", "failed");
    run.ended(1);
}

#[tokio::test]
async fn providers_are_reached_without_a_key_and_their_clock_is_read() {
    let authority = Authority::named("Corp Proxy CA");
    let provider = Provider::start_tls(authority.acceptor()).await;
    let home = Home::with_provider(&provider.url());
    let far = "Sun, 06 Nov 2094 08:49:37 GMT";
    provider.always(Reply::json(401, "{}").header("date", far));
    let doctor = |name: &str, value: &str| {
        let mut command = home.command(&["doctor", "--json"]);
        command.env(name, value);
        async { Run::of(tokio::process::Command::from(command).output().await.unwrap()) }
    };
    let run = doctor("SSL_CERT_FILE", authority.pem.path().to_str().unwrap()).await;
    has(&run, "warning", "local", "HTTP/1.1, status 401");
    has(&run, "warning", "local", "certificate of \"Corp Proxy CA\"; this clock is ");
    has(&run, "ok", "(SSL_CERT_FILE)", "1 more certificate");
    run.ended(0);
    let request = provider.request(0).await;
    assert_eq!((request.method.as_str(), request.header("authorization")), ("GET", None));

    let run = doctor("NODE_EXTRA_CA_CERTS", "/not/there.pem").await;
    has(&run, "problem", "local", "issued by \"Corp Proxy CA\"");
    has(&run, "warning", "/not/there.pem (NODE_EXTRA_CA_CERTS)", "not used");
    run.ended(1);
    if cfg!(target_os = "linux") {
        // This one stands in place of the system's certificates.
        let run = doctor("SSL_CERT_FILE", "/not/there.pem").await;
        has(
            &run,
            "problem",
            "local",
            "no certificate authority is installed on this machine, so its certificate",
        );
        has(&run, "warning", "/not/there.pem (SSL_CERT_FILE)", "not used");
    }

    // Nobody is asked offline.
    let before = provider.connections();
    home.run_beside(&["doctor", "--offline"]).await.ended(0);
    assert_eq!(provider.connections(), before);
}

#[tokio::test]
async fn local_servers_and_the_default_they_are_for_are_told() {
    let server = Provider::start().await;
    server.always(Reply::json(200, &json!({"data": [{"id": "m", "owned_by": "vllm"}]}).to_string()));
    let home = Home::new();
    let places = json!({"ollama": [], "lmstudio": [server.url()], "llamacpp": ["http://127.0.0.1:1"], "vllm": [server.url()]});
    home.file("settings.json", &json!({"localServers": places}).to_string());
    let mut command = home.command(&["doctor", "--json"]);
    command.env("ASIDE_LOCAL_SERVERS", "on");
    let run = Run::of(tokio::process::Command::from(command).output().await.unwrap());
    has(&run, "ok", "vLLM", ": m");
    has(&run, "ok", "llama.cpp", "nobody listens at http://127.0.0.1:1");
    has(&run, "ok", "LM Studio", "is something else");
    has(&run, "ok", "vllm/m", "found on this machine");
    run.ended(0);
}

#[tokio::test]
async fn no_login_of_a_proxy_is_shown_and_a_wrong_one_is_told() {
    let proxy = Provider::start().await;
    proxy.always(Reply::raw("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").fin());
    let home = Home::new();
    let mut command = home.command(&["doctor", "--json"]);
    command
        .env("GROQ_API_KEY", "gsk-secret-2")
        .env("HTTPS_PROXY", proxy.url().replace("http://", "http://me:hunter2@"))
        .env("HTTP_PROXY", "http://corp/proxy.pac")
        .env("NO_PROXY", ".corp");
    let run = Run::of(tokio::process::Command::from(command).output().await.unwrap());
    has(&run, "ok", "HTTPS_PROXY", "http://***@127.0.0.1:");
    has(&run, "problem", "HTTP_PROXY", "PAC");
    has(&run, "ok", "NO_PROXY", ".corp");
    has(&run, "problem", "groq", "refused the user name and password");
    run.ended(1);
    assert!(!run.out.contains("hunter2") && !run.out.contains("gsk-secret-2"), "{}", run.out);
}

#[test]
fn a_default_that_cannot_be_used_is_a_problem() {
    let home = Home::new();
    for (model, part) in [("groq/openai/gpt-oss-120b", "its provider has no key"), ("nothing/like-it", "no ")]
    {
        home.file("settings.json", &json!({"defaultModel": model}).to_string());
        let run = home.run(&["doctor", "--offline", "--json"]);
        has(&run, "problem", "", part);
        run.ended(1);
    }
}
