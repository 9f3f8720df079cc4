//! Tests of the accounts room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::catalog::Provider;
use crate::system::{Dirs, Env};

pub(super) struct World {
    home: tempfile::TempDir,
    pub(super) accounts: Accounts,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub(super) fn new(env: &[(&str, &str)], auth: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut system = System::real();
        system.dirs = Dirs::below(home.path());
        system.env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Env>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = Self {
            home,
            accounts: Accounts::new(system, Arc::default(), crate::net::Net::default()),
            runtime,
        };
        if !auth.is_empty() {
            world.write(auth);
        }
        world
    }

    fn path(&self) -> PathBuf {
        self.home.path().join(AUTH_FILE)
    }

    fn write(&self, auth: &str) {
        self.accounts.system.files.replace(&self.path(), auth.as_bytes()).unwrap();
    }

    fn read(&self) -> String {
        String::from_utf8(self.accounts.system.files.read(&self.path()).unwrap()).unwrap()
    }

    pub(super) fn key(&self, provider: &Provider, explicit: Option<&str>) -> Result<String, AccountError> {
        match self.runtime.block_on(self.accounts.resolve(provider, explicit.map(SecretString::from)))? {
            Credential::Key(key) => Ok(key.expose_secret().to_owned()),
            Credential::None => Ok("-".into()),
            Credential::Bearer(token) => Ok(format!("Bearer {}", token.expose_secret())),
            Credential::Aws(keys) => Ok(format!("AWS {}", keys.secret_access_key.expose_secret())),
        }
    }

    fn store(&self, key: &str) -> Result<(), AccountError> {
        self.runtime.block_on(self.accounts.store_key(
            &groq(None),
            &key.into(),
            &BTreeMap::new(),
            &CancellationToken::new(),
        ))
    }
}

pub(super) fn groq(api_key: Option<&str>) -> Provider {
    Provider {
        id: "groq".into(),
        name: "Groq".into(),
        key_variables: vec!["GROQ_API_KEY".into(), "GROQ_KEY".into()],
        bearer_variables: vec![],
        sign_in: None,
        default_model: None,
        api_key: api_key.map(Arc::from),
        needs_key: true,
        url_variables: Vec::new(),
        takes_aws_keys: false,
    }
}

#[test]
fn some_variables_hold_tokens_and_not_keys() {
    let provider = Provider {
        key_variables: vec!["GROQ_TOKEN".into(), "GROQ_API_KEY".into()],
        bearer_variables: vec!["GROQ_TOKEN".into()],
        ..groq(None)
    };
    let kind = |env: &[(&str, &str)]| {
        let world = World::new(env, "");
        match world.runtime.block_on(world.accounts.resolve(&provider, None)).unwrap() {
            Credential::Bearer(token) => format!("token {}", token.expose_secret()),
            Credential::Key(key) => format!("key {}", key.expose_secret()),
            Credential::None | Credential::Aws(_) => "none".into(),
        }
    };
    assert_eq!(kind(&[("GROQ_TOKEN", "t"), ("GROQ_API_KEY", "k")]), "token t");
    assert_eq!(kind(&[("GROQ_API_KEY", "k")]), "key k");
}

const STORED: &str = "{\"groq\": {\"type\": \"api_key\", \"key\": \"stored\"}}";

#[track_caller]
fn check(
    env: &[(&str, &str)],
    auth: &str,
    models_json: Option<&str>,
    source: Source,
    key: Result<&str, &str>,
) {
    let world = World::new(env, auth);
    let provider = groq(models_json);
    let status = world.accounts.status(&provider);
    assert_eq!(status, Status { configured: source != Source::Missing, source, unset: None });
    let got = world.key(&provider, None);
    assert_eq!(got.as_deref().map_err(|error| error.message.as_str()), key);
}

