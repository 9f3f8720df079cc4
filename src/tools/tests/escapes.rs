//! Paths that are made to lead out, over every tool: none reads, lists or changes anything outside unasked.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::*;
use crate::tools::workspace::guarded;

/// Part of every name outside, and every text there.
const CANARY: &str = "CANARY";
const TEXT: &str = "KANARI-VOGEL";

/// Everything below a folder, names and contents.
fn state(folder: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut all = BTreeSet::new();
    let mut waiting = vec![folder.to_path_buf()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(entry.path());
            }
            let bytes = if kind.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            all.insert((entry.path(), bytes));
        }
    }
    all
}

fn hostile() -> Rig {
    let rig = Rig::new();
    let (ws, out) = (rig.path.join("ws"), rig.path.join("out"));
    fs::create_dir_all(out.join("CANARY-folder")).unwrap();
    for file in
        ["out/CANARY-file", "out/CANARY-folder/x", "home/CANARY-home", "own/CANARY-own", "CANARY-beside"]
    {
        fs::write(rig.path.join(file), TEXT).unwrap();
    }
    rig.put("src/a.rs", "inside\n");
    for (link, target) in [
        ("up", "..".into()),
        ("rel", "../out".into()),
        ("abs", out.clone()),
        ("file", out.join("CANARY-file")),
        ("relfile", "../out/CANARY-file".into()),
        ("chain1", "chain2".into()),
        ("chain2", "src/../chain3".into()),
        ("chain3", out.clone()),
        ("loop", "loop".into()),
        ("ping", "pong".into()),
        ("pong", "ping".into()),
        ("dangling", out.join("CANARY-new")),
        ("danglingdeep", out.join("CANARY-none/new")),
        ("root", "/proc/self/root".into()),
        ("cwd", "/proc/self/cwd".into()),
        ("fd", "/proc/self/fd".into()),
        ("dev", "/dev".into()),
        ("slash", "/".into()),
        ("own", rig.path.join("own")),
        ("home", rig.path.join("home")),
        ("src/back", "../../out".into()),
        ("dotted.", "../out".into()),
        ("UP", "..".into()),
    ] as [(&str, PathBuf); 23]
    {
        symlink(target, ws.join(link)).unwrap();
    }
    fs::hard_link(out.join("CANARY-file"), ws.join("hard")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, ws.join("fifo"), rustix::fs::Mode::RWXU).unwrap();
    rig
}

