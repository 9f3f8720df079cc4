//! `auth.json` under other processes, crashes, full disks and folders that cannot be written: the real program.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Of every process: a login, or now and then a logout.
const WRITES: usize = 1_000;
const PROCESSES: usize = 8;
const KILLS: usize = 200;

/// A folder with providers `p0` to `p7`, which nobody ever calls.
fn home() -> tempfile::TempDir {
    home_in(tempfile::tempdir().unwrap())
}

fn home_in(home: tempfile::TempDir) -> tempfile::TempDir {
    let provider =
        json!({"baseUrl": "http://127.0.0.1:9/v1", "api": "openai-completions", "models": [{"id": "m"}]});
    let providers: serde_json::Map<String, Value> =
        (0..PROCESSES).map(|n| (format!("p{n}"), provider.clone())).collect();
    std::fs::write(home.path().join("models.json"), json!({"providers": providers}).to_string()).unwrap();
    home
}

/// A running program that signs in and out.
pub(super) struct Signer {
    pub(super) child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Signer {
    fn start(home: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aside"));
        command.arg("serve");
        Self::of(command, home)
    }

    /// A command that becomes the program.
    fn of(command: Command, home: &Path) -> Self {
        Self::with(command, home, &[])
    }

    /// The same with more in its environment.
    pub(super) fn with(mut command: Command, home: &Path, environment: &[(&str, String)]) -> Self {
        let mut child = command
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("ASIDE_HOME", home)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, asked: 0 }
    }

    pub(super) fn ask(&mut self, method: &str, params: &Value) {
        self.asked += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}));
    }

    /// Writes one message.
    pub(super) fn say(&mut self, message: &Value) {
        // One that was killed does not read.
        let _ = self.input.write_all(format!("{message}\n").as_bytes());
    }

    /// The next message; `None` where the program is gone.
    pub(super) fn heard(&mut self) -> Option<Value> {
        let mut line = String::new();
        if self.output.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        serde_json::from_str(&line).ok()
    }

    /// Whether this is the answer to the last request.
    pub(super) fn is_answer(&self, message: &Value) -> bool {
        message["id"] == self.asked
    }

    /// The answer to the last request: the result, or the error; `None` where the program is gone.
    pub(super) fn answer(&mut self) -> Option<Value> {
        loop {
            let message = self.heard()?;
            if self.is_answer(&message) {
                return Some(message.get("result").or_else(|| message.get("error")).unwrap().clone());
            }
        }
    }

    pub(super) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.ask(method, params);
        self.answer().expect("it runs")
    }

    fn login(&mut self, provider: &str, key: &str) -> Value {
        self.call("login", &json!({"provider": provider, "apiKey": key}))
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The entries of the file, which is whole whenever it is looked at.
#[track_caller]
pub(super) fn entries(home: &Path) -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(home.join("auth.json")).unwrap();
    assert!(!text.trim().is_empty(), "the file is empty");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn eight_processes_lose_nothing() {
    // In memory where that can be had: it is the order that counts here, and a disk takes its time.
    let home = home_in(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap());
    let path = home.path();
    std::fs::write(path.join("auth.json"), r#"{"fixed": {"type": "api_key", "key": "stays"}}"#).unwrap();
    // Looks at the file again and again while the writers are at work.
    let (writing, wakes) = std::sync::mpsc::channel::<()>();
    let reader = {
        let path = path.to_path_buf();
        std::thread::spawn(move || {
            let mut reads = 0_u64;
            for () in wakes {
                for _ in 0..20 {
                    assert_eq!(entries(&path)["fixed"]["key"], "stays");
                    reads += 1;
                }
            }
            reads
        })
    };
    let begun = Instant::now();
    let writers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let (path, writing) = (path.to_path_buf(), writing.clone());
            std::thread::spawn(move || {
                let mut signer = Signer::start(&path);
                let provider = format!("p{process}");
                let mut lost = 0;
                for write in 1..=WRITES {
                    writing.send(()).unwrap();
                    // The last one is a login.
                    if write % 10 == 5 {
                        assert_eq!(signer.call("logout", &json!({"provider": provider}))["removed"], true);
                        lost += usize::from(entries(&path).contains_key(&provider));
                    } else {
                        let key = format!("key-{process}-{write}");
                        let answer = signer.login(&provider, &key);
                        assert_eq!(answer["account"]["source"], "authFile", "{answer}");
                        lost += usize::from(entries(&path)[&provider]["key"] != key.as_str());
                    }
                }
                lost
            })
        })
        .collect();
    let lost: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    drop(writing);
    let reads = reader.join().unwrap();
    let all = entries(path);
    println!(
        "{PROCESSES} processes x {WRITES} writes in {:.1} s: {lost} lost, {reads} reads of which 0 were torn or empty",
        begun.elapsed().as_secs_f64()
    );
    assert_eq!((lost, all.len()), (0, PROCESSES + 1));
    for process in 0..PROCESSES {
        assert_eq!(all[&format!("p{process}")]["key"], format!("key-{process}-{WRITES}"));
    }
    assert!(reads > 100);
}