#[test]
fn credentials_come_in_order() {
    let env = [("GROQ_KEY", "second"), ("GROQ_API_KEY", "first"), ("NAMED", "named")];
    let variable = |name: &str| Source::Environment(name.into());
    let empty = "{\"groq\": {\"type\": \"api_key\", \"env\": {\"GROQ_KEY\": \"own\", \"NAMED\": \"mine\"}}}";
    check(&env, STORED, Some("models"), Source::Stored, Ok("stored"));
    check(&env, "", Some("models"), variable("GROQ_API_KEY"), Ok("first"));
    check(&[("GROQ_API_KEY", " "), ("GROQ_KEY", " second\n")], "", None, variable("GROQ_KEY"), Ok("second"));
    check(&[], empty, Some("models"), variable("GROQ_KEY"), Ok("own"));
    check(&env[2..], "", Some("models"), Source::ModelsJson, Ok("models"));
    check(&env[2..], "", Some("x-$NAMED"), Source::ModelsJson, Ok("x-named"));
    check(&env[2..], "{\"groq\": {\"key\": \"$NAMED\"}}", None, Source::Stored, Ok("named"));
    check(
        &env[2..],
        "\u{feff}{\"groq\": {\"type\": \"api_key\", \"key\": \"NAMED\"}, } // x",
        None,
        Source::Stored,
        Ok("named"),
    );
    check(&[], "", None, Source::Missing, Err("no key was found for groq"));
    let world = World::new(&env, STORED);
    assert_eq!(world.key(&groq(None), Some(" explicit ")).as_deref(), Ok("explicit"));
    let demo = Provider { needs_key: false, key_variables: vec![], ..groq(None) };
    let world = World::new(&[], "");
    assert_eq!(world.key(&demo, None).as_deref(), Ok("-"));
    assert_eq!(
        world.accounts.status(&demo),
        Status { configured: true, source: Source::NotNeeded, unset: None }
    );
}

#[test]
fn a_stored_credential_that_fails_is_not_passed_over() {
    let env = [("GROQ_API_KEY", "billed to somebody else")];
    let stored = |key: &str| format!("{{\"groq\": {{\"type\": \"api_key\", \"key\": \"{key}\"}}}}");
    check(
        &env,
        &stored("$GONE"),
        None,
        Source::Stored,
        Err("the stored key of groq names what is not set in the environment: GONE"),
    );
    check(
        &env,
        &stored("a\\nb"),
        None,
        Source::Stored,
        Err("the stored key of groq cannot be sent: it has more than one line"),
    );
    check(
        &env,
        "{\"groq\": {\"type\": \"oauth\", \"access\": \"a\", \"refresh\": \"r\", \"expires\": 1}}",
        None,
        Source::Stored,
        Err("auth.json holds a sign-in for groq, which aside cannot use"),
    );
    check(
        &env,
        "{\"groq\": {\"type\": \"api_key\", \"key\": 7}}",
        None,
        Source::Stored,
        Err("the entry of groq in auth.json cannot be used: expected a string, found a number"),
    );
    check(
        &[],
        "",
        Some("$GONE"),
        Source::Missing,
        Err("the apiKey of groq names what is not set in the environment: GONE"),
    );
}

#[cfg(unix)]
#[test]
fn commands_print_keys_and_failures_name_no_command() {
    let path = [("PATH", "/usr/bin:/bin")];
    let auth = "{\"groq\": {\"type\": \"api_key\", \"key\": \"!printf sk-x\"}}";
    check(&path, auth, None, Source::Stored, Ok("sk-x"));
    check(&path, "", Some("!echo y"), Source::ModelsJsonCommand, Ok("y"));
    let world = World::new(
        &path,
        "{\"groq\": {\"type\": \"api_key\", \"key\": \"!echo no >&2; exit 9 # sk-secret\"}}",
    );
    let error = world.key(&groq(Some("other")), None).unwrap_err();
    assert_eq!(error.kind, AccountErrorKind::CommandFailed);
    assert_eq!(error.message, "the command for the stored key of groq failed: it ended with status 9: no");
    assert!(!format!("{error:?}").contains("sk-secret"));
}