fn paths(rig: &Rig) -> Vec<String> {
    let out = rig.path.join("out").display().to_string();
    let mut paths: Vec<String> = Vec::new();
    let links = [
        "up/out",
        "rel",
        "abs",
        "file",
        "relfile",
        "chain1",
        "chain2",
        "loop",
        "ping",
        "dangling",
        "danglingdeep",
        "slash",
        "own",
        "home",
        "src/back",
        "dotted.",
        "UP/out",
        "dev",
        "fd",
        "cwd",
    ];
    for link in links {
        for tail in [
            "",
            "/",
            "/CANARY-file",
            "/CANARY-new2",
            "/CANARY-folder/x",
            "/../out/CANARY-file",
            "/./CANARY-file",
            "/CANARY-folder/new/deep",
        ] {
            paths.push(format!("{link}{tail}"));
        }
    }
    for fixed in ["CANARY-file", "CANARY-folder", "CANARY-fresh", ""] {
        for start in [
            "../out",
            "./.././out",
            "src/../../out",
            "src/./../.././out",
            "src/../src/../../out",
            "..//out",
            ".//..//out",
            "~/../out",
            "../ws/../out",
            "../ws/up/out",
            "../ws/up/ws/up/out",
        ] {
            paths.push(format!("{start}/{fixed}"));
        }
        paths.push(format!("{out}/{fixed}"));
        paths.push(format!("//{out}//{fixed}"));
        paths.push(format!("/proc/self/root{out}/{fixed}"));
        paths.push(format!("root{out}/{fixed}"));
        paths.push(format!("slash{out}/{fixed}"));
        paths.push(format!("/proc/self/../self/root{out}/{fixed}"));
        paths.push(format!("/proc/thread-self/root{out}/{fixed}"));
        paths.push(format!("../OUT/{fixed}"));
        paths.push(format!("../out./{fixed}"));
        paths.push(format!("../out /{fixed}"));
        paths.push(format!("../OUT~1/{fixed}"));
        paths.push(format!("../out::$INDEX_ALLOCATION/{fixed}"));
        paths.push(format!("..\\out\\{fixed}"));
        paths.push(format!("src\\..\\..\\out\\{fixed}"));
        paths.push(format!("\\\\?\\{out}\\{fixed}"));
        paths.push(format!("\\\\.\\{out}\\{fixed}"));
        paths.push(format!("\\\\localhost\\c$\\{fixed}"));
        paths.push(format!("C:{out}/{fixed}"));
        paths.push(format!("file://{out}/{fixed}"));
        paths.push(format!("%2e%2e/out/{fixed}"));
        paths.push(format!("..%2fout/{fixed}"));
        paths.push(format!("\u{ff0e}\u{ff0e}/out/{fixed}"));
        paths.push(format!("..\u{2215}out/{fixed}"));
        paths.push(format!("..\u{202e}/out/{fixed}"));
        paths.push(format!("..\0/out/{fixed}"));
        paths.push(format!("../out/{fixed}\0.rs"));
        paths.push(format!("src/a.rs/../../../out/{fixed}"));
        paths.push(format!("none/../../out/{fixed}"));
        paths.push(format!(".../out/{fixed}"));
        paths.push(format!("\n../out/{fixed}"));
        paths.push(format!("{}{out}/{fixed}", "../".repeat(60)));
    }
    for other in [
        "~",
        "~/CANARY-home",
        "../own/CANARY-own",
        "../CANARY-beside",
        "..",
        "../",
        "/",
        "/etc/passwd",
        "/etc/shadow",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/self/cwd",
        "/proc/1/root",
        "/dev/null",
        "/dev/zero",
        "/dev/tty",
        "/dev/fd/0",
        "/dev/stdin",
        "/dev/stdout",
        "fifo",
        "fd/0",
        "fd/1",
        "dev/zero",
        "dev/full",
        "hard",
        "",
    ] {
        paths.push(other.to_owned());
    }
    paths.push("../".repeat(1500) + "out/CANARY-file");
    paths.push("a/".repeat(3000));
    paths.push("x".repeat(300));
    paths
}

#[tokio::test]
async fn no_path_leads_out_unasked() {
    let rig = hostile();
    let outside = ["out", "home", "own"].map(|folder| rig.path.join(folder));
    let before: Vec<_> = outside.iter().map(|folder| state(folder)).collect();
    let beside = fs::read_dir(&rig.path).unwrap().count();
    // To be able to change what it may, the model has seen it: a second name inside of the file outside.
    rig.allowed("read", json!({"path": "hard"})).await;
    let (mut tried, mut asked, mut refused, mut run) = (0, 0, 0, 0);
    // First those that only look: what the others make inside has the names of what is outside.
    let paths = paths(&rig);
    let looking = paths.iter().map(|path| (path.clone(), ["read", "grep", "find", "ls"].as_slice()));
    let changing = paths.iter().map(|path| (path.clone(), ["write", "edit"].as_slice()));
    for (path, names) in looking.chain(changing) {
        for name in names.iter().copied() {
            tried += 1;
            let arguments = towards(name, &path);
            let came = rig.unasked(name, arguments.clone()).await;
            // A session that forgot to ask gets no further either.
            let forced = match &came {
                None => Some(rig.run(name, arguments, &[]).await),
                Some(_) => None,
            };
            match &came {
                None => asked += 1,
                Some(came) if came.outcome.is_error => refused += 1,
                Some(_) => run += 1,
            }
            // The second name of a file is a file inside to whoever reads it.
            let may_tell = path == "hard";
            for came in came.iter().chain(&forced) {
                let text = came.outcome.text.replace(&path, "");
                assert!(may_tell || !text.contains(TEXT), "{name} {path:?}: {text}");
                let lists = matches!(name, "find" | "ls" | "grep") && !came.outcome.is_error;
                assert!(!lists || !text.contains(CANARY), "{name} {path:?}: {text}");
                assert!(!text.contains("root:x:0"), "{name} {path:?}");
            }
            if let Some(forced) = &forced {
                let is_search = matches!(name, "grep" | "find" | "ls" | "read");
                assert!(
                    forced.outcome.is_error || (is_search && path == "hard"),
                    "{name} {path:?}: {}",
                    forced.outcome.text
                );
            }
        }
    }
    for (folder, before) in outside.iter().zip(&before) {
        assert!(state(folder) == *before, "something changed below {}", folder.display());
    }
    assert_eq!(fs::read_dir(&rig.path).unwrap().count(), beside);
    println!(
        "{tried} path escapes over 6 tools: {asked} asked, {refused} refused, {run} stayed inside, 0 out"
    );
    assert!(tried >= 400 && asked > 400 && refused > 200 && run > 0, "{tried} {asked} {refused} {run}");
}