#[test]
fn a_crash_in_the_middle_of_a_write_leaves_a_whole_file() {
    let home = home();
    let path = home.path();
    std::fs::write(path.join("auth.json"), r#"{"fixed": {"type": "api_key", "key": "stays"}}"#).unwrap();
    let (mut answered, mut left) = (0, 0);
    let mut seed = 88_172_645_463_325_252_u64;
    for kill in 0..KILLS {
        let mut signer = Signer::start(path);
        let first = format!("first-{kill}");
        assert_eq!(signer.login("p0", &first)["account"]["source"], "authFile");
        for write in 0..20 {
            signer.ask("login", &json!({"provider": "p0", "apiKey": format!("key-{kill}-{write}")}));
        }
        // Some moment of the next milliseconds, while it writes.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let moment = Instant::now() + Duration::from_micros(seed % 6_000);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        signer.child.kill().unwrap();
        signer.child.wait().unwrap();
        let all = entries(path);
        assert_eq!(all["fixed"]["key"], "stays");
        let key = all["p0"]["key"].as_str().unwrap();
        assert!(key == first || key.starts_with(&format!("key-{kill}-")), "{key}");
        // What was answered before it died is there.
        signer.asked = 2;
        while signer.answer().is_some() {
            answered += 1;
            signer.asked += 1;
        }
        left += temporary(path);
    }
    println!(
        "{KILLS} processes killed while they wrote: 0 files torn, {answered} writes answered, {left} pieces left"
    );
    // What was left is taken away by the next one who writes.
    Signer::start(path).login("p0", "last");
    assert_eq!(temporary(path), 0);
    assert_eq!(entries(path)["p0"]["key"], "last");
}

/// Pieces that a killed process left.
fn temporary(home: &Path) -> usize {
    let names =
        std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "tmp")).count()
}

/// Runs `line` of shell with the program as its `$0`, and its folder as `$1`.
fn shell(line: &str, home: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_aside")]).arg(home);
    command
}

/// Whether this user may have mounts of its own.
fn can_mount() -> bool {
    let probe = Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    probe.is_ok_and(|probe| probe.status.success())
}

#[test]
fn a_full_disk_costs_nothing_that_was_there() {
    // A mount needs a right; a limit of the size of files says the same, and bites whoever runs this.
    let (how, line) = if can_mount() {
        (
            "a full tmpfs",
            r#"exec unshare -m sh -c 'auth=$(cat "$1/auth.json") models=$(cat "$1/models.json")
                mount -t tmpfs -o size=64k,mode=700 none "$1" &&
                printf %s "$auth" > "$1/auth.json" && printf %s "$models" > "$1/models.json" &&
                dd if=/dev/zero of="$1/rest" bs=1k 2>/dev/null; exec "$0" serve' "$0" "$1""#,
        )
    } else {
        ("a limit of the size of files", r#"trap '' XFSZ; ulimit -f 0; exec "$0" serve"#)
    };
    println!("full disk: {how}");
    let home = home();
    let before = r#"{"p1": {"type": "api_key", "key": "stays"}}"#;
    std::fs::write(home.path().join("auth.json"), before).unwrap();
    let mut signer = Signer::of(shell(line, home.path()), home.path());
    for _ in 0..2 {
        let error = signer.login("p0", "sk-secret");
        assert_eq!(error["data"]["kind"], "storage", "{error}");
        assert!(!error.to_string().contains("sk-secret"));
        let status = signer.call("authStatus", &json!({"provider": "p1"}));
        assert_eq!(status["accounts"][0]["source"], "authFile", "{status}");
    }
    let error = signer.call("logout", &json!({"provider": "p1"}));
    assert_eq!(error["data"]["kind"], "storage", "{error}");
    // Both in the program's own view of the folder, and in ours.
    let view = format!("/proc/{}/root{}", signer.child.id(), home.path().display());
    for view in [home.path(), Path::new(&view)] {
        assert_eq!(std::fs::read_to_string(view.join("auth.json")).unwrap(), before);
        assert_eq!(temporary(view), 0);
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let uid = rustix::process::getuid();
    let (how, line) = if can_mount() {
        (
            "a mount that is read-only",
            r#"exec unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$0" serve' "$0" "$1""#,
        )
    } else if uid.is_root() {
        (
            "a user without the right",
            r#"chmod 0555 "$1"; exec setpriv --reuid 65534 --clear-groups "$0" serve"#,
        )
    } else {
        ("a folder without the right", r#"chmod 0555 "$1"; exec "$0" serve"#)
    };
    println!("read-only folder: {how}");
    let home = home();
    let before = r#"{"p1": {"type": "api_key", "key": "stays"}}"#;
    std::fs::write(home.path().join("auth.json"), before).unwrap();
    let mut signer = Signer::of(shell(line, home.path()), home.path());
    let error = signer.login("p0", "sk-secret");
    assert_eq!(error["data"]["kind"], "storage", "{error}");
    assert!(
        error["message"].as_str().unwrap().starts_with("the key of p0 was not stored in auth.json: "),
        "{error}"
    );
    assert!(!error.to_string().contains("sk-secret"));
    let status = signer.call("authStatus", &json!({"provider": "p1"}));
    assert_eq!(status["accounts"][0]["source"], "authFile", "{status}");
    drop(signer);
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(std::fs::read_to_string(home.path().join("auth.json")).unwrap(), before);
}

#[test]
fn everything_that_is_made_is_private() {
    let above = tempfile::tempdir().unwrap();
    let home = above.path().join("new").join("aside");
    let mut command = shell(r#"umask 000; exec "$0" serve"#, &home);
    command.env("ASIDE_LOG", "trace").env("ASIDE_LOG_FILE", "log");
    let mut signer = Signer::of(command, &home);
    assert_eq!(signer.login("groq", "k")["account"]["source"], "authFile");
    drop(signer);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&above.path().join("new")), mode(&home)), (0o700, 0o700));
    let mut seen = 0;
    for entry in std::fs::read_dir(&home).unwrap() {
        let entry = entry.unwrap();
        let wanted = if entry.file_type().unwrap().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry.path()), wanted, "{}", entry.path().display());
        seen += 1;
    }
    assert!(seen >= 2, "the file and its lock");
}

