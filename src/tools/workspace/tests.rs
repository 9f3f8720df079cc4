//! What the gate lets through, how files are written behind it, and what searches see.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;
use crate::system::Random;
use crate::tools::seen::Digest;

struct Ground {
    _dir: tempfile::TempDir,
    path: PathBuf,
    workspace: Workspace,
}

/// A workspace `ws` with a second root `more`, and a folder `out` beside them.
fn ground() -> Ground {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    for folder in ["ws/src", "more", "out", "home", "own"] {
        fs::create_dir_all(path.join(folder)).unwrap();
    }
    fs::write(path.join("ws/src/a.rs"), "inside\n").unwrap();
    fs::write(path.join("more/b.rs"), "more\n").unwrap();
    fs::write(path.join("out/secret"), "outside\n").unwrap();
    let roots = [path.join("ws"), path.join("more")];
    let workspace = workspace(&path, &roots);
    Ground { _dir: dir, path, workspace }
}

fn workspace(path: &Path, roots: &[PathBuf]) -> Workspace {
    let dirs = Dirs {
        config: Some(path.join("own")),
        data: None,
        home: Some(path.join("home")),
        managed: None,
        ..Dirs::default()
    };
    Workspace::new(roots.to_vec(), &dirs)
}

impl Ground {
    fn inside(&self, text: &str) -> WorkspacePath {
        self.workspace.inside(text).unwrap()
    }

    fn replace(&self, text: &str, bytes: &str, before: Option<&str>) -> Result<Replaced, GateError> {
        let digest = before.map(|before| Digest::of(before.as_bytes()));
        let before = digest.as_ref().map_or(Before::Nothing, Before::Content);
        self.workspace.replace(&self.inside(text), bytes.as_bytes(), before, &Random::Real)
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path)).unwrap()
    }
}

#[test]
fn links_lead_where_they_really_lead() {
    let ground = ground();
    let path = |below: &str| ground.path.join(below);
    symlink(path("out"), path("ws/out")).unwrap();
    symlink(path("more/b.rs"), path("ws/b")).unwrap();
    symlink("src/../src/a.rs", path("ws/a")).unwrap();
    symlink("nowhere/yet", path("ws/later")).unwrap();
    for (asked, real, shown) in [
        ("src/a.rs", "ws/src/a.rs", "src/a.rs"),
        ("./src/../src/a.rs", "ws/src/a.rs", "src/a.rs"),
        ("a", "ws/src/a.rs", "src/a.rs"),
        (".", "ws", "."),
        ("later", "ws/nowhere/yet", "nowhere/yet"),
        ("src/new/file", "ws/src/new/file", "src/new/file"),
    ] {
        let found = ground.inside(asked);
        assert_eq!((found.real(), found.shown()), (path(real).as_path(), shown), "{asked}");
    }
    let other = ground.inside("b");
    assert_eq!(
        (other.real(), other.shown()),
        (path("more/b.rs").as_path(), path("more/b.rs").to_str().unwrap())
    );
    assert_eq!(ground.workspace.read(&other, 100).unwrap(), b"more\n");
    for (asked, real) in [
        ("../out/secret", "out/secret"),
        ("out/secret", "out/secret"),
        ("out/new", "out/new"),
        ("src/../../out", "out"),
        ("~/x", "home/x"),
        ("../wsx", "wsx"),
    ] {
        match ground.workspace.locate(asked).unwrap() {
            Located::Outside(outside) => assert_eq!(outside.real(), path(real), "{asked}"),
            inside @ Located::Inside(_) => panic!("{asked}: {inside:?}"),
        }
        let error = ground.workspace.inside(asked).unwrap_err().to_string();
        assert!(
            error.contains("outside the workspace") && error.contains(path(real).to_str().unwrap()),
            "{error}"
        );
    }
    let Located::Outside(granted) = ground.workspace.locate("out/secret").unwrap() else { panic!() };
    assert_eq!(ground.workspace.read(&granted.grant(), 100).unwrap(), b"outside\n");
}