#[test]
fn a_status_runs_nothing() {
    let world = World::new(&[], "{\"groq\": {\"type\": \"api_key\", \"key\": \"!touch ran\"}}");
    assert!(world.accounts.status(&groq(Some("!touch ran"))).configured);
    assert!(world.accounts.system.files.stamp(Path::new("ran")).is_err());
    assert!(world.accounts.system.files.stamp(&world.home.path().join("ran")).is_err());
}

#[test]
fn a_missing_key_says_how_to_give_one() {
    let world = World::new(&[], "");
    let error = world.key(&groq(None), None).unwrap_err();
    assert_eq!(error.kind, AccountErrorKind::NotSignedIn);
    let file = world.path().display().to_string();
    let hint = format!("run `aside login groq`, set GROQ_API_KEY, or put an entry into {file}");
    assert_eq!(error.hint, hint);
}

#[test]
fn a_corrupt_file_is_told_and_other_sources_go_on() {
    let world = World::new(&[("GROQ_API_KEY", "env")], "{\n\"groq\": {\"key\": \"sk-secret\"");
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("env"));
    let told = world.accounts.diagnostics();
    assert_eq!((told.len(), told[0].line, told[0].path.clone()), (1, 2, world.path()));
    let world = World::new(&[], "{\n\"groq\": }");
    let error = world.key(&groq(None), None).unwrap_err();
    let expected =
        "no key was found for groq, and auth.json could not be read whole: expected value (line 2, column 9)";
    assert_eq!(error.message, expected);
}

#[test]
fn a_change_of_the_file_is_seen() {
    let world = World::new(&[], "");
    let clone = world.accounts.clone();
    assert!(!clone.status(&groq(None)).configured);
    world.write(STORED);
    assert_eq!(clone.status(&groq(None)).source, Source::Stored);
    world.write("{}");
    assert!(world.key(&groq(None), None).is_err());
}

#[test]
fn headers_are_resolved_like_keys() {
    let world =
        World::new(&[("TEAM", "blue")], "{\"groq\": {\"type\": \"api_key\", \"env\": {\"OWN\": \"mine\"}}}");
    let resolve = |name: &str, value: &str| {
        let headers = [(Arc::from("X-Plain"), Arc::from("plain")), (Arc::from(name), Arc::from(value))];
        world.runtime.block_on(world.accounts.resolve_headers(&groq(None), &headers))
    };
    let headers = resolve("X-Team", "$TEAM/${OWN}").unwrap();
    let shown: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(shown, [("X-Plain", "plain"), ("X-Team", "blue/mine")]);
    assert!(!format!("{headers:?}").contains("blue"));
    let error = resolve("X-Team", "$GONE").unwrap_err();
    assert_eq!(error.message, "the header X-Team of groq names what is not set in the environment: GONE");
}

#[test]
fn a_stored_key_is_found_again_and_nothing_else_changes() {
    let world = World::new(&[], "");
    world.store("sk-$1!").unwrap();
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("sk-$1!"));
    assert_eq!(
        world.read(),
        "{\n  \"groq\": {\n    \"type\": \"api_key\",\n    \"key\": \"sk-$$1!\"\n  }\n}\n"
    );
    world.write("{ // mine\n  \"zeta\": {\"type\": \"new\", \"deep\": [1]},\n  \"groq\": {\"type\": \"api_key\", \"key\": \"old\", \"x\": 1}\n}\n");
    world.store("!new").unwrap();
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("!new"));
    let expected = "{ // mine\n  \"zeta\": {\"type\": \"new\", \"deep\": [1]},\n  \"groq\": {\"type\": \"api_key\", \"key\": \"$!new\", \"x\": 1}\n}\n";
    assert_eq!(world.read(), expected);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |world: &World| world.path().metadata().unwrap().permissions().mode() & 0o777;
    let world = World::new(&[], "");
    world.store("k").unwrap();
    assert_eq!(mode(&world), 0o600);
    std::fs::set_permissions(world.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    world.store("l").unwrap();
    assert_eq!(mode(&world), 0o640);
}

