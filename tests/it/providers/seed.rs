//! The examples that users of this program's model, pi, have in their notes: each environment, file and command line
//! of that page, in our own form, and the request that has to come of it. The command line is the real program.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::internet::Internet;
use super::table::ROWS;
use crate::cli::{Home, Run};
use crate::provider::sigv4::verify;
use crate::provider::{Request, speech};

const KEY: &str = "sk-example-0123456789";

/// Variables with their values.
type Exports<'e> = &'e [(&'e str, &'e str)];

/// What one runs and what it says of the world.
struct Example<'e> {
    exports: Exports<'e>,
    files: &'e [(&'e str, String)],
    /// After `prompt`.
    arguments: &'e [&'e str],
    /// Of the model that answers.
    wire: &'e str,
}

impl Example<'_> {
    /// Runs it; what went out.
    #[track_caller]
    fn run(&self, internet: &Internet) -> Request {
        let before = internet.provider().requests().len();
        internet.provider().reply(speech::text(self.wire, "Hel", "lo."));
        let run = self.output(internet);
        run.ended(0);
        assert_eq!(run.out, "Hello.\n", "{:?}: {}", self.arguments, run.err);
        let mut requests = internet.provider().requests().split_off(before);
        assert_eq!(requests.len(), 1, "{:?}", self.arguments);
        requests.remove(0)
    }

    /// Runs it.
    fn output(&self, internet: &Internet) -> Run {
        let home = Home::new();
        for (name, text) in self.files {
            home.file(name, text);
        }
        let mut command = home.command(&[&["prompt"], self.arguments, &["hi"]].concat());
        command.env("HTTPS_PROXY", internet.proxy()).env("SSL_CERT_FILE", internet.authority());
        command.envs(self.exports.iter().copied());
        Run::of(command.output().unwrap())
    }
}

/// The whole URL of a request.
fn url(request: &Request) -> String {
    format!("https://{}{}", request.header("host").unwrap(), request.target)
}

/// The first of these headers that is there, with its value.
fn key_of(request: &Request) -> String {
    let names = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization"];
    let sent: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", request.header(name)?))).collect();
    sent.join(", ")
}

#[track_caller]
fn check(example: &Example<'_>, internet: &Internet, expected_url: &str, key: &str, model: Option<&str>) {
    let request = example.run(internet);
    assert_eq!(url(&request), expected_url, "{:?}", example.arguments);
    assert_eq!(key_of(&request), key, "{:?}", example.arguments);
    assert_eq!(request.json().get("model").and_then(Value::as_str), model, "{:?}", example.arguments);
}

/// Variable and entry of each provider of the page that takes a key.
#[rustfmt::skip]
const KEYS: &[(&str, &str)] = &[
    ("ANTHROPIC_API_KEY", "anthropic"), ("AZURE_OPENAI_API_KEY", "azure-openai-responses"),
    ("OPENAI_API_KEY", "openai"), ("DEEPSEEK_API_KEY", "deepseek"), ("GEMINI_API_KEY", "google"),
    ("MISTRAL_API_KEY", "mistral"), ("GROQ_API_KEY", "groq"), ("CEREBRAS_API_KEY", "cerebras"),
    ("CLOUDFLARE_API_KEY", "cloudflare-ai-gateway"), ("CLOUDFLARE_API_KEY", "cloudflare-workers-ai"),
    ("XAI_API_KEY", "xai"), ("OPENROUTER_API_KEY", "openrouter"), ("AI_GATEWAY_API_KEY", "vercel-ai-gateway"),
    ("ZAI_API_KEY", "zai"), ("OPENCODE_API_KEY", "opencode"), ("OPENCODE_API_KEY", "opencode-go"),
    ("HF_TOKEN", "huggingface"), ("FIREWORKS_API_KEY", "fireworks"), ("TOGETHER_API_KEY", "together"),
    ("KIMI_API_KEY", "kimi-coding"), ("MINIMAX_API_KEY", "minimax"), ("MINIMAX_CN_API_KEY", "minimax-cn"),
    ("XIAOMI_API_KEY", "xiaomi"), ("XIAOMI_TOKEN_PLAN_CN_API_KEY", "xiaomi-token-plan-cn"),
    ("XIAOMI_TOKEN_PLAN_AMS_API_KEY", "xiaomi-token-plan-ams"),
    ("XIAOMI_TOKEN_PLAN_SGP_API_KEY", "xiaomi-token-plan-sgp"),
];

