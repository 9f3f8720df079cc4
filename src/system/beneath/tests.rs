//! What a held folder opens and what it refuses.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

use std::fs;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::symlink;

use super::*;

fn dir() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    fs::create_dir_all(path.join("in/deep")).unwrap();
    fs::create_dir(path.join("out")).unwrap();
    fs::write(path.join("in/deep/file"), "inside").unwrap();
    fs::write(path.join("out/secret"), "outside").unwrap();
    (dir, path)
}

#[test]
fn plain_names_open_and_nothing_else_does() {
    let (_dir, path) = dir();
    symlink("../out", path.join("in/up")).unwrap();
    symlink(path.join("in/deep"), path.join("in/near")).unwrap();
    symlink("deep/file", path.join("in/link")).unwrap();
    let folder = Folder::open(&path.join("in")).unwrap();
    let (mut file, look) = folder.file(Path::new("deep/file"), Access::Read).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), look.kind, look.len, look.links), ("inside", Kind::File, 6, 1));
    for bad in ["../out/secret", "/etc/passwd", "up/secret", "near/file", "link", "deep/../../out/secret", ""]
    {
        assert!(folder.file(Path::new(bad), Access::Read).is_err(), "{bad}");
        assert!(folder.file(Path::new(bad), Access::Write).is_err(), "{bad}");
    }
    for bad in ["up", "near", "..", "deep/.."] {
        assert!(folder.folder(Path::new(bad)).is_err(), "{bad}");
    }
    assert!(Folder::open(&path.join("in/near")).is_err());
    assert!(Folder::open(Path::new("in")).is_err());
}

/// What kernels without `openat2` get refuses the same.
#[test]
fn the_walk_is_as_strict() {
    let (_dir, path) = dir();
    symlink("../out", path.join("in/up")).unwrap();
    symlink("deep", path.join("in/near")).unwrap();
    symlink("deep/file", path.join("in/link")).unwrap();
    let folder = fs::File::open(path.join("in")).unwrap();
    let flags = rustix::fs::OFlags::RDONLY.union(rustix::fs::OFlags::NOFOLLOW);
    assert!(imp::walk(folder.as_fd(), Path::new("deep/file"), flags).is_ok());
    for bad in ["up/secret", "near/file", "link", "", "deep/file/x", "deep/none"] {
        assert!(imp::walk(folder.as_fd(), Path::new(bad), flags).is_err(), "{bad}");
    }
}

#[test]
fn pipes_and_devices_do_not_hold_anybody_up() {
    let (_dir, path) = dir();
    let folder = Folder::open(&path.join("in")).unwrap();
    let fifo = path.join("in/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("in/socket")).unwrap();
    for (name, word) in [("fifo", "a pipe"), ("socket", "a socket")] {
        let error = folder.file(Path::new(name), Access::Read).unwrap_err();
        assert!(error.to_string().contains(word), "{name}: {error}");
    }
    let error = Folder::open(Path::new("/dev")).unwrap().file(Path::new("null"), Access::Write).unwrap_err();
    assert!(error.to_string().contains("a device"), "{error}");
}

#[test]
fn names_are_given_only_as_asked() {
    let (_dir, path) = dir();
    let folder = Folder::open(&path.join("in/deep")).unwrap();
    let (old, new) = (OsStr::new("file"), OsStr::new("new"));
    drop(folder.create(new, Openness::Private).unwrap());
    assert!(folder.create(new, Openness::Private).is_err());
    assert_eq!(folder.rename(new, old, Renaming::New).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    match folder.rename(new, old, Renaming::Exchange) {
        Ok(()) => assert_eq!(fs::read_to_string(path.join("in/deep/new")).unwrap(), "inside"),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
    }
    folder.rename(new, old, Renaming::Over).unwrap();
    for bad in ["../x", "a/b", "..", ".", "", "a/"] {
        assert!(folder.create(OsStr::new(bad), Openness::Masked).is_err(), "{bad}");
        assert!(folder.create_folder(OsStr::new(bad)).is_err(), "{bad}");
        assert!(folder.remove(OsStr::new(bad)).is_err(), "{bad}");
    }
    assert_eq!(folder.names(8).unwrap(), (vec![(old.to_owned(), Kind::File)], false));
    assert_eq!(folder.names(0).unwrap(), (Vec::new(), true));
    assert_eq!(fs::read_dir(path.join("out")).unwrap().count(), 1);
}

#[test]
fn real_paths_are_told_also_of_what_is_not_there_yet() {
    let (_dir, path) = dir();
    symlink("../out", path.join("in/up")).unwrap();
    symlink("../out/later", path.join("in/dangling")).unwrap();
    symlink("loop", path.join("in/loop")).unwrap();
    symlink("b", path.join("in/a")).unwrap();
    symlink("a", path.join("in/b")).unwrap();
    for (asked, real) in [
        ("in/deep/../up/secret", "out/secret"),
        ("in/up/none/new", "out/none/new"),
        ("in/dangling", "out/later"),
        ("in/dangling/x", "out/later/x"),
        ("in/./deep", "in/deep"),
        ("in/none", "in/none"),
    ] {
        assert_eq!(real_path(&path.join(asked)).unwrap(), path.join(real), "{asked}");
    }
    for bad in ["in/loop", "in/a/x", "in/none/../../out", "in/deep/file/x"] {
        assert!(real_path(&path.join(bad)).is_err(), "{bad}");
    }
}