#[test]
fn a_file_that_is_not_understood_is_not_written() {
    for broken in ["{\"groq\": ", "[]", "{} {}"] {
        let world = World::new(&[], broken);
        let error = world.store("sk-secret").unwrap_err();
        assert_eq!((error.kind, world.read().as_str()), (AccountErrorKind::File, broken));
        assert!(!format!("{error:?}").contains("secret"));
    }
    let world = World::new(&[], "");
    world.accounts.system.files.create_dir(&world.path()).unwrap();
    assert_eq!(world.store("k").unwrap_err().kind, AccountErrorKind::File);
    let world = World::new(&[], "");
    assert_eq!(world.store("a\nb").unwrap_err().kind, AccountErrorKind::Unusable);
    assert!(world.accounts.system.files.stamp(&world.path()).is_err());
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for_and_then_named() {
    let world = World::new(&[], STORED);
    let path = world.home.path().join("auth.json.lock");
    let held = world.accounts.system.files.create_new(&path).unwrap();
    held.lock().unwrap();
    let provider = groq(None);
    world.runtime.block_on(async {
        tokio::time::pause();
        let error = world
            .accounts
            .store_key(&provider, &"k".into(), &BTreeMap::new(), &CancellationToken::new())
            .await
            .unwrap_err();
        assert!(error.message.contains("auth.json.lock"), "{error}");
        held.unlock().unwrap();
        world
            .accounts
            .store_key(&provider, &"k".into(), &BTreeMap::new(), &CancellationToken::new())
            .await
            .unwrap();
    });
    assert_eq!(world.key(&provider, None).as_deref(), Ok("k"));
}

#[cfg(unix)]
#[test]
fn a_command_runs_once_for_all_and_once_more_when_its_key_is_refused() {
    let counting = "!echo run >> count; n=$(wc -l < count); echo key-$n; sleep 0.05";
    let auth = serde_json::json!({ "groq": { "type": "api_key", "key": counting } }).to_string();
    let mut world = World::new(&[("PATH", "/usr/bin:/bin")], &auth);
    world.accounts.system.working_dir = world.home.path().to_path_buf();
    let provider = groq(None);
    let count = world.home.path().join("count");
    let runs = || world.accounts.system.files.stamp(&count).unwrap().len / 4;
    let twenty = std::iter::repeat_with(|| Box::pin(world.accounts.resolve(&provider, None))).take(20);
    let keys = world.runtime.block_on(futures_util::future::join_all(twenty));
    let first = keys.into_iter().next().unwrap().unwrap();
    assert_eq!((first.secret().unwrap().expose_secret(), runs()), ("key-1", 1));

    let renew =
        |refused: &Credential| world.runtime.block_on(world.accounts.renew(&provider, &[], refused, &[]));
    // Two calls were refused with the same key: only the first of them has it fetched anew.
    assert!(renew(&first));
    assert!(renew(&first));
    assert_eq!((world.key(&provider, None).as_deref(), runs()), (Ok("key-2"), 2));
    // What cannot be renewed, and a file that has changed meanwhile.
    world.write(STORED);
    assert!(renew(&first));
    assert!(!renew(&Credential::Key("stored".into())));
    world.write(&auth.replace("key-$n", "always"));
    let always = world.runtime.block_on(world.accounts.resolve(&provider, None)).unwrap();
    assert!(!renew(&always));
    assert_eq!(runs(), 4);
}

#[cfg(unix)]
#[test]
fn one_who_gives_up_does_not_keep_the_others_from_the_key() {
    let auth = r#"{"groq": {"type": "api_key", "key": "!echo run >> count; sleep 0.1; echo k"}}"#;
    let mut world = World::new(&[("PATH", "/usr/bin:/bin")], auth);
    world.accounts.system.working_dir = world.home.path().to_path_buf();
    let provider = groq(None);
    world.runtime.block_on(async {
        let first = Box::pin(world.accounts.resolve(&provider, None));
        let second = Box::pin(world.accounts.resolve(&provider, None));
        let first = tokio::time::timeout(std::time::Duration::from_millis(30), first);
        let (first, second) = futures_util::future::join(first, second).await;
        assert!(first.is_err());
        assert_eq!(second.unwrap().secret().unwrap().expose_secret(), "k");
    });
}

#[cfg(unix)]
#[test]
fn the_variables_of_an_entry_reach_its_command_and_its_address() {
    let auth = r#"{
        "groq": {"type": "api_key", "key": "!echo $VAULT", "env": {"VAULT": "mine", "GROQ_TEAM": "t-1"}},
        "other": {"type": "api_key", "key": "!echo $VAULT"}
    }"#;
    let world = World::new(&[("VAULT", "everybody's"), ("GROQ_TEAM", "../../evil"), ("PATH", "/bin")], auth);
    let other = Provider { id: "other".into(), ..groq(None) };
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("mine"));
    assert_eq!(world.key(&other, None).as_deref(), Ok("everybody's"));
    assert_eq!(world.accounts.system_for(&groq(None)).env.get("VAULT"), Some("mine"));
    assert_eq!(world.accounts.system_for(&other).env.get("VAULT"), Some("everybody's"));
    let url = "https://api.example/v1/{GROQ_TEAM}/x";
    assert_eq!(world.accounts.expand(&groq(None), url).as_deref(), Ok("https://api.example/v1/t-1/x"));
    let error = world.accounts.expand(&other, url).unwrap_err();
    assert_eq!(error.kind, AccountErrorKind::Unusable);
    assert!(!format!("{error:?}").contains("evil"), "{error:?}");
    let gone = world.accounts.expand(&other, "https://api.example/{GONE_ID}").unwrap_err();
    assert_eq!(gone.message, "GONE_ID is not set, which the address of other needs");
}