/// The whole workspace searched from its root: links are names in it, not ways out of it.
#[tokio::test]
async fn searches_of_everything_stay_inside() {
    let rig = hostile();
    fs::remove_file(rig.path.join("ws/hard")).unwrap();
    for name in ["grep", "find", "ls"] {
        let came = rig.unasked(name, towards(name, ".")).await.unwrap();
        assert!(
            !came.outcome.is_error && !came.outcome.text.contains(CANARY),
            "{name}: {}",
            came.outcome.text
        );
    }
}

#[tokio::test]
async fn no_protected_file_is_changed_unasked_and_no_secret_is_read() {
    let rig = Rig::new();
    let mut tried = 0;
    for names in guarded::protected_names() {
        let path = names.join("/");
        let forms = [
            path.clone(),
            path.to_uppercase(),
            format!("sub/dir/{path}"),
            format!("{path}/below"),
            format!("{path}. "),
            format!("src/../{path}"),
            format!("{}/ws/{path}", rig.path.display()),
        ];
        for form in forms {
            for name in ["write", "edit"] {
                tried += 1;
                let arguments = towards(name, &form);
                assert!(rig.unasked(name, arguments.clone()).await.is_none(), "{name} {form:?}");
                assert!(rig.run(name, arguments, &[]).await.outcome.is_error, "{name} {form:?}");
            }
        }
    }
    let own = format!("{}/own/settings.json", rig.path.display());
    assert!(rig.unasked("write", towards("write", &own)).await.is_none());
    assert_eq!(fs::read_dir(rig.path.join("ws")).unwrap().count(), 1, "something was created");
    // A link to a protected file is that file.
    fs::create_dir_all(rig.path.join("ws/.git/hooks")).unwrap();
    symlink(".git/hooks", rig.path.join("ws/docs")).unwrap();
    symlink(".env", rig.path.join("ws/notes.md")).unwrap();
    rig.put(".env", TEXT);
    assert!(rig.unasked("write", towards("write", "docs/pre-commit")).await.is_none());
    assert!(!rig.path.join("ws/.git/hooks/pre-commit").exists());
    let mut secrets = 0;
    for form in
        [".env", ".ENV", ".env.local", "notes.md", "sub/id_rsa", "keys/server.pem", ".netrc", "./src/../.env"]
    {
        for name in ["read", "grep"] {
            secrets += 1;
            assert!(rig.unasked(name, towards(name, form)).await.is_none(), "{name} {form}");
            assert!(rig.run(name, towards(name, form), &[]).await.outcome.is_error, "{name} {form}");
        }
    }
    println!(
        "{tried} writes to protected paths and {secrets} reads of secret ones: all asked, 0 done unasked"
    );
    assert!(tried > 1000);
}