/// The entries of its example of `auth.json`, with the keys as they stand there.
#[rustfmt::skip]
const STORED: &[(&str, &str)] = &[
    ("anthropic", "sk-ant-..."), ("openai", "sk-..."), ("deepseek", "sk-..."), ("google", "..."), ("opencode", "..."),
    ("opencode-go", "..."), ("together", "..."), ("xiaomi", "..."), ("xiaomi-token-plan-cn", "..."),
    ("xiaomi-token-plan-ams", "..."), ("xiaomi-token-plan-sgp", "..."),
];

/// The variables of its examples beside the keys.
pub(super) const EXPORTS: &[(&str, &str)] = &[
    ("ANTHROPIC_API_KEY", "sk-ant-..."),
    ("AWS_ACCESS_KEY_ID", "AKIA..."),
    ("AWS_BEARER_TOKEN_BEDROCK", "..."),
    ("AWS_BEDROCK_FORCE_CACHE", "1"),
    ("AWS_BEDROCK_FORCE_HTTP1", "1"),
    ("AWS_BEDROCK_SKIP_AUTH", "1"),
    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "https://my.corp.proxy/bedrock"),
    ("AWS_PROFILE", "your-profile"),
    ("AWS_REGION", "us-west-2"),
    ("AWS_SECRET_ACCESS_KEY", "..."),
    ("AZURE_OPENAI_API_KEY", "..."),
    ("AZURE_OPENAI_API_VERSION", "2024-02-01"),
    ("AZURE_OPENAI_BASE_URL", "https://your-resource.openai.azure.com"),
    ("AZURE_OPENAI_DEPLOYMENT_NAME_MAP", "gpt-4=my-gpt4,gpt-4o=my-gpt4o"),
    ("AZURE_OPENAI_RESOURCE_NAME", "your-resource"),
    ("CLOUDFLARE_ACCOUNT_ID", "..."),
    ("CLOUDFLARE_API_KEY", "..."),
    ("CLOUDFLARE_GATEWAY_ID", "..."),
    ("GOOGLE_CLOUD_LOCATION", "us-central1"),
    ("GOOGLE_CLOUD_PROJECT", "your-project"),
];

const BEDROCK_ID: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";
const PROFILE: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123";

/// Its command lines: provider and model.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    ("amazon-bedrock", BEDROCK_ID),
    ("amazon-bedrock", PROFILE),
    ("cloudflare-ai-gateway", "claude-sonnet-4-5"),
    ("cloudflare-workers-ai", "@cf/moonshotai/kimi-k2.6"),
];

fn exported(name: &str) -> (&str, &str) {
    (name, EXPORTS.iter().find(|(known, _)| *known == name).unwrap().1)
}

#[test]
fn the_page_says_what_is_tried_here() {
    for (variable, provider) in KEYS {
        let row = ROWS.iter().find(|row| row.provider == *provider);
        assert_eq!(row.map(|row| row.variable), Some(*variable), "{provider} is called in the table");
    }
    // The page itself, where it is there: nothing of it is left out, and nothing is made up.
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seed/providers.md");
    let Ok(page) = std::fs::read_to_string(path) else { return };
    let code =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let rows = page.lines().filter(|line| line.starts_with('|') && line.matches('`').count() >= 4);
    let keys: BTreeSet<_> = rows
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(code).collect();
            (cells[2][0].clone(), cells[3][0].clone())
        })
        .collect();
    let owned = |pairs: &[(&str, &str)]| -> BTreeSet<(String, String)> {
        pairs.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect()
    };
    assert_eq!(keys, owned(KEYS));
    let exports = page.lines().filter_map(|line| line.strip_prefix("export ")).map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.split(" #").next().unwrap().trim().to_owned())
    });
    assert_eq!(exports.collect::<BTreeSet<_>>(), owned(EXPORTS));
    let commands = page.lines().filter_map(|line| line.strip_prefix("pi --provider ")).map(|line| {
        let (provider, model) = line.split_once(" --model ").unwrap();
        (provider.to_owned(), model.trim_matches('"').to_owned())
    });
    assert_eq!(commands.collect::<BTreeSet<_>>(), owned(COMMANDS));
    let blocks = page.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap());
    let files = blocks.filter_map(|block| serde_json::from_str::<Value>(block).ok()?.as_object().cloned());
    let stored = files.flatten().filter_map(|(id, entry)| Some((id, entry["key"].as_str()?.to_owned())));
    assert_eq!(stored.filter(|(id, _)| id != "type" && id != "key").collect::<BTreeSet<_>>(), owned(STORED));
}