#[test]
fn a_provider_whose_address_is_not_whole_is_not_configured() {
    let provider = Provider { url_variables: vec!["TEAM_ID".into(), "GATE_ID".into()], ..groq(None) };
    let status = |env: &[(&str, &str)], auth: &str| World::new(env, auth).accounts.status(&provider);
    let gone = status(&[("TEAM_ID", "t")], STORED);
    assert_eq!(
        (gone.configured, gone.source, gone.unset.as_deref()),
        (false, Source::Stored, Some("GATE_ID"))
    );
    let own = r#"{"groq": {"type": "api_key", "key": "k", "env": {"GATE_ID": "g"}}}"#;
    assert!(status(&[("TEAM_ID", "t")], own).configured);
    assert!(!status(&[("TEAM_ID", " ")], own).configured);
    assert!(status(&[("TEAM_ID", "t"), ("GATE_ID", "g"), ("GROQ_API_KEY", "k")], "").configured);
    // The key may stand in the environment while the rest is stored, and the other way round.
    let no_key = r#"{"groq": {"type": "api_key", "env": {"GATE_ID": "g", "TEAM_ID": "t"}}}"#;
    let split = status(&[("GROQ_API_KEY", "k")], no_key);
    assert_eq!((split.configured, split.source), (true, Source::Environment("GROQ_API_KEY".into())));
}

#[test]
fn of_any_sources_the_first_in_order_counts() {
    for sources in 0..16_u8 {
        let has = |bit: u8| sources & (1 << bit) != 0;
        let env: &[(&str, &str)] = if has(2) { &[("GROQ_API_KEY", "environment")] } else { &[] };
        let world = World::new(env, if has(1) { STORED } else { "" });
        let provider = groq(has(3).then_some("models"));
        let got = world.key(&provider, has(0).then_some("explicit"));
        let first = ["explicit", "stored", "environment", "models"];
        match (0..4).find(|bit| has(*bit)) {
            Some(bit) => assert_eq!(got.as_deref(), Ok(first[usize::from(bit)]), "{sources:04b}"),
            None => assert_eq!(got.unwrap_err().kind, AccountErrorKind::NotSignedIn),
        }
        let source = match (has(1), has(2), has(3)) {
            (true, _, _) => Source::Stored,
            (_, true, _) => Source::Environment("GROQ_API_KEY".into()),
            (_, _, true) => Source::ModelsJson,
            _ => Source::Missing,
        };
        assert_eq!(world.accounts.status(&provider).source, source, "{sources:04b}");
    }
}