#[test]
fn a_place_that_becomes_a_link_is_no_place_any_more() {
    let ground = ground();
    let file = ground.inside("src/a.rs");
    let new = ground.inside("src/new");
    let folder = ground.inside("src");
    fs::rename(ground.path.join("ws/src"), ground.path.join("ws/old")).unwrap();
    symlink(ground.path.join("out"), ground.path.join("ws/src")).unwrap();
    fs::write(ground.path.join("out/a.rs"), "outside\n").unwrap();
    assert!(matches!(
        ground.workspace.read(&file, 100),
        Err(GateError::Moved { .. } | GateError::Refused { .. })
    ));
    assert!(ground.workspace.folder(&folder).is_err());
    assert!(ground.workspace.look(&file).is_err());
    let digest = Digest::of(b"outside\n");
    let written = ground.workspace.replace(&file, b"x", Before::Content(&digest), &Random::Real);
    assert!(written.is_err());
    assert!(ground.workspace.replace(&new, b"x", Before::Nothing, &Random::Real).is_err());
    assert!(ground.workspace.remove(&file, &digest).is_err());
    assert_eq!(ground.text("out/a.rs"), "outside\n");
    assert!(!ground.path.join("out/new").exists());
}

#[test]
fn files_are_written_whole_and_keep_what_they_are() {
    let ground = ground();
    let file = ground.path.join("ws/src/a.rs");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o751)).unwrap();
    symlink("src/a.rs", ground.path.join("ws/link")).unwrap();
    assert_eq!(ground.replace("link", "new\n", Some("inside\n")).unwrap(), Replaced::Whole);
    assert_eq!(ground.text("ws/src/a.rs"), "new\n");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o751);
    assert!(fs::symlink_metadata(ground.path.join("ws/link")).unwrap().is_symlink());
    assert_eq!(ground.replace("deep/er/x", "made\n", None).unwrap(), Replaced::Whole);
    assert_eq!(ground.text("ws/deep/er/x"), "made\n");
    assert_eq!(fs::read_dir(ground.path.join("ws/src")).unwrap().count(), 1, "something was left behind");
    assert_eq!(fs::read_dir(ground.path.join("ws/deep/er")).unwrap().count(), 1, "something was left behind");
    ground.workspace.remove(&ground.inside("deep/er/x"), &Digest::of(b"made\n")).unwrap();
    assert!(!ground.path.join("ws/deep/er/x").exists());
}

#[test]
fn what_nobody_saw_is_not_written_over() {
    let ground = ground();
    assert!(matches!(ground.replace("src/a.rs", "x", Some("other")), Err(GateError::Changed { .. })));
    assert!(matches!(ground.replace("src/a.rs", "x", None), Err(GateError::Exists { .. })));
    assert!(matches!(ground.replace("src/none", "x", Some("")), Err(GateError::Changed { .. })));
    assert!(ground.workspace.remove(&ground.inside("src/a.rs"), &Digest::of(b"other")).is_err());
    assert!(ground.replace("src", "x", None).is_err());
    assert!(ground.replace("src", "x", Some("")).is_err());
    assert!(ground.replace(".", "x", None).is_err());
    assert!(ground.workspace.locate("src/a.rs/b").is_err());
    assert_eq!(ground.text("ws/src/a.rs"), "inside\n");
    assert_eq!(fs::read_dir(ground.path.join("ws/src")).unwrap().count(), 1, "something was left behind");
}

#[test]
fn a_second_name_is_kept_and_told() {
    let ground = ground();
    fs::hard_link(ground.path.join("out/secret"), ground.path.join("ws/hard")).unwrap();
    let path = ground.inside("hard");
    assert_eq!(ground.workspace.place(&Located::Inside(path)).hard_links, 2);
    let plain = ground.workspace.place(&ground.workspace.locate("src/a.rs").unwrap());
    assert!(plain.inside && plain.hard_links == 1 && plain.protected.is_none() && plain.secret.is_none());
    assert_eq!(ground.replace("hard", "both\n", Some("outside\n")).unwrap(), Replaced::InPlace);
    assert_eq!(ground.text("out/secret"), "both\n");
    assert_eq!(ground.replace("hard", "s\n", Some("both\n")).unwrap(), Replaced::InPlace);
    assert_eq!(ground.text("out/secret"), "s\n");
    // Only who runs as root can give a file away, and is the one for whom the refusal matters most.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(ground.path.join("ws/hard"), Some(12345), None).unwrap();
        let error = ground.replace("hard", "x", Some("s\n")).unwrap_err().to_string();
        assert!(error.contains("somebody else"), "{error}");
        assert_eq!(ground.text("out/secret"), "s\n");
        std::os::unix::fs::chown(ground.path.join("ws/src/a.rs"), Some(12345), Some(54321)).unwrap();
        ground.replace("src/a.rs", "mine\n", Some("inside\n")).unwrap();
        let owner = fs::metadata(ground.path.join("ws/src/a.rs")).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (12345, 54321));
    }
}

