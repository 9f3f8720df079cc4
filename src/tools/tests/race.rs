//! A folder and a file that change places with links while tools work on them.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

/// How long it goes on: three seconds, or as many as the variable says.
fn duration() -> Duration {
    let seconds = std::env::var("ASIDE_RACE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

struct Swapper {
    stop: Arc<AtomicBool>,
    swaps: Arc<AtomicU64>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Swapper {
    /// Lets the two of every pair change places until it is dropped.
    fn start(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        let (stop, swaps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&swaps));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                for (one, other) in &pairs {
                    if renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok() {
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        Self { stop, swaps, thread: Some(thread) }
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_leads_nowhere() {
    let rig = Rig::new();
    let (ws, out) = (rig.path.join("ws"), rig.path.join("out"));
    rig.put("swap/file", "inside\n");
    rig.put("swap/sub/file", "inside\n");
    rig.put("one", "inside\n");
    fs::create_dir_all(out.join("sub")).unwrap();
    for file in ["file", "sub/file", "CANARY-name"] {
        fs::write(out.join(file), "CANARY\n").unwrap();
    }
    symlink(&out, ws.join("link")).unwrap();
    symlink(out.join("file"), ws.join("two")).unwrap();
    let count = || fs::read_dir(&out).unwrap().count() + fs::read_dir(out.join("sub")).unwrap().count();
    let names = count();
    let swapper = Swapper::start(vec![(ws.join("swap"), ws.join("link")), (ws.join("one"), ws.join("two"))]);
    let started = tokio::time::Instant::now();
    let (mut calls, mut inside, mut kept_out, mut asked) = (0_u64, 0_u64, 0_u64, 0_u64);
    while started.elapsed() < duration() {
        let turn = calls % 7;
        for (name, arguments) in [
            ("read", json!({"path": "swap/file"})),
            ("read", json!({"path": "one"})),
            ("edit", json!({"path": "swap/file", "edits": [{"oldText": "CANARY", "newText": "WRITTEN"}]})),
            ("edit", json!({"path": "swap/file", "edits": [{"oldText": "inside", "newText": "inside"}]})),
            ("write", json!({"path": "swap/sub/file", "content": format!("inside {turn}\n")})),
            ("write", json!({"path": format!("swap/new{turn}"), "content": "inside\n"})),
            ("write", json!({"path": "one", "content": format!("inside {turn}\n")})),
            ("read", json!({"path": "swap/sub/file"})),
            ("grep", json!({"pattern": "C?A?N?", "path": "."})),
            ("grep", json!({"pattern": "C?A?N?", "path": "swap"})),
            ("find", json!({"pattern": "*", "path": "swap"})),
            ("ls", json!({"path": "swap"})),
        ] {
            calls += 1;
            match rig.unasked(name, arguments).await {
                None => asked += 1,
                Some(came) => {
                    let text = came.outcome.text;
                    assert!(!text.contains("CANARY"), "{name}: {text}");
                    if came.outcome.is_error { kept_out += 1 } else { inside += 1 }
                }
            }
        }
    }
    let swaps = swapper.swaps.load(Ordering::Relaxed);
    drop(swapper);
    for file in ["file", "sub/file", "CANARY-name"] {
        assert_eq!(fs::read_to_string(out.join(file)).unwrap(), "CANARY\n", "{file}");
    }
    assert_eq!(count(), names, "something was created outside");
    println!(
        "{calls} calls against {swaps} swaps: {inside} inside, {kept_out} refused, {asked} asked, 0 out"
    );
    assert!(inside > 0 && asked > 0 && kept_out > 0 && swaps > 100, "{inside} {asked} {kept_out} {swaps}");
}