#[cfg(unix)]
#[test]
fn every_form_of_a_key_works_in_every_place() {
    let env = [("NAME", "value"), ("BLANK", " \t"), ("PATH", "/usr/bin:/bin")];
    let wrong = |message: &str| Err(message.to_owned());
    for (form, wanted) in [
        ("literal", Ok("literal")),
        ("  literal\n", Ok("literal")),
        ("$NAME", Ok("value")),
        ("a-${NAME}-b", Ok("a-value-b")),
        ("$$NAME", Ok("$NAME")),
        ("$!NAME", Ok("!NAME")),
        ("lone $ and ${bad-name}", Ok("lone $ and ${bad-name}")),
        ("NAME", Ok("value")),
        ("NOT_SET", Ok("NOT_SET")),
        ("BLANK", Ok("BLANK")),
        ("!printf '  a b \\n'", Ok("a b")),
        ("$NOT_SET", Err("names what is not set in the environment: NOT_SET")),
        ("$BLANK", Err("names what is not set in the environment: BLANK")),
        ("!exit 7", Err("it ended with status 7")),
        ("!true", Err("it is empty")),
        ("!printf 'a\\nb'", Err("it has more than one line")),
        ("!printf '\\377'", Err("it printed something that is not text")),
        ("!yes | head -c 70000", Err("it printed more than 64 KiB")),
    ] {
        let entry = serde_json::json!({ "groq": { "type": "api_key", "key": form } }).to_string();
        let stored = World::new(&env, &entry);
        let own = serde_json::json!({ "groq": { "env": { "NAME": "mine" } } }).to_string();
        let header = [(Arc::from("X-Key"), Arc::from(form))];
        let plain = World::new(&env, "");
        let resolved = plain.runtime.block_on(plain.accounts.resolve_headers(&groq(None), &header));
        let resolved = resolved.map(|headers| headers[0].1.expose_secret().to_owned());
        for got in [stored.key(&groq(None), None), plain.key(&groq(Some(form)), None), resolved] {
            match (&got, wanted) {
                (Ok(got), Ok(wanted)) => assert_eq!(got, wanted, "{form}"),
                (Err(error), Err(wanted)) => assert!(error.message.contains(wanted), "{form}: {error}"),
                _ => assert_eq!(
                    got.map_err(|error| error.message),
                    wanted.map(str::to_owned).or_else(wrong),
                    "{form}"
                ),
            }
        }
        // The entry's own variables stand above the environment, wherever the key is written.
        let mine = World::new(&env, &own).key(&groq(Some(form)), None);
        if let (Ok(mine), Ok(wanted)) = (&mine, wanted) {
            assert_eq!(*mine, wanted.replace("value", "mine"), "{form}");
        }
    }
}

#[test]
fn a_key_that_cannot_be_meant_is_refused() {
    let world = World::new(&[("TYPED", "x")], "");
    for (key, why) in [
        ("", "it is empty"),
        ("two words", "it has spaces in it"),
        ("caf\u{e9}", "it has characters that no key has"),
        ("sk-\u{200b}1", "it has characters that no key has"),
        ("TYPED", "it is the name of a variable of the environment"),
        ("a\u{7}", "it has control characters in it"),
    ] {
        let error = world.store(key).unwrap_err();
        assert!(error.message.ends_with(why), "{error}");
    }
    assert!(world.accounts.system.files.stamp(&world.path()).is_err());
    world.store("NOT_A_VARIABLE").unwrap();
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("NOT_A_VARIABLE"));
}