#[test]
fn only_files_and_folders_are_opened_and_only_so_much_is_read() {
    let ground = ground();
    let fifo = ground.path.join("ws/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let error = ground.workspace.read(&ground.inside("fifo"), 100).unwrap_err().to_string();
    assert!(error.contains("a pipe"), "{error}");
    assert!(ground.replace("fifo", "x", Some("")).is_err());
    assert!(ground.replace("fifo", "x", None).is_err());
    let error = ground.workspace.read(&ground.inside("src/a.rs"), 6).unwrap_err();
    assert!(matches!(error, GateError::TooLarge { len: 7, limit: 6, .. }), "{error}");
    assert_eq!(ground.workspace.read(&ground.inside("src/a.rs"), 7).unwrap().len(), 7);
    // It says that it is empty and goes on for ever.
    let Located::Outside(endless) = ground.workspace.locate("/proc/self/status").unwrap() else { panic!() };
    assert!(matches!(ground.workspace.read(&endless.grant(), 10), Err(GateError::TooLarge { .. })));
}

#[test]
fn our_own_folder_is_guarded_wherever_it_lies() {
    let ground = ground();
    let own = ground.path.join("own/auth");
    assert!(ground.workspace.protected(&own).is_some());
    assert!(ground.workspace.secret(&own).is_some());
    assert!(ground.workspace.protected(&ground.path.join("OWN/x")).is_some());
    assert!(ground.workspace.protected(&ground.path.join("owner/x")).is_none());
    // A project below a guarded name is a project, but what it guards itself is guarded.
    let nested = ground.path.join("home/.config/nvim");
    fs::create_dir_all(&nested).unwrap();
    let nested_one = workspace(&ground.path, std::slice::from_ref(&nested));
    assert_eq!(nested_one.protected(&nested.join("init.lua")), None);
    assert!(nested_one.protected(&nested.join(".git/hooks/x")).is_some());
    let git = ground.path.join("ws/.git");
    let hub = ground.path.join("ws/.github");
    fs::create_dir_all(&git).unwrap();
    fs::create_dir_all(&hub).unwrap();
    assert!(workspace(&ground.path, std::slice::from_ref(&git)).protected(&git.join("hooks/x")).is_some());
    assert!(
        workspace(&ground.path, std::slice::from_ref(&hub)).protected(&hub.join("workflows/x")).is_some()
    );
    assert!(workspace(&ground.path, &[ground.path.join("none")]).locate("x").is_err());
}

fn found(workspace: &Workspace, start: &str, rules: Rules) -> (Vec<String>, usize) {
    let mut names = Vec::new();
    let mut walk = Walk::new(workspace, rules);
    let start = workspace.inside(start).unwrap();
    walk.below(&start, &mut |entry| {
        if entry.kind != Kind::Folder {
            names.push(entry.path.shown().to_owned());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    (names, walk.secrets)
}

#[test]
fn searches_pass_over_what_is_ignored_hidden_secret_or_elsewhere() {
    let ground = ground();
    let write = |path: &str, text: &str| {
        let path = ground.path.join("ws").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".git/config", "");
    write(".git/info/exclude", "excluded\n");
    write(".gitignore", "target/\n*.log\n!keep.log\n");
    write(".ignore", "noise\n");
    write("src/.gitignore", "/made\n");
    for file in [
        "target/x",
        "a.log",
        "keep.log",
        "noise",
        "excluded",
        "src/made",
        "src/b/made",
        ".hidden",
        ".env",
        "id_rsa",
    ] {
        write(file, "");
    }
    symlink(ground.path.join("out"), ground.path.join("ws/out")).unwrap();
    let plain = Rules::default();
    let (names, secrets) = found(&ground.workspace, ".", plain);
    assert_eq!(names, ["keep.log", "out", "src/a.rs", "src/b/made"]);
    assert_eq!(secrets, 1);
    let (names, secrets) = found(&ground.workspace, ".", Rules { hidden: true, ignored: true });
    assert!(names.contains(&"target/x".to_owned()) && names.contains(&".hidden".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("env") || name.starts_with(".git/")), "{names:?}");
    assert_eq!(secrets, 2);
    // A folder that is named is searched, by the rules of those above it.
    assert_eq!(found(&ground.workspace, "target", plain).0, ["target/x"]);
    assert_eq!(found(&ground.workspace, "src/b", plain).0, ["src/b/made"]);
    write("src/b/c.log", "");
    assert_eq!(found(&ground.workspace, "src/b", plain).0, ["src/b/made"]);
}