#[test]
fn the_file_of_keys_works_as_it_stands() {
    let internet = Internet::start();
    let file: serde_json::Map<String, Value> =
        STORED.iter().map(|(id, key)| ((*id).to_owned(), json!({"type": "api_key", "key": key}))).collect();
    let file = Value::Object(file).to_string();
    for (provider, key) in STORED {
        for row in ROWS.iter().filter(|row| row.provider == *provider) {
            let example = Example {
                // It stands above the environment.
                exports: &[(row.variable, KEY)],
                files: &[("auth.json", file.clone())],
                arguments: &["--provider", provider, "--model", row.model],
                wire: row.wire,
            };
            let request = example.run(&internet);
            assert_eq!(url(&request), row.url);
            let sent = key_of(&request);
            assert!(
                sent == format!("authorization: Bearer {key}") || sent.ends_with(&format!("-api-key: {key}")),
                "{sent}"
            );
        }
    }
}

#[test]
#[cfg(unix)]
fn a_key_is_a_command_a_variable_or_itself() {
    let internet = Internet::start();
    let home = tempfile::tempdir().unwrap();
    // The programs that the page names, which print a key for exactly these arguments.
    for (name, arguments) in
        [("security", "find-generic-password -ws anthropic"), ("op", "read op://vault/item/credential")]
    {
        let path = home.path().join(name);
        let script = format!("#!/bin/sh\n[ \"$*\" = \"{arguments}\" ] && echo sk-of-{name}\n");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", home.path().display());
    for (key, sent) in [
        ("!security find-generic-password -ws 'anthropic'", "sk-of-security"),
        ("!op read 'op://vault/item/credential'", "sk-of-op"),
        ("MY_ANTHROPIC_KEY", "sk-of-variable"),
        ("$MY_ANTHROPIC_KEY", "sk-of-variable"),
        ("sk-ant-...", "sk-ant-..."),
    ] {
        let example = Example {
            exports: &[("PATH", &path), ("MY_ANTHROPIC_KEY", "sk-of-variable")],
            files: &[("auth.json", json!({"anthropic": {"type": "api_key", "key": key}}).to_string())],
            arguments: &["--provider", "anthropic"],
            wire: "anthropic-messages",
        };
        let address = "https://api.anthropic.com/v1/messages";
        check(&example, &internet, address, &format!("x-api-key: {sent}"), Some("claude-opus-4-8"));
    }
}

#[test]
fn a_key_is_looked_for_in_order() {
    let internet = Internet::start();
    let models = json!({"providers": {"groq": {"apiKey": "of-models-json"}}}).to_string();
    let auth = json!({"groq": {"type": "api_key", "key": "of-auth-json"}}).to_string();
    let files = [("models.json", models), ("auth.json", auth)];
    let flag: &[&str] = &["--provider", "groq", "--api-key", "of-flag"];
    let plain: &[&str] = &["--provider", "groq"];
    let variable: Exports<'_> = &[("GROQ_API_KEY", "of-variable")];
    for (arguments, files, exports, sent) in [
        (flag, &files[..], variable, "of-flag"),
        (plain, &files[..], variable, "of-auth-json"),
        (plain, &files[..1], variable, "of-variable"),
        (plain, &files[..1], &[], "of-models-json"),
    ] {
        let example = Example { exports, files, arguments, wire: "openai-completions" };
        let address = "https://api.groq.com/openai/v1/chat/completions";
        check(
            &example,
            &internet,
            address,
            &format!("authorization: Bearer {sent}"),
            Some("openai/gpt-oss-120b"),
        );
    }
}

#[test]
fn azure_is_found_by_address_or_name_and_calls_deployments() {
    let internet = Internet::start();
    let key = ("AZURE_OPENAI_API_KEY", KEY);
    let (base, name) = (exported("AZURE_OPENAI_BASE_URL"), exported("AZURE_OPENAI_RESOURCE_NAME"));
    let (version, map) = (exported("AZURE_OPENAI_API_VERSION"), exported("AZURE_OPENAI_DEPLOYMENT_NAME_MAP"));
    let other = (base.0, "https://your-resource.cognitiveservices.azure.com");
    let home = "https://your-resource.openai.azure.com/openai/v1/responses?api-version=";
    let cognitive = "https://your-resource.cognitiveservices.azure.com/openai/v1/responses?api-version=";
    let all: &[(Exports<'_>, &str, &str, &str)] = &[
        (&[key, base], "gpt-4o", &format!("{home}v1"), "gpt-4o"),
        (&[key, name], "gpt-4o", &format!("{home}v1"), "gpt-4o"),
        (&[key, other], "gpt-4o", &format!("{cognitive}v1"), "gpt-4o"),
        (&[key, base, version], "gpt-4o", &format!("{home}2024-02-01"), "gpt-4o"),
        (&[key, base, version, map], "gpt-4o", &format!("{home}2024-02-01"), "my-gpt4o"),
        (&[key, base, map], "gpt-4", &format!("{home}v1"), "my-gpt4"),
        (&[key, name, map], "gpt-5.5", &format!("{home}v1"), "gpt-5.5"),
    ];
    for (exports, model, address, deployment) in all {
        let arguments: &[&str] = &["--provider", "azure-openai-responses", "--model", model];
        let example = Example { exports, files: &[], arguments, wire: "azure-openai-responses" };
        check(&example, &internet, address, &format!("api-key: {KEY}"), Some(deployment));
    }
}

#[test]
fn bedrock_is_called_with_a_token_or_signed_where_the_region_says() {
    let internet = Internet::start();
    let (provider, model) = COMMANDS[0];
    let arguments: &[&str] = &["--provider", provider, "--model", model];
    let of = |exports: &'static [(&'static str, &'static str)]| Example {
        exports,
        files: &[],
        arguments,
        wire: "bedrock-converse-stream",
    };
    let path = "model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream";
    let bearer = format!("authorization: Bearer {KEY}");
    let token = of(&[("AWS_BEARER_TOKEN_BEDROCK", KEY)]);
    check(
        &token,
        &internet,
        &format!("https://bedrock-runtime.us-east-1.amazonaws.com/{path}"),
        &bearer,
        None,
    );
    let west = of(&[("AWS_BEARER_TOKEN_BEDROCK", KEY), ("AWS_REGION", "us-west-2")]);
    check(
        &west,
        &internet,
        &format!("https://bedrock-runtime.us-west-2.amazonaws.com/{path}"),
        &bearer,
        None,
    );

    // It is a Claude that can cache, so that is asked for.
    let request = west.run(&internet);
    let body = request.json();
    assert_eq!(body.pointer("/system/1/cachePoint"), Some(&json!({"type": "default"})), "{body}");

    for (keys, region) in [
        (of(&[("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", KEY)]), "us-east-1"),
        (
            of(&[
                ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", KEY),
                ("AWS_REGION", "us-west-2"),
            ]),
            "us-west-2",
        ),
    ] {
        let request = keys.run(&internet);
        assert_eq!(url(&request), format!("https://bedrock-runtime.{region}.amazonaws.com/{path}"));
        let claims = verify(&request, KEY).unwrap();
        assert_eq!(
            (&*claims.access_key_id, &*claims.region, &*claims.service),
            ("AKIAEXAMPLE", region, "bedrock")
        );
    }
}

#[test]
fn a_profile_of_ones_own_is_called_by_its_arn() {
    let internet = Internet::start();
    let (provider, model) = COMMANDS[1];
    let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc123";
    // The ARN's region stands above the other.
    let address = format!("https://bedrock-runtime.us-east-1.amazonaws.com/model/{arn}/converse-stream");
    let token = ("AWS_BEARER_TOKEN_BEDROCK", KEY);
    let whole = format!("{provider}/{model}");
    let forms: [&[&str]; 2] = [&["--provider", provider, "--model", model], &["--model", &whole]];
    for arguments in forms {
        for (force, marks) in [(exported("AWS_BEDROCK_FORCE_CACHE"), true), (("UNUSED", "1"), false)] {
            let exports = [token, force, exported("AWS_REGION")];
            let example =
                Example { exports: &exports, files: &[], arguments, wire: "bedrock-converse-stream" };
            let request = example.run(&internet);
            assert_eq!(url(&request), address);
            let body = request.json().to_string();
            assert_eq!(body.matches("cachePoint").count(), if marks { 2 } else { 0 }, "{body}");
        }
    }
    // A name says what it is, without being forced.
    let models = json!({"providers": {provider: {"models": [{"id": model, "name": "Claude Sonnet 4.5"}]}}});
    let example = Example {
        exports: &[token],
        files: &[("models.json", models.to_string())],
        arguments: forms[0],
        wire: "bedrock-converse-stream",
    };
    assert_eq!(example.run(&internet).json().to_string().matches("cachePoint").count(), 2);
}

#[test]
fn a_proxy_in_front_of_bedrock_needs_no_key() {
    let internet = Internet::start();
    let (provider, model) = COMMANDS[0];
    let names = ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_BEDROCK_SKIP_AUTH", "AWS_BEDROCK_FORCE_HTTP1"];
    let mut exports: Vec<_> = names.into_iter().map(exported).collect();
    // Never sent.
    exports.extend([
        ("AWS_BEARER_TOKEN_BEDROCK", KEY),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", KEY),
    ]);
    let example = Example {
        exports: &exports,
        files: &[],
        arguments: &["--provider", provider, "--model", model],
        wire: "bedrock-converse-stream",
    };
    let address =
        "https://my.corp.proxy/bedrock/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream";
    check(&example, &internet, address, "", None);
}

#[test]
fn cloudflare_is_called_behind_the_account_and_the_gateway() {
    let internet = Internet::start();
    let ids = [
        ("CLOUDFLARE_API_KEY", KEY),
        ("CLOUDFLARE_ACCOUNT_ID", "acc0123"),
        ("CLOUDFLARE_GATEWAY_ID", "gate-1"),
    ];
    let gateway = "https://gateway.ai.cloudflare.com/v1/acc0123/gate-1";
    for ((provider, model), wire, address, header) in [
        (
            COMMANDS[2],
            "anthropic-messages",
            format!("{gateway}/anthropic/v1/messages"),
            "cf-aig-authorization",
        ),
        (
            (COMMANDS[2].0, "gpt-5.1"),
            "openai-responses",
            format!("{gateway}/openai/responses"),
            "cf-aig-authorization",
        ),
        (
            (COMMANDS[2].0, "workers-ai/@cf/moonshotai/kimi-k2.6"),
            "openai-completions",
            format!("{gateway}/compat/chat/completions"),
            "cf-aig-authorization",
        ),
        (
            COMMANDS[3],
            "openai-completions",
            "https://api.cloudflare.com/client/v4/accounts/acc0123/ai/v1/chat/completions".to_owned(),
            "authorization",
        ),
    ] {
        let arguments: &[&str] = &["--provider", provider, "--model", model];
        let example = Example { exports: &ids, files: &[], arguments, wire };
        check(&example, &internet, &address, &format!("{header}: Bearer {KEY}"), Some(model));
    }
}

#[test]
fn vertex_is_called_in_the_project_and_location() {
    let internet = Internet::start();
    let (project, location) = (exported("GOOGLE_CLOUD_PROJECT"), exported("GOOGLE_CLOUD_LOCATION"));
    let models = "publishers/google/models/gemini-3.1-pro-preview:streamGenerateContent?alt=sse";
    let of = |key: &str| Example {
        exports: &[],
        files: &[],
        arguments: &["--provider", "google-vertex"],
        wire: if key.is_empty() { "" } else { "google-vertex" },
    };
    // A token of one's account, as gcloud prints it.
    let token = "ya29.a0example";
    let stored = json!({"google-vertex": {"type": "api_key", "key": token}}).to_string();
    let example = Example { exports: &[project, location], files: &[("auth.json", stored)], ..of(token) };
    let address = format!(
        "https://us-central1-aiplatform.googleapis.com/v1/projects/your-project/locations/us-central1/{models}"
    );
    check(&example, &internet, &address, &format!("authorization: Bearer {token}"), None);
    // A key needs neither.
    let exports = [("GOOGLE_CLOUD_API_KEY", KEY)];
    let example = Example { exports: &exports, ..of(KEY) };
    let address = format!("https://aiplatform.googleapis.com/v1/{models}");
    check(&example, &internet, &address, &format!("x-goog-api-key: {KEY}"), None);
}

#[test]
fn what_is_not_there_yet_is_said() {
    let internet = Internet::start();
    let vertex = [exported("GOOGLE_CLOUD_PROJECT"), exported("GOOGLE_CLOUD_LOCATION")];
    for (exports, provider, message, hint) in [
        (
            &[exported("AWS_PROFILE")][..],
            "amazon-bedrock",
            "AWS_PROFILE names credentials",
            "aws configure export-credentials",
        ),
        (
            &vertex[..],
            "google-vertex",
            "no key was found for google-vertex",
            "gcloud auth print-access-token",
        ),
        (&[("RADIUS_API_KEY", KEY)][..], "radius", "pi-messages is not part of this version", "aside models"),
        (&[][..], "radius", "pi-messages is not part of this version", "aside models"),
    ] {
        let run =
            Example { exports, files: &[], arguments: &["--provider", provider], wire: "" }.output(&internet);
        let lines: Vec<&str> = run.err.lines().collect();
        assert!(lines[0].contains(message) && lines[1].contains(hint), "{provider}: {}", run.err);
        assert_eq!(run.out, "");
    }
    assert_eq!(internet.targets(), Vec::<String>::new(), "nobody was called");
}