#[test]
fn what_is_removed_is_gone_and_nothing_else_changes() {
    let world = World::new(&[], "");
    let remove = |id: &str| world.runtime.block_on(world.accounts.remove(id, &CancellationToken::new()));
    assert_eq!(remove("groq"), Ok(false));
    assert!(world.accounts.system.files.stamp(&world.path()).is_err(), "nothing is made for nothing");
    world.write(
        "{ // mine\n  \"a\": {\"key\": \"1\"}, // one\n  \"groq\": {\"key\": \"2\"},\n  \"z\": 7\n}\n",
    );
    assert!(world.accounts.status(&groq(None)).configured);
    assert_eq!(world.accounts.changes().take(), ["a", "groq", "z"]);
    assert_eq!(remove("groq"), Ok(true));
    assert_eq!(world.read(), "{ // mine\n  \"a\": {\"key\": \"1\"}, // one\n  \"z\": 7\n}\n");
    assert_eq!(remove("groq"), Ok(false));
    assert_eq!(world.accounts.changes().take(), ["groq"]);
    assert!(world.accounts.changes().take().is_empty());
    world.write("[");
    assert_eq!(remove("groq").unwrap_err().kind, AccountErrorKind::File);
    assert_eq!(world.read(), "[");
}

#[test]
fn a_lock_can_be_given_up_and_a_foreign_one_is_respected() {
    let mut world = World::new(&[], STORED);
    let path = world.home.path().join("auth.json.lock");
    world.accounts.system.files.create_dir(&path).unwrap();
    let made_ms = world.accounts.system.files.stamp(&path).unwrap().modified_ns / 1_000_000;
    let clock = Arc::new(std::sync::atomic::AtomicU64::new(u64::try_from(made_ms).unwrap() + 29_000));
    world.accounts.system.clock = crate::system::Clock::Fake(Arc::clone(&clock));
    let (env, cancel, provider) = (BTreeMap::new(), CancellationToken::new(), groq(None));
    world.runtime.block_on(async {
        tokio::time::pause();
        let key = "k".into();
        let store = |cancel| world.accounts.store_key(&provider, &key, &env, cancel);
        // Another program holds it: for as long as one waits, and then by name.
        let begun = tokio::time::Instant::now();
        let error = store(&cancel).await.unwrap_err();
        assert!(error.message.contains("auth.json.lock"), "{error}");
        assert_eq!(begun.elapsed().as_secs(), 30);
        // Given up before that.
        let given_up = cancel.clone();
        let begun = tokio::time::Instant::now();
        let (error, ()) = futures_util::future::join(Box::pin(store(&cancel)), async move {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            given_up.cancel();
        })
        .await;
        assert_eq!(error.unwrap_err().kind, AccountErrorKind::Cancelled);
        assert_eq!(begun.elapsed().as_secs(), 1);
        // Left behind by a crash.
        clock.fetch_add(2_000, std::sync::atomic::Ordering::Relaxed);
        tokio::time::resume();
        store(&CancellationToken::new()).await.unwrap();
    });
    assert_eq!(world.key(&provider, None).as_deref(), Ok("k"));
    assert!(path.is_dir(), "it is not ours to remove");
}

#[cfg(unix)]
#[test]
fn a_link_to_what_is_not_there_yet_is_followed() {
    let world = World::new(&[], "");
    let below = world.home.path().join("dotfiles");
    std::os::unix::fs::symlink("dotfiles/one.json", world.path()).unwrap();
    world.accounts.system.files.create_dir(&below).unwrap();
    std::os::unix::fs::symlink("two.json", below.join("one.json")).unwrap();
    world.store("k").unwrap();
    assert!(world.path().is_symlink() && below.join("one.json").is_symlink());
    assert!(below.join("two.json").is_file() && below.join("two.json.lock").is_file());
    assert_eq!(world.key(&groq(None), None).as_deref(), Ok("k"));
    // A ring of links leads nowhere, and is told.
    let world = World::new(&[], "");
    std::os::unix::fs::symlink("auth.json", world.path()).unwrap();
    assert_eq!(world.store("k").unwrap_err().kind, AccountErrorKind::File);
}