#[test]
fn the_owner_the_mode_and_the_link_of_a_file_stay() {
    use std::os::unix::fs::MetadataExt as _;
    let home = home();
    let real = home.path().join("dotfiles").join("keys.json");
    std::fs::create_dir(real.parent().unwrap()).unwrap();
    std::fs::write(&real, "{}").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let root = rustix::process::getuid().is_root();
    if root {
        std::os::unix::fs::chown(&real, Some(65534), Some(65534)).unwrap();
    }
    println!(
        "owner: {}",
        if root { "another user's file" } else { "our own file; only root can give one away" }
    );
    std::os::unix::fs::symlink("dotfiles/keys.json", home.path().join("auth.json")).unwrap();
    let mut signer = Signer::start(home.path());
    signer.login("p0", "k");
    assert!(std::fs::symlink_metadata(home.path().join("auth.json")).unwrap().is_symlink());
    let metadata = std::fs::metadata(&real).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o640);
    if root {
        assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
    }
    assert_eq!(entries(home.path())["p0"]["key"], "k");
    let status = signer.call("authStatus", &json!({"provider": "p0"}));
    let told = "others than you may use the file (its mode ends in 40); `chmod 600` makes it private";
    assert_eq!(status["diagnostics"][0]["message"], told, "{status}");
}

/// The file that the description of the providers shows, as it stands there where that is at hand.
fn described() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seed/providers.md");
    let shown = std::fs::read_to_string(page).ok().and_then(|page| {
        let (_, after) = page.split_once("#### Auth File")?;
        let (_, block) = after.split_once("```json\n")?;
        Some(block.split_once("```")?.0.to_owned())
    });
    shown.unwrap_or_else(|| {
        let line = |id: &str| format!("\"{id}\": {{ \"type\": \"api_key\", \"key\": \"sk-...\" }}");
        format!("{{\n{}\n}}\n", ["anthropic", "openai", "deepseek", "opencode-go"].map(line).join(",\n"))
    })
}

#[test]
fn a_file_as_it_is_described_works_as_it_stands() {
    let home = home();
    let text = described();
    let path = home.path().join("auth.json");
    std::fs::write(&path, &text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut signer = Signer::start(home.path());
    let status = signer.call("authStatus", &json!({}));
    assert_eq!(status["diagnostics"], json!([]));
    let accounts = status["accounts"].as_array().unwrap();
    let stored: Vec<&Value> = accounts.iter().filter(|account| account["source"] == "authFile").collect();
    let written: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(stored.len(), written.len());
    for account in stored {
        assert!(written.contains_key(account["provider"].as_str().unwrap()), "{account}");
        assert_eq!(account["hint"], Value::Null, "{account}");
    }
    println!("{} entries as described", written.len());
    // An entry more, and one less: every other byte stays.
    signer.login("p0", "k");
    assert_eq!(signer.call("logout", &json!({"provider": "p0"}))["removed"], true);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}
